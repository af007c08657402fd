#include "io/drive/drive.h"

#include "base/log.h"
#include "base/macros.h"
#include "io/drive/inside.h"

#include <stdlib.h>

/* The timer never sleeps longer than this in real time, so that a step of the wall clock is
 * noticed. */
#define NAP_MS_MAX 5000

/* -- Requests under way ---------------------------------------------------------------------------
 */

static void finish_closing(struct drive *d)
{
    if (!d->closing || d->pending > 0 || !d->timer_closed)
        return;
    void (*closed)(void *arg) = d->closed;
    void *arg = d->closed_arg;
    gate_free(d->gate);
    free(d->accounts);
    free(d);
    closed(arg);
}

void drive_begin(struct drive *d)
{
    d->pending++;
}

void drive_end(struct drive *d)
{
    d->pending--;
    finish_closing(d);
}

void drive_todo_unref(struct drive_todo *t)
{
    if (--t->refs > 0)
        return;
    gate_todo_fini(&t->todo);
    free(t);
}

/* -- What the gate says ---------------------------------------------------------------------------
 */

struct apply_job {
    struct store_apply req;
    struct drive_todo *todo;
    struct drive *drive;
    drive_stored_cb done; /* may be NULL */
    void *arg;
};

void drive_pending(struct drive *d, const struct group_pending *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gate_event ev = {.type = GATE_PENDING, .pending = &groups[i]};
        drive_event(d, &ev, NULL, NULL);
    }
}

static void on_applied(struct store_apply *req, enum tide_err rc, const struct tide_error *err)
{
    struct apply_job *job = req->arg;
    struct drive *d = job->drive;
    if (rc != TIDE_OK)
        log_warn("store.apply_failed", "changes=%zu error=\"%s\"", req->count, err->text);
    else
        drive_pending(d, req->groups, req->group_count);
    if (job->done)
        job->done(job->arg, rc, err);
    arena_fini(&req->arena);
    drive_todo_unref(job->todo);
    free(job);
    drive_end(d);
}

static void apply(struct drive *d, struct drive_todo *t, drive_stored_cb done, void *arg)
{
    struct apply_job *job = calloc(1, sizeof *job);
    if (!job) {
        struct tide_error err;
        enum tide_err rc = tide_fail(&err, TIDE_ENOMEM, "out of memory");
        log_error("store.apply_lost", "changes=%zu error=\"out of memory\"", t->todo.change_count);
        if (done)
            done(arg, rc, &err);
        return;
    }
    job->drive = d;
    job->todo = t;
    job->done = done;
    job->arg = arg;
    job->req.changes = t->todo.changes;
    job->req.count = t->todo.change_count;
    job->req.at = drive_now(d);
    job->req.done = on_applied;
    job->req.arg = job;
    t->refs++;
    drive_begin(d);
    store_apply(d->parts.store, &job->req);
}

struct drop_job {
    struct store_drop req;
    struct drive_todo *todo;
    struct drive *drive;
};

static void on_dropped(struct store_drop *req, enum tide_err rc, const struct tide_error *err)
{
    struct drop_job *job = req->arg;
    struct drive *d = job->drive;
    if (rc == TIDE_OK)
        drive_pending(d, req->groups, req->group_count);
    else if (rc != TIDE_ENOENT && rc != TIDE_ESTATE)
        log_warn("store.drop_failed", "error=\"%s\"", err->text);
    arena_fini(&req->arena);
    drive_todo_unref(job->todo);
    free(job);
    drive_end(d);
}

static void drop(struct drive *d, struct drive_todo *t, const struct gate_action *action)
{
    struct drop_job *job = calloc(1, sizeof *job);
    if (!job)
        return; /* the gate asks again in a minute */
    job->drive = d;
    job->todo = t;
    job->req.group_id = action->drop.group_id;
    job->req.late_at = action->drop.late_at;
    job->req.then = action->drop.then;
    job->req.reason = action->drop.reason;
    job->req.detail = action->drop.detail;
    job->req.without_streams = action->drop.without_streams;
    job->req.at = drive_now(d);
    job->req.done = on_dropped;
    job->req.arg = job;
    t->refs++;
    drive_begin(d);
    store_drop(d->parts.store, &job->req);
}

struct verify_job {
    struct drive *drive;
    char domain[];
};

/* How long a domain is left alone that could not even be asked about. */
#define ASK_AGAIN_MS (1 * TIME_MINUTE_MS)

static void tell_verdict(struct drive *d, struct text domain, const struct verdict *verdict)
{
    struct gate_event ev = {
        .type = GATE_VERDICT,
        .verdict = {.domain = domain, .verdict = verdict},
    };
    drive_event(d, &ev, NULL, NULL);
}

static void tell_not_asked(struct drive *d, struct text domain, const char *why)
{
    tide_wall_ms now = drive_now(d);
    struct verdict unknown = {.kind = VERDICT_UNKNOWN,
                              .reason = text_of(why),
                              .found_at = now,
                              .valid_until = now + ASK_AGAIN_MS};
    tell_verdict(d, domain, &unknown);
}

static void on_verdict(void *arg, enum tide_err rc, const struct verdict *verdict)
{
    struct verify_job *job = arg;
    struct drive *d = job->drive;
    if (rc == TIDE_OK)
        tell_verdict(d, text_of(job->domain), verdict);
    else
        tell_not_asked(d, text_of(job->domain), "the question was cancelled");
    free(job);
    drive_end(d);
}

static void verify(struct drive *d, struct text domain)
{
    struct verify_job *job = calloc(1, sizeof *job + domain.n + 1);
    struct tide_error err = {.text = "out of memory"};
    enum tide_err rc = TIDE_ENOMEM;
    if (job) {
        job->drive = d;
        memcpy(job->domain, domain.p, domain.n);
        rc = verifier_verify(d->parts.verifier, text_of(job->domain), on_verdict, job, &err);
    }
    if (rc == TIDE_OK) {
        drive_begin(d);
        return;
    }
    free(job);
    tell_not_asked(d, domain, err.text);
}

static void wake(struct drive *d, tide_wall_ms at)
{
    if (d->closing)
        return;
    if (at == d->wake_at && uv_is_active((uv_handle_t *)&d->timer))
        return;
    d->wake_at = at;
    uint64_t ms = at == TIDE_NEVER ? NAP_MS_MAX : clock_until(d->parts.clock, at);
    uv_timer_start(&d->timer, d->timer.timer_cb, TIDE_MIN(ms, (uint64_t)NAP_MS_MAX), 0);
}

/* Alarms stand in the log too, once each: it may be all that somebody looks at. */
static void log_alarms(const struct gate_todo *todo)
{
    for (size_t i = 0; i < todo->change_count; i++) {
        const struct journal_entry *e = &todo->changes[i].journal;
        if (todo->changes[i].type != CHANGE_JOURNAL)
            continue;
        if (text_eq(e->event, TEXT("alarm")))
            log_warn("alarm", "text=\"" TEXT_FMT "\"", TEXT_ARG(e->sentence));
        else if (text_eq(e->event, TEXT("alarm_over")))
            log_info("alarm_over", "text=\"" TEXT_FMT "\"", TEXT_ARG(e->sentence));
    }
}

static void carry_out(struct drive *d, struct drive_todo *t, drive_stored_cb done, void *arg)
{
    const struct gate_todo *todo = &t->todo;
    if (todo->failed)
        log_error("gate.step_cut", "error=\"out of memory\"");
    log_alarms(todo);
    if (todo->change_count || done)
        apply(d, t, done, arg);
    for (size_t i = 0; i < todo->count; i++) {
        const struct gate_action *a = &todo->actions[i];
        switch (a->type) {
        case GATE_DO_VERIFY:
            verify(d, a->domain);
            break;
        case GATE_DO_CLAIM:
            /* Nothing new leaves while closing: what is not claimed is simply held. */
            if (!d->closing)
                drive_claim(d, t, a);
            break;
        case GATE_DO_DROP:
            drop(d, t, a);
            break;
        case GATE_DO_RECALL:
            drive_news(d, a->news, NULL, NULL);
            break;
        case GATE_DO_LOAD:
            drive_load_group(d, a->group_id);
            break;
        }
    }
    wake(d, todo->wake_at);
}

static struct drive_todo *step(struct drive *d,
                               struct gate_event *ev,
                               drive_stored_cb done,
                               void *arg)
{
    struct drive_todo *t = calloc(1, sizeof *t);
    if (!t) {
        log_error("gate.event_lost", "type=%d error=\"out of memory\"", (int)ev->type);
        return NULL;
    }
    t->drive = d;
    t->refs = 1;
    gate_todo_init(&t->todo);
    ev->now = drive_now(d);
    gate_step(d->gate, ev, &t->todo);
    carry_out(d, t, done, arg);
    return t;
}

void drive_step(struct drive *d, struct gate_event *ev, drive_stored_cb done, void *arg)
{
    struct tide_error err;
    struct drive_todo *t = step(d, ev, done, arg);
    if (t)
        drive_todo_unref(t);
    else if (done)
        done(arg, tide_fail(&err, TIDE_ENOMEM, "out of memory"), &err);
}

void drive_event(struct drive *d,
                 struct gate_event *ev,
                 struct gate_decision *ret_decision,
                 struct arena *arena)
{
    struct drive_todo *t = step(d, ev, NULL, NULL);
    if (!t)
        return;
    if (ret_decision) {
        *ret_decision = t->todo.decision;
        ret_decision->reason = arena_text(arena, t->todo.decision.reason);
    }
    drive_todo_unref(t);
}

void drive_accepted(struct drive *d, const struct drive_accepted *accepted)
{
    const struct submission *s = accepted->submission;
    if (d->seen)
        d->seen(d->seen_arg, s);
    for (size_t i = 0; i < s->recipient_count; i++) {
        const struct store_accepted *item = &accepted->items[i];
        if (item->duplicate) {
            accepted->decisions[i] = (struct gate_decision){
                .state = NOTIFICATION_ACCEPTED,
                .reason = TEXT("was accepted before under the same key; nothing new was stored")};
            continue;
        }
        struct gate_event ev = {
            .type = GATE_ACCEPTED,
            .accepted = {.pending = &item->pending,
                         .recipient = &item->recipient,
                         .origin = {s->application, s->stream, s->identity},
                         .superseding = item->supersedes != 0,
                         .accepted_at = s->accepted_at,
                         .not_before = s->not_before,
                         .weight = s->weight},
        };
        drive_event(d, &ev, &accepted->decisions[i], accepted->arena);
    }
}

void drive_raise_alarm(struct drive *d,
                       struct text key,
                       enum alarm_severity severity,
                       struct text sentence,
                       struct text advice)
{
    struct gate_event ev = {
        .type = GATE_ALARM,
        .alarm = {.key = key, .severity = severity, .sentence = sentence, .advice = advice},
    };
    drive_event(d, &ev, NULL, NULL);
}

void drive_clear_alarm(struct drive *d, struct text key, struct text why)
{
    struct gate_event ev = {
        .type = GATE_ALARM,
        .alarm = {.key = key, .over = true, .sentence = why},
    };
    drive_event(d, &ev, NULL, NULL);
}

static void on_timer(uv_timer_t *timer)
{
    struct drive *d = timer->data;
    struct gate_event ev = {.type = GATE_TIMER};
    drive_event(d, &ev, NULL, NULL);
}

/* -- Accounts
 * ------------------------------------------------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
    return text_eq(text_of(a), text_of(b)) && !a == !b;
}

/* Whether connections opened for one can serve the other. */
static bool same_account(const struct config_account *a, const struct config_account *b)
{
    return same_text(a->name, b->name) && a->type == b->type && same_text(a->path, b->path) &&
           same_text(a->host, b->host) && a->port == b->port && a->tls == b->tls &&
           a->tls_verify == b->tls_verify && same_text(a->tls_ca_file, b->tls_ca_file) &&
           a->auth == b->auth && same_text(a->user, b->user) &&
           same_text(a->password.value, b->password.value) && same_text(a->helo, b->helo) &&
           same_text(a->api, b->api) && same_text(a->base_url, b->base_url) &&
           same_text(a->key.value, b->key.value) && same_text(a->key_id, b->key_id) &&
           same_text(a->region, b->region) && same_text(a->domain, b->domain) &&
           a->connections == b->connections &&
           a->messages_per_connection == b->messages_per_connection &&
           a->batch_max == b->batch_max && a->connect_timeout_ms == b->connect_timeout_ms &&
           a->command_timeout_ms == b->command_timeout_ms && a->dot_timeout_ms == b->dot_timeout_ms;
}

static void on_account_closed(void *arg)
{
    drive_end(arg);
}

static void close_account(struct drive *d, struct account *a)
{
    drive_begin(d);
    account_close(a, on_account_closed, d);
}

/* Opens or takes over the accounts of `config`; on failure the old ones stay. */
static enum tide_err open_accounts(struct drive *d,
                                   const struct config *config,
                                   struct tide_error *err)
{
    struct drive_account *fresh = calloc(config->account_count + 1, sizeof *fresh);
    if (!fresh)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    enum tide_err rc = TIDE_OK;
    for (size_t i = 0; i < config->account_count && rc == TIDE_OK; i++) {
        fresh[i].config = &config->accounts[i];
        for (size_t k = 0; k < d->account_count && !fresh[i].account; k++)
            if (same_account(d->accounts[k].config, fresh[i].config))
                fresh[i] = d->accounts[k]; /* with its old configuration, which stays */
        if (!fresh[i].account)
            rc = account_open(d->parts.loop, fresh[i].config, d->parts.clock, &fresh[i].account,
                              err);
        if (rc != TIDE_OK)
            rc = tide_wrap(err, rc, "account %s", config->accounts[i].name);
    }
    struct drive_account *from = rc == TIDE_OK ? d->accounts : fresh,
                         *kept = rc == TIDE_OK ? fresh : d->accounts;
    size_t from_count = rc == TIDE_OK ? d->account_count : config->account_count;
    size_t kept_count = rc == TIDE_OK ? config->account_count : d->account_count;
    for (size_t i = 0; i < from_count; i++) {
        bool is_kept = !from[i].account;
        for (size_t k = 0; k < kept_count; k++)
            is_kept |= kept[k].account == from[i].account;
        if (!is_kept)
            close_account(d, from[i].account);
    }
    free(from);
    if (rc == TIDE_OK) {
        d->accounts = fresh;
        d->account_count = config->account_count;
    }
    return rc;
}

enum tide_err drive_configure(struct drive *d,
                              const struct config *config,
                              const struct digest_templates *templates,
                              struct tide_error *err)
{
    enum tide_err rc = open_accounts(d, config, err);
    if (rc != TIDE_OK)
        return rc;
    d->parts.config = config;
    d->parts.templates = templates;
    struct gate_event ev = {.type = GATE_CONFIG, .config = config};
    drive_event(d, &ev, NULL, NULL);
    return TIDE_OK;
}

/* -- Life
 * ------------------------------------------------------------------------------------------------
 */

static void on_timer_closed(uv_handle_t *handle)
{
    struct drive *d = handle->data;
    d->timer_closed = true;
    finish_closing(d);
}

enum tide_err drive_open(const struct drive_parts *parts,
                         drive_ready_cb ready,
                         void *arg,
                         struct drive **ret,
                         struct tide_error *err)
{
    struct drive *d = calloc(1, sizeof *d);
    struct gate *gate =
        gate_new(parts->planner, parts->config, store_last_id(parts->store), parts->seed);
    if (!d || !gate) {
        gate_free(gate);
        free(d);
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    }
    *d = (struct drive){.parts = *parts, .gate = gate, .ready = ready, .ready_arg = arg};
    uv_timer_init(parts->loop, &d->timer);
    d->timer.data = d;
    d->timer.timer_cb = on_timer;
    *ret = d;
    enum tide_err rc = open_accounts(d, parts->config, err);
    if (rc == TIDE_OK)
        drive_restart(d);
    return rc;
}

void drive_on_accepted(struct drive *d,
                       void (*seen)(void *arg, const struct submission *s),
                       void *arg)
{
    d->seen = seen;
    d->seen_arg = arg;
}

void drive_set_rules(struct drive *d, const struct rulebook *rules)
{
    gate_set_rules(d->gate, rules);
}

void drive_close(struct drive *d, void (*closed)(void *arg), void *arg)
{
    if (d->closing)
        return;
    d->closing = true;
    d->closed = closed;
    d->closed_arg = arg;
    drive_begin(d);
    for (size_t i = 0; i < d->account_count; i++)
        if (d->accounts[i].account)
            close_account(d, d->accounts[i].account);
    uv_close((uv_handle_t *)&d->timer, on_timer_closed);
    drive_end(d);
}

tide_id drive_next_id(struct drive *d)
{
    return gate_next_id(d->gate, drive_now(d));
}

const struct drive_parts *drive_parts(const struct drive *d)
{
    return &d->parts;
}

const struct config *drive_config(const struct drive *d)
{
    return d->parts.config;
}

struct gate *drive_gate(struct drive *d)
{
    return d->gate;
}

int drive_account_room(const struct drive *d, int account)
{
    return account_room(d->accounts[account].account);
}
