/* Profiles and configuration texts of any bytes: a named error or a whole result, never a crash.
 * The first byte chooses what the rest is: a provider's profile, an account's, or a main file. What
 * a configuration prints must read back. */
#include "core/config/config.h"

#include <stdlib.h>

/* libconfig 1.5 forgets the text that stood where none may stand, when that is the syntax error:
 * some 64 bytes for a bad file. Everything else that leaks is ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

static enum tide_err read_text(void *arg, const char *path, struct buf *ret, struct tide_error *err)
{
    if (strcmp(path, "x.conf") != 0)
        return tide_fail(err, TIDE_ENOENT, "%s: not here", path);
    buf_add_text(ret, *(const struct text *)arg);
    return buf_check(ret, err);
}

static enum tide_err list_none(void *arg,
                               const char *dir,
                               enum tide_err (*each)(void *each_arg,
                                                     const char *path,
                                                     struct tide_error *err),
                               void *each_arg,
                               struct tide_error *err)
{
    (void)arg;
    (void)each;
    (void)each_arg;
    return tide_fail(err, TIDE_ENOENT, "%s: not here", dir);
}

static const char *no_env(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "USER") == 0 ? "ann" : NULL;
}

static struct config *load(struct text content)
{
    struct config_source source = {&content, read_text, list_none, no_env};
    struct config *c = NULL;
    struct tide_error err;
    return config_load("x.conf", &source, &c, &err) == TIDE_OK ? c : NULL;
}

static void try_config(struct text content)
{
    struct config *c = load(content), *again;
    struct buf printed = {0};
    if (!c)
        return;
    config_print(c, &printed);
    again = load(buf_text(&printed));
    if (printed.failed == TIDE_OK && !again)
        abort();
    config_free(again);
    config_free(c);
    buf_fini(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile p;
    struct tide_error err;
    if (size == 0 || size > 65536)
        return 0;
    struct text content = {(const char *)data + 1, size - 1};
    if (data[0] % 3 == 0)
        try_config(content);
    else if (profile_parse(data[0] % 3 == 1 ? PROFILE_PROVIDER : PROFILE_ACCOUNT, "x.conf", content,
                           &p, &err) == TIDE_OK)
        profile_fini(&p);
    return 0;
}
