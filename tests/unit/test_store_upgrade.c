/* A file that the first released mailtide wrote, opened by this one: all that was held, under way,
 * finished and suppressed is there, and counted. A file of a later mailtide is left alone. */
#include "base/file.h"
#include "base/macros.h"
#include "io/store/schema.h"
#include "lib/check.h"
#include "lib/store_rig.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define HELD_ID    ((tide_id)RIG_START << 18)
#define FLYING_ID  (HELD_ID + 1)
#define SENT_ID    (HELD_ID + 2)
#define ATTEMPT_ID (HELD_ID + 3)

/* As migration 1 has them: one held, one on its way, one sent, all of ann's. */
static const char rows[] =
    "INSERT INTO domain VALUES (1, 'x.test', 1, 'qq', '', 'has an MX', '', 5, 9);"
    "INSERT INTO recipient VALUES (1, 'ann@x.test', 1, x'');"
    "INSERT INTO recipient_group (id, recipient_id, application, identity, digestible, releasing,"
    "  oldest_at, hold, hold_at, hold_due_at, hold_reason) VALUES (1, 1, 'app', 'n@app.test', 1, 1,"
    "  %lld, 1, 1, 99, 'held: a reason');"
    "INSERT INTO body VALUES (1, 1, 5, CAST('hello' AS BLOB));"
    "INSERT INTO submission VALUES (1, 1, 3, 'notify', 'n@app.test', 'Hi', '', '', 'key', '', '', "
    "'',"
    "  '', '', '', 0);"
    "INSERT INTO notification VALUES (%lld, 1, 1, 0, 2, 5, 0, 0, %lld, 0, 0, 1, 0, 0, 'ann@x.test',"
    "  '', '', '', '');"
    "INSERT INTO notification VALUES (%lld, 1, 1, 2, 2, 5, 0, 1, %lld, 0, 0, 1, 0, %lld,"
    "  'ann@x.test', '', '', '', '');"
    "INSERT INTO notification VALUES (%lld, 1, 1, 3, 2, 5, 0, 1, %lld, 0, 0, 1, 0, 0, 'ann@x.test',"
    "  '', '', '', '');"
    "INSERT INTO attempt VALUES (%lld, 1, 1, 0, 1, 0, 0, 1, 5, 0, 'esp', 'qq', 'notify', '<m@x>',"
    "  'n@app.test', '');"
    "INSERT INTO attempt_item VALUES (%lld, %lld);"
    "INSERT INTO ledger VALUES ('provider|qq', x'01');"
    "INSERT INTO journal VALUES (1, 5, 1, %lld, 0, 'accepted', 'accepted by HTTP');"
    "INSERT INTO suppression VALUES ('bob@x.test', 'complaint', 'he said so', 5, 0);"
    "INSERT INTO tally VALUES (0, 1), (2, 1), (3, 1), (10, 1), (16, 1), (17, 1), (18, 1);"
    "PRAGMA application_id = 0x6d746465; PRAGMA user_version = %d;";

static struct store_rig rig;

static void write_file(int version)
{
    struct tide_error err;
    struct buf schema = {0};
    char sql[4000], *message = NULL;
    sqlite3 *db = NULL;
    T_OK(file_read("src/io/store/schema.sql", 1 << 20, &schema, &err), &err, "the schema");
    char *second = strstr(buf_str(&schema), "\n-- migration 2\n");
    assert_non_null(second);
    *second = '\0';
    snprintf(sql, sizeof sql, rows, RIG_START, (long long)HELD_ID, RIG_START, (long long)FLYING_ID,
             RIG_START, (long long)ATTEMPT_ID, (long long)SENT_ID, RIG_START, (long long)ATTEMPT_ID,
             (long long)ATTEMPT_ID, (long long)FLYING_ID, (long long)HELD_ID, version);
    T_EQ(sqlite3_open(rig.path, &db), SQLITE_OK, "open");
    T_EQ(sqlite3_exec(db, buf_str(&schema), NULL, NULL, &message), SQLITE_OK, "schema: %s",
         message);
    T_EQ(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_OK, "rows: %s", message);
    sqlite3_close(db);
    buf_fini(&schema);
}

static void check_counts(void)
{
    struct store_ask ask = {.view = STORE_VIEW_COUNTS};
    T_OK(rig_ask(&rig, &ask), &rig.err, "counts");
    T_EQ(ask.counts.notifications[NOTIFICATION_HELD] +
             ask.counts.notifications[NOTIFICATION_ACCEPTED],
         1, "held");
    T_EQ(ask.counts.notifications[NOTIFICATION_RELEASING], 1, "under way");
    T_EQ(ask.counts.notifications[NOTIFICATION_SENT], 1, "sent");
    arena_fini(&ask.arena);
}

static void test_first_release(void **state)
{
    (void)state;
    rig_init(&rig);
    write_file(1);
    T_OK(rig_open(&rig), &rig.err, "opened");
    check_counts();
    struct store_load load = {.most = 10};
    T_OK(rig_load(&rig, &load), &rig.err, "load");
    T_EQ(load.flying_count, 1, "its fate is not known");
    T_EQ(load.flying[0].id, ATTEMPT_ID, "that attempt");
    T_EQ(load.flying[0].news, NEWS_OTHER, "of which nothing was said");
    T_EQ(load.group_count, 1, "its group is pending");
    T_TEXT(load.groups[0].recipient.verdict.provider, "qq", "whose limits apply");
    T_EQ(load.ledger_count, 1, "what was counted");
    arena_fini(&load.arena);
    struct mail m;
    mail_init(&rig, &m, "bob@x.test", "hello");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "accept");
    T_TRUE(m.items[0].recipient.suppressed.n > 0, "bob complained");
    mail_fini(&m);
    struct store_ask why = {.view = STORE_VIEW_WHY, .id = HELD_ID, .newest = true};
    T_OK(rig_ask(&rig, &why), &rig.err, "why");
    T_EQ(why.journal_count, 1, "the journal");
    arena_fini(&why.arena);
    rig_fini(&rig);
}

static void test_later_release(void **state)
{
    (void)state;
    rig_init(&rig);
    write_file(schema_version() + 1);
    T_EQ(rig_open(&rig), TIDE_ESTATE, "refused");
    T_TRUE(strstr(rig.err.text, "a newer mailtide wrote it"), "says so: %s", rig.err.text);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_release),
        cmocka_unit_test(test_later_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
