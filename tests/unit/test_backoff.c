#include "core/gate/backoff.h"
#include "lib/check.h"

static void failed(struct backoff *b, tide_wall_ms now, struct rng *rng)
{
    backoff_failed(b, TEXT("535 5.7.8 wrong password"), now, rng);
}

static void test_one_fault_and_recovery(void **state)
{
    (void)state;
    struct rng rng = {1};
    struct backoff b;
    char text[300];
    backoff_init(&b, 1000, 60000);
    T_EQ(backoff_room(&b, 0), BACKOFF_ANY, "up");
    T_STR(backoff_text(&b, text, sizeof text), "up", "text");
    backoff_started(&b);
    T_EQ(backoff_room(&b, 0), BACKOFF_ANY, "many at a time while up");
    failed(&b, 5000, &rng);
    T_EQ(backoff_room(&b, 5000), 0, "waits");
    tide_wall_ms at = backoff_wake_at(&b);
    T_TRUE(at > 5500 && at <= 6000, "half to all of the shortest wait: %lld", (long long)at);
    T_TRUE(strstr(backoff_text(&b, text, sizeof text), "535 5.7.8 wrong password"), "%s", text);
    T_EQ(backoff_room(&b, at - 1), 0, "still waits");
    T_EQ(backoff_room(&b, at), 1, "one probe");
    backoff_started(&b);
    T_EQ(backoff_room(&b, at + 99999), 0, "not a second one");
    T_EQ(backoff_wake_at(&b), TIDE_NEVER, "only its end helps");
    T_TRUE(strstr(backoff_text(&b, text, sizeof text), "trying one mail"), "%s", text);
    backoff_withdrawn(&b);
    T_EQ(backoff_room(&b, at), 1, "the probe said nothing: another one");
    backoff_started(&b);
    backoff_succeeded(&b);
    T_EQ(backoff_room(&b, at), BACKOFF_ANY, "up again");
    T_EQ(b.faults, 0, "forgotten");
}

static void test_waits_double_up_to_the_bound(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct rng rng = {seed};
        struct backoff b;
        tide_wall_ms now = 1000000;
        int64_t want = 1000;
        backoff_init(&b, 1000, 20000);
        for (int i = 0; i < 20; i++) {
            failed(&b, now, &rng);
            int64_t wait = backoff_wake_at(&b) - now;
            T_TRUE(wait >= want / 2 && wait <= want, "fault %d: %lld, want up to %lld", i + 1,
                   (long long)wait, (long long)want);
            want = TIDE_MIN(want * 2, 20000);
            now = backoff_wake_at(&b);
            T_EQ(backoff_room(&b, now), 1, "probe %d", i + 1);
            backoff_started(&b);
        }
        T_EQ(b.since, 1000000, "since the first");
    }
}

static void test_mails_on_their_way_do_not_count(void **state)
{
    (void)state;
    struct rng rng = {7};
    struct backoff b;
    backoff_init(&b, 1000, 60000);
    for (int i = 0; i < 10; i++)
        backoff_started(&b);
    failed(&b, 0, &rng);
    tide_wall_ms at = backoff_wake_at(&b);
    for (int i = 0; i < 8; i++)
        failed(&b, 10, &rng);
    T_EQ(b.faults, 1, "one breakdown is one fault");
    T_EQ(backoff_wake_at(&b), at, "and one wait");
    backoff_succeeded(&b);
    T_EQ(backoff_room(&b, 20), 0, "an old connection that still works opens no new one");
}

static void test_jitter_spreads(void **state)
{
    (void)state;
    bool early = false, late = false;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct rng rng = {seed};
        struct backoff b;
        backoff_init(&b, 100000, 100000);
        failed(&b, 0, &rng);
        early |= backoff_wake_at(&b) < 65000;
        late |= backoff_wake_at(&b) > 85000;
    }
    T_TRUE(early && late, "installations do not come back at once");
}

static void test_clock_steps_back(void **state)
{
    (void)state;
    struct rng rng = {3};
    struct backoff b;
    backoff_init(&b, 1000, 60000);
    failed(&b, TIME_DAY_MS, &rng);
    T_EQ(backoff_room(&b, 0), 0, "waits");
    T_TRUE(backoff_wake_at(&b) <= 1000, "but no longer than it would have: %lld",
           (long long)backoff_wake_at(&b));
}

static void test_hostile_numbers(void **state)
{
    (void)state;
    struct rng rng = {3};
    struct backoff b;
    backoff_init(&b, 0, 0);
    failed(&b, 0, &rng);
    T_EQ(backoff_wake_at(&b), 1, "at least a millisecond");
    backoff_init(&b, 1, INT64_MAX / 4);
    for (int i = 0; i < 200; i++) {
        failed(&b, 0, &rng);
        T_TRUE(b.wait_ms > 0, "no overflow at %d", i);
        T_EQ(backoff_room(&b, b.until), 1, "probe");
    }
}

static void test_choose(void **state)
{
    (void)state;
    struct rng rng = {3};
    struct backoff all[3];
    static const int order[] = {2, 0, 1};
    tide_wall_ms at;
    for (size_t i = 0; i < 3; i++)
        backoff_init(&all[i], 1000, 60000);
    T_EQ(backoff_choose(all, order, 3, 0, &at), 2, "the preferred one");
    failed(&all[2], 0, &rng);
    T_EQ(backoff_choose(all, order, 3, 0, &at), 0, "the next takes over");
    failed(&all[0], 100, &rng);
    T_EQ(backoff_choose(all, order, 2, 100, &at), -1, "the third is not in the list");
    T_EQ(at, backoff_wake_at(&all[2]), "the first to wake");
    T_EQ(backoff_choose(all, order, 2, at, &at), 2, "as a probe");
    backoff_started(&all[2]);
    T_EQ(backoff_choose(all, order, 3, 400, &at), 1, "while it is out another one is used");
    T_EQ(backoff_choose(all, order, 0, 400, &at), -1, "none");
    T_EQ(at, TIDE_NEVER, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_fault_and_recovery),
        cmocka_unit_test(test_waits_double_up_to_the_bound),
        cmocka_unit_test(test_mails_on_their_way_do_not_count),
        cmocka_unit_test(test_jitter_spreads),
        cmocka_unit_test(test_clock_steps_back),
        cmocka_unit_test(test_hostile_numbers),
        cmocka_unit_test(test_choose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
