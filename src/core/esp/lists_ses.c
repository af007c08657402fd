/* Amazon SES' list of the account (and Region), /v2/email/suppression/addresses.
 *
 *   reasons  BOUNCE, COMPLAINT; the provider's words are not kept: who had the bounce's event knows
 *   pages    NextToken, 1,000 at most
 *   rules    one call a second
 *   signed   Signature Version 4, by the caller
 */
#include "core/esp/lists.h"

#define PAGE_MAX 1000
#define PATH     "/v2/email/suppression/addresses"

static const struct esp_list names[] = {{"account", true}};

static enum tide_err page(const struct list_account *account,
                          size_t list,
                          struct text after,
                          struct arena *a,
                          struct list_request *ret,
                          struct tide_error *err)
{
    struct buf path = {0};
    (void)account;
    (void)list;
    buf_adds(&path, PATH "?");
    if (after.n > 0) {
        buf_adds(&path, "NextToken=");
        lists_escape(&path, after);
        buf_addc(&path, '&');
    }
    buf_addf(&path, "PageSize=%d", PAGE_MAX);
    return lists_path(a, ret, "GET", &path, err);
}

static enum tide_err one(const char *method,
                         struct text address,
                         struct arena *a,
                         struct list_request *ret,
                         struct tide_error *err)
{
    struct buf path = {0};
    buf_adds(&path, PATH "/");
    lists_escape(&path, address);
    return lists_path(a, ret, method, &path, err);
}

static enum tide_err find(const struct list_account *account,
                          size_t list,
                          struct text address,
                          struct arena *a,
                          struct list_request *ret,
                          struct tide_error *err)
{
    (void)account;
    (void)list;
    return one("GET", address, a, ret, err);
}

static enum tide_err remove_one(const struct list_account *account,
                                size_t list,
                                struct text address,
                                struct arena *a,
                                struct list_request *ret,
                                struct tide_error *err)
{
    (void)account;
    (void)list;
    return one("DELETE", address, a, ret, err);
}

/* False: a reason that is not known yet is nobody's to remove, and left out. */
static bool read_entry(const struct json *v, struct list_entry *ret)
{
    double at = 0;
    struct text reason = lists_string(v, "Reason");
    (void)json_number(json_member(v, "LastUpdateTime"), &at);
    *ret = (struct list_entry){.address = lists_string(v, "EmailAddress"),
                               .kind = text_eq(reason, TEXT("BOUNCE"))      ? LISTED_BOUNCED
                                       : text_eq(reason, TEXT("COMPLAINT")) ? LISTED_COMPLAINED
                                                                            : LISTED_MANUAL,
                               .words = TEXT(""),
                               .at = at > 0 && at < 1e12 ? (tide_wall_ms)(at * 1000) : 0};
    return ret->address.n > 0;
}

static bool read_page(const struct json *doc,
                      const struct list_account *account,
                      size_t list,
                      struct arena *a,
                      struct list_page *ret)
{
    const struct json *all = json_member(doc, "SuppressedDestinationSummaries");
    const struct json *single = json_member(doc, "SuppressedDestination");
    size_t n = single ? 1 : json_count(all);
    (void)account;
    (void)list;
    if (!single && json_kind(all) != JSON_KIND_ARRAY)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct list_entry *e = lists_add(a, ret, n);
        if (!e || !read_entry(single ? single : json_element(all, i), e))
            return false;
    }
    ret->next = lists_string(doc, "NextToken");
    return true;
}

const struct list_api lists_ses = {
    .name = "ses",
    .title = "Amazon SES",
    .signs_aws = true,
    .call_every_ms = 1000,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .page = page,
    .find = find,
    .read = read_page,
    .remove = remove_one,
};
