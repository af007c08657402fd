/* Streams of one group that think differently of a domain that could not be verified, or of a risky
 * recipient: each keeps its own mail, whichever came last, and holds up no other's. */
#include "core/gate/gate.h"
#include "core/verify/recipient.h"
#include "io/loop/zones.h"
#include "lib/check.h"
#include "lib/config_text.h"

#define NOW       1772424000000LL
#define MAILS_MAX 8

static const char config_text[] =
    "schedules = [\"/schedules\"];"
    "streams: { urgent: { priority = 0; urgent = true; digest = false; };"
    " codes: { priority = 0; urgent = true; digest = false; on_unknown = \"hold\"; };"
    " direct: { digest = false; };"
    " sums: { digest = false; on_unknown = \"hold\"; };"
    " notify: { };"
    " report: { on_unknown = \"hold\"; };"
    " second: { on_unknown = \"hold\"; };"
    " strict: { on_risky = \"hold\"; };"
    " people: { on_risky = \"hold\"; risky = [\"role\"]; };"
    " offers: { bulk = true; }; };"
    "accounts: { one: { type = \"outbox\"; path = \"/tmp/x\"; }; };"
    "applications: { default: { anonymous = true; senders = [\"*\"]; accounts = [\"one\"]; }; };";

static const struct config_text files[] = {{"/x.conf", config_text},
                                           {"/schedules/lists/roles.txt", "info\n"}};

struct rig {
    struct config *config;
    struct planner *planner;
    struct gate *gate;
    tide_wall_ms now;
    enum verdict_kind kind;
    tide_wall_ms valid_until;
    const struct config_stream *mails[MAILS_MAX]; /* pending, in order of arrival */
    size_t count;
    struct buf left; /* "notify report, direct": claims, in order */
    char reason[300];
    int asked, empty; /* claims, and those of them that took nothing */
};

static void begin(struct rig *r, enum verdict_kind kind)
{
    static const struct plan_zones zones = {.load = zones_load};
    struct tide_error err;
    *r = (struct rig){.now = NOW, .kind = kind, .valid_until = NOW + TIME_HOUR_MS};
    r->config = config_of_texts(files, TIDE_COUNT(files));
    T_OK(planner_new(r->config, &zones, &r->planner, &err), &err, "planner");
    r->gate = gate_new(r->planner, r->config, 0, 1);
    assert_non_null(r->gate);
}

static void end(struct rig *r)
{
    gate_free(r->gate);
    planner_free(r->planner);
    config_free(r->config);
    buf_fini(&r->left);
}

static struct group_pending pending_of(const struct rig *r)
{
    struct group_pending p = {.group_id = 1, .recipient_id = 1, .oldest_at = r->count ? NOW : 0};
    for (size_t i = 0; i < r->count; i++) {
        p.urgent += r->mails[i]->urgent;
        p.single += !r->mails[i]->urgent && !r->mails[i]->digest;
        p.digestible += r->mails[i]->digest;
    }
    return p;
}

static bool takes(const struct gate_action *a, const struct config_stream *s)
{
    char name[64];
    snprintf(name, sizeof name, "|%s|", s->name);
    struct text without = a->claim.without_streams;
    return s->digest == a->claim.digest && text_ifind(without, text_of(name)) == without.n;
}

/* As the store chooses: a digest of all, or one mail, urgent ones first. */
static size_t take(struct rig *r, const struct gate_action *a)
{
    size_t kept = 0, one = r->count, n = 0;
    for (size_t i = 0; i < r->count; i++)
        if (takes(a, r->mails[i]) &&
            (one == r->count || r->mails[i]->urgent > r->mails[one]->urgent))
            one = i;
    for (size_t i = 0; i < r->count; i++) {
        bool goes = a->claim.digest ? takes(a, r->mails[i]) : i == one;
        if (goes)
            buf_addf(&r->left, "%s%s", n++ ? " " : r->left.len ? ", " : "", r->mails[i]->name);
        else
            r->mails[kept++] = r->mails[i];
    }
    r->count = kept;
    return n;
}

static void step(struct rig *r, struct gate_event ev);

static void carry_out(struct rig *r, const struct gate_action *a)
{
    static const struct account_outcome taken = {
        .result = ACCOUNT_ACCEPTED, .stage = STAGE_DOT, .reply = {.code = 250}};
    if (a->type == GATE_DO_VERIFY) {
        r->valid_until = r->now + TIME_HOUR_MS;
        struct verdict v = {.kind = r->kind, .found_at = r->now, .valid_until = r->valid_until};
        step(r, (struct gate_event){.type = GATE_VERDICT,
                                    .verdict = {.domain = TEXT("x.org"), .verdict = &v}});
        step(r, (struct gate_event){.type = GATE_TIMER});
        return;
    }
    T_EQ(a->type, GATE_DO_CLAIM, "nothing is dropped");
    size_t count = take(r, a);
    struct group_pending left = pending_of(r);
    tide_id id = a->claim.attempt.id;
    T_TRUE(++r->asked < 30, "claims without end");
    r->empty += count == 0;
    step(r, (struct gate_event){
                .type = GATE_CLAIMED,
                .claimed = {.attempt_id = id, .count = count, .newest_at = NOW, .left = &left}});
    if (count)
        step(r, (struct gate_event){.type = GATE_OUTCOME,
                                    .outcome = {.attempt_id = id, .outcome = &taken}});
}

static void step(struct rig *r, struct gate_event ev)
{
    struct gate_todo todo;
    gate_todo_init(&todo);
    ev.now = r->now;
    gate_step(r->gate, &ev, &todo);
    T_TRUE(!todo.failed, "memory");
    if (todo.decision.state == NOTIFICATION_HELD)
        snprintf(r->reason, sizeof r->reason, TEXT_FMT, TEXT_ARG(todo.decision.reason));
    for (size_t i = 0; i < todo.count; i++)
        carry_out(r, &todo.actions[i]);
    gate_todo_fini(&todo);
}

static void hand_in(struct rig *r, struct text stream, bool quietly)
{
    assert_true(r->count < MAILS_MAX);
    r->mails[r->count++] = &r->config->streams[config_stream_index(r->config, stream)];
    struct group_pending p = pending_of(r);
    struct recipient_state state = {.id = 1,
                                    .address = TEXT("info@x.org"),
                                    .domain = TEXT("x.org"),
                                    .verdict = {.kind = r->kind,
                                                .reason = TEXT("no answer"),
                                                .found_at = NOW,
                                                .valid_until = r->valid_until}};
    struct gate_event ev = {.type = quietly ? GATE_LOADED : GATE_ACCEPTED,
                            .accepted = {.pending = &p,
                                         .recipient = &state,
                                         .origin = {TEXT("default"), stream, TEXT("app@pm.test")},
                                         .accepted_at = NOW,
                                         .due_at = quietly ? NOW : 0}};
    step(r, ev);
}

/* `together`: all are there before the gate decides for the first time. */
static void hand_in_all(struct rig *r, const char *streams, bool together)
{
    struct text rest = text_of(streams), name;
    while (text_split(&rest, ' ', &name))
        hand_in(r, name, together);
    if (together)
        step(r, (struct gate_event){.type = GATE_TIMER});
}

static const struct {
    enum verdict_kind kind;
    const char *arrive;
    bool together;
    const char *left, *held; /* held: part of the reason; NULL: nothing is */
    int empty;               /* claims that took nothing, at most */
    const char *after;       /* what leaves once the domain is deliverable */
} cases[] = {
    {VERDICT_DELIVERABLE, "report notify", true, "report notify", NULL, 0, ""},
    {VERDICT_UNKNOWN, "report notify", true, "notify", "could not be verified", 1, "report"},
    {VERDICT_UNKNOWN, "notify report", true, "notify", "could not be verified", 1, "report"},
    {VERDICT_UNKNOWN, "report notify", false, "notify", "could not be verified", 1, "report"},
    {VERDICT_UNKNOWN, "notify report", false, "notify", "could not be verified", 0, "report"},
    {VERDICT_UNKNOWN, "report", false, "", "could not be verified", 0, "report"},
    {VERDICT_UNKNOWN, "report second notify notify", false, "notify, notify",
     "could not be verified", 3, "report second"},
    {VERDICT_UNKNOWN, "sums direct", true, "direct", "could not be verified", 1, "sums"},
    {VERDICT_UNKNOWN, "direct sums", true, "direct", "could not be verified", 1, "sums"},
    {VERDICT_UNKNOWN, "sums notify", true, "notify", "could not be verified", 1, "sums"},
    {VERDICT_UNKNOWN, "report direct", true, "direct", "could not be verified", 1, "report"},
    {VERDICT_UNKNOWN, "report urgent", true, "urgent", "could not be verified", 1, "report"},
    {VERDICT_UNKNOWN, "codes urgent", true, "urgent", "could not be verified", 1, "codes"},
    {VERDICT_UNKNOWN, "urgent codes", true, "urgent", "could not be verified", 1, "codes"},
    {VERDICT_UNKNOWN, "codes direct", true, "direct", "could not be verified", 2, "codes"},
    {VERDICT_UNKNOWN, "codes direct", false, "direct", "could not be verified", 0, "codes"},
    {VERDICT_UNKNOWN, "codes sums report notify direct urgent", true, "urgent, direct, notify",
     "could not be verified", 3, "codes, sums, report"},
    {VERDICT_RISKY, "strict notify", true, "notify", "no risky recipients", 1, "strict"},
    {VERDICT_RISKY, "notify strict", true, "notify", "no risky recipients", 1, "strict"},
    {VERDICT_RISKY, "strict urgent direct", true, "urgent, direct", "no risky recipients", 1,
     "strict"},
    {VERDICT_DELIVERABLE, "people notify", true, "notify", "this one is (role)", 1, ""},
    {VERDICT_DELIVERABLE, "notify people", false, "notify", "this one is (role)", 0, ""},
    {VERDICT_UNKNOWN, "people report notify strict", true, "notify strict", "held", 1, "report"},
};

static void test_streams_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct rig r;
        begin(&r, cases[i].kind);
        hand_in_all(&r, cases[i].arrive, cases[i].together);
        T_TEXT(buf_text(&r.left), cases[i].left, "case %zu: %s", i, cases[i].arrive);
        T_EQ(r.count > 0, cases[i].held != NULL, "case %zu", i);
        if (cases[i].held)
            T_TRUE(strstr(r.reason, cases[i].held) != NULL, "case %zu: %s", i, r.reason);
        T_TRUE(r.empty <= cases[i].empty, "case %zu: %d claims were in vain", i, r.empty);
        int asked = r.asked;
        r.now += TIME_MINUTE_MS;
        step(&r, (struct gate_event){.type = GATE_TIMER});
        T_EQ(r.asked, asked, "case %zu: what is known is not asked again", i);
        buf_clear(&r.left);
        r.kind = VERDICT_DELIVERABLE;
        r.now = r.valid_until;
        step(&r, (struct gate_event){.type = GATE_TIMER});
        T_TEXT(buf_text(&r.left), cases[i].after, "case %zu: %s, deliverable", i, cases[i].arrive);
        end(&r);
    }
}

/* Another mail may have come that the verdict does not keep; one that it keeps changes nothing. */
static void test_more_comes(void **state)
{
    (void)state;
    struct rig r;
    begin(&r, VERDICT_UNKNOWN);
    hand_in_all(&r, "report second notify", true);
    T_TEXT(buf_text(&r.left), "notify", "the one that may go");
    int asked = r.asked;
    hand_in_all(&r, "report second", false);
    T_EQ(r.asked, asked, "nothing else came");
    hand_in_all(&r, "notify", false);
    T_TEXT(buf_text(&r.left), "notify, notify", "the next");
    T_EQ(r.count, 4, "the others wait");
    end(&r);
}

/* Bulk mail of a sender that is held beside mail that the verdict keeps: no claim takes either, and
 * once the sender passes the bulk mail need not wait for the verdict. */
static void test_beside_bulk(void **state)
{
    (void)state;
    struct rig r;
    struct gate_event sender = {.type = GATE_SENDER,
                                .sender = {.domain = TEXT("pm.test"), .account = TEXT("one")}};
    begin(&r, VERDICT_UNKNOWN);
    sender.sender.reason = TEXT("no DKIM");
    step(&r, sender);
    hand_in_all(&r, "report offers", true);
    hand_in_all(&r, "codes", false);
    T_TEXT(buf_text(&r.left), "", "nothing may go");
    sender.sender.reason = TEXT("");
    step(&r, sender);
    r.now += 11 * TIME_MINUTE_MS;
    step(&r, (struct gate_event){.type = GATE_TIMER});
    T_TEXT(buf_text(&r.left), "offers", "the bulk mail alone");
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_apart),
        cmocka_unit_test(test_more_comes),
        cmocka_unit_test(test_beside_bulk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
