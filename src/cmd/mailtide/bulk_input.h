/* bulk_input.h - addresses out of a list: CSV, JSON a line, or an address a line.
 *
 * What it is shows in the first line: "{" begins NDJSON. Else it is CSV, with a header unless a
 * field of the first record holds an "@". An address a line is CSV of one column.
 *
 * Owns      struct bulk_input what was fed and not yet taken. An address holds until the next call.
 * Lifetime  bulk_input_init() to bulk_input_fini().
 * Threads   one at a time. Pure.
 * Errors    a line that has no address is an address that is none, so that every record of the list
 *           has one of the output. TIDE_EINVAL: there is no such column. TIDE_ENOMEM.
 * Limits    BULK_LINE_BYTES_MAX a line.
 */
#ifndef CMD_MAILTIDE_BULK_INPUT_H
#define CMD_MAILTIDE_BULK_INPUT_H

#include "core/proto/csv.h"

#define BULK_LINE_BYTES_MAX CSV_RECORD_BYTES_MAX

enum bulk_kind { BULK_UNDECIDED, BULK_CSV, BULK_NDJSON };

struct bulk_input {
    enum bulk_kind kind;
    const char *column; /* its name or its number from 1; NULL: found */
    struct csv csv;
    struct buf fed;
    size_t at;      /* what of it was taken */
    size_t place;   /* of the column, from 0 */
    bool end, open; /* open: the first record is known */
    bool skipping;  /* the rest of a line that was too long */
    struct buf address;
};

void bulk_input_init(struct bulk_input *in, const char *column);
void bulk_input_fini(struct bulk_input *in);

/* More of the list; n 0: its end. False: out of memory. */
bool bulk_input_feed(struct bulk_input *in, const char *bytes, size_t n);

/* The next address. TIDE_ENOENT: none before more is fed (or at all, at the end). */
TIDE_MUST_CHECK enum tide_err bulk_input_next(struct bulk_input *in,
                                              struct text *ret,
                                              struct tide_error *err);

#endif
