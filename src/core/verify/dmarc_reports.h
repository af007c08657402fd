/* dmarc_reports.h - whether those whom a DMARC record sends its reports to want them.
 *
 *   IDLE --start--> TARGET --answer--> TARGET of the next one --none left--> DONE
 *
 * A mailbox of the domain's own organization needs no leave. Another one's has to publish
 * "DOMAIN._report._dmarc.HOST", TXT "v=DMARC1"; without it receivers send it nothing.
 *
 * Owns      nothing; texts live in the arena given to dmarc_reports_init().
 * Threads   one at a time. Pure.
 * Limits    DMARC_TARGETS_MAX hosts; further ones are not looked at.
 * Standards RFC 9990 4 (rua), RFC 9991 5 (ruf); RFC 7489 7.1.
 */
#ifndef CORE_VERIFY_DMARC_REPORTS_H
#define CORE_VERIFY_DMARC_REPORTS_H

#include "base/arena.h"
#include "core/verify/question.h"

#define DMARC_TARGETS_MAX 8

enum dmarc_target_result { DMARC_TARGET_UNKNOWN, DMARC_TARGET_WILLING, DMARC_TARGET_UNWILLING };

struct dmarc_target {
    struct text host, name; /* "reports.example", "example.org._report._dmarc.reports.example" */
    enum dmarc_target_result result;
    enum dns_status doubt; /* UNKNOWN: what DNS said */
};

struct dmarc_reports {
    struct arena *arena;
    struct text domain; /* whose record it is */
    struct dmarc_target targets[DMARC_TARGETS_MAX];
    size_t count, at;
    bool out_of_memory;
};

/* `organizational` is that of the domain; rua and ruf are the record's values. */
void dmarc_reports_init(struct dmarc_reports *d,
                        struct text domain,
                        struct text organizational,
                        struct text rua,
                        struct text ruf,
                        struct arena *arena);
void dmarc_reports_start(struct dmarc_reports *d, struct question *todo);
void dmarc_reports_feed(void *reports, const struct dns_answer *answer, struct question *todo);

#endif
