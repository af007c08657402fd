/* What operators and applications may ask of the running gate: io/status/operate.h, filled. */
#include "base/macros.h"
#include "cmd/mailtided/inside.h"
#include "core/address/addr.h"
#include "core/proto/json_write.h"

#include <stdlib.h>

#define GROUPS_MAX 1000 /* of one recipient: sender identities times applications */

/* -- Recipients ----------------------------------------------------------------------------------
 */

struct plan_query daemon_query_of(struct daemon *d,
                                  const struct recipient_state *r,
                                  tide_wall_ms now,
                                  struct plan_recipient *own)
{
    struct tide_error ignored;
    struct plan_recipient *held = gate_plan_of(drive_gate(d->drive), r->id);
    struct plan_query q = {.now = now, .recipient = held ? held : own, .recipient_id = r->id};
    plan_recipient_init(own);
    if (!held && r->plan.n && plan_recipient_decode(r->plan, own, &ignored) != TIDE_OK)
        plan_recipient_init(own);
    if (r->verdict.provider.n)
        q.route.provider = planner_intern_provider(d->planner, r->verdict.provider);
    if (r->verdict.gateway.n)
        q.route.gateway = planner_intern_provider(d->planner, r->verdict.gateway);
    return q;
}

enum tide_err daemon_never_seen(const struct addr *recipient, struct tide_error *err)
{
    return tide_fail(err, TIDE_ENOENT, "mailtide has never had mail for " TEXT_FMT,
                     TEXT_ARG(addr_text(recipient)));
}

/* -- Cancel and release
 * ---------------------------------------------------------------------------- */

/* First the store is asked what it is about, then it is done. */
struct operate_job {
    struct daemon *daemon;
    struct operate_request *req;
    struct store_ask ask;
    struct store_drop drop;
    struct addr addr;
    bool release;
};

static void end_job(struct operate_job *job, enum tide_err rc, const struct tide_error *err)
{
    struct operate_request *req = job->req;
    arena_fini(&job->ask.arena);
    arena_fini(&job->drop.arena);
    req->done(req, rc, err); /* before the job goes: `err` may be in it */
    free(job);
}

static void on_dropped(struct store_drop *drop, enum tide_err rc, const struct tide_error *err)
{
    struct operate_job *job = drop->arg;
    job->req->count = drop->dropped_count;
    if (rc == TIDE_OK)
        drive_pending(job->daemon->drive, drop->groups, drop->group_count);
    end_job(job, rc, err);
}

static void cancel(struct operate_job *job, int64_t recipient_id)
{
    struct operate_request *req = job->req;
    char *reason = arena_printf(&req->arena, "cancelled by " TEXT_FMT, TEXT_ARG(req->by));
    struct buf detail = {0};
    struct json_writer w;
    jw_init(&w, &detail);
    jw_object(&w, NULL);
    jw_text(&w, "by", req->by);
    jw_end(&w);
    job->drop = (struct store_drop){.id = req->id,
                                    .whole = req->whole,
                                    .recipient_id = req->id ? 0 : recipient_id,
                                    .then = NOTIFICATION_CANCELLED,
                                    .reason = text_of(reason),
                                    .detail = arena_text(&req->arena, buf_text(&detail)),
                                    .at = clock_wall(&job->daemon->options.clock),
                                    .done = on_dropped,
                                    .arg = job};
    buf_fini(&detail);
    store_drop(job->daemon->store, &job->drop);
}

/* Asks the gate for each group once; the last refusal is what is told when nothing went. */
static void release(struct operate_job *job)
{
    struct operate_request *req = job->req;
    struct tide_error err = {.code = TIDE_ESTATE, .text = "nothing of it is pending"};
    int64_t done[GROUPS_MAX];
    size_t done_count = 0;
    for (size_t i = 0; i < job->ask.notification_count && done_count < GROUPS_MAX; i++) {
        const struct notification *n = &job->ask.notifications[i];
        struct gate_decision decision;
        size_t k = 0;
        while (k < done_count && done[k] != n->group_id)
            k++;
        if (k < done_count || !notification_is_pending(n->state))
            continue;
        done[done_count++] = n->group_id;
        struct gate_event ev = {
            .type = GATE_RELEASE,
            .release = {.group_id = n->group_id,
                        .recipient_id = n->recipient_id,
                        .only = req->id,
                        .by = req->by},
        };
        drive_event(job->daemon->drive, &ev, &decision, &req->arena);
        if (decision.state == NOTIFICATION_RELEASING)
            req->count++;
        else
            tide_fail(&err, TIDE_ESTATE, TEXT_FMT, TEXT_ARG(decision.reason));
    }
    end_job(job, req->count ? TIDE_OK : TIDE_ESTATE, &err);
}

static void on_asked(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct operate_job *job = ask->arg;
    struct operate_request *req = job->req;
    struct tide_error why;
    const struct notification *first = ask->notification_count ? &ask->notifications[0] : NULL;
    if (rc != TIDE_OK) {
        end_job(job, rc, err);
        return;
    }
    bool foreign = req->application.n && first && !text_eq(first->application, req->application);
    if (req->id && (!first || foreign)) {
        end_job(job, tide_fail(&why, TIDE_ENOENT, "no such notification"), &why);
        return;
    }
    if (!req->id && !first) {
        end_job(job,
                tide_fail(&why, TIDE_ENOENT, "nothing is pending for " TEXT_FMT,
                          TEXT_ARG(req->recipient)),
                &why);
        return;
    }
    if (job->release)
        release(job);
    else
        cancel(job, first->recipient_id);
}

static void start_job(struct daemon *d, struct operate_request *req, bool is_release)
{
    struct operate_job *job = calloc(1, sizeof *job);
    struct tide_error err;
    if (!job) {
        req->done(req, tide_fail(&err, TIDE_ENOMEM, "out of memory"), &err);
        return;
    }
    *job = (struct operate_job){.daemon = d, .req = req, .release = is_release};
    job->ask = (struct store_ask){.view = req->id ? STORE_VIEW_NOTIFICATION : STORE_VIEW_QUEUE,
                                  .id = req->id,
                                  .most = GROUPS_MAX,
                                  .done = on_asked,
                                  .arg = job};
    if (!req->id) {
        if (addr_parse(req->recipient, 0, &job->addr, &err) != TIDE_OK) {
            end_job(job, TIDE_EADDR, &err);
            return;
        }
        job->ask.recipient = addr_text(&job->addr);
    }
    store_ask(d->store, &job->ask);
}

static void operate_cancel(void *arg, struct operate_request *req)
{
    start_job(arg, req, false);
}

static void operate_release(void *arg, struct operate_request *req)
{
    start_job(arg, req, true);
}

/* -- Status
 * ------------------------------------------------------------------------------------------ */

static void count_now(const struct daemon *d, struct rate_sample *ret)
{
    struct gate_counts gate = {0};
    struct intake_counts intake = {0};
    if (d->drive)
        gate_count(drive_gate(d->drive), &gate);
    if (d->intake)
        intake_count(d->intake, &intake);
    *ret = (struct rate_sample){
        .at = clock_mono(), .accepted = intake.accepted, .released = gate.released};
}

void daemon_sample_rates(struct daemon *d)
{
    memmove(d->samples + 1, d->samples, (RATE_SAMPLES - 1) * sizeof d->samples[0]);
    count_now(d, &d->samples[0]);
    d->sample_count = TIDE_MIN(d->sample_count + 1, RATE_SAMPLES);
}

static void fill_rates(const struct daemon *d, struct operate_status *ret)
{
    struct rate_sample now;
    if (d->sample_count == 0)
        return;
    const struct rate_sample *then = &d->samples[d->sample_count - 1];
    count_now(d, &now);
    double seconds = (double)TIDE_MAX(now.at - then->at, 1) / 1000;
    ret->accepted_per_s = (double)(now.accepted - then->accepted) / seconds;
    ret->released_per_s = (double)(now.released - then->released) / seconds;
}

static struct text account_type_text(enum account_type type)
{
    switch (type) {
    case ACCOUNT_OUTBOX:
        return TEXT("outbox");
    case ACCOUNT_SMTP:
        return TEXT("smtp");
    case ACCOUNT_HTTPS:
        return TEXT("https");
    }
    return TEXT("?");
}

static void fill_accounts(struct daemon *d, struct arena *arena, struct operate_status *ret)
{
    const struct config *config = d->generation->config;
    tide_wall_ms now = clock_wall(&d->options.clock);
    ret->accounts = arena_array(arena, config->account_count, sizeof *ret->accounts);
    for (size_t i = 0; ret->accounts && i < config->account_count; i++) {
        const struct config_account *c = &config->accounts[i];
        struct gate_account_state s;
        gate_account(drive_gate(d->drive), (int)i, now, &s);
        ret->accounts[ret->account_count++] = (struct operate_account){
            .name = text_of(c->name),
            .type = account_type_text(c->type),
            .state = s.up ? TEXT("ready") : TEXT("backing off"),
            .reason = arena_text(arena, s.reason),
            .backoff_until = s.backoff_until,
            .room = drive_account_room(d->drive, (int)i),
            .in_flight = s.flying,
            .accepted = s.accepted,
            .deferred = s.deferred,
            .refused = s.refused,
            .unknown = s.unknown,
        };
    }
}

static void fill_alarms(struct daemon *d, struct arena *arena, struct operate_status *ret)
{
    const struct alarms *alarms = gate_alarms(drive_gate(d->drive));
    ret->alarms = arena_array(arena, alarms->count, sizeof *ret->alarms);
    for (unsigned i = 0; ret->alarms && i < alarms->count; i++) {
        const struct alarm *a = alarms->all[i];
        ret->alarms[ret->alarm_count++] = (struct operate_alarm){
            .key = arena_text(arena, text_of(a->key)),
            .severity = text_of(alarm_severity_name(a->severity)),
            .since = a->since,
            .sentence = arena_text(arena, text_of(a->sentence)),
            .advice = arena_text(arena, text_of(a->advice)),
        };
    }
}

static void operate_status_of(void *arg, struct arena *arena, struct operate_status *ret)
{
    struct daemon *d = arg;
    struct gate_counts gate;
    struct intake_counts intake;
    struct store_health health;
    struct resolver_counts dns = resolver_counts(d->resolver);
    gate_count(drive_gate(d->drive), &gate);
    struct news_desk_counts news;
    intake_count(d->intake, &intake);
    store_health(d->store, &health);
    *ret = (struct operate_status){
        .version = TEXT(MAILTIDE_VERSION),
        .started_at = d->started_at,
        .now = clock_wall(&d->options.clock),
        .clock = text_of(d->clock_text),
        .accepting = health.condition == STORE_OK && !d->closing,
        .accepted = intake.accepted,
        .duplicates = intake.duplicates,
        .intake_refused = intake.refused,
        .released = gate.released,
        .digests = gate.digests,
        .recipients_held = gate.recipients,
        .verifying = gate.verifying,
        .waiting = gate.waiting,
        .flying = gate.flying,
        .store_ok = health.condition == STORE_OK,
        .store_text = text_of(arena_strdup(arena, health.text)),
        .store_queue = (int64_t)health.queued,
        .dns_cache_entries = (int64_t)dns.cache_entries,
        .dns_in_flight = (int64_t)dns.flights,
    };
    news_desk_count(d->desk, &news);
    memcpy(ret->news, news.by_kind, sizeof ret->news);
    ret->news_known = news.known;
    if (!ret->accepting)
        ret->not_accepting = d->closing ? TEXT("mailtide is stopping") : ret->store_text;
    fill_rates(d, ret);
    fill_accounts(d, arena, ret);
    fill_alarms(d, arena, ret);
}

static tide_wall_ms operate_now(void *arg)
{
    const struct daemon *d = arg;
    return clock_wall(&d->options.clock);
}

static void operate_wake_webhooks(void *arg)
{
    struct daemon *d = arg;
    if (d->feed)
        feed_wake(d->feed);
}

static struct explainer operate_explainer(void *arg, const struct profiles **ret_profiles)
{
    struct daemon *d = arg;
    *ret_profiles = &d->generation->config->profiles;
    return (struct explainer){d->generation->rules, &d->generation->providers};
}

void daemon_fill_operate(struct daemon *d)
{
    d->operate = (struct operate){.arg = d,
                                  .wake_webhooks = operate_wake_webhooks,
                                  .explainer = operate_explainer,
                                  .cancel = operate_cancel,
                                  .release = operate_release,
                                  .limits = operate_limits_of,
                                  .learn = daemon_learn,
                                  .learnt = operate_learnt_of,
                                  .limit_word = operate_limit_word,
                                  .guards = operate_guards_of,
                                  .guard_open = operate_guard_open,
                                  .forecast = daemon_forecast,
                                  .expect = daemon_expect,
                                  .suppress = operate_suppress,
                                  .now = operate_now,
                                  .status = operate_status_of};
}
