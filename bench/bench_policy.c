/* What a decision of the quiet policy costs, and its tables: policy.NAME value unit. */
#include "base/macros.h"
#include "base/rng.h"
#include "core/plan/policy_quiet.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RECIPIENTS = 100000, STEPS = 2000000 };

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void feed(struct quiet_policy *q)
{
    struct quiet_job job;
    while (quiet_policy_wants(q, &job))
        quiet_policy_take(q, &job, quiet_table_build(&job.wanted, job.before));
}

/* An arrival, counted and answered, for random recipients over thirty days. */
static double decisions(void)
{
    static struct forecast all[RECIPIENTS];
    struct quiet_policy *q = quiet_policy_new(NULL);
    const struct policy *p = q ? quiet_policy(q) : NULL;
    struct group_pending pending = {.digestible = 2};
    struct rng r;
    double spent = 0;
    int64_t sum = 0;
    if (!p)
        return 0;
    rng_seed(&r, 1);
    for (int32_t day = 20000; day < 20030; day++) {
        double start = cpu_ms();
        for (int i = 0; i < STEPS / 30; i++) {
            int64_t midnight = day * TIME_DAY_MS;
            tide_wall_ms now = midnight + TIME_DAY_MS * i / (STEPS / 30);
            struct policy_view v = {.now = now,
                                    .pending = &pending,
                                    .last_at = now,
                                    .forecast = &all[rng_below(&r, RECIPIENTS)],
                                    .count = 10,
                                    .used = rng_below(&r, 9),
                                    .window = {midnight, midnight + TIME_DAY_MS},
                                    .span_ms = TIME_DAY_MS,
                                    .is_day = true,
                                    .day = day,
                                    .direct_share = 0.5};
            pending.oldest_at = now;
            p->arrived(p->arg, &v, 1);
            sum += p->wish(p->arg, &v) - now;
        }
        spent += cpu_ms() - start;
        feed(q);
    }
    quiet_policy_free(q);
    return sum ? spent * 1e6 / STEPS : 0;
}

int main(void)
{
    struct quiet_case c = {.urgent_cost = QUIET_URGENT_COST};
    for (int i = 0; i < 48; i++)
        c.share[i / 24][i % 24] = 1.0f / 24;
    printf("policy.decision %.0f ns\n", decisions());
    for (c.quota = 5; c.quota <= 20; c.quota *= 2) {
        double start = cpu_ms();
        struct quiet_table *t = quiet_table_build(&c, NULL);
        if (!t)
            return 1;
        printf("policy.table_%d %.1f ms\n", c.quota, cpu_ms() - start);
        printf("policy.table_bytes_%d %zu bytes\n", c.quota, quiet_table_bytes(c.quota));
        quiet_table_free(t);
    }
    printf("policy.recipient %zu bytes\n", sizeof(struct forecast));
    return 0;
}
