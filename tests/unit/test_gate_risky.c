/* What a stream says of risky recipients: sent all the same, or held with the reason; never lost.
 */
#include "core/verify/recipient.h"
#include "io/loop/files.h"
#include "lib/check.h"
#include "lib/gate_rig.h"

#define NOW 1772424000000LL

static void begin(struct gate_rig *r, enum on_risky on_risky, unsigned hints)
{
    struct config *config;
    struct tide_error err;
    T_OK(config_load(NULL, &files_source, &config, &err), &err, "config");
    int index = config_stream_index(config, TEXT("notify"));
    config->streams[index].on_risky = on_risky;
    config->streams[index].risky_hints = hints;
    gate_rig_begin(r, config);
}

static bool asked_for(const struct gate_rig *r, enum gate_action_type type)
{
    for (size_t i = 0; i < r->todo.count; i++)
        if (r->todo.actions[i].type == type)
            return true;
    return false;
}

static void hand_in(struct gate_rig *r,
                    const char *address,
                    const char *domain,
                    enum verdict_kind kind)
{
    struct group_pending p = {.group_id = 1, .recipient_id = 1, .digestible = 1, .oldest_at = NOW};
    struct recipient_state state = {.id = 1,
                                    .address = text_of(address),
                                    .domain = text_of(domain),
                                    .verdict = {.kind = kind,
                                                .reason = TEXT("A parked domain."),
                                                .found_at = NOW,
                                                .valid_until = NOW + TIME_HOUR_MS}};
    struct gate_event ev = {
        .type = GATE_ACCEPTED,
        .now = NOW,
        .accepted = {.pending = &p,
                     .recipient = &state,
                     .origin = {TEXT("default"), TEXT("notify"), TEXT("app@pm.test")},
                     .accepted_at = NOW}};
    gate_rig_step(r, ev);
}

static const struct {
    const char *address, *domain;
    enum verdict_kind kind;
    enum on_risky on_risky;
    unsigned hints;
    const char *held; /* a part of the reason; NULL: released */
} cases[] = {
    {"ann@gmial.com", "gmial.com", VERDICT_RISKY, RISKY_SEND, 0, NULL},
    {"ann@gmial.com", "gmial.com", VERDICT_RISKY, RISKY_SEND, HINT_TYPO, NULL},
    {"ann@x.org", "x.org", VERDICT_RISKY, RISKY_HOLD, 0, "no risky recipients: A parked domain."},
    {"ann@x.org", "x.org", VERDICT_DELIVERABLE, RISKY_HOLD, HINT_ROLE | HINT_TYPO, NULL},
    {"ann@gmial.com", "gmial.com", VERDICT_DELIVERABLE, RISKY_HOLD, HINT_ROLE, NULL},
    {"ann@gmial.com", "gmial.com", VERDICT_DELIVERABLE, RISKY_HOLD, HINT_TYPO,
     "this one is (typo)"},
    {"info@mailinator.com", "mailinator.com", VERDICT_DELIVERABLE, RISKY_HOLD, HINT_ROLE,
     "this one is (role);"},
    {"info@mailinator.com", "mailinator.com", VERDICT_UNKNOWN, RISKY_HOLD,
     HINT_ROLE | HINT_DISPOSABLE, "this one is (role,disposable)"},
};

static void test_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct gate_rig r;
        begin(&r, cases[i].on_risky, cases[i].hints);
        hand_in(&r, cases[i].address, cases[i].domain, cases[i].kind);
        struct text why = r.todo.decision.reason;
        T_TRUE(!r.todo.failed, "memory");
        T_TRUE(!asked_for(&r, GATE_DO_DROP), "%s: nothing is lost", cases[i].address);
        T_EQ(asked_for(&r, GATE_DO_CLAIM), !cases[i].held, "%s, case %zu: " TEXT_FMT,
             cases[i].address, i, TEXT_ARG(why));
        if (cases[i].held) {
            T_EQ(r.todo.decision.state, NOTIFICATION_HELD, "%s", cases[i].address);
            T_TRUE(text_ifind(why, text_of(cases[i].held)) < why.n, "case %zu: " TEXT_FMT, i,
                   TEXT_ARG(why));
        }
        gate_rig_end(&r);
    }
}

/* A new configuration that wants them sent lets what was held go. */
static void test_reload_lets_go(void **state)
{
    (void)state;
    struct gate_rig r, other;
    begin(&r, RISKY_HOLD, HINT_TYPO);
    begin(&other, RISKY_SEND, 0);
    hand_in(&r, "ann@gmial.com", "gmial.com", VERDICT_DELIVERABLE);
    T_TRUE(!asked_for(&r, GATE_DO_CLAIM), "held");
    gate_todo_fini(&r.todo);
    gate_step(r.gate, &(struct gate_event){.type = GATE_CONFIG, .now = NOW, .config = other.config},
              &r.todo);
    gate_todo_fini(&r.todo);
    gate_step(r.gate, &(struct gate_event){.type = GATE_TIMER, .now = NOW + 1}, &r.todo);
    T_TRUE(asked_for(&r, GATE_DO_CLAIM), "released: " TEXT_FMT, TEXT_ARG(r.todo.decision.reason));
    gate_rig_end(&r);
    gate_rig_end(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_reload_lets_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
