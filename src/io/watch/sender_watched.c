#include "io/watch/sender_inside.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/proto/json.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES_MAX   512
#define REPORT_BYTES_MAX (1u << 20)

/* -- Who --------------------------------------------------------------------------------------- */

void watched_free(struct watched *x)
{
    for (size_t i = 0; i < x->stream_count; i++)
        free(x->streams[i].name);
    free(x->domain);
    free(x->account);
    free(x->held);
    free(x->report);
    free(x);
}

char *watched_copy(struct text t)
{
    return strndup(t.p ? t.p : "", t.n);
}

bool watched_take(struct watched *x, struct text held, struct text report)
{
    char *new_held = watched_copy(held), *new_report = watched_copy(report);
    if (!new_held || !new_report) {
        free(new_held);
        free(new_report);
        return false;
    }
    free(x->held);
    free(x->report);
    x->held = new_held;
    x->report = new_report;
    return true;
}

static struct text name_of(struct text domain, struct text account, char out[NAME_BYTES_MAX])
{
    int n =
        snprintf(out, NAME_BYTES_MAX, TEXT_FMT " " TEXT_FMT, TEXT_ARG(domain), TEXT_ARG(account));
    return (struct text){out, TIDE_MIN((size_t)TIDE_MAX(n, 0), (size_t)NAME_BYTES_MAX - 1)};
}

struct watched *watched_named(struct sender_watch *w, struct text domain, struct text account)
{
    char bytes[NAME_BYTES_MAX];
    struct text name = name_of(domain, account, bytes);
    struct watched *x = strmap_get(&w->by_name, name);
    if (x || w->count == WATCHED_MAX)
        return x;
    x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    *x = (struct watched){.domain = watched_copy(domain),
                          .account = watched_copy(account),
                          .held = strdup(""),
                          .report = strdup(""),
                          .due_at = clock_wall(w->parts.clock) + FIRST_CHECK_MS};
    if (!x->domain || !x->account || !x->held || !x->report || !strmap_put(&w->by_name, name, x)) {
        watched_free(x);
        return NULL;
    }
    return w->all[w->count++] = x;
}

bool watched_can_be(const struct config *c, int account)
{
    return c->accounts[account].type != ACCOUNT_OUTBOX;
}

/* "*" and ".example.com" name no domain: those are watched once they are seen. */
void watched_configure(struct sender_watch *w)
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
                if (!watched_can_be(c, app->accounts[k]))
                    continue;
                struct watched *x =
                    watched_named(w, domain_text(&d), text_of(c->accounts[app->accounts[k]].name));
                if (!x)
                    continue;
                x->configured = true;
                x->bulk = x->bulk || c->streams[app->stream].bulk;
            }
        }
    }
}

/* -- The store --------------------------------------------------------------------------------- */

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
    sender_watch_maybe_closed(w);
}

void watched_store(struct sender_watch *w, const struct watched *x, bool gone)
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

void watched_take_record(struct sender_watch *w, const struct sender_record *r)
{
    struct watched *x = watched_named(w, r->domain, r->account);
    if (!x || !watched_take(x, r->held, r->report))
        return;
    x->seen_at = r->seen_at;
    x->checked_at = r->checked_at;
    x->passed_at = r->passed_at;
    x->bulk = was_bulk(r->report);
}

/* -- Gate and operators ------------------------------------------------------------------------ */

void watched_tell_gate(struct sender_watch *w, const struct watched *x, bool restored)
{
    struct gate_event ev = {.type = GATE_SENDER,
                            .sender = {.domain = text_of(x->domain),
                                       .account = text_of(x->account),
                                       .reason = text_of(x->held),
                                       .restored = restored}};
    drive_event(w->drive, &ev, NULL, NULL);
}

void watched_tell_alarm(struct sender_watch *w,
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

void watched_forget(struct sender_watch *w, size_t at)
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
        watched_tell_gate(w, x, false);
        watched_tell_alarm(w, x, &none);
        watched_store(w, x, true);
    }
    watched_free(x);
}
