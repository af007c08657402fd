#include "core/proto/api.h"
#include "lib/check.h"

#include <stdlib.h>

#define NOW 1795299446000 /* 2026-11-21T22:17:26Z */

static const char *const streams[] = {"comments", "security"};
static const struct api_rules rules = {
    .now = NOW, .recipients_max = 3, .streams = streams, .stream_count = 2};

#define OK "\"to\":\"a@b.example\",\"from\":\"n@s.example\",\"subject\":\"s\",\"text\":\"t\""

static const struct {
    const char *in;
    int index;
    const char *code, *field, *message;
} bad[] = {
    {"[]", -1, "wrong_type", "", "want an object, got an array"},
    {"\"x\"", 2, "wrong_type", "[2]", "want an object, got a string"},
    {"{}", -1, "missing", "from", "want the sender's address"},
    {"{\"from\":\"a@b.example\"}", -1, "missing", "to", "want at least one address"},
    {"{\"to\":[],\"from\":\"a@b.example\"}", -1, "missing", "to", "want at least one address"},
    {"{\"to\":\"a@b.example\",\"from\":\"a@b.example\"}", -1, "missing", "text",
     "want \"text\", \"html\" or \"message\""},
    {"{\"to\":\"a@b.example\",\"from\":\"a@b.example\",\"text\":\"\"}", 0, "missing", "[0].subject",
     "want a subject"},
    {"{" OK ",\"sbuject\":1}", -1, "unknown_field", "sbuject",
     "unknown field, did you mean \"subject\"?"},
    {"{" OK ",\"whatever\":null}", 7, "unknown_field", "[7].whatever", "unknown field"},
    {"{" OK ",\"stream\":\"comment\"}", -1, "bad_value", "stream",
     "no stream is named \"comment\", did you mean \"comments\"?"},
    {"{" OK ",\"stream\":\"zzz\"}", -1, "bad_value", "stream", "no stream is named \"zzz\""},
    {"{" OK ",\"stream\":5}", -1, "wrong_type", "stream", "want a string, got a number"},
    {"{" OK ",\"key\":\"\"}", -1, "bad_value", "key", "want 1 to 255 bytes, got none"},
    {"{" OK ",\"thread\":\"a\\nb\"}", -1, "bad_value", "thread",
     "want one line of text, got control character 0x0a"},
    {"{\"subject\":\"x\\r\\nBcc: e@v.example\"}", -1, "bad_value", "subject",
     "want one line of text, got control character 0x0d"},
    {"{\"text\":\"a\\u0000b\"}", -1, "bad_value", "text", "want text, got control character 0x00"},
    {"{\"to\":[\"a@b.example\",{\"address\":\"a@b.example\",\"nmae\":\"x\"}]}", 1, "unknown_field",
     "[1].to[1].nmae", "unknown field, did you mean \"name\"?"},
    {"{\"to\":[\"a@b.example\",5]}", -1, "wrong_type", "to[1]",
     "want an address, a string or an object, got a number"},
    {"{\"to\":{\"name\":\"x\"}}", -1, "missing", "to.address", "want a mail address"},
    {"{\"to\":[\"a@b.example\",\"a@b.example\",\"a@b.example\",\"a@b.example\"]}", -1, "too_many",
     "to", "want at most 3 addresses, got 4"},
    {"{" OK ",\"cc\":[\"a@b.example\",\"a@b.example\"],\"bcc\":\"a@b.example\"}", -1, "too_many",
     "", "want at most 3 recipients, got 4"},
    {"{\"headers\":{\"X-A\":\"a\\nBcc: x\"}}", -1, "bad_value", "headers.X-A",
     "want one line of text, got control character 0x0a"},
    {"{\"headers\":{\"X-A: b\\r\\nX\":\"v\"}}", -1, "bad_value", "headers.X-A: b\r\nX",
     "want a header name of 1 to 70 printable ASCII characters"},
    {"{\"headers\":{\"X A\":\"v\"}}", -1, "bad_value", "headers.X A",
     "want a header name of 1 to 70 printable ASCII characters"},
    {"{\"headers\":{\"bcc\":\"v\"}}", -1, "conflict", "headers.bcc", "Bcc is not set by headers"},
    {"{\"headers\":{\"Content-Type\":\"v\"}}", -1, "conflict", "headers.Content-Type",
     "Content-Type is not set by headers"},
    {"{\"headers\":{\"X-Mailtide-Key\":\"v\"}}", -1, "conflict", "headers.X-Mailtide-Key",
     "X-Mailtide-Key is not set by headers"},
    {"{\"headers\":{\"X-A\":\"1\",\"x-a\":\"2\"}}", -1, "conflict", "headers.x-a",
     "this header is given twice"},
    {"{\"headers\":{\"Message-ID\":\"x\"}}", -1, "bad_value", "headers.Message-ID",
     "want \"<...@...>\""},
    {"{\"headers\":[\"X-A\"]}", -1, "wrong_type", "headers", "want an object, got an array"},
    {"{\"attachments\":[{\"content\":\"Zm9v!\"}]}", 3, "bad_value", "[3].attachments[0].content",
     "want base64, got \"!\" at byte 4"},
    {"{\"attachments\":[{\"content\":\"Zm9v\"},{\"filename\":\"x\"}]}", -1, "missing",
     "attachments[1].content", "want the file in base64"},
    {"{\"attachments\":[{\"content\":\"\",\"content_type\":\"png\"}]}", -1, "bad_value",
     "attachments[0].content_type", "want a media type like \"image/png\", got \"png\""},
    {"{\"attachments\":[{\"content\":\"\",\"content_type\":\"multipart/mixed\"}]}", -1, "bad_value",
     "attachments[0].content_type", "want the type of one file, got \"multipart/mixed\""},
    {"{\"attachments\":[{\"content\":\"\",\"inline\":true}]}", -1, "missing",
     "attachments[0].content_id", "an inline file needs one, \"cid:\" names it"},
    {"{\"attachments\":[{\"content\":\"\",\"inline\":1}]}", -1, "wrong_type",
     "attachments[0].inline", "want true or false, got a number"},
    {"{\"attachments\":[{\"filename\":\"a\\\"\\r\\nX: y\"}]}", -1, "bad_value",
     "attachments[0].filename", "want one line of text, got control character 0x0d"},
    {"{\"attachments\":{}}", -1, "wrong_type", "attachments", "want an array, got an object"},
    {"{\"item\":{\"titel\":\"x\"}}", -1, "unknown_field", "item.titel",
     "unknown field, did you mean \"title\"?"},
    {"{\"weight\":0}", -1, "bad_value", "weight", "want a whole number from 1 to 100"},
    {"{\"deadline\":\"10m\"}", -1, "bad_value", "deadline",
     "want a time (\"2026-11-21T22:00:00Z\") or a duration (\"2h\"), got \"10m\""},
    {"{" OK ",\"deadline\":\"2026-11-21T22:00:00Z\"}", -1, "bad_value", "deadline",
     "want a time to come, it has passed"},
    {"{" OK ",\"deadline\":\"1h\",\"not_before\":\"2h\"}", -1, "bad_value", "deadline",
     "want a time later than \"not_before\""},
    {"{" OK ",\"message\":\"x\"}", -1, "conflict", "subject",
     "cannot stand beside a whole message"},
    {"{\"to\":\"a@b.example\",\"from\":\"a@b.example\",\"message\":\"x\",\"message_base64\":\"\"}",
     -1, "conflict", "message_base64", "cannot stand beside \"message\""},
    {"{\"to\":\"a@b.example\",\"from\":\"a@b.example\",\"message_base64\":\"\"}", -1, "bad_value",
     "message_base64", "want a message, got nothing"},
};

static bool read(const char *in,
                 int index,
                 struct arena *a,
                 struct json **doc,
                 struct api_draft *d,
                 struct api_error *e)
{
    struct tide_error err = {0};
    T_OK(json_parse(text_of(in), 100000, doc, &err), &err, "%s", in);
    return api_draft(*doc, index, &rules, a, d, e);
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct arena a = {0};
        struct json *doc = NULL;
        struct api_draft d = {0};
        struct api_error e = {0};
        T_TRUE(!read(bad[i].in, bad[i].index, &a, &doc, &d, &e), "%s", bad[i].in);
        T_STR(e.code, bad[i].code, "%s", bad[i].in);
        T_STR(e.field, bad[i].field, "%s", bad[i].in);
        T_STR(e.message, bad[i].message, "%s", bad[i].in);
        T_TRUE(d.to.list == NULL, "the draft is as it was: %s", bad[i].in);
        json_free(doc);
        arena_fini(&a);
    }
}

static void test_bad_addresses(void **state)
{
    (void)state;
    static const char *const in[] = {"",        "a",      "a@",         "@b.example",
                                     "a b@c.d", "<a@b.c", "x <a@b..c>", "a@b.c, d@e.f",
                                     "a@b.c>",  "a@@b.c", "x <>",       "a@-b.example"};
    for (size_t i = 0; i < TIDE_COUNT(in); i++) {
        struct arena a = {0};
        struct json *doc = NULL;
        struct api_draft d = {0};
        struct api_error e = {0};
        char text[100];
        snprintf(text, sizeof text, "{\"to\":[\"x@y.example\",\"%s\"]}", in[i]);
        T_TRUE(!read(text, -1, &a, &doc, &d, &e), "%s", in[i]);
        T_STR(e.field, "to[1]", "%s", in[i]);
        T_STR(e.code, "bad_value", "%s", in[i]);
        T_TRUE(strncmp(e.message, "not a mail address: ", 20) == 0, "%s: %s", in[i], e.message);
        json_free(doc);
        arena_fini(&a);
    }
}

static void test_all_fields(void **state)
{
    (void)state;
    static const char in[] =
        "{\"to\":[\"a@b.example\",{\"address\":\"c@d.example\",\"name\":\"C\"}],"
        "\"from\":\"\\\"The, Shop\\\" <n@s.example>\",\"cc\":\"Cc <e@f.example>\",\"bcc\":null,"
        "\"reply_to\":[\"r@s.example\"],\"subject\":\"J\xc3\xb6rg\",\"text\":\"a\\nb\",\"html\":"
        "\"\","
        "\"headers\":{\"X-A\":\"1\",\"References\":\"<a@b>\"},"
        "\"attachments\":[{\"filename\":\"f.png\",\"content_type\":\"image/png\",\"content\":"
        "\"AAEC\\r\\n\",\"content_id\":\"<logo>\",\"inline\":true},{\"content\":\"\"}],"
        "\"stream\":\"security\",\"key\":\"k\",\"thread\":\"t\",\"item\":{\"title\":\"T\",\"url\":"
        "\"https://"
        "x\",\"text\":\"x\\ny\",\"icon\":\"i\"},\"not_before\":\"2026-11-22T00:00:00+01:00\","
        "\"deadline\":\"2h\",\"weight\":3}";
    struct arena a = {0};
    struct json *doc = NULL;
    struct api_draft d = {0};
    struct api_error e = {0};
    T_TRUE(read(in, -1, &a, &doc, &d, &e), "%s: %s", e.field, e.message);
    T_EQ(d.to.count, 2, "to");
    T_TEXT(d.to.list[0].address, "a@b.example", "to[0]");
    T_TEXT(d.to.list[1].name, "C", "to[1]");
    T_TEXT(d.from.name, "The, Shop", "from");
    T_TEXT(d.from.address, "n@s.example", "from");
    T_TEXT(d.cc.list[0].address, "e@f.example", "cc");
    T_EQ(d.bcc.count, 0, "null is not given");
    T_TEXT(d.reply_to.list[0].address, "r@s.example", "reply_to");
    T_TEXT(d.subject, "J\xc3\xb6rg", "subject");
    T_TRUE(d.html.p != NULL && d.html.n == 0, "empty html is given");
    T_EQ(d.header_count, 2, "headers");
    T_TEXT(d.headers[1].name, "References", "in order");
    T_EQ(d.attachment_count, 2, "attachments");
    T_TRUE(text_eq(d.attachments[0].content, TEXT("\0\1\2")), "decoded");
    T_TEXT(d.attachments[0].content_id, "logo", "brackets off");
    T_TRUE(d.attachments[0].is_inline && !d.attachments[1].is_inline, "inline");
    T_TRUE(d.attachments[1].content.p != NULL && d.attachments[1].content.n == 0, "empty file");
    T_TEXT(d.stream, "security", "stream");
    T_TEXT(d.item.text, "x\ny", "item");
    T_EQ(d.not_before, NOW + (23 * 3600 - 22 * 3600 - 17 * 60 - 26) * 1000, "not_before");
    T_EQ(d.weight, 3, "weight");
    T_EQ(d.deadline_at, NOW + 2 * TIME_HOUR_MS, "deadline");
    T_TRUE(d.message.p == NULL, "to be composed");
    json_free(doc);
    arena_fini(&a);
}

static void test_whole_message(void **state)
{
    (void)state;
    struct arena a = {0};
    struct json *doc = NULL;
    struct api_draft d = {0};
    struct api_error e = {0};
    T_TRUE(read("{\"to\":\"a@b.example\",\"from\":\"n@s.example\",\"message_base64\":\"Zm9v\"}", -1,
                &a, &doc, &d, &e),
           "%s: %s", e.field, e.message);
    T_TEXT(d.message, "foo", "decoded");
    json_free(doc);
    arena_fini(&a);
}

/* Paths that are longer than there is room for are cut, not overrun. */
static void test_long_path(void **state)
{
    (void)state;
    char in[400];
    struct arena a = {0};
    struct json *doc = NULL;
    struct api_draft d = {0};
    struct api_error e = {0};
    memset(in, 'x', sizeof in);
    memcpy(in, "{\"", 2);
    memcpy(in + sizeof in - 5, "\":1}", 5);
    T_TRUE(!read(in, 123456, &a, &doc, &d, &e), "refused");
    T_EQ(strlen(e.field), API_FIELD_BYTES - 1, "cut");
    json_free(doc);
    arena_fini(&a);
}

/* Running out of memory at any point is an error that says so. */
static void test_no_memory(void **state)
{
    (void)state;
    static const char in[] = "{\"to\":[\"a@b.example\"],\"from\":\"n@s.example\",\"subject\":\"s\","
                             "\"text\":\"t\",\"headers\":{\"X-A\":\"1\"},\"attachments\":"
                             "[{\"content\":\"Zm9v\"}]}";
    size_t failures = 0;
    for (size_t max = 1;; max += 16) {
        struct arena a = {0};
        struct json *doc = NULL;
        struct api_draft d = {0};
        struct api_error e = {0};
        arena_init(&a, max);
        bool good = read(in, -1, &a, &doc, &d, &e);
        json_free(doc);
        arena_fini(&a);
        if (good)
            break;
        T_STR(e.code, "no_memory", "at most %zu bytes", max);
        failures++;
    }
    T_TRUE(failures > 2, "every allocation failed once");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_all_fields), cmocka_unit_test(test_whole_message),
        cmocka_unit_test(test_long_path),  cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
