/* clock.h - the one clock: wall time with an origin and a rate, and monotonic time as it is.
 *
 * wall = origin + (system wall - anchor) * rate, so that a daemon and a lab that were given the
 * same three numbers live in the same hurried time. Quotas, deadlines and TTLs count wall time;
 * time-outs of the wire count monotonic time, which is never scaled.
 *
 * Owns      nothing but its numbers. Threads: any (read only once set).
 */
#ifndef IO_LOOP_CLOCK_H
#define IO_LOOP_CLOCK_H

#include "base/time.h"

struct clock {
    tide_wall_ms origin, anchor; /* scaled and system wall time of the same instant */
    double rate;                 /* 1: real time */
};

void clock_init_real(struct clock *c);

/* "ORIGIN@RATE" (anchored now) or "ORIGIN@RATE@ANCHOR": RFC 3339 times, e.g.
 * "2026-03-02T08:00:00+08:00@3600". For --clock and MAILTIDE_CLOCK. */
TIDE_MUST_CHECK enum tide_err clock_parse(struct text t, struct clock *ret, struct tide_error *err);
#define CLOCK_TEXT_BYTES (2 * TIME_TEXT_BYTES + 32)

/* The three-part form, for handing on to another process. `out` holds CLOCK_TEXT_BYTES. */
const char *clock_text(const struct clock *c, char *out);

tide_wall_ms clock_wall(const struct clock *c);
tide_mono_ms clock_mono(void);

/* How long to sleep in real milliseconds until wall time `at`; 0 when it has passed, rounded up. */
uint64_t clock_until(const struct clock *c, tide_wall_ms at);

#endif
