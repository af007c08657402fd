/* Resend's list, /suppressions.
 *
 *   pages   "has_more" and after=ID, 100 at most
 *   entry   {"id","email","origin": "bounce", "complaint" or "manual","source_id","created_at"};
 *           of one address /suppressions/EMAIL is the entry itself
 *   rules   five calls a second for the whole team, mail included; the list is the team's
 *   Known gap it has no words: an entry is judged by what is known here
 */
#include "core/esp/lists.h"

static const struct esp_list names[] = {{"suppressions", true}};

static bool read_entry(const struct json *v, struct list_entry *ret)
{
    struct text origin = lists_string(v, "origin");
    ret->address = lists_string(v, "email");
    ret->kind = text_eq(origin, TEXT("bounce"))      ? LISTED_BOUNCED
                : text_eq(origin, TEXT("complaint")) ? LISTED_COMPLAINED
                                                     : LISTED_MANUAL;
    ret->at = lists_time(v, "created_at");
    return true;
}

static struct text next_of(const struct json *doc)
{
    const struct json *all = json_member(doc, "data");
    size_t n = json_count(all);
    bool more = false;
    return json_bool(json_member(doc, "has_more"), &more) && more && n > 0
               ? lists_string(json_element(all, n - 1), "id")
               : TEXT("");
}

const struct list_api lists_resend = {
    .name = "resend",
    .title = "Resend",
    .call_every_ms = 1000,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .key_header = "Authorization",
    .key_scheme = "Bearer ",
    .calls = {[LIST_ASK_FIRST] = {"GET", "/suppressions?limit=100"},
              [LIST_ASK_NEXT] = {"GET", "/suppressions?limit=100&after=<about>"},
              [LIST_ASK_FIND] = {"GET", "/suppressions/<about>"},
              [LIST_ASK_REMOVE] = {"DELETE", "/suppressions/<about>"}},
    .paging = LIST_BY_TOKEN,
    .entries = "data",
    .one = "email",
    .one_is_whole = true,
    .read_entry = read_entry,
    .next_of = next_of,
};
