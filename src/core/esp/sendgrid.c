/* SendGrid v3, POST /v3/mail/send.
 *
 *   mapped    personalizations (each a mail of its own: to, cc, bcc, from, subject, headers,
 *             substitutions, send_at), from, reply_to, reply_to_list, subject, content, attachments
 *             (content_id or contentId), headers, send_at (any time ahead), sandbox_mode; the first
 *             category that is a stream's name chooses that stream
 *   kept      custom_args, as metadata in events
 *   ignored   other categories, batch_id, asm, ip_pool_name, tracking_settings, the other
 *             mail_settings (footer, bcc, spam_check): SendGrid shows none of them in the mail
 *   passed on template_id with dynamic_template_data or substitutions, where all accounts of the
 *             application are SendGrid's own API; else refused: 400, field template_id
 *
 * What is stricter than the real service: addresses are checked at once.
 *
 * Reference  SendGrid v3 API reference, "Mail Send" and its "Errors" page. */
#include "core/esp/metadata.h"

#include "base/macros.h"

#include <stdio.h>

#define PERSONALIZATIONS_MAX 1000
#define RECIPIENTS_MAX       1000 /* of all personalizations together */
#define CATEGORIES_MAX       10

/* -- Answers ------------------------------------------------------------------------------------
 */

static const char *message_of(const struct esp_refusal *why)
{
    if (why->fault == ESP_NO_KEY)
        return "Permission denied, wrong credentials";
    if (why->fault == ESP_BAD_KEY)
        return "The provided authorization grant is invalid, expired, or revoked";
    if (why->fault == ESP_BAD_BODY)
        return "Bad Request";
    if (why->fault == ESP_RATE)
        return "too many requests";
    if (why->fault == ESP_BAD_METHOD)
        return "method not allowed";
    return why->message;
}

static void refuse(const struct esp_ask *ask, const struct esp_refusal *why, struct esp_answer *ret)
{
    struct json_writer w;
    const char *field = why->fault == ESP_SENDER ? "from" : why->field;
    ret->status = esp_usual_status(why->fault);
    ret->content_type = "application/json";
    if (ret->status == 429) {
        esp_answer_header(ret, "X-RateLimit-Remaining", "0");
        esp_answer_header(ret, "X-RateLimit-Reset", "%lld", ask->now / TIME_SECOND_MS + 10);
    }
    jw_init(&w, &ret->body);
    jw_object(&w, NULL);
    jw_array(&w, "errors");
    jw_object(&w, NULL);
    jw_str(&w, "message", message_of(why));
    jw_str(&w, "field", field[0] ? field : NULL);
    jw_null(&w, "help");
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
}

static void answer(const struct esp_ask *ask, const struct esp_batch *batch, struct esp_answer *ret)
{
    char id[ID_TEXT_BYTES];
    ret->status = batch->does == ESP_PRETENDS ? 200 : 202;
    if (batch->does == ESP_PRETENDS)
        esp_answer_header(ret, "X-Message-Id", TEXT_FMT, TEXT_ARG(text_cut(ask->unique, 0, 22)));
    else
        esp_answer_header(ret, "X-Message-Id", "%s", id_text(esp_mail_id(&batch->mails[0]), id));
}

/* -- Fields -------------------------------------------------------------------------------------
 */

static bool want_kind(struct esp_reading *r,
                      const struct json *v,
                      enum json_kind kind,
                      const char *field)
{
    static const char *const names[] = {
        [JSON_KIND_NULL] = "null",     [JSON_KIND_BOOL] = "boolean", [JSON_KIND_NUMBER] = "integer",
        [JSON_KIND_STRING] = "string", [JSON_KIND_ARRAY] = "array",  [JSON_KIND_OBJECT] = "object"};
    return json_kind(v) == kind ||
           esp_refuse(r, ESP_BAD_VALUE, field, "Invalid type. Expected: %s, given: %s.",
                      names[kind], names[json_kind(v)]);
}

/* Some clients quote names with commas, as SendGrid once wanted it: the quotes are no part of them.
 */
static struct text unquoted(struct esp_reading *r, struct text name)
{
    if (name.n < 2 || name.p[0] != '"' || name.p[name.n - 1] != '"')
        return name;
    char *out = arena_alloc(r->arena, name.n);
    size_t n = 0;
    for (size_t i = 1; out && i + 1 < name.n; i++) {
        i += name.p[i] == '\\' && i + 2 < name.n;
        out[n++] = name.p[i];
    }
    return (struct text){out ? out : "", n};
}

static bool read_mailbox(struct esp_reading *r,
                         const struct json *v,
                         const char *field,
                         struct mailbox *ret)
{
    char path[ESP_FIELD_BYTES];
    snprintf(path, sizeof path, "%s.email", field);
    if (!want_kind(r, v, JSON_KIND_OBJECT, field))
        return false;
    ret->address = text_trim(esp_string(v, "email"));
    ret->name = unquoted(r, esp_line(r, esp_string(v, "name")));
    if (ret->address.n == 0)
        return esp_refuse(r, ESP_MISSING, path, "The %s email parameter is required.",
                          strncmp(field, "from", 4) == 0 ? "from" : "to");
    return esp_is_address(ret->address) ||
           esp_refuse(r, ESP_BAD_ADDRESS, path, "Does not contain a valid address.");
}

/* An array of mailboxes; without the member there are none. */
static bool read_mailboxes(struct esp_reading *r,
                           const struct json *v,
                           const char *field,
                           struct api_addresses *ret)
{
    char path[ESP_FIELD_BYTES];
    struct mailbox m;
    if (!v || json_kind(v) == JSON_KIND_NULL)
        return true;
    if (!want_kind(r, v, JSON_KIND_ARRAY, field))
        return false;
    for (size_t i = 0; i < json_count(v); i++) {
        snprintf(path, sizeof path, "%.100s.%zu", field, i);
        if (!read_mailbox(r, json_element(v, i), path, &m))
            return false;
        if (!esp_add_mailbox(r, ret, m))
            return esp_no_memory(r);
    }
    return true;
}

static bool read_headers(struct esp_reading *r,
                         const struct json *v,
                         const char *field,
                         struct api_draft *d)
{
    struct text name;
    const struct json *value;
    if (!v || json_kind(v) == JSON_KIND_NULL)
        return true;
    if (!want_kind(r, v, JSON_KIND_OBJECT, field))
        return false;
    for (void *pos = NULL; json_next(v, &pos, &name, &value);) {
        char path[ESP_FIELD_BYTES];
        snprintf(path, sizeof path, "%.60s.%.*s", field, (int)(name.n < 60 ? name.n : 60), name.p);
        if (!want_kind(r, value, JSON_KIND_STRING, path))
            return false;
        switch (esp_header(r, d, name, json_string_text(value))) {
        case ESP_HEADER_TAKEN:
            break;
        case ESP_HEADER_RESERVED:
            return esp_refuse(r, ESP_BAD_VALUE, path, "The header is reserved.");
        case ESP_HEADER_BAD:
            return esp_refuse(r, ESP_BAD_VALUE, path,
                              "The header is not valid: its name, its length or their number.");
        }
    }
    return true;
}

static bool read_send_at(struct esp_reading *r,
                         const struct json *v,
                         const char *field,
                         struct api_draft *d)
{
    int64_t at;
    if (!v || json_kind(v) == JSON_KIND_NULL)
        return true;
    if (!json_int(v, &at) || at < 0 || at > INT64_C(100000000000))
        return esp_refuse(r, ESP_BAD_VALUE, field,
                          "The send_at parameter must be a valid UNIX "
                          "timestamp.");
    d->not_before = at * TIME_SECOND_MS;
    return true;
}

static bool read_content(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    char path[ESP_FIELD_BYTES];
    if (esp_filled(r->batch->doc, "template_id").p)
        return true; /* text and html are the template's */
    if (json_count(v) == 0 || json_kind(v) != JSON_KIND_ARRAY)
        return esp_refuse(
            r, ESP_MISSING, "content",
            "Unless a valid template_id is provided, the content parameter is required. There must "
            "be at least one defined content block. We typically suggest both text/plain and "
            "text/html blocks are included, but only one block is required.");
    for (size_t i = 0; i < json_count(v); i++) {
        const struct json *c = json_element(v, i);
        struct text type = esp_string(c, "type"), value = esp_string(c, "value");
        snprintf(path, sizeof path, "content.%zu.value", i);
        if (value.n == 0)
            return esp_refuse(r, ESP_MISSING, path,
                              "The content value must be a string at least one character in "
                              "length.");
        if (text_istarts(type, TEXT("text/plain")))
            d->text = esp_body(r, value);
        else if (text_istarts(type, TEXT("text/html")))
            d->html = esp_body(r, value);
        else if (type.n == 0)
            return esp_refuse(
                r, ESP_MISSING, "content.0.type",
                "The content type must be a string at least one character in length.");
        else if (!esp_attach(
                     r, d,
                     &(struct api_attachment){.content_type = type,
                                              .content = esp_body(r, value),
                                              .is_shape = text_istarts(type, TEXT("text/"))}))
            return esp_no_memory(r);
    }
    return d->text.p || d->html.p ||
           esp_refuse(r, ESP_MISSING, "content", "Want text/plain or text/html.");
}

static bool read_attachments(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    char path[ESP_FIELD_BYTES];
    if (!v || json_kind(v) == JSON_KIND_NULL)
        return true;
    if (!want_kind(r, v, JSON_KIND_ARRAY, "attachments"))
        return false;
    for (size_t i = 0; i < json_count(v); i++) {
        const struct json *a = json_element(v, i);
        struct text id = esp_filled(a, "content_id");
        struct api_attachment file = {
            .filename = esp_string(a, "filename"),
            .content_type = esp_string(a, "type"),
            .content = esp_base64(r, esp_string(a, "content")),
            .content_id = id.p ? id : esp_string(a, "contentId"),
            .is_inline = text_ieq(esp_string(a, "disposition"), TEXT("inline")),
        };
        snprintf(path, sizeof path, "attachments.%zu.content", i);
        if (!file.content.n)
            return esp_refuse(r, file.content.p ? ESP_MISSING : ESP_BAD_VALUE, path,
                              "The attachment content must be base64 encoded.");
        snprintf(path, sizeof path, "attachments.%zu.filename", i);
        if (!file.filename.n)
            return esp_refuse(r, ESP_MISSING, path,
                              "The attachment filename parameter is required.");
        if (!esp_attach(r, d, &file))
            return esp_refuse(r, ESP_TOO_MANY, "attachments", "At most %d attachments are taken.",
                              API_ATTACHMENTS_MAX);
    }
    return true;
}

/* -- Personalizations ---------------------------------------------------------------------------
 */

static bool check_unique(struct esp_reading *r, const struct api_draft *d, size_t index)
{
    static const char *const names[] = {"to", "cc", "bcc"};
    const struct api_addresses *all[] = {&d->to, &d->cc, &d->bcc};
    char field[ESP_FIELD_BYTES];
    snprintf(field, sizeof field, "personalizations.%zu", index);
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < all[k]->count; i++)
            for (size_t m = 0; m <= k; m++)
                for (size_t n = 0; n < (m < k ? all[m]->count : i); n++)
                    if (text_ieq(all[k]->list[i].address, all[m]->list[n].address))
                        return esp_refuse(
                            r, ESP_BAD_ADDRESS, field,
                            "Each email address in the personalization block should be unique "
                            "between to, cc, and bcc. We found the first duplicate instance of "
                            "[" TEXT_FMT "] in the personalizations.%zu.%s field.",
                            TEXT_ARG(all[k]->list[i].address), index, names[k]);
    return true;
}

static bool read_recipients(struct esp_reading *r,
                            const struct json *p,
                            size_t index,
                            struct api_draft *d)
{
    static const char *const names[] = {"to", "cc", "bcc"};
    struct api_addresses *all[] = {&d->to, &d->cc, &d->bcc};
    char field[ESP_FIELD_BYTES];
    for (size_t k = 0; k < 3; k++) {
        snprintf(field, sizeof field, "personalizations.%zu.%s", index, names[k]);
        if (!read_mailboxes(r, json_member(p, names[k]), field, all[k]))
            return false;
        if (k == 0 && d->to.count == 0)
            return esp_refuse(r, ESP_MISSING, field,
                              "The to array is required for all personalization objects, and must "
                              "have at least one email object with a valid email address.");
    }
    if (d->to.count + d->cc.count + d->bcc.count > r->ask->recipients_max) {
        snprintf(field, sizeof field, "personalizations.%zu", index);
        return esp_refuse(r, ESP_TOO_MANY, field, "At most %zu recipients are taken.",
                          r->ask->recipients_max);
    }
    return check_unique(r, d, index);
}

static bool substitute(struct esp_reading *r, const struct json *p, struct api_draft *d)
{
    struct esp_pair *pairs;
    size_t count;
    if (!esp_pairs(r, json_member(p, "substitutions"), "", "", &pairs, &count))
        return false;
    d->subject = esp_line(r, esp_substitute(r, d->subject, pairs, count));
    d->text = esp_substitute(r, d->text, pairs, count);
    d->html = esp_substitute(r, d->html, pairs, count);
    return true;
}

static bool read_template(struct esp_reading *r, const struct json *p, struct api_draft *d)
{
    const struct esp_member members[] = {
        {.of = r->batch->doc, .name = "template_id"},
        {.of = p, .name = "dynamic_template_data"},
        {.of = p, .name = "substitutions"},
    };
    return esp_template(r, members, TIDE_COUNT(members), "template_id",
                        "The template_id must be a valid template ID; templates stored at "
                        "SendGrid are not known here.",
                        d);
}

/* `common` is what stands outside; it has been read. */
static bool read_personalization(struct esp_reading *r,
                                 const struct json *p,
                                 size_t index,
                                 const struct api_draft *common,
                                 struct api_draft *d)
{
    char field[ESP_FIELD_BYTES];
    snprintf(field, sizeof field, "personalizations.%zu", index);
    if (!want_kind(r, p, JSON_KIND_OBJECT, field))
        return false;
    *d = *common;
    d->headers = NULL;
    d->header_count = 0;
    struct text subject = esp_filled(p, "subject");
    if (subject.p)
        d->subject = esp_line(r, subject);
    if (esp_filled(r->batch->doc, "template_id").p && !read_template(r, p, d))
        return false;
    if (!d->subject.n && !d->template.p)
        return esp_refuse(r, ESP_MISSING, "subject",
                          "The subject is required. You can get around this requirement if you use "
                          "a template with a subject defined or if every personalization has a "
                          "subject defined.");
    for (size_t i = 0; i < common->header_count; i++)
        if (esp_header(r, d, common->headers[i].name, common->headers[i].value) != ESP_HEADER_TAKEN)
            return esp_no_memory(r);
    snprintf(field, sizeof field, "personalizations.%zu.headers", index);
    if (!read_headers(r, json_member(p, "headers"), field, d))
        return false;
    snprintf(field, sizeof field, "personalizations.%zu.send_at", index);
    if (!read_send_at(r, json_member(p, "send_at"), field, d))
        return false;
    snprintf(field, sizeof field, "personalizations.%zu.from", index);
    const struct json *from = json_member(p, "from");
    if (from && !read_mailbox(r, from, field, &d->from))
        return false;
    esp_metadata(r, json_member(p, "custom_args"), d);
    esp_metadata(r, json_member(r->batch->doc, "custom_args"), d);
    return read_recipients(r, p, index, d) && (d->template.p || substitute(r, p, d));
}

/* -- The request --------------------------------------------------------------------------------
 */

static bool read_reply_to(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    struct mailbox m;
    const struct json *one = json_member(v, "reply_to");
    if (!one || json_kind(one) == JSON_KIND_NULL)
        return read_mailboxes(r, json_member(v, "reply_to_list"), "reply_to_list", &d->reply_to);
    if (!read_mailbox(r, one, "reply_to", &m))
        return false;
    return esp_add_mailbox(r, &d->reply_to, m) || esp_no_memory(r);
}

static bool read_categories(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    if (json_kind(v) == JSON_KIND_STRING) {
        esp_choose_stream(r, d, json_string_text(v));
        return true;
    }
    if (json_count(v) > CATEGORIES_MAX)
        return esp_refuse(r, ESP_TOO_MANY, "categories", "The category count cannot exceed %d.",
                          CATEGORIES_MAX);
    for (size_t i = 0; i < json_count(v); i++)
        esp_choose_stream(r, d, json_string_text(json_element(v, i)));
    return true;
}

static bool read_common(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    const struct json *from = json_member(v, "from");
    if (!from)
        return esp_refuse(
            r, ESP_MISSING, "from.email",
            "The from object must be provided for every email send. It is an object that requires "
            "the email parameter, but may also contain a name parameter.  e.g. {\"email\" : "
            "\"example@example.com\"}  or {\"email\" : \"example@example.com\", \"name\" : "
            "\"Example Recipient\"}.");
    d->subject = esp_line(r, esp_string(v, "subject"));
    return read_mailbox(r, from, "from", &d->from) && read_reply_to(r, v, d) &&
           read_content(r, json_member(v, "content"), d) &&
           read_attachments(r, json_member(v, "attachments"), d) &&
           read_headers(r, json_member(v, "headers"), "headers", d) &&
           read_categories(r, json_member(v, "categories"), d) &&
           read_send_at(r, json_member(v, "send_at"), "send_at", d);
}

static bool is_sandboxed(const struct json *v)
{
    bool on = false;
    const struct json *mode = json_member(json_member(v, "mail_settings"), "sandbox_mode");
    return json_bool(json_member(mode, "enable"), &on) && on;
}

static bool read(struct esp_reading *r)
{
    struct api_draft common = {0};
    if (!esp_json(r))
        return false;
    const struct json *list = json_member(r->batch->doc, "personalizations");
    size_t count = json_kind(list) == JSON_KIND_ARRAY ? json_count(list) : 0;
    if (json_kind(r->batch->doc) != JSON_KIND_OBJECT)
        return esp_refuse(r, ESP_BAD_BODY, "", "Bad Request");
    if (count == 0)
        return esp_refuse(r, ESP_MISSING, "personalizations",
                          "The personalizations field is required and must have at least one "
                          "personalization.");
    if (count > PERSONALIZATIONS_MAX)
        return esp_refuse(r, ESP_TOO_MANY, "personalizations",
                          "The personalizations field cannot have more than %d personalizations.",
                          PERSONALIZATIONS_MAX);
    if (!read_common(r, r->batch->doc, &common) || !esp_mails(r, count))
        return false;
    size_t recipients = 0;
    for (size_t i = 0; i < count; i++) {
        struct api_draft *d = &r->batch->mails[i].draft;
        if (!read_personalization(r, json_element(list, i), i, &common, d))
            return false;
        recipients += d->to.count + d->cc.count + d->bcc.count;
        if (recipients > RECIPIENTS_MAX)
            return esp_refuse(r, ESP_TOO_MANY, "personalizations",
                              "The total number of recipients cannot be more than %d.",
                              RECIPIENTS_MAX);
    }
    r->batch->does = is_sandboxed(r->batch->doc) ? ESP_PRETENDS : ESP_SENDS;
    return true;
}

const struct esp esp_sendgrid = {.name = "sendgrid", .auth = ESP_AUTH_BEARER, .refuse = refuse};

const struct esp_call esp_sendgrid_calls[] = {
    {&esp_sendgrid, "POST", "/v3/mail/send", read, answer},
    {0},
};
