#include "io/watch/sender_watch.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/address/addr.h"
#include "core/verify/one_click.h"
#include "io/watch/sender_inside.h"

#include <stdlib.h>

#define UNUSED_MS  (30 * TIME_DAY_MS) /* then it is forgotten */
#define NAP_MS_MAX 5000 /* in real time, so that a step of the wall clock is noticed */

/* -- When -------------------------------------------------------------------------------------- */

/* Nobody uses it any more, or its account is gone. */
static bool is_over(const struct sender_watch *w, const struct watched *x, tide_wall_ms now)
{
    int account = config_account_index(w->parts.config, text_of(x->account));
    return account < 0 || !watched_can_be(w->parts.config, account) ||
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
            watched_forget(w, i);
    struct watched *x = next_due(w);
    if (x && x->due_at <= now && !w->check)
        sender_check_start(w, x);
    sender_watch_wake(w);
}

void sender_watch_wake(struct sender_watch *w)
{
    bool rests = w->closing || !w->drive || w->check || !w->parts.config->sender_checks.every_ms;
    struct watched *x = rests ? NULL : next_due(w); /* asked with each mail while a check goes on */
    if (!x) {
        uv_timer_stop(&w->timer);
        return;
    }
    uint64_t ms = clock_until(w->parts.clock, x->due_at);
    uv_timer_start(&w->timer, on_timer, TIDE_MIN(ms, (uint64_t)NAP_MS_MAX), 0);
}

/* -- Mail that is seen ------------------------------------------------------------------------- */

static void see_stream(struct watched *x,
                       struct text name,
                       const struct seen_stream *seen,
                       tide_wall_ms now)
{
    size_t i = 0;
    while (i < x->stream_count && !text_eq(text_of(x->streams[i].name), name))
        i++;
    if (i == x->stream_count) {
        char *copy = i < STREAMS_MAX ? watched_copy(name) : NULL;
        if (!copy)
            return;
        x->streams[x->stream_count++] = (struct seen_stream){.name = copy};
        x->due_at = TIDE_MIN(x->due_at, now + FIRST_CHECK_MS);
    } else if ((seen->problem == NULL) != (x->streams[i].problem == NULL)) {
        x->due_at = TIDE_MIN(x->due_at, now + FIRST_CHECK_MS);
    }
    x->streams[i].problem = seen->problem;
    x->streams[i].is_signed = seen->is_signed;
    x->bulk = true;
}

void sender_watch_seen(struct sender_watch *w, const struct submission *s)
{
    const struct config *c = w->parts.config;
    const struct config_application *app = config_application(c, s->application);
    struct text domain = addr_domain_of(s->identity);
    int stream = config_stream_index(c, s->stream);
    bool bulk = stream >= 0 && c->streams[stream].bulk, any = false;
    struct seen_stream seen = {0};
    tide_wall_ms now = clock_wall(w->parts.clock);
    if (!app || !domain.n || c->sender_checks.every_ms == 0)
        return;
    for (size_t i = 0; i < app->account_count; i++) {
        const struct config_account *a = &c->accounts[app->accounts[i]];
        struct watched *x =
            watched_can_be(c, app->accounts[i]) ? watched_named(w, domain, text_of(a->name)) : NULL;
        if (!x)
            continue;
        if (bulk && !any)
            seen.problem = one_click_of_message(s->message, &seen.is_signed);
        if (bulk)
            see_stream(x, s->stream, &seen, now);
        x->seen_at = now;
        any = true;
    }
    if (any && !uv_is_active((uv_handle_t *)&w->timer))
        sender_watch_wake(w);
}

/* -- Life -------------------------------------------------------------------------------------- */

enum tide_err sender_watch_configure(struct sender_watch *w,
                                     const struct config *config,
                                     struct tide_error *err)
{
    struct shared_rules *rules = shared_rules_load(config, err);
    if (!rules)
        return err->code;
    if (w->check)
        w->check->cancelled = true; /* begun under the old configuration: made anew */
    shared_rules_unref(w->rules);
    w->rules = rules;
    w->parts.config = config;
    watched_configure(w);
    sender_watch_wake(w);
    return TIDE_OK;
}

static void on_loaded(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct sender_watch *w = ask->arg;
    if (rc != TIDE_OK)
        log_warn("sender.not_loaded", "error=\"%s\"", err->text);
    for (size_t i = 0; rc == TIDE_OK && i < ask->sender_count; i++)
        watched_take_record(w, &ask->senders[i]);
    arena_fini(&ask->arena);
    w->loading = false;
    if (w->closing)
        sender_watch_maybe_closed(w);
    else
        w->ready(w->ready_arg);
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
    w->rules = shared_rules_load(parts->config, err);
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
    watched_configure(w);
    for (size_t i = 0; i < w->count; i++)
        if (w->all[i]->held[0])
            watched_tell_gate(w, w->all[i], true);
    sender_watch_wake(w);
}

void sender_watch_maybe_closed(struct sender_watch *w)
{
    if (!w->closing || !w->timer_closed || w->writes || w->loading || w->check)
        return;
    void (*closed)(void *) = w->closed;
    void *arg = w->closed_arg;
    for (size_t i = 0; i < w->count; i++)
        watched_free(w->all[i]);
    strmap_fini(&w->by_name);
    shared_rules_unref(w->rules);
    free(w);
    closed(arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct sender_watch *w = handle->data;
    w->timer_closed = true;
    sender_watch_maybe_closed(w);
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
