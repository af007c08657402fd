/* Asking an ESP whether it has a mail: what is asked, and what answers mean. */
#include "core/esp/send_ask.h"
#include "lib/check.h"

#define MESSAGE "From: Ann <ann@shop.test>\r\nTo: b@x.test\r\nSubject: s\r\n\r\nhello\r\n"
#define STREAM  "X-PM-Message-Stream: news letter\r\n"

static struct send_mail mail_of(const char *message)
{
    return (struct send_mail){.attempt_id = 77,
                              .recipient = TEXT("b+c@x.test"),
                              .message = text_of(message),
                              .key = TEXT("KEY")};
}

static const struct {
    const char *api, *message, *path, *header;
} asked[] = {
    {"postmark", MESSAGE,
     "/messages/outbound?count=25&metadata_mailtide_attempt=000000000002d&offset=0",
     "X-Postmark-Server-Token"},
    {"postmark", STREAM MESSAGE,
     "/messages/outbound?count=25&metadata_mailtide_attempt=000000000002d&offset=0"
     "&messagestream=news%20letter",
     "X-Postmark-Server-Token"},
    {"sendgrid", MESSAGE,
     "/v3/messages?limit=25&query=%28unique_args%5B%27mailtide_attempt%27%5D%3D%22000000000002d%22"
     "%29",
     "Authorization"},
    {"mailgun", MESSAGE, "/v3/shop.test/events?event=accepted&limit=25&recipient=b%2Bc%40x.test",
     "Authorization"},
};

static void test_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(asked); i++) {
        const struct send_api *api = send_api_find(text_of(asked[i].api));
        const struct send_mail mail = mail_of(asked[i].message);
        struct send_request built = {0}, ask;
        struct arena a = {0};
        struct tide_error err;
        bool shown = false;
        T_TRUE(send_ask_can(api), "%s", asked[i].api);
        T_OK(api->build(&mail, &a, &built, &err), &err, "%s", asked[i].api);
        T_OK(send_ask_build(api, &mail, &built, &a, &ask, &err), &err, "%s", asked[i].api);
        T_TEXT(ask.path, asked[i].path, "%s", asked[i].api);
        for (size_t k = 0; k < ask.header_count; k++) {
            shown |= strcmp(ask.headers[k].name, asked[i].header) == 0;
            T_TRUE(strcmp(ask.headers[k].name, "Content-Type") != 0, "%s", asked[i].api);
        }
        T_TRUE(shown, "%s: its key", asked[i].api);
        buf_fini(&built.body);
        arena_fini(&a);
    }
}

static const struct {
    const char *api;
    int status;
    const char *body;
    enum send_found want;
} answers[] = {
#define PM(id)                                                                                 \
    "{\"TotalCount\":1,\"Messages\":[{\"MessageID\":\"m\",\"Metadata\":{\"mailtide_attempt\":" \
    "\"" id "\"}}]}"
    {"postmark", 200, PM("000000000002d"), SEND_FOUND},
    {"postmark", 200, PM("000000000002e"), SEND_NOT_FOUND},
    {"postmark", 200, "{\"TotalCount\":1,\"Messages\":[{\"MessageID\":\"m\"}]}", SEND_NOT_FOUND},
    {"postmark", 200, "{\"TotalCount\":0,\"Messages\":[]}", SEND_NOT_FOUND},
    {"postmark", 200, "{}", SEND_CANNOT_TELL},
    {"postmark", 200, "[]", SEND_CANNOT_TELL},
    {"postmark", 200, "<html>", SEND_CANNOT_TELL},
    {"postmark", 200, "", SEND_CANNOT_TELL},
    {"postmark", 401, PM("000000000002d"), SEND_CANNOT_TELL},
    {"postmark", 429, "", SEND_ASK_LATER},
    {"postmark", 503, "", SEND_ASK_LATER},
#undef PM
    {"sendgrid", 200, "{\"messages\":[{\"msg_id\":\"m\",\"to_email\":\"B+C@x.test\"}]}",
     SEND_FOUND},
    {"sendgrid", 200, "{\"messages\":[{\"msg_id\":\"m\",\"to_email\":\"d@x.test\"}]}",
     SEND_NOT_FOUND},
    {"sendgrid", 200, "{\"messages\":[{\"to_email\":\"b+c@x.test\"}]}", SEND_NOT_FOUND},
    {"sendgrid", 403, "{\"errors\":[{\"message\":\"access forbidden\"}]}", SEND_CANNOT_TELL},
    {"mailgun", 200,
     "{\"items\":[{\"id\":\"x\",\"user-variables\":{}},{\"id\":\"m\",\"user-variables\":{"
     "\"mailtide_attempt\":\"000000000002d\"}}],\"paging\":{}}",
     SEND_FOUND},
    {"mailgun", 200, "{\"items\":[7,null,{\"id\":\"m\",\"user-variables\":\"x\"}]}",
     SEND_NOT_FOUND},
};

static void test_answers(void **state)
{
    (void)state;
    const struct send_mail mail = mail_of(MESSAGE);
    for (size_t i = 0; i < TIDE_COUNT(answers); i++) {
        struct send_said said = {0};
        const struct send_api *api = send_api_find(text_of(answers[i].api));
        T_EQ(send_ask_read(api, &mail, answers[i].status, text_of(answers[i].body), &said),
             answers[i].want, "%s %d %s", answers[i].api, answers[i].status, answers[i].body);
        if (answers[i].want == SEND_FOUND) {
            T_EQ(said.fate, SEND_ACCEPTED, "%s", answers[i].body);
            T_TRUE(strstr(said.reply.text, "took it: id=m"), "%s", said.reply.text);
        }
    }
}

static void test_who_can(void **state)
{
    (void)state;
    T_TRUE(!send_ask_can(&send_ses) && !send_ask_can(&send_sparkpost), "nothing to search by");
    T_TRUE(!send_ask_can(&send_resend) && !send_ask_can(&send_brevo), "they know keys");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_asked), cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_who_can)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
