/* time.h - the two times, civil dates in UTC, and how instants are written and read.
 *
 * Wall time (tide_wall_ms) is what quotas, resets and deadlines are counted in; it may be scaled
 * (src/io/loop/clock.h) and may step. Monotonic time (tide_mono_ms) is for time-outs of the wire
 * and is never scaled. Local time in an IANA zone: src/core/limit/zone.h.
 *
 * Owns      nothing. Threads any. Reads no clock.
 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/text.h"

typedef int64_t
    tide_wall_ms; /* milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted */
typedef int64_t tide_mono_ms; /* milliseconds since some start; only differences mean anything */

#define TIDE_NEVER INT64_MAX

#define TIME_SECOND_MS 1000LL
#define TIME_MINUTE_MS 60000LL
#define TIME_HOUR_MS   3600000LL
#define TIME_DAY_MS    86400000LL

struct civil {
    int year, month, day;     /* month and day from 1 */
    int hour, minute, second; /* second 0..59 */
    int ms;
    int weekday;  /* 0 is Sunday */
    int offset_s; /* east of UTC */
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar, and back. */
int64_t days_of_civil(int year, int month, int day);
void civil_of_days(int64_t days, int *ret_year, int *ret_month, int *ret_day);

/* `offset_s` seconds east of UTC. */
struct civil civil_of_wall(tide_wall_ms t, int offset_s);
tide_wall_ms wall_of_civil(const struct civil *c);

#define TIME_TEXT_BYTES 40

/* "2026-11-21T22:17:26.123Z" or "...+08:00". Returns out, which holds TIME_TEXT_BYTES. */
const char *time_rfc3339(tide_wall_ms t, int offset_s, char *out);
/* "Sat, 21 Nov 2026 22:17:26 +0000" (RFC 5322 3.3). */
const char *time_rfc5322(tide_wall_ms t, int offset_s, char *out);

/* RFC 3339: date, "T" or blank, time, optional fraction, zone required. */
TIDE_MUST_CHECK enum tide_err time_parse_rfc3339(struct text t,
                                                 tide_wall_ms *ret,
                                                 struct tide_error *err);

/* RFC 5322 3.3 with the obsolete zones of 4.3; comments at the end are ignored. */
TIDE_MUST_CHECK enum tide_err time_parse_rfc5322(struct text t,
                                                 tide_wall_ms *ret,
                                                 struct tide_error *err);

#endif
