/* Every case of the addresses corpus: right, or listed here with the section that says otherwise.
 */
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

#define NO_DISPLAY_NAME "RFC 5321 4.1.2: a mailbox has no display name"
#define NO_COMMENT      "RFC 5321 4.1.2: a mailbox has no comments"

/* Where mailtide says otherwise than the corpus. */
static const struct {
    const char *source, *address;
    bool want;
    const char *why;
} otherwise[] = {
    {"python-email-validator", "\"My.\\\"Na\\\\me\\\".Is\" <\"me \\\" \\\\ me\"@example.org>",
     false, NO_DISPLAY_NAME},
    {"python-email-validator", "\"\u1e69\" <\u1e69@nfc.tld>", false, NO_DISPLAY_NAME},
    {"python-email-validator", "\"s\u0323\u0307\" <s\u0323\u0307@nfc.tld>", false, NO_DISPLAY_NAME},
    {"python-email-validator", "me@bad-tld-1", true, "RFC 5321 2.3.5: a domain of one label"},
    {"python-email-validator", "me@bad.tld-2", true, "RFC 5321 4.1.2: Let-dig [Ldh-str]"},
    {"python-email-validator", "\"quoted.with..unicode.\u03bb\"@example.com", true,
     "RFC 6531 3.3: QcontentSMTP with UTF-8 (the case is for SMTPUTF8 switched off)"},
    {"flanker", "bob@under_scope", false, "RFC 5321 4.1.2: no underscore in a domain"},
    {"flanker", "Bill Gates <\"billy\"@retired.Micr!osoft99.com>", false, NO_DISPLAY_NAME},
    {"flanker", "Steve Jobs <steve@apple.com>", false, NO_DISPLAY_NAME},
    {"flanker", "Matt \"The Matt\" Mickiewicz <matt.Mickiewicz@99designs.com>", false,
     NO_DISPLAY_NAME},
    {"flanker", "\"<john@smith.com>\" <john@smith.com>", false, NO_DISPLAY_NAME},
    {"flanker", "first.last@example.123", false, "RFC 3696 2: no TLD is a number"},
    {"flanker", "foobar@192.168.0.1", false, "RFC 5321 4.1.3: an address stands in brackets"},
    {"flanker", "(this is a comment) test@example.com", false, NO_COMMENT},
    {"flanker", "test@example.com(this is a comment)", false, NO_COMMENT},
};

static bool is_listed(struct text source, struct text address, bool *ret_want)
{
    for (size_t i = 0; i < TIDE_COUNT(otherwise); i++) {
        if (text_eq(source, text_of(otherwise[i].source)) &&
            text_eq(address, text_of(otherwise[i].address))) {
            *ret_want = otherwise[i].want;
            return true;
        }
    }
    return false;
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
    size_t n, cases = 0, listed = 0, accepted = 0;
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
        listed += is_listed(source, address, &want);
        struct addr a = {0};
        struct tide_error err = {0};
        enum tide_err rc = addr_parse(address, warn ? ADDR_LITERAL : 0, &a, &err);
        T_EQ(rc, want ? TIDE_OK : TIDE_EADDR, "%s: %s", name, err.text);
        if (rc == TIDE_OK && !warn)
            check_detail(detail, &a);
        accepted += rc == TIDE_OK;
        cases++;
    }
    printf("addresses: %zu cases, %zu right, %zu listed with the RFC that says otherwise; "
           "%zu accepted, %zu refused\n",
           cases, cases - listed, listed, accepted, cases - accepted);
    T_TRUE(cases > 200, "the corpus was read");
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
