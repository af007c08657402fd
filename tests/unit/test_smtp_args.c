/* Custom args by SMTP: each ESP's field, merged with what the application wrote there. */
#include "core/esp/smtp_args.h"
#include "lib/check.h"

#define ID   "000000000002d"
#define REST "To: b@x.test\r\n"

static const struct {
    const char *name, *esp, *metadata, *head, *want;
} cases[] = {
    {"SendGrid", "sendgrid", "", "",
     "X-SMTPAPI: {\"unique_args\": {\"mailtide_attempt\": \"" ID "\"}}\r\n"},
    {"metadata", "sendgrid", "{\"order\":\"4711\",\"n\":1.5}", "",
     "X-SMTPAPI: {\"unique_args\": {\"order\": \"4711\", \"n\": 1.5,"
     " \"mailtide_attempt\": \"" ID "\"}}\r\n"},
    {"the application's own stays, and counts before its metadata", "sendgrid",
     "{\"a\":\"2\",\"b\":3}",
     "X-SMTPAPI: {\"category\":[\"x\"],\r\n \"unique_args\":{\"a\":\"1\"}}\r\n",
     "X-SMTPAPI: {\"category\": [\"x\"], \"unique_args\": {\"a\": \"1\", \"b\": 3,"
     " \"mailtide_attempt\": \"" ID "\"}}\r\n"},
    {"nobody else says what our id is", "sendgrid", "{\"mailtide_attempt\":\"x\"}",
     "x-smtpapi: {\"unique_args\":{\"mailtide_attempt\":\"y\"}}\r\n",
     "X-SMTPAPI: {\"unique_args\": {\"mailtide_attempt\": \"" ID "\"}}\r\n"},
    {"in ASCII", "sendgrid", "{\"k\":\"\xc3\xbc\xf0\x9f\x98\x80, \\\"q\\\": x\"}", "",
     "X-SMTPAPI: {\"unique_args\": {\"k\": \"\\u00fc\\ud83d\\ude00, \\\"q\\\": x\","
     " \"mailtide_attempt\": \"" ID "\"}}\r\n"},
    {"what cannot be read stays", "sendgrid", "{\"a\":1}", "X-SMTPAPI: {oops\r\n",
     "X-SMTPAPI: {oops\r\n"},
    {"twice: which of them counts?", "sendgrid", "", "X-SMTPAPI: {}\r\nX-SMTPAPI: {}\r\n",
     "X-SMTPAPI: {}\r\nX-SMTPAPI: {}\r\n"},
    {"an array is none", "mailgun", "", "X-Mailgun-Variables: [1]\r\n",
     "X-Mailgun-Variables: [1]\r\n"},
    {"Mailgun", "mailgun", "{\"a\":1}",
     "X-Mailgun-Variables: {\"b\": \"2\"}\r\nX-Mailgun-Tag: t\r\n",
     "X-Mailgun-Tag: t\r\nX-Mailgun-Variables: {\"b\": \"2\", \"a\": 1, \"mailtide_attempt\": "
     "\"" ID "\"}\r\n"},
    {"SparkPost", "sparkpost", "",
     "X-MSYS-API: {\"campaign_id\":\"c\",\"metadata\":{\"a\":\"1\"}}\r\n",
     "X-MSYS-API: {\"campaign_id\": \"c\", \"metadata\": {\"a\": \"1\", \"mailtide_attempt\": "
     "\"" ID "\"}}\r\n"},
    {"SES", "ses", "{\"order\":\"47-11\",\"text\":\"a b\",\"own\":\"2\",\"n\":7}",
     "X-SES-CONFIGURATION-SET: set\r\nX-SES-MESSAGE-TAGS: own=1, mailtide_attempt=x\r\n",
     "X-SES-CONFIGURATION-SET: set\r\nX-SES-MESSAGE-TAGS: own=1, order=47-11, n=7,"
     " mailtide_attempt=" ID "\r\n"},
    {"SES, nothing else", "ses", "", "", "X-SES-MESSAGE-TAGS: mailtide_attempt=" ID "\r\n"},
    {"Postmark", "postmark", "{\"order\":\"4711\",\"color\":\"red\",\"a name that is none\":1}",
     "X-PM-Metadata-color: blue\r\nX-PM-Metadata-mailtide_attempt: forged\r\nX-PM-Tag: t\r\n",
     "X-PM-Metadata-color: blue\r\nX-PM-Tag: t\r\nX-PM-Metadata-order: 4711\r\n"
     "X-PM-Metadata-mailtide_attempt: " ID "\r\n"},
    {"Brevo", "brevo", "", "", "X-Mailin-custom: mailtide_attempt:" ID "\r\n"},
    {"Brevo's pairs", "brevo", "{\"a\":1}", "X-Mailin-custom: a:b|c:d\r\n",
     "X-Mailin-custom: a:b|c:d|mailtide_attempt:" ID "\r\n"},
    {"Brevo's JSON", "brevo", "{\"a\":1}", "",
     "X-Mailin-custom: {\"a\": 1, \"mailtide_attempt\": \"" ID "\"}\r\n"},
    {"Mandrill", "mandrill", "", "", "X-MC-Metadata: {\"mailtide_attempt\": \"" ID "\"}\r\n"},
    {"Mailjet", "mailjet", "", "", "X-MJ-EventPayload: {\"mailtide_attempt\": \"" ID "\"}\r\n"},
    {"Mailtrap", "mailtrap", "", "",
     "X-MT-Custom-Variables: {\"mailtide_attempt\": \"" ID "\"}\r\n"},
    {"fields for others are left out", "postmark", "",
     "X-SMTPAPI: {}\r\nX-SES-CONFIGURATION-SET: s\r\nX-Mailgun-Tag: t\r\nX-MSYS-API: "
     "{}\r\nX-Mailin-Tag: t\r\n"
     "X-Shop: 1\r\n",
     "X-Shop: 1\r\nX-PM-Metadata-mailtide_attempt: " ID "\r\n"},
    {"an ESP without such a field", "resend", "{\"a\":1}", "X-SMTPAPI: {}\r\n",
     "X-SMTPAPI: {}\r\n"},
};

static void add(const char *esp, const char *metadata, const char *head, struct buf *ret)
{
    struct buf in = {0};
    struct message m;
    struct tide_error err;
    buf_addf(&in, REST "%s\r\nhello\r\n", head);
    T_OK(message_open(buf_text(&in), &m, &err), &err, "%s", head);
    T_OK(smtp_args_add(text_of(esp), 77, text_of(metadata), &m, ret, &err), &err, "%s %s", esp,
         head);
    buf_fini(&in);
}

static void unfold(struct buf *b)
{
    struct text all = buf_text(b);
    struct buf out = {0};
    for (size_t at; (at = text_ifind(all, TEXT("\r\n "))) < all.n;) {
        buf_add_text(&out, text_cut(all, 0, at));
        all = text_cut(all, at + 2, SIZE_MAX);
    }
    buf_add_text(&out, all);
    buf_fini(b);
    *b = out;
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf got = {0}, want = {0};
        add(cases[i].esp, cases[i].metadata, cases[i].head, &got);
        unfold(&got);
        buf_addf(&want, REST "%s\r\nhello\r\n", cases[i].want);
        T_STR(buf_str(&got), buf_str(&want), "%s", cases[i].name);
        buf_fini(&got);
        buf_fini(&want);
    }
}

/* No line of more than 998 bytes, whatever the metadata: what cannot be folded stays at home. */
static void test_long(void **state)
{
    (void)state;
    static const char *const esps[] = {"sendgrid", "mailgun", "sparkpost",
                                       "brevo",    "ses",     "postmark"};
    for (size_t i = 0; i < TIDE_COUNT(esps); i++)
        for (int run = 0; run < 2; run++) {
            struct buf metadata = {0}, got = {0};
            buf_adds(&metadata, "{\"k\":\"");
            for (int n = 0; n < 3000; n++)
                buf_addc(&metadata, run && n % 50 == 49 ? ' ' : 'x');
            buf_adds(&metadata, "\"}");
            add(esps[i], buf_str(&metadata), "", &got);
            struct text rest = buf_text(&got), line;
            T_TRUE(text_ifind(rest, TEXT(ID)) < rest.n, "%s: our id", esps[i]);
            while (text_split(&rest, '\n', &line))
                T_TRUE(line.n <= 999, "%s: a line of %zu", esps[i], line.n);
            buf_fini(&metadata);
            buf_fini(&got);
        }
}

static void test_hostile(void **state)
{
    (void)state;
    static const char *const metadata[] = {
        "",
        "{",
        "[]",
        "7",
        "null",
        "{\"a\":{}}",
        "{\"\":1}",
        "{\"a\\r\\nBcc: x@y\":\"v\\r\\nBcc: x@y\"}",
        "{\"a\":\"\\u0000\\u001f\\u007f\"}",
    };
    static const char *const esps[] = {"sendgrid", "mailgun",  "sparkpost", "brevo",
                                       "ses",      "postmark", "none"};
    for (size_t i = 0; i < TIDE_COUNT(esps); i++)
        for (size_t k = 0; k < TIDE_COUNT(metadata); k++) {
            struct buf got = {0};
            struct message m;
            struct tide_error err;
            add(esps[i], metadata[k], "", &got);
            T_OK(message_open(buf_text(&got), &m, &err), &err, "%s %s", esps[i], metadata[k]);
            T_TRUE(!message_has(&m, TEXT("Bcc")), "%s %s", esps[i], metadata[k]);
            T_TEXT(m.body, "hello\r\n", "%s %s", esps[i], metadata[k]);
            buf_fini(&got);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
