/* Mandrill's (Mailchimp Transactional) webhooks: a form whose mandrill_events is an array.
 *
 *   signed   X-Mandrill-Signature: base64 of HMAC-SHA-1 over the webhook's address as it was given
 *            there, then each field's name and value in the order of the names
 *   sync     {"type": "blacklist", "action", "reject"}: its own lists changed
 */
#include "core/esp/events_fields.h"

#include "base/base64.h"
#include "base/macros.h"

#include <stdlib.h>

#define FIELDS_MAX 64

static const struct event_name names[] = {
    {"send", EVENT_SENT},           {"deferral", EVENT_DEFERRED},   {"delivered", EVENT_DELIVERED},
    {"hard_bounce", EVENT_BOUNCED}, {"soft_bounce", EVENT_BOUNCED}, {"reject", EVENT_REJECTED},
    {"spam", EVENT_COMPLAINED},     {"unsub", EVENT_UNSUBSCRIBED},  {"open", EVENT_OPENED},
    {"click", EVENT_CLICKED},
};

static enum events_end read_form(const struct events_ask *ask,
                                 struct arena *a,
                                 struct form *ret,
                                 struct events_batch *b)
{
    if (events_form(ask, a, ret, b) != EVENTS_READ)
        return EVENTS_REFUSED;
    if (ret->count > FIELDS_MAX)
        return events_refuse(b, EVENTS_TOO_MUCH, "More than %d fields.", FIELDS_MAX);
    return EVENTS_READ;
}

static int by_name(const void *x, const void *y)
{
    const struct form_field *a = x, *b = y;
    int order = memcmp(a->name.p, b->name.p, TIDE_MIN(a->name.n, b->name.n));
    return order != 0 ? order : (a->name.n > b->name.n) - (a->name.n < b->name.n);
}

/* "http://host/path" with the login that was shown in front of the host, as it stands in the
 * webhook's address. */
static struct text with_login(const struct events_ask *ask, struct arena *a)
{
    struct text given = ask->header(ask->arg, "Authorization");
    size_t scheme = text_ifind(ask->url, TEXT("://"));
    struct text front = text_cut(ask->url, 0, scheme + 3);
    struct buf login = {0};
    struct text url = ask->url;
    if (scheme < ask->url.n && text_istarts(given, TEXT("Basic ")) &&
        base64_decode(text_trim(text_cut(given, 6, SIZE_MAX)), &login, NULL) == TIDE_OK)
        url = text_of(arena_printf(a, TEXT_FMT TEXT_FMT "@" TEXT_FMT, TEXT_ARG(front),
                                   TEXT_ARG(buf_text(&login)),
                                   TEXT_ARG(text_cut(ask->url, front.n, SIZE_MAX))));
    buf_fini(&login);
    return url;
}

static enum events_end prove(const struct events_ask *ask,
                             struct text key,
                             struct arena *a,
                             struct events_batch *ret)
{
    struct text shown = text_trim(ask->header(ask->arg, "X-Mandrill-Signature"));
    struct text parts[1 + 2 * FIELDS_MAX];
    unsigned char mac[EVENTS_HASH_BYTES];
    struct form f;
    size_t n = 1;
    if (shown.n == 0)
        return events_refuse(ret, EVENTS_NO_PROOF, "The request is not signed.");
    if (read_form(ask, a, &f, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    if (f.count > 0)
        qsort(f.fields, f.count, sizeof *f.fields, by_name);
    for (size_t i = 0; i < f.count; i++) {
        parts[n++] = f.fields[i].name;
        parts[n++] = f.fields[i].value;
    }
    const struct text urls[] = {ask->secrets.url, ask->url, with_login(ask, a)};
    for (size_t i = ask->secrets.url.n > 0 ? 0 : 1; i < TIDE_COUNT(urls); i++) {
        parts[0] = urls[i];
        size_t bytes = ask->crypto->hmac(EVENTS_SHA1, key, parts, n, mac);
        if (events_is_base64(shown, mac, bytes))
            return EVENTS_READ;
    }
    return events_refuse(ret, EVENTS_BAD_PROOF,
                         "The signature is not Mandrill's under events_key for this address.");
}

/* A mail that is deferred has its provider's words in the last of its tries alone. */
static struct text last_diagnosis(const struct json *tries, struct arena *a)
{
    size_t n = json_count(tries);
    return n > 0 ? events_text(json_element(tries, n - 1), "diag", a) : TEXT("");
}

static bool read_one(const struct json *e, struct arena *a, struct events_batch *ret)
{
    static const char *const types[] = {"event", "type", NULL};
    struct text event = events_first(e, types, a);
    struct mail_news *n = events_add(ret, a, event, events_word(event, names, TIDE_COUNT(names)));
    if (!n || json_kind(e) != JSON_KIND_OBJECT)
        return n != NULL;
    const struct json *msg = events_object(e, "msg"), *reject = json_member(e, "reject");
    static const char *const words[] = {"diag", "bounce_description", NULL};
    static const char *const reasons[] = {"detail", "reason", NULL};
    n->at = events_seconds(json_member(e, "ts"));
    n->esp_id = events_text(json_member(e, "_id") ? e : msg, "_id", a);
    n->recipient = events_text(msg, "email", a);
    if (n->recipient.n == 0)
        n->recipient = events_text(reject, "email", a);
    n->attempt_id = events_attempt(json_member(msg, "metadata"), a);
    events_count(n, text_eq(event, TEXT("hard_bounce")));
    events_reply(n, events_first(msg, words, a));
    if (n->kind != NEWS_OTHER && n->reply.n == 0)
        events_reply(n, last_diagnosis(events_list(msg, "smtp_events"), a));
    if (n->reply.n == 0)
        n->reply = events_first(reject, reasons, a);
    return true;
}

static enum events_end read(const struct events_ask *ask, struct arena *a, struct events_batch *ret)
{
    struct form f;
    if (read_form(ask, a, &f, ret) != EVENTS_READ ||
        events_parse(form_value(&f, "mandrill_events"), &ret->doc, ret) != EVENTS_READ)
        return EVENTS_REFUSED;
    if (json_kind(ret->doc) != JSON_KIND_ARRAY)
        return events_refuse(ret, EVENTS_BAD_BODY, "mandrill_events is %s, not an array.",
                             json_kind_text(ret->doc));
    for (size_t i = 0; i < json_count(ret->doc); i++)
        if (!read_one(json_element(ret->doc, i), a, ret))
            break;
    return events_done(ret);
}

const struct events_api events_mandrill = {
    .name = "mandrill", .title = "Mandrill", .signs = true, .prove = prove, .read = read};
