#include "io/store/store.h"

#include "base/file.h"
#include "base/log.h"
#include "base/macros.h"
#include "io/store/checkpoint.h"
#include "io/store/reads.h"
#include "io/store/schema.h"
#include "io/store/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READERS 3 /* of the uv pool's four threads, so that a long look leaves one for others */

/* A file up to here is checked before it is used, a larger one while it is (about 1 s per GB). */
#define CHECK_BYTES_MAX (256LL << 20)

struct reader {
    struct store *store;
    struct db db;
    bool busy;
    struct store_job *job; /* NULL: the check of the whole file */
    atomic_bool checking;  /* db is open, and may be interrupted */
    uv_work_t work;
    enum tide_err rc;
    struct tide_error err;
};

struct store {
    char *path;
    struct store_options options;
    int lock_fd;
    tide_id last_id;
    struct writer writer;
    uv_loop_t *loop;
    uv_async_t news;
    struct checkpoint checkpoint;
    struct reader readers[READERS];
    struct list reads; /* wait for a reader */
    struct list watches;
    bool check_wanted;
    bool closing, writer_gone, news_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* -- The lock ------------------------------------------------------------------------------------
 */

static enum tide_err lock_held(const char *path, int fd, struct tide_error *err)
{
    char pid[32] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[TIDE_MAX(n, 0)] = '\0';
    return tide_fail(err, TIDE_EBUSY,
                     "database %s: is in use by process %.*s; only one mailtided can open it", path,
                     (int)strcspn(pid, "\n"), pid[0] ? pid : "unknown");
}

/* A lock on a file beside the database, so that it holds before SQLite looks at the database. It
 * ends with the process, however that ends; the file stays. */
static enum tide_err lock_take(const char *path, int *ret_fd, struct tide_error *err)
{
    struct buf name = {0};
    buf_addf(&name, "%s.lock", path);
    enum tide_err rc = buf_check(&name, err);
    int fd = rc == TIDE_OK ? open(buf_str(&name), O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    char pid[32];
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (rc == TIDE_OK && fd < 0)
        rc = tide_fail(err, errno == ENOSPC ? TIDE_EFULL : TIDE_EPERM, "database %s: %s: %s", path,
                       buf_str(&name), strerror(errno));
    else if (rc == TIDE_OK && flock(fd, LOCK_EX | LOCK_NB) != 0)
        rc = lock_held(path, fd, err);
    /* The pid is for people; that it could not be written (disk full) is no reason to stay away. */
    else if (rc == TIDE_OK && (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n))
        log_warn("store.lock_without_pid", "path=%s", path);
    buf_fini(&name);
    if (rc == TIDE_OK)
        *ret_fd = fd;
    else if (fd >= 0)
        close(fd);
    return rc;
}

/* -- Opening ------------------------------------------------------------------------------------
 */

static enum tide_err open_database(struct store *s, struct tide_error *err)
{
    struct stat st = {0};
    struct db *db = &s->writer.db;
    enum tide_err rc = db_open(db, s->path, DB_WRITER, err);
    if (rc != TIDE_OK)
        return rc;
    rc = schema_identify(db, err);
    if (rc == TIDE_OK)
        rc = db_tune(db, DB_WRITER, err);
    int64_t max = s->options.check_bytes_max > 0 ? s->options.check_bytes_max : CHECK_BYTES_MAX;
    s->check_wanted = stat(s->path, &st) == 0 && st.st_size > max;
    if (rc == TIDE_OK && !s->check_wanted)
        rc = schema_check(db, err);
    if (rc == TIDE_OK)
        rc = schema_migrate(db, err);
    if (rc == TIDE_OK)
        rc = db_prepare_all(db, err);
    if (rc == TIDE_OK) {
        s->last_id = db_number(db, Q_LAST_ID, DB_NONE, 0);
        rc = db_check(db, err);
    }
    db_reset(db);
    if (rc != TIDE_OK)
        db_close(db);
    return rc;
}

static void store_free(struct store *s)
{
    for (size_t i = 0; i < READERS; i++)
        if (s->readers[i].db.sql)
            db_close(&s->readers[i].db);
    checkpoint_fini(&s->checkpoint);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s->path);
    free(s);
}

static void on_failed_open_closed(uv_handle_t *handle)
{
    store_free(container_of((uv_async_t *)handle, struct store, news));
}

static void on_news(uv_async_t *news);
static void on_checkpoint_done(void *arg);
static void read_next(struct store *s);

enum tide_err store_open(uv_loop_t *loop,
                         const struct store_options *options,
                         struct store **ret,
                         struct tide_error *err)
{
    struct store *s = calloc(1, sizeof *s);
    char *path = strdup(options->path);
    if (!s || !path) {
        free(s);
        free(path);
        return tide_fail(err, TIDE_ENOMEM, "database %s: out of memory", options->path);
    }
    s->path = path;
    s->options = *options;
    s->options.path = path;
    s->lock_fd = -1;
    s->loop = loop;
    list_init(&s->reads);
    list_init(&s->watches);
    checkpoint_init(&s->checkpoint, path, on_checkpoint_done, s);
    for (size_t i = 0; i < READERS; i++)
        s->readers[i].store = s;
    enum tide_err rc = lock_take(path, &s->lock_fd, err);
    if (rc == TIDE_OK)
        rc = open_database(s, err);
    if (rc == TIDE_OK && uv_async_init(loop, &s->news, on_news) != 0) {
        db_close(&s->writer.db);
        rc = tide_fail(err, TIDE_ELIMIT, "database %s: cannot make a uv_async", path);
    }
    if (rc != TIDE_OK) {
        store_free(s);
        return rc;
    }
    rc = writer_start(&s->writer, &s->options, &s->news, err);
    if (rc != TIDE_OK) {
        db_close(&s->writer.db);
        uv_close((uv_handle_t *)&s->news, on_failed_open_closed);
        return rc;
    }
    read_next(s);
    *ret = s;
    return TIDE_OK;
}

tide_id store_last_id(const struct store *s)
{
    return s->last_id;
}

void store_health(struct store *s, struct store_health *ret)
{
    writer_health(&s->writer, ret);
}

/* -- Closing --------------------------------------------------------------------------------------
 */

static void call_back(struct store_job *job);

static void drain(struct store *s)
{
    struct list done, *node;
    list_init(&done);
    if (writer_take_done(&s->writer, &done))
        s->writer_gone = true;
    if (!list_is_empty(&done))
        LIST_EACH(w, &s->watches)
        {
            struct store_watch *watch = container_of(w, struct store_watch, hook);
            watch->wrote(watch);
        }
    while ((node = list_take_first(&done)) != NULL)
        call_back(container_of(node, struct store_job, hook));
}

static void on_news_closed(uv_handle_t *handle)
{
    struct store *s = container_of((uv_async_t *)handle, struct store, news);
    drain(s); /* what was asked for since: cancelled */
    writer_join(&s->writer);
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;
    store_free(s);
    closed(arg);
}

static void close_if_idle(struct store *s)
{
    bool idle = s->closing && s->writer_gone && !s->news_closed && list_is_empty(&s->reads) &&
                !s->checkpoint.busy;
    for (size_t i = 0; i < READERS; i++)
        idle = idle && !s->readers[i].busy;
    if (!idle)
        return;
    s->news_closed = true;
    uv_close((uv_handle_t *)&s->news, on_news_closed);
}

static void on_news(uv_async_t *news)
{
    struct store *s = container_of(news, struct store, news);
    drain(s);
    if (!s->closing && writer_wants_checkpoint(&s->writer))
        checkpoint_start(&s->checkpoint, s->loop);
    close_if_idle(s);
}

static void on_checkpoint_done(void *arg)
{
    struct store *s = arg;
    writer_checkpoint_done(&s->writer);
    close_if_idle(s);
}

void store_close(struct store *s, void (*closed)(void *arg), void *arg)
{
    if (s->closing)
        return;
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    s->check_wanted = false;
    for (size_t i = 0; i < READERS; i++)
        if (atomic_load(&s->readers[i].checking))
            sqlite3_interrupt(s->readers[i].db.sql);
    writer_close(&s->writer);
}

void store_stop_waiting(struct store *s, int64_t wait_ms)
{
    if (!s->closing)
        writer_wait_no_longer(&s->writer, wait_ms);
}

/* -- Reads ----------------------------------------------------------------------------------------
 */

static void read_job(struct reader *r)
{
    tide_wall_ms now = r->store->options.now(r->store->options.now_arg);
    db_begin(&r->db, DB_READER);
    if (r->job->kind == JOB_LOAD)
        load_read(&r->db, container_of(r->job, struct store_load, job), now);
    else
        ask_read(&r->db, container_of(r->job, struct store_ask, job), now);
    r->rc = db_end(&r->db, &r->err);
}

static void on_read(uv_work_t *work)
{
    struct reader *r = container_of(work, struct reader, work);
    r->rc = TIDE_OK;
    if (!r->db.sql) {
        r->rc = db_open(&r->db, r->store->path, DB_READER, &r->err);
        if (r->rc == TIDE_OK)
            r->rc = db_tune(&r->db, DB_READER, &r->err);
    }
    if (r->rc == TIDE_OK && r->job)
        read_job(r);
    else if (r->rc == TIDE_OK) {
        atomic_store(&r->checking, true);
        r->rc = schema_check(&r->db, &r->err);
        atomic_store(&r->checking, false);
    }
}

static void on_read_done(uv_work_t *work, int status)
{
    struct reader *r = container_of(work, struct reader, work);
    struct store *s = r->store;
    struct store_job *job = r->job;
    r->busy = false;
    r->job = NULL;
    if (status != 0)
        r->rc = tide_fail(&r->err, TIDE_ECANCELED, "the read was cancelled");
    if (job) {
        job->rc = r->rc;
        job->err = r->err;
    } else if (r->rc == TIDE_ECORRUPT && !s->closing) {
        log_error("store.damaged", "%s", r->err.text);
        writer_damaged(&s->writer, r->err.text);
    }
    read_next(s);
    if (job)
        call_back(job);
    close_if_idle(s);
}

/* Gives what waits to readers that are free. */
static void read_next(struct store *s)
{
    for (size_t i = 0; i < READERS; i++) {
        struct reader *r = &s->readers[i];
        if (r->busy || (!s->check_wanted && list_is_empty(&s->reads)))
            continue;
        r->job = NULL;
        if (s->check_wanted)
            s->check_wanted = false;
        else
            r->job = container_of(list_take_first(&s->reads), struct store_job, hook);
        r->busy = true;
        r->err = (struct tide_error){0};
        uv_queue_work(s->loop, &r->work, on_read, on_read_done); /* fails without a callback only */
    }
}

/* -- Requests -------------------------------------------------------------------------------------
 */

static void call_back(struct store_job *job)
{
    switch ((enum job_kind)job->kind) {
#define CALL_BACK(KIND, type)                                   \
    case KIND: {                                                \
        struct type *req = container_of(job, struct type, job); \
        req->done(req, job->rc, &job->err);                     \
        break;                                                  \
    }
        CALL_BACK(JOB_ACCEPT, store_accept)
        CALL_BACK(JOB_APPLY, store_apply)
        CALL_BACK(JOB_CLAIM, store_claim)
        CALL_BACK(JOB_DROP, store_drop)
        CALL_BACK(JOB_LOAD, store_load)
        CALL_BACK(JOB_ASK, store_ask)
#undef CALL_BACK
    case JOB_NONE:
        break;
    }
}

static void put(struct store *s, struct store_job *job, enum job_kind kind)
{
    job->kind = (int)kind;
    writer_put(&s->writer, job);
}

void store_accept(struct store *s, struct store_accept *req)
{
    put(s, &req->job, JOB_ACCEPT);
}

void store_apply(struct store *s, struct store_apply *req)
{
    put(s, &req->job, JOB_APPLY);
}

void store_claim(struct store *s, struct store_claim *req)
{
    put(s, &req->job, JOB_CLAIM);
}

void store_drop(struct store *s, struct store_drop *req)
{
    put(s, &req->job, JOB_DROP);
}

static void put_read(struct store *s, struct store_job *job, enum job_kind kind)
{
    if (s->closing) { /* answered by the writer's way, which says so */
        put(s, job, kind);
        return;
    }
    job->kind = (int)kind;
    list_init(&job->hook);
    list_append(&s->reads, &job->hook);
    read_next(s);
}

void store_load(struct store *s, struct store_load *req)
{
    put_read(s, &req->job, JOB_LOAD);
}

void store_ask(struct store *s, struct store_ask *req)
{
    put_read(s, &req->job, JOB_ASK);
}

/* -- Watch ----------------------------------------------------------------------------------------
 */

void store_watch(struct store *s, struct store_watch *w)
{
    list_append(&s->watches, &w->hook);
}

void store_unwatch(struct store_watch *w)
{
    list_remove(&w->hook);
}
