/* SparkPost's (Bird's) webhooks: [{"msys": {CLASS: {event}}}], not signed; {"msys": {}} is a ping.
 *
 *   ids      event_id; transmission_id, which the API answered; rcpt_meta gives back our own
 *   bounces  bounce_class tells replies of programs and of people who unsubscribe from refusals
 */
#include "core/esp/events_fields.h"

#include "base/macros.h"

static const struct event_name names[] = {
    {"injection", EVENT_QUEUED},
    {"delivery", EVENT_DELIVERED},
    {"delay", EVENT_DEFERRED},
    {"bounce", EVENT_BOUNCED},
    {"out_of_band", EVENT_BOUNCED},
    {"spam_complaint", EVENT_COMPLAINED},
    {"policy_rejection", EVENT_REJECTED},
    {"generation_failure", EVENT_FAILED},
    {"generation_rejection", EVENT_REJECTED},
    {"list_unsubscribe", EVENT_UNSUBSCRIBED},
    {"link_unsubscribe", EVENT_UNSUBSCRIBED},
    {"open", EVENT_OPENED},
    {"amp_open", EVENT_OPENED},
    {"click", EVENT_CLICKED},
    {"amp_click", EVENT_CLICKED},
};

/* Classes that are no refusal. */
static const struct event_name classes[] = {
    {"60", EVENT_AUTORESPONDED}, /* on holiday */
    {"80", EVENT_SUBSCRIBED},
    {"90", EVENT_UNSUBSCRIBED},
    {"100", EVENT_AUTORESPONDED}, /* challenge */
};

static bool read_one(const struct json *e, struct arena *a, struct events_batch *ret)
{
    static const char *const recipients[] = {"raw_rcpt_to", "rcpt_to", NULL};
    static const char *const words[] = {"raw_reason", "reason", NULL};
    struct text type = events_text(e, "type", a), class = events_text(e, "bounce_class", a);
    enum event_word word = events_word(type, names, TIDE_COUNT(names)),
                    better = events_word(class, classes, TIDE_COUNT(classes));
    struct mail_news *n = events_add(ret, a, type, better != EVENT_UNKNOWN ? better : word);
    if (!n)
        return false;
    n->at = events_seconds(json_member(e, "timestamp"));
    n->key = events_text(e, "event_id", a);
    n->attempt_id = events_attempt(json_member(e, "rcpt_meta"), a);
    n->esp_id = events_text(e, "transmission_id", a);
    n->recipient = events_first(e, recipients, a);
    events_code(n, events_text(e, "error_code", a));
    /* Invalid recipient, no recipient: its hard classes (90 is no bounce here). */
    if (class.n > 0)
        events_count(n, text_eq(class, TEXT("10")) || text_eq(class, TEXT("30")));
    events_reply(n, events_first(e, words, a));
    return true;
}

static enum events_end read(const struct events_ask *ask, struct arena *a, struct events_batch *ret)
{
    if (events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    if (json_kind(ret->doc) != JSON_KIND_ARRAY)
        return events_refuse(ret, EVENTS_BAD_BODY, "The body is %s, not an array of events.",
                             json_kind_text(ret->doc));
    for (size_t i = 0; i < json_count(ret->doc); i++) {
        const struct json *msys = events_object(json_element(ret->doc, i), "msys"), *event;
        struct text class;
        void *pos = NULL;
        if (!msys)
            return events_refuse(ret, EVENTS_BAD_BODY, "Element %zu has no msys.", i);
        while (json_next(msys, &pos, &class, &event)) {
            if (text_eq(class, TEXT("relay_message")))
                return events_refuse(ret, EVENTS_BAD_BODY,
                                     "It is a mail received: not a webhook of what was sent.");
            if (json_kind(event) == JSON_KIND_OBJECT && !read_one(event, a, ret))
                return EVENTS_REFUSED;
        }
    }
    return events_done(ret);
}

const struct events_api events_sparkpost = {
    .name = "sparkpost", .title = "SparkPost", .signs = false, .read = read};
