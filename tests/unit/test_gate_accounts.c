/* Which of an application's accounts takes a mail: the first with room. */
#include "core/gate/gate.h"
#include "io/loop/zones.h"
#include "lib/check.h"
#include "lib/config_text.h"

#include <stdio.h>

#define NOON 1772452800000LL /* 2026-03-02T12:00:00Z */

static const char config_text[] =
    "streams: { urgent: { priority = 0; urgent = true; digest = false; }; notify: { }; };"
    "accounts: {"
    " one: { type = \"outbox\"; path = \"/tmp/x\"; limits: { day: { scope = \"account\"; count = 2;"
    "   window = \"day\"; }; }; };"
    " two: { type = \"outbox\"; path = \"/tmp/y\"; limits: { day: { scope = \"account\"; count = 1;"
    "   window = \"day\"; }; }; }; };"
    "applications: { default: { anonymous = true; senders = [\"*\"];"
    " accounts = [\"one\", \"two\"]; }; };";

static const struct config_text file = {"x.conf", config_text};

struct rig {
    struct config *config;
    struct planner *planner;
    struct gate *gate;
    struct gate_todo todo;
};

static void step(struct rig *r, struct gate_event ev, tide_wall_ms now)
{
    ev.now = now;
    gate_todo_fini(&r->todo);
    gate_step(r->gate, &ev, &r->todo);
    T_TRUE(!r->todo.failed, "memory");
}

/* The account that an urgent mail for another recipient leaves through; "": it is held. */
static struct text leaves_by(struct rig *r, int64_t id, tide_wall_ms now)
{
    const struct group_pending pending = {
        .group_id = id, .recipient_id = id, .urgent = 1, .oldest_at = now};
    const struct recipient_state state = {.id = id,
                                          .address = TEXT("ann@x.org"),
                                          .domain = TEXT("x.org"),
                                          .verdict = {.kind = VERDICT_DELIVERABLE,
                                                      .found_at = NOON,
                                                      .valid_until = NOON + 2 * TIME_DAY_MS}};
    step(r,
         (struct gate_event){
             .type = GATE_ACCEPTED,
             .accepted = {.pending = &pending,
                          .recipient = &state,
                          .origin = {TEXT("default"), TEXT("urgent"), TEXT("app@pm.test")},
                          .accepted_at = now}},
         now);
    for (size_t i = 0; i < r->todo.count; i++)
        if (r->todo.actions[i].type == GATE_DO_CLAIM)
            return r->todo.actions[i].claim.attempt.account;
    return TEXT("");
}

static void test_next_takes_over(void **state)
{
    static const struct plan_zones zones = {.load = zones_load};
    static const char *const want[] = {"one", "one", "two", ""};
    struct rig r = {0};
    struct tide_error err;
    (void)state;
    r.config = config_of_texts(&file, 1);
    T_OK(planner_new(r.config, &zones, &r.planner, &err), &err, "planner");
    r.gate = gate_new(r.planner, r.config, 0, 1);
    assert_non_null(r.gate);
    gate_todo_init(&r.todo);
    for (int i = 0; i < 4; i++)
        T_TEXT(leaves_by(&r, i + 1, NOON + i), want[i], "mail %d: " TEXT_FMT, i,
               TEXT_ARG(r.todo.decision.reason));
    T_TRUE(text_find(r.todo.decision.reason, '2') < r.todo.decision.reason.n &&
               r.todo.decision.due_at > NOON + 11 * TIME_HOUR_MS,
           "the first account's limit says until when: " TEXT_FMT,
           TEXT_ARG(r.todo.decision.reason));
    T_TEXT(leaves_by(&r, 9, NOON + TIME_DAY_MS), "one", "the next day");
    gate_todo_fini(&r.todo);
    gate_free(r.gate);
    planner_free(r.planner);
    config_free(r.config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_next_takes_over)};
    return cmocka_run_group_tests_name("gate_accounts", tests, NULL, NULL);
}
