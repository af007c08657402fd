/* What is believed of a limit: against Bayes' rule by brute force, by golden values, and its rows.
 */
#include "base/macros.h"
#include "base/rng.h"
#include "core/plan/belief.h"
#include "lib/check.h"

#include <math.h>
#include <stdlib.h>

enum { NUMBERS = 4096 }; /* the open end, cut here: less than 0.1 % lies beyond */

/* The same belief number by number. */
struct brute {
    double p[NUMBERS + 1];
    int64_t mark;
};

static void brute_scale(struct brute *b, int64_t from, int64_t to, double by)
{
    double sum = 0;
    for (int64_t n = 1; n <= NUMBERS; n++) {
        if (n >= from && n <= to)
            b->p[n] *= by;
        sum += b->p[n];
    }
    for (int64_t n = 1; n <= NUMBERS; n++)
        b->p[n] /= sum;
}

static void brute_init(struct brute *b)
{
    *b = (struct brute){.mark = 0};
    for (int64_t n = 1; n <= NUMBERS; n++)
        b->p[n] = 1.0 / (double)n - 1.0 / (double)(n + 1);
    b->p[NUMBERS] += 1.0 / (NUMBERS + 1);
}

/* A share of it moves: half below the mark, evenly; half above, P(L >= m) falling as 1 / m. */
static void brute_drift(struct brute *b, double moved)
{
    double below = b->mark > 1 ? 0.5 : 0, from = (double)b->mark;
    for (int64_t n = 1; n <= NUMBERS; n++) {
        double m = (double)n, prior = 0;
        if (n < b->mark)
            prior = below / (from - 1);
        else if (n > b->mark)
            prior = (1 - below) * ((from + 1) / m - (n < NUMBERS ? (from + 1) / (m + 1) : 0));
        b->p[n] = b->p[n] * (1 - moved) + moved * prior;
    }
}

static double brute_chance(const struct brute *b, int64_t n)
{
    double sum = 0;
    for (; n <= NUMBERS; n++)
        sum += b->p[n];
    return sum;
}

static void expect_same(const struct belief *b, const struct brute *w, int64_t to, uint64_t seed)
{
    for (int64_t n = 1; n <= to; n++)
        T_TRUE(fabs(belief_chance(b, n) - brute_chance(w, n)) < 0.004,
               "seed %llu: P(L >= %lld) is %.4f, by brute force %.4f", (unsigned long long)seed,
               (long long)n, belief_chance(b, n), brute_chance(w, n));
}

/* Cells of one number each: the rule itself, in any order of what is seen. */
static void test_brute_force(void **state)
{
    (void)state;
    const char *only = getenv("BELIEF_SEED");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1, last = only ? first : 60;
    static struct brute w;
    for (uint64_t seed = first; seed <= last; seed++) {
        struct belief b;
        struct rng rng;
        rng_seed(&rng, seed);
        belief_init(&b, 20);
        brute_init(&w);
        for (int step = 0; step < 12; step++) {
            int64_t n = 2 + rng_below(&rng, 24);
            bool sure = rng_below(&rng, 2) == 0;
            double rate =
                TIDE_MIN(TIDE_MAX((double)b.moves / (double)b.windows, 1 / 120.0), 1 / 8.0);
            switch (rng_below(&rng, 3)) {
            case 0:
                belief_taken(&b, n, sure);
                brute_scale(&w, 1, n - 1, sure ? 0 : 0.03);
                w.mark = b.mark;
                break;
            case 1:
                belief_refused(&b, n, sure);
                brute_scale(&w, 1, n - 1, sure ? 0 : 0.03);
                brute_scale(&w, n + 1, NUMBERS, sure ? 1e-4 : 0.03);
                if (sure && !(w.p[n] >= 0.5)) {
                    brute_init(&w);
                    brute_scale(&w, 1, n - 1, 0);
                    brute_scale(&w, n + 1, NUMBERS, 1e-4);
                }
                w.mark = b.mark;
                break;
            case 2:
                if (!b.mark)
                    break;
                belief_drift(&b, 3);
                brute_drift(&w, 1 - pow(1 - rate, 3));
                break;
            }
            T_EQ(b.step, 1, "cells of one number");
            expect_same(&b, &w, 40, seed);
        }
    }
}

/* After ten taken and one refused: 10, and what 30 days without news make of it. */
static void test_golden(void **state)
{
    (void)state;
    struct belief b;
    belief_init(&b, 10);
    T_TRUE(fabs(belief_chance(&b, 2) - 0.5) < 1e-6, "P(L >= n) falls as 1 / n");
    T_TRUE(fabs(belief_chance(&b, 1000) - 0.001) < 1e-6, "beyond the cells too");
    belief_refused(&b, 10, true);
    T_EQ(b.mark, 10, "mark");
    T_EQ(belief_number(&b, 0.5), 10, "number");
    T_EQ(belief_likeliest(&b), 10, "likeliest");
    T_TRUE(fabs(belief_chance_after(&b, 11, 10) - 0.001) < 1e-5, "hardly an eleventh: %.5f",
           belief_chance_after(&b, 11, 10));
    belief_drift(&b, 30);
    static const struct {
        int64_t n;
        double chance;
    } want[] = {{1, 1}, {5, 0.8818}, {10, 0.7340}, {11, 0.2665}, {20, 0.1466}, {100, 0.0293}};
    for (size_t i = 0; i < TIDE_COUNT(want); i++)
        T_TRUE(fabs(belief_chance(&b, want[i].n) - want[i].chance) < 1e-3,
               "thirty windows later P(L >= %lld) is %.4f", (long long)want[i].n,
               belief_chance(&b, want[i].n));
    T_EQ(belief_number(&b, 0.5), 10, "it is still kept to");
    belief_taken(&b, 11, true);
    T_EQ(b.mark, 0, "it has moved");
    T_EQ(belief_number(&b, 0.5), 21, "as likely twice as much as not, nearly");
    belief_refused(&b, 14, true);
    T_EQ(belief_number(&b, 0.5), 14, "found again");
    belief_refused(&b, 3, true);
    T_EQ(belief_number(&b, 0.5), 3, "cut at once");
}

/* Wide cells: large numbers are kept exactly where they were refused, and found again. */
static void test_large_numbers(void **state)
{
    (void)state;
    static const int64_t numbers[] = {1, 31, 32, 33, 200, 5000, 50000, 1000000, 1LL << 30};
    for (size_t i = 0; i < TIDE_COUNT(numbers); i++)
        for (size_t j = 0; j < TIDE_COUNT(numbers); j++) {
            struct belief b;
            belief_init(&b, numbers[i]);
            belief_refused(&b, numbers[i], true);
            T_EQ(belief_number(&b, 0.5), numbers[i], "refused after it");
            belief_drift(&b, 5);
            T_EQ(belief_number(&b, 0.5), numbers[i], "five windows later");
            belief_refused(&b, numbers[j], true);
            T_EQ(belief_number(&b, 0.5), numbers[j], "%lld, then %lld", (long long)numbers[i],
                 (long long)numbers[j]);
            double sum = 0;
            for (int c = 0; c < BELIEF_CELLS; c++)
                sum += (double)b.chance[c];
            T_TRUE(fabs(sum - 1) < 1e-4, "the chances sum to %f", sum);
            for (int64_t n = 1; n < 64; n++)
                T_TRUE(belief_chance(&b, n * b.step) >= belief_chance(&b, n * b.step + 1), "falls");
        }
}

/* A limit that stays is believed to stay, one that moves to move: up is tried later or sooner. */
static void test_learns_how_often_it_moves(void **state)
{
    (void)state;
    struct belief still, restless;
    belief_init(&still, 10);
    belief_refused(&still, 10, true);
    restless = still;
    for (int d = 0; d < 100; d++) {
        belief_taken(&still, 10, true);
        belief_drift(&still, 1);
        belief_drift(&restless, 1);
        if (d % 10 == 9) {
            belief_refused(&restless, d % 20 == 9 ? 14 : 10, true);
        }
    }
    belief_refused(&still, 10, true);
    belief_drift(&still, 5);
    belief_drift(&restless, 5);
    T_TRUE(belief_chance_after(&restless, 11, 10) > 3 * belief_chance_after(&still, 11, 10),
           "%.3f, %.3f", belief_chance_after(&restless, 11, 10),
           belief_chance_after(&still, 11, 10));
}

static void test_rows(void **state)
{
    (void)state;
    struct belief b, back;
    struct buf row = {0};
    belief_init(&b, 300);
    belief_refused(&b, 300, true);
    belief_drift(&b, 10);
    belief_encode(&b, &row);
    T_TRUE(belief_decode(buf_text(&row), &back), "read");
    T_EQ(back.step, b.step, "step");
    T_EQ(back.mark, 300, "mark");
    for (int64_t n = 1; n < 2000; n += 7)
        T_TRUE(fabs(belief_chance(&b, n) - belief_chance(&back, n)) < 0.02, "P(L >= %lld)",
               (long long)n);
    static const char *const bad[] = {"",
                                      "1",
                                      "1 10 100 4000",
                                      "3 10 100 4000 ",
                                      "0 10 100 4000 ",
                                      "1 -1 100 4000 ",
                                      "1 10 100 0 ",
                                      "1 10 99999999999 4000 "};
    static const char cells[] = "0102030405060708090a0b0c0d0e0f10111213141516171819"
                                "1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031"
                                "32333435363738393a3b3c3d3e3f40";
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        buf_clear(&row);
        buf_addf(&row, "%s%s", bad[i], i > 2 ? cells : "");
        T_TRUE(!belief_decode(buf_text(&row), &back), "\"%s\" is refused", bad[i]);
    }
    buf_clear(&row);
    buf_addf(&row, "1 10 100 4000 %s", cells);
    T_TRUE(belief_decode(buf_text(&row), &back), "these cells are right");
    buf_clear(&row);
    buf_adds(&row, "1 10 100 4000 ");
    for (int i = 0; i < BELIEF_CELLS; i++)
        buf_adds(&row, "00");
    T_TRUE(!belief_decode(buf_text(&row), &back), "a belief in nothing");
    buf_fini(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brute_force),   cmocka_unit_test(test_golden),
        cmocka_unit_test(test_large_numbers), cmocka_unit_test(test_learns_how_often_it_moves),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
