/* Forms as programs send them. The fields are compared as "name=value" with "(file)[type]". */
#include "core/proto/form.h"

#include "base/buf.h"
#include "lib/check.h"

#define URLENCODED        "application/x-www-form-urlencoded"
#define MULTIPART         "Multipart/Form-Data; charset=x; boundary=\"b c\""
#define PART(head, value) "--b c\r\n" head "\r\n\r\n" value "\r\n"
#define NAME(n)           "Content-Disposition: form-data; name=\"" n "\""
#define END               "--b c--\r\n"

static const struct {
    const char *name, *type, *body;
    enum tide_err want_rc;
    const char *want;
} cases[] = {
    {"nothing", URLENCODED, "", TIDE_OK, ""},
    {"pairs", URLENCODED "; charset=utf-8", "a=1&b=2+3%2b&c&&=x&a=%", TIDE_OK,
     "a=1|b=2 3+|c=|=x|a=%|"},
    {"half escapes", URLENCODED, "a=%4&b=%zz&c=%41", TIDE_OK, "a=%4|b=%zz|c=A|"},
    {"parts", MULTIPART, PART(NAME("a"), "1") PART(NAME("b"), "2\r\n") PART(NAME("a"), "") END,
     TIDE_OK, "a=1|b=2\r\n|a=|"},
    {"preamble, epilogue, blanks behind a boundary", MULTIPART,
     "hello\r\n--b c \t\r\n" NAME("a") "\r\n\r\n1\r\n" END "--b c\r\n", TIDE_OK, "a=1|"},
    {"other headers, any case", MULTIPART,
     PART("content-type: text/plain\r\nX: y\r\nCONTENT-DISPOSITION: form-data;name=a", "1") END,
     TIDE_OK, "a=1[text/plain]|"},
    {"file names", MULTIPART,
     PART(NAME("f") "; filename=\"\303\274.txt\"\r\nContent-Type: image/png", "1")
         PART(NAME("f") "; filename=\"C:\\dir\\a \\\"b\\\".txt\"", "2")
             PART(NAME("f") "; filename=\"a%22b.txt\"", "3")
                 PART(NAME("f") "; filename=x; filename*=UTF-8''%C3%BC.txt", "4")
                     PART(NAME("f") "; filename=\"\"", "") END,
     TIDE_OK,
     "f=1(\303\274.txt)[image/png]|f=2(C:\\dir\\a "
     "\"b\".txt)|f=3(a\"b.txt)|f=4(\303\274.txt)|f=()|"},
    {"base64", MULTIPART, PART(NAME("f") "\r\nContent-Transfer-Encoding: base64", "YXR0") END,
     TIDE_OK, "f=att|"},
    {"not base64", MULTIPART, PART(NAME("f") "\r\nContent-Transfer-Encoding: base64", "*") END,
     TIDE_ESYNTAX, NULL},
    {"a value that looks like a boundary", MULTIPART, PART(NAME("a"), "x--b c\r\n--b d") END,
     TIDE_OK, "a=x--b c\r\n--b d|"},
    {"no part", MULTIPART, END, TIDE_OK, ""},
    {"nothing at all", MULTIPART, "", TIDE_ESYNTAX, NULL},
    {"the end is missing", MULTIPART, PART(NAME("a"), "1"), TIDE_ESYNTAX, NULL},
    {"cut within a header", MULTIPART, "--b c\r\nContent-Dispo", TIDE_ESYNTAX, NULL},
    {"no empty line", MULTIPART, "--b c\r\n" NAME("a") "\r\n" END, TIDE_ESYNTAX, NULL},
    {"no name", MULTIPART, PART("Content-Disposition: form-data", "1") END, TIDE_ESYNTAX, NULL},
    {"no boundary", "multipart/form-data", "--\r\n", TIDE_ESYNTAX, NULL},
    {"JSON", "application/json", "{}", TIDE_EINVAL, NULL},
    {"no type", "", "a=1", TIDE_EINVAL, NULL},
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena a = {0};
        struct form f = {0};
        struct buf b = {0};
        struct tide_error err = {0};
        enum tide_err rc = form_parse(text_of(cases[i].type), text_of(cases[i].body), &a, &f, &err);
        T_EQ(rc, cases[i].want_rc, "%s: %s", cases[i].name, err.text);
        for (size_t k = 0; k < f.count; k++) {
            const struct form_field *d = &f.fields[k];
            buf_addf(&b, TEXT_FMT "=" TEXT_FMT, TEXT_ARG(d->name), TEXT_ARG(d->value));
            if (d->filename.p)
                buf_addf(&b, "(" TEXT_FMT ")", TEXT_ARG(d->filename));
            if (d->content_type.p)
                buf_addf(&b, "[" TEXT_FMT "]", TEXT_ARG(d->content_type));
            buf_addc(&b, '|');
        }
        if (cases[i].want)
            T_STR(buf_str(&b), cases[i].want, "%s", cases[i].name);
        else
            T_TRUE(err.text[0] != '\0', "%s: says why", cases[i].name);
        buf_fini(&b);
        arena_fini(&a);
    }
}

static void test_limit(void **state)
{
    (void)state;
    struct buf b = {0};
    struct arena a = {0};
    struct form f;
    for (size_t i = 0; i <= FORM_FIELDS_MAX; i++)
        buf_adds(&b, "a=1&");
    T_EQ(form_parse(TEXT(URLENCODED), buf_text(&b), &a, &f, NULL), TIDE_ELIMIT, "too many");
    T_EQ(form_parse(TEXT(URLENCODED), text_cut(buf_text(&b), 4, SIZE_MAX), &a, &f, NULL), TIDE_OK,
         "as many as may be");
    T_EQ(f.count, FORM_FIELDS_MAX, "all are there");
    T_TEXT(form_value(&f, "a"), "1", "the first");
    T_TRUE(form_value(&f, "b").p == NULL, "none");
    buf_fini(&b);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
