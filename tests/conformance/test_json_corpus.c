/* JSONTestSuite: y_ must be accepted, n_ refused, i_ is left to the parser but must not crash. */
#include "base/file.h"
#include "core/proto/json.h"
#include "lib/check.h"

#include <dirent.h>

/* RFC 8259 4 leaves it open what a name given twice means, so it may not decide what is mailed. */
static bool is_refused_on_purpose(const char *name)
{
    return strcmp(name, "y_object_duplicated_key.json") == 0 ||
           strcmp(name, "y_object_duplicated_key_and_value.json") == 0;
}

static void test_corpus(void **state)
{
    (void)state;
    const char *corpora = corpora_dir("JSON corpus");
    if (!corpora)
        return;
    char dir_name[512];
    snprintf(dir_name, sizeof dir_name, "%s/json/test_parsing", corpora);
    DIR *dir = opendir(dir_name);
    T_TRUE(dir != NULL, "%s", dir_name);
    size_t accepted = 0, refused = 0, free_choice = 0, wrong = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (!text_iends(text_of(e->d_name), TEXT(".json")))
            continue;
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", dir_name, e->d_name);
        struct buf b;
        struct tide_error err = {0};
        buf_init(&b, 0);
        T_OK(file_read(path, 1000000, &b, &err), &err, "%s", path);
        struct json *doc = NULL;
        enum tide_err rc = json_parse(buf_text(&b), 1000000, &doc, &err);
        json_free(doc);
        buf_fini(&b);
        accepted += e->d_name[0] == 'y';
        refused += e->d_name[0] == 'n';
        free_choice += e->d_name[0] == 'i';
        bool must_accept = e->d_name[0] == 'y' && !is_refused_on_purpose(e->d_name);
        bool must_refuse = e->d_name[0] == 'n' || is_refused_on_purpose(e->d_name);
        if ((must_accept && rc != TIDE_OK) || (must_refuse && rc == TIDE_OK)) {
            print_error("%s: %s %s\n", e->d_name, tide_err_name(rc), err.text);
            wrong++;
        }
    }
    closedir(dir);
    printf("%zu to accept, %zu to refuse, %zu left to us: %zu wrong\n", accepted, refused,
           free_choice, wrong);
    T_EQ(wrong, 0, "files judged wrongly");
    T_TRUE(accepted >= 95 && refused >= 188, "the suite is whole");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
