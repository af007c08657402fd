/* mx.h - whether a domain takes mail, and who runs its mailboxes, found out by one DNS question
 * after the other.
 *
 *   IDLE --start--> MX --hosts, or none (RFC 5321 5.1)--> A --no global address--> AAAA
 *                   | |                                   ^ `--global---.           |
 *                   | |                                   `--next host--|-----------'
 *                   | |          DONE <--answer-- SPF <--no MX, address-+--host, none left--> DONE
 *                   | `--an address of the first host was told along--> DONE
 *                   `--null MX, NXDOMAIN, doubt--> DONE
 *
 * Where all hosts are a filtering gateway's, BEHIND stands before DONE: mailbox_host.h finds out
 * for whom it filters.
 *
 * Owns      nothing; names and evidence live in the arena given to mx_init().
 * Threads   one at a time. Pure: answers and `now` are the caller's.
 * Errors    running out of the arena's memory makes the verdict unknown.
 * Limits    MX_HOSTS_MAX hosts kept, addresses of MX_ASKED_MAX of them asked for, in order of
 *           preference until one is usable: 2 + 2 * MX_ASKED_MAX questions at most, and those of
 *           mailbox_host.h.
 * Standards RFC 5321 5.1, RFC 7505 (null MX), RFC 1035, RFC 7208 ("v=spf1 -all").
 */
#ifndef CORE_VERIFY_MX_H
#define CORE_VERIFY_MX_H

#include "base/buf.h"
#include "core/dns/message.h"
#include "core/record/verdict.h"
#include "core/verify/mailbox_host.h"

#define MX_HOSTS_MAX 64
#define MX_ASKED_MAX 8

#define MX_RETRY_SILENT_MS (1 * TIME_MINUTE_MS) /* nobody answered: soon */
#define MX_RETRY_DOUBT_MS                                                                       \
    (5 * TIME_MINUTE_MS)                     /* RFC 2308 7.1: a failure holds 5 minutes at most \
                                              */
#define MX_VALID_MS_MIN (1 * TIME_MINUTE_MS) /* a TTL of 0 would ask for every mail */
#define MX_VALID_MS_MAX (7 * TIME_DAY_MS)

enum mx_state { MX_IDLE, MX_MX, MX_A, MX_AAAA, MX_SPF, MX_BEHIND, MX_DONE };

enum mx_host_state { MX_UNASKED, MX_USABLE, MX_UNUSABLE, MX_DOUBTFUL, MX_LITERAL };

struct mx_host {
    struct text name;
    uint16_t preference;
    enum mx_host_state state;
    bool has_address;
    const char *why; /* it is not usable: "does not exist", or what kind of address it has */
};

struct mx {
    enum mx_state state;
    struct arena *arena;
    struct text domain;
    const struct provider_index *providers; /* NULL: nobody is recognised */
    bool private_addresses; /* hosts that are not on the Internet may take mail: intranets, labs */
    struct mx_host hosts[MX_HOSTS_MAX];
    size_t host_count, at, asked;
    size_t host_total; /* also those that were not kept */
    bool implicit;     /* no MX: the domain's own address */
    bool null_mx, no_domain, sends_nothing, out_of_memory, stale;
    enum dns_status doubt; /* OK: none; else the last answer that was no fact */
    int64_t valid_ms;
    struct mailbox_host behind;
    struct buf evidence;
};

/* The next question, or that the verdict can be had. */
struct mx_todo {
    bool done;
    struct text name;
    enum dns_type type;
};

/* `domain`: A-labels, lower case. The index may be made anew between two answers. */
void mx_init(struct mx *m,
             struct text domain,
             const struct provider_index *providers,
             bool private_addresses,
             struct arena *arena);
void mx_fini(struct mx *m);
void mx_start(struct mx *m, struct mx_todo *todo);
void mx_answer(struct mx *m, const struct dns_answer *answer, struct mx_todo *todo);

/* Once done. Its texts live in `arena` (which may be the machine's own). */
void mx_verdict(const struct mx *m, tide_wall_ms now, struct arena *arena, struct verdict *ret);

#endif
