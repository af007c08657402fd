#include "io/store/copy.h"

#include "io/store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static enum tide_err copy_pages(struct db *from, struct db *to, struct tide_error *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to->sql, "main", from->sql, "main");
    int rc = b ? sqlite3_backup_step(b, -1) : sqlite3_errcode(to->sql);
    if (b)
        sqlite3_backup_finish(b);
    if (rc == SQLITE_DONE)
        return TIDE_OK;
    return tide_fail(err, rc == SQLITE_FULL ? TIDE_EFULL : TIDE_EIO, "copying %s to %s: %s",
                     from->path, to->path, sqlite3_errstr(rc));
}

/* Into the empty file that was made. */
static enum tide_err copy_into(struct db *from,
                               const char *path,
                               int64_t *ret_bytes,
                               struct tide_error *err)
{
    struct db to;
    enum tide_err rc = db_open(&to, path, DB_WRITER, err);
    if (rc != TIDE_OK)
        return rc;
    rc = copy_pages(from, &to, err);
    if (rc == TIDE_OK)
        rc = schema_check(&to, err);
    int64_t bytes = db_pragma(&to, "PRAGMA page_count") * db_pragma(&to, "PRAGMA page_size");
    db_close(&to);
    if (rc == TIDE_OK)
        *ret_bytes = bytes;
    return rc;
}

enum tide_err store_copy(const char *from,
                         const char *to,
                         int64_t *ret_bytes,
                         struct tide_error *err)
{
    struct db source;
    enum tide_err rc = db_open(&source, from, DB_READER, err);
    if (rc != TIDE_OK)
        return rc;
    rc = schema_identify(&source, err);
    int fd = rc == TIDE_OK ? open(to, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) : -1;
    if (rc == TIDE_OK && fd < 0)
        rc =
            tide_fail(err, errno == EEXIST ? TIDE_EEXIST : TIDE_EIO, "%s: %s", to, strerror(errno));
    if (fd >= 0) {
        close(fd);
        rc = copy_into(&source, to, ret_bytes, err);
        if (rc != TIDE_OK)
            unlink(to);
    }
    db_close(&source);
    return rc;
}
