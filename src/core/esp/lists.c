#include "core/esp/lists.h"

#include "base/macros.h"

#define WORDS_SHOWN 300

static const struct list_api *const apis[] = {&lists_sendgrid, &lists_ses,    &lists_mailgun,
                                              &lists_postmark, &lists_resend, &lists_sparkpost,
                                              &lists_brevo};

const struct list_api *list_api_find(struct text name)
{
    for (size_t i = 0; i < TIDE_COUNT(apis); i++)
        if (text_eq(name, text_of(apis[i]->name)))
            return apis[i];
    return NULL;
}

const char *listed_kind_name(enum listed_kind k)
{
    static const char *const names[] = {
#define LISTED_NAME(code, text) text,
        LISTED_KINDS(LISTED_NAME)
#undef LISTED_NAME
    };
    return names[k];
}

enum list_said lists_said(int status, struct text body, struct buf *why)
{
    if (status >= 200 && status < 300)
        return LIST_DONE;
    if (status == 404)
        return LIST_ABSENT;
    body = text_trim(text_cut(body, 0, WORDS_SHOWN));
    buf_addf(why, "HTTP %d", status);
    for (size_t i = 0; i < body.n; i++) {
        if (i == 0)
            buf_adds(why, ": ");
        buf_addc(why, (unsigned char)body.p[i] < ' ' ? ' ' : body.p[i]);
    }
    return status == 429 || status == 420 || status == 408 || status >= 500 ? LIST_LATER
                                                                            : LIST_REFUSED;
}

void lists_escape(struct buf *b, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (ascii_is_alnum(c) || memchr("-._~", c, 4))
            buf_addc(b, c);
        else
            buf_addf(b, "%%%02X", (unsigned char)c);
    }
}

enum tide_err lists_path(struct arena *a,
                         struct list_request *r,
                         const char *method,
                         struct buf *path,
                         struct tide_error *err)
{
    enum tide_err rc = buf_check(path, err);
    r->method = method;
    r->path = arena_text(a, buf_text(path));
    buf_fini(path);
    if (rc == TIDE_OK && !r->path.p)
        rc = tide_fail(err, TIDE_ENOMEM, "out of memory for a request");
    return rc;
}

struct text lists_link(struct text url, const struct list_account *account)
{
    struct text prefix = account->prefix;
    size_t scheme = text_ifind(url, TEXT("://"));
    if (scheme < text_find(url, '/') && scheme < url.n) {
        url = text_cut(url, scheme + 3, SIZE_MAX);
        url = text_cut(url, text_find(url, '/'), SIZE_MAX);
    }
    if (prefix.n > 0 && text_starts(url, prefix) && url.n > prefix.n && url.p[prefix.n] == '/')
        url = text_cut(url, prefix.n, SIZE_MAX);
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] > '~')
            return TEXT("");
    return text_starts(url, TEXT("/")) ? url : TEXT("");
}

struct list_entry *lists_add(struct arena *a, struct list_page *page, size_t most)
{
    if (!page->entries)
        page->entries = arena_array(a, most + 1, sizeof *page->entries);
    if (!page->entries || page->count >= most)
        return NULL;
    return &page->entries[page->count++];
}

struct text lists_string(const struct json *object, const char *name)
{
    struct text t = json_string_text(json_member(object, name));
    return t.p ? t : TEXT("");
}
