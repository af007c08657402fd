#include "core/proto/json.h"

#include "base/macros.h"

#include <jansson.h>
#include <stdlib.h>

/* The library's value under our name: the only place that knows which library it is. */
static const json_t *inner(const struct json *v)
{
    return (const json_t *)(const void *)v;
}

static const struct json *outer(const json_t *v)
{
    return (const struct json *)(const void *)v;
}

/* Nesting and values as far as brackets and commas outside strings tell; what is unbalanced is left
 * to the parser. */
static void measure(struct text t, unsigned *ret_depth, size_t *ret_values)
{
    unsigned depth = 0, most = 0;
    size_t values = 1;
    bool in_string = false;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            depth++;
            values++;
            most = TIDE_MAX(most, depth);
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        } else if (c == ',') {
            values++;
        }
    }
    *ret_depth = most;
    *ret_values = values;
}

/* Where the string that starts at t.p[at] (its quote) ends: behind its closing quote. */
static size_t string_end(struct text t, size_t at)
{
    for (at++; at < t.n && t.p[at] != '"'; at++)
        at += t.p[at] == '\\';
    return at < t.n ? at + 1 : t.n;
}

/* jansson has no NUL in a member's name. JSON has, but no name of ours holds one: \u0000 in a name
 * becomes \uffff, of the same length so that columns stay right. Returns a copy, NULL: no memory.
 */
static char *without_nul_in_names(struct text t)
{
    char *copy = malloc(t.n);
    if (!copy)
        return NULL;
    memcpy(copy, t.p, t.n);
    for (size_t i = 0; i < t.n;) {
        if (t.p[i] != '"') {
            i++;
            continue;
        }
        size_t end = string_end(t, i), next = end;
        while (next < t.n && strchr(" \t\r\n", t.p[next]))
            next++;
        for (; next < t.n && t.p[next] == ':' && i + 6 < end; i++) {
            if (t.p[i] == '\\' && memcmp(t.p + i, "\\u0000", 6) == 0)
                memset(copy + i + 2, 'f', 4);
            i += t.p[i] == '\\';
        }
        i = end;
    }
    return copy;
}

enum tide_err json_parse(struct text t, size_t bytes_max, struct json **ret, struct tide_error *err)
{
    if (t.n > bytes_max)
        return tide_fail(err, TIDE_ELIMIT, "JSON of %zu bytes, want at most %zu", t.n, bytes_max);
    if (t.n == 0)
        return tide_fail(err, TIDE_ESYNTAX, "want a JSON value, got nothing");
    /* jansson takes a NUL byte behind the value for its end */
    const char *nul = memchr(t.p, '\0', t.n);
    if (nul)
        return tide_fail(err, TIDE_ESYNTAX, "a NUL byte at byte %zu, JSON has none",
                         (size_t)(nul - t.p));
    unsigned depth;
    size_t values;
    measure(t, &depth, &values);
    if (values > JSON_VALUES_MAX)
        return tide_fail(err, TIDE_ELIMIT, "JSON of more than %d values", JSON_VALUES_MAX);
    if (depth > JSON_DEPTH_MAX)
        return tide_fail(err, TIDE_ELIMIT, "JSON is nested deeper than %d levels", JSON_DEPTH_MAX);

    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_error_t why;
    json_t *v = json_loadb(t.p, t.n, flags, &why);
    if (!v && json_error_code(&why) == json_error_null_byte_in_key) {
        char *copy = without_nul_in_names(t);
        if (!copy)
            return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
        v = json_loadb(copy, t.n, flags, &why);
        free(copy);
    }
    if (!v && json_error_code(&why) == json_error_out_of_memory)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    if (!v)
        return tide_fail(err, TIDE_ESYNTAX, "line %d, column %d: %s", why.line, why.column,
                         why.text);
    *ret = (struct json *)(void *)v;
    return TIDE_OK;
}

void json_free(struct json *document)
{
    json_decref((json_t *)(void *)document);
}

enum json_kind json_kind(const struct json *v)
{
    if (!v)
        return JSON_KIND_NULL;
    switch (json_typeof(inner(v))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return JSON_KIND_STRING;
    case JSON_INTEGER:
    case JSON_REAL:
        return JSON_KIND_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    case JSON_NULL:
        break;
    }
    return JSON_KIND_NULL;
}

const char *json_kind_text(const struct json *v)
{
    static const char *const names[] = {
        [JSON_KIND_NULL] = "null",       [JSON_KIND_BOOL] = "true or false",
        [JSON_KIND_NUMBER] = "a number", [JSON_KIND_STRING] = "a string",
        [JSON_KIND_ARRAY] = "an array",  [JSON_KIND_OBJECT] = "an object",
    };
    return v ? names[json_kind(v)] : "nothing";
}

struct text json_string_text(const struct json *v)
{
    if (json_kind(v) != JSON_KIND_STRING)
        return (struct text){NULL, 0};
    return (struct text){json_string_value(inner(v)), json_string_length(inner(v))};
}

bool json_bool(const struct json *v, bool *ret)
{
    if (json_kind(v) != JSON_KIND_BOOL)
        return false;
    *ret = json_is_true(inner(v));
    return true;
}

bool json_int(const struct json *v, int64_t *ret)
{
    if (!v || !json_is_integer(inner(v)))
        return false;
    *ret = json_integer_value(inner(v));
    return true;
}

bool json_number(const struct json *v, double *ret)
{
    if (!v || !json_is_number(inner(v)))
        return false;
    *ret = json_number_value(inner(v));
    return true;
}

size_t json_count(const struct json *v)
{
    if (!v)
        return 0;
    return json_is_array(inner(v)) ? json_array_size(inner(v)) : json_object_size(inner(v));
}

const struct json *json_element(const struct json *v, size_t i)
{
    return v ? outer(json_array_get(inner(v), i)) : NULL;
}

const struct json *json_member(const struct json *v, const char *name)
{
    return v ? outer(json_object_get(inner(v), name)) : NULL;
}

bool json_next(const struct json *v, void **pos, struct text *ret_name, const struct json **ret)
{
    if (json_kind(v) != JSON_KIND_OBJECT)
        return false;
    /* the library's iterators want a value that may change; walking changes nothing */
    json_t *object = (json_t *)(uintptr_t)v;
    *pos = *pos ? json_object_iter_next(object, *pos) : json_object_iter(object);
    if (!*pos)
        return false;
    *ret_name = (struct text){json_object_iter_key(*pos), json_object_iter_key_len(*pos)};
    *ret = outer(json_object_iter_value(*pos));
    return true;
}

static int dump_piece(const char *bytes, size_t n, void *arg)
{
    struct buf *b = arg;
    buf_add(b, bytes, n);
    return b->failed == TIDE_OK ? 0 : -1;
}

void json_dump(const struct json *v, struct buf *out)
{
    if (json_dump_callback(inner(v), dump_piece, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0 &&
        out->failed == TIDE_OK)
        out->failed = TIDE_ENOMEM;
}
