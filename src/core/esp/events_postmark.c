/* Postmark's webhooks: one record a request, not signed.
 *
 *   Bounce               its Type says what it is (TypeCode the same as a number)
 *   SpamComplaint, Delivery, Open, Click
 *   SubscriptionChange   Postmark's own list changed; what it changed for was told before, so that
 *                        nothing but a person's wish follows from it
 */
#include "core/esp/events_fields.h"

#include "base/macros.h"

struct sense_name {
    const char *name;
    enum event_word word;
    enum news_kind kind;
};

static const struct sense_name records[] = {
    {"Bounce", EVENT_BOUNCED, NEWS_BOUNCED},
    {"SpamComplaint", EVENT_COMPLAINED, NEWS_COMPLAINED},
    {"Delivery", EVENT_DELIVERED, NEWS_DELIVERED},
    {"Open", EVENT_OPENED, NEWS_OTHER},
    {"Click", EVENT_CLICKED, NEWS_OTHER},
    {"SubscriptionChange", EVENT_UNSUBSCRIBED, NEWS_UNSUBSCRIBED},
};

static const struct sense_name types[] = {
    {"HardBounce", EVENT_BOUNCED, NEWS_BOUNCED},
    {"Transient", EVENT_DEFERRED, NEWS_DEFERRED},
    {"Unsubscribe", EVENT_UNSUBSCRIBED, NEWS_UNSUBSCRIBED},
    {"Subscribe", EVENT_SUBSCRIBED, NEWS_OTHER},
    {"AutoResponder", EVENT_AUTORESPONDED, NEWS_OTHER},
    {"AddressChange", EVENT_AUTORESPONDED, NEWS_OTHER},
    {"DnsError", EVENT_DEFERRED, NEWS_DEFERRED},
    {"SpamNotification", EVENT_COMPLAINED, NEWS_BOUNCED}, /* refused as spam, by a filter */
    {"OpenRelayTest", EVENT_DEFERRED, NEWS_OTHER},
    {"Unknown", EVENT_UNKNOWN, NEWS_OTHER},
    {"SoftBounce", EVENT_BOUNCED, NEWS_BOUNCED},
    {"VirusNotification", EVENT_BOUNCED, NEWS_BOUNCED},
    {"ChallengeVerification", EVENT_AUTORESPONDED, NEWS_OTHER},
    {"BadEmailAddress", EVENT_REJECTED, NEWS_BOUNCED},
    {"SpamComplaint", EVENT_COMPLAINED, NEWS_COMPLAINED},
    {"ManuallyDeactivated", EVENT_REJECTED, NEWS_DROPPED},
    {"Unconfirmed", EVENT_REJECTED, NEWS_DROPPED},
    {"Blocked", EVENT_REJECTED, NEWS_BOUNCED}, /* by the recipient's provider */
    {"SMTPApiError", EVENT_FAILED, NEWS_DROPPED},
    {"InboundError", EVENT_UNKNOWN, NEWS_OTHER},
    {"DMARCPolicy", EVENT_REJECTED, NEWS_DROPPED},
    {"TemplateRenderingFailed", EVENT_FAILED, NEWS_DROPPED},
    {"ManualSuppression", EVENT_UNSUBSCRIBED, NEWS_UNSUBSCRIBED},
};

struct sense {
    struct text event;
    enum event_word word;
    enum news_kind kind;
};

static void find_sense(struct text name,
                       const struct sense_name *table,
                       size_t count,
                       struct sense *ret)
{
    for (size_t i = 0; i < count; i++)
        if (text_eq(name, text_of(table[i].name)))
            *ret = (struct sense){name, table[i].word, table[i].kind};
}

static bool is_true(const struct json *o, const char *name)
{
    bool b;
    return json_bool(json_member(o, name), &b) && b;
}

/* The record's particulars may know better. */
static void look_closer(const struct json *e, struct arena *a, struct sense *s)
{
    if (s->word == EVENT_BOUNCED || s->word == EVENT_COMPLAINED) {
        find_sense(events_text(e, "Type", a), types, TIDE_COUNT(types), s);
    } else if (s->word == EVENT_UNSUBSCRIBED) {
        struct text reason = is_true(e, "SuppressSending") ? events_text(e, "SuppressionReason", a)
                                                           : TEXT("Subscribe");
        find_sense(reason, types, TIDE_COUNT(types), s);
        if (s->kind == NEWS_BOUNCED)
            s->kind = NEWS_OTHER;
        s->event = TEXT("SubscriptionChange");
    }
}

static enum events_end read(const struct events_ask *ask, struct arena *a, struct events_batch *ret)
{
    static const char *const times[] = {"DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt",
                                        NULL};
    static const char *const recipients[] = {"Email", "Recipient", NULL};
    if (events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    const struct json *e = ret->doc;
    if (json_kind(e) != JSON_KIND_OBJECT)
        return events_refuse(ret, EVENTS_BAD_BODY, "The body is %s, not a record.",
                             json_kind_text(e));
    struct text record = events_text(e, "RecordType", a), id = events_text(e, "ID", a);
    if (text_eq(record, TEXT("Inbound")) || (record.n == 0 && json_member(e, "FromFull")))
        return events_refuse(ret, EVENTS_BAD_BODY,
                             "It is a mail received: not a webhook of what was sent.");
    if (record.n == 0) /* before 2018 a record did not say what it was */
        record = json_member(e, "Type")          ? TEXT("Bounce")
                 : json_member(e, "DeliveredAt") ? TEXT("Delivery")
                                                 : record;
    struct sense s = {.event = record, .word = EVENT_UNKNOWN, .kind = NEWS_OTHER};
    find_sense(record, records, TIDE_COUNT(records), &s);
    look_closer(e, a, &s);
    struct mail_news *n = events_add(ret, a, s.event, s.word);
    if (!n)
        return EVENTS_REFUSED;
    n->kind = s.kind;
    events_count(n,
                 text_eq(s.event, TEXT("HardBounce")) || text_eq(s.event, TEXT("BadEmailAddress")));
    n->at = events_time(events_first(e, times, a));
    if (id.n > 0) /* only bounces and complaints have one */
        n->key = text_of(arena_printf(a, TEXT_FMT "|" TEXT_FMT, TEXT_ARG(record), TEXT_ARG(id)));
    n->attempt_id = events_attempt(json_member(e, "Metadata"), a);
    n->esp_id = events_text(e, "MessageID", a);
    n->recipient = events_first(e, recipients, a);
    static const char *const words[] = {"Details", "Description", NULL};
    events_reply(n, events_first(e, words, a));
    return EVENTS_READ;
}

const struct events_api events_postmark = {
    .name = "postmark", .title = "Postmark", .signs = false, .read = read};
