#include "core/digest/message.h"

#include "core/digest/charset.h"

static bool is_name_char(char c)
{
    return c > 32 && c < 127 && c != ':'; /* RFC 5322 3.6.8 */
}

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

/* The bytes before the colon if the line is a header field, blanks before the colon not counted
 * (RFC 5322 4.5.8); 0 if it is none. */
static size_t name_length(struct text line)
{
    size_t n = 0;
    while (n < line.n && is_name_char(line.p[n]))
        n++;
    size_t colon = n;
    while (colon < line.n && is_wsp(line.p[colon]))
        colon++;
    return colon < line.n && line.p[colon] == ':' ? n : 0;
}

/* Takes a line that ends in CRLF, LF or CR from *rest; false when nothing is left. */
static bool take_line(struct text *rest, struct text *ret)
{
    if (rest->n == 0)
        return false;
    size_t end = text_find(*rest, '\n');
    end = text_find((struct text){rest->p, end}, '\r');
    *ret = (struct text){rest->p, end};
    if (end < rest->n)
        end += rest->p[end] == '\r' && end + 1 < rest->n && rest->p[end + 1] == '\n' ? 2 : 1;
    rest->p += end;
    rest->n -= end;
    return true;
}

static void put_line(struct buf *b, struct text line)
{
    buf_add_text(b, line);
    buf_add(b, "\r\n", 2);
}

static enum tide_err put_head(struct text *rest, struct buf *ret, struct tide_error *err)
{
    size_t fields = 0, start = ret->len;
    for (struct text before = *rest, line; take_line(rest, &line); before = *rest) {
        if (line.n == 0)
            break;
        bool folded = is_wsp(line.p[0]) && fields > 0;
        if (!folded && name_length(line) == 0) {
            *rest = before; /* the body begins here, without the empty line that there should be */
            break;
        }
        if (memchr(line.p, '\0', line.n))
            return tide_fail(err, TIDE_ESYNTAX, "header field %zu holds a NUL byte",
                             fields + !folded);
        fields += !folded;
        put_line(ret, line);
        if (fields > MESSAGE_HEADERS_MAX)
            return tide_fail(err, TIDE_ELIMIT, "more than %d header fields", MESSAGE_HEADERS_MAX);
        if (ret->len - start > MESSAGE_HEAD_BYTES_MAX)
            return tide_fail(err, TIDE_ELIMIT, "the header is larger than %u bytes",
                             MESSAGE_HEAD_BYTES_MAX);
    }
    buf_add(ret, "\r\n", 2);
    return TIDE_OK;
}

/* Lines that end in CRLF already are copied together. */
static void put_body(struct text rest, struct buf *ret)
{
    const char *from = rest.p;
    for (struct text line; take_line(&rest, &line);) {
        const char *end = line.p + line.n;
        if (rest.p - end == 2)
            continue;
        buf_add(ret, from, (size_t)(end - from));
        buf_add(ret, "\r\n", 2);
        from = rest.p;
    }
    buf_add(ret, from, (size_t)(rest.p - from));
}

enum tide_err message_normalise(struct text in, struct buf *ret, struct tide_error *err)
{
    struct text rest = in, line;
    buf_expect(ret, in.n + in.n / 64 + 2); /* in one go where lines end in CRLF or are long */
    if (text_starts(rest, TEXT("From ")))
        take_line(&rest, &line);
    enum tide_err rc = put_head(&rest, ret, err);
    if (rc != TIDE_OK)
        return rc;
    put_body(rest, ret);
    return buf_check(ret, err);
}

/* The end of the field that begins at `pos` of the head, its last line end included; 0 when there
 * is no CRLF after it. */
static size_t field_end(struct text head, size_t pos)
{
    for (;;) {
        struct text rest = text_cut(head, pos, head.n);
        size_t lf = text_find(rest, '\n');
        if (lf == rest.n || lf == 0 || rest.p[lf - 1] != '\r')
            return 0;
        pos += lf + 1;
        if (pos >= head.n || !is_wsp(head.p[pos]))
            return pos;
    }
}

enum tide_err message_open(struct text whole, struct message *ret, struct tide_error *err)
{
    size_t pos = 0, fields = 0;
    while (!text_starts(text_cut(whole, pos, 2), TEXT("\r\n"))) {
        struct text field = text_cut(whole, pos, MESSAGE_HEAD_BYTES_MAX);
        size_t end = field_end(field, 0);
        if (pos + end > MESSAGE_HEAD_BYTES_MAX || ++fields > MESSAGE_HEADERS_MAX)
            return tide_fail(err, TIDE_ELIMIT, "the header has more than %u bytes or %d fields",
                             MESSAGE_HEAD_BYTES_MAX, MESSAGE_HEADERS_MAX);
        if (end == 0 || name_length(field) == 0)
            return tide_fail(err, TIDE_ESYNTAX, "line at byte %zu is no header field", pos);
        pos += end;
    }
    *ret = (struct message){
        .whole = whole,
        .head = text_cut(whole, 0, pos),
        .body = text_cut(whole, pos + 2, whole.n),
    };
    return TIDE_OK;
}

void message_open_part(struct text whole, struct message *ret)
{
    size_t pos = 0, fields = 0, end;
    struct text field;
    while (field = text_cut(whole, pos, MESSAGE_HEAD_BYTES_MAX),
           fields++ < MESSAGE_HEADERS_MAX && name_length(field) > 0 && (end = field_end(field, 0)))
        pos += end;
    size_t blank = text_starts(text_cut(whole, pos, 2), TEXT("\r\n")) ? 2 : 0;
    *ret = (struct message){
        .whole = whole,
        .head = text_cut(whole, 0, pos),
        .body = text_cut(whole, pos + blank, whole.n),
    };
}

bool message_next(const struct message *m, size_t *pos, struct header *ret)
{
    if (*pos >= m->head.n)
        return false;
    size_t end = field_end(m->head, *pos);
    if (end == 0)
        return false;
    struct text whole = text_cut(m->head, *pos, end - *pos);
    size_t colon = text_find(whole, ':');
    *ret = (struct header){
        .name = {whole.p, name_length(whole)},
        .raw = text_cut(whole, colon + 1, whole.n - colon - 3),
        .whole = whole,
    };
    *pos = end;
    return true;
}

bool message_find_next(const struct message *m, struct text name, size_t *pos, struct header *ret)
{
    struct header h;
    for (size_t end; *pos < m->head.n && (end = field_end(m->head, *pos)); *pos = end)
        if (text_istarts(text_cut(m->head, *pos, end), name) && message_next(m, pos, &h) &&
            text_ieq(h.name, name)) {
            *ret = h;
            return true;
        }
    return false;
}

bool message_find(const struct message *m, struct text name, struct header *ret)
{
    size_t pos = 0;
    return message_find_next(m, name, &pos, ret);
}

bool message_has(const struct message *m, struct text name)
{
    struct header h;
    return message_find(m, name, &h);
}

size_t message_count(const struct message *m, struct text name)
{
    struct header h;
    size_t count = 0;
    for (size_t pos = 0; message_find_next(m, name, &pos, &h);)
        count++;
    return count;
}

/* Unfolding takes the line ends out and leaves the blanks (RFC 5322 2.2.3). */
static struct text unfolded(struct text raw, struct arena *a)
{
    char *s = arena_alloc(a, raw.n + 1);
    if (!s)
        return (struct text){NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++)
        if (raw.p[i] != '\r' && raw.p[i] != '\n')
            s[n++] = raw.p[i];
    return text_trim((struct text){s, n});
}

struct text message_raw_value(const struct message *m, struct text name, struct arena *a)
{
    struct header h;
    if (!message_find(m, name, &h))
        return (struct text){NULL, 0};
    return unfolded(text_cut(h.raw, 0, MESSAGE_VALUE_BYTES_MAX), a);
}

struct text message_charset(const struct message *m)
{
    struct header h;
    if (!message_find(m, TEXT("Content-Type"), &h))
        return TEXT("");
    struct text rest = text_cut(h.raw, text_ifind(h.raw, TEXT("charset=")), h.raw.n);
    rest = text_cut(rest, strlen("charset="), rest.n);
    if (rest.n > 0 && rest.p[0] == '"')
        rest = text_cut(rest, 1, rest.n);
    size_t n = 0;
    while (n < rest.n && !strchr("\";, \t\r\n", rest.p[n]))
        n++;
    rest = text_cut(rest, 0, n);
    return text_ieq(rest, TEXT("utf-8")) ? TEXT("") : rest; /* then it is for nothing */
}

struct text message_value(const struct message *m, struct text name, struct arena *a)
{
    struct text raw = message_raw_value(m, name, a);
    if (!raw.p)
        return raw;
    return charset_decode_header(raw, text_is_utf8(raw) ? TEXT("utf-8") : message_charset(m), a);
}

struct text message_first_id(const struct message *m, struct text name, struct arena *a)
{
    struct text none = {NULL, 0}, t = message_raw_value(m, name, a);
    size_t open = text_find(t, '<');
    if (open == t.n)
        return none;
    t = text_cut(t, open, t.n);
    size_t close = text_find(t, '>');
    if (close == t.n || text_find(text_cut(t, 0, close), '@') == close)
        return none;
    t = text_cut(t, 0, close + 1);
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] <= 32 || t.p[i] == 127)
            return none;
    return t;
}

static bool is_left_out(struct text name, const char *const *without, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct text pattern = text_of(without[i]);
        if (pattern.n > 0 && pattern.p[pattern.n - 1] == '*'
                ? text_istarts(name, text_cut(pattern, 0, pattern.n - 1))
                : text_ieq(name, pattern))
            return true;
    }
    return false;
}

void message_put_rest(struct buf *b,
                      const struct message *m,
                      const char *const *without,
                      size_t without_count)
{
    struct header h;
    for (size_t pos = 0; message_next(m, &pos, &h);)
        if (!is_left_out(h.name, without, without_count))
            buf_add_text(b, h.whole);
    buf_add(b, "\r\n", 2);
    buf_add_text(b, m->body);
}
