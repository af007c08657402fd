#include "base/macros.h"
#include "core/plan/ledger.h"
#include "lib/check.h"

#include <stdlib.h>

#define HOUR TIME_HOUR_MS
#define DAY  TIME_DAY_MS
#define NOON (20500 * DAY + 12 * HOUR)

/* One limit in one ledger. */
struct fixture {
    struct limit limit;
    struct meter meter;
    struct ledger ledger;
    struct tally tally;
};

static void prepare(
    struct fixture *f, struct window w, int64_t count, int64_t burst, int64_t margin)
{
    struct ledger kept = f->ledger;
    *f = (struct fixture){.limit = {.name = (char *)(uintptr_t) "x/y", .count = count}};
    f->ledger = kept;
    f->limit.window = w;
    f->meter = (struct meter){.limit = &f->limit,
                              .rule = {.def = &f->limit.window},
                              .id = 77,
                              .window = window_hash(&w),
                              .margin_ms = margin,
                              .burst = burst};
    f->tally = (struct tally){&f->meter, &f->ledger, 77};
}

static const struct window day = {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY};
static const struct window hour = {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR};
static const struct window rolling = {.kind = WINDOW_ROLLING, .span_ms = DAY};
static const struct window per_second = {.kind = WINDOW_RATE, .span_ms = 1000};
static const struct window cooldown = {.kind = WINDOW_COOLDOWN, .span_ms = HOUR};

static int64_t room(struct fixture *f)
{
    return f->limit.window.kind == WINDOW_RATE ? f->meter.burst : f->limit.count;
}

static void ready(struct fixture *f, tide_wall_ms now)
{
    ledger_prune(&f->ledger, now);
    T_TRUE(tally_ready(&f->tally, now), "memory");
}

static tide_wall_ms earliest(struct fixture *f, tide_wall_ms now)
{
    ready(f, now);
    return tally_earliest(&f->tally, room(f), now);
}

static void charge(struct fixture *f, tide_wall_ms now, int times)
{
    for (int i = 0; i < times; i++) {
        ready(f, now);
        tally_charge(&f->tally, now);
    }
}

static int64_t used(struct fixture *f, tide_wall_ms now)
{
    ready(f, now);
    return tally_used(&f->tally, now);
}

static const struct {
    const char *name;
    struct window w;
    int64_t count, burst, margin;
    int charges; /* at NOON */
    int64_t want_wait_ms;
} waits[] = {
    {"day, room", {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY}, 10, 0, 0, 9, 0},
    {"day, full", {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY}, 10, 0, 0, 10, 12 * HOUR},
    {"day, full, margin",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY},
     10,
     0,
     60000,
     10,
     12 * HOUR + 60000},
    {"hour at its start counts for both",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR},
     2,
     0,
     60000,
     2,
     HOUR + 60000},
    {"half hours", {.kind = WINDOW_CLOCK, .span_ms = HOUR / 2}, 1, 0, 0, 1, HOUR / 2},
    {"rolling", {.kind = WINDOW_ROLLING, .span_ms = DAY}, 3, 0, 0, 3, DAY},
    {"rate within the burst", {.kind = WINDOW_RATE, .span_ms = 1000}, 10, 3, 0, 2, 0},
    {"rate", {.kind = WINDOW_RATE, .span_ms = 1000}, 10, 3, 0, 3, 100},
    {"rate that divides badly", {.kind = WINDOW_RATE, .span_ms = 1000}, 14, 1, 0, 1, 72},
    {"rate of 10000 a second", {.kind = WINDOW_RATE, .span_ms = 1000}, 10000, 1, 0, 1, 1},
    {"cooldown", {.kind = WINDOW_COOLDOWN, .span_ms = HOUR}, 1, 0, 0, 1, HOUR},
};

static void test_earliest(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(waits); i++) {
        struct fixture f = {0};
        prepare(&f, waits[i].w, waits[i].count, waits[i].burst, waits[i].margin);
        charge(&f, NOON, waits[i].charges);
        tide_wall_ms at = earliest(&f, NOON);
        T_EQ(at - NOON, waits[i].want_wait_ms, "%s", waits[i].name);
        if (at > NOON) { /* a rate rounds up, each time it is asked */
            tide_wall_ms again = earliest(&f, at - 1), late = waits[i].w.kind == WINDOW_RATE;
            T_TRUE(again >= at && again <= at + late, "%s: not a millisecond before",
                   waits[i].name);
        }
        T_EQ(earliest(&f, at), at, "%s: there is room then", waits[i].name);
        T_EQ(tally_earliest(&f.tally, 0, NOON), TIDE_NEVER, "%s: none allowed", waits[i].name);
        ledger_fini(&f.ledger);
    }
}

static void test_margin_counts_for_both_windows(void **state)
{
    (void)state;
    struct fixture f = {0};
    tide_wall_ms midnight = NOON + 12 * HOUR;
    prepare(&f, day, 3, 0, 60000);
    charge(&f, midnight - 30000, 2);
    T_EQ(used(&f, midnight - 30000), 2, "before");
    T_EQ(used(&f, midnight + 70000), 2, "they may have arrived after midnight");
    charge(&f, midnight + 70000, 1);
    T_EQ(earliest(&f, midnight + 70000), midnight + DAY + 60000, "three are three");
    ledger_fini(&f.ledger);
}

/* Large counts go into slots; a slot leaves only when the newest of it has left. */
static void test_rolling_slots_are_never_early(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static tide_wall_ms sent[3 * COUNT];
    struct fixture f = {0};
    int n = 0, late = 0;
    prepare(&f, rolling, COUNT, 0, 0);
    tide_wall_ms now = NOON;
    while (n < 3 * COUNT) {
        now += 9973;
        tide_wall_ms at = earliest(&f, now);
        T_TRUE(at < now + DAY + 1, "at most a day");
        if (at > now + DAY / 64)
            late++;
        now = at;
        if (n >= COUNT)
            T_TRUE(sent[n - COUNT] + DAY <= now, "release %d is over the limit", n);
        charge(&f, now, 1);
        sent[n++] = now;
    }
    T_TRUE(f.ledger.count <= LEDGER_SLOTS_MAX + 3, "%u slots", f.ledger.count);
    T_TRUE(late < 10, "waited long %d times: slots leave one by one", late);
    ledger_fini(&f.ledger);
}

static void test_edited_number_keeps_counting(void **state)
{
    (void)state;
    struct fixture f = {0};
    prepare(&f, day, 10, 0, 0);
    charge(&f, NOON, 7);
    f.limit.count = 5;
    T_EQ(earliest(&f, NOON), NOON + 12 * HOUR, "over already");
    f.limit.count = 8;
    T_EQ(earliest(&f, NOON), NOON, "one is left");
    T_EQ(used(&f, NOON), 7, "counted on");
    ledger_fini(&f.ledger);
}

static const struct {
    const char *name;
    struct window from, to;
    int charges;
    int64_t want; /* used at NOON after the edit */
} edits[] = {
    {"day to hour",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY},
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR},
     4,
     4},
    {"day to a later day",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY},
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .offset_ms = HOUR},
     4,
     4},
    {"day to rolling",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY},
     {.kind = WINDOW_ROLLING, .span_ms = DAY},
     4,
     4},
    {"rolling to day",
     {.kind = WINDOW_ROLLING, .span_ms = DAY},
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY},
     4,
     4},
    {"rolling to longer",
     {.kind = WINDOW_ROLLING, .span_ms = HOUR},
     {.kind = WINDOW_ROLLING, .span_ms = DAY},
     4,
     4},
    {"rate to day",
     {.kind = WINDOW_RATE, .span_ms = 1000},
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY},
     4,
     4},
    {"day to rate",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY},
     {.kind = WINDOW_RATE, .span_ms = HOUR},
     4,
     4},
    {"day to cooldown",
     {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY},
     {.kind = WINDOW_COOLDOWN, .span_ms = HOUR},
     4,
     1},
    {"cooldown to longer",
     {.kind = WINDOW_COOLDOWN, .span_ms = 60000},
     {.kind = WINDOW_COOLDOWN, .span_ms = HOUR},
     1,
     1},
};

static void test_edited_window_starts_from_the_old_count(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(edits); i++) {
        struct fixture f = {0};
        prepare(&f, edits[i].from, 10, 10, 0);
        charge(&f, NOON, edits[i].charges);
        prepare(&f, edits[i].to, 10, 10, 0);
        T_EQ(used(&f, NOON), edits[i].want, "%s", edits[i].name);
        T_EQ(used(&f, NOON), edits[i].want, "%s: asked twice", edits[i].name);
        charge(&f, NOON, 1);
        int64_t more = edits[i].to.kind == WINDOW_COOLDOWN ? 1 : edits[i].want + 1;
        T_EQ(used(&f, NOON), more, "%s: counts on", edits[i].name);
        ledger_fini(&f.ledger);
    }
    struct fixture f = {0};
    prepare(&f, hour, 10, 0, 0);
    charge(&f, NOON, 4);
    prepare(&f, day, 10, 0, 0);
    T_EQ(used(&f, NOON + 2 * HOUR), 0, "what is over when the edit comes does not count");
    ledger_fini(&f.ledger);
}

static void test_clock_goes_back(void **state)
{
    (void)state;
    struct fixture f = {0};
    tide_wall_ms midnight = NOON + 12 * HOUR;
    prepare(&f, day, 10, 0, 0);
    charge(&f, midnight - HOUR / 2, 4);
    charge(&f, midnight + 60000, 3);
    T_EQ(used(&f, midnight - HOUR / 4), 7, "those of tomorrow were in truth made today");
    charge(&f, midnight - HOUR / 4, 1);
    T_EQ(used(&f, midnight - HOUR / 4), 8, "counted once");
    T_EQ(used(&f, midnight + 60000), 4, "and tomorrow is not forgotten");
    ledger_fini(&f.ledger);

    prepare(&f, day, 10, 0, 0);
    charge(&f, NOON + 400 * DAY, 6);
    T_EQ(used(&f, NOON), 6, "a clock a year ahead: they count now");
    T_EQ(used(&f, NOON + DAY), 0, "and not for a year");
    ledger_fini(&f.ledger);

    prepare(&f, rolling, 2, 0, 0);
    charge(&f, NOON + 400 * DAY, 2);
    T_EQ(earliest(&f, NOON), NOON + DAY, "rolling");
    ledger_fini(&f.ledger);

    prepare(&f, cooldown, 1, 0, 0);
    charge(&f, NOON + 400 * DAY, 1);
    T_EQ(earliest(&f, NOON), NOON + HOUR, "cooldown");
    ledger_fini(&f.ledger);

    prepare(&f, per_second, 1, 5, 0);
    charge(&f, NOON + 400 * DAY, 5);
    T_EQ(earliest(&f, NOON), NOON + 1000, "rate");
    ledger_fini(&f.ledger);
}

/* A machine boots with a clock hours behind, and is corrected soon. */
static void test_clock_goes_back_and_returns(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const struct window *window;
        int64_t back;
        int64_t opens; /* after the first charge */
    } cases[] = {
        {"day, half an hour", &day, HOUR / 2, 23 * HOUR},
        {"day, into the one before", &day, 3 * HOUR, 23 * HOUR},
        {"day, 14 hours", &day, 14 * HOUR, 23 * HOUR},
        {"rolling, 14 hours", &rolling, 14 * HOUR, DAY},
        {"cooldown", &cooldown, HOUR, HOUR},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct fixture f = {0};
        tide_wall_ms at = NOON + 13 * HOUR; /* an hour into a day */
        int most = cases[i].window == &cooldown ? 1 : 4;
        prepare(&f, *cases[i].window, most, 0, 0);
        charge(&f, at, most);
        T_EQ(used(&f, at - cases[i].back), most, "%s: gone back", cases[i].name);
        T_EQ(used(&f, at + 60000), most, "%s: back again", cases[i].name);
        T_EQ(earliest(&f, at + 60000), at + cases[i].opens, "%s: opens", cases[i].name);
        ledger_fini(&f.ledger);
    }
}

/* What left an instant ago may arrive a while later, and what leaves then at once: elsewhere both
 * would be in one window. */
static void test_margin_of_rolling_windows(void **state)
{
    static const struct {
        const char *name;
        const struct window *window;
        int64_t span;
    } cases[] = {{"rolling", &rolling, DAY}, {"cooldown", &cooldown, HOUR}};
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct fixture f = {0};
        prepare(&f, *cases[i].window, 1, 0, 30000);
        charge(&f, NOON, 1);
        T_EQ(earliest(&f, NOON + 1), NOON + cases[i].span + 30000, "%s", cases[i].name);
        T_EQ(used(&f, NOON + cases[i].span + 29999), 1, "%s: still counts", cases[i].name);
        T_EQ(used(&f, NOON + cases[i].span + 30000), 0, "%s: no more", cases[i].name);
        ledger_fini(&f.ledger);
    }
}

static void test_window_that_is_over_is_kept_for_a_step_back(void **state)
{
    (void)state;
    struct fixture f = {0};
    prepare(&f, hour, 10, 0, 0);
    charge(&f, NOON + HOUR - 60000, 10);
    T_EQ(used(&f, NOON + HOUR + 60000), 0, "a new hour");
    T_EQ(used(&f, NOON + HOUR - 30000), 10, "back in the old one");
    ledger_fini(&f.ledger);
}

static void test_cooldown_is_extended(void **state)
{
    (void)state;
    struct fixture f = {0};
    prepare(&f, cooldown, 1, 0, 0);
    charge(&f, NOON, 1);
    charge(&f, NOON + 60000, 1); /* by hand */
    T_EQ(earliest(&f, NOON + 60000), NOON + 60000 + HOUR, "from the last attempt");
    tally_refund(&f.tally, NOON + 70000, NOON + 60000);
    T_EQ(earliest(&f, NOON + 70000), NOON + HOUR, "the last is taken back, the one before stands");
    ledger_fini(&f.ledger);
}

static void test_refund(void **state)
{
    (void)state;
    static const struct window *const kinds[] = {&day, &hour, &rolling};
    for (size_t i = 0; i < TIDE_COUNT(kinds); i++) {
        struct fixture f = {0};
        prepare(&f, *kinds[i], 10, 0, 0);
        charge(&f, NOON, 2);
        charge(&f, NOON + 60000, 1);
        tally_refund(&f.tally, NOON + 70000, NOON + 60000);
        T_EQ(used(&f, NOON + 70000), 2, "kind %zu: one less", i);
        for (int k = 0; k < 5; k++)
            tally_refund(&f.tally, NOON + 70000, NOON);
        T_EQ(used(&f, NOON + 70000), 0, "kind %zu: never below nothing", i);
        charge(&f, NOON + 2 * DAY, 1);
        tally_refund(&f.tally, NOON + 2 * DAY, NOON);
        T_EQ(used(&f, NOON + 2 * DAY), 1, "kind %zu: not out of another window", i);
        ledger_fini(&f.ledger);
    }
}

static void test_encode(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct tide_error err;
    struct buf b = {0}, again = {0};
    prepare(&f, rolling, 50, 0, 0);
    for (int i = 0; i < 20; i++)
        charge(&f, NOON + i * 1000, i % 3 + 1);
    ledger_encode(&f.ledger, &b);
    struct ledger back;
    T_OK(ledger_decode(buf_text(&b), &back, &err), &err, "back");
    ledger_encode(&back, &again);
    T_TRUE(text_eq(buf_text(&b), buf_text(&again)), "the same bytes");
    for (size_t n = 0; n < b.len; n++) { /* cut anywhere: an error, or fewer whole uses */
        struct ledger cut;
        if (ledger_decode(text_cut(buf_text(&b), 0, n), &cut, &err) == TIDE_OK) {
            T_EQ((n - 1) % 24, 0, "cut at %zu", n);
            ledger_fini(&cut);
        } else {
            T_EQ(err.code, TIDE_ECORRUPT, "cut at %zu", n);
        }
    }
    b.data[0] = 9;
    T_EQ(ledger_decode(buf_text(&b), &back, &err), TIDE_ECORRUPT, "another version");
    buf_fini(&b);
    buf_fini(&again);
    ledger_fini(&back);
    ledger_fini(&f.ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_earliest),
        cmocka_unit_test(test_margin_counts_for_both_windows),
        cmocka_unit_test(test_rolling_slots_are_never_early),
        cmocka_unit_test(test_edited_number_keeps_counting),
        cmocka_unit_test(test_edited_window_starts_from_the_old_count),
        cmocka_unit_test(test_clock_goes_back),
        cmocka_unit_test(test_clock_goes_back_and_returns),
        cmocka_unit_test(test_margin_of_rolling_windows),
        cmocka_unit_test(test_window_that_is_over_is_kept_for_a_step_back),
        cmocka_unit_test(test_cooldown_is_extended),
        cmocka_unit_test(test_refund),
        cmocka_unit_test(test_encode),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
