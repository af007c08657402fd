/* Which of an application's accounts takes a mail: the first with room. */
#include "core/gate/gate.h"
#include "io/loop/zones.h"
#include "lib/check.h"
#include "lib/config_text.h"

#include <stdio.h>

#define NOON 1772452800000LL /* 2026-03-02T12:00:00Z */

/* Two a day by the first account, one in such a window by the second. */
#define CONFIG(WINDOW)                                                                     \
    "streams: { urgent: { priority = 0; urgent = true; digest = false; }; notify: { }; };" \
    "accounts: {"                                                                          \
    " one: { type = \"outbox\"; path = \"/tmp/x\"; limits: { day: { scope = \"account\";"  \
    "   count = 2; window = \"day\"; }; }; };"                                             \
    " two: { type = \"outbox\"; path = \"/tmp/y\"; limits: { own: { scope = \"account\";"  \
    "   count = 1; window = \"" WINDOW "\"; }; }; }; };"                                   \
    "applications: { default: { anonymous = true; senders = [\"*\"];"                      \
    " accounts = [\"one\", \"two\"]; }; };"

static const struct config_text file = {"x.conf", CONFIG("day")},
                                hourly = {"x.conf", CONFIG("hour")};

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

static struct text claimed_by(const struct rig *r)
{
    for (size_t i = 0; i < r->todo.count; i++)
        if (r->todo.actions[i].type == GATE_DO_CLAIM)
            return r->todo.actions[i].claim.attempt.account;
    return TEXT("");
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
    return claimed_by(r);
}

static void begin(struct rig *r, const struct config_text *from)
{
    static const struct plan_zones zones = {.load = zones_load};
    struct tide_error err;
    *r = (struct rig){0};
    r->config = config_of_texts(from, 1);
    T_OK(planner_new(r->config, &zones, &r->planner, &err), &err, "planner");
    r->gate = gate_new(r->planner, r->config, 0, 1);
    assert_non_null(r->gate);
    gate_todo_init(&r->todo);
}

static void end(struct rig *r)
{
    gate_todo_fini(&r->todo);
    gate_free(r->gate);
    planner_free(r->planner);
    config_free(r->config);
}

static void test_next_takes_over(void **state)
{
    static const char *const want[] = {"one", "one", "two", ""};
    struct rig r;
    (void)state;
    begin(&r, &file);
    for (int i = 0; i < 4; i++)
        T_TEXT(leaves_by(&r, i + 1, NOON + i), want[i], "mail %d: " TEXT_FMT, i,
               TEXT_ARG(r.todo.decision.reason));
    T_TRUE(text_find(r.todo.decision.reason, '2') < r.todo.decision.reason.n &&
               r.todo.decision.due_at > NOON + 11 * TIME_HOUR_MS,
           "the first account's limit says until when: " TEXT_FMT,
           TEXT_ARG(r.todo.decision.reason));
    T_TEXT(leaves_by(&r, 9, NOON + TIME_DAY_MS), "one", "the next day");
    end(&r);
}

/* Where all are full, mail waits for the one that has room first. */
static void test_first_to_open(void **state)
{
    static const char *const want[] = {"one", "one", "two", ""};
    struct rig r;
    (void)state;
    begin(&r, &hourly);
    for (int i = 0; i < 4; i++)
        T_TEXT(leaves_by(&r, i + 1, NOON + i), want[i], "mail %d: " TEXT_FMT, i,
               TEXT_ARG(r.todo.decision.reason));
    tide_wall_ms due = r.todo.decision.due_at;
    T_TRUE(due > NOON && due < NOON + 2 * TIME_HOUR_MS, "held until the hour is over: " TEXT_FMT,
           TEXT_ARG(r.todo.decision.reason));
    step(&r, (struct gate_event){.type = GATE_TIMER}, due);
    T_TEXT(claimed_by(&r), "two", "it leaves then, and not at midnight");
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_next_takes_over),
                                       cmocka_unit_test(test_first_to_open)};
    return cmocka_run_group_tests_name("gate_accounts", tests, NULL, NULL);
}
