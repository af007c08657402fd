/* Mailgun's webhooks: one event a request, in JSON, or as a form (before 2018).
 *
 *   signed   signature {timestamp, token, signature}: HMAC-SHA-256, in hexadecimal, over timestamp
 *            and token under the webhook signing key. The event itself is not signed: whoever holds
 *            a signature could put another event beside it, so a token is taken once.
 *   failed   severity permanent or temporary; reason suppress-...: Mailgun did not try
 */
#include "core/esp/events_fields.h"

#include "base/macros.h"
#include "core/esp/send.h"

static const struct event_name names[] = {
    {"accepted", EVENT_QUEUED},       {"rejected", EVENT_REJECTED},
    {"delivered", EVENT_DELIVERED},   {"failed", EVENT_BOUNCED},
    {"opened", EVENT_OPENED},         {"clicked", EVENT_CLICKED},
    {"complained", EVENT_COMPLAINED}, {"unsubscribed", EVENT_UNSUBSCRIBED},
};

static const struct event_name old_names[] = {
    {"delivered", EVENT_DELIVERED},       {"dropped", EVENT_REJECTED},
    {"bounced", EVENT_BOUNCED},           {"opened", EVENT_OPENED},
    {"clicked", EVENT_CLICKED},           {"complained", EVENT_COMPLAINED},
    {"unsubscribed", EVENT_UNSUBSCRIBED},
};

static bool is_json(const struct events_ask *ask)
{
    return text_istarts(text_trim(ask->content_type), TEXT("application/json"));
}

/* What the application named like a field of Mailgun's stands before it. */
static struct text last_value(const struct form *f, const char *name)
{
    for (size_t i = f->count; i-- > 0;)
        if (text_eq(f->fields[i].name, text_of(name)))
            return f->fields[i].value;
    return (struct text){NULL, 0};
}

static enum events_end prove(const struct events_ask *ask,
                             struct text key,
                             struct arena *a,
                             struct events_batch *ret)
{
    struct text parts[2], shown; /* timestamp, token */
    unsigned char mac[EVENTS_HASH_BYTES];
    if (is_json(ask)) {
        if (events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
            return EVENTS_REFUSED;
        const struct json *s = json_member(ret->doc, "signature");
        parts[0] = events_text(s, "timestamp", a);
        parts[1] = events_text(s, "token", a);
        shown = events_text(s, "signature", a);
    } else {
        struct form form;
        if (events_form(ask, a, &form, ret) != EVENTS_READ)
            return EVENTS_REFUSED;
        parts[0] = last_value(&form, "timestamp");
        parts[1] = last_value(&form, "token");
        shown = last_value(&form, "signature");
    }
    if (parts[0].n == 0 || parts[1].n == 0 || shown.n == 0)
        return events_refuse(ret, EVENTS_NO_PROOF, "The request is not signed.");
    size_t n = ask->crypto->hmac(EVENTS_SHA256, key, parts, TIDE_COUNT(parts), mac);
    if (!events_is_hex(shown, mac, n))
        return events_refuse(ret, EVENTS_BAD_PROOF,
                             "The signature is not Mailgun's under events_key.");
    ret->once = parts[1];
    return events_fresh_stamp(ask, parts[0], EVENTS_FRESH_MS, ret);
}

/* -- Events -------------------------------------------------------------------------------------
 */

static void read_failure(const struct json *e, struct arena *a, struct mail_news *n)
{
    const struct json *status = events_object(e, "delivery-status");
    static const char *const words[] = {"message", "description", NULL};
    struct text reason = events_text(e, "reason", a);
    if (status) {
        /* 605 and the like are Mailgun's own: its list, not a provider. */
        events_code(n, events_text(status, "code", a));
        events_status(n, events_text(status, "enhanced-code", a));
        events_reply(n, events_first(status, words, a));
    }
    events_count(n, text_eq(reason, TEXT("bounce")));
    if (n->kind == NEWS_BOUNCED && text_starts(reason, TEXT("suppress-")))
        n->kind = NEWS_DROPPED;
    if (n->reply.n == 0)
        n->reply = reason;
}

static enum events_end read_event(const struct json *e, struct arena *a, struct events_batch *ret)
{
    struct text event = events_text(e, "event", a);
    enum event_word word = events_word(event, names, TIDE_COUNT(names));
    if (word == EVENT_BOUNCED && text_eq(events_text(e, "severity", a), TEXT("temporary")))
        word = EVENT_DEFERRED;
    struct mail_news *n = events_add(ret, a, event, word);
    if (!n || json_kind(e) != JSON_KIND_OBJECT)
        return events_done(ret);
    const struct json *headers = json_member(json_member(e, "message"), "headers");
    struct text id = events_text(e, "id", a);
    n->at = events_seconds(json_member(e, "timestamp"));
    if (id.n > 0) /* which is told apart from others of its day only */
        n->key = text_of(arena_printf(a, TEXT_FMT "|%lld", TEXT_ARG(id), (long long)n->at));
    n->attempt_id = events_attempt(json_member(e, "user-variables"), a);
    n->message_id = events_brackets(events_text(headers, "message-id", a), a);
    n->esp_id = n->message_id;
    n->recipient = events_text(e, "recipient", a);
    if (n->recipient.n == 0)
        n->recipient = events_address(events_text(headers, "to", a));
    read_failure(e, a, n);
    if (n->reply.n == 0)
        n->reply = events_text(json_member(e, "reject"), "reason", a);
    return events_done(ret);
}

static enum events_end read_old(const struct events_ask *ask,
                                struct arena *a,
                                struct events_batch *ret)
{
    static const char *const replies[] = {"error", "notification", "description"};
    struct form f;
    int64_t at = 0;
    if (events_form(ask, a, &f, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    struct text event = form_value(&f, "event"), id = form_value(&f, "Message-Id");
    struct mail_news *n =
        events_add(ret, a, event, events_word(event, old_names, TIDE_COUNT(old_names)));
    if (!n)
        return EVENTS_REFUSED;
    if (text_int(last_value(&f, "timestamp"), 0, INT64_MAX / 1000, &at, NULL) == TIDE_OK)
        n->at = at * 1000;
    n->key = last_value(&f, "token");
    n->attempt_id = events_attempt_of(form_value(&f, SEND_ID_NAME));
    n->message_id = events_brackets(id.n > 0 ? id : form_value(&f, "message-id"), a);
    n->esp_id = n->message_id;
    n->recipient = form_value(&f, "recipient");
    events_code(n, form_value(&f, "code"));
    for (size_t i = 0; i < TIDE_COUNT(replies) && n->reply.n == 0; i++)
        events_reply(n, form_value(&f, replies[i]));
    return events_done(ret);
}

static enum events_end read(const struct events_ask *ask, struct arena *a, struct events_batch *ret)
{
    if (!is_json(ask))
        return read_old(ask, a, ret);
    if (!ret->doc && events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    if (json_kind(ret->doc) != JSON_KIND_OBJECT)
        return events_refuse(ret, EVENTS_BAD_BODY, "The body is %s, not an event.",
                             json_kind_text(ret->doc));
    return read_event(json_member(ret->doc, "event-data"), a, ret);
}

const struct events_api events_mailgun = {
    .name = "mailgun", .title = "Mailgun", .signs = true, .prove = prove, .read = read};
