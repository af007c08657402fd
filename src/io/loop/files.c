#include "io/loop/files.h"

#include "base/file.h"
#include "core/config/limits.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CONFIG_FILE_BYTES_MAX (4 << 20)
#define ZONE_FILE_BYTES_MAX   (256 << 10) /* the largest in tzdata 2025b has 4 KB */
#define ZONE_DIR              "/usr/share/zoneinfo"
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

enum tide_err files_zone(const char *name, struct buf *ret, struct tide_error *err)
{
    char path[sizeof ZONE_DIR + 80];
    if (!zone_name_ok(text_of(name)))
        return tide_fail(err, TIDE_EINVAL,
                         "zone \"%.60s\": want an IANA name such as \"Asia/Shanghai\"", name);
    snprintf(path, sizeof path, "%s/%s", ZONE_DIR, name);
    enum tide_err rc = file_read(path, ZONE_FILE_BYTES_MAX, ret, err);
    if (rc == TIDE_ENOENT)
        return tide_fail(err, rc,
                         "zone \"%s\": there is no %s; the package tzdata brings zones, "
                         "tzdata-legacy those of old names",
                         name, path);
    if (rc == TIDE_OK && !text_starts(buf_text(ret), TEXT("TZif")))
        return tide_fail(err, TIDE_ECORRUPT, "zone \"%s\": %s is not a time zone file", name, path);
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "zone \"%s\"", name);
}

static enum tide_err read_zone(void *arg, const char *name, struct buf *ret, struct tide_error *err)
{
    (void)arg;
    return files_zone(name, ret, err);
}

const struct plan_zones files_zones = {.read = read_zone};
