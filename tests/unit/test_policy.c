#include "base/macros.h"
#include "core/plan/policy.h"
#include "lib/check.h"

#define HOUR     TIME_HOUR_MS
#define MIDNIGHT (20500 * TIME_DAY_MS)

static const struct {
    const char *name;
    int64_t count, used, reserve;
    int last_h, now_h;
    int64_t until_max_h; /* 0: no bound */
    bool rolling;
    int64_t want_h; /* 0: at once */
} cases[] = {
    {"nothing used", 10, 0, 2, 0, 9, 0, false, 0},
    {"more than half free", 10, 4, 2, 9, 9, 0, false, 0},
    {"half free: 3 left over 12 h", 10, 5, 2, 12, 12, 0, false, 15},
    {"1 left over 12 h", 10, 7, 2, 12, 12, 0, false, 18},
    {"asked later, the same answer", 10, 5, 2, 12, 14, 0, false, 15},
    {"its turn has come", 10, 5, 2, 12, 16, 0, false, 0},
    {"no reserve: 5 left over 12 h", 10, 5, 0, 12, 12, 0, false, 14},
    {"nothing left: the planner's business", 10, 8, 2, 12, 12, 0, false, 0},
    {"not longer than the stream allows", 10, 5, 2, 12, 12, 13, false, 13},
    {"last release was yesterday", 10, 6, 2, -10, 1, 0, false, 8},
    {"clock went back behind the last", 10, 5, 2, 20, 12, 0, false, 15},
    {"rolling: a day over 8", 10, 5, 2, 12, 12, 0, true, 15},
};

static void test_even(void **state)
{
    (void)state;
    const struct policy *p = policy_even();
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        tide_wall_ms now = MIDNIGHT + cases[i].now_h * HOUR;
        struct policy_view v = {
            .now = now,
            .count = cases[i].count,
            .used = cases[i].used,
            .reserve = cases[i].reserve,
            .word = p->charged(p->arg, MIDNIGHT + cases[i].last_h * HOUR, false, 0),
            .span_ms = TIME_DAY_MS,
            .direct_share = 0.5,
        };
        if (!cases[i].rolling)
            v.window = (struct window_span){MIDNIGHT, MIDNIGHT + TIME_DAY_MS};
        if (cases[i].until_max_h)
            v.hold_until_max = MIDNIGHT + cases[i].until_max_h * HOUR;
        tide_wall_ms at = p->wish(p->arg, &v);
        if (cases[i].want_h)
            T_EQ(at - MIDNIGHT, cases[i].want_h * HOUR, "%s", cases[i].name);
        else
            T_TRUE(at <= now, "%s: at once", cases[i].name);
    }
    T_EQ(p->charged(p->arg, MIDNIGHT, true, 42), 42, "urgent mail does not move the digest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_even)};
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
