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

static void test_no_column(void **state)
{
    static const struct {
        const char *in, *column, *want;
    } bad[] = {
        {"name,place\nAnn,Rome\n", NULL,
         "the list's first line names no column \"email\" or \"address\"; say which with --column"},
        {"name,email\n", "mail", "the list has no column \"mail\" in its first line"},
        {"name,email\n", "3", "the list has no column \"3\" in its first line"},
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
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_no_column),
        cmocka_unit_test(test_endless_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
