/* DKIM key records of other projects. */
#include "core/verify/dkim_key.h"
#include "lib/check.h"
#include "lib/tsv.h"

#include <stdlib.h>

#define KEY "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

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
        char record[1000];
        if (line.n == 0)
            continue;
        T_TRUE(tsv_cell(&line, &source) && tsv_cell(&line, &tag) && tsv_cell(&line, &value) &&
                   tsv_cell(&line, &verdict),
               "a line");
        snprintf(record, sizeof record, TEXT_FMT, TEXT_ARG(value));
        if (tag.n)
            snprintf(record, sizeof record, "v=DKIM1; k=ed25519; " TEXT_FMT "=" TEXT_FMT "; p=" KEY,
                     TEXT_ARG(tag), TEXT_ARG(value));
        dkim_key_parse(text_of(record), &arena, &k);
        bool ok = (k.state == DKIM_KEY_OK || k.state == DKIM_KEY_REVOKED) && !k.faulty;
        /* "t=test:y": a flag that is not known is ignored (RFC 6376 3.6.1). */
        bool other = text_eq(tag, TEXT("t")) && text_eq(value, TEXT("test:y"));
        T_EQ(ok, text_eq(verdict, TEXT("valid")) != other, "%s: %s", record, k.why);
        listed += other;
        cases++;
        arena_fini(&arena);
    }
    free(data);
    printf("dkim: %zu key records, %zu of them otherwise than the corpus (RFC 6376 3.6.1)\n", cases,
           listed);
    T_TRUE(cases >= 12, "the corpus was read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
