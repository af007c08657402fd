/* Postmark's list of the message stream "outbound", /message-streams/outbound/suppressions/...
 *
 *   reasons  HardBounce, SpamComplaint, ManualSuppression; the words are in /bounces
 *   pages    none: the dump is the whole
 *   rules    none stated beside 429; a complaint cannot be taken off, which is its answer
 *   Known gap other streams are not looked at
 */
#include "core/esp/lists.h"

#define PATH "/message-streams/outbound/suppressions/"

static const struct esp_list names[] = {{"outbound", true}};

static enum tide_err ask(const struct list_account *account,
                         const char *method,
                         struct buf *path,
                         struct arena *a,
                         struct list_request *ret,
                         struct tide_error *err)
{
    ret->headers[ret->header_count++] =
        (struct send_header){"X-Postmark-Server-Token", account->key};
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
    (void)after;
    buf_adds(&path, PATH "dump");
    return ask(account, "GET", &path, a, ret, err);
}

static enum tide_err find(const struct list_account *account,
                          size_t list,
                          struct text address,
                          struct arena *a,
                          struct list_request *ret,
                          struct tide_error *err)
{
    struct buf path = {0};
    (void)list;
    buf_adds(&path, PATH "dump?EmailAddress=");
    lists_escape(&path, address);
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
    buf_adds(&path, PATH "delete");
    buf_adds(&ret->body, "{\"Suppressions\":[{\"EmailAddress\":");
    json_quote(&ret->body, address);
    buf_adds(&ret->body, "}]}");
    ret->headers[ret->header_count++] =
        (struct send_header){"Content-Type", TEXT("application/json")};
    return ask(account, "POST", &path, a, ret, err);
}

static bool removed(const struct json *doc, struct text *ret_why)
{
    const struct json *one = json_element(json_member(doc, "Suppressions"), 0);
    *ret_why = lists_string(one, "Message");
    return text_eq(lists_string(one, "Status"), TEXT("Deleted"));
}

static bool read_page(const struct json *doc,
                      const struct list_account *account,
                      size_t list,
                      struct arena *a,
                      struct list_page *ret)
{
    const struct json *all = json_member(doc, "Suppressions");
    size_t n = json_count(all);
    (void)account;
    (void)list;
    if (json_kind(all) != JSON_KIND_ARRAY)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct json *v = json_element(all, i);
        struct text reason = lists_string(v, "SuppressionReason");
        struct list_entry *e = lists_add(a, ret, n);
        if (!e)
            return false;
        *e = (struct list_entry){
            .address = lists_string(v, "EmailAddress"),
            .kind = text_eq(reason, TEXT("HardBounce"))                     ? LISTED_BOUNCED
                    : text_eq(reason, TEXT("SpamComplaint"))                ? LISTED_COMPLAINED
                    : text_eq(lists_string(v, "Origin"), TEXT("Recipient")) ? LISTED_UNSUBSCRIBED
                                                                            : LISTED_MANUAL,
            .words = TEXT("")};
        if (time_parse_rfc3339(lists_string(v, "CreatedAt"), &e->at, NULL) != TIDE_OK)
            e->at = 0;
    }
    ret->next = TEXT("");
    return true;
}

static enum tide_err words(const struct list_account *account,
                           struct text address,
                           struct arena *a,
                           struct list_request *ret,
                           struct tide_error *err)
{
    struct buf path = {0};
    buf_adds(&path, "/bounces?count=1&offset=0&type=HardBounce&emailFilter=");
    lists_escape(&path, address);
    return ask(account, "GET", &path, a, ret, err);
}

static struct text read_words(const struct json *doc)
{
    return lists_string(json_element(json_member(doc, "Bounces"), 0), "Details");
}

const struct list_api lists_postmark = {
    .name = "postmark",
    .title = "Postmark",
    .call_every_ms = 200,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .page = page,
    .find = find,
    .read = read_page,
    .remove = remove_one,
    .removed = removed,
    .words = words,
    .read_words = read_words,
};
