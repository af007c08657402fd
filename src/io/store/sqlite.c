#include "io/store/sqlite.h"

#include "base/macros.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUSY_TIMEOUT_MS 5000 /* somebody with the sqlite3 shell; mailtide itself never waits */

static const char *const statements[] = {
#define STATEMENT_SQL(name, sql) [Q_##name] = sql,
    STATEMENTS(STATEMENT_SQL)
#undef STATEMENT_SQL
};

static enum tide_err code_of(sqlite3 *sql)
{
    int code = sqlite3_extended_errcode(sql), os = sqlite3_system_errno(sql);
    /* A quota or a limit on file sizes is the same to us as a disk without room, but SQLite calls
     * it a failed write and often has lost errno by then. */
    bool no_write = code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE;
    switch (code & 0xff) {
    case SQLITE_FULL:
        return TIDE_EFULL;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return os == ENOSPC || os == EDQUOT || os == EFBIG || (no_write && os != EIO) ? TIDE_EFULL
                                                                                      : TIDE_EIO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return TIDE_ECORRUPT;
    case SQLITE_NOMEM:
        return TIDE_ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return TIDE_EBUSY;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return TIDE_EINVAL;
    default:
        return TIDE_EIO;
    }
}

static enum tide_err fail_sql(struct db *db, struct tide_error *err)
{
    int code = sqlite3_extended_errcode(db->sql);
    /* Clients are told this: plain words, and no path of the server. */
    if (code_of(db->sql) == TIDE_EFULL)
        return tide_fail(err, TIDE_EFULL, "the disk is full");
    return tide_fail(err, code_of(db->sql), "database %s: %s (SQLite code %d)", db->path,
                     sqlite3_errmsg(db->sql), code);
}

static void fail_unit(struct db *db)
{
    if (db->rc == TIDE_OK)
        db->rc = fail_sql(db, &db->err);
}

void db_fail(struct db *db, enum tide_err rc, const char *fmt, ...)
{
    if (db->rc != TIDE_OK)
        return;
    char text[TIDE_ERROR_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    db->rc = tide_fail(&db->err, rc, "%s", text);
}

enum tide_err db_check(const struct db *db, struct tide_error *err)
{
    if (db->rc != TIDE_OK && err)
        *err = db->err;
    return db->rc;
}

void *db_array(struct db *db, struct arena *arena, size_t count, size_t size)
{
    void *p = db->rc == TIDE_OK ? arena_array(arena, count, size) : NULL;
    if (!p)
        db_fail(db, TIDE_ENOMEM, "out of memory for %zu rows", count);
    return p;
}

/* -- Opening ------------------------------------------------------------------------------------
 */

/* Measured (bench/bench_store.c): 8 KiB pages are 1.2-1.5 times as fast for messages of 2 KiB;
 * Debian builds with secure_delete on, which halves the speed of deleting, and deleted mail is
 * overwritten soon enough. Checkpoints are the writer's, when it is idle. */
static const char writer_pragmas[] = "PRAGMA page_size = 8192;"
                                     "PRAGMA secure_delete = OFF;"
                                     "PRAGMA journal_mode = WAL;"
                                     "PRAGMA synchronous = FULL;"
                                     "PRAGMA wal_autocheckpoint = 0;"
                                     "PRAGMA journal_size_limit = 134217728;"
                                     "PRAGMA cache_size = -32768;"
                                     "PRAGMA temp_store = MEMORY;";

static const char reader_pragmas[] = "PRAGMA query_only = ON;"
                                     "PRAGMA cache_size = -8192;"
                                     "PRAGMA temp_store = MEMORY;";

enum tide_err db_exec(struct db *db, const char *sql, struct tide_error *err)
{
    return sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK ? TIDE_OK : fail_sql(db, err);
}

/* SQLite counts its memory under a lock that every allocation takes; nobody asks for the count. */
static void configure_library(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum tide_err db_open(struct db *db, const char *path, enum db_mode mode, struct tide_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_library);
    *db = (struct db){.path = strdup(path)};
    if (!db->path)
        return tide_fail(err, TIDE_ENOMEM, "database %s: out of memory", path);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= mode == DB_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    int opened = sqlite3_open_v2(path, &db->sql, flags, NULL);
    enum tide_err rc = TIDE_OK;
    if (!db->sql)
        rc = tide_fail(err, TIDE_ENOMEM, "database %s: out of memory", path);
    else if (opened != SQLITE_OK)
        rc = fail_sql(db, err);
    if (rc != TIDE_OK) {
        db_close(db);
        return rc;
    }
    sqlite3_busy_timeout(db->sql, BUSY_TIMEOUT_MS);
    /* Without it SQLite compiles a statement anew for every value that it compares with a partial
     * index's condition, to see whether the index serves that value. */
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
    return TIDE_OK;
}

enum tide_err db_tune(struct db *db, enum db_mode mode, struct tide_error *err)
{
    return db_exec(db, mode == DB_WRITER ? writer_pragmas : reader_pragmas, err);
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < Q_COUNT; i++)
        sqlite3_finalize(db->stmts[i]);
    sqlite3_close(db->sql);
    free(db->path);
    *db = (struct db){0};
}

/* -- Statements ---------------------------------------------------------------------------------
 */

static sqlite3_stmt *prepared(struct db *db, enum query q)
{
    if (!db->stmts[q] && sqlite3_prepare_v3(db->sql, statements[q], -1, SQLITE_PREPARE_PERSISTENT,
                                            &db->stmts[q], NULL) != SQLITE_OK)
        fail_unit(db);
    return db->stmts[q];
}

enum tide_err db_prepare_all(struct db *db, struct tide_error *err)
{
    for (size_t i = 0; i < Q_COUNT && db->rc == TIDE_OK; i++)
        prepared(db, (enum query)i);
    return db_check(db, err);
}

static int bind(sqlite3_stmt *stmt, int at, const struct value *v)
{
    const char *p = v->t.p ? v->t.p : "";
    switch (v->type) {
    case VALUE_INT:
        return sqlite3_bind_int64(stmt, at, v->i);
    case VALUE_TEXT:
        return sqlite3_bind_text64(stmt, at, p, v->t.n, SQLITE_STATIC, SQLITE_UTF8);
    case VALUE_BLOB:
        return sqlite3_bind_blob64(stmt, at, p, v->t.n, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static sqlite3_stmt *start(struct db *db, enum query q, struct values values)
{
    sqlite3_stmt *stmt = db->rc == TIDE_OK ? prepared(db, q) : NULL;
    if (!stmt)
        return NULL;
    if (db->used[q])
        sqlite3_reset(stmt);
    db->used[q] = true;
    for (size_t i = 0; i < values.n; i++)
        if (bind(stmt, (int)i + 1, &values.v[i]) != SQLITE_OK) {
            fail_unit(db);
            return NULL;
        }
    return stmt;
}

sqlite3_stmt *db_next(struct db *db, enum query q)
{
    if (db->rc != TIDE_OK)
        return NULL;
    int rc = sqlite3_step(db->stmts[q]);
    if (rc == SQLITE_ROW)
        return db->stmts[q];
    if (rc != SQLITE_DONE)
        fail_unit(db);
    sqlite3_reset(db->stmts[q]);
    return NULL;
}

sqlite3_stmt *db_row(struct db *db, enum query q, struct values values)
{
    return start(db, q, values) ? db_next(db, q) : NULL;
}

void db_run(struct db *db, enum query q, struct values values)
{
    if (start(db, q, values))
        db_next(db, q);
}

int64_t db_number(struct db *db, enum query q, struct values values, int64_t otherwise)
{
    sqlite3_stmt *row = db_row(db, q, values);
    int64_t n = row ? col_int(row, 0) : otherwise;
    if (row)
        sqlite3_reset(row);
    return n;
}

int64_t db_last_rowid(struct db *db)
{
    return sqlite3_last_insert_rowid(db->sql);
}

struct text col_borrow(sqlite3_stmt *row, int i)
{
    const char *p = sqlite3_column_blob(row, i);
    return (struct text){p, (size_t)sqlite3_column_bytes(row, i)};
}

struct text col_text(struct db *db, sqlite3_stmt *row, int i, struct arena *arena)
{
    struct text t = col_borrow(row, i);
    if (t.n == 0)
        return TEXT("");
    struct text copy = arena_text(arena, t);
    if (!copy.p)
        db_fail(db, TIDE_ENOMEM, "out of memory for a row of %zu bytes", t.n);
    return copy;
}

/* -- Units --------------------------------------------------------------------------------------
 */

void db_reset(struct db *db)
{
    for (size_t i = 0; i < Q_COUNT; i++)
        if (db->used[i]) {
            sqlite3_reset(db->stmts[i]);
            db->used[i] = false;
        }
    db->rc = TIDE_OK;
    db->err = (struct tide_error){0};
}

void db_begin(struct db *db, enum db_mode mode)
{
    db_reset(db);
    db_run(db, mode == DB_WRITER ? Q_BEGIN_WRITE : Q_BEGIN_READ, DB_NONE);
}

void db_rollback(struct db *db)
{
    db_reset(db);
    /* SQLite rolls back by itself after some errors. */
    if (!sqlite3_get_autocommit(db->sql))
        db_run(db, Q_ROLLBACK, DB_NONE);
    db_reset(db);
}

enum tide_err db_end(struct db *db, struct tide_error *err)
{
    if (db->rc == TIDE_OK) {
        db_reset(db); /* a statement left in the middle of its rows would keep its snapshot */
        db_run(db, Q_COMMIT, DB_NONE);
    }
    enum tide_err rc = db_check(db, err);
    db_rollback(db);
    return rc;
}

int64_t db_pragma(struct db *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t n = -1;
    if (sqlite3_prepare_v2(db->sql, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}
