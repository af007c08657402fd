/* Mailgun's lists of a domain, /v3/DOMAIN/{bounces,complaints,unsubscribes}.
 *
 *   pages   "paging.next", a URL; an empty page is the last
 *   rules   none stated beside 429
 */
#include "base/base64.h"
#include "core/esp/lists.h"

#define PAGE_MAX 1000

static const struct esp_list names[] = {
    {"bounces", true}, {"complaints", true}, {"unsubscribes", true}};
static const enum listed_kind kinds[] = {LISTED_BOUNCED, LISTED_COMPLAINED, LISTED_UNSUBSCRIBED};

static enum tide_err ask(const struct list_account *account,
                         const char *method,
                         struct buf *path,
                         struct arena *a,
                         struct list_request *ret,
                         struct tide_error *err)
{
    struct buf pair = {0}, value = {0};
    enum tide_err rc = lists_path(a, ret, method, path, err);
    buf_addf(&pair, "api:" TEXT_FMT, TEXT_ARG(account->key));
    buf_adds(&value, "Basic ");
    base64_encode(buf_text(&pair), &value);
    ret->headers[ret->header_count++] =
        (struct send_header){"Authorization", arena_text(a, buf_text(&value))};
    if (rc == TIDE_OK)
        rc = buf_check(&value, err);
    buf_fini(&pair);
    buf_fini(&value);
    return rc;
}

static enum tide_err page(const struct list_account *account,
                          size_t list,
                          struct text after,
                          struct arena *a,
                          struct list_request *ret,
                          struct tide_error *err)
{
    struct buf path = {0};
    if (after.n > 0)
        buf_add_text(&path, after);
    else
        buf_addf(&path, "/v3/" TEXT_FMT "/%s?limit=%d", TEXT_ARG(account->domain), names[list].name,
                 PAGE_MAX);
    return ask(account, "GET", &path, a, ret, err);
}

static enum tide_err one(const struct list_account *account,
                         const char *method,
                         size_t list,
                         struct text address,
                         struct arena *a,
                         struct list_request *ret,
                         struct tide_error *err)
{
    struct buf path = {0};
    buf_addf(&path, "/v3/" TEXT_FMT "/%s/", TEXT_ARG(account->domain), names[list].name);
    lists_escape(&path, address);
    return ask(account, method, &path, a, ret, err);
}

static enum tide_err find(const struct list_account *account,
                          size_t list,
                          struct text address,
                          struct arena *a,
                          struct list_request *ret,
                          struct tide_error *err)
{
    return one(account, "GET", list, address, a, ret, err);
}

static enum tide_err remove_one(const struct list_account *account,
                                size_t list,
                                struct text address,
                                struct arena *a,
                                struct list_request *ret,
                                struct tide_error *err)
{
    return one(account, "DELETE", list, address, a, ret, err);
}

static struct list_entry entry_of(const struct json *v, size_t list)
{
    struct list_entry e = {.address = lists_string(v, "address"),
                           .kind = kinds[list],
                           .list = list,
                           .words = lists_string(v, "error")};
    if (time_parse_rfc5322(lists_string(v, "created_at"), &e.at, NULL) != TIDE_OK)
        e.at = 0;
    return e;
}

static bool read_page(const struct json *doc,
                      const struct list_account *account,
                      size_t list,
                      struct arena *a,
                      struct list_page *ret)
{
    const struct json *items = json_member(doc, "items");
    size_t n = json_count(items);
    if (json_member(doc, "address")) { /* one that was asked for */
        struct list_entry *e = lists_add(a, ret, 1);
        if (e)
            *e = entry_of(doc, list);
        ret->next = TEXT("");
        return e != NULL;
    }
    if (json_kind(items) != JSON_KIND_ARRAY)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct list_entry *e = lists_add(a, ret, n);
        if (!e)
            return false;
        *e = entry_of(json_element(items, i), list);
    }
    ret->next =
        n == 0 ? TEXT("") : lists_link(lists_string(json_member(doc, "paging"), "next"), account);
    return true;
}

const struct list_api lists_mailgun = {
    .name = "mailgun",
    .title = "Mailgun",
    .call_every_ms = 200,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .page = page,
    .find = find,
    .read = read_page,
    .remove = remove_one,
};
