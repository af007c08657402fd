/* The replies of the corpus: their class, and the action where it is labelled, by the rule base.
 * Counts are printed; below them VERBOSE=1 shows each miss. */
#include "core/outcome/finding.h"
#include "lib/check.h"
#include "lib/classes.h"
#include "lib/real_rules.h"
#include "lib/tsv.h"

#include <stdlib.h>

const char *corpora_dir(const char *what);

static void test_replies(void **state)
{
    (void)state;
    const char *dir = corpora_dir("replies");
    if (!dir)
        return;
    struct rulebook *book = real_rules();

    size_t n, labelled = 0, exact = 0, near = 0, all = 0, known = 0, by_text = 0;
    char *content = tsv_read(dir, "replies/replies.tsv", &n);
    struct text rest = {content, n}, line, cell[8];
    bool head = true;
    while (text_split(&rest, '\n', &line)) {
        if (line.n == 0 || line.p[0] == '#')
            continue;
        size_t count = 0;
        while (count < TIDE_COUNT(cell) && tsv_cell(&line, &cell[count]))
            count++;
        if (head || count < 6) {
            head = false;
            continue;
        }
        struct reply_said said = {0};
        struct meaning m;
        reply_said_of(cell[1], &said);
        meaning_of(book, &said, &m);
        all++;
        known += m.rule != NULL;
        by_text += m.basis == BASIS_TEXT;
        if (cell[5].n == 0)
            continue;
        enum class_match match = class_matches(cell[5], m.class);
        labelled++;
        exact += match == CLASS_EXACT;
        near += match != CLASS_WRONG;
        if (match != CLASS_EXACT && getenv("VERBOSE"))
            printf("%s " TEXT_FMT " want " TEXT_FMT " got %s by %s [%s]: " TEXT_FMT "\n",
                   match == CLASS_WRONG ? "miss" : "near", TEXT_ARG(cell[0]), TEXT_ARG(cell[5]),
                   reply_class_name(m.class), m.rule ? m.rule->name : "none", m.evidence,
                   TEXT_ARG(text_cut(cell[1], 0, 240)));
    }
    printf("replies: %zu; a rule knows %zu, by its words %zu\n", all, known, by_text);
    printf("class: %zu labelled, %zu exact (%.1f %%), %zu with the labels' own doubt (%.1f %%)\n",
           labelled, exact, 100.0 * (double)exact / (double)labelled, near,
           100.0 * (double)near / (double)labelled);
    T_TRUE(near * 100 >= labelled * 94, "class: %zu of %zu", near, labelled);
    T_TRUE(by_text * 100 >= all * 90, "known by words: %zu of %zu", by_text, all);
    free(content);
    rulebook_free(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
