/* How the views answer. */
#include "io/status/views.h"

#include "base/macros.h"

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

void view_reply(struct http_request *req, struct buf *b, const char *content_type)
{
    static const struct http_header fresh[] = {{"Cache-Control", "no-store"}};
    if (b->failed != TIDE_OK)
        view_no_memory(req);
    else
        http_reply(req, 200, content_type, buf_text(b), fresh, TIDE_COUNT(fresh));
    buf_fini(b);
}

void view_reply_json(struct http_request *req, struct buf *b)
{
    buf_addc(b, '\n');
    view_reply(req, b, "application/json");
}

tide_wall_ms view_now(const struct views *v, struct arena *a)
{
    struct operate_status s = {0};
    v->operate->status(v->operate->arg, a, &s);
    return s.now;
}
