/* News of mails that have left, against the real store and a gate that has nothing in memory: in
 * every order, twice, and of attempts of unknown fate. */
#include "core/gate/gate.h"
#include "io/loop/files.h"
#include "io/loop/zones.h"
#include "lib/check.h"
#include "lib/store_rig.h"

#include <string.h>

#define GONE  "550 5.1.1 no such user here"
#define LIMIT "550 Connection frequency limited"

static struct store_rig rig;
static struct config *config;
static struct planner *planner;
static struct rulebook *rules;
static struct gate *gate;
static size_t loads; /* groups that the gate asked to be loaded */

static void begin(void)
{
    static const struct plan_zones zones = {.load = zones_load};
    struct tide_error err;
    rig_init(&rig);
    T_OK(rig_open(&rig), &rig.err, "store");
    T_OK(config_load(NULL, &files_source, &config, &err), &err, "config");
    T_OK(planner_new(config, &zones, &planner, &err), &err, "planner");
    T_OK(rulebook_load(&files_source, config->schedules, config->schedule_count, &rules, &err),
         &err, "rules");
    gate = gate_new(planner, config, 0, 1);
    assert_non_null(gate);
    gate_set_rules(gate, rules);
    loads = 0;
}

static void end(void)
{
    gate_free(gate);
    rulebook_free(rules);
    planner_free(planner);
    config_free(config);
    rig_fini(&rig);
}

/* A step whose changes are stored, and what the store says of them. */
static void step(struct gate_event *ev)
{
    struct gate_todo todo;
    struct store_apply apply = {.at = rig.now, .done = rig_apply_done, .arg = &rig};
    gate_todo_init(&todo);
    ev->now = rig.now;
    gate_step(gate, ev, &todo);
    T_TRUE(!todo.failed, "memory");
    for (size_t i = 0; i < todo.count; i++)
        loads += todo.actions[i].type == GATE_DO_LOAD;
    apply.changes = todo.changes;
    apply.count = todo.change_count;
    rig.left++;
    store_apply(rig.store, &apply);
    rig_wait(&rig);
    T_OK(rig.rc, &rig.err, "stored");
    for (size_t i = 0; i < apply.group_count; i++) {
        struct gate_event pending = {.type = GATE_PENDING, .pending = &apply.groups[i]};
        step(&pending);
    }
    arena_fini(&apply.arena);
    gate_todo_fini(&todo);
}

/* One mail to `to` in an attempt under way; its names are the test's. */
static struct attempt claimed(const char *to, tide_id *ret_notification)
{
    struct mail m;
    struct store_claim claim = {0};
    mail_init(&rig, &m, to, "hello");
    m.submission.stream = TEXT("notify");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "accept");
    claim.attempt = (struct attempt){.id = id_next(&rig.ids, rig.now),
                                     .recipient_id = m.items[0].recipient.id,
                                     .group_id = m.items[0].pending.group_id,
                                     .account = TEXT("outbox"),
                                     .provider = TEXT("qq"),
                                     .started_at = rig.now};
    claim.only = m.items[0].id;
    claim.now = rig.now;
    T_OK(rig_claim(&rig, &claim), &rig.err, "claim");
    *ret_notification = m.items[0].id;
    arena_fini(&claim.arena);
    mail_fini(&m);
    return claim.attempt;
}

/* One mail to `to` in an attempt of that state; gives the attempt. */
static tide_id sent(const char *to, enum attempt_state state, tide_id *ret_notification)
{
    struct attempt was = claimed(to, ret_notification);
    bool unknown = state == ATTEMPT_UNKNOWN || state == ATTEMPT_FLYING;
    struct change c = {.type = CHANGE_ATTEMPT,
                       .attempt = {.id = was.id,
                                   .state = state,
                                   .reply = TEXT("250 ok"),
                                   .ended_at = rig.now,
                                   .then = unknown                     ? NOTIFICATION_RELEASING
                                           : state == ATTEMPT_ACCEPTED ? NOTIFICATION_SENT
                                                                       : NOTIFICATION_HELD}};
    T_OK(rig_apply(&rig, &c, 1), &rig.err, "end");
    if (unknown) { /* as after a restart */
        was.state = state;
        was.ended_at = rig.now;
        struct gate_event ev = {.type = GATE_FLYING, .flying = {.attempt = &was}};
        step(&ev);
    }
    return was.id;
}

static void tell(
    tide_id attempt, enum news_kind kind, tide_wall_ms at, const char *reply, const char *key)
{
    struct mail_news news = {.kind = kind,
                             .source = TEXT("webhook test"),
                             .attempt_id = attempt,
                             .at = at,
                             .reply = text_of(reply),
                             .key = text_of(key)};
    struct store_ask ask = {.view = STORE_VIEW_NEWS, .news = &news};
    T_OK(rig_ask(&rig, &ask), &rig.err, "look up");
    struct gate_event ev = {.type = GATE_NEWS, .news = {.news = &news, .found = &ask.found}};
    step(&ev);
    arena_fini(&ask.arena);
}

static enum notification_state state_of(tide_id id)
{
    struct store_ask ask = {.view = STORE_VIEW_NOTIFICATION, .id = id};
    T_OK(rig_ask(&rig, &ask), &rig.err, "notification");
    enum notification_state s = ask.notifications[0].state;
    arena_fini(&ask.arena);
    return s;
}

static size_t journalled(tide_id id, const char *event)
{
    struct store_ask ask = {.view = STORE_VIEW_WHY, .id = id, .newest = true};
    size_t n = 0;
    T_OK(rig_ask(&rig, &ask), &rig.err, "why");
    for (size_t i = 0; i < ask.journal_count; i++)
        n += text_eq(ask.journal[i].event, text_of(event));
    arena_fini(&ask.arena);
    return n;
}

struct told {
    enum news_kind kind;
    int minute;
    const char *reply;
};

/* What is said of one mail, and what must come of it whatever the order. */
static const struct {
    const char *name;
    struct told told[4];
    size_t count;
    enum notification_state want;
    const char *once; /* journalled once, in any order and when told twice */
} stories[] = {
    {"delivered, then complained",
     {{NEWS_DELIVERED, 1, ""}, {NEWS_COMPLAINED, 9, ""}},
     2,
     NOTIFICATION_COMPLAINED,
     "complained"},
    {"deferred, then bounced",
     {{NEWS_DEFERRED, 1, "451 4.7.1 later"}, {NEWS_BOUNCED, 2, GONE}},
     2,
     NOTIFICATION_BOUNCED,
     "bounced"},
    {"deferred, then delivered",
     {{NEWS_DEFERRED, 1, "451 4.7.1 later"}, {NEWS_DELIVERED, 2, ""}},
     2,
     NOTIFICATION_DELIVERED,
     "delivered"},
    {"delivered to a server that bounced it itself",
     {{NEWS_DEFERRED, 0, "451 x"}, {NEWS_DELIVERED, 1, ""}, {NEWS_BOUNCED, 5, GONE}},
     3,
     NOTIFICATION_BOUNCED,
     NULL},
    {"bounced, delivered by another way",
     {{NEWS_BOUNCED, 1, GONE}, {NEWS_DELIVERED, 5, ""}, {NEWS_OTHER, 6, ""}},
     3,
     NOTIFICATION_DELIVERED,
     NULL},
    {"all of it",
     {{NEWS_DEFERRED, 1, "451 x"},
      {NEWS_BOUNCED, 2, GONE},
      {NEWS_DELIVERED, 3, ""},
      {NEWS_COMPLAINED, 4, ""}},
     4,
     NOTIFICATION_COMPLAINED,
     "complained"},
    {"dropped", {{NEWS_DROPPED, 1, "on our list"}}, 1, NOTIFICATION_BOUNCED, "dropped_by_esp"},
};

static bool next_order(size_t *order, size_t n)
{
    size_t i = n - 1;
    while (i > 0 && order[i - 1] >= order[i])
        i--;
    if (i == 0)
        return false;
    size_t k = n - 1;
    while (order[k] <= order[i - 1])
        k--;
    size_t t = order[i - 1];
    order[i - 1] = order[k];
    order[k] = t;
    for (size_t a = i, b = n - 1; a < b; a++, b--) {
        t = order[a];
        order[a] = order[b];
        order[b] = t;
    }
    return true;
}

static void test_orders(void **state)
{
    (void)state;
    begin();
    for (size_t s = 0; s < TIDE_COUNT(stories); s++) {
        size_t order[4] = {0, 1, 2, 3}, tried = 0;
        do {
            tide_id note, attempt = sent("ann@x.test", ATTEMPT_ACCEPTED, &note);
            tide_wall_ms from = rig.now;
            rig.now += TIME_HOUR_MS;
            for (size_t i = 0; i < 2 * stories[s].count; i++) { /* and all of it again */
                const struct told *t = &stories[s].told[order[i % stories[s].count]];
                tell(attempt, t->kind, from + t->minute * TIME_MINUTE_MS, t->reply, "");
            }
            T_EQ(state_of(note), stories[s].want, "%s, order %zu", stories[s].name, tried);
            if (stories[s].once)
                T_EQ(journalled(note, stories[s].once), 1, "%s, order %zu", stories[s].name, tried);
            tried++;
        } while (next_order(order, stories[s].count));
    }
    end();
}

/* The same key is the same news, even when it says something new. */
static void test_key(void **state)
{
    (void)state;
    begin();
    tide_id note, attempt = sent("ann@x.test", ATTEMPT_ACCEPTED, &note);
    tell(attempt, NEWS_DELIVERED, rig.now, "", "event-1");
    tell(attempt, NEWS_COMPLAINED, rig.now, "", "event-1");
    T_EQ(state_of(note), NOTIFICATION_DELIVERED, "seen before");
    tell(attempt, NEWS_COMPLAINED, rig.now, "", "event-2");
    T_EQ(state_of(note), NOTIFICATION_COMPLAINED, "another");
    end();
}

/* Whoever tells of a mail has it: an attempt of unknown fate ends, and nothing is mailed again. */
static void test_unknown(void **state)
{
    (void)state;
    static const struct {
        enum attempt_state was;
        enum news_kind kind;
        enum notification_state want;
    } cases[] = {
        {ATTEMPT_UNKNOWN, NEWS_DELIVERED, NOTIFICATION_DELIVERED},
        {ATTEMPT_UNKNOWN, NEWS_BOUNCED, NOTIFICATION_BOUNCED},
        {ATTEMPT_UNKNOWN, NEWS_DEFERRED, NOTIFICATION_SENT},
        {ATTEMPT_UNKNOWN, NEWS_OTHER, NOTIFICATION_SENT},
        {ATTEMPT_FLYING, NEWS_DELIVERED, NOTIFICATION_DELIVERED},
        {ATTEMPT_ABANDONED, NEWS_DELIVERED, NOTIFICATION_DELIVERED}, /* it was to be mailed again */
        {ATTEMPT_ABANDONED, NEWS_BOUNCED, NOTIFICATION_BOUNCED},
        {ATTEMPT_DEFERRED, NEWS_DELIVERED, NOTIFICATION_DELIVERED}, /* the account was wrong */
        {ATTEMPT_DEFERRED, NEWS_BOUNCED, NOTIFICATION_HELD},
    };
    begin();
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct gate_counts counts;
        tide_id note, attempt = sent("ann@x.test", cases[i].was, &note);
        tell(attempt, cases[i].kind, rig.now, cases[i].kind == NEWS_BOUNCED ? GONE : "", "");
        T_EQ(state_of(note), cases[i].want, "case %zu", i);
        gate_count(gate, &counts);
        T_EQ(counts.unknown, 0, "case %zu: none is left of unknown fate", i);
        struct gate_event late = {.type = GATE_TIMER};
        rig.now += 3 * TIME_DAY_MS;
        step(&late);
        T_EQ(state_of(note), cases[i].want, "case %zu, days later", i);
    }
    end();
}

/* News comes before the account's own answer is noted, and mailtide is killed: after the restart
 * the attempt is over. Nothing is said to be unknown, or mailed again for that. */
static void test_told_then_killed(void **state)
{
    (void)state;
    static const struct {
        enum news_kind kind;
        const char *reply;
        enum notification_state want;
    } cases[] = {
        {NEWS_DELIVERED, "", NOTIFICATION_DELIVERED},
        {NEWS_BOUNCED, GONE, NOTIFICATION_BOUNCED},
        {NEWS_BOUNCED, LIMIT, NOTIFICATION_HELD},
    };
    begin();
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        tide_id note;
        tide_id attempt = claimed("ann@x.test", &note).id;
        tell(attempt, cases[i].kind, rig.now, cases[i].reply, "");
        struct store_load load = {.most = 10};
        T_OK(rig_load(&rig, &load), &rig.err, "load");
        T_EQ(load.flying_count, 1, "case %zu: its own answer was never noted", i);
        for (size_t k = 0; k < load.flying_count; k++) {
            struct gate_event ev = {.type = GATE_FLYING, .flying = {.attempt = &load.flying[k]}};
            step(&ev);
        }
        arena_fini(&load.arena);
        T_EQ(state_of(note), cases[i].want, "case %zu", i);
        T_EQ(journalled(note, "unknown"), 0, "case %zu: somebody has told of it", i);
        struct store_ask ask = {.view = STORE_VIEW_COUNTS};
        T_OK(rig_ask(&rig, &ask), &rig.err, "counts");
        T_EQ(ask.counts.attempts[ATTEMPT_UNKNOWN] + ask.counts.attempts[ATTEMPT_FLYING], 0,
             "case %zu: no attempt stays open", i);
        arena_fini(&ask.arena);
    }
    end();
}

/* What becomes of an attempt that an earlier run began is told of its mail as of any other. */
static void test_killed_is_journalled(void **state)
{
    (void)state;
    static const struct {
        unsigned known;
        const char *at_once, *later;
    } cases[] = {
        {FLYING_CANNOT_TELL, "unknown", "abandoned"},
        {FLYING_ARRIVED, "sent", NULL},
        {FLYING_NOT_ARRIVED, "deferred", NULL},
    };
    begin();
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        tide_id note;
        struct attempt was = claimed("ann@x.test", &note);
        struct gate_event ev = {.type = GATE_FLYING,
                                .flying = {.attempt = &was, .known = cases[i].known}};
        struct gate_event late = {.type = GATE_TIMER};
        step(&ev);
        T_EQ(journalled(note, cases[i].at_once), 1, "case %zu: %s", i, cases[i].at_once);
        rig.now += TIME_DAY_MS;
        step(&late);
        if (cases[i].later)
            T_EQ(journalled(note, cases[i].later), 1, "case %zu: %s", i, cases[i].later);
    }
    end();
}

/* A bounce that names a limit: held until its window opens, the group is taken up again, and the
 * ESP's list is to be mended. */
static void test_limit(void **state)
{
    (void)state;
    begin();
    tide_id note, attempt = sent("bruce@x.test", ATTEMPT_ACCEPTED, &note);
    tell(attempt, NEWS_BOUNCED, rig.now, LIMIT, "");
    T_EQ(state_of(note), NOTIFICATION_HELD, "mailed again later");
    T_EQ(loads, 1, "nothing of it was in memory");
    struct store_ask ask = {.view = STORE_VIEW_NOTIFICATION, .id = note};
    T_OK(rig_ask(&rig, &ask), &rig.err, "notification");
    T_TRUE(ask.notifications[0].due_at > rig.now, "not at once");
    arena_fini(&ask.arena);
    struct store_ask listed = {.view = STORE_VIEW_ESP_LISTS, .account = TEXT("outbox")};
    T_OK(rig_ask(&rig, &listed), &rig.err, "lists");
    T_EQ(listed.listed_count, 1, "one");
    T_TEXT(listed.listed[0].state, "mend", "to be taken off there");
    arena_fini(&listed.arena);
    tell(attempt, NEWS_BOUNCED, rig.now, LIMIT, "");
    T_EQ(state_of(note), NOTIFICATION_HELD, "told twice");
    tell(attempt, NEWS_DELIVERED, rig.now + 1, "", "");
    T_EQ(state_of(note), NOTIFICATION_DELIVERED, "and it did arrive after all");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_told_then_killed),
        cmocka_unit_test(test_killed_is_journalled),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
