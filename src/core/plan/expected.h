/* expected.h - what an application says is to come: of one recipient, or of all.
 *
 * "He will get 40 today", or "everybody gets three times as much until noon": an import runs, a
 * release is out. It takes the place of what the forecast has learnt, or multiplies it, until it
 * ends by itself.
 *
 * Owns      its entries.
 * Lifetime  zeroed memory is empty; expected_fini().
 * Threads   one at a time. Reads no clock.
 * Errors    TIDE_ECORRUPT for a blob that is none; false when full or out of memory.
 * Limits    EXPECTED_MAX recipients; those that ended give way.
 */
#ifndef CORE_PLAN_EXPECTED_H
#define CORE_PLAN_EXPECTED_H

#include "base/map.h"
#include "base/time.h"
#include "core/plan/forecast.h"

#define EXPECTED_MAX       4096
#define EXPECTED_COUNT_MAX 100000.0
#define EXPECTED_TIMES_MAX 1000.0

struct expected_entry;

struct expected {
    struct idmap entries; /* by recipient */
    double times;         /* of all; 0: nothing is said */
    tide_wall_ms until;   /* of times */
    bool dirty;
};

void expected_fini(struct expected *e);

/* id 0: all, `value` times as many; else his count of the day. 0 takes it back. */
bool expected_say(
    struct expected *e, int64_t recipient_id, double value, tide_wall_ms now, tide_wall_ms until);
/* The level with what is said of him. */
struct forecast_level expected_level(const struct expected *e,
                                     int64_t recipient_id,
                                     tide_wall_ms now,
                                     const struct forecast_level *l);

void expected_encode(const struct expected *e, struct buf *ret);
TIDE_MUST_CHECK enum tide_err expected_decode(struct text blob,
                                              struct expected *ret,
                                              struct tide_error *err);

#endif
