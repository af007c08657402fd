#include "core/plan/outlook.h"

#include "core/plan/expected.h"
#include "lib/check.h"

#include <math.h>

#define DAY_START (20514 * TIME_DAY_MS)

static void test_spread(void **state)
{
    (void)state;
    static const double quantiles[] = {0.005, 0.05, 0.25, 0.5, 0.75, 0.95, 0.995};
    static const struct spread cases[] = {
        {1, 5, 1.6},   {0.6, 5, 1.6},    {1, 299, 3},  {0.9, 301, 3},
        {1, 5000, 40}, {0.5, 5000, 1.6}, {1, 20, 1e6}, {1, 1e6, 100},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        for (size_t k = 0; k < TIDE_COUNT(quantiles); k++) {
            const struct spread *s = &cases[i];
            double q = quantiles[k], x = spread_quantile(s, q);
            double over = spread_chance_over(s, x), before = spread_chance_over(s, x - 1);
            T_TRUE(over <= 1 - q + 0.003, "case %zu: P(N > %g) = %g at %g", i, x, over, q);
            T_TRUE(before >= 1 - q - 0.003 || q <= 1 - s->awake, "case %zu: P(N >= %g) = %g at %g",
                   i, x, before, q);
        }
    /* the exact sum and the gamma law meet */
    struct spread exact = {1, 299.9, 5}, law = {1, 300.1, 5};
    for (size_t k = 0; k < TIDE_COUNT(quantiles); k++) {
        double a = spread_quantile(&exact, quantiles[k]), b = spread_quantile(&law, quantiles[k]);
        T_TRUE(fabs(a - b) <= 3 + 0.02 * a, "%g: %g and %g", quantiles[k], a, b);
    }
    struct spread none = {0};
    T_EQ((int)spread_quantile(&none, 0.99), 0, "nothing");
    T_TRUE(spread_chance_over(&none, 0) <= 0, "nothing");
    T_TRUE(spread_chance_over(&none, -1) >= 1, "no room at all");
}

static double all_day(void *arg, tide_wall_ms at)
{
    (void)at;
    return *(const double *)arg;
}

/* A rolling window: what was used leaves at ten. */
static double until_ten(void *arg, tide_wall_ms at)
{
    return at <= DAY_START + 10 * TIME_HOUR_MS ? 0 : *(const double *)arg;
}

static void test_recipient(void **state)
{
    (void)state;
    struct site site;
    struct outlook o;
    double room = 8;
    site_init(&site);
    struct foreseen f = {.site = &site,
                         .day = 20514,
                         .day_start = DAY_START,
                         .day_end = DAY_START + TIME_DAY_MS,
                         .rest = {1, 6},
                         .next_awake = 0.8,
                         .next_mean = 12};
    tide_wall_ms now = DAY_START + 9 * TIME_HOUR_MS + 5 * TIME_MINUTE_MS;
    outlook_of_recipient(&f, now, f.day_end, all_day, &room, &o);
    T_EQ(o.count, 15, "each full hour until midnight");
    T_EQ(o.points[0].at, DAY_START + 10 * TIME_HOUR_MS, "full hours");
    T_TRUE(fabs(o.points[14].mean - 6) < 1e-9, "all of it at the end");
    for (size_t i = 0; i < o.count; i++) {
        const struct outlook_point *p = &o.points[i];
        for (int b = 0; b < OUTLOOK_BANDS; b++)
            T_TRUE(p->low[b] <= p->median && p->median <= p->high[b], "point %zu", i);
        T_TRUE(p->low[2] <= p->low[1] && p->low[1] <= p->low[0], "bands lie within each other");
        T_TRUE(i == 0 || (p->mean >= p[-1].mean && p->chance >= p[-1].chance), "only grows");
    }
    T_TRUE(fabs(o.chance - rest_chance_over(&f.rest, 8)) < 1e-9, "the forecast's own chance");
    T_TRUE(o.over_at > now && o.over_at <= f.day_end, "within the day");
    double half = 0;
    for (size_t i = 0; i < o.count && o.points[i].at <= o.over_at; i++)
        half = o.points[i].chance;
    T_TRUE(half <= o.chance / 2, "not half of it before");
    outlook_of_recipient(&f, now, f.day_end, until_ten, &room, &o);
    T_TRUE(o.chance > rest_chance_over(&f.rest, 8), "no room until ten costs something");
    outlook_of_recipient(&f, now, now + TIME_DAY_MS, NULL, NULL, &o);
    T_TRUE(o.points[o.count - 1].mean > 6 && o.points[o.count - 1].mean < 6 + 0.8 * 12,
           "a part of tomorrow: %f", o.points[o.count - 1].mean);
    T_TRUE(o.chance <= 0 && o.over_at == 0, "no limit, no chance");
    outlook_of_recipient(&f, now, now + 31 * TIME_DAY_MS, NULL, NULL, &o);
    T_TRUE(o.count <= OUTLOOK_POINTS_MAX, "a month");
    T_TRUE(fabs(o.points[o.count - 1].mean - 6 - 0.8 * 12 * 30.4) < 8, "a month: %f",
           o.points[o.count - 1].mean);
    outlook_of_recipient(&f, now, now, all_day, &room, &o);
    T_EQ(o.count, 1, "no time left");
}

static void test_crowd(void **state)
{
    (void)state;
    struct site site, other;
    struct crowd c = {0};
    struct outlook o;
    double room = 700;
    site_init(&site);
    site_init(&other);
    struct foreseen f = {
        .site = &site, .day = 20514, .day_start = DAY_START, .day_end = DAY_START + TIME_DAY_MS};
    for (int i = 0; i < 100; i++) {
        f.site = i % 2 ? &site : &other;
        f.rest = (struct rest){0.5, 10};
        crowd_add(&c, &f);
    }
    T_EQ(c.count, 2, "two kinds of day");
    outlook_of_crowd(&c, DAY_START, f.day_end, all_day, &room, &o);
    const struct outlook_point *end = &o.points[o.count - 1];
    T_TRUE(fabs(end->mean - 500) < 1e-6, "means add up: %f", end->mean);
    T_TRUE(o.chance > 0.1 && o.chance < 0.5, "%f", o.chance);
    T_TRUE(end->high[1] > 1000, "they move together: %f", end->high[1]);
    c.share = 0.5;
    outlook_of_crowd(&c, DAY_START, f.day_end, NULL, NULL, &o);
    T_TRUE(fabs(o.points[o.count - 1].mean - 250) < 1e-6, "half of it is this account's");
    struct crowd nobody = {0};
    outlook_of_crowd(&nobody, DAY_START, f.day_end, all_day, &room, &o);
    T_TRUE(o.chance <= 0, "nobody");
}

static void test_expected(void **state)
{
    (void)state;
    struct expected e = {0}, back = {0};
    struct buf b = {0};
    struct tide_error err;
    const struct forecast_level usual = {.mean = 4, .awake = 0.5f};
    struct forecast_level l;
    T_TRUE(expected_say(&e, 7, 40, 1000, 2000), "one");
    T_TRUE(expected_say(&e, 0, 3, 1000, 2000), "all");
    expected_encode(&e, &b);
    T_OK(expected_decode(buf_text(&b), &back, &err), &err, "read back");
    l = expected_level(&back, 7, 1500, &usual);
    T_TRUE(fabsf(l.mean - 40) < 1e-3f && fabsf(l.awake - 1) < 1e-6f, "his own: %f", (double)l.mean);
    l = expected_level(&back, 8, 1500, &usual);
    T_TRUE(fabsf(l.mean - 12) < 1e-3f && l.awake > 0.8f, "everybody's: %f", (double)l.mean);
    l = expected_level(&back, 7, 2000, &usual);
    T_TRUE(fabsf(l.mean - 4) < 1e-6f, "it has ended");
    T_TRUE(expected_say(&back, 7, 0, 1500, 2000), "taken back");
    l = expected_level(&back, 7, 1500, &usual);
    T_TRUE(fabsf(l.mean - 12) < 1e-3f, "then as everybody");
    for (int64_t id = 1; id <= EXPECTED_MAX; id++)
        T_TRUE(expected_say(&e, id, 1, 1000, 2000 + id), "%d", (int)id);
    T_TRUE(!expected_say(&e, 999999, 1, 1000, 9000), "full");
    T_TRUE(expected_say(&e, 999999, 1, 3000, 9000), "those that ended give way");
    for (size_t n = 0; n < b.len; n++)
        T_TRUE(expected_decode(text_cut(buf_text(&b), 0, n), &back, &err) != TIDE_OK ||
                   (n - 13) % 20 == 0,
               "cut at %zu", n);
    expected_fini(&e);
    expected_fini(&back);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread), cmocka_unit_test(test_recipient),
        cmocka_unit_test(test_crowd), cmocka_unit_test(test_expected)};
    return cmocka_run_group_tests_name("outlook", tests, NULL, NULL);
}
