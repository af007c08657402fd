/* Resend's webhooks: one event a request, {"type", "created_at", "data"}.
 *
 *   signed   as Svix does: "svix-signature: v1,BASE64 v1,BASE64", HMAC-SHA-256 over id, time and
 *            body with dots between, under the base64 key behind "whsec_". The id is that of the
 *            event, and the same when it is told again; the time is that of this telling.
 *   no more  an event does not say which recipient it is about: ours have one
 */
#include "core/esp/events_fields.h"

#include "base/base64.h"
#include "base/macros.h"

#define SVIX_WINDOW_MS (5 * TIME_MINUTE_MS)

static const struct event_name names[] = {
    {"email.scheduled", EVENT_QUEUED},    {"email.sent", EVENT_SENT},
    {"email.delivered", EVENT_DELIVERED}, {"email.delivery_delayed", EVENT_DEFERRED},
    {"email.bounced", EVENT_BOUNCED},     {"email.complained", EVENT_COMPLAINED},
    {"email.opened", EVENT_OPENED},       {"email.clicked", EVENT_CLICKED},
    {"email.failed", EVENT_FAILED},       {"email.suppressed", EVENT_REJECTED},
};

/* Svix itself may name its headers either way. */
static struct text header(const struct events_ask *ask, const char *svix, const char *webhook)
{
    struct text t = ask->header(ask->arg, svix);
    return text_trim(t.p ? t : ask->header(ask->arg, webhook));
}

static bool is_signed_by(struct text key,
                         const struct events_ask *ask,
                         const struct text *parts,
                         size_t count,
                         struct text shown)
{
    static const struct text prefix = {"whsec_", 6};
    unsigned char mac[EVENTS_HASH_BYTES];
    struct buf secret = {0};
    bool right = false;
    if (text_starts(key, prefix))
        key = text_cut(key, prefix.n, SIZE_MAX);
    if (base64_decode(key, &secret, NULL) == TIDE_OK && secret.len > 0) {
        size_t n = ask->crypto->hmac(EVENTS_SHA256, buf_text(&secret), parts, count, mac);
        for (struct text one; text_split(&shown, ' ', &one);)
            right |= text_starts(one, TEXT("v1,")) &&
                     events_is_base64(text_cut(one, 3, SIZE_MAX), mac, n);
    }
    if (secret.data)
        explicit_bzero(secret.data, secret.len);
    buf_fini(&secret);
    return right;
}

static enum events_end prove(const struct events_ask *ask,
                             struct text key,
                             struct arena *a,
                             struct events_batch *ret)
{
    (void)a;
    struct text id = header(ask, "svix-id", "webhook-id");
    struct text stamp = header(ask, "svix-timestamp", "webhook-timestamp");
    struct text shown = header(ask, "svix-signature", "webhook-signature");
    struct text parts[] = {id, TEXT("."), stamp, TEXT("."), ask->body};
    if (id.n == 0 || stamp.n == 0 || shown.n == 0)
        return events_refuse(ret, EVENTS_NO_PROOF, "The request is not signed.");
    /* Some libraries sign whole seconds and send a fraction. */
    struct text whole = text_cut(stamp, 0, text_find(stamp, '.'));
    bool right = is_signed_by(key, ask, parts, TIDE_COUNT(parts), shown);
    parts[2] = whole;
    if (!right && !is_signed_by(key, ask, parts, TIDE_COUNT(parts), shown))
        return events_refuse(ret, EVENTS_BAD_PROOF,
                             "The signature is not Resend's under events_key.");
    return events_fresh_stamp(ask, whole, SVIX_WINDOW_MS, ret);
}

/* Of the parts that an event may have, the one that says why. */
static void read_reason(const struct json *data, struct arena *a, struct mail_news *n)
{
    static const char *const parts[] = {"bounce", "failed", "suppressed", "delivery_delayed",
                                        "complaint"};
    static const char *const words[] = {"message", "reason", NULL};
    for (size_t i = 0; i < TIDE_COUNT(parts); i++) {
        const struct json *part = json_member(data, parts[i]);
        if (json_kind(part) != JSON_KIND_OBJECT)
            continue;
        const struct json *codes = json_member(part, "diagnosticCode");
        struct text said = json_kind(codes) == JSON_KIND_ARRAY
                               ? json_string_text(json_element(codes, 0))
                               : json_string_text(codes);
        struct text type = events_text(part, "type", a), sub = events_text(part, "subType", a);
        if (type.n > 0 && sub.n > 0)
            n->event = text_of(arena_printf(a, TEXT_FMT " " TEXT_FMT "/" TEXT_FMT,
                                            TEXT_ARG(n->event), TEXT_ARG(type), TEXT_ARG(sub)));
        /* Resend stands on SES: what was on the list was not tried. */
        bool listed =
            text_eq(sub, TEXT("Suppressed")) || text_eq(sub, TEXT("OnAccountSuppressionList"));
        if (type.n > 0)
            events_count(n, text_eq(type, TEXT("Permanent")) && !listed);
        if (n->kind == NEWS_BOUNCED && listed)
            n->kind = NEWS_DROPPED;
        events_reply(n, said.n > 0 ? said : events_first(part, words, a));
    }
}

static enum events_end read(const struct events_ask *ask, struct arena *a, struct events_batch *ret)
{
    if (events_parse(ask->body, &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    if (json_kind(ret->doc) != JSON_KIND_OBJECT)
        return events_refuse(ret, EVENTS_BAD_BODY, "The body is %s, not an event.",
                             json_kind_text(ret->doc));
    struct text type = events_text(ret->doc, "type", a);
    const struct json *data = json_member(ret->doc, "data");
    struct mail_news *n = events_add(ret, a, type, events_word(type, names, TIDE_COUNT(names)));
    if (!n)
        return EVENTS_REFUSED;
    n->key = header(ask, "svix-id", "webhook-id");
    n->at = events_time(events_text(ret->doc, "created_at", a));
    if (json_kind(data) != JSON_KIND_OBJECT)
        return EVENTS_READ;
    const struct json *to = json_member(data, "to");
    n->attempt_id = events_attempt(json_member(data, "tags"), a);
    n->esp_id = events_text(data, "email_id", a);
    n->message_id = events_brackets(events_text(data, "message_id", a), a);
    n->recipient =
        events_address(json_kind(to) == JSON_KIND_ARRAY ? json_string_text(json_element(to, 0))
                                                        : json_string_text(to));
    if (n->recipient.n == 0) /* of an entry of its list */
        n->recipient = events_text(data, "email", a);
    read_reason(data, a, n);
    return EVENTS_READ;
}

const struct events_api events_resend = {
    .name = "resend", .title = "Resend", .signs = true, .prove = prove, .read = read};
