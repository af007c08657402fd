/* window.h - where the window that an instant lies in starts and ends.
 *
 * Days and months are local: a day starts at the earliest instant whose local time is 00:00 plus
 * the offset; after a gap at the first instant behind it; where the time comes twice, at the
 * first. Minutes, hours and clock spans are counted in elapsed time from that start of the day
 * and the last one ends with the day, so that an hour that comes twice is two windows. Rolling,
 * rate and cooldown windows have no place in the calendar: they only have a length.
 *
 * Owns      nothing; limit and zone are borrowed.
 * Threads   one at a time per struct window_rule (it remembers windows).
 * Known gap a clock window is never longer than its day, whatever span_ms says.
 */
#ifndef CORE_LIMIT_WINDOW_H
#define CORE_LIMIT_WINDOW_H

#include "core/limit/limit.h"
#include "core/limit/zone.h"

struct window_span {
    tide_wall_ms start, end; /* start <= t < end */
};

struct window_rule {
    const struct window *def;
    const struct zone *zone;    /* NULL: UTC */
    struct window_span last[2]; /* the windows that were asked for last, newest first */
};

/* Calendar and clock: starts anew at some instant. */
static inline bool window_is_fixed(const struct window *w)
{
    return w->kind == WINDOW_CALENDAR || w->kind == WINDOW_CLOCK;
}

static inline bool window_is_day(const struct window *w)
{
    return w->kind == WINDOW_CALENDAR && w->unit == WINDOW_DAY;
}

/* Has a count to use up: a rate or a pause after each mail only tells when the next may go. */
static inline bool window_has_count(const struct window *w)
{
    return w->kind != WINDOW_RATE && w->kind != WINDOW_COOLDOWN;
}

struct window_span window_at(struct window_rule *r, tide_wall_ms t);

/* The local date of a window that is a day, in days since 1970. */
int32_t window_day(const struct window_rule *r, struct window_span day);

/* How long one window usually is: a month is 30 days. */
int64_t window_length_ms(const struct window *w);

/* Of its definition, the same in every run: it is stored. */
uint32_t window_hash(const struct window *w);

/* FNV-1a, started with `seed`: a hash that may be stored, unlike hash_bytes(). */
uint32_t plan_hash(uint32_t seed, const void *bytes, size_t n);

#endif
