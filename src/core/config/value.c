#include "core/config/doc.h"

#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

#define SECRET_BYTES_MAX 65536
#define NAME_BYTES_MAX   128

/* -- ${NAME}, file:, credential: --------------------------------------------------------------- */

static enum tide_err add_variable(const struct doc_values *v,
                                  struct text name,
                                  struct buf *ret,
                                  struct tide_error *err)
{
    char key[NAME_BYTES_MAX];
    if (name.n == 0 || name.n >= sizeof key)
        return tide_fail(err, TIDE_EINVAL, "want ${NAME}, got an empty or overlong name");
    snprintf(key, sizeof key, TEXT_FMT, TEXT_ARG(name));
    const char *value = strcmp(key, "state_dir") == 0 ? v->state_dir
                        : v->source && v->source->env ? v->source->env(v->source->arg, key)
                                                      : NULL;
    if (!value)
        return tide_fail(err, TIDE_ENOENT, "the environment has no variable %s", key);
    buf_adds(ret, value);
    return TIDE_OK;
}

/* "${NAME}" is replaced by the environment's, "$${" is a plain "${". */
static enum tide_err expand(const struct doc_values *v,
                            struct text t,
                            struct buf *ret,
                            struct tide_error *err)
{
    while (t.n > 0) {
        if (text_starts(t, TEXT("$${"))) {
            buf_adds(ret, "${");
            t = text_cut(t, 3, t.n);
        } else if (text_starts(t, TEXT("${"))) {
            size_t end = text_find(t, '}');
            if (end == t.n)
                return tide_fail(err, TIDE_ESYNTAX, "want ${NAME}, got no closing brace");
            enum tide_err rc = add_variable(v, text_cut(t, 2, end - 2), ret, err);
            if (rc != TIDE_OK)
                return rc;
            t = text_cut(t, end + 1, t.n);
        } else {
            buf_addc(ret, t.p[0]);
            t = text_cut(t, 1, t.n);
        }
    }
    return buf_check(ret, err);
}

static enum tide_err set_string(const struct doc_values *v,
                                struct text t,
                                char **ret,
                                struct tide_error *err)
{
    *ret = arena_strndup(v->arena, t.p ? t.p : "", t.n);
    return *ret ? TIDE_OK : tide_fail(err, TIDE_ENOMEM, "out of memory");
}

static enum tide_err read_string(const struct doc_values *v,
                                 struct text t,
                                 char **ret,
                                 struct tide_error *err)
{
    if (!v->source && !v->state_dir)
        return set_string(v, t, ret, err);
    struct buf full = {.max = SECRET_BYTES_MAX};
    enum tide_err rc = expand(v, t, &full, err);
    if (rc == TIDE_OK)
        rc = set_string(v, buf_text(&full), ret, err);
    buf_fini(&full);
    return rc;
}

/* The file that holds the secret; false when the text is the secret itself. */
static enum tide_err secret_path(const struct doc_values *v,
                                 struct text t,
                                 struct buf *ret,
                                 struct tide_error *err)
{
    if (text_starts(t, TEXT("file:"))) {
        buf_add_text(ret, text_cut(t, 5, t.n));
    } else if (text_starts(t, TEXT("credential:"))) {
        struct text name = text_cut(t, 11, t.n);
        if (name.n == 0 || text_find(name, '/') < name.n)
            return tide_fail(err, TIDE_EINVAL, "want credential:NAME without a slash");
        enum tide_err rc = add_variable(v, TEXT("CREDENTIALS_DIRECTORY"), ret, err);
        if (rc != TIDE_OK)
            return rc;
        buf_addc(ret, '/');
        buf_add_text(ret, name);
    }
    return buf_check(ret, err);
}

static enum tide_err read_secret(const struct doc_values *v,
                                 struct text t,
                                 struct secret *ret,
                                 struct tide_error *err)
{
    struct buf full = {.max = SECRET_BYTES_MAX}, path = {0}, content = {0};
    enum tide_err rc = expand(v, t, &full, err);
    if (rc == TIDE_OK)
        rc = secret_path(v, buf_text(&full), &path, err);
    if (rc == TIDE_OK && path.len > 0) {
        rc = v->source ? v->source->read(v->source->arg, path.data, &content, err)
                       : tide_fail(err, TIDE_ENOENT, "%s: cannot be read here", path.data);
        if (rc == TIDE_OK && content.len > SECRET_BYTES_MAX)
            rc = tide_fail(err, TIDE_ELIMIT, "%s: too large for a secret", path.data);
    }
    if (rc == TIDE_OK) {
        struct text value = path.len > 0 ? buf_text(&content) : buf_text(&full);
        while (path.len > 0 && value.n > 0 &&
               (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
            value.n--;
        if (value.n == 0 || text_find(value, '\0') < value.n)
            rc = tide_fail(err, TIDE_EINVAL, "want a secret, got %s",
                           value.n ? "one with a NUL byte" : "nothing");
        else
            rc = set_string(v, value, &ret->value, err);
    }
    buf_fini(&full);
    buf_fini(&path);
    buf_fini(&content);
    return rc;
}

/* -- One value from its text --------------------------------------------------------------------
 */

static void range_text(const struct key *key, char *out, size_t size)
{
    char low[KEY_TEXT_BYTES], high[KEY_TEXT_BYTES];
    if (key->type == KEY_DURATION)
        snprintf(out, size, "%s..%s", key_duration_text(key->min, low),
                 key_duration_text(key->max, high));
    else if (key->type == KEY_SIZE)
        snprintf(out, size, "%s..%s", key_size_text(key->min, low), key_size_text(key->max, high));
    else
        snprintf(out, size, "%lld..%lld", (long long)key->min, (long long)key->max);
}

/* `got` is the value as it was written. */
static enum tide_err set_number(
    const struct key *key, int64_t number, struct text got, void *base, struct tide_error *err)
{
    char range[2 * KEY_TEXT_BYTES + 4];
    range_text(key, range, sizeof range);
    if (number < key->min || number > key->max)
        return tide_fail(err, TIDE_ERANGE, "want %s, got " TEXT_FMT, range,
                         TEXT_ARG(text_cut(got, 0, 40)));
    if (key->type == KEY_INT)
        *(int *)((char *)base + key->at) = (int)number;
    else
        *(int64_t *)((char *)base + key->at) = number;
    return TIDE_OK;
}

static enum tide_err fail_word(const struct key *key, struct text got, struct tide_error *err)
{
    char list[200] = "", hint[64];
    size_t count = 0;
    for (; key->words[count]; count++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", count ? ", " : "", key->words[count]);
    }
    got = text_cut(got, 0, 40);
    return tide_fail(err, TIDE_EINVAL, "want one of %s, got \"" TEXT_FMT "\"%s", list,
                     TEXT_ARG(got),
                     doc_hint(text_nearest(got, key->words, count), hint, sizeof hint));
}

static enum tide_err check_word(const struct key *key,
                                struct text t,
                                unsigned *ret,
                                struct tide_error *err)
{
    for (unsigned i = 0; key->words[i]; i++)
        if (text_eq(t, text_of(key->words[i]))) {
            *ret = i;
            return TIDE_OK;
        }
    return fail_word(key, t, err);
}

static enum tide_err read_mode(const struct key *key,
                               struct text t,
                               void *base,
                               struct tide_error *err)
{
    int mode = 0;
    bool ok = t.n >= 3 && t.n <= 4;
    for (size_t i = 0; i < t.n && ok; i++) {
        ok = t.p[i] >= '0' && t.p[i] <= '7';
        mode = mode * 8 + (t.p[i] - '0');
    }
    if (!ok || mode > key->max)
        return tide_fail(err, TIDE_EINVAL,
                         "want octal permissions such as \"0660\", got \"" TEXT_FMT "\"",
                         TEXT_ARG(text_cut(t, 0, 40)));
    *(int *)((char *)base + key->at) = mode;
    return TIDE_OK;
}

/* Values that are written as text. */
static enum tide_err read_text(const struct key *key,
                               struct text t,
                               const struct doc_values *v,
                               void *base,
                               struct tide_error *err)
{
    void *at = (char *)base + key->at;
    int64_t number = 0;
    unsigned word = 0;
    enum tide_err rc;
    switch (key->type) {
    case KEY_STRING:
        rc = key->words ? check_word(key, t, &word, err) : TIDE_OK;
        return rc == TIDE_OK ? read_string(v, t, at, err) : rc;
    case KEY_SECRET:
        return read_secret(v, t, at, err);
    case KEY_WORD:
        rc = check_word(key, t, &word, err);
        if (rc == TIDE_OK)
            memcpy(at, &word, sizeof word); /* every enum here is an unsigned */
        return rc;
    case KEY_DURATION:
        rc = text_duration_ms(t, &number, err);
        return rc == TIDE_OK ? set_number(key, number, t, base, err) : rc;
    case KEY_SIZE:
        rc = text_size_bytes(t, &number, err);
        return rc == TIDE_OK ? set_number(key, number, t, base, err) : rc;
    case KEY_MODE:
        return read_mode(key, t, base, err);
    case KEY_CHAR:
        if (t.n != 1 || t.p[0] <= ' ' || t.p[0] > '~')
            return tide_fail(err, TIDE_EINVAL,
                             "want one character such as \"+\", got \"" TEXT_FMT "\"",
                             TEXT_ARG(text_cut(t, 0, 40)));
        *(char *)at = t.p[0];
        return TIDE_OK;
    case KEY_BOOL:
    case KEY_INT:
    case KEY_COUNT:
    case KEY_REAL:
    case KEY_LIST:
    case KEY_NAMED:
        break;
    }
    return tide_fail(err, TIDE_EINVAL, "want %s, got \"" TEXT_FMT "\"", key_type_name(key->type),
                     TEXT_ARG(text_cut(t, 0, 40)));
}

/* -- One value from the tree --------------------------------------------------------------------
 */

/* The value as it was written, for error texts; never a secret's. */
static const char *found(const struct key *key, const config_setting_t *s, char *out, size_t size)
{
    static const char *const kinds[] = {
        [CONFIG_TYPE_NONE] = "nothing",    [CONFIG_TYPE_GROUP] = "a group",
        [CONFIG_TYPE_INT] = "a number",    [CONFIG_TYPE_INT64] = "a number",
        [CONFIG_TYPE_FLOAT] = "a number",  [CONFIG_TYPE_STRING] = "a text",
        [CONFIG_TYPE_BOOL] = "true/false", [CONFIG_TYPE_ARRAY] = "a list",
        [CONFIG_TYPE_LIST] = "a list",
    };
    int type = config_setting_type(s);
    snprintf(out, size, "%s", kinds[type]);
    if (key->type == KEY_SECRET)
        return out;
    if (type == CONFIG_TYPE_STRING)
        snprintf(out, size, "\"%.40s\"", config_setting_get_string(s));
    else if (type == CONFIG_TYPE_INT)
        snprintf(out, size, "%d", config_setting_get_int(s));
    else if (type == CONFIG_TYPE_INT64)
        snprintf(out, size, "%lld", config_setting_get_int64(s));
    else if (type == CONFIG_TYPE_FLOAT)
        snprintf(out, size, "%g", config_setting_get_float(s));
    else if (type == CONFIG_TYPE_BOOL)
        snprintf(out, size, "%s", config_setting_get_bool(s) ? "true" : "false");
    return out;
}

static enum tide_err fail_type(const struct doc *d,
                               const config_setting_t *s,
                               const struct key *key,
                               struct tide_error *err)
{
    char got[64];
    return doc_fail(d, s, err, TIDE_EINVAL, "want %s, got %s", key_type_name(key->type),
                    found(key, s, got, sizeof got));
}

/* Puts the place before what a text's reader said. */
static enum tide_err place(const struct doc *d,
                           const config_setting_t *s,
                           enum tide_err rc,
                           const struct tide_error *inner,
                           struct tide_error *err)
{
    return rc == TIDE_OK ? rc : doc_fail(d, s, err, rc, "%s", inner->text);
}

static enum tide_err read_list(const struct doc *d,
                               const config_setting_t *s,
                               const struct key *key,
                               const struct doc_values *v,
                               void *base,
                               struct tide_error *err)
{
    int type = config_setting_type(s);
    if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST)
        return fail_type(d, s, key, err);
    size_t count = (size_t)config_setting_length(s);
    if ((int64_t)count < key->min || (int64_t)count > key->max)
        return doc_fail(d, s, err, TIDE_ERANGE, "want %lld..%lld elements, got %zu",
                        (long long)key->min, (long long)key->max, count);
    char **list = arena_array(v->arena, count + 1, sizeof *list);
    if (!list)
        return doc_fail(d, s, err, TIDE_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const char *value = config_setting_get_string_elem(s, (int)i);
        struct tide_error inner = {0};
        if (!value)
            return fail_type(d, s, key, err);
        enum tide_err rc = read_string(v, text_of(value), &list[i], &inner);
        if (rc == TIDE_OK && list[i][0] == '\0')
            rc = tide_fail(&inner, TIDE_EINVAL, "want no empty elements");
        if (rc != TIDE_OK)
            return place(d, s, rc, &inner, err);
    }
    *(char ***)(void *)((char *)base + key->at) = list;
    *(size_t *)(void *)((char *)base + key->count_at) = count;
    return TIDE_OK;
}

enum tide_err doc_value(const struct doc *d,
                        const config_setting_t *s,
                        const struct key *key,
                        const struct doc_values *v,
                        void *base,
                        struct tide_error *err)
{
    void *at = (char *)base + key->at;
    int type = config_setting_type(s);
    bool is_int = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
    struct tide_error inner = {0};
    char got[64];
    if (key->type == KEY_LIST)
        return read_list(d, s, key, v, base, err);
    if (key->type == KEY_BOOL && type == CONFIG_TYPE_BOOL) {
        *(bool *)at = config_setting_get_bool(s);
        return TIDE_OK;
    }
    if ((key->type == KEY_INT || key->type == KEY_COUNT) && is_int)
        return place(d, s,
                     set_number(key, config_setting_get_int64(s),
                                text_of(found(key, s, got, sizeof got)), base, &inner),
                     &inner, err);
    if (key->type == KEY_REAL && config_setting_is_number(s)) {
        double value = is_int ? (double)config_setting_get_int64(s) : config_setting_get_float(s);
        if (!(value >= (double)key->min && value <= (double)key->max))
            return doc_fail(d, s, err, TIDE_ERANGE, "want %lld..%lld, got %s", (long long)key->min,
                            (long long)key->max, found(key, s, got, sizeof got));
        *(double *)at = value;
        return TIDE_OK;
    }
    if (type != CONFIG_TYPE_STRING)
        return fail_type(d, s, key, err);
    return place(d, s, read_text(key, text_of(config_setting_get_string(s)), v, base, &inner),
                 &inner, err);
}

/* -- Defaults -----------------------------------------------------------------------------------
 */

static enum tide_err preset_list(const struct key *key,
                                 const struct doc_values *v,
                                 void *base,
                                 struct tide_error *err)
{
    struct text rest = text_of(key->preset), piece;
    char *list[16];
    size_t count = 0;
    while (count < TIDE_COUNT(list) && text_split(&rest, ' ', &piece)) {
        enum tide_err rc = read_string(v, piece, &list[count++], err);
        if (rc != TIDE_OK)
            return rc;
    }
    char **copy = arena_array(v->arena, count + 1, sizeof *copy);
    if (!copy)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    memcpy(copy, list, count * sizeof *copy);
    *(char ***)(void *)((char *)base + key->at) = copy;
    *(size_t *)(void *)((char *)base + key->count_at) = count;
    return TIDE_OK;
}

static enum tide_err preset(const struct key *key,
                            const struct doc_values *v,
                            void *base,
                            struct tide_error *err)
{
    void *at = (char *)base + key->at;
    struct text t = text_of(key->preset);
    int64_t number = 0;
    enum tide_err rc;
    switch (key->type) {
    case KEY_BOOL:
        *(bool *)at = text_eq(t, TEXT("true"));
        return TIDE_OK;
    case KEY_INT:
    case KEY_COUNT:
        rc = text_int(t, key->min, key->max, &number, err);
        return rc == TIDE_OK ? set_number(key, number, t, base, err) : rc;
    case KEY_REAL:
        *(double *)at = strtod(key->preset, NULL);
        return TIDE_OK;
    case KEY_LIST:
        return preset_list(key, v, base, err);
    default:
        return read_text(key, t, v, base, err);
    }
}

enum tide_err doc_presets(const struct key *keys,
                          size_t key_count,
                          const char *prefix,
                          const struct doc_values *v,
                          void *base,
                          struct tide_error *err)
{
    for (size_t i = 0; i < key_count; i++) {
        if (!keys[i].preset || doc_below(&keys[i], prefix).n == 0)
            continue;
        enum tide_err rc = preset(&keys[i], v, base, err);
        if (rc != TIDE_OK)
            return tide_wrap(err, rc, "default of %s", keys[i].path);
    }
    return TIDE_OK;
}
