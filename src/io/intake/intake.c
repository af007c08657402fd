#include "io/intake/intake.h"

#include "base/macros.h"
#include "base/map.h"
#include "core/address/addr.h"
#include "io/intake/foresee.h"
#include "io/intake/intake_open.h"
#include "io/intake/submission.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct intake {
    struct drive *drive;
    struct strmap allowances; /* application -> struct allowance */
    char hostname[256];
    unsigned pending;
    struct intake_counts counts;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* How many an application may still hand in: a bucket that fills evenly over a minute. */
struct allowance {
    double left;
    tide_mono_ms at;
};

struct intake_job {
    struct intake *intake;
    struct intake_request *req;
    struct submission submission;
    struct store_accept accept;
    struct tide_error err;
    enum tide_err rc;
    uv_idle_t *later; /* a refusal is told from here, never from inside intake_submit() */
};

enum tide_err intake_open(struct drive *drive, struct intake **ret, struct tide_error *err)
{
    struct intake *in = calloc(1, sizeof *in);
    if (!in)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    in->drive = drive;
    strmap_init(&in->allowances);
    if (gethostname(in->hostname, sizeof in->hostname - 1) != 0 || !in->hostname[0])
        snprintf(in->hostname, sizeof in->hostname, "localhost");
    *ret = in;
    return TIDE_OK;
}

static void finish_closing(struct intake *in)
{
    if (!in->closed || in->pending)
        return;
    uint32_t pos = 0;
    for (struct allowance *m; (m = strmap_next(&in->allowances, &pos, NULL));)
        free(m);
    strmap_fini(&in->allowances);
    void (*closed)(void *arg) = in->closed;
    void *arg = in->closed_arg;
    free(in);
    closed(arg);
}

void intake_close(struct intake *in, void (*closed)(void *arg), void *arg)
{
    in->closed = closed;
    in->closed_arg = arg;
    finish_closing(in);
}

void intake_count(const struct intake *in, struct intake_counts *ret)
{
    *ret = in->counts;
}

static void end_job(struct intake_job *job, enum tide_err rc, const struct tide_error *err)
{
    struct intake *in = job->intake;
    struct intake_request *req = job->req;
    size_t duplicates = 0;
    for (size_t i = 0; rc == TIDE_OK && i < job->submission.recipient_count; i++)
        duplicates += job->accept.items[i].duplicate;
    in->counts.duplicates += (int64_t)duplicates;
    if (rc == TIDE_OK)
        in->counts.accepted += (int64_t)(req->recipient_count - duplicates);
    else
        in->counts.refused++;
    req->done(req, rc, err); /* before the job goes: `err` may be in it */
    arena_fini(&job->accept.arena);
    free(job);
    in->pending--;
    finish_closing(in);
}

static void on_idle_closed(uv_handle_t *handle)
{
    struct intake_job *job = handle->data;
    struct tide_error err = job->err;
    free(job->later);
    end_job(job, job->rc, &err);
}

static void on_later(uv_idle_t *idle)
{
    uv_close((uv_handle_t *)idle, on_idle_closed);
}

static void refuse_later(struct intake_job *job, enum tide_err rc)
{
    job->rc = rc;
    job->later = calloc(1, sizeof *job->later);
    if (!job->later) { /* out of memory altogether: breaking the rule beats losing the answer */
        struct tide_error err = job->err;
        end_job(job, rc, &err);
        return;
    }
    uv_idle_init(drive_parts(job->intake->drive)->loop, job->later);
    job->later->data = job;
    uv_idle_start(job->later, on_later);
}

static void on_accepted(struct store_accept *accept, enum tide_err rc, const struct tide_error *err)
{
    struct intake_job *job = accept->arg;
    struct intake_request *req = job->req;
    size_t count = job->submission.recipient_count;
    if (rc != TIDE_OK) {
        end_job(job, rc, err);
        return;
    }
    struct gate_decision *decisions = arena_array(&req->arena, count, sizeof *decisions);
    req->results = arena_array(&req->arena, count, sizeof *req->results);
    if (decisions) {
        struct drive_accepted accepted = {.submission = &job->submission,
                                          .items = accept->items,
                                          .decisions = decisions,
                                          .arena = &req->arena};
        drive_accepted(job->intake->drive, &accepted);
    }
    for (size_t i = 0; decisions && req->results && i < count; i++) {
        req->results[i] = (struct intake_result){
            .id = accept->items[i].id,
            .duplicate = accept->items[i].duplicate,
            .supersedes = accept->items[i].supersedes,
            .state = decisions[i].state,
            .reason = decisions[i].reason,
            .due_at = decisions[i].due_at,
        };
    }
    /* It is durable: even without memory for the details the answer is yes. */
    end_job(job, TIDE_OK, NULL);
}

/* Filled up to now; *ret NULL: there is no bound. */
static enum tide_err allowance_of(struct intake *in,
                                  const struct config_application *app,
                                  struct allowance **ret,
                                  struct tide_error *err)
{
    int64_t most = app->intake_per_minute_max;
    *ret = NULL;
    if (!most)
        return TIDE_OK;
    tide_mono_ms now = clock_mono();
    struct allowance *m = strmap_get(&in->allowances, text_of(app->name));
    if (!m) {
        m = calloc(1, sizeof *m);
        if (!m || !strmap_put(&in->allowances, text_of(app->name), m)) {
            free(m);
            return tide_fail(err, TIDE_ENOMEM, "out of memory");
        }
        *m = (struct allowance){.left = (double)most, .at = now};
    }
    m->left += (double)(now - m->at) * (double)most / (double)TIME_MINUTE_MS;
    m->left = TIDE_MIN(m->left, (double)most);
    m->at = now;
    *ret = m;
    return TIDE_OK;
}

enum tide_err intake_check_room(struct intake *in,
                                const struct config_application *app,
                                size_t n,
                                struct tide_error *err)
{
    struct allowance *m;
    enum tide_err rc = allowance_of(in, app, &m, err);
    if (rc == TIDE_OK && m && m->left < (double)n)
        rc = tide_fail(err, TIDE_ELIMIT,
                       "application %s may hand in %lld notifications a minute; try again in a "
                       "moment",
                       app->name, (long long)app->intake_per_minute_max);
    return rc;
}

static enum tide_err take_allowance(struct intake *in,
                                    const struct config_application *app,
                                    size_t n,
                                    struct tide_error *err)
{
    struct allowance *m;
    enum tide_err rc = intake_check_room(in, app, n, err);
    if (rc == TIDE_OK)
        rc = allowance_of(in, app, &m, err);
    if (rc == TIDE_OK && m)
        m->left -= (double)n;
    return rc;
}

static enum tide_err prepare(struct intake_job *job)
{
    struct intake *in = job->intake;
    struct intake_request *req = job->req;
    const struct drive_parts *parts = drive_parts(in->drive);
    const char *hostname = parts->config->smtp.hostname;
    struct submission_times times = {.now = clock_wall(parts->clock),
                                     .message_number = drive_next_id(in->drive),
                                     .hostname = hostname ? hostname : in->hostname};
    enum tide_err rc = take_allowance(in, req->application, req->recipient_count, &job->err);
    if (rc == TIDE_OK && req->sender.n)
        rc = intake_check_sender(in, req->application, req->sender, &job->err);
    if (rc == TIDE_OK)
        rc = submission_make(parts->config, &times, req, &req->arena, &job->submission, &job->err);
    if (rc != TIDE_OK)
        return rc;
    job->accept.items =
        arena_array(&req->arena, job->submission.recipient_count, sizeof *job->accept.items);
    if (!job->accept.items)
        return tide_fail(&job->err, TIDE_ENOMEM, "out of memory");
    for (size_t i = 0; i < job->submission.recipient_count; i++)
        job->accept.items[i].id = drive_next_id(in->drive);
    return TIDE_OK;
}

void intake_submit(struct intake *in, struct intake_request *req)
{
    struct intake_job *job = calloc(1, sizeof *job);
    in->pending++;
    if (!job) {
        struct tide_error err;
        in->pending--;
        req->done(req, tide_fail(&err, TIDE_ENOMEM, "out of memory"), &err);
        return;
    }
    job->intake = in;
    job->req = req;
    enum tide_err rc =
        in->closed ? tide_fail(&job->err, TIDE_EBUSY, "mailtide is stopping") : prepare(job);
    if (rc != TIDE_OK) {
        refuse_later(job, rc);
        return;
    }
    job->accept.submission = &job->submission;
    job->accept.done = on_accepted;
    job->accept.arg = job;
    store_accept(drive_parts(in->drive)->store, &job->accept);
}

enum tide_err intake_check_recipient(struct intake *in, struct text address, struct tide_error *err)
{
    struct addr addr;
    (void)in;
    return addr_parse(address, 0, &addr, err);
}

enum tide_err intake_check_sender(struct intake *in,
                                  const struct config_application *application,
                                  struct text sender,
                                  struct tide_error *err)
{
    struct addr addr;
    (void)in;
    if (!sender.n)
        return TIDE_OK; /* the null path: bounces and the like */
    enum tide_err rc = addr_parse(sender, 0, &addr, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, "sender " TEXT_FMT, TEXT_ARG(sender));
    if (!config_may_send_as(application, domain_text(&addr.domain)))
        return tide_fail(err, TIDE_EPERM, "application %s may not send as " TEXT_FMT,
                         application->name, TEXT_ARG(domain_text(&addr.domain)));
    return TIDE_OK;
}

bool intake_foresee(struct intake *in,
                    struct text address,
                    struct text sender,
                    void (*done)(void *arg, struct text refusal),
                    void *arg)
{
    return foresee(in->drive, address, sender, done, arg);
}

const struct config *intake_config(const struct intake *in)
{
    return drive_config(in->drive);
}
