/* A configuration that takes another's place: what was counted goes on to count, attempts under way
 * are booked where they belong, and no mail leaves by limits of profiles that are no more. */
#include "core/gate/gate.h"
#include "io/loop/zones.h"
#include "lib/check.h"
#include "lib/config_text.h"

#include <stdio.h>

#define NOW 1772424000000LL

#define HEAD(one, two)                                                                 \
    "schedules = [\"/s\"]; streams: { direct: { digest = false; }; }; applications: {" \
    "one: { key = \"k1\"; senders = [\".test\"]; accounts = [\"" one "\"]; };"         \
    "two: { key = \"k2\"; senders = [\".test\"]; accounts = [\"" two "\"]; }; };"
#define ACCOUNT(name)                                                        \
    name ": { type = \"outbox\"; path = \"/tmp/" name "\"; limits: { day: {" \
         "scope = \"account\"; count = 1; window = \"day\"; }; }; };"
#define ONE_TWO  HEAD("one", "two") "accounts: {" ACCOUNT("one") ACCOUNT("two") "};"
#define TWO_ONE  HEAD("one", "two") "accounts: {" ACCOUNT("two") ACCOUNT("one") "};"
#define ONE_ONLY HEAD("one", "one") "accounts: {" ACCOUNT("one") "};"
#define TWO_ONLY HEAD("two", "two") "accounts: {" ACCOUNT("two") "};"
#define OPEN     HEAD("out", "out") "accounts: { out: { type = \"outbox\"; path = \"/tmp/x\"; }; };"
#define PROFILE                                                                                   \
    "title = \"P\"; mx = [\"mx.p.test\"]; limits: { mailbox: { scope = \"recipient\"; count = 1;" \
    " window = \"day\"; source = \"configured\"; reference = \"test\"; date = \"2026-03-01\";"    \
    " confidence = \"high\"; }; };"

struct rig {
    struct planner *planner;
    struct config *configs[4]; /* the last is in force */
    int config_count;
    struct gate *gate;
    struct gate_todo todo;
    int64_t mailboxes;
    struct buf plan; /* of ann@x.org, as it was stored last */
};

static struct config *config_with(const char *main, const char *profile, const char *text)
{
    char path[100];
    snprintf(path, sizeof path, "/s/providers/%s.conf", profile);
    const struct config_text files[] = {{"/x.conf", main}, {path, text}};
    return config_of_texts(files, profile[0] ? 2 : 1);
}

static void step(struct rig *r, struct gate_event ev)
{
    ev.now = ev.now ? ev.now : NOW;
    gate_todo_fini(&r->todo);
    gate_step(r->gate, &ev, &r->todo);
    T_TRUE(!r->todo.failed, "memory");
}

static void begin(struct rig *r, struct config *config)
{
    static const struct plan_zones zones = {.load = zones_load};
    struct tide_error err;
    *r = (struct rig){.configs = {config}, .config_count = 1};
    T_OK(planner_new(config, &zones, &r->planner, &err), &err, "planner");
    r->gate = gate_new(r->planner, config, 0, 1);
    assert_non_null(r->gate);
    gate_todo_init(&r->todo);
}

static void reload(struct rig *r, struct config *config)
{
    struct tide_error err;
    T_OK(planner_configure(r->planner, config, &err), &err, "reload");
    r->configs[r->config_count++] = config;
    step(r, (struct gate_event){.type = GATE_CONFIG, .config = config});
    step(r, (struct gate_event){.type = GATE_TIMER});
}

static void end(struct rig *r)
{
    gate_todo_fini(&r->todo);
    buf_fini(&r->plan);
    gate_free(r->gate);
    planner_free(r->planner);
    while (r->config_count)
        config_free(r->configs[--r->config_count]);
}

/* One for ann@x.org, whose provider this is, or (NULL) for a mailbox that nobody has limits of. */
static void hand_in(struct rig *r, const char *application, const char *provider)
{
    bool other_mailbox = !provider;
    int64_t id = other_mailbox ? ++r->mailboxes : 1;
    struct group_pending p = {.group_id = id, .recipient_id = id, .single = 1, .oldest_at = NOW};
    struct recipient_state state = {.id = id,
                                    .address =
                                        other_mailbox ? TEXT("bob@x.org") : TEXT("ann@x.org"),
                                    .domain = TEXT("x.org"),
                                    .plan = other_mailbox ? TEXT("") : buf_text(&r->plan),
                                    .verdict = {.kind = VERDICT_DELIVERABLE,
                                                .provider = text_of(provider ? provider : ""),
                                                .found_at = NOW - 1,
                                                .valid_until = NOW + TIME_DAY_MS}};
    step(r, (struct gate_event){
                .type = GATE_ACCEPTED,
                .accepted = {.pending = &p,
                             .recipient = &state,
                             .origin = {text_of(application), TEXT("direct"), TEXT("app@pm.test")},
                             .accepted_at = NOW}});
}

static const struct gate_action *action(const struct rig *r, enum gate_action_type type)
{
    for (size_t i = 0; i < r->todo.count; i++)
        if (r->todo.actions[i].type == type)
            return &r->todo.actions[i];
    return NULL;
}

/* The claim at hand, through this account, is taken; gives its attempt. */
static tide_id claimed(struct rig *r, const char *account)
{
    const struct gate_action *claim = action(r, GATE_DO_CLAIM);
    assert_non_null(claim);
    tide_id id = claim->claim.attempt.id;
    struct group_pending left = {.group_id = claim->claim.attempt.group_id,
                                 .recipient_id = claim->claim.attempt.recipient_id};
    T_TEXT(claim->claim.attempt.account, account, "account");
    for (size_t i = 0; i < claim->claim.change_count; i++)
        if (claim->claim.changes[i].type == CHANGE_RECIPIENT) {
            r->plan.len = 0;
            buf_add(&r->plan, claim->claim.changes[i].recipient.plan.p,
                    claim->claim.changes[i].recipient.plan.n);
        }
    step(r, (struct gate_event){
                .type = GATE_CLAIMED,
                .claimed = {.attempt_id = id, .count = 1, .newest_at = NOW, .left = &left}});
    return id;
}

static void outcome(struct rig *r, tide_id id, enum account_result result)
{
    struct account_outcome o = {.result = result, .stage = STAGE_CONNECT};
    step(r,
         (struct gate_event){.type = GATE_OUTCOME, .outcome = {.attempt_id = id, .outcome = &o}});
}

/* A mailbox that takes one a day has had it; then the profile's file has another name, or is gone.
 */
static void test_provider_of_another_name(void **state)
{
    static const struct {
        const char *name, *profile, *more;
        bool verify, claim;
    } cases[] = {
        {"the same", "p", "", false, false},
        {"formerly p: counts go on", "q", "formerly = [\"p\"];", false, false},
        {"q once, then p, now q again", "q", "formerly = [\"p\", \"q\"];", false, false},
        {"formerly o, then p", "q", "formerly = [\"o\", \"p\"];", false, true},
        {"nobody is called p: DNS is asked before more leaves", "q", "", true, false},
        {"no profiles: asked, too", "", "", true, false},
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct rig r;
        char text[1000];
        begin(&r, config_with(OPEN, "p", PROFILE));
        hand_in(&r, "one", "p");
        outcome(&r, claimed(&r, "out"), ACCOUNT_ACCEPTED);
        snprintf(text, sizeof text, PROFILE "%s", cases[i].more);
        /* marks and names as before, but for the profile's own */
        reload(&r, config_with(OPEN, cases[i].profile, text));
        hand_in(&r, "one", "p");
        if (cases[i].verify || strcmp(cases[i].profile, "q") == 0) {
            T_TRUE(action(&r, GATE_DO_VERIFY) != NULL, "%s: asked", cases[i].name);
            T_TRUE(action(&r, GATE_DO_CLAIM) == NULL, "%s: nothing leaves", cases[i].name);
            struct verdict v = {
                .kind = VERDICT_UNKNOWN, .found_at = NOW, .valid_until = NOW + 1000};
            if (!cases[i].verify) { /* DNS does not answer: it is where it was */
                step(&r, (struct gate_event){.type = GATE_VERDICT, .verdict = {TEXT("x.org"), &v}});
                step(&r, (struct gate_event){.type = GATE_TIMER});
                T_EQ(action(&r, GATE_DO_CLAIM) != NULL, cases[i].claim, "%s", cases[i].name);
            }
        } else {
            T_EQ(action(&r, GATE_DO_CLAIM) != NULL, cases[i].claim, "%s", cases[i].name);
        }
        end(&r);
    }
}

/* An attempt under way is given back to the account that it was charged to, wherever that stands in
 * the new configuration; of one that is gone, to none. */
static void test_accounts_in_another_order(void **state)
{
    static const struct {
        const char *name, *config;
    } cases[] = {{"the same", ONE_TWO},
                 {"the other way round", TWO_ONE},
                 {"one alone", ONE_ONLY},
                 {"two alone", TWO_ONLY}};
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct rig r;
        begin(&r, config_with(ONE_TWO, "", ""));
        hand_in(&r, "one", NULL);
        outcome(&r, claimed(&r, "one"), ACCOUNT_ACCEPTED); /* has had its mail of the day */
        hand_in(&r, "two", NULL);
        tide_id two = claimed(&r, "two");
        reload(&r, config_with(cases[i].config, "", ""));
        outcome(&r, two, ACCOUNT_NOT_SENT);
        reload(&r, config_with(ONE_TWO, "", ""));
        hand_in(&r, "one", NULL);
        T_TRUE(!action(&r, GATE_DO_CLAIM), "%s: one's day is used up", cases[i].name);
        end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_provider_of_another_name),
        cmocka_unit_test(test_accounts_in_another_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
