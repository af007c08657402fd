/* Lists of addresses: what each form gives, in pieces of any size. */
#include "core/verify/addresses.h"

#include "lib/check.h"

static const struct {
    const char *in, *column, *want; /* addresses, "|" behind each */
} cases[] = {
    {"", NULL, ""},
    {"a@x.org", NULL, "a@x.org|"},
    {"a@x.org\nb@y.org\n", NULL, "a@x.org|b@y.org|"},
    {"\xEF\xBB\xBF"
     "a@x.org\r\n\r\n b@y.org \r\n",
     NULL, "a@x.org|b@y.org|"},
    {"no address\nb@y.org\n", NULL, "no address|b@y.org|"},
    {"email\na@x.org\n", NULL, "a@x.org|"},
    {"name,E-Mail,n\nAnn,a@x.org,1\n\"B, C\",b@y.org,2\n", NULL, "a@x.org|b@y.org|"},
    {"name;address\nAnn;a@x.org\nBob\nCyn;c@x.org", NULL, "a@x.org||c@x.org|"},
    {"Ann,a@x.org\nBob,b@y.org", NULL, "a@x.org|b@y.org|"}, /* no header */
    {"work,home\na@x.org,b@y.org\n", "home", "b@y.org|"},
    {"work\thome\na@x.org\tb@y.org\n", "2", "b@y.org|"},
    {"a@x.org,b@y.org\n", "2", "b@y.org|"},
    {"{\"email\":\"a@x.org\"}\n\n{\"address\":\"b@y.org\",\"n\":1}\n", NULL, "a@x.org|b@y.org|"},
    {"{\"email\":\"a@x.org\",\"home\":\"h@x.org\"}", "home", "h@x.org|"},
    {"{\"email\":\"a@x.org\"}\n{broken\n{\"x\":1}\n\"c@x.org\"\n{\"email\":2}", NULL,
     "a@x.org|||c@x.org||"},
    {"[]", NULL, ""},
    {" [ \"a@x.org\" , {\"email\":\"b@y.org\",\"to\":[1,\"],\"]},7,{]", NULL, "a@x.org|b@y.org|||"},
    {"[\"a,b]\\\"@x.org\",\n\"c@x.org\"] what follows is not read", NULL, "a,b]\"@x.org|c@x.org|"},
    {"[\"a@x.org\",\"cut", NULL, "a@x.org||"},
    {"\"a@x.org\"", NULL, "a@x.org|"},
};

static enum tide_err read_all(
    struct addresses *in, struct text list, size_t piece, struct buf *out, struct tide_error *err)
{
    struct text address;
    enum tide_err rc = TIDE_ENOENT;
    for (size_t at = 0; rc == TIDE_ENOENT; at += piece) {
        struct text part = text_cut(list, at, piece);
        T_TRUE(addresses_feed(in, part.p, part.n), "memory");
        while ((rc = addresses_next(in, &address, err)) == TIDE_OK)
            buf_addf(out, TEXT_FMT "|", TEXT_ARG(address));
        if (part.n == 0)
            break;
    }
    return rc;
}

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        for (size_t piece = 1; piece <= strlen(cases[i].in) + 1; piece++) {
            struct addresses in;
            struct buf out = {0};
            struct tide_error err = {0};
            addresses_init(&in, cases[i].column);
            T_EQ(read_all(&in, text_of(cases[i].in), piece, &out, &err), TIDE_ENOENT, "%s: %s",
                 cases[i].in, err.text);
            T_STR(buf_str(&out), cases[i].want, "%s in pieces of %zu", cases[i].in, piece);
            addresses_fini(&in);
            buf_fini(&out);
        }
}

/* As spreadsheets save it, in pieces of any size. */
static void test_utf16(void **state)
{
    static const struct {
        const char *in;
        size_t n;
        const char *want;
    } wide[] = {
        {"\xFF\xFE"
         "e\0m\0a\0i\0l\0\r\0\n\0a\0@\0x\0.\0o\0r\0g\0\r\0\n\0",
         32, "a@x.org|"},
        {"\xFE\xFF"
         "\0a\0@\0x\0\n\0b\0@\0y",
         16, "a@x|b@y|"},
        /* U+00FC, U+4E2D, U+1F600 */
        {"\xFF\xFE"
         "\xFC\0\x2D\x4E\x3D\xD8\x00\xDE@\0x\0",
         14, "\u00FC\u4E2D\U0001F600@x|"},
        /* halves of pairs alone, a unit cut in two */
        {"\xFF\xFE"
         "\x3D\xD8"
         "a\0\x00\xDE@\0x\0\n",
         13, "\uFFFDa\uFFFD@x|"},
        {"\xFF\xFE", 2, ""},
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(wide); i++)
        for (size_t piece = 1; piece <= wide[i].n + 1; piece++) {
            struct addresses in;
            struct buf out = {0};
            struct tide_error err = {0};
            addresses_init(&in, NULL);
            T_EQ(read_all(&in, (struct text){wide[i].in, wide[i].n}, piece, &out, &err),
                 TIDE_ENOENT, "case %zu: %s", i, err.text);
            T_STR(buf_str(&out), wide[i].want, "case %zu in pieces of %zu", i, piece);
            addresses_fini(&in);
            buf_fini(&out);
        }
}

static void test_no_text(void **state)
{
    (void)state;
    struct addresses in;
    struct buf out = {0};
    struct tide_error err = {0};
    addresses_init(&in, NULL);
    T_EQ(read_all(&in, (struct text){"a\0@\0x\0", 6}, 2, &out, &err), TIDE_EINVAL, "no mark");
    T_TRUE(strstr(err.text, "zero octets"), "%s", err.text);
    addresses_fini(&in);
}

static void test_no_column(void **state)
{
    static const struct {
        const char *in, *column, *want;
    } bad[] = {
        {"name,place\nAnn,Rome\n", NULL,
         "the list's first line names no column \"email\" or \"address\"; say which with --column"},
        {"name,email\n", "mail", "the list has no column \"mail\" in its first line"},
        {"name,email\n", "3", "the list has no column \"3\" in its first line"},
        {"a@x.org\n\"b@x.org\nc@x.org\n", NULL,
         "a quote is opened and never closed, before \"b@x.org\""},
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct addresses in;
        struct buf out = {0};
        struct tide_error err = {0};
        addresses_init(&in, bad[i].column);
        T_EQ(read_all(&in, text_of(bad[i].in), 7, &out, &err), TIDE_EINVAL, "%s", bad[i].in);
        T_STR(err.text, bad[i].want, "%s", bad[i].in);
        addresses_fini(&in);
        buf_fini(&out);
    }
}

/* A line without an end is one bad record, and memory stays bounded. */
static void test_endless_line(void **state)
{
    (void)state;
    static char piece[100000];
    struct addresses in;
    struct text address;
    struct tide_error err;
    size_t records = 0;
    addresses_init(&in, NULL);
    T_TRUE(addresses_feed(&in, "{\"email\":\"a@x.org\"}\n", 20), "memory");
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < 100; i++) {
        while (addresses_next(&in, &address, &err) == TIDE_OK)
            records++;
        T_TRUE(addresses_feed(&in, piece, sizeof piece), "memory");
        T_TRUE(in.fed.len <= ADDRESSES_LINE_BYTES_MAX + 2 * sizeof piece, "%zu octets", in.fed.len);
    }
    T_TRUE(addresses_feed(&in, "\n{\"email\":\"z@x.org\"}\n", 21), "memory");
    T_TRUE(addresses_feed(&in, "", 0), "end");
    while (addresses_next(&in, &address, &err) == TIDE_OK)
        records++;
    T_EQ(records, 3, "the first, the bad one, the last");
    T_TEXT(address, "z@x.org", "the last");
    addresses_fini(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),        cmocka_unit_test(test_utf16),
        cmocka_unit_test(test_no_text),      cmocka_unit_test(test_no_column),
        cmocka_unit_test(test_endless_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
