#include "io/loop/clock.h"
#include "lib/check.h"

static void test_scaled_clock_is_shared(void **state)
{
    (void)state;
    struct clock a, b;
    struct tide_error err;
    char text[CLOCK_TEXT_BYTES];
    T_OK(clock_parse(TEXT("2026-03-02T08:00:00+08:00@86400"), &a, &err), &err, "two parts");
    T_OK(clock_parse(text_of(clock_text(&a, text)), &b, &err), &err, "three parts: %s", text);
    T_EQ(b.origin, a.origin, "origin");
    T_EQ(b.anchor, a.anchor, "anchor");
    T_TRUE(b.rate == a.rate, "rate");
    tide_wall_ms one = clock_wall(&a), two = clock_wall(&b), three = clock_wall(&a);
    T_TRUE(one >= a.origin && one <= two && two <= three, "one time in both");
    /* a day is a second */
    uint64_t ms = clock_until(&a, clock_wall(&a) + TIME_DAY_MS);
    T_TRUE(ms > 900 && ms <= 1000, "a day is %llu ms", (unsigned long long)ms);
    T_EQ(clock_until(&a, a.origin - 1), 0, "past");
}

static void test_real_clock(void **state)
{
    (void)state;
    struct clock c;
    clock_init_real(&c);
    tide_wall_ms now = clock_wall(&c);
    T_TRUE(now > 1767225600000LL, "after 2026-01-01");
    T_TRUE(clock_until(&c, now + 5000) <= 5000, "not scaled");
}

static const char *const bad[] = {"",
                                  "2026-03-02T08:00:00Z",
                                  "2026-03-02T08:00:00Z@0",
                                  "2026-03-02T08:00:00Z@-1",
                                  "yesterday@10",
                                  "2026-03-02T08:00:00Z@10@then",
                                  "2026-03-02T08:00:00Z@1e9"};

static void test_bad_clocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct clock c;
        struct tide_error err;
        T_TRUE(clock_parse(text_of(bad[i]), &c, &err) != TIDE_OK, "%s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaled_clock_is_shared),
        cmocka_unit_test(test_real_clock),
        cmocka_unit_test(test_bad_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
