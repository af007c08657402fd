/* Brevo's blocked contacts, /v3/smtp/blockedContacts.
 *
 *   reasons  hardBounce, contactFlaggedAsSpam, unsubscribedVia..., adminBlocked; the words are in
 *            /v3/smtp/statistics/events
 *   pages    limit and offset, 100 at most
 *   rules    100 calls an hour: "other endpoints" of its page of rate limits
 */
#include "core/esp/lists.h"

static const struct esp_list names[] = {{"blockedContacts", true}};

static enum listed_kind kind_of(struct text code)
{
    return text_eq(code, TEXT("hardBounce"))             ? LISTED_BOUNCED
           : text_eq(code, TEXT("contactFlaggedAsSpam")) ? LISTED_COMPLAINED
           : text_starts(code, TEXT("unsubscribed"))     ? LISTED_UNSUBSCRIBED
                                                         : LISTED_MANUAL;
}

static bool read_entry(const struct json *v, struct list_entry *ret)
{
    ret->address = lists_string(v, "email");
    ret->kind = kind_of(lists_string(json_member(v, "reason"), "code"));
    ret->at = lists_time(v, "blockedAt");
    return true;
}

static struct text read_words(const struct json *doc)
{
    return lists_string(json_element(json_member(doc, "events"), 0), "reason");
}

#define BLOCKED "/v3/smtp/blockedContacts"

const struct list_api lists_brevo = {
    .name = "brevo",
    .title = "Brevo",
    .call_every_ms = 36000,
    .lists = names,
    .list_count = 1,
    .key_header = "api-key",
    .says_accept = true,
    .calls = {[LIST_ASK_FIRST] = {"GET", BLOCKED "?limit=100&offset=0&sort=asc"},
              [LIST_ASK_NEXT] = {"GET", BLOCKED "?limit=100&offset=<about>&sort=asc"},
              [LIST_ASK_REMOVE] = {"DELETE", BLOCKED "/<about>"},
              [LIST_ASK_WORDS] = {"GET", "/v3/smtp/statistics/events?limit=1&event=hardBounces"
                                         "&email=<about>"}},
    .paging = LIST_BY_OFFSET,
    .page_max = 100,
    .entries = "contacts",
    .may_lack_them = true,
    .read_entry = read_entry,
    .read_words = read_words,
};
