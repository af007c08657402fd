#include "core/verify/spf_record.h"

#include "base/macros.h"
#include "core/verify/spf_macro.h"

#include <arpa/inet.h>

static const char *const result_names[] = {
    [SPF_NONE] = "none",           [SPF_NEUTRAL] = "neutral",   [SPF_PASS] = "pass",
    [SPF_FAIL] = "fail",           [SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror",
    [SPF_PERMERROR] = "permerror",
};

const char *spf_result_name(enum spf_result r)
{
    return (size_t)r < TIDE_COUNT(result_names) ? result_names[r] : "?";
}

/* What may follow a mechanism's name. */
enum { DOMAIN_WANTED = 1, DOMAIN_MAYBE = 2, CIDR = 4, ADDRESS4 = 8, ADDRESS6 = 16 };

static const struct {
    struct text name;
    unsigned takes;
} mechanisms[] = {
    [SPF_ALL] = {{"all", 3}, 0},
    [SPF_INCLUDE] = {{"include", 7}, DOMAIN_WANTED},
    [SPF_A] = {{"a", 1}, DOMAIN_MAYBE | CIDR},
    [SPF_MX] = {{"mx", 2}, DOMAIN_MAYBE | CIDR},
    [SPF_PTR] = {{"ptr", 3}, DOMAIN_MAYBE},
    [SPF_IP4] = {{"ip4", 3}, ADDRESS4},
    [SPF_IP6] = {{"ip6", 3}, ADDRESS6},
    [SPF_EXISTS] = {{"exists", 6}, DOMAIN_WANTED},
};

bool spf_record_is(struct text txt)
{
    struct text version = TEXT("v=spf1");
    return text_istarts(txt, version) && (txt.n == version.n || txt.p[version.n] == ' ');
}

static enum tide_err wrong(struct text term, const char *what, struct tide_error *err)
{
    return tide_fail(err, TIDE_ESYNTAX, "\"" TEXT_FMT "\": %s", TEXT_ARG(text_cut(term, 0, 100)),
                     what);
}

/* "0" or a number without a leading zero, up to `max`. */
static bool read_prefix(struct text digits, unsigned max, uint8_t *ret)
{
    unsigned n = 0;
    if (digits.n == 0 || digits.n > 3 || (digits.n > 1 && digits.p[0] == '0'))
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        if (!ascii_is_digit(digits.p[i]))
            return false;
        n = n * 10 + (unsigned)(digits.p[i] - '0');
    }
    *ret = (uint8_t)n;
    return n <= max;
}

/* Where the digits at the end begin, when a slash stands before them; t.n when none does. */
static size_t slash_before_digits(struct text t)
{
    size_t i = t.n;
    while (i > 0 && ascii_is_digit(t.p[i - 1]))
        i--;
    return i < t.n && i > 0 && t.p[i - 1] == '/' ? i - 1 : t.n;
}

/* Takes "/24", "//64" or "/24//64" off the end (RFC 7208 12: dual-cidr-length). */
static bool take_cidr(struct text *spec, struct spf_term *t)
{
    size_t at = slash_before_digits(*spec);
    if (at < spec->n && at > 0 && spec->p[at - 1] == '/') {
        if (!read_prefix(text_cut(*spec, at + 1, spec->n), 128, &t->prefix6))
            return false;
        spec->n = at - 1;
        at = slash_before_digits(*spec);
    }
    if (at < spec->n) {
        if (!read_prefix(text_cut(*spec, at + 1, spec->n), 32, &t->prefix4))
            return false;
        spec->n = at;
    }
    return true;
}

/* "192.0.2.0/24". Half of all terms are these: read in one go. */
static bool read_ip4(struct text spec, struct spf_term *t)
{
    size_t i = 0;
    for (int octet = 0; octet < 4; octet++) {
        unsigned n = 0;
        size_t start = i;
        while (i < spec.n && i - start < 3 && ascii_is_digit(spec.p[i]))
            n = n * 10 + (unsigned)(spec.p[i++] - '0');
        if (i == start || n > 255 || (i - start > 1 && spec.p[start] == '0'))
            return false;
        t->address[octet] = (uint8_t)n;
        if (octet < 3 && (i == spec.n || spec.p[i++] != '.'))
            return false;
    }
    if (i == spec.n)
        return true;
    return spec.p[i] == '/' && read_prefix(text_cut(spec, i + 1, spec.n), 32, &t->prefix4);
}

/* "2001:db8::/32" */
static bool read_ip6(struct text spec, struct spf_term *t)
{
    char address[INET6_ADDRSTRLEN];
    size_t slash = text_find(spec, '/');
    if (slash >= sizeof address)
        return false;
    if (slash < spec.n && !read_prefix(text_cut(spec, slash + 1, spec.n), 128, &t->prefix6))
        return false;
    memcpy(address, spec.p, slash);
    address[slash] = 0;
    return memchr(address, 0, slash) == NULL && inet_pton(AF_INET6, address, t->address) == 1;
}

/* False: there is none, and so a "+". */
static bool read_qualifier(char c, enum spf_result *ret)
{
    switch (c) {
    case '+':
        *ret = SPF_PASS;
        return true;
    case '-':
        *ret = SPF_FAIL;
        return true;
    case '~':
        *ret = SPF_SOFTFAIL;
        return true;
    case '?':
        *ret = SPF_NEUTRAL;
        return true;
    }
    *ret = SPF_PASS;
    return false;
}

/* `end`: where the mechanism's name ends. *t is zeroed. */
static enum tide_err read_directive(struct text term,
                                    size_t end,
                                    struct spf_term *t,
                                    struct tide_error *err)
{
    t->prefix4 = 32;
    t->prefix6 = 128;
    t->written = term;
    size_t start = read_qualifier(term.p[0], &t->result), m = 0;
    struct text name = {term.p + start, end - start}, spec = {term.p + end, term.n - end};
    bool colon = spec.n && spec.p[0] == ':';
    while (m < TIDE_COUNT(mechanisms) && !text_ieq(name, mechanisms[m].name))
        m++;
    if (m == TIDE_COUNT(mechanisms))
        return wrong(term,
                     text_ieq(name, TEXT("ipv4")) || text_ieq(name, TEXT("ip"))
                         ? "there is no such mechanism; it is written ip4"
                     : text_ieq(name, TEXT("ipv6"))
                         ? "there is no such mechanism; it is written ip6"
                         : "there is no such mechanism",
                     err);
    unsigned takes = mechanisms[m].takes;
    t->mechanism = (enum spf_mechanism)m;
    if (colon)
        spec = text_cut(spec, 1, spec.n);
    if (takes & (ADDRESS4 | ADDRESS6))
        return colon && (takes & ADDRESS4 ? read_ip4 : read_ip6)(spec, t)
                   ? TIDE_OK
                   : wrong(term, "want an IP address, with or without a prefix length", err);
    if (takes & CIDR && !take_cidr(&spec, t))
        return wrong(term, "the prefix length is out of range", err);
    if (spec.n == 0 && !colon && !(takes & DOMAIN_WANTED))
        return TIDE_OK;
    if (!(takes & (DOMAIN_WANTED | DOMAIN_MAYBE)))
        return wrong(term, "nothing may follow this mechanism", err);
    if (!colon || !spf_macro_is_domain(spec))
        return wrong(term, "want a domain after the colon", err);
    t->domain = spec;
    return TIDE_OK;
}

/* RFC 7208 12: name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) */
static bool is_name(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!ascii_is_alnum(t.p[i]) && !(t.p[i] && strchr("-_.", t.p[i])))
            return false;
    return t.n && ascii_is_alpha(t.p[0]);
}

static enum tide_err read_modifier(struct text term,
                                   size_t equals,
                                   struct spf_record *r,
                                   struct tide_error *err)
{
    struct text name = text_cut(term, 0, equals), value = text_cut(term, equals + 1, term.n);
    struct text *known = text_ieq(name, TEXT("redirect")) ? &r->redirect
                         : text_ieq(name, TEXT("exp"))    ? &r->explanation
                                                          : NULL;
    if (!is_name(name))
        return wrong(term, "that is no modifier's name", err);
    if (!known)
        return spf_macro_is_string(value, false) ? TIDE_OK
                                                 : wrong(term, "there is no such macro", err);
    if (known->n)
        return wrong(term, "the modifier may stand once only", err);
    if (!spf_macro_is_domain(value))
        return wrong(term, "want a domain after the equals sign", err);
    *known = value;
    return TIDE_OK;
}

/* Takes the next term off *rest; *ret_end is where its first ":", "/" or "=" stands. */
static bool next_term(struct text *rest, struct text *ret, size_t *ret_end)
{
    const char *p = rest->p, *end = p + rest->n;
    while (p < end && *p == ' ')
        p++;
    const char *start = p;
    while (p < end && *p != ' ' && *p != ':' && *p != '/' && *p != '=')
        p++;
    *ret_end = (size_t)(p - start);
    while (p < end && *p != ' ')
        p++;
    *ret = (struct text){start, (size_t)(p - start)};
    *rest = (struct text){p, (size_t)(end - p)};
    return ret->n > 0;
}

enum tide_err spf_record_parse(struct text txt,
                               struct arena *arena,
                               struct spf_record *ret,
                               struct tide_error *err)
{
    struct spf_record r = {0};
    struct text rest = txt, term;
    enum tide_err rc = TIDE_OK;
    size_t max = 1, end;
    if (!spf_record_is(txt))
        return tide_fail(err, TIDE_ESYNTAX, "an SPF record begins with \"v=spf1\"");
    for (size_t i = 1; i < txt.n; i++)
        max += (txt.p[i - 1] == ' ') & (txt.p[i] != ' ');
    r.terms = arena_array(arena, max, sizeof *r.terms);
    if (!r.terms)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    (void)next_term(&rest, &term, &end); /* the version */
    while (rc == TIDE_OK && next_term(&rest, &term, &end)) {
        if (end < term.n && term.p[end] == '=')
            rc = read_modifier(term, end, &r, err);
        else
            rc = read_directive(term, end, &r.terms[r.term_count++], err);
    }
    if (rc == TIDE_OK)
        *ret = r;
    return rc;
}
