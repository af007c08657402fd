/* Guards: the posterior against sums that anyone can check, then who trips one and who does not.
 * GUARD_SEED=N replays one seed. */
#include "base/rng.h"
#include "core/plan/guard.h"
#include "lib/check.h"

#include <math.h>
#include <stdlib.h>

#define NOON 1772424000000LL

static const struct guard_rule bounces = {.name = (char *)"bounces",
                                          .counts = GUARD_BOUNCES,
                                          .review = 0.05,
                                          .pause = 0.1,
                                          .volume = 10000};
static const struct guard_rule complaints = {.name = (char *)"complaints",
                                             .counts = GUARD_COMPLAINTS,
                                             .review = 0.001,
                                             .pause = 0.005,
                                             .volume = 50000};

/* P(Beta(a, b) <= x) for whole a and b: P(Binomial(a + b - 1, x) >= a). */
static double binomial_tail(int a, int b, double x)
{
    int n = a + b - 1, sign;
    double sum = 0;
    for (int k = a; k <= n; k++)
        sum += exp(lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) - lgamma_r(n - k + 1, &sign) +
                   k * log(x) + (n - k) * log1p(-x));
    return sum;
}

static void test_posterior(void **state)
{
    (void)state;
    static const struct {
        int mails, failures;
        double level;
    } cases[] = {{0, 0, 0.05},   {10, 2, 0.05},     {10, 10, 0.05},    {100, 20, 0.05},
                 {600, 60, 0.1}, {5000, 300, 0.05}, {5000, 300, 0.06}, {9000, 0, 0.001}};
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct guard x = {.rule = &bounces, .mails = cases[i].mails, .failures = cases[i].failures};
        double want = 1 - binomial_tail(2 + cases[i].failures,
                                        198 + cases[i].mails - cases[i].failures, cases[i].level);
        double got = guard_certainty(&x, cases[i].level);
        T_TRUE(fabs(got - want) < 1e-9, "case %zu: %.12f, want %.12f", i, got, want);
        double bound = guard_bound(&x);
        T_TRUE(fabs(guard_certainty(&x, bound) - GUARD_CERTAINTY) < 1e-6, "case %zu: bound %f", i,
               bound);
    }
    const struct guard nothing = {.rule = NULL};
    T_TRUE(fabs(guard_certainty(&nothing, 0.25) - 2.0 / 3) < 1e-9, "the arcsine law");
}

static void send(struct guards *all, struct guard *x, int mails, int failures, tide_wall_ms now)
{
    for (int i = 0; i < mails; i++)
        guard_sent(all, x, now);
    for (int i = 0; i < failures; i++)
        guard_failed(all, x, now);
}

static void test_who_trips(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const struct guard_rule *rule;
        int mails, failures;
        enum guard_state want;
        bool warned;
    } cases[] = {
        {"ten mails do not decide", &bounces, 10, 5, GUARD_OPEN, false},
        {"a usual list", &bounces, 2000, 20, GUARD_OPEN, false},
        {"half way to the review", &bounces, 2000, 70, GUARD_OPEN, true},
        {"over the review", &bounces, 2000, 140, GUARD_NARROW, true},
        {"a small sender, a bad list", &bounces, 100, 25, GUARD_NARROW, true},
        {"over the pause", &bounces, 2000, 300, GUARD_CLOSED, true},
        {"three complaints of a thousand", &complaints, 1000, 3, GUARD_OPEN, false},
        {"complaints over the review", &complaints, 20000, 50, GUARD_NARROW, true},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct guards all;
        guards_init(&all, 7 * TIME_DAY_MS, TIME_DAY_MS);
        struct guard *x = guards_get(&all, TEXT("esp/x"), cases[i].rule);
        send(&all, x, cases[i].mails, cases[i].failures, NOON);
        T_EQ(x->state, cases[i].want, "%s: bound %f", cases[i].name, guard_bound(x));
        T_EQ(x->warned, cases[i].warned, "%s: warned", cases[i].name);
        T_EQ(all.tripped, cases[i].want != GUARD_OPEN, "%s: counted", cases[i].name);
        guards_fini(&all);
    }
}

static void test_opens_again(void **state)
{
    (void)state;
    struct guards all;
    guards_init(&all, 7 * TIME_DAY_MS, TIME_DAY_MS);
    struct guard *x = guards_get(&all, TEXT("esp/bounces"), &bounces);
    send(&all, x, 1000, 200, NOON);
    T_EQ(x->state, GUARD_CLOSED, "closed");
    T_TRUE(!guard_look(&all, x, NOON + TIME_DAY_MS - 1), "it rests");
    T_TRUE(guard_look(&all, x, NOON + TIME_DAY_MS), "then it narrows");
    T_EQ(x->state, GUARD_NARROW, "narrow");
    guard_look(&all, x, NOON + TIME_DAY_MS + 1);
    T_EQ(x->state, GUARD_NARROW, "what bounced before does not close it again");
    guard_failed(&all, x, NOON + TIME_DAY_MS + 2);
    T_EQ(x->state, GUARD_CLOSED, "one that bounces now does");
    guard_look(&all, x, NOON + 3 * TIME_DAY_MS);
    send(&all, x, 6000, 0, NOON + 3 * TIME_DAY_MS);
    T_EQ(x->state, GUARD_OPEN, "good mail opens it");
    send(&all, x, 0, 900, NOON + 3 * TIME_DAY_MS);
    T_EQ(x->state, GUARD_CLOSED, "and bad mail closes it");
    guard_open(&all, x, NOON + 3 * TIME_DAY_MS);
    T_EQ(x->state, GUARD_OPEN, "by hand");
    T_EQ(all.tripped + all.warned, 0, "forgiven");
    send(&all, x, 10, 3, NOON + 3 * TIME_DAY_MS);
    T_EQ(x->state, GUARD_OPEN, "and it starts afresh");
    send(&all, x, 1000, 90, NOON);
    T_EQ(x->state, GUARD_NARROW, "narrow");
    guard_look(&all, x, NOON + 60 * TIME_DAY_MS);
    T_EQ(x->state, GUARD_OPEN, "time mends all");
    x->rule = NULL;
    send(&all, x, 0, 100, NOON);
    T_EQ(x->state, GUARD_OPEN, "no longer watched");
    guards_fini(&all);
}

static void test_rows(void **state)
{
    (void)state;
    struct guards all, again;
    struct buf blob = {0};
    struct text row;
    struct tide_error err;
    guards_init(&all, 7 * TIME_DAY_MS, TIME_DAY_MS);
    guards_init(&again, 7 * TIME_DAY_MS, TIME_DAY_MS);
    struct guard *x = guards_get(&all, TEXT("esp/news/bounces"), &bounces);
    send(&all, x, 1000, 200, NOON);
    T_TRUE(guards_next_dirty(&all, &row, &blob), "a row");
    T_TEXT(row, "guard|esp/news/bounces", "its key");
    T_OK(guards_restore(&again, row, buf_text(&blob), &err), &err, "restore");
    struct guard *y = guards_find(&again, TEXT("esp/news/bounces"));
    T_TRUE(y && y->state == GUARD_CLOSED && y->rest_until == x->rest_until, "closed as long");
    T_TRUE(fabs(y->mails - x->mails) < 0.01 && fabs(y->failures - x->failures) < 0.01, "counted");
    T_EQ(again.tripped, 1, "tripped");
    T_TRUE(!guards_next_dirty(&all, &row, &blob), "no more");
    static const char *const bad[] = {"", "2 0 0 0 0 0 0 0", "1 7 0 0 0 0 0 0", "1 0 0",
                                      "1 0 -1 0 0 0 0 0"};
    for (size_t i = 0; i < TIDE_COUNT(bad); i++)
        T_TRUE(guards_restore(&again, TEXT("guard|x"), text_of(bad[i]), &err) != TIDE_OK, "%zu", i);
    buf_fini(&blob);
    guards_fini(&all);
    guards_fini(&again);
}

/* Honest senders are left alone, bad ones are stopped before the ESP would. */
static void test_many_senders(void **state)
{
    (void)state;
    const char *only = getenv("GUARD_SEED");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1, last = only ? first : 60;
    int64_t slowest = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        struct guards all;
        struct rng rng;
        rng_seed(&rng, seed);
        guards_init(&all, 7 * TIME_DAY_MS, TIME_DAY_MS);
        struct guard *good = guards_get(&all, TEXT("good/bounces"), &bounces);
        struct guard *bad = guards_get(&all, TEXT("bad/bounces"), &bounces);
        int64_t tripped_after = 0;
        for (int i = 1; i <= 20000; i++) {
            tide_wall_ms now = NOON + i * TIME_MINUTE_MS;
            guard_sent(&all, good, now);
            if (rng_below(&rng, 1000) < 20) /* 2 %: SES's own target */
                guard_failed(&all, good, now);
            T_EQ(good->state, GUARD_OPEN, "seed %llu: mail %d", (unsigned long long)seed, i);
            if (tripped_after)
                continue;
            guard_sent(&all, bad, now);
            if (rng_below(&rng, 1000) < 150)
                guard_failed(&all, bad, now);
            if (bad->state != GUARD_OPEN)
                tripped_after = i;
        }
        T_TRUE(tripped_after > 10 && tripped_after < 1000, "seed %llu: after %lld mails",
               (unsigned long long)seed, (long long)tripped_after);
        slowest = TIDE_MAX(slowest, tripped_after);
        guards_fini(&all);
    }
    printf("2 %% bounces: never narrowed in 20000 mails; 15 %%: after %lld mails at most (%lld "
           "seeds)\n",
           (long long)slowest, (long long)(last - first + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posterior),    cmocka_unit_test(test_who_trips),
        cmocka_unit_test(test_opens_again),  cmocka_unit_test(test_rows),
        cmocka_unit_test(test_many_senders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
