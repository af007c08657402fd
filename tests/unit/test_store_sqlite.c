/* A statement is compiled once, whatever values it is given. */
#include "lib/check.h"

#include "io/store/schema.h"
#include "io/store/sqlite.h"

static void run_with(sqlite3_stmt *stmt, sqlite3_int64 value)
{
    sqlite3_reset(stmt);
    for (int i = 1; i <= sqlite3_bind_parameter_count(stmt); i++)
        T_EQ(sqlite3_bind_int64(stmt, i, value), SQLITE_OK, "bind ?%d", i);
    (void)sqlite3_step(stmt); /* what it answers to such values is another matter */
}

static void test_no_statement_is_compiled_for_a_value(void **state)
{
    (void)state;
    struct tide_error err = {0};
    struct db db;
    T_OK(db_open(&db, ":memory:", DB_WRITER, &err), &err, "open");
    T_OK(db_tune(&db, DB_WRITER, &err), &err, "tune");
    T_OK(schema_migrate(&db, &err), &err, "migrate");
    T_OK(db_prepare_all(&db, &err), &err, "prepare");
    for (int i = 0; i < Q_COUNT; i++)
        for (int value = -1; value <= 2; value++) {
            run_with(db.stmts[i], value);
            T_EQ(sqlite3_stmt_status(db.stmts[i], SQLITE_STMTSTATUS_REPREPARE, 0), 0,
                 "compiled again with %d: %s", value, sqlite3_sql(db.stmts[i]));
        }
    db_close(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_statement_is_compiled_for_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
