/* SendGrid's API in front: what is handed in and what is answered. */
#include "lib/check.h"
#include "lib/esp_cases.h"

#define PATH "/v3/mail/send"
#define REST                                                                       \
    "\"from\":{\"email\":\"n@s.example\",\"name\":\"Sender\"},\"subject\":\"Hi\"," \
    "\"content\":[{\"type\":\"text/plain\",\"value\":\"hi -name-\"}]"
#define TO(a)         "{\"to\":[{\"email\":\"" a "\"}]}"
#define SEND(p, more) "{\"personalizations\":[" p "]," REST more "}"
#define ERROR(message, field) \
    "{\"errors\":[{\"message\":\"" message "\",\"field\":" field ",\"help\":null}]}"

static const struct esp_case cases[] = {
    {"one",
     "POST",
     PATH,
     NULL,
     SEND(TO("a@b.example"), ""),
     {"202\nX-Message-Id: 0000000000001\n\n"},
     {"from: Sender<n@s.example>\nto: <a@b.example>\nsubject: Hi\ntext: hi -name-\n",
      "not_before: 0\n", "composes: yes\n"}},
    {"each personalization is a mail of its own",
     "POST",
     PATH,
     NULL,
     SEND("{\"to\":[{\"email\":\"a@b.example\",\"name\":\"J\\u00f6rg\"}],\"cc\":[{\"email\":"
          "\"c@b.example\"}],\"bcc\":[{\"email\":\"d@b.example\"}],\"subject\":\"Own -name-\","
          "\"substitutions\":{\"-name-\":\"Ann\",\"-n\":\"no\"},\"headers\":{\"X-B\":\"2\"},"
          "\"send_at\":1800000000}," TO("e@b.example"),
          ",\"headers\":{\"X-A\":\"1\"},\"reply_to\":{\"email\":\"r@s.example\"}"),
     {"202\n"},
     {"to: Jörg<a@b.example>\ncc: <c@b.example>\nbcc: <d@b.example>\nreply-to: <r@s.example>\n"
      "subject: Own Ann\ntext: hi Ann\n",
      "header: X-A=1\nheader: X-B=2\n", "not_before: 1800000000000\n",
      "to: <e@b.example>\nreply-to: <r@s.example>\nsubject: Hi\ntext: hi -name-\nhtml: \n"
      "header: X-A=1\nstream"}},
    {"files",
     "POST",
     PATH,
     NULL,
     SEND(TO("a@b.example"),
          ",\"attachments\":[{\"content\":\"YXR0\",\"filename\":\"ü.txt\"},{\"content\":\"YXR0\","
          "\"filename\":\"l.png\",\"type\":\"image/png\",\"disposition\":\"inline\",\"contentId\":"
          "\"logo\"},{\"content\":\"YXR0\",\"filename\":\"m\",\"type\":\"nonsense\","
          "\"disposition\":\"inline\",\"content_id\":\"<l2>\"}]"),
     {"202\n"},
     {"file: ü.txt text/plain  \"att\"\n", "file: l.png image/png inline logo \"att\"\n",
      "file: m application/octet-stream inline l2 \"att\"\n"}},
    {"a name in quotes",
     "POST",
     PATH,
     NULL,
     SEND("{\"to\":[{\"email\":\"a@b.example\",\"name\":\"\\\"B, \\\\\\\"C\\\\\\\"\\\"\"}]}", ""),
     {"202\n"},
     {"to: B, \"C\"<a@b.example>\n"}},
    {"a category chooses the stream",
     "POST",
     PATH,
     NULL,
     SEND(TO("a@b.example"), ",\"categories\":[\"other\",\"security\",\"comments\"]"),
     {"202\n"},
     {"stream: security\n"}},
    {"sandbox",
     "POST",
     PATH,
     NULL,
     SEND(TO("a@b.example"), ",\"mail_settings\":{\"sandbox_mode\":{\"enable\":true}}"),
     {"200\nX-Message-Id: 00112233445566778899aa"},
     {"pretends\n"}},
    {"the rest is accepted",
     "POST",
     PATH,
     NULL,
     SEND(TO("a@b.example"),
          ",\"asm\":{\"group_id\":1},\"tracking_settings\":{\"click_tracking\":{\"enable\":false}},"
          "\"custom_args\":{\"k\":\"v\"},\"ip_pool_name\":\"p\",\"batch_id\":\"b\","
          "\"mail_settings\":{\"sandbox_mode\":{\"enable\":false}}"),
     {"202\n"},
     {"composes: yes\n"}},

    {"no key", "POST", PATH, NULL, "{}", {"401\n"}, {NULL}, ESP_NO_KEY},
    {"bad key",
     "POST",
     PATH,
     NULL,
     "{}",
     {"401\nContent-Type: application/json\n\n" ERROR(
         "The provided authorization grant is invalid, expired, or revoked", "null")},
     {NULL},
     ESP_BAD_KEY},
    {"too much",
     "POST",
     PATH,
     NULL,
     "{}",
     {"429\n", "X-RateLimit-Remaining: 0\n", "X-RateLimit-Reset: 1795299456\n"},
     {NULL},
     ESP_RATE},
    {"method", "GET", PATH, NULL, "", {"405\n"}, {NULL}},
    {"no JSON",
     "POST",
     PATH,
     NULL,
     "{\"from\"",
     {"400\nContent-Type: application/json\n\n" ERROR("Bad Request", "null")},
     {NULL}},
    {"not an object", "POST", PATH, NULL, "[]", {"400\n", "Bad Request"}, {NULL}},
    {"no personalization",
     "POST",
     PATH,
     NULL,
     "{" REST "}",
     {"400\n", ERROR("The personalizations field is required and must have at least one "
                     "personalization.",
                     "\"personalizations\"")},
     {NULL}},
    {"nobody",
     "POST",
     PATH,
     NULL,
     SEND("{\"to\":[]}", ""),
     {"400\n", ERROR("The to array is required for all personalization objects, and must have at "
                     "least one email object with a valid email address.",
                     "\"personalizations.0.to\"")},
     {NULL}},
    {"no address",
     "POST",
     PATH,
     NULL,
     SEND("{\"to\":[{\"name\":\"x\"}]}", ""),
     {"400\n", ERROR("The to email parameter is required.", "\"personalizations.0.to.0.email\"")},
     {NULL}},
    {"bad address",
     "POST",
     PATH,
     NULL,
     SEND(TO("a@b.example") "," TO("a b@c"), ""),
     {"400\n", ERROR("Does not contain a valid address.", "\"personalizations.1.to.0.email\"")},
     {NULL}},
    {"bad type",
     "POST",
     PATH,
     NULL,
     "{\"personalizations\":[" TO("a@b.example") "],\"from\":\"x\"}",
     {"400\n", ERROR("Invalid type. Expected: object, given: string.", "\"from\"")},
     {NULL}},
    {"no sender",
     "POST",
     PATH,
     NULL,
     "{\"personalizations\":[" TO("a@b.example") "]}",
     {"400\n", "\"field\":\"from.email\""},
     {NULL}},
    {"twice",
     "POST",
     PATH,
     NULL,
     SEND("{\"to\":[{\"email\":\"a@b.example\"}],\"bcc\":[{\"email\":\"A@b.example\"}]}", ""),
     {"400\n",
      "We found the first duplicate instance of [A@b.example] in the "
      "personalizations.0.bcc field.",
      "\"field\":\"personalizations.0\""},
     {NULL}},
    {"no subject",
     "POST",
     PATH,
     NULL,
     "{\"personalizations\":[" TO(
         "a@b.example") "],\"from\":{\"email\":\"n@s.example\"},"
                        "\"content\":[{\"type\":\"text/plain\",\"value\":\"x\"}]}",
     {"400\n", "The subject is required.", "\"field\":\"subject\""},
     {NULL}},
    {"no content",
     "POST",
     PATH,
     NULL,
     "{\"personalizations\":[" TO("a@b.example") "],\"from\":{\"email\":\"n@s.example\"},"
                                                 "\"subject\":\"x\"}",
     {"400\n", "\"field\":\"content\""},
     {NULL}},
    {"empty content",
     "POST",
     PATH,
     NULL,
     "{\"personalizations\":[" TO(
         "a@b.example") "],\"from\":{\"email\":\"n@s.example\"},"
                        "\"subject\":\"x\",\"content\":[{\"type\":\"text/plain\",\"value\":\"\"}]}",
     {"400\n", "\"field\":\"content.0.value\""},
     {NULL}},
    {"template",
     "POST",
     PATH,
     NULL,
     SEND(TO("a@b.example"), ",\"template_id\":\"d-1\""),
     {"400\n", "\"field\":\"template_id\""},
     {NULL}},
    {"file not base64",
     "POST",
     PATH,
     NULL,
     SEND(TO("a@b.example"), ",\"attachments\":[{\"content\":\"*\",\"filename\":\"x\"}]"),
     {"400\n",
      ERROR("The attachment content must be base64 encoded.", "\"attachments.0.content\"")},
     {NULL}},
    {"reserved header",
     "POST",
     PATH,
     NULL,
     SEND(TO("a@b.example"), ",\"headers\":{\"bcc\":\"x@y.example\"}"),
     {"400\n", "\"field\":\"headers.bcc\""},
     {NULL}},
    {"line ends in a header are blanks",
     "POST",
     PATH,
     NULL,
     SEND(TO("a@b.example"), ",\"headers\":{\"X-A\":\"1\\r\\nBcc: x@y.example\"}"),
     {"202\n"},
     {"header: X-A=1  Bcc: x@y.example\n"}},
    {"may not send as",
     "POST",
     PATH,
     NULL,
     "{\"personalizations\":[" TO(
         "a@b.example") "],\"from\":{\"email\":\"n@dead.example\"},"
                        "\"subject\":\"x\",\"content\":[{\"type\":\"text/html\",\"value\":\"x\"}]}",
     {"403\n", ERROR("may not send as dead.example", "\"from\"")},
     {NULL}},
};

/* Texts and keys that begin alike: what compares them all at every place is stopped. */
static void test_too_much_to_fill_in(void **state)
{
    (void)state;
    struct buf b = {0};
    struct esp_run run = {0};
    buf_adds(&b,
             "{\"personalizations\":[{\"to\":[{\"email\":\"a@b.example\"}],\"substitutions\":{");
    for (int i = 0; i < 2000; i++)
        buf_addf(&b, "%s\"aaaaaaaa%d\":\"\"", i > 0 ? "," : "", i);
    buf_adds(&b,
             "}}],\"from\":{\"email\":\"n@s.example\"},\"subject\":\"x\",\"content\":[{\"type\":"
             "\"text/plain\",\"value\":\"");
    for (int i = 0; i < 300000; i++)
        buf_addc(&b, 'a');
    buf_adds(&b, "\"}]}");
    esp_run(&run, "POST", PATH, "application/json", NULL, buf_text(&b), ESP_FINE);
    T_TRUE(strstr(buf_str(&run.answer), "413\n") == buf_str(&run.answer), "%s",
           buf_str(&run.answer));
    T_EQ(run.mails.len, 0, "nothing is handed in");
    esp_run_fini(&run);
    buf_fini(&b);
}

static void test_requests(void **state)
{
    (void)state;
    esp_cases_run(cases, TIDE_COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_too_much_to_fill_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
