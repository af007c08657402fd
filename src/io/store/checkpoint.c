#include "io/store/checkpoint.h"

#include "base/log.h"
#include "base/macros.h"

void checkpoint_init(struct checkpoint *c, const char *path, void (*done)(void *arg), void *arg)
{
    *c = (struct checkpoint){.path = path, .done = done, .arg = arg};
}

void checkpoint_fini(struct checkpoint *c)
{
    if (c->db.sql)
        db_close(&c->db);
}

/* What fails here is done by the writer, who says so where it matters. */
static void on_work(uv_work_t *work)
{
    struct checkpoint *c = container_of(work, struct checkpoint, work);
    struct tide_error err = {0};
    if (!c->db.sql && (db_open(&c->db, c->path, DB_WRITER, &err) != TIDE_OK ||
                       db_tune(&c->db, DB_WRITER, &err) != TIDE_OK))
        log_debug("store.checkpoint_failed", "%s", err.text);
    else if (sqlite3_wal_checkpoint_v2(c->db.sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) !=
             SQLITE_OK)
        log_debug("store.checkpoint_failed", "path=%s reason=%s", c->path,
                  sqlite3_errmsg(c->db.sql));
}

static void on_work_done(uv_work_t *work, int status)
{
    struct checkpoint *c = container_of(work, struct checkpoint, work);
    (void)status;
    c->busy = false;
    c->done(c->arg);
}

void checkpoint_start(struct checkpoint *c, uv_loop_t *loop)
{
    if (c->busy)
        return;
    c->busy = true;
    uv_queue_work(loop, &c->work, on_work, on_work_done); /* fails without a callback only */
}
