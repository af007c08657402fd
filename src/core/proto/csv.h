/* csv.h - records of comma-separated values, out of pieces of any size, and fields into them.
 *
 * Owns      struct csv its record; fields point into it and hold until the next csv_next().
 * Lifetime  csv_init() to csv_fini().
 * Threads   one at a time. Pure.
 * Errors    a record over CSV_RECORD_BYTES_MAX or CSV_FIELDS_MAX comes out as CSV_TOO_LARGE, with
 *           the fields that it has room for; reading goes on behind its end. Running out of memory
 *           is CSV_NO_MEMORY.
 * Limits    as above: memory does not grow with the file.
 * Standards RFC 4180, and what is met beside it: CR, LF or both as line ends, any separator, a
 * quote within a field that does not begin with one is a quote. Empty lines are no records.
 */
#ifndef CORE_PROTO_CSV_H
#define CORE_PROTO_CSV_H

#include "base/buf.h"

#define CSV_RECORD_BYTES_MAX (1u << 20)
#define CSV_FIELDS_MAX       1024

enum csv_state { CSV_AT_START, CSV_PLAIN, CSV_QUOTED, CSV_QUOTE_IN_QUOTED };
enum csv_got { CSV_WANTS_MORE, CSV_RECORD, CSV_TOO_LARGE, CSV_NO_MEMORY };

struct csv {
    char separator;
    enum csv_state state;
    bool whole, too_large, begun;
    bool unclosed; /* the end came within quotes: the record goes from there to the end */
    struct buf record;
    size_t starts[CSV_FIELDS_MAX + 1]; /* of each field; of what would be the next */
    size_t count;
};

void csv_init(struct csv *c, char separator);
void csv_fini(struct csv *c);

/* Takes from *in up to the end of a record, or all of it. `end`: nothing comes behind *in, what
 * stands there is a record without a line end too. */
enum csv_got csv_next(struct csv *c, struct text *in, bool end);

struct text csv_field(const struct csv *c, size_t i); /* empty behind the last one */

/* The separator that a first line has most of: one of , ; tab |. */
char csv_separator_of(struct text line);

/* Quoted where it must be. No separator in front: that is the caller's. */
void csv_put(struct buf *out, struct text field);

#endif
