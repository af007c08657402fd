#include "core/verify/spf_macro.h"

#include "base/macros.h"

#include <arpa/inet.h>
#include <stdio.h>

#define DELIMITERS ".-+,/_="

/* A stretch of plain text, or one macro. */
struct piece {
    struct text literal;
    char letter; /* lower case; 0: literal */
    bool escape, reverse;
    size_t keep; /* rightmost parts; 0: all */
    struct text delimiters;
};

static bool is_literal(char c, bool explain)
{
    return (c > 0x20 && c < 0x7f && c != '%') || (explain && c == ' ');
}

/* What stands between "%{" and "}". */
static bool read_macro(struct text in, bool explain, struct piece *ret)
{
    size_t i = 1;
    char letter = in.n ? ascii_lower(in.p[0]) : 0;
    if (letter == 0 || !strchr(explain ? "slodiphvcrt" : "slodiphv", letter))
        return false;
    *ret = (struct piece){.letter = letter, .escape = in.p[0] != letter};
    size_t digits = i;
    for (; i < in.n && ascii_is_digit(in.p[i]); i++)
        ret->keep = TIDE_MIN(ret->keep * 10 + (size_t)(in.p[i] - '0'), (size_t)1000);
    if (i > digits && ret->keep == 0)
        return false; /* RFC 7208 7.3: the number is not zero */
    if (i < in.n && ascii_lower(in.p[i]) == 'r') {
        ret->reverse = true;
        i++;
    }
    ret->delimiters = text_cut(in, i, in.n);
    for (; i < in.n; i++)
        if (!in.p[i] || !strchr(DELIMITERS, in.p[i]))
            return false;
    return true;
}

/* Takes the next piece off *rest; false: that is no macro-string. */
static bool next_piece(struct text *rest, bool explain, struct piece *ret)
{
    size_t n = 0;
    if (rest->p[0] != '%') {
        while (n < rest->n && is_literal(rest->p[n], explain))
            n++;
        *ret = (struct piece){.literal = text_cut(*rest, 0, n)};
        *rest = text_cut(*rest, n, rest->n);
        return n > 0;
    }
    char c = rest->n > 1 ? rest->p[1] : 0;
    if (c == '%' || c == '_' || c == '-') {
        *ret = (struct piece){.literal = c == '%' ? TEXT("%") : c == '_' ? TEXT(" ") : TEXT("%20")};
        *rest = text_cut(*rest, 2, rest->n);
        return true;
    }
    n = text_find(*rest, '}');
    if (c != '{' || n == rest->n || !read_macro(text_cut(*rest, 2, n - 2), explain, ret))
        return false;
    *rest = text_cut(*rest, n + 1, rest->n);
    return true;
}

bool spf_macro_is_string(struct text string, bool explain)
{
    struct piece piece;
    while (string.n)
        if (!next_piece(&string, explain, &piece))
            return false;
    return true;
}

/* RFC 7208 7.1: not all digits, no hyphen at either end. */
static bool is_top_label(struct text t)
{
    bool letter = false;
    for (size_t i = 0; i < t.n; i++) {
        if (!ascii_is_alnum(t.p[i]) && t.p[i] != '-')
            return false;
        letter = letter || !ascii_is_digit(t.p[i]);
    }
    return letter && t.p[0] != '-' && t.p[t.n - 1] != '-';
}

bool spf_macro_is_domain(struct text spec)
{
    struct text rest = spec;
    struct piece piece = {0};
    if (spec.n == 0)
        return false;
    while (rest.n) {
        bool expand = rest.p[0] == '%';
        if (!next_piece(&rest, false, &piece))
            return false;
        if (expand && rest.n == 0)
            return true; /* it ends with a macro */
    }
    struct text end = piece.literal;
    if (end.n && end.p[end.n - 1] == '.')
        end.n--;
    for (size_t i = end.n; i-- > 0;)
        if (end.p[i] == '.')
            return is_top_label(text_cut(end, i + 1, end.n));
    return false;
}

bool spf_macro_uses(struct text string, char letter)
{
    struct piece piece;
    if (text_find(string, '%') == string.n)
        return false;
    while (string.n && next_piece(&string, true, &piece))
        if (piece.letter == letter)
            return true;
    return false;
}

bool spf_macro_is_fixed(struct text string)
{
    struct piece piece;
    while (string.n && next_piece(&string, true, &piece))
        if (piece.letter && piece.letter != 'd')
            return false;
    return true;
}

/* "192.0.2.1", or 32 nibbles with dots. */
static struct text dotted_ip(const struct spf_values *v, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    if (!v->is_v6) {
        char *p = out;
        for (int i = 0; i < 4; i++) {
            unsigned n = v->ip[i];
            if (i)
                *p++ = '.';
            if (n >= 100)
                *p++ = (char)('0' + n / 100);
            if (n >= 10)
                *p++ = (char)('0' + n / 10 % 10);
            *p++ = (char)('0' + n % 10);
        }
        return (struct text){out, (size_t)(p - out)};
    }
    for (size_t i = 0; i < 16; i++) {
        out[4 * i] = hex[v->ip[i] >> 4];
        out[4 * i + 2] = hex[v->ip[i] & 15];
        out[4 * i + 1] = out[4 * i + 3] = '.';
    }
    return (struct text){out, 63};
}

static struct text value_of(char letter, const struct spf_values *v, char scratch[80])
{
    switch (letter) {
    case 's':
        return v->sender;
    case 'l':
        return v->local;
    case 'o':
        return v->sender_domain;
    case 'd':
        return v->domain;
    case 'i':
        return dotted_ip(v, scratch);
    case 'p':
        return v->validated.n ? v->validated : TEXT("unknown");
    case 'v':
        return v->is_v6 ? TEXT("ip6") : TEXT("in-addr");
    case 'h':
        return v->helo;
    case 'c':
        return text_of(inet_ntop(v->is_v6 ? AF_INET6 : AF_INET, v->ip, scratch, INET6_ADDRSTRLEN));
    case 'r':
        return v->receiver.n ? v->receiver : TEXT("unknown");
    default: /* t; there are no others */
        snprintf(scratch, 80, "%lld", (long long)(v->now / TIME_SECOND_MS));
        return text_of(scratch);
    }
}

/* Splits at the delimiters, keeps the rightmost parts, joins them with dots. */
static void add_parts(struct buf *out, const struct piece *piece, struct text value)
{
    struct text parts[SPF_VALUE_BYTES_MAX + 1], delimiters = piece->delimiters;
    size_t count = 0, start = 0;
    if (delimiters.n == 0)
        delimiters = TEXT(".");
    for (size_t i = 0; i <= value.n; i++) {
        if (i < value.n && text_find(delimiters, value.p[i]) == delimiters.n)
            continue;
        parts[count++] = text_cut(value, start, i - start);
        start = i + 1;
    }
    size_t keep = piece->keep ? TIDE_MIN(piece->keep, count) : count;
    for (size_t i = count - keep; i < count; i++) {
        struct text part = piece->reverse ? parts[count - 1 - i] : parts[i];
        if (i > count - keep)
            buf_addc(out, '.');
        if (piece->escape)
            buf_add_escaped(out, part, "");
        else
            buf_add_text(out, part);
    }
}

enum tide_err spf_macro_expand(struct text string,
                               const struct spf_values *v,
                               bool explain,
                               struct buf *ret,
                               struct tide_error *err)
{
    struct piece piece;
    char scratch[80];
    while (string.n) {
        if (!next_piece(&string, explain, &piece))
            return tide_fail(err, TIDE_ESYNTAX, "\"" TEXT_FMT "\" is no macro",
                             TEXT_ARG(text_cut(string, 0, 40)));
        struct text value = piece.letter ? value_of(piece.letter, v, scratch) : piece.literal;
        bool whole =
            !piece.letter || !(piece.keep || piece.reverse || piece.escape || piece.delimiters.n);
        if (whole)
            buf_add_text(ret, text_cut(value, 0, piece.letter ? SPF_VALUE_BYTES_MAX : value.n));
        else
            add_parts(ret, &piece, text_cut(value, 0, SPF_VALUE_BYTES_MAX));
    }
    return buf_check(ret, err);
}
