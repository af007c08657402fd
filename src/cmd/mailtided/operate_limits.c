/* Limits, what replies have taught of them, and what operators say of that: io/status/operate.h. */
#include "base/macros.h"
#include "cmd/mailtided/inside.h"
#include "core/address/addr.h"
#include "core/config/limits.h"
#include "core/plan/guard.h"

#include <stdlib.h>

/* -- Limits
 * ------------------------------------------------------------------------------------------- */

struct limits_job {
    struct daemon *daemon;
    struct operate_limits *req;
    struct store_ask ask;
    struct addr addr;
    struct text subject; /* whose a recipient's own counters are */
    size_t cap;
    bool failed;
};

static void add_limit(void *arg, const struct plan_usage *u)
{
    struct limits_job *job = arg;
    struct operate_limits *req = job->req;
    char words[128];
    if (req->count == job->cap) {
        size_t cap = job->cap ? job->cap * 2 : 16;
        struct operate_limit *rows = arena_array(&req->arena, cap, sizeof *rows);
        if (!rows) {
            job->failed = true;
            return;
        }
        if (req->count)
            memcpy(rows, req->rows, req->count * sizeof *rows);
        req->rows = rows;
        job->cap = cap;
    }
    const struct limit *l = u->limit;
    req->rows[req->count++] = (struct operate_limit){
        .name = text_of(arena_strdup(&req->arena, l->name)),
        .scope = text_of(limit_scope_name(l->scope)),
        .subject = u->subject.n ? arena_text(&req->arena, u->subject) : job->subject,
        .text = text_of(arena_strdup(&req->arena, limit_text(l, words, sizeof words))),
        .count = l->count,
        .used = u->used,
        .reset_at = u->reset_at,
        .source = text_of(limit_source_name(l->source)),
        .confidence = text_of(limit_confidence_name(l->confidence)),
        .reference = text_of(l->reference ? arena_strdup(&req->arena, l->reference) : ""),
        .date = text_of(l->date ? arena_strdup(&req->arena, l->date) : ""),
    };
}

static void end_limits(struct limits_job *job, enum tide_err rc, const struct tide_error *err)
{
    struct operate_limits *req = job->req;
    arena_fini(&job->ask.arena);
    req->done(req, rc, err); /* before the job goes: `err` may be in it */
    free(job);
}

static void on_recipient(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct limits_job *job = ask->arg;
    struct daemon *d = job->daemon;
    const struct recipient_state *r = ask->recipient_row;
    struct tide_error why;
    struct plan_recipient own;
    tide_wall_ms now = clock_wall(&d->options.clock);
    if (rc != TIDE_OK) {
        end_limits(job, rc, err);
        return;
    }
    if (!r) {
        end_limits(job, daemon_never_seen(&job->addr, &why), &why);
        return;
    }
    struct plan_query q = daemon_query_of(d, r, now, &own);
    q.route.domain = planner_intern(d->planner, r->domain);
    job->req->provider = arena_text(&job->req->arena, r->verdict.provider);
    job->subject = arena_text(&job->req->arena, addr_text(&job->addr));
    planner_usage(d->planner, now, &q, add_limit, job);
    plan_recipient_fini(&own);
    if (job->failed)
        end_limits(job, tide_fail(&why, TIDE_ENOMEM, "out of memory"), &why);
    else
        end_limits(job, TIDE_OK, NULL);
}

/* The wider ones are in memory: told at once, but never from inside the call. */
static void on_wider(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct limits_job *job = ask->arg;
    struct daemon *d = job->daemon;
    if (rc == TIDE_OK)
        planner_usage(d->planner, clock_wall(&d->options.clock), NULL, add_limit, job);
    end_limits(job, rc, err);
}

void operate_limits_of(void *arg, struct operate_limits *req)
{
    struct daemon *d = arg;
    struct limits_job *job = calloc(1, sizeof *job);
    struct tide_error err;
    if (!job) {
        req->done(req, tide_fail(&err, TIDE_ENOMEM, "out of memory"), &err);
        return;
    }
    *job = (struct limits_job){.daemon = d, .req = req};
    job->ask = (struct store_ask){.view = STORE_VIEW_COUNTS, .done = on_wider, .arg = job};
    if (req->recipient.n) {
        if (addr_parse(req->recipient, 0, &job->addr, &err) != TIDE_OK) {
            end_limits(job, TIDE_EADDR, &err);
            return;
        }
        job->ask = (struct store_ask){.view = STORE_VIEW_WHY,
                                      .recipient = addr_text(&job->addr),
                                      .most = 1,
                                      .done = on_recipient,
                                      .arg = job};
    }
    store_ask(d->store, &job->ask);
}

/* -- Learnt --------------------------------------------------------------------------------------
 */

struct learnt_job {
    struct daemon *daemon;
    struct operate_learnt_list *req;
    struct store_ask ask;
    struct addr addr;
    int64_t *ids; /* of each row's recipient; 0: not one's own */
    size_t cap;
    bool failed;
};

static bool learnt_room(struct learnt_job *job)
{
    struct operate_learnt_list *req = job->req;
    if (req->count < job->cap)
        return true;
    size_t cap = job->cap ? job->cap * 2 : 32;
    struct operate_learnt *rows = arena_array(&req->arena, cap, sizeof *rows);
    int64_t *ids = realloc(job->ids, cap * sizeof *ids);
    job->ids = ids ? ids : job->ids;
    if (!rows || !ids) {
        job->failed = true;
        return false;
    }
    if (req->count)
        memcpy(rows, req->rows, req->count * sizeof *rows);
    req->rows = rows;
    job->cap = cap;
    return true;
}

static void fill_number(struct arena *arena,
                        const struct learn_limit *x,
                        tide_wall_ms now,
                        struct operate_learnt *ret)
{
    char words[128];
    struct window_rule rule = x->meter.rule;
    ret->source = text_of(limit_source_name(x->limit.source));
    ret->confidence = text_of(limit_confidence_name(x->limit.confidence));
    ret->refused_at = x->belief.mark ? x->belief.mark + 1 : 0;
    ret->taught = x->taught;
    ret->confirmed = x->confirmed;
    ret->pinned = x->pinned;
    if (learn_is_believed(x)) {
        ret->low = belief_number(&x->belief, 0.9);
        ret->likeliest = belief_likeliest(&x->belief);
        ret->high = belief_number(&x->belief, 0.1);
        ret->chance = belief_chance(&x->belief, x->limit.count);
    }
    if (x->limit.count != LEARN_NO_NUMBER) {
        ret->count = x->limit.count;
        ret->text = text_of(arena_strdup(arena, limit_text(&x->limit, words, sizeof words)));
    }
    if (window_is_fixed(&x->limit.window))
        ret->reset_at = window_at(&rule, now).end;
    for (size_t i = 0; i < LEARN_REPLIES && x->replies[i].at; i++)
        ret->replies[ret->reply_count++] = (struct operate_reply){
            .at = x->replies[i].at,
            .taken = x->replies[i].taken,
            .ambiguous = x->replies[i].ambiguous,
            .account = text_of(arena_strdup(arena, x->replies[i].account)),
            .rule = text_of(arena_strdup(arena, x->replies[i].rule)),
            .words = text_of(arena_strdup(arena, x->replies[i].words)),
        };
}

static void add_learnt(void *arg, const struct plan_learnt *x)
{
    struct learnt_job *job = arg;
    struct operate_learnt_list *req = job->req;
    tide_wall_ms now = clock_wall(&job->daemon->options.clock);
    if (!learnt_room(job))
        return;
    struct operate_learnt *row = &req->rows[req->count];
    job->ids[req->count++] = x->key->recipient_id;
    *row = (struct operate_learnt){.scope = text_of(limit_scope_name(x->key->scope)),
                                   .subject = arena_text(&req->arena, x->a),
                                   .of = arena_text(&req->arena, x->b),
                                   .text = TEXT(""),
                                   .count = -1,
                                   .used = x->used};
    if (learn_is_pool(x->key)) { /* every mailbox at that provider */
        row->subject = text_of(arena_printf(&req->arena, "@" TEXT_FMT, TEXT_ARG(x->b)));
        row->of = TEXT("");
    }
    if (x->key->until > now) {
        row->closed_until = x->key->until;
        row->closed_for = text_of(arena_strdup(&req->arena, x->key->reason));
    }
    if (x->limit)
        fill_number(&req->arena, x->limit, now, row);
}

static void end_learnt(struct learnt_job *job, enum tide_err rc, const struct tide_error *err)
{
    struct operate_learnt_list *req = job->req;
    struct tide_error why;
    if (job->failed && rc == TIDE_OK) {
        rc = tide_fail(&why, TIDE_ENOMEM, "out of memory");
        err = &why;
    }
    arena_fini(&job->ask.arena);
    req->done(req, rc, err);
    free(job->ids);
    free(job);
}

/* A recipient is shown by its address: last of "pair", first of its own. */
static void name_recipients(struct learnt_job *job)
{
    struct operate_learnt_list *req = job->req;
    for (size_t i = 0; i < req->count; i++) {
        struct operate_learnt *row = &req->rows[i];
        struct text address = job->ids[i] && job->ask.addresses
                                  ? arena_text(&req->arena, job->ask.addresses[i])
                                  : TEXT("");
        if (!job->ids[i])
            continue;
        if (row->subject.n)
            row->of = address;
        else
            row->subject = address;
    }
}

static void on_addresses(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct learnt_job *job = ask->arg;
    if (rc == TIDE_OK)
        name_recipients(job);
    end_learnt(job, rc, err);
}

static void ask_addresses(struct learnt_job *job)
{
    arena_fini(&job->ask.arena);
    job->ask = (struct store_ask){.view = STORE_VIEW_ADDRESSES,
                                  .recipient_ids = job->ids,
                                  .recipient_id_count = job->req->count,
                                  .done = on_addresses,
                                  .arg = job};
    store_ask(job->daemon->store, &job->ask);
}

static void on_learnt_recipient(struct store_ask *ask,
                                enum tide_err rc,
                                const struct tide_error *err)
{
    struct learnt_job *job = ask->arg;
    struct daemon *d = job->daemon;
    const struct recipient_state *r = ask->recipient_row;
    struct tide_error why;
    struct plan_recipient own;
    if (rc != TIDE_OK) {
        end_learnt(job, rc, err);
        return;
    }
    if (!r) {
        end_learnt(job, daemon_never_seen(&job->addr, &why), &why);
        return;
    }
    tide_wall_ms now = clock_wall(&d->options.clock);
    struct plan_query q = daemon_query_of(d, r, now, &own);
    q.route.domain = planner_intern(d->planner, r->domain);
    planner_learnt(d->planner, now, &q, add_learnt, job);
    plan_recipient_fini(&own);
    ask_addresses(job);
}

void operate_learnt_of(void *arg, struct operate_learnt_list *req)
{
    struct daemon *d = arg;
    struct learnt_job *job = calloc(1, sizeof *job);
    struct tide_error err;
    if (!job) {
        req->done(req, tide_fail(&err, TIDE_ENOMEM, "out of memory"), &err);
        return;
    }
    *job = (struct learnt_job){.daemon = d, .req = req};
    if (req->recipient.n == 0) {
        planner_learnt(d->planner, clock_wall(&d->options.clock), NULL, add_learnt, job);
        ask_addresses(job);
        return;
    }
    if (addr_parse(req->recipient, 0, &job->addr, &err) != TIDE_OK) {
        end_learnt(job, TIDE_EADDR, &err);
        return;
    }
    job->ask = (struct store_ask){.view = STORE_VIEW_WHY,
                                  .recipient = addr_text(&job->addr),
                                  .most = 1,
                                  .done = on_learnt_recipient,
                                  .arg = job};
    store_ask(d->store, &job->ask);
}

/* -- By hand -------------------------------------------------------------------------------------
 */

struct word_job {
    struct daemon *daemon;
    struct operate_limit_word *req;
    struct store_ask ask;
    struct addr addr;
    enum limit_scope scope;
    struct window window;
    char zone[64];
};

static void end_word(struct word_job *job, enum tide_err rc, const struct tide_error *err)
{
    struct operate_limit_word *req = job->req;
    arena_fini(&job->ask.arena);
    req->done(req, rc, err);
    free(job);
}

/* "@qq": every mailbox at that provider. */
static bool names_all(const struct word_job *job)
{
    return job->scope == LIMIT_RECIPIENT && job->req->subject.n > 1 &&
           job->req->subject.p[0] == '@';
}

static void say_word(struct word_job *job, int64_t recipient_id)
{
    struct operate_limit_word *req = job->req;
    struct gate_decision decision = {0};
    struct tide_error err;
    bool pair = job->scope == LIMIT_PAIR, own = pair || job->scope == LIMIT_RECIPIENT;
    bool all = names_all(job);
    struct gate_event ev = {
        .type = GATE_LIMIT,
        .limit = {.word = req->forget ? LIMIT_FORGET : LIMIT_PIN,
                  .scope = job->scope,
                  .recipient_id = recipient_id,
                  .a = own && !pair ? TEXT("") : req->subject,
                  .b = all   ? text_cut(req->subject, 1, req->subject.n)
                       : own ? TEXT("")
                             : req->of,
                  .window = &job->window,
                  .count = req->count,
                  .used = -1,
                  .by = req->by},
    };
    drive_event(job->daemon->drive, &ev, &decision, &req->arena);
    req->said = decision.reason;
    if (decision.reason.n)
        end_word(job, TIDE_OK, NULL);
    else
        end_word(job,
                 req->forget ? tide_fail(&err, TIDE_ENOENT, "nothing was learnt of that")
                             : tide_fail(&err, TIDE_ENOMEM, "it could not be kept"),
                 &err);
}

static void on_word_recipient(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct word_job *job = ask->arg;
    struct tide_error why;
    if (rc != TIDE_OK)
        end_word(job, rc, err);
    else if (!ask->recipient_row)
        end_word(job, daemon_never_seen(&job->addr, &why), &why);
    else
        say_word(job, ask->recipient_row->id);
}

/* The loop's own turn: never from inside the call. */
static void on_word_turn(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct word_job *job = ask->arg;
    if (rc != TIDE_OK)
        end_word(job, rc, err);
    else
        say_word(job, 0);
}

static enum tide_err check_word(struct word_job *job, struct tide_error *err)
{
    const struct operate_limit_word *req = job->req;
    bool two;
    if (!limit_scope_of(req->scope, &job->scope))
        return tide_fail(err, TIDE_EINVAL,
                         "scope: want recipient, pair, domain, provider, "
                         "sender-domain-provider, ip-provider, ip-domain, "
                         "account or account-stream, got \"" TEXT_FMT "\"",
                         TEXT_ARG(req->scope));
    two = job->scope != LIMIT_RECIPIENT && job->scope != LIMIT_DOMAIN &&
          job->scope != LIMIT_PROVIDER && job->scope != LIMIT_ACCOUNT;
    if (req->subject.n == 0 || (two ? req->of.n == 0 : req->of.n > 0))
        return tide_fail(err, TIDE_EINVAL, "a limit of " TEXT_FMT " wants %s", TEXT_ARG(req->scope),
                         two ? "two names" : "one name");
    if (req->forget)
        return TIDE_OK;
    if (req->count < 1 || req->count >= LEARN_NO_NUMBER)
        return tide_fail(err, TIDE_ERANGE, "count: want 1 or more, got %lld",
                         (long long)req->count);
    enum tide_err rc = limits_window(req->window.n ? req->window : TEXT("day"), &job->window, err);
    if (rc == TIDE_OK &&
        (req->zone.n >= sizeof job->zone || (req->zone.n && !zone_name_is_sane(req->zone))))
        rc = tide_fail(err, TIDE_EINVAL, "zone: want an IANA time zone, got \"" TEXT_FMT "\"",
                       TEXT_ARG(req->zone));
    if (rc == TIDE_OK && req->zone.n) {
        memcpy(job->zone, req->zone.p, req->zone.n);
        job->window.zone = job->zone;
    }
    return rc;
}

void operate_limit_word(void *arg, struct operate_limit_word *req)
{
    struct daemon *d = arg;
    struct word_job *job = calloc(1, sizeof *job);
    struct tide_error err;
    if (!job) {
        req->done(req, tide_fail(&err, TIDE_ENOMEM, "out of memory"), &err);
        return;
    }
    *job = (struct word_job){.daemon = d, .req = req};
    enum tide_err rc = check_word(job, &err);
    bool own = rc == TIDE_OK && !names_all(job) &&
               (job->scope == LIMIT_RECIPIENT || job->scope == LIMIT_PAIR);
    if (own)
        rc = addr_parse(job->scope == LIMIT_PAIR ? req->of : req->subject, 0, &job->addr, &err);
    if (rc != TIDE_OK) {
        end_word(job, rc, &err);
        return;
    }
    job->ask = (struct store_ask){.view = own ? STORE_VIEW_WHY : STORE_VIEW_COUNTS,
                                  .recipient = own ? addr_text(&job->addr) : TEXT(""),
                                  .most = 1,
                                  .done = own ? on_word_recipient : on_word_turn,
                                  .arg = job};
    store_ask(d->store, &job->ask);
}

/* -- Guards --------------------------------------------------------------------------------------
 */

static int by_name(const void *a, const void *b)
{
    const struct operate_guard *x = a, *y = b;
    return text_icmp(x->name, y->name);
}

void operate_guards_of(void *arg,
                       struct arena *arena,
                       struct operate_guard **ret,
                       size_t *ret_count)
{
    const struct daemon *d = arg;
    const struct guards *all = gate_guards(drive_gate(d->drive));
    uint32_t pos = 0;
    *ret_count = 0;
    *ret = arena_array(arena, all->by_name.count + 1, sizeof **ret);
    if (!*ret)
        return;
    for (const struct guard *x; (x = strmap_next(&all->by_name, &pos, NULL));) {
        if (!x->rule)
            continue;
        (*ret)[(*ret_count)++] = (struct operate_guard){
            .name = text_of(arena_strdup(arena, x->name)),
            .state = text_of(guard_state_name(x->state)),
            .counts = x->rule->counts == GUARD_BOUNCES ? TEXT("bounces") : TEXT("complaints"),
            .since = x->since,
            .rest_until = x->rest_until,
            .warned = x->warned,
            .mails = x->mails,
            .failures = x->failures,
            .rate = guard_rate(x),
            .bound = guard_bound(x),
            .review = x->rule->review,
            .pause = x->rule->pause,
        };
    }
    qsort(*ret, *ret_count, sizeof **ret, by_name);
}

void operate_guard_open(void *arg, struct operate_guard_open *req)
{
    struct daemon *d = arg;
    struct gate_decision decision = {0};
    struct gate_event ev = {.type = GATE_GUARD, .guard = {.name = req->name, .by = req->by}};
    drive_event(d->drive, &ev, &decision, &req->arena);
    req->said = decision.reason;
}
