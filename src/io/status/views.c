#include "io/status/views.h"

#include "base/macros.h"
#include "core/address/addr.h"
#include "core/outcome/story.h"
#include "io/status/shape.h"
#include "io/status/view_job.h"

struct job {
    struct view_job base;
    enum view_form form;
    enum view_operation operation;
    struct text application;
    struct store_ask ask;
    struct operate_request operate;
    struct operate_limits limits;
};

static void fini(struct view_job *base)
{
    struct job *j = container_of(base, struct job, base);
    arena_fini(&j->ask.arena);
    arena_fini(&j->operate.arena);
    arena_fini(&j->limits.arena);
}

static struct job *job_new(const struct views *v, struct http_request *req)
{
    return view_job_new(sizeof(struct job), v, req, fini);
}

/* The query parameter as a normalised address; "" when not given; false: answered with 400. */
static bool take_recipient(struct job *j, struct text *ret)
{
    struct text given = http_query(j->base.req, "recipient");
    struct addr addr;
    struct tide_error err = {0};
    *ret = (struct text){"", 0};
    if (given.n == 0)
        return true;
    enum tide_err rc = addr_parse(given, 0, &addr, &err);
    if (rc == TIDE_OK) {
        *ret = arena_text(&j->base.arena, addr_text(&addr));
        rc = ret->p ? TIDE_OK : tide_fail(&err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    } else {
        tide_wrap(&err, rc, "recipient");
    }
    if (rc != TIDE_OK)
        view_job_fail(&j->base, rc, &err);
    return rc == TIDE_OK;
}

static bool take_id(struct job *j, tide_id *ret)
{
    struct text given = http_query(j->base.req, "id");
    struct tide_error err = {0};
    *ret = 0;
    if (given.n == 0)
        return true;
    enum tide_err rc = id_parse(given, ret, &err);
    if (rc != TIDE_OK) {
        tide_wrap(&err, rc, "id");
        view_job_fail(&j->base, rc, &err);
    }
    return rc == TIDE_OK;
}

static void job_ask(struct job *j,
                    enum store_view view,
                    void (*done)(struct store_ask *, enum tide_err, const struct tide_error *))
{
    j->ask.view = view;
    j->ask.done = done;
    j->ask.arg = j;
    store_ask(j->base.views.store, &j->ask);
}

/* -- One notification ----------------------------------------------------------------------------
 */

static void write_attempts(struct json_writer *w, const struct store_ask *ask)
{
    jw_array(w, "attempts");
    for (size_t i = 0; i < ask->attempt_count; i++)
        shape_attempt(w, NULL, &ask->attempts[i]);
    jw_end(w);
}

/* Joined (core/outcome/story.h); without memory for that each entry stands for itself. */
static void write_journal(struct json_writer *w, struct store_ask *ask)
{
    const struct journal_entry *j = ask->journal;
    struct story_link *links =
        arena_array(&ask->arena, ask->journal_count + 1, sizeof(struct story_link));
    if (links)
        story_join(j, ask->journal_count, links);
    jw_array(w, "journal");
    for (size_t i = 0; i < ask->journal_count; i++)
        shape_journal(w, NULL, &j[i], links && links[i].cause >= 0 ? j[links[i].cause].seq : 0,
                      links && links[i].ends >= 0 ? j[links[i].ends].seq : 0);
    jw_end(w);
}

/* An estimate that has passed is none any more: it waits for something without a time (an account
 * whose rest was lengthened). */
static void write_notifications(struct json_writer *w,
                                const struct store_ask *ask,
                                tide_wall_ms now)
{
    jw_array(w, "notifications");
    for (size_t i = 0; i < ask->notification_count; i++) {
        if (ask->notifications[i].due_at < now)
            ask->notifications[i].due_at = 0;
        shape_notification(w, NULL, &ask->notifications[i]);
    }
    jw_end(w);
}

static void on_notification(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    /* another application's is as good as none */
    if (rc == TIDE_OK &&
        (ask->notification_count == 0 ||
         (j->application.n > 0 && !text_eq(j->application, ask->notifications[0].application)))) {
        view_job_refuse(&j->base, TIDE_ENOENT, "There is no such notification.");
        return;
    }
    if (rc != TIDE_OK) {
        view_job_fail(&j->base, rc, err);
        return;
    }
    jw_init(&j->base.w, &j->base.answer);
    shape_notification(&j->base.w, NULL, &ask->notifications[0]);
    view_job_end_json(&j->base);
}

void view_notification(const struct views *v,
                       struct http_request *req,
                       tide_id id,
                       struct text application)
{
    struct job *j = job_new(v, req);
    if (!j)
        return;
    j->application = arena_text(&j->base.arena, application);
    if (application.n > 0 && !j->application.p) {
        view_job_fail(&j->base, TIDE_ENOMEM, NULL);
        return;
    }
    j->ask.id = id;
    j->ask.most = 1;
    job_ask(j, STORE_VIEW_NOTIFICATION, on_notification);
}

/* -- Why -----------------------------------------------------------------------------------------
 */

/* "invalid until 2026-03-02T10:00:00Z; unsubscribed (stream:news)" */
static void write_suppressed(struct json_writer *w, struct text lines)
{
    struct buf b = {0};
    struct text line;
    struct suppression s;
    char when[TIME_TEXT_BYTES];
    while (text_split(&lines, '\n', &line)) {
        if (!suppression_line_of(line, &s))
            continue;
        buf_addf(&b, "%s%s", b.len ? "; " : "", suppression_cause_name(s.cause));
        if (s.scope.n > 0)
            buf_addf(&b, " (" TEXT_FMT ")", TEXT_ARG(s.scope));
        if (s.expires_at)
            buf_addf(&b, " until %s", time_rfc3339(s.expires_at, 0, when));
    }
    jw_text_or_null(w, "suppressed", buf_text(&b));
    buf_fini(&b);
}

static void write_listed(struct json_writer *w, const struct store_ask *ask)
{
    jw_array(w, "esp_lists");
    for (size_t i = 0; i < ask->listed_count; i++) {
        const struct esp_listed *l = &ask->listed[i];
        jw_object(w, NULL);
        jw_text(w, "account", l->account);
        jw_text(w, "list", l->list);
        jw_text(w, "state", l->state);
        jw_time(w, "since", l->since);
        jw_text(w, "cause", l->cause);
        jw_end(w);
    }
    jw_end(w);
}

static void write_recipient(struct json_writer *w, const struct store_ask *ask)
{
    const struct recipient_state *r = ask->recipient_row;
    if (!r) {
        jw_null(w, "recipient");
        return;
    }
    jw_object(w, "recipient");
    jw_text(w, "address", r->address);
    jw_text(w, "domain", r->domain);
    write_suppressed(w, r->suppressed);
    shape_verdict(w, "verdict", &r->verdict);
    write_listed(w, ask);
    jw_end(w);
}

static void on_why(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    struct tide_error none;
    if (rc == TIDE_OK && !ask->recipient_row && ask->notification_count == 0 &&
        ask->journal_count == 0) {
        rc = tide_fail(&none, TIDE_ENOENT,
                       ask->id ? "There is no such notification."
                               : "Nothing was ever handed in for this recipient.");
        err = &none;
    }
    struct json_writer *w = view_job_open_now(&j->base, rc, err);
    if (!w)
        return;
    write_recipient(w, ask);
    write_notifications(w, ask, view_job_now(&j->base));
    write_attempts(w, ask);
    write_journal(w, ask);
    jw_text_or_null(w, "next", ask->next);
    view_job_close(&j->base);
}

void view_why(const struct views *v, struct http_request *req)
{
    struct job *j = job_new(v, req);
    if (!j || !take_recipient(j, &j->ask.recipient) || !take_id(j, &j->ask.id))
        return;
    if (j->ask.recipient.n == 0 && j->ask.id == 0) {
        view_job_refuse(&j->base, TIDE_EINVAL, "Want ?recipient= or ?id=.");
        return;
    }
    j->ask.after = http_query(req, "after");
    j->ask.newest = j->ask.after.p == NULL;
    j->ask.most = view_rows_wanted(req, VIEWS_ROWS_MAX);
    job_ask(j, STORE_VIEW_WHY, on_why);
}

/* -- Queue ---------------------------------------------------------------------------------------
 */

static void on_queue(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    struct json_writer *w = view_job_open_now(&j->base, rc, err);
    if (!w)
        return;
    write_notifications(w, ask, view_job_now(&j->base));
    jw_text_or_null(w, "next", ask->next);
    view_job_close(&j->base);
}

void view_queue(const struct views *v, struct http_request *req)
{
    struct job *j = job_new(v, req);
    if (!j || !take_recipient(j, &j->ask.recipient))
        return;
    /* the request's own texts hold until it is answered */
    j->ask.domain = http_query(req, "domain");
    j->ask.stream = http_query(req, "stream");
    j->ask.after = http_query(req, "after");
    j->ask.most = view_rows_wanted(req, VIEWS_ROWS_DEFAULT);
    job_ask(j, STORE_VIEW_QUEUE, on_queue);
}

/* -- Senders -------------------------------------------------------------------------------------
 */

static void write_sender(struct json_writer *w, const struct sender_record *s)
{
    jw_object(w, NULL);
    jw_text(w, "domain", s->domain);
    jw_text(w, "account", s->account);
    jw_time(w, "seen_at", s->seen_at);
    jw_time(w, "checked_at", s->checked_at);
    jw_time(w, "passed_at", s->passed_at);
    jw_text_or_null(w, "held", s->held);
    jw_json(w, "report", s->report);
    jw_end(w);
}

static void on_senders(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    struct json_writer *w = view_job_open_now(&j->base, rc, err);
    if (!w)
        return;
    jw_array(w, "senders");
    for (size_t i = 0; i < ask->sender_count; i++)
        if (!ask->domain.n || text_ieq(ask->domain, ask->senders[i].domain))
            write_sender(w, &ask->senders[i]);
    jw_end(w);
    view_job_close(&j->base);
}

void view_senders(const struct views *v, struct http_request *req)
{
    struct job *j = job_new(v, req);
    if (!j)
        return;
    j->ask.domain = arena_text(&j->base.arena, http_query(req, "domain"));
    job_ask(j, STORE_VIEW_SENDERS, on_senders);
}

/* -- Limits --------------------------------------------------------------------------------------
 */

static void on_limits(struct operate_limits *o, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = o->arg;
    struct json_writer *w = view_job_open_now(&j->base, rc, err);
    if (!w)
        return;
    if (o->recipient.n > 0) {
        jw_text(w, "recipient", o->recipient);
        jw_text(w, "provider", o->provider);
    }
    jw_array(w, "limits");
    for (size_t i = 0; i < o->count; i++)
        shape_limit(w, NULL, &o->rows[i]);
    jw_end(w);
    view_job_close(&j->base);
}

void view_limits(const struct views *v, struct http_request *req)
{
    struct job *j = job_new(v, req);
    if (!j || !take_recipient(j, &j->limits.recipient))
        return;
    j->limits.done = on_limits;
    j->limits.arg = j;
    v->operate->limits(v->operate->arg, &j->limits);
}

/* -- Status --------------------------------------------------------------------------------------
 */

static void on_counts(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    struct operate_status s = {0};
    struct buf *b = &j->base.answer;
    if (rc != TIDE_OK) {
        view_job_fail(&j->base, rc, err);
        return;
    }
    j->base.views.operate->status(j->base.views.operate->arg, &j->base.arena, &s);
    switch (j->form) {
    case VIEW_JSON:
        jw_init(&j->base.w, b);
        shape_status(&j->base.w, NULL, &s, &ask->counts);
        view_job_end_json(&j->base);
        break;
    case VIEW_METRICS:
        shape_metrics(b, &s, &ask->counts);
        view_job_end(&j->base, "text/plain; version=0.0.4; charset=utf-8");
        break;
    case VIEW_OVERVIEW:
        shape_overview(b, &s, &ask->counts);
        view_job_end(&j->base, "text/plain; charset=utf-8");
        break;
    }
}

void view_status(const struct views *v, struct http_request *req, enum view_form form)
{
    struct job *j = job_new(v, req);
    if (!j)
        return;
    j->form = form;
    job_ask(j, STORE_VIEW_COUNTS, on_counts);
}

void view_health(const struct views *v, struct http_request *req)
{
    struct operate_status s = {0};
    struct arena arena = {0};
    struct buf b = {0};
    v->operate->status(v->operate->arg, &arena, &s);
    if (s.accepting && s.store_ok) {
        http_reply(req, 200, "text/plain; charset=utf-8", TEXT("ok\n"), NULL, 0);
    } else {
        buf_add_text(&b, s.accepting ? s.store_text : s.not_accepting);
        buf_addc(&b, '\n');
        http_reply(req, 503, "text/plain; charset=utf-8", buf_text(&b), NULL, 0);
    }
    buf_fini(&b);
    arena_fini(&arena);
}

/* -- Cancel and release by hand ------------------------------------------------------------------
 */

static void on_operated(struct operate_request *o, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = o->arg;
    struct json_writer *w = view_job_open(&j->base, rc, err);
    if (!w)
        return;
    jw_int(w, j->operation == VIEW_CANCEL ? "cancelled" : "released", (int64_t)o->count);
    view_job_close(&j->base);
}

void view_operate(const struct views *v,
                  struct http_request *req,
                  enum view_operation what,
                  tide_id id,
                  struct text application,
                  struct text by)
{
    struct job *j = job_new(v, req);
    if (!j || (id == 0 && !take_recipient(j, &j->operate.recipient)))
        return;
    struct operate_request *o = &j->operate;
    j->operation = what;
    o->id = id;
    o->application = arena_text(&j->base.arena, application);
    o->by = arena_text(&j->base.arena, by);
    o->done = on_operated;
    o->arg = j;
    if ((application.n > 0 && !o->application.p) || (by.n > 0 && !o->by.p)) {
        view_job_fail(&j->base, TIDE_ENOMEM, NULL);
    } else if (id == 0 && o->recipient.n == 0) {
        view_job_refuse(&j->base, TIDE_EINVAL, "Want ?recipient=.");
    } else if (what == VIEW_CANCEL) {
        v->operate->cancel(v->operate->arg, o);
    } else {
        v->operate->release(v->operate->arg, o);
    }
}
