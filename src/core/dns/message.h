/* message.h - DNS questions into bytes, and the bytes that come back into plain structs.
 *
 * Owns      nothing; what dns_decode() returns lives in the caller's arena.
 * Threads   any. Pure: id and case mixing are the caller's random numbers.
 * Errors    a bad name is TIDE_EINVAL. Whatever a peer sends is a status, never an error.
 * Limits    DNS_RRS_MAX records walked in a message, DNS_CNAME_MAX links followed, 64 KiB.
 * Standards RFC 1035, 2181 (TTL), 2308 (negative answers), 6891 (EDNS0), 0x20 case mixing
 *           (draft-vixie-dnsext-dns0x20).
 * Known gap no DNSSEC: a validating resolver on the same machine is what to ask.
 */
#ifndef CORE_DNS_MESSAGE_H
#define CORE_DNS_MESSAGE_H

#include "base/arena.h"

#define DNS_NAME_BYTES_MAX  255 /* on the wire, with the root's zero */
#define DNS_QUERY_BYTES_MAX (12 + DNS_NAME_BYTES_MAX + 4 + 11)
#define DNS_EDNS_BYTES      1232
#define DNS_EXTRA_MAX       8
#define DNS_RRS_MAX         256
#define DNS_CNAME_MAX       8

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_OPT = 41,
};

const char *dns_type_name(enum dns_type type); /* "MX"; "?" for those not in the list */

/* name, what a person reads, whether it is an answer of the owner of the name */
#define DNS_STATUSES(X)                                                  \
    X(OK, "records found", true)                                         \
    X(NODATA, "the name exists, it has no such record", true)            \
    X(NXDOMAIN, "the name does not exist", true)                         \
    X(SERVFAIL, "the name server failed (SERVFAIL)", false)              \
    X(REFUSED, "the name server refused to answer (REFUSED)", false)     \
    X(BROKEN, "the name server's answer makes no sense", false)          \
    X(LOOP, "the name is an alias (CNAME) in a loop or too long", false) \
    X(TIMEOUT, "no name server answered in time", false)                 \
    X(UNREACHABLE, "no name server could be reached", false)

enum dns_status {
#define DNS_STATUS(code, text, final) DNS_##code,
    DNS_STATUSES(DNS_STATUS)
#undef DNS_STATUS
};

const char *dns_status_name(enum dns_status s); /* "NXDOMAIN" */
const char *dns_status_text(enum dns_status s); /* "the name does not exist" */
/* OK, NODATA and NXDOMAIN are facts; all others are doubts, to be asked again. */
bool dns_status_is_final(enum dns_status s);

/* Names are in lower case, without the last dot ("." is the root); octets that would mislead are
 * written \DDD. */
struct dns_rr {
    uint32_t ttl_s;
    uint16_t preference; /* MX */
    uint8_t address[16]; /* A: the first four */
    struct text data;    /* MX, CNAME, NS, PTR: a name; TXT: its strings joined */
};

struct dns_answer {
    enum dns_status status;
    enum dns_type type;
    struct text canonical; /* where the chain of CNAMEs ended; the name asked where there is none */
    uint8_t cname_count;
    bool stale;     /* from the cache, past its time, because nobody answered (RFC 8767) */
    uint32_t ttl_s; /* how long all of it holds; negative answers: RFC 2308 5, 0 without a SOA */
    /* MX, fresh from the wire: A records of its hosts that came along (`data` is the owner); good
     * for saving a question, never kept as answers. */
    const struct dns_rr *extra;
    size_t extra_count;
    const struct dns_rr *rrs; /* of the type asked, in the order received */
    size_t rr_count;
};

/* What is asked, and how it was put on the wire. */
struct dns_question {
    uint8_t name[DNS_NAME_BYTES_MAX]; /* lower case, wire form */
    uint8_t sent[DNS_NAME_BYTES_MAX]; /* as sent, in mixed case */
    uint8_t name_n;
    uint16_t type, id;
    int64_t key; /* dns_key() of type and name */
};

/* What tables of questions are sorted by; hard to make collide from outside (base/map.h). */
int64_t dns_key(unsigned type, const void *name, size_t n);

/* `name` in ASCII, dot at the end optional; octets but "." and "\" stand for themselves. */
TIDE_MUST_CHECK enum tide_err dns_question_init(struct dns_question *q,
                                                struct text name,
                                                enum dns_type type,
                                                struct tide_error *err);

/* Writes the query to `out` (DNS_QUERY_BYTES_MAX), remembers id and case; returns its length.
 * The n-th letter is upper case where bit n of `mix` is set; 0 sends lower case. */
size_t dns_encode(
    struct dns_question *q, uint16_t id, const uint8_t mix[32], bool edns, uint8_t *out);

enum dns_match {
    DNS_NOT_OURS,   /* another id or question, no answer at all: drop it, keep waiting */
    DNS_OTHER_CASE, /* ours but for the mixed case: ask again over TCP, where that is no sign */
    DNS_TRUNCATED,  /* ask again over TCP */
    DNS_NO_EDNS,    /* FORMERR, NOTIMP or BADVERS: ask again without EDNS */
    DNS_ANSWERED,   /* *ret says what */
};

/* Matches, and only then decodes. TIDE_ENOMEM of the arena shows as BROKEN. */
enum dns_match dns_decode(const struct dns_question *q,
                          bool tcp,
                          const uint8_t *wire,
                          size_t n,
                          struct arena *arena,
                          struct dns_answer *ret);

/* A wire-form name as text (see struct dns_rr), in the arena; {NULL, 0} when out of memory. */
struct text dns_name_text(const uint8_t *wire, size_t n, struct arena *arena);

#endif
