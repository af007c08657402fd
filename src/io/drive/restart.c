/* What the last run left behind: ledgers and attempts in flight first, since nothing may be planned
 * without them; pending groups after that, in pages, while mail is taken already. */
#include "io/drive/inside.h"

#include "base/log.h"
#include "base/macros.h"

#include <stdlib.h>

#define PAGE_GROUPS 2000 /* the loop takes in 1000 in about 2 ms */

struct load_job {
    struct store_load req;
    struct drive *drive;
    bool only_one; /* GATE_DO_LOAD */
    size_t loaded;
};

static void feed_group(struct drive *d, const struct store_loaded_group *g)
{
    struct gate_event ev = {
        .type = GATE_LOADED,
        .accepted = {.pending = &g->pending,
                     .recipient = &g->recipient,
                     .origin = {.application = g->application, .identity = g->identity},
                     .accepted_at = g->pending.oldest_at,
                     .due_at = g->due_at},
    };
    size_t n = 0; /* the most urgent first */
    for (size_t i = 0; i < 3; i++) {
        if (g->streams[i].n == 0)
            continue;
        *(n == 0 ? &ev.accepted.origin.stream : &ev.accepted.also[n - 1]) = g->streams[i];
        n++;
    }
    drive_event(d, &ev, NULL, NULL);
}

static void feed_attempt(struct drive *d, const struct attempt *attempt)
{
    struct gate_event ev = {.type = GATE_FLYING, .flying = {.attempt = attempt}};
    int account = config_account_index(d->parts.config, attempt->account);
    enum account_settled settled = account >= 0
                                       ? account_settle(d->accounts[account].account, attempt->id)
                                       : SETTLED_CANNOT_TELL;
    ev.flying.known = settled == SETTLED_ARRIVED       ? FLYING_ARRIVED
                      : settled == SETTLED_NOT_ARRIVED ? FLYING_NOT_ARRIVED
                                                       : FLYING_CANNOT_TELL;
    drive_event(d, &ev, NULL, NULL);
}

static void feed_first_page(struct drive *d, const struct store_load *req)
{
    for (size_t i = 0; i < req->ledger_count; i++) {
        struct tide_error err;
        if (gate_restore(d->gate, req->ledger[i].subject, req->ledger[i].blob, &err) != TIDE_OK)
            log_error("ledger.lost", "subject=" TEXT_FMT " error=\"%s\"",
                      TEXT_ARG(req->ledger[i].subject), err.text);
    }
    for (size_t i = 0; i < req->flying_count; i++)
        feed_attempt(d, &req->flying[i]);
    if (req->flying_count)
        log_warn("restart.attempts", "without_end=%zu", req->flying_count);
    d->is_ready = true;
    d->ready(d->ready_arg, TIDE_OK, NULL);
}

static void load(struct drive *d, struct load_job *job);

static void on_loaded(struct store_load *req, enum tide_err rc, const struct tide_error *err)
{
    struct load_job *job = req->arg;
    struct drive *d = job->drive;
    bool first = req->after_group_id == 0 && !job->only_one;
    bool more = false;
    if (rc != TIDE_OK) {
        log_error("restart.load_failed", "error=\"%s\"", err->text);
        if (first && !d->closing)
            d->ready(d->ready_arg, rc, err);
    } else if (!d->closing) {
        if (first)
            feed_first_page(d, req);
        for (size_t i = 0; i < req->group_count; i++)
            feed_group(d, &req->groups[i]);
        job->loaded += req->group_count;
        more = !job->only_one && req->group_count == req->most;
    }
    if (more)
        req->after_group_id = req->groups[req->group_count - 1].pending.group_id;
    else if (!job->only_one)
        log_info("restart.loaded", "groups=%zu", job->loaded);
    arena_fini(&req->arena);
    if (more)
        load(d, job);
    else
        free(job);
    drive_end(d);
}

static void load(struct drive *d, struct load_job *job)
{
    int64_t after = job->req.after_group_id;
    size_t most = job->req.most;
    job->req =
        (struct store_load){.after_group_id = after, .most = most, .done = on_loaded, .arg = job};
    drive_begin(d);
    store_load(d->parts.store, &job->req);
}

static void start_load(struct drive *d, int64_t after, size_t most, bool only_one)
{
    struct load_job *job = calloc(1, sizeof *job);
    if (!job) {
        log_error("restart.load_failed", "error=\"out of memory\"");
        return;
    }
    job->drive = d;
    job->only_one = only_one;
    job->req.after_group_id = after;
    job->req.most = most;
    load(d, job);
}

void drive_restart(struct drive *d)
{
    start_load(d, 0, PAGE_GROUPS, false);
}

void drive_load_group(struct drive *d, int64_t group_id)
{
    start_load(d, group_id - 1, 1, true);
}
