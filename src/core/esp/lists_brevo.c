/* Brevo's blocked contacts, /v3/smtp/blockedContacts.
 *
 *   reasons  hardBounce, contactFlaggedAsSpam, unsubscribedVia..., adminBlocked; the words are in
 *            /v3/smtp/statistics/events
 *   pages    limit and offset, 100 at most
 *   rules    100 calls an hour: "other endpoints" of its page of rate limits
 */
#include "core/esp/lists.h"

#include <inttypes.h>

#define PAGE_MAX 100

static const struct esp_list names[] = {{"blockedContacts", true}};

static enum tide_err ask(const struct list_account *account,
                         const char *method,
                         struct buf *path,
                         struct arena *a,
                         struct list_request *ret,
                         struct tide_error *err)
{
    ret->headers[ret->header_count++] = (struct send_header){"api-key", account->key};
    ret->headers[ret->header_count++] = (struct send_header){"Accept", TEXT("application/json")};
    return lists_path(a, ret, method, path, err);
}

static enum tide_err page(const struct list_account *account,
                          size_t list,
                          struct text after,
                          struct arena *a,
                          struct list_request *ret,
                          struct tide_error *err)
{
    struct buf path = {0};
    (void)list;
    buf_addf(&path, "/v3/smtp/blockedContacts?limit=%d&offset=" TEXT_FMT "&sort=asc", PAGE_MAX,
             TEXT_ARG(after.n > 0 ? after : TEXT("0")));
    return ask(account, "GET", &path, a, ret, err);
}

static enum tide_err remove_one(const struct list_account *account,
                                size_t list,
                                struct text address,
                                struct arena *a,
                                struct list_request *ret,
                                struct tide_error *err)
{
    struct buf path = {0};
    (void)list;
    buf_adds(&path, "/v3/smtp/blockedContacts/");
    lists_escape(&path, address);
    return ask(account, "DELETE", &path, a, ret, err);
}

static enum listed_kind kind_of(struct text code)
{
    return text_eq(code, TEXT("hardBounce"))             ? LISTED_BOUNCED
           : text_eq(code, TEXT("contactFlaggedAsSpam")) ? LISTED_COMPLAINED
           : text_starts(code, TEXT("unsubscribed"))     ? LISTED_UNSUBSCRIBED
                                                         : LISTED_MANUAL;
}

static bool read_page(const struct json *doc,
                      const struct list_account *account,
                      size_t list,
                      struct arena *a,
                      struct list_page *ret)
{
    const struct json *all = json_member(doc, "contacts");
    size_t n = json_count(all);
    int64_t before = 0;
    (void)account;
    (void)list;
    if (json_kind(doc) != JSON_KIND_OBJECT || (all && json_kind(all) != JSON_KIND_ARRAY))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct json *v = json_element(all, i);
        struct list_entry *e = lists_add(a, ret, n);
        if (!e)
            return false;
        *e = (struct list_entry){.address = lists_string(v, "email"),
                                 .kind = kind_of(lists_string(json_member(v, "reason"), "code")),
                                 .words = TEXT("")};
        if (time_parse_rfc3339(lists_string(v, "blockedAt"), &e->at, NULL) != TIDE_OK)
            e->at = 0;
    }
    if (ret->next.n > 0 && text_int(ret->next, 0, INT64_MAX / 2, &before, NULL) != TIDE_OK)
        return false;
    char *next = n == PAGE_MAX ? arena_printf(a, "%" PRId64, before + PAGE_MAX) : NULL;
    ret->next = next ? text_of(next) : TEXT("");
    return true;
}

static enum tide_err words(const struct list_account *account,
                           struct text address,
                           struct arena *a,
                           struct list_request *ret,
                           struct tide_error *err)
{
    struct buf path = {0};
    buf_adds(&path, "/v3/smtp/statistics/events?limit=1&event=hardBounces&email=");
    lists_escape(&path, address);
    return ask(account, "GET", &path, a, ret, err);
}

static struct text read_words(const struct json *doc)
{
    return lists_string(json_element(json_member(doc, "events"), 0), "reason");
}

const struct list_api lists_brevo = {
    .name = "brevo",
    .title = "Brevo",
    .call_every_ms = 36000,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .page = page,
    .read = read_page,
    .remove = remove_one,
    .words = words,
    .read_words = read_words,
};
