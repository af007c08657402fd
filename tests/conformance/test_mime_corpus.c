/* mime4j's and enmime's messages, broken ones among them: whatever they are, they are read without
 * harm, and what is edited is the same but for what was edited. */
#include "base/file.h"
#include "core/digest/content.h"
#include "lib/check.h"

#include <dirent.h>
#include <sys/stat.h>

struct tally {
    size_t files, with_from, with_text, digestible, refused;
};

static void edited_is_the_same(const struct message *m, const char *path)
{
    struct buf b = {0};
    struct tide_error err;
    struct message again;
    T_OK(message_put_header(&b, TEXT("X-Mailtide-Test"), TEXT("Jörg"), &err), &err, "%s", path);
    size_t put = b.len;
    message_put_rest(&b, m, NULL, 0);
    T_TRUE(text_eq(text_cut(buf_text(&b), put, b.len), m->whole), "%s: the rest is as it was",
           path);
    T_OK(message_open(buf_text(&b), &again, &err), &err, "%s", path);
    T_TRUE(message_has(&again, TEXT("X-Mailtide-Test")), "%s", path);
    T_TRUE(text_eq(again.body, m->body), "%s: body", path);
    buf_fini(&b);
}

static void one_message(const char *path, struct tally *tally)
{
    struct buf raw = {0}, normal = {0};
    struct arena a = {0};
    struct tide_error err = {0};
    struct message m;
    struct header h;
    struct content content;
    struct mailbox from;
    T_OK(file_read(path, 10000000, &raw, &err), &err, "%s", path);
    tally->files++;
    if (message_normalise(buf_text(&raw), &normal, &err) != TIDE_OK) {
        tally->refused++; /* NUL bytes in a header */
    } else {
        T_OK(message_open(buf_text(&normal), &m, &err), &err, "%s", path);
        for (size_t pos = 0; message_next(&m, &pos, &h);) {
            struct text value = message_value(&m, h.name, &a);
            T_TRUE(value.p && text_is_utf8(value), "%s: " TEXT_FMT, path, TEXT_ARG(h.name));
        }
        tally->with_from += message_from(&m, &a, &from, &err) == TIDE_OK;
        T_OK(content_look(&m, 400, 4, &a, &content, &err), &err, "%s", path);
        T_TRUE(text_is_utf8(content.text) && content.text.n <= 400, "%s: text", path);
        T_EQ(content.digestible, content.reason[0] == '\0', "%s: %s", path, content.reason);
        tally->with_text += content.text.n > 0;
        tally->digestible += content.digestible;
        edited_is_the_same(&m, path);
    }
    arena_fini(&a);
    buf_fini(&raw);
    buf_fini(&normal);
}

static void each_in(const char *dir_name, int depth, struct tally *tally)
{
    DIR *dir = opendir(dir_name);
    T_TRUE(dir != NULL, "%s", dir_name);
    for (struct dirent *e; (e = readdir(dir));) {
        char path[1024];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir_name, e->d_name);
        if (e->d_name[0] == '.' || stat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth < 8)
            each_in(path, depth + 1, tally);
        else if (S_ISREG(st.st_mode))
            one_message(path, tally); /* parts, bodies and notes, too: they are bytes */
    }
    closedir(dir);
}

static void test_corpus(void **state)
{
    (void)state;
    const char *corpora = corpora_dir("MIME corpus");
    if (!corpora)
        return;
    char dir[512];
    struct tally t = {0};
    snprintf(dir, sizeof dir, "%s/mime", corpora);
    each_in(dir, 0, &t);
    printf("%zu files: %zu with a From address, %zu with text, %zu digestible, %zu refused\n",
           t.files, t.with_from, t.with_text, t.digestible, t.refused);
    T_TRUE(t.files > 300, "the corpus is there");
    T_TRUE(t.with_text > t.files / 2, "most have text");
    T_TRUE(t.refused < t.files / 50, "hardly any is refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
