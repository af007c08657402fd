/* bulk_output.h - what was found out of an address, as a row of CSV or a line of JSON, and how many
 * of them an earlier run has written.
 *
 * Owns      nothing. Threads any. Pure, but for bulk_written().
 * Errors    TIDE_EIO, TIDE_EINVAL: the file does not begin as bulk_put_head() would.
 */
#ifndef CMD_MAILTIDE_BULK_OUTPUT_H
#define CMD_MAILTIDE_BULK_OUTPUT_H

#include "base/buf.h"

enum bulk_format { BULK_TO_CSV, BULK_TO_NDJSON };

struct bulk_row {
    struct text given, address; /* address: the normal form; empty: it is none */
    struct text verdict, provider, gateway;
    bool provider_likely; /* not certain */
    unsigned hints;       /* of enum recipient_hint */
    struct text meant;
    struct text reason, evidence;
};

/* The first line of CSV; nothing for JSON. */
void bulk_put_head(enum bulk_format format, struct buf *out);
void bulk_put_row(enum bulk_format format, const struct bulk_row *row, struct buf *out);

/* Reads the file from its start: whole rows in it, and where the last one ends. */
TIDE_MUST_CHECK enum tide_err bulk_written(
    int fd, enum bulk_format format, uint64_t *ret_rows, int64_t *ret_end, struct tide_error *err);

#endif
