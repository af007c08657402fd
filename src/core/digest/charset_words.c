#include "core/digest/charset.h"

#include "base/buf.h"

#include <glib.h>

struct word {
    struct text charset, code;
    bool base64;
};

/* "=?charset*language?B?code?=" at the start of `t` (RFC 2047 2, RFC 2231 5); its length, else 0.
 */
static size_t word_at(struct text t, struct word *ret)
{
    if (!text_starts(t, TEXT("=?")))
        return 0;
    struct text rest = text_cut(t, 2, t.n), end = TEXT("?=");
    size_t mark = text_find(rest, '?');
    if (mark == 0 || mark + 3 > rest.n || rest.p[mark + 2] != '?')
        return 0;
    char how = ascii_lower(rest.p[mark + 1]);
    struct text charset = {rest.p, mark};
    rest = text_cut(rest, mark + 3, rest.n);
    size_t n = text_find(rest, '?');
    if ((how != 'b' && how != 'q') || !text_starts(text_cut(rest, n, 2), end))
        return 0;
    charset.n = text_find(charset, '*');
    *ret = (struct word){charset, {rest.p, n}, how == 'b'};
    return (size_t)(rest.p + n + end.n - t.p);
}

size_t charset_word_length(struct text t)
{
    struct word word;
    size_t n = word_at(t, &word);
    return text_find(text_cut(t, 0, n), '\n') == n ? n : 0;
}

static void put_q(struct buf *b, struct text code)
{
    for (size_t i = 0; i < code.n; i++) {
        int byte = text_escaped(text_cut(code, i, SIZE_MAX), '=');
        buf_addc(b, byte >= 0 ? (char)(unsigned char)byte : code.p[i] == '_' ? ' ' : code.p[i]);
        i += byte >= 0 ? 2 : 0;
    }
}

static void put_b(struct buf *b, struct text code)
{
    gint state = 0;
    guint save = 0;
    char *out = buf_room(b, code.n / 4 * 3 + 3);
    if (out)
        buf_added(b, g_base64_decode_step(code.p, code.n, (guchar *)out, &state, &save));
}

/* What was read of one run of words, in their charset, is put as UTF-8. */
static void put_run(struct buf *out, struct buf *run, struct text charset, struct arena *a)
{
    struct text utf8 = charset_to_utf8(buf_text(run), charset, a);
    if (run->failed || (run->len > 0 && !utf8.p))
        out->failed = TIDE_ENOMEM;
    buf_add_text(out, utf8);
    buf_clear(run);
}

static void put_decoded(struct buf *out, struct text t, struct arena *a)
{
    struct buf run = {0};
    struct text charset = {NULL, 0};
    bool in_run = false;
    for (size_t i = 0; i < t.n;) {
        size_t blanks = 0;
        while (in_run && i + blanks < t.n && (t.p[i + blanks] == ' ' || t.p[i + blanks] == '\t'))
            blanks++; /* between two words they do not count (RFC 2047 6.2) */
        struct word word;
        size_t n = word_at(text_cut(t, i + blanks, t.n), &word);
        if (in_run && (n == 0 || !text_ieq(word.charset, charset)))
            put_run(out, &run, charset, a);
        in_run = n > 0;
        if (n > 0) {
            charset = word.charset;
            word.base64 ? put_b(&run, word.code) : put_q(&run, word.code);
            i += blanks + n;
        } else {
            buf_add(out, t.p + i, blanks ? blanks : 1);
            i += blanks ? blanks : 1;
        }
    }
    if (in_run)
        put_run(out, &run, charset, a);
    buf_fini(&run);
}

struct text charset_decode_header(struct text raw, struct text charset, struct arena *a)
{
    struct text utf8 = charset_to_utf8(raw, charset, a);
    if (text_ifind(utf8, TEXT("=?")) == utf8.n)
        return text_trim(charset_without_controls(utf8, a));
    struct buf b = {0};
    put_decoded(&b, utf8, a);
    struct text got = {NULL, 0};
    if (b.failed == TIDE_OK)
        got = text_trim(charset_without_controls(buf_text(&b), a));
    buf_fini(&b);
    return got;
}
