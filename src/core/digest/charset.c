#include "core/digest/charset.h"

#include "base/buf.h"
#include "base/macros.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <pthread.h>

#define CHARSET_NAME_BYTES_MAX 40 /* RFC 2978 2.3 */

static void ready_once(void)
{
    g_mime_init();
}

void charset_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ready_once);
}

size_t charset_cut(struct text t, size_t n)
{
    if (n >= t.n)
        return t.n;
    while (n > 0 && ((unsigned char)t.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* The length of the well-formed UTF-8 character at p, 0 if there is none (RFC 3629 4). */
static size_t utf8_step(const unsigned char *p, size_t n)
{
    static const struct {
        unsigned char first, last, second_min, second_max, more;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 0x80, 0xbf, 1}, {0xe0, 0xe0, 0xa0, 0xbf, 2},
        {0xe1, 0xec, 0x80, 0xbf, 2}, {0xed, 0xed, 0x80, 0x9f, 2}, {0xee, 0xef, 0x80, 0xbf, 2},
        {0xf0, 0xf0, 0x90, 0xbf, 3}, {0xf1, 0xf3, 0x80, 0xbf, 3}, {0xf4, 0xf4, 0x80, 0x8f, 3},
    };
    for (size_t i = 0; i < TIDE_COUNT(forms); i++) {
        if (p[0] < forms[i].first || p[0] > forms[i].last)
            continue;
        size_t more = forms[i].more;
        if (n <= more || (more > 0 && (p[1] < forms[i].second_min || p[1] > forms[i].second_max)))
            return 0;
        for (size_t k = 2; k <= more; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return 1 + more;
    }
    return 0;
}

static struct text buf_to_arena(struct buf *b, struct arena *a)
{
    struct text got = {NULL, 0};
    if (b->failed == TIDE_OK) {
        got.p = arena_strndup(a, buf_str(b), b->len);
        got.n = got.p ? b->len : 0;
    }
    buf_fini(b);
    return got;
}

/* Keeps what is UTF-8, puts U+FFFD for each byte that is not. */
static struct text repaired_utf8(struct text t, struct arena *a)
{
    struct buf b = {0};
    const unsigned char *p = (const unsigned char *)t.p;
    for (size_t i = 0; i < t.n;) {
        size_t step = utf8_step(p + i, t.n - i);
        if (step)
            buf_add(&b, p + i, step);
        else
            buf_adds(&b, "\xEF\xBF\xBD");
        i += step ? step : 1;
    }
    return buf_to_arena(&b, a);
}

/* Every byte means something in windows-1252 as browsers read it: the five holes are C1 controls,
 * which iconv refuses, so the table of 0x80..0x9f stands here. */
static struct text from_windows_1252(struct text t, struct arena *a)
{
    static const uint16_t high[32] = {
        0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
        0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};
    struct buf b = {0};
    for (size_t i = 0; i < t.n; i++) {
        unsigned c = (unsigned char)t.p[i];
        if (c >= 0x80 && c < 0xa0)
            c = high[c - 0x80];
        if (c < 0x80) {
            buf_addc(&b, (char)c);
        } else if (c < 0x800) {
            buf_addc(&b, (char)(0xc0 | c >> 6));
            buf_addc(&b, (char)(0x80 | (c & 0x3f)));
        } else {
            buf_addc(&b, (char)(0xe0 | c >> 12));
            buf_addc(&b, (char)(0x80 | (c >> 6 & 0x3f)));
            buf_addc(&b, (char)(0x80 | (c & 0x3f)));
        }
    }
    return buf_to_arena(&b, a);
}

static struct text by_iconv(iconv_t cd, struct text t, struct arena *a)
{
    struct buf b = {0};
    char *in = (char *)(uintptr_t)t.p; /* iconv does not write there, its prototype is older */
    size_t left = t.n;
    while (left > 0) {
        size_t room = left * 2 + 16;
        char *out = buf_room(&b, room), *end = out;
        if (!out)
            break;
        size_t out_left = room;
        size_t rc = iconv(cd, &in, &left, &end, &out_left);
        buf_added(&b, room - out_left);
        if (rc != (size_t)-1 || errno == E2BIG)
            continue;
        buf_adds(&b, "\xEF\xBF\xBD"); /* EILSEQ, or EINVAL: cut in the middle */
        in++;
        left--;
    }
    return buf_to_arena(&b, a);
}

/* The letters of RFC 2978 2.3 that real names use; "/" would ask glibc for a variant or a path. */
static bool is_charset_name(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!ascii_is_alnum(t.p[i]) && (t.p[i] == 0 || !strchr("-_.:+", t.p[i])))
            return false;
    return t.n > 0 && t.n <= CHARSET_NAME_BYTES_MAX;
}

struct text charset_to_utf8(struct text bytes, struct text charset, struct arena *a)
{
    charset = text_trim(charset);
    bool named = is_charset_name(charset);
    if (text_is_ascii(bytes) && !text_istarts(charset, TEXT("utf-")) &&
        !text_istarts(charset, TEXT("iso-2022")) && !text_istarts(charset, TEXT("hz")))
        return bytes; /* in every charset of mail but those of several bytes or with shifts */
    if (named && text_ieq(charset, TEXT("utf-8")))
        return text_is_utf8(bytes) ? bytes : repaired_utf8(bytes, a);
    if (named && !text_ieq(charset, TEXT("us-ascii")) && !text_ieq(charset, TEXT("utf8"))) {
        char name[CHARSET_NAME_BYTES_MAX + 1];
        memcpy(name, charset.p, charset.n);
        name[charset.n] = '\0';
        charset_ready();
        iconv_t cd = g_mime_iconv_open("UTF-8", name);
        /* -1 is iconv's own way to say that it does not know the name */
        if (cd != (iconv_t)-1) {
            struct text got = by_iconv(cd, bytes, a);
            g_mime_iconv_close(cd);
            return got;
        }
    }
    return text_is_utf8(bytes) ? bytes : from_windows_1252(bytes, a);
}

struct text charset_without_controls(struct text t, struct arena *a)
{
    char *s = arena_strndup(a, t.p ? t.p : "", t.n);
    if (!s)
        return (struct text){NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)s[i], next = i + 1 < t.n ? (unsigned char)s[i + 1] : 0;
        bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;
        bool separator = c == 0xe2 && next == 0x80 && i + 2 < t.n &&
                         ((unsigned char)s[i + 2] == 0xa8 || (unsigned char)s[i + 2] == 0xa9);
        if (c < 0x20 || c == 0x7f || c1 || separator) {
            s[n++] = ' ';
            i += separator ? 2 : c1 ? 1 : 0;
        } else {
            s[n++] = (char)c;
        }
    }
    return (struct text){s, n};
}
