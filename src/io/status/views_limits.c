/* What replies have taught of limits, what operators say of it; guards. */
#include "io/status/views.h"

#include "base/macros.h"
#include "io/status/shape.h"
#include "io/status/view_job.h"

struct job {
    struct view_job base;
    struct operate_learnt_list list;
    struct operate_limit_word word;
    struct operate_guard_open open;
};

static void fini(struct view_job *base)
{
    struct job *j = container_of(base, struct job, base);
    arena_fini(&j->list.arena);
    arena_fini(&j->word.arena);
    arena_fini(&j->open.arena);
}

static struct job *job_new(const struct views *v, struct http_request *req)
{
    return view_job_new(sizeof(struct job), v, req, fini);
}

static void on_learnt(struct operate_learnt_list *list,
                      enum tide_err rc,
                      const struct tide_error *err)
{
    struct job *j = list->arg;
    struct json_writer *w = view_job_open_now(&j->base, rc, err);
    if (!w)
        return;
    jw_array(w, "learned");
    for (size_t i = 0; i < list->count; i++)
        shape_learnt(w, NULL, &list->rows[i]);
    jw_end(w);
    view_job_close(&j->base);
}

void view_learnt(const struct views *v, struct http_request *req)
{
    struct job *j = job_new(v, req);
    if (!j)
        return;
    j->list.recipient = http_query(req, "recipient"); /* the request's texts hold until answered */
    j->list.done = on_learnt;
    j->list.arg = j;
    v->operate->learnt(v->operate->arg, &j->list);
}

static void answer_done(struct job *j,
                        enum tide_err rc,
                        const struct tide_error *err,
                        struct text said)
{
    struct json_writer *w = view_job_open(&j->base, rc, err);
    if (!w)
        return;
    jw_text(w, "done", said);
    view_job_close(&j->base);
}

static void on_word(struct operate_limit_word *word, enum tide_err rc, const struct tide_error *err)
{
    answer_done(word->arg, rc, err, word->said);
}

void view_limit_word(const struct views *v, struct http_request *req, bool forget, struct text by)
{
    struct job *j = job_new(v, req);
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
    o->by = arena_text(&j->base.arena, by);
    o->done = on_word;
    o->arg = j;
    enum tide_err rc = TIDE_OK;
    if (!forget)
        rc = text_int(http_query(req, "count"), 1, INT32_MAX, &o->count, &err);
    if (rc != TIDE_OK)
        view_job_fail(&j->base, tide_wrap(&err, rc, "count"), &err);
    else
        v->operate->limit_word(v->operate->arg, o);
}

/* -- Guards ------------------------------------------------------------------------------------ */

void view_guards(const struct views *v, struct http_request *req)
{
    struct job *j = job_new(v, req);
    struct operate_guard *rows;
    size_t count;
    if (!j)
        return;
    v->operate->guards(v->operate->arg, &j->base.arena, &rows, &count);
    struct json_writer *w = view_job_open_now(&j->base, TIDE_OK, NULL);
    jw_array(w, "guards");
    for (size_t i = 0; i < count; i++)
        shape_guard(w, NULL, &rows[i]);
    jw_end(w);
    view_job_close(&j->base);
}

void view_guard_open(const struct views *v, struct http_request *req, struct text by)
{
    struct job *j = job_new(v, req);
    if (!j)
        return;
    j->open = (struct operate_guard_open){.name = http_query(req, "name"), .by = by};
    v->operate->guard_open(v->operate->arg, &j->open);
    if (j->open.said.n > 0)
        answer_done(j, TIDE_OK, NULL, j->open.said);
    else
        view_job_refuse(&j->base, TIDE_ENOENT, "There is no guard of this name.");
}
