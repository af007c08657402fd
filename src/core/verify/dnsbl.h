/* dnsbl.h - whether an address or a domain is on a DNS block list, asked so that a broken list or
 * resolver lists nobody.
 *
 *   IDLE --start--> LISTED (a name that must be listed) --> CLEAR (one that must not) --> ASK
 *                     `--not so, or an error return: DONE, unknown           |
 *                                                         DONE <-- REASON <--'
 *
 * Owns      nothing; texts live in the arena given to dnsbl_init(). The zone stays the caller's.
 * Threads   one at a time. Pure.
 * Errors    a doubt is DNSBL_UNKNOWN with its reason; running out of memory too.
 * Limits    4 questions.
 * Standards RFC 5782 (control names 5, codes 2.1). What lies in 127.255.255.0/24 is an error return
 *           and what the zone does not document is not a listing either.
 * Known gap a list that knows no IPv6 answers as one that has nothing against the address.
 */
#ifndef CORE_VERIFY_DNSBL_H
#define CORE_VERIFY_DNSBL_H

#include "core/verify/question.h"

/* From schedules/dnsbl.conf; no list's name stands in C. */
struct dnsbl_zone {
    char *name; /* "spamhaus-zen" */
    char *title, *zone;
    bool addresses, domains; /* what it lists */
    bool information;        /* a listing is worth knowing and says nothing about the sender */
    bool bits;               /* codes are bits of the last octet */
    char **codes;            /* "127.0.0.2 what it means"; bits: "2 what it means" */
    size_t code_count;
    char *test;  /* of domains: a name that is always listed; NULL: TEST (RFC 5782 5) */
    char *clear; /* one that never is; NULL: INVALID, addresses 127.0.0.1 */
    char *delist;
    char *reference, *date;
};

enum dnsbl_state {
    DNSBL_AT_IDLE,
    DNSBL_AT_LISTED,
    DNSBL_AT_CLEAR,
    DNSBL_AT_ASK,
    DNSBL_AT_REASON,
    DNSBL_AT_DONE
};

enum dnsbl_result { DNSBL_UNKNOWN, DNSBL_CLEAR, DNSBL_LISTED };

struct dnsbl {
    enum dnsbl_state state;
    const struct dnsbl_zone *zone;
    struct arena *arena;
    struct text subject; /* what stands before the zone: "2.2.0.192" */
    bool of_domain;

    enum dnsbl_result result;
    struct text what;   /* LISTED: the code's meaning; UNKNOWN: why */
    struct text reason; /* the list's own TXT; may be empty */
};

void dnsbl_init_ip(struct dnsbl *d,
                   const struct dnsbl_zone *zone,
                   const uint8_t ip[16],
                   bool v6,
                   struct arena *arena);
void dnsbl_init_domain(struct dnsbl *d,
                       const struct dnsbl_zone *zone,
                       struct text domain,
                       struct arena *arena);
void dnsbl_start(struct dnsbl *d, struct question *todo);
void dnsbl_feed(void *dnsbl, const struct dns_answer *answer, struct question *todo);

/* "1.2.0.192", or 32 nibbles. `out` holds 64. */
struct text dnsbl_reversed(const uint8_t ip[16], bool v6, char *out);

#endif
