#include "core/proto/reply.h"

#include "base/macros.h"

#include <stdarg.h>
#include <stdio.h>

#define ENHANCED_DIGITS_MAX 3 /* RFC 3463 2: subject and detail are 1*3DIGIT */

const char *reply_stage_name(enum reply_stage s)
{
    static const char *const names[] = {
        [STAGE_CONNECT] = "connect",   [STAGE_GREETING] = "greeting", [STAGE_EHLO] = "EHLO",
        [STAGE_STARTTLS] = "STARTTLS", [STAGE_AUTH] = "AUTH",         [STAGE_MAIL] = "MAIL FROM",
        [STAGE_RCPT] = "RCPT TO",      [STAGE_DATA] = "DATA",         [STAGE_DOT] = "end of data",
    };
    return (size_t)s < TIDE_COUNT(names) ? names[s] : "unknown";
}

const char *reply_text(const struct reply *r, char *out, size_t size)
{
    char code[16] = "", enhanced[48] = "";
    if (r->code)
        snprintf(code, sizeof code, "%d%s", r->code, r->enhanced[0] || r->text[0] ? " " : "");
    if (r->enhanced[0])
        snprintf(enhanced, sizeof enhanced, "%d.%d.%d%s", r->enhanced[0], r->enhanced[1],
                 r->enhanced[2], r->text[0] ? " " : "");
    snprintf(out, size, "%s%s%s", code, enhanced, r->text);
    return out;
}

/* "250", followed by a blank, a hyphen or the end of the line. */
static bool take_code(struct text line, int *ret_code, bool *ret_last)
{
    if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) ||
        !ascii_is_digit(line.p[2]))
        return false;
    if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return false;
    *ret_code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
    *ret_last = line.n == 3 || line.p[3] == ' ';
    return true;
}

/* Takes "5.1.1" and the blanks behind it from the front of *line. The class need not be that of
 * the reply (RFC 2034 4 wants it, real servers send "550 4.7.1" all the same). */
static bool take_enhanced(struct text *line, int ret[3])
{
    int parts[3];
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        size_t start = at;
        parts[i] = 0;
        while (at < line->n && at - start < ENHANCED_DIGITS_MAX && ascii_is_digit(line->p[at]))
            parts[i] = parts[i] * 10 + (line->p[at++] - '0');
        if (at == start)
            return false;
        if (i < 2 && (at == line->n || line->p[at++] != '.'))
            return false;
    }
    bool class_known = parts[0] == 2 || parts[0] == 4 || parts[0] == 5;
    if (!class_known || (at < line->n && line->p[at] != ' ' && line->p[at] != '\t'))
        return false;
    memcpy(ret, parts, sizeof parts);
    *line = text_trim(text_cut(*line, at, line->n));
    return true;
}

/* Takes one line without its CRLF or LF. */
static bool take_line(struct text *rest, struct text *ret_line)
{
    if (rest->n == 0)
        return false;
    size_t at = text_find(*rest, '\n');
    *ret_line = text_cut(*rest, 0, at);
    *rest = at == rest->n ? (struct text){rest->p + at, 0} : text_cut(*rest, at + 1, rest->n);
    if (ret_line->n && ret_line->p[ret_line->n - 1] == '\r')
        ret_line->n--;
    return true;
}

bool reply_line(struct text *rest, struct text *ret_line)
{
    if (!take_line(rest, ret_line))
        return false;
    *ret_line = text_cut(*ret_line, 4, ret_line->n);
    return true;
}

static enum tide_err fail_line(struct text line, struct tide_error *err)
{
    char shown[64];
    size_t n = 0;
    for (; n < line.n && n < sizeof shown - 1; n++) {
        unsigned char c = (unsigned char)line.p[n];
        shown[n] = c >= ' ' && c < 0x7F ? (char)c : '?';
    }
    shown[n] = '\0';
    return tide_fail(err, TIDE_ESYNTAX,
                     "want a reply of three digits and a text (RFC 5321 4.2), got \"%s\"", shown);
}

enum tide_err reply_scan(struct text in, size_t *ret_n, struct tide_error *err)
{
    size_t at = 0;
    int first = 0, code;
    for (bool last = false; !last;) {
        struct text rest = text_cut(in, at, in.n), line;
        size_t end = text_find(rest, '\n');
        if (end >= REPLY_LINE_BYTES_MAX)
            return tide_fail(err, TIDE_ELIMIT, "a reply line is longer than %d bytes",
                             REPLY_LINE_BYTES_MAX);
        if (at + end >= REPLY_BYTES_MAX)
            return tide_fail(err, TIDE_ELIMIT, "a reply is longer than %d bytes", REPLY_BYTES_MAX);
        if (end == rest.n) {
            *ret_n = 0;
            return TIDE_OK;
        }
        at += end + 1;
        if (!take_line(&rest, &line) || !take_code(line, &code, &last))
            return fail_line(line, err);
        if (first && code != first)
            return tide_fail(err, TIDE_ESYNTAX, "a reply of several lines says %d, then %d", first,
                             code);
        first = code;
    }
    *ret_n = at;
    return TIDE_OK;
}

/* Appends to r->text, cut to fit; control characters become blanks. */
static void add_text(struct reply *r, size_t *len, struct text line)
{
    if (*len && line.n && *len < sizeof r->text - 1)
        r->text[(*len)++] = ' ';
    for (size_t i = 0; i < line.n && *len < sizeof r->text - 1; i++) {
        unsigned char c = (unsigned char)line.p[i];
        r->text[(*len)++] = (char)(c < ' ' || c == 0x7F ? ' ' : c);
    }
    r->text[*len] = '\0';
}

/* The text goes into journals, JSON and pages, which want UTF-8. A cut may have split a
 * character: that one goes, and only what is still not UTF-8 was never meant to be. */
static void make_utf8(struct reply *r, size_t len)
{
    size_t end = len;
    if (len == sizeof r->text - 1)
        for (int back = 0; back < 3 && end > 0 && !text_is_utf8((struct text){r->text, end});
             back++)
            end--;
    if (text_is_utf8((struct text){r->text, end})) {
        r->text[end] = '\0';
        return;
    }
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)r->text[i] >= 0x80)
            r->text[i] = '?';
}

enum tide_err reply_parse(struct text t, struct reply *ret, struct tide_error *err)
{
    struct reply r = {0};
    struct text rest = text_trim(t), line;
    size_t len = 0;
    bool last = false, any = false;
    while (take_line(&rest, &line)) {
        int code, enhanced[3];
        if (last || !take_code(line, &code, &last))
            return fail_line(line, err);
        if (any && code != r.code)
            return tide_fail(err, TIDE_ESYNTAX, "a reply of several lines says %d, then %d", r.code,
                             code);
        r.code = code;
        line = text_trim(text_cut(line, 4, line.n));
        if (take_enhanced(&line, enhanced)) {
            if (!r.enhanced[0])
                memcpy(r.enhanced, enhanced, sizeof enhanced);
        }
        add_text(&r, &len, line);
        any = true;
    }
    if (!any)
        return fail_line(rest, err);
    make_utf8(&r, len);
    *ret = r;
    return TIDE_OK;
}

void reply_set(struct reply *r, int code, const int enhanced[3], const char *fmt, ...)
{
    char text[REPLY_TEXT_BYTES_MAX];
    size_t len = 0;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    *r = (struct reply){.code = code};
    if (enhanced)
        memcpy(r->enhanced, enhanced, sizeof r->enhanced);
    add_text(r, &len, (struct text){text, TIDE_MIN((size_t)TIDE_MAX(n, 0), sizeof text - 1)});
    make_utf8(r, len);
}

#define MAIL_ID_BYTES_MIN 6
#define MAIL_ID_BYTES_MAX 200

/* A name has digits in it, which the words around it have not; "2.0.0" is too short. */
static bool is_mail_id(struct text t)
{
    bool digit = false;
    for (size_t i = 0; i < t.n; i++)
        digit |= ascii_is_digit(t.p[i]);
    return digit && t.n >= MAIL_ID_BYTES_MIN && t.n <= MAIL_ID_BYTES_MAX;
}

static struct text bare(struct text word)
{
    size_t equals = text_find(word, '=');
    word = equals < word.n ? text_cut(word, equals + 1, SIZE_MAX) : word;
    while (word.n > 0 && strchr(".,;:()[]\"'", word.p[word.n - 1]))
        word.n--;
    while (word.n > 0 && strchr("([\"'", word.p[0]))
        word = text_cut(word, 1, SIZE_MAX);
    return word;
}

struct text reply_mail_id(struct text reply)
{
    struct text found = TEXT(""), word;
    while (text_split(&reply, ' ', &word)) {
        if (text_istarts(word, TEXT("id=")) && bare(word).n > 0)
            return bare(word);
        if (is_mail_id(bare(word)))
            found = bare(word); /* the last one: a host or a time may stand before it */
    }
    return found;
}
