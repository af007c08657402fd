#include "core/plan/forecast.h"

#include "base/macros.h"
#include "base/rng.h"
#include "lib/check.h"

#include <math.h>

#define T_NEAR(got, want, eps, ...)                                      \
    do {                                                                 \
        double n_got = (double)(got), n_want = (double)(want);           \
        if (!(fabs(n_got - n_want) <= (eps))) {                          \
            print_error("%s is %.6f, want %.6f\n", #got, n_got, n_want); \
            T_FAIL(__VA_ARGS__);                                         \
        }                                                                \
    } while (0)

/* FORECAST 8.6: before each day, counts with a factor of one. */
static const struct {
    unsigned count;
    double awake, mean;
} golden[] = {
    {0, .5, 2},         {3, .2359, 1.1182}, {5, .97, 2.5101},   {0, .97, 3.7603},
    {0, .8113, 2.2944}, {8, .5156, 1.7892}, {12, .97, 4.2504},  {1, .97, 6.8454},
    {0, .97, 4.4490},   {0, .7855, 3.1259}, {0, .4091, 2.7004}, {0, .1510, 2.5881},
    {0, .0658, 2.5567},
};

static void test_level(void **state)
{
    (void)state;
    struct forecast_level l;
    forecast_level_start(&l, 1);
    for (size_t i = 0; i < TIDE_COUNT(golden); i++) {
        T_NEAR(l.awake, golden[i].awake, 6e-5, "awake before day %zu", i);
        T_NEAR(l.mean, golden[i].mean, 6e-5, "mean before day %zu", i);
        forecast_level_step(&l, golden[i].count, 1, 1);
    }
}

static void test_lazy(void **state)
{
    (void)state;
    static struct site s;
    struct forecast lazy = {0}, daily = {0};
    struct rng r;
    rng_seed(&r, 7);
    site_init(&s);
    for (int32_t day = 20000; day < 20900; day++) {
        site_roll(&s, day);
        site_count(&s, (int)rng_below(&r, 24), 5 + rng_below(&r, forecast_weekend(day) ? 5 : 60));
        forecast_roll(&daily, &s, day);
        unsigned n = rng_below(&r, 40) ? 0 : 1 + rng_below(&r, 12);
        if (day == 20000)
            n = 1;
        for (unsigned i = 0; i < n; i++) {
            forecast_count(&lazy, &s, day, 1);
            forecast_count(&daily, &s, day, 1);
        }
        if (n)
            T_EQ(memcmp(&lazy, &daily, sizeof lazy), 0, "day %d", day);
    }
    struct forecast late = daily;
    site_roll(&s, 20900 + 100000);
    forecast_roll(&late, &s, 20900 + 100000);
    T_EQ(late.day, 120900, "a silence of 273 years is walked through in bounded time");
    site_roll(&s, 20900);
    forecast_count(&late, &s, 20900, 1);
    site_roll(&s, 20901);
    forecast_count(&late, &s, 20901, 1);
    T_TRUE(late.day == 20901 && late.today == 1, "a clock that was far ahead is forgotten");
    T_TRUE(late.level.awake > 0.5f, "and he is awake: %.3f", (double)late.level.awake);
    forecast_roll(&late, &s, 120900);
    T_TRUE(late.level.awake < 0.5f, "and ends in sleep: %.3f", (double)late.level.awake);
}

static void test_site(void **state)
{
    (void)state;
    static struct site s;
    site_init(&s);
    T_NEAR(site_gone(&s, 0, 0.5), 0.5, 1e-6, "flat at first");
    for (int32_t day = 20000; day < 20200; day++) {
        site_roll(&s, day);
        site_count(&s, 9, forecast_weekend(day) ? 10 : 100);
        site_count(&s, 15, forecast_weekend(day) ? 10 : 100);
    }
    int32_t weekday = 20195;
    while (forecast_weekend(weekday))
        weekday--;
    T_NEAR(site_gone(&s, weekday, 0), 0, 1e-9, "nothing before the day");
    T_NEAR(site_gone(&s, weekday, 1), 1, 1e-5, "all after it");
    T_NEAR(site_gone(&s, weekday, 0.5), 0.5, 0.01, "half of it at noon");
    double before = 0;
    for (int i = 0; i <= 240; i++) {
        double now = site_gone(&s, weekday, i / 240.0);
        T_TRUE(now >= before, "gone never falls, at %d/240", i);
        before = now;
    }
    int32_t weekend = 20195;
    while (!forecast_weekend(weekend))
        weekend--;
    double week = (double)site_factor(&s, weekday), end = (double)site_factor(&s, weekend);
    T_TRUE(week > 1.2 && end < 0.4, "factors %.3f and %.3f", week, end);
    T_NEAR((5 * week + 2 * end) / 7, 1, 0.02, "their mean is one");
}

static void test_rest(void **state)
{
    (void)state;
    struct forecast_level l;
    forecast_level_start(&l, 1);
    forecast_level_step(&l, 12, 1, 1);
    for (unsigned n = 0; n < 30; n += 3)
        for (int g = 0; g < 10; g++) {
            struct rest r = forecast_rest(&l, n, g / 10.0);
            double nb, p = rest_first(&r, &nb), sum = p, mean = 0;
            for (unsigned x = 0; x < 3000; x++) {
                p = rest_next(&r, x, &nb);
                sum += p;
                mean += (x + 1) * p;
            }
            T_NEAR(sum, 1, 1e-6, "adds up, n %u", n);
            T_NEAR(mean, rest_mean(&r), 1e-4, "has its mean, n %u", n);
            unsigned q50 = rest_quantile(&r, .5), q99 = rest_quantile(&r, .99);
            T_TRUE(q50 <= q99, "quantiles in order");
            T_TRUE(rest_chance_over(&r, q99) <= 0.01 + 1e-9, "1 %% above the last");
            T_TRUE(q99 == 0 || rest_chance_over(&r, q99 - 1) > 0.01 - 1e-9, "the least such");
        }
    struct rest r = forecast_rest(&l, 0, 1);
    T_EQ(rest_quantile(&r, .99), 0, "nothing is left of a day that is over");
}

static void test_judge(void **state)
{
    (void)state;
    /* Never awake: a point at zero, whose CRPS is the distance. */
    struct rest none = {0, 3};
    T_NEAR(rest_judge(&none, 4).crps, 4, 1e-9, "distance to a point");
    T_NEAR(rest_judge(&none, 0).crps, 0, 1e-9, "met");
    T_NEAR(rest_judge(&none, 0).log_score, 0, 1e-9, "certain");
    /* A proper score: on average the true distribution beats others, in closed sums. */
    struct rest truth = {0.8, 5}, others[] = {{0.8, 4}, {0.8, 6.5}, {0.6, 5}, {1, 5}};
    for (size_t i = 0; i < TIDE_COUNT(others); i++) {
        double nb, p = rest_first(&truth, &nb), mine = 0, other = 0, log_mine = 0, log_other = 0;
        for (unsigned y = 0; y < 200; y++) {
            struct rest_score a = rest_judge(&truth, y), b = rest_judge(&others[i], y);
            T_TRUE(a.upto >= a.below && a.upto <= 1 + 1e-9, "a distribution function");
            mine += p * a.crps;
            other += p * b.crps;
            log_mine += p * a.log_score;
            log_other += p * b.log_score;
            p = rest_next(&truth, y, &nb);
        }
        T_TRUE(mine < other, "CRPS of the truth %.4f, of other %zu %.4f", mine, i, other);
        if (others[i].awake < 1)
            T_TRUE(log_mine < log_other, "log score, other %zu", i);
    }
}

static void test_stored(void **state)
{
    (void)state;
    static struct site s, t;
    struct forecast f = {0}, g;
    struct buf b = {0};
    struct tide_error err;
    char blob[FORECAST_BYTES];
    site_init(&s);
    for (int32_t day = 20000; day < 20090; day++) {
        site_roll(&s, day);
        site_count(&s, day % 24, 20);
        forecast_count(&f, &s, day, (uint32_t)day * 86400u);
    }
    forecast_encode(&f, blob);
    T_TRUE(forecast_decode(blob, &g), "reads what it wrote");
    T_EQ(memcmp(&f, &g, sizeof f), 0, "the same");
    memset(blob, 0xff, 4);
    T_TRUE(!forecast_decode(blob, &g), "not a number");
    site_encode(&s, &b);
    T_OK(site_decode(buf_text(&b), &t, &err), &err, "site");
    T_EQ(memcmp(s.hours, t.hours, sizeof s.hours), 0, "hours");
    T_EQ(memcmp(s.share, t.share, sizeof s.share), 0, "profile");
    T_NEAR(site_factor(&s, 20089), site_factor(&t, 20089), 0, "factor of today");
    site_roll(&s, 20100);
    site_roll(&t, 20100);
    T_NEAR(site_factor(&s, 20100), site_factor(&t, 20100), 0, "goes on alike");
    T_EQ(site_decode(text_cut(buf_text(&b), 0, 50), &t, &err), TIDE_ECORRUPT, "cut short");
    b.data[4] ^= 0x70; /* the day: some five million years on */
    T_EQ(site_decode(buf_text(&b), &t, &err), TIDE_ECORRUPT, "no such day");
    b.data[4] ^= 0x70;
    memset(b.data + 25, 0xff, 4);
    T_EQ(site_decode(buf_text(&b), &t, &err), TIDE_ECORRUPT, "not a number");
    buf_fini(&b);
}

/* Office hours, in clumps of three: somebody who writes like all the others looks different for as
 * long as he has written little; that is no profile of his own. One who writes at night has one. */
static const struct {
    const char *name;
    int first_hour;
    unsigned days;
    bool apart;
} writers[] = {
    {"like all, a day of it", 8, 1, false},    {"like all, a week of it", 8, 7, false},
    {"like all, a year of it", 8, 365, false}, {"at night, two weeks of it", 20, 14, true},
    {"at night, a year of it", 20, 365, true},
};

static void test_who_has_hours_of_his_own(void **state)
{
    (void)state;
    const int32_t start = 17000;
    struct site whole, own;
    struct rng r;
    for (size_t i = 0; i < TIDE_COUNT(writers); i++) {
        bool apart = false;
        rng_seed(&r, 7);
        site_init(&whole);
        for (int32_t day = start - 200; day < start; day++) {
            site_roll(&whole, day);
            for (int n = 0; n < 200; n++)
                site_count(&whole, 8 + (int)(rng_below(&r, 4) + rng_below(&r, 8)), 3);
        }
        site_roll(&whole, start);
        site_branch(&own, &whole);
        for (int32_t day = start; day < start + (int32_t)writers[i].days; day++) {
            site_roll(&own, day);
            for (int n = 0; n < 50; n++)
                site_count(
                    &own, (writers[i].first_hour + (int)(rng_below(&r, 4) + rng_below(&r, 8))) % 24,
                    3);
            site_roll(&own, day + 1);
            apart = site_is_apart(&own, &whole, apart);
            T_TRUE(!apart || writers[i].apart, "%s: after %d days", writers[i].name,
                   day - start + 1);
        }
        T_EQ(apart, writers[i].apart, "%s", writers[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_site),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_stored),
        cmocka_unit_test(test_who_has_hours_of_his_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
