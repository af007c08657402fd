/* Mailgun, POST /v3/{domain}/messages and /v3/{domain}/messages.mime.
 *
 *   mapped    from, to, cc, bcc, subject, text, html, amp-html, h:* (Reply-To and Message-Id too),
 *             attachment, inline, recipient-variables (each "to" a mail of its own,
 *             %recipient.KEY%, %recipient%, %recipient_email%, %recipient_name% replaced in
 *             subject, text, html and h:*), o:deliverytime (RFC 2822 or seconds since 1970),
 *             o:testmode; the first o:tag that is a stream's name chooses that stream;
 *             messages.mime: to, message
 *   kept      v:*, as metadata in events
 *   ignored   other tags, the other o:* (dkim, tracking, require-tls, ...), h:* beside a
 *             whole message
 *   passed on template with t:* and h:X-Mailgun-Variables, where all accounts of the application
 *             are Mailgun's own API; else refused: 400
 *   refused   recipient-variables beside a whole message: 400
 *
 * Field names of PHP ("to[0]") are taken as without the index. The id in the answer is the mails'
 * Message-ID.
 *
 * Reference  Mailgun API reference, "Messages". */
#include "core/esp/metadata.h"

#include "core/digest/message.h"
#include "core/proto/form.h"

#include <stdio.h>

#define RECIPIENTS_MAX 1000

static const char invalid[] = "parameter is not a valid address. please check documentation";

/* -- Answers ------------------------------------------------------------------------------------
 */

static void refuse(const struct esp_ask *ask, const struct esp_refusal *why, struct esp_answer *ret)
{
    struct json_writer w;
    (void)ask;
    ret->status = esp_usual_status(why->fault);
    if (ret->status == 401) {
        ret->content_type = "text/plain; charset=utf-8";
        esp_answer_header(ret, "WWW-Authenticate", "Basic realm=\"MG API\"");
        buf_adds(&ret->body, "Forbidden");
        return;
    }
    ret->content_type = "application/json";
    jw_init(&w, &ret->body);
    jw_object(&w, NULL);
    jw_str(&w, "message", why->fault == ESP_BAD_METHOD ? "Method not allowed" : why->message);
    jw_end(&w);
}

static void answer(const struct esp_ask *ask, const struct esp_batch *batch, struct esp_answer *ret)
{
    struct json_writer w;
    (void)ask;
    ret->status = 200;
    ret->content_type = "application/json";
    jw_init(&w, &ret->body);
    jw_object(&w, NULL);
    jw_text(&w, "id", batch->message_id);
    jw_str(&w, "message", "Queued. Thank you.");
    jw_end(&w);
}

/* -- Fields -------------------------------------------------------------------------------------
 */

#define TEMPLATE_FIELDS_MAX 16

/* What all mails of the request have in common, and whom they are for. */
struct letter {
    struct api_draft draft;                          /* `to` holds all */
    struct text variables;                           /* recipient-variables */
    struct text mime;                                /* of messages.mime */
    struct esp_member template[TEMPLATE_FIELDS_MAX]; /* template, t:*, h:X-Mailgun-Variables */
    size_t template_count;
    bool has_template;
};

/* "to[0]" is "to". */
static struct text plain_name(struct text name)
{
    return name.n > 0 && name.p[name.n - 1] == ']' ? text_cut(name, 0, text_find(name, '[')) : name;
}

static bool read_list(struct esp_reading *r,
                      const char *name,
                      struct text value,
                      struct api_addresses *ret)
{
    struct text bad;
    if (text_trim(value).n == 0)
        return true;
    if (!esp_mailboxes(r, value, ret, &bad))
        return esp_refuse(r, ESP_BAD_ADDRESS, name, "%s %s", name, invalid);
    return ret->count <= RECIPIENTS_MAX ||
           esp_refuse(r, ESP_TOO_MANY, name, "%s parameter has more than %d addresses", name,
                      RECIPIENTS_MAX);
}

static bool read_from(struct esp_reading *r, struct text value, struct api_draft *d)
{
    struct api_addresses list = {0};
    struct text bad;
    if (!esp_mailboxes(r, value, &list, &bad) || list.count != 1)
        return esp_refuse(r, ESP_BAD_ADDRESS, "from", "from %s", invalid);
    d->from = list.list[0];
    return true;
}

static bool read_time(struct esp_reading *r, struct text value, struct api_draft *d)
{
    int64_t seconds;
    if (text_int(value, 0, INT64_C(100000000000), &seconds, NULL) == TIDE_OK) {
        d->not_before = seconds * TIME_SECOND_MS;
        return true;
    }
    return time_parse_rfc5322(value, &d->not_before, NULL) == TIDE_OK ||
           esp_refuse(r, ESP_BAD_VALUE, "o:deliverytime",
                      "o:deliverytime parameter is not a valid RFC 2822 date");
}

static bool read_file(struct esp_reading *r, const struct form_field *f, struct api_draft *d)
{
    bool is_inline = text_eq(plain_name(f->name), TEXT("inline"));
    struct api_attachment file = {
        .filename = f->filename.p ? f->filename : TEXT(""),
        .content_type = f->content_type,
        .content = f->value,
        .content_id = is_inline ? f->filename : (struct text){NULL, 0},
        .is_inline = is_inline,
    };
    return esp_attach(r, d, &file) ||
           esp_refuse(r, ESP_TOO_MANY, "attachment", "at most %d attachments are taken",
                      API_ATTACHMENTS_MAX);
}

static bool is_yes(struct text t)
{
    return text_ieq(t, TEXT("yes")) || text_ieq(t, TEXT("true"));
}

static bool read_option(struct esp_reading *r,
                        struct text name,
                        struct text value,
                        struct letter *l)
{
    if (text_ieq(name, TEXT("o:tag")))
        esp_choose_stream(r, &l->draft, value);
    else if (text_ieq(name, TEXT("o:testmode")) && is_yes(value))
        r->batch->does = ESP_PRETENDS;
    else if (text_ieq(name, TEXT("o:deliverytime")) && value.n > 0)
        return read_time(r, value, &l->draft);
    return true;
}

static bool keep_field(struct esp_reading *r, struct text name, struct text value, struct letter *l)
{
    char *own = arena_strndup(r->arena, name.p, name.n);
    if (!own)
        return esp_no_memory(r);
    for (size_t i = 0; i < name.n; i++) /* it becomes a field's name again */
        if (!ascii_is_alnum(name.p[i]) && !strchr(":-_", name.p[i] ? name.p[i] : '"'))
            return esp_refuse(r, ESP_BAD_VALUE, "", "a parameter's name is not valid");
    if (l->template_count == TEMPLATE_FIELDS_MAX)
        return esp_refuse(r, ESP_TOO_MANY, "template", "more than %d parameters of a template",
                          TEMPLATE_FIELDS_MAX);
    l->has_template |= text_eq(name, TEXT("template"));
    l->template[l->template_count++] = (struct esp_member){.name = own, .value = value};
    return true;
}

/* The template with its parameters, in which the recipient's variables are replaced. */
static bool take_template(struct esp_reading *r,
                          const struct letter *l,
                          const struct esp_pair *pairs,
                          size_t count,
                          struct api_draft *d)
{
    struct esp_member own[TEMPLATE_FIELDS_MAX];
    for (size_t i = 0; i < l->template_count; i++) {
        own[i] = l->template[i];
        own[i].value = esp_substitute(r, own[i].value, pairs, count);
    }
    d->text = d->html = (struct text){NULL, 0};
    return esp_template(r, own, l->template_count, "template",
                        "template parameter: templates stored at Mailgun are not known here", d);
}

static bool read_field(struct esp_reading *r, const struct form_field *f, struct letter *l)
{
    struct text name = plain_name(f->name);
    struct api_draft *d = &l->draft;
    if (text_eq(name, TEXT("attachment")) || text_eq(name, TEXT("inline")))
        return read_file(r, f, d);
    if (text_eq(name, TEXT("message"))) {
        l->mime = f->value;
        return true;
    }
    if (!text_is_utf8(f->value))
        return esp_refuse(r, ESP_BAD_VALUE, "", TEXT_FMT " parameter is not UTF-8",
                          TEXT_ARG(text_cut(name, 0, 60)));
    if (text_eq(name, TEXT("from")))
        return read_from(r, f->value, d);
    if (text_eq(name, TEXT("to")))
        return read_list(r, "to", f->value, &d->to);
    if (text_eq(name, TEXT("cc")))
        return read_list(r, "cc", f->value, &d->cc);
    if (text_eq(name, TEXT("bcc")))
        return read_list(r, "bcc", f->value, &d->bcc);
    if (text_eq(name, TEXT("subject")))
        d->subject = esp_line(r, f->value);
    else if (text_eq(name, TEXT("text")))
        d->text = esp_body(r, f->value);
    else if (text_eq(name, TEXT("html")) && f->value.n > 0)
        d->html = esp_body(r, f->value);
    else if (text_eq(name, TEXT("amp-html")) && f->value.n > 0)
        return esp_attach(r, d,
                          &(struct api_attachment){.content_type = TEXT("text/x-amp-html"),
                                                   .content = esp_body(r, f->value),
                                                   .is_shape = true}) ||
               esp_no_memory(r);
    else if (text_eq(name, TEXT("recipient-variables")))
        l->variables = text_trim(f->value);
    else if ((text_eq(name, TEXT("template")) && f->value.n > 0) ||
             text_istarts(name, TEXT("t:")) || text_ieq(name, TEXT("h:X-Mailgun-Variables")))
        return keep_field(r, name, f->value, l);
    else if (text_istarts(name, TEXT("v:")))
        esp_metadata_text(r, text_cut(name, 2, SIZE_MAX), f->value, d);
    else if (text_istarts(name, TEXT("o:")))
        return read_option(r, name, f->value, l);
    else if (text_istarts(name, TEXT("h:")) && f->value.n > 0 &&
             esp_header(r, d, text_cut(name, 2, SIZE_MAX), f->value) == ESP_HEADER_BAD)
        return esp_refuse(r, ESP_BAD_VALUE, "", TEXT_FMT " parameter is not a valid header",
                          TEXT_ARG(text_cut(name, 0, 60)));
    return true;
}

static bool read_form(struct esp_reading *r, struct letter *l)
{
    struct form form;
    struct tide_error err = {0};
    enum tide_err rc = form_parse(r->ask->content_type, r->ask->body, r->arena, &form, &err);
    if (rc == TIDE_ENOMEM)
        return esp_no_memory(r);
    if (rc != TIDE_OK)
        return esp_refuse(r, ESP_BAD_BODY, "", "%s", err.text);
    struct text domain = r->ask->wild[0];
    const char *anyone = arena_printf(r->arena, "a@" TEXT_FMT, TEXT_ARG(domain));
    if (!anyone || !text_is_ascii(domain) || !esp_is_address(text_of(anyone)))
        return esp_refuse(r, ESP_NOT_FOUND, "", "Domain not found: " TEXT_FMT,
                          TEXT_ARG(text_cut(domain, 0, 200)));
    for (size_t i = 0; i < form.count; i++)
        if (!read_field(r, &form.fields[i], l))
            return false;
    if (l->draft.to.count == 0)
        return esp_refuse(r, ESP_MISSING, "to", "to parameter is missing");
    size_t count = l->draft.to.count + l->draft.cc.count + l->draft.bcc.count;
    return count <= r->ask->recipients_max ||
           esp_refuse(r, ESP_TOO_MANY, "to", "more than %zu recipients", r->ask->recipients_max);
}

/* "<UNIQUE@DOMAIN>" */
static struct text new_id(struct esp_reading *r)
{
    const char *id = arena_printf(r->arena, "<" TEXT_FMT "@" TEXT_FMT ">", TEXT_ARG(r->ask->unique),
                                  TEXT_ARG(r->ask->wild[0]));
    return text_of(id ? id : "");
}

/* -- Fields as a message ------------------------------------------------------------------------
 */

/* The Message-ID of all mails: h:Message-Id, else a new one. */
static bool take_id(struct esp_reading *r, struct api_draft *d)
{
    for (size_t i = 0; i < d->header_count; i++)
        if (text_ieq(d->headers[i].name, TEXT("Message-ID")))
            r->batch->message_id = d->headers[i].value;
    if (r->batch->message_id.n > 0)
        return true;
    r->batch->message_id = new_id(r);
    return esp_header(r, d, TEXT("Message-ID"), r->batch->message_id) == ESP_HEADER_TAKEN ||
           esp_refuse(r, ESP_BAD_VALUE, "", "too many headers");
}

static bool personal_pairs(struct esp_reading *r,
                           const struct json *variables,
                           const struct mailbox *to,
                           struct esp_pair **ret,
                           size_t *ret_count)
{
    static const char *const names[] = {"%recipient%", "%recipient_email%", "%recipient_name%"};
    const char *address = arena_strndup(r->arena, to->address.p, to->address.n);
    struct esp_pair *own, *all;
    size_t count;
    if (!address ||
        !esp_pairs(r, json_member(variables, address), "%recipient.", "%", &own, &count))
        return esp_no_memory(r);
    all = arena_array(r->arena, count + 3, sizeof *all);
    if (!all)
        return esp_no_memory(r);
    memcpy(all, own, count * sizeof *all);
    for (size_t i = 0; i < 3; i++)
        all[count + i] = (struct esp_pair){text_of(names[i]), i == 2 ? to->name : to->address};
    *ret = all;
    *ret_count = count + 3;
    return true;
}

/* One mail for one of the recipients, with its variables. */
static bool personalise(struct esp_reading *r,
                        const struct json *variables,
                        const struct letter *l,
                        struct mailbox *to,
                        struct api_draft *d)
{
    struct esp_pair *pairs = NULL;
    size_t count = 0;
    *d = l->draft;
    d->to = (struct api_addresses){to, 1};
    if (!personal_pairs(r, variables, to, &pairs, &count))
        return false;
    d->subject = esp_line(r, esp_substitute(r, d->subject, pairs, count));
    d->text = esp_substitute(r, d->text, pairs, count);
    d->html = esp_substitute(r, d->html, pairs, count);
    d->headers = NULL;
    d->header_count = 0;
    for (size_t i = 0; i < l->draft.header_count; i++) {
        const struct api_header *h = &l->draft.headers[i];
        if (esp_header(r, d, h->name, esp_substitute(r, h->value, pairs, count)) == ESP_HEADER_BAD)
            return esp_refuse(r, ESP_BAD_VALUE, "",
                              "h:" TEXT_FMT " parameter is not a valid header",
                              TEXT_ARG(text_cut(h->name, 0, 60)));
    }
    return !l->has_template || take_template(r, l, pairs, count, d);
}

static bool read_messages(struct esp_reading *r)
{
    struct letter l = {.draft.subject = TEXT("")};
    struct tide_error err = {0};
    if (!read_form(r, &l))
        return false;
    if (!l.draft.from.address.p)
        return esp_refuse(r, ESP_MISSING, "from", "from parameter is missing");
    if (!l.draft.text.p && !l.draft.html.p && !l.has_template)
        return esp_refuse(r, ESP_MISSING, "text",
                          "Need at least one of 'text' or 'html' parameters specified");
    if (l.variables.n > 0 && (json_parse(l.variables, SIZE_MAX, &r->batch->doc, &err) != TIDE_OK ||
                              json_kind(r->batch->doc) != JSON_KIND_OBJECT))
        return esp_refuse(r, ESP_BAD_VALUE, "recipient-variables",
                          "recipient-variables parameter is not a valid JSON object");
    if (!take_id(r, &l.draft))
        return false;
    if (json_count(r->batch->doc) == 0) {
        if (!esp_mails(r, 1))
            return false;
        r->batch->mails[0].draft = l.draft;
        return !l.has_template || take_template(r, &l, NULL, 0, &r->batch->mails[0].draft);
    }
    if (!esp_mails(r, l.draft.to.count))
        return false;
    for (size_t i = 0; i < r->batch->count; i++)
        if (!personalise(r, r->batch->doc, &l, &l.draft.to.list[i], &r->batch->mails[i].draft))
            return false;
    return true;
}

/* -- A whole message ----------------------------------------------------------------------------
 */

static const struct esp_message_rules mime_rules = {"X-Mailgun-*", "X-Mailgun-Tag"};

static bool read_mime(struct esp_reading *r)
{
    struct letter l = {0};
    if (!read_form(r, &l))
        return false;
    if (l.mime.n == 0)
        return esp_refuse(r, ESP_MISSING, "message", "message parameter is missing");
    if (l.variables.n > 0 && !text_eq(l.variables, TEXT("{}")))
        return esp_refuse(r, ESP_BAD_VALUE, "recipient-variables",
                          "recipient-variables parameter is not taken with a whole message");
    struct api_draft d = {.to = l.draft.to, .cc = l.draft.cc, .bcc = l.draft.bcc};
    if (!esp_message(r, l.mime, &mime_rules, new_id(r), &d, &r->batch->message_id))
        return esp_refuse(r, ESP_BAD_VALUE, "message", "message parameter is not a valid message");
    if (!d.from.address.p)
        return esp_refuse(r, ESP_MISSING, "from", "from parameter is missing");
    if (l.draft.stream.n > 0)
        d.stream = l.draft.stream;
    d.not_before = l.draft.not_before;
    d.metadata = l.draft.metadata;
    if (!esp_mails(r, 1))
        return false;
    r->batch->mails[0].draft = d;
    return true;
}

const struct esp esp_mailgun = {.name = "mailgun", .auth = ESP_AUTH_BASIC, .refuse = refuse};

const struct esp_call esp_mailgun_calls[] = {
    {&esp_mailgun, "POST", "/v3/*/messages", read_messages, answer},
    {&esp_mailgun, "POST", "/v3/*/messages.mime", read_mime, answer},
    {0},
};
