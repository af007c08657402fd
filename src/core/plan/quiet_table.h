/* quiet_table.h - how long a silence to wait for before a digest leaves, for every case at once.
 *
 * Notifications come in bursts: after `a` minutes of silence the next one comes at a rate of
 * 5 sqrt(base / (a + 1/2)) an hour, base being what is expected here and now. So the question is
 * not "send or hold" but "how long a silence to wait for". A semi-Markov programme over (time of
 * day, sends left, number pending) answers it exactly, for 20 levels and both types of day; the
 * answers, as indices of an age, are the table. Urgent mail is guarded by a price: to hold fewer
 * than three sends costs what an urgent burst may then miss.
 *
 * Owns      struct quiet_table: one block of memory.
 * Lifetime  quiet_table_build() to quiet_table_free(); immutable in between.
 * Threads   any; building is pure and takes long enough (some 100 ms) to be done off the loop.
 * Errors    NULL when out of memory.
 * Limits    QUIET_QUOTA_MAX sends; with more left than that the highest row answers. 2.7 MB at
 *           20. A look-up is O(1).
 */
#ifndef CORE_PLAN_QUIET_TABLE_H
#define CORE_PLAN_QUIET_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUIET_QUOTA_MAX 22
#define QUIET_LEVELS    20
#define QUIET_SLOTS     96
#define QUIET_PENDING   32 /* so many leave at once */
#define QUIET_AGES      29
#define QUIET_NEVER     (QUIET_AGES - 1) /* until the reset */

/* What a table is made for: `quota` sends that mail of all kinds may use. Profiles are shares of
 * the day's mail an hour, weekday and weekend. */
struct quiet_case {
    int quota;
    int reserve; /* so many more are kept for urgent mail alone: they lower its price */
    float share[2][24];
    float urgent_cost; /* minutes of delay that the urgent bursts of a whole day would cost */
};

/* 0.016 bursts a recipient and day at some 160,000 minutes each: measured, a little above the
 * 150,000 of the paper. */
#define QUIET_URGENT_COST 2600.0f

struct quiet_table {
    int quota;
    struct quiet_case made_for;
    float carried[2][QUIET_LEVELS][QUIET_PENDING + 1]; /* what k pending at the reset cost, min */
    uint8_t tau[]; /* [2][QUIET_LEVELS][QUIET_SLOTS + 1][quota + 1][QUIET_PENDING + 1] */
};

size_t quiet_table_bytes(int quota);
/* NULL: out of memory, or a quota below 1. With a table of the same quota made `before` (else NULL)
 * it takes half as long: what is carried over the reset starts from there. */
struct quiet_table *quiet_table_build(const struct quiet_case *c, const struct quiet_table *before);
/* The programme for one level and type of day: quiet times [QUIET_SLOTS + 1][rows][QUIET_PENDING +
 * 1] and, unless NULL, expected costs in minutes, the same without the reset's row; rows is the
 * quota plus one. False: out of memory, or a quota below 1. */
bool quiet_plan(
    const struct quiet_case *c, bool weekend, double mean, uint8_t *ret_tau, float *ret_cost);
void quiet_table_free(struct quiet_table *t);

/* Index of the age to wait for. `slot` QUIET_SLOTS is the reset, with `k` carried over. */
unsigned quiet_table_tau(
    const struct quiet_table *t, bool weekend, unsigned level, unsigned slot, int b, unsigned k);
double quiet_age_minutes(unsigned tau);
double quiet_level(unsigned level); /* expected notifications of a whole day */

/* Minutes of silence to wait for, between the two levels about `mean`. QUIET_FOREVER: to the reset.
 */
#define QUIET_FOREVER 1440.0
double quiet_wait_minutes(
    const struct quiet_table *t, bool weekend, double mean, unsigned slot, int b, unsigned k);

/* -- Without a table --------------------------------------------------------------------------- */

/* The price of one send, in minutes of waiting: `roots` is the integral of the square root of the
 * rate over the rest of the window, in root minutes; `b` are left. Send when the ages of what is
 * pending add up to it. */
double quiet_fluid_price(double roots, int b);

/* The integral for a level of `mean` a day from the share `x` (0..1) of the day's time on. */
double quiet_fluid_roots(const float share[24], double mean, double x);

#endif
