#include "core/config/doc.h"

#include "base/macros.h"
#include "core/config/scan.h"

#include <stdarg.h>
#include <stdio.h>

#define PATH_BYTES 160

/* The first name of a line: what was given twice. */
static struct text name_of_line(struct text content, int line)
{
    struct text piece = {0};
    for (int i = 0; i < line; i++)
        if (!text_split(&content, '\n', &piece))
            break;
    piece = text_trim(piece);
    size_t n = 0;
    while (n < piece.n && (ascii_is_alnum(piece.p[n]) || piece.p[n] == '_' || piece.p[n] == '-'))
        n++;
    return text_cut(piece, 0, n);
}

enum tide_err doc_parse(const char *file,
                        struct text content,
                        struct doc *ret,
                        struct tide_error *err)
{
    enum tide_err rc = scan_check(file, content, err);
    if (rc != TIDE_OK)
        return rc;
    struct buf copy = {0}; /* terminated */
    buf_add_text(&copy, content);
    rc = buf_check(&copy, err);
    if (rc != TIDE_OK) {
        buf_fini(&copy);
        return rc;
    }
    struct doc d = {.file = file};
    config_init(&d.tree);
    if (config_read_string(&d.tree, buf_str(&copy))) {
        *ret = d;
    } else if (strstr(config_error_text(&d.tree), "duplicate")) {
        struct text name = name_of_line(content, config_error_line(&d.tree));
        rc = tide_fail(err, TIDE_EEXIST, "%s:%d: " TEXT_FMT ": given twice in the same group", file,
                       config_error_line(&d.tree), TEXT_ARG(text_cut(name, 0, 60)));
    } else {
        rc = tide_fail(err, TIDE_ESYNTAX,
                       "%s:%d: %s near here; want NAME = VALUE; or NAME: { ... };", file,
                       config_error_line(&d.tree), config_error_text(&d.tree));
    }
    if (rc != TIDE_OK)
        config_destroy(&d.tree);
    buf_fini(&copy);
    return rc;
}

void doc_fini(struct doc *d)
{
    config_destroy(&d->tree);
}

/* "accounts.ses.port"; elements of a list have no name. */
static void path_of(const config_setting_t *s, char *out, size_t size)
{
    const char *names[DOC_DEPTH_MAX + 2];
    size_t count = 0, n = 0;
    for (; s && !config_setting_is_root(s) && count < TIDE_COUNT(names);
         s = config_setting_parent(s))
        if (config_setting_name(s))
            names[count++] = config_setting_name(s);
    out[0] = '\0';
    while (count > 0 && n < size) {
        count--;
        n += (size_t)snprintf(out + n, size - n, "%.60s%s", names[count], count ? "." : "");
    }
}

enum tide_err doc_fail(const struct doc *d,
                       const config_setting_t *s,
                       struct tide_error *err,
                       enum tide_err code,
                       const char *fmt,
                       ...)
{
    char path[PATH_BYTES], what[TIDE_ERROR_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    path_of(s, path, sizeof path);
    return tide_fail(err, code, "%s:%u: %s%s%s", d->file, config_setting_source_line(s), path,
                     path[0] ? ": " : "", n < 0 ? "" : what);
}

const char *doc_hint(const char *nearest, char *out, size_t size)
{
    out[0] = '\0';
    if (nearest)
        snprintf(out, size, "; did you mean %s?", nearest);
    return out;
}

bool doc_date_ok(struct text date)
{
    int64_t year, month, day;
    struct tide_error ignored;
    if (date.n != 10 || date.p[4] != '-' || date.p[7] != '-' ||
        text_int(text_cut(date, 0, 4), 1990, 2999, &year, &ignored) != TIDE_OK ||
        text_int(text_cut(date, 5, 2), 1, 12, &month, &ignored) != TIDE_OK ||
        text_int(text_cut(date, 8, 2), 1, 31, &day, &ignored) != TIDE_OK)
        return false;
    int y, m, d;
    civil_of_days(days_of_civil((int)year, (int)month, (int)day), &y, &m, &d);
    return y == year && m == month && d == day;
}

/* -- Groups ------------------------------------------------------------------------------------ */

struct text doc_below(const struct key *key, const char *prefix)
{
    struct text path = text_of(key->path), p = text_of(prefix);
    if (p.n > 0) {
        if (!text_starts(path, p) || path.n <= p.n + 1 || path.p[p.n] != '.')
            return (struct text){0};
        path = text_cut(path, p.n + 1, path.n);
    }
    return text_find(path, '*') < path.n ? (struct text){0} : path;
}

#define NAMES_MAX 64

static enum tide_err fail_unknown(const struct doc *d,
                                  const config_setting_t *s,
                                  const struct key *keys,
                                  size_t key_count,
                                  const char *prefix,
                                  struct tide_error *err)
{
    char names[NAMES_MAX][40], hint[64];
    const char *list[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < key_count && count < NAMES_MAX; i++) {
        struct text name = doc_below(&keys[i], prefix);
        if (name.n == 0)
            continue;
        name = text_cut(name, 0, text_find(name, '.'));
        snprintf(names[count], sizeof names[count], TEXT_FMT, TEXT_ARG(name));
        list[count] = names[count];
        count++;
    }
    const char *nearest = text_nearest(text_of(config_setting_name(s)), list, count);
    return doc_fail(d, s, err, TIDE_EINVAL, "there is no such key%s",
                    doc_hint(nearest, hint, sizeof hint));
}

/* A member of a sourced number. */
static enum tide_err source_member(const struct doc *d,
                                   const config_setting_t *s,
                                   const struct key *key,
                                   const struct doc_values *v,
                                   struct source_form *form,
                                   void *base,
                                   struct tide_error *err)
{
    struct text name = text_of(config_setting_name(s));
    if (text_eq(name, TEXT("value")))
        return doc_value(d, s, key, v, base, err);
    for (size_t i = 0; i < profile_key_count; i++) {
        struct text word = doc_below(&profile_keys[i], "source");
        if (word.n > 0 && text_eq(word, name))
            return doc_value(d, s, &profile_keys[i], v, form, err);
    }
    return fail_unknown(d, s, profile_keys, profile_key_count, "source", err);
}

#define SOURCE_MEMBERS 5

static enum tide_err read_sourced(const struct doc *d,
                                  const config_setting_t *group,
                                  const struct key *key,
                                  const struct doc_values *v,
                                  void *base,
                                  struct tide_error *err)
{
    struct source_form form = {0};
    if (!config_setting_is_group(group))
        return doc_fail(d, group, err, TIDE_EINVAL,
                        "want a group of value, source, reference, date and confidence");
    int count = config_setting_length(group);
    for (int i = 0; i < count; i++) {
        enum tide_err rc =
            source_member(d, config_setting_get_elem(group, (unsigned)i), key, v, &form, base, err);
        if (rc != TIDE_OK)
            return rc;
    }
    if (count != SOURCE_MEMBERS) /* none is unknown, none is there twice */
        return doc_fail(d, group, err, TIDE_EINVAL,
                        "want all of value, source, reference, date and confidence");
    if (!doc_date_ok(text_of(form.date)))
        return doc_fail(d, group, err, TIDE_EINVAL,
                        "date: want a date such as \"2026-11-21\", got \"%.40s\"", form.date);
    return TIDE_OK;
}

static enum tide_err read_member(const struct doc *d,
                                 const config_setting_t *s,
                                 const struct key *keys,
                                 size_t key_count,
                                 const char *prefix,
                                 const struct doc_values *v,
                                 void *base,
                                 struct tide_error *err)
{
    struct text name = text_of(config_setting_name(s));
    bool is_prefix = false;
    for (size_t i = 0; i < key_count; i++) {
        struct text word = doc_below(&keys[i], prefix);
        if (word.n == 0)
            continue;
        if (text_eq(word, name))
            return keys[i].type == KEY_NAMED ? TIDE_OK
                   : keys[i].sourced         ? read_sourced(d, s, &keys[i], v, base, err)
                                             : doc_value(d, s, &keys[i], v, base, err);
        is_prefix |= word.n > name.n && text_starts(word, name) && word.p[name.n] == '.';
    }
    if (!is_prefix)
        return fail_unknown(d, s, keys, key_count, prefix, err);
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s%s" TEXT_FMT, prefix, prefix[0] ? "." : "", TEXT_ARG(name));
    return doc_group(d, s, keys, key_count, path, v, base, err);
}

enum tide_err doc_group(const struct doc *d,
                        const config_setting_t *group,
                        const struct key *keys,
                        size_t key_count,
                        const char *prefix,
                        const struct doc_values *v,
                        void *base,
                        struct tide_error *err)
{
    if (!config_setting_is_group(group))
        return doc_fail(d, group, err, TIDE_EINVAL, "want a group { ... }");
    for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
        enum tide_err rc = read_member(d, config_setting_get_elem(group, i), keys, key_count,
                                       prefix, v, base, err);
        if (rc != TIDE_OK)
            return rc;
    }
    return TIDE_OK;
}

enum tide_err doc_named(const struct doc *d,
                        const config_setting_t *parent,
                        const char *name,
                        const config_setting_t **ret,
                        struct tide_error *err)
{
    const config_setting_t *s = config_setting_get_member(parent, name);
    if (s && !config_setting_is_group(s))
        return doc_fail(d, s, err, TIDE_EINVAL, "want a group { ... }");
    for (unsigned i = 0; s && i < (unsigned)config_setting_length(s); i++) {
        const config_setting_t *member = config_setting_get_elem(s, i);
        if (!config_setting_is_group(member))
            return doc_fail(d, member, err, TIDE_EINVAL, "want a group { ... }");
        if (strlen(config_setting_name(member)) > DOC_NAME_BYTES_MAX)
            return doc_fail(d, member, err, TIDE_EINVAL, "want a name of at most %d bytes",
                            DOC_NAME_BYTES_MAX);
    }
    *ret = s;
    return TIDE_OK;
}
