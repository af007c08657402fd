/* SparkPost's list, /api/v1/suppression-list.
 *
 *   sources  "Bounce Rule", "Spam Complaint", "List Unsubscribe", "Unsubscribe Link", "Compliance",
 *            "Manually Added"; "description" holds the words
 *   pages    cursor: "links" names the next
 *   rules    none stated beside 429; Compliance cannot be taken off (403)
 */
#include "core/esp/lists.h"

#define PAGE_MAX 1000

static const struct esp_list names[] = {{"suppression-list", true}};

static enum tide_err ask(const struct list_account *account,
                         const char *method,
                         struct buf *path,
                         struct arena *a,
                         struct list_request *ret,
                         struct tide_error *err)
{
    ret->headers[ret->header_count++] = (struct send_header){"Authorization", account->key};
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
    if (after.n > 0)
        buf_add_text(&path, after);
    else
        buf_addf(&path, "/api/v1/suppression-list?cursor=initial&per_page=%d", PAGE_MAX);
    return ask(account, "GET", &path, a, ret, err);
}

static enum tide_err one(const struct list_account *account,
                         const char *method,
                         struct text address,
                         struct arena *a,
                         struct list_request *ret,
                         struct tide_error *err)
{
    struct buf path = {0};
    buf_adds(&path, "/api/v1/suppression-list/");
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
    (void)list;
    return one(account, "GET", address, a, ret, err);
}

static enum tide_err remove_one(const struct list_account *account,
                                size_t list,
                                struct text address,
                                struct arena *a,
                                struct list_request *ret,
                                struct tide_error *err)
{
    (void)list;
    return one(account, "DELETE", address, a, ret, err);
}

static const struct {
    const char *source;
    enum listed_kind kind;
} sources[] = {
    {"Bounce Rule", LISTED_BOUNCED},
    {"Spam Complaint", LISTED_COMPLAINED},
    {"List Unsubscribe", LISTED_UNSUBSCRIBED},
    {"Unsubscribe Link", LISTED_UNSUBSCRIBED},
};

static enum listed_kind kind_of(struct text source)
{
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (text_ieq(source, text_of(sources[i].source)))
            return sources[i].kind;
    return LISTED_MANUAL;
}

/* {"next":URL} or [{"rel":"next","href":URL}] */
static struct text next_of(const struct json *links)
{
    if (json_kind(links) == JSON_KIND_OBJECT)
        return lists_string(links, "next");
    for (size_t i = 0; i < json_count(links); i++)
        if (text_eq(lists_string(json_element(links, i), "rel"), TEXT("next")))
            return lists_string(json_element(links, i), "href");
    return TEXT("");
}

static bool read_page(const struct json *doc,
                      const struct list_account *account,
                      size_t list,
                      struct arena *a,
                      struct list_page *ret)
{
    const struct json *all = json_member(doc, "results");
    size_t n = json_count(all);
    (void)list;
    if (json_kind(all) != JSON_KIND_ARRAY)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct json *v = json_element(all, i);
        struct list_entry *e = lists_add(a, ret, n);
        if (!e)
            return false;
        *e = (struct list_entry){.address = lists_string(v, "recipient"),
                                 .kind = kind_of(lists_string(v, "source")),
                                 .words = lists_string(v, "description")};
        if (time_parse_rfc3339(lists_string(v, "created"), &e->at, NULL) != TIDE_OK)
            e->at = 0;
    }
    struct text next = next_of(json_member(doc, "links"));
    ret->next = n > 0 ? lists_link(next, account) : TEXT("");
    return true;
}

const struct list_api lists_sparkpost = {
    .name = "sparkpost",
    .title = "SparkPost",
    .call_every_ms = 500,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .page = page,
    .find = find,
    .read = read_page,
    .remove = remove_one,
};
