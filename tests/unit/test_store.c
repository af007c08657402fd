/* Accepting, keys, what comes back, views, opening and closing. */
#include "lib/check.h"
#include "lib/store_rig.h"

#include "base/buf.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct store_rig rig;

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    T_OK(rig_open(&rig), &rig.err, "open");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_fini(&rig);
    return 0;
}

static void counts(struct store_counts *ret)
{
    struct store_ask ask = {.view = STORE_VIEW_COUNTS};
    T_OK(rig_ask(&rig, &ask), &rig.err, "counts");
    *ret = ask.counts;
    arena_fini(&ask.arena);
}

/* How many an application handed in from an instant on: the ids of notifications tell it. */
static void test_accepted_since(void **state)
{
    (void)state;
    static const struct {
        const char *name, *application;
        tide_wall_ms later_ms;
        int64_t want;
    } cases[] = {
        {"all", "app", 0, 3},
        {"from the second on", "app", 1000, 1},
        {"none since", "app", 2000, 0},
        {"somebody else", "other", 0, 0},
    };
    tide_wall_ms began = atomic_load(&rig.now);
    struct mail m;
    mail_init(&rig, &m, "bruce@client.asia ann@client.asia", "Hello\r\n");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "two");
    mail_fini(&m);
    atomic_store(&rig.now, began + 1000);
    mail_init(&rig, &m, "ann@client.asia", "Hello again\r\n");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "one more, a second later");
    mail_fini(&m);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct store_ask ask = {.view = STORE_VIEW_ACCEPTED,
                                .id = id_floor(began + cases[i].later_ms),
                                .application = text_of(cases[i].application)};
        T_OK(rig_ask(&rig, &ask), &rig.err, "%s", cases[i].name);
        T_EQ(ask.count, cases[i].want, "%s", cases[i].name);
        arena_fini(&ask.arena);
    }
    struct store_ask ask = {.view = STORE_VIEW_TALLIES,
                            .id = id_floor(began),
                            .until = id_floor(began + 2000),
                            .application = TEXT("app"),
                            .step_ms = 1000};
    T_OK(rig_ask(&rig, &ask), &rig.err, "by seconds");
    T_EQ(ask.tally_count, 2, "seconds");
    T_EQ(ask.tallies[0].from, began / 1000 * 1000, "the first second");
    T_EQ(ask.tallies[0].states[NOTIFICATION_ACCEPTED], 2, "in the first");
    T_EQ(ask.tallies[1].states[NOTIFICATION_ACCEPTED], 1, "in the second");
    arena_fini(&ask.arena);
    ask.step_ms = 0;
    T_OK(rig_ask(&rig, &ask), &rig.err, "all in one");
    T_EQ(ask.tally_count, 1, "one");
    T_EQ(ask.tallies[0].states[NOTIFICATION_ACCEPTED], 3, "all");
    arena_fini(&ask.arena);
    ask.until = id_floor(began + 1000);
    T_OK(rig_ask(&rig, &ask), &rig.err, "until then");
    T_EQ(ask.tallies[0].states[NOTIFICATION_ACCEPTED], 2, "without what came later");
    arena_fini(&ask.arena);
}

/* Ids go on when the clock is put back, so that what they are asked by tells the span, too. */
static void test_tallies_when_the_clock_went_back(void **state)
{
    (void)state;
    tide_wall_ms began = atomic_load(&rig.now) / 1000 * 1000;
    struct mail m;
    for (int i = 0; i < 2; i++) {
        atomic_store(&rig.now, began - i * 5000);
        mail_init(&rig, &m, "bruce@client.asia", "Hello\r\n");
        T_OK(rig_accept(&rig, &m.req), &rig.err, "mail %d", i);
        mail_fini(&m);
    }
    struct store_ask ask = {.view = STORE_VIEW_TALLIES,
                            .id = id_floor(began),
                            .until = id_floor(began + 1000),
                            .application = TEXT("app"),
                            .step_ms = 1000};
    T_OK(rig_ask(&rig, &ask), &rig.err, "by seconds");
    T_EQ(ask.tally_count, 1, "spans");
    T_EQ(ask.tallies[0].from, began, "the span that was asked for");
    T_EQ(ask.tallies[0].states[NOTIFICATION_ACCEPTED], 2, "both");
    arena_fini(&ask.arena);
}

static void test_accept_answers_with_recipient(void **state)
{
    (void)state;
    struct mail m;
    mail_init(&rig, &m, "bruce@client.asia ann@client.asia", "Hello\r\n");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "first");
    for (size_t i = 0; i < 2; i++) {
        T_TRUE(!m.items[i].duplicate, "item %zu", i);
        T_EQ(m.items[i].pending.digestible, 1, "item %zu", i);
        T_EQ(m.items[i].pending.oldest_at, RIG_START, "item %zu", i);
        T_EQ(m.items[i].recipient.verdict.found_at, 0, "never asked, item %zu", i);
        T_TEXT(m.items[i].recipient.domain, "client.asia", "item %zu", i);
        T_EQ(m.items[i].recipient.plan.n, 0, "item %zu", i);
        T_TEXT(m.items[i].recipient.suppressed, "", "item %zu", i);
    }
    T_TRUE(m.items[0].recipient.id != m.items[1].recipient.id, "two recipients");
    int64_t bruce = m.items[0].recipient.id;
    mail_fini(&m);

    struct change changes[] = {
        {.type = CHANGE_RECIPIENT, .recipient = {bruce, {"a\0b", 3}}},
        {.type = CHANGE_VERDICT,
         .verdict = {TEXT("client.asia"),
                     {.kind = VERDICT_DELIVERABLE,
                      .provider = TEXT("qq"),
                      .provider_likely = true,
                      .reason = TEXT("has an MX"),
                      .evidence = TEXT("client.asia MX 5 mxbiz1.qq.com"),
                      .found_at = 5,
                      .valid_until = 9}}},
        {.type = CHANGE_SUPPRESS,
         .suppress = {.address = TEXT("bruce@client.asia"),
                      .cause = SUPPRESSION_INVALID,
                      .evidence = TEXT("550"),
                      .at = 1,
                      .expires_at = RIG_START + 10}},
    };
    T_OK(rig_apply(&rig, changes, 3), &rig.err, "apply");
    static const struct {
        tide_wall_ms now;
        const char *suppressed;
    } cases[] = {
        {RIG_START, "invalid|0|1800000000010|"},
        {RIG_START + 9, "invalid|0|1800000000010|"},
        {RIG_START + 10, ""},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        rig.now = cases[i].now;
        mail_init(&rig, &m, "bruce@client.asia", "Again\r\n");
        T_OK(rig_accept(&rig, &m.req), &rig.err, "again");
        struct recipient_state *r = &m.items[0].recipient;
        T_EQ(r->id, bruce, "case %zu", i);
        T_TRUE(text_eq(r->plan, (struct text){"a\0b", 3}), "plan, case %zu", i);
        T_EQ(r->verdict.kind, VERDICT_DELIVERABLE, "case %zu", i);
        T_TEXT(r->verdict.provider, "qq", "case %zu", i);
        T_TRUE(r->verdict.provider_likely, "case %zu", i);
        T_TEXT(r->verdict.evidence, "client.asia MX 5 mxbiz1.qq.com", "case %zu", i);
        T_EQ(r->verdict.valid_until, 9, "case %zu", i);
        T_TEXT(r->suppressed, cases[i].suppressed, "case %zu", i);
        T_EQ(m.items[0].pending.digestible, 2 + i, "case %zu", i);
        mail_fini(&m);
    }
    struct store_counts c;
    counts(&c);
    T_EQ(c.notifications[NOTIFICATION_ACCEPTED], 5, "accepted");
    T_EQ(c.bodies, 2, "one body for the same bytes");
    T_EQ(c.recipients, 2, "recipients");
    T_EQ(c.journal_entries, 5, "each was journalled");
    T_EQ(c.oldest_pending_at, RIG_START, "oldest");
    struct change lift = {.type = CHANGE_UNSUPPRESS,
                          .suppress = {.address = TEXT("bruce@client.asia")}};
    T_OK(rig_apply(&rig, &lift, 1), &rig.err, "unsuppress");
}

/* While DNS does not answer the provider that was found last stays, over a restart too: its limits
 * go on to apply. Any other verdict says who it is now. */
static void test_unknown_keeps_the_provider(void **state)
{
    static const struct {
        const char *name;
        enum verdict_kind kind;
        const char *provider, *want, *want_gateway;
    } cases[] = {
        {"found", VERDICT_DELIVERABLE, "qq", "qq", "filter"},
        {"no answer", VERDICT_UNKNOWN, "", "qq", "filter"},
        {"no answer again", VERDICT_UNKNOWN, "", "qq", "filter"},
        {"in doubt, and somebody else", VERDICT_UNKNOWN, "netease", "netease", "filter"},
        {"nobody known", VERDICT_DELIVERABLE, "", "", ""},
    };
    struct mail m;
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct change change = {
            .type = CHANGE_VERDICT,
            .verdict = {TEXT("client.asia"),
                        {.kind = cases[i].kind,
                         .provider = text_of(cases[i].provider),
                         .gateway = text_of(cases[i].provider[0] ? "filter" : ""),
                         .valid_until = 9}}};
        T_OK(rig_apply(&rig, &change, 1), &rig.err, "%s", cases[i].name);
        mail_init(&rig, &m, "bruce@client.asia", "Hello\r\n");
        T_OK(rig_accept(&rig, &m.req), &rig.err, "%s", cases[i].name);
        T_EQ(m.items[0].recipient.verdict.kind, cases[i].kind, "%s", cases[i].name);
        T_TEXT(m.items[0].recipient.verdict.provider, cases[i].want, "%s", cases[i].name);
        T_TEXT(m.items[0].recipient.verdict.gateway, cases[i].want_gateway, "%s", cases[i].name);
        mail_fini(&m);
    }
}

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *name, *application, *key, *to, *message;
        enum tide_err want;
        int like; /* the case whose ids are expected; -1: its own */
        const char *fingerprint;
    } cases[] = {
        {"first", "app", "k1", "a@x.example b@x.example", "one", TIDE_OK, -1, ""},
        {"the same", "app", "k1", "a@x.example b@x.example", "one", TIDE_OK, 0, ""},
        {"other body", "app", "k1", "a@x.example b@x.example", "two", TIDE_EEXIST, -1, ""},
        {"other recipients", "app", "k1", "a@x.example c@x.example", "one", TIDE_EEXIST, -1, ""},
        {"fewer recipients", "app", "k1", "a@x.example", "one", TIDE_EEXIST, -1, ""},
        {"other application", "app2", "k1", "a@x.example b@x.example", "one", TIDE_OK, -1, ""},
        {"other key", "app", "k2", "a@x.example b@x.example", "one", TIDE_OK, -1, ""},
        {"named twice", "app", "k3", "a@x.example a@x.example", "one", TIDE_OK, -1, ""},
        {"named twice again", "app", "k3", "a@x.example a@x.example", "one", TIDE_OK, 7, ""},
        {"no key", "app", "", "a@x.example b@x.example", "one", TIDE_OK, -1, ""},
        {"no key again", "app", "", "a@x.example b@x.example", "one", TIDE_OK, -1, ""},
        {"with a fingerprint", "app", "k4", "a@x.example b@x.example", "one", TIDE_OK, -1, "f"},
        {"the same one", "app", "k4", "a@x.example b@x.example", "new date", TIDE_OK, 11, "f"},
        {"another", "app", "k4", "a@x.example b@x.example", "one", TIDE_EEXIST, -1, "g"},
    };
    /* One by one, and all in the queue at once: the answers are the same. */
    for (int at_once = 0; at_once < 2; at_once++) {
        struct mail mails[TIDE_COUNT(cases)];
        enum tide_err got[TIDE_COUNT(cases)];
        tide_id own[TIDE_COUNT(cases)];
        rig.failed = 0;
        for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
            struct mail *m = &mails[i];
            mail_init(&rig, m, cases[i].to, cases[i].message);
            m->submission.application = text_of(cases[i].application);
            char key[16];
            snprintf(key, sizeof key, "%s%s", cases[i].key,
                     cases[i].key[0] && at_once ? "-at-once" : "");
            m->submission.key = arena_text(&m->req.arena, text_of(key));
            m->submission.fingerprint = text_of(cases[i].fingerprint);
            own[i] = m->items[0].id;
            m->req.done = rig_accept_done;
            m->req.arg = &rig;
            rig.left++;
            store_accept(rig.store, &m->req);
            if (!at_once)
                rig_wait(&rig);
        }
        rig_wait(&rig);
        for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
            got[i] = mails[i].req.job.rc;
            T_EQ(got[i], cases[i].want, "%s, at once %d: %s", cases[i].name, at_once,
                 mails[i].req.job.err.text);
            tide_id want = cases[i].like < 0 ? own[i] : own[cases[i].like];
            T_EQ(mails[i].items[0].id, want, "%s, at once %d", cases[i].name, at_once);
            T_EQ(mails[i].items[0].duplicate, cases[i].like >= 0, "%s", cases[i].name);
            if (cases[i].want == TIDE_EEXIST)
                T_TRUE(strstr(mails[i].req.job.err.text, cases[i].key), "names the key: %s",
                       mails[i].req.job.err.text);
        }
        T_EQ(mails[8].items[1].id, mails[7].items[1].id, "the second of a pair");
        T_TRUE(mails[8].items[1].id != mails[8].items[0].id, "has its own id");
        for (size_t i = 0; i < TIDE_COUNT(cases); i++)
            mail_fini(&mails[i]);
        T_EQ(rig.failed, 4, "refused");
    }
    struct store_counts c;
    counts(&c);
    T_EQ(c.notifications[NOTIFICATION_ACCEPTED], 2 * 14, "duplicates are stored once");
    T_EQ(c.bodies, 1, "bodies");
}

static void test_spoiled_unit_leaves_the_others(void **state)
{
    (void)state;
    struct mail m[3];
    for (int i = 0; i < 3; i++)
        mail_init(&rig, &m[i], i == 1 ? "x@x.example y@x.example" : "a@x.example", "one");
    m[1].items[1].id = m[0].items[0].id; /* an id given twice: its second row cannot be written */
    rig.failed = 0;
    for (int i = 0; i < 3; i++) {
        m[i].req.done = rig_accept_done;
        m[i].req.arg = &rig;
        rig.left++;
        store_accept(rig.store, &m[i].req);
    }
    rig_wait(&rig);
    T_EQ(rig.failed, 1, "one of three");
    T_EQ(m[1].req.job.rc, TIDE_EINVAL, "%s", m[1].req.job.err.text);
    struct store_counts c;
    counts(&c);
    T_EQ(c.notifications[NOTIFICATION_ACCEPTED], 2, "nothing of the spoiled one");
    T_EQ(c.recipients, 1, "nor its recipients");
    for (int i = 0; i < 3; i++)
        mail_fini(&m[i]);
    mail_init(&rig, &m[0], "a@x.example", "one");
    m[0].submission.recipient_count = 0;
    T_EQ(rig_accept(&rig, &m[0].req), TIDE_EINVAL, "nobody");
    mail_fini(&m[0]);
}

/* One mail for Ann with that collapse key. */
static tide_id collapsing(const char *key, const char *application, struct store_accepted *ret)
{
    struct mail m;
    rig.now++;
    mail_init(&rig, &m, "ann@a.example", key);
    m.submission.collapse_key = text_of(key);
    m.submission.application = text_of(application);
    m.submission.digestible = true;
    T_OK(rig_accept(&rig, &m.req), &rig.err, "%s", key);
    *ret = m.items[0];
    mail_fini(&m);
    return ret->id;
}

static void test_superseded(void **state)
{
    (void)state;
    struct store_accepted got;
    tide_id first = collapsing("cart", "shop", &got);
    T_EQ(got.supersedes, 0, "the first");
    tide_wall_ms first_at = rig.now;
    tide_id other = collapsing("ticket", "shop", &got);
    T_EQ(got.pending.digestible, 2, "another key is another thing");
    tide_id foreign = collapsing("cart", "forum", &got);
    T_EQ(got.supersedes, 0, "another application's");
    tide_id second = collapsing("cart", "shop", &got);
    T_EQ(got.supersedes, first, "the older one");
    T_EQ(got.pending.digestible, 2, "its place is free");
    T_EQ(got.pending.oldest_at, first_at, "and taken: nothing waits longer for it");

    struct store_ask ask = {.view = STORE_VIEW_NOTIFICATION, .id = first};
    T_OK(rig_ask(&rig, &ask), &rig.err, "first");
    T_EQ(ask.notifications[0].state, NOTIFICATION_CANCELLED, "its fate");
    T_TRUE(text_starts(ask.notifications[0].reason, TEXT("superseded by ")), "and why");
    T_TEXT(ask.notifications[0].collapse_key, "cart", "by what");
    arena_fini(&ask.arena);
    ask = (struct store_ask){.view = STORE_VIEW_WHY, .id = first};
    T_OK(rig_ask(&rig, &ask), &rig.err, "why");
    T_EQ(ask.journal_count, 2, "accepted, cancelled");
    T_TEXT(ask.journal[1].event, "cancelled", "told");
    T_TRUE(text_ifind(ask.journal[1].detail, TEXT("\"superseded_by\"")) < ask.journal[1].detail.n,
           "to programs, too");
    arena_fini(&ask.arena);

    /* What is under way cannot be superseded; what was claimed is the newest. */
    struct store_claim claim = {.attempt = {.id = id_next(&rig.ids, rig.now),
                                            .recipient_id = got.pending.recipient_id,
                                            .group_id = got.pending.group_id,
                                            .state = ATTEMPT_FLYING,
                                            .started_at = rig.now},
                                .digest = true,
                                .now = rig.now};
    T_OK(rig_claim(&rig, &claim), &rig.err, "claim");
    T_EQ(claim.notification_count, 2, "two of three");
    T_EQ(claim.notifications[0].id, second, "in the older one's place");
    T_EQ(claim.notifications[1].id, other, "then the other");
    arena_fini(&claim.arena);
    tide_id third = collapsing("cart", "shop", &got);
    T_EQ(got.supersedes, 0, "it has left");
    T_EQ(got.pending.digestible, 1, "one more");

    /* What was withdrawn is not superseded, and its place is free. */
    struct store_drop drop = {.id = third, .then = NOTIFICATION_CANCELLED, .at = rig.now};
    T_OK(rig_drop(&rig, &drop), &rig.err, "drop");
    T_EQ(drop.groups[0].digestible, 0, "free");
    T_EQ(drop.groups[0].oldest_at, 0, "nothing is pending");
    arena_fini(&drop.arena);
    collapsing("cart", "shop", &got);
    T_EQ(got.supersedes, 0, "it was withdrawn");
    T_EQ(got.pending.digestible, 1, "alone");
    (void)foreign;
}

/* After a restart a group is known with a stream of each class that is pending in it. */
static void test_load_streams(void **state)
{
    (void)state;
    static const struct {
        const char *stream;
        bool urgent, digestible;
    } mails[] = {{"comments", false, true}, {"bill", false, false}, {"reset", true, false}};
    for (size_t i = 0; i < TIDE_COUNT(mails); i++) {
        struct mail m;
        mail_init(&rig, &m, "ann@a.example", mails[i].stream);
        m.submission.stream = text_of(mails[i].stream);
        m.submission.urgent = mails[i].urgent;
        m.submission.digestible = mails[i].digestible;
        T_OK(rig_accept(&rig, &m.req), &rig.err, "%s", mails[i].stream);
        mail_fini(&m);
    }
    struct store_load load = {.most = 10};
    T_OK(rig_load(&rig, &load), &rig.err, "load");
    T_EQ(load.group_count, 1, "one group");
    T_TEXT(load.groups[0].streams[0], "reset", "urgent");
    T_TEXT(load.groups[0].streams[1], "bill", "single");
    T_TEXT(load.groups[0].streams[2], "comments", "digestible");
    arena_fini(&load.arena);
}

static void test_views(void **state)
{
    (void)state;
    tide_id ids[6];
    struct mail m;
    for (int i = 0; i < 6; i++) {
        rig.now = RIG_START + i;
        mail_init(&rig, &m, i % 2 ? "bob@b.example" : "ann@a.example", "text");
        m.submission.stream = i < 3 ? TEXT("comments") : TEXT("tasks");
        T_OK(rig_accept(&rig, &m.req), &rig.err, "mail %d", i);
        ids[i] = m.items[0].id;
        int64_t group = m.items[0].pending.group_id;
        mail_fini(&m);
        struct change hold = {.type = CHANGE_GROUP_HELD,
                              .notification = {.group_id = group,
                                               .reason = TEXT("until the reset"),
                                               .limit = TEXT("qq/day"),
                                               .due_at = RIG_START + (i % 2 ? 1000 : 2000)}};
        T_OK(rig_apply(&rig, &hold, 1), &rig.err, "hold %d", i);
    }
    struct change say[] = {
        {.type = CHANGE_JOURNAL,
         .journal = {.at = 7,
                     .recipient_id = 1,
                     .notification_id = ids[0],
                     .event = TEXT("held"),
                     .sentence = TEXT("because"),
                     .group_id = 1,
                     .detail = TEXT("{\"limit\":\"qq/day\"}")}},
        {.type = CHANGE_JOURNAL,
         .journal = {.at = 8, .recipient_id = 1, .event = TEXT("planned"), .sentence = TEXT("")}},
    };
    T_OK(rig_apply(&rig, say, 2), &rig.err, "journal");

    /* Bob's are due first, each one's in order; pages of two. */
    static const int order[] = {1, 3, 5, 0, 2, 4};
    struct store_ask ask = {.view = STORE_VIEW_QUEUE, .most = 2};
    char after[160];
    for (size_t seen = 0; seen < 6; seen += 2) {
        T_OK(rig_ask(&rig, &ask), &rig.err, "queue");
        T_EQ(ask.notification_count, 2, "page at %zu", seen);
        for (size_t i = 0; i < 2; i++) {
            const struct notification *n = &ask.notifications[i];
            T_EQ(n->id, ids[order[seen + i]], "place %zu", seen + i);
            T_EQ(n->state, NOTIFICATION_HELD, "held by its group, place %zu", seen + i);
            T_TEXT(n->reason, "until the reset", "place %zu", seen + i);
            T_TEXT(n->limit, "qq/day", "place %zu", seen + i);
        }
        T_EQ(ask.next.n == 0, seen == 4, "cursor after %zu", seen);
        snprintf(after, sizeof after, TEXT_FMT, TEXT_ARG(ask.next));
        arena_fini(&ask.arena);
        ask.after = text_of(after);
    }
    static const struct {
        const char *name, *recipient, *domain, *stream;
        size_t want;
    } filters[] = {
        {"recipient", "ann@a.example", "", "", 3}, {"nobody", "eve@a.example", "", "", 0},
        {"domain", "", "b.example", "", 3},        {"stream", "", "", "tasks", 3},
        {"both", "ann@a.example", "", "tasks", 1}, {"all", "", "", "", 6},
    };
    for (size_t i = 0; i < TIDE_COUNT(filters); i++) {
        ask = (struct store_ask){.view = STORE_VIEW_QUEUE,
                                 .recipient = text_of(filters[i].recipient),
                                 .domain = text_of(filters[i].domain),
                                 .stream = text_of(filters[i].stream)};
        T_OK(rig_ask(&rig, &ask), &rig.err, "%s", filters[i].name);
        T_EQ(ask.notification_count, filters[i].want, "%s", filters[i].name);
        arena_fini(&ask.arena);
    }
    ask = (struct store_ask){.view = STORE_VIEW_QUEUE, .after = TEXT("1.2.x")};
    T_EQ(rig_ask(&rig, &ask), TIDE_EINVAL, "a cursor that is none");
    arena_fini(&ask.arena);

    /* why: by recipient in order and in pages, by id, newest first page. */
    ask = (struct store_ask){.view = STORE_VIEW_WHY, .recipient = TEXT("ann@a.example")};
    T_OK(rig_ask(&rig, &ask), &rig.err, "why");
    T_EQ(ask.journal_count, 5, "three accepted, two said");
    for (size_t i = 1; i < ask.journal_count; i++)
        T_TRUE(ask.journal[i].seq > ask.journal[i - 1].seq, "in order at %zu", i);
    T_TEXT(ask.journal[0].event, "accepted", "first");
    T_TEXT(ask.journal[0].sentence, "accepted by test from application app in stream comments",
           "first");
    T_TEXT(ask.journal[0].detail, "", "what is accepted says nothing more");
    T_EQ(ask.journal[0].group_id, ask.notifications[0].group_id, "its group");
    T_TEXT(ask.journal[3].detail, "{\"limit\":\"qq/day\"}", "for programs");
    T_EQ(ask.journal[3].group_id, 1, "whose it is");
    T_TEXT(ask.journal[4].event, "planned", "last");
    T_EQ(ask.notification_count, 3, "those spoken of");
    T_TRUE(ask.recipient_row, "known");
    arena_fini(&ask.arena);
    ask = (struct store_ask){.view = STORE_VIEW_WHY, .id = ids[0]};
    T_OK(rig_ask(&rig, &ask), &rig.err, "why id");
    T_EQ(ask.journal_count, 2, "what is said of it");
    T_TEXT(ask.journal[1].sentence, "because", "of it");
    T_EQ(ask.notification_count, 1, "itself");
    arena_fini(&ask.arena);
    ask = (struct store_ask){
        .view = STORE_VIEW_WHY, .recipient = TEXT("ann@a.example"), .most = 2, .newest = true};
    T_OK(rig_ask(&rig, &ask), &rig.err, "why newest");
    T_EQ(ask.journal_count, 2, "newest");
    T_TEXT(ask.journal[0].event, "held", "newest, still in order");
    T_EQ(ask.next.n, 0, "no cursor");
    arena_fini(&ask.arena);
    ask = (struct store_ask){.view = STORE_VIEW_WHY, .recipient = TEXT("ann@a.example"), .most = 3};
    T_OK(rig_ask(&rig, &ask), &rig.err, "why page");
    snprintf(after, sizeof after, TEXT_FMT, TEXT_ARG(ask.next));
    arena_fini(&ask.arena);
    ask.after = text_of(after);
    T_OK(rig_ask(&rig, &ask), &rig.err, "why page 2");
    T_EQ(ask.journal_count, 2, "the rest");
    T_EQ(ask.next.n, 0, "the end");
    arena_fini(&ask.arena);
    ask = (struct store_ask){.view = STORE_VIEW_WHY, .recipient = TEXT("eve@a.example")};
    T_OK(rig_ask(&rig, &ask), &rig.err, "why nobody");
    T_TRUE(!ask.recipient_row && ask.journal_count == 0, "nobody by that name");
    arena_fini(&ask.arena);
    ask = (struct store_ask){.view = STORE_VIEW_NOTIFICATION, .id = ids[5]};
    T_OK(rig_ask(&rig, &ask), &rig.err, "one");
    T_TEXT(ask.notifications[0].recipient_normal, "bob@b.example", "one");
    T_TEXT(ask.notifications[0].stream, "tasks", "one");
    T_TRUE(!ask.notifications[0].message.p, "without its message");
    arena_fini(&ask.arena);
    ask = (struct store_ask){.view = STORE_VIEW_NOTIFICATION, .id = 12345};
    T_EQ(rig_ask(&rig, &ask), TIDE_ENOENT, "none");
    arena_fini(&ask.arena);
}

static void test_load_in_pieces(void **state)
{
    (void)state;
    char to[32];
    for (int i = 0; i < 25; i++) {
        snprintf(to, sizeof to, "r%d@x.example", i);
        T_TRUE(rig_mail(&rig, to, "text", "digestible"), "mail %d: %s", i, rig.err.text);
    }
    struct change ledger[] = {
        {.type = CHANGE_LEDGER, .ledger = {TEXT("qq"), TEXT("1")}},
        {.type = CHANGE_LEDGER, .ledger = {TEXT("ses"), TEXT("2")}},
        {.type = CHANGE_LEDGER, .ledger = {TEXT("qq"), TEXT("3")}},
    };
    T_OK(rig_apply(&rig, ledger, 3), &rig.err, "ledger");
    rig_close(&rig);
    T_OK(rig_open(&rig), &rig.err, "again");
    size_t seen = 0;
    int64_t after = 0;
    for (;;) {
        struct store_load load = {.after_group_id = after, .most = 10};
        T_OK(rig_load(&rig, &load), &rig.err, "load after %lld", (long long)after);
        for (size_t i = 0; i < load.group_count; i++, seen++) {
            snprintf(to, sizeof to, "r%zu@x.example", seen);
            T_TEXT(load.groups[i].recipient.address, to, "group %zu", seen);
            T_EQ(load.groups[i].pending.digestible, 1, "group %zu", seen);
            T_TEXT(load.groups[i].streams[2], "comments", "group %zu", seen);
            T_EQ(load.groups[i].due_at, 0, "to be planned now");
            T_TRUE(load.groups[i].pending.group_id > after, "rising");
            after = load.groups[i].pending.group_id;
        }
        if (load.after_group_id == 0) {
            T_EQ(load.ledger_count, 2, "subjects");
            T_TEXT(load.ledger[0].blob, "3", "the last of qq counts");
        } else
            T_EQ(load.ledger_count, 0, "only at first");
        size_t n = load.group_count;
        arena_fini(&load.arena);
        if (n < 10)
            break;
    }
    T_EQ(seen, 25, "all");
}

/* -- Opening ------------------------------------------------------------------------------------
 */

static void test_second_daemon(void **state)
{
    (void)state;
    struct store *second;
    struct tide_error err;
    T_EQ(store_open(&rig.loop, &rig.options, &second, &err), TIDE_EBUSY, "held");
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld;", (long)getpid());
    T_TRUE(strstr(err.text, rig.path) && strstr(err.text, pid), "says who: %s", err.text);
    rig_close(&rig);
    T_OK(rig_open(&rig), &rig.err, "free again");
}

static void write_at(const char *path, off_t at, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    T_TRUE(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n, "write %s", path);
    close(fd);
}

static void exec_sql(const char *sql)
{
    sqlite3 *db;
    char *text = NULL;
    T_EQ(sqlite3_open(rig.path, &db), SQLITE_OK, "open");
    T_EQ(sqlite3_exec(db, sql, NULL, NULL, &text), SQLITE_OK, "%s: %s", sql, text ? text : "");
    sqlite3_close(db);
}

static void test_files_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *sql, *bytes;
        off_t at;
        enum tide_err want;
        const char *says;
    } cases[] = {
        {"newer", "PRAGMA user_version = 99", NULL, 0, TIDE_ESTATE, "schema version 99"},
        {"another program's", "PRAGMA application_id = 77; PRAGMA user_version = 0", NULL, 0,
         TIDE_ECORRUPT, "another program's"},
        {"no database", NULL, "This is not a database at all.\n", 0, TIDE_ECORRUPT,
         "not a database"},
        /* the b-tree header of page 3, where a table's or an index's root is */
        {"damaged page", NULL, "\xff\xff\xff\xff\xff\xff\xff\xff", 2 * 8192, TIDE_ECORRUPT,
         "damaged"},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        rig_close(&rig);
        rig_fini(&rig);
        rig_init(&rig);
        T_OK(rig_open(&rig), &rig.err, "%s", cases[i].name);
        T_TRUE(rig_mail(&rig, "a@x.example", "text", "single"), "%s", cases[i].name);
        rig_close(&rig);
        if (cases[i].sql)
            exec_sql(cases[i].sql);
        else
            write_at(rig.path, cases[i].at, cases[i].bytes, strlen(cases[i].bytes));
        T_EQ(rig_open(&rig), cases[i].want, "%s: %s", cases[i].name, rig.err.text);
        T_TRUE(strstr(rig.err.text, cases[i].says) && strstr(rig.err.text, rig.path) &&
                   strstr(rig.err.text, "Nothing was changed"),
               "%s: %s", cases[i].name, rig.err.text);
        T_EQ(access(rig.path, F_OK), 0, "%s: still there", cases[i].name);
    }
}

static void test_damage_found_while_running(void **state)
{
    (void)state;
    T_TRUE(rig_mail(&rig, "a@x.example", "text", "single"), "mail");
    rig_close(&rig);
    write_at(rig.path, 2 * 8192, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    rig.options.check_bytes_max = 1; /* too large to be checked before it is used */
    T_OK(rig_open(&rig), &rig.err, "is opened");
    struct store_health health;
    do {
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        store_health(rig.store, &health);
    } while (health.condition == STORE_OK); /* bounded by the run's own time limit */
    T_EQ(health.condition, STORE_FAILED, "found");
    T_TRUE(strstr(health.text, rig.path) && strstr(health.text, "damaged"), "%s", health.text);
    T_EQ(rig_mail(&rig, "b@x.example", "text", "single"), 0, "takes nothing more");
    T_EQ(rig.rc, TIDE_ECORRUPT, "%s", rig.err.text);
}

static void test_close_finishes_what_is_queued(void **state)
{
    (void)state;
    struct mail mails[100];
    rig.failed = 0;
    for (size_t i = 0; i < TIDE_COUNT(mails); i++) {
        mail_init(&rig, &mails[i], "a@x.example", "text");
        mails[i].req.done = rig_accept_done;
        mails[i].req.arg = &rig;
        rig.left++;
        store_accept(rig.store, &mails[i].req);
    }
    rig_close(&rig);
    T_EQ(rig.left, 0, "each came back before the close did");
    T_EQ(rig.failed, 0, "none failed: %s", rig.err.text);
    for (size_t i = 0; i < TIDE_COUNT(mails); i++)
        mail_fini(&mails[i]);
    T_OK(rig_open(&rig), &rig.err, "again");
    T_EQ(store_last_id(rig.store), mails[99].items[0].id, "last id");
    struct store_counts c;
    counts(&c);
    T_EQ(c.notifications[NOTIFICATION_ACCEPTED], 100, "all there");
}

/* -- Killed -------------------------------------------------------------------------------------
 */

#define KILL_ROUNDS 20

/* The child starts threads after a fork of a program with threads, which the thread sanitizer
 * otherwise refuses. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

/* Accepts without end, eight at once, and tells each id that was acknowledged. */
struct killed {
    struct store_rig *rig;
    int fd;
    struct mail mail;
};

static void on_killed_accepted(struct store_accept *req,
                               enum tide_err rc,
                               const struct tide_error *err)
{
    struct killed *k = req->arg;
    (void)err;
    if (rc != TIDE_OK)
        _exit(3);
    tide_id id = k->mail.items[0].id;
    if (write(k->fd, &id, sizeof id) != sizeof id)
        _exit(4);
    mail_fini(&k->mail);
    mail_init(k->rig, &k->mail, "a@x.example", "text");
    k->mail.req.done = on_killed_accepted;
    k->mail.req.arg = k;
    store_accept(k->rig->store, &k->mail.req);
}

static void child(struct store_rig *r, int fd)
{
    static struct killed killed[8];
    if (uv_loop_init(&r->loop) != 0 || rig_open(r) != TIDE_OK)
        _exit(2);
    for (size_t i = 0; i < TIDE_COUNT(killed); i++) {
        struct killed *k = &killed[i];
        *k = (struct killed){.rig = r, .fd = fd};
        mail_init(r, &k->mail, "a@x.example", "text");
        k->mail.req.done = on_killed_accepted;
        k->mail.req.arg = k;
        store_accept(r->store, &k->mail.req);
    }
    uv_run(&r->loop, UV_RUN_DEFAULT);
    _exit(5);
}

static void check_there(tide_id id, int round)
{
    struct store_ask ask = {.view = STORE_VIEW_NOTIFICATION, .id = id};
    T_OK(rig_ask(&rig, &ask), &rig.err, "acknowledged in round %d", round);
    arena_fini(&ask.arena);
}

static void test_killed_at_any_moment(void **state)
{
    (void)state;
    uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 20261121;
    unsigned at = (unsigned)seed;
    size_t total = 0;
    rig_close(&rig);
    for (int round = 0; round < KILL_ROUNDS; round++) {
        int fds[2];
        tide_id ids[400];
        at = at * 1103515245u + 12345u;
        size_t want = 1 + (at >> 16) % 300, n = 0;
        T_EQ(pipe(fds), 0, "pipe");
        pid_t pid = fork();
        T_TRUE(pid >= 0, "fork");
        if (pid == 0) {
            close(fds[0]);
            child(&rig, fds[1]);
        }
        close(fds[1]);
        while (n < want && read(fds[0], &ids[n], sizeof ids[0]) == sizeof ids[0])
            n++;
        kill(pid, SIGKILL);
        while (n < TIDE_COUNT(ids) && read(fds[0], &ids[n], sizeof ids[0]) == sizeof ids[0])
            n++;
        close(fds[0]);
        int status = 0;
        waitpid(pid, &status, 0);
        T_TRUE(WIFSIGNALED(status), "SEED=%llu round %d: the child ended by itself: %d",
               (unsigned long long)seed, round, status);
        T_OK(rig_open(&rig), &rig.err, "SEED=%llu round %d", (unsigned long long)seed, round);
        for (size_t i = 0; i < n; i++)
            check_there(ids[i], round);
        total += n;
        struct store_counts c;
        counts(&c);
        T_TRUE((size_t)c.notifications[NOTIFICATION_ACCEPTED] >= total, "round %d: counted", round);
        rig_close(&rig);
    }
}

/* Under steady writing of 30 MB, with a log of 256 kB: it is copied back beside the writer, again
 * and again, and begun anew; it grows by little more than what comes while one copying runs. */
static void test_log_is_copied_back_meanwhile(void **state)
{
    (void)state;
    enum { LOG_BYTES = 256 << 10, MESSAGE_BYTES = 32 << 10, MESSAGES = 200 };
    char log[120], *message = calloc(1, MESSAGE_BYTES);
    struct stat st;
    tide_id ids[MESSAGES];
    rig_close(&rig);
    rig.options.log_bytes_max = LOG_BYTES;
    T_OK(rig_open(&rig), &rig.err, "open");
    snprintf(log, sizeof log, "%s-wal", rig.path);
    memset(message, 'x', MESSAGE_BYTES - 1);
    for (int i = 0; i < MESSAGES; i++) {
        message[i] = 'y';
        ids[i] = rig_mail(&rig, "ann@a.example", message, "digestible");
        T_TRUE(ids[i] != 0, "message %d: %s", i, rig.err.text);
        T_EQ(stat(log, &st), 0, "the log, message %d", i);
        T_TRUE(st.st_size <= 16 * LOG_BYTES, "message %d: a log of %lld bytes", i,
               (long long)st.st_size);
    }
    rig_close(&rig);
    T_OK(rig_open(&rig), &rig.err, "open again");
    struct store_counts c;
    counts(&c);
    T_EQ(c.notifications[NOTIFICATION_ACCEPTED], MESSAGES, "all are there");
    T_EQ(c.bodies, MESSAGES, "each with its body");
    check_there(ids[MESSAGES - 1], 0);
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_accepted_since, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tallies_when_the_clock_went_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accept_answers_with_recipient, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_keeps_the_provider, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spoiled_unit_leaves_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_superseded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_views, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_daemon, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_that_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_found_while_running, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_finishes_what_is_queued, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_any_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_is_copied_back_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
