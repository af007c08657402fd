/* Brevo's transactional webhooks: one event a request, or an array of them, not signed.
 *
 *   ids     message-id, as the API answered it; none of the event itself
 *   ours    X-Mailin-custom: "mailtide_attempt:ID", as it was given; others may have "a:b|c:d"
 *   times   ts_epoch (milliseconds, now and then seconds, UTC); the others are in the zone of the
 *           account
 */
#include "core/esp/events_fields.h"

#include "base/macros.h"
#include "core/esp/send.h"

#define EPOCH_IS_SECONDS 100000000000 /* of some events; as milliseconds that would be in 1973 */

static const struct event_name names[] = {
    {"request", EVENT_QUEUED},           {"delivered", EVENT_DELIVERED},
    {"deferred", EVENT_DEFERRED},        {"hard_bounce", EVENT_BOUNCED},
    {"soft_bounce", EVENT_BOUNCED},      {"invalid_email", EVENT_BOUNCED},
    {"blocked", EVENT_REJECTED},         {"error", EVENT_FAILED},
    {"spam", EVENT_COMPLAINED},          {"complaint", EVENT_COMPLAINED},
    {"unsubscribe", EVENT_UNSUBSCRIBED}, {"unsubscribed", EVENT_UNSUBSCRIBED},
    {"list_addition", EVENT_SUBSCRIBED}, {"opened", EVENT_OPENED},
    {"unique_opened", EVENT_OPENED},     {"proxy_open", EVENT_OPENED},
    {"unique_proxy_open", EVENT_OPENED}, {"click", EVENT_CLICKED},
};

/* The header's value may be JSON, or "name:value|name:value". */
static tide_id id_in_custom(struct text custom, struct arena *a)
{
    struct json *doc = NULL;
    tide_id found = 0;
    if (custom.n > 0 && custom.p[0] == '{') {
        if (json_parse(custom, custom.n, &doc, NULL) == TIDE_OK)
            found = events_attempt(doc, a);
        json_free(doc);
        return found;
    }
    for (struct text one; found == 0 && text_split(&custom, '|', &one);) {
        size_t colon = text_find(one, ':');
        if (text_eq(text_trim(text_cut(one, 0, colon)), TEXT(SEND_ID_NAME)))
            found = events_attempt_of(text_trim(text_cut(one, colon + 1, SIZE_MAX)));
    }
    return found;
}

static bool read_one(const struct json *e, struct arena *a, struct events_batch *ret)
{
    struct text event = events_text(e, "event", a);
    struct mail_news *n = events_add(ret, a, event, events_word(event, names, TIDE_COUNT(names)));
    if (!n)
        return false;
    int64_t ms;
    if (json_int(json_member(e, "ts_epoch"), &ms) && ms > 0 && ms < INT64_MAX / 1000)
        n->at = ms < EPOCH_IS_SECONDS ? ms * 1000 : ms;
    n->attempt_id = id_in_custom(events_text(e, "X-Mailin-custom", a), a);
    n->esp_id = events_text(e, "message-id", a);
    n->message_id = n->esp_id;
    n->recipient = events_text(e, "email", a);
    events_reply(n, events_text(e, "reason", a));
    events_count(n, !text_eq(event, TEXT("soft_bounce")));
    return true;
}

static enum events_end read(const struct events_ask *ask, struct arena *a, struct events_batch *ret)
{
    if (events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    const struct json *doc = ret->doc;
    if (json_kind(doc) == JSON_KIND_OBJECT && json_member(doc, "items"))
        return events_refuse(ret, EVENTS_BAD_BODY,
                             "It is mail received: not a webhook of what was sent.");
    if (json_kind(doc) == JSON_KIND_OBJECT)
        read_one(doc, a, ret);
    else if (json_kind(doc) != JSON_KIND_ARRAY)
        return events_refuse(ret, EVENTS_BAD_BODY, "The body is %s, not an event.",
                             json_kind_text(doc));
    for (size_t i = 0; json_kind(doc) == JSON_KIND_ARRAY && i < json_count(doc); i++)
        if (json_kind(json_element(doc, i)) == JSON_KIND_OBJECT &&
            !read_one(json_element(doc, i), a, ret))
            break;
    return events_done(ret);
}

const struct events_api events_brevo = {
    .name = "brevo", .title = "Brevo", .signs = false, .read = read};
