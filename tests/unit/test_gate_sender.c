/* A sender that no longer passes: its bulk streams wait, and nothing else does. */
#include "lib/check.h"
#include "lib/config_text.h"
#include "lib/gate_rig.h"

#define NOW 1772424000000LL

static const char config_text[] =
    "streams: { urgent: { priority = 0; urgent = true; digest = false; };"
    " direct: { digest = false; }; notify: { };"
    " offers: { digest = false; bulk = true; }; news: { bulk = true; }; };"
    "accounts: { one: { type = \"outbox\"; path = \"/tmp/x\"; };"
    " two: { type = \"outbox\"; path = \"/tmp/y\"; }; };"
    "applications: { default: { anonymous = true; senders = [\"*\"];"
    " accounts = [\"one\", \"two\"]; }; };";

static const struct config_text file = {"x.conf", config_text};

struct rig {
    struct gate_rig in;
    struct group_pending pending;
    tide_wall_ms now;
};

static void begin(struct rig *r)
{
    *r = (struct rig){.pending = {.group_id = 1, .recipient_id = 1}, .now = NOW};
    gate_rig_begin(&r->in, config_of_texts(&file, 1));
}

static void step(struct rig *r, struct gate_event ev)
{
    ev.now = r->now;
    gate_rig_step(&r->in, ev);
}

static void sender(struct rig *r, const char *account, const char *reason)
{
    step(r, (struct gate_event){.type = GATE_SENDER,
                                .sender = {.domain = TEXT("pm.test"),
                                           .account = text_of(account),
                                           .reason = text_of(reason)}});
}

static void hand_in(struct rig *r, const char *stream)
{
    const struct config_stream *s =
        &r->in.config->streams[config_stream_index(r->in.config, text_of(stream))];
    r->pending.urgent += s->urgent;
    r->pending.single += !s->urgent && !s->digest;
    r->pending.digestible += s->digest;
    r->pending.oldest_at = NOW;
    struct recipient_state state = {.id = 1,
                                    .address = TEXT("ann@x.org"),
                                    .domain = TEXT("x.org"),
                                    .verdict = {.kind = VERDICT_DELIVERABLE,
                                                .found_at = NOW,
                                                .valid_until = NOW + TIME_DAY_MS}};
    step(r, (struct gate_event){
                .type = GATE_ACCEPTED,
                .accepted = {.pending = &r->pending,
                             .recipient = &state,
                             .origin = {TEXT("default"), text_of(stream), TEXT("app@pm.test")},
                             .accepted_at = NOW}});
}

static const struct gate_action *claim_of(const struct rig *r)
{
    for (size_t i = 0; i < r->in.todo.count; i++)
        if (r->in.todo.actions[i].type == GATE_DO_CLAIM)
            return &r->in.todo.actions[i];
    return NULL;
}

/* The store's answer to the claim at hand: `count` were taken. */
static void claimed(struct rig *r, size_t count, bool digest)
{
    tide_id id = claim_of(r)->claim.attempt.id;
    *(digest ? &r->pending.digestible : &r->pending.single) -= (uint32_t)count;
    step(r,
         (struct gate_event){
             .type = GATE_CLAIMED,
             .claimed = {.attempt_id = id, .count = count, .newest_at = NOW, .left = &r->pending}});
}

static bool journalled(const struct rig *r, const char *event)
{
    for (size_t i = 0; i < r->in.todo.change_count; i++)
        if (r->in.todo.changes[i].type == CHANGE_JOURNAL &&
            text_eq(r->in.todo.changes[i].journal.event, text_of(event)))
            return true;
    return false;
}

/* Held at one, the other, both: which account a stream's mail leaves through; NULL: it waits. */
static const struct {
    const char *stream, *one, *two, *account;
} cases[] = {
    {"news", "", "", "one"},        {"news", "no DKIM", "", "two"},
    {"news", "no DKIM", "x", NULL}, {"offers", "no DKIM", "", "two"},
    {"offers", "a", "b", NULL},     {"notify", "a", "b", "one"},
    {"direct", "a", "b", "one"},    {"urgent", "a", "b", "one"},
    {"news", "", "b", "one"},
};

static void test_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct rig r;
        begin(&r);
        sender(&r, "one", cases[i].one);
        sender(&r, "two", cases[i].two);
        hand_in(&r, cases[i].stream);
        const struct gate_action *claim = claim_of(&r);
        struct text why = r.in.todo.decision.reason;
        T_EQ(claim != NULL, cases[i].account != NULL, "case %zu: " TEXT_FMT, i, TEXT_ARG(why));
        if (claim)
            T_TEXT(claim->claim.attempt.account, cases[i].account, "case %zu", i);
        else
            T_TRUE(text_ifind(why, text_of(cases[i].one)) < why.n, "case %zu: " TEXT_FMT, i,
                   TEXT_ARG(why));
        gate_rig_end(&r.in);
    }
}

/* It passes again: what waited goes, by itself. */
static void test_opens(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    sender(&r, "one", "no DKIM");
    T_TRUE(journalled(&r, "sender_held"), "told");
    sender(&r, "one", "no DKIM");
    T_TRUE(!journalled(&r, "sender_held"), "once");
    sender(&r, "two", "no DKIM");
    hand_in(&r, "news");
    T_TRUE(!claim_of(&r), "held");
    T_EQ(r.in.todo.wake_at, TIDE_NEVER, "nobody asks in vain");
    sender(&r, "two", "");
    T_TRUE(journalled(&r, "sender_open"), "told");
    step(&r, (struct gate_event){.type = GATE_TIMER});
    T_TRUE(claim_of(&r) != NULL, "released: " TEXT_FMT, TEXT_ARG(r.in.todo.decision.reason));
    T_TEXT(claim_of(&r)->claim.attempt.account, "two", "where it passes");
    gate_rig_end(&r.in);
}

/* Behind bulk mail of the same group other mail leaves, and the bulk mail stays. */
static void test_mixed(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    sender(&r, "one", "a");
    sender(&r, "two", "b");
    hand_in(&r, "offers");
    T_TRUE(!claim_of(&r), "bulk waits");
    hand_in(&r, "notify");
    T_TRUE(claim_of(&r) && claim_of(&r)->claim.digest, "the digest leaves past the bulk mail");
    T_TEXT(claim_of(&r)->claim.without_streams, "|offers|news|", "and takes none of it along");
    claimed(&r, 1, true);
    T_TRUE(!claim_of(&r), "the bulk mail still waits");
    gate_rig_end(&r.in);

    begin(&r);
    hand_in(&r, "direct");
    claimed(&r, 0, false); /* it waits for something else; now the sender fails */
    r.now += TIME_MINUTE_MS;
    sender(&r, "one", "a");
    sender(&r, "two", "b");
    hand_in(&r, "offers");
    T_TRUE(claim_of(&r) && !claim_of(&r)->claim.digest, "the class may have other mail");
    T_TEXT(claim_of(&r)->claim.without_streams, "|offers|news|", "which alone is taken");
    claimed(&r, 1, false);
    step(&r, (struct gate_event){.type = GATE_TIMER});
    gate_rig_end(&r.in);

    begin(&r);
    sender(&r, "one", "a");
    sender(&r, "two", "b");
    hand_in(&r, "direct");
    claimed(&r, 0, false); /* nothing but bulk mail was left of the class */
    T_TRUE(!claim_of(&r), "and it is not asked for again");
    T_TRUE(text_ifind(r.in.todo.decision.reason, TEXT("its stream is bulk")) <
               r.in.todo.decision.reason.n,
           TEXT_FMT, TEXT_ARG(r.in.todo.decision.reason));
    gate_rig_end(&r.in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
