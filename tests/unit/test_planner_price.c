/* Limits that many share grow dear before they are used up; where there is enough they cost
 * nothing.
 */
#include "base/macros.h"
#include "base/rng.h"
#include "core/plan/demand.h"
#include "core/plan/policy_quiet.h"
#include "core/plan/replay.h"
#include "io/loop/zones.h"
#include "lib/check.h"

#include <math.h>
#include <stdlib.h>

#define HOUR     TIME_HOUR_MS
#define DAY      TIME_DAY_MS
#define MONDAY   1772409600000 /* 2026-03-02, UTC */
#define NAMED(s) .name = (char *)(uintptr_t)(s)

enum { PEOPLE = 30, ACCOUNTS = 3, APPS = 2, LEARNT_DAYS = 21, A_DAY = 5 };

static const struct plan_zones zones = {NULL, zones_load};

struct fixture {
    struct limit own, wide, account[ACCOUNTS];
    struct limit harbour_limits[2];
    struct profile providers[2], esp[ACCOUNTS];
    struct config_account accounts[ACCOUNTS];
    struct config_application apps[APPS];
    int lists[APPS][ACCOUNTS];
    struct config_stream streams[1];
    struct config config;
    struct planner *planner;
    struct quiet_policy *quiet;
    struct plan_recipient people[PEOPLE];
    struct group_pending pending;
};

static const struct window a_day = {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY};

static void build_tables(struct fixture *f)
{
    struct quiet_job job;
    while (quiet_policy_wants(f->quiet, &job))
        quiet_policy_take(f->quiet, &job, quiet_table_build(&job.wanted, job.before));
}

static struct plan_query query(struct fixture *f, int who, tide_wall_ms now)
{
    return (struct plan_query){
        .now = now,
        .recipient = &f->people[who],
        .recipient_id = who + 1,
        .application = (uint16_t)(1 + who % (int)f->config.application_count),
        .pending = &f->pending,
        .last_at = now,
        .digest = true,
        .route = {.provider = planner_intern_provider(f->planner, TEXT("harbour")),
                  .account = (uint16_t)f->lists[who % (int)f->config.application_count][0]},
    };
}

/* Everybody gets five a day from 8 to 18 o'clock: 150 in all. */
static void learn(struct fixture *f)
{
    for (int d = 0; d < LEARNT_DAYS; d++)
        for (int i = 0; i < A_DAY; i++)
            for (int who = 0; who < PEOPLE; who++) {
                tide_wall_ms at = MONDAY + d * DAY + (8 + 2 * i) * HOUR + who * 60000;
                struct plan_query q = query(f, who, at);
                planner_arrived(f->planner, &q, 1, NULL);
            }
}

static void begin(struct fixture *f, int own, int wide, const int *account, int app_count)
{
    struct tide_error err;
    *f = (struct fixture){
        .own = {NAMED("harbour/day"), .scope = LIMIT_RECIPIENT, .count = own, .window = a_day},
        .wide = {NAMED("harbour/all"), .scope = LIMIT_PROVIDER, .count = wide, .window = a_day},
        .streams = {{NAMED("news")}}};
    static const char *const names[] = {"one", "two", "three"};
    for (int i = 0; i < ACCOUNTS; i++) {
        f->account[i] = (struct limit){NAMED("esp/day"), .scope = LIMIT_ACCOUNT,
                                       .count = account[i], .window = a_day};
        f->esp[i] =
            (struct profile){NAMED("esp"), .limits = &f->account[i], .limit_count = account[i] > 0};
        f->accounts[i] = (struct config_account){NAMED(names[i]), .profile = &f->esp[i]};
    }
    size_t n = 0;
    if (own)
        f->harbour_limits[n++] = f->own;
    if (wide)
        f->harbour_limits[n++] = f->wide;
    f->providers[0] =
        (struct profile){NAMED("harbour"), .limits = f->harbour_limits, .limit_count = n};
    for (int i = 0; i < APPS; i++)
        f->apps[i] = (struct config_application){NAMED(i ? "club" : "shop"),
                                                 .accounts = f->lists[i], .account_count = 1};
    f->config = (struct config){.planner = {.direct_share = 0.5},
                                .profiles = {.providers = f->providers, .provider_count = 1},
                                .accounts = f->accounts,
                                .account_count = ACCOUNTS,
                                .applications = f->apps,
                                .application_count = (size_t)app_count,
                                .streams = f->streams,
                                .stream_count = 1};
    f->pending = (struct group_pending){.digestible = 1};
    f->quiet = quiet_policy_new(NULL);
    T_OK(planner_new(&f->config, &zones, &f->planner, &err), &err, "new");
    planner_set_policy(f->planner, quiet_policy(f->quiet));
}

static void end(struct fixture *f)
{
    for (int i = 0; i < PEOPLE; i++)
        plan_recipient_fini(&f->people[i]);
    planner_free(f->planner);
    quiet_policy_free(f->quiet);
}

static struct plan_answer decide(struct fixture *f, int who, tide_wall_ms now)
{
    struct plan_answer a;
    struct plan_query q = query(f, who, now);
    f->pending.oldest_at = now;
    planner_decide(f->planner, &q, &a); /* names the table that it wants */
    build_tables(f);
    planner_decide(f->planner, &q, &a);
    return a;
}

static tide_wall_ms wait_of(struct fixture *f, int who, tide_wall_ms now)
{
    struct plan_answer a = decide(f, who, now);
    return a.kind == PLAN_NOW ? 0 : a.at - now;
}

static const tide_wall_ms noon = MONDAY + LEARNT_DAYS * DAY + 12 * HOUR;

/* Of 150 a day; at noon some 90 are still to come. */
static void test_dear(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int own, wide, account;
        const char *because; /* NULL: nothing is dear */
    } cases[] = {
        {"nothing is shared", 10, 0, 0, NULL},
        {"enough of all", 10, 400, 500, NULL},
        {"the provider's is scarce", 10, 40, 500, "harbour/all"},
        {"the account's is scarce", 10, 500, 40, "esp/day"},
        {"both, the account's more", 10, 60, 30, "esp/day"},
        {"both, the provider's more", 10, 30, 60, "harbour/all"},
        {"a mailbox without a limit of its own", 0, 0, 40, "esp/day"},
        {"such a one, and enough", 0, 400, 400, NULL},
    };
    tide_wall_ms waits[TIDE_COUNT(cases)];
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct fixture f;
        const int account[ACCOUNTS] = {cases[i].account};
        begin(&f, cases[i].own, cases[i].wide, account, 1);
        learn(&f);
        struct plan_answer a = decide(&f, 3, noon);
        waits[i] = a.kind == PLAN_NOW ? 0 : a.at - noon;
        T_EQ(a.kind == PLAN_DIGEST && a.why == PLAN_WHY_DEAR, cases[i].because != NULL, "%s",
             cases[i].name);
        if (cases[i].because) {
            T_STR(a.limit->name, cases[i].because, "%s", cases[i].name);
            T_TRUE(a.expected > 40 && a.expected < 160, "%s: %f expected", cases[i].name,
                   a.expected);
            T_TRUE(waits[i] > 0 && a.at <= a.reset_at, "%s: waits, not past the refill",
                   cases[i].name);
        }
        end(&f);
    }
    T_EQ(waits[1], waits[0], "what is not scarce changes nothing");
    T_TRUE(waits[2] > waits[0] && waits[3] > waits[0], "what is scarce lengthens");
    T_TRUE(waits[4] >= waits[3] && waits[5] >= waits[2], "two prices are added");
    T_EQ(waits[7], 0, "no limit, no wait");
}

/* The less is left, the longer; never shorter than without. */
static void test_rises(void **state)
{
    (void)state;
    static const int none[ACCOUNTS];
    struct fixture f;
    begin(&f, 10, 0, none, 1);
    learn(&f);
    tide_wall_ms before = wait_of(&f, 3, noon);
    end(&f);
    for (int count = 120; count >= 10; count -= 10) {
        begin(&f, 10, count, none, 1);
        learn(&f);
        tide_wall_ms w = wait_of(&f, 3, noon);
        T_TRUE(w >= before, "%d left: %lld ms, with more %lld", count, (long long)w,
               (long long)before);
        before = w;
        end(&f);
    }
    T_TRUE(before > 30 * 60000, "ten for ninety: %lld ms", (long long)before);
}

/* Where several accounts may carry a mail, the cheapest is what it costs. */
static void test_accounts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int counts[ACCOUNTS], lists[APPS][ACCOUNTS], lengths[APPS];
        bool dear[APPS];
    } cases[] = {
        {"each its own, one is scarce", {20, 500}, {{0}, {1}}, {1, 1}, {true, false}},
        {"one behind the other, enough", {60, 90}, {{0, 1}, {0, 1}}, {2, 2}, {false, false}},
        {"one behind the other, too little", {25, 25}, {{0, 1}, {0, 1}}, {2, 2}, {true, true}},
        {"one without a limit behind", {25, 0}, {{0, 1}, {0, 1}}, {2, 2}, {false, false}},
        {"one may go elsewhere: room for both", {60, 60}, {{0}, {0, 1}}, {1, 2}, {false, false}},
        {"the other cannot", {20, 500}, {{0}, {0, 1}}, {1, 2}, {true, false}},
        {"a third helps one", {25, 25, 400}, {{0, 1}, {1, 2}}, {2, 2}, {false, false}},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct fixture f;
        begin(&f, 10, 0, cases[i].counts, APPS);
        for (int a = 0; a < APPS; a++) {
            memcpy(f.lists[a], cases[i].lists[a], sizeof f.lists[a]);
            f.apps[a].account_count = (size_t)cases[i].lengths[a];
        }
        learn(&f);
        for (int a = 0; a < APPS; a++)
            T_EQ(decide(&f, a, noon).why == PLAN_WHY_DEAR, cases[i].dear[a], "%s: application %d",
                 cases[i].name, a);
        end(&f);
    }
}

static void note_share(void *arg, const struct plan_wide *w)
{
    *(double *)arg = w->share;
}

/* What operators are told: whether digests lengthen because of it. */
static void test_told(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int wide, accounts[ACCOUNTS], length;
        bool provider_dear, account_dear;
    } cases[] = {
        {"enough", 400, {400}, 1, false, false},
        {"the provider's", 40, {400}, 1, true, false},
        {"the account's", 400, {40}, 1, false, true},
        {"another account spares it", 400, {40, 300}, 2, false, false},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct fixture f;
        double provider = -1, account = -1;
        begin(&f, 10, cases[i].wide, cases[i].accounts, 1);
        f.lists[0][1] = 1;
        f.apps[0].account_count = (size_t)cases[i].length;
        learn(&f);
        (void)decide(&f, 3, noon);
        planner_wide(f.planner, TEXT(""), TEXT("harbour"), noon, note_share, &provider);
        planner_wide(f.planner, TEXT("one"), TEXT(""), noon, note_share, &account);
        T_TRUE(provider > 0 && account > 0, "%s: both are told of", cases[i].name);
        T_EQ(provider < 1, cases[i].provider_dear, "%s: provider %.2f", cases[i].name, provider);
        T_EQ(account < 1, cases[i].account_dear, "%s: account %.2f", cases[i].name, account);
        end(&f);
    }
}

/* What is left is kept for urgent mail that is usually still to come; urgent mail has it. */
static void test_kept(void **state)
{
    (void)state;
    static const int none[ACCOUNTS];
    struct fixture f;
    struct plan_answer a;
    begin(&f, 10, 60, none, 1);
    for (int d = 0; d < LEARNT_DAYS; d++)
        for (int i = 0; i < 8; i++) {
            struct plan_query q = query(&f, i, MONDAY + d * DAY + (8 + i) * HOUR);
            planner_arrived(f.planner, &q, 1, NULL);
            q.urgent = true;
            planner_decide(f.planner, &q, &a);
            planner_charge(f.planner, &q);
        }
    for (int i = 0; i < 54; i++) {
        struct plan_query q = query(&f, i % PEOPLE, noon - 4 * HOUR);
        q.by_hand = true;
        planner_decide(f.planner, &q, &a);
        planner_charge(f.planner, &q);
    }
    a = decide(&f, 3, noon);
    T_EQ(a.why, PLAN_WHY_DEAR, "six left, four urgent ones usually to come: kept");
    T_EQ(a.at, a.reset_at, "until there are more");
    struct plan_query q = query(&f, 3, noon);
    q.hold_until_max = noon + HOUR;
    planner_decide(f.planner, &q, &a);
    T_EQ(a.at, noon + HOUR, "but not past its maximal hold while room is left");
    q.hold_until_max = 0;
    q.urgent = true;
    planner_decide(f.planner, &q, &a);
    T_EQ(a.kind, PLAN_NOW, "urgent mail has them");
    end(&f);
}

/* Rows bring it back: the same answer after a restart. */
static void test_restart(void **state)
{
    (void)state;
    static const int counts[ACCOUNTS] = {40};
    struct fixture f;
    struct tide_error err;
    begin(&f, 10, 50, counts, 1);
    learn(&f);
    struct plan_answer before = decide(&f, 3, noon), after;
    struct planner *old = f.planner;
    struct buf blob = {0};
    struct text key;
    int rows = 0;
    T_OK(planner_new(&f.config, &zones, &f.planner, &err), &err, "anew");
    planner_set_policy(f.planner, quiet_policy(f.quiet));
    while (planner_next_dirty(old, &key, &blob)) {
        rows += text_starts(key, TEXT("demand|"));
        T_OK(planner_restore(f.planner, key, buf_text(&blob), &err), &err, TEXT_FMT, TEXT_ARG(key));
        T_EQ(planner_restore(f.planner, TEXT("demand|x"), TEXT("nonsense"), &err), TIDE_ECORRUPT,
             "a damaged row");
    }
    T_EQ(rows, 2, "a provider's and an application's");
    after = decide(&f, 3, noon);
    T_EQ(after.why, PLAN_WHY_DEAR, "still dear");
    T_STR(after.limit->name, before.limit->name, "because of the same");
    T_TRUE(llabs(after.at - before.at) < 10 * 60000,
           "until %lld, before %lld; %.1f expected, before %.1f", (long long)after.at,
           (long long)before.at, after.expected, before.expected);
    buf_fini(&blob);
    planner_free(old);
    end(&f);
}

static void test_demand(void **state)
{
    (void)state;
    struct demand d, again;
    struct buf blob = {0};
    struct tide_error err;
    struct zone *east = zone_new(8 * 3600);
    const struct zone *cases[] = {NULL, east};
    for (size_t z = 0; z < TIDE_COUNT(cases); z++) {
        demand_init(&d);
        for (int day = 0; day < 63; day++)
            for (int i = 0; i < (day % 7 == 5 || day % 7 == 6 ? 70 : 100); i++)
                demand_count(&d, cases[z],
                             MONDAY + day * DAY + 9 * HOUR + i * 6 * 60000 % (8 * HOUR), 1);
        tide_wall_ms now = MONDAY + 63 * DAY; /* a Monday */
        double week = demand_until(&d, cases[z], now, now + 7 * DAY).normal,
               day = demand_until(&d, cases[z], now, now + DAY).normal,
               night = demand_until(&d, cases[z], now + 18 * HOUR, now + DAY).normal;
        T_TRUE(day > 70 && day < 110, "a Monday: %f", day);
        T_TRUE(week > 5 * day && week < 8.5 * day, "a week: %f", week);
        T_TRUE(night < day / 5, "its evening: %f", night);
        demand_encode(&d, &blob);
        T_OK(demand_decode(buf_text(&blob), &again, &err), &err, "read again");
        day = demand_until(&d, cases[z], now, now + DAY).normal;
        T_TRUE(fabs(demand_until(&again, cases[z], now, now + DAY).normal - day) < 3, "the same");
        for (size_t n = 0; n < blob.len; n += 7)
            T_EQ(demand_decode(text_cut(buf_text(&blob), 0, n), &again, &err), TIDE_ECORRUPT,
                 "cut to %zu bytes", n);
        buf_clear(&blob);
    }
    buf_fini(&blob);
    zone_free(east);
}

/* -- Whole worlds, with a price and without ------------------------------------------------------
 */

enum { USERS = 40, DAYS = 50, EVENTS_MAX = 40000 };

static struct replay_event events[EVENTS_MAX];

static int by_time(const void *a, const void *b)
{
    const struct replay_event *x = a, *y = b;
    return (x->at_s > y->at_s) - (x->at_s < y->at_s);
}

static struct replay_trace world(uint64_t seed)
{
    struct rng rng;
    size_t n = 0;
    rng_seed(&rng, seed);
    for (int d = 0; d < DAYS; d++)
        for (uint32_t u = 0; u < USERS; u++) {
            uint32_t bursts = rng_below(&rng, 4);
            for (uint32_t b = 0; b < bursts; b++) {
                int64_t at = (int64_t)MONDAY / 1000 + d * 86400 + 28800 + rng_below(&rng, 36000);
                uint32_t size = 1 + rng_below(&rng, 5);
                for (uint32_t i = 0; i < size && n < EVENTS_MAX; i++)
                    events[n++] = (struct replay_event){
                        at + rng_below(&rng, 1800), u,
                        rng_below(&rng, 40) ? REPLAY_DIRECT : REPLAY_URGENT, 0};
            }
        }
    qsort(events, n, sizeof events[0], by_time);
    return (struct replay_trace){events, n, USERS};
}

static void test_worlds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int quota[REPLAY_ACCOUNTS_MAX];
        unsigned accounts;
        int provider, percent;
        bool split;
        struct window window;
        double gain; /* of the mean delay at least */
    } cases[] = {
        {"an account", {90}, 1, 0, 0, false, {.unit = WINDOW_DAY}, 0.1},
        {"a provider", {0}, 1, 45, 50, false, {.unit = WINDOW_DAY}, 0.05},
        {"two accounts, one is scarce", {40, 5000}, 2, 0, 0, true, {.unit = WINDOW_DAY}, 0.05},
        {"two, one behind the other", {50, 40}, 2, 0, 0, false, {.unit = WINDOW_DAY}, 0.1},
        {"both kinds", {100}, 1, 45, 50, false, {.unit = WINDOW_DAY}, 0.1},
        {"any 24 hours", {90}, 1, 0, 0, false, {.kind = WINDOW_ROLLING, .span_ms = DAY}, -0.4},
        {"an hour", {4}, 1, 0, 0, false, {.unit = WINDOW_HOUR}, -0.1},
        {"nothing is scarce", {5000}, 1, 4000, 50, false, {.unit = WINDOW_DAY}, 0},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct replay_trace t = world(i + 1);
        struct replay_result with, without, again;
        struct tide_error err;
        struct replay_settings s = {.zone = "UTC",
                                    .zones = &zones,
                                    .quota = 8,
                                    .warmup_days = 10,
                                    .reserve = -1,
                                    .accounts = cases[i].accounts,
                                    .provider_quota = cases[i].provider,
                                    .provider_percent = cases[i].percent,
                                    .split = cases[i].split,
                                    .shared = cases[i].window};
        memcpy(s.site_quota, cases[i].quota, sizeof s.site_quota);
        const char *name = cases[i].name;
        T_OK(replay_run(&t, &s, &with, &err), &err, "%s", name);
        T_OK(replay_run(&t, &s, &again, &err), &err, "%s", name);
        s.no_price = true;
        T_OK(replay_run(&t, &s, &without, &err), &err, "%s", name);
        T_EQ(with.over + with.over_shared, 0, "%s: never over", name);
        T_EQ(without.over + without.over_shared, 0, "%s: nor without", name);
        T_EQ(with.all.count, with.notifications, "%s: everything has left once", name);
        T_TRUE(with.urgent_held <= without.urgent_held, "%s: urgent held %d, without %d", name,
               (int)with.urgent_held, (int)without.urgent_held);
        T_TRUE(with.all.mean <= without.all.mean * (1 - cases[i].gain),
               "%s: %.1f min, without %.1f", name, with.all.mean, without.all.mean);
        T_TRUE(with.all.max < 5 * 1440, "%s: nobody starves: %.0f min", name, with.all.max);
        T_EQ(with.mails, again.mails, "%s: the same again", name);
        if (cases[i].gain == 0) {
            T_EQ(with.mails, without.mails, "%s: no price", name);
            T_TRUE(with.all.mean == without.all.mean, "%s: no price", name);
        }
        replay_result_fini(&with);
        replay_result_fini(&without);
        replay_result_fini(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dear),     cmocka_unit_test(test_rises),
        cmocka_unit_test(test_accounts), cmocka_unit_test(test_kept),
        cmocka_unit_test(test_told),     cmocka_unit_test(test_restart),
        cmocka_unit_test(test_demand),   cmocka_unit_test(test_worlds),
    };
    return cmocka_run_group_tests_name("planner_price", tests, NULL, NULL);
}
