/* checkpoint.h - copies the log (WAL) into the database on the uv pool, beside the writer.
 *
 * Copying 64 MiB takes tens of milliseconds, in which the writer would accept nothing. What it adds
 * meanwhile it copies itself, at the end: only then does SQLite begin the log anew.
 *
 * Owns      a connection of its own, opened at the first run.
 * Lifetime  checkpoint_init() to checkpoint_fini(), which is not to be called while busy.
 * Threads   the loop's; the copying runs on the pool. Calls `done` on the loop.
 */
#ifndef IO_STORE_CHECKPOINT_H
#define IO_STORE_CHECKPOINT_H

#include "io/store/sqlite.h"

#include <uv.h>

struct checkpoint {
    const char *path;
    bool busy;
    struct db db;
    uv_work_t work;
    void (*done)(void *arg);
    void *arg;
};

void checkpoint_init(struct checkpoint *c, const char *path, void (*done)(void *arg), void *arg);
void checkpoint_fini(struct checkpoint *c);
void checkpoint_start(struct checkpoint *c, uv_loop_t *loop);

#endif
