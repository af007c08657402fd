/* SendGrid's event webhook: an array of events, the mail's custom args merged into each.
 *
 *   signed   X-Twilio-Email-Event-Webhook-Signature: base64 of an ECDSA signature (P-256, SHA-256)
 *            over the bytes of ...-Timestamp and the body; the public key is base64 of its DER form
 *   ids      sg_event_id; smtp-id (our Message-ID); sg_message_id, which begins with what the API
 *            answered as X-Message-Id
 *   dropped  SendGrid did not try: `reason` says what list it is on. No reply of a provider.
 */
#include "core/esp/events_fields.h"

#include "base/macros.h"

#define HEADER_SIGNATURE "X-Twilio-Email-Event-Webhook-Signature"
#define HEADER_TIMESTAMP "X-Twilio-Email-Event-Webhook-Timestamp"

static const struct event_name names[] = {
    {"processed", EVENT_QUEUED},
    {"deferred", EVENT_DEFERRED},
    {"delivered", EVENT_DELIVERED},
    {"bounce", EVENT_BOUNCED},
    {"blocked", EVENT_BOUNCED},
    {"dropped", EVENT_REJECTED},
    {"open", EVENT_OPENED},
    {"click", EVENT_CLICKED},
    {"spamreport", EVENT_COMPLAINED},
    {"unsubscribe", EVENT_UNSUBSCRIBED},
    {"group_unsubscribe", EVENT_UNSUBSCRIBED},
    {"group_resubscribe", EVENT_SUBSCRIBED},
};

static enum events_end prove(const struct events_ask *ask,
                             struct text key,
                             struct arena *a,
                             struct events_batch *ret)
{
    (void)a;
    struct text shown = ask->header(ask->arg, HEADER_SIGNATURE);
    struct text stamp = text_trim(ask->header(ask->arg, HEADER_TIMESTAMP));
    struct text parts[] = {stamp, ask->body};
    if (!shown.p || !stamp.p)
        return events_refuse(ret, EVENTS_NO_PROOF, "The request is not signed.");
    if (!events_is_signed(ask, EVENTS_KEY_EC, EVENTS_SHA256, key, parts, TIDE_COUNT(parts), shown))
        return events_refuse(ret, EVENTS_BAD_PROOF,
                             "The signature is not SendGrid's under events_key.");
    return events_fresh_stamp(ask, stamp, EVENTS_FRESH_MS, ret);
}

/* "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0": what stands in front of the machine. */
static struct text own_id(struct text id)
{
    size_t end = TIDE_MIN(text_ifind(id, TEXT(".filter")), text_ifind(id, TEXT(".recv")));
    return text_cut(id, 0, end);
}

static bool read_one(const struct json *e, struct arena *a, struct events_batch *ret)
{
    struct text event = events_text(e, "event", a);
    enum event_word word = events_word(event, names, TIDE_COUNT(names));
    struct mail_news *n = events_add(ret, a, event, word);
    if (!n)
        return false;
    n->key = events_text(e, "sg_event_id", a);
    n->at = events_seconds(json_member(e, "timestamp"));
    n->attempt_id = events_attempt(e, a);
    n->message_id = events_brackets(events_text(e, "smtp-id", a), a);
    n->esp_id = own_id(events_text(e, "sg_message_id", a));
    n->recipient = events_text(e, "email", a);
    events_status(n, events_text(e, "status", a));
    static const char *const reasons[] = {"response", "reason", NULL};
    events_reply(n, events_first(e, reasons, a));
    events_count(n, !text_eq(event, TEXT("blocked")) &&
                        !text_eq(events_text(e, "type", a), TEXT("blocked")));
    return true;
}

static enum events_end read(const struct events_ask *ask, struct arena *a, struct events_batch *ret)
{
    if (events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    if (json_kind(ret->doc) != JSON_KIND_ARRAY)
        return events_refuse(ret, EVENTS_BAD_BODY, "The body is %s, not an array of events.",
                             json_kind_text(ret->doc));
    for (size_t i = 0; i < json_count(ret->doc); i++)
        if (!read_one(json_element(ret->doc, i), a, ret))
            break;
    return events_done(ret);
}

const struct events_api events_sendgrid = {
    .name = "sendgrid", .title = "SendGrid", .signs = true, .prove = prove, .read = read};
