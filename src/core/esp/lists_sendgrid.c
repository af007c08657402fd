/* SendGrid's lists, /v3/suppression/...
 *
 *   bounces, blocks, invalid_emails   with the provider's words; blocks drop nothing
 *   spam_reports                      complaints
 *   unsubscribes                      the global ones; those of groups are not looked at
 *   pages   limit and offset, 500 at most
 *   rules   600 calls a minute (X-RateLimit-Limit of these endpoints)
 */
#include "core/esp/lists.h"

#include <inttypes.h>

#define PAGE_MAX 500

static const struct esp_list names[] = {{"bounces", true},
                                        {"blocks", false},
                                        {"invalid_emails", true},
                                        {"spam_reports", true},
                                        {"unsubscribes", true}};
static const enum listed_kind kinds[] = {LISTED_BOUNCED, LISTED_BLOCKED, LISTED_INVALID,
                                         LISTED_COMPLAINED, LISTED_UNSUBSCRIBED};

static enum tide_err ask(const struct list_account *account,
                         const char *method,
                         struct buf *path,
                         struct arena *a,
                         struct list_request *ret,
                         struct tide_error *err)
{
    enum tide_err rc = lists_path(a, ret, method, path, err);
    char *value = arena_printf(a, "Bearer " TEXT_FMT, TEXT_ARG(account->key));
    if (rc == TIDE_OK && !value)
        rc = tide_fail(err, TIDE_ENOMEM, "out of memory for a request");
    ret->headers[ret->header_count++] = (struct send_header){"Authorization", text_of(value)};
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
    buf_addf(&path, "/v3/suppression/%s?limit=%d&offset=" TEXT_FMT, names[list].name, PAGE_MAX,
             TEXT_ARG(after.n > 0 ? after : TEXT("0")));
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
    buf_addf(&path, "/v3/suppression/%s/", names[list].name);
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

/* The next page begins behind what this one and those before it had. */
static bool read_page(const struct json *doc,
                      const struct list_account *account,
                      size_t list,
                      struct arena *a,
                      struct list_page *ret)
{
    size_t n = json_count(doc);
    (void)account;
    if (json_kind(doc) != JSON_KIND_ARRAY)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct json *v = json_element(doc, i);
        struct list_entry *e = lists_add(a, ret, n);
        int64_t created;
        if (!e)
            return false;
        *e = (struct list_entry){.address = lists_string(v, "email"),
                                 .kind = kinds[list],
                                 .list = list,
                                 .words = lists_string(v, "reason"),
                                 .at = json_int(json_member(v, "created"), &created) && created > 0
                                           ? created * 1000
                                           : 0};
    }
    if (n == PAGE_MAX) {
        int64_t before = 0;
        if (ret->next.n > 0 && text_int(ret->next, 0, INT64_MAX / 2, &before, NULL) != TIDE_OK)
            return false;
        char *next = arena_printf(a, "%" PRId64, before + PAGE_MAX);
        ret->next = next ? text_of(next) : TEXT("");
        return next != NULL;
    }
    ret->next = TEXT("");
    return true;
}

const struct list_api lists_sendgrid = {
    .name = "sendgrid",
    .title = "SendGrid",
    .call_every_ms = 100,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .page = page,
    .find = find,
    .read = read_page,
    .remove = remove_one,
};
