/* IdnaTestV2 (UTS 46 for Unicode 16), toASCII non-transitional, and the public suffix list's own
 * tests. What differs from the corpus is put into classes below, each with its reason. */
#include "core/address/domain.h"
#include "lib/check.h"
#include "lib/tsv.h"

#include <stdlib.h>

static size_t put_utf8(char *out, unsigned long c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* \uXXXX and \x{XXXX}; `""` is the empty string. */
static struct text unescape(struct text in, char *out)
{
    size_t n = 0;
    if (text_eq(in, TEXT("\"\"")))
        return (struct text){out, 0};
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\\' && i + 5 < in.n && in.p[i + 1] == 'u') {
            char hex[5] = {in.p[i + 2], in.p[i + 3], in.p[i + 4], in.p[i + 5], 0};
            n += put_utf8(out + n, strtoul(hex, NULL, 16));
            i += 5;
        } else if (in.p[i] == '\\' && i + 3 < in.n && in.p[i + 1] == 'x') {
            char *end;
            n += put_utf8(out + n, strtoul(in.p + i + 3, &end, 16));
            i = (size_t)(end - in.p);
        } else {
            out[n++] = in.p[i];
        }
    }
    return (struct text){out, n};
}

/* Where mailtide says otherwise than UTS 46 for Unicode 16. */
enum class {
    RIGHT,
    ASCII_SYMBOL, /* "=" and U+0338 make U+2260: refused, RFC 5321 4.1.2, RFC 5892 2.6 */
    DISALLOWED,   /* symbols (NV8) and what is newer than libidn2's Unicode: RFC 5892 2.6, 2.8; the
                     corpus itself says that an implementation of IDNA2008 skips these */
    WRONG
};

static const char *const class_names[] = {
    "right",
    "ASCII symbols refused (RFC 5321 4.1.2)",
    "disallowed or unassigned in IDNA2008 (RFC 5892 2.6, 2.8)",
    "wrong",
};

static enum class classify(struct text source,
                           struct text want,
                           struct text status,
                           const struct domain *d,
                           bool accepted,
                           const char *error) {
    bool ok = status.n == 0 || text_eq(status, TEXT("[]"));
    if (accepted && ok && text_eq(want, domain_text(d))) return RIGHT;
    if (!accepted && !ok) return RIGHT;
    if (accepted) return WRONG;
    if (strchr("=<>", source.p[0]) || text_find(source, '<') < source.n ||
        text_find(source, '>') < source.n || text_find(source, '=') < source.n) return ASCII_SYMBOL;
    struct text e = text_of(error);
    return text_ifind(e, TEXT("disallowed")) < e.n || text_ifind(e, TEXT("unassigned")) < e.n
               ? DISALLOWED
               : WRONG;
}

static void test_idna(void **state)
{
    (void)state;
    const char *dir = corpora_dir("idna corpus");
    if (!dir)
        return;
    size_t n, counts[TIDE_COUNT(class_names)] = {0};
    char *data = tsv_read(dir, "idna/IdnaTestV2-Unicode16.txt", &n);
    struct text rest = {data, n}, line;
    while (text_split(&rest, '\n', &line)) {
        struct text c[7] = {0}, body = text_cut(line, 0, text_find(line, '#'));
        if (text_trim(body).n == 0)
            continue;
        for (size_t i = 0; i < 7 && text_split(&body, ';', &c[i]); i++)
            c[i] = text_trim(c[i]);
        char source_bytes[4096], want_bytes[4096];
        struct text unicode = c[1].n ? c[1] : c[0];
        struct text source = unescape(c[0], source_bytes);
        struct text want = unescape(c[3].n ? c[3] : unicode, want_bytes);
        struct domain d = {0};
        struct tide_error err = {0};
        bool accepted = domain_parse(source, &d, &err) == TIDE_OK;
        enum class class = classify(source, want, c[4].n ? c[4] : c[2], &d, accepted, err.text);
        T_TRUE(class != WRONG, TEXT_FMT " gave %s%s", TEXT_ARG(line), d.ascii, err.text);
        counts[class]++;
    }
    free(data);
    for (size_t i = 0; i < WRONG; i++)
        printf("idna: %zu %s\n", counts[i], class_names[i]);
    T_TRUE(counts[RIGHT] > 6000, "the corpus was read");
}

static void test_psl(void **state)
{
    (void)state;
    const char *dir = corpora_dir("public suffix corpus");
    if (!dir)
        return;
    size_t n, cases = 0;
    char *data = tsv_read(dir, "psl/tests.txt", &n);
    struct suffixes *suffixes = NULL;
    struct tide_error err = {0};
    T_OK(suffixes_open(&suffixes, &err), &err, "open");
    struct text rest = {data, n}, line, name, want;
    while (text_split(&rest, '\n', &line)) {
        line = text_trim(line);
        if (line.n == 0 || text_starts(line, TEXT("//")) || text_starts(line, TEXT("null")))
            continue;
        text_split(&line, ' ', &name);
        want = text_trim(line);
        struct domain d = {0}, w = {0};
        cases++;
        if (domain_parse(name, &d, &err) != TIDE_OK) {
            T_TRUE(name.p[0] == '.', TEXT_FMT ": only leading dots are no domains", TEXT_ARG(name));
            continue;
        }
        if (!text_eq(want, TEXT("null")))
            T_OK(domain_parse(want, &w, &err), &err, "wanted name");
        T_TEXT(suffixes_registrable(suffixes, &d), w.ascii, "%s", d.ascii);
    }
    suffixes_close(suffixes);
    free(data);
    printf("psl: %zu cases, all right\n", cases);
    T_TRUE(cases > 60, "the corpus was read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_idna), cmocka_unit_test(test_psl)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
