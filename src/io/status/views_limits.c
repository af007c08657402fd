/* What replies have taught of limits, what operators say of it; guards. */
#include "io/status/views.h"

#include "base/macros.h"
#include "io/status/shape.h"

#include <stdlib.h>

struct learnt_job {
    struct views views;
    struct http_request *req;
    struct arena arena;
    struct operate_learnt_list list;
    struct operate_limit_word word;
};

static struct learnt_job *job_new(const struct views *v, struct http_request *req)
{
    struct learnt_job *j = calloc(1, sizeof *j);
    if (!j) {
        http_reply_error(req, 503, "no_memory", "Out of memory, try again later.");
        return NULL;
    }
    j->views = *v;
    j->req = req;
    return j;
}

static void job_free(struct learnt_job *j)
{
    arena_fini(&j->arena);
    arena_fini(&j->list.arena);
    arena_fini(&j->word.arena);
    free(j);
}

static void job_fail(struct learnt_job *j, enum tide_err rc, const struct tide_error *err)
{
    const char *code;
    unsigned status = view_status_of(rc, &code);
    http_reply_error(j->req, status, code, err && err->text[0] ? err->text : tide_err_text(rc));
    job_free(j);
}

static void job_end(struct learnt_job *j, struct buf *b)
{
    static const struct http_header fresh[] = {{"Cache-Control", "no-store"}};
    buf_addc(b, '\n');
    if (b->failed != TIDE_OK)
        http_reply_error(j->req, 503, "no_memory", "Out of memory, try again later.");
    else
        http_reply(j->req, 200, "application/json", buf_text(b), fresh, TIDE_COUNT(fresh));
    buf_fini(b);
    job_free(j);
}

static void on_learnt(struct operate_learnt_list *list,
                      enum tide_err rc,
                      const struct tide_error *err)
{
    struct learnt_job *j = list->arg;
    struct operate_status s = {0};
    struct buf b = {0};
    struct json_writer w;
    if (rc != TIDE_OK) {
        job_fail(j, rc, err);
        return;
    }
    j->views.operate->status(j->views.operate->arg, &j->arena, &s);
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_time(&w, "now", s.now); /* what "in 3 h" counts from: the clock may be hurried */
    jw_array(&w, "learned");
    for (size_t i = 0; i < list->count; i++)
        shape_learnt(&w, NULL, &list->rows[i]);
    jw_end(&w);
    jw_end(&w);
    job_end(j, &b);
}

void view_learnt(const struct views *v, struct http_request *req)
{
    struct learnt_job *j = job_new(v, req);
    if (!j)
        return;
    j->list.recipient = http_query(req, "recipient"); /* the request's texts hold until answered */
    j->list.done = on_learnt;
    j->list.arg = j;
    v->operate->learnt(v->operate->arg, &j->list);
}

static void on_word(struct operate_limit_word *word, enum tide_err rc, const struct tide_error *err)
{
    struct learnt_job *j = word->arg;
    struct buf b = {0};
    struct json_writer w;
    if (rc != TIDE_OK) {
        job_fail(j, rc, err);
        return;
    }
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_text(&w, "done", word->said);
    jw_end(&w);
    job_end(j, &b);
}

void view_limit_word(const struct views *v, struct http_request *req, bool forget, struct text by)
{
    struct learnt_job *j = job_new(v, req);
    struct tide_error err;
    if (!j)
        return;
    struct operate_limit_word *o = &j->word;
    o->forget = forget;
    o->scope = http_query(req, "scope");
    o->subject = http_query(req, "subject");
    o->of = http_query(req, "of");
    o->window = http_query(req, "window");
    o->zone = http_query(req, "zone");
    o->by = arena_text(&j->arena, by);
    o->done = on_word;
    o->arg = j;
    enum tide_err rc = TIDE_OK;
    if (!forget)
        rc = text_int(http_query(req, "count"), 1, INT32_MAX, &o->count, &err);
    if (rc != TIDE_OK)
        job_fail(j, tide_wrap(&err, rc, "count"), &err);
    else
        v->operate->limit_word(v->operate->arg, o);
}

/* -- Guards ------------------------------------------------------------------------------------ */

void view_guards(const struct views *v, struct http_request *req)
{
    struct learnt_job *j = job_new(v, req);
    struct operate_status s = {0};
    struct operate_guard *rows;
    size_t count;
    struct buf b = {0};
    struct json_writer w;
    if (!j)
        return;
    v->operate->status(v->operate->arg, &j->arena, &s);
    v->operate->guards(v->operate->arg, &j->arena, &rows, &count);
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_time(&w, "now", s.now);
    jw_array(&w, "guards");
    for (size_t i = 0; i < count; i++)
        shape_guard(&w, NULL, &rows[i]);
    jw_end(&w);
    jw_end(&w);
    job_end(j, &b);
}

void view_guard_open(const struct views *v, struct http_request *req, struct text by)
{
    struct learnt_job *j = job_new(v, req);
    struct tide_error err;
    struct buf b = {0};
    struct json_writer w;
    if (!j)
        return;
    struct operate_guard_open o = {.name = http_query(req, "name"), .by = by};
    v->operate->guard_open(v->operate->arg, &o);
    if (o.said.n == 0) {
        arena_fini(&o.arena);
        job_fail(j, tide_fail(&err, TIDE_ENOENT, "There is no guard of this name."), &err);
        return;
    }
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_text(&w, "done", o.said);
    jw_end(&w);
    arena_fini(&o.arena);
    job_end(j, &b);
}
