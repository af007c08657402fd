/* What the gate keeps of a group: that its small counters hold, and what lies beside it. */
#include "lib/check.h"
#include "lib/config_text.h"
#include "lib/gate_rig.h"

#define NOON 1772424000000LL

static const char config_text[] =
    "schedules = [\"/s\"];\n"
    "streams: { urgent: { priority = 0; urgent = true; digest = false; };\n"
    "  news: { priority = 7; digest = false; on_unknown = \"send\"; on_deadline = \"drop\"; }; };\n"
    "accounts: { esp: { type = \"smtp\"; host = \"esp.test\"; connections = 400; }; };\n"
    "applications: { pm: { key = \"k\"; senders = [\"*\"]; stream = \"news\";\n"
    "  accounts = [\"esp\"]; }; };\n";

static const struct config_text files[] = {{"/main.conf", config_text}};

struct rig {
    struct gate_rig in;
    tide_id claimed; /* by the last step; 0: nothing was */
};

static void step(struct rig *r, struct gate_event ev)
{
    if (!ev.now)
        ev.now = NOON;
    gate_rig_step(&r->in, ev);
    r->claimed = 0;
    for (size_t i = 0; i < r->in.todo.count; i++)
        if (r->in.todo.actions[i].type == GATE_DO_CLAIM)
            r->claimed = r->in.todo.actions[i].claim.attempt.id;
}

static void accept_one(struct rig *r,
                       struct group_pending pending,
                       enum verdict_kind kind,
                       const char *application,
                       const char *stream)
{
    const struct recipient_state state = {.id = pending.recipient_id,
                                          .address = TEXT("ann@client.test"),
                                          .domain = TEXT("client.test"),
                                          .verdict = {.kind = kind,
                                                      .reason = TEXT("a test"),
                                                      .found_at = NOON,
                                                      .valid_until = NOON + TIME_DAY_MS}};
    pending.oldest_at = NOON;
    step(r, (struct gate_event){
                .type = GATE_ACCEPTED,
                .accepted = {.pending = &pending,
                             .recipient = &state,
                             .origin = {text_of(application), text_of(stream), TEXT("a@pm.test")},
                             .accepted_at = NOON}});
}

static void claim_done(struct rig *r, tide_id attempt, struct group_pending left)
{
    step(r, (struct gate_event){
                .type = GATE_CLAIMED,
                .claimed = {.attempt_id = attempt, .count = 1, .newest_at = NOON, .left = &left}});
}

/* Three hundred urgent mails for one recipient: as many leave as can be counted, the others when
 * there is room, and none is forgotten. */
static void test_many_in_flight(void **state)
{
    (void)state;
    enum { MAILS = 300 };
    static tide_id flying[MAILS];
    struct rig r;
    int count = 0, ended = 0;
    struct group_pending p = {.group_id = 1, .recipient_id = 1, .urgent = MAILS};
    struct account_outcome taken = {.result = ACCOUNT_ACCEPTED, .stage = STAGE_DOT};
    taken.reply.code = 250;
    gate_rig_begin(&r.in, config_of_texts(files, TIDE_COUNT(files)));
    accept_one(&r, p, VERDICT_DELIVERABLE, "pm", "urgent");
    for (;;) {
        for (; r.claimed; count++) {
            flying[count] = r.claimed;
            p.urgent--;
            claim_done(&r, r.claimed, p);
        }
        T_TRUE(count - ended <= UINT8_MAX, "%d under way", count - ended);
        if (ended == MAILS)
            break;
        T_TRUE(ended < count, "%d of %d have left, and nothing goes on", count, MAILS);
        step(&r,
             (struct gate_event){.type = GATE_OUTCOME,
                                 .outcome = {.attempt_id = flying[ended++], .outcome = &taken}});
    }
    T_EQ(count, MAILS, "all have left");
    struct gate_counts counts;
    gate_count(r.in.gate, &counts);
    T_EQ(counts.groups + counts.recipients, 0, "and nothing is kept of them");
    gate_rig_end(&r.in);
}

/* Names of streams are few, those of applications many: they are not numbered together. */
static void test_stream_behind_many_applications(void **state)
{
    (void)state;
    struct rig r;
    gate_rig_begin(&r.in, config_of_texts(files, TIDE_COUNT(files)));
    for (int64_t i = 1; i <= 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "a%d", (int)i);
        struct group_pending p = {.group_id = i, .recipient_id = i, .single = 1};
        accept_one(&r, p, VERDICT_DELIVERABLE, name, "urgent");
        T_EQ(r.claimed, 0, "nobody is configured as %s", name);
    }
    struct group_pending p = {.group_id = 301, .recipient_id = 301, .single = 1};
    accept_one(&r, p, VERDICT_UNKNOWN, "pm", "news");
    T_TRUE(r.claimed, "its stream sends to whom is not known");
    gate_rig_end(&r.in);
}

/* A deadline lies beside the group: it comes, changes and goes with what the store says. */
static void test_deadlines(void **state)
{
    (void)state;
    const tide_wall_ms deadlines[] = {NOON + 5000, NOON + 3001, 0, NOON + 4000};
    struct group_pending p = {.group_id = 7, .recipient_id = 7, .single = 1};
    struct rig r;
    gate_rig_begin(&r.in, config_of_texts(files, TIDE_COUNT(files)));
    accept_one(&r, p, VERDICT_DELIVERABLE, "nobody", "news");
    for (size_t i = 0; i < TIDE_COUNT(deadlines); i++) {
        p.deadline_at = deadlines[i];
        step(&r, (struct gate_event){.type = GATE_PENDING, .pending = &p});
        T_EQ(r.in.todo.wake_at, deadlines[i] ? deadlines[i] : TIDE_NEVER, "deadline %zu", i);
    }
    step(&r, (struct gate_event){.type = GATE_TIMER, .now = NOON + 3999});
    T_EQ(r.in.todo.count, 0, "not yet");
    step(&r, (struct gate_event){.type = GATE_TIMER, .now = NOON + 4000});
    T_TRUE(r.in.todo.count == 1 && r.in.todo.actions[0].type == GATE_DO_DROP, "it is dropped");
    p.single = 0;
    p.deadline_at = 0;
    step(&r, (struct gate_event){.type = GATE_PENDING, .pending = &p});
    struct gate_counts counts;
    gate_count(r.in.gate, &counts);
    T_EQ(counts.groups, 0, "and forgotten");
    gate_rig_end(&r.in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_in_flight),
        cmocka_unit_test(test_stream_behind_many_applications),
        cmocka_unit_test(test_deadlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
