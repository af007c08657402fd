/* Amazon SES: its events and its feedback notifications, which differ in the name of their type, as
 * they come through SNS (in its envelope, or raw) or through EventBridge.
 *
 *   signed   the SNS envelope: RSA over some of its fields, SHA-1 (SignatureVersion 1) or SHA-256
 *            (2), with a certificate that lies on sns.REGION.amazonaws.com. It proves that SNS sent
 *            it for somebody: whose topic it was has to be compared, so topics are wanted.
 *   not      raw delivery and EventBridge: a login or a token
 *   confirm  SubscriptionConfirmation: its SubscribeURL is to be asked for once
 *   bounce   Suppressed, OnAccountSuppressionList: SES did not try. Permanent ones are counted
 *            against the account, those for its own list are not
 */
#include "core/esp/events_fields.h"

#include "base/base64.h"
#include "base/macros.h"
#include "core/esp/send.h"

#include <stdio.h>

static const struct event_name names[] = {
    {"Send", EVENT_SENT},
    {"Delivery", EVENT_DELIVERED},
    {"DeliveryDelay", EVENT_DEFERRED},
    {"Bounce", EVENT_BOUNCED},
    {"Complaint", EVENT_COMPLAINED},
    {"Reject", EVENT_REJECTED},
    {"Rendering Failure", EVENT_FAILED},
    {"RenderingFailure", EVENT_FAILED},
    {"Open", EVENT_OPENED},
    {"Click", EVENT_CLICKED},
    {"Subscription", EVENT_UNSUBSCRIBED},
};

/* -- SNS ----------------------------------------------------------------------------------------
 */

#define REGION_MIN 3

/* "https://sns.eu-west-1.amazonaws.com/...": the host as AWS's own validators want it. */
static bool is_amazons(struct text url)
{
    static const struct text scheme = {"https://sns.", 12};
    if (!text_starts(url, scheme))
        return false;
    struct text rest = text_cut(url, scheme.n, SIZE_MAX);
    struct text host = text_cut(rest, 0, text_find(rest, '/'));
    size_t region = 0;
    if (text_iends(host, TEXT(".cn")))
        host.n -= 3;
    while (region < host.n && (ascii_is_alnum(host.p[region]) || host.p[region] == '-'))
        region++;
    for (size_t i = 0; i < url.n; i++) /* nothing that a library could take for another host */
        if (url.p[i] <= ' ' || url.p[i] > '~' || strchr("\\@#\"<>", url.p[i]))
            return false;
    return region >= REGION_MIN && rest.n > host.n &&
           text_eq(text_cut(host, region, SIZE_MAX), TEXT(".amazonaws.com"));
}

static bool is_certificate(struct text url)
{
    return is_amazons(url) && text_iends(url, TEXT(".pem")) && text_find(url, '?') == url.n;
}

/* What is signed: names and values of these fields, each on a line, in this order. */
static size_t signed_text(const struct json *doc, bool notification, struct text *parts)
{
    static const char *const of_notification[] = {"Message",   "MessageId", "Subject",
                                                  "Timestamp", "TopicArn",  "Type"};
    static const char *const of_others[] = {"Message", "MessageId", "SubscribeURL", "Timestamp",
                                            "Token",   "TopicArn",  "Type"};
    const char *const *fields = notification ? of_notification : of_others;
    size_t count = notification ? TIDE_COUNT(of_notification) : TIDE_COUNT(of_others), n = 0;
    for (size_t i = 0; i < count; i++) {
        struct text value = json_string_text(json_member(doc, fields[i]));
        if (!value.p)
            continue; /* Subject */
        parts[n++] = text_of(fields[i]);
        parts[n++] = TEXT("\n");
        parts[n++] = value;
        parts[n++] = TEXT("\n");
    }
    return n;
}

static bool is_known_topic(const struct events_ask *ask, struct text topic)
{
    for (size_t i = 0; i < ask->secrets.topic_count; i++)
        if (text_eq(topic, text_of(ask->secrets.topics[i])))
            return true;
    return false;
}

static enum events_end verify(const struct events_ask *ask,
                              const struct json *doc,
                              struct arena *a,
                              struct events_batch *ret)
{
    struct text version = events_text(doc, "SignatureVersion", a), parts[32];
    bool first = text_eq(version, TEXT("1"));
    struct buf signature = {0};
    if (!first && !text_eq(version, TEXT("2")))
        return events_refuse(ret, EVENTS_BAD_PROOF, "SignatureVersion is neither 1 nor 2.");
    size_t n = signed_text(doc, text_eq(events_text(doc, "Type", a), TEXT("Notification")), parts);
    bool right = base64_decode(events_text(doc, "Signature", a), &signature, NULL) == TIDE_OK &&
                 ask->crypto->verify(EVENTS_KEY_RSA, first ? EVENTS_SHA1 : EVENTS_SHA256,
                                     ask->certificate, parts, n, buf_text(&signature));
    buf_fini(&signature);
    return right ? events_fresh(ask, events_time(events_text(doc, "Timestamp", a)), EVENTS_FRESH_MS,
                                ret)
                 : events_refuse(ret, EVENTS_BAD_PROOF,
                                 "The signature is not that of the certificate at Amazon.");
}

static enum events_end prove(const struct events_ask *ask,
                             struct text key,
                             struct arena *a,
                             struct events_batch *ret)
{
    (void)key;
    if (events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    const struct json *doc = ret->doc;
    struct text url = events_text(doc, "SigningCertURL", a);
    if (events_text(doc, "Signature", a).n == 0 || url.n == 0) {
        /* EventBridge and raw delivery are not signed: then a login or a token has to do. */
        if (ask->secrets.login.n > 0 || ask->secrets.token.n > 0)
            return EVENTS_READ;
        return events_refuse(ret, EVENTS_NO_PROOF, "The request is not signed.");
    }
    ret->topic = events_text(doc, "TopicArn", a);
    if (!is_known_topic(ask, ret->topic))
        return events_refuse(ret, EVENTS_BAD_PROOF, "The topic %.*s is not among events_topics.",
                             (int)TIDE_MIN(ret->topic.n, 120u), ret->topic.p ? ret->topic.p : "");
    if (!is_certificate(url))
        return events_refuse(ret, EVENTS_BAD_PROOF, "SigningCertURL does not lie at Amazon SNS.");
    if (ask->certificate.n == 0) {
        ret->certificate_url = url;
        return EVENTS_WANT_CERTIFICATE;
    }
    return verify(ask, doc, a, ret);
}

/* -- Events -------------------------------------------------------------------------------------
 */

struct reading {
    struct arena *arena;
    struct events_batch *batch;
    struct text key; /* of the whole; each recipient's has its address behind it */
    tide_wall_ms at;
    struct text event;
    enum event_word word;
    const struct json *event_part; /* "bounce": {...} */
    const struct json *mail;
};

/* "mailtide_attempt=0c2kq7b3g4h01, other=x" */
static tide_id id_in_tags(struct text tags)
{
    for (struct text one; text_split(&tags, ',', &one);) {
        struct text name = text_trim(text_cut(one, 0, text_find(one, '=')));
        if (text_eq(name, TEXT(SEND_ID_NAME)))
            return events_attempt_of(text_trim(text_cut(one, text_find(one, '=') + 1, SIZE_MAX)));
    }
    return 0;
}

/* Tags are there in events; in notifications the mail's headers may be. */
static void identify(const struct reading *r, struct mail_news *n)
{
    const struct json *headers = events_list(r->mail, "headers");
    n->esp_id = events_text(r->mail, "messageId", r->arena);
    n->attempt_id = events_attempt(events_object(r->mail, "tags"), r->arena);
    for (size_t i = 0; i < json_count(headers); i++) {
        struct text name = events_text(json_element(headers, i), "name", r->arena);
        struct text value = events_text(json_element(headers, i), "value", r->arena);
        if (text_ieq(name, TEXT("Message-ID")))
            n->message_id = text_trim(value);
        else if (n->attempt_id == 0 && text_ieq(name, TEXT("X-SES-MESSAGE-TAGS")))
            n->attempt_id = id_in_tags(value);
    }
    if (n->message_id.n == 0)
        n->message_id = events_text(events_object(r->mail, "commonHeaders"), "messageId", r->arena);
}

static bool add(const struct reading *r, struct text recipient, struct text words)
{
    struct mail_news *n = events_add(r->batch, r->arena, r->event, r->word);
    if (!n)
        return false;
    n->at = r->at;
    n->recipient = events_address(recipient);
    if (r->key.n > 0)
        n->key = text_of(arena_printf(r->arena, TEXT_FMT "|" TEXT_FMT, TEXT_ARG(r->key),
                                      TEXT_ARG(n->recipient)));
    identify(r, n);
    n->remote_mta = events_text(r->event_part, "remoteMtaIp", r->arena);
    events_reply(n, words);
    return true;
}

/* {"emailAddress", "status", "diagnosticCode"} each. */
static void add_listed(const struct reading *r, const struct json *recipients)
{
    for (size_t i = 0; i < json_count(recipients); i++) {
        const struct json *one = json_element(recipients, i);
        if (!add(r, events_text(one, "emailAddress", r->arena),
                 events_text(one, "diagnosticCode", r->arena)))
            return;
        events_status(&r->batch->news[r->batch->count - 1], events_text(one, "status", r->arena));
    }
}

static void add_addresses(const struct reading *r, const struct json *recipients, struct text words)
{
    for (size_t i = 0; i < json_count(recipients); i++)
        if (!add(r, json_string_text(json_element(recipients, i)), words))
            return;
}

/* SES refused to try what stands on its own lists. */
static void add_bounce(struct reading *r)
{
    size_t first = r->batch->count;
    struct text sub = events_text(r->event_part, "bounceSubType", r->arena);
    struct text type = events_text(r->event_part, "bounceType", r->arena);
    bool account = text_eq(sub, TEXT("OnAccountSuppressionList"));
    bool listed = account || text_eq(sub, TEXT("Suppressed"));
    r->event =
        text_of(arena_printf(r->arena, TEXT_FMT "/" TEXT_FMT, TEXT_ARG(type), TEXT_ARG(sub)));
    add_listed(r, events_list(r->event_part, "bouncedRecipients"));
    for (size_t i = first; i < r->batch->count; i++) {
        struct mail_news *n = &r->batch->news[i];
        /* Of its lists the one of all customers counts, the account's does not. */
        events_count(n, text_eq(type, TEXT("Permanent")) && !account);
        if (listed)
            n->kind = NEWS_DROPPED;
    }
}

/* Not all feedback is a complaint: "not-spam" is the opposite, "auth-failure" tells of a mail in
 * the domain's name. And what stands on the account's list for one was not tried again. */
static void add_complaint(struct reading *r)
{
    size_t first = r->batch->count;
    struct text type = events_text(r->event_part, "complaintFeedbackType", r->arena);
    bool listed = text_eq(events_text(r->event_part, "complaintSubType", r->arena),
                          TEXT("OnAccountSuppressionList"));
    bool none = text_ieq(type, TEXT("not-spam")) || text_ieq(type, TEXT("auth-failure"));
    add_listed(r, events_list(r->event_part, "complainedRecipients"));
    for (size_t i = first; i < r->batch->count && (listed || none); i++)
        r->batch->news[i].kind = listed ? NEWS_DROPPED : NEWS_OTHER;
}

/* The recipient may have come back, too. */
static bool wants_mail(const struct json *subscription, struct arena *a)
{
    const struct json *now = events_object(subscription, "newTopicPreferences");
    const struct json *topics = events_list(now, "topicSubscriptionStatus");
    bool out = true;
    if (!json_bool(json_member(now, "unsubscribeAll"), &out) || out)
        return false;
    for (size_t i = 0; i < json_count(topics); i++)
        if (!text_ieq(events_text(json_element(topics, i), "subscriptionStatus", a), TEXT("OptIn")))
            return false;
    return true;
}

static void add_event(struct reading *r)
{
    const struct json *everybody = events_list(r->mail, "destination");
    static const char *const words[] = {"reason", "errorMessage", NULL};
    switch (r->word) {
    case EVENT_BOUNCED:
        add_bounce(r);
        break;
    case EVENT_COMPLAINED:
        add_complaint(r);
        break;
    case EVENT_DEFERRED:
        add_listed(r, events_list(r->event_part, "delayedRecipients"));
        break;
    case EVENT_DELIVERED:
        add_addresses(r, events_list(r->event_part, "recipients"),
                      events_text(r->event_part, "smtpResponse", r->arena));
        break;
    case EVENT_UNKNOWN:
    case EVENT_QUEUED:
    case EVENT_SENT:
    case EVENT_REJECTED:
    case EVENT_FAILED:
    case EVENT_UNSUBSCRIBED:
    case EVENT_SUBSCRIBED:
    case EVENT_AUTORESPONDED:
    case EVENT_OPENED:
    case EVENT_CLICKED:
        /* SES does not say who opened, and so on. */
        add_addresses(r, everybody, events_first(r->event_part, words, r->arena));
        break;
    }
}

/* "Bounce" has its particulars in "bounce", "DeliveryDelay" in "deliveryDelay", and so on. */
static const struct json *particulars(const struct json *e, struct text type)
{
    char name[32];
    if (text_istarts(type, TEXT("Rendering")))
        return events_object(e, "failure");
    if (type.n == 0 || type.n >= sizeof name)
        return NULL;
    memcpy(name, type.p, type.n);
    name[type.n] = '\0';
    name[0] = ascii_lower(name[0]);
    return events_object(e, name);
}

static enum events_end read_event(const struct json *e,
                                  struct text key,
                                  tide_wall_ms at,
                                  struct arena *a,
                                  struct events_batch *ret)
{
    static const char *const types[] = {"eventType", "notificationType", NULL};
    struct reading r = {.arena = a, .batch = ret, .key = key, .at = at};
    r.event = events_first(e, types, a);
    r.word = events_word(r.event, names, TIDE_COUNT(names));
    r.mail = events_object(e, "mail");
    r.event_part = particulars(e, r.event);
    if (text_eq(r.event, TEXT("Received")))
        return events_refuse(ret, EVENTS_BAD_BODY,
                             "It tells of mail received: not a topic of what was sent.");
    if (r.word == EVENT_UNSUBSCRIBED && wants_mail(r.event_part, a))
        r.word = EVENT_SUBSCRIBED;
    if (r.at == 0)
        r.at = events_time(events_text(r.event_part, "timestamp", a));
    if (r.at == 0)
        r.at = events_time(events_text(r.mail, "timestamp", a));
    add_event(&r);
    return events_done(ret);
}

/* -- Envelopes ----------------------------------------------------------------------------------
 */

static bool says(const struct events_ask *ask, const char *header, struct text want)
{
    return text_eq(text_trim(ask->header(ask->arg, header)), want);
}

static enum events_end read_sns(const struct events_ask *ask,
                                struct text type,
                                struct arena *a,
                                struct events_batch *ret)
{
    const struct json *doc = ret->doc;
    struct text id = events_text(doc, "MessageId", a), message = events_text(doc, "Message", a);
    if (!says(ask, "x-amz-sns-message-type", type) || !says(ask, "x-amz-sns-message-id", id))
        return events_refuse(ret, EVENTS_BAD_PROOF, "The x-amz-sns headers say something else.");
    ret->topic = events_text(doc, "TopicArn", a);
    if (text_eq(type, TEXT("SubscriptionConfirmation"))) {
        struct text url = events_text(doc, "SubscribeURL", a);
        const struct events_secrets *s = &ask->secrets;
        /* Any topic's owner may ask for it: only who is known is answered. */
        if (s->topic_count == 0 && s->login.n == 0 && s->token.n == 0)
            return events_refuse(ret, EVENTS_UNPROVEN,
                                 "The subscription cannot be proven to be wanted.");
        if (!is_amazons(url))
            return events_refuse(ret, EVENTS_BAD_PROOF, "SubscribeURL does not lie at Amazon SNS.");
        ret->confirm_url = url;
        return EVENTS_READ;
    }
    if (text_eq(type, TEXT("UnsubscribeConfirmation"))) {
        snprintf(ret->message, sizeof ret->message,
                 "SNS will tell no more of the topic %.*s: somebody unsubscribed.",
                 (int)TIDE_MIN(ret->topic.n, 120u), ret->topic.p ? ret->topic.p : "");
        return EVENTS_READ;
    }
    if (!text_eq(type, TEXT("Notification")))
        return events_refuse(ret, EVENTS_BAD_BODY, "Its Type is none that SNS documents.");
    /* Behind a confirmation SES says a word in plain text. */
    if (text_starts(message, TEXT("Successfully validated SNS topic")))
        return EVENTS_READ;
    if (events_parse(message, &ret->inner, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    return read_event(ret->inner, id, events_time(events_text(doc, "Timestamp", a)), a, ret);
}

static enum events_end read(const struct events_ask *ask, struct arena *a, struct events_batch *ret)
{
    if (!ret->doc && events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    const struct json *doc = ret->doc;
    if (json_kind(doc) != JSON_KIND_OBJECT)
        return events_refuse(ret, EVENTS_BAD_BODY, "The body is %s, not a message.",
                             json_kind_text(doc));
    struct text type = events_text(doc, "Type", a);
    const struct json *detail = events_object(doc, "detail");
    /* Of an envelope only what SNS signed is read, whatever else stands in it or in the headers. */
    if (type.n > 0)
        return read_sns(ask, type, a, ret);
    if (says(ask, "x-amz-sns-rawdelivery", TEXT("true")))
        return read_event(doc, text_trim(ask->header(ask->arg, "x-amz-sns-message-id")), 0, a, ret);
    if (!detail)
        return read_event(doc, TEXT(""), 0, a, ret);
    if (!text_eq(events_text(doc, "source", a), TEXT("aws.ses")))
        return events_refuse(ret, EVENTS_BAD_BODY, "The event is not of aws.ses.");
    return read_event(detail, events_text(doc, "id", a), events_time(events_text(doc, "time", a)),
                      a, ret);
}

const struct events_api events_ses = {
    .name = "ses", .title = "Amazon SES", .signs = false, .prove = prove, .read = read};
