/* Amazon SES v2, POST /v2/email/outbound-emails, behind.
 *
 *   fields   Destination.ToAddresses (the recipient alone), Content.Raw: the message as it is,
 *            EmailTags
 *   answer   200 {"MessageId"}
 *   errors   their name in x-amzn-ErrorType (or __type, or code), {"message"}
 *   signed   Signature Version 4 over host, content-type and x-amz-date, by the caller
 */
#include "core/esp/send_fields.h"

static enum tide_err build(const struct send_mail *mail,
                           struct arena *a,
                           struct send_request *ret,
                           struct tide_error *err)
{
    struct json_writer w;
    (void)a;
    ret->path = TEXT("/v2/email/outbound-emails");
    send_add_header(ret, "Content-Type", TEXT("application/json"));
    jw_init(&w, &ret->body);
    jw_object(&w, NULL);
    jw_object(&w, "Destination");
    jw_array(&w, "ToAddresses");
    jw_text(&w, NULL, mail->recipient);
    jw_end(&w);
    jw_end(&w);
    jw_object(&w, "Content");
    jw_object(&w, "Raw");
    send_put_base64(&w, "Data", mail->message);
    jw_end(&w);
    jw_end(&w);
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
