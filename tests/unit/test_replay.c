#include "core/plan/replay.h"

#include "base/macros.h"
#include "base/rng.h"
#include "lib/check.h"

#include <math.h>
#include <stdlib.h>

#define DAY   TIME_DAY_MS
#define START 1772409600 /* 2026-03-02T00:00:00Z, a Monday */

static enum tide_err load(void *arg, const char *name, struct zone **ret, struct tide_error *err)
{
    (void)arg;
    *ret = zone_new(!strcmp(name, "east") ? 8 * 3600 : 0);
    return *ret ? TIDE_OK : tide_fail(err, TIDE_ENOMEM, "%s", name);
}

static const struct plan_zones zones = {NULL, load};

/* -- One who knows the future, against trying everything ----------------------------------------
 */

enum { ITEMS = 7, WINDOWS = 3 };

struct small {
    size_t count;
    tide_wall_ms at[ITEMS], resets[WINDOWS + 1];
    double weight[ITEMS];
    int quota[WINDOWS];
};

/* Sends at any of the arrivals and resets, each taking all that is pending; the least cost. */
static double try_all(const struct small *s)
{
    tide_wall_ms times[ITEMS + WINDOWS];
    size_t n = 0;
    double best = INFINITY;
    for (size_t i = 0; i < s->count; i++)
        times[n++] = s->at[i];
    for (size_t w = 0; w < WINDOWS; w++)
        times[n++] = s->resets[w];
    for (unsigned set = 0; set < 1u << n; set++) {
        int used[WINDOWS] = {0};
        bool allowed = true;
        double cost = 0;
        for (size_t i = 0; i < n; i++)
            for (size_t w = 0; w < WINDOWS; w++)
                if (set >> i & 1 && times[i] >= s->resets[w] && times[i] < s->resets[w + 1])
                    allowed = allowed && ++used[w] <= s->quota[w];
        for (size_t k = 0; k < s->count && allowed; k++) {
            tide_wall_ms when = s->resets[WINDOWS];
            for (size_t i = 0; i < n; i++)
                if (set >> i & 1 && times[i] >= s->at[k])
                    when = TIDE_MIN(when, times[i]);
            cost += s->weight[k] * (double)(when - s->at[k]);
        }
        if (allowed)
            best = TIDE_MIN(best, cost);
    }
    return best;
}

static int by_value(const void *a, const void *b)
{
    const tide_wall_ms *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void test_optimum(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 11);
    for (int world = 0; world < 400; world++) {
        struct small s = {.count = 1 + rng_below(&r, ITEMS), .resets = {0, 100, 200, 300}};
        for (size_t i = 0; i < s.count; i++) {
            s.at[i] = rng_below(&r, world % 2 ? 300 : 110);
            s.weight[i] = 1 + rng_below(&r, 3);
        }
        qsort(s.at, s.count, sizeof s.at[0], by_value);
        for (size_t w = 0; w < WINDOWS; w++)
            s.quota[w] = (int)rng_below(&r, 4);
        double got = replay_optimum(s.at, s.weight, s.count, s.resets, s.quota, WINDOWS);
        double want = try_all(&s);
        T_TRUE(fabs(got - want) < 1e-6, "world %d: %g, the best of all is %g", world, got, want);
    }
    T_TRUE(replay_optimum(NULL, NULL, 0, NULL, NULL, 0) <= 0, "nothing to do");
}

/* -- Replays ----------------------------------------------------------------------------------- */

enum { USERS = 12, DAYS = 40, EVENTS_MAX = 20000 };

static struct replay_event events[EVENTS_MAX];

/* Bursts in working hours, a quiet weekend, urgent mail now and then. */
static struct replay_trace world(uint64_t seed)
{
    struct rng r;
    size_t n = 0;
    rng_seed(&r, seed);
    for (int64_t minute = 0; minute < DAYS * 1440; minute++) {
        int64_t hour = minute / 60 % 24, day = minute / 1440 % 7;
        uint32_t chance = hour < 8 || hour > 18 ? 900 : day > 4 ? 400 : 60;
        if (rng_below(&r, chance) || n + 12 > EVENTS_MAX)
            continue;
        uint32_t user = rng_below(&r, USERS), burst = 1 + rng_below(&r, 9);
        bool urgent = rng_below(&r, 40) == 0;
        for (uint32_t i = 0; i < (urgent ? 1 : burst); i++)
            events[n++] =
                (struct replay_event){START + minute * 60 + i, user,
                                      urgent ? REPLAY_URGENT : (uint8_t)(1 + rng_below(&r, 2)), 0};
    }
    return (struct replay_trace){events, n, USERS};
}

static struct replay_settings settings(enum replay_policy policy, int quota)
{
    return (struct replay_settings){.policy = policy,
                                    .zone = "east",
                                    .zones = &zones,
                                    .quota = quota,
                                    .warmup_days = 10,
                                    .reserve = -1};
}

/* What a mailbox really takes is not known to the planner, and moves: whatever it is, nothing goes
 * over it, everything leaves once, and refusals are few beside those of one who learns nothing (one
 * for each mailbox's day with more than it takes). */
static void test_hidden_limit(void **state)
{
    (void)state;
    uint64_t refused = 0, naive = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct replay_trace t = world(seed);
        struct replay_settings s = settings(REPLAY_QUIET, 60);
        struct replay_result a, b, known;
        struct tide_error err;
        struct rng r;
        rng_seed(&r, seed);
        s.warmup_days = 0;
        s.hidden_count = 1 + seed % 3;
        s.hidden_days = 5 + (int)rng_below(&r, 15);
        int least = 100;
        for (size_t i = 0; i < s.hidden_count; i++) {
            s.hidden[i] = 2 + (int)rng_below(&r, 7);
            least = TIDE_MIN(least, s.hidden[i]);
        }
        T_OK(replay_run(&t, &s, &a, &err), &err, "seed %llu", (unsigned long long)seed);
        T_OK(replay_run(&t, &s, &b, &err), &err, "seed %llu", (unsigned long long)seed);
        T_EQ(a.all.count, a.notifications, "seed %llu: all have left", (unsigned long long)seed);
        T_TRUE(a.refused == b.refused && a.all.mean == b.all.mean, "seed %llu: the same again",
               (unsigned long long)seed);
        T_TRUE(a.refused > 0, "seed %llu: how else is it found", (unsigned long long)seed);
        s.hidden_count = 0;
        s.quota = least;
        T_OK(replay_run(&t, &s, &known, &err), &err, "seed %llu", (unsigned long long)seed);
        T_EQ(known.refused, 0, "a limit that is known refuses nothing");
        refused += a.refused;
        naive += known.full_days;
        replay_result_fini(&a);
        replay_result_fini(&b);
        replay_result_fini(&known);
    }
    printf("hidden limits of 2 to 8 that move: %llu refusals, one who learns nothing %llu\n",
           (unsigned long long)refused, (unsigned long long)naive);
    T_TRUE(refused * 5 < naive, "a fifth at most");
    struct replay_settings s = settings(REPLAY_OPTIMUM, 5);
    struct replay_result none;
    struct tide_error err;
    s.hidden_count = 1;
    s.hidden[0] = 4;
    struct replay_trace t = world(1);
    T_EQ(replay_run(&t, &s, &none, &err), TIDE_EINVAL, "the optimum knows it");
}

static void test_policies(void **state)
{
    (void)state;
    struct replay_trace t = world(3);
    for (int quota = 2; quota <= 8; quota += 3) {
        double optimum = 0;
        uint64_t notifications = 0;
        for (int p = REPLAY_POLICY_COUNT - 1; p >= 0; p--) {
            struct replay_settings s = settings((enum replay_policy)p, quota);
            struct replay_result a, b;
            struct tide_error err;
            const char *name = replay_policy_name(s.policy);
            T_OK(replay_run(&t, &s, &a, &err), &err, "%s", name);
            T_OK(replay_run(&t, &s, &b, &err), &err, "%s", name);
            T_EQ(a.over, 0, "%s: over the limit of %d", name, quota);
            T_EQ(a.all.count, a.notifications, "%s: everything has left once", name);
            T_TRUE(a.mails == b.mails && a.all.mean == b.all.mean, "%s: the same again", name);
            if (p == REPLAY_OPTIMUM) {
                optimum = a.all.mean;
                notifications = a.notifications;
            }
            T_EQ(a.notifications, notifications, "%s: the same notifications", name);
            T_TRUE(a.all.mean >= optimum - 1e-9, "%s: %.3f min, better than the best, %.3f", name,
                   a.all.mean, optimum);
            replay_result_fini(&a);
            replay_result_fini(&b);
        }
    }
}

/* Whatever the window, it is kept: counted anew beside the ledger. */
static void test_windows(void **state)
{
    static const struct {
        const char *name;
        struct window window;
        int quota;
    } cases[] = {
        {"hour", {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR}, 1},
        {"two an hour", {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR}, 2},
        {"month", {.kind = WINDOW_CALENDAR, .unit = WINDOW_MONTH}, 20},
        {"half hours", {.kind = WINDOW_CLOCK, .span_ms = 30 * TIME_MINUTE_MS}, 1},
        {"a rolling day", {.kind = WINDOW_ROLLING, .span_ms = DAY}, 4},
        {"six rolling hours", {.kind = WINDOW_ROLLING, .span_ms = 6 * TIME_HOUR_MS}, 2},
        {"one in 36 rolling hours", {.kind = WINDOW_ROLLING, .span_ms = 36 * TIME_HOUR_MS}, 1},
    };
    (void)state;
    struct replay_trace t = world(4);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        for (int p = REPLAY_QUIET; p < REPLAY_OPTIMUM; p++) {
            struct replay_settings s = settings((enum replay_policy)p, cases[i].quota);
            struct replay_result r;
            struct tide_error err;
            s.window = cases[i].window;
            T_OK(replay_run(&t, &s, &r, &err), &err, "%s", cases[i].name);
            T_EQ(r.over, 0, "%s, %s", cases[i].name, replay_policy_name(s.policy));
            T_EQ(r.all.count, r.notifications, "%s: everything has left once", cases[i].name);
            T_TRUE(r.refused_direct > 0, "%s: it bites", cases[i].name);
            replay_result_fini(&r);
        }
    struct replay_settings s = settings(REPLAY_OPTIMUM, 4);
    struct replay_result r;
    struct tide_error err;
    s.window = cases[4].window;
    T_EQ(replay_run(&t, &s, &r, &err), TIDE_EINVAL, "nobody knows it");
}

/* What is put into no digest leaves one by one, and waits the longer for it. */
static void test_single(void **state)
{
    (void)state;
    struct replay_trace t = world(4);
    struct replay_result all, some, none;
    struct tide_error err;
    struct replay_settings s = settings(REPLAY_QUIET, 4);
    s.warmup_days = 0; /* else mails of what came before it are counted too */
    T_OK(replay_run(&t, &s, &all, &err), &err, "all in digests");
    s.single[REPLAY_DIRECT] = true;
    T_OK(replay_run(&t, &s, &some, &err), &err, "direct ones not");
    s.single[REPLAY_WATCHED] = true;
    T_OK(replay_run(&t, &s, &none, &err), &err, "none");
    T_EQ(none.digests, 0, "no digest");
    T_EQ(none.mails, none.notifications + none.urgent, "a mail each");
    T_TRUE(some.digests > 0 && some.digests < all.digests, "fewer digests");
    T_TRUE(all.all.mean < some.all.mean && some.all.mean < none.all.mean, "%.1f, %.1f, %.1f min",
           all.all.mean, some.all.mean, none.all.mean);
    T_EQ(some.over + none.over, 0, "never over");
    T_EQ(none.all.count, none.notifications, "everything has left once");
    replay_result_fini(&all);
    replay_result_fini(&some);
    replay_result_fini(&none);
}

/* A limit that all share: kept, and nobody is put off for good; the planned digests need fewer
 * mails than those that look at their own mailbox alone. */
static void test_shared(void **state)
{
    (void)state;
    struct replay_trace t = world(6);
    struct tide_error err;
    for (int quota = 10; quota <= 40; quota *= 2) {
        struct replay_result quiet, at_once;
        struct replay_settings s = settings(REPLAY_QUIET, 8);
        s.warmup_days = 0;
        s.site_quota[0] = quota;
        T_OK(replay_run(&t, &s, &quiet, &err), &err, "%d a day", quota);
        s.policy = REPLAY_AT_ONCE;
        T_OK(replay_run(&t, &s, &at_once, &err), &err, "%d a day", quota);
        T_TRUE(quiet.mails <= (uint64_t)quota * (DAYS + 4), "%d mails", (int)quiet.mails);
        T_EQ(quiet.over, 0, "nor over any mailbox's");
        T_EQ(quiet.all.count, quiet.notifications, "everything has left once");
        T_TRUE(quiet.all.max < 4 * 1440, "nobody starves: %.0f min", quiet.all.max);
        T_TRUE(quiet.all.mean < at_once.all.mean, "%.1f min, at once %.1f", quiet.all.mean,
               at_once.all.mean);
        T_TRUE(quiet.urgent_held <= at_once.urgent_held, "urgent mail: %d, at once %d",
               (int)quiet.urgent_held, (int)at_once.urgent_held);
        replay_result_fini(&quiet);
        replay_result_fini(&at_once);
    }
}

static double mean_delay(const struct replay_trace *t, enum replay_policy policy, int quota)
{
    struct replay_settings s = settings(policy, quota);
    struct replay_result r;
    struct tide_error err;
    T_OK(replay_run(t, &s, &r, &err), &err, "%s at %d", replay_policy_name(policy), quota);
    T_EQ(r.over, 0, "%s at %d", replay_policy_name(policy), quota);
    replay_result_fini(&r);
    return r.all.mean;
}

/* Beyond what the table counts: a quota that nobody comes near delays nothing, however busy they
 * are; and who gets dozens for each mail that he may have is not worse off than by the price alone.
 */
static void test_beyond_the_table(void **state)
{
    (void)state;
    struct rng r;
    size_t n = 0;
    rng_seed(&r, 8);
    for (int64_t minute = 0; minute < 25 * 1440; minute++)
        if (minute / 60 % 24 >= 8 && minute / 60 % 24 < 18)
            for (int i = 0; i < 2 && n < EVENTS_MAX; i++)
                if (rng_below(&r, 4) < 3)
                    events[n++] =
                        (struct replay_event){START + minute * 60 + i, 0, REPLAY_WATCHED, 0};
    struct replay_trace t = {events, n, 1};
    T_TRUE(mean_delay(&t, REPLAY_QUIET, 3000) < 0.001, "900 a day, 3000 allowed");
    for (int quota = 10; quota <= 40; quota *= 2) {
        double quiet = mean_delay(&t, REPLAY_QUIET, quota),
               fluid = mean_delay(&t, REPLAY_FLUID, quota);
        T_TRUE(quiet <= fluid * 1.01, "%d a day: %.1f min, by the price alone %.1f", quota, quiet,
               fluid);
    }
}

/* Two who write at other hours, each through profiles of their own when it is known who writes. */
static void test_sources(void **state)
{
    (void)state;
    double noon[2], delay[2];
    for (int known = 0; known < 2; known++) {
        struct rng r;
        struct replay_forecast f;
        struct tide_error err;
        size_t n = 0;
        rng_seed(&r, 21);
        for (int64_t minute = 0; minute < DAYS * 1440; minute++) {
            int64_t hour = minute / 60 % 24;
            bool day = hour < 10; /* in the east 8:00 to 18:00; the others from 20:00 to 23:00 */
            uint32_t user = day ? rng_below(&r, 6) : 6 + rng_below(&r, 6);
            if (!day && (hour < 12 || hour >= 15))
                continue;
            for (uint32_t i = rng_below(&r, 14) ? 4 : 0; i < 4 && n < EVENTS_MAX; i++)
                events[n++] = (struct replay_event){START + minute * 60 + i, user, REPLAY_WATCHED,
                                                    known && !day ? 2 : (uint8_t)known};
        }
        struct replay_trace t = {events, n, USERS};
        struct replay_settings s = settings(REPLAY_QUIET, 5);
        T_OK(replay_forecast(&t, &s, &f, &err), &err, "forecast");
        noon[known] = f.noon.crps;
        delay[known] = mean_delay(&t, REPLAY_QUIET, 5);
    }
    T_TRUE(noon[1] < 0.9 * noon[0], "at 13:00 CRPS %.3f, with one profile %.3f", noon[1], noon[0]);
    T_TRUE(delay[1] < delay[0], "mean delay %.1f min, with one profile %.1f", delay[1], delay[0]);
}

static void test_bounds(void **state)
{
    (void)state;
    struct replay_trace t = world(5);
    struct replay_settings s = settings(REPLAY_QUIET, 1000);
    struct replay_result r;
    struct tide_error err;
    T_OK(replay_run(&t, &s, &r, &err), &err, "no limit to speak of");
    T_TRUE(r.all.mean < 0.05, "hardly any delay: %.3f min", r.all.mean);
    T_EQ(r.urgent_held, 0, "none held");
    T_EQ(r.refused_direct, 0, "none refused");
    replay_result_fini(&r);
    s = settings(REPLAY_QUIET, 3);
    s.hold_ms_max = TIME_HOUR_MS;
    T_OK(replay_run(&t, &s, &r, &err), &err, "held an hour at most");
    T_TRUE(r.refused_direct > 0, "some would be refused");
    replay_result_fini(&r);
    struct replay_event odd[] = {
        {START, 0, 1, 0}, {START - 1, 0, 1, 0}, {START, 7, 1, 0}, {START, 0, 9, 0}};
    struct replay_trace bad[] = {{odd, 2, 1}, {odd + 2, 1, 1}, {odd + 3, 1, 1}};
    for (size_t i = 0; i < TIDE_COUNT(bad); i++)
        T_EQ(replay_run(&bad[i], &s, &r, &err), TIDE_ERANGE, "bad trace %zu", i);
    struct replay_event same[64];
    for (size_t i = 0; i < TIDE_COUNT(same); i++)
        same[i] = (struct replay_event){START, 0, i % 9 ? REPLAY_DIRECT : REPLAY_URGENT, 0};
    struct replay_trace one = {same, TIDE_COUNT(same), 1};
    s.warmup_days = 0;
    T_OK(replay_run(&one, &s, &r, &err), &err, "one recipient, one second");
    T_EQ(r.over, 0, "never over");
    T_EQ(r.all.count, 56, "all of it left");
    replay_result_fini(&r);
    struct replay_trace none = {odd, 0, 1};
    T_OK(replay_run(&none, &s, &r, &err), &err, "nothing at all");
    replay_result_fini(&r);
}

static void test_forecast_judged(void **state)
{
    (void)state;
    struct replay_trace t = world(9);
    struct replay_settings s = settings(REPLAY_QUIET, 5);
    struct replay_forecast f;
    struct tide_error err;
    T_OK(replay_forecast(&t, &s, &f, &err), &err, "forecast");
    T_TRUE(f.midnight.days > 100 && f.midnight.days == f.noon.days, "days");
    T_TRUE(f.noon.crps < f.midnight.crps, "a day half gone is easier: %.3f, %.3f", f.noon.crps,
           f.midnight.crps);
    T_TRUE(f.midnight.q90_coverage > 0.8, "coverage %.3f", f.midnight.q90_coverage);
    T_TRUE(f.fan_count > 10, "a fan to draw");
    for (unsigned i = 0; i < f.fan_count; i++)
        T_TRUE(f.fan[i].q10 <= f.fan[i].q50 && f.fan[i].q90 <= f.fan[i].q99, "in order");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimum),  cmocka_unit_test(test_hidden_limit),
        cmocka_unit_test(test_policies), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_shared),   cmocka_unit_test(test_single),
        cmocka_unit_test(test_bounds),   cmocka_unit_test(test_beyond_the_table),
        cmocka_unit_test(test_sources),  cmocka_unit_test(test_forecast_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
