/* Amazon SES v2, POST /v2/email/outbound-emails, behind.
 *
 *   fields   Destination.ToAddresses (the recipient alone), EmailTags, Content.Raw: the message as
 *            it is; of mail that came by this API with a stored template FromEmailAddress,
 *            ReplyToAddresses and Content.Template
 *   answer   200 {"MessageId"}
 *   errors   their name in x-amzn-ErrorType (or __type, or code), {"message"}
 *   signed   Signature Version 4 over host, content-type and x-amz-date, by the caller
 */
#include "core/esp/send_fields.h"

#include "core/record/template.h"

static void put_list(struct json_writer *w,
                     const char *name,
                     const struct mailbox *list,
                     size_t count)
{
    jw_array(w, name);
    for (size_t i = 0; i < count; i++)
        send_put_mailbox(w, NULL, &list[i]);
    jw_end(w);
}

/* What the request's message would say else: SES makes the header of a template's mail. */
static void put_template(const struct send_fields *f, struct arena *a, struct json_writer *w)
{
    struct text name, value;
    jw_object(w, "Template");
    send_put_template(f, w, "TemplateName");
    send_put_template(f, w, "TemplateArn");
    send_put_template(f, w, "TemplateData");
    jw_array(w, "Headers");
    for (size_t pos = 0; send_fields_header(f, &pos, a, &name, &value);) {
        if (text_ieq(name, TEXT("Message-ID")))
            continue;
        jw_object(w, NULL);
        jw_text(w, "Name", name);
        jw_text(w, "Value", value);
        jw_end(w);
    }
    jw_end(w);
    jw_end(w);
}

static enum tide_err put_content(const struct send_mail *mail,
                                 struct arena *a,
                                 struct json_writer *w,
                                 struct tide_error *err)
{
    struct send_fields f;
    struct message m;
    enum tide_err rc = message_open(mail->message, &m, err);
    bool template = rc == TIDE_OK && message_has(&m, TEXT(TEMPLATE_FIELD));
    if (template)
        rc = send_fields_read(mail, &send_ses, a, &f, err);
    if (rc == TIDE_OK && template && f.parts.file_count > 0)
        rc = tide_fail(err, TIDE_EINVAL, "a template's mail has no attachments here");
    if (rc != TIDE_OK)
        return rc;
    if (template) {
        send_put_mailbox(w, "FromEmailAddress", &f.from);
        put_list(w, "ReplyToAddresses", f.reply_to, f.reply_to_count);
    }
    jw_object(w, "Destination");
    jw_array(w, "ToAddresses");
    jw_text(w, NULL, mail->recipient);
    jw_end(w);
    jw_end(w);
    jw_object(w, "Content");
    if (template)
        put_template(&f, a, w);
    else {
        jw_object(w, "Raw");
        send_put_base64(w, "Data", mail->message);
        jw_end(w);
    }
    jw_end(w);
    return TIDE_OK;
}

static enum tide_err build(const struct send_mail *mail,
                           struct arena *a,
                           struct send_request *ret,
                           struct tide_error *err)
{
    struct json_writer w;
    ret->path = TEXT("/v2/email/outbound-emails");
    send_add_header(ret, "Content-Type", TEXT("application/json"));
    jw_init(&w, &ret->body);
    jw_object(&w, NULL);
    enum tide_err rc = put_content(mail, a, &w, err);
    if (rc != TIDE_OK)
        return rc;
    jw_array(&w, "EmailTags");
    jw_object(&w, NULL);
    jw_str(&w, "Name", SEND_ID_NAME);
    send_put_id(&w, "Value", mail->attempt_id);
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
    return buf_check(&ret->body, err);
}

/* "NAME:http://internal..." and "com.amazonaws.ses#NAME" are how AWS writes it. */
static struct text error_name(const struct send_answer *answer, const struct json *doc)
{
    struct text t = answer->header(answer->arg, "x-amzn-ErrorType");
    if (t.n == 0)
        t = json_string_text(json_member(doc, "__type"));
    if (t.n == 0)
        t = json_string_text(json_member(doc, "code"));
    t = text_cut(t, 0, text_find(t, ':'));
    size_t hash = text_find(t, '#');
    return hash < t.n ? text_cut(t, hash + 1, t.n) : t;
}

static const struct {
    const char *name;
    enum send_meaning meaning;
} names[] = {
    {"TooManyRequestsException", SEND_LIMITED},
    {"ThrottlingException", SEND_LIMITED},
    {"Throttling", SEND_LIMITED},
    {"LimitExceededException", SEND_LIMITED},
    {"AccountSuspendedException", SEND_KEY},
    {"SendingPausedException", SEND_KEY},
    {"MailFromDomainNotVerifiedException", SEND_SENDER},
    {"RequestTimeoutException", SEND_NOT_WHOLE},
};

static void read_answer(const struct send_answer *answer,
                        const struct json *doc,
                        struct send_words *w)
{
    w->id = json_string_text(json_member(doc, "MessageId"));
    w->code = error_name(answer, doc);
    w->words = json_string_text(json_member(doc, "message"));
    if (w->words.n == 0)
        w->words = json_string_text(json_member(doc, "Message"));
    for (size_t i = 0; i < sizeof names / sizeof names[0] && w->meaning != SEND_TAKEN; i++)
        if (text_eq(w->code, text_of(names[i].name)))
            w->meaning = names[i].meaning;
}

const struct send_api send_ses = {
    .name = "ses",
    .title = "Amazon SES",
    .signs_aws = true,
    .build = build,
    .read = read_answer,
};
