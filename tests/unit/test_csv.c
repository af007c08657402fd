/* CSV records, whatever the pieces are that they come in. */
#include "core/proto/csv.h"

#include "lib/check.h"

#include <stdlib.h>

/* Records as "[a][b]", a line each; "!" before one that is too large. */
static void read_all(struct text in, size_t piece, char separator, struct buf *out)
{
    struct csv c;
    csv_init(&c, separator);
    for (size_t at = 0; at <= in.n; at += piece) {
        struct text part = text_cut(in, at, piece);
        bool end = at + piece > in.n;
        for (enum csv_got got; (got = csv_next(&c, &part, end)) != CSV_WANTS_MORE;) {
            T_TRUE(got != CSV_NO_MEMORY, "memory");
            buf_adds(out, got == CSV_TOO_LARGE ? "!" : "");
            for (size_t i = 0; i < c.count; i++)
                buf_addf(out, "[" TEXT_FMT "]", TEXT_ARG(csv_field(&c, i)));
            buf_addc(out, '\n');
        }
        T_EQ(part.n, 0, "all is taken");
    }
    T_TEXT(csv_field(&c, CSV_FIELDS_MAX), "", "behind the last one");
    csv_fini(&c);
}

static const struct {
    const char *in, *want;
} cases[] = {
    {"", ""},
    {"a", "[a]\n"},
    {"a\n", "[a]\n"},
    {"a,b\r\nc,d\r\n", "[a][b]\n[c][d]\n"},
    {"a\rb\r", "[a]\n[b]\n"},
    {"\n\na\n\r\n\nb", "[a]\n[b]\n"}, /* empty lines */
    {",", "[][]\n"},
    {"a,\n,b\n", "[a][]\n[][b]\n"},
    {"\"\"\n", "[]\n"},
    {"\"a,b\",c\n", "[a,b][c]\n"},
    {"\"a \"\"b\"\"\",c", "[a \"b\"][c]\n"},
    {"\"a\r\nb\",c\r\n", "[a\r\nb][c]\n"},
    {"a \"b\",c", "[a \"b\"][c]\n"}, /* a quote within */
    {"\"a\"b,c\n", "[ab][c]\n"},     /* something behind a closing quote */
    {"\"a,b\nc", "[a,b\nc]\n"},      /* never closed */
    {"\"ann b\"@x.org,1", "[ann b@x.org][1]\n"},
};

static void test_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        for (size_t piece = 1; piece <= strlen(cases[i].in) + 1; piece++) {
            struct buf out = {0};
            read_all(text_of(cases[i].in), piece, ',', &out);
            T_STR(buf_str(&out), cases[i].want, "case %zu in pieces of %zu", i, piece);
            buf_fini(&out);
        }
}

static void test_too_large(void **state)
{
    (void)state;
    struct buf in = {0}, out = {0};
    for (size_t i = 0; i < CSV_RECORD_BYTES_MAX + 10; i++)
        buf_addc(&in, 'x');
    buf_adds(&in, "\nshort\n");
    for (size_t i = 0; i <= CSV_FIELDS_MAX; i++)
        buf_addc(&in, ',');
    buf_adds(&in, "\nlast");
    read_all(buf_text(&in), 4096, ',', &out);
    struct text rest = buf_text(&out), line;
    T_TRUE(text_split(&rest, '\n', &line) && line.p[0] == '!', "too long");
    T_TRUE(text_split(&rest, '\n', &line), "second");
    T_TEXT(line, "[short]", "reading goes on");
    T_TRUE(text_split(&rest, '\n', &line) && line.p[0] == '!', "too many fields");
    T_TRUE(text_split(&rest, '\n', &line), "last");
    T_TEXT(line, "[last]", "reading goes on");
    buf_fini(&in);
    buf_fini(&out);
}

static void test_separator(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        char want;
    } lines[] = {
        {"", ','},          {"a", ','},          {"a;b", ';'},       {"a\tb\tc,d", '\t'},
        {"a,b\n;;;;", ','}, {"\"a;;;\",b", ','}, {"name|mail", '|'},
    };
    for (size_t i = 0; i < TIDE_COUNT(lines); i++)
        T_EQ(csv_separator_of(text_of(lines[i].line)), lines[i].want, "%s", lines[i].line);
}

/* What is written is read back the same. */
static void test_put(void **state)
{
    (void)state;
    static const char *const fields[] = {"",   "plain", "a,b",   "say \"hi\"", "two\nlines",
                                         "\"", "a;b",   " pad ", "\r",         "tab\there"};
    struct buf out = {0};
    struct csv c;
    for (size_t i = 0; i < TIDE_COUNT(fields); i++) {
        buf_adds(&out, i ? "," : "");
        csv_put(&out, text_of(fields[i]));
    }
    struct text in = buf_text(&out);
    csv_init(&c, ',');
    T_EQ(csv_next(&c, &in, true), CSV_RECORD, "a record");
    T_EQ(c.count, TIDE_COUNT(fields), "fields");
    for (size_t i = 0; i < TIDE_COUNT(fields); i++)
        T_TEXT(csv_field(&c, i), fields[i], "field %zu", i);
    csv_fini(&c);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_separator),
        cmocka_unit_test(test_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
