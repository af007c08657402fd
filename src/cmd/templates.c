#include "cmd/templates.h"

#include "base/file.h"

#include <stdio.h>

#define FILE_BYTES_MAX (1 << 20)

/* A template that the operator did not write is no error: the built-in one serves. */
static enum tide_err read_template(const char *dir,
                                   const char *name,
                                   struct buf *ret,
                                   struct tide_error *err)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    enum tide_err rc = file_read(path, FILE_BYTES_MAX, ret, err);
    return rc == TIDE_ENOENT ? TIDE_OK : rc;
}

enum tide_err templates_load(const struct config *config,
                             struct digest_templates **ret,
                             struct tide_error *err)
{
    const char *dir = config->digest.templates_dir;
    struct digest_templates *made = NULL;
    struct buf subject = {0}, text = {0}, html = {0};
    if (!dir)
        return digest_templates_new(NULL, ret, err);
    enum tide_err rc = read_template(dir, "subject.txt", &subject, err);
    if (rc == TIDE_OK)
        rc = read_template(dir, "digest.txt", &text, err);
    if (rc == TIDE_OK)
        rc = read_template(dir, "digest.html", &html, err);
    if (rc == TIDE_OK) {
        const struct digest_sources sources = {.dir = dir,
                                               .subject = buf_text(&subject),
                                               .text = buf_text(&text),
                                               .html = buf_text(&html)};
        rc = digest_templates_new(&sources, &made, err);
        if (rc != TIDE_OK) { /* the fallback is not wanted here */
            digest_templates_free(made);
        } else {
            *ret = made;
        }
    }
    buf_fini(&subject);
    buf_fini(&text);
    buf_fini(&html);
    return rc;
}
