#include "io/loop/files.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CONFIG_FILE_BYTES_MAX (4 << 20)
#define PATH_BYTES            4096

static enum tide_err read_file(void *arg, const char *path, struct buf *ret, struct tide_error *err)
{
    (void)arg;
    struct buf content = {0};
    enum tide_err rc = file_read(path, CONFIG_FILE_BYTES_MAX, &content, err);
    if (rc == TIDE_OK) {
        buf_add_text(ret, buf_text(&content));
        rc = buf_check(ret, err);
    }
    buf_fini(&content);
    return rc;
}

static int is_conf(const struct dirent *entry)
{
    struct text name = text_of(entry->d_name);
    return name.n > 5 && name.p[0] != '.' && text_eq(text_cut(name, name.n - 5, 5), TEXT(".conf"));
}

/* Bytes, not letters: the order must not depend on the locale. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum tide_err list_dir(void *arg,
                              const char *dir,
                              enum tide_err (*each)(void *each_arg,
                                                    const char *path,
                                                    struct tide_error *err),
                              void *each_arg,
                              struct tide_error *err)
{
    (void)arg;
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, is_conf, by_bytes);
    if (count < 0)
        return tide_fail(err,
                         errno == ENOENT || errno == ENOTDIR ? TIDE_ENOENT
                         : errno == EACCES                   ? TIDE_EPERM
                         : errno == ENOMEM                   ? TIDE_ENOMEM
                                                             : TIDE_EIO,
                         "%s: %s", dir, strerror(errno));
    enum tide_err rc = TIDE_OK;
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        if (rc == TIDE_OK &&
            snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name) >= (int)sizeof path)
            rc = tide_fail(err, TIDE_ELIMIT, "%s: the path is too long", dir);
        if (rc == TIDE_OK)
            rc = each(each_arg, path, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static const char *read_env(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

const struct config_source files_source = {.read = read_file, .list = list_dir, .env = read_env};
