/* Each API behind: the request that a mail becomes, against bodies written by hand from the APIs'
 * documentation; what answers mean. */
#include "core/esp/send.h"
#include "lib/check.h"

#define KEY "KEY-1"

static const char plain[] = "From: \"M\xC3\xBCller, Ann\" <ann@shop.test>\r\n"
                            "To: Bob <bob@client.test>, carol@client.test\r\n"
                            "Cc: dan@client.test\r\n"
                            "Reply-To: help@shop.test\r\n"
                            "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
                            "Message-ID: <1@shop.test>\r\n"
                            "X-Order:\r\n 42\r\n"
                            "DKIM-Signature: v=1; x\r\n"
                            "\r\n"
                            "hi\r\n";

static const char rich[] =
    "From: ann@shop.test\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=m\r\n\r\n"
    "--m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n"
    "--r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
    "--a\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"
    "--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<b>hi</b><img "
    "src=\"cid:c1\">\r\n--a--\r\n"
    "--r\r\nContent-Type: image/png; name=\"i.png\"\r\nContent-ID: <c1>\r\n"
    "Content-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\n--r--\r\n"
    "--m\r\nContent-Type: application/pdf\r\n"
    "Content-Disposition: attachment; filename*=utf-8''%C3%BC.pdf\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nJVBE\r\n--m--\r\n";

#define ID "000000000002d"

static const struct {
    const char *api, *message, *path, *body;
} requests[] = {
    {"sendgrid", plain, "/v3/mail/send",
     "{\"personalizations\":[{\"to\":[{\"email\":\"bob@client.test\",\"name\":\"Bob\"}]}],"
     "\"from\":{\"email\":\"ann@shop.test\",\"name\":\"M\xC3\xBCller, Ann\"},"
     "\"reply_to\":{\"email\":\"help@shop.test\"},\"subject\":\"Gr\xC3\xBC\xC3\x9F"
     "e\","
     "\"content\":[{\"type\":\"text/plain\",\"value\":\"hi\\r\\n\"}],"
     "\"headers\":{\"Message-ID\":\"<1@shop.test>\",\"X-Order\":\"42\"},"
     "\"custom_args\":{\"mailtide_attempt\":\"" ID "\"}}"},
    {"sendgrid", rich, "/v3/mail/send",
     "{\"personalizations\":[{\"to\":[{\"email\":\"bob@client.test\"}]}],"
     "\"from\":{\"email\":\"ann@shop.test\"},\"subject\":\"x\","
     "\"content\":[{\"type\":\"text/plain\",\"value\":\"Gr\xC3\xBC\xC3\x9F"
     "e\"},"
     "{\"type\":\"text/html\",\"value\":\"<b>hi</b><img src=\\\"cid:c1\\\">\"}],"
     "\"attachments\":[{\"content\":\"iVBO\",\"filename\":\"i.png\",\"type\":\"image/png\","
     "\"disposition\":\"inline\",\"content_id\":\"c1\"},"
     "{\"content\":\"JVBE\",\"filename\":\"\xC3\xBC.pdf\",\"type\":\"application/pdf\","
     "\"disposition\":\"attachment\"}],\"headers\":{},"
     "\"custom_args\":{\"mailtide_attempt\":\"" ID "\"}}"},
    {"postmark", plain, "/email",
     "{\"From\":\"\\\"M\xC3\xBCller, Ann\\\" <ann@shop.test>\","
     "\"To\":\"\\\"Bob\\\" <bob@client.test>\",\"ReplyTo\":\"help@shop.test\","
     "\"Subject\":\"Gr\xC3\xBC\xC3\x9F"
     "e\",\"TextBody\":\"hi\\r\\n\","
     "\"Headers\":[{\"Name\":\"Message-ID\",\"Value\":\"<1@shop.test>\"},"
     "{\"Name\":\"X-Order\",\"Value\":\"42\"}],"
     "\"Metadata\":{\"mailtide_attempt\":\"" ID "\"}}"},
    {"postmark", rich, "/email",
     "{\"From\":\"ann@shop.test\",\"To\":\"bob@client.test\",\"Subject\":\"x\","
     "\"TextBody\":\"Gr\xC3\xBC\xC3\x9F"
     "e\","
     "\"HtmlBody\":\"<b>hi</b><img src=\\\"cid:c1\\\">\",\"Headers\":[],"
     "\"Attachments\":[{\"Name\":\"i.png\",\"Content\":\"iVBO\",\"ContentType\":\"image/png\","
     "\"ContentID\":\"cid:c1\"},{\"Name\":\"\xC3\xBC.pdf\",\"Content\":\"JVBE\","
     "\"ContentType\":\"application/pdf\"}],"
     "\"Metadata\":{\"mailtide_attempt\":\"" ID "\"}}"},
    {"resend", plain, "/emails",
     "{\"from\":\"\\\"M\xC3\xBCller, Ann\\\" <ann@shop.test>\","
     "\"to\":[\"\\\"Bob\\\" <bob@client.test>\"],\"reply_to\":[\"help@shop.test\"],"
     "\"subject\":\"Gr\xC3\xBC\xC3\x9F"
     "e\",\"text\":\"hi\\r\\n\","
     "\"headers\":{\"Message-ID\":\"<1@shop.test>\",\"X-Order\":\"42\"},"
     "\"tags\":[{\"name\":\"mailtide_attempt\",\"value\":\"" ID "\"}]}"},
    {"ses", "From: a@b.test\r\n\r\nhi", "/v2/email/outbound-emails",
     "{\"Destination\":{\"ToAddresses\":[\"bob@client.test\"]},"
     "\"Content\":{\"Raw\":{\"Data\":\"RnJvbTogYUBiLnRlc3QNCg0KaGk=\"}},"
     "\"EmailTags\":[{\"Name\":\"mailtide_attempt\",\"Value\":\"" ID "\"}]}"},
    {"sparkpost", "From: a@b.test\r\n\r\nhi", "/api/v1/transmissions",
     "{\"recipients\":[{\"address\":{\"email\":\"bob@client.test\"}}],"
     "\"content\":{\"email_rfc822\":\"From: a@b.test\\r\\n\\r\\nhi\"},"
     "\"metadata\":{\"mailtide_attempt\":\"" ID "\"}}"},
};

static struct send_mail mail_of(const char *message)
{
    return (struct send_mail){.attempt_id = 77,
                              .recipient = TEXT("bob@client.test"),
                              .message = text_of(message),
                              .key = TEXT(KEY),
                              .place = TEXT("")};
}

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(requests); i++) {
        const struct send_api *api = send_api_find(text_of(requests[i].api));
        struct send_mail mail = mail_of(requests[i].message);
        struct send_request r = {0};
        struct arena a = {0};
        struct tide_error err = {0};
        T_TRUE(api, "%s", requests[i].api);
        T_OK(api->build(&mail, &a, &r, &err), &err, "%s", requests[i].api);
        T_TEXT(r.path, requests[i].path, "%s", requests[i].api);
        T_TEXT(buf_text(&r.body), requests[i].body, "%s", requests[i].api);
        buf_fini(&r.body);
        arena_fini(&a);
    }
}

/* The form holds the message byte for byte, behind a boundary that is not in it. */
static void test_mailgun_form(void **state)
{
    static const char message[] = "From: a@b.test\r\n\r\n\xE4\r\n";
    struct send_mail mail = mail_of(message);
    struct send_request r = {0};
    struct arena a = {0};
    struct tide_error err = {0};
    (void)state;
    T_OK(send_mailgun.build(&mail, &a, &r, &err), &err, "mailgun");
    T_TEXT(r.path, "/v3/b.test/messages.mime", "the From's domain");
    T_TEXT(r.headers[0].value, "Basic YXBpOktFWS0x", "api:KEY-1");
    T_TRUE(text_starts(r.headers[1].value, TEXT("multipart/form-data; boundary=")), "type");
    const char *boundary = r.headers[1].value.p + 30;
    struct buf want = {0};
    buf_addf(
        &want,
        "--%s\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\nbob@client.test\r\n"
        "--%s\r\nContent-Disposition: form-data; name=\"v:mailtide_attempt\"\r\n\r\n" ID "\r\n"
        "--%s\r\nContent-Disposition: form-data; name=\"message\"; filename=\"message.eml\"\r\n"
        "Content-Type: message/rfc822\r\n\r\n%s\r\n--%s--\r\n",
        boundary, boundary, boundary, message, boundary);
    T_TEXT(buf_text(&r.body), buf_str(&want), "form");
    buf_fini(&want);
    buf_fini(&r.body);
    arena_reset(&a);
    r = (struct send_request){0};
    mail.place = TEXT("mg.b.test");
    T_OK(send_mailgun.build(&mail, &a, &r, &err), &err, "mailgun");
    T_TEXT(r.path, "/v3/mg.b.test/messages.mime", "the account's domain");
    buf_fini(&r.body);
    arena_fini(&a);
}

/* The account's message stream, unless the mail names one. */
static void test_postmark_stream(void **state)
{
    static const char *const heads[] = {"", "X-PM-Message-Stream: own\r\n"};
    static const char *const places[] = {"", "news"};
    static const char *const wants[2][2] = {{NULL, "news"}, {"own", "own"}};
    (void)state;
    for (int h = 0; h < 2; h++)
        for (int p = 0; p < 2; p++) {
            char message[200];
            struct send_request r = {0};
            struct arena a = {0};
            struct tide_error err = {0};
            struct json *doc = NULL;
            snprintf(message, sizeof message, "%sFrom: a@b.test\r\n\r\nhi\r\n", heads[h]);
            struct send_mail mail = mail_of(message);
            mail.place = text_of(places[p]);
            T_OK(send_postmark.build(&mail, &a, &r, &err), &err, "postmark");
            T_OK(json_parse(buf_text(&r.body), r.body.len, &doc, &err), &err, "postmark");
            struct text got = json_string_text(json_member(doc, "MessageStream"));
            T_EQ(got.p != NULL, wants[h][p] != NULL, "%d %d", h, p);
            if (got.p)
                T_TEXT(got, wants[h][p], "%d %d", h, p);
            json_free(doc);
            buf_fini(&r.body);
            arena_fini(&a);
        }
}

static void test_brevo_key(void **state)
{
    struct send_mail mail = mail_of(plain);
    struct send_request r = {0};
    struct arena a = {0};
    struct tide_error err = {0};
    struct json *doc = NULL;
    (void)state;
    T_OK(send_brevo.build(&mail, &a, &r, &err), &err, "brevo");
    T_OK(json_parse(buf_text(&r.body), 100000, &doc, &err), &err, "brevo");
    const struct json *headers = json_member(doc, "headers");
    T_EQ(json_string_text(json_member(headers, "idempotencyKey")).n, 36, "a UUID");
    T_TEXT(json_string_text(json_member(headers, "X-Mailin-custom")), "mailtide_attempt:" ID, "id");
    T_TEXT(json_string_text(json_member(headers, "X-Order")), "42", "headers are kept");
    json_free(doc);
    buf_fini(&r.body);
    arena_fini(&a);
}

static const struct {
    const char *api;
    int status;
    const char *header, *value, *body;
    enum send_meaning meaning;
    enum send_fate fate;
    bool account_fault;
    int64_t wait_ms;
} answers[] = {
    {"sendgrid", 202, "X-Message-Id", "s1", "", SEND_TAKEN, SEND_ACCEPTED, false, 0},
    {"sendgrid", 200, NULL, NULL, "", SEND_LOST, SEND_UNKNOWN, true, 0},
    {"sendgrid", 403, NULL, NULL, "{\"errors\":[{\"field\":\"from\",\"message\":\"x\"}]}",
     SEND_SENDER, SEND_REFUSED, false, 0},
    {"sendgrid", 403, NULL, NULL, "{}", SEND_KEY, SEND_REFUSED, true, 0},
    {"sendgrid", 413, NULL, NULL, "", SEND_SIZE, SEND_REFUSED, false, 0},
    {"sendgrid", 429, "X-RateLimit-Reset", "1800000090", "", SEND_LIMITED, SEND_REFUSED, true,
     90000},
    {"sendgrid", 503, "Retry-After", "Fri, 15 Jan 2027 08:01:00 GMT", "", SEND_DOWN, SEND_REFUSED,
     true, 60000},
    {"ses", 200, NULL, NULL, "{\"MessageId\":\"m1\"}", SEND_TAKEN, SEND_ACCEPTED, false, 0},
    {"ses", 400, "x-amzn-ErrorType", "MessageRejected", "{\"message\":\"no\"}", SEND_MAIL,
     SEND_REFUSED, false, 0},
    {"ses", 400, "x-amzn-ErrorType", "ThrottlingException:http://x/", "{}", SEND_LIMITED,
     SEND_REFUSED, true, 0},
    {"ses", 400, NULL, NULL, "{\"__type\":\"com.amazonaws.ses#SendingPausedException\"}", SEND_KEY,
     SEND_REFUSED, true, 0},
    {"ses", 403, "x-amzn-ErrorType", "InvalidSignatureException", "{}", SEND_KEY, SEND_REFUSED,
     true, 0},
    {"ses", 404, "x-amzn-ErrorType", "NotFoundException", "{}", SEND_WRONG_PLACE, SEND_REFUSED,
     true, 0},
    {"mailgun", 200, NULL, NULL, "{\"id\":\"<1@x>\",\"message\":\"Queued. Thank you.\"}",
     SEND_TAKEN, SEND_ACCEPTED, false, 0},
    {"mailgun", 401, NULL, NULL, "Forbidden", SEND_KEY, SEND_REFUSED, true, 0},
    {"mailgun", 408, NULL, NULL, "", SEND_NOT_WHOLE, SEND_NOT_SENT, true, 0},
    {"postmark", 200, NULL, NULL, "{\"ErrorCode\":0,\"MessageID\":\"p1\"}", SEND_TAKEN,
     SEND_ACCEPTED, false, 0},
    {"postmark", 422, NULL, NULL, "{\"ErrorCode\":406,\"Message\":\"x\"}", SEND_SUPPRESSED,
     SEND_REFUSED, false, 0},
    {"postmark", 422, NULL, NULL, "{\"ErrorCode\":405,\"Message\":\"x\"}", SEND_UNPAID,
     SEND_REFUSED, true, 0},
    {"postmark", 422, NULL, NULL, "{\"ErrorCode\":300,\"Message\":\"x\"}", SEND_MAIL, SEND_REFUSED,
     false, 0},
    {"resend", 409, NULL, NULL, "{\"name\":\"concurrent_idempotent_requests\"}", SEND_LOST,
     SEND_UNKNOWN, true, 0},
    {"resend", 402, NULL, NULL, "", SEND_UNPAID, SEND_REFUSED, true, 0},
    {"resend", 429, "ratelimit-reset", "1", "", SEND_LIMITED, SEND_REFUSED, true, 1000},
    {"sparkpost", 200, NULL, NULL, "{\"results\":{\"total_accepted_recipients\":1,\"id\":\"t1\"}}",
     SEND_TAKEN, SEND_ACCEPTED, false, 0},
    {"sparkpost", 200, NULL, NULL, "{\"results\":{\"total_accepted_recipients\":0,\"id\":\"t1\"}}",
     SEND_MAIL, SEND_REFUSED, false, 0},
    {"sparkpost", 420, NULL, NULL, "", SEND_LIMITED, SEND_REFUSED, true, 0},
    {"brevo", 201, NULL, NULL, "{\"messageId\":\"<b>\"}", SEND_TAKEN, SEND_ACCEPTED, false, 0},
    {"brevo", 502, NULL, NULL, "<html>", SEND_LOST, SEND_UNKNOWN, true, 0},
    {"brevo", 301, NULL, NULL, "", SEND_WRONG_PLACE, SEND_REFUSED, true, 0},
};

static struct text header_of(void *arg, const char *name)
{
    size_t i = *(const size_t *)arg;
    if (!answers[i].header || !text_ieq(text_of(answers[i].header), text_of(name)))
        return (struct text){NULL, 0};
    return text_of(answers[i].value);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(answers); i++) {
        struct send_said said;
        const struct send_answer answer = {.status = answers[i].status,
                                           .body = text_of(answers[i].body),
                                           .header = header_of,
                                           .arg = &i,
                                           .now = 1800000000000};
        send_read(send_api_find(text_of(answers[i].api)), &answer, &said);
        T_EQ(said.meaning, answers[i].meaning, "%zu: %s", i, said.reply.text);
        T_EQ(said.fate, answers[i].fate, "%zu: %s", i, said.reply.text);
        T_EQ(said.account_fault, answers[i].account_fault, "%zu: %s", i, said.reply.text);
        T_EQ(said.wait_ms, answers[i].wait_ms, "%zu: %s", i, said.reply.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),        cmocka_unit_test(test_mailgun_form),
        cmocka_unit_test(test_postmark_stream), cmocka_unit_test(test_brevo_key),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
