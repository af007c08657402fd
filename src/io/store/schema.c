#include "io/store/schema.h"

#include "base/buf.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

/* schema.sql as it stands beside this file; make runs at the top of the tree. */
__asm__(".section .rodata\n"
        "schema_sql:\n"
        ".incbin \"src/io/store/schema.sql\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char schema_sql[] __asm__("schema_sql");

#define APPLICATION_ID 0x6d746465 /* "mtde" */

/* What stands between "-- migration N" and the next; "" when there is no N. */
static struct text migration(int n)
{
    char head[40], next[40];
    snprintf(head, sizeof head, "\n-- migration %d\n", n);
    snprintf(next, sizeof next, "\n-- migration %d\n", n + 1);
    const char *from = strstr(schema_sql, head);
    if (!from)
        return TEXT("");
    const char *to = strstr(from, next);
    return (struct text){from, to ? (size_t)(to - from) : strlen(from)};
}

int schema_version(void)
{
    int n = 0;
    while (migration(n + 1).n > 0)
        n++;
    return n;
}

static enum tide_err migrate_to(struct db *db, int n, struct tide_error *err)
{
    struct buf sql = {0};
    buf_adds(&sql, "BEGIN IMMEDIATE;");
    buf_add_text(&sql, migration(n));
    buf_addf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;", APPLICATION_ID,
             n);
    enum tide_err rc = buf_check(&sql, err);
    if (rc == TIDE_OK)
        rc = db_exec(db, buf_str(&sql), err);
    if (rc != TIDE_OK) {
        db_rollback(db);
        rc = tide_wrap(err, rc, "migration %d", n);
    } else
        log_info("store.migrated", "version=%d", n);
    buf_fini(&sql);
    return rc;
}

enum tide_err schema_identify(struct db *db, struct tide_error *err)
{
    int64_t version = db_pragma(db, "PRAGMA user_version");
    int64_t application = db_pragma(db, "PRAGMA application_id");
    int64_t tables = db_pragma(db, "SELECT count(*) FROM sqlite_schema");
    if (version < 0 || application < 0 || tables < 0)
        return tide_fail(err, TIDE_ECORRUPT,
                         "database %s: cannot be read (%s). Nothing was changed; restore it from a "
                         "backup, or move it away to start with an empty one",
                         db->path, sqlite3_errmsg(db->sql));
    if (tables > 0 && application != APPLICATION_ID)
        return tide_fail(err, TIDE_ECORRUPT,
                         "database %s: is another program's (application_id %" PRId64
                         "). Nothing was changed; name another file",
                         db->path, application);
    if (version > schema_version())
        return tide_fail(err, TIDE_ESTATE,
                         "database %s: has schema version %" PRId64
                         ", this mailtide knows up to %d: a newer mailtide wrote it. Nothing was "
                         "changed; start that one",
                         db->path, version, schema_version());
    return TIDE_OK;
}

enum tide_err schema_migrate(struct db *db, struct tide_error *err)
{
    enum tide_err rc = TIDE_OK;
    int from = (int)db_pragma(db, "PRAGMA user_version"), to = schema_version();
    if (from > 0 && from < to) /* a second for a million notifications, minutes on a slow disk */
        log_info("store.migrating", "from=%d to=%d megabytes=%" PRId64, from, to,
                 db_pragma(db, "PRAGMA page_count") * db_pragma(db, "PRAGMA page_size") / 1000000);
    for (int n = from + 1; n <= to && rc == TIDE_OK; n++)
        rc = migrate_to(db, n, err);
    return rc;
}

enum tide_err schema_check(struct db *db, struct tide_error *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *finding = NULL;
    if (sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW)
        finding = sqlite3_errmsg(db->sql);
    else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
        finding = (const char *)sqlite3_column_text(stmt, 0);
    enum tide_err rc = TIDE_OK;
    if (finding)
        rc = tide_fail(err, TIDE_ECORRUPT,
                       "database %s: is damaged (%.100s). Nothing was changed; restore it from a "
                       "backup, or try \"sqlite3 FILE .recover\"",
                       db->path, finding);
    sqlite3_finalize(stmt);
    return rc;
}
