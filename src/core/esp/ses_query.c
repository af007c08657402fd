/* Amazon SES API v1, the query API: POST / with Action=SendEmail, SendRawEmail, SendTemplatedEmail,
 * SendBulkTemplatedEmail, GetSendQuota; and beside sending (manage_ses_query.c) GetSendStatistics,
 * ListIdentities, ListVerifiedEmailAddresses, GetIdentityVerificationAttributes,
 * GetAccountSendingEnabled.
 *
 *   mapped    Source, Destination.*, ReplyToAddresses, Message.Subject, Message.Body; Destinations
 *             and RawMessage; bulk: each of Destinations a mail of its own; ConfigurationSetName or
 *             the first value of Tags that is a stream's name chooses that stream;
 *             amz-sdk-invocation-id is the idempotency key
 *   ignored   other tags and configuration sets, the ARNs, ReturnPath (events come through
 *             mailtide); X-SES-* in a raw message
 *   passed on stored templates (SendTemplatedEmail, SendBulkTemplatedEmail), where all accounts of
 *             the application are SES's own API; else refused: TemplateDoesNotExist
 *   refused   other actions: InvalidAction
 *
 * Reference  Amazon SES API Reference (2010-12-01). */
#include "core/esp/ses.h"

#include "base/macros.h"

#include "core/proto/form.h"

#include <stdio.h>

#define STORED_ACTION "SendTemplatedEmail"
#define NAMESPACE     "http://ses.amazonaws.com/doc/2010-12-01/"

/* -- Answers ------------------------------------------------------------------------------------
 */

static const struct shape {
    enum esp_fault fault;
    unsigned status;
    const char *code, *message; /* NULL: the refusal's own */
} shapes[] = {
    {ESP_NO_KEY, 403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
    {ESP_BAD_KEY, 403, "InvalidClientTokenId",
     "The security token included in the request is invalid."},
    {ESP_BAD_SIGNATURE, 403, "SignatureDoesNotMatch",
     "The request signature we calculated does not match the signature you provided. Check your "
     "AWS Secret Access Key and signing method. Consult the service documentation for details."},
    {ESP_STALE, 403, "SignatureDoesNotMatch",
     "Signature expired: x-amz-date is more than 15 minutes from now."},
    {ESP_BAD_BODY, 400, "MalformedInput", NULL},
    {ESP_NOT_FOUND, 400, "InvalidAction", NULL},
    {ESP_BAD_METHOD, 400, "InvalidAction", "Want POST with an Action."},
    {ESP_TEMPLATE, 400, "TemplateDoesNotExist", NULL},
    {ESP_SENDER, 400, "MessageRejected", NULL},
    {ESP_RATE, 400, "Throttling", "Maximum sending rate exceeded."},
    {ESP_BUSY, 503, "ServiceUnavailable", NULL},
};

void ses_add_escaped(struct buf *b, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '<')
            buf_adds(b, "&lt;");
        else if (t.p[i] == '>')
            buf_adds(b, "&gt;");
        else if (t.p[i] == '&')
            buf_adds(b, "&amp;");
        else
            buf_addc(b, t.p[i]);
    }
}

static void begin(const struct esp_ask *ask, struct esp_answer *ret, unsigned status)
{
    ret->status = status;
    ret->content_type = "text/xml";
    if (ask->unique.n > 0)
        esp_answer_header(ret, "x-amzn-RequestId", TEXT_FMT, TEXT_ARG(ask->unique));
}

static void refuse(const struct esp_ask *ask, const struct esp_refusal *why, struct esp_answer *ret)
{
    static const struct shape other = {ESP_BAD_VALUE, 400, "InvalidParameterValue", NULL};
    const struct shape *s = &other;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (shapes[i].fault == why->fault)
            s = &shapes[i];
    begin(ask, ret, s->status);
    buf_addf(&ret->body,
             "<ErrorResponse xmlns=\"" NAMESPACE "\">\n  <Error>\n    <Type>%s</Type>\n"
             "    <Code>%s</Code>\n    <Message>",
             s->status < 500 ? "Sender" : "Receiver", s->code);
    ses_add_escaped(&ret->body, text_of(s->message ? s->message : why->message));
    buf_addf(&ret->body,
             "</Message>\n  </Error>\n  <RequestId>" TEXT_FMT "</RequestId>\n</ErrorResponse>\n",
             TEXT_ARG(ask->unique));
}

static void end(const struct esp_ask *ask, struct buf *b, const char *action)
{
    buf_addf(b,
             "  <ResponseMetadata>\n    <RequestId>" TEXT_FMT
             "</RequestId>\n  </ResponseMetadata>\n</%sResponse>\n",
             TEXT_ARG(ask->unique), action);
}

static const char *bulk_status(enum esp_fault fault)
{
    return fault == ESP_SENDER     ? "MailFromDomainNotVerified"
           : fault == ESP_TEMPLATE ? "TemplateDoesNotExist"
           : fault == ESP_RATE     ? "AccountThrottled"
           : fault == ESP_BUSY     ? "TransientFailure"
                                   : "InvalidParameterValue";
}

static void answer_bulk(const struct esp_ask *ask, const struct esp_batch *batch, struct buf *b)
{
    char id[ESP_UUID_BYTES];
    buf_adds(b, "<SendBulkTemplatedEmailResponse xmlns=\"" NAMESPACE "\">\n"
                "  <SendBulkTemplatedEmailResult>\n    <Status>\n");
    for (size_t i = 0; i < batch->count; i++) {
        const struct esp_mail *m = &batch->mails[i];
        buf_addf(b, "      <member>\n        <Status>%s</Status>\n",
                 m->refusal ? bulk_status(m->refusal->fault) : "Success");
        if (m->refusal) {
            buf_adds(b, "        <Error>");
            ses_add_escaped(b, text_of(m->refusal->message));
            buf_adds(b, "</Error>\n      </member>\n");
        } else {
            buf_addf(b, "        <MessageId>%s</MessageId>\n      </member>\n",
                     esp_uuid(esp_mail_id(m), id));
        }
    }
    buf_adds(b, "    </Status>\n  </SendBulkTemplatedEmailResult>\n");
    end(ask, b, "SendBulkTemplatedEmail");
}

static void answer_managed(const struct esp_ask *ask, const struct esp_batch *batch, struct buf *b)
{
    struct buf result = {0};
    const char *action = ses_query_managed(ask, batch, &result);
    buf_addf(b, "<%sResponse xmlns=\"" NAMESPACE "\">\n  <%sResult>" TEXT_FMT "</%sResult>\n",
             action, action, TEXT_ARG(buf_text(&result)), action);
    if (result.failed != TIDE_OK)
        b->failed = result.failed;
    end(ask, b, action);
    buf_fini(&result);
}

static void answer(const struct esp_ask *ask, const struct esp_batch *batch, struct esp_answer *ret)
{
    char id[ESP_UUID_BYTES];
    struct buf *b = &ret->body;
    begin(ask, ret, 200);
    if (batch->does == ESP_COUNTS) {
        buf_addf(b,
                 "<GetSendQuotaResponse xmlns=\"" NAMESPACE "\">\n  <GetSendQuotaResult>\n"
                 "    <SentLast24Hours>%.1f</SentLast24Hours>\n"
                 "    <Max24HourSend>%.1f</Max24HourSend>\n"
                 "    <MaxSendRate>%.1f</MaxSendRate>\n  </GetSendQuotaResult>\n",
                 (double)batch->quota.sent, (double)batch->quota.per_day, batch->quota.per_second);
        end(ask, b, "GetSendQuota");
        return;
    }
    if (batch->form) {
        answer_managed(ask, batch, b);
        return;
    }
    if (batch->each_own) {
        answer_bulk(ask, batch, b);
        return;
    }
    const char *action = batch->mails[0].draft.message.p    ? "SendRawEmail"
                         : batch->mails[0].draft.template.p ? STORED_ACTION
                                                            : "SendEmail";
    buf_addf(b,
             "<%sResponse xmlns=\"" NAMESPACE "\">\n  <%sResult>\n    <MessageId>%s</MessageId>\n"
             "  </%sResult>\n",
             action, action, esp_uuid(esp_mail_id(&batch->mails[0]), id), action);
    end(ask, b, action);
}

/* -- Fields -------------------------------------------------------------------------------------
 */

/* All "PREFIX.member.N", in the order they were written. */
static bool read_list(struct esp_reading *r,
                      const struct form *f,
                      const char *prefix,
                      struct api_addresses *ret)
{
    for (size_t i = 0; i < f->count; i++)
        if (text_starts(f->fields[i].name, text_of(prefix)) &&
            !ses_recipient(r, f->fields[i].value, ret))
            return false;
    return true;
}

/* The first value of "PREFIX.member.N.Value" that is a stream's name. */
static void read_tags(struct esp_reading *r,
                      const struct form *f,
                      const char *prefix,
                      struct api_draft *d)
{
    for (size_t i = 0; i < f->count; i++)
        if (text_starts(f->fields[i].name, text_of(prefix)) &&
            text_iends(f->fields[i].name, TEXT(".Value")))
            esp_choose_stream(r, d, f->fields[i].value);
}

static struct ses_template template_of(const struct form *f)
{
    return (struct ses_template){.name = form_value(f, "Template"),
                                 .arn = form_value(f, "TemplateArn"),
                                 .field = "Template"};
}

static bool read_email(struct esp_reading *r, const struct form *f, struct api_draft *d)
{
    struct text subject = form_value(f, "Message.Subject.Data");
    bool stored = text_eq(form_value(f, "Action"), TEXT(STORED_ACTION));
    if (!d->from.address.p)
        return esp_refuse(r, ESP_MISSING, "Source", "Missing required Source.");
    d->subject = subject.p ? esp_line(r, subject) : TEXT("");
    d->text = esp_body(r, form_value(f, "Message.Body.Text.Data"));
    d->html = esp_body(r, form_value(f, "Message.Body.Html.Data"));
    if (!read_list(r, f, "Destination.ToAddresses.member.", &d->to) ||
        !read_list(r, f, "Destination.CcAddresses.member.", &d->cc) ||
        !read_list(r, f, "Destination.BccAddresses.member.", &d->bcc) ||
        !read_list(r, f, "ReplyToAddresses.member.", &d->reply_to) || !ses_check_recipients(r, d))
        return false;
    if (stored) {
        const struct ses_template t = template_of(f);
        return ses_stored(r, &t, form_value(f, "TemplateData"), d);
    }
    if (!d->text.p && !d->html.p)
        return esp_refuse(r, ESP_MISSING, "Message", "The body wants Text or Html.");
    return (text_is_utf8(d->subject) && text_is_utf8(d->text) && text_is_utf8(d->html)) ||
           esp_refuse(r, ESP_BAD_VALUE, "Message", "The message is not UTF-8.");
}

static bool read_mail(struct esp_reading *r, const struct form *f, bool raw)
{
    struct text source = form_value(f, "Source");
    if (!esp_mails(r, 1))
        return false;
    struct api_draft *d = &r->batch->mails[0].draft;
    if (source.n > 0 && !ses_sender(r, source, &d->from))
        return false;
    esp_choose_stream(r, d, form_value(f, "ConfigurationSetName"));
    read_tags(r, f, "Tags.member.", d);
    if (!ses_take_key(r, d, -1))
        return false;
    if (!raw)
        return read_email(r, f, d);
    return read_list(r, f, "Destinations.member.", &d->to) &&
           ses_raw(r, form_value(f, "RawMessage.Data"), d);
}

/* -- Bulk ---------------------------------------------------------------------------------------
 */

#define DESTINATIONS "Destinations.member."
#define NAME_BYTES   100

/* The highest N of "Destinations.member.N..."; 0: one is none. An N that is left out is an entry
 * without recipients. */
static size_t count_destinations(const struct form *f)
{
    static const struct text prefix = {DESTINATIONS, sizeof DESTINATIONS - 1};
    int64_t most = 0, n;
    for (size_t i = 0; i < f->count; i++) {
        struct text rest = text_cut(f->fields[i].name, prefix.n, SIZE_MAX);
        if (!text_starts(f->fields[i].name, prefix))
            continue;
        rest = text_cut(rest, 0, text_find(rest, '.'));
        if (text_starts(rest, TEXT("0")) || text_int(rest, 1, SES_BULK_MAX, &n, NULL) != TIDE_OK)
            return 0;
        most = TIDE_MAX(most, n);
    }
    return (size_t)most;
}

/* A field's name within the i-th destination. */
static const char *within(char out[NAME_BYTES], size_t i, const char *name)
{
    snprintf(out, NAME_BYTES, DESTINATIONS "%zu.%s", i + 1, name);
    return out;
}

/* The default template with recipients and values of its own. */
static bool read_destination(struct esp_reading *r, const void *form, size_t i, struct api_draft *d)
{
    char name[NAME_BYTES];
    const struct form *f = form;
    const struct ses_template t = template_of(f);
    const struct text data[] = {form_value(f, within(name, i, "ReplacementTemplateData")),
                                form_value(f, "DefaultTemplateData")};
    struct text merged = TEXT("");
    esp_choose_stream(r, d, form_value(f, "ConfigurationSetName"));
    read_tags(r, f, within(name, i, "ReplacementTags.member."), d);
    read_tags(r, f, "DefaultTags.member.", d);
    return ses_sender(r, form_value(f, "Source"), &d->from) &&
           read_list(r, f, within(name, i, "Destination.ToAddresses.member."), &d->to) &&
           read_list(r, f, within(name, i, "Destination.CcAddresses.member."), &d->cc) &&
           read_list(r, f, within(name, i, "Destination.BccAddresses.member."), &d->bcc) &&
           read_list(r, f, "ReplyToAddresses.member.", &d->reply_to) &&
           ses_check_recipients(r, d) && ses_merge_data(r, data, &merged) &&
           ses_stored(r, &t, merged, d);
}

static bool read_bulk(struct esp_reading *r, const struct form *f)
{
    const struct ses_template t = template_of(f);
    const struct text data[] = {TEXT(""), form_value(f, "DefaultTemplateData")};
    struct text merged = TEXT("");
    struct api_draft common = {0};
    size_t count = count_destinations(f);
    if (form_value(f, "Source").n == 0)
        return esp_refuse(r, ESP_MISSING, "Source", "Missing required Source.");
    if (!ses_sender(r, form_value(f, "Source"), &common.from) ||
        !ses_merge_data(r, data, &merged) || !ses_stored(r, &t, merged, &common))
        return false; /* what is wrong for all is the request's fault */
    if (count == 0)
        return esp_refuse(r, ESP_TOO_MANY, "Destinations", "Want 1 to %d Destinations.",
                          SES_BULK_MAX);
    if (!esp_mails(r, count) || !esp_each_of(r, f, read_destination))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!ses_take_key(r, &r->batch->mails[i].draft, (int)i))
            return false;
    return true;
}

static bool read(struct esp_reading *r)
{
    struct form form = {0};
    struct tide_error err = {0};
    enum tide_err rc = form_parse(r->ask->content_type, r->ask->body, r->arena, &form, &err);
    struct text action = form_value(&form, "Action");
    if (rc == TIDE_ENOMEM)
        return esp_no_memory(r);
    if (rc != TIDE_OK)
        return esp_refuse(r, ESP_BAD_BODY, "", "%s", err.text);
    if (text_eq(action, TEXT("SendEmail")) || text_eq(action, TEXT("SendRawEmail")) ||
        text_eq(action, TEXT(STORED_ACTION)))
        return read_mail(r, &form, text_eq(action, TEXT("SendRawEmail")));
    if (text_eq(action, TEXT("GetSendQuota"))) {
        r->batch->does = ESP_COUNTS;
        return true;
    }
    if (text_eq(action, TEXT("SendBulkTemplatedEmail")))
        return read_bulk(r, &form);
    if (ses_query_manages(r->ask, &form, r->batch)) {
        struct form *kept = ARENA_NEW(r->arena, struct form);
        if (!kept)
            return esp_no_memory(r);
        *kept = form;
        r->batch->form = kept;
        return true;
    }
    return esp_refuse(r, ESP_NOT_FOUND, "Action",
                      "Could not find operation " TEXT_FMT " for version 2010-12-01",
                      TEXT_ARG(text_cut(action, 0, 100)));
}

const struct esp esp_ses_query = {.name = "ses",
                                  .auth = ESP_AUTH_SIGV4,
                                  .headers = {[SES_HEADER_INVOCATION] = "amz-sdk-invocation-id"},
                                  .refuse = refuse};

const struct esp_call esp_ses_query_calls[] = {
    {&esp_ses_query, "POST", "/", read, answer},
    {0},
};
