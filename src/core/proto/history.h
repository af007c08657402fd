/* history.h - what a site has sent before mailtide came, out of the logs that it has kept.
 *
 *   history_table.c    CSV and tables divided by tabs: time and recipient, with or without a first
 *                      line of names; SendGrid's activity export, SES' exports
 *   history_postfix.c  a Postfix log
 *   history_events.c   events as JSON, one a line, in an array or behind one another: SES' events
 *                      (bare, or in the envelopes of SNS and EventBridge), SendGrid's webhook
 *
 * What is wanted of all of them is when a mail was made for whom, once a mail and recipient: of the
 * several events of one mail the first counts, and its time is that of the mail where the event
 * says so.
 *
 * Owns      nothing; what `each` is given is borrowed for the call.
 * Threads   any. Pure.
 * Errors    TIDE_ESYNTAX when more than one line in a hundred cannot be read (the first of them is
 *           named), or nothing is in it; TIDE_ENOMEM. A few bad lines are counted and left out.
 * Limits    HISTORY_OBJECT_BYTES_MAX for one event of JSON, CSV_RECORD_BYTES_MAX for a record.
 * Memory grows with the number of mails that have an id, 48 bytes each.
 */
#ifndef CORE_PROTO_HISTORY_H
#define CORE_PROTO_HISTORY_H

#include "base/map.h"
#include "base/time.h"
#include "core/limit/zone.h"

#define HISTORY_OBJECT_BYTES_MAX (1u << 20)
#define HISTORY_AT_MAX_S         253402300799 /* year 9999 */

#define HISTORY_FORMATS(X)                               \
    X(ANY, "any", "whatever it looks like")              \
    X(TABLE, "table", "CSV or tabs: time and recipient") \
    X(POSTFIX, "postfix", "Postfix log")                 \
    X(EVENTS, "events", "events as JSON (SES, or SendGrid's webhook)")

enum history_format {
#define HISTORY_FORMAT(code, name, words) HISTORY_##code,
    HISTORY_FORMATS(HISTORY_FORMAT)
#undef HISTORY_FORMAT
        HISTORY_FORMAT_COUNT
};

const char *history_format_name(enum history_format f);
const char *history_format_words(enum history_format f);

enum history_class { HISTORY_URGENT, HISTORY_DIRECT, HISTORY_WATCHED, HISTORY_CLASSES };

struct history_item {
    int64_t at_s; /* since 1970 */
    struct text recipient;
    enum history_class class; /* DIRECT when nothing says */
    struct text source;       /* who wrote: an application or a sender; "" when nothing says */
};

struct history_options {
    enum history_format format;
    const struct zone *zone; /* of times that name none; NULL: UTC */
    int64_t now_s;           /* a log without years is not younger */
    void *arg;
    bool (*each)(void *arg, const struct history_item *item); /* false: out of memory */
};

struct history_result {
    enum history_format format; /* what it was read as */
    uint64_t items;             /* given to `each` */
    uint64_t records;           /* looked at */
    uint64_t again;             /* of a mail that was counted before */
    uint64_t bad;               /* could not be read */
    char first_bad[160];        /* "line 17: ..." */
};

TIDE_MUST_CHECK enum tide_err history_read(struct text bytes,
                                           const struct history_options *options,
                                           struct history_result *ret,
                                           struct tide_error *err);

/* What a file of such bytes would be read as. */
enum history_format history_guess(struct text bytes);

#endif
