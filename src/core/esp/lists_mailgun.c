/* Mailgun's lists of a domain, /v3/DOMAIN/{bounces,complaints,unsubscribes}.
 *
 *   pages   "paging.next", a URL; an empty page is the last
 *   rules   none stated beside 429
 */
#include "core/esp/lists.h"

static const struct esp_list names[] = {
    {"bounces", true}, {"complaints", true}, {"unsubscribes", true}};
static const enum listed_kind kinds[] = {LISTED_BOUNCED, LISTED_COMPLAINED, LISTED_UNSUBSCRIBED};

static bool read_entry(const struct json *v, struct list_entry *ret)
{
    ret->address = lists_string(v, "address");
    ret->kind = kinds[ret->list];
    ret->words = lists_string(v, "error");
    if (time_parse_rfc5322(lists_string(v, "created_at"), &ret->at, NULL) != TIDE_OK)
        ret->at = 0;
    return true;
}

static struct text next_of(const struct json *doc)
{
    return lists_string(json_member(doc, "paging"), "next");
}

const struct list_api lists_mailgun = {
    .name = "mailgun",
    .title = "Mailgun",
    .call_every_ms = 200,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .key_header = "Authorization",
    .key_scheme = "Basic ",
    .key_user = "api",
    .calls = {[LIST_ASK_FIRST] = {"GET", "/v3/<place>/<list>?limit=1000"},
              [LIST_ASK_NEXT] = {"GET", "<link>"},
              [LIST_ASK_FIND] = {"GET", "/v3/<place>/<list>/<about>"},
              [LIST_ASK_REMOVE] = {"DELETE", "/v3/<place>/<list>/<about>"}},
    .paging = LIST_BY_LINK,
    .entries = "items",
    .one = "address",
    .one_is_whole = true,
    .read_entry = read_entry,
    .next_of = next_of,
};
