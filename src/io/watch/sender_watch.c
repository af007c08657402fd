#include "io/watch/sender_watch.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/proto/json.h"
#include "core/verify/one_click.h"
#include "core/verify/sender_trust.h"
#include "io/dns/asker.h"
#include "io/loop/files.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CHECK_MS   (5 * TIME_SECOND_MS)
#define FAILING_MS       (10 * TIME_MINUTE_MS) /* a sender that fails is looked at so often */
#define DOUBTFUL_MS      (5 * TIME_MINUTE_MS)  /* DNS did not answer */
#define UNUSED_MS        (30 * TIME_DAY_MS)    /* then it is forgotten */
#define STREAMS_MAX      8
#define NAP_MS_MAX       5000 /* in real time, so that a step of the wall clock is noticed */
#define REPORT_BYTES_MAX (1u << 20)

/* What was seen in the last mail of a bulk stream. */
struct seen_stream {
    char *name;
    const char *problem;
    bool is_signed;
};

struct watched {
    char *domain, *account;
    tide_wall_ms seen_at, checked_at, passed_at, due_at;
    char *held, *report; /* "" */
    bool configured, bulk;
    struct seen_stream streams[STREAMS_MAX];
    size_t stream_count;
};

/* Of schedules/; a check under way keeps those that it began with. */
struct shared_rules {
    unsigned refs;
    struct sender_rules rules;
};

struct probe_run {
    struct check *check;
    struct asker_run *run; /* NULL: done */
};

/* One check under way. */
struct check {
    struct sender_watch *watch;
    struct watched *of; /* NULL: forgotten meanwhile */
    struct sender sender;
    struct sender_ip ips[SENDER_IPS_MAX];
    struct text selectors[SENDER_KEYS_MAX];
    struct sender_stream streams[STREAMS_MAX];
    struct arena arena;
    struct probe_run runs[SENDER_PROBES_MAX];
    struct shared_rules *rules;
    size_t pending;
    bool cancelled;
};

struct sender_watch {
    struct sender_watch_parts parts;
    struct shared_rules *rules;
    struct drive *drive; /* NULL: not started */
    struct watched *all[WATCHED_MAX];
    size_t count;
    struct strmap by_name; /* "DOMAIN ACCOUNT" */
    struct check *check;   /* NULL: none is under way */
    struct store_ask load;
    uv_timer_t timer;
    unsigned writes;
    bool loading, closing, timer_closed;
    void (*ready)(void *arg);
    void *ready_arg;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* -- Who is watched ------------------------------------------------------------------------------
 */

static void free_watched(struct watched *x)
{
    for (size_t i = 0; i < x->stream_count; i++)
        free(x->streams[i].name);
    free(x->domain);
    free(x->account);
    free(x->held);
    free(x->report);
    free(x);
}

static char *copy_of(struct text t)
{
    return strndup(t.p ? t.p : "", t.n);
}

#define NAME_BYTES_MAX 512

static struct text name_of(struct text domain, struct text account, char out[NAME_BYTES_MAX])
{
    int n =
        snprintf(out, NAME_BYTES_MAX, TEXT_FMT " " TEXT_FMT, TEXT_ARG(domain), TEXT_ARG(account));
    return (struct text){out, TIDE_MIN((size_t)TIDE_MAX(n, 0), (size_t)NAME_BYTES_MAX - 1)};
}

/* The one of that name, made where it is not there; NULL: no memory or no room. */
static struct watched *watch(struct sender_watch *w, struct text domain, struct text account)
{
    char bytes[NAME_BYTES_MAX];
    struct text name = name_of(domain, account, bytes);
    struct watched *x = strmap_get(&w->by_name, name);
    if (x || w->count == WATCHED_MAX)
        return x;
    x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    *x = (struct watched){.domain = copy_of(domain),
                          .account = copy_of(account),
                          .held = strdup(""),
                          .report = strdup(""),
                          .due_at = clock_wall(w->parts.clock) + FIRST_CHECK_MS};
    if (!x->domain || !x->account || !x->held || !x->report || !strmap_put(&w->by_name, name, x)) {
        free_watched(x);
        return NULL;
    }
    return w->all[w->count++] = x;
}

static bool is_watchable(const struct config *c, int account)
{
    return c->accounts[account].type != ACCOUNT_OUTBOX;
}

/* "*" and ".example.com" name no domain: those are watched once they are seen. */
static void watch_configured(struct sender_watch *w)
{
    const struct config *c = w->parts.config;
    for (size_t i = 0; i < w->count; i++)
        w->all[i]->configured = false;
    for (size_t a = 0; a < c->application_count; a++) {
        const struct config_application *app = &c->applications[a];
        for (size_t s = 0; s < app->sender_domain_count; s++) {
            struct domain d;
            if (domain_parse(text_of(app->sender_domains[s]), &d, NULL) != TIDE_OK)
                continue;
            for (size_t k = 0; k < app->account_count; k++) {
                if (!is_watchable(c, app->accounts[k]))
                    continue;
                struct watched *x =
                    watch(w, domain_text(&d), text_of(c->accounts[app->accounts[k]].name));
                if (!x)
                    continue;
                x->configured = true;
                x->bulk = x->bulk || c->streams[app->stream].bulk;
            }
        }
    }
}

/* -- The store -----------------------------------------------------------------------------------
 */

static void rules_unref(struct shared_rules *r)
{
    if (--r->refs > 0)
        return;
    sender_rules_fini(&r->rules);
    free(r);
}

static void maybe_closed(struct sender_watch *w)
{
    if (!w->closing || !w->timer_closed || w->writes || w->loading || w->check)
        return;
    void (*closed)(void *) = w->closed;
    void *arg = w->closed_arg;
    for (size_t i = 0; i < w->count; i++)
        free_watched(w->all[i]);
    strmap_fini(&w->by_name);
    rules_unref(w->rules);
    free(w);
    closed(arg);
}

struct write {
    struct store_apply req;
    struct change change;
    struct arena arena;
    struct sender_watch *watch;
};

static void on_written(struct store_apply *req, enum tide_err rc, const struct tide_error *err)
{
    struct write *job = req->arg;
    struct sender_watch *w = job->watch;
    if (rc != TIDE_OK)
        log_warn("sender.not_stored",
                 "error=\"%s\" consequence=\"after a restart it is checked "
                 "anew\"",
                 err->text);
    arena_fini(&job->req.arena);
    arena_fini(&job->arena);
    free(job);
    w->writes--;
    maybe_closed(w);
}

static void store_record(struct sender_watch *w, const struct watched *x, bool gone)
{
    struct write *job = calloc(1, sizeof *job);
    if (!job)
        return;
    job->watch = w;
    job->change =
        (struct change){.type = gone ? CHANGE_SENDER_GONE : CHANGE_SENDER,
                        .sender = {.domain = text_of(arena_strdup(&job->arena, x->domain)),
                                   .account = text_of(arena_strdup(&job->arena, x->account)),
                                   .seen_at = x->seen_at,
                                   .checked_at = x->checked_at,
                                   .passed_at = x->passed_at,
                                   .held = text_of(arena_strdup(&job->arena, x->held)),
                                   .report = text_of(arena_strdup(&job->arena, x->report))}};
    const struct sender_record *s = &job->change.sender;
    if (!s->domain.p || !s->account.p || !s->held.p || !s->report.p) {
        arena_fini(&job->arena);
        free(job);
        return;
    }
    job->req = (struct store_apply){.changes = &job->change,
                                    .count = 1,
                                    .at = clock_wall(w->parts.clock),
                                    .done = on_written,
                                    .arg = job};
    w->writes++;
    store_apply(w->parts.store, &job->req);
}

static bool was_bulk(struct text report)
{
    struct json *doc = NULL;
    bool bulk = false;
    if (!report.n || json_parse(report, REPORT_BYTES_MAX, &doc, NULL) != TIDE_OK)
        return false;
    (void)json_bool(json_member(doc, "bulk"), &bulk);
    json_free(doc);
    return bulk;
}

static void take_record(struct sender_watch *w, const struct sender_record *r)
{
    struct watched *x = watch(w, r->domain, r->account);
    char *held = copy_of(r->held), *report = copy_of(r->report);
    if (!x || !held || !report) {
        free(held);
        free(report);
        return;
    }
    free(x->held);
    free(x->report);
    x->held = held;
    x->report = report;
    x->seen_at = r->seen_at;
    x->checked_at = r->checked_at;
    x->passed_at = r->passed_at;
    x->bulk = was_bulk(r->report);
}

static void on_loaded(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct sender_watch *w = ask->arg;
    if (rc != TIDE_OK)
        log_warn("sender.not_loaded", "error=\"%s\"", err->text);
    for (size_t i = 0; rc == TIDE_OK && i < ask->sender_count; i++)
        take_record(w, &ask->senders[i]);
    arena_fini(&ask->arena);
    w->loading = false;
    if (w->closing)
        maybe_closed(w);
    else
        w->ready(w->ready_arg);
}

/* -- What a check means --------------------------------------------------------------------------
 */

static void tell_gate(struct sender_watch *w, const struct watched *x, bool restored)
{
    struct gate_event ev = {.type = GATE_SENDER,
                            .sender = {.domain = text_of(x->domain),
                                       .account = text_of(x->account),
                                       .reason = text_of(x->held),
                                       .restored = restored}};
    drive_event(w->drive, &ev, NULL, NULL);
}

static void tell_alarm(struct sender_watch *w,
                       const struct watched *x,
                       const struct sender_trust *t)
{
    char key[128], sentence[512];
    snprintf(key, sizeof key, "sender/%.60s/%.40s", x->domain, x->account);
    if (t->failing) {
        snprintf(sentence, sizeof sentence, "%s through %s %s: " TEXT_FMT "%s", x->domain,
                 x->account, t->passed_before ? "no longer passes" : "does not pass",
                 TEXT_ARG(text_cut(t->reason, 0, 280)),
                 t->held ? " Its bulk streams are held until it passes." : "");
        drive_raise_alarm(w->drive, text_of(key),
                          t->held            ? ALARM_CRITICAL
                          : t->passed_before ? ALARM_WARNING
                                             : ALARM_NOTICE,
                          text_of(sentence), t->advice);
    } else {
        drive_clear_alarm(w->drive, text_of(key), TEXT("It passes."));
    }
    snprintf(key, sizeof key, "sender/%.60s/%.40s/mail", x->domain, x->account);
    if (t->remark.n)
        drive_raise_alarm(w->drive, text_of(key), ALARM_NOTICE, text_cut(t->remark, 0, 500),
                          TEXT("Gmail and Yahoo want one-click unsubscribe of bulk mail."));
    else
        drive_clear_alarm(w->drive, text_of(key), TEXT(""));
}

static int64_t next_in(const struct sender_watch *w, const struct sender_trust *t)
{
    int64_t every = w->parts.config->sender_checks.every_ms;
    if (t->doubtful)
        return TIDE_MIN(every, DOUBTFUL_MS);
    return t->failing ? TIDE_MIN(every, FAILING_MS) : every;
}

static enum tide_err judge(struct sender_watch *w, struct check *c, struct tide_error *err)
{
    struct watched *x = c->of;
    const struct config_sender_checks *config = &w->parts.config->sender_checks;
    tide_wall_ms now = clock_wall(w->parts.clock);
    struct sender_trust t;
    const struct sender_record before = {
        .passed_at = x->passed_at, .held = text_of(x->held), .report = text_of(x->report)};
    enum tide_err rc = sender_report(&c->sender, err);
    if (rc == TIDE_OK)
        rc = sender_trust(&c->sender, text_of(x->account), &before,
                          config->on_failure == SENDER_HOLD_BULK,
                          config->on_first_failure == SENDER_HOLD_BULK, &c->arena, &t, err);
    char *held = rc == TIDE_OK ? copy_of(t.held ? t.reason : TEXT("")) : NULL;
    char *report = rc == TIDE_OK ? copy_of(t.report) : NULL;
    if (!held || !report) {
        free(held);
        free(report);
        return rc != TIDE_OK ? rc : tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    }
    free(x->held);
    free(x->report);
    x->held = held;
    x->report = report;
    x->checked_at = now;
    if (!t.failing && !t.doubtful)
        x->passed_at = now;
    x->due_at = now + next_in(w, &t);
    log_info("sender.checked", "domain=%s account=%s state=%s failing=%d held=%d", x->domain,
             x->account, sender_state_name(c->sender.state), t.failing, t.held);
    tell_gate(w, x, false);
    tell_alarm(w, x, &t);
    store_record(w, x, false);
    return TIDE_OK;
}

/* -- One check -----------------------------------------------------------------------------------
 */

static void wake(struct sender_watch *w);

static void end_check(struct sender_watch *w)
{
    struct check *c = w->check;
    struct tide_error err;
    w->check = NULL;
    if (c->of && !c->cancelled && judge(w, c, &err) != TIDE_OK) {
        log_warn("sender.not_checked", "domain=%s account=%s error=\"%s\"", c->of->domain,
                 c->of->account, err.text);
        c->of->due_at = clock_wall(w->parts.clock) + DOUBTFUL_MS;
    }
    sender_fini(&c->sender);
    arena_fini(&c->arena);
    rules_unref(c->rules);
    free(c);
    if (w->closing)
        maybe_closed(w);
    else
        wake(w);
}

static void probe_ended(struct check *c, bool ok)
{
    c->cancelled = c->cancelled || !ok;
    if (--c->pending == 0)
        end_check(c->watch);
}

static void on_probe(void *arg, enum tide_err rc)
{
    struct probe_run *run = arg;
    run->run = NULL;
    probe_ended(run->check, rc == TIDE_OK);
}

static void take_account(struct check *c, const struct config_account *a, struct sender_input *in)
{
    in->account = a->profile;
    in->selectors = c->selectors;
    in->ips = c->ips;
    for (size_t i = 0; i < a->selector_count && i < TIDE_COUNT(c->selectors); i++)
        c->selectors[in->selector_count++] = text_of(a->selectors[i]);
    for (size_t i = 0; i < a->ip_count && i < TIDE_COUNT(c->ips); i++) {
        struct sender_ip *ip = &c->ips[in->ip_count];
        snprintf(ip->text, sizeof ip->text, "%s", a->ips[i]);
        ip->v6 = strchr(ip->text, ':') != NULL;
        if (inet_pton(ip->v6 ? AF_INET6 : AF_INET, ip->text, ip->octets) == 1)
            in->ip_count++;
    }
}

static enum tide_err prepare(struct sender_watch *w, struct check *c, struct tide_error *err)
{
    const struct config *config = w->parts.config;
    struct watched *x = c->of;
    struct sender_input in = {.domain = arena_text(&c->arena, text_of(x->domain)),
                              .rules = &c->rules->rules,
                              .bulk = x->bulk,
                              .block_lists = config->sender_checks.block_lists,
                              .private_addresses = config->dns.private_addresses,
                              .streams = c->streams,
                              .stream_count = x->stream_count,
                              .now = clock_wall(w->parts.clock)};
    if (!in.domain.p)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    for (size_t i = 0; i < x->stream_count; i++)
        c->streams[i] =
            (struct sender_stream){.stream = text_of(arena_strdup(&c->arena, x->streams[i].name)),
                                   .problem = x->streams[i].problem,
                                   .is_signed = x->streams[i].is_signed};
    take_account(c, &config->accounts[config_account_index(config, text_of(x->account))], &in);
    return sender_init(&c->sender, &in, &c->arena, err);
}

/* All probes at once; the resolver asks each question once. */
static enum tide_err ask(struct sender_watch *w, struct check *c, struct tide_error *err)
{
    enum tide_err rc = prepare(w, c, err);
    for (size_t i = 0; i < c->sender.probe_count && rc == TIDE_OK; i++) {
        struct sender_probe *p = &c->sender.probes[i];
        if (p->first.done)
            continue;
        struct probe_run *run = &c->runs[i];
        run->check = c;
        rc = asker_start(w->parts.resolver, &p->first, p->feed, p->machine, on_probe, run,
                         &run->run, err);
        c->pending += rc == TIDE_OK;
    }
    return rc;
}

static void start_check(struct sender_watch *w, struct watched *x)
{
    struct tide_error err = {.text = "out of memory"};
    struct check *c = calloc(1, sizeof *c);
    x->due_at = clock_wall(w->parts.clock) + DOUBTFUL_MS; /* whatever becomes of it */
    if (!c)
        return;
    *c = (struct check){.watch = w, .of = x, .rules = w->rules};
    w->rules->refs++;
    w->check = c;
    c->pending = 1; /* held while the questions are put */
    if (ask(w, c, &err) != TIDE_OK) {
        log_warn("sender.not_checked", "domain=%s account=%s error=\"%s\"", x->domain, x->account,
                 err.text);
        c->cancelled = true;
    }
    probe_ended(c, true);
}

/* -- When ----------------------------------------------------------------------------------------
 */

static void forget(struct sender_watch *w, size_t at)
{
    struct watched *x = w->all[at];
    const struct sender_trust none = {0};
    char bytes[NAME_BYTES_MAX];
    w->all[at] = w->all[--w->count];
    strmap_remove(&w->by_name, name_of(text_of(x->domain), text_of(x->account), bytes));
    if (w->check && w->check->of == x)
        w->check->of = NULL;
    free(x->held);
    x->held = strdup("");
    if (x->held) {
        tell_gate(w, x, false);
        tell_alarm(w, x, &none);
        store_record(w, x, true);
    }
    free_watched(x);
}

/* Nobody uses it any more, or its account is gone. */
static bool is_over(const struct sender_watch *w, const struct watched *x, tide_wall_ms now)
{
    int account = config_account_index(w->parts.config, text_of(x->account));
    return account < 0 || !is_watchable(w->parts.config, account) ||
           (!x->configured && now - x->seen_at > UNUSED_MS);
}

static struct watched *next_due(struct sender_watch *w)
{
    struct watched *first = NULL;
    for (size_t i = 0; i < w->count; i++)
        if (!first || w->all[i]->due_at < first->due_at)
            first = w->all[i];
    return first;
}

static void on_timer(uv_timer_t *timer)
{
    struct sender_watch *w = timer->data;
    tide_wall_ms now = clock_wall(w->parts.clock);
    for (size_t i = w->count; i-- > 0;)
        if (is_over(w, w->all[i], now))
            forget(w, i);
    struct watched *x = next_due(w);
    if (x && x->due_at <= now && !w->check)
        start_check(w, x);
    wake(w);
}

static void wake(struct sender_watch *w)
{
    struct watched *x = next_due(w);
    if (w->closing || !w->drive || w->check || !x || w->parts.config->sender_checks.every_ms == 0) {
        uv_timer_stop(&w->timer);
        return;
    }
    uint64_t ms = clock_until(w->parts.clock, x->due_at);
    uv_timer_start(&w->timer, on_timer, TIDE_MIN(ms, (uint64_t)NAP_MS_MAX), 0);
}

/* -- Mail that is seen ---------------------------------------------------------------------------
 */

static void see_stream(struct sender_watch *w, struct watched *x, const struct submission *s)
{
    size_t i = 0;
    bool is_signed = false;
    const char *problem = one_click_of_message(s->message, &is_signed);
    while (i < x->stream_count && !text_eq(text_of(x->streams[i].name), s->stream))
        i++;
    if (i == x->stream_count) {
        char *name = i < STREAMS_MAX ? copy_of(s->stream) : NULL;
        if (!name)
            return;
        x->streams[x->stream_count++] = (struct seen_stream){.name = name};
        x->due_at = TIDE_MIN(x->due_at, clock_wall(w->parts.clock) + FIRST_CHECK_MS);
    } else if ((problem == NULL) != (x->streams[i].problem == NULL)) {
        x->due_at = TIDE_MIN(x->due_at, clock_wall(w->parts.clock) + FIRST_CHECK_MS);
    }
    x->streams[i].problem = problem;
    x->streams[i].is_signed = is_signed;
    x->bulk = true;
}

static struct text domain_of(struct text address)
{
    for (size_t i = address.n; i > 0; i--)
        if (address.p[i - 1] == '@')
            return text_cut(address, i, address.n);
    return TEXT("");
}

static const struct config_application *application_of(const struct config *c, struct text name)
{
    for (size_t i = 0; i < c->application_count; i++)
        if (text_eq(text_of(c->applications[i].name), name))
            return &c->applications[i];
    return NULL;
}

void sender_watch_seen(struct sender_watch *w, const struct submission *s)
{
    const struct config *c = w->parts.config;
    const struct config_application *app = application_of(c, s->application);
    struct text domain = domain_of(s->identity);
    int stream = config_stream_index(c, s->stream);
    tide_wall_ms due = TIDE_NEVER;
    if (!app || !domain.n || c->sender_checks.every_ms == 0)
        return;
    for (size_t i = 0; i < app->account_count; i++) {
        const struct config_account *a = &c->accounts[app->accounts[i]];
        struct watched *x = a->type == ACCOUNT_OUTBOX ? NULL : watch(w, domain, text_of(a->name));
        if (!x)
            continue;
        x->seen_at = clock_wall(w->parts.clock);
        if (stream >= 0 && c->streams[stream].bulk)
            see_stream(w, x, s);
        due = TIDE_MIN(due, x->due_at);
    }
    if (due != TIDE_NEVER && !uv_is_active((uv_handle_t *)&w->timer))
        wake(w);
}

/* -- Life ----------------------------------------------------------------------------------------
 */

static struct shared_rules *rules_load(const struct config *config, struct tide_error *err)
{
    struct shared_rules *r = calloc(1, sizeof *r);
    if (!r) {
        (void)tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
        return NULL;
    }
    r->refs = 1;
    if (sender_rules_load(config, &files_source, &r->rules, err) == TIDE_OK)
        return r;
    free(r);
    return NULL;
}

enum tide_err sender_watch_configure(struct sender_watch *w,
                                     const struct config *config,
                                     struct tide_error *err)
{
    struct shared_rules *rules = rules_load(config, err);
    if (!rules)
        return err->code;
    if (w->check)
        w->check->cancelled = true; /* begun under the old configuration: made anew */
    rules_unref(w->rules);
    w->rules = rules;
    w->parts.config = config;
    watch_configured(w);
    wake(w);
    return TIDE_OK;
}

enum tide_err sender_watch_open(const struct sender_watch_parts *parts,
                                void (*ready)(void *arg),
                                void *arg,
                                struct sender_watch **ret,
                                struct tide_error *err)
{
    struct sender_watch *w = calloc(1, sizeof *w);
    if (!w)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    *w = (struct sender_watch){.parts = *parts, .ready = ready, .ready_arg = arg};
    w->rules = rules_load(parts->config, err);
    if (!w->rules) {
        free(w);
        return err->code;
    }
    strmap_init(&w->by_name);
    (void)uv_timer_init(parts->loop, &w->timer);
    w->timer.data = w;
    w->load = (struct store_ask){
        .view = STORE_VIEW_SENDERS, .most = WATCHED_MAX, .done = on_loaded, .arg = w};
    w->loading = true;
    *ret = w;
    store_ask(parts->store, &w->load);
    return TIDE_OK;
}

void sender_watch_start(struct sender_watch *w, struct drive *drive)
{
    w->drive = drive;
    watch_configured(w);
    for (size_t i = 0; i < w->count; i++)
        if (w->all[i]->held[0])
            tell_gate(w, w->all[i], true);
    wake(w);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct sender_watch *w = handle->data;
    w->timer_closed = true;
    maybe_closed(w);
}

void sender_watch_close(struct sender_watch *w, void (*closed)(void *arg), void *arg)
{
    if (w->closing)
        return;
    w->closing = true;
    w->closed = closed;
    w->closed_arg = arg;
    for (size_t i = 0; w->check && i < w->check->sender.probe_count; i++)
        if (w->check->runs[i].run)
            asker_cancel(w->check->runs[i].run);
    uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}
