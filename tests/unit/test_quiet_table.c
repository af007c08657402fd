#include "core/plan/quiet_table.h"

#include "base/macros.h"
#include "lib/check.h"

#include <math.h>
#include <stdlib.h>

#define ROW (QUIET_PENDING + 1)

static struct quiet_case flat(int quota, float urgent)
{
    struct quiet_case c = {.quota = quota, .urgent_cost = urgent};
    for (int i = 0; i < 48; i++)
        c.share[i / 24][i % 24] = 1.0f / 24;
    return c;
}

/* A day with a night, a lunch and an evening; weekends later. */
static struct quiet_case hilly(int quota, float urgent)
{
    struct quiet_case c = {.quota = quota, .urgent_cost = urgent};
    for (int y = 0; y < 2; y++) {
        float sum = 0;
        for (int h = 0; h < 24; h++) {
            c.share[y][h] = h < 8 - y || h > 20 + y ? 0.1f : h == 12 + y ? 0.5f : 1.0f;
            sum += c.share[y][h];
        }
        for (int h = 0; h < 24; h++)
            c.share[y][h] /= sum;
    }
    return c;
}

/* FORECAST 8.6: flat profile, quota 10; minutes for k = 1 2 3 5 8. -1: not given. */
static const struct {
    double mean;
    float urgent;
    int slot, b;
    double want[5];
} golden[] = {
    {12, 0, 48, 1, {480, 300, 190, 95, 35}},  {12, 0, 48, 2, {240, 95, 45, 16, 4.5}},
    {12, 0, 48, 5, {27, 6.5, 2, .5, 0}},      {12, 0, 48, 10, {.5, 0, 0, 0, 0}},
    {12, 0, 72, 1, {190, 95, 58, 21, 6.5}},   {12, 0, 72, 5, {3, .5, 0, 0, 0}},
    {12, 0, 96, 1, {960, 760, 600, 300, 27}}, {12, 0, 96, 2, {600, 300, 95, 0, 0}},
    {12, 0, 96, 5, {0, 0, 0, 0, 0}},          {12, 2400, 48, 1, {1440, 600, 380, 190, 58}},
    {12, 2400, 48, 5, {120, 27, 12, 4.5, 1}}, {6, 0, 48, 2, {120, 45, 21, 6.5, 2}},
    {30, 0, 36, 5, {190, 58, 27, 6.5, 2}},
};

static unsigned nearest_edge(double minutes)
{
    unsigned best = 0;
    for (unsigned i = 0; i < QUIET_AGES; i++)
        if (fabs(quiet_age_minutes(i) - minutes) < fabs(quiet_age_minutes(best) - minutes))
            best = i;
    return best;
}

static void test_golden(void **state)
{
    (void)state;
    static const unsigned ks[] = {1, 2, 3, 5, 8};
    static uint8_t tau[(QUIET_SLOTS + 1) * 11 * ROW];
    for (size_t i = 0; i < TIDE_COUNT(golden); i++) {
        struct quiet_case c = flat(10, golden[i].urgent);
        T_TRUE(quiet_plan(&c, false, golden[i].mean, tau, NULL), "memory");
        for (size_t k = 0; k < TIDE_COUNT(ks); k++) {
            int got = tau[(golden[i].slot * 11 + golden[i].b) * ROW + (int)ks[k]];
            int want = (int)nearest_edge(golden[i].want[k]);
            T_TRUE(got == want, "mean %g slot %d b %d k %u: %g minutes, want %g", golden[i].mean,
                   golden[i].slot, golden[i].b, ks[k], quiet_age_minutes((unsigned)got),
                   golden[i].want[k]);
        }
    }
}

/* The definition once more, in plain doubles and with every sum written out anew. */
struct naive {
    struct quiet_case c;
    double mean, carried[ROW], lost[QUIET_SLOTS + 1], u[QUIET_SLOTS + 1][4][ROW];
};

static double exc(int b)
{
    return b == 0 ? 2 : b == 1 ? 1 : b == 2 ? 1.0 / 3 : 0;
}

static double share_at(const struct naive *n, int slot)
{
    return (double)n->c.share[0][slot * 24 / QUIET_SLOTS];
}

struct bins {
    int n, q[QUIET_AGES];
    double x[QUIET_AGES], p[QUIET_AGES], ex[QUIET_AGES], f[QUIET_AGES], alive;
};

static void bins_from(const struct naive *n, int slot, double age, struct bins *b)
{
    double left = 1440 - slot * 15.0;
    *b = (struct bins){.alive = 1};
    while (b->n < QUIET_NEVER && quiet_age_minutes((unsigned)b->n) < left) {
        double from = quiet_age_minutes((unsigned)b->n);
        double to = fmin(left, quiet_age_minutes((unsigned)b->n + 1)), x = (from + to) / 2;
        int q = (int)((slot * 15 + x) / 15), j = b->n++;
        double base = n->mean * share_at(n, q) + 1e-4;
        double h = 5 * sqrt(base) / sqrt(x + age + 0.5) / 60 * (to - from);
        b->q[j] = q;
        b->f[j] = (slot * 15 + x) / 15 - q;
        b->x[j] = left - x;
        b->p[j] = b->alive * (1 - exp(-h));
        b->ex[j] = b->alive * (to - from) * (1 - exp(-h)) / h;
        b->alive -= b->p[j];
    }
}

static double urgent(const struct naive *n, int slot)
{
    return (double)n->c.urgent_cost * share_at(n, slot) / 60;
}

static double value(const struct naive *n, const struct bins *s, int j, int b, int k)
{
    return (1 - s->f[j]) * n->u[s->q[j]][b][k] + s->f[j] * n->u[s->q[j] + 1][b][k];
}

/* Cost of waiting until age j (n: for ever), then sending. */
static double cost_of(const struct naive *n, const struct bins *s, int j, int b, int k)
{
    double sum = 0;
    for (int i = 0; i < s->n; i++) {
        double price = urgent(n, s->q[i]);
        if (i < j)
            sum += k * s->ex[i] + price * exc(b) * s->ex[i] + s->p[i] * value(n, s, i, b, k + 1);
        else
            sum += price * exc(b - 1) * s->ex[i] + s->p[i] * value(n, s, i, b - 1, 1);
    }
    return j == s->n ? sum + s->alive * n->carried[k] : sum;
}

static double best_of(const struct naive *n, const struct bins *s, int b, int k)
{
    if (k == 0)
        return cost_of(n, s, s->n, b, 0);
    if (k == QUIET_PENDING)
        return cost_of(n, s, 0, b, k);
    double best = INFINITY;
    for (int j = 0; j <= s->n; j++)
        best = fmin(best, cost_of(n, s, j, b, k));
    return best;
}

static void naive_slot(struct naive *n, int slot)
{
    struct bins s;
    bins_from(n, slot, 0, &s);
    double sum = 0, self = 0, price = 0;
    for (int j = 0; j < s.n; j++) {
        double here = s.p[j] * (1 - s.f[j]);
        sum += s.p[j] * s.x[j] + s.p[j] * s.f[j] * n->lost[s.q[j] + 1];
        if (s.q[j] == slot)
            self += here;
        else
            sum += here * n->lost[s.q[j]];
    }
    n->lost[slot] = sum / (1 - self);
    for (int i = slot; i < QUIET_SLOTS; i++)
        price += 15 * urgent(n, i) * exc(0);
    for (int k = 0; k < ROW; k++)
        n->u[slot][0][k] = k * (1440 - slot * 15.0) + n->lost[slot] + price;
    for (int b = 1; b <= n->c.quota; b++)
        for (int k = QUIET_PENDING; k >= 0; k--)
            n->u[slot][b][k] = best_of(n, &s, b, k);
}

static void naive_solve(struct naive *n)
{
    for (int sweep = 0; sweep < 2; sweep++) {
        struct bins s;
        for (int b = 0; b <= n->c.quota; b++)
            memcpy(n->u[QUIET_SLOTS][b], n->carried, sizeof n->carried);
        for (int slot = QUIET_SLOTS - 1; slot >= 0; slot--)
            naive_slot(n, slot);
        bins_from(n, 0, 300, &s);
        double carried[ROW];
        for (int k = 0; k < ROW; k++)
            carried[k] = best_of(n, &s, n->c.quota, k) - best_of(n, &s, n->c.quota, 0);
        memcpy(n->carried, carried, sizeof carried);
    }
}

static void test_brute_force(void **state)
{
    (void)state;
    static const double means[] = {0.5, 4, 15, 120};
    static uint8_t tau[(QUIET_SLOTS + 1) * 4 * ROW];
    static float cost[QUIET_SLOTS * 4 * ROW];
    for (int quota = 1; quota <= 3; quota++)
        for (size_t m = 0; m < TIDE_COUNT(means); m++) {
            struct naive *n = calloc(1, sizeof *n);
            *n = (struct naive){.c = hilly(quota, m % 2 ? 2400 : 0), .mean = means[m]};
            naive_solve(n);
            T_TRUE(quiet_plan(&n->c, false, n->mean, tau, cost), "memory");
            for (int slot = 0; slot < QUIET_SLOTS; slot++)
                for (int b = 0; b <= quota; b++)
                    for (int k = 0; k < ROW; k++) {
                        double got = (double)cost[(slot * (quota + 1) + b) * ROW + k];
                        double want = n->u[slot][b][k];
                        T_TRUE(fabs(got - want) <= 0.01 + 1e-4 * want,
                               "quota %d mean %g slot %d b %d k %d: cost %g, want %g", quota,
                               n->mean, slot, b, k, got, want);
                        struct bins s;
                        bins_from(n, slot, 0, &s);
                        int j = tau[(slot * (quota + 1) + b) * ROW + k];
                        double mine = b ? cost_of(n, &s, TIDE_MIN(j, s.n), b, k) : want;
                        T_TRUE(mine <= want + 0.01 + 1e-4 * want,
                               "quota %d mean %g slot %d b %d k %d: quiet time %g costs %g, "
                               "the best %g",
                               quota, n->mean, slot, b, k, quiet_age_minutes((unsigned)j), mine,
                               want);
                    }
            free(n);
        }
}

/* Quiet times fall in k; without an urgent price they fall in b and rise with the level. A few
 * neighbours stand the wrong way round, by a step or two, where costs nearly tie on the grid. */
static void test_properties(void **state)
{
    (void)state;
    unsigned long odd = 0, seen = 0;
    for (int y = 0; y < 2; y++) {
        struct quiet_case c = y ? hilly(10, 0) : flat(10, 0);
        struct quiet_table *t = quiet_table_build(&c, NULL);
        T_TRUE(t != NULL, "memory");
        for (unsigned level = 0; level < QUIET_LEVELS; level++)
            for (unsigned slot = 0; slot <= QUIET_SLOTS; slot++)
                for (int b = 1; b <= 10; b++)
                    for (unsigned k = 1; k < QUIET_PENDING; k++) {
                        unsigned tau = quiet_table_tau(t, y, level, slot, b, k);
                        unsigned more = quiet_table_tau(t, y, level, slot, b, k + 1);
                        unsigned up = level + 1 < QUIET_LEVELS
                                          ? quiet_table_tau(t, y, level + 1, slot, b, k)
                                          : tau;
                        unsigned rich = b < 10 ? quiet_table_tau(t, y, level, slot, b + 1, k) : tau;
                        T_TRUE(more <= tau + 2 && rich <= tau + 2,
                               "level %u slot %u b %d k %u: %u, with one more pending %u, one "
                               "more send %u",
                               level, slot, b, k, tau, more, rich);
                        odd +=
                            (more > tau ? 1u : 0u) + (rich > tau ? 1u : 0u) + (up < tau ? 1u : 0u);
                        seen += 3;
                    }
        quiet_table_free(t);
    }
    T_TRUE(odd * 1000 <= seen, "%lu of %lu neighbours stand the wrong way round", odd, seen);
}

static void test_lookup(void **state)
{
    (void)state;
    struct quiet_case c = flat(10, QUIET_URGENT_COST);
    struct quiet_table *t = quiet_table_build(&c, NULL);
    T_TRUE(t != NULL, "memory");
    double low = quiet_age_minutes(quiet_table_tau(t, false, 9, 40, 3, 2));
    T_TRUE(fabs(quiet_wait_minutes(t, false, quiet_level(9), 40, 3, 2) - low) < 0.01, "on a level");
    T_TRUE(quiet_wait_minutes(t, false, 0, 40, 3, 2) >= 0, "a level of nothing");
    T_TRUE(quiet_wait_minutes(t, false, 1e9, 40, 3, 2) >= 0, "a level past all");
    T_TRUE(quiet_wait_minutes(t, false, 5, 40, 0, 2) >= QUIET_FOREVER, "nothing left");
    T_TRUE(quiet_wait_minutes(t, false, 5, 40, 1000, 9) <= 0, "more left than the table has");
    T_TRUE(quiet_wait_minutes(t, false, 5, 40, 5, 100000) <= 0, "more pending than it has");
    struct quiet_table *again = quiet_table_build(&c, t);
    T_TRUE(again != NULL, "memory");
    size_t cells = quiet_table_bytes(10) - sizeof *t, differ = 0;
    for (size_t i = 0; i < cells; i++)
        differ += t->tau[i] != again->tau[i];
    T_TRUE(differ * 500 < cells, "built upon itself it stays: %zu of %zu differ", differ, cells);
    quiet_table_free(again);
    quiet_table_free(t);
    c.quota = 20;
    T_TRUE(quiet_table_bytes(20) <= 3000000 && quiet_table_bytes(500) <= 3000000, "3 MB");
    c.quota = 500;
    t = quiet_table_build(&c, NULL);
    T_TRUE(t && quiet_wait_minutes(t, true, 40, 60, 400, 3) >= 0, "a great quota");
    quiet_table_free(t);
    c.quota = 0;
    T_TRUE(!quiet_table_build(&c, NULL), "no quota, no table");
}

/* 5.1: intervals in proportion to one over the root of the rate; even ones where it is even. */
static void test_fluid(void **state)
{
    (void)state;
    struct quiet_case c = flat(5, 0);
    /* 24 a day, half a day left: S = sqrt(1/60) * 720 root minutes, 4 sends: S^2 / 32 */
    double roots = quiet_fluid_roots(c.share[0], 24, 0.5);
    T_TRUE(fabs(quiet_fluid_price(roots, 4) - 720.0 * 720 / 60 / 32) < 0.01, "price %g",
           quiet_fluid_price(roots, 4));
    T_TRUE(quiet_fluid_price(roots, 1) > quiet_fluid_price(roots, 2), "falls in b");
    T_TRUE(isinf(quiet_fluid_price(roots, 0)), "nothing left");
    T_TRUE(quiet_fluid_roots(c.share[0], 24, 1) <= 1e-9, "the day is over");
    T_TRUE(quiet_fluid_roots(c.share[0], 24, 0.53) < roots, "falls with time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),     cmocka_unit_test(test_brute_force),
        cmocka_unit_test(test_properties), cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_fluid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
