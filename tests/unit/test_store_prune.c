/* Recipients and domains go when nothing is left of them, and not before. Each case has one mail
 * that was dropped long ago, and perhaps something beside it that is still worth keeping. */
#include "lib/check.h"
#include "lib/store_rig.h"

#include "base/macros.h"
#include "core/plan/planner.h"
#include "io/store/statements.h"

#include <sqlite3.h>
#include <string.h>

#define LATER (RIG_START + 100 * TIME_DAY_MS)

static struct store_rig rig;

enum left {
    NOTHING,
    PENDING,
    SUPPRESSED,
    FINDING,
    DELIVERED,
    DELIVERED_LONG_AGO,
    FORECAST,
    OLD_FORECAST,
    USED,
    OLD_USE,
    LEARNED,
    LEARNED_PAIR,
    LEARNED_OF_OTHER, /* of one whose number begins alike */
    UNREADABLE,
};

static const struct {
    const char *address;
    enum left left;
    bool stays;
} cases[] = {
    {"nothing@gone.test", NOTHING, false},
    {"nothing@shared.test", NOTHING, false},
    {"pending@shared.test", PENDING, true},
    {"suppressed@a.test", SUPPRESSED, true},
    {"finding@b.test", FINDING, true},
    {"delivered@c.test", DELIVERED, true},
    {"delivered@long-ago.test", DELIVERED_LONG_AGO, false},
    {"forecast@d.test", FORECAST, true},
    {"forecast@old.test", OLD_FORECAST, false},
    {"used@e.test", USED, true},
    {"used@old.test", OLD_USE, false},
    {"learned@f.test", LEARNED, true},
    {"pair@g.test", LEARNED_PAIR, true},
    {"other@h.test", LEARNED_OF_OTHER, false},
    {"unreadable@i.test", UNREADABLE, true},
    {"last@newest.test", NOTHING, true}, /* so that its number is never given twice */
};

static int64_t ids[TIDE_COUNT(cases)];

static void exec_sql(const char *sql)
{
    sqlite3 *db;
    char *text = NULL;
    T_EQ(sqlite3_open(rig.path, &db), SQLITE_OK, "open");
    T_EQ(sqlite3_exec(db, sql, NULL, NULL, &text), SQLITE_OK, "%s: %s", sql, text ? text : "");
    sqlite3_close(db);
}

static int64_t sql_number(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    T_EQ(sqlite3_open_v2(rig.path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK, "open");
    T_EQ(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK, "%s", sql);
    T_EQ(sqlite3_step(stmt), SQLITE_ROW, "%s", sql);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

/* How many tables the statement walks over from end to end. */
static int plan_scans(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int scans = 0, steps = 0;
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    T_EQ(sqlite3_open_v2(rig.path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK, "open");
    T_EQ(sqlite3_prepare_v2(db, explain, -1, &stmt, NULL), SQLITE_OK, "%s", explain);
    for (; sqlite3_step(stmt) == SQLITE_ROW; steps++)
        scans += strncmp((const char *)sqlite3_column_text(stmt, 3), "SCAN", 4) == 0;
    T_TRUE(steps > 0, "%s has a plan", sql);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    sqlite3_free(explain);
    return scans;
}

static int64_t recipients(void)
{
    struct store_ask ask = {.view = STORE_VIEW_COUNTS};
    T_OK(rig_ask(&rig, &ask), &rig.err, "counts");
    arena_fini(&ask.arena);
    return ask.counts.recipients;
}

static void apply(struct change c)
{
    T_OK(rig_apply(&rig, &c, 1), &rig.err, "apply");
}

static void set_plan(int64_t id, tide_wall_ms seen_at, tide_wall_ms used_at)
{
    struct plan_recipient r;
    struct buf blob = {0};
    plan_recipient_init(&r);
    r.forecast.last_s = (uint32_t)(seen_at / TIME_SECOND_MS);
    r.forecast.day = (int32_t)(seen_at / TIME_DAY_MS);
    if (used_at) {
        r.ledger.count = 1;
        r.ledger.uses[0] = (struct plan_use){.limit = 1,
                                             .window = 2,
                                             .used = 3,
                                             .kind = WINDOW_ROLLING,
                                             .span_s = 86400,
                                             .at = used_at};
    }
    plan_recipient_encode(&r, &blob);
    apply((struct change){.type = CHANGE_RECIPIENT,
                          .recipient = {.id = id, .plan = buf_text(&blob)}});
    buf_fini(&blob);
    plan_recipient_fini(&r);
}

static void learn_row(const char *scope, int64_t id)
{
    char subject[64];
    snprintf(subject, sizeof subject, "learn|%s|%lld|", scope, (long long)id);
    apply((struct change){.type = CHANGE_LEDGER,
                          .ledger = {.subject = text_of(subject), .blob = TEXT("1\n")}});
}

static void leave(size_t i)
{
    struct text address = text_of(cases[i].address);
    switch (cases[i].left) {
    case SUPPRESSED:
        apply((struct change){
            .type = CHANGE_SUPPRESS,
            .suppress = {
                .address = address, .cause = SUPPRESSION_MANUAL, .at = RIG_START, .times = 1}});
        break;
    case FINDING:
        apply((struct change){
            .type = CHANGE_FINDING,
            .finding = {.recipient_id = ids[i],
                        .finding = {.class = TEXT("full"), .at = RIG_START, .attempt_id = 7}}});
        break;
    case FORECAST:
        set_plan(ids[i], LATER - 80 * TIME_DAY_MS, 0);
        break;
    case OLD_FORECAST:
        set_plan(ids[i], LATER - 92 * TIME_DAY_MS, 0);
        break;
    case USED:
        set_plan(ids[i], 0, LATER - TIME_HOUR_MS);
        break;
    case OLD_USE:
        set_plan(ids[i], 0, LATER - 92 * TIME_DAY_MS);
        break;
    case LEARNED:
        learn_row("recipient", ids[i]);
        break;
    case LEARNED_PAIR:
        learn_row("pair", ids[i]);
        break;
    case LEARNED_OF_OTHER:
        learn_row("recipient", ids[i] * 10 + 1);
        break;
    case UNREADABLE:
        apply((struct change){.type = CHANGE_RECIPIENT,
                              .recipient = {.id = ids[i], .plan = TEXT("\x09of later")}});
        break;
    case DELIVERED:
    case DELIVERED_LONG_AGO: /* in the file, below */
    case PENDING:
    case NOTHING:
        break;
    }
}

static void accept_all(void)
{
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct mail m;
        mail_init(&rig, &m, cases[i].address, "hello");
        T_OK(rig_accept(&rig, &m.req), &rig.err, "%s", cases[i].address);
        ids[i] = m.items[0].recipient.id;
        struct store_drop drop = {.group_id = m.items[0].pending.group_id,
                                  .then = NOTIFICATION_CANCELLED,
                                  .reason = TEXT("a test"),
                                  .at = rig.now};
        if (cases[i].left != PENDING)
            T_OK(rig_drop(&rig, &drop), &rig.err, "%s", cases[i].address);
        arena_fini(&drop.arena);
        mail_fini(&m);
        leave(i);
    }
}

static void age_deliveries(void)
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "UPDATE recipient SET delivered_at = CASE WHEN address LIKE '%%long-ago%%' THEN %lld"
             " ELSE %lld END WHERE address LIKE 'delivered@%%'",
             (long long)(LATER - 401 * TIME_DAY_MS), (long long)(LATER - 399 * TIME_DAY_MS));
    exec_sql(sql);
}

static void test_what_goes(void **state)
{
    (void)state;
    int64_t want = 0;
    char sql[200];
    T_OK(rig_open(&rig), &rig.err, "open");
    accept_all();
    rig_close(&rig);
    age_deliveries();
    T_EQ(sql_number("SELECT sum(notifications) FROM recipient_group"), TIDE_COUNT(cases),
         "each counted in its group");
    T_EQ(sql_number("SELECT recipients FROM domain WHERE name = 'shared.test'"), 2, "and domain");
    rig.now = LATER;
    rig.options.keep_ms = 30 * TIME_DAY_MS;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        want += cases[i].stays;
    T_OK(rig_open(&rig), &rig.err, "open");
    while (recipients() > want) /* until it is idle and prunes: all of them in one step */
        ;
    T_EQ(recipients(), want, "counted");
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        snprintf(sql, sizeof sql, "SELECT count(*) FROM recipient WHERE address = '%s'",
                 cases[i].address);
        T_EQ(sql_number(sql), cases[i].stays, "%s", cases[i].address);
    }
    T_EQ(sql_number("SELECT count(*) FROM recipient"), want, "as many as are counted");
    T_EQ(sql_number("SELECT count(*) FROM recipient_group g WHERE NOT EXISTS"
                    " (SELECT 1 FROM recipient r WHERE r.id = g.recipient_id)"),
         0, "groups go too");
    T_EQ(sql_number("SELECT count(*) FROM domain d WHERE NOT EXISTS"
                    " (SELECT 1 FROM recipient r WHERE r.domain_id = d.id)"),
         0, "a domain goes with its last one");
    T_EQ(sql_number("SELECT recipients FROM domain WHERE name = 'shared.test'"), 1,
         "and stays for the other");
}

/* Whoever went comes back as somebody new, under a number that nobody had. */
static void test_back_again(void **state)
{
    (void)state;
    struct mail m;
    int64_t before = recipients();
    mail_init(&rig, &m, cases[0].address, "hello again");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "accept");
    T_TRUE(m.items[0].recipient.id > ids[TIDE_COUNT(cases) - 1], "a new number");
    T_EQ(recipients(), before + 1, "one more");
    mail_fini(&m);
}

/* The writer asks these in every round, while mail waits: none may walk over a whole table. */
static void test_asks_by_index(void **state)
{
    static const struct {
        const char *name, *sql;
    } statements[] = {
#define STATEMENT(name, sql) {#name, sql},
        STATEMENTS(STATEMENT)
#undef STATEMENT
    };
    static const char *const asked[] = {"NEWS_SEEN_PRUNE", "FINDING_PRUNE", "SUPPRESSED_PRUNE",
                                        "LETTERS_PRUNE"};
    size_t found = 0;
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(statements); i++)
        for (size_t k = 0; k < TIDE_COUNT(asked); k++) {
            if (strcmp(statements[i].name, asked[k]) != 0)
                continue;
            found++;
            T_EQ(plan_scans(statements[i].sql), 0, "%s", asked[k]);
        }
    T_EQ(found, TIDE_COUNT(asked), "statements");
}

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_fini(&rig);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes),
        cmocka_unit_test(test_back_again),
        cmocka_unit_test(test_asks_by_index),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
