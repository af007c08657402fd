/* SendGrid's lists, /v3/suppression/...
 *
 *   bounces, blocks, invalid_emails   with the provider's words; blocks drop nothing
 *   spam_reports                      complaints
 *   unsubscribes                      the global ones; those of groups are not looked at
 *   pages   limit and offset, 500 at most
 *   rules   600 calls a minute (X-RateLimit-Limit of these endpoints)
 */
#include "core/esp/lists.h"

static const struct esp_list names[] = {{"bounces", true},
                                        {"blocks", false},
                                        {"invalid_emails", true},
                                        {"spam_reports", true},
                                        {"unsubscribes", true}};
static const enum listed_kind kinds[] = {LISTED_BOUNCED, LISTED_BLOCKED, LISTED_INVALID,
                                         LISTED_COMPLAINED, LISTED_UNSUBSCRIBED};

static bool read_entry(const struct json *v, struct list_entry *ret)
{
    int64_t created;
    ret->address = lists_string(v, "email");
    ret->kind = kinds[ret->list];
    ret->words = lists_string(v, "reason");
    ret->at = json_int(json_member(v, "created"), &created) && created > 0 ? created * 1000 : 0;
    return true;
}

const struct list_api lists_sendgrid = {
    .name = "sendgrid",
    .title = "SendGrid",
    .call_every_ms = 100,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .key_header = "Authorization",
    .key_scheme = "Bearer ",
    .calls = {[LIST_ASK_FIRST] = {"GET", "/v3/suppression/<list>?limit=500&offset=0"},
              [LIST_ASK_NEXT] = {"GET", "/v3/suppression/<list>?limit=500&offset=<about>"},
              [LIST_ASK_FIND] = {"GET", "/v3/suppression/<list>/<about>"},
              [LIST_ASK_REMOVE] = {"DELETE", "/v3/suppression/<list>/<about>"}},
    .paging = LIST_BY_OFFSET,
    .page_max = 500,
    .read_entry = read_entry,
};
