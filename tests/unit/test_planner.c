#include "base/macros.h"
#include "core/plan/planner.h"
#include "io/loop/zones.h"
#include "lib/check.h"

#include <stdlib.h>

#define HOUR TIME_HOUR_MS
#define TEN  1772416800000 /* 2026-03-02T10:00:00+08:00 */

#define NAMED(s) .name = (char *)(uintptr_t)(s)

static struct limit harbour_limits[] = {
    {NAMED("harbour/day"), .scope = LIMIT_RECIPIENT, .count = 10,
     .window = {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = (char *)"Asia/Shanghai"}},
    {NAMED("harbour/hour"), .scope = LIMIT_PROVIDER, .count = 100,
     .window = {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR}},
};
static struct limit filter_limits[] = {
    {NAMED("filter/domain"), .scope = LIMIT_DOMAIN, .count = 50,
     .window = {.kind = WINDOW_CLOCK, .span_ms = HOUR / 2}},
};
static struct limit esp_limits[] = {
    {NAMED("esp/rate"), .scope = LIMIT_ACCOUNT, .count = 14, .burst = 14,
     .window = {.kind = WINDOW_RATE, .span_ms = 1000}},
    {NAMED("esp/sandbox"), .scope = LIMIT_ACCOUNT, .count = 200, .counts = COUNT_ACCEPTED,
     .window = {.kind = WINDOW_ROLLING, .span_ms = 24 * HOUR}},
};

struct fixture {
    struct profile providers[2], esp;
    struct config_account accounts[2];
    struct config_stream streams[1];
    struct config config;
    struct planner *planner;
    struct plan_recipient recipient;
    struct group_pending pending;
    struct plan_query q;
};

static const struct plan_zones zones = {NULL, zones_load};

static void begin(struct fixture *f)
{
    struct tide_error err;
    *f = (struct fixture){
        .providers = {{NAMED("harbour"), .limits = harbour_limits, .limit_count = 2},
                      {NAMED("filter"), .limits = filter_limits, .limit_count = 1}},
        .esp = {NAMED("esp"), .limits = esp_limits, .limit_count = 2},
        .accounts = {{NAMED("main"), .profile = &f->esp}, {NAMED("other"), .profile = &f->esp}},
        .streams = {{NAMED("news")}},
        .config = {.planner = {.reserve = 2, .direct_share = 0.5},
                   .profiles = {.providers = f->providers, .provider_count = 2},
                   .accounts = f->accounts,
                   .account_count = 2,
                   .streams = f->streams,
                   .stream_count = 1},
    };
    T_OK(planner_new(&f->config, &zones, &f->planner, &err), &err, "new");
    f->pending = (struct group_pending){.digestible = 1, .oldest_at = TEN};
    f->q = (struct plan_query){
        .now = TEN,
        .recipient = &f->recipient,
        .recipient_id = 1,
        .pending = &f->pending,
        .digest = true,
        .route = {.provider = planner_intern_provider(f->planner, TEXT("harbour")),
                  .domain = planner_intern(f->planner, TEXT("client.example")),
                  .sender_domain = planner_intern(f->planner, TEXT("shop.example")),
                  .sender = planner_intern(f->planner, TEXT("app@shop.example"))},
    };
}

static void end(struct fixture *f)
{
    plan_recipient_fini(&f->recipient);
    planner_free(f->planner);
}

static struct plan_answer decide(struct fixture *f, tide_wall_ms now)
{
    struct plan_answer a;
    f->q.now = now;
    planner_decide(f->planner, &f->q, &a);
    return a;
}

static void charge(struct fixture *f, tide_wall_ms now, int times)
{
    for (int i = 0; i < times; i++) {
        (void)decide(f, now);
        planner_charge(f->planner, &f->q);
    }
}

/* One day of one mailbox that takes ten: five at once, three spaced, two kept, then the reset. */
static void test_a_day(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (int i = 0; i < 5; i++) {
        struct plan_answer a = decide(&f, TEN + i * 1000);
        T_EQ(a.kind, PLAN_NOW, "mail %d", i);
        T_EQ(a.why, PLAN_WHY_ROOM, "mail %d", i);
        T_EQ(a.used, i, "mail %d", i);
        T_STR(a.limit->name, "harbour/day", "the tightest is named");
        planner_charge(f.planner, &f.q);
    }
    struct plan_answer a = decide(&f, TEN + 5000);
    T_EQ(a.kind, PLAN_DIGEST, "the sixth waits for others");
    T_EQ(a.at, TEN + 4000 + (14 * HOUR - 4000) / 4, "three are left over 14 hours");
    T_EQ(a.reset_at, TEN + 14 * HOUR, "midnight in Shanghai");
    T_EQ(decide(&f, a.at - 1).kind, PLAN_DIGEST, "not yet");
    a = decide(&f, a.at);
    T_EQ(a.kind, PLAN_NOW, "its turn");
    T_EQ(a.why, PLAN_WHY_SPACED, "says why");
    charge(&f, TEN + 4 * HOUR, 3);
    a = decide(&f, TEN + 5 * HOUR);
    T_EQ(a.kind, PLAN_HOLD, "the reserve");
    T_EQ(a.why, PLAN_WHY_RESERVE, "is kept");
    T_EQ(a.at, TEN + 14 * HOUR, "until the reset");
    f.q.urgent = true;
    a = decide(&f, TEN + 5 * HOUR);
    T_EQ(a.kind, PLAN_NOW, "the password reset leaves at once");
    T_EQ(a.why, PLAN_WHY_URGENT, "as urgent");
    charge(&f, TEN + 5 * HOUR, 2);
    a = decide(&f, TEN + 5 * HOUR);
    T_EQ(a.kind, PLAN_HOLD, "eleven are never sent");
    T_EQ(a.why, PLAN_WHY_LIMIT, "not even urgent ones");
    T_EQ(a.used, 10, "all used");
    T_EQ(a.subject, 0, "waits for itself, in no line");
    f.q.by_hand = true;
    T_EQ(decide(&f, TEN + 5 * HOUR).kind, PLAN_HOLD, "nor by hand");
    f.q.by_hand = f.q.urgent = false;
    T_EQ(decide(&f, TEN + 14 * HOUR).kind, PLAN_NOW, "tomorrow");
    end(&f);
}

static void test_all_limits_and_the_latest_binds(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct plan_recipient others[20] = {0};
    for (int i = 0; i < 14; i++) {
        f.q.recipient = &others[i];
        charge(&f, TEN, 1);
    }
    f.q.recipient = &f.recipient;
    struct plan_answer a = decide(&f, TEN);
    T_EQ(a.kind, PLAN_HOLD, "the account's rate");
    T_STR(a.limit->name, "esp/rate", "binds");
    T_EQ(a.at, TEN + 72, "one in 71.4 ms");
    T_TRUE(a.subject != 0, "a line to stand in");
    uint32_t line = a.subject;
    f.q.route.account = 1;
    T_EQ(decide(&f, TEN).kind, PLAN_NOW, "another account has its own");
    f.q.route.account = 0;
    f.q.recipient = &others[19];
    T_EQ(decide(&f, TEN).subject, line, "the same line for all");
    f.q.recipient = &f.recipient;
    f.q.urgent = true;
    charge(&f, TEN + 1000, 10);
    a = decide(&f, TEN + 1001);
    T_STR(a.limit->name, "harbour/day", "later than the rate");
    T_EQ(a.at, TEN + 14 * HOUR, "the latest");
    for (int i = 0; i < 20; i++)
        plan_recipient_fini(&others[i]);
    end(&f);
}

static void test_gateway_and_provider_both_apply(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.q.route.gateway = planner_intern_provider(f.planner, TEXT("filter"));
    f.q.urgent = true;
    struct plan_recipient others[50] = {0};
    for (int i = 0; i < 50; i++) {
        f.q.recipient = &others[i];
        charge(&f, TEN + i * 1000, 1);
    }
    f.q.recipient = &f.recipient;
    struct plan_answer a = decide(&f, TEN + 60000);
    T_EQ(a.kind, PLAN_HOLD, "the filter's limit");
    T_STR(a.limit->name, "filter/domain", "binds");
    T_EQ(a.at, TEN + HOUR / 2, "until the next half hour");
    f.q.route.gateway = 0;
    T_EQ(decide(&f, TEN + 60000).kind, PLAN_NOW, "not for those it does not guard");
    for (int i = 0; i < 50; i++)
        plan_recipient_fini(&others[i]);
    end(&f);
}

static void test_margin_and_spread(void **state)
{
    (void)state;
    struct fixture f;
    struct tide_error err;
    begin(&f);
    f.config.planner.margin_ms = 60000;
    f.config.planner.spread_ms = 600000;
    T_OK(planner_configure(f.planner, &f.config, &err), &err, "configure");
    charge(&f, TEN + 1000, 10);
    tide_wall_ms open = TEN + 14 * HOUR + 60000, places[50];
    int same = 0;
    for (int i = 0; i < 50; i++) {
        f.q.recipient_id = i;
        struct plan_answer a = decide(&f, TEN + HOUR);
        T_EQ(a.why, PLAN_WHY_LIMIT, "held");
        T_TRUE(a.at >= open && a.at < open + 600000, "within the spread");
        T_EQ(decide(&f, a.at).kind, PLAN_NOW, "at its place");
        if (a.at > open) {
            T_EQ(decide(&f, a.at - 1).why, PLAN_WHY_SPREAD, "not before");
        }
        places[i] = a.at;
        for (int k = 0; k < i; k++)
            same += places[k] == a.at;
    }
    T_TRUE(same < 5, "places differ");
    f.q.urgent = true;
    T_EQ(decide(&f, TEN + HOUR).at, open, "urgent mail does not queue for a place");
    f.q.urgent = false;
    f.pending.oldest_at = open + 10;
    T_EQ(decide(&f, open + 10).kind, PLAN_NOW, "nor what came after the opening");
    struct plan_recipient fresh;
    plan_recipient_init(&fresh);
    f.q.recipient = &fresh;
    f.pending.oldest_at = open - 55000;
    T_EQ(decide(&f, open - 55000).kind, PLAN_NOW, "nor what comes within the margin and has room");
    f.pending.oldest_at = TEN;
    T_EQ(decide(&f, open + 1).kind, PLAN_NOW, "nor what waited for another reason than this limit");
    plan_recipient_fini(&fresh);
    end(&f);
}

static void test_hold_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    charge(&f, TEN, 6);
    f.q.hold_until_max = TEN + HOUR;
    T_EQ(decide(&f, TEN + 1000).at, TEN + HOUR, "not longer than the stream says");
    T_EQ(decide(&f, TEN + HOUR).kind, PLAN_NOW, "then it goes, there is room");
    f.q.digest = false;
    T_EQ(decide(&f, TEN + 1000).kind, PLAN_NOW, "spacing what cannot be a digest gains nothing");
    end(&f);
}

static void test_refunds(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    charge(&f, TEN, 3);
    planner_refund(f.planner, &f.q, TEN, REFUND_NOT_TRIED);
    T_EQ(decide(&f, TEN).used, 2, "not tried");
    planner_refund(f.planner, &f.q, TEN, REFUND_NOT_ACCEPTED);
    T_EQ(decide(&f, TEN).used, 2, "an attempt is an attempt");
    end(&f);
}

static void test_replies_and_operator_limits(void **state)
{
    (void)state;
    struct fixture f;
    struct tide_error err;
    begin(&f);
    struct limit own[] = {harbour_limits[0], harbour_limits[0]};
    own[0].count = 4;
    own[0].replies_free = true;
    own[1].name = (char *)(uintptr_t) "harbour/pair";
    own[1].scope = LIMIT_PAIR;
    own[1].count = 3;
    charge(&f, TEN, 4);
    f.config.provider_limits = own;
    f.config.provider_limit_count = 2;
    T_OK(planner_configure(f.planner, &f.config, &err), &err, "configure");
    struct plan_answer a = decide(&f, TEN);
    T_EQ(a.kind, PLAN_HOLD, "replaced, and still counting");
    T_EQ(a.limit->count, 4, "the operator's number");
    f.q.is_reply = true;
    T_EQ(decide(&f, TEN).kind, PLAN_NOW, "answers are free");
    f.q.urgent = true;
    charge(&f, TEN, 3);
    T_STR(decide(&f, TEN).limit->name, "harbour/pair", "the added one binds now");
    f.q.route.sender = planner_intern(f.planner, TEXT("else@shop.example"));
    T_EQ(decide(&f, TEN).kind, PLAN_NOW, "for this sender only");
    end(&f);
}

static void test_restart(void **state)
{
    (void)state;
    struct fixture f;
    struct tide_error err;
    struct buf blob = {0}, rows[8] = {0};
    struct text subject;
    char keys[8][64];
    size_t n = 0;
    begin(&f);
    charge(&f, TEN, 6);
    for (; planner_next_dirty(f.planner, &subject, &blob); n++) {
        snprintf(keys[n], sizeof keys[n], TEXT_FMT, TEXT_ARG(subject));
        buf_add_text(&rows[n], buf_text(&blob));
    }
    T_EQ(n, 2, "provider and account");
    T_TRUE(!planner_next_dirty(f.planner, &subject, &blob), "once");
    buf_clear(&blob);
    plan_recipient_encode(&f.recipient, &blob);
    plan_recipient_fini(&f.recipient);
    planner_free(f.planner);
    T_OK(planner_new(&f.config, &zones, &f.planner, &err), &err, "again");
    for (size_t i = 0; i < n; i++) {
        T_OK(planner_restore(f.planner, text_of(keys[i]), buf_text(&rows[i]), &err), &err, "row");
        T_EQ(planner_restore(f.planner, text_of(keys[i]), text_cut(buf_text(&rows[i]), 0, 9), &err),
             TIDE_ECORRUPT, "cut");
        buf_fini(&rows[i]);
    }
    T_EQ(planner_restore(f.planner, TEXT("moon|x|y"), TEXT(""), &err), TIDE_ECORRUPT, "no scope");
    T_OK(plan_recipient_decode(buf_text(&blob), &f.recipient, &err), &err, "recipient");
    f.q.route.provider = planner_intern_provider(f.planner, TEXT("harbour"));
    T_EQ(decide(&f, TEN + 1000).kind, PLAN_DIGEST, "six are used still");
    T_EQ(plan_recipient_decode(TEXT("\x07xxxx"), &f.recipient, &err), TIDE_ECORRUPT, "version");
    buf_fini(&blob);
    end(&f);
}

static void count_usage(void *arg, const struct plan_usage *u)
{
    int64_t *sum = arg;
    if (u->subject.n)
        *sum += u->used;
    T_TRUE(u->limit != NULL, "has a limit");
}

static void see_wide(void *arg, const struct plan_wide *w)
{
    int64_t *used = arg;
    T_EQ(*used, -1, "one limit");
    *used = w->used;
}

/* What warns hours before a shared limit is full counts what is used of it already. */
static void test_limits_that_many_share(void **state)
{
    (void)state;
    static const struct {
        const char *name, *account, *provider;
        enum limit_scope scope; /* of the provider's */
        int64_t want;           /* -1: there is none */
    } cases[] = {
        {"the account's", "main", "", LIMIT_PROVIDER, 3},
        {"of another account nothing is used", "other", "", LIMIT_PROVIDER, 0},
        {"the provider's", "", "harbour", LIMIT_PROVIDER, 3},
        {"its part of a sender's domain", "", "harbour", LIMIT_SENDER_DOMAIN_PROVIDER, 3},
        {"its part of an IP pool", "", "harbour", LIMIT_IP_PROVIDER, 3},
        {"another provider", "", "quay", LIMIT_PROVIDER, -1},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct fixture f;
        struct tide_error err;
        int64_t used = -1;
        struct limit limits[] = {harbour_limits[0], harbour_limits[1]};
        limits[1].scope = cases[i].scope;
        begin(&f);
        f.providers[0].limits = limits;
        T_OK(planner_configure(f.planner, &f.config, &err), &err, "configure");
        charge(&f, TEN, 3);
        planner_wide(f.planner, text_of(cases[i].account), text_of(cases[i].provider), TEN,
                     see_wide, &used);
        T_EQ(used, cases[i].want, "%s", cases[i].name);
        end(&f);
    }
}

static void test_usage_and_bad_configuration(void **state)
{
    (void)state;
    struct fixture f;
    struct tide_error err;
    int64_t sum = 0;
    begin(&f);
    charge(&f, TEN, 3);
    planner_usage(f.planner, TEN, NULL, count_usage, &sum);
    T_EQ(sum, 9, "hour, rate and sandbox, three each");
    struct limit bad = harbour_limits[0];
    bad.window.zone = (char *)(uintptr_t) "Asia/Nowhere";
    bad.file = (char *)(uintptr_t) "mailtide.conf";
    bad.line = 7;
    f.config.provider_limits = &bad;
    f.config.provider_limit_count = 1;
    T_EQ(planner_configure(f.planner, &f.config, &err), TIDE_ENOENT, "no such zone");
    T_TRUE(strstr(err.text, "mailtide.conf:7: limit harbour/day"), "%s", err.text);
    T_EQ(decide(&f, TEN).used, 3, "the old one stays in force");
    end(&f);
}

/* Recipients come and go; the next one may come to the same memory. */
static void test_one_after_another_in_the_same_memory(void **state)
{
    static const struct window hour = {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR};
    (void)state;
    struct fixture f;
    begin(&f);
    struct learn_key *k =
        planner_learnt_key(f.planner, LIMIT_RECIPIENT, 1, TEXT(""), TEXT(""), true);
    T_TRUE(k && planner_pin(f.planner, k, &hour, 3, TEN), "the first takes three an hour");
    charge(&f, TEN, 3);
    T_EQ(decide(&f, TEN).kind, PLAN_HOLD, "and has had them");
    plan_recipient_fini(&f.recipient);
    plan_recipient_init(&f.recipient);
    f.q.recipient_id = 2;
    charge(&f, TEN, 3);
    T_EQ(decide(&f, TEN).kind, PLAN_NOW, "which is nothing to the second");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_day),
        cmocka_unit_test(test_all_limits_and_the_latest_binds),
        cmocka_unit_test(test_gateway_and_provider_both_apply),
        cmocka_unit_test(test_margin_and_spread),
        cmocka_unit_test(test_hold_is_bounded),
        cmocka_unit_test(test_refunds),
        cmocka_unit_test(test_replies_and_operator_limits),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_limits_that_many_share),
        cmocka_unit_test(test_usage_and_bad_configuration),
        cmocka_unit_test(test_one_after_another_in_the_same_memory),
    };
    return cmocka_run_group_tests_name("planner", tests, NULL, NULL);
}
