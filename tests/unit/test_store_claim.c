/* Claims, ends of attempts, drops, and that a group's books are right after anything. */
#include "lib/check.h"
#include "lib/store_rig.h"

#include "base/rng.h"

#include <sqlite3.h>
#include <stdlib.h>

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

/* One mail of a class and priority, 10 ms after the one before. */
static tide_id mail(const char *to,
                    const char *message,
                    const char *class,
                    int priority,
                    tide_wall_ms not_before,
                    struct group_pending *ret)
{
    struct mail m;
    rig.now += 10;
    mail_init(&rig, &m, to, message);
    m.submission.urgent = strcmp(class, "urgent") == 0;
    m.submission.digestible = strcmp(class, "digestible") == 0;
    m.submission.priority = priority;
    m.submission.not_before = not_before;
    T_OK(rig_accept(&rig, &m.req), &rig.err, "accept");
    if (ret)
        *ret = m.items[0].pending;
    mail_fini(&m);
    return m.items[0].id;
}

static struct store_claim claim_of(const struct group_pending *p)
{
    return (struct store_claim){.attempt = {.id = id_next(&rig.ids, rig.now),
                                            .recipient_id = p->recipient_id,
                                            .group_id = p->group_id,
                                            .account = TEXT("sendgrid"),
                                            .provider = TEXT("qq"),
                                            .message_id = TEXT("<out@app.example>"),
                                            .started_at = rig.now},
                                .now = rig.now};
}

static struct notification *look(struct store_ask *ask, tide_id id)
{
    *ask = (struct store_ask){.view = STORE_VIEW_NOTIFICATION, .id = id};
    T_OK(rig_ask(&rig, ask), &rig.err, "look");
    return ask->notifications;
}

static enum notification_state state_of(tide_id id)
{
    struct store_ask ask;
    enum notification_state s = look(&ask, id)->state;
    arena_fini(&ask.arena);
    return s;
}

static void test_what_is_claimed(void **state)
{
    (void)state;
    struct group_pending p;
    tide_id ids[8];
    const tide_wall_ms later = RIG_START + TIME_HOUR_MS;
    ids[0] = mail("a@x.example", "digest one", "digestible", 5, 0, &p);
    ids[1] = mail("a@x.example", "single", "single", 5, 0, &p);
    ids[2] = mail("a@x.example", "single first", "single", 1, 0, &p);
    ids[3] = mail("a@x.example", "urgent", "urgent", 9, 0, &p);
    ids[4] = mail("a@x.example", "digest two", "digestible", 5, 0, &p);
    ids[5] = mail("a@x.example", "digest three", "digestible", 2, 0, &p);
    ids[6] = mail("a@x.example", "digest later", "digestible", 0, later, &p);
    ids[7] = mail("a@x.example", "urgent later", "urgent", 0, later, &p);
    T_EQ(p.urgent, 2, "urgent");
    T_EQ(p.single, 2, "single");
    T_EQ(p.digestible, 4, "digestible");
    T_EQ(p.not_before, later, "not before");
    static const struct {
        const char *name;
        bool by_hand, digest;
        size_t most, bytes_max;
        int only; /* index, -1 none */
        int want[5];
    } cases[] = {
        /* Each goes back to HELD afterwards, so every case meets all eight. */
        {"urgent first", false, false, 0, 0, -1, {3, -1}},
        {"digest: priority, then age", false, true, 0, 0, -1, {5, 0, 4, -1}},
        {"at most two", false, true, 2, 0, -1, {5, 0, -1}},
        {"at most 22 bytes", false, true, 0, 22, -1, {5, 0, -1}},
        {"the first whatever its size", false, true, 0, 1, -1, {5, -1}},
        {"only this", false, false, 0, 0, 1, {1, -1}},
        {"only this, whatever its class", false, true, 0, 0, 4, {4, -1}},
        {"only this, not yet", false, false, 0, 0, 7, {-1}},
        {"only this, by hand", true, false, 0, 0, 7, {7, -1}},
        {"urgent first, by hand", true, false, 0, 0, -1, {7, -1}},
        {"a digest by hand", true, true, 0, 0, -1, {6, 5, 0, 4, -1}},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct store_claim claim = claim_of(&p);
        claim.digest = cases[i].digest;
        claim.by_hand = cases[i].by_hand;
        claim.most = cases[i].most;
        claim.bytes_max = cases[i].bytes_max;
        claim.only = cases[i].only >= 0 ? ids[cases[i].only] : 0;
        T_OK(rig_claim(&rig, &claim), &rig.err, "%s", cases[i].name);
        size_t n = 0;
        for (; cases[i].want[n] >= 0; n++) {
            T_TRUE(n < claim.notification_count, "%s: only %zu", cases[i].name, n);
            const struct notification *c = &claim.notifications[n];
            T_EQ(c->id, ids[cases[i].want[n]], "%s: place %zu", cases[i].name, n);
            T_EQ(c->state, NOTIFICATION_RELEASING, "%s: place %zu", cases[i].name, n);
            T_EQ(c->attempt_id, claim.attempt.id, "%s: place %zu", cases[i].name, n);
            T_TRUE(c->message.n > 0, "%s: with its message", cases[i].name);
        }
        T_EQ(claim.notification_count, n, "%s", cases[i].name);
        T_EQ(claim.left.urgent + claim.left.single + claim.left.digestible, 8 - n, "%s: left",
             cases[i].name);
        struct change back = {.type = CHANGE_ATTEMPT,
                              .attempt = {.id = claim.attempt.id,
                                          .state = ATTEMPT_DEFERRED,
                                          .reply = TEXT("450 later"),
                                          .ended_at = rig.now,
                                          .then = NOTIFICATION_HELD,
                                          .reason = TEXT("450 later"),
                                          .due_at = later}};
        struct store_apply apply = {
            .changes = &back, .count = 1, .at = rig.now, .done = rig_apply_done, .arg = &rig};
        rig.left++;
        store_apply(rig.store, &apply);
        rig_wait(&rig);
        T_OK(rig.rc, &rig.err, "%s", cases[i].name);
        T_EQ(apply.group_count, n > 0, "%s: the group is told", cases[i].name);
        if (n > 0)
            T_EQ(apply.groups[0].digestible, 4, "%s: all back", cases[i].name);
        arena_fini(&apply.arena);
        arena_fini(&claim.arena);
    }
    struct store_ask ask;
    T_EQ(look(&ask, ids[5])->attempts, 5, "tries are counted");
    T_TEXT(ask.notifications->reason, "450 later", "reason");
    arena_fini(&ask.arena);
}

static void test_claim_charges_or_does_nothing(void **state)
{
    (void)state;
    struct group_pending p;
    tide_id id = mail("a@x.example", "text", "single", 5, 0, &p);
    for (int round = 0; round < 2; round++) {
        struct change charge[] = {
            {.type = CHANGE_LEDGER, .ledger = {TEXT("qq"), round ? TEXT("2") : TEXT("1")}},
            {.type = CHANGE_RECIPIENT, .recipient = {p.recipient_id, TEXT("plan")}},
            {.type = CHANGE_JOURNAL,
             .journal = {.at = rig.now,
                         .recipient_id = p.recipient_id,
                         .event = TEXT("released"),
                         .sentence = TEXT("")}},
        };
        struct store_claim claim = claim_of(&p);
        claim.changes = charge;
        claim.change_count = TIDE_COUNT(charge);
        T_OK(rig_claim(&rig, &claim), &rig.err, "round %d", round);
        T_EQ(claim.notification_count, round == 0, "nothing is left for the second");
        T_EQ(claim.left.single, 0, "left");
        T_EQ(claim.left.oldest_at, 0, "nothing pending");
        arena_fini(&claim.arena);
    }
    struct store_load load = {.most = 10};
    T_OK(rig_load(&rig, &load), &rig.err, "load");
    T_EQ(load.flying_count, 1, "one attempt");
    T_TEXT(load.ledger[0].blob, "1", "charged once");
    T_EQ(load.group_count, 1, "in flight counts as something");
    T_EQ(load.groups[0].pending.single, 0, "but not as pending");
    T_TEXT(load.groups[0].recipient.plan, "plan", "plan");
    tide_id attempt = load.flying[0].id;
    arena_fini(&load.arena);

    /* Unknown fate, across a restart, then found to be accepted; a second end changes nothing. */
    struct change end = {.type = CHANGE_ATTEMPT,
                         .attempt = {.id = attempt,
                                     .state = ATTEMPT_UNKNOWN,
                                     .reply = TEXT("connection lost"),
                                     .ended_at = rig.now,
                                     .then = NOTIFICATION_RELEASING}};
    T_OK(rig_apply(&rig, &end, 1), &rig.err, "unknown");
    T_EQ(state_of(id), NOTIFICATION_RELEASING, "stays");
    rig_close(&rig);
    T_OK(rig_open(&rig), &rig.err, "again");
    T_TRUE(store_last_id(rig.store) >= attempt, "attempts' ids count too");
    load = (struct store_load){.most = 10};
    T_OK(rig_load(&rig, &load), &rig.err, "load");
    T_EQ(load.flying_count, 1, "not settled yet");
    T_EQ(load.flying[0].state, ATTEMPT_UNKNOWN, "its state");
    arena_fini(&load.arena);
    end.attempt.state = ATTEMPT_ACCEPTED;
    end.attempt.then = NOTIFICATION_SENT;
    T_OK(rig_apply(&rig, &end, 1), &rig.err, "accepted");
    T_EQ(state_of(id), NOTIFICATION_SENT, "sent");
    end.attempt.then = NOTIFICATION_HELD;
    T_OK(rig_apply(&rig, &end, 1), &rig.err, "too late");
    T_EQ(state_of(id), NOTIFICATION_SENT, "has met its fate");
    load = (struct store_load){.most = 10};
    T_OK(rig_load(&rig, &load), &rig.err, "load");
    T_EQ(load.flying_count + load.group_count, 0, "all done");
    arena_fini(&load.arena);

    struct store_ask ask = {.view = STORE_VIEW_WHY, .id = attempt};
    T_OK(rig_ask(&rig, &ask), &rig.err, "why of an attempt");
    T_EQ(ask.attempt_count, 1, "itself");
    T_EQ(ask.notification_count, 1, "what it carried");
    arena_fini(&ask.arena);
}

/* What was abandoned may have arrived, and everything tried with it or after it may be a double. */
static void test_may_be_double(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum attempt_state end;
        bool fresh; /* a mail that was never tried comes in before this attempt */
        bool want;
    } cases[] = {
        {"first try", ATTEMPT_DEFERRED, true, false},
        {"after a refusal for now", ATTEMPT_ABANDONED, false, false},
        {"after no news", ATTEMPT_DEFERRED, false, true},
        {"still, after a refusal for now", ATTEMPT_DEFERRED, false, true},
        {"a digest with one of these", ATTEMPT_ACCEPTED, true, true},
        {"others of the recipient", ATTEMPT_ACCEPTED, true, false},
    };
    struct group_pending p;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        if (cases[i].fresh)
            mail("a@x.example", "text", "digestible", 5, 0, &p);
        struct store_claim claim = claim_of(&p);
        claim.digest = true;
        T_OK(rig_claim(&rig, &claim), &rig.err, "%s", cases[i].name);
        T_EQ(claim.attempt.retry_of_unknown, cases[i].want, "%s: told", cases[i].name);
        struct store_ask ask = {.view = STORE_VIEW_WHY, .id = claim.attempt.id};
        T_OK(rig_ask(&rig, &ask), &rig.err, "%s", cases[i].name);
        T_EQ(ask.attempts[0].retry_of_unknown, cases[i].want, "%s: kept", cases[i].name);
        arena_fini(&ask.arena);
        bool again = cases[i].end != ATTEMPT_ACCEPTED;
        struct change end = {.type = CHANGE_ATTEMPT,
                             .attempt = {.id = claim.attempt.id,
                                         .state = cases[i].end,
                                         .ended_at = rig.now,
                                         .then = again ? NOTIFICATION_HELD : NOTIFICATION_SENT}};
        T_OK(rig_apply(&rig, &end, 1), &rig.err, "%s: end", cases[i].name);
        arena_fini(&claim.arena);
    }
}

static void test_fates(void **state)
{
    (void)state;
    static const struct {
        enum notification_state from, to;
        bool may;
    } cases[] = {
        {NOTIFICATION_ACCEPTED, NOTIFICATION_HELD, true},
        {NOTIFICATION_ACCEPTED, NOTIFICATION_REFUSED, true},
        {NOTIFICATION_HELD, NOTIFICATION_EXPIRED, true},
        {NOTIFICATION_SENT, NOTIFICATION_DELIVERED, true},
        {NOTIFICATION_SENT, NOTIFICATION_COMPLAINED, true},
        {NOTIFICATION_DELIVERED, NOTIFICATION_BOUNCED, true},
        {NOTIFICATION_BOUNCED, NOTIFICATION_DELIVERED, true},
        {NOTIFICATION_SENT, NOTIFICATION_HELD, false},
        {NOTIFICATION_SENT, NOTIFICATION_CANCELLED, false},
        {NOTIFICATION_CANCELLED, NOTIFICATION_HELD, false},
        {NOTIFICATION_CANCELLED, NOTIFICATION_SENT, false},
        {NOTIFICATION_REFUSED, NOTIFICATION_EXPIRED, false},
        {NOTIFICATION_COMPLAINED, NOTIFICATION_DELIVERED, false},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        tide_id id = mail("a@x.example", "text", "single", 5, 0, NULL);
        enum notification_state steps[] = {cases[i].from, cases[i].to};
        for (size_t k = 0; k < 2; k++) {
            struct change move = {.type = CHANGE_NOTIFICATION,
                                  .notification = {.id = id, .state = steps[k]}};
            T_OK(rig_apply(&rig, &move, 1), &rig.err, "case %zu", i);
        }
        T_EQ(state_of(id), cases[i].may ? cases[i].to : cases[i].from, "case %zu", i);
    }
}

static void test_drops(void **state)
{
    (void)state;
    struct group_pending p;
    tide_id a = mail("a@x.example", "text", "single", 5, 0, &p);
    mail("a@x.example", "text", "digestible", 5, 0, &p);
    struct store_drop drop = {.id = a,
                              .then = NOTIFICATION_CANCELLED,
                              .reason = TEXT("cancelled by the application"),
                              .at = rig.now};
    T_OK(rig_drop(&rig, &drop), &rig.err, "by id");
    T_EQ(drop.dropped_count, 1, "by id");
    T_EQ(drop.dropped[0].state, NOTIFICATION_CANCELLED, "by id");
    T_EQ(drop.group_count, 1, "by id");
    T_EQ(drop.groups[0].single, 0, "by id");
    T_EQ(drop.groups[0].digestible, 1, "by id");
    arena_fini(&drop.arena);
    T_EQ(rig_drop(&rig, &drop), TIDE_ESTATE, "twice");
    T_TRUE(strstr(rig.err.text, "is cancelled"), "says what it is: %s", rig.err.text);
    arena_fini(&drop.arena);
    drop.id = 4711;
    T_EQ(rig_drop(&rig, &drop), TIDE_ENOENT, "none");
    arena_fini(&drop.arena);

    /* With the others that got the same mail, but not who got another. */
    struct mail many;
    mail_init(&rig, &many, "w1@x.example w2@x.example w3@y.example", "text");
    T_OK(rig_accept(&rig, &many.req), &rig.err, "many");
    tide_id first = many.items[0].id, last = many.items[2].id;
    mail_fini(&many);
    mail("w2@x.example", "another", "digestible", 5, 0, &p);
    drop = (struct store_drop){.id = last, .then = NOTIFICATION_CANCELLED, .at = rig.now};
    T_OK(rig_drop(&rig, &drop), &rig.err, "one of them");
    arena_fini(&drop.arena);
    drop = (struct store_drop){
        .id = first, .whole = true, .then = NOTIFICATION_CANCELLED, .at = rig.now};
    T_OK(rig_drop(&rig, &drop), &rig.err, "the rest");
    T_EQ(drop.dropped_count, 2, "who was dropped before is not again");
    T_EQ(drop.group_count, 2, "their groups");
    arena_fini(&drop.arena);

    /* Late ones: with a deadline up to then, of a stream that drops. */
    static const struct {
        tide_wall_ms deadline;
        bool drop_late;
    } late[] = {{100, true}, {100, false}, {300, true}, {0, true}};
    struct mail m;
    for (size_t i = 0; i < TIDE_COUNT(late); i++) {
        mail_init(&rig, &m, "late@x.example", "text");
        m.submission.deadline_at = late[i].deadline ? RIG_START + late[i].deadline : 0;
        m.submission.drop_late = late[i].drop_late;
        T_OK(rig_accept(&rig, &m.req), &rig.err, "late %zu", i);
        p = m.items[0].pending;
        mail_fini(&m);
    }
    T_EQ(p.deadline_at, RIG_START + 100, "the earliest deadline");
    drop = (struct store_drop){.group_id = p.group_id,
                               .late_at = RIG_START + 200,
                               .then = NOTIFICATION_EXPIRED,
                               .reason = TEXT("too late"),
                               .at = rig.now};
    T_OK(rig_drop(&rig, &drop), &rig.err, "late");
    T_EQ(drop.dropped_count, 1, "late");
    T_EQ(drop.groups[0].digestible, 3, "the others stay");
    arena_fini(&drop.arena);

    /* A recipient's, over two applications; what is in flight stays. */
    mail_init(&rig, &m, "late@x.example", "text");
    m.submission.application = TEXT("other");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "other application");
    mail_fini(&m);
    struct store_claim claim = claim_of(&p);
    claim.digest = true;
    claim.most = 1;
    T_OK(rig_claim(&rig, &claim), &rig.err, "claim");
    tide_id flying = claim.notifications[0].id;
    arena_fini(&claim.arena);
    drop = (struct store_drop){.recipient_id = p.recipient_id,
                               .then = NOTIFICATION_REFUSED,
                               .reason = TEXT("suppressed"),
                               .at = rig.now};
    T_OK(rig_drop(&rig, &drop), &rig.err, "recipient");
    T_EQ(drop.dropped_count, 3, "recipient");
    T_EQ(drop.group_count, 2, "two groups");
    arena_fini(&drop.arena);
    T_EQ(state_of(flying), NOTIFICATION_RELEASING, "in flight");
    struct change hold = {.type = CHANGE_NOTIFICATION,
                          .notification = {.id = flying, .state = NOTIFICATION_HELD}};
    T_OK(rig_apply(&rig, &hold, 1), &rig.err, "hold");
    T_EQ(state_of(flying), NOTIFICATION_RELEASING, "only its attempt puts it back on hold");
    drop = (struct store_drop){.id = flying, .then = NOTIFICATION_CANCELLED, .at = rig.now};
    T_EQ(rig_drop(&rig, &drop), TIDE_ESTATE, "in flight by id");
    arena_fini(&drop.arena);
}

/* -- Books --------------------------------------------------------------------------------------
 */

/* Everything that is counted, counted anew; rows of this query are mistakes. */
static const char books[] =
    "SELECT 'group ' || g.id, g.urgent, coalesce(u, 0), g.single, coalesce(si, 0), g.digestible,"
    " coalesce(di, 0), g.fresh, coalesce(fr, 0), g.releasing, coalesce(re, 0), g.oldest_at,"
    " coalesce(ol, 0), g.deadline_at, coalesce(de, 0) FROM recipient_group g LEFT JOIN (SELECT"
    " n.group_id id, sum(state <= 1 AND class = 0) u, sum(state <= 1 AND class = 1) si,"
    " sum(state <= 1 AND class = 2) di, sum(state = 0 AND n.hold = h.hold) fr, sum(state = 2) re,"
    " min(CASE WHEN state <= 1 THEN accepted_at END) ol,"
    " min(CASE WHEN state <= 1 AND n.deadline_at > 0 THEN n.deadline_at END) de"
    " FROM notification n JOIN recipient_group h ON h.id = n.group_id GROUP BY n.group_id) USING "
    "(id)"
    " WHERE (g.urgent, g.single, g.digestible, g.fresh, g.releasing, g.oldest_at, g.deadline_at) IS"
    " NOT (coalesce(u, 0), coalesce(si, 0), coalesce(di, 0), coalesce(fr, 0), coalesce(re, 0),"
    " coalesce(ol, 0), coalesce(de, 0))"
    " UNION ALL SELECT 'tally ' || what, count, c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM tally"
    " LEFT JOIN (SELECT CASE WHEN n.state <= 1 AND n.hold <> g.hold THEN 1 ELSE n.state END what,"
    " count(*) c FROM notification n JOIN recipient_group g ON g.id = n.group_id GROUP BY 1"
    " UNION ALL SELECT 10 + state, count(*) FROM attempt GROUP BY state"
    " UNION ALL SELECT 16, count(*) FROM recipient UNION ALL SELECT 17, count(*) FROM body"
    " UNION ALL SELECT 18, count(*) FROM journal) USING (what) WHERE count <> coalesce(c, 0)"
    " UNION ALL SELECT 'open ' || id, open, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM attempt a"
    " WHERE open = 0 AND EXISTS (SELECT 1 FROM notification n WHERE n.attempt_id = a.id AND "
    "n.state = 2)"
    " UNION ALL SELECT 'submission ' || id, notifications, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0"
    " FROM submission s WHERE notifications <> (SELECT count(*) FROM notification n WHERE"
    " n.submission_id = s.id) UNION ALL SELECT 'body ' || id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
    " 0, 0 FROM body b WHERE NOT EXISTS (SELECT 1 FROM submission s WHERE s.body_id = b.id)"
    " UNION ALL SELECT 'stored of group ' || id, notifications, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
    " 0 FROM recipient_group g WHERE notifications <> (SELECT count(*) FROM notification n WHERE"
    " n.group_id = g.id) UNION ALL SELECT 'stored of ' || name, recipients, 0, 0, 0, 0, 0, 0, 0, 0,"
    " 0, 0, 0, 0, 0 FROM domain d WHERE recipients <> (SELECT count(*) FROM recipient r WHERE"
    " r.domain_id = d.id)";

static void check_books(sqlite3 *db, unsigned long long seed, int step)
{
    sqlite3_stmt *stmt;
    T_EQ(sqlite3_prepare_v2(db, books, -1, &stmt, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++)
            print_error("%s ", (const char *)sqlite3_column_text(stmt, i));
        T_FAIL("SEED=%llu: books are wrong after step %d", seed, step);
    }
    sqlite3_finalize(stmt);
}

#define BOOK_STEPS 1500
#define BOOK_IDS   512

struct book {
    struct rng rng;
    tide_id ids[BOOK_IDS], attempts[BOOK_IDS];
    uint32_t id_count, attempt_count;
    struct group_pending groups[8];
};

static void step_accept(struct book *b)
{
    static const char *const to[] = {"a@x.example", "b@x.example", "a@x.example c@y.example",
                                     "a@x.example a@x.example"};
    static const char *const texts[] = {"one", "two", "three"};
    struct mail m;
    mail_init(&rig, &m, to[rng_below(&b->rng, 4)], texts[rng_below(&b->rng, 3)]);
    m.submission.urgent = rng_below(&b->rng, 4) == 0;
    m.submission.digestible = rng_below(&b->rng, 2) == 0;
    m.submission.priority = (int)rng_below(&b->rng, 3);
    m.submission.drop_late = rng_below(&b->rng, 2) == 0;
    m.submission.deadline_at = rng_below(&b->rng, 2) ? rig.now + rng_below(&b->rng, 500) : 0;
    m.submission.not_before = rng_below(&b->rng, 4) ? 0 : rig.now + rng_below(&b->rng, 100);
    m.submission.key = rng_below(&b->rng, 4) ? TEXT("") : TEXT("key");
    enum tide_err rc = rig_accept(&rig, &m.req);
    T_TRUE(rc == TIDE_OK || rc == TIDE_EEXIST, "accept: %s", rig.err.text);
    for (size_t i = 0; rc == TIDE_OK && i < m.submission.recipient_count; i++) {
        b->ids[b->id_count++ % BOOK_IDS] = m.items[i].id;
        b->groups[m.items[i].pending.group_id & 7] = m.items[i].pending;
    }
    mail_fini(&m);
}

static void step_claim(struct book *b)
{
    struct store_claim claim = claim_of(&b->groups[rng_below(&b->rng, 8)]);
    claim.digest = rng_below(&b->rng, 2) == 0;
    claim.most = rng_below(&b->rng, 4);
    if (rng_below(&b->rng, 4) == 0 && b->id_count > 0)
        claim.only = b->ids[rng_below(&b->rng, TIDE_MIN(b->id_count, (uint32_t)BOOK_IDS))];
    T_OK(rig_claim(&rig, &claim), &rig.err, "claim");
    if (claim.notification_count > 0)
        b->attempts[b->attempt_count++ % BOOK_IDS] = claim.attempt.id;
    arena_fini(&claim.arena);
}

static void step_change(struct book *b)
{
    struct change c = {0};
    if (b->id_count == 0)
        return;
    switch (rng_below(&b->rng, 3)) {
    case 0:
        c.type = CHANGE_NOTIFICATION;
        c.notification.id = b->ids[rng_below(&b->rng, TIDE_MIN(b->id_count, (uint32_t)BOOK_IDS))];
        c.notification.state = rng_below(&b->rng, 3)
                                   ? NOTIFICATION_HELD
                                   : (enum notification_state)(3 + rng_below(&b->rng, 7));
        c.notification.due_at = rig.now + 50;
        break;
    case 1:
        c.type = CHANGE_GROUP_HELD;
        c.notification.group_id = b->groups[rng_below(&b->rng, 8)].group_id;
        c.notification.due_at = rig.now + 70;
        break;
    default:
        if (b->attempt_count == 0)
            return;
        c.type = CHANGE_ATTEMPT;
        c.attempt.id =
            b->attempts[rng_below(&b->rng, TIDE_MIN(b->attempt_count, (uint32_t)BOOK_IDS))];
        c.attempt.state = (enum attempt_state)(1 + rng_below(&b->rng, 5));
        c.attempt.then = (enum notification_state)(1 + rng_below(&b->rng, 3));
        c.attempt.ended_at = rig.now;
    }
    T_OK(rig_apply(&rig, &c, 1), &rig.err, "change");
}

static void step_drop(struct book *b)
{
    struct group_pending *p = &b->groups[rng_below(&b->rng, 8)];
    struct store_drop drop = {.then = NOTIFICATION_EXPIRED, .at = rig.now};
    switch (rng_below(&b->rng, 8)) {
    case 0:
        drop.recipient_id = p->recipient_id;
        break;
    case 1:
    case 2:
    case 3:
        drop.group_id = p->group_id;
        drop.late_at = rig.now;
        break;
    default:
        if (b->id_count > 0)
            drop.id = b->ids[rng_below(&b->rng, TIDE_MIN(b->id_count, (uint32_t)BOOK_IDS))];
    }
    enum tide_err rc = rig_drop(&rig, &drop);
    T_TRUE(rc == TIDE_OK || rc == TIDE_ESTATE || rc == TIDE_ENOENT, "drop: %s", rig.err.text);
    arena_fini(&drop.arena);
}

static void test_books_after_anything(void **state)
{
    (void)state;
    unsigned long long seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 42;
    static struct book b;
    sqlite3 *db;
    b = (struct book){0};
    rng_seed(&b.rng, seed);
    T_EQ(sqlite3_open_v2(rig.path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK, "look inside");
    for (int step = 0; step < BOOK_STEPS; step++) {
        rig.now += rng_below(&b.rng, 20);
        uint32_t what = rng_below(&b.rng, 10);
        if (what < 4)
            step_accept(&b);
        else if (what < 6)
            step_claim(&b);
        else if (what < 9)
            step_change(&b);
        else
            step_drop(&b);
        if (step % 10 == 0)
            check_books(db, seed, step);
    }
    check_books(db, seed, BOOK_STEPS);

    /* Then all that is finished grows old, and goes, bodies and keys too. */
    rig_close(&rig);
    sqlite3_close(db);
    rig.options.keep_ms = 1000;
    rig.now += 100000;
    T_OK(rig_open(&rig), &rig.err, "again");
    struct store_counts c;
    int64_t finished;
    do {
        struct store_ask ask = {.view = STORE_VIEW_COUNTS};
        T_OK(rig_ask(&rig, &ask), &rig.err, "counts");
        c = ask.counts;
        arena_fini(&ask.arena);
        finished = 0;
        for (int s = NOTIFICATION_SENT; s <= NOTIFICATION_CANCELLED; s++)
            finished += c.notifications[s];
    } while (finished > 0 || c.journal_entries > 1); /* bounded by the run's own time limit */
    rig_close(&rig);
    T_EQ(sqlite3_open_v2(rig.path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK, "look inside");
    check_books(db, seed, -1);
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_claimed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_claim_charges_or_does_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_may_be_double, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_books_after_anything, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
