/* SparkPost's list, /api/v1/suppression-list.
 *
 *   sources  "Bounce Rule", "Spam Complaint", "List Unsubscribe", "Unsubscribe Link", "Compliance",
 *            "Manually Added"; "description" holds the words
 *   pages    cursor: "links" names the next
 *   rules    none stated beside 429; Compliance cannot be taken off (403)
 */
#include "core/esp/lists.h"

static const struct esp_list names[] = {{"suppression-list", true}};

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

static bool read_entry(const struct json *v, struct list_entry *ret)
{
    ret->address = lists_string(v, "recipient");
    ret->kind = kind_of(lists_string(v, "source"));
    ret->words = lists_string(v, "description");
    ret->at = lists_time(v, "created");
    return true;
}

/* {"next":URL} or [{"rel":"next","href":URL}] */
static struct text next_of(const struct json *doc)
{
    const struct json *links = json_member(doc, "links");
    if (json_kind(links) == JSON_KIND_OBJECT)
        return lists_string(links, "next");
    for (size_t i = 0; i < json_count(links); i++)
        if (text_eq(lists_string(json_element(links, i), "rel"), TEXT("next")))
            return lists_string(json_element(links, i), "href");
    return TEXT("");
}

#define LISTED "/api/v1/suppression-list"

const struct list_api lists_sparkpost = {
    .name = "sparkpost",
    .title = "SparkPost",
    .call_every_ms = 500,
    .lists = names,
    .list_count = sizeof names / sizeof names[0],
    .key_header = "Authorization",
    .calls = {[LIST_ASK_FIRST] = {"GET", LISTED "?cursor=initial&per_page=1000"},
              [LIST_ASK_NEXT] = {"GET", "<link>"},
              [LIST_ASK_FIND] = {"GET", LISTED "/<about>"},
              [LIST_ASK_REMOVE] = {"DELETE", LISTED "/<about>"}},
    .paging = LIST_BY_LINK,
    .entries = "results",
    .read_entry = read_entry,
    .next_of = next_of,
};
