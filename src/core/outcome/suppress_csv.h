/* suppress_csv.h - lists of suppressed addresses as ESPs' consoles give and take them.
 *
 * Reads the columns by their names, in any order and case: SendGrid's
 * ("status,reason,email,created", a time in seconds since 1970), SES' ("Email address,Suppression
 * reason,Last update time"), our own. Without a first line of names it is what SES imports:
 * "ann@example.com,BOUNCE". Bounces and complaints are told apart by the reason; what the words of
 * a bounce mean is decided elsewhere.
 *
 * Owns      nothing: texts of an entry are the record's.
 * Threads   any. Pure.
 * Errors    TIDE_ENOENT no column holds addresses; a line without one is TIDE_EADDR.
 * Standards RFC 4180 (csv.h).
 */
#ifndef CORE_OUTCOME_SUPPRESS_CSV_H
#define CORE_OUTCOME_SUPPRESS_CSV_H

#include "core/proto/csv.h"
#include "core/record/suppression.h"

enum suppress_column {
    COLUMN_ADDRESS,
    COLUMN_REASON,
    COLUMN_CREATED,
    COLUMN_CAUSE,
    COLUMN_SCOPE,
    COLUMN_EXPIRES,
    SUPPRESS_COLUMNS
};

struct suppress_csv {
    int at[SUPPRESS_COLUMNS]; /* places of columns; -1: none */
};

/* Without the mark that Excel puts in front of UTF-8. */
struct text suppress_csv_begin(struct text list);

/* Of the first record. *ret_is_head: it holds names alone, else it is an entry itself. */
TIDE_MUST_CHECK enum tide_err suppress_csv_head(const struct csv *record,
                                                struct suppress_csv *ret,
                                                bool *ret_is_head,
                                                struct tide_error *err);

/* `otherwise`: the cause of a line that tells none. */
TIDE_MUST_CHECK enum tide_err suppress_csv_entry(const struct suppress_csv *c,
                                                 const struct csv *record,
                                                 enum suppression_cause otherwise,
                                                 struct suppression *ret,
                                                 struct tide_error *err);

/* A line each, CRLF. For SES those that it knows: false, and nothing is written, for the others. */
void suppress_csv_put_head(struct buf *out);
void suppress_csv_put(struct buf *out, const struct suppression *s);
bool suppress_csv_put_ses(struct buf *out, const struct suppression *s);

#endif
