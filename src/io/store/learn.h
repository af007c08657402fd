/* learn.h - what history says, into the store: of recipients, known or not, and of sites.
 *
 * Used by the running daemon for whoever asks it (POST /v1/learn), and by `mailtide learn` itself
 * while no daemon runs.
 *
 * Owns      the job is the caller's and must not move until `done`; what it points to neither.
 * Threads   loop thread only; recipients are merged on the writer's thread.
 * Errors    those of store_apply(): then nothing was learnt.
 */
#ifndef IO_STORE_LEARN_H
#define IO_STORE_LEARN_H

#include "io/store/store.h"

struct learn_recipient {
    struct text address;  /* as found */
    struct text forecast; /* FORECAST_BYTES */
};

struct store_learn {
    /* in */
    const struct learn_recipient *recipients;
    size_t recipient_count;
    const struct ledger_blob *sites; /* the policy's rows, written as they are */
    size_t site_count;
    tide_wall_ms now;
    /* out */
    size_t taken, known, bad; /* recipients: learnt; known for longer already; no addresses */
    void (*done)(struct store_learn *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    /* the job's own */
    struct store_apply apply;
    struct arena arena;
    bool *flags;
};

void store_learn(struct store *s, struct store_learn *req);

#endif
