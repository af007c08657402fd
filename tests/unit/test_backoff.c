#include "core/gate/backoff.h"
#include "lib/check.h"

#define MIN_MS 1000
#define MAX_MS 60000

static void test_rests_longer_each_time(void **state)
{
    (void)state;
    struct backoff b;
    struct rng rng;
    rng_seed(&rng, 3);
    backoff_init(&b, MIN_MS, MAX_MS);
    tide_wall_ms now = 0;
    int64_t rest = MIN_MS;
    for (int i = 0; i < 10; i++) {
        T_EQ(backoff_places(&b, now, 7), i == 0 ? 7 : 1, "may go, round %d", i);
        backoff_fault(&b, now, TEXT("connection refused"), &rng);
        T_TRUE(b.until - now >= rest * 3 / 4 && b.until - now <= rest * 5 / 4,
               "round %d rests %lld, about %lld", i, (long long)(b.until - now), (long long)rest);
        T_EQ(backoff_places(&b, b.until - 1, 7), 0, "rests");
        now = b.until;
        rest = TIDE_MIN(rest * 2, MAX_MS);
    }
    T_EQ(backoff_places(&b, now, 7), 1, "probes with one");
    T_TRUE(backoff_works(&b), "was not up");
    T_EQ(backoff_places(&b, now, 7), 7, "all again");
    T_STR(b.reason, "", "nothing to say");
    backoff_fault(&b, now, TEXT("x"), &rng);
    T_TRUE(b.until - now <= MIN_MS * 5 / 4, "starts small again");
}

static void test_late_faults_do_not_lengthen(void **state)
{
    (void)state;
    struct backoff b;
    struct rng rng;
    rng_seed(&rng, 4);
    backoff_init(&b, MIN_MS, MAX_MS);
    backoff_fault(&b, 0, TEXT("first"), &rng);
    tide_wall_ms until = b.until;
    backoff_fault(&b, 500, TEXT("was under way"), &rng);
    T_EQ(b.until, until, "same end");
    T_EQ(b.faults, 1, "counted once");
    T_STR(b.reason, "was under way", "newest reason");
}

static void test_the_account_says_how_long(void **state)
{
    (void)state;
    struct backoff b;
    struct rng rng;
    rng_seed(&rng, 6);
    backoff_init(&b, MIN_MS, MAX_MS);
    backoff_wait(&b, 0, 10 * MIN_MS);
    T_EQ(backoff_places(&b, 0, 7), 7, "without a fault there is nothing to lengthen");
    backoff_fault(&b, 0, TEXT("429"), &rng);
    tide_wall_ms until = b.until;
    backoff_wait(&b, 0, 1);
    T_EQ(b.until, until, "never shorter");
    backoff_wait(&b, 0, 10 * MIN_MS);
    T_EQ(b.until, 10 * MIN_MS, "as it said");
    backoff_wait(&b, 0, TIME_DAY_MS * 30);
    T_EQ(b.until, MAX_MS, "within bounds");
    T_EQ(backoff_places(&b, MAX_MS - 1, 7), 0, "it rests until then");
}

static void test_clock_steps_back(void **state)
{
    (void)state;
    struct backoff b;
    struct rng rng;
    rng_seed(&rng, 5);
    backoff_init(&b, MIN_MS, MAX_MS);
    backoff_fault(&b, TIME_DAY_MS * 400, TEXT("x"), &rng);
    T_EQ(backoff_places(&b, TIME_DAY_MS * 400, 7), 0, "rests");
    T_EQ(backoff_places(&b, 0, 7), 1, "not for a year");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rests_longer_each_time),
        cmocka_unit_test(test_late_faults_do_not_lengthen),
        cmocka_unit_test(test_the_account_says_how_long),
        cmocka_unit_test(test_clock_steps_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
