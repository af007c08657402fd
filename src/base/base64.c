#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { NOT_BASE64 = -1, PADDING = -2, BLANK = -3 };

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    switch (c) {
    case '+':
        return 62;
    case '/':
        return 63;
    case '=':
        return PADDING;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return BLANK;
    }
    return NOT_BASE64;
}

/* Returns how many bytes came out, or says at which position it went wrong. */
static bool decode(struct text t, char *out, size_t *ret_n, size_t *ret_bad)
{
    size_t n = 0;
    unsigned digits = 0, padding = 0; /* of the current four */
    uint32_t bits = 0;
    for (size_t i = 0; i < t.n; i++) {
        int v = value_of(t.p[i]);
        if (v == BLANK)
            continue;
        *ret_bad = i;
        if (v == NOT_BASE64 || (v == PADDING && digits < 2) || (v >= 0 && padding > 0))
            return false;
        if (v == PADDING) {
            if (++padding + digits > 4)
                return false;
            continue;
        }
        if (digits == 4)
            digits = 0;
        bits = bits << 6 | (uint32_t)v;
        if (++digits == 4) {
            out[n++] = (char)(bits >> 16 & 0xff);
            out[n++] = (char)(bits >> 8 & 0xff);
            out[n++] = (char)(bits & 0xff);
            digits = 0;
        }
    }
    *ret_bad = t.n;
    if (digits == 0 && padding == 0) {
        *ret_n = n;
        return true;
    }
    if (digits + padding != 4)
        return false;
    if ((digits == 2 && bits & 0xf) || (digits == 3 && bits & 0x3))
        return false; /* two texts would mean the same bytes */
    out[n++] = (char)(bits >> (digits == 2 ? 4 : 10) & 0xff);
    if (digits == 3)
        out[n++] = (char)(bits >> 2 & 0xff);
    *ret_n = n;
    return true;
}

enum tide_err base64_decode(struct text t, struct buf *ret, struct tide_error *err)
{
    if (t.n == 0)
        return TIDE_OK;
    char *out = buf_room(ret, t.n / 4 * 3 + 3);
    if (!out)
        return buf_check(ret, err);
    size_t n = 0, bad = 0;
    bool good = decode(t, out, &n, &bad);
    buf_added(ret, good ? n : 0); /* terminates it either way */
    if (!good) {
        if (bad >= t.n)
            return tide_fail(err, TIDE_ESYNTAX, "want base64, got %zu bytes that end too early",
                             t.n);
        unsigned char c = (unsigned char)t.p[bad];
        if (c > ' ' && c < 0x7f)
            return tide_fail(err, TIDE_ESYNTAX, "want base64, got \"%c\" at byte %zu", c, bad);
        return tide_fail(err, TIDE_ESYNTAX, "want base64, got byte 0x%02x at byte %zu", c, bad);
    }
    return TIDE_OK;
}

void base64_encode(struct text bytes, struct buf *ret)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t left = bytes.n;
    for (; left >= 3; left -= 3, p += 3) {
        char four[4] = {alphabet[p[0] >> 2], alphabet[(p[0] & 3) << 4 | p[1] >> 4],
                        alphabet[(p[1] & 15) << 2 | p[2] >> 6], alphabet[p[2] & 63]};
        buf_add(ret, four, 4);
    }
    if (left == 0)
        return;
    unsigned second = left == 2 ? p[1] : 0;
    char four[4] = {alphabet[p[0] >> 2], alphabet[(p[0] & 3u) << 4 | second >> 4],
                    left == 2 ? alphabet[(second & 15) << 2] : '=', '='};
    buf_add(ret, four, 4);
}
