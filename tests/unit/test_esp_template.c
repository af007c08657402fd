/* Templates stored at an ESP: what came by its API leaves by it with the same template, and by no
 * other. */
#include "core/esp/send.h"
#include "core/record/template.h"
#include "lib/check.h"
#include "lib/esp_run.h"

/* Most cases have nothing that must be absent. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"

static const struct {
    const char *api, *path, *content_type, *body;
    size_t mail; /* of the request's mails */
    const char *path_behind, *want[4], *absent[2];
} cases[] = {
    {"sendgrid",
     "/v3/mail/send",
     JSON,
     "{\"personalizations\":[{\"to\":[{\"email\":\"a@b.example\"}]},{\"to\":[{\"email\":"
     "\"c@b.example\"}],\"dynamic_template_data\":{\"n\":[1,\"\\u00fc\\\"\"]}}],\"from\":{"
     "\"email\":\"n@s.example\"},\"template_id\":\"d-1\"}",
     1,
     "/v3/mail/send",
     {"{\"personalizations\":[{\"to\":[{\"email\":\"c@b.example\"}],\"dynamic_template_data\":{"
      "\"n\":[1,\"\xC3\xBC\\\"\"]}}],\"template_id\":\"d-1\",\"from\":{\"email\":\"n@s.example\"},"
      "\"headers\":"},
     {"\"content\"", "\"subject\""}},
    {"sendgrid",
     "/v3/mail/send",
     JSON,
     "{\"personalizations\":[{\"to\":[{\"email\":\"a@b.example\"}]}],\"from\":{\"email\":"
     "\"n@s.example\"},\"template_id\":\"d-1\",\"subject\":\"Hi\",\"attachments\":[{\"content\":"
     "\"YXR0\",\"filename\":\"a.txt\",\"type\":\"text/plain\"}]}",
     0,
     "/v3/mail/send",
     {"\"template_id\":\"d-1\"", "\"subject\":\"Hi\"",
      "\"attachments\":[{\"content\":\"YXR0\",\"filename\":\"a.txt\",\"type\":\"text/plain\","
      "\"disposition\":\"attachment\"}]"}},
    {"postmark",
     "/email/withTemplate",
     JSON,
     "{\"From\":\"n@s.example\",\"To\":\"a@b.example\",\"TemplateAlias\":\"welcome\","
     "\"TemplateModel\":{\"name\":\"Ann\",\"n\":1.5}}",
     0,
     "/email/withTemplate",
     {"{\"From\":\"n@s.example\",\"To\":\"a@b.example\",\"TemplateAlias\":\"welcome\","
      "\"TemplateModel\":{\"name\":\"Ann\",\"n\":1.5},\"Headers\":"},
     {"TextBody", "Subject"}},
    {"postmark",
     "/email/batchWithTemplates",
     JSON,
     "{\"Messages\":[{\"From\":\"n@s.example\",\"To\":\"a@b.example\",\"TemplateId\":1,"
     "\"TemplateModel\":{}},{\"From\":\"n@s.example\",\"To\":\"c@b.example\",\"TemplateId\":2}]}",
     1,
     "/email/withTemplate",
     {"\"To\":\"c@b.example\",\"TemplateId\":2,\"Headers\":"}},
    {"resend",
     "/emails",
     JSON,
     "{\"from\":\"n@s.example\",\"to\":\"a@b.example\",\"template\":{\"id\":\"t1\",\"variables\":{"
     "\"x\":1}}}",
     0,
     "/emails",
     {"\"template\":{\"id\":\"t1\",\"variables\":{\"x\":1}},\"headers\":"},
     {"\"text\"", "\"subject\""}},
    {"ses",
     "/v2/email/outbound-emails",
     JSON,
     "{\"FromEmailAddress\":\"N <n@s.example>\",\"Destination\":{\"ToAddresses\":["
     "\"a@b.example\"]},\"ReplyToAddresses\":[\"r@s.example\"],\"Content\":{\"Template\":{"
     "\"TemplateName\":\"T\",\"TemplateData\":\"{\\\"n\\\":\\\"x\\\"}\",\"Headers\":[{\"Name\":"
     "\"X-A\",\"Value\":\"b\"}]}}}",
     0,
     "/v2/email/outbound-emails",
     {"{\"FromEmailAddress\":\"\\\"N\\\" <n@s.example>\",\"ReplyToAddresses\":[\"r@s.example\"],"
      "\"Destination\":{\"ToAddresses\":[\"a@b.example\"]},\"Content\":{\"Template\":{"
      "\"TemplateName\":\"T\",\"TemplateData\":\"{\\\"n\\\":\\\"x\\\"}\",\"Headers\":[{\"Name\":"
      "\"X-A\",\"Value\":\"b\"}]}},\"EmailTags\":"},
     {"Raw"}},
    {"ses",
     "/v2/email/outbound-bulk-emails",
     JSON,
     "{\"FromEmailAddress\":\"n@s.example\",\"DefaultContent\":{\"Template\":{\"TemplateName\":"
     "\"T\",\"TemplateData\":\"{\\\"n\\\":\\\"all\\\",\\\"k\\\":1}\"}},\"BulkEmailEntries\":[{"
     "\"Destination\":{\"ToAddresses\":[\"a@b.example\"]},\"ReplacementEmailContent\":{"
     "\"ReplacementTemplate\":{\"ReplacementTemplateData\":\"{\\\"n\\\":\\\"own\\\"}\"}}}]}",
     0,
     "/v2/email/outbound-emails",
     {"\"TemplateData\":\"{\\\"n\\\":\\\"own\\\",\\\"k\\\":1}\""}},
    {"ses",
     "/",
     FORM,
     "Action=SendTemplatedEmail&Source=n%40s.example&Destination.ToAddresses.member.1=a%40b.example"
     "&Template=T&TemplateData=%7B%22n%22%3A1%7D",
     0,
     "/v2/email/outbound-emails",
     {"\"TemplateName\":\"T\",\"TemplateData\":\"{\\\"n\\\":1}\""}},
    {"ses",
     "/",
     FORM,
     "Action=SendBulkTemplatedEmail&Source=n%40s.example&Template=T&DefaultTemplateData=%7B%22n%22"
     "%3A%22all%22%2C%22k%22%3A1%7D&Destinations.member.1.Destination.ToAddresses.member.1=a%40b."
     "example&Destinations.member.2.Destination.ToAddresses.member.1=c%40b.example&Destinations."
     "member.2.ReplacementTemplateData=%7B%22n%22%3A%22own%22%7D",
     1,
     "/v2/email/outbound-emails",
     {"\"ToAddresses\":[\"c@b.example\"]", "\"TemplateName\":\"T\"",
      "\"TemplateData\":\"{\\\"n\\\":\\\"own\\\",\\\"k\\\":1}\""}},
    {"mailgun",
     "/v3/s.example/messages",
     FORM,
     "from=N+<n@s.example>&to=A+<a@b.example>&to=c@b.example&template=welcome&t:version=v2&"
     "t:variables=%7B%22n%22%3A%22%25recipient.n%25%22%7D&h:X-A=b&recipient-variables="
     "%7B%22c@b.example%22%3A%7B%22n%22%3A%22Cyd%22%7D%7D",
     1,
     "/v3/s.example/messages",
     {"name=\"template\"\r\n\r\nwelcome\r\n", "name=\"t:version\"\r\n\r\nv2\r\n",
      "name=\"t:variables\"\r\n\r\n{\"n\":\"Cyd\"}\r\n", "name=\"h:X-A\"\r\n\r\nb\r\n"},
     {"name=\"message\"", "text"}},
};

/* What intake stores of the mail, with the field that it puts in front. */
static void stored_message(const char *api, const struct api_draft *d, struct buf *ret)
{
    const struct compose_given given = {.date = ESP_RUN_NOW, .message_id = TEXT("id@s.example")};
    struct tide_error err = {0};
    buf_addf(ret, TEMPLATE_FIELD ": %s\r\n", api);
    T_OK(compose(d, &given, ret, &err), &err, "%s", api);
}

static void read_request(size_t i,
                         const char *behind,
                         struct arena *a,
                         struct esp_ask *ask,
                         struct esp_batch *batch,
                         struct esp_refusal *why)
{
    bool known;
    *ask = (struct esp_ask){.method = TEXT("POST"),
                            .path = text_of(cases[i].path),
                            .content_type = text_of(cases[i].content_type),
                            .body = text_of(cases[i].body),
                            .unique = TEXT("00112233445566778899aabbccddeeff"),
                            .now = ESP_RUN_NOW,
                            .behind = text_of(behind),
                            .recipients_max = 1000};
    ask->call = esp_find(ask->method, ask->path, ask->wild, &known);
    T_TRUE(ask->call && known, "%s", cases[i].path);
    if (!esp_read(ask, a, batch, why))
        T_TRUE(why->fault != ESP_FINE, "%s", cases[i].path);
}

static void test_passed_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena a = {0};
        struct esp_ask ask;
        struct esp_batch batch = {0};
        struct esp_refusal why = {0};
        struct buf message = {0};
        struct send_request request = {0};
        struct tide_error err = {0};
        read_request(i, cases[i].api, &a, &ask, &batch, &why);
        T_TRUE(why.fault == ESP_FINE && batch.count > cases[i].mail, "%s: %s", cases[i].path,
               why.message);
        const struct esp_mail *m = &batch.mails[cases[i].mail];
        T_TRUE(!m->refusal, "%s: %s", cases[i].path, m->refusal ? m->refusal->message : "");
        stored_message(cases[i].api, &m->draft, &message);
        struct send_mail mail = {.attempt_id = 77,
                                 .recipient = m->draft.to.list[0].address,
                                 .message = buf_text(&message),
                                 .key = TEXT("KEY")};
        const struct send_api *api = send_api_find(text_of(cases[i].api));
        T_OK(api->build(&mail, &a, &request, &err), &err, "%s", cases[i].path);
        T_TEXT(request.path, cases[i].path_behind, "%s", cases[i].path);
        const char *body = buf_str(&request.body);
        for (size_t k = 0; k < TIDE_COUNT(cases[i].want) && cases[i].want[k]; k++)
            T_TRUE(strstr(body, cases[i].want[k]), "%s: want %s in: %s", cases[i].path,
                   cases[i].want[k], body);
        for (size_t k = 0; k < TIDE_COUNT(cases[i].absent) && cases[i].absent[k]; k++)
            T_TRUE(!strstr(body, cases[i].absent[k]), "%s: %s in: %s", cases[i].path,
                   cases[i].absent[k], body);
        buf_fini(&message);
        buf_fini(&request.body);
        esp_batch_fini(&batch);
        arena_fini(&a);
    }
}

/* Where another ESP is behind it is refused when it comes, or at the latest when it would leave. */
static void test_not_elsewhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena a = {0};
        struct esp_ask ask;
        struct esp_batch batch = {0};
        struct esp_refusal why = {0};
        read_request(i, "brevo", &a, &ask, &batch, &why);
        const struct esp_refusal *first = why.fault != ESP_FINE ? &why : esp_first_refusal(&batch);
        T_TRUE(first && first->fault == ESP_TEMPLATE, "%s: %s", cases[i].path,
               first ? first->message : "taken");
        esp_batch_fini(&batch);
        arena_fini(&a);
    }
    static const char *const others[] = {"sendgrid", "postmark", "resend",
                                         "ses",      "mailgun",  "brevo"};
    for (size_t i = 0; i < TIDE_COUNT(others); i++) {
        struct arena a = {0};
        struct send_request request = {0};
        struct tide_error err = {0};
        struct send_mail mail = {
            .recipient = TEXT("a@b.example"),
            .message = TEXT(TEMPLATE_FIELD ": other\r\nFrom: n@s.example\r\nContent-Type: "
                                           "application/json\r\n\r\n{}\r\n"),
        };
        enum tide_err rc = send_api_find(text_of(others[i]))->build(&mail, &a, &request, &err);
        T_EQ(rc, TIDE_EINVAL, "%s: %s", others[i], buf_str(&request.body));
        T_STR(err.text, "its text is a template stored at other", "%s", others[i]);
        buf_fini(&request.body);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passed_on),
        cmocka_unit_test(test_not_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
