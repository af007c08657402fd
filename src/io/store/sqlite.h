/* sqlite.h - one SQLite connection with its prepared statements and a failure that sticks.
 *
 * A unit of work is a run of db_*() calls. The first that fails is remembered, all later ones do
 * nothing and answer "no row"; whoever runs the unit asks db_check() once, at the end, and rolls
 * back. So the code of a unit reads like what it does.
 *
 * Owns      the connection and every statement of statements.h, prepared when first used.
 * Lifetime  db_open() to db_close(). A row's texts hold until the next call with that statement.
 * Threads   one at a time.
 * Errors    TIDE_EFULL no space, TIDE_EIO, TIDE_ECORRUPT (damaged, or no database), TIDE_ENOMEM,
 *           TIDE_EBUSY, TIDE_EINVAL (a constraint: what the caller handed over contradicts what is
 *           stored). Texts name the file.
 */
#ifndef IO_STORE_SQLITE_H
#define IO_STORE_SQLITE_H

#include "base/arena.h"
#include "io/store/statements.h"

#include <sqlite3.h>

enum query {
#define STATEMENT_ID(name, sql) Q_##name,
    STATEMENTS(STATEMENT_ID)
#undef STATEMENT_ID
        Q_COUNT
};

struct db {
    sqlite3 *sql;
    char *path;
    sqlite3_stmt *stmts[Q_COUNT];
    bool used[Q_COUNT]; /* since the last db_reset() */
    enum tide_err rc;   /* the unit's first failure */
    struct tide_error err;
};

enum db_mode { DB_WRITER, DB_READER };

TIDE_MUST_CHECK enum tide_err db_open(struct db *db,
                                      const char *path,
                                      enum db_mode mode,
                                      struct tide_error *err);
/* Settings of the connection (and of a new file); not before the file is known to be ours. */
TIDE_MUST_CHECK enum tide_err db_tune(struct db *db, enum db_mode mode, struct tide_error *err);
void db_close(struct db *db);

/* Prepares all statements, so that one that does not fit the schema is found at the start. */
TIDE_MUST_CHECK enum tide_err db_prepare_all(struct db *db, struct tide_error *err);

/* -- Values -------------------------------------------------------------------------------------
 */

struct value {
    enum { VALUE_INT, VALUE_TEXT, VALUE_BLOB } type;
    int64_t i;
    struct text t; /* must hold until the statement is done */
};

static inline struct value db_int(int64_t i)
{
    return (struct value){.type = VALUE_INT, .i = i};
}

static inline struct value db_text(struct text t)
{
    return (struct value){.type = VALUE_TEXT, .t = t};
}

static inline struct value db_blob(struct text t)
{
    return (struct value){.type = VALUE_BLOB, .t = t};
}

struct values {
    const struct value *v;
    size_t n;
};

/* The values of a statement's ?1, ?2, ... */
#define DB_VALUES(...)                                    \
    ((struct values){(const struct value[]){__VA_ARGS__}, \
                     sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value)})
#define DB_NONE ((struct values){NULL, 0})

/* -- Statements ---------------------------------------------------------------------------------
 */

/* Runs one that gives no rows. */
void db_run(struct db *db, enum query q, struct values values);
/* Begins one and gives its first row, NULL: none (or failed). db_next() gives the next. */
sqlite3_stmt *db_row(struct db *db, enum query q, struct values values);
sqlite3_stmt *db_next(struct db *db, enum query q);
/* The only column of the only row; `otherwise` where there is none. */
int64_t db_number(struct db *db, enum query q, struct values values, int64_t otherwise);

int64_t db_last_rowid(struct db *db);

static inline int64_t col_int(sqlite3_stmt *row, int i)
{
    return sqlite3_column_int64(row, i);
}

struct text col_borrow(sqlite3_stmt *row, int i);
/* A copy; running out of memory fails the unit. */
struct text col_text(struct db *db, sqlite3_stmt *row, int i, struct arena *arena);

/* -- Units ---------------------------------------------------------------------------------------
 */

/* Fails the unit. */
void db_fail(struct db *db, enum tide_err rc, const char *fmt, ...) TIDE_PRINTF(3, 4);
/* arena_array() whose failure fails the unit. */
void *db_array(struct db *db, struct arena *arena, size_t count, size_t size);

TIDE_MUST_CHECK enum tide_err db_check(const struct db *db, struct tide_error *err);

/* Ends all statements and forgets the failure. */
void db_reset(struct db *db);

/* BEGIN IMMEDIATE (a writer) or BEGIN (a reader: one snapshot for all that it reads). */
void db_begin(struct db *db, enum db_mode mode);
/* Commits, or rolls back where the unit failed, which it tells again. The unit is over then. */
TIDE_MUST_CHECK enum tide_err db_end(struct db *db, struct tide_error *err);
void db_rollback(struct db *db);

/* "PRAGMA name" as a number, -1 where there is none; for sizes. */
int64_t db_pragma(struct db *db, const char *sql);
/* SQL of our own that is run once. */
TIDE_MUST_CHECK enum tide_err db_exec(struct db *db, const char *sql, struct tide_error *err);

#endif
