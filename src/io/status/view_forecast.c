#include "io/status/view_forecast.h"

#include "base/macros.h"
#include "core/proto/json.h"
#include "io/status/view_job.h"

#define BODY_BYTES_MAX 4096

struct job {
    struct view_job base;
    struct operate_forecast forecast;
    struct operate_expect expect;
};

static void fini(struct view_job *base)
{
    struct job *j = container_of(base, struct job, base);
    arena_fini(&j->forecast.arena);
    arena_fini(&j->expect.arena);
}

/* -- What is to come ----------------------------------------------------------------------------
 */

static void write_bands(struct json_writer *w, const struct outlook_point *p)
{
    jw_array(w, "bands");
    for (int b = 0; b < OUTLOOK_BANDS; b++) {
        jw_object(w, NULL);
        jw_int(w, "percent", outlook_percent[b]);
        jw_int(w, "low", (int64_t)p->low[b]);
        jw_int(w, "high", (int64_t)p->high[b]);
        jw_end(w);
    }
    jw_end(w);
}

static void write_hours(struct json_writer *w, const struct outlook *o)
{
    jw_array(w, "hours");
    for (size_t i = 0; i < o->count; i++) {
        const struct outlook_point *p = &o->points[i];
        jw_object(w, NULL);
        jw_time(w, "at", p->at);
        jw_number(w, "expected", p->mean - (i ? p[-1].mean : 0));
        jw_number(w, "total", p->mean);
        jw_int(w, "median", (int64_t)p->median);
        write_bands(w, p);
        jw_number(w, "chance", p->chance);
        jw_end(w);
    }
    jw_end(w);
}

static void write_limits(struct json_writer *w, const struct operate_forecast *f)
{
    jw_array(w, "limits");
    for (size_t i = 0; i < f->limit_count; i++) {
        const struct operate_foreseen *x = &f->limits[i];
        jw_object(w, NULL);
        jw_text(w, "name", x->name);
        jw_text(w, "text", x->text);
        jw_text(w, "subject", x->subject);
        jw_int(w, "count", x->count);
        jw_int(w, "used", x->used);
        jw_int(w, "pending", x->pending);
        jw_int(w, "free", TIDE_MAX(x->count - x->used, 0));
        jw_time(w, "resets_at", x->reset_at);
        jw_number(w, "chance", x->chance);
        jw_time(w, "at", x->over_at);
        jw_bool(w, "digests_lengthen", x->share < 1);
        if (x->share < 1) {
            jw_number(w, "share", x->share);
            jw_time(w, "lengthen_until", x->dear_until);
        }
        jw_end(w);
    }
    jw_end(w);
}

static void write_forecast(struct json_writer *w, const struct operate_forecast *f)
{
    const struct outlook *o = &f->outlook;
    jw_time(w, "now", f->now);
    if (f->recipient.n)
        jw_text(w, "recipient", f->recipient);
    if (f->provider.n)
        jw_text(w, "provider", f->provider);
    if (f->account.n)
        jw_text(w, "account", f->account);
    jw_int(w, "recipients", (int64_t)f->recipients);
    if (f->recipient.n) {
        jw_int(w, "today", f->today);
        jw_int(w, "pending", f->pending);
    }
    jw_time(w, "until", o->until);
    if (o->count) {
        const struct outlook_point *last = &o->points[o->count - 1];
        jw_number(w, "expected", last->mean);
        jw_int(w, "median", (int64_t)last->median);
        write_bands(w, last);
        jw_number(w, "chance", o->chance);
        jw_time(w, "at", o->over_at);
    }
    write_hours(w, o);
    write_limits(w, f);
}

static void on_forecast(struct operate_forecast *f, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = f->arg;
    struct json_writer *w = view_job_open(&j->base, rc, err);
    if (!w)
        return;
    write_forecast(w, f);
    view_job_close(&j->base);
}

static void get_forecast(const struct views *v, struct http_request *req)
{
    struct job *j = view_job_new(sizeof *j, v, req, fini);
    if (!j)
        return;
    j->forecast = (struct operate_forecast){.recipient = http_query(req, "recipient"),
                                            .provider = http_query(req, "provider"),
                                            .account = http_query(req, "account"),
                                            .done = on_forecast,
                                            .arg = j};
    v->operate->forecast(v->operate->arg, &j->forecast);
}

/* -- What is said to come ------------------------------------------------------------------------
 */

static void on_expect(struct operate_expect *e, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = e->arg;
    struct json_writer *w = view_job_open(&j->base, rc, err);
    if (!w)
        return;
    jw_bool(w, "expected", true);
    view_job_close(&j->base);
}

static enum tide_err read_expect(struct operate_expect *e,
                                 const struct json *doc,
                                 const char *name,
                                 struct tide_error *err)
{
    const struct json *value = json_member(doc, name), *until = json_member(doc, "until");
    if (json_kind(doc) != JSON_KIND_OBJECT ||
        (json_kind(value) != JSON_KIND_NULL &&
         (!json_number(value, &e->value) || !(e->value >= 0 && e->value <= 100000))))
        return tide_fail(err, TIDE_EINVAL, "Want an object with \"%s\": a number from 0 to 100000.",
                         name);
    if (json_kind(until) != JSON_KIND_NULL &&
        time_parse_rfc3339(json_string_text(until), &e->until, err) != TIDE_OK)
        return tide_wrap(err, TIDE_EINVAL, "until");
    return TIDE_OK;
}

static void put_expected(const struct views *v,
                         struct http_request *req,
                         struct text recipient,
                         struct text by)
{
    struct tide_error err;
    struct json *doc = NULL;
    struct job *j = view_job_new(sizeof *j, v, req, fini);
    if (!j)
        return;
    enum tide_err rc = json_parse(req->body, BODY_BYTES_MAX, &doc, &err);
    j->expect = (struct operate_expect){.done = on_expect, .arg = j};
    if (rc == TIDE_OK)
        rc = read_expect(&j->expect, doc, recipient.n ? "count" : "times", &err);
    json_free(doc);
    j->expect.recipient = arena_text(&j->expect.arena, recipient);
    j->expect.by = arena_text(&j->expect.arena, by);
    if (rc == TIDE_OK && (!j->expect.by.p || (recipient.n && !j->expect.recipient.p)))
        rc = tide_fail(&err, TIDE_ENOMEM, "out of memory");
    if (rc == TIDE_OK)
        v->operate->expect(v->operate->arg, &j->expect);
    else
        view_job_fail(&j->base, rc, &err);
}

/* "/v1/recipients/ann@x.org/expected" */
static bool recipient_of(struct text path, struct text *ret)
{
    const struct text head = TEXT("/v1/recipients/"), tail = TEXT("/expected");
    if (!text_starts(path, head) || path.n <= head.n + tail.n ||
        !text_eq(text_cut(path, path.n - tail.n, tail.n), tail))
        return false;
    *ret = text_cut(path, head.n, path.n - head.n - tail.n);
    return true;
}

bool view_forecast(const struct views *v,
                   struct http_request *req,
                   bool may_operate,
                   struct text by)
{
    struct text recipient = TEXT("");
    if (text_eq(req->path, TEXT("/v1/forecast"))) {
        if (view_reads(req))
            get_forecast(v, req);
        else
            view_bad_method(req, "GET");
        return true;
    }
    if (!text_eq(req->path, TEXT("/v1/expected")) && !recipient_of(req->path, &recipient))
        return false;
    if (!text_eq(req->method, TEXT("PUT")))
        view_bad_method(req, "PUT");
    else if (!may_operate)
        view_not_permitted(req);
    else
        put_expected(v, req, recipient, by);
    return true;
}
