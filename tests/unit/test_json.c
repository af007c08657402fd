#include "core/proto/json.h"
#include "core/proto/json_write.h"
#include "lib/check.h"

#include <math.h>
#include <stdlib.h>

static const struct {
    const char *name;
    struct text in;
    enum tide_err want;
    const char *message;
} cases[] = {
    {"object", TEXT("{\"a\":[1,true,null,\"x\"]}"), TIDE_OK, ""},
    {"scalar", TEXT("7"), TIDE_OK, ""},
    {"white space around", TEXT(" \r\n\t{} \n"), TIDE_OK, ""},
    {"escaped NUL", TEXT("\"a\\u0000b\""), TIDE_OK, ""},
    {"nothing", TEXT(""), TIDE_ESYNTAX, "want a JSON value, got nothing"},
    {"NUL behind", TEXT("{}\0"), TIDE_ESYNTAX, "a NUL byte at byte 2, JSON has none"},
    {"NUL inside", TEXT("\"a\0b\""), TIDE_ESYNTAX, "a NUL byte at byte 2, JSON has none"},
    {"twice", TEXT("{\"a\":1,\n\"a\":2}"), TIDE_ESYNTAX,
     "line 2, column 3: duplicate object key near '\"a\"'"},
    {"trailing", TEXT("{} x"), TIDE_ESYNTAX, "line 1, column 4: end of file expected near 'x'"},
    {"comma", TEXT("[1,]"), TIDE_ESYNTAX, "line 1, column 4: unexpected token near ']'"},
    {"lone surrogate", TEXT("\"\\ud800\""), TIDE_ESYNTAX,
     "line 1, column 8: invalid Unicode '\\uD800' near '\"\\ud800\"'"},
    {"too large", TEXT("\"0123456789012345678901234567890\""), TIDE_ELIMIT,
     "JSON of 33 bytes, want at most 32"},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct json *doc = NULL;
        struct tide_error err = {0};
        T_EQ(json_parse(cases[i].in, 32, &doc, &err), cases[i].want, "%s", cases[i].name);
        T_STR(err.text, cases[i].message, "%s", cases[i].name);
        T_EQ(doc != NULL, cases[i].want == TIDE_OK, "%s", cases[i].name);
        json_free(doc);
    }
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 3];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct json *doc = NULL;
        struct tide_error err = {0};
        T_EQ(json_parse((struct text){text, 2 * depth}, 1000, &doc, &err),
             depth > JSON_DEPTH_MAX ? TIDE_ELIMIT : TIDE_OK, "%zu levels", depth);
        json_free(doc);
    }
    struct json *doc = NULL;
    struct tide_error err = {0};
    /* brackets inside a string are no nesting */
    memset(text, '[', sizeof text);
    text[0] = text[sizeof text - 1] = '"';
    T_OK(json_parse((struct text){text, sizeof text}, 1000, &doc, &err), &err, "string");
    json_free(doc);
}

static void test_values(void **state)
{
    (void)state;
    static const char in[] = "{\"b\":true,\"a\":\"x\\u0000y\",\"n\":-7,\"r\":1.5,\"z\":null,"
                             "\"l\":[1,2,3],\"\\u0000k\":1}";
    struct json *doc = NULL;
    struct tide_error err = {0};
    bool b = false;
    int64_t n = 0;
    T_OK(json_parse(text_of(in), 1000, &doc, &err), &err, "parse");
    T_EQ(json_kind(doc), JSON_KIND_OBJECT, "kind");
    T_EQ(json_count(doc), 7, "members");
    T_TRUE(json_member(doc, "\xef\xbf\xbfk") != NULL, "NUL in a name");
    T_TRUE(json_bool(json_member(doc, "b"), &b) && b, "bool");
    T_TRUE(text_eq(json_string_text(json_member(doc, "a")), TEXT("x\0y")), "string with NUL");
    T_TRUE(json_int(json_member(doc, "n"), &n) && n == -7, "int");
    T_TRUE(!json_int(json_member(doc, "r"), &n), "1.5 is no whole number");
    T_EQ(json_kind(json_member(doc, "z")), JSON_KIND_NULL, "null");
    T_TRUE(json_member(doc, "z") != NULL && json_member(doc, "none") == NULL, "null is there");
    T_STR(json_kind_text(json_member(doc, "l")), "an array", "for people");
    T_STR(json_kind_text(NULL), "nothing", "for people");
    T_EQ(json_count(json_member(doc, "l")), 3, "elements");
    T_TRUE(json_int(json_element(json_member(doc, "l"), 2), &n) && n == 3, "third");
    T_TRUE(json_element(json_member(doc, "l"), 3) == NULL, "no fourth");

    struct buf names;
    buf_init(&names, 0);
    struct text name;
    const struct json *v;
    for (void *pos = NULL; json_next(doc, &pos, &name, &v);)
        buf_add_text(&names, name);
    T_TRUE(text_eq(buf_text(&names), TEXT("banrzl\xef\xbf\xbfk")), "as written");
    buf_fini(&names);
    json_free(doc);
}

static void test_write(void **state)
{
    (void)state;
    struct buf out;
    struct json_writer w;
    buf_init(&out, 0);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_text(&w, "t", TEXT("q\" b\\ \n \x01 \x7f J\xc3\xb6rg \xff \xe4\xbd \xf0\x9f\x99\x82 \0."));
    jw_str(&w, "none", NULL);
    jw_array(&w, "list");
    jw_int(&w, NULL, INT64_MIN);
    jw_bool(&w, NULL, false);
    jw_number(&w, NULL, 0.25);
    jw_number(&w, NULL, (double)NAN);
    jw_object(&w, NULL);
    jw_end(&w);
    jw_end(&w);
    jw_time(&w, "at", 1795299446123);
    jw_time(&w, "never", TIDE_NEVER);
    jw_id(&w, "id", 0);
    jw_end(&w);
    T_STR(buf_str(&out),
          "{\"t\":\"q\\\" b\\\\ \\n \\u0001 \\u007f J\xc3\xb6rg \xef\xbf\xbd "
          "\xef\xbf\xbd\xef\xbf\xbd \xf0\x9f\x99\x82 \\u0000.\",\"none\":null,"
          "\"list\":[-9223372036854775808,false,0.25,null,{}],\"at\":\"2026-11-21T22:17:26.123Z\","
          "\"never\":null,\"id\":null}",
          "written");
    struct json *doc = NULL;
    struct tide_error err = {0};
    T_OK(json_parse(buf_text(&out), 1000, &doc, &err), &err, "and read");
    json_free(doc);
    buf_fini(&out);
}

/* Whatever the bytes are, what is written is read back as one string. */
static void test_write_any_bytes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 0x10000; i++) {
        char bytes[3] = {(char)(i >> 8), (char)(i & 0xff), 'x'};
        struct buf out;
        struct json *doc = NULL;
        struct tide_error err = {0};
        buf_init(&out, 0);
        json_quote(&out, (struct text){bytes, 3});
        T_OK(json_parse(buf_text(&out), 100, &doc, &err), &err, "%04x", i);
        if (text_is_utf8((struct text){bytes, 3}))
            T_TRUE(text_eq(json_string_text(doc), (struct text){bytes, 3}), "%04x", i);
        json_free(doc);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),           cmocka_unit_test(test_depth),
        cmocka_unit_test(test_values),          cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
