#include "core/proto/smtp_path.h"

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 127;
}

/* Length of the quoted string at the front of `t`, both quotes included; 0 when it does not end. */
static size_t quoted_length(struct text t)
{
    for (size_t i = 1; i < t.n; i++) {
        if (is_control(t.p[i]))
            return 0;
        if (t.p[i] == '\\')
            i++;
        else if (t.p[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Length of the path at the front of `t`, which is ended by `end` or, for ' ', by the end of `t`.
 */
static enum tide_err path_length(
    struct text t, char end, size_t *ret_n, bool *ret_at, struct tide_error *err)
{
    bool at = false;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (c == end) {
            *ret_n = i;
            *ret_at = at;
            return TIDE_OK;
        }
        if (c == '"') {
            size_t n = quoted_length(text_cut(t, i, SIZE_MAX));
            if (n == 0)
                return tide_fail(err, TIDE_ESYNTAX, "a quoted string does not end");
            i += n - 1;
        } else if (c == '<' || c == '>' || c == ' ' || is_control(c)) {
            return tide_fail(err, TIDE_ESYNTAX, "byte 0x%02x does not belong in an address",
                             (unsigned char)c);
        } else if (c == ':' && !at) {
            return tide_fail(err, TIDE_ESYNTAX, "a \":\" before the \"@\"");
        }
        at |= c == '@';
    }
    if (end != ' ')
        return tide_fail(err, TIDE_ESYNTAX, "want a \"%c\" after the address", end);
    *ret_n = t.n;
    *ret_at = at;
    return TIDE_OK;
}

/* "@one,@two:" at the front, 0 when there is none. */
static size_t route_length(struct text t)
{
    if (t.n == 0 || t.p[0] != '@')
        return 0;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (c == ':')
            return i + 1;
        if (!ascii_is_alnum(c) && !strchr("@,.-[]_", c) && (unsigned char)c < 128)
            return 0;
    }
    return 0;
}

enum tide_err smtp_path_parse(struct text args,
                              struct text *ret_path,
                              struct text *ret_params,
                              struct tide_error *err)
{
    struct text rest = text_trim(args);
    size_t n = 0;
    bool at = false, bracketed = rest.n > 0 && rest.p[0] == '<';
    if (bracketed) {
        rest = text_cut(rest, 1, SIZE_MAX);
        rest = text_cut(rest, route_length(rest), SIZE_MAX);
    }
    enum tide_err rc = path_length(rest, bracketed ? '>' : ' ', &n, &at, err);
    if (rc != TIDE_OK)
        return rc;
    struct text params = text_cut(rest, n + bracketed, SIZE_MAX);
    if (!bracketed && !at)
        return tide_fail(err, TIDE_ESYNTAX, "want an address in angle brackets");
    if (params.n > 0 && params.p[0] != ' ')
        return tide_fail(err, TIDE_ESYNTAX, "want a blank after the address");
    *ret_path = text_cut(rest, 0, n);
    *ret_params = text_trim(params);
    return TIDE_OK;
}

static bool is_key(struct text key)
{
    if (key.n == 0 || !ascii_is_alnum(key.p[0]))
        return false;
    for (size_t i = 1; i < key.n; i++)
        if (!ascii_is_alnum(key.p[i]) && key.p[i] != '-')
            return false;
    return true;
}

static bool is_value(struct text value)
{
    for (size_t i = 0; i < value.n; i++)
        if (is_control(value.p[i]) || value.p[i] == ' ' || value.p[i] == '=')
            return false;
    return value.n > 0;
}

enum tide_err smtp_param_next(struct text *rest,
                              struct text *ret_key,
                              struct text *ret_value,
                              struct tide_error *err)
{
    struct text t = text_trim(*rest);
    *ret_key = *ret_value = (struct text){0};
    if (t.n == 0)
        return TIDE_OK;
    struct text param = text_cut(t, 0, text_find(t, ' '));
    size_t equals = text_find(param, '=');
    struct text key = text_cut(param, 0, equals), value = {0};
    if (equals < param.n)
        value = text_cut(param, equals + 1, SIZE_MAX);
    if (!is_key(key) || (equals < param.n && !is_value(value)))
        return tide_fail(err, TIDE_ESYNTAX, "want parameters as KEY or KEY=VALUE");
    *rest = text_cut(t, param.n, SIZE_MAX);
    *ret_key = key;
    *ret_value = value;
    return TIDE_OK;
}

bool smtp_is_xtext(struct text t)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (c < '!' || c > '~' || c == '=')
            return false;
        if (c != '+')
            continue;
        if (t.n - i < 3 || !memchr(hex, t.p[i + 1], 16) || !memchr(hex, t.p[i + 2], 16))
            return false;
        i += 2;
    }
    return t.n > 0;
}
