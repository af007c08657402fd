#include "core/limit/window.h"

#include "base/macros.h"

uint32_t plan_hash(uint32_t seed, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint32_t h = seed ^ 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 16777619u;
    h ^= h >> 15; /* FNV leaves neighbours near each other */
    h *= 0x2c1b3c6du;
    return h ^ h >> 13;
}

uint32_t window_hash(const struct window *w)
{
    /* Only what this kind looks at, so that a stray key in a file changes nothing. */
    int64_t def[4] = {w->kind, 0, 0, 0};
    if (w->kind == WINDOW_CALENDAR)
        def[1] = w->unit;
    else
        def[2] = w->span_ms;
    if (!window_is_fixed(w))
        return plan_hash(0, def, sizeof def);
    def[3] = w->offset_ms;
    uint32_t h = plan_hash(0, def, sizeof def);
    return w->zone ? plan_hash(h, w->zone, strlen(w->zone)) : h;
}

int64_t window_length_ms(const struct window *w)
{
    static const int64_t units[] = {[WINDOW_MINUTE] = TIME_MINUTE_MS,
                                    [WINDOW_HOUR] = TIME_HOUR_MS,
                                    [WINDOW_DAY] = TIME_DAY_MS,
                                    [WINDOW_MONTH] = 30 * TIME_DAY_MS};
    if (w->kind == WINDOW_CALENDAR)
        return units[w->unit];
    return w->span_ms > 0 ? w->span_ms : 1;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static tide_wall_ms day_start(const struct window_rule *r, int64_t day)
{
    return zone_instant(r->zone, day * TIME_DAY_MS + r->def->offset_ms);
}

static tide_wall_ms month_start(const struct window_rule *r, int64_t month)
{
    int64_t year = floor_div(month, 12);
    int64_t day = days_of_civil((int)year, (int)(month - year * 12) + 1, 1);
    return day_start(r, day);
}

/* The last start at or before t, and the one after it. Starts never fall with their number (a time
 * that comes twice counts once, at the first), though two may be the same instant where a whole
 * day was skipped; so a guess is walked to its place. */
static struct window_span span_around(const struct window_rule *r,
                                      tide_wall_ms (*start)(const struct window_rule *r, int64_t i),
                                      int64_t guess,
                                      tide_wall_ms t)
{
    int64_t i = guess;
    while (start(r, i) > t)
        i--;
    while (start(r, i + 1) <= t)
        i++;
    return (struct window_span){start(r, i), start(r, i + 1)};
}

static struct window_span compute(const struct window_rule *r, tide_wall_ms t)
{
    int64_t day = floor_div(zone_local_ms(r->zone, t) - r->def->offset_ms, TIME_DAY_MS);
    if (r->def->kind == WINDOW_CALENDAR && r->def->unit == WINDOW_MONTH) {
        int y, m, d;
        civil_of_days(day, &y, &m, &d);
        return span_around(r, month_start, (int64_t)y * 12 + m - 1, t);
    }
    struct window_span s = span_around(r, day_start, day, t);
    if (window_is_day(r->def))
        return s;
    int64_t length = window_length_ms(r->def);
    s.start += (t - s.start) / length * length;
    s.end = TIDE_MIN(s.end, s.start + length);
    return s;
}

int32_t window_day(const struct window_rule *r, struct window_span day)
{
    return (int32_t)((zone_local_ms(r->zone, day.start) - r->def->offset_ms) / TIME_DAY_MS);
}

struct window_span window_at(struct window_rule *r, tide_wall_ms t)
{
    for (size_t i = 0; i < TIDE_COUNT(r->last); i++)
        if (r->last[i].start <= t && t < r->last[i].end)
            return r->last[i];
    r->last[1] = r->last[0];
    r->last[0] = compute(r, t);
    return r->last[0];
}
