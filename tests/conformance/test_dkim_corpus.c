/* DKIM key records of other projects. */
#include "core/verify/dkim_key.h"
#include "lib/check.h"
#include "lib/tsv.h"

#include <stdlib.h>

#define ED25519 "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RSA                                                                          \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7vbqajDw4o6gJy8UtmIbkcpnkO3Kwc4qsEnSZp/" \
    "TR+fQi62F79RHWm"                                                                \
    "wKOtFmwteURgLbj7D/WGuNLGOfa/2vse3G2eHnHl5CB8ruRX9fBl/"                          \
    "KgwCVr2JaEuUm66bBQeP5XeBotdR4cvX38uPYivC"                                       \
    "DdPjJ1QWPdspTBKcxeFbccDwIDAQAB"

/* A whole record round the value of one tag. */
static void record_of(struct text tag, struct text value, char *out, size_t max)
{
    bool rsa = text_eq(tag, TEXT("k")) && text_ieq(value, TEXT("rsa"));
    const char *key = rsa ? RSA : ED25519;
    if (tag.n == 0)
        snprintf(out, max, TEXT_FMT, TEXT_ARG(value));
    else if (text_eq(tag, TEXT("v")))
        snprintf(out, max, "v=" TEXT_FMT "; k=ed25519; p=%s", TEXT_ARG(value), key);
    else if (text_eq(tag, TEXT("k")))
        snprintf(out, max, "v=DKIM1; k=" TEXT_FMT "; p=%s", TEXT_ARG(value), key);
    else if (text_eq(tag, TEXT("p")))
        snprintf(out, max, "v=DKIM1; p=" TEXT_FMT, TEXT_ARG(value));
    else
        snprintf(out, max, "v=DKIM1; k=ed25519; " TEXT_FMT "=" TEXT_FMT "; p=%s", TEXT_ARG(tag),
                 TEXT_ARG(value), key);
}

/* Flags and hashes that are not known are ignored (RFC 6376 3.6.1), where the corpus refuses them.
 */
static bool is_ignored(struct text tag, struct text value, const struct dkim_key *k)
{
    return text_eq(tag, TEXT("t")) && text_find(value, ':') < value.n && value.n > 1 && !k->faulty;
}

static void test_keys(void **state)
{
    (void)state;
    const char *dir = corpora_dir("DKIM keys");
    if (!dir)
        return;
    size_t n, cases = 0, listed = 0;
    char *data = tsv_read(dir, "dkim/keys.tsv", &n);
    struct text rest = {data, n}, line, source, tag, value, verdict;
    (void)text_split(&rest, '\n', &line);
    while (text_split(&rest, '\n', &line)) {
        struct arena arena = {0};
        struct dkim_key k;
        char record[2000];
        if (line.n == 0)
            continue;
        T_TRUE(tsv_cell(&line, &source) && tsv_cell(&line, &tag) && tsv_cell(&line, &value) &&
                   tsv_cell(&line, &verdict),
               "a line");
        record_of(tag, value, record, sizeof record);
        dkim_key_parse(text_of(record), &arena, &k);
        bool ok = (k.state == DKIM_KEY_OK || k.state == DKIM_KEY_REVOKED) && !k.faulty;
        bool want = text_eq(verdict, TEXT("valid")),
             other = ok && !want && is_ignored(tag, value, &k);
        T_TRUE(ok == want || other, "%s: %s", record, k.why);
        listed += other;
        cases++;
        arena_fini(&arena);
    }
    free(data);
    printf("dkim: %zu key records, %zu of them otherwise than the corpus (RFC 6376 3.6.1)\n", cases,
           listed);
    T_TRUE(cases >= 6, "the corpus was read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
