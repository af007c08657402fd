/* clock.h - the one clock: wall time with an origin and a rate, and monotonic time as it is.
 *
 * wall = origin + (system wall - anchor) * rate, so that a daemon and a lab that were given the
 * same three numbers live in the same hurried time. Quotas, deadlines and TTLs count wall time;
 * time-outs of the wire count monotonic time, which is never scaled.
 *
 * A driven clock goes by itself as well, and is put forward besides by whoever writes its file: how
 * far, and in return it learns there until when nothing is to be done. A week of waiting passes in
 * seconds then, and what takes 20 ms takes 20 ms. Who sleeps under such a clock looks often.
 *
 * Owns      nothing but its numbers; a driven clock's file stays mapped while the process lives.
 * Threads   any (read only once set).
 */
#ifndef IO_LOOP_CLOCK_H
#define IO_LOOP_CLOCK_H

#include "base/time.h"

/* The file of a driven clock, in the machine's own byte order. */
struct clock_page {
    _Atomic int64_t ahead_ms; /* put forward by so much; written by the driver */
    _Atomic int64_t wake_at;  /* the earliest that somebody sleeps until; the driver writes
                               * INT64_MAX, and whoever goes to sleep what is earlier */
};

#define CLOCK_FILE_BYTES 200
#define CLOCK_LOOK_MS    2 /* sleepers of a driven clock look so often */

struct clock {
    tide_wall_ms origin, anchor; /* scaled and system wall time of the same instant */
    double rate;                 /* 1: real time */
    struct clock_page *page;     /* NULL: not driven */
    char file[CLOCK_FILE_BYTES];
};

void clock_init_real(struct clock *c);

/* "ORIGIN@RATE" (anchored now), "ORIGIN@RATE@ANCHOR" or "ORIGIN@RATE@ANCHOR@FILE": RFC 3339 times,
 * e.g. "2026-03-02T08:00:00+08:00@3600"; FILE is that of a driven clock. For --clock and
 * MAILTIDE_CLOCK. */
TIDE_MUST_CHECK enum tide_err clock_parse(struct text t, struct clock *ret, struct tide_error *err);
#define CLOCK_TEXT_BYTES (2 * TIME_TEXT_BYTES + 32 + CLOCK_FILE_BYTES)

/* With its anchor, and its file if it is driven, for handing on to another process. `out` holds
 * CLOCK_TEXT_BYTES. */
const char *clock_text(const struct clock *c, char *out);

tide_wall_ms clock_wall(const struct clock *c);
tide_mono_ms clock_mono(void);

/* How long to sleep in real milliseconds until wall time `at`; 0 when it has passed, rounded up. A
 * driven clock's sleepers are woken before: they look again. */
uint64_t clock_until(const struct clock *c, tide_wall_ms at);

#endif
