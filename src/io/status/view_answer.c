/* How the views answer. */
#include "io/status/view_job.h"

#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

unsigned view_status_of(enum tide_err rc, const char **ret_code)
{
    static const struct {
        enum tide_err rc;
        unsigned status;
        const char *code;
    } table[] = {
        {TIDE_ENOENT, 404, "not_found"},   {TIDE_ESTATE, 409, "not_possible"},
        {TIDE_EEXIST, 409, "key_used"},    {TIDE_EADDR, 400, "bad_address"},
        {TIDE_EINVAL, 400, "bad_value"},   {TIDE_ESYNTAX, 400, "bad_value"},
        {TIDE_ERANGE, 400, "bad_value"},   {TIDE_EPERM, 403, "not_permitted"},
        {TIDE_ELIMIT, 429, "too_many"},    {TIDE_EFULL, 503, "store_full"},
        {TIDE_EIO, 503, "store_failed"},   {TIDE_ENOMEM, 503, "no_memory"},
        {TIDE_ECANCELED, 503, "stopping"}, {TIDE_EGONE, 410, "gone"},
    };
    for (size_t i = 0; i < TIDE_COUNT(table); i++) {
        if (table[i].rc == rc) {
            *ret_code = table[i].code;
            return table[i].status;
        }
    }
    *ret_code = "failed";
    return 500;
}

void view_fail(struct http_request *req, enum tide_err rc, const struct tide_error *err)
{
    const char *code;
    unsigned status = view_status_of(rc, &code);
    http_reply_error(req, status, code, err && err->text[0] ? err->text : tide_err_text(rc));
}

void view_no_memory(struct http_request *req)
{
    http_reply_error(req, 503, "no_memory", "Out of memory, try again later.");
}

bool view_reads(const struct http_request *req)
{
    return text_eq(req->method, TEXT("GET")) || text_eq(req->method, TEXT("HEAD"));
}

void view_bad_method(struct http_request *req, const char *want)
{
    char text[64];
    snprintf(text, sizeof text, "This path is for %s.", want);
    http_reply_error(req, 405, "bad_method", text);
}

void view_not_permitted(struct http_request *req)
{
    http_reply_error(req, 403, "not_permitted", "You may look, but not operate.");
}

size_t view_rows_wanted(const struct http_request *req, int64_t preset)
{
    struct text given = http_query(req, "most");
    int64_t most = preset;
    if (given.n > 0 && text_int(given, 1, VIEWS_ROWS_MAX, &most, NULL) != TIDE_OK)
        most = VIEWS_ROWS_MAX;
    return (size_t)most;
}

void view_reply(struct http_request *req, unsigned status, struct buf *b, const char *content_type)
{
    static const struct http_header fresh[] = {{"Cache-Control", "no-store"}};
    if (b->failed != TIDE_OK)
        view_no_memory(req);
    else
        http_reply(req, status, content_type, buf_text(b), fresh, TIDE_COUNT(fresh));
    buf_fini(b);
}

void view_reply_json(struct http_request *req, struct buf *b)
{
    buf_addc(b, '\n');
    view_reply(req, 200, b, "application/json");
}

/* -- Jobs --------------------------------------------------------------------------------------
 */

void *view_job_new(size_t size,
                   const struct views *v,
                   struct http_request *req,
                   void (*fini)(struct view_job *j))
{
    struct view_job *j = calloc(1, size);
    if (!j) {
        view_no_memory(req);
        return NULL;
    }
    j->views = *v;
    j->req = req;
    j->fini = fini;
    return j;
}

static void job_free(struct view_job *j)
{
    j->fini(j);
    arena_fini(&j->arena);
    buf_fini(&j->answer);
    free(j);
}

void view_job_fail(struct view_job *j, enum tide_err rc, const struct tide_error *err)
{
    view_fail(j->req, rc, err);
    job_free(j);
}

void view_job_refuse(struct view_job *j, enum tide_err rc, const char *words)
{
    struct tide_error err;
    view_job_fail(j, tide_fail(&err, rc, "%s", words), &err);
}

tide_wall_ms view_job_now(const struct view_job *j)
{
    return j->views.operate->now(j->views.operate->arg);
}

struct json_writer *view_job_open(struct view_job *j,
                                  enum tide_err rc,
                                  const struct tide_error *err)
{
    if (rc != TIDE_OK) {
        view_job_fail(j, rc, err);
        return NULL;
    }
    jw_init(&j->w, &j->answer);
    jw_object(&j->w, NULL);
    return &j->w;
}

struct json_writer *view_job_open_now(struct view_job *j,
                                      enum tide_err rc,
                                      const struct tide_error *err)
{
    struct json_writer *w = view_job_open(j, rc, err);
    if (w)
        jw_time(w, "now", view_job_now(j));
    return w;
}

void view_job_close(struct view_job *j)
{
    jw_end(&j->w);
    view_job_end_json(j);
}

void view_job_end_json(struct view_job *j)
{
    view_reply_json(j->req, &j->answer);
    job_free(j);
}

void view_job_end(struct view_job *j, const char *content_type)
{
    view_reply(j->req, 200, &j->answer, content_type);
    job_free(j);
}
