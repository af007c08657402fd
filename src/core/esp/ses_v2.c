/* Amazon SES API v2: outbound-emails, outbound-bulk-emails, account.
 *
 *   mapped    FromEmailAddress, Destination, ReplyToAddresses, Content.Simple (Subject, Body,
 *             Headers, Attachments), Content.Raw (recipients and sender from its header where they
 *             are not given, Bcc taken out), Content.Template with TemplateContent (plain {{name}}
 *             only); bulk with such a template, each entry a mail of its own; ConfigurationSetName
 *             or the first value of EmailTags that is a stream's name chooses that stream;
 *             amz-sdk-invocation-id is the idempotency key
 *   ignored   other tags and configuration sets, the ARNs, FeedbackForwardingEmailAddress (events
 *             come through mailtide), ListManagementOptions, EndpointId; X-SES-* in a raw message
 *   passed on stored templates (TemplateName, TemplateArn), where all accounts of the application
 *             are SES's own API; else refused: 404 NotFoundException
 *   refused   templates in the request with blocks: 400 BadRequestException
 *
 * The account's quota is the application's intake_per_minute_max.
 * Reference  Amazon SES API v2 Reference, "SendEmail", "SendBulkEmail", "GetAccount". */
#include "core/esp/metadata.h"
#include "core/esp/ses.h"

#include "base/macros.h"

#include <stdio.h>

/* -- Answers ------------------------------------------------------------------------------------
 */

static const struct shape {
    enum esp_fault fault;
    unsigned status;
    const char *name, *message; /* NULL: the refusal's own */
} shapes[] = {
    {ESP_NO_KEY, 403, "MissingAuthenticationTokenException", "Missing Authentication Token"},
    {ESP_BAD_KEY, 403, "UnrecognizedClientException",
     "The security token included in the request is invalid."},
    {ESP_BAD_SIGNATURE, 403, "InvalidSignatureException",
     "The request signature we calculated does not match the signature you provided. Check your "
     "AWS Secret Access Key and signing method. Consult the service documentation for details."},
    {ESP_STALE, 403, "InvalidSignatureException",
     "Signature expired: x-amz-date is more than 15 minutes from now."},
    {ESP_BAD_BODY, 400, "SerializationException", NULL},
    {ESP_TEMPLATE, 404, "NotFoundException", NULL},
    {ESP_SENDER, 400, "MessageRejected", NULL},
    {ESP_RATE, 429, "TooManyRequestsException", NULL},
    {ESP_BUSY, 503, "ServiceUnavailableException", NULL},
    {ESP_NOT_FOUND, 404, "NotFoundException", NULL},
    {ESP_NOT_HERE, 404, "UnknownOperationException", NULL},
    {ESP_BAD_METHOD, 404, "UnknownOperationException", "This path does not know the method."},
};

static const struct shape *shape_of(enum esp_fault fault)
{
    static const struct shape other = {ESP_BAD_VALUE, 400, "BadRequestException", NULL};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (shapes[i].fault == fault)
            return &shapes[i];
    return &other;
}

static void begin(const struct esp_ask *ask,
                  struct esp_answer *ret,
                  unsigned status,
                  struct json_writer *w)
{
    ret->status = status;
    ret->content_type = "application/json";
    if (ask->unique.n > 0)
        esp_answer_header(ret, "x-amzn-RequestId", TEXT_FMT, TEXT_ARG(ask->unique));
    jw_init(w, &ret->body);
}

static void refuse(const struct esp_ask *ask, const struct esp_refusal *why, struct esp_answer *ret)
{
    const struct shape *s = shape_of(why->fault);
    struct json_writer w;
    begin(ask, ret, s->status, &w);
    esp_answer_header(ret, "x-amzn-ErrorType", "%s", s->name);
    jw_object(&w, NULL);
    jw_str(&w, "message", s->message ? s->message : why->message);
    jw_end(&w);
}

static void answer_one(const struct esp_ask *ask,
                       const struct esp_batch *batch,
                       struct esp_answer *ret)
{
    char id[ESP_UUID_BYTES];
    struct json_writer w;
    begin(ask, ret, 200, &w);
    jw_object(&w, NULL);
    jw_str(&w, "MessageId", esp_uuid(esp_mail_id(&batch->mails[0]), id));
    jw_end(&w);
}

static const char *bulk_status(enum esp_fault fault)
{
    switch (fault) {
    case ESP_SENDER:
        return "MAIL_FROM_DOMAIN_NOT_VERIFIED";
    case ESP_TEMPLATE:
        return "TEMPLATE_NOT_FOUND";
    case ESP_RATE:
        return "ACCOUNT_THROTTLED";
    case ESP_BUSY:
        return "TRANSIENT_FAILURE";
    case ESP_FINE:
    case ESP_NO_KEY:
    case ESP_BAD_KEY:
    case ESP_BAD_SIGNATURE:
    case ESP_STALE:
    case ESP_BAD_BODY:
    case ESP_MISSING:
    case ESP_BAD_VALUE:
    case ESP_BAD_ADDRESS:
    case ESP_TOO_MANY:
    case ESP_TOO_LARGE:
    case ESP_KEY_USED:
    case ESP_NOT_FOUND:
    case ESP_NOT_HERE:
    case ESP_TOO_LATE:
    case ESP_BAD_METHOD:
        break;
    }
    return "INVALID_PARAMETER";
}

static void answer_bulk(const struct esp_ask *ask,
                        const struct esp_batch *batch,
                        struct esp_answer *ret)
{
    char id[ESP_UUID_BYTES];
    struct json_writer w;
    begin(ask, ret, 200, &w);
    jw_object(&w, NULL);
    jw_array(&w, "BulkEmailEntryResults");
    for (size_t i = 0; i < batch->count; i++) {
        const struct esp_mail *m = &batch->mails[i];
        jw_object(&w, NULL);
        jw_str(&w, "Status", m->refusal ? bulk_status(m->refusal->fault) : "SUCCESS");
        if (m->refusal)
            jw_str(&w, "Error", m->refusal->message);
        else
            jw_str(&w, "MessageId", esp_uuid(esp_mail_id(m), id));
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
}

static void answer_account(const struct esp_ask *ask,
                           const struct esp_batch *batch,
                           struct esp_answer *ret)
{
    struct json_writer w;
    begin(ask, ret, 200, &w);
    jw_object(&w, NULL);
    jw_bool(&w, "DedicatedIpAutoWarmupEnabled", false);
    jw_str(&w, "EnforcementStatus", "HEALTHY");
    jw_bool(&w, "ProductionAccessEnabled", true);
    jw_bool(&w, "SendingEnabled", true);
    jw_object(&w, "SendQuota");
    jw_int(&w, "Max24HourSend", batch->quota.per_day);
    jw_number(&w, "MaxSendRate", batch->quota.per_second);
    jw_int(&w, "SentLast24Hours", batch->quota.sent);
    jw_end(&w);
    jw_end(&w);
}

/* -- Fields -------------------------------------------------------------------------------------
 */

static bool read_list(struct esp_reading *r, const struct json *list, struct api_addresses *ret)
{
    for (size_t i = 0; i < json_count(list); i++)
        if (!ses_recipient(r, json_string_text(json_element(list, i)), ret))
            return false;
    return true;
}

static bool read_destination(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    return read_list(r, json_member(v, "ToAddresses"), &d->to) &&
           read_list(r, json_member(v, "CcAddresses"), &d->cc) &&
           read_list(r, json_member(v, "BccAddresses"), &d->bcc);
}

static bool read_headers(struct esp_reading *r, const struct json *list, struct api_draft *d)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *h = json_element(list, i);
        struct text name = esp_string(h, "Name");
        if (esp_header(r, d, name, esp_string(h, "Value")) != ESP_HEADER_TAKEN)
            return esp_refuse(r, ESP_BAD_VALUE, "Headers", "Invalid header: " TEXT_FMT,
                              TEXT_ARG(text_cut(name, 0, 60)));
    }
    return true;
}

static bool read_attachments(struct esp_reading *r, const struct json *list, struct api_draft *d)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *a = json_element(list, i);
        struct api_attachment file = {
            .filename = esp_string(a, "FileName"),
            .content_type = esp_string(a, "ContentType"),
            .content = esp_base64(r, esp_string(a, "RawContent")),
            .content_id = esp_string(a, "ContentId"),
            .is_inline = text_ieq(esp_string(a, "ContentDisposition"), TEXT("INLINE")),
        };
        if (!file.content.p || !file.filename.n)
            return esp_refuse(r, ESP_BAD_VALUE, "Attachments",
                              "An attachment wants a FileName and RawContent in base64.");
        if (!esp_attach(r, d, &file))
            return esp_refuse(r, ESP_TOO_MANY, "Attachments", "At most %d attachments are taken.",
                              API_ATTACHMENTS_MAX);
    }
    return true;
}

static bool check_content(struct esp_reading *r, const struct api_draft *d)
{
    if (!d->from.address.p)
        return esp_refuse(r, ESP_MISSING, "FromEmailAddress", "Missing required FromEmailAddress.");
    if (!d->text.p && !d->html.p)
        return esp_refuse(r, ESP_MISSING, "Content", "The body wants Text or Html.");
    return true;
}

static bool read_simple(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    const struct json *body = json_member(v, "Body");
    struct text subject = esp_string(json_member(v, "Subject"), "Data");
    d->subject = subject.p ? esp_line(r, subject) : TEXT("");
    d->text = esp_body(r, esp_string(json_member(body, "Text"), "Data"));
    d->html = esp_body(r, esp_string(json_member(body, "Html"), "Data"));
    return check_content(r, d) && read_headers(r, json_member(v, "Headers"), d) &&
           read_attachments(r, json_member(v, "Attachments"), d);
}

/* -- Templates ----------------------------------------------------------------------------------
 */

/* {{name}} alone can be filled in; "{{#each}}", "{{>part}}" and the like cannot. */
static bool is_plain_template(struct text t)
{
    for (size_t i = 0; i + 2 < t.n; i++)
        if (t.p[i] == '{' && t.p[i + 1] == '{' && strchr("#/^>!&{", t.p[i + 2]))
            return false;
    return true;
}

/* JSON within JSON as pairs; *ret_doc holds their texts. */
static bool data_pairs(struct esp_reading *r,
                       struct text data,
                       struct json **ret_doc,
                       struct esp_pair **ret,
                       size_t *ret_count)
{
    if (data.n > 0 && json_parse(data, SIZE_MAX, ret_doc, NULL) != TIDE_OK)
        return esp_refuse(r, ESP_BAD_VALUE, "TemplateData", "TemplateData is not valid JSON.");
    return esp_pairs(r, *ret_doc, "{{", "}}", ret, ret_count);
}

/* An entry's own values stand before those for all. */
static bool fill_in(struct esp_reading *r,
                    const struct json *content,
                    const struct text data[2],
                    struct api_draft *d)
{
    const struct text in[] = {esp_string(content, "Subject"), esp_string(content, "Text"),
                              esp_string(content, "Html")};
    struct text *out[] = {&d->subject, &d->text, &d->html};
    struct json *docs[2] = {NULL, NULL};
    struct esp_pair *pairs[2] = {NULL, NULL}, *all = NULL;
    size_t counts[2] = {0, 0};
    bool good = data_pairs(r, data[0], &docs[0], &pairs[0], &counts[0]) &&
                data_pairs(r, data[1], &docs[1], &pairs[1], &counts[1]);
    if (good) {
        all = arena_array(r->arena, counts[0] + counts[1] + 1, sizeof *all);
        good = all != NULL || esp_no_memory(r);
    }
    for (size_t i = 0; good && i < counts[0] + counts[1]; i++)
        all[i] = i < counts[0] ? pairs[0][i] : pairs[1][i - counts[0]];
    for (size_t i = 0; good && i < 3; i++) {
        good = is_plain_template(in[i]) ||
               esp_refuse(r, ESP_BAD_VALUE, "TemplateContent",
                          "Only plain {{name}} is filled in here, no blocks and no partials.");
        if (good && in[i].p) /* copied: the documents go now */
            *out[i] = arena_text(r->arena, esp_substitute(r, in[i], all, counts[0] + counts[1]));
    }
    json_free(docs[0]);
    json_free(docs[1]);
    d->subject = d->subject.p ? esp_line(r, d->subject) : TEXT("");
    d->text = esp_body(r, d->text);
    d->html = esp_body(r, d->html);
    return good;
}

static bool read_stored(struct esp_reading *r,
                        const struct json *v,
                        const struct text data[2],
                        struct api_draft *d)
{
    const struct ses_template t = {.name = esp_string(v, "TemplateName"),
                                   .arn = esp_string(v, "TemplateArn"),
                                   .field = "TemplateName"};
    struct text merged = TEXT("");
    return ses_merge_data(r, data, &merged) && ses_stored(r, &t, merged, d);
}

static bool read_template(struct esp_reading *r,
                          const struct json *v,
                          struct text own,
                          struct api_draft *d)
{
    const struct text data[] = {own, esp_string(v, "TemplateData")};
    const struct json *content = json_member(v, "TemplateContent");
    bool good = json_kind(content) == JSON_KIND_OBJECT
                    ? fill_in(r, content, data, d) && check_content(r, d)
                    : read_stored(r, v, data, d);
    return good && read_headers(r, json_member(v, "Headers"), d) &&
           read_attachments(r, json_member(v, "Attachments"), d);
}

/* -- Requests -----------------------------------------------------------------------------------
 */

static bool read_tags(struct esp_reading *r, const struct json *tags, struct api_draft *d)
{
    for (size_t i = 0; i < json_count(tags); i++)
        esp_choose_stream(r, d, esp_string(json_element(tags, i), "Value"));
    esp_metadata(r, tags, d);
    return true;
}

/* What single mails and bulk have in common. */
static bool read_outside(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    struct text from = esp_filled(v, "FromEmailAddress");
    if (json_kind(v) != JSON_KIND_OBJECT)
        return esp_refuse(r, ESP_BAD_BODY, "", "Want an object.");
    if (from.p && !ses_sender(r, from, &d->from))
        return false;
    esp_choose_stream(r, d, esp_string(v, "ConfigurationSetName"));
    return read_list(r, json_member(v, "ReplyToAddresses"), &d->reply_to);
}

static bool read_one(struct esp_reading *r)
{
    if (!esp_json(r) || !esp_mails(r, 1))
        return false;
    struct api_draft *d = &r->batch->mails[0].draft;
    const struct json *content = json_member(r->batch->doc, "Content");
    const struct json *raw = json_member(content, "Raw"), *simple = json_member(content, "Simple");
    const struct json *template = json_member(content, "Template");
    if (!read_outside(r, r->batch->doc, d) ||
        !read_destination(r, json_member(r->batch->doc, "Destination"), d) ||
        !read_tags(r, json_member(r->batch->doc, "EmailTags"), d) || !ses_take_key(r, d, -1))
        return false;
    if (raw)
        return ses_raw(r, esp_string(raw, "Data"), d);
    if (!simple && !template)
        return esp_refuse(r, ESP_MISSING, "Content", "Content wants Simple, Raw or Template.");
    return ses_check_recipients(r, d) &&
           (simple ? read_simple(r, simple, d)
                   : read_template(r, template, esp_string(template, "TemplateData"), d));
}

/* One entry of a bulk request: the default template with its own recipients and values. */
static bool read_entry(struct esp_reading *r, const struct json *entry, struct api_draft *d)
{
    const struct json *doc = r->batch->doc;
    const struct json *template = json_member(json_member(doc, "DefaultContent"), "Template");
    const struct json *own =
        json_member(json_member(entry, "ReplacementEmailContent"), "ReplacementTemplate");
    return read_outside(r, doc, d) && read_tags(r, json_member(entry, "ReplacementTags"), d) &&
           read_tags(r, json_member(doc, "DefaultEmailTags"), d) &&
           read_destination(r, json_member(entry, "Destination"), d) &&
           ses_check_recipients(r, d) &&
           read_template(r, template, esp_string(own, "ReplacementTemplateData"), d) &&
           read_headers(r, json_member(entry, "ReplacementHeaders"), d);
}

static bool read_bulk(struct esp_reading *r)
{
    struct api_draft common = {0};
    if (!esp_json(r) || !read_outside(r, r->batch->doc, &common))
        return false;
    const struct json *entries = json_member(r->batch->doc, "BulkEmailEntries");
    const struct json *template =
        json_member(json_member(r->batch->doc, "DefaultContent"), "Template");
    size_t count = json_kind(entries) == JSON_KIND_ARRAY ? json_count(entries) : 0;
    if (count == 0 || count > SES_BULK_MAX)
        return esp_refuse(r, ESP_TOO_MANY, "BulkEmailEntries", "Want 1 to %d BulkEmailEntries.",
                          SES_BULK_MAX);
    if (!read_template(r, template, TEXT(""), &common))
        return false; /* what is wrong for all is the request's fault */
    if (!esp_mails(r, count) || !esp_each(r, entries, read_entry))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!ses_take_key(r, &r->batch->mails[i].draft, (int)i))
            return false;
    return true;
}

static bool read_account(struct esp_reading *r)
{
    r->batch->does = ESP_COUNTS;
    return true;
}

const struct esp esp_ses = {.name = "ses",
                            .auth = ESP_AUTH_SIGV4,
                            .headers = {[SES_HEADER_INVOCATION] = "amz-sdk-invocation-id"},
                            .refuse = refuse};

const struct esp_call esp_ses_calls[] = {
    {&esp_ses, "POST", "/v2/email/outbound-emails", read_one, answer_one},
    {&esp_ses, "POST", "/v2/email/outbound-bulk-emails", read_bulk, answer_bulk},
    {&esp_ses, "GET", "/v2/email/account", read_account, answer_account},
    {0},
};
