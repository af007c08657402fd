#include "io/store/writer.h"

#include "base/log.h"
#include "base/macros.h"

#include <inttypes.h>
#include <sys/statvfs.h>

#define GROUP_MAX        4000 /* requests in one transaction: bounds what one commit can take */
#define IDLE_MS          50   /* so long without a request is "idle" */
#define RETRY_MS         100  /* between two looks whether a full disk has room again */
#define PRUNE_EVERY_MS   30000
#define NO_ROOM_EVERY_MS 3000       /* over our own bound with nothing finished: look again */
#define LOOK_EVERY_MS    100        /* at sizes, under load */
#define LOG_BYTES_MAX    (64 << 20) /* a checkpoint then, beside the writer, idle or not */
#define LOG_REST         16         /* one part in so many is quickly copied by the writer itself */
#define LOG_BOUND        4          /* at so many times as much the writer copies all of it */
#define SLEEP_FOREVER_MS 3600000

#define MS_NS 1000000u

/* Failures that may be over in a while. */
static bool may_pass(enum tide_err rc)
{
    return rc == TIDE_EFULL || rc == TIDE_EIO || rc == TIDE_EBUSY || rc == TIDE_ENOMEM;
}

/* Whether a request holds the end of an attempt: what was already said by the world and would be
 * lost if it were refused. */
static bool is_ending(const struct store_job *job)
{
    if (job->kind != JOB_APPLY)
        return false;
    const struct store_apply *req = container_of(job, const struct store_apply, job);
    for (size_t i = 0; i < req->count; i++)
        if (req->changes[i].type == CHANGE_ATTEMPT)
            return true;
    return false;
}

/* -- Health -------------------------------------------------------------------------------------
 */

static void set_health(struct writer *w, enum store_condition condition, const char *text)
{
    uv_mutex_lock(&w->mutex);
    enum store_condition before = w->health.condition;
    w->health.condition = condition;
    snprintf(w->health.text, sizeof w->health.text, "%s", text);
    uv_mutex_unlock(&w->mutex);
    if (before == condition)
        return;
    char quoted[TIDE_ERROR_BYTES_MAX];
    if (condition == STORE_OK)
        log_info("store.writable", "path=%s", w->options.path);
    else
        log_error("store.not_writable", "path=%s reason=%s", w->options.path,
                  log_quote(text_of(text), quoted, sizeof quoted));
}

static void judge(struct writer *w, enum tide_err rc, const struct tide_error *err)
{
    if (rc == TIDE_EFULL)
        set_health(w, STORE_FULL, err->text);
    else if (rc != TIDE_OK)
        set_health(w, STORE_FAILED, err->text);
    else if (w->no_room)
        set_health(w, STORE_FULL, w->why_no_room.text);
    else if (list_is_empty(&w->waiting))
        set_health(w, STORE_OK, "");
}

static int64_t used_bytes(struct writer *w)
{
    int64_t pages = db_pragma(&w->db, "PRAGMA page_count");
    int64_t free_pages = db_pragma(&w->db, "PRAGMA freelist_count");
    return (pages - free_pages) * db_pragma(&w->db, "PRAGMA page_size");
}

/* Whether accepting must stop for want of room, though a write may still succeed. */
static void look_for_room(struct writer *w)
{
    struct statvfs fs;
    const struct store_options *o = &w->options;
    w->no_room = false;
    if (o->free_bytes_min > 0 && statvfs(o->path, &fs) == 0) {
        int64_t left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
        w->no_room = left < o->free_bytes_min;
        if (w->no_room)
            tide_fail(&w->why_no_room, TIDE_EFULL,
                      "%s: %" PRId64 " bytes are free on the disk, %" PRId64 " must stay free",
                      o->path, left, o->free_bytes_min);
    }
    w->pruned_for_room = false;
    if (w->no_room || o->size_bytes_max <= 0)
        return;
    int64_t used = used_bytes(w);
    w->pruned_for_room = used > o->size_bytes_max;
    w->no_room = w->pruned_for_room && w->prune.found_nothing;
    if (w->no_room)
        tide_fail(&w->why_no_room, TIDE_EFULL,
                  "%s: %" PRId64 " bytes are used, %" PRId64 " are allowed, and nothing in it is "
                  "finished",
                  o->path, used, o->size_bytes_max);
}

/* -- One transaction ----------------------------------------------------------------------------
 */

static void write_job(struct writer *w, struct store_job *job)
{
    switch ((enum job_kind)job->kind) {
    case JOB_ACCEPT:
        if (w->no_room)
            db_fail(&w->db, TIDE_EFULL, "%s", w->why_no_room.text);
        else
            accept_write(&w->writing, container_of(job, struct store_accept, job));
        break;
    case JOB_APPLY:
        apply_write(&w->writing, container_of(job, struct store_apply, job));
        break;
    case JOB_CLAIM:
        claim_write(&w->writing, container_of(job, struct store_claim, job));
        break;
    case JOB_DROP:
        drop_write(&w->writing, container_of(job, struct store_drop, job));
        break;
    case JOB_NONE:
    case JOB_LOAD:
    case JOB_ASK:
        break;
    }
}

/* Failures that a unit finds before it wrote anything concern it alone. */
static bool is_its_own(struct writer *w, enum tide_err rc, int64_t changes_before)
{
    bool own = rc == TIDE_EEXIST || rc == TIDE_ENOENT || rc == TIDE_ESTATE || rc == TIDE_EINVAL ||
               (rc == TIDE_EFULL && w->no_room);
    return own && sqlite3_total_changes64(w->db.sql) == changes_before &&
           !sqlite3_get_autocommit(w->db.sql);
}

/* All jobs in one transaction, each with its own result; on failure nothing was written. */
static enum tide_err try_group(struct writer *w, struct list *jobs, struct tide_error *err)
{
    struct db *db = &w->db;
    tally_reset(&w->writing);
    w->writing.now = w->options.now(w->options.now_arg);
    db_begin(db, DB_WRITER);
    LIST_EACH(node, jobs)
    {
        if (db->rc != TIDE_OK)
            break;
        struct store_job *job = container_of(node, struct store_job, hook);
        int64_t changes = sqlite3_total_changes64(db->sql);
        write_job(w, job);
        job->rc = db_check(db, &job->err);
        if (job->rc != TIDE_OK && is_its_own(w, job->rc, changes))
            db->rc = TIDE_OK;
    }
    tally_flush(&w->writing);
    return db_end(db, err);
}

static void finish(struct writer *w,
                   struct store_job *job,
                   enum tide_err rc,
                   const struct tide_error *err)
{
    job->rc = rc;
    if (rc != TIDE_OK && err != &job->err)
        job->err = *err;
    if (rc == TIDE_OK && job->kind == JOB_ACCEPT)
        accept_publish(container_of(job, struct store_accept, job));
    uv_mutex_lock(&w->mutex);
    list_remove(&job->hook);
    list_append(&w->done, &job->hook);
    uv_mutex_unlock(&w->mutex);
}

static void finish_all(struct writer *w, struct list *jobs)
{
    LIST_EACH(node, jobs)
    {
        struct store_job *job = container_of(node, struct store_job, hook);
        finish(w, job, job->rc, &job->err);
    }
}

/* -- Groups --------------------------------------------------------------------------------------
 */

static void wait_or_fail(struct writer *w,
                         struct store_job *job,
                         enum tide_err rc,
                         const struct tide_error *err)
{
    if (may_pass(rc) && is_ending(job)) {
        list_remove(&job->hook);
        list_append(&w->waiting, &job->hook);
    } else
        finish(w, job, rc, err);
}

/* Takes `job` from its list and writes it alone; its failure in *err. */
static enum tide_err try_one(struct writer *w, struct store_job *job, struct tide_error *err)
{
    struct list alone;
    list_init(&alone);
    list_remove(&job->hook);
    list_append(&alone, &job->hook);
    enum tide_err rc = try_group(w, &alone, err);
    list_remove(&job->hook);
    judge(w, rc == TIDE_EINVAL ? TIDE_OK : rc, err);
    return rc;
}

/* What waits for room goes first. True: nothing waits any more. */
static bool retry_waiting(struct writer *w)
{
    struct list *node;
    struct tide_error err = {0};
    while ((node = list_first(&w->waiting)) != NULL) {
        struct store_job *job = container_of(node, struct store_job, hook);
        enum tide_err rc = try_one(w, job, &err);
        if (may_pass(rc)) {
            list_prepend(&w->waiting, &job->hook);
            return false;
        }
        finish(w, job, rc == TIDE_OK ? job->rc : rc, rc == TIDE_OK ? &job->err : &err);
    }
    return true;
}

static void carry_out(struct writer *w, struct list *jobs)
{
    struct tide_error err = {0};
    struct list *node;
    enum tide_err rc = retry_waiting(w) ? try_group(w, jobs, &err) : TIDE_EFULL;
    if (rc == TIDE_OK) {
        finish_all(w, jobs);
        judge(w, rc, &err);
        return;
    }
    /* One of them spoiled it, or there is no room: each on its own tells. */
    while ((node = list_first(jobs)) != NULL) {
        struct store_job *job = container_of(node, struct store_job, hook);
        if (list_is_empty(&w->waiting)) {
            rc = try_one(w, job, &err);
            if (rc == TIDE_OK) {
                finish(w, job, job->rc, &job->err);
                continue;
            }
        } else
            rc = tide_fail(&err, TIDE_EFULL, "%s", w->health.text);
        wait_or_fail(w, job, rc, &err);
    }
}

/* -- When idle ----------------------------------------------------------------------------------
 */

static int on_wal(void *arg, sqlite3 *sql, const char *name, int pages)
{
    (void)sql;
    (void)name;
    ((struct writer *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

static void checkpoint(struct writer *w, int mode)
{
    if (sqlite3_wal_checkpoint_v2(w->db.sql, NULL, mode, NULL, NULL) != SQLITE_OK)
        log_debug("store.checkpoint_failed", "path=%s reason=%s", w->options.path,
                  sqlite3_errmsg(w->db.sql));
    w->wal_pages = 0;
}

/* Under load. Each run beside leaves what came in meanwhile, less each time. */
static void checkpoint_beside(struct writer *w)
{
    bool want = false;
    int state = atomic_load(&w->checkpoint), rest = w->wal_pages - w->wal_pages_copied;
    if (w->wal_pages >= w->wal_pages_max * LOG_BOUND)
        checkpoint(w, SQLITE_CHECKPOINT_PASSIVE);
    else if (state == CHECKPOINT_NONE)
        want = w->wal_pages >= w->wal_pages_max;
    else if (state == CHECKPOINT_DONE && rest > w->wal_pages_max / LOG_REST)
        want = true;
    else if (state == CHECKPOINT_DONE) {
        checkpoint(w, SQLITE_CHECKPOINT_PASSIVE);
        atomic_store(&w->checkpoint, CHECKPOINT_NONE);
    }
    if (!want)
        return;
    w->wal_pages_copied = w->wal_pages;
    atomic_store(&w->checkpoint, CHECKPOINT_WANTED);
    uv_async_send(w->news);
}

static void probe(struct writer *w)
{
    struct tide_error err = {0};
    db_begin(&w->db, DB_WRITER);
    db_run(&w->db, Q_PROBE, DB_NONE);
    judge(w, db_end(&w->db, &err), &err);
}

/* One step of pruning; a round ends, and the next begins after a while. */
static void prune_step(struct writer *w, uint64_t now_ns)
{
    const struct store_options *o = &w->options;
    if (o->keep_ms <= 0 && !w->pruned_for_room) {
        w->prune_at_ns = now_ns + (uint64_t)PRUNE_EVERY_MS * MS_NS;
        return;
    }
    struct prune next = w->prune;
    struct tide_error err = {0};
    tally_reset(&w->writing);
    w->writing.now = o->now(o->now_arg);
    tide_wall_ms before = o->keep_ms > 0 ? w->writing.now - o->keep_ms : 0;
    db_begin(&w->db, DB_WRITER);
    bool over = prune_write(&w->writing, &next, before, w->pruned_for_room);
    tally_flush(&w->writing);
    enum tide_err rc = db_end(&w->db, &err);
    if (rc == TIDE_OK)
        w->prune = next;
    look_for_room(w); /* what was deleted may have made some, or there is nothing to delete */
    judge(w, rc, &err);
    uint64_t pause_ms = 0; /* more to delete: at once, requests permitting */
    if (rc != TIDE_OK)
        pause_ms = RETRY_MS;
    else if (over && w->pruned_for_room && next.found_nothing)
        pause_ms = NO_ROOM_EVERY_MS;
    else if (over && !w->pruned_for_room)
        pause_ms = PRUNE_EVERY_MS;
    w->prune_at_ns = now_ns + pause_ms * MS_NS;
}

/* mailtide is stopping, and what waits for room has waited long enough: its attempts are of unknown
 * fate when it starts again. */
static void give_up_waiting(struct writer *w)
{
    struct list *node;
    struct tide_error err;
    uv_mutex_lock(&w->mutex);
    uint64_t until_ns = w->wait_until_ns;
    uv_mutex_unlock(&w->mutex);
    if (!until_ns || uv_hrtime() < until_ns)
        return;
    tide_fail(&err, TIDE_EFULL, "%s", w->health.text);
    while ((node = list_first(&w->waiting)) != NULL)
        finish(w, container_of(node, struct store_job, hook), TIDE_EFULL, &err);
}

static void publish(struct writer *w)
{
    size_t n = 0;
    LIST_EACH(node, &w->waiting)
    n++;
    uv_mutex_lock(&w->mutex);
    w->health.waiting_endings = n;
    uv_mutex_unlock(&w->mutex);
    uv_async_send(w->news);
}

static void housekeep(struct writer *w)
{
    uint64_t now_ns = uv_hrtime();
    look_for_room(w);
    if (!list_is_empty(&w->waiting)) {
        if (!retry_waiting(w))
            give_up_waiting(w);
        publish(w);
        return;
    }
    if (w->no_room)
        judge(w, TIDE_OK, NULL);
    else if (w->health.condition != STORE_OK)
        probe(w);
    if (w->wal_pages > 0)
        checkpoint(w, SQLITE_CHECKPOINT_PASSIVE);
    if (now_ns >= w->prune_at_ns && w->health.condition != STORE_FAILED)
        prune_step(w, now_ns);
}

/* What cannot wait until it is idle. */
static void look_after(struct writer *w)
{
    uint64_t now_ns = uv_hrtime();
    checkpoint_beside(w);
    if (now_ns - w->looked_at_ns < LOOK_EVERY_MS * (uint64_t)MS_NS)
        return;
    w->looked_at_ns = now_ns;
    look_for_room(w);
    if (w->pruned_for_room && now_ns >= w->prune_at_ns)
        prune_step(w, now_ns);
}

/* -- The thread ---------------------------------------------------------------------------------
 */

static uint64_t sleep_ns(const struct writer *w)
{
    uint64_t now_ns = uv_hrtime(), until_prune;
    if (!list_is_empty(&w->waiting) || w->health.condition != STORE_OK)
        return (uint64_t)RETRY_MS * MS_NS;
    if (w->wal_pages > 0)
        return (uint64_t)IDLE_MS * MS_NS;
    until_prune = w->prune_at_ns > now_ns ? w->prune_at_ns - now_ns : 0;
    return TIDE_MIN(until_prune, (uint64_t)SLEEP_FOREVER_MS * MS_NS);
}

/* The next group into *jobs; false: nothing came for a while, or it is time to end (*ret_end). */
static bool next_group(struct writer *w, struct list *jobs, bool *ret_end)
{
    size_t n = 0;
    struct list *node;
    uv_mutex_lock(&w->mutex);
    uint64_t ns = sleep_ns(w);
    if (list_is_empty(&w->queue) && !w->closing && ns > 0)
        uv_cond_timedwait(&w->wake, &w->mutex, ns);
    for (; n < GROUP_MAX && (node = list_take_first(&w->queue)) != NULL; n++)
        list_append(jobs, node);
    w->health.queued -= n;
    *ret_end = n == 0 && w->closing;
    uv_mutex_unlock(&w->mutex);
    return n > 0;
}

static void last_words(struct writer *w)
{
    struct list *node;
    struct tide_error err;
    retry_waiting(w);
    tide_fail(&err, TIDE_EFULL, "%s", w->health.text);
    while ((node = list_first(&w->waiting)) != NULL)
        finish(w, container_of(node, struct store_job, hook), TIDE_EFULL, &err);
    checkpoint(w, SQLITE_CHECKPOINT_TRUNCATE);
    db_close(&w->db);
    uv_mutex_lock(&w->mutex);
    w->finished = true;
    uv_mutex_unlock(&w->mutex);
    publish(w);
}

static void run(void *arg)
{
    struct writer *w = arg;
    bool end = false;
    while (!end) {
        struct list jobs;
        list_init(&jobs);
        if (next_group(w, &jobs, &end)) {
            carry_out(w, &jobs);
            publish(w);
            look_after(w);
        } else if (!end) {
            housekeep(w);
        }
    }
    last_words(w);
}

enum tide_err writer_start(struct writer *w,
                           const struct store_options *options,
                           uv_async_t *news,
                           struct tide_error *err)
{
    w->options = *options;
    w->news = news;
    w->writing = (struct writing){.db = &w->db};
    list_init(&w->queue);
    list_init(&w->done);
    list_init(&w->waiting);
    int64_t log_bytes_max = options->log_bytes_max > 0 ? options->log_bytes_max : LOG_BYTES_MAX;
    w->wal_pages_max = (int)(log_bytes_max / db_pragma(&w->db, "PRAGMA page_size"));
    sqlite3_wal_hook(w->db.sql, on_wal, w);
    look_for_room(w);
    if (uv_mutex_init(&w->mutex) != 0)
        return tide_fail(err, TIDE_ENOMEM, "cannot make a mutex for the store's writer");
    if (uv_cond_init(&w->wake) != 0) {
        uv_mutex_destroy(&w->mutex);
        return tide_fail(err, TIDE_ENOMEM, "cannot make a condition for the store's writer");
    }
    int rc = uv_thread_create(&w->thread, run, w);
    if (rc == 0)
        return TIDE_OK;
    uv_cond_destroy(&w->wake);
    uv_mutex_destroy(&w->mutex);
    return tide_fail(err, TIDE_ELIMIT, "cannot start the store's writer thread: %s",
                     uv_strerror(rc));
}

/* -- The loop's side ----------------------------------------------------------------------------
 */

void writer_put(struct writer *w, struct store_job *job)
{
    list_init(&job->hook);
    job->rc = TIDE_OK;
    job->err = (struct tide_error){0};
    bool refused = false;
    uv_mutex_lock(&w->mutex);
    if (w->closing)
        refused = tide_fail(&job->err, TIDE_ECANCELED, "the store is closing");
    else if (w->damage[0] && job->kind == JOB_ACCEPT)
        refused = tide_fail(&job->err, TIDE_ECORRUPT, "%s", w->damage);
    else if (w->health.queued >= STORE_QUEUE_MAX && !is_ending(job))
        refused = tide_fail(&job->err, TIDE_ELIMIT, "%d requests wait for the store already",
                            STORE_QUEUE_MAX);
    if (refused) {
        job->rc = job->err.code;
        list_append(&w->done, &job->hook);
    } else {
        list_append(&w->queue, &job->hook);
        w->health.queued++;
        uv_cond_signal(&w->wake);
    }
    uv_mutex_unlock(&w->mutex);
    if (refused)
        uv_async_send(w->news);
}

bool writer_take_done(struct writer *w, struct list *ret)
{
    struct list *node;
    uv_mutex_lock(&w->mutex);
    while ((node = list_take_first(&w->done)) != NULL)
        list_append(ret, node);
    bool finished = w->finished;
    uv_mutex_unlock(&w->mutex);
    return finished;
}

bool writer_wants_checkpoint(struct writer *w)
{
    int wanted = CHECKPOINT_WANTED;
    return atomic_compare_exchange_strong(&w->checkpoint, &wanted, CHECKPOINT_RUNNING);
}

void writer_checkpoint_done(struct writer *w)
{
    atomic_store(&w->checkpoint, CHECKPOINT_DONE);
}

void writer_health(struct writer *w, struct store_health *ret)
{
    uv_mutex_lock(&w->mutex);
    *ret = w->health;
    ret->queued += ret->waiting_endings;
    if (w->damage[0]) {
        ret->condition = STORE_FAILED;
        memcpy(ret->text, w->damage, sizeof ret->text);
    }
    uv_mutex_unlock(&w->mutex);
}

void writer_damaged(struct writer *w, const char *text)
{
    uv_mutex_lock(&w->mutex);
    snprintf(w->damage, sizeof w->damage, "%s", text);
    uv_mutex_unlock(&w->mutex);
}

void writer_wait_no_longer(struct writer *w, int64_t wait_ms)
{
    uv_mutex_lock(&w->mutex);
    w->wait_until_ns = uv_hrtime() + (uint64_t)wait_ms * MS_NS;
    uv_mutex_unlock(&w->mutex);
}

void writer_close(struct writer *w)
{
    uv_mutex_lock(&w->mutex);
    w->closing = true;
    uv_cond_signal(&w->wake);
    uv_mutex_unlock(&w->mutex);
}

void writer_join(struct writer *w)
{
    uv_thread_join(&w->thread);
    uv_cond_destroy(&w->wake);
    uv_mutex_destroy(&w->mutex);
}
