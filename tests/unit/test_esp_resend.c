/* Resend's API in front: what is handed in and what is answered. */
#include "core/esp/part.h"
#include "lib/check.h"
#include "lib/esp_cases.h"

#define FROM           "\"from\":\"Sender <n@s.example>\""
#define MAIL(to, more) "{" FROM ",\"to\":" to ",\"subject\":\"Hi\",\"text\":\"hi\"" more "}"
#define ID(n)          "{\"id\":\"00000000-0000-8000-8" n "00-6d61696c7469\"}"
#define ERROR(status, name)                                                                    \
#status "\nContent-Type: application/json\n\n{\"statusCode\":" #status ",\"name\":\"" name \
            "\",\"message\":\""

static const struct esp_case cases[] = {
    {"one",
     "POST",
     "/emails",
     NULL,
     MAIL("\"a@b.example\"", ""),
     {"200\nContent-Type: application/json\n\n" ID("1")},
     {"from: Sender<n@s.example>\nto: <a@b.example>\nsubject: Hi\ntext: hi\nhtml: \nstream: \nkey: "
      "\n",
      "composes: yes\n"}},
    {"all fields",
     "POST",
     "/emails",
     NULL,
     MAIL("[\"a@b.example\",\"B <b@b.example>\"]",
          ",\"cc\":\"c@b.example\",\"bcc\":[\"d@b.example\"],\"reply_to\":[\"r@s.example\"],"
          "\"html\":\"<b>x</b>\",\"headers\":{\"X-A\":\"b\"},\"tags\":[{\"name\":\"category\","
          "\"value\":\"security\"}],\"scheduled_at\":\"2026-11-22T10:00:00Z\",\"attachments\":"
          "[{\"filename\":\"a.pdf\",\"content\":\"YXR0\"},{\"filename\":\"l.png\",\"content\":"
          "{\"type\":\"Buffer\",\"data\":[97,116,116]},\"content_id\":\"logo\"}]"),
     {"200\n"},
     {"to: <a@b.example>\nto: B<b@b.example>\ncc: <c@b.example>\nbcc: <d@b.example>\nreply-to: "
      "<r@s.example>\nsubject: Hi\ntext: hi\nhtml: <b>x</b>\nheader: X-A=b\n",
      "file: a.pdf application/pdf  \"att\"\nfile: l.png image/png inline logo \"att\"\n",
      "stream: security\nkey: \nnot_before: 1795341600000\n", "composes: yes\n"}},
    {"idempotency key",
     "POST",
     "/emails",
     NULL,
     MAIL("\"a@b.example\"", ""),
     {"200\n"},
     {"key: once\n"},
     ESP_FINE,
     {"once"}},
    {"batch",
     "POST",
     "/emails/batch",
     NULL,
     "[" MAIL("\"a@b.example\"", "") "," MAIL("\"b@b.example\"", "") "]",
     {"200\nContent-Type: application/json\n\n{\"data\":[" ID("1") "," ID("2") "]}"},
     {"to: <a@b.example>\n", "key: once/batch/0\n", "key: once/batch/1\n"},
     ESP_FINE,
     {"once", "strict"}},
    {"strict batch with a bad one: none",
     "POST",
     "/emails/batch",
     NULL,
     "[" MAIL("\"a@b.example\"", "") "," MAIL("\"nobody\"", "") "]",
     {ERROR(422, "validation_error") "Invalid `to` field."},
     {"to: <a@b.example>\n"}},
    {"permissive batch",
     "POST",
     "/emails/batch",
     NULL,
     "[" MAIL("\"nobody\"", "") "," MAIL("\"a@b.example\"", "") "]",
     {"200\n",
      "{\"data\":[" ID("1") "],\"errors\":[{\"index\":0,\"message\":\"Invalid `to` field."},
     {"to: <a@b.example>\n"},
     ESP_FINE,
     {"k", "permissive"}},
    {"look",
     "GET",
     "/emails/00000000-0000-8000-8700-6d61696c7469",
     NULL,
     "",
     {"200\nContent-Type: application/json\n\n{\"object\":\"email\",\"id\":\"00000000-0000-8000-"
      "8700-6d61696c7469\",\"to\":[\"ann@client.asia\"],\"from\":\"n@s.example\",\"created_at\":"
      "\"2026-11-21T22:17:26.000Z\",\"subject\":\"New \\\"comment\\\"\"",
      "\"last_event\":\"queued\",\"scheduled_at\":null}"},
     {NULL}},
    {"look for another",
     "GET",
     "/emails/00000000-0000-8000-8800-6d61696c7469",
     NULL,
     "",
     {ERROR(404, "not_found")},
     {NULL}},
    {"look for no id", "GET", "/emails/xyz", NULL, "", {ERROR(404, "not_found")}, {NULL}},

    {"no key", "POST", "/emails", NULL, "{}", {ERROR(401, "missing_api_key")}, {NULL}, ESP_NO_KEY},
    {"bad key",
     "POST",
     "/emails",
     NULL,
     "{}",
     {ERROR(401, "invalid_api_key") "API key is invalid"},
     {NULL},
     ESP_BAD_KEY},
    {"too much",
     "POST",
     "/emails",
     NULL,
     "{}",
     {ERROR(429, "rate_limit_exceeded")},
     {NULL},
     ESP_RATE},
    {"key used",
     "POST",
     "/emails",
     NULL,
     "{}",
     {ERROR(409, "invalid_idempotent_request")},
     {NULL},
     ESP_KEY_USED},
    {"empty key",
     "POST",
     "/emails",
     NULL,
     "{}",
     {ERROR(400, "invalid_idempotency_key")},
     {NULL},
     ESP_FINE,
     {""}},
    {"method", "PATCH", "/emails/batch", NULL, "", {"405\n"}, {NULL}},
    {"no JSON", "POST", "/emails", NULL, "{", {ERROR(422, "validation_error")}, {NULL}},
    {"no sender",
     "POST",
     "/emails",
     NULL,
     "{\"to\":\"a@b.example\"}",
     {ERROR(422, "missing_required_field") "Missing `from` field."},
     {NULL}},
    {"nobody",
     "POST",
     "/emails",
     NULL,
     "{" FROM "}",
     {ERROR(422, "missing_required_field") "Missing `to` field."},
     {NULL}},
    {"no subject",
     "POST",
     "/emails",
     NULL,
     "{" FROM ",\"to\":\"a@b.example\",\"text\":\"x\"}",
     {ERROR(422, "missing_required_field") "Missing `subject` field."},
     {NULL}},
    {"no body",
     "POST",
     "/emails",
     NULL,
     "{" FROM ",\"to\":\"a@b.example\",\"subject\":\"x\"}",
     {ERROR(422, "missing_required_field")},
     {NULL}},
    {"a number", "POST", "/emails", NULL, MAIL("7", ""), {ERROR(422, "validation_error")}, {NULL}},
    {"natural language",
     "POST",
     "/emails",
     NULL,
     MAIL("\"a@b.example\"", ",\"scheduled_at\":\"in 1 min\""),
     {ERROR(422, "validation_error") "Invalid `scheduled_at` field."},
     {NULL}},
    {"file by URL",
     "POST",
     "/emails",
     NULL,
     MAIL("\"a@b.example\"", ",\"attachments\":[{\"path\":\"https://x.example/a\"}]"),
     {ERROR(422, "validation_error") "Invalid `attachments` field: `path`"},
     {NULL}},
    {"bytes out of range",
     "POST",
     "/emails",
     NULL,
     MAIL("\"a@b.example\"", ",\"attachments\":[{\"content\":{\"data\":[256]}}]"),
     {ERROR(422, "validation_error")},
     {NULL}},
    {"template",
     "POST",
     "/emails",
     NULL,
     MAIL("\"a@b.example\"", ",\"template\":{\"id\":\"x\"}"),
     {ERROR(422, "validation_error") "Invalid `template` field"},
     {NULL}},
    {"may not send as",
     "POST",
     "/emails",
     NULL,
     "{\"from\":\"n@dead.example\",\"to\":\"a@b.example\",\"subject\":\"x\",\"text\":\"x\"}",
     {ERROR(403, "validation_error") "may not send as dead.example"},
     {NULL}},
};

/* An id and its UUID; what is no such UUID holds none. */
static void test_uuid(void **state)
{
    (void)state;
    static const tide_id ids[] = {1, 7, 0x123456789abcdef, INT64_MAX};
    static const char *const none[] = {"",
                                       "00000000-0000-8000-8700-6d61696c746",
                                       "00000000-0000-8000-8700-6d61696c7468",
                                       "00000000-0000-4000-8700-6d61696c7469",
                                       "g0000000-0000-8000-8700-6d61696c7469",
                                       "ffffffff-ffff-8fff-8f00-6d61696c7469"};
    char text[ESP_UUID_BYTES];
    for (size_t i = 0; i < TIDE_COUNT(ids); i++)
        T_EQ(esp_uuid_id(text_of(esp_uuid(ids[i], text))), ids[i], "%s", text);
    for (size_t i = 0; i < TIDE_COUNT(none); i++)
        T_EQ(esp_uuid_id(text_of(none[i])), 0, "%s", none[i]);
}

static void test_requests(void **state)
{
    (void)state;
    esp_cases_run(cases, TIDE_COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
