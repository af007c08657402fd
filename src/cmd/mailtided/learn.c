/* What history says, into the running daemon: sites into the policy, recipients into the store,
 * from where each comes with his next notification. Who has something pending is in memory already
 * and goes on with what he has. */
#include "cmd/mailtided/inside.h"

#include <stdlib.h>

struct learn_job {
    struct operate_learn *req;
    struct store_learn store;
};

/* "policy|site|0a1b2c3d" -> 0x0a1b2c3d */
static bool window_of(struct text key, uint32_t *ret)
{
    char wanted[QUIET_KEY_BYTES], hex[9] = "";
    if (key.n < 8)
        return false;
    memcpy(hex, key.p + key.n - 8, 8);
    *ret = (uint32_t)strtoul(hex, NULL, 16);
    return text_eq(key, text_of(quiet_site_key(*ret, wanted)));
}

static void on_stored(struct store_learn *store, enum tide_err rc, const struct tide_error *err)
{
    struct learn_job *job = store->arg;
    struct operate_learn *req = job->req;
    req->recipients_taken = store->taken;
    req->recipients_known = store->known;
    req->addresses_bad = store->bad;
    req->done(req, rc, err);
    free(job);
}

static enum tide_err take_sites(struct daemon *d, struct operate_learn *req, struct tide_error *err)
{
    for (size_t i = 0; d->quiet && i < req->site_count; i++) {
        struct site site;
        uint32_t id;
        if (!window_of(req->sites[i].subject, &id))
            return tide_fail(err, TIDE_ESYNTAX, "no site\'s key: " TEXT_FMT,
                             TEXT_ARG(req->sites[i].subject));
        enum tide_err rc = site_decode(req->sites[i].blob, &site, err);
        if (rc != TIDE_OK)
            return rc;
        if (quiet_policy_learn(d->quiet, id, &site))
            req->sites[req->sites_taken++] = req->sites[i];
    }
    return TIDE_OK;
}

void daemon_learn(void *arg, struct operate_learn *req)
{
    struct daemon *d = arg;
    struct tide_error err;
    struct learn_job *job = calloc(1, sizeof *job);
    enum tide_err rc =
        job ? take_sites(d, req, &err) : tide_fail(&err, TIDE_ENOMEM, "out of memory");
    if (rc != TIDE_OK) {
        req->done(req, rc, &err);
        free(job);
        return;
    }
    job->req = req;
    job->store = (struct store_learn){.recipients = req->recipients,
                                      .recipient_count = req->recipient_count,
                                      .sites = req->sites,
                                      .site_count = req->sites_taken,
                                      .now = clock_wall(&d->options.clock),
                                      .done = on_stored,
                                      .arg = job};
    store_learn(d->store, &job->store);
}
