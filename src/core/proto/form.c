#include "core/proto/form.h"

#include "base/base64.h"

struct reader {
    struct arena *arena;
    struct form *form;
    size_t cap;
    struct tide_error *err;
};

static enum tide_err add(struct reader *r, const struct form_field *field)
{
    struct form *f = r->form;
    if (f->count == FORM_FIELDS_MAX)
        return tide_fail(r->err, TIDE_ELIMIT, "more than %d fields", FORM_FIELDS_MAX);
    if (f->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct form_field *more = arena_array(r->arena, cap, sizeof *more);
        if (!more)
            return tide_fail(r->err, TIDE_ENOMEM, "out of memory");
        if (f->count > 0)
            memcpy(more, f->fields, f->count * sizeof *more);
        f->fields = more;
        r->cap = cap;
    }
    f->fields[f->count++] = *field;
    return TIDE_OK;
}

/* -- Urlencoded ---------------------------------------------------------------------------------
 */

/* "%" that no two hexadecimal digits follow stays as it is. */
static struct text decode(struct reader *r, struct text t, bool plus_is_blank)
{
    bool plain = true;
    for (size_t i = 0; i < t.n && plain; i++)
        plain = t.p[i] != '%' && !(t.p[i] == '+' && plus_is_blank);
    if (plain)
        return t.p ? t : TEXT("");
    char *out = arena_alloc(r->arena, t.n + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < t.n; i++) {
        int byte = text_escaped(text_cut(t, i, SIZE_MAX), '%');
        if (byte >= 0) {
            out[n++] = (char)(unsigned char)byte;
            i += 2;
        } else {
            out[n++] = t.p[i] == '+' && plus_is_blank ? ' ' : t.p[i];
        }
    }
    return (struct text){out, n};
}

static enum tide_err read_urlencoded(struct reader *r, struct text body)
{
    enum tide_err rc = TIDE_OK;
    struct text pair;
    while (rc == TIDE_OK && text_split(&body, '&', &pair)) {
        size_t equals = text_find(pair, '=');
        if (pair.n == 0)
            continue;
        struct form_field field = {
            .name = decode(r, text_cut(pair, 0, equals), true),
            .value = decode(r, text_cut(pair, equals + 1, SIZE_MAX), true),
        };
        if (!field.name.p || !field.value.p)
            return tide_fail(r->err, TIDE_ENOMEM, "out of memory");
        rc = add(r, &field);
    }
    return rc;
}

/* -- Parameters of a header ---------------------------------------------------------------------
 */

/* Takes "; name=value" or "; name=\"value\"" from *rest; backslashes go only before what needs
 * them, since some clients write file names of Windows as they are. */
static bool next_parameter(struct reader *r,
                           struct text *rest,
                           struct text *ret_name,
                           struct text *ret_value)
{
    size_t semicolon = text_find(*rest, ';');
    if (semicolon == rest->n)
        return false;
    *rest = text_cut(*rest, semicolon + 1, SIZE_MAX);
    size_t equals = text_find(*rest, '=');
    *ret_name = text_trim(text_cut(*rest, 0, equals));
    *rest = text_cut(*rest, equals + 1, SIZE_MAX);
    if (rest->n == 0 || rest->p[0] != '"') {
        *ret_value = text_trim(text_cut(*rest, 0, text_find(*rest, ';')));
        *rest = text_cut(*rest, text_find(*rest, ';'), SIZE_MAX);
        return true;
    }
    char *out = arena_alloc(r->arena, rest->n + 1);
    size_t i = 1, n = 0;
    for (; i < rest->n && rest->p[i] != '"'; i++) {
        bool escape = rest->p[i] == '\\' && i + 1 < rest->n &&
                      (rest->p[i + 1] == '"' || rest->p[i + 1] == '\\');
        i += escape;
        if (out)
            out[n++] = rest->p[i];
    }
    *ret_value = (struct text){out ? out : "", n};
    *rest = text_cut(*rest, i + 1, SIZE_MAX);
    return true;
}

/* "UTF-8''%C3%BC.txt" */
static struct text extended(struct reader *r, struct text value)
{
    size_t first = text_find(value, '\'');
    struct text rest = text_cut(value, first + 1, SIZE_MAX);
    return decode(r, text_cut(rest, text_find(rest, '\'') + 1, SIZE_MAX), false);
}

/* Browsers and what copies them write a quote as %22 and line ends as %0D%0A (WHATWG). */
static struct text unescaped(struct reader *r, struct text value)
{
    bool has = text_ifind(value, TEXT("%22")) < value.n || text_ifind(value, TEXT("%0D")) < value.n;
    return has ? decode(r, value, false) : value;
}

static void read_disposition(struct reader *r, struct text value, struct form_field *ret)
{
    struct text name, v;
    bool is_extended = false;
    while (next_parameter(r, &value, &name, &v)) {
        if (text_ieq(name, TEXT("name"))) {
            ret->name = unescaped(r, v);
        } else if (text_ieq(name, TEXT("filename*"))) {
            ret->filename = extended(r, v);
            is_extended = true;
        } else if (text_ieq(name, TEXT("filename")) && !is_extended) {
            ret->filename = unescaped(r, v);
        }
    }
}

/* -- Multipart ----------------------------------------------------------------------------------
 */

static const char *find_bytes(struct text in, struct text what)
{
    return what.n > 0 && in.n >= what.n ? memmem(in.p, in.n, what.p, what.n) : NULL;
}

static enum tide_err decode_base64(struct reader *r, struct form_field *field)
{
    struct buf b = {0};
    enum tide_err rc = base64_decode(field->value, &b, r->err);
    if (rc == TIDE_OK) {
        field->value = arena_text(r->arena, (struct text){b.data ? b.data : "", b.len});
        rc = field->value.p ? TIDE_OK : tide_fail(r->err, TIDE_ENOMEM, "out of memory");
    }
    buf_fini(&b);
    return rc;
}

/* `part` is what stands between two boundary lines. */
static enum tide_err read_part(struct reader *r, struct text part)
{
    struct form_field field = {0};
    bool is_base64 = false;
    for (;;) {
        const char *end = find_bytes(part, TEXT("\r\n"));
        if (!end)
            return tide_fail(r->err, TIDE_ESYNTAX, "part %zu: its header does not end",
                             r->form->count + 1);
        struct text line = {part.p, (size_t)(end - part.p)};
        part = text_cut(part, line.n + 2, SIZE_MAX);
        if (line.n == 0)
            break;
        size_t colon = text_find(line, ':');
        struct text name = text_trim(text_cut(line, 0, colon));
        struct text value = text_trim(text_cut(line, colon + 1, SIZE_MAX));
        if (text_ieq(name, TEXT("Content-Disposition")))
            read_disposition(r, value, &field);
        else if (text_ieq(name, TEXT("Content-Type")))
            field.content_type = value;
        else if (text_ieq(name, TEXT("Content-Transfer-Encoding")))
            is_base64 = text_ieq(value, TEXT("base64"));
    }
    if (!field.name.p)
        return tide_fail(r->err, TIDE_ESYNTAX, "part %zu: it has no name", r->form->count + 1);
    field.value = part.p ? part : TEXT("");
    enum tide_err rc = is_base64 ? decode_base64(r, &field) : TIDE_OK;
    return rc == TIDE_OK ? add(r, &field) : rc;
}

static enum tide_err read_multipart(struct reader *r, struct text boundary, struct text body)
{
    const char *line = arena_printf(r->arena, "\r\n--" TEXT_FMT, TEXT_ARG(boundary));
    if (!line)
        return tide_fail(r->err, TIDE_ENOMEM, "out of memory");
    struct text mark = text_of(line), first = text_cut(mark, 2, SIZE_MAX);
    const char *at = text_starts(body, first) ? body.p : find_bytes(body, mark);
    size_t skip = at == body.p ? first.n : mark.n;
    enum tide_err rc = TIDE_OK;
    while (rc == TIDE_OK) {
        if (!at)
            return tide_fail(r->err, TIDE_ESYNTAX, "the last boundary is missing");
        body = text_cut(body, (size_t)(at - body.p) + skip, SIZE_MAX);
        if (text_starts(body, TEXT("--")))
            return TIDE_OK;
        /* blanks may stand behind a boundary (RFC 2046 5.1.1) */
        const char *end = find_bytes(body, TEXT("\r\n"));
        if (!end || text_trim((struct text){body.p, (size_t)(end - body.p)}).n > 0)
            return tide_fail(r->err, TIDE_ESYNTAX, "a boundary does not end its line");
        body = text_cut(body, (size_t)(end - body.p), SIZE_MAX); /* an empty part's end is here */
        at = find_bytes(text_cut(body, 2, SIZE_MAX), mark);
        skip = mark.n;
        if (!at)
            continue;
        rc = read_part(r, (struct text){body.p + 2, (size_t)(at - body.p) - 2});
    }
    return rc;
}

enum tide_err form_parse(struct text content_type,
                         struct text body,
                         struct arena *arena,
                         struct form *ret,
                         struct tide_error *err)
{
    struct form form = {0};
    struct reader r = {.arena = arena, .form = &form, .err = err};
    struct text type = text_trim(text_cut(content_type, 0, text_find(content_type, ';')));
    struct text name, value, boundary = {NULL, 0};
    enum tide_err rc;
    if (text_ieq(type, TEXT("application/x-www-form-urlencoded"))) {
        rc = read_urlencoded(&r, body);
    } else if (text_ieq(type, TEXT("multipart/form-data"))) {
        while (next_parameter(&r, &content_type, &name, &value))
            if (text_ieq(name, TEXT("boundary")))
                boundary = value;
        if (boundary.n == 0 || boundary.n > 200)
            return tide_fail(err, TIDE_ESYNTAX, "the content type names no boundary");
        rc = read_multipart(&r, boundary, body);
    } else {
        return tide_fail(err, TIDE_EINVAL,
                         "want application/x-www-form-urlencoded or multipart/form-data");
    }
    if (rc == TIDE_OK)
        *ret = form;
    return rc;
}

struct text form_value(const struct form *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (text_eq(f->fields[i].name, text_of(name)))
            return f->fields[i].value;
    return (struct text){NULL, 0};
}
