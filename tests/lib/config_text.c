#include "lib/config_text.h"

#include "lib/check.h"

struct texts {
    const struct config_text *files;
    size_t count;
};

static enum tide_err read_text(void *arg, const char *path, struct buf *ret, struct tide_error *err)
{
    const struct texts *t = arg;
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->files[i].path, path) == 0) {
            buf_adds(ret, t->files[i].text);
            return buf_check(ret, err);
        }
    return tide_fail(err, TIDE_ENOENT, "%s", path);
}

static enum tide_err list_texts(void *arg,
                                const char *dir,
                                enum tide_err (*each)(void *, const char *, struct tide_error *),
                                void *each_arg,
                                struct tide_error *err)
{
    const struct texts *t = arg;
    enum tide_err rc = TIDE_OK;
    for (size_t i = 0; i < t->count && rc == TIDE_OK; i++) {
        const char *path = t->files[i].path, *name = strrchr(path, '/');
        size_t n = name ? (size_t)(name - path) : 0;
        if (n > 0 && strlen(dir) == n && strncmp(path, dir, n) == 0)
            rc = each(each_arg, path, err);
    }
    return rc;
}

static const char *no_env(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return NULL;
}

struct config *config_of_texts(const struct config_text *files, size_t count)
{
    struct texts texts = {files, count};
    const struct config_source source = {&texts, read_text, list_texts, no_env};
    struct config *c = NULL;
    struct tide_error err;
    T_OK(config_load(files[0].path, &source, &c, &err), &err, "%s", files[0].path);
    return c;
}
