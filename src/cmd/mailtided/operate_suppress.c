/* Suppressing, lifting and confirming by hand: an entry of struct operate, filled. */
#include "cmd/mailtided/inside.h"
#include "core/address/addr.h"
#include "core/outcome/finding.h"

#include <stdlib.h>

struct order_job {
    struct daemon *daemon;
    struct operate_suppress *req;
    struct store_ask ask; /* the turn of the loop that an answer wants */
    struct addr addr;
    enum tide_err rc;
    struct tide_error err;
};

static void end_job(struct order_job *job, enum tide_err rc, const struct tide_error *err)
{
    struct operate_suppress *req = job->req;
    arena_fini(&job->ask.arena);
    req->done(req, rc, err);
    free(job);
}

static void on_ordered(void *arg, enum tide_err rc, bool known, const struct tide_error *err)
{
    (void)known; /* an address that never had mail can be suppressed beforehand */
    end_job(arg, rc, err);
}

/* What an ESP's list gives as its reason may be anything but the recipient's fault. */
static enum tide_err check_evidence(const struct daemon *d,
                                    const struct operate_suppress *req,
                                    struct tide_error *err)
{
    const struct suppression *e = &req->entry;
    struct reply_said said;
    struct meaning m;
    bool of_mailbox = e->cause == SUPPRESSION_INVALID || e->cause == SUPPRESSION_DISABLED ||
                      e->cause == SUPPRESSION_FULL;
    if (req->what != OPERATE_SUPPRESS || e->evidence.n == 0 || !of_mailbox)
        return TIDE_OK;
    reply_said_of(e->evidence, &said);
    said.words = e->evidence;
    meaning_of(d->generation->rules, &said, &m);
    if (m.basis != BASIS_TEXT ||
        (m.fault != FAULT_THEIR_LIMIT && m.fault != FAULT_THEIR_OUTAGE && m.fault != FAULT_OURS))
        return TIDE_OK;
    return tide_fail(err, TIDE_ESTATE,
                     "not suppressed: what it was refused for is no fault of the "
                     "recipient: %s",
                     m.cause);
}

static void on_turn(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct order_job *job = ask->arg;
    (void)rc;
    (void)err;
    end_job(job, job->rc, &job->err);
}

void operate_suppress(void *arg, struct operate_suppress *req)
{
    struct daemon *d = arg;
    struct order_job *job = calloc(1, sizeof *job);
    struct tide_error err;
    if (!job) {
        req->done(req, tide_fail(&err, TIDE_ENOMEM, "out of memory"), &err);
        return;
    }
    job->daemon = d;
    job->req = req;
    job->rc = addr_parse(req->entry.address, 0, &job->addr, &job->err);
    if (job->rc == TIDE_OK)
        job->rc = check_evidence(d, req, &job->err);
    if (job->rc != TIDE_OK) {
        job->ask = (struct store_ask){.view = STORE_VIEW_COUNTS, .done = on_turn, .arg = job};
        store_ask(d->store, &job->ask);
        return;
    }
    static const enum gate_order_what whats[] = {[OPERATE_SUPPRESS] = ORDER_SUPPRESS,
                                                 [OPERATE_LIFT] = ORDER_LIFT,
                                                 [OPERATE_CONFIRM] = ORDER_CONFIRM};
    struct suppression entry = req->entry;
    entry.address = addr_text(&job->addr);
    entry.by = req->by;
    struct gate_order order = {.what = whats[req->what],
                               .one_scope = req->one_scope,
                               .entry = &entry,
                               .application = req->application};
    drive_order(d->drive, &order, on_ordered, job);
}
