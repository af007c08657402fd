/* Resend, POST /emails, POST /emails/batch, GET /emails/{id}.
 *
 *   mapped    from, to, cc, bcc, reply_to, subject, text, html, headers, attachments (content_id
 *             shows it inline), scheduled_at (ISO 8601, "in 5 minutes"); Idempotency-Key, without
 *             Resend's end of 24 hours; x-batch-validation: permissive; the first tag whose value,
 *             or else name, is a stream's name chooses that stream
 *   kept      tags, as metadata in events
 *   ignored   topic_id: Resend shows it in no mail
 *   passed on template, where all accounts of the application are Resend's own API; else refused:
 *             422
 *   refused   attachments by path (a URL), scheduled_at in other natural language: 422
 *
 * GET tells of the first recipient's mail. A batch takes no attachments and no scheduled_at at
 * Resend; here it does.
 *
 * Reference  Resend API reference, "Emails" and "Errors". */
#include "core/esp/metadata.h"

#include "base/macros.h"

#include <stdio.h>

#define RECIPIENTS_MAX 50
#define BATCH_MAX      100
#define KEY_BYTES_MAX  256

enum { HEADER_KEY, HEADER_VALIDATION };

/* -- Answers ------------------------------------------------------------------------------------
 */

static const struct shape {
    enum esp_fault fault;
    unsigned status;
    const char *name, *message; /* NULL: the refusal's own */
} shapes[] = {
    {ESP_NO_KEY, 401, "missing_api_key", "Missing API key in the authorization header"},
    {ESP_BAD_KEY, 401, "invalid_api_key", "API key is invalid"},
    {ESP_BAD_BODY, 422, "validation_error", NULL},
    {ESP_MISSING, 422, "missing_required_field", NULL},
    {ESP_SENDER, 403, "validation_error", NULL},
    {ESP_TOO_LARGE, 413, "validation_error", NULL},
    {ESP_KEY_USED, 409, "invalid_idempotent_request",
     "This idempotency key has been used on a request with a different payload. Retrying this "
     "request is useless without changing the idempotency key or payload."},
    {ESP_RATE, 429, "rate_limit_exceeded", NULL},
    {ESP_BUSY, 503, "internal_server_error", NULL},
    {ESP_NOT_FOUND, 404, "not_found", "Email not found"},
    {ESP_NOT_HERE, 404, "not_found", NULL},
    {ESP_TOO_LATE, 422, "validation_error", "Email is not scheduled, or has already been sent"},
    {ESP_BAD_METHOD, 405, "method_not_allowed", "Method is not allowed for this path"},
};

static const struct shape *shape_of(enum esp_fault fault)
{
    static const struct shape other = {ESP_BAD_VALUE, 422, "validation_error", NULL};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (shapes[i].fault == fault)
            return &shapes[i];
    return &other;
}

static void refuse(const struct esp_ask *ask, const struct esp_refusal *why, struct esp_answer *ret)
{
    struct json_writer w;
    (void)ask;
    const struct shape *s = shape_of(why->fault);
    /* a key of a wrong length is the one 400 */
    bool bad_key = strcmp(why->field, "Idempotency-Key") == 0;
    ret->status = bad_key ? 400 : s->status;
    ret->content_type = "application/json";
    jw_init(&w, &ret->body);
    jw_object(&w, NULL);
    jw_int(&w, "statusCode", ret->status);
    jw_str(&w, "name", bad_key ? "invalid_idempotency_key" : s->name);
    jw_str(&w, "message", s->message ? s->message : why->message);
    jw_end(&w);
}

static void write_id(struct json_writer *w, tide_id id)
{
    char text[ESP_UUID_BYTES];
    jw_object(w, NULL);
    jw_str(w, "id", esp_uuid(id, text));
    jw_end(w);
}

static void answer_one(const struct esp_ask *ask,
                       const struct esp_batch *batch,
                       struct esp_answer *ret)
{
    struct json_writer w;
    (void)ask;
    ret->status = 200;
    ret->content_type = "application/json";
    jw_init(&w, &ret->body);
    write_id(&w, esp_mail_id(&batch->mails[0]));
}

static void answer_batch(const struct esp_ask *ask,
                         const struct esp_batch *batch,
                         struct esp_answer *ret)
{
    struct json_writer w;
    (void)ask;
    ret->status = 200;
    ret->content_type = "application/json";
    jw_init(&w, &ret->body);
    jw_object(&w, NULL);
    jw_array(&w, "data");
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->mails[i].refusal)
            write_id(&w, esp_mail_id(&batch->mails[i]));
    jw_end(&w);
    if (batch->each_own) {
        jw_array(&w, "errors");
        for (size_t i = 0; i < batch->count; i++) {
            const struct esp_refusal *why = batch->mails[i].refusal;
            if (!why)
                continue;
            jw_object(&w, NULL);
            jw_int(&w, "index", (int64_t)i);
            jw_str(&w, "message",
                   shape_of(why->fault)->message ? shape_of(why->fault)->message : why->message);
            jw_end(&w);
        }
        jw_end(&w);
    }
    jw_end(&w);
}

static const char *last_event(const struct notification *n, tide_wall_ms now)
{
    switch (n->state) {
    case NOTIFICATION_ACCEPTED:
    case NOTIFICATION_HELD:
        return n->not_before > now ? "scheduled" : "queued";
    case NOTIFICATION_RELEASING:
        return "queued";
    case NOTIFICATION_SENT:
        return "sent";
    case NOTIFICATION_DELIVERED:
        return "delivered";
    case NOTIFICATION_BOUNCED:
        return "bounced";
    case NOTIFICATION_COMPLAINED:
        return "complained";
    case NOTIFICATION_REFUSED:
        return "suppressed";
    case NOTIFICATION_EXPIRED:
        return "failed";
    case NOTIFICATION_CANCELLED:
        return "canceled";
    }
    return "queued";
}

static void answer_show(const struct esp_ask *ask,
                        const struct esp_batch *batch,
                        struct esp_answer *ret)
{
    static const char *const lists[] = {"cc", "bcc", "reply_to"};
    const struct notification *n = batch->notification;
    char id[ESP_UUID_BYTES];
    struct json_writer w;
    ret->status = 200;
    ret->content_type = "application/json";
    jw_init(&w, &ret->body);
    jw_object(&w, NULL);
    jw_str(&w, "object", "email");
    jw_str(&w, "id", esp_uuid(n->id, id));
    jw_array(&w, "to");
    jw_text(&w, NULL, n->recipient);
    jw_end(&w);
    jw_text(&w, "from", n->sender);
    jw_time(&w, "created_at", n->accepted_at);
    jw_text(&w, "subject", n->subject);
    jw_null(&w, "html");
    jw_null(&w, "text");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        jw_array(&w, lists[i]);
        jw_end(&w);
    }
    jw_str(&w, "last_event", last_event(n, ask->now));
    jw_time(&w, "scheduled_at", n->not_before);
    jw_end(&w);
}

/* -- One mail -----------------------------------------------------------------------------------
 */

static bool bad_address(struct esp_reading *r, const char *name)
{
    return esp_refuse(r, ESP_BAD_ADDRESS, name,
                      "Invalid `%s` field. The email address needs to follow the "
                      "`email@example.com` or `Name <email@example.com>` format.",
                      name);
}

/* A string or an array of strings; each may be a list. */
static bool read_list(struct esp_reading *r,
                      const struct json *v,
                      const char *name,
                      struct api_addresses *ret)
{
    struct text bad;
    if (!v || json_kind(v) == JSON_KIND_NULL)
        return true;
    bool is_array = json_kind(v) == JSON_KIND_ARRAY;
    if (!is_array && json_kind(v) != JSON_KIND_STRING)
        return bad_address(r, name);
    for (size_t i = 0; i < (is_array ? json_count(v) : 1); i++) {
        struct text one = json_string_text(is_array ? json_element(v, i) : v);
        if (!esp_mailboxes(r, one, ret, &bad))
            return bad_address(r, name);
    }
    return true;
}

static bool read_addresses(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    struct api_addresses from = {0};
    const struct json *reply_to = json_member(v, "reply_to");
    if (!esp_filled(v, "from").p)
        return esp_refuse(r, ESP_MISSING, "from", "Missing `from` field.");
    if (!json_member(v, "to"))
        return esp_refuse(r, ESP_MISSING, "to", "Missing `to` field.");
    if (!read_list(r, json_member(v, "from"), "from", &from) ||
        !read_list(r, json_member(v, "to"), "to", &d->to) ||
        !read_list(r, json_member(v, "cc"), "cc", &d->cc) ||
        !read_list(r, json_member(v, "bcc"), "bcc", &d->bcc) ||
        !read_list(r, reply_to ? reply_to : json_member(v, "replyTo"), "reply_to", &d->reply_to))
        return false;
    if (from.count != 1)
        return bad_address(r, "from");
    if (d->to.count == 0)
        return bad_address(r, "to");
    d->from = from.list[0];
    size_t count = d->to.count + d->cc.count + d->bcc.count;
    if (d->to.count > RECIPIENTS_MAX || count > r->ask->recipients_max)
        return esp_refuse(r, ESP_BAD_VALUE, "to",
                          "Too many recipients. The `to` field takes at most %d addresses.",
                          RECIPIENTS_MAX);
    return true;
}

static bool read_headers(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    struct text name;
    const struct json *value;
    if (json_kind(v) != JSON_KIND_OBJECT)
        return true;
    for (void *pos = NULL; json_next(v, &pos, &name, &value);)
        if (esp_header(r, d, name, json_string_text(value)) == ESP_HEADER_BAD)
            return esp_refuse(r, ESP_BAD_VALUE, "headers", "Invalid `headers` field: " TEXT_FMT,
                              TEXT_ARG(text_cut(name, 0, 60)));
    return true;
}

/* The SDK writes a Buffer as {"type":"Buffer","data":[1,2,...]}. */
static struct text buffer_bytes(struct esp_reading *r, const struct json *v)
{
    const struct json *data = json_member(v, "data");
    size_t n = json_count(data);
    char *bytes = arena_alloc(r->arena, n + 1);
    int64_t byte;
    if (json_kind(data) != JSON_KIND_ARRAY || !bytes)
        return (struct text){NULL, 0};
    for (size_t i = 0; i < n; i++) {
        if (!json_int(json_element(data, i), &byte) || byte < 0 || byte > 255)
            return (struct text){NULL, 0};
        bytes[i] = (char)(unsigned char)byte;
    }
    return (struct text){bytes, n};
}

static struct text either(const struct json *v, const char *name, const char *other)
{
    struct text t = esp_filled(v, name);
    return t.p ? t : esp_filled(v, other);
}

static bool read_attachments(struct esp_reading *r, const struct json *list, struct api_draft *d)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *a = json_element(list, i), *content = json_member(a, "content");
        struct text id = either(a, "content_id", "inline_content_id");
        struct api_attachment file = {
            .filename = esp_string(a, "filename"),
            .content_type = either(a, "content_type", "contentType"),
            .content = json_kind(content) == JSON_KIND_OBJECT
                           ? buffer_bytes(r, content)
                           : esp_base64(r, json_string_text(content)),
            .content_id = id,
            .is_inline = id.n > 0,
        };
        if (!content && esp_filled(a, "path").p)
            return esp_refuse(r, ESP_BAD_VALUE, "attachments",
                              "Invalid `attachments` field: `path` is not fetched here, give the "
                              "file as `content`.");
        if (!content || !file.content.p)
            return esp_refuse(r, ESP_BAD_VALUE, "attachments",
                              "Invalid `attachments` field: `content` must be a base64 string.");
        if (!esp_attach(r, d, &file))
            return esp_refuse(r, ESP_BAD_VALUE, "attachments",
                              "Invalid `attachments` field: at most %d.", API_ATTACHMENTS_MAX);
    }
    return true;
}

/* A number, or "a": 1. */
static bool read_count(struct text *rest, int64_t *ret)
{
    struct text word;
    size_t digits = 0;
    while (digits < rest->n && ascii_is_digit(rest->p[digits]))
        digits++;
    if (digits > 0) {
        word = text_cut(*rest, 0, digits);
        *rest = text_trim(text_cut(*rest, digits, SIZE_MAX));
        return text_int(word, 0, 100000, ret, NULL) == TIDE_OK;
    }
    *ret = 1;
    return text_split(rest, ' ', &word) &&
           (text_ieq(word, TEXT("a")) || text_ieq(word, TEXT("an")));
}

/* "in 1 min", "in an hour", "in 3 days" */
static bool read_delay(struct text t, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        {"sec", TIME_SECOND_MS},    {"second", TIME_SECOND_MS}, {"min", TIME_MINUTE_MS},
        {"minute", TIME_MINUTE_MS}, {"hr", TIME_HOUR_MS},       {"hour", TIME_HOUR_MS},
        {"day", TIME_DAY_MS},       {"week", 7 * TIME_DAY_MS},
    };
    struct text word, rest = text_trim(t);
    int64_t n;
    if (!text_split(&rest, ' ', &word) || !text_ieq(word, TEXT("in")))
        return false;
    rest = text_trim(rest);
    if (!read_count(&rest, &n))
        return false;
    rest = text_trim(rest);
    if (rest.n > 1 && ascii_lower(rest.p[rest.n - 1]) == 's')
        rest.n--;
    for (size_t i = 0; i < TIDE_COUNT(units); i++) {
        if (!text_ieq(rest, text_of(units[i].name)))
            continue;
        *ret_ms = n * units[i].ms;
        return true;
    }
    return false;
}

static bool read_schedule(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    struct text at = either(v, "scheduled_at", "scheduledAt");
    int64_t delay;
    if (!at.p || time_parse_rfc3339(at, &d->not_before, NULL) == TIDE_OK)
        return true;
    if (read_delay(at, &delay)) {
        d->not_before = r->ask->now + delay;
        return true;
    }
    return esp_refuse(r, ESP_BAD_VALUE, "scheduled_at",
                      "Invalid `scheduled_at` field. Want ISO 8601, `2026-11-22T10:00:00Z`, or "
                      "`in 5 minutes`.");
}

static void read_tags(struct esp_reading *r, const struct json *tags, struct api_draft *d)
{
    for (size_t i = 0; i < json_count(tags); i++) {
        esp_choose_stream(r, d, esp_string(json_element(tags, i), "value"));
        esp_choose_stream(r, d, esp_string(json_element(tags, i), "name"));
    }
    esp_metadata(r, tags, d);
}

static bool read_mail(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    const struct json *template = json_member(v, "template");
    if (json_kind(v) != JSON_KIND_OBJECT)
        return esp_refuse(r, ESP_BAD_BODY, "", "Want an object.");
    if (template && json_kind(template) != JSON_KIND_NULL &&
        !esp_template(r, &(struct esp_member){.of = v, .name = "template"}, 1, "template",
                      "Invalid `template` field: templates stored at Resend are not known here.",
                      d))
        return false;
    if (!read_addresses(r, v, d))
        return false;
    if (!json_member(v, "subject") && !d->template.p)
        return esp_refuse(r, ESP_MISSING, "subject", "Missing `subject` field.");
    d->subject = esp_line(r, esp_string(v, "subject"));
    d->subject = d->subject.p ? d->subject : TEXT("");
    d->text = esp_body(r, esp_string(v, "text"));
    d->html = esp_body(r, esp_filled(v, "html"));
    if (d->template.p && (d->text.p || d->html.p))
        return esp_refuse(r, ESP_BAD_VALUE, "template",
                          "Invalid `template` field: want no `html` or `text` beside it.");
    if (!d->text.p && !d->html.p && !d->template.p)
        return esp_refuse(r, ESP_MISSING, "html", "Missing `html` or `text` field.");
    read_tags(r, json_member(v, "tags"), d);
    return read_schedule(r, v, d) && read_headers(r, json_member(v, "headers"), d) &&
           read_attachments(r, json_member(v, "attachments"), d);
}

/* -- Requests -----------------------------------------------------------------------------------
 */

static bool check_key(struct esp_reading *r)
{
    struct text key = r->ask->headers[HEADER_KEY];
    return !key.p || (key.n >= 1 && key.n <= KEY_BYTES_MAX) ||
           esp_refuse(r, ESP_BAD_VALUE, "Idempotency-Key",
                      "The idempotency key must be between 1-%d chars.", KEY_BYTES_MAX);
}

static bool read_one(struct esp_reading *r)
{
    if (!check_key(r) || !esp_json(r) || !esp_mails(r, 1) ||
        !read_mail(r, r->batch->doc, &r->batch->mails[0].draft))
        return false;
    r->batch->mails[0].draft.key = r->ask->headers[HEADER_KEY];
    return true;
}

static bool read_batch(struct esp_reading *r)
{
    struct text key = r->ask->headers[HEADER_KEY];
    if (!check_key(r) || !esp_json(r))
        return false;
    size_t count = json_count(r->batch->doc);
    if (json_kind(r->batch->doc) != JSON_KIND_ARRAY || count == 0 || count > BATCH_MAX)
        return esp_refuse(r, ESP_BAD_BODY, "", "Want an array of 1 to %d emails.", BATCH_MAX);
    if (!esp_mails(r, count) || !esp_each(r, r->batch->doc, read_mail))
        return false;
    r->batch->each_own = text_ieq(r->ask->headers[HEADER_VALIDATION], TEXT("permissive"));
    for (size_t i = 0; key.p && i < count; i++) {
        const char *own = arena_printf(r->arena, TEXT_FMT "/batch/%zu", TEXT_ARG(key), i);
        if (!own)
            return esp_no_memory(r);
        r->batch->mails[i].draft.key = text_of(own);
    }
    return true;
}

static bool read_show(struct esp_reading *r)
{
    r->batch->does = ESP_SHOWS;
    r->batch->shown = esp_uuid_id(r->ask->wild[0]);
    if (r->batch->shown == 0)
        r->why->fault = ESP_NOT_FOUND;
    return r->batch->shown != 0;
}

const struct esp esp_resend = {.name = "resend",
                               .auth = ESP_AUTH_BEARER,
                               .headers = {"Idempotency-Key", "x-batch-validation"},
                               .refuse = refuse};

const struct esp_call esp_resend_calls[] = {
    {&esp_resend, "POST", "/emails", read_one, answer_one},
    {&esp_resend, "POST", "/emails/batch", read_batch, answer_batch},
    {&esp_resend, "GET", "/emails/*", read_show, answer_show},
    {0},
};
