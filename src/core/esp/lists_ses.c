/* Amazon SES' list of the account (and Region), /v2/email/suppression/addresses.
 *
 *   reasons  BOUNCE, COMPLAINT; the provider's words are not kept: who had the bounce's event knows
 *   pages    NextToken, 1,000 at most
 *   rules    one call a second
 *   signed   Signature Version 4, by the caller
 */
#include "core/esp/lists.h"

static const struct esp_list names[] = {{"account", true}};

/* A reason that is not known yet is nobody's to remove. */
static bool read_entry(const struct json *v, struct list_entry *ret)
{
    double at = 0;
    struct text reason = lists_string(v, "Reason");
    (void)json_number(json_member(v, "LastUpdateTime"), &at);
    ret->address = lists_string(v, "EmailAddress");
    ret->kind = text_eq(reason, TEXT("BOUNCE"))      ? LISTED_BOUNCED
                : text_eq(reason, TEXT("COMPLAINT")) ? LISTED_COMPLAINED
                                                     : LISTED_MANUAL;
    ret->at = at > 0 && at < 1e12 ? (tide_wall_ms)(at * 1000) : 0;
    return ret->address.n > 0;
}

static struct text next_of(const struct json *doc)
{
    return lists_string(doc, "NextToken");
}

#define ADDRESSES "/v2/email/suppression/addresses"

const struct list_api lists_ses = {
    .name = "ses",
    .title = "Amazon SES",
    .signs_aws = true,
    .call_every_ms = 1000,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .calls = {[LIST_ASK_FIRST] = {"GET", ADDRESSES "?PageSize=1000"},
              [LIST_ASK_NEXT] = {"GET", ADDRESSES "?NextToken=<about>&PageSize=1000"},
              [LIST_ASK_FIND] = {"GET", ADDRESSES "/<about>"},
              [LIST_ASK_REMOVE] = {"DELETE", ADDRESSES "/<about>"}},
    .paging = LIST_BY_TOKEN,
    .entries = "SuppressedDestinationSummaries",
    .one = "SuppressedDestination",
    .read_entry = read_entry,
    .next_of = next_of,
};
