/* inside.h - what drive's files share; nobody else includes this.
 *
 * drive.c    events, todos, timer, life
 * release.c  from a durable claim to the outcome
 * news.c     what is told of a mail that has left
 * review.c   what is suppressed, read again by new rules
 * restart.c  what the last run left: ledger, attempts in flight, pending groups
 */
#ifndef IO_DRIVE_INSIDE_H
#define IO_DRIVE_INSIDE_H

#include "io/drive/drive.h"

/* A todo whose arena outlives the step: every request that points into it holds a ref. */
struct drive_todo {
    struct gate_todo todo;
    struct drive *drive;
    unsigned refs;
};

struct drive_account {
    struct account *account;
    const struct config_account *config;
};

struct drive {
    struct drive_parts parts;
    struct gate *gate;
    uv_timer_t timer;
    tide_wall_ms wake_at; /* what the timer was last set for */
    struct drive_account *accounts;
    size_t account_count;
    unsigned pending; /* requests at store, pool or accounts; accounts that are closing */
    bool is_ready, closing, timer_closed;
    void (*seen)(void *arg, const struct submission *s); /* NULL: nobody wants to know */
    void *seen_arg;
    drive_ready_cb ready;
    void *ready_arg;
    void (*closed)(void *arg);
    void *closed_arg;
};

static inline tide_wall_ms drive_now(const struct drive *d)
{
    return clock_wall(d->parts.clock);
}

void drive_begin(struct drive *d); /* one more request is pending */
void drive_end(struct drive *d);   /* and one less; may finish the closing */
void drive_todo_unref(struct drive_todo *t);

/* A step of the gate whose changes `done` (may be NULL) is told of, when they are durable or could
 * not be. */
typedef void (*drive_stored_cb)(void *arg, enum tide_err rc, const struct tide_error *err);
void drive_step(struct drive *d, struct gate_event *ev, drive_stored_cb done, void *arg);

/* release.c */
void drive_claim(struct drive *d, struct drive_todo *t, const struct gate_action *action);

/* restart.c */
void drive_restart(struct drive *d);
void drive_load_group(struct drive *d, int64_t group_id);

#endif
