#include "io/loop/clock.h"
#include "lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

/* Put forward by its file; says there until when it sleeps. */
static void test_driven_clock(void **state)
{
    (void)state;
    char path[] = "/tmp/mailtide-clock-XXXXXX", spec[300], text[CLOCK_TEXT_BYTES];
    struct clock a, b;
    struct tide_error err;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    snprintf(spec, sizeof spec, "2026-03-02T08:00:00Z@1@2026-03-02T08:00:00Z@%s", path);
    T_EQ(clock_parse(text_of(spec), &a, &err), TIDE_EIO, "too short a file");
    assert_int_equal(ftruncate(fd, sizeof(struct clock_page)), 0);
    T_OK(clock_parse(text_of(spec), &a, &err), &err, "driven");
    T_OK(clock_parse(text_of(clock_text(&a, text)), &b, &err), &err, "handed on: %s", text);
    tide_wall_ms before = clock_wall(&a);
    a.page->ahead_ms = TIME_DAY_MS;
    T_TRUE(clock_wall(&b) >= before + TIME_DAY_MS, "put forward for both");
    T_TRUE(clock_wall(&b) < before + 2 * TIME_DAY_MS, "by a day");
    tide_wall_ms now = clock_wall(&a);
    a.page->wake_at = INT64_MAX;
    T_TRUE(clock_until(&a, now + TIME_DAY_MS) <= CLOCK_LOOK_MS, "looks again soon");
    T_EQ(a.page->wake_at, now + TIME_DAY_MS, "says until when it sleeps");
    (void)clock_until(&b, now + 2 * TIME_DAY_MS);
    T_EQ(a.page->wake_at, now + TIME_DAY_MS, "the earliest stands");
    (void)clock_until(&b, now + TIME_HOUR_MS);
    T_EQ(a.page->wake_at, now + TIME_HOUR_MS, "an earlier one takes its place");
    close(fd);
    unlink(path);
}

static const char *const bad[] = {"",
                                  "2026-03-02T08:00:00Z",
                                  "2026-03-02T08:00:00Z@0",
                                  "2026-03-02T08:00:00Z@-1",
                                  "yesterday@10",
                                  "2026-03-02T08:00:00Z@10@then",
                                  "2026-03-02T08:00:00Z@1@2026-03-02T08:00:00Z@",
                                  "2026-03-02T08:00:00Z@1@2026-03-02T08:00:00Z@/not/there",
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
        cmocka_unit_test(test_driven_clock),
        cmocka_unit_test(test_bad_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
