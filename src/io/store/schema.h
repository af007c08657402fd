/* schema.h - brings a database file to the schema that this program knows.
 *
 * Owns      nothing; schema.sql is part of the program.
 * Threads   the connection's.
 * Errors    TIDE_ECORRUPT a file that is damaged or another program's; TIDE_ESTATE one that a newer
 *           mailtide made. Nothing is changed or deleted then.
 */
#ifndef IO_STORE_SCHEMA_H
#define IO_STORE_SCHEMA_H

#include "io/store/sqlite.h"

/* The newest version that schema.sql has a migration for. */
int schema_version(void);

/* Whether the file is empty, or a mailtide database that this program knows. Only reads. */
TIDE_MUST_CHECK enum tide_err schema_identify(struct db *db, struct tide_error *err);

/* Runs the migrations that are missing, each in a transaction of its own. */
TIDE_MUST_CHECK enum tide_err schema_migrate(struct db *db, struct tide_error *err);

/* quick_check: every page read, every row in order, sizes right. Takes seconds per gigabyte. */
TIDE_MUST_CHECK enum tide_err schema_check(struct db *db, struct tide_error *err);

#endif
