#include "core/address/addr.h"

#include "base/macros.h"

#include <arpa/inet.h>
#include <glib.h>
#include <stdio.h>

/* RFC 5322 3.2.3 */
static bool is_atext(unsigned char c)
{
    return ascii_is_alnum((char)c) || (c && c < 0x80 && strchr("!#$%&'*+-/=?^_`{|}~", c)) ||
           c >= 0x80;
}

/* What no mailbox has in its name, though RFC 6531 3.3 does not exclude it: controls (RFC 5198 2,
 * to which RFC 6532 3 points), what breaks the line, turns the direction or cannot be seen, so that
 * one address looks like another, private characters and those that are none (RFC 5198 4), blanks
 * like the no-break space, and a mark that would sit on what stands before the address. The joiners
 * of Persian and Indic words are kept. NULL: nothing of this stands at `at` of the well-formed
 * text.
 */
static const char *rule_of_unsafe(struct text in, size_t at, bool first)
{
    unsigned char lead = (unsigned char)in.p[at];
    if (lead < 0xC0)
        return NULL;
    gunichar c = g_utf8_get_char(in.p + at);
    switch (g_unichar_type(c)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return "control characters are not taken (RFC 5198 2)";
    case G_UNICODE_FORMAT:
        return c == 0x200C || c == 0x200D
                   ? NULL
                   : "characters that cannot be seen are not taken (UTS 39 3.1)";
    case G_UNICODE_PRIVATE_USE:
        return "private characters are not taken (UTS 39 3.1)";
    case G_UNICODE_SPACE_SEPARATOR:
        return "no blank but the space is taken (UTS 39 3.1)";
    case G_UNICODE_NON_SPACING_MARK:
    case G_UNICODE_SPACING_MARK:
    case G_UNICODE_ENCLOSING_MARK:
        return first ? "an address does not begin with a combining mark" : NULL;
    default:
        return (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE
                   ? "this is no character (RFC 5198 4)"
                   : NULL;
    }
}

static enum tide_err fail_at(struct tide_error *err, struct text in, size_t at, const char *rule)
{
    if (at >= in.n)
        return tide_fail(err, TIDE_EADDR, "at the end: %s", rule);
    unsigned char c = (unsigned char)in.p[at];
    if (c > 0x20 && c < 0x7f)
        return tide_fail(err, TIDE_EADDR, "octet %zu ('%c'): %s", at + 1, c, rule);
    return tide_fail(err, TIDE_EADDR, "octet %zu (0x%02X): %s", at + 1, c, rule);
}

static const char *rule_of_bad_atom(char c)
{
    switch (c) {
    case '(':
    case ')':
        return "comments are not taken (RFC 5321 4.1.2)";
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return "blanks are not taken outside of quotes (RFC 5321 4.1.2)";
    case '<':
    case '>':
        return "an address stands without angle brackets and display name (RFC 5321 4.1.2)";
    case '"':
        return "quotes enclose the whole local part or none of it (RFC 5321 4.1.2)";
    case '.':
        return "a dot stands between two characters, never first, last or doubled (RFC 5321 4.1.2)";
    default:
        return "this is taken in a quoted local part alone (RFC 5321 4.1.2)";
    }
}

/* Copies the dot-string to out; *ret_end is where it ended. */
static enum tide_err parse_dot_string(
    struct text in, char *out, size_t *ret_n, size_t *ret_end, struct tide_error *err)
{
    size_t i = 0;
    for (; i < in.n && in.p[i] != '@'; i++) {
        char c = in.p[i];
        bool lone_dot =
            c == '.' && (i == 0 || in.p[i - 1] == '.' || i + 1 == in.n || in.p[i + 1] == '@');
        if (lone_dot || (c != '.' && !is_atext((unsigned char)c)))
            return fail_at(err, in, i, rule_of_bad_atom(c));
        const char *unsafe = rule_of_unsafe(in, i, i == 0);
        if (unsafe)
            return fail_at(err, in, i, unsafe);
        if (i < ADDR_LOCAL_BYTES_MAX)
            out[i] = c;
    }
    *ret_n = *ret_end = i;
    return TIDE_OK;
}

/* Copies what the quotes enclose, without quoting; *ret_end is after the closing quote. */
static enum tide_err parse_quoted(
    struct text in, char *out, size_t *ret_n, size_t *ret_end, struct tide_error *err)
{
    size_t n = 0, i = 1;
    for (; i < in.n && in.p[i] != '"'; i++) {
        bool pair = in.p[i] == '\\';
        if (pair && ++i == in.n)
            break;
        unsigned char c = (unsigned char)in.p[i];
        if (c < 0x20 || c == 0x7f)
            return fail_at(err, in, i, "control characters are not taken (RFC 5321 4.1.2)");
        const char *unsafe = rule_of_unsafe(in, i, i == 1);
        if (unsafe)
            return fail_at(err, in, i, unsafe);
        if (pair && c >= 0x80)
            return fail_at(err, in, i, "a backslash quotes ASCII only (RFC 5321 4.1.2)");
        if (n < ADDR_LOCAL_BYTES_MAX)
            out[n] = (char)c;
        n++;
    }
    if (i >= in.n)
        return fail_at(err, in, in.n, "the quoted local part is not closed (RFC 5321 4.1.2)");
    *ret_n = n;
    *ret_end = i + 1;
    return TIDE_OK;
}

/* An empty local part needs quotes too: only `""@x` can say it. */
static bool needs_quotes(struct text local)
{
    bool dot = true;
    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '.' ? dot : !is_atext((unsigned char)local.p[i]))
            return true;
        dot = local.p[i] == '.';
    }
    return dot;
}

/* Never longer than it was written. */
static void put_local(struct text local, struct addr *a)
{
    size_t n = 0;
    a->is_quoted = needs_quotes(local);
    a->needs_utf8 = !text_is_ascii(local);
    if (a->is_quoted)
        a->normal[n++] = '"';
    for (size_t i = 0; i < local.n; i++) {
        if (a->is_quoted && (local.p[i] == '"' || local.p[i] == '\\'))
            a->normal[n++] = '\\';
        a->normal[n++] = local.p[i];
    }
    if (a->is_quoted)
        a->normal[n++] = '"';
    a->local_n = n;
}

static enum tide_err parse_local(struct text in,
                                 struct addr *a,
                                 size_t *ret_end,
                                 struct tide_error *err)
{
    char raw[ADDR_LOCAL_BYTES_MAX];
    size_t n = 0;
    bool quoted = in.n && in.p[0] == '"';
    enum tide_err rc = quoted ? parse_quoted(in, raw, &n, ret_end, err)
                              : parse_dot_string(in, raw, &n, ret_end, err);
    if (rc != TIDE_OK)
        return rc;
    if (*ret_end >= in.n)
        return fail_at(err, in, in.n, "there is no \"@\" (RFC 5321 4.1.2)");
    if (in.p[*ret_end] != '@')
        return fail_at(err, in, *ret_end,
                       "after the closing quote comes \"@\" and nothing else (RFC 5321 4.1.2)");
    if (n == 0 && !quoted)
        return fail_at(err, in, 0, "there is no local part before the \"@\" (RFC 5321 4.1.2)");
    if (*ret_end > ADDR_LOCAL_BYTES_MAX)
        return tide_fail(err, TIDE_EADDR,
                         "the local part has %zu octets, %d are possible at most (RFC 5321 "
                         "4.5.3.1.1)",
                         *ret_end, ADDR_LOCAL_BYTES_MAX);
    put_local((struct text){raw, n}, a);
    return TIDE_OK;
}

/* RFC 5321 4.1.3; general address literals have no registered tag and are refused. */
static enum tide_err parse_literal(
    struct text in, size_t at, unsigned flags, struct addr *a, struct tide_error *err)
{
    struct text t = text_cut(in, at, in.n);
    if (!(flags & ADDR_LITERAL))
        return fail_at(err, in, at,
                       "an IP address in place of a domain is not taken here (RFC 5321 4.1.3)");
    if (t.n < 2 || t.p[t.n - 1] != ']')
        return fail_at(err, in, in.n, "the address literal is not closed (RFC 5321 4.1.3)");
    struct text inner = text_cut(t, 1, t.n - 2);
    bool six = text_istarts(inner, TEXT("IPv6:"));
    if (six)
        inner = text_cut(inner, 5, inner.n);
    char s[INET6_ADDRSTRLEN], canonical[INET6_ADDRSTRLEN];
    unsigned char address[16];
    bool fits = inner.n > 0 && inner.n < sizeof s;
    if (fits) {
        memcpy(s, inner.p, inner.n);
        s[inner.n] = '\0';
    }
    if (!fits || strlen(s) != inner.n || inet_pton(six ? AF_INET6 : AF_INET, s, address) != 1)
        return fail_at(err, in, at, "not an IPv4 or IPv6 address literal (RFC 5321 4.1.3)");
    inet_ntop(six ? AF_INET6 : AF_INET, address, canonical, sizeof canonical);
    int n =
        snprintf(a->domain.ascii, sizeof a->domain.ascii, "[%s%s]", six ? "ipv6:" : "", canonical);
    a->domain.n = (size_t)n;
    a->is_literal = true;
    return TIDE_OK;
}

/* The domain's own error names an octet of the domain; the reader wants one of the address. */
static enum tide_err parse_domain(struct text in, size_t at, struct addr *a, struct tide_error *err)
{
    struct text t = text_cut(in, at, in.n);
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '@')
            return fail_at(err, in, at + i, "a second \"@\" outside of quotes (RFC 5321 4.1.2)");
        if (!ascii_is_alnum(t.p[i]) && t.p[i] && strchr("() \t\r\n<>", t.p[i]))
            return fail_at(err, in, at + i, rule_of_bad_atom(t.p[i]));
    }
    enum tide_err rc = domain_parse(t, &a->domain, err);
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "domain (from octet %zu)", at + 1);
}

struct text addr_domain_of(struct text address)
{
    for (size_t at = address.n; at > 0; at--)
        if (address.p[at - 1] == '@')
            return text_cut(address, at, address.n);
    return TEXT("");
}

enum tide_err addr_parse(struct text in, unsigned flags, struct addr *ret, struct tide_error *err)
{
    struct addr a = {0};
    size_t at = 0;
    if (in.n == 0)
        return tide_fail(err, TIDE_EADDR, "the address is empty (RFC 5321 4.1.2)");
    if (in.n > DOMAIN_INPUT_BYTES_MAX + 2 * ADDR_LOCAL_BYTES_MAX)
        return tide_fail(err, TIDE_EADDR,
                         "the address has %zu octets, %d are possible at most (RFC 5321 4.5.3.1.3)",
                         in.n, ADDR_BYTES_MAX);
    if (!text_is_utf8(in))
        return tide_fail(err, TIDE_EADDR, "the address is not well-formed UTF-8 (RFC 6531 3.3)");
    enum tide_err rc = parse_local(in, &a, &at, err);
    if (rc != TIDE_OK)
        return rc;
    at++;
    rc = at < in.n && in.p[at] == '[' ? parse_literal(in, at, flags, &a, err)
                                      : parse_domain(in, at, &a, err);
    if (rc != TIDE_OK)
        return rc;
    a.n = a.local_n + 1 + a.domain.n;
    if (a.n > ADDR_BYTES_MAX)
        return tide_fail(err, TIDE_EADDR,
                         "the address has %zu octets, %d are possible at most (RFC 5321 4.5.3.1.3)",
                         a.n, ADDR_BYTES_MAX);
    a.normal[a.local_n] = '@';
    memcpy(a.normal + a.local_n + 1, a.domain.ascii, a.domain.n);
    a.normal[a.n] = '\0';
    *ret = a;
    return TIDE_OK;
}

const char *addr_counting_key(const struct addr *a, struct addr_folding folding, char *out)
{
    struct text local = addr_local(a);
    size_t n = 0;
    for (size_t i = 0; i < local.n; i++) {
        char c = local.p[i];
        if (!a->is_quoted && folding.subaddress_sep && c == folding.subaddress_sep && i > 0)
            break;
        if (!a->is_quoted && folding.ignores_dots && c == '.')
            continue;
        out[n++] = folding.ignores_case && !a->is_quoted ? ascii_lower(c) : c;
    }
    memcpy(out + n, a->normal + a->local_n, a->n - a->local_n + 1);
    return out;
}
