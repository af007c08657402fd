/* Events as JSON: objects one a line, in an array, or just behind one another (Firehose).
 *
 *   SES       {"eventType":"Send","mail":{"timestamp":"...","messageId":"...",
 *              "destination":["ann@example.org"],...},...}; "notificationType" alike; perhaps as
 *              the text "Message" of an SNS envelope, or as "detail" of an EventBridge event
 *   SendGrid  {"email":"ann@example.org","timestamp":1760000000,"event":"processed",
 *              "sg_message_id":"..."}
 *
 * Objects are found by their braces, strings skipped; each is parsed alone, so that the memory is
 * that of one event however long the file is. */
#include "core/proto/history_in.h"

#include "core/proto/json.h"

#define ENVELOPES_MAX 3

/* The next whole object of the outermost level (or of an outermost array); false: no more. What is
 * not closed comes out as it is. */
static bool next_object(struct text *rest, struct text *ret)
{
    size_t i = 0;
    while (i < rest->n && rest->p[i] != '{')
        i++;
    if (i == rest->n)
        return false;
    size_t start = i, depth = 0;
    bool quoted = false;
    for (; i < rest->n; i++) {
        char c = rest->p[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else
                quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            i++;
            break;
        }
    }
    size_t end = i < rest->n ? i : rest->n;
    *ret = text_cut(*rest, start, end - start);
    *rest = text_cut(*rest, end, SIZE_MAX);
    return true;
}

static bool time_of(const struct history *h, const struct json *v, int64_t *ret_s)
{
    double x;
    if (json_kind(v) == JSON_KIND_STRING)
        return history_time(h, json_string_text(v), ret_s);
    if (!json_number(v, &x) || !(x >= 0 && x <= (double)HISTORY_AT_MAX_S))
        return false;
    *ret_s = (int64_t)x;
    return true;
}

static bool take_ses(struct history *h, const struct json *mail)
{
    int64_t at_s;
    const struct json *to = json_member(mail, "destination");
    if (!time_of(h, json_member(mail, "timestamp"), &at_s) || json_kind(to) != JSON_KIND_ARRAY)
        return false;
    struct text id = json_string_text(json_member(mail, "messageId"));
    for (size_t i = 0; i < json_count(to); i++)
        if (!history_give_all(h, at_s, json_string_text(json_element(to, i)), HISTORY_DIRECT, id))
            break;
    return true;
}

static bool take_sendgrid(struct history *h, const struct json *event)
{
    int64_t at_s;
    struct text to = json_string_text(json_member(event, "email"));
    struct text id = json_string_text(json_member(event, "sg_message_id"));
    if (!id.n)
        id = json_string_text(json_member(event, "smtp-id"));
    if (!to.n || !time_of(h, json_member(event, "timestamp"), &at_s))
        return false;
    (void)history_give(h, at_s, to, HISTORY_DIRECT, id);
    return true;
}

/* False: it is none of these. */
static bool take_object(struct history *h, struct text t, int envelopes)
{
    struct json *doc;
    struct tide_error err;
    if (json_parse(t, HISTORY_OBJECT_BYTES_MAX, &doc, &err) != TIDE_OK)
        return false;
    const struct json *event = doc, *detail = json_member(doc, "detail");
    if (json_kind(detail) == JSON_KIND_OBJECT)
        event = detail;
    const struct json *mail = json_member(event, "mail");
    struct text inner = json_string_text(json_member(doc, "Message"));
    bool ok;
    if (json_kind(mail) == JSON_KIND_OBJECT)
        ok = take_ses(h, mail);
    else if (inner.n && envelopes < ENVELOPES_MAX)
        ok = take_object(h, inner, envelopes + 1);
    else
        ok = take_sendgrid(h, event);
    json_free(doc);
    return ok;
}

void history_read_events(struct history *h, struct text bytes)
{
    struct text object;
    for (size_t number = 1; !h->no_memory && next_object(&bytes, &object); number++) {
        h->result.records++;
        if (!take_object(h, object, 0))
            history_bad(h, "event", number,
                        "want an event of SES or of SendGrid's webhook, as JSON");
    }
}
