#include "core/esp/lists.h"

#include "base/base64.h"
#include "base/macros.h"

#include <assert.h>
#include <inttypes.h>

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

/* -- Asking ------------------------------------------------------------------------------------
 */

bool lists_can(const struct list_api *api, enum list_asking what)
{
    return api->calls[what].path != NULL;
}

static void write_path(
    struct buf *b, const char *pattern, const char *list, struct text place, struct text about)
{
    struct text left = text_of(pattern);
    while (left.n > 0) {
        size_t open = text_find(left, '<'), shut = text_find(left, '>');
        buf_add_text(b, text_cut(left, 0, open));
        if (open >= left.n)
            return;
        struct text name = text_cut(left, open + 1, shut - open - 1);
        if (text_eq(name, TEXT("about")))
            buf_add_escaped(b, about, "");
        else if (text_eq(name, TEXT("link")))
            buf_add_text(b, about);
        else if (text_eq(name, TEXT("place")))
            buf_add_escaped(b, place, "");
        else
            buf_adds(b, list);
        left = text_cut(left, shut + 1, SIZE_MAX);
    }
}

static void add_header(struct list_request *r, const char *name, struct text value)
{
    r->headers[r->header_count++] = (struct send_header){name, value};
}

static void write_key(const struct list_api *api, struct text key, struct buf *ret)
{
    struct buf pair = {0};
    if (api->key_scheme)
        buf_adds(ret, api->key_scheme);
    if (api->key_user) {
        buf_addf(&pair, "%s:" TEXT_FMT, api->key_user, TEXT_ARG(key));
        base64_encode(buf_text(&pair), ret);
    } else {
        buf_add_text(ret, key);
    }
    if (pair.failed != TIDE_OK)
        ret->failed = pair.failed;
    buf_fini(&pair);
}

enum tide_err lists_ask(const struct list_api *api,
                        const struct list_account *account,
                        enum list_asking what,
                        size_t list,
                        struct text about,
                        struct arena *a,
                        struct list_request *ret,
                        struct tide_error *err)
{
    const struct list_call_form *form = &api->calls[what];
    struct buf path = {0}, key = {0};
    assert(lists_can(api, what) && list < api->list_count);
    ret->method = form->method;
    write_path(&path, form->path, api->lists[list].name, account->place, about);
    ret->path = arena_text(a, buf_text(&path));
    enum tide_err rc = buf_check(&path, err);
    if (api->key_header) {
        write_key(api, account->key, &key);
        add_header(ret, api->key_header, arena_text(a, buf_text(&key)));
        if (rc == TIDE_OK)
            rc = buf_check(&key, err);
        if (rc == TIDE_OK && key.len > 0 && !ret->headers[0].value.p)
            rc = tide_fail(err, TIDE_ENOMEM, "out of memory for a request");
    }
    if (api->says_accept)
        add_header(ret, "Accept", TEXT("application/json"));
    if (what == LIST_ASK_REMOVE && api->remove_body) {
        add_header(ret, "Content-Type", TEXT("application/json"));
        api->remove_body(about, &ret->body);
    }
    if (rc == TIDE_OK && !ret->path.p)
        rc = tide_fail(err, TIDE_ENOMEM, "out of memory for a request");
    buf_fini(&path);
    buf_fini(&key);
    return rc;
}

/* -- Reading -----------------------------------------------------------------------------------
 */

static bool add_entry(const struct list_api *api,
                      const struct json *v,
                      size_t list,
                      struct list_page *page)
{
    struct list_entry *e = &page->entries[page->count++];
    *e = (struct list_entry){.list = list, .address = TEXT(""), .words = TEXT("")};
    return api->read_entry(v, e);
}

/* The next page begins behind what this one and those before it had. */
static bool next_offset(const struct list_api *api, struct arena *a, struct list_page *page)
{
    int64_t before = 0;
    if (page->count != api->page_max) {
        page->next = TEXT("");
        return true;
    }
    if (page->next.n > 0 && text_int(page->next, 0, INT64_MAX / 2, &before, NULL) != TIDE_OK)
        return false;
    char *next = arena_printf(a, "%" PRId64, before + (int64_t)api->page_max);
    page->next = next ? text_of(next) : TEXT("");
    return next != NULL;
}

/* Path and query of "https://api.example/v3/..." or "/v3/...", without what base_url ends in:
 * whatever host a link names, only our own is asked. "": it is no such link. */
static struct text link_of(struct text url, struct text prefix)
{
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

static bool read_next(const struct list_api *api,
                      const struct list_account *account,
                      const struct json *doc,
                      struct arena *a,
                      struct list_page *page)
{
    switch (api->paging) {
    case LIST_BY_OFFSET:
        return next_offset(api, a, page);
    case LIST_BY_TOKEN:
        page->next = api->next_of(doc);
        return true;
    case LIST_BY_LINK:
        page->next = page->count > 0 ? link_of(api->next_of(doc), account->prefix) : TEXT("");
        return true;
    case LIST_WHOLE:
        break;
    }
    page->next = TEXT("");
    return true;
}

bool lists_read_page(const struct list_api *api,
                     const struct list_account *account,
                     const struct json *doc,
                     size_t list,
                     struct arena *a,
                     struct list_page *ret)
{
    const struct json *one = api->one ? json_member(doc, api->one) : NULL;
    const struct json *all = api->entries ? json_member(doc, api->entries) : doc;
    size_t n = one ? 1 : json_count(all);
    bool lacks = !all && api->may_lack_them && json_kind(doc) == JSON_KIND_OBJECT;
    if (!one && !lacks && json_kind(all) != JSON_KIND_ARRAY)
        return false;
    ret->entries = arena_array(a, n + 1, sizeof *ret->entries);
    if (!ret->entries)
        return false;
    if (one) {
        ret->next = TEXT("");
        return add_entry(api, api->one_is_whole ? doc : one, list, ret);
    }
    for (size_t i = 0; i < n; i++)
        if (!add_entry(api, json_element(all, i), list, ret))
            return false;
    return read_next(api, account, doc, a, ret);
}

/* -- For adapters ------------------------------------------------------------------------------
 */

struct text lists_string(const struct json *object, const char *name)
{
    struct text t = json_string_text(json_member(object, name));
    return t.p ? t : TEXT("");
}

tide_wall_ms lists_time(const struct json *object, const char *name)
{
    tide_wall_ms at = 0;
    return time_parse_rfc3339(lists_string(object, name), &at, NULL) == TIDE_OK ? at : 0;
}
