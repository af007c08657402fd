/* Every case of the addresses corpus: right, or of a kind listed here with the section that says
 * otherwise. */
#include "base/log.h"
#include "core/address/addr.h"
#include "lib/check.h"
#include "lib/tsv.h"

#include <stdlib.h>

/* isemail says "warn" where RFC 5321 and RFC 5322 differ: what is taken of each kind, and why. */
static const struct {
    const char *detail;
    bool want;
    const char *why;
} warnings[] = {
    {"ISEMAIL_RFC5321/ISEMAIL_RFC5321_QUOTEDSTRING", true, "RFC 5321 4.1.2"},
    {"ISEMAIL_RFC5321/ISEMAIL_RFC5321_ADDRESSLITERAL", true, "RFC 5321 4.1.3, with the flag"},
    {"ISEMAIL_RFC5321/ISEMAIL_RFC5321_TLDNUMERIC", false, "RFC 3696 2: no TLD is a number"},
    {"ISEMAIL_DEPREC/ISEMAIL_RFC5321_IPV6DEPRECATED", true, "RFC 4291 2.2, with the flag"},
    {"ISEMAIL_RFC5322/", false, "RFC 5321 4.1.2: not in its grammar"},
    {"ISEMAIL_DEPREC/", false, "RFC 5322 4: obsolete, not in the grammar of RFC 5321 4.1.2"},
    {"ISEMAIL_CFWS/", false, "RFC 5321 4.1.2: no comments, no folding"},
    {"valid only if quoted local parts are allowed", true, "RFC 5321 4.1.2: they are"},
};

/* Where mailtide says otherwise than a corpus, and why. */
enum otherwise {
    SAME,
    DISPLAY_NAME,
    COMMENT,
    OBSOLETE,
    LITERAL,
    UNDERSCORE,
    NUMERIC,
    BARE_IP,
    ONE_LABEL,
    TOP_LEVEL,
    RESERVED,
    UTF8,
    WRONG
};

static const char *const reasons[] = {
    [SAME] = "right",
    [DISPLAY_NAME] = "with a display name or angle brackets, which no mailbox has: RFC 5321 4.1.2",
    [COMMENT] = "with a comment, which no mailbox has: RFC 5321 4.1.2",
    [OBSOLETE] = "partly quoted: RFC 5322 4.4, not in the grammar of RFC 5321 4.1.2",
    [LITERAL] = "an address literal, which a flag allows: RFC 5321 4.1.3",
    [UNDERSCORE] = "with an underscore in the domain: RFC 5321 4.1.2 has none",
    [NUMERIC] = "under a number: RFC 3696 2, no top-level domain is one",
    [BARE_IP] = "at an IP address without brackets: RFC 5321 4.1.3",
    [ONE_LABEL] = "at a domain of one label: RFC 5321 2.3.5 has them",
    [TOP_LEVEL] = "under a top-level domain that is none: RFC 5321 4.1.2 takes it, DNS decides",
    [RESERVED] = "under a name for special use: RFC 6761 makes it no syntax error, DNS decides",
    [UTF8] = "not ASCII: RFC 6531 3.3 (the case is for SMTPUTF8 switched off)",
    [WRONG] = "wrong",
};

static bool has(struct text t, const char *part)
{
    return text_ifind(t, text_of(part)) < t.n;
}

static enum otherwise why_refused(struct text address)
{
    struct text domain = addr_domain_of(address), rest = domain, label = {0};
    if (has(address, "<") && has(address, ">"))
        return DISPLAY_NAME;
    if (has(address, "(") && has(address, ")"))
        return COMMENT;
    if (has(address, ".\"") || has(address, "\"."))
        return OBSOLETE;
    if (text_starts(domain, TEXT("[")))
        return LITERAL;
    if (has(domain, "_"))
        return UNDERSCORE;
    if (domain_is_ip(domain))
        return BARE_IP;
    while (text_split(&rest, '.', &label))
        ;
    for (size_t i = 0; i < label.n; i++)
        if (!ascii_is_digit(label.p[i]))
            return WRONG;
    return label.n ? NUMERIC : WRONG;
}

static enum otherwise why_accepted(struct text detail)
{
    return has(detail, "should have a period")           ? ONE_LABEL
           : has(detail, "valid top-level domain")       ? TOP_LEVEL
           : has(detail, "special-use or reserved")      ? RESERVED
           : has(detail, "Internationalized characters") ? UTF8
                                                         : WRONG;
}

static bool want_of_warning(struct text detail, const char *address)
{
    for (size_t i = 0; i < TIDE_COUNT(warnings); i++)
        if (text_starts(detail, text_of(warnings[i].detail)))
            return warnings[i].want;
    T_FAIL("%s: no rule for the warning " TEXT_FMT, address, TEXT_ARG(detail));
    return false;
}

/* "... ascii_domain=xn--fiqq24b10vi0d.tw smtputf8=0" */
static void check_detail(struct text detail, const struct addr *a)
{
    size_t at = text_ifind(detail, TEXT("ascii_domain="));
    if (at == detail.n)
        return;
    struct text rest = text_cut(detail, at + strlen("ascii_domain="), detail.n), domain;
    text_split(&rest, ' ', &domain);
    T_TRUE(text_eq(domain, domain_text(&a->domain)), "%s: domain", a->normal);
    T_EQ(a->needs_utf8, text_ifind(detail, TEXT("smtputf8=1")) < detail.n, "%s: smtputf8",
         a->normal);
}

static void test_addresses_corpus(void **state)
{
    (void)state;
    const char *dir = corpora_dir("addresses corpus");
    if (!dir)
        return;
    size_t n, cases = 0, accepted = 0, counts[TIDE_COUNT(reasons)] = {0};
    char *data = tsv_read(dir, "addresses/addresses.tsv", &n);
    struct text rest = {data, n}, line;
    text_split(&rest, '\n', &line); /* names of the columns */
    while (text_split(&rest, '\n', &line)) {
        struct text source, address = {0}, verdict = {0}, detail = {0};
        if (!tsv_cell(&line, &source) || source.n == 0 || source.p[0] == '#')
            continue;
        T_TRUE(tsv_cell(&line, &address) && tsv_cell(&line, &verdict), "a whole line");
        (void)tsv_cell(&line, &detail);
        char name[400];
        log_quote(address, name, sizeof name);
        bool warn = text_eq(verdict, TEXT("warn")), want = text_eq(verdict, TEXT("valid"));
        if (warn)
            want = want_of_warning(detail, name);
        struct addr a = {0};
        struct tide_error err = {0};
        enum tide_err rc = addr_parse(address, warn ? ADDR_LITERAL : 0, &a, &err);
        enum otherwise why = (rc == TIDE_OK) == want ? SAME
                             : want                  ? why_refused(address)
                                                     : why_accepted(detail);
        T_TRUE(why != WRONG, "%s: %s", name, err.text);
        counts[why]++;
        if (rc == TIDE_OK && !warn)
            check_detail(detail, &a);
        accepted += rc == TIDE_OK;
        cases++;
    }
    for (size_t i = 0; i < WRONG; i++)
        if (counts[i])
            printf("addresses: %zu %s\n", counts[i], reasons[i]);
    printf("addresses: %zu cases, %zu accepted, %zu refused\n", cases, accepted, cases - accepted);
    T_TRUE(cases > 100, "the corpus was read");
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
