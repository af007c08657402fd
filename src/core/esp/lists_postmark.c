/* Postmark's list of a message stream, /message-streams/STREAM/suppressions/...
 *
 *   reasons  HardBounce, SpamComplaint, ManualSuppression; the words are in /bounces
 *   pages    none: the dump is the whole
 *   rules    none stated beside 429; a complaint cannot be taken off, which is its answer
 *   Known gap an account has one stream that is looked after: others want accounts of their own
 */
#include "core/esp/lists.h"

static const struct esp_list names[] = {{"outbound", true}};

static void remove_body(struct text address, struct buf *ret)
{
    buf_adds(ret, "{\"Suppressions\":[{\"EmailAddress\":");
    json_quote(ret, address);
    buf_adds(ret, "}]}");
}

static bool removed(const struct json *doc, struct text *ret_why)
{
    const struct json *one = json_element(json_member(doc, "Suppressions"), 0);
    *ret_why = lists_string(one, "Message");
    return text_eq(lists_string(one, "Status"), TEXT("Deleted"));
}

static bool read_entry(const struct json *v, struct list_entry *ret)
{
    struct text reason = lists_string(v, "SuppressionReason");
    ret->address = lists_string(v, "EmailAddress");
    ret->kind = text_eq(reason, TEXT("HardBounce"))                     ? LISTED_BOUNCED
                : text_eq(reason, TEXT("SpamComplaint"))                ? LISTED_COMPLAINED
                : text_eq(lists_string(v, "Origin"), TEXT("Recipient")) ? LISTED_UNSUBSCRIBED
                                                                        : LISTED_MANUAL;
    ret->at = lists_time(v, "CreatedAt");
    return true;
}

static struct text read_words(const struct json *doc)
{
    return lists_string(json_element(json_member(doc, "Bounces"), 0), "Details");
}

#define STREAM "/message-streams/<place>/suppressions"

const struct list_api lists_postmark = {
    .name = "postmark",
    .title = "Postmark",
    .call_every_ms = 200,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .key_header = "X-Postmark-Server-Token",
    .says_accept = true,
    .of_places = true,
    .calls = {[LIST_ASK_FIRST] = {"GET", STREAM "/dump"},
              [LIST_ASK_FIND] = {"GET", STREAM "/dump?EmailAddress=<about>"},
              [LIST_ASK_REMOVE] = {"POST", STREAM "/delete"},
              [LIST_ASK_WORDS] = {"GET", "/bounces?count=1&offset=0&type=HardBounce"
                                         "&emailFilter=<about>"}},
    .remove_body = remove_body,
    .paging = LIST_WHOLE,
    .entries = "Suppressions",
    .read_entry = read_entry,
    .removed = removed,
    .read_words = read_words,
};
