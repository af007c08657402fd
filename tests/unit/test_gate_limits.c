/* A reply that names a limit holds mail and bounces nothing: the gate with the real rules. */
#include "core/gate/gate.h"
#include "core/proto/json.h"
#include "io/loop/files.h"
#include "io/loop/zones.h"
#include "lib/check.h"

#define NOON     1772424000000LL /* 2026-03-02T04:00:00Z: noon in Shanghai */
#define MIDNIGHT (NOON + 12 * TIME_HOUR_MS)

/* -- In the gate
 * ------------------------------------------------------------------------------------- */

struct rig {
    struct config *config;
    struct planner *planner;
    struct rulebook *rules;
    struct gate *gate;
    struct gate_todo todo;
    tide_wall_ms now;
};

static void step(struct rig *r, struct gate_event ev)
{
    ev.now = r->now;
    gate_todo_fini(&r->todo);
    gate_step(r->gate, &ev, &r->todo);
}

static void begin(struct rig *r)
{
    static const struct plan_zones zones = {.load = zones_load};
    struct tide_error err;
    *r = (struct rig){.now = NOON};
    T_OK(config_load(NULL, &files_source, &r->config, &err), &err, "config");
    T_OK(planner_new(r->config, &zones, &r->planner, &err), &err, "planner");
    T_OK(rulebook_load(&files_source, r->config->schedules, r->config->schedule_count, &r->rules,
                       &err),
         &err, "rules");
    r->gate = gate_new(r->planner, r->config, 0, 1);
    assert_non_null(r->gate);
    gate_set_rules(r->gate, r->rules);
    gate_todo_init(&r->todo);
}

static void end(struct rig *r)
{
    gate_todo_fini(&r->todo);
    gate_free(r->gate);
    rulebook_free(r->rules);
    planner_free(r->planner);
    config_free(r->config);
}

/* Hands one in and has its domain verified as QQ's; the claim's attempt id, 0 when it is held. */
static tide_id hand_in(struct rig *r, int64_t id, const char *stream)
{
    const struct verdict qq = {.kind = VERDICT_DELIVERABLE,
                               .provider = TEXT("qq"),
                               .reason = TEXT("MX"),
                               .found_at = r->now,
                               .valid_until = r->now + 30 * TIME_DAY_MS};
    bool urgent = strcmp(stream, "urgent") == 0;
    struct group_pending p = {.group_id = id,
                              .recipient_id = id,
                              .urgent = urgent,
                              .digestible = !urgent,
                              .oldest_at = r->now};
    struct recipient_state state = {
        .id = id, .address = TEXT("a@client.asia"), .domain = TEXT("client.asia"), .verdict = qq};
    step(r, (struct gate_event){
                .type = GATE_ACCEPTED,
                .accepted = {.pending = &p,
                             .recipient = &state,
                             .origin = {TEXT("default"), text_of(stream), TEXT("app@pm.test")},
                             .accepted_at = r->now}});
    for (size_t i = 0; i < r->todo.count; i++)
        if (r->todo.actions[i].type == GATE_DO_CLAIM)
            return r->todo.actions[i].claim.attempt.id;
    return 0;
}

static void claimed(struct rig *r, tide_id attempt, int64_t id)
{
    struct group_pending left = {.group_id = id, .recipient_id = id};
    step(r,
         (struct gate_event){
             .type = GATE_CLAIMED,
             .claimed = {.attempt_id = attempt, .count = 1, .newest_at = r->now, .left = &left}});
}

static const struct change *refuse(struct rig *r, tide_id attempt, int code, const char *text)
{
    struct account_outcome o = {.result = ACCOUNT_REFUSED, .stage = STAGE_RCPT};
    o.reply.code = code;
    snprintf(o.reply.text, sizeof o.reply.text, "%s", text);
    step(r, (struct gate_event){.type = GATE_OUTCOME,
                                .outcome = {.attempt_id = attempt, .outcome = &o}});
    for (size_t i = 0; i < r->todo.change_count; i++)
        if (r->todo.changes[i].type == CHANGE_ATTEMPT)
            return &r->todo.changes[i];
    T_FAIL("the attempt has no end");
    return NULL;
}

/* The detail of the journal entry of this name; "" when there is none. */
static struct text detail_of(const struct rig *r, const char *event)
{
    for (size_t i = 0; i < r->todo.change_count; i++)
        if (r->todo.changes[i].type == CHANGE_JOURNAL &&
            text_eq(r->todo.changes[i].journal.event, text_of(event)))
            return r->todo.changes[i].journal.detail;
    return TEXT("");
}

static void test_limit_reply_holds(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    tide_id attempt = hand_in(&r, 1, "notify");
    T_TRUE(attempt != 0, "there is room: released");
    claimed(&r, attempt, 1);
    const struct change *c = refuse(&r, attempt, 550,
                                    "Connection frequency limited. "
                                    "http://service.mail.qq.com/detail/122/175");
    T_EQ(c->attempt.then, NOTIFICATION_HELD, "not bounced");
    T_EQ(c->attempt.state, ATTEMPT_DEFERRED, "put off");
    T_TRUE(c->attempt.due_at >= NOON + 10 * TIME_MINUTE_MS &&
               c->attempt.due_at <= NOON + 20 * TIME_MINUTE_MS,
           "minutes first");
    static const char *const said[][2] = {{"account", "outbox"},
                                          {"provider", "qq"},
                                          {"class", "rate"},
                                          {"fault", "their-limit"},
                                          {"stage", "RCPT TO"}};
    struct json *detail = NULL;
    struct tide_error err;
    T_OK(json_parse(detail_of(&r, "limited"), 10000, &detail, &err), &err, "detail");
    for (size_t i = 0; i < TIDE_COUNT(said); i++)
        T_TEXT(json_string_text(json_member(detail, said[i][0])), said[i][1], "%s", said[i][0]);
    int64_t code = 0;
    T_TRUE(json_int(json_member(detail, "code"), &code) && code == 550, "the code");
    T_TRUE(text_starts(json_string_text(json_member(detail, "rule")), TEXT("qq/")), "the rule");
    T_TRUE(json_string_text(json_member(detail, "until")).n > 0, "until when");
    json_free(detail);
    struct group_pending back = {
        .group_id = 1, .recipient_id = 1, .digestible = 1, .oldest_at = NOON};
    step(&r, (struct gate_event){.type = GATE_PENDING, .pending = &back});
    T_EQ(r.todo.decision.state, NOTIFICATION_HELD, "held");
    T_TRUE(text_ifind(r.todo.decision.reason, TEXT("QQ takes no more")) < r.todo.decision.reason.n,
           "and says why: " TEXT_FMT, TEXT_ARG(r.todo.decision.reason));
    T_EQ(hand_in(&r, 2, "urgent"), 0, "another mailbox of QQ's waits too, urgent or not");
    r.now = NOON + 21 * TIME_MINUTE_MS;
    step(&r, (struct gate_event){.type = GATE_TIMER});
    T_TRUE(r.todo.count >= 1 && r.todo.actions[0].type == GATE_DO_CLAIM, "it opens");
    end(&r);
}

static void take(
    struct rig *r, tide_id attempt, int64_t limit, int64_t remaining, int64_t window_ms)
{
    struct account_outcome o = {.result = ACCOUNT_ACCEPTED, .stage = STAGE_DOT};
    o.reply.code = 250;
    o.quota = (struct account_quota){.said = true,
                                     .limit = limit,
                                     .remaining = remaining,
                                     .reset_ms = 20 * TIME_SECOND_MS,
                                     .window_ms = window_ms};
    step(r, (struct gate_event){.type = GATE_OUTCOME,
                                .outcome = {.attempt_id = attempt, .outcome = &o}});
}

/* What an ESP's answers say of its window holds mail before it would be refused. */
static void test_quota_of_answers(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    tide_id attempt = hand_in(&r, 1, "urgent");
    claimed(&r, attempt, 1);
    take(&r, attempt, 3, 2, TIME_MINUTE_MS);
    T_TRUE(detail_of(&r, "limit_learned").n > 0, "the window is learned");
    for (int64_t id = 2; id <= 4; id++) {
        attempt = hand_in(&r, id, "urgent");
        T_TRUE(attempt != 0, "three in a minute from then on: %lld", (long long)id);
        claimed(&r, attempt, id);
        if (id < 4)
            take(&r, attempt, 3, 5 - id, TIME_MINUTE_MS);
        T_EQ(detail_of(&r, "limit_learned").n, 0, "told once");
    }
    T_EQ(hand_in(&r, 5, "urgent"), 0, "not the next");
    T_TRUE(text_ifind(r.todo.decision.reason, TEXT("3 per rolling")) < r.todo.decision.reason.n,
           TEXT_FMT, TEXT_ARG(r.todo.decision.reason));
    r.now += TIME_MINUTE_MS;
    take(&r, attempt, 3, 0, 0);
    T_EQ(hand_in(&r, 6, "urgent"), 0, "nothing is left, say its answers");
    T_TRUE(text_ifind(r.todo.decision.reason, TEXT("used up what its ESP takes")) <
               r.todo.decision.reason.n,
           TEXT_FMT, TEXT_ARG(r.todo.decision.reason));
    r.now += 20 * TIME_SECOND_MS;
    step(&r, (struct gate_event){.type = GATE_TIMER});
    T_TRUE(r.todo.count >= 1 && r.todo.actions[0].type == GATE_DO_CLAIM, "then it goes");
    end(&r);
}

static void test_dead_address_bounces(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    tide_id attempt = hand_in(&r, 1, "notify");
    claimed(&r, attempt, 1);
    const struct change *c = refuse(&r, attempt, 550, "Mailbox not found.");
    T_EQ(c->attempt.then, NOTIFICATION_BOUNCED, "a dead address is no limit");
    T_TRUE(hand_in(&r, 2, "notify") != 0, "nobody else waits for it");
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_reply_holds),
        cmocka_unit_test(test_dead_address_bounces),
        cmocka_unit_test(test_quota_of_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
