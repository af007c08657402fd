/* writer.h - the one thread that writes: takes all that is queued, commits it at once, repeats.
 *
 * A batch sizes itself: what gathers while one commit waits for the disk is the next batch. While
 * the disk is full, ends of attempts wait inside, in order, and are tried again; nothing overtakes
 * them, everything else fails by name until they are written.
 *
 * Owns      the writing connection (opened by the caller, closed by the thread), its queue.
 * Lifetime  writer_start() to writer_join(), which may be called once *_finished() says so.
 * Threads   writer_*() are the loop's; the thread is inside. Tells of news with uv_async_send().
 */
#ifndef IO_STORE_WRITER_H
#define IO_STORE_WRITER_H

#include "io/store/writes.h"

#include <stdatomic.h>

enum job_kind { JOB_NONE, JOB_ACCEPT, JOB_APPLY, JOB_CLAIM, JOB_DROP, JOB_LOAD, JOB_ASK };

/* Longer is refused: TIDE_ELIMIT. */
#define STORE_QUEUE_MAX 100000

/* A checkpoint beside the writer (checkpoint.h):
 *   NONE --the log is long--> WANTED --loop--> RUNNING --loop--> DONE --> WANTED or NONE */
enum checkpoint_state { CHECKPOINT_NONE, CHECKPOINT_WANTED, CHECKPOINT_RUNNING, CHECKPOINT_DONE };

struct writer {
    struct store_options options;
    uv_async_t *news;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t wake;
    /* under the mutex */
    struct list queue, done;
    bool closing, finished;
    uint64_t wait_until_ns; /* what still waits for room then fails; 0: no such time */
    struct store_health health;
    char damage[TIDE_ERROR_BYTES_MAX]; /* found by the check in the background; "" none */
    /* the thread's own */
    struct db db;
    struct writing writing;
    struct list waiting; /* ends of attempts that wait for room */
    struct prune prune;
    uint64_t prune_at_ns; /* monotonic: the next step of pruning */
    uint64_t looked_at_ns;
    bool pruned_for_room, no_room;
    struct tide_error why_no_room;
    int wal_pages, wal_pages_max;
    int wal_pages_copied;  /* at the least, by the checkpoint that runs beside */
    atomic_int checkpoint; /* enum checkpoint_state: the thread's and the loop's */
};

/* `w->db` is open and of the right schema. On failure nothing is owned. */
TIDE_MUST_CHECK enum tide_err writer_start(struct writer *w,
                                           const struct store_options *options,
                                           uv_async_t *news,
                                           struct tide_error *err);
void writer_put(struct writer *w, struct store_job *job);
/* Moves what is done to `ret`; true: the thread has finished, and this was the last. */
bool writer_take_done(struct writer *w, struct list *ret);
/* True: a checkpoint is to be run beside; tell when it is done. */
bool writer_wants_checkpoint(struct writer *w);
void writer_checkpoint_done(struct writer *w);
void writer_health(struct writer *w, struct store_health *ret);
void writer_damaged(struct writer *w, const char *text);
/* From so long on what waits for room fails instead. */
void writer_wait_no_longer(struct writer *w, int64_t wait_ms);
/* Finishes all that is queued, then the thread ends. */
void writer_close(struct writer *w);
void writer_join(struct writer *w);

#endif
