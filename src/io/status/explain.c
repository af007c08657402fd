#include "io/status/explain.h"

#include "base/macros.h"
#include "core/outcome/explain.h"

#include <stdlib.h>

/* A mail on the pool. */
struct job {
    uv_work_t work;
    struct http_request *req;
    struct explainer explainer;
    struct arena arena;
    struct buf answer;
    enum tide_err rc;
    struct tide_error err;
};

static void answer_words(struct http_request *req,
                         const struct explainer *x,
                         struct text words,
                         struct text provider)
{
    struct reply_said said = {0};
    struct meaning m;
    struct buf b = {0};
    struct json_writer w;
    explain_words(x, words, provider, &said, &m);
    jw_init(&w, &b);
    jw_object(&w, NULL);
    explain_put_meaning(&w, &said, &m);
    jw_end(&w);
    view_reply_json(req, &b);
}

static void on_work(uv_work_t *work)
{
    struct job *j = container_of(work, struct job, work);
    struct bounce *mails = NULL;
    size_t count = 0;
    struct json_writer w;
    j->rc = explain_mails(&j->explainer, j->req->body, &j->arena, &mails, &count, &j->err);
    if (j->rc != TIDE_OK)
        return;
    jw_init(&w, &j->answer);
    jw_object(&w, NULL);
    explain_put_bounces(&w, mails, count);
    jw_end(&w);
}

static void on_worked(uv_work_t *work, int status)
{
    struct job *j = container_of(work, struct job, work);
    if (status != 0)
        j->rc = tide_fail(&j->err, TIDE_ECANCELED, "it was cancelled");
    if (j->rc == TIDE_OK)
        view_reply_json(j->req, &j->answer);
    else
        view_fail(j->req, j->rc, &j->err);
    buf_fini(&j->answer);
    arena_fini(&j->arena);
    free(j);
}

static void read_mail(uv_loop_t *loop, struct http_request *req, const struct explainer *x)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j) {
        view_no_memory(req);
        return;
    }
    j->req = req;
    j->explainer = *x;
    uv_queue_work(loop, &j->work, on_work, on_worked);
}

static void explain(const struct views *v, uv_loop_t *loop, struct http_request *req, bool posts)
{
    const struct profiles *profiles;
    struct explainer x = v->operate->explainer(v->operate->arg, &profiles);
    struct text words = http_query(req, "text"), named = http_query(req, "provider"), provider;
    bool is_text = text_istarts(http_header(req, "Content-Type"), TEXT("text/plain"));
    provider = named.n > 0 ? explain_provider_named(profiles, x.providers, named) : TEXT("");
    if (posts && words.n == 0 && is_text)
        words = req->body;
    if (named.n > 0 && provider.n == 0)
        http_reply_error(req, 400, "bad_value", "provider: nobody is known by that name.");
    else if (text_trim(words).n > 0)
        answer_words(req, &x, words, provider);
    else if (posts && req->body.n > 0 && !is_text)
        read_mail(loop, req, &x);
    else
        http_reply_error(req, 400, "bad_value",
                         "Want ?text= with a reply, or a mail that came back as the body.");
}

bool view_explain(const struct views *v, uv_loop_t *loop, struct http_request *req)
{
    bool posts = text_eq(req->method, TEXT("POST"));
    if (!text_eq(req->path, TEXT("/v1/explain")))
        return false;
    if (view_reads(req) || posts)
        explain(v, loop, req, posts);
    else
        view_bad_method(req, "GET and POST");
    return true;
}
