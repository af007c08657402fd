#include "core/plan/cold_start.h"

#include "core/plan/planner.h"
#include "io/store/learn.h"
#include "lib/check.h"
#include "lib/store_rig.h"

#include <stdlib.h>

#define MONDAY 20514 /* 2026-03-02 */
#define DAYS   60
#define EVENTS 2000

static const struct window day = {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY};

/* Two recipients on every weekday: one at 9 and 10, the other at 10 alone; an urgent mail at 3. */
static struct replay_trace make_trace(struct replay_event *events)
{
    struct replay_trace t = {.events = events, .user_count = 3};
    for (int d = MONDAY; d < MONDAY + DAYS; d++) {
        int64_t at = d * 86400LL;
        if (forecast_weekend(d))
            continue;
        events[t.count++] = (struct replay_event){at + 3 * 3600, 0, REPLAY_URGENT, 0};
        events[t.count++] = (struct replay_event){at + 9 * 3600, 0, REPLAY_DIRECT, 0};
        events[t.count++] = (struct replay_event){at + 10 * 3600, 0, REPLAY_DIRECT, 0};
        events[t.count++] = (struct replay_event){at + 10 * 3600, 1, REPLAY_WATCHED, 0};
    }
    return t;
}

static void test_learns(void **state)
{
    (void)state;
    struct replay_event events[EVENTS];
    struct replay_trace t = make_trace(events);
    struct window_rule rule = {.def = &day};
    struct cold_start c;
    struct tide_error err;
    tide_wall_ms now = (MONDAY + DAYS + 3) * TIME_DAY_MS + TIME_HOUR_MS;
    T_OK(cold_start_learn(&t, &rule, now, &c, &err), &err, "learn");
    T_EQ(c.notifications, t.count * 3 / 4, "urgent ones are not counted");
    T_EQ(c.day_most, 2, "most");
    T_EQ(c.busy_from, 9, "9 to 12 holds both hours and the later one's neighbour");
    T_TRUE(c.busy_share > 0.7, "%f", c.busy_share);
    T_TRUE(c.weekend < 0.01, "%f", c.weekend);
    T_EQ(c.site.day, MONDAY + DAYS + 3, "rolled to now");
    T_EQ(c.site.totals[0] + c.site.totals[1], 0, "a beginning");
    T_TRUE(c.recipients[0].level.mean > 0.5f && c.recipients[0].level.mean < 3, "%f",
           (double)c.recipients[0].level.mean);
    T_TRUE(c.recipients[1].level.mean < c.recipients[0].level.mean, "the other gets less");
    T_TRUE(c.recipients[2].level.awake <= 0, "nothing was for him");
    cold_start_fini(&c);
    T_EQ(cold_start_learn(&t, &rule, MONDAY * TIME_DAY_MS, &c, &err), TIDE_ENOENT, "all is ahead");
    events[1].at_s = 0;
    T_EQ(cold_start_learn(&t, &rule, now, &c, &err), TIDE_ERANGE, "not sorted");
}

static struct text blob_of(double weight, int32_t on, unsigned today, char out[FORECAST_BYTES])
{
    struct forecast f = {.level = {.slow = 5, .slow_weight = (float)weight, .awake = 0.9f},
                         .day = on,
                         .today = (uint16_t)today};
    forecast_encode(&f, out);
    return (struct text){out, FORECAST_BYTES};
}

static void test_merge(void **state)
{
    (void)state;
    char more[FORECAST_BYTES], less[FORECAST_BYTES];
    struct text long_one = blob_of(9, 100, 0, more), short_one = blob_of(2, 101, 7, less);
    struct buf b = {0}, c = {0};
    struct plan_recipient r;
    struct tide_error err;
    T_TRUE(plan_recipient_learn(TEXT(""), short_one, &b), "nobody yet");
    T_TRUE(plan_recipient_learn(buf_text(&b), long_one, &c), "known for less");
    T_TRUE(!plan_recipient_learn(buf_text(&c), short_one, &b), "known for longer");
    T_OK(plan_recipient_decode(buf_text(&c), &r, &err), &err, "decode");
    T_EQ(r.forecast.today, 7, "today's count stays");
    T_EQ(r.forecast.day, 101, "of its day");
    T_TRUE(r.forecast.level.slow_weight > 8, "the level is history's");
    T_TRUE(!plan_recipient_learn(TEXT("\x07junk"), long_one, &b), "a damaged row is left alone");
    T_TRUE(!plan_recipient_learn(TEXT(""), TEXT("short"), &b), "no forecast");
    plan_recipient_fini(&r);
    buf_fini(&b);
    buf_fini(&c);
}

struct learning {
    struct store_rig rig;
    enum tide_err rc;
    bool done;
};

static void on_learnt(struct store_learn *req, enum tide_err rc, const struct tide_error *err)
{
    struct learning *l = req->arg;
    (void)err;
    l->rc = rc;
    l->done = true;
}

static void learn(struct learning *l, struct store_learn *req)
{
    req->done = on_learnt;
    req->arg = l;
    req->taken = req->known = req->bad = 0;
    l->done = false;
    store_learn(l->rig.store, req);
    while (!l->done)
        uv_run(&l->rig.loop, UV_RUN_ONCE);
    T_EQ(l->rc, TIDE_OK, "learn");
}

static void test_store(void **state)
{
    (void)state;
    struct learning l = {0};
    char a[FORECAST_BYTES];
    struct text f = blob_of(9, 100, 0, a);
    const struct learn_recipient all[] = {
        {TEXT("Ann@Example.org"), f}, {TEXT("no address"), f}, {TEXT("bob@example.net"), f}};
    const struct ledger_blob site = {TEXT("policy|site|00000001"), TEXT("abc")};
    struct store_learn req = {
        .recipients = all, .recipient_count = 3, .sites = &site, .site_count = 1, .now = RIG_START};
    rig_init(&l.rig);
    T_EQ(rig_open(&l.rig), TIDE_OK, "open");
    learn(&l, &req);
    T_EQ(req.taken, 2, "taken");
    T_EQ(req.bad, 1, "bad");
    req.apply = (struct store_apply){0};
    learn(&l, &req);
    T_EQ(req.taken, 0, "the same again");
    T_EQ(req.known, 2, "is known");
    struct store_load load = {.most = 1};
    T_EQ(rig_load(&l.rig, &load), TIDE_OK, "load");
    T_EQ(load.ledger_count, 1, "the site's row");
    T_TEXT(load.ledger[0].blob, "abc", "as it was");
    arena_fini(&load.arena);
    struct mail m;
    mail_init(&l.rig, &m, "Ann@example.org", "x");
    T_EQ(rig_accept(&l.rig, &m.req), TIDE_OK, "accept");
    T_TRUE(m.items[0].recipient.plan.n > FORECAST_BYTES, "comes with his first notification");
    mail_fini(&m);
    rig_fini(&l.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_learns), cmocka_unit_test(test_merge),
                                       cmocka_unit_test(test_store)};
    return cmocka_run_group_tests_name("cold_start", tests, NULL, NULL);
}
