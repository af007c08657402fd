#include "base/macros.h"
#include "core/limit/window.h"
#include "io/loop/zones.h"
#include "lib/check.h"

#define MIN TIME_MINUTE_MS

static const struct {
    const char *name;
    struct window w;
    const char *at, *start, *end;
} cases[] = {
    {"Shanghai day",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"Asia/Shanghai"},
     "2026-03-02T10:00:00+08:00",
     "2026-03-02T00:00:00+08:00",
     "2026-03-03T00:00:00+08:00"},
    {"its first instant",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"Asia/Shanghai"},
     "2026-03-02T00:00:00+08:00",
     "2026-03-02T00:00:00+08:00",
     "2026-03-03T00:00:00+08:00"},
    {"its last millisecond",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"Asia/Shanghai"},
     "2026-03-02T23:59:59.999+08:00",
     "2026-03-02T00:00:00+08:00",
     "2026-03-03T00:00:00+08:00"},
    {"day from 00:05",
     {.kind = WINDOW_CALENDAR,
      .unit = WINDOW_DAY,
      .offset_ms = 5 * MIN,
      .zone = (char *)"Asia/Shanghai"},
     "2026-03-02T00:04:00+08:00",
     "2026-03-01T00:05:00+08:00",
     "2026-03-02T00:05:00+08:00"},
    {"day of 23 hours",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"America/New_York"},
     "2026-03-08T12:00:00-04:00",
     "2026-03-08T00:00:00-05:00",
     "2026-03-09T00:00:00-04:00"},
    {"day of 25 hours",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"America/New_York"},
     "2026-11-01T12:00:00-05:00",
     "2026-11-01T00:00:00-04:00",
     "2026-11-02T00:00:00-05:00"},
    {"midnight skipped",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"Africa/Cairo"},
     "2024-04-26T12:00:00+03:00",
     "2024-04-26T01:00:00+03:00",
     "2024-04-27T00:00:00+03:00"},
    {"the day before it",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"Africa/Cairo"},
     "2024-04-25T23:59:59+02:00",
     "2024-04-25T00:00:00+02:00",
     "2024-04-26T01:00:00+03:00"},
    {"midnight twice, in between",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"America/Havana"},
     "2024-11-03T00:30:00-04:00",
     "2024-11-03T00:00:00-04:00",
     "2024-11-04T00:00:00-05:00"},
    {"midnight twice, after both",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"America/Havana"},
     "2024-11-03T00:30:00-05:00",
     "2024-11-03T00:00:00-04:00",
     "2024-11-04T00:00:00-05:00"},
    {"a whole day skipped",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"Pacific/Apia"},
     "2011-12-29T12:00:00-10:00",
     "2011-12-29T00:00:00-10:00",
     "2011-12-31T00:00:00+14:00"},
    {"leap month",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_MONTH},
     "2028-02-29T23:59:59Z",
     "2028-02-01T00:00:00Z",
     "2028-03-01T00:00:00Z"},
    {"month over the year",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_MONTH, .zone = (char *)"Europe/Berlin"},
     "2026-12-31T23:30:00Z",
     "2027-01-01T00:00:00+01:00",
     "2027-02-01T00:00:00+01:00"},
    {"month from its 5th",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_MONTH, .offset_ms = 4 * TIME_DAY_MS},
     "2026-03-03T00:00:00Z",
     "2026-02-05T00:00:00Z",
     "2026-03-05T00:00:00Z"},
    {"hour of a half-hour zone",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR, .zone = (char *)"Asia/Kolkata"},
     "2026-03-02T10:20:00Z",
     "2026-03-02T09:30:00Z",
     "2026-03-02T10:30:00Z"},
    {"hour that comes twice, first",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR, .zone = (char *)"America/New_York"},
     "2026-11-01T01:20:00-04:00",
     "2026-11-01T01:00:00-04:00",
     "2026-11-01T01:00:00-05:00"},
    {"hour that comes twice, second",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR, .zone = (char *)"America/New_York"},
     "2026-11-01T01:20:00-05:00",
     "2026-11-01T01:00:00-05:00",
     "2026-11-01T02:00:00-05:00"},
    {"minute",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_MINUTE},
     "2026-03-02T10:20:59.5Z",
     "2026-03-02T10:20:00Z",
     "2026-03-02T10:21:00Z"},
    {"half hours",
     {.kind = WINDOW_CLOCK, .span_ms = 30 * MIN},
     "2026-03-02T10:29:59Z",
     "2026-03-02T10:00:00Z",
     "2026-03-02T10:30:00Z"},
    {"seven hours, cut by the day",
     {.kind = WINDOW_CLOCK, .span_ms = 7 * TIME_HOUR_MS},
     "2026-03-02T22:00:00Z",
     "2026-03-02T21:00:00Z",
     "2026-03-03T00:00:00Z"},
    {"before 1970",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY},
     "1969-12-31T23:00:00Z",
     "1969-12-31T00:00:00Z",
     "1970-01-01T00:00:00Z"},
};

static tide_wall_ms wall(const char *s)
{
    tide_wall_ms t = 0;
    struct tide_error err;
    T_OK(time_parse_rfc3339(text_of(s), &t, &err), &err, "%s", s);
    return t;
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct zone *z = NULL;
        struct tide_error err;
        if (cases[i].w.zone)
            T_OK(zones_load(NULL, cases[i].w.zone, &z, &err), &err, "%s", cases[i].name);
        struct window_rule r = {.def = &cases[i].w, .zone = z};
        struct window_span s = window_at(&r, wall(cases[i].at));
        T_EQ(s.start, wall(cases[i].start), "%s: start", cases[i].name);
        T_EQ(s.end, wall(cases[i].end), "%s: end", cases[i].name);
        zone_free(z);
    }
}

/* Walking over two years: windows follow one another without hole or overlap, and what was
 * remembered never differs from what is computed anew. */
static void test_windows_tile(void **state)
{
    (void)state;
    static const char *const zones[] = {"Africa/Cairo",     "America/Havana",      "Pacific/Apia",
                                        "America/Santiago", "Australia/Lord_Howe", "Asia/Beirut"};
    static const struct window kinds[] = {
        {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY},
        {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .offset_ms = 90 * MIN},
        {.kind = WINDOW_CALENDAR, .unit = WINDOW_MONTH},
        {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR},
        {.kind = WINDOW_CLOCK, .span_ms = 7 * TIME_HOUR_MS},
    };
    for (size_t i = 0; i < TIDE_COUNT(zones) * TIDE_COUNT(kinds); i++) {
        struct zone *z = NULL;
        struct tide_error err;
        const char *name = zones[i / TIDE_COUNT(kinds)];
        const struct window *w = &kinds[i % TIDE_COUNT(kinds)];
        T_OK(zones_load(NULL, name, &z, &err), &err, "%s", name);
        struct window_rule walking = {.def = w, .zone = z};
        tide_wall_ms t = wall("2011-06-01T00:00:00Z"), until = t + 2 * 366 * TIME_DAY_MS;
        struct window_span s = window_at(&walking, t);
        while (s.end < until) {
            struct window_span next = window_at(&walking, s.end);
            struct window_rule fresh = {.def = w, .zone = z};
            T_EQ(next.start, s.end, "%s, kind %zu: no hole", name, i % TIDE_COUNT(kinds));
            T_TRUE(next.end > next.start, "%s: not empty", name);
            T_EQ(window_at(&fresh, next.end - 1).start, next.start, "%s: same from its end", name);
            s = next;
        }
        zone_free(z);
    }
}

static void test_hash_is_of_the_definition(void **state)
{
    (void)state;
    struct window day = {
        .kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"Asia/Shanghai"};
    struct window other = day;
    T_EQ(window_hash(&day), window_hash(&other), "equal");
    other.span_ms = 5;
    T_EQ(window_hash(&day), window_hash(&other), "a calendar window has no span");
    other.offset_ms = 5;
    T_TRUE(window_hash(&day) != window_hash(&other), "offset");
    other = day;
    other.zone = NULL;
    T_TRUE(window_hash(&day) != window_hash(&other), "zone");
    other = day;
    other.unit = WINDOW_HOUR;
    T_TRUE(window_hash(&day) != window_hash(&other), "unit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_windows_tile),
        cmocka_unit_test(test_hash_is_of_the_definition),
    };
    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
