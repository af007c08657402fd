#include "core/plan/policy_quiet.h"

#include "base/macros.h"
#include "base/rng.h"
#include "core/plan/planner.h"
#include "lib/check.h"

#include <stdlib.h>

#define MONDAY   20514 /* 2026-03-02 */
#define MIDNIGHT (MONDAY * TIME_DAY_MS)
#define MIN      TIME_MINUTE_MS

struct fixture {
    struct quiet_policy *q;
    const struct policy *p;
    struct group_pending pending;
    struct forecast forecast;
    struct policy_view v;
};

static void begin(struct fixture *f, const struct quiet_settings *settings)
{
    *f = (struct fixture){.q = quiet_policy_new(settings), .pending = {.digestible = 1}};
    T_TRUE(f->q != NULL, "memory");
    f->p = quiet_policy(f->q);
    f->v = (struct policy_view){.pending = &f->pending,
                                .forecast = &f->forecast,
                                .count = 10,
                                .window = {MIDNIGHT, MIDNIGHT + TIME_DAY_MS},
                                .span_ms = TIME_DAY_MS,
                                .is_day = true,
                                .day = MONDAY,
                                .window_id = 77,
                                .direct_share = 0.5};
}

static void at(struct fixture *f, tide_wall_ms minutes)
{
    f->v.now = f->v.last_at = f->pending.oldest_at = MIDNIGHT + minutes * MIN;
}

static unsigned build_all(struct fixture *f)
{
    struct quiet_job job;
    unsigned n = 0;
    for (; quiet_policy_wants(f->q, &job); n++)
        quiet_policy_take(f->q, &job, quiet_table_build(&job.wanted, job.before));
    return n;
}

/* Minutes that a digest waits. */
static double wait(struct fixture *f)
{
    return (double)(f->p->wish(f->p->arg, &f->v) - f->v.last_at) / (double)MIN;
}

static void test_seam(void **state)
{
    (void)state;
    struct fixture f;
    struct quiet_job job, none;
    begin(&f, NULL);
    T_TRUE(!quiet_policy_wants(f.q, &job), "nothing asked, nothing wanted");
    at(&f, 720);
    T_TRUE(wait(&f) <= 0, "no table, nothing used: at once");
    f.v.used = 6;
    double fluid = wait(&f);
    T_TRUE(fluid > 1, "no table, little left: the fluid price, %.2f min", fluid);
    T_TRUE(quiet_policy_wants(f.q, &job), "a table is wanted");
    T_EQ(job.wanted.quota, 10, "for ten");
    T_EQ(job.window_id, 77, "of that day");
    T_TRUE(!quiet_policy_wants(f.q, &none), "once");
    quiet_policy_take(f.q, &job, NULL);
    wait(&f);
    T_TRUE(!quiet_policy_wants(f.q, &none), "one that failed is not wanted again the same day");
    f.v.day++;
    f.v.window = (struct window_span){f.v.window.end, f.v.window.end + TIME_DAY_MS};
    at(&f, 1440 + 720);
    wait(&f);
    T_EQ(build_all(&f), 1, "but on the next");
    f.v.used = 4;
    T_TRUE(wait(&f) < fluid, "and used: %.2f min", wait(&f));
    quiet_policy_take(f.q, &(struct quiet_job){.window_id = 1, .wanted.quota = 3},
                      quiet_table_build(&job.wanted, job.before)); /* of nobody: freed */
    quiet_policy_free(f.q);
}

static void test_wishes(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    at(&f, 0);
    wait(&f);
    build_all(&f);
    for (int i = 0; i < 12; i++) {
        at(&f, 600 + i);
        f.p->arrived(f.p->arg, &f.v, 1);
    }
    at(&f, 720);
    double before = -1;
    for (int used = 0; used < 10; used++) {
        f.v.used = used;
        double w = wait(&f);
        T_TRUE(w >= before, "the less is left the longer: used %d, %.2f min", used, w);
        before = w;
    }
    T_TRUE(before > 60, "the last one waits long: %.2f min", before);
    f.v.used = 5;
    double one = wait(&f);
    f.pending.digestible = 5;
    T_TRUE(wait(&f) < one, "more of them wait less long");
    f.pending.digestible = 1;
    f.v.weight = 5;
    T_TRUE(wait(&f) < one, "what weighs more waits less long");
    f.v.weight = 0;
    tide_wall_ms due = f.p->wish(f.p->arg, &f.v);
    f.v.now = due - 1;
    T_EQ(f.p->wish(f.p->arg, &f.v), due, "asked later, the same answer");
    f.v.now = due;
    T_TRUE(f.p->wish(f.p->arg, &f.v) <= f.v.now, "and then it leaves");
    f.v.used = 10;
    T_TRUE(f.p->wish(f.p->arg, &f.v) <= f.v.now, "nothing left: the planner's business");
    f.v.used = 8;
    f.v.reserve = f.v.reserve_full = 2;
    T_TRUE(f.p->wish(f.p->arg, &f.v) <= f.v.now, "nothing but the reserve: the same");
    quiet_policy_free(f.q);
}

static void test_reset(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    f.v.used = 9;
    at(&f, 1430);
    wait(&f);
    build_all(&f);
    T_TRUE(f.p->wish(f.p->arg, &f.v) <= f.v.window.end, "never past the reset without asking");
    /* carried over: one pending since yesterday, a fresh day */
    f.v.window = (struct window_span){f.v.window.end, f.v.window.end + TIME_DAY_MS};
    f.v.now = f.v.window.start;
    f.v.day++;
    f.v.used = 0;
    T_TRUE(f.p->wish(f.p->arg, &f.v) >= f.v.now, "counted from the reset");
    T_TRUE(f.p->wish(f.p->arg, &f.v) < f.v.now + 60 * MIN, "and soon, ten being left");
    /* what does not count in days is left to policy_even() */
    f.v.is_day = false;
    f.v.used = 7;
    T_EQ(f.p->wish(f.p->arg, &f.v), policy_even()->wish(NULL, &f.v), "no day");
    quiet_policy_free(f.q);
}

static void test_rows(void **state)
{
    (void)state;
    struct fixture a, b;
    struct text key;
    struct buf blob = {0};
    struct tide_error err;
    char name[64];
    begin(&a, NULL);
    begin(&b, NULL);
    T_TRUE(!a.p->next_dirty(a.p->arg, &key, &blob), "nothing learnt, nothing to write");
    for (int i = 0; i < 300; i++) {
        at(&a, 540 + i);
        a.p->arrived(a.p->arg, &a.v, 2);
    }
    T_TRUE(a.p->next_dirty(a.p->arg, &key, &blob), "a site");
    snprintf(name, sizeof name, TEXT_FMT, TEXT_ARG(key));
    T_STR(name, "policy|site|0000004d", "its row");
    T_OK(b.p->restore(b.p->arg, text_of(name), buf_text(&blob), &err), &err, "restore");
    const struct site *x = quiet_policy_site(a.q, 77), *y = quiet_policy_site(b.q, 77);
    T_TRUE(x && y && x->seen == 600 && y->seen == 600, "the same count");
    T_EQ(memcmp(x->today, y->today, sizeof x->today), 0, "of the same hours");
    T_TRUE(!a.p->next_dirty(a.p->arg, &key, &blob), "once");
    T_EQ(b.p->restore(b.p->arg, text_of(name), text_cut(buf_text(&blob), 0, 9), &err),
         TIDE_ECORRUPT, "cut short");
    T_OK(b.p->restore(b.p->arg, TEXT("policy|moon|00000001"), TEXT("x"), &err), &err,
         "of another policy");
    buf_fini(&blob);
    quiet_policy_free(a.q);
    quiet_policy_free(b.q);
}

/* Version 1 of a recipient's blob had no forecast. */
/* One who writes at night beside many who write by day gets a profile of his own, after a while,
 * and has it back after a restart. */
static void test_sources(void **state)
{
    (void)state;
    struct fixture a, b;
    struct tide_error err;
    struct text key;
    struct buf blob = {0};
    struct quiet_job job;
    begin(&a, NULL);
    begin(&b, NULL);
    a.v.source = 1;
    at(&a, 720);
    wait(&a);
    T_TRUE(quiet_policy_wants(a.q, &job) && job.source == 0, "nobody differs yet");
    for (int32_t d = 0; d < 12; d++) {
        a.v.day = MONDAY + d;
        a.v.window =
            (struct window_span){MIDNIGHT + d * TIME_DAY_MS, MIDNIGHT + (d + 1) * TIME_DAY_MS};
        for (int n = 0; n < 120; n++) {
            struct forecast someone = {0};
            bool night = n % 4 == 0;
            a.v.forecast = &someone;
            a.v.source = night ? 2 : 1;
            a.v.now = a.v.last_at = a.v.window.start + (night ? 2 : 12) * TIME_HOUR_MS + n * MIN;
            a.p->arrived(a.p->arg, &a.v, 1);
        }
    }
    a.v.forecast = &a.forecast;
    const struct {
        uint32_t source, want;
    } cases[] = {{1, 1}, {2, 2}, {0, 0}, {3, 0}};
    struct fixture *both[] = {&a, &b};
    b.v.day = a.v.day;
    b.v.window = a.v.window;
    while (a.p->next_dirty(a.p->arg, &key, &blob)) {
        char name[QUIET_KEY_BYTES];
        snprintf(name, sizeof name, TEXT_FMT, TEXT_ARG(key));
        T_OK(b.p->restore(b.p->arg, text_of(name), buf_text(&blob), &err), &err, "%s", name);
    }
    for (size_t f = 0; f < TIDE_COUNT(both); f++)
        for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
            struct foreseen seen;
            both[f]->v.source = cases[i].source;
            both[f]->v.now = both[f]->v.window.start + 6 * TIME_HOUR_MS;
            T_TRUE(both[f]->p->foresee(both[f]->p->arg, &both[f]->v, &seen), "foreseen");
            double gone = site_gone(seen.site, both[f]->v.day, 0.25);
            T_TRUE(cases[i].want == 2   ? gone > 0.75
                   : cases[i].want == 1 ? gone < 0.15
                                        : gone > 0.15 && gone < 0.5,
                   "by six in the morning %.2f of the mail of %u has come", gone, cases[i].source);
        }
    T_EQ(b.p->restore(b.p->arg, TEXT("policy|site|0000004d|0000000x"), TEXT("x"), &err),
         TIDE_ECORRUPT, "no such key");
    buf_fini(&blob);
    quiet_policy_free(a.q);
    quiet_policy_free(b.q);
}

static void test_old_blob(void **state)
{
    (void)state;
    struct plan_recipient r, s;
    struct buf blob = {0};
    struct tide_error err;
    plan_recipient_init(&r);
    r.policy_word = 0x01020304;
    r.sent_before = true;
    r.forecast = (struct forecast){.level = {1, 2, 3, 4, 0.5f, 6}, .day = MONDAY, .today = 9};
    plan_recipient_encode(&r, &blob);
    T_OK(plan_recipient_decode(buf_text(&blob), &s, &err), &err, "new");
    T_EQ(memcmp(&r.forecast, &s.forecast, sizeof r.forecast), 0, "with its forecast");
    T_TRUE(s.sent_before, "and that mail went there");
    plan_recipient_fini(&s);
    blob.data[0] = 2; /* which had no flags behind the forecast */
    memmove(blob.data + 5 + FORECAST_BYTES, blob.data + 6 + FORECAST_BYTES,
            blob.len - 6 - FORECAST_BYTES);
    blob.len--;
    T_OK(plan_recipient_decode(buf_text(&blob), &s, &err), &err, "second");
    T_EQ(memcmp(&r.forecast, &s.forecast, sizeof r.forecast), 0, "with its forecast too");
    T_TRUE(!s.sent_before, "nothing was counted: nothing is known");
    plan_recipient_fini(&s);
    blob.data[0] = 1;
    memmove(blob.data + 5, blob.data + 5 + FORECAST_BYTES, blob.len - 5 - FORECAST_BYTES);
    blob.len -= FORECAST_BYTES;
    T_OK(plan_recipient_decode(buf_text(&blob), &s, &err), &err, "old");
    T_EQ(s.policy_word, 0x01020304, "its word");
    T_TRUE(s.forecast.level.awake <= 0 && s.forecast.today == 0, "no forecast yet");
    plan_recipient_fini(&s);
    plan_recipient_fini(&r);
    buf_fini(&blob);
}

/* Whatever it is asked, it answers an instant within the window's end, and the same again. */
static void test_anything(void **state)
{
    (void)state;
    struct fixture f;
    struct rng r;
    begin(&f, NULL);
    rng_seed(&r, 5);
    for (int i = 0; i < 4000; i++) {
        int day = MONDAY + i / 100;
        f.v.day = day;
        f.v.window = (struct window_span){day * TIME_DAY_MS, (day + 1) * TIME_DAY_MS};
        f.v.now = f.v.window.start + rng_below(&r, 86400000);
        f.v.last_at = f.v.now - rng_below(&r, 200000000) + rng_below(&r, 1000);
        f.pending.oldest_at = f.v.last_at - rng_below(&r, 100000000);
        f.pending.digestible = rng_below(&r, 100);
        f.v.count = 1 + rng_below(&r, 6);
        f.v.used = rng_below(&r, 50);
        f.v.reserve = f.v.reserve_full = rng_below(&r, (uint32_t)f.v.count);
        f.v.window_id = rng_below(&r, 40) % 35;
        if (i % 1500 == 9)
            build_all(&f);
        if (rng_below(&r, 2))
            f.p->arrived(f.p->arg, &f.v, 1 + rng_below(&r, 5));
        tide_wall_ms t = f.p->wish(f.p->arg, &f.v);
        T_TRUE(t <= TIDE_MAX(f.v.window.end, f.v.now), "step %d: past the reset", i);
        T_EQ(f.p->wish(f.p->arg, &f.v), t, "step %d: the same again", i);
    }
    quiet_policy_free(f.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seam),     cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_reset),    cmocka_unit_test(test_rows),
        cmocka_unit_test(test_sources),  cmocka_unit_test(test_old_blob),
        cmocka_unit_test(test_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
