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
        view_no_memory(req);
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
    view_fail(j->req, rc, err);
    job_free(j);
}

static void job_end(struct learnt_job *j, struct buf *b)
{
    view_reply_json(j->req, b);
    job_free(j);
}

static void on_learnt(struct operate_learnt_list *list,
                      enum tide_err rc,
                      const struct tide_error *err)
{
    struct learnt_job *j = list->arg;
    struct buf b = {0};
    struct json_writer w;
    if (rc != TIDE_OK) {
        job_fail(j, rc, err);
        return;
    }
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_time(&w, "now", view_now(&j->views, &j->arena));
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
    struct operate_guard *rows;
    size_t count;
    struct buf b = {0};
    struct json_writer w;
    if (!j)
        return;
    v->operate->guards(v->operate->arg, &j->arena, &rows, &count);
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_time(&w, "now", view_now(&j->views, &j->arena));
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
