/* What the gate tells the forecast and the policy (weights), and what it tells of it
 * (will_exceed). */
#include "core/gate/gate.h"

#include "core/plan/policy_quiet.h"
#include "core/proto/json.h"
#include "io/loop/files.h"
#include "io/loop/zones.h"
#include "lib/check.h"

#include <math.h>

#define MORNING 1772413200000LL /* 2026-03-02T01:00:00Z: nine in Shanghai */

struct rig {
    struct config *config;
    struct planner *planner;
    struct quiet_policy *quiet;
    struct policy spy;
    double weight; /* that the policy was last asked with */
    struct gate *gate;
    struct gate_todo todo;
    tide_wall_ms now;
    uint32_t pending;
};

static struct rig rig;

static tide_wall_ms spy_wish(void *arg, const struct policy_view *v)
{
    (void)arg;
    rig.weight = v->weight;
    return v->now + TIME_HOUR_MS; /* everything waits */
}

static void begin(void)
{
    static const struct plan_zones zones = {.load = zones_load};
    struct tide_error err;
    rig = (struct rig){.now = MORNING, .quiet = quiet_policy_new(NULL)};
    T_OK(config_load(NULL, &files_source, &rig.config, &err), &err, "config");
    T_OK(planner_new(rig.config, &zones, &rig.planner, &err), &err, "planner");
    rig.spy = *quiet_policy(rig.quiet);
    rig.spy.wish = spy_wish;
    planner_set_policy(rig.planner, &rig.spy);
    rig.gate = gate_new(rig.planner, rig.config, 0, 1);
    gate_todo_init(&rig.todo);
}

static void end(void)
{
    gate_todo_fini(&rig.todo);
    gate_free(rig.gate);
    planner_free(rig.planner);
    quiet_policy_free(rig.quiet);
    config_free(rig.config);
}

static void hand_in(int weight)
{
    const struct verdict qq = {.kind = VERDICT_DELIVERABLE,
                               .provider = TEXT("qq"),
                               .reason = TEXT("MX"),
                               .found_at = rig.now,
                               .valid_until = rig.now + 30 * TIME_DAY_MS};
    struct group_pending p = {
        .group_id = 1, .recipient_id = 1, .digestible = ++rig.pending, .oldest_at = MORNING};
    struct recipient_state state = {
        .id = 1, .address = TEXT("a@client.asia"), .domain = TEXT("client.asia"), .verdict = qq};
    struct gate_event ev = {
        .type = GATE_ACCEPTED,
        .now = rig.now,
        .accepted = {.pending = &p,
                     .recipient = &state,
                     .origin = {TEXT("default"), TEXT("notify"), TEXT("app@pm.test")},
                     .accepted_at = rig.now,
                     .weight = weight}};
    gate_todo_fini(&rig.todo);
    gate_step(rig.gate, &ev, &rig.todo);
}

static const struct journal_entry *told(const char *event)
{
    for (size_t i = 0; i < rig.todo.change_count; i++)
        if (rig.todo.changes[i].type == CHANGE_JOURNAL &&
            text_eq(rig.todo.changes[i].journal.event, text_of(event)))
            return &rig.todo.changes[i].journal;
    return NULL;
}

static void test_weights(void **state)
{
    (void)state;
    begin();
    hand_in(1);
    T_TRUE(fabs(rig.weight - 1) < 1e-9, "alone it is the mean: %f", rig.weight);
    hand_in(3);
    T_TRUE(fabs(rig.weight - 4 / 1.02) < 1e-6, "one of 1, one of 3: %f", rig.weight);
    hand_in(0);
    T_TRUE(fabs(rig.weight - 5 / (1.02 - 0.0002)) < 1e-6, "not said is 1: %f", rig.weight);
    struct group_pending left = {.group_id = 1, .recipient_id = 1, .digestible = 1, .oldest_at = 1};
    struct gate_event ev = {.type = GATE_PENDING, .now = rig.now, .pending = &left};
    gate_todo_fini(&rig.todo);
    gate_step(rig.gate, &ev, &rig.todo);
    T_TRUE(fabs(rig.weight - 2 / 1.0198) < 1e-3, "a third of 5, rounded: %f", rig.weight);
    end();
}

static void test_will_exceed(void **state)
{
    (void)state;
    int times = 0, first = 0;
    begin();
    for (int i = 1; i <= 14; i++) {
        hand_in(1);
        rig.now += TIME_MINUTE_MS;
        const struct journal_entry *e = told("will_exceed");
        if (!e)
            continue;
        times++;
        first = i;
        struct json *doc;
        struct tide_error err;
        int64_t count, pending;
        double chance;
        T_OK(json_parse(e->detail, 4096, &doc, &err), &err, "detail");
        T_TRUE(json_int(json_member(doc, "count"), &count) && count > 0, "count");
        T_TRUE(json_int(json_member(doc, "pending"), &pending) && pending == i, "pending");
        T_TRUE(json_number(json_member(doc, "chance"), &chance) && chance >= OUTLOOK_LIKELY &&
                   chance <= 1,
               "chance");
        T_TRUE(json_string_text(json_member(doc, "at")).n > 0, "when");
        T_EQ(e->recipient_id, 1, "whose");
        json_free(doc);
    }
    T_EQ(times, 1, "told once");
    T_TRUE(first > 1 && first < 11, "before it is full: %d", first);
    rig.now += TIME_DAY_MS;
    for (int i = 1; i <= 14; i++) {
        hand_in(1);
        times += told("will_exceed") != NULL;
    }
    T_EQ(times, 2, "and once the next day");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_weights),
                                       cmocka_unit_test(test_will_exceed)};
    return cmocka_run_group_tests_name("gate_foresee", tests, NULL, NULL);
}
