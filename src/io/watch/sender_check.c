#include "base/log.h"
#include "base/macros.h"
#include "io/loop/files.h"
#include "io/watch/sender_inside.h"

#include <stdio.h>
#include <stdlib.h>

#define FAILING_MS  (10 * TIME_MINUTE_MS) /* a sender that fails is looked at so often */
#define DOUBTFUL_MS (5 * TIME_MINUTE_MS)  /* DNS did not answer */

/* -- Rules ------------------------------------------------------------------------------------- */

struct shared_rules *shared_rules_load(const struct config *config, struct tide_error *err)
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

void shared_rules_unref(struct shared_rules *r)
{
    if (--r->refs > 0)
        return;
    sender_rules_fini(&r->rules);
    free(r);
}

/* -- What it means ----------------------------------------------------------------------------- */

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
    if (rc == TIDE_OK && !watched_take(x, t.held ? t.reason : TEXT(""), t.report))
        rc = tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    if (rc != TIDE_OK)
        return rc;
    x->checked_at = now;
    if (!t.failing && !t.doubtful)
        x->passed_at = now;
    x->due_at = now + next_in(w, &t);
    log_info("sender.checked", "domain=%s account=%s state=%s failing=%d held=%d", x->domain,
             x->account, sender_state_name(c->sender.state), t.failing, t.held);
    watched_tell_gate(w, x, false);
    watched_tell_alarm(w, x, &t);
    watched_store(w, x, false);
    return TIDE_OK;
}

/* -- Its questions ----------------------------------------------------------------------------- */

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
    shared_rules_unref(c->rules);
    free(c);
    if (w->closing)
        sender_watch_maybe_closed(w);
    else
        sender_watch_wake(w);
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
    const struct config_account *a =
        &config->accounts[config_account_index(config, text_of(x->account))];
    enum tide_err rc = sender_account_take(&c->account, config, a, &in, err);
    return rc == TIDE_OK ? sender_init(&c->sender, &in, &c->arena, err) : rc;
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

void sender_check_start(struct sender_watch *w, struct watched *x)
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
