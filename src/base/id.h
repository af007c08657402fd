/* id.h - names of notifications and attempts: unique, sorted by time, short to read and to say.
 *
 * An id is 63 bits: milliseconds since 2020 (42 bits), node (5 bits), sequence (16 bits). Written
 * in Crockford's base32 in lower case, 13 characters ("0c2kq7b3g4h01").
 *
 * Owns      struct id_source, the caller's.
 * Threads   one at a time per source. Reads no clock.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/time.h"

typedef int64_t tide_id; /* 0 is none */

#define ID_TEXT_BYTES 14

struct id_source {
    tide_id last;
    unsigned node; /* 0..31 */
};

/* Greater than every id that this source gave before, also when the clock went back.
 * After a restart set `last` to the greatest id in the store. */
tide_id id_next(struct id_source *s, tide_wall_ms now);

/* The least id of an instant: all that were given before it are smaller. */
tide_id id_floor(tide_wall_ms t);

const char *id_text(tide_id id, char *out); /* out holds ID_TEXT_BYTES; returns out */
TIDE_MUST_CHECK enum tide_err id_parse(struct text t, tide_id *ret, struct tide_error *err);
tide_wall_ms id_time(tide_id id);

#endif
