/* The webhooks of ESPs that mailtide does not send through by their APIs, but by SMTP:
 *
 *   mailersend    {"type", "data": {...}}, older: data.email.message, ...; Signature: hexadecimal
 *                 HMAC-SHA-256 of the body
 *   mailtrap      {"events": [...]}; Mailtrap-Signature: the same
 *   mailjet       [{...}] or one event; not signed
 *   postal        {"event", "payload": {"message", "status" | "bounce" | "url"}}; RSA over the body
 *   unisender_go  {"auth", "events_by_user": [{"events": [{"event_data"}]}]}, older: one flat
 *                 event; auth is the MD5 of the body with the key in its place
 */
#include "core/esp/events_fields.h"

#include "base/macros.h"

static enum events_end parse_object(const struct events_ask *ask, struct events_batch *ret)
{
    if (!ret->doc && events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    if (json_kind(ret->doc) == JSON_KIND_OBJECT)
        return EVENTS_READ;
    return events_refuse(ret, EVENTS_BAD_BODY, "The body is %s, not an object.",
                         json_kind_text(ret->doc));
}

/* Hexadecimal HMAC-SHA-256 of the body. */
static enum events_end prove_hmac(const struct events_ask *ask,
                                  struct text key,
                                  const char *header,
                                  struct events_batch *ret)
{
    unsigned char mac[EVENTS_HASH_BYTES];
    struct text shown = text_trim(ask->header(ask->arg, header));
    if (shown.n == 0)
        return events_refuse(ret, EVENTS_NO_PROOF, "The request is not signed.");
    size_t n = ask->crypto->hmac(EVENTS_SHA256, key, &ask->body, 1, mac);
    return events_is_hex(shown, mac, n)
               ? EVENTS_READ
               : events_refuse(ret, EVENTS_BAD_PROOF, "The signature is not %s's under events_key.",
                               ask->api->title);
}

/* -- MailerSend ---------------------------------------------------------------------------------
 */

static const struct event_name mailersend_names[] = {
    {"sent", EVENT_SENT},
    {"delivered", EVENT_DELIVERED},
    {"deferred", EVENT_DEFERRED},
    {"soft_bounced", EVENT_BOUNCED},
    {"hard_bounced", EVENT_BOUNCED},
    {"opened", EVENT_OPENED},
    {"opened_unique", EVENT_OPENED},
    {"clicked", EVENT_CLICKED},
    {"clicked_unique", EVENT_CLICKED},
    {"unsubscribed", EVENT_UNSUBSCRIBED},
    {"spam_complaint", EVENT_COMPLAINED},
    {"spam_complaints", EVENT_COMPLAINED},
    {"suppressed", EVENT_REJECTED},
};

static enum events_end prove_mailersend(const struct events_ask *ask,
                                        struct text key,
                                        struct arena *a,
                                        struct events_batch *ret)
{
    (void)a;
    return prove_hmac(ask, key, "Signature", ret);
}

static enum events_end read_mailersend(const struct events_ask *ask,
                                       struct arena *a,
                                       struct events_batch *ret)
{
    static const char *const new_words[] = {"bounce_reason", "reject_reason", "suppression_reason",
                                            "unsubscribe_reason", NULL};
    static const char *const old_words[] = {"readable_reason", "reason", NULL};
    if (parse_object(ask, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    struct text type = events_text(ret->doc, "type", a);
    if (text_eq(type, TEXT("webhook.test")))
        return EVENTS_READ;
    if (text_eq(type, TEXT("inbound.message")))
        return events_refuse(ret, EVENTS_BAD_BODY,
                             "It is mail received: not a webhook of what was sent.");
    const struct json *data = events_object(ret->doc, "data"),
                      *email = events_object(data, "email");
    static const char *const recipients[] = {"recipient", "email", NULL};
    /* What happened; data.type may be what the mail was before: "delivered" of one called spam. */
    static const struct text activity = {"activity.", 9};
    struct text outer = text_cut(type, text_starts(type, activity) ? activity.n : 0, SIZE_MAX);
    struct text event = events_text(data, "type", a);
    enum event_word word = events_word(outer, mailersend_names, TIDE_COUNT(mailersend_names));
    if (word == EVENT_UNKNOWN)
        word = events_word(event, mailersend_names, TIDE_COUNT(mailersend_names));
    else
        event = outer;
    struct mail_news *n = events_add(ret, a, event, word);
    if (!n)
        return EVENTS_REFUSED;
    events_count(n, text_eq(event, TEXT("hard_bounced")));
    n->key = events_text(data, "id", a);
    n->at = events_time(events_text(email ? data : ret->doc, "created_at", a));
    n->esp_id = email ? events_text(events_object(email, "message"), "id", a)
                      : events_text(data, "message_id", a);
    n->recipient = email ? events_text(events_object(email, "recipient"), "email", a)
                         : events_first(data, recipients, a);
    events_code(n, events_text(events_object(data, "meta"), "bounce_code", a));
    events_reply(n, email ? events_first(events_object(data, "morph"), old_words, a)
                          : events_first(events_object(data, "meta"), new_words, a));
    return EVENTS_READ;
}

const struct events_api events_mailersend = {.name = "mailersend",
                                             .title = "MailerSend",
                                             .signs = true,
                                             .prove = prove_mailersend,
                                             .read = read_mailersend};

/* -- Mailtrap -----------------------------------------------------------------------------------
 */

static const struct event_name mailtrap_names[] = {
    {"delivery", EVENT_DELIVERED},
    {"soft bounce", EVENT_DEFERRED},
    {"suspension", EVENT_DEFERRED},
    {"bounce", EVENT_BOUNCED},
    {"reject", EVENT_REJECTED},
    {"spam", EVENT_COMPLAINED},
    {"unsubscribe", EVENT_UNSUBSCRIBED},
    {"open", EVENT_OPENED},
    {"click", EVENT_CLICKED},
};

static enum events_end prove_mailtrap(const struct events_ask *ask,
                                      struct text key,
                                      struct arena *a,
                                      struct events_batch *ret)
{
    (void)a;
    return prove_hmac(ask, key, "Mailtrap-Signature", ret);
}

static enum events_end read_mailtrap(const struct events_ask *ask,
                                     struct arena *a,
                                     struct events_batch *ret)
{
    static const char *const words[] = {"response", "reason", NULL};
    if (parse_object(ask, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    const struct json *events = events_list(ret->doc, "events");
    for (size_t i = 0; i < json_count(events); i++) {
        const struct json *e = json_element(events, i);
        struct text event = events_text(e, "event", a);
        if (text_starts(event, TEXT("inbound")))
            return events_refuse(ret, EVENTS_BAD_BODY,
                                 "It is mail received: not a webhook of what was sent.");
        struct mail_news *n = events_add(
            ret, a, event, events_word(event, mailtrap_names, TIDE_COUNT(mailtrap_names)));
        if (!n)
            return EVENTS_REFUSED;
        if (json_kind(e) != JSON_KIND_OBJECT)
            continue;
        n->key = events_text(e, "event_id", a);
        n->at = events_seconds(json_member(e, "timestamp"));
        n->attempt_id = events_attempt(events_object(e, "custom_variables"), a);
        n->esp_id = events_text(e, "message_id", a);
        n->recipient = events_text(e, "email", a);
        events_code(n, events_text(e, "response_code", a));
        events_reply(n, events_first(e, words, a));
    }
    return EVENTS_READ;
}

const struct events_api events_mailtrap = {.name = "mailtrap",
                                           .title = "Mailtrap",
                                           .signs = true,
                                           .prove = prove_mailtrap,
                                           .read = read_mailtrap};

/* -- Mailjet ------------------------------------------------------------------------------------
 */

static const struct event_name mailjet_names[] = {
    {"sent", EVENT_DELIVERED},     {"open", EVENT_OPENED},      {"click", EVENT_CLICKED},
    {"bounce", EVENT_BOUNCED},     {"blocked", EVENT_REJECTED}, {"spam", EVENT_COMPLAINED},
    {"unsub", EVENT_UNSUBSCRIBED},
};

static bool read_mailjet_event(const struct json *e, struct arena *a, struct events_batch *ret)
{
    static const char *const words[] = {"smtp_reply", "comment", "error", NULL};
    struct text event = events_text(e, "event", a);
    enum event_word word = events_word(event, mailjet_names, TIDE_COUNT(mailjet_names));
    bool hard = json_bool(json_member(e, "hard_bounce"), &hard) && hard;
    if (text_eq(events_text(e, "error", a), TEXT("greylisted")) && !hard)
        word = EVENT_DEFERRED; /* it is tried again */
    struct mail_news *n = events_add(ret, a, event, word);
    if (!n || json_kind(e) != JSON_KIND_OBJECT)
        return n != NULL;
    events_count(n, hard);
    struct json *payload = NULL;
    struct text custom = events_text(e, "Payload", a);
    n->at = events_seconds(json_member(e, "time"));
    n->esp_id = events_text(e, "MessageID", a);
    n->recipient = events_text(e, "email", a);
    n->attempt_id = events_attempt_of(events_text(e, "CustomID", a));
    if (n->attempt_id == 0 && custom.n > 0 &&
        json_parse(custom, custom.n, &payload, NULL) == TIDE_OK)
        n->attempt_id = events_attempt(payload, a);
    json_free(payload);
    events_reply(n, events_first(e, words, a));
    return true;
}

static enum events_end read_mailjet(const struct events_ask *ask,
                                    struct arena *a,
                                    struct events_batch *ret)
{
    if (events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    if (json_kind(ret->doc) != JSON_KIND_ARRAY) {
        if (parse_object(ask, ret) == EVENTS_READ)
            read_mailjet_event(ret->doc, a, ret);
        return events_done(ret);
    }
    for (size_t i = 0; i < json_count(ret->doc); i++)
        if (!read_mailjet_event(json_element(ret->doc, i), a, ret))
            break;
    return events_done(ret);
}

const struct events_api events_mailjet = {
    .name = "mailjet", .title = "Mailjet", .signs = false, .read = read_mailjet};

/* -- Postal -------------------------------------------------------------------------------------
 */

static const struct {
    const char *status;
    enum event_word word;
    enum news_kind kind;
} postal_names[] = {
    {"Sent", EVENT_DELIVERED, NEWS_DELIVERED}, {"SoftFail", EVENT_DEFERRED, NEWS_DEFERRED},
    {"HardFail", EVENT_FAILED, NEWS_BOUNCED},  {"Bounced", EVENT_BOUNCED, NEWS_BOUNCED},
    {"Held", EVENT_QUEUED, NEWS_OTHER},
};

static enum events_end prove_postal(const struct events_ask *ask,
                                    struct text key,
                                    struct arena *a,
                                    struct events_batch *ret)
{
    (void)a;
    struct text now = ask->header(ask->arg, "X-Postal-Signature-256");
    struct text shown = now.p ? now : ask->header(ask->arg, "X-Postal-Signature");
    if (!shown.p)
        return events_refuse(ret, EVENTS_NO_PROOF, "The request is not signed.");
    return events_is_signed(ask, EVENTS_KEY_RSA, now.p ? EVENTS_SHA256 : EVENTS_SHA1, key,
                            &ask->body, 1, shown)
               ? EVENTS_READ
               : events_refuse(ret, EVENTS_BAD_PROOF,
                               "The signature is not Postal's under events_key.");
}

static enum events_end read_postal(const struct events_ask *ask,
                                   struct arena *a,
                                   struct events_batch *ret)
{
    static const char *const words[] = {"output", "details", NULL};
    if (parse_object(ask, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    const struct json *payload = events_object(ret->doc, "payload"),
                      *message = events_object(payload, "message");
    struct text status = events_text(payload, "status", a);
    enum event_word word = events_object(payload, "bounce")       ? EVENT_BOUNCED
                           : events_text(payload, "url", a).n > 0 ? EVENT_CLICKED
                                                                  : EVENT_UNKNOWN;
    if (!message)
        message = events_object(payload, "original_message");
    if (text_eq(events_text(message, "direction", a), TEXT("incoming")))
        return EVENTS_READ;
    struct mail_news *n = events_add(ret, a, events_text(ret->doc, "event", a), word);
    if (!n)
        return EVENTS_REFUSED;
    for (size_t i = 0; i < TIDE_COUNT(postal_names); i++)
        if (text_eq(status, text_of(postal_names[i].status))) {
            events_set_word(n, postal_names[i].word);
            n->kind = postal_names[i].kind;
        }
    n->key = events_text(ret->doc, "uuid", a);
    n->at = events_seconds(json_member(ret->doc, "timestamp"));
    n->esp_id = events_text(message, "id", a);
    n->message_id = events_brackets(events_text(message, "message_id", a), a);
    n->recipient = events_address(events_text(message, "to", a));
    events_reply(n, events_first(payload, words, a));
    return EVENTS_READ;
}

const struct events_api events_postal = {
    .name = "postal", .title = "Postal", .signs = true, .prove = prove_postal, .read = read_postal};

/* -- Unisender Go -------------------------------------------------------------------------------
 */

static const struct event_name unisender_names[] = {
    {"sent", EVENT_SENT},
    {"delivered", EVENT_DELIVERED},
    {"opened", EVENT_OPENED},
    {"clicked", EVENT_CLICKED},
    {"unsubscribed", EVENT_UNSUBSCRIBED},
    {"subscribed", EVENT_SUBSCRIBED},
    {"spam", EVENT_COMPLAINED},
    {"soft_bounced", EVENT_BOUNCED},
    {"hard_bounced", EVENT_BOUNCED},
};

static enum events_end prove_unisender(const struct events_ask *ask,
                                       struct text key,
                                       struct arena *a,
                                       struct events_batch *ret)
{
    unsigned char hash[EVENTS_HASH_BYTES];
    if (parse_object(ask, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    struct text shown = json_string_text(json_member(ret->doc, "auth"));
    const char *at = shown.n > 0 ? memmem(ask->body.p, ask->body.n, shown.p, shown.n) : NULL;
    (void)a;
    if (!shown.p || !at)
        return events_refuse(ret, EVENTS_NO_PROOF, "The request is not signed.");
    size_t front = (size_t)(at - ask->body.p);
    struct text parts[] = {text_cut(ask->body, 0, front), key,
                           text_cut(ask->body, front + shown.n, SIZE_MAX)};
    size_t n = ask->crypto->digest(EVENTS_MD5, parts, TIDE_COUNT(parts), hash);
    return events_is_hex(shown, hash, n)
               ? EVENTS_READ
               : events_refuse(ret, EVENTS_BAD_PROOF,
                               "The signature is not Unisender's under events_key.");
}

static bool read_unisender_event(const struct json *e, struct arena *a, struct events_batch *ret)
{
    const struct json *info = events_object(e, "delivery_info");
    static const char *const words[] = {"destination_response", "delivery_status", NULL};
    struct text status = events_text(e, "status", a);
    struct mail_news *n = events_add(
        ret, a, status, events_word(status, unisender_names, TIDE_COUNT(unisender_names)));
    if (!n)
        return false;
    events_count(n, text_eq(status, TEXT("hard_bounced")));
    n->at = events_time(events_text(e, "event_time", a));
    n->attempt_id = events_attempt(events_object(e, "metadata"), a);
    n->esp_id = events_text(e, "job_id", a);
    n->recipient = events_text(e, "email", a);
    events_reply(n, events_first(info, words, a));
    if (n->kind == NEWS_BOUNCED &&
        text_eq(events_text(info, "delivery_status", a), TEXT("err_will_retry")))
        n->kind = NEWS_DEFERRED;
    return true;
}

static bool is_of_mail(const struct json *e, struct arena *a)
{
    return text_eq(events_text(e, "event_name", a), TEXT("transactional_email_status"));
}

static enum events_end read_unisender(const struct events_ask *ask,
                                      struct arena *a,
                                      struct events_batch *ret)
{
    if (parse_object(ask, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    const struct json *users = events_list(ret->doc, "events_by_user");
    if (!users && is_of_mail(ret->doc, a))
        read_unisender_event(ret->doc, a, ret);
    for (size_t i = 0; i < json_count(users); i++) {
        const struct json *events = events_list(json_element(users, i), "events");
        for (size_t k = 0; k < json_count(events); k++)
            if (is_of_mail(json_element(events, k), a) &&
                !read_unisender_event(events_object(json_element(events, k), "event_data"), a, ret))
                return EVENTS_REFUSED;
    }
    return events_done(ret);
}

const struct events_api events_unisender = {.name = "unisender_go",
                                            .title = "Unisender Go",
                                            .signs = true,
                                            .prove = prove_unisender,
                                            .read = read_unisender};
