/* Which of an application's accounts takes a mail: the first with room. */
#include "lib/check.h"
#include "lib/config_text.h"
#include "lib/gate_rig.h"

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

static void step(struct gate_rig *r, struct gate_event ev, tide_wall_ms now)
{
    ev.now = now;
    gate_rig_step(r, ev);
}

static struct text claimed_by(const struct gate_rig *r)
{
    for (size_t i = 0; i < r->todo.count; i++)
        if (r->todo.actions[i].type == GATE_DO_CLAIM)
            return r->todo.actions[i].claim.attempt.account;
    return TEXT("");
}

/* The account that an urgent mail for another recipient leaves through; "": it is held. */
static struct text leaves_by(struct gate_rig *r, int64_t id, tide_wall_ms now)
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

static void test_next_takes_over(void **state)
{
    static const char *const want[] = {"one", "one", "two", ""};
    struct gate_rig r;
    (void)state;
    gate_rig_begin(&r, config_of_texts(&file, 1));
    for (int i = 0; i < 4; i++)
        T_TEXT(leaves_by(&r, i + 1, NOON + i), want[i], "mail %d: " TEXT_FMT, i,
               TEXT_ARG(r.todo.decision.reason));
    T_TRUE(text_find(r.todo.decision.reason, '2') < r.todo.decision.reason.n &&
               r.todo.decision.due_at > NOON + 11 * TIME_HOUR_MS,
           "the first account's limit says until when: " TEXT_FMT,
           TEXT_ARG(r.todo.decision.reason));
    T_TEXT(leaves_by(&r, 9, NOON + TIME_DAY_MS), "one", "the next day");
    gate_rig_end(&r);
}

/* Where all are full, mail waits for the one that has room first. */
static void test_first_to_open(void **state)
{
    static const char *const want[] = {"one", "one", "two", ""};
    struct gate_rig r;
    (void)state;
    gate_rig_begin(&r, config_of_texts(&hourly, 1));
    for (int i = 0; i < 4; i++)
        T_TEXT(leaves_by(&r, i + 1, NOON + i), want[i], "mail %d: " TEXT_FMT, i,
               TEXT_ARG(r.todo.decision.reason));
    tide_wall_ms due = r.todo.decision.due_at;
    T_TRUE(due > NOON && due < NOON + 2 * TIME_HOUR_MS, "held until the hour is over: " TEXT_FMT,
           TEXT_ARG(r.todo.decision.reason));
    step(&r, (struct gate_event){.type = GATE_TIMER}, due);
    T_TEXT(claimed_by(&r), "two", "it leaves then, and not at midnight");
    gate_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_next_takes_over),
                                       cmocka_unit_test(test_first_to_open)};
    return cmocka_run_group_tests_name("gate_accounts", tests, NULL, NULL);
}
