/* addresses.h - addresses out of a list: CSV, JSON a line, a JSON array, or an address a line.
 *
 * What it is shows in the first line: "{" begins NDJSON, "[" an array. Else it is CSV, with a
 * header unless a field of the first record holds an "@". An address a line is CSV of one column.
 * It is UTF-8, or UTF-16 with a mark of byte order, as spreadsheets save it.
 *
 * Owns      struct addresses what was fed and not yet taken. An address holds until the next call.
 * Lifetime  addresses_init() to addresses_fini().
 * Threads   one at a time. Pure.
 * Errors    a line that has no address is an address that is none, so that every record of the list
 *           has one of the output. TIDE_EINVAL: there is no such column, a quote is never closed,
 *           it is no text. TIDE_ENOMEM.
 * Limits    ADDRESSES_LINE_BYTES_MAX a line.
 */
#ifndef CORE_VERIFY_ADDRESSES_H
#define CORE_VERIFY_ADDRESSES_H

#include "core/proto/csv.h"

#define ADDRESSES_LINE_BYTES_MAX CSV_RECORD_BYTES_MAX

enum addresses_kind {
    ADDRESSES_UNDECIDED,
    ADDRESSES_CSV,
    ADDRESSES_NDJSON,
    ADDRESSES_ARRAY,
};

struct addresses {
    enum addresses_kind kind;
    const char *column; /* its name or its number from 1; NULL: found */
    struct csv csv;
    struct buf fed;
    size_t at;             /* what of it was taken */
    size_t place;          /* of the column, from 0 */
    bool end, open;        /* open: the first record is known */
    bool closed;           /* the array has ended */
    bool skipping;         /* the rest of a line that was too long */
    bool wide, big;        /* UTF-16, of big-endian units */
    bool encoded, no_text; /* it is known which; it is neither */
    uint8_t half;          /* the first octet of a unit; of use with has_half */
    bool has_half;
    uint32_t surrogate; /* the first of a pair; 0: none */
    struct buf address;
};

void addresses_init(struct addresses *in, const char *column);
void addresses_fini(struct addresses *in);

/* More of the list; n 0: its end. False: out of memory. */
bool addresses_feed(struct addresses *in, const char *bytes, size_t n);

/* The next address. TIDE_ENOENT: none before more is fed (or at all, at the end). */
TIDE_MUST_CHECK enum tide_err addresses_next(struct addresses *in,
                                             struct text *ret,
                                             struct tide_error *err);

#endif
