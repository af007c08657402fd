/* mailbox_host.h - who keeps the mailboxes behind a filtering gateway, told by what the domain's
 * owner publishes for sending: SPF includes and DKIM selectors that a provider gives its customers.
 *
 *   SPF (includes name candidates) --> DKIM, selector after selector --> none left to ask: done
 *
 * Only candidates' selectors are asked where SPF named some, everybody's else.
 *
 * Owns      nothing; names live in the arena given to mailbox_host_init().
 * Threads   one at a time. Pure. The index may be made anew between two steps.
 * Errors    an answer that is no fact tells nothing; running out of memory ends it with nobody.
 * Limits    MAILBOX_HOSTS_MAX candidates, 1 + MAILBOX_SELECTORS_MAX questions. SPF is read as it
 *           stands, includes of includes are not followed.
 */
#ifndef CORE_VERIFY_MAILBOX_HOST_H
#define CORE_VERIFY_MAILBOX_HOST_H

#include "core/dns/message.h"
#include "core/verify/provider.h"

#define MAILBOX_HOSTS_MAX     8
#define MAILBOX_SELECTORS_MAX 6

struct mailbox_host {
    struct arena *arena;
    struct text domain, selector; /* the selector asked for now; empty: SPF is */
    struct {
        struct text name;
        bool spf, dkim;
    } found[MAILBOX_HOSTS_MAX];
    size_t found_count, next; /* next: place in the index's selectors */
    unsigned asked;
    bool failed;
};

void mailbox_host_init(struct mailbox_host *h, struct text domain, struct arena *arena);

/* The name to ask TXT of; empty: done. */
struct text mailbox_host_ask(struct mailbox_host *h, const struct provider_index *ix);

/* Returns a line of evidence in the arena; empty: it told nothing. */
struct text mailbox_host_answer(struct mailbox_host *h,
                                const struct provider_index *ix,
                                const struct dns_answer *answer);

/* The one that SPF and DKIM name (confidence high), or that one of them names alone (medium).
 * Empty: nobody, or several with the same right. */
struct text mailbox_host_name(const struct mailbox_host *h, enum limit_confidence *ret);

#endif
