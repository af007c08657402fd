#include "core/config/scan.h"

#include "core/config/doc.h"

#define NO_INCLUDE \
    "@include is not taken; every *.conf in the folder conf.d beside the main file is read"

struct scan {
    const char *file;
    struct text t;
    size_t at;
    unsigned line;
    int depth, settings;
    bool closed; /* step_past() found the end */
};

static enum tide_err scan_fail(const struct scan *s, struct tide_error *err, const char *what)
{
    return tide_fail(err, TIDE_ESYNTAX, "%s:%u: %s", s->file, s->line, what);
}

/* libconfig would open the named file itself, whatever comment or string the line is in. */
static bool is_include(const struct scan *s)
{
    struct text line = text_cut(s->t, s->at, s->t.n);
    while (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
        line = text_cut(line, 1, line.n);
    return text_starts(line, TEXT("@include"));
}

static char peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->t.n ? s->t.p[s->at + ahead] : '\0';
}

/* Steps over one byte; false when it begins a line that is an include. */
static bool step(struct scan *s)
{
    if (s->t.p[s->at++] != '\n')
        return true;
    s->line++;
    return !is_include(s);
}

/* Steps to behind the next `end` (one or two bytes); the end of the text will do. */
static bool step_past(struct scan *s, const char *end)
{
    s->closed = false;
    while (s->at < s->t.n) {
        bool escape = end[0] == '"' && peek(s, 0) == '\\' && s->at + 1 < s->t.n;
        if (!escape && peek(s, 0) == end[0] && (!end[1] || peek(s, 1) == end[1])) {
            s->closed = true;
            bool ok = step(s);
            return end[1] && ok ? step(s) : ok;
        }
        if (escape && !step(s))
            return false;
        if (!step(s))
            return false;
    }
    return true;
}

static bool is_name_char(char c)
{
    return ascii_is_alnum(c) || c == '_' || c == '-' || c == '*';
}

/* libconfig 1.5 reads a number with C's atoi: 2147483648 would become negative without a word. */
static bool number_ok(struct text word)
{
    if (word.n > 0 && word.p[0] == '-')
        word = text_cut(word, 1, word.n);
    if (word.n == 0 || !ascii_is_digit(word.p[0]))
        return true;
    if (word.n > 2 && (word.p[1] == 'x' || word.p[1] == 'X'))
        return word.n <= 2 + 7;
    bool is_long = word.p[word.n - 1] == 'L';
    size_t digits = 0;
    while (digits < word.n && ascii_is_digit(word.p[digits]))
        digits++;
    int64_t ignored;
    struct tide_error no_error;
    if (word.p[0] == '0' && digits > 1)
        return false; /* 010: eight or ten? */
    return text_int(text_cut(word, 0, digits), 0, is_long ? INT64_MAX : INT32_MAX, &ignored,
                    &no_error) == TIDE_OK;
}

static enum tide_err scan_word(struct scan *s, struct tide_error *err)
{
    size_t from = s->at;
    while (s->at < s->t.n && is_name_char(s->t.p[s->at]))
        s->at++;
    struct text word = text_cut(s->t, from, s->at - from);
    if (!number_ok(word))
        return tide_fail(err, TIDE_ERANGE,
                         "%s:%u: want a number without leading zeros up to 2147483647 (or with an "
                         "L behind it), got " TEXT_FMT,
                         s->file, s->line, TEXT_ARG(text_cut(word, 0, 40)));
    if (peek(s, 0) == '.') /* the fraction of a number has any length */
        while (s->at < s->t.n && (is_name_char(peek(s, 0)) || peek(s, 0) == '.'))
            s->at++;
    return TIDE_OK;
}

static enum tide_err scan_token(struct scan *s, struct tide_error *err)
{
    char c = peek(s, 0);
    bool ok = true;
    if (c == '#' || (c == '/' && peek(s, 1) == '/')) {
        ok = step_past(s, "\n");
    } else if (c == '/' && peek(s, 1) == '*') {
        s->at += 2;
        ok = step_past(s, "*/");
    } else if (c == '"') {
        unsigned begin = s->line;
        s->at++;
        ok = step_past(s, "\"");
        if (ok && !s->closed)
            return tide_fail(err, TIDE_ESYNTAX,
                             "%s:%u: a text begins here and has no closing quote", s->file, begin);
    } else if (is_name_char(c)) {
        return scan_word(s, err);
    } else {
        s->settings += c == '=' || c == ':';
        if (s->settings > DOC_SETTINGS_MAX)
            return scan_fail(s, err,
                             "more than 10000 settings in one file; spread them over conf.d");
        if (c == '{' || c == '[' || c == '(')
            s->depth++;
        else if (c == '}' || c == ']' || c == ')')
            s->depth--;
        if (s->depth > DOC_DEPTH_MAX)
            return scan_fail(s, err, "groups are nested too deeply");
        ok = step(s);
    }
    return ok ? TIDE_OK : scan_fail(s, err, NO_INCLUDE);
}

enum tide_err scan_check(const char *file, struct text content, struct tide_error *err)
{
    struct scan s = {.file = file, .t = content, .line = 1};
    if (content.n > DOC_BYTES_MAX)
        return tide_fail(err, TIDE_ELIMIT, "%s: larger than %d bytes", file, DOC_BYTES_MAX);
    if (text_find(content, '\0') != content.n || !text_is_utf8(content))
        return tide_fail(err, TIDE_ESYNTAX, "%s: want UTF-8 text, got other bytes", file);
    if (is_include(&s))
        return scan_fail(&s, err, NO_INCLUDE);
    enum tide_err rc = TIDE_OK;
    while (rc == TIDE_OK && s.at < s.t.n)
        rc = scan_token(&s, err);
    return rc;
}
