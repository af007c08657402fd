#include "base/base64.h"
#include "lib/check.h"

static const struct {
    const char *in, *want; /* want NULL: refused */
} cases[] = {
    {"", ""},
    {"Zg==", "f"},
    {"Zm8=", "fo"},
    {"Zm9v", "foo"},
    {"Zm9vYg==", "foob"},
    {"Zm9vYmE=", "fooba"},
    {"Zm9vYmFy", "foobar"}, /* RFC 4648 10 */
    {"Zm9v\r\nYmFy\r\n", "foobar"},
    {"Zg", NULL},
    {"Zg=", NULL},
    {"Zm9v=", NULL},
    {"Zm9vZ", NULL},
    {"Zg===", NULL},
    {"Zg==Zg==", NULL},
    {"=", NULL},
    {"Zh==", NULL}, /* bits behind the byte */
    {"Zm9=", NULL},
    {"Zm-v", NULL},
    {"Zm9v\xff", NULL},
};

static void test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf b;
        struct tide_error err = {0};
        buf_init(&b, 0);
        buf_adds(&b, "kept:");
        enum tide_err rc = base64_decode(text_of(cases[i].in), &b, &err);
        T_EQ(rc, cases[i].want ? TIDE_OK : TIDE_ESYNTAX, "%s", cases[i].in);
        buf_consume(&b, 5);
        T_TEXT(buf_text(&b), cases[i].want ? cases[i].want : "", "%s", cases[i].in);
        buf_fini(&b);
    }
    struct buf b;
    struct tide_error err = {0};
    buf_init(&b, 0);
    T_EQ(base64_decode(TEXT("Zm!v"), &b, &err), TIDE_ESYNTAX, "refused");
    T_STR(err.text, "want base64, got \"!\" at byte 2", "says where");
    buf_fini(&b);
}

static void test_round_trip(void **state)
{
    (void)state;
    char bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + 3);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct buf text, back;
        struct tide_error err = {0};
        buf_init(&text, 0);
        buf_init(&back, 0);
        base64_encode((struct text){bytes, n}, &text);
        T_EQ(text.len, (n + 2) / 3 * 4, "padded length of %zu", n);
        T_OK(base64_decode(buf_text(&text), &back, &err), &err, "%zu", n);
        T_TRUE(text_eq(buf_text(&back), (struct text){bytes, n}), "%zu bytes come back", n);
        buf_fini(&text);
        buf_fini(&back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
