/* list_inside.h - what the files of list_sync share.
 *
 * list_sync.c   accounts with lists, when a run is due, who asked
 * list_run.h    one run, and the files that it is made of
 * list_call.c   one call of an API
 */
#ifndef IO_WATCH_LIST_INSIDE_H
#define IO_WATCH_LIST_INSIDE_H

#include "io/crypto/aws_sign.h"
#include "io/loop/fetch.h"
#include "io/watch/list_sync.h"

struct list_run;
struct list_way;

/* One call: built by the API's adapter, answered with a document or a reason. */
struct list_call {
    struct list_way *way;
    struct list_request request;
    struct arena arena;
    struct aws_signature signature;
    struct fetch fetch;
    struct fetch_header headers[SEND_HEADERS_MAX + 2];
    void (*done)(struct list_call *c);
    void *arg;
    /* out */
    enum list_said said;
    struct json *doc; /* of LIST_DONE; NULL: no body, or none that is JSON */
    struct buf why;   /* of the others */
    bool busy;
};

/* An account whose ESP's lists are looked after. */
struct list_way {
    struct list_sync *sync;
    struct list hook;
    const struct list_api *api;
    char *name, *key, *key_id, *region, *place;
    int64_t every_ms;
    struct fetcher *fetcher;
    struct list_account account;
    uv_timer_t timer;
    tide_wall_ms due_at;      /* of the next whole run; TIDE_NEVER */
    tide_wall_ms may_call_at; /* by the ESP's rules */
    tide_wall_ms rests_until; /* after a failure */
    struct list_run *run;     /* NULL: idle */
    struct list_call call;
    bool noted; /* the store may have something to be mended */
    bool closing, alarmed;
    unsigned open; /* handles */
};

struct list_sync {
    struct list_sync_parts parts;
    struct list ways, gone; /* struct list_way */
    struct list asks;       /* struct list_sync_ask; the first is under way */
    struct list *ask_at;    /* its next way */
    struct store_watch watch;
    bool stopped, closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

static inline tide_wall_ms list_now(const struct list_sync *s)
{
    return clock_wall(s->parts.clock);
}

/* list_call.c: `request` is filled; done() comes later, once, with call_end() due to it. */
void list_call_start(struct list_call *c, void (*done)(struct list_call *c), void *arg);
void list_call_end(struct list_call *c);

/* list_run.c */
struct list_run *list_run_new(struct list_way *way, bool whole, struct list_sync_ask *ask);
void list_run_step(struct list_run *r);
void list_run_forget(struct list_run *r); /* who asked is gone */

/* list_sync.c */
void list_way_ended(struct list_way *way, struct list_run *run, bool failed);
void list_way_wait(struct list_way *way, tide_wall_ms until); /* then the run's next step */

#endif
