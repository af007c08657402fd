/* Postmark, POST /email, /email/batch and the calls with templates.
 *
 *   mapped    From, To, Cc, Bcc, ReplyTo, Subject, TextBody, HtmlBody, Headers, Attachments
 *             (ContentID shows it inline); MessageStream, else Tag, chooses the stream of that name
 *   kept      Metadata, as metadata in events
 *   ignored   other streams and tags, TrackOpens, TrackLinks, InlineCss: Postmark shows none of
 *             them in the mail
 *   passed on TemplateId or TemplateAlias with TemplateModel, where all accounts of the
 *             application are Postmark's own API; else refused: 422, 1101
 *
 * A recipient that mailtide knows to be dead is Postmark's inactive one: 406 when there is no
 * other, else a word about it in the answer.
 *
 * Reference  Postmark developer documentation, "Email API" and "API error codes". */
#include "core/esp/metadata.h"

#include "base/macros.h"

#include <stdio.h>

#define RECIPIENTS_MAX 50
#define BATCH_MAX      500

enum code {
    CODE_BAD_KEY = 10,
    CODE_BUSY = 100, /* "Maintenance" */
    CODE_BAD_MAIL = 300,
    CODE_SENDER = 400,
    CODE_BAD_JSON = 402,
    CODE_BAD_SHAPE = 403,
    CODE_RATE = 429,
    CODE_INACTIVE = 406,
    CODE_BATCH = 410,
    CODE_TEMPLATE = 1101,
};

/* -- Answers ------------------------------------------------------------------------------------
 */

struct shape {
    unsigned status;
    enum code code;
};

static struct shape shape_of(enum esp_fault fault)
{
    switch (fault) {
    case ESP_NO_KEY:
    case ESP_BAD_KEY:
    case ESP_BAD_SIGNATURE:
    case ESP_STALE:
        return (struct shape){401, CODE_BAD_KEY};
    case ESP_BAD_BODY:
        return (struct shape){422, CODE_BAD_JSON};
    case ESP_SENDER:
        return (struct shape){422, CODE_SENDER};
    case ESP_TEMPLATE:
        return (struct shape){422, CODE_TEMPLATE};
    case ESP_TOO_MANY:
        return (struct shape){422, CODE_BATCH};
    case ESP_TOO_LARGE:
        return (struct shape){413, CODE_BAD_MAIL};
    case ESP_RATE:
        return (struct shape){429, CODE_RATE};
    case ESP_BUSY:
        return (struct shape){503, CODE_BUSY};
    case ESP_NOT_FOUND:
    case ESP_NOT_HERE:
        return (struct shape){404, CODE_BAD_MAIL};
    case ESP_BAD_METHOD:
        return (struct shape){405, CODE_BAD_MAIL};
    case ESP_FINE:
    case ESP_MISSING:
    case ESP_BAD_VALUE:
    case ESP_BAD_ADDRESS:
    case ESP_KEY_USED:
    case ESP_TOO_LATE:
        break;
    }
    return (struct shape){422, CODE_BAD_MAIL};
}

static const char *message_of(const struct esp_refusal *why)
{
    if (why->fault == ESP_NO_KEY)
        return "No Account or Server API tokens were supplied in the HTTP headers. Please add a "
               "header for either X-Postmark-Server-Token or X-Postmark-Account-Token.";
    if (why->fault == ESP_BAD_KEY)
        return "The Server Token you provided in the X-Postmark-Server-Token request header was "
               "invalid. Please verify that you are using a valid token.";
    if (why->fault == ESP_BAD_BODY)
        return "The JSON input you are trying to use for this request is invalid.";
    if (why->fault == ESP_BAD_METHOD)
        return "This path does not know the method.";
    return why->message;
}

static void write_error(struct json_writer *w, const struct esp_refusal *why)
{
    jw_object(w, NULL);
    jw_int(w, "ErrorCode", shape_of(why->fault).code);
    jw_str(w, "Message", message_of(why));
    jw_end(w);
}

static void refuse(const struct esp_ask *ask, const struct esp_refusal *why, struct esp_answer *ret)
{
    struct json_writer w;
    (void)ask;
    ret->status = shape_of(why->fault).status;
    ret->content_type = "application/json";
    jw_init(&w, &ret->body);
    write_error(&w, why);
}

/* "a@b.example, c@d.example": those that will get nothing. */
static size_t list_inactive(const struct esp_mail *m, struct buf *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < m->result_count; i++) {
        if (m->results[i].state != NOTIFICATION_REFUSED)
            continue;
        buf_adds(ret, count++ > 0 ? ", " : "");
        buf_add_text(ret, m->results[i].address);
    }
    return count;
}

static void write_to(struct json_writer *w, const struct api_addresses *to)
{
    struct buf b = {0};
    for (size_t i = 0; i < to->count; i++) {
        buf_adds(&b, i > 0 ? ", " : "");
        buf_add_text(&b, to->list[i].address);
    }
    jw_text(w, "To", buf_text(&b));
    buf_fini(&b);
}

/* Returns the status that the mail would have on its own. */
static unsigned write_mail(struct json_writer *w,
                           const struct esp_ask *ask,
                           const struct esp_mail *m)
{
    char id[ESP_UUID_BYTES], at[TIME_TEXT_BYTES];
    struct buf dead = {0}, text = {0};
    size_t inactive = list_inactive(m, &dead);
    bool none = inactive > 0 && inactive == m->result_count;
    if (none)
        buf_addf(&text,
                 "You tried to send to recipient(s) that have been marked as inactive. Found "
                 "inactive addresses: " TEXT_FMT ". Inactive recipients are ones that have "
                 "generated a hard bounce, a spam complaint, or a manual suppression.",
                 TEXT_ARG(buf_text(&dead)));
    else if (inactive > 0)
        buf_addf(&text,
                 "Message OK, but will not deliver to these inactive addresses: " TEXT_FMT ".",
                 TEXT_ARG(buf_text(&dead)));
    jw_object(w, NULL);
    if (!none) {
        /* seven digits of a second, as .NET writes them */
        time_rfc3339(ask->now, 0, at);
        snprintf(at + 23, sizeof at - 23, "0000+00:00");
        write_to(w, &m->draft.to);
        jw_str(w, "SubmittedAt", at);
        jw_str(w, "MessageID", esp_uuid(esp_mail_id(m), id));
    }
    jw_int(w, "ErrorCode", none ? CODE_INACTIVE : 0);
    jw_text(w, "Message", text.len > 0 ? buf_text(&text) : TEXT("OK"));
    jw_end(w);
    buf_fini(&dead);
    buf_fini(&text);
    return none ? 422 : 200;
}

static void answer_one(const struct esp_ask *ask,
                       const struct esp_batch *batch,
                       struct esp_answer *ret)
{
    struct json_writer w;
    jw_init(&w, &ret->body);
    ret->content_type = "application/json";
    ret->status = write_mail(&w, ask, &batch->mails[0]);
}

static void answer_batch(const struct esp_ask *ask,
                         const struct esp_batch *batch,
                         struct esp_answer *ret)
{
    struct json_writer w;
    jw_init(&w, &ret->body);
    ret->content_type = "application/json";
    ret->status = 200;
    jw_array(&w, NULL);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->mails[i].refusal)
            write_error(&w, batch->mails[i].refusal);
        else
            write_mail(&w, ask, &batch->mails[i]);
    }
    jw_end(&w);
}

/* -- One mail -----------------------------------------------------------------------------------
 */

static bool read_list(struct esp_reading *r,
                      const struct json *v,
                      const char *name,
                      struct api_addresses *ret)
{
    struct text bad, list = text_trim(esp_string(v, name));
    if (list.n == 0)
        return true;
    if (esp_mailboxes(r, list, ret, &bad))
        return true;
    return esp_refuse(r, ESP_BAD_ADDRESS, name, "Invalid '%s' address: '" TEXT_FMT "'.", name,
                      TEXT_ARG(text_cut(bad, 0, 200)));
}

static bool read_addresses(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    struct api_addresses from = {0};
    if (!esp_filled(v, "From").p)
        return esp_refuse(r, ESP_MISSING, "From", "Invalid 'From' value.");
    if (!read_list(r, v, "From", &from) || !read_list(r, v, "To", &d->to) ||
        !read_list(r, v, "Cc", &d->cc) || !read_list(r, v, "Bcc", &d->bcc) ||
        !read_list(r, v, "ReplyTo", &d->reply_to))
        return false;
    if (from.count != 1)
        return esp_refuse(r, ESP_BAD_ADDRESS, "From", "Invalid 'From' value: want one address.");
    d->from = from.list[0];
    size_t count = d->to.count + d->cc.count + d->bcc.count;
    if (count == 0)
        return esp_refuse(r, ESP_MISSING, "To", "Zero recipients specified");
    if (count > RECIPIENTS_MAX || count > r->ask->recipients_max)
        return esp_refuse(r, ESP_BAD_VALUE, "To",
                          "Too many recipients: %zu. You may have at most %d recipients.", count,
                          RECIPIENTS_MAX);
    return true;
}

static bool read_headers(struct esp_reading *r, const struct json *list, struct api_draft *d)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *h = json_element(list, i);
        struct text name = esp_string(h, "Name");
        if (esp_header(r, d, name, esp_string(h, "Value")) == ESP_HEADER_BAD)
            return esp_refuse(r, ESP_BAD_VALUE, "Headers",
                              "Invalid header '" TEXT_FMT
                              "': its name, its length or their number.",
                              TEXT_ARG(text_cut(name, 0, 60)));
    }
    return true;
}

static bool read_attachments(struct esp_reading *r, const struct json *list, struct api_draft *d)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *a = json_element(list, i);
        struct text id = esp_string(a, "ContentID"), name = esp_string(a, "Name");
        struct api_attachment file = {
            .filename = name,
            .content_type = esp_string(a, "ContentType"),
            .content = esp_base64(r, esp_string(a, "Content")),
            .content_id = id,
            .is_inline = id.n > 0,
        };
        if (!file.content.p || !name.n)
            return esp_refuse(r, ESP_BAD_VALUE, "Attachments",
                              "Invalid attachment '" TEXT_FMT "': want a Name and Content in "
                              "base64.",
                              TEXT_ARG(text_cut(name, 0, 100)));
        if (!esp_attach(r, d, &file))
            return esp_refuse(r, ESP_BAD_VALUE, "Attachments", "At most %d attachments are taken.",
                              API_ATTACHMENTS_MAX);
    }
    return true;
}

static bool read_template(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    const struct esp_member members[] = {
        {.of = v, .name = "TemplateId"},
        {.of = v, .name = "TemplateAlias"},
        {.of = v, .name = "TemplateModel"},
        {.of = v, .name = "InlineCss"},
    };
    return esp_template(r, members, TIDE_COUNT(members), "TemplateId",
                        "The 'TemplateId' or 'TemplateAlias' associated with this request is not "
                        "valid or was not found: templates stored at Postmark are not known here.",
                        d);
}

static bool read_mail(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    if (json_kind(v) != JSON_KIND_OBJECT)
        return esp_refuse(r, ESP_BAD_BODY, "", "want an object");
    if ((json_member(v, "TemplateId") || json_member(v, "TemplateAlias")) &&
        !read_template(r, v, d))
        return false;
    d->subject = esp_line(r, esp_string(v, "Subject"));
    d->subject = d->subject.p ? d->subject : TEXT("");
    d->text = esp_body(r, esp_filled(v, "TextBody"));
    d->html = esp_body(r, esp_filled(v, "HtmlBody"));
    esp_choose_stream(r, d, esp_string(v, "MessageStream"));
    esp_choose_stream(r, d, esp_string(v, "Tag"));
    esp_metadata(r, json_member(v, "Metadata"), d);
    if (!read_addresses(r, v, d))
        return false;
    if (!d->text.p && !d->html.p && !d->template.p)
        return esp_refuse(r, ESP_MISSING, "TextBody",
                          "Provide either email TextBody or HtmlBody or both.");
    return read_headers(r, json_member(v, "Headers"), d) &&
           read_attachments(r, json_member(v, "Attachments"), d);
}

/* -- Requests -----------------------------------------------------------------------------------
 */

static bool read_one(struct esp_reading *r)
{
    return esp_json(r) && esp_mails(r, 1) && read_mail(r, r->batch->doc, &r->batch->mails[0].draft);
}

static bool read_array(struct esp_reading *r, const struct json *list)
{
    size_t count = json_count(list);
    if (json_kind(list) != JSON_KIND_ARRAY)
        return esp_refuse(r, ESP_BAD_BODY, "", "want an array");
    if (count > BATCH_MAX)
        return esp_refuse(r, ESP_TOO_MANY, "",
                          "You may only send up to %d emails in a single batch.", BATCH_MAX);
    return esp_mails(r, count) && esp_each(r, list, read_mail);
}

static bool read_batch(struct esp_reading *r)
{
    return esp_json(r) && read_array(r, r->batch->doc);
}

/* The array stands in an object: {"Messages":[...]}. */
static bool read_messages(struct esp_reading *r)
{
    return esp_json(r) && read_array(r, json_member(r->batch->doc, "Messages"));
}

const struct esp esp_postmark = {.name = "postmark",
                                 .auth = ESP_AUTH_TOKEN,
                                 .token_header = "X-Postmark-Server-Token",
                                 .any_case = true,
                                 .refuse = refuse};

const struct esp_call esp_postmark_calls[] = {
    {&esp_postmark, "POST", "/email", read_one, answer_one},
    {&esp_postmark, "POST", "/email/batch", read_batch, answer_batch},
    {&esp_postmark, "POST", "/email/withTemplate", read_one, answer_one},
    {&esp_postmark, "POST", "/email/batchWithTemplates", read_messages, answer_batch},
    {0},
};
