/* The gate while too much bounces: who still gets mail, what is said of it, and how it opens. */
#include "core/gate/gate.h"
#include "core/plan/guard.h"
#include "io/loop/files.h"
#include "io/loop/zones.h"
#include "lib/check.h"
#include "lib/config_text.h"

#include <stdlib.h>

#define NOON 1772424000000LL

static const char config_text[] =
    "schedules = [\"/s\"];\n"
    "streams: { urgent: { priority = 0; urgent = true; digest = false; };\n"
    "  news: { priority = 7; digest = false; }; };\n"
    "accounts: { esp: { type = \"smtp\"; host = \"esp.test\"; connections = 100;\n"
    "  profile = \"strict\"; }; };\n"
    "applications: { pm: { key = \"k\"; senders = [\"*\"]; stream = \"news\";\n"
    "  accounts = [\"esp\"]; }; };\n";

static const char profile_text[] =
    "title = \"Strict\";\n"
    "guards: { bounces: { counts = \"bounces\"; review = 0.05; pause = 0.1; volume = 10000;\n"
    "  source = \"published\"; reference = \"a test\"; date = \"2026-03-01\";\n"
    "  confidence = \"high\"; }; };\n";

static const struct config_text files[] = {{"/main.conf", config_text},
                                           {"/s/accounts/strict.conf", profile_text}};

struct rig {
    struct config *config, *defaults; /* the latter for the folders of the real rules */
    struct rulebook *rules;
    struct planner *planner;
    struct gate *gate;
    struct gate_todo todo;
    tide_wall_ms now;
    int64_t last_id;
    char row[64], blob[256];
    char plan[512]; /* of recipient 1, as the store has it */
    size_t plan_bytes;
};

static void keep_row(struct rig *r, const struct change *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (c[i].type == CHANGE_RECIPIENT && c[i].recipient.id == 1) {
            T_TRUE(c[i].recipient.plan.n <= sizeof r->plan, "a small blob");
            r->plan_bytes = c[i].recipient.plan.n;
            memcpy(r->plan, c[i].recipient.plan.p, r->plan_bytes);
        }
        if (c[i].type == CHANGE_LEDGER && text_eq(c[i].ledger.subject, TEXT("guard|esp/bounces"))) {
            snprintf(r->row, sizeof r->row, TEXT_FMT, TEXT_ARG(c[i].ledger.subject));
            snprintf(r->blob, sizeof r->blob, TEXT_FMT, TEXT_ARG(c[i].ledger.blob));
        }
    }
}

static void step(struct rig *r, struct gate_event ev)
{
    ev.now = r->now;
    gate_todo_fini(&r->todo);
    gate_step(r->gate, &ev, &r->todo);
    T_TRUE(!r->todo.failed, "out of memory");
    keep_row(r, r->todo.changes, r->todo.change_count);
}

static void begin(struct rig *r)
{
    static const struct plan_zones zones = {.load = zones_load};
    struct tide_error err;
    *r = (struct rig){.now = NOON};
    r->config = config_of_texts(files, TIDE_COUNT(files));
    T_OK(planner_new(r->config, &zones, &r->planner, &err), &err, "planner");
    r->gate = gate_new(r->planner, r->config, 0, 1);
    assert_non_null(r->gate);
    T_OK(config_load(NULL, &files_source, &r->defaults, &err), &err, "defaults");
    T_OK(rulebook_load(&files_source, r->defaults->schedules, r->defaults->schedule_count,
                       &r->rules, &err),
         &err, "rules");
    gate_set_rules(r->gate, r->rules);
    gate_todo_init(&r->todo);
}

static void end(struct rig *r)
{
    gate_todo_fini(&r->todo);
    gate_free(r->gate);
    rulebook_free(r->rules);
    config_free(r->defaults);
    planner_free(r->planner);
    config_free(r->config);
}

static const struct verdict good = {.kind = VERDICT_DELIVERABLE,
                                    .reason = {"MX", 2},
                                    .found_at = NOON,
                                    .valid_until = NOON + 300 * TIME_DAY_MS};

static struct recipient_state state_of(int64_t id, char *address)
{
    snprintf(address, 40, "r%lld@client.test", (long long)id);
    return (struct recipient_state){
        .id = id, .address = text_of(address), .domain = TEXT("client.test"), .verdict = good};
}

/* The claim's attempt; 0: it is held. */
static tide_id hand_in(struct rig *r, int64_t id, const char *stream)
{
    char address[40];
    bool urgent = strcmp(stream, "urgent") == 0;
    struct recipient_state state = state_of(id, address);
    if (id == 1)
        state.plan = (struct text){r->plan, r->plan_bytes};
    struct group_pending p = {.group_id = id,
                              .recipient_id = id,
                              .urgent = urgent,
                              .single = !urgent,
                              .oldest_at = r->now};
    step(r, (struct gate_event){
                .type = GATE_ACCEPTED,
                .accepted = {.pending = &p,
                             .recipient = &state,
                             .origin = {TEXT("pm"), text_of(stream), TEXT("app@pm.test")},
                             .accepted_at = r->now}});
    for (size_t i = 0; i < r->todo.count; i++)
        if (r->todo.actions[i].type == GATE_DO_CLAIM) {
            keep_row(r, r->todo.actions[i].claim.changes, r->todo.actions[i].claim.change_count);
            return r->todo.actions[i].claim.attempt.id;
        }
    return 0;
}

static void send(struct rig *r, int64_t id, tide_id attempt)
{
    struct group_pending left = {.group_id = id, .recipient_id = id};
    struct account_outcome taken = {.result = ACCOUNT_ACCEPTED, .stage = STAGE_DOT};
    taken.reply.code = 250;
    step(r,
         (struct gate_event){
             .type = GATE_CLAIMED,
             .claimed = {.attempt_id = attempt, .count = 1, .newest_at = r->now, .left = &left}});
    step(r, (struct gate_event){.type = GATE_OUTCOME,
                                .outcome = {.attempt_id = attempt, .outcome = &taken}});
}

/* News of a mail that the account took. */
static void news(struct rig *r, int64_t id, tide_id attempt, enum news_kind kind)
{
    char address[40];
    struct recipient_state state = state_of(id, address);
    struct attempt was = {.id = attempt,
                          .recipient_id = id,
                          .group_id = id,
                          .account = TEXT("esp"),
                          .stream = TEXT("news"),
                          .state = ATTEMPT_ACCEPTED,
                          .started_at = r->now};
    struct mail_news n = {.kind = kind,
                          .source = TEXT("webhook esp"),
                          .account = TEXT("esp"),
                          .attempt_id = attempt,
                          .code = 550,
                          .status = {5, 1, 1},
                          .reply = TEXT("550 5.1.1 no such user")};
    struct news_found found = {
        .recipient = &state, .attempt = &was, .state = NOTIFICATION_SENT, .newest_at = r->now};
    step(r, (struct gate_event){.type = GATE_NEWS, .news = {.news = &n, .found = &found}});
}

/* So many new recipients get a mail; the first `bad` of them do not exist. */
static void send_many(struct rig *r, int count, int bad)
{
    for (int i = 0; i < count; i++) {
        int64_t id = ++r->last_id;
        tide_id attempt = hand_in(r, id, "news");
        if (!attempt)
            return;
        send(r, id, attempt);
        if (i < bad)
            news(r, id, attempt, NEWS_BOUNCED);
    }
}

static enum guard_state state_now(const struct rig *r, const char *name)
{
    const struct guard *x = guards_find(gate_guards(r->gate), text_of(name));
    return x ? x->state : GUARD_OPEN;
}

static void test_narrows_and_opens(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    int64_t known = ++r.last_id;
    tide_id first = hand_in(&r, known, "news");
    send(&r, known, first);
    send_many(&r, 300, 0);
    T_EQ(state_now(&r, "esp/bounces"), GUARD_OPEN, "all is well");
    T_EQ(gate_alarms(r.gate)->count, 0, "no alarm");
    while (state_now(&r, "esp/bounces") == GUARD_OPEN && r.last_id < 2000)
        send_many(&r, 1, 1);
    const struct alarm *alarm = alarms_find(gate_alarms(r.gate), TEXT("guard/esp/bounces"));
    T_TRUE(alarm && alarm->severity == ALARM_CRITICAL, "an alarm");
    T_TRUE(strstr(alarm->sentence, "bounced lately") && strstr(alarm->sentence, "5.0 %"), "%s",
           alarm->sentence);
    int64_t stranger = ++r.last_id;
    T_EQ(hand_in(&r, stranger, "news"), 0, "a stranger waits");
    T_TRUE(text_ifind(r.todo.decision.reason, TEXT("guard esp/")) < r.todo.decision.reason.n,
           TEXT_FMT, TEXT_ARG(r.todo.decision.reason));
    T_TRUE(hand_in(&r, ++r.last_id, "urgent") != 0, "a password reset does not");
    T_TRUE(hand_in(&r, known, "news") != 0, "nor does mail to somebody who took some before");
    step(&r, (struct gate_event){.type = GATE_GUARD,
                                 .guard = {.name = TEXT("esp/bounces"), .by = TEXT("user anna")}});
    T_TRUE(text_ifind(r.todo.decision.reason, TEXT("anna")) < r.todo.decision.reason.n, "told");
    T_EQ(state_now(&r, "esp/bounces"), GUARD_OPEN, "open by hand");
    T_TRUE(!alarms_find(gate_alarms(r.gate), TEXT("guard/esp/bounces")), "the alarm is over");
    step(&r, (struct gate_event){.type = GATE_GUARD,
                                 .guard = {.name = TEXT("esp/news/bounces"), .by = TEXT("x")}});
    step(&r, (struct gate_event){.type = GATE_TIMER});
    bool claimed = false;
    for (size_t i = 0; i < r.todo.count; i++)
        claimed |= r.todo.actions[i].type == GATE_DO_CLAIM &&
                   r.todo.actions[i].claim.attempt.recipient_id == stranger;
    T_TRUE(claimed, "whoever waited goes at once");
    step(&r, (struct gate_event){.type = GATE_GUARD, .guard = {.name = TEXT("none")}});
    T_EQ(r.todo.decision.reason.n, 0, "there is no such guard");
    end(&r);
}

static void test_warns_early_once(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    int raised = 0, warned_at = 0;
    for (int i = 0; i < 3000 && state_now(&r, "esp/bounces") == GUARD_OPEN; i++) {
        int64_t id = ++r.last_id;
        tide_id attempt = hand_in(&r, id, "news");
        send(&r, id, attempt);
        if (i % 16)
            continue;
        news(&r, id, attempt, NEWS_BOUNCED);
        for (size_t k = 0; k < r.todo.change_count; k++)
            if (r.todo.changes[k].type == CHANGE_JOURNAL &&
                text_eq(r.todo.changes[k].journal.event, TEXT("alarm")) &&
                text_ifind(r.todo.changes[k].journal.sentence, TEXT("esp/bounces")) == 0) {
                warned_at = warned_at ? warned_at : i;
                raised++;
            }
    }
    T_TRUE(warned_at > 50, "6 %% of some hundred mails warn: %d", warned_at);
    T_TRUE(raised >= 1 && raised <= 2, "told once, and once more when it narrows: %d", raised);
    end(&r);
}

static void test_closes_and_survives(void **state)
{
    (void)state;
    struct rig r, s;
    struct tide_error err;
    begin(&r);
    int64_t known = ++r.last_id;
    send(&r, known, hand_in(&r, known, "news"));
    /* What bounces was on its way before it narrowed: all at once. */
    tide_id attempts[200];
    for (int i = 0; i < 200; i++) {
        attempts[i] = hand_in(&r, ++r.last_id, "news");
        send(&r, r.last_id, attempts[i]);
    }
    for (int i = 0; i < 120; i++)
        news(&r, 2 + i, attempts[i], NEWS_BOUNCED);
    T_EQ(state_now(&r, "esp/bounces"), GUARD_CLOSED, "closed");
    T_EQ(hand_in(&r, known, "news"), 0, "nobody gets mail");
    T_EQ(hand_in(&r, ++r.last_id, "urgent"), 0, "not even urgent mail");
    begin(&s);
    T_OK(gate_restore(s.gate, text_of(r.row), text_of(r.blob), &err), &err, "%s", r.row);
    T_EQ(hand_in(&s, 5, "urgent"), 0, "nor after a restart");
    step(&s, (struct gate_event){.type = GATE_TIMER});
    T_TRUE(s.todo.wake_at <= s.now + TIME_HOUR_MS, "it is looked at again");
    s.now += TIME_DAY_MS + TIME_MINUTE_MS;
    step(&s, (struct gate_event){.type = GATE_TIMER});
    T_EQ(state_now(&s, "esp/bounces"), GUARD_NARROW, "a day later it narrows");
    end(&s);
    end(&r);
}

/* What ESPs count: what they call hard, else what means the address. */
static const struct {
    const char *name;
    enum news_kind kind;
    enum news_count count;
    const char *reply, *provider;
    int64_t taken_today; /* mails to this recipient; -1: none ever arrived */
    bool want, known;    /* counted; still known to take mail */
} counted[] = {
    {"no such user", NEWS_BOUNCED, NEWS_COUNT_UNSAID, "550 5.1.1 no such user", "", -1, true,
     false},
    {"the ESP calls that soft", NEWS_BOUNCED, NEWS_COUNT_SOFT, "550 5.1.1 no such user", "", -1,
     false, false},
    {"a full mailbox", NEWS_BOUNCED, NEWS_COUNT_UNSAID, "552 5.2.2 mailbox full", "", -1, false,
     true},
    {"a full mailbox that the ESP calls hard", NEWS_BOUNCED, NEWS_COUNT_HARD,
     "552 5.2.2 mailbox full", "", -1, true, true},
    {"unclear words, nothing ever arrived", NEWS_BOUNCED, NEWS_COUNT_UNSAID,
     "550 Mailbox unavailable or access denied", "qq", -1, true, false},
    {"unclear words, much arrived today", NEWS_BOUNCED, NEWS_COUNT_UNSAID,
     "550 Mailbox unavailable or access denied", "qq", 9, false, true},
    {"unclear words, some arrived before", NEWS_BOUNCED, NEWS_COUNT_UNSAID,
     "550 Mailbox unavailable or access denied", "qq", 0, false, true},
    {"a limit", NEWS_BOUNCED, NEWS_COUNT_UNSAID, "550 Connection frequency limited", "qq", 9, false,
     true},
    {"a limit that the ESP calls hard", NEWS_BOUNCED, NEWS_COUNT_HARD,
     "550 Connection frequency limited", "qq", 9, true, true},
    {"on the ESP's own list", NEWS_DROPPED, NEWS_COUNT_UNSAID, "suppressed", "", -1, false, true},
    {"on the list of all its customers", NEWS_DROPPED, NEWS_COUNT_HARD, "suppressed", "", -1, true,
     true},
};

static void test_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(counted); i++) {
        struct rig r;
        char address[40];
        begin(&r);
        tide_id first = hand_in(&r, 1, "news");
        send(&r, 1, first);
        struct recipient_state to = state_of(1, address);
        to.verdict.provider = text_of(counted[i].provider);
        to.plan = (struct text){r.plan, r.plan_bytes};
        struct attempt was = {.id = first,
                              .recipient_id = 1,
                              .group_id = 1,
                              .account = TEXT("esp"),
                              .stream = TEXT("news"),
                              .provider = text_of(counted[i].provider),
                              .state = ATTEMPT_ACCEPTED,
                              .started_at = r.now};
        struct mail_news n = {.kind = counted[i].kind,
                              .count = counted[i].count,
                              .source = TEXT("webhook esp"),
                              .account = TEXT("esp"),
                              .attempt_id = first,
                              .reply = text_of(counted[i].reply)};
        struct news_found found = {
            .recipient = &to, .attempt = &was, .state = NOTIFICATION_SENT, .newest_at = r.now};
        if (counted[i].taken_today >= 0) {
            found.past.delivered_at = r.now - TIME_HOUR_MS;
            found.past.taken_today = counted[i].taken_today;
        }
        step(&r, (struct gate_event){.type = GATE_NEWS, .news = {.news = &n, .found = &found}});
        const struct guard *x = guards_find(gate_guards(r.gate), TEXT("esp/bounces"));
        T_TRUE(x, "%s", counted[i].name);
        T_EQ(x->failures > 0.5, counted[i].want, "%s: %f", counted[i].name, x->failures);
        struct plan_recipient plan;
        struct tide_error err;
        plan_recipient_init(&plan);
        T_OK(plan_recipient_decode((struct text){r.plan, r.plan_bytes}, &plan, &err), &err, "%s",
             counted[i].name);
        T_EQ(plan.sent_before, counted[i].known, "%s: known", counted[i].name);
        plan_recipient_fini(&plan);
        end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_narrows_and_opens),
        cmocka_unit_test(test_warns_early_once),
        cmocka_unit_test(test_closes_and_survives),
        cmocka_unit_test(test_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
