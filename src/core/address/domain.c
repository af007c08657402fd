#include "core/address/domain.h"

#include "base/macros.h"
#include "core/address/bidi.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>

/* "octet 5 ('_')", for error texts. */
static const char *octet_name(struct text in, size_t at, char *out, size_t size)
{
    unsigned char c = (unsigned char)in.p[at];
    if (c > 0x20 && c < 0x7f)
        snprintf(out, size, "octet %zu ('%c')", at + 1, c);
    else
        snprintf(out, size, "octet %zu (0x%02X)", at + 1, c);
    return out;
}

static bool is_ldh(char c)
{
    return ascii_is_alnum(c) || c == '-';
}

bool domain_is_ldh(struct text t)
{
    if (t.n == 0 || t.n > DOMAIN_BYTES_MAX)
        return false;
    size_t start = 0;
    for (size_t i = 0; i <= t.n; i++) {
        if (i < t.n && t.p[i] != '.') {
            if (!is_ldh(t.p[i]))
                return false;
            continue;
        }
        if (i == start || i - start > DOMAIN_LABEL_BYTES_MAX || t.p[start] == '-' ||
            t.p[i - 1] == '-')
            return false;
        start = i + 1;
    }
    return true;
}

bool domain_is_ip(struct text t)
{
    char s[INET6_ADDRSTRLEN + 8];
    if (t.n >= 2 && t.p[0] == '[' && t.p[t.n - 1] == ']')
        t = text_cut(t, 1, t.n - 2);
    if (text_istarts(t, TEXT("IPv6:")))
        t = text_cut(t, 5, t.n);
    if (t.n == 0 || t.n >= sizeof s)
        return false;
    memcpy(s, t.p, t.n);
    s[t.n] = '\0';
    unsigned char address[16];
    return inet_pton(AF_INET, s, address) == 1 || inet_pton(AF_INET6, s, address) == 1;
}

bool domain_is_within(struct text name, struct text domain)
{
    return text_ieq(name, domain) ||
           (name.n > domain.n && text_iends(name, domain) && name.p[name.n - domain.n - 1] == '.');
}

/* Before IDNA: no ASCII but LDH and dots, no empty label. libidn2 would let others pass, or with
 * STD3 rules delete them and so make another domain of it. */
static enum tide_err check_input(struct text in, bool *ret_ascii, struct tide_error *err)
{
    char where[32];
    if (in.n == 0)
        return tide_fail(err, TIDE_EADDR, "there is no domain (RFC 5321 4.1.2)");
    if (in.n > DOMAIN_INPUT_BYTES_MAX)
        return tide_fail(err, TIDE_EADDR, "the domain has %zu octets, %d are possible at most",
                         in.n, DOMAIN_INPUT_BYTES_MAX);
    *ret_ascii = true;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] & 0x80)
            *ret_ascii = false;
        else if (in.p[i] == '.' && (i == 0 || in.p[i - 1] == '.'))
            return tide_fail(err, TIDE_EADDR, "%s: a label is empty (RFC 5321 4.1.2)",
                             octet_name(in, i, where, sizeof where));
        else if (in.p[i] != '.' && !is_ldh(in.p[i]))
            return tide_fail(err, TIDE_EADDR,
                             "%s: a domain is made of letters, digits, hyphens and dots "
                             "(RFC 5321 4.1.2)",
                             octet_name(in, i, where, sizeof where));
    }
    if (in.p[in.n - 1] == '.')
        return tide_fail(err, TIDE_EADDR, "%s: a domain does not end in a dot (RFC 5321 4.1.2)",
                         octet_name(in, in.n - 1, where, sizeof where));
    if (!*ret_ascii && !text_is_utf8(in))
        return tide_fail(err, TIDE_EADDR, "the domain is not well-formed UTF-8 (RFC 6531 3.3)");
    return TIDE_OK;
}

/* The last label of a name in use is never all digits: it would be taken for an IPv4 address. */
static bool is_numeric_label(struct text label)
{
    for (size_t i = 0; i < label.n; i++)
        if (!ascii_is_digit(label.p[i]))
            return false;
    return true;
}

/* After IDNA: the rule of every label, and which octet of the ASCII form breaks it. */
static enum tide_err check_labels(struct text name, bool *ret_idn, struct tide_error *err)
{
    struct text rest = name, label = {0};
    *ret_idn = false;
    if (name.n > DOMAIN_BYTES_MAX)
        return tide_fail(err, TIDE_EADDR,
                         "the domain has %zu octets as ASCII, %d are possible at most "
                         "(RFC 1035 2.3.4)",
                         name.n, DOMAIN_BYTES_MAX);
    while (text_split(&rest, '.', &label)) {
        char where[32];
        if (label.n == 0)
            return tide_fail(err, TIDE_EADDR, "a label is empty (RFC 5321 4.1.2)");
        if (label.n > DOMAIN_LABEL_BYTES_MAX)
            return tide_fail(err, TIDE_EADDR,
                             "the label \"%.20s...\" has %zu octets as ASCII, %d are possible at "
                             "most (RFC 1035 2.3.4)",
                             label.p, label.n, DOMAIN_LABEL_BYTES_MAX);
        size_t at = (size_t)(label.p - name.p);
        if (label.p[0] == '-' || label.p[label.n - 1] == '-')
            return tide_fail(
                err, TIDE_EADDR,
                "%s: a label neither starts nor ends with a hyphen (RFC 5321 4.1.2)",
                octet_name(name, label.p[0] == '-' ? at : at + label.n - 1, where, sizeof where));
        if (text_starts(label, TEXT("xn--")))
            *ret_idn = true;
        else if (label.n >= 4 && label.p[2] == '-' && label.p[3] == '-')
            return tide_fail(err, TIDE_EADDR,
                             "%s: hyphens as third and fourth character are reserved (RFC 5890 "
                             "2.3.1)",
                             octet_name(name, at + 2, where, sizeof where));
    }
    if (is_numeric_label(label))
        return tide_fail(err, TIDE_EADDR,
                         "the last label \"" TEXT_FMT "\" is a number, no top-level domain is "
                         "(RFC 3696 2)",
                         TEXT_ARG(label));
    return domain_is_ldh(name) ? TIDE_OK
                               : tide_fail(err, TIDE_EADDR,
                                           "the domain is not made of letters, digits and hyphens "
                                           "after IDNA (RFC 5890 2.3.1)");
}

static bool has_alabel(struct text in)
{
    struct text rest = in, label;
    while (text_split(&rest, '.', &label))
        if (text_istarts(label, TEXT("xn--")))
            return true;
    return false;
}

/* libidn2 looks at one label at a time: what a label in Latin may be beside one in Hebrew it does
 * not know. */
static enum tide_err check_bidi(const char *unicode, struct tide_error *err)
{
    struct text label;
    int rule = bidi_check(text_of(unicode), &label);
    if (!rule)
        return TIDE_OK;
    return tide_fail(err, TIDE_EADDR,
                     "not an internationalised domain name: the label \"" TEXT_FMT
                     "\" in a name with right-to-left labels breaks rule %d of RFC 5893 2",
                     TEXT_ARG(label), rule);
}

/* What the A-labels say: the same as was written, ASCII case apart? And may it stand in one name?
 */
static enum tide_err look_back(const char *lower_input, struct domain *d, struct tide_error *err)
{
    char *back = NULL;
    enum tide_err rc = TIDE_OK;
    d->mapped = true;
    if (idn2_to_unicode_8z8z(d->ascii, &back, 0) == IDN2_OK) {
        d->mapped = strcmp(back, lower_input) != 0;
        rc = check_bidi(back, err);
    }
    idn2_free(back);
    return rc;
}

static enum tide_err to_ascii(const char *lower_input, struct domain *d, struct tide_error *err)
{
    char *ascii = NULL;
    int rc = idn2_to_ascii_8z(lower_input, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc == IDN2_MALLOC)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    if (rc != IDN2_OK)
        return tide_fail(err, TIDE_EADDR, "not an internationalised domain name: %s (RFC 5891 5)",
                         idn2_strerror(rc));
    struct text t = text_of(ascii);
    enum tide_err result = check_labels(t, &d->is_idn, err);
    if (result == TIDE_OK) {
        memcpy(d->ascii, ascii, t.n + 1);
        d->n = t.n;
        result = look_back(lower_input, d, err);
    }
    idn2_free(ascii);
    return result;
}

/* ASCII, and the capital sharp s: its lower case is the sharp s (RFC 5895 2), where libidn2, of an
 * older table, writes "ss": another domain. The rest is libidn2's. */
static size_t lower_case(struct text in, char *out)
{
    static const struct text capital = {"\u1E9E", 3};
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == capital.p[0] && text_starts(text_cut(in, i, 3), capital)) {
            out[n++] = '\xC3';
            out[n++] = '\x9F';
            i += 2;
        } else {
            out[n++] = ascii_lower(in.p[i]);
        }
    }
    out[n] = '\0';
    return n;
}

enum tide_err domain_parse(struct text in, struct domain *ret, struct tide_error *err)
{
    bool ascii = false;
    struct domain d = {0};
    enum tide_err rc = check_input(in, &ascii, err);
    if (rc != TIDE_OK)
        return rc;
    char lower[DOMAIN_INPUT_BYTES_MAX + 1];
    struct text t = {lower, lower_case(in, lower)};
    if (ascii) {
        rc = check_labels(t, &d.is_idn, err);
        if (rc != TIDE_OK)
            return rc;
        memcpy(d.ascii, lower, t.n + 1);
        d.n = t.n;
    }
    if (!ascii || has_alabel(t)) {
        rc = to_ascii(lower, &d, err);
        if (rc != TIDE_OK)
            return rc;
        if (ascii)
            d.mapped = false; /* A-labels stand for themselves */
    }
    *ret = d;
    return TIDE_OK;
}

const char *domain_unicode(struct text ascii, char *out)
{
    char in[DOMAIN_BYTES_MAX + 1], *back = NULL;
    size_t n = TIDE_MIN(ascii.n, (size_t)DOMAIN_BYTES_MAX);
    memcpy(in, ascii.p ? ascii.p : "", n);
    in[n] = '\0';
    bool ok =
        idn2_to_unicode_8z8z(in, &back, 0) == IDN2_OK && strlen(back) < DOMAIN_INPUT_BYTES_MAX;
    snprintf(out, DOMAIN_INPUT_BYTES_MAX, "%s", ok ? back : in);
    idn2_free(back);
    return out;
}

struct suffixes {
    psl_ctx_t *psl;
};

enum tide_err suffixes_open(struct suffixes **ret, struct tide_error *err)
{
    struct suffixes *s = calloc(1, sizeof *s);
    if (!s)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    s->psl = psl_latest(NULL);
    if (!s->psl) {
        free(s);
        return tide_fail(err, TIDE_ENOENT, "libpsl has no public suffix list");
    }
    *ret = s;
    return TIDE_OK;
}

void suffixes_close(struct suffixes *s)
{
    if (!s)
        return;
    psl_free(s->psl);
    free(s);
}

struct text suffixes_registrable(const struct suffixes *s, const struct domain *d)
{
    const char *found = psl_registrable_domain(s->psl, d->ascii);
    return found ? text_of(found) : (struct text){d->ascii, 0};
}
