/* Amazon SES v2 with SNS, as their documentation tells it.
 *
 *   POST /v2/email/outbound-emails, outbound-bulk-emails
 *   GET  /v2/email/account                          quota and what was sent in the last 24 hours
 *   GET, PUT /v2/email/suppression/addresses        the account's list; pages by NextToken
 *   GET, DELETE /v2/email/suppression/addresses/EMAIL
 *   requests are signed (Signature Version 4): user is the key's id, password the secret
 *   events   SNS notifications in the form of event publishing, signed by a certificate that
 *            GET / at the control port shows
 *
 * Hard bounces and complaints list the address (reasons BOUNCE, COMPLAINT); mail to it then bounces
 * as Permanent/OnAccountSuppressionList without having been tried. */
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"
#include "io/crypto/sigv4_hash.h"

#include <inttypes.h>

#define PAGE_MAX 1000
#define BULK_MAX 50

/* -- Signature ---------------------------------------------------------------------------------
 */

static struct text header_of(void *arg, const char *name)
{
    return http_header(arg, name);
}

static bool may(struct lab_ask *a)
{
    if (lab_sns_is(a))
        return true;
    struct sigv4_claim claim;
    char signature[SIGV4_HEX_BYTES] = "";
    const struct sigv4_request request = {.method = a->req->method,
                                          .path = a->req->raw_path,
                                          .query = a->req->raw_query,
                                          .body = a->req->body,
                                          .amz_date = http_header(a->req, "x-amz-date"),
                                          .header = header_of,
                                          .arg = a->req};
    bool ok = sigv4_parse(http_header(a->req, "Authorization"), &claim, NULL) == TIDE_OK &&
              text_eq(claim.service, TEXT("ses")) &&
              text_eq(claim.access_key, text_of(a->esp->def->user)) &&
              sigv4_sign(&sigv4_hash_openssl, &request, &claim, text_of(a->esp->def->password),
                         signature, NULL) == TIDE_OK &&
              text_eq(claim.signature, text_of(signature));
    return ok;
}

/* -- Refusing ----------------------------------------------------------------------------------
 */

static void fail(struct lab_ask *a, unsigned status, const char *name, const char *message)
{
    a->status = status;
    lab_header(a, "x-amzn-ErrorType", "%s", name);
    jw_object(&a->w, NULL);
    jw_str(&a->w, "message", message);
    jw_end(&a->w);
}

static void refuse(struct lab_ask *a, enum lab_refusal why, const char *words)
{
    switch (why) {
    case LAB_BAD_KEY:
        fail(a, 403, "InvalidSignatureException",
             "The request signature we calculated does not match the signature you provided.");
        break;
    case LAB_BAD_BODY:
    case LAB_BAD_ADDRESS:
    case LAB_BAD_MAIL:
        fail(a, 400, "BadRequestException", words);
        break;
    case LAB_BAD_SENDER:
        fail(a, 400, "MessageRejected",
             "Email address is not verified. The following identities failed the check.");
        break;
    case LAB_LIMITED:
        fail(a, 429, "TooManyRequestsException", "Maximum sending rate exceeded.");
        break;
    case LAB_DOWN:
        fail(a, 500, "InternalServiceErrorException", words);
        break;
    case LAB_NO_SUCH:
        fail(a, 404, "NotFoundException", words);
        break;
    }
}

/* -- Mail --------------------------------------------------------------------------------------
 */

static bool read_content(struct lab_ask *a, const struct json *content, struct lab_mail *m)
{
    const struct json *raw = json_member(content, "Raw"), *simple = json_member(content, "Simple");
    const struct json *body = json_member(simple, "Body");
    if (raw)
        return lab_decode(a, lab_string(raw, "Data"), &m->raw) && m->raw.n > 0;
    m->draft.subject = lab_string(json_member(simple, "Subject"), "Data");
    m->draft.text = json_string_text(json_member(json_member(body, "Text"), "Data"));
    m->draft.html = json_string_text(json_member(json_member(body, "Html"), "Data"));
    return simple && (m->draft.text.p || m->draft.html.p);
}

/* The sender of a raw message without FromEmailAddress is the one of its header. */
static bool read_sender(struct lab_ask *a, struct text from, struct lab_mail *m)
{
    struct api_addresses list = {0};
    struct message message;
    if (from.n > 0) {
        if (!lab_read_mailboxes(a, from, &list) || list.count != 1)
            return false;
        m->draft.from = list.list[0];
        return true;
    }
    return m->raw.n > 0 && message_open(m->raw, &message, NULL) == TIDE_OK &&
           message_from(&message, &a->arena, &m->draft.from, NULL) == TIDE_OK;
}

/* NULL: taken; else what is wrong, and *ret_why. */
static const char *take(struct lab_ask *a,
                        const struct json *to,
                        const struct json *content,
                        const struct json *tags,
                        struct text id,
                        enum lab_refusal *ret_why)
{
    struct lab_mail m = {.api_id = id};
    const char *words = "";
    *ret_why = LAB_BAD_MAIL;
    if (!read_content(a, content, &m))
        return "The message has no content";
    if (!read_sender(a, lab_string(a->doc, "FromEmailAddress"), &m))
        return "Missing final '@domain'";
    if (!lab_read_people(a, json_member(to, "ToAddresses"), &m.draft.to) ||
        !lab_read_people(a, json_member(to, "CcAddresses"), &m.draft.cc) ||
        !lab_read_people(a, json_member(to, "BccAddresses"), &m.draft.bcc) ||
        m.draft.to.count + m.draft.cc.count + m.draft.bcc.count == 0)
        return "Illegal address";
    lab_add_tags(&m, tags, "Name", "Value");
    enum lab_taken taken = lab_take(a, &m, &words);
    *ret_why = taken == LAB_OVER_LIMIT ? LAB_LIMITED : LAB_BAD_MAIL;
    return taken == LAB_TAKEN ? NULL : words;
}

static void on_send(struct lab_ask *a)
{
    enum lab_refusal why;
    struct text id = lab_new_uuid(a);
    const char *wrong = take(a, json_member(a->doc, "Destination"), json_member(a->doc, "Content"),
                             json_member(a->doc, "EmailTags"), id, &why);
    if (wrong) {
        refuse(a, why, wrong);
        return;
    }
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_text(&a->w, "MessageId", id);
    jw_end(&a->w);
}

/* Each entry has a result of its own; the template stands in the request. */
static void send_bulk(struct lab_ask *a)
{
    const struct json *entries = json_member(a->doc, "BulkEmailEntries");
    const struct json *content = json_member(
        json_member(json_member(a->doc, "DefaultContent"), "Template"), "TemplateContent");
    if (json_count(entries) == 0 || json_count(entries) > BULK_MAX || !content) {
        refuse(a, LAB_BAD_MAIL, "Want 1 to 50 entries and a template in place");
        return;
    }
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "BulkEmailEntryResults");
    for (size_t i = 0; i < json_count(entries); i++) {
        struct lab_mail m = {.api_id = lab_new_uuid(a)};
        const struct json *to = json_member(json_element(entries, i), "Destination");
        const char *words = "Illegal address";
        bool ok = read_sender(a, lab_string(a->doc, "FromEmailAddress"), &m) &&
                  lab_read_people(a, json_member(to, "ToAddresses"), &m.draft.to) &&
                  m.draft.to.count > 0;
        m.draft.subject = lab_string(content, "Subject");
        m.draft.text = lab_string(content, "Text");
        m.draft.html = json_string_text(json_member(content, "Html"));
        enum lab_taken taken = ok ? lab_take(a, &m, &words) : LAB_UNFIT;
        jw_object(&a->w, NULL);
        jw_str(&a->w, "Status",
               taken == LAB_TAKEN        ? "SUCCESS"
               : taken == LAB_OVER_LIMIT ? "ACCOUNT_THROTTLED"
                                         : "INVALID_PARAMETER");
        if (taken == LAB_TAKEN)
            jw_text(&a->w, "MessageId", m.api_id);
        else
            jw_str(&a->w, "Error", words);
        jw_end(&a->w);
    }
    jw_end(&a->w);
    jw_end(&a->w);
}

static void show_account(struct lab_ask *a)
{
    int64_t count = -1, used = 0;
    tide_wall_ms reset;
    (void)lab_quota(a->esp, &count, &used, &reset);
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_bool(&a->w, "DedicatedIpAutoWarmupEnabled", false);
    jw_str(&a->w, "EnforcementStatus", "HEALTHY");
    jw_bool(&a->w, "ProductionAccessEnabled", true);
    jw_bool(&a->w, "SendingEnabled", true);
    jw_object(&a->w, "SendQuota");
    jw_number(&a->w, "Max24HourSend", (double)count);
    jw_number(&a->w, "MaxSendRate", 14);
    jw_number(&a->w, "SentLast24Hours", (double)used);
    jw_end(&a->w);
    jw_end(&a->w);
}

/* -- The list ----------------------------------------------------------------------------------
 */

static void write_entry(struct lab_ask *a, const char *name, const struct esp_suppression *s)
{
    jw_object(&a->w, name);
    jw_text(&a->w, "EmailAddress", s->address);
    jw_str(&a->w, "Reason", s->list);
    jw_number(&a->w, "LastUpdateTime", (double)s->at / 1000);
    if (name) {
        jw_object(&a->w, "Attributes");
        jw_str(&a->w, "MessageId", "lab");
        jw_end(&a->w);
    }
    jw_end(&a->w);
}

static void read_list(struct lab_ask *a)
{
    int64_t at = lab_query_int(a, "NextToken", 0), most = lab_query_int(a, "PageSize", PAGE_MAX);
    struct text reason = http_query(a->req, "Reason");
    size_t i = (size_t)at;
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "SuppressedDestinationSummaries");
    for (; i < a->esp->listed_count && most > 0; i++) {
        if (reason.p && !text_eq(reason, text_of(a->esp->listed[i]->list)))
            continue;
        write_entry(a, NULL, a->esp->listed[i]);
        most--;
    }
    jw_end(&a->w);
    if (i < a->esp->listed_count) {
        char token[32];
        snprintf(token, sizeof token, "%zu", i);
        jw_str(&a->w, "NextToken", token);
    }
    jw_end(&a->w);
}

static void empty(struct lab_ask *a)
{
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_end(&a->w);
}

static void put_entry(struct lab_ask *a)
{
    struct text address = lab_string(a->doc, "EmailAddress"), reason = lab_string(a->doc, "Reason");
    bool complaint = text_eq(reason, TEXT("COMPLAINT"));
    if (!lab_is_address(address) || (!complaint && !text_eq(reason, TEXT("BOUNCE")))) {
        refuse(a, LAB_BAD_MAIL, "Want EmailAddress and Reason: BOUNCE or COMPLAINT");
        return;
    }
    esp_list_remove(a->esp, NULL, address);
    esp_list_put(a->esp, complaint ? "COMPLAINT" : "BOUNCE", address, TEXT(""));
    empty(a);
}

static void on_entry(struct lab_ask *a, bool get)
{
    const struct esp_suppression *s = esp_list_find(a->esp, NULL, a->wild[0]);
    if (!s) {
        fail(a, 404, "NotFoundException", "Email address is not on the suppression list");
    } else if (get) {
        a->status = 200;
        jw_object(&a->w, NULL);
        write_entry(a, "SuppressedDestination", s);
        jw_end(&a->w);
    } else {
        esp_list_remove(a->esp, NULL, a->wild[0]);
        empty(a);
    }
}

static void serve(struct lab_ask *a)
{
    if (lab_sns_is(a)) {
        lab_sns_serve(a);
        return;
    }
    lab_header(a, "x-amzn-RequestId", TEXT_FMT, TEXT_ARG(lab_new_uuid(a)));
    if (lab_is(a, "POST", "/v2/email/outbound-emails"))
        on_send(a);
    else if (lab_is(a, "POST", "/v2/email/outbound-bulk-emails"))
        send_bulk(a);
    else if (lab_too_soon(a))
        fail(a, 429, "TooManyRequestsException", "Rate exceeded");
    else if (lab_is(a, "GET", "/v2/email/account"))
        show_account(a);
    else if (lab_is(a, "GET", "/v2/email/suppression/addresses"))
        read_list(a);
    else if (lab_is(a, "PUT", "/v2/email/suppression/addresses"))
        put_entry(a);
    else if (lab_is(a, "GET", "/v2/email/suppression/addresses/*"))
        on_entry(a, true);
    else if (lab_is(a, "DELETE", "/v2/email/suppression/addresses/*"))
        on_entry(a, false);
}

/* -- Events ------------------------------------------------------------------------------------
 */

/* A bounce that is hard lists the address. */
static const char *list_of(const struct esp_event *v)
{
    return v->kind == ESP_COMPLAINT ? "COMPLAINT" : lab_is_block(v) ? NULL : "BOUNCE";
}

static const char *drop_words(const char *list)
{
    (void)list;
    return "Amazon SES did not send the message to this address because it is on the suppression "
           "list for your account.";
}

static void write_mail(struct esp *e, struct json_writer *w, const struct esp_about *m)
{
    jw_object(w, "mail");
    jw_time(w, "timestamp", m->accepted_at);
    jw_text(w, "source", m->sender);
    jw_str(w, "sendingAccountId", "123456789012");
    jw_text(w, "messageId", m->api_id);
    jw_array(w, "destination");
    jw_text(w, NULL, m->recipient);
    jw_end(w);
    jw_bool(w, "headersTruncated", false);
    jw_object(w, "commonHeaders");
    jw_text(w, "messageId", m->message_id);
    jw_text(w, "subject", m->subject);
    jw_end(w);
    jw_object(w, "tags");
    for (size_t i = 0; i < m->custom_count; i++) {
        char name[200];
        snprintf(name, sizeof name, TEXT_FMT, TEXT_ARG(m->custom[i].name));
        jw_array(w, name);
        jw_text(w, NULL, m->custom[i].value);
        jw_end(w);
    }
    jw_array(w, "ses:configuration-set");
    jw_str(w, NULL, e->def->name);
    jw_end(w);
    jw_end(w);
    jw_end(w);
}

static void open_recipient(struct json_writer *w, const char *list, const struct esp_event *v)
{
    jw_array(w, list);
    jw_object(w, NULL);
    jw_text(w, "emailAddress", v->mail->recipient);
}

static void close_recipient(struct json_writer *w)
{
    jw_end(w);
    jw_end(w);
}

static void write_bounce(struct json_writer *w, const struct esp_event *v)
{
    char status[16], code[600];
    bool dropped = v->kind == ESP_DROPPED, hard = dropped || !lab_is_block(v);
    jw_object(w, "bounce");
    jw_str(w, "bounceType", hard ? "Permanent" : "Transient");
    jw_str(w, "bounceSubType",
           dropped                  ? "OnAccountSuppressionList"
           : lab_is_unknown_user(v) ? "NoEmail"
                                    : "General");
    open_recipient(w, "bouncedRecipients", v);
    jw_str(w, "action", "failed");
    lab_status_of(v, status);
    jw_str(w, "status", dropped ? "5.1.1" : status[0] ? status : "5.0.0");
    if (dropped)
        snprintf(code, sizeof code, TEXT_FMT, TEXT_ARG(v->reason));
    else
        snprintf(code, sizeof code, "smtp; " TEXT_FMT, TEXT_ARG(v->reason));
    jw_str(w, "diagnosticCode", code);
    close_recipient(w);
    jw_time(w, "timestamp", v->at);
    snprintf(code, sizeof code, "0100-%" PRId64 "-000000", v->n);
    jw_str(w, "feedbackId", code);
    jw_str(w, "reportingMTA", "dns; a8-50.smtp-out.amazonses.com");
    jw_end(w);
}

static void write_event(struct esp *e, const struct esp_event *v, struct json_writer *w)
{
    static const char *const names[] = {"Send",   "Delivery", "DeliveryDelay",
                                        "Bounce", "Bounce",   "Complaint"};
    jw_object(w, NULL);
    jw_str(w, "eventType", names[v->kind]);
    write_mail(e, w, v->mail);
    if (v->kind == ESP_BOUNCE || v->kind == ESP_DROPPED) {
        write_bounce(w, v);
    } else if (v->kind == ESP_COMPLAINT) {
        jw_object(w, "complaint");
        open_recipient(w, "complainedRecipients", v);
        close_recipient(w);
        jw_str(w, "complaintFeedbackType", "abuse");
        jw_time(w, "timestamp", v->at);
        jw_end(w);
    } else if (v->kind == ESP_DELIVERED) {
        jw_object(w, "delivery");
        jw_time(w, "timestamp", v->at);
        jw_array(w, "recipients");
        jw_text(w, NULL, v->mail->recipient);
        jw_end(w);
        jw_text(w, "smtpResponse", v->reason);
        jw_end(w);
    } else if (v->kind == ESP_DEFERRED) {
        jw_object(w, "deliveryDelay");
        jw_str(w, "delayType", "TransientCommunicationFailure");
        open_recipient(w, "delayedRecipients", v);
        jw_text(w, "diagnosticCode", v->reason);
        close_recipient(w);
        jw_time(w, "timestamp", v->at);
        jw_end(w);
    } else {
        jw_object(w, "send");
        jw_end(w);
    }
    jw_end(w);
}

static bool tell(struct esp *e, const struct esp_event *v, struct lab_post *p)
{
    struct buf message = {0};
    struct json_writer inner;
    jw_init(&inner, &message);
    write_event(e, v, &inner);
    if (e->def->webhook_topic[0] == '\0') { /* raw delivery: no envelope, no signature */
        buf_add_text(&p->body, buf_text(&message));
        p->type = "text/plain; charset=UTF-8";
        lab_post_header(p, "x-amz-sns-rawdelivery", "true");
        lab_post_basic(e, p);
    } else if (e->subscribed) {
        lab_sns_write(e, "Notification", buf_text(&message), p);
    }
    buf_fini(&message);
    return p->body.len > 0;
}

const struct lab_api lab_ses = {
    .name = "ses",
    .sends =
        (const char *const[]){"/v2/email/outbound-emails", "/v2/email/outbound-bulk-emails", NULL},
    .may = may,
    .serve = serve,
    .refuse = refuse,
    .list_of = list_of,
    .drop_words = drop_words,
    .tell = tell,
    .subscribe = lab_sns_subscribe,
};
