/* Resend's list, /suppressions.
 *
 *   pages   "has_more" and after=ID, 100 at most
 *   rules   five calls a second for the whole team, mail included
 *   Known gap the reference names the calls; the fields of an entry (email, origin) are taken as
 *           its objects are elsewhere. An entry without a known origin is left alone.
 */
#include "core/esp/lists.h"

#define PAGE_MAX 100

static const struct esp_list names[] = {{"suppressions", true}};

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
    (void)list;
    buf_addf(&path, "/suppressions?limit=%d", PAGE_MAX);
    if (after.n > 0) {
        buf_adds(&path, "&after=");
        lists_escape(&path, after);
    }
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
    buf_adds(&path, "/suppressions/");
    lists_escape(&path, address);
    return ask(account, "DELETE", &path, a, ret, err);
}

static bool read_page(const struct json *doc,
                      const struct list_account *account,
                      size_t list,
                      struct arena *a,
                      struct list_page *ret)
{
    const struct json *all = json_member(doc, "data");
    size_t n = json_count(all);
    bool more = false;
    (void)account;
    (void)list;
    if (json_kind(all) != JSON_KIND_ARRAY)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct json *v = json_element(all, i);
        struct text origin = lists_string(v, "origin");
        struct list_entry *e = lists_add(a, ret, n);
        if (!e)
            return false;
        *e = (struct list_entry){.address = lists_string(v, "email"),
                                 .kind = text_eq(origin, TEXT("bounce"))      ? LISTED_BOUNCED
                                         : text_eq(origin, TEXT("complaint")) ? LISTED_COMPLAINED
                                                                              : LISTED_MANUAL,
                                 .words = TEXT("")};
        if (time_parse_rfc3339(lists_string(v, "created_at"), &e->at, NULL) != TIDE_OK)
            e->at = 0;
    }
    ret->next = json_bool(json_member(doc, "has_more"), &more) && more && n > 0
                    ? lists_string(json_element(all, n - 1), "id")
                    : TEXT("");
    return true;
}

const struct list_api lists_resend = {
    .name = "resend",
    .title = "Resend",
    .call_every_ms = 1000,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .page = page,
    .read = read_page,
    .remove = remove_one,
};
