/* What is to come: for one recipient, for an account or a provider (the sum over their recipients,
 * read from the store in pages), on demand; and every quarter of an hour for every shared limit, so
 * that an alarm warns hours before one is full, once a window. */
#include "base/log.h"
#include "base/macros.h"
#include "cmd/mailtided/inside.h"
#include "core/address/addr.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE       2000 /* recipients; 3 ms of the loop */
#define EACH_MS    (15 * TIME_MINUTE_MS)
#define LIMITS_MAX 64
#define KEY_BYTES  128

/* -- Answers ------------------------------------------------------------------------------------
 */

struct forecast_job {
    struct daemon *daemon;
    struct operate_forecast *req;
    struct store_ask ask, queue; /* queue: what waits for a recipient */
    struct addr addr;
    struct crowd crowd;
    tide_wall_ms now;
};

static void end_forecast(struct forecast_job *job, enum tide_err rc, const struct tide_error *err)
{
    arena_fini(&job->ask.arena);
    arena_fini(&job->queue.arena);
    job->req->done(job->req, rc, err);
    free(job);
}

static struct operate_foreseen *add_limit(struct forecast_job *job, const struct limit *l)
{
    struct operate_forecast *req = job->req;
    char words[128];
    if (!req->limits)
        req->limits = arena_array(&req->arena, LIMITS_MAX, sizeof *req->limits);
    if (!req->limits || req->limit_count == LIMITS_MAX)
        return NULL;
    struct operate_foreseen *x = &req->limits[req->limit_count++];
    *x = (struct operate_foreseen){
        .name = text_of(arena_strdup(&req->arena, l->name)),
        .text = text_of(arena_strdup(&req->arena, limit_text(l, words, sizeof words))),
        .count = l->count,
        .share = 1};
    return x;
}

/* -- One recipient ------------------------------------------------------------------------------
 */

static double room_left(void *arg, tide_wall_ms at)
{
    (void)at;
    return *(const double *)arg;
}

static enum tide_err foresee_recipient(struct forecast_job *job,
                                       const struct plan_query *q,
                                       struct tide_error *err)
{
    struct operate_forecast *req = job->req;
    struct foreseen f;
    struct window_span day;
    int64_t used = 0;
    const struct limit *limit = planner_daily(job->daemon->planner, q, &used, &day);
    if (!planner_foresee(job->daemon->planner, q, &f))
        return tide_fail(err, TIDE_ESTATE, "planner.policy is \"even\": it foresees nothing");
    req->today = q->recipient->forecast.today;
    double room = limit ? (double)(limit->count - used - req->pending) : 0;
    outlook_of_recipient(&f, job->now, f.day_end, limit ? room_left : NULL, &room, &req->outlook);
    struct operate_foreseen *x = limit ? add_limit(job, limit) : NULL;
    if (!x)
        return TIDE_OK;
    x->subject = arena_text(&req->arena, addr_text(&job->addr));
    x->used = used;
    x->pending = req->pending;
    x->reset_at = day.end;
    x->chance = room < 0 ? 1 : req->outlook.chance;
    x->over_at = room < 0 ? job->now : req->outlook.over_at;
    return TIDE_OK;
}

/* What waits of him is asked second. */
static void on_pending(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct forecast_job *job = ask->arg;
    struct plan_recipient own;
    if (rc != TIDE_OK) {
        end_forecast(job, rc, err);
        return;
    }
    job->req->pending = (int64_t)ask->notification_count;
    const struct recipient_state *r = job->ask.recipient_row;
    struct plan_query q = daemon_query_of(job->daemon, r, job->now, &own);
    q.route.domain = planner_intern(job->daemon->planner, r->domain);
    q.route.account = UINT16_MAX;
    job->req->recipients = 1;
    struct tide_error why;
    rc = foresee_recipient(job, &q, &why);
    plan_recipient_fini(&own);
    end_forecast(job, rc, &why);
}

static void on_recipient(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct forecast_job *job = ask->arg;
    struct tide_error none;
    if (rc == TIDE_OK && !ask->recipient_row) {
        rc = daemon_never_seen(&job->addr, &none);
        err = &none;
    }
    if (rc != TIDE_OK) {
        end_forecast(job, rc, err);
        return;
    }
    job->queue = (struct store_ask){.view = STORE_VIEW_QUEUE,
                                    .recipient = addr_text(&job->addr),
                                    .most = 1000,
                                    .done = on_pending,
                                    .arg = job};
    store_ask(job->daemon->store, &job->queue);
}

/* -- Sums ---------------------------------------------------------------------------------------
 */

/* Who was never seen by the forecast is nobody to expect anything of. */
static bool foresee_row(struct daemon *d,
                        const struct recipient_state *r,
                        tide_wall_ms now,
                        struct foreseen *ret)
{
    struct plan_recipient own;
    struct plan_query q = daemon_query_of(d, r, now, &own);
    q.route.account = UINT16_MAX;
    bool ok = q.recipient->forecast.level.awake > 0 && planner_foresee(d->planner, &q, ret);
    plan_recipient_fini(&own);
    return ok;
}

/* Of all mail, what goes through this account: as it was since the start. */
static double share_of(const struct daemon *d, struct text account)
{
    const struct config *c = d->generation->config;
    double mine = 1, all = 0;
    for (size_t i = 0; i < c->account_count; i++) {
        struct gate_account_state s;
        gate_account(drive_gate(d->drive), (int)i, 0, &s);
        all += (double)s.accepted + 1;
        if (text_eq(text_of(c->accounts[i].name), account))
            mine = (double)s.accepted + 1;
    }
    return all > 0 ? mine / all : 1;
}

static void add_wide(void *arg, const struct plan_wide *w)
{
    struct forecast_job *job = arg;
    struct operate_foreseen *x = add_limit(job, w->limit);
    struct outlook o;
    tide_wall_ms until = w->reset_at ? w->reset_at : job->now + window_length_ms(&w->limit->window);
    if (!x)
        return;
    outlook_of_crowd(&job->crowd, job->now, until, w->room, w->room_arg, &o);
    x->subject = arena_text(&job->req->arena, w->subject);
    x->used = w->used;
    x->reset_at = w->reset_at;
    x->chance = o.chance;
    x->over_at = o.over_at;
    x->share = w->share;
    x->dear_until = w->dear_until;
    /* The fan is drawn for the limit that is likeliest to be full. */
    if (job->req->outlook.count == 0 || o.chance > job->req->outlook.chance)
        job->req->outlook = o;
}

static void answer_crowd(struct forecast_job *job)
{
    struct operate_forecast *req = job->req;
    req->recipients = job->crowd.recipients;
    if (req->account.n)
        job->crowd.share = share_of(job->daemon, req->account);
    planner_wide(job->daemon->planner, req->account, req->provider, job->now, add_wide, job);
    if (req->outlook.count == 0)
        outlook_of_crowd(&job->crowd, job->now, job->now + TIME_DAY_MS, NULL, NULL, &req->outlook);
    end_forecast(job, TIDE_OK, NULL);
}

static void next_page(struct store_ask *ask, struct store *store)
{
    ask->id = ask->recipient_count ? ask->recipients[ask->recipient_count - 1].id : 0;
    ask->recipient_count = 0;
    ask->recipients = NULL;
    arena_fini(&ask->arena);
    store_ask(store, ask);
}

static void on_page(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct forecast_job *job = ask->arg;
    if (rc != TIDE_OK) {
        end_forecast(job, rc, err);
        return;
    }
    for (size_t i = 0; i < ask->recipient_count; i++) {
        struct foreseen f;
        if (foresee_row(job->daemon, &ask->recipients[i], job->now, &f))
            crowd_add(&job->crowd, &f);
    }
    if (ask->recipient_count == ask->most && !job->daemon->closing)
        next_page(ask, job->daemon->store);
    else
        answer_crowd(job);
}

/* -- The question -------------------------------------------------------------------------------
 */

static enum tide_err check(struct forecast_job *job, struct tide_error *err)
{
    const struct operate_forecast *req = job->req;
    const struct config *c = job->daemon->generation->config;
    if (req->recipient.n)
        return addr_parse(req->recipient, 0, &job->addr, err);
    if (req->account.n && config_account_index(c, req->account) < 0)
        return tide_fail(err, TIDE_ENOENT, "there is no account " TEXT_FMT, TEXT_ARG(req->account));
    for (size_t i = 0; req->provider.n && i < c->profiles.provider_count; i++)
        if (text_eq(text_of(c->profiles.providers[i].name), req->provider))
            return TIDE_OK;
    if (req->provider.n)
        return tide_fail(err, TIDE_ENOENT, "no profile speaks of a provider " TEXT_FMT,
                         TEXT_ARG(req->provider));
    return req->account.n
               ? TIDE_OK
               : tide_fail(err, TIDE_EINVAL, "want a recipient, a provider or an account");
}

void daemon_forecast(void *arg, struct operate_forecast *req)
{
    struct daemon *d = arg;
    struct tide_error err;
    struct forecast_job *job = calloc(1, sizeof *job);
    if (!job) {
        req->done(req, tide_fail(&err, TIDE_ENOMEM, "out of memory"), &err);
        return;
    }
    *job = (struct forecast_job){.daemon = d, .req = req, .now = clock_wall(&d->options.clock)};
    req->now = job->now;
    enum tide_err rc = check(job, &err);
    if (rc != TIDE_OK) {
        end_forecast(job, rc, &err);
        return;
    }
    if (req->recipient.n)
        job->ask = (struct store_ask){.view = STORE_VIEW_WHY,
                                      .recipient = addr_text(&job->addr),
                                      .most = 1,
                                      .done = on_recipient,
                                      .arg = job};
    else
        job->ask = (struct store_ask){.view = STORE_VIEW_PLANS,
                                      .domain = req->provider,
                                      .most = PAGE,
                                      .done = on_page,
                                      .arg = job};
    store_ask(d->store, &job->ask);
}

/* -- What is said to come ------------------------------------------------------------------------
 */

struct expect_job {
    struct daemon *daemon;
    struct operate_expect *req;
    struct store_ask ask;
    struct addr addr;
};

static void end_expect(struct expect_job *job, enum tide_err rc, const struct tide_error *err)
{
    arena_fini(&job->ask.arena);
    job->req->done(job->req, rc, err);
    free(job);
}

static void expect(struct expect_job *job, int64_t recipient_id)
{
    struct tide_error err;
    tide_wall_ms now = clock_wall(&job->daemon->options.clock), until = job->req->until;
    bool ok = planner_expect(job->daemon->planner, recipient_id, job->req->value, now,
                             until ? until : now + TIME_DAY_MS);
    if (ok)
        end_expect(job, TIDE_OK, NULL);
    else
        end_expect(job, tide_fail(&err, TIDE_ELIMIT, "too many expectations are in force"), &err);
}

static void on_expected(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct expect_job *job = ask->arg;
    struct tide_error none;
    if (rc == TIDE_OK && ask->recipient_row) {
        expect(job, ask->recipient_row->id);
        return;
    }
    if (rc == TIDE_OK) {
        rc = daemon_never_seen(&job->addr, &none);
        err = &none;
    }
    end_expect(job, rc, err);
}

void daemon_expect(void *arg, struct operate_expect *req)
{
    struct daemon *d = arg;
    struct tide_error err;
    struct expect_job *job = calloc(1, sizeof *job);
    if (!job) {
        req->done(req, tide_fail(&err, TIDE_ENOMEM, "out of memory"), &err);
        return;
    }
    *job = (struct expect_job){.daemon = d, .req = req};
    if (!req->recipient.n) {
        expect(job, 0);
    } else if (addr_parse(req->recipient, 0, &job->addr, &err) != TIDE_OK) {
        end_expect(job, TIDE_EADDR, &err);
    } else {
        job->ask = (struct store_ask){.view = STORE_VIEW_WHY,
                                      .recipient = addr_text(&job->addr),
                                      .most = 1,
                                      .done = on_expected,
                                      .arg = job};
        store_ask(d->store, &job->ask);
    }
}

/* -- The watch: every shared limit ----------------------------------------------------------------
 */

/* Whose sum: an account's, or a provider's. */
struct watched {
    struct text account, provider;
    struct crowd crowd;
};

struct watch_job {
    struct daemon *daemon;
    struct store_ask ask;
    tide_wall_ms now;
    struct watched *all;
    size_t count;
    struct watched *at; /* of the limit that is told of */
};

/* What was said stays said until its window ends: a chance that wavers about the threshold must not
 * flap. */
static void remember(struct daemon *d, const char *key, tide_wall_ms until)
{
    for (unsigned i = 0; i < d->warned_count; i++)
        if (!strcmp(d->warned[i].key, key))
            return;
    if (d->warned_count < TIDE_COUNT(d->warned)) {
        struct daemon_warned *w = &d->warned[d->warned_count++];
        snprintf(w->key, sizeof w->key, "%s", key);
        w->until = until;
    }
}

static void forget_over(struct daemon *d, tide_wall_ms now)
{
    for (unsigned i = d->warned_count; i-- > 0;)
        if (d->warned[i].until <= now) {
            drive_clear_alarm(d->drive, text_of(d->warned[i].key), TEXT("its window is over"));
            d->warned[i] = d->warned[--d->warned_count];
        }
}

static void warn_of(void *arg, const struct plan_wide *w)
{
    struct watch_job *job = arg;
    struct outlook o;
    char key[KEY_BYTES], sentence[400];
    tide_wall_ms until = w->reset_at ? w->reset_at : job->now + window_length_ms(&w->limit->window);
    outlook_of_crowd(&job->at->crowd, job->now, until, w->room, w->room_arg, &o);
    if (o.chance < OUTLOOK_LIKELY)
        return;
    const struct outlook_point *end = &o.points[o.count - 1];
    struct civil c = civil_of_wall(o.over_at, 0);
    snprintf(key, sizeof key, "will_exceed/%s", w->limit->name);
    snprintf(sentence, sizeof sentence,
             "Will exceed %s: %lld of %lld used, %.0f more expected (%.0f to %.0f in nine of ten "
             "cases); full at about %04d-%02d-%02d %02d:%02d UTC.",
             w->limit->name, (long long)w->used, (long long)w->limit->count, end->mean, end->low[1],
             end->high[1], c.year, c.month, c.day, c.hour, c.minute);
    remember(job->daemon, key, until);
    drive_raise_alarm(job->daemon->drive, text_of(key), ALARM_WARNING, text_of(sentence),
                      TEXT("Ask for a higher limit, move mail to another account, or let it wait: "
                           "digests grow, and urgent mail goes first."));
}

static void end_watch(struct watch_job *job)
{
    arena_fini(&job->ask.arena);
    job->daemon->foreseeing = false;
    free(job->all);
    free(job);
}

static void judge(struct watch_job *job)
{
    struct daemon *d = job->daemon;
    for (size_t i = 0; i < job->count; i++) {
        job->at = &job->all[i];
        if (job->at->account.n)
            job->at->crowd.share = share_of(d, job->at->account);
        planner_wide(d->planner, job->at->account, job->at->provider, job->now, warn_of, job);
    }
    forget_over(d, job->now);
}

static void on_watched(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct watch_job *job = ask->arg;
    struct daemon *d = job->daemon;
    if (rc != TIDE_OK)
        log_warn("forecast.not_read", "error=\"%s\"", err->text);
    for (size_t i = 0; rc == TIDE_OK && !d->closing && i < ask->recipient_count; i++) {
        const struct recipient_state *r = &ask->recipients[i];
        struct foreseen f;
        if (!foresee_row(d, r, job->now, &f))
            continue;
        for (size_t k = 0; k < job->count; k++) {
            struct watched *w = &job->all[k];
            if (w->account.n || text_eq(w->provider, r->verdict.provider) ||
                text_eq(w->provider, r->verdict.gateway))
                crowd_add(&w->crowd, &f);
        }
    }
    if (rc == TIDE_OK && !d->closing && ask->recipient_count == ask->most) {
        next_page(ask, d->store);
        return;
    }
    if (rc == TIDE_OK && !d->closing)
        judge(job);
    end_watch(job);
}

static void count_wide(void *arg, const struct plan_wide *w)
{
    (void)w;
    ++*(size_t *)arg;
}

/* Only whoever has a limit that can be foreseen is summed up. */
static void watch_one(struct watch_job *job, struct text account, struct text provider)
{
    size_t limits = 0;
    planner_wide(job->daemon->planner, account, provider, job->now, count_wide, &limits);
    if (limits)
        job->all[job->count++] = (struct watched){.account = account, .provider = provider};
}

void daemon_watch_limits(struct daemon *d)
{
    const struct config *c = d->generation->config;
    tide_wall_ms now = clock_wall(&d->options.clock);
    bool soon = d->foreseen_at && now >= d->foreseen_at && now < d->foreseen_at + EACH_MS;
    if (d->foreseeing || d->closing || !d->drive || !d->quiet || soon)
        return;
    struct watch_job *job = calloc(1, sizeof *job);
    if (job)
        job->all = calloc(c->account_count + c->profiles.provider_count + 1, sizeof *job->all);
    if (!job || !job->all) {
        free(job);
        return;
    }
    job->daemon = d;
    job->now = d->foreseen_at = now;
    for (size_t i = 0; i < c->account_count; i++)
        watch_one(job, text_of(c->accounts[i].name), TEXT(""));
    for (size_t i = 0; i < c->profiles.provider_count; i++)
        watch_one(job, TEXT(""), text_of(c->profiles.providers[i].name));
    job->ask =
        (struct store_ask){.view = STORE_VIEW_PLANS, .most = PAGE, .done = on_watched, .arg = job};
    d->foreseeing = true;
    if (job->count)
        store_ask(d->store, &job->ask);
    else
        end_watch(job);
}
