#include "core/address/addr.h"
#include "lib/check.h"

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

static const struct {
    const char *in, *want; /* normal form, or a piece of the error's text */
    bool ok;
} cases[] = {
    {"ann@example.org", "ann@example.org", true},
    {"Ann.B@EXAMPLE.Org", "Ann.B@example.org", true},
    {"\"a b\"@example.org", "\"a b\"@example.org", true},
    {"\"ann\"@example.org", "ann@example.org", true},     /* quotes that say nothing */
    {"\"a\\n\\n\"@example.org", "ann@example.org", true}, /* quoted pairs too */
    {"\"a\\\"b\"@example.org", "\"a\\\"b\"@example.org", true},
    {"\"\"@example.org", "\"\"@example.org", true},
    {"\"a..b\"@example.org", "\"a..b\"@example.org", true},
    {"a+b=c/d@example.org", "a+b=c/d@example.org", true},
    {"юзер@екзампл.ком", "юзер@xn--80ajglhfv.xn--j1aef", true},
    {"می\u200Cخواهم@x.org", "می\u200Cخواهم@x.org", true}, /* a joiner is part of the word */
    {"e\u0301@x.org", "e\u0301@x.org", true},
    {X60 "abcd@x.org", X60 "abcd@x.org", true},
    {X60 "abcde@x.org", "the local part has 65 octets, 64 are possible at most", false},
    {"\"" X60 "ab c\"@x.org", "the local part has 66 octets", false},
    {"", "the address is empty", false},
    {"ann", "at the end: there is no \"@\"", false},
    {"@x.org", "octet 1 ('@'): there is no local part", false},
    {"ann@", "there is no domain", false},
    {".ann@x.org", "octet 1 ('.'): a dot stands between", false},
    {"ann.@x.org", "octet 4 ('.'): a dot stands between", false},
    {"a..b@x.org", "octet 3 ('.'): a dot stands between", false},
    {"a b@x.org", "octet 2 (0x20): blanks are not taken", false},
    {"ann(c)@x.org", "octet 4 ('('): comments are not taken", false},
    {"ann@(c)x.org", "octet 5 ('('): comments are not taken", false},
    {"Ann <ann@x.org>", "blanks are not taken", false},
    {"<ann@x.org>", "octet 1 ('<'): an address stands without angle brackets", false},
    {"\"ann@x.org", "the quoted local part is not closed", false},
    {"\"ann\\", "the quoted local part is not closed", false},
    {"\"ann\".b@x.org", "octet 6 ('.'): after the closing quote comes \"@\"", false},
    {"a@b@x.org", "octet 4 ('@'): a second \"@\"", false},
    {"ann@[192.0.2.1]", "octet 5 ('['): an IP address in place of a domain", false},
    {"ann@x.org\r\nRCPT TO:<b@y>", "octet 10 (0x0D): blanks are not taken", false},
    {"ann@x.org.", "octet 6 ('.'): a domain does not end in a dot", false},
    {"a\xff@x.org", "not well-formed UTF-8", false},
    {"a\xc2\x85@x.org", "control characters are not taken", false},
    {"\"a\nb\"@x.org", "octet 3 (0x0A): control characters", false},
    /* unseen, turned, private, none at all */
    {"a\u200Bb@x.org", "octet 2 (0xE2): characters that cannot be seen", false},
    {"\u202Egro.x@x.org", "octet 1 (0xE2): characters that cannot be seen", false},
    {"a\u00ADb@x.org", "octet 2 (0xC2): characters that cannot be seen", false},
    {"\uE000a@x.org", "octet 1 (0xEE): private characters", false},
    {"a\uFDD0@x.org", "octet 2 (0xEF): this is no character", false},
    {"a\U0001FFFF@x.org", "octet 2 (0xF0): this is no character", false},
    {"a\u2003b@x.org", "octet 2 (0xE2): no blank but the space", false},
    {"a\u00A0b@x.org", "octet 2 (0xC2): no blank but the space", false},
    {"\"a\u2003b\"@x.org", "octet 3 (0xE2): no blank but the space", false},
    {"\"\u0301a\"@x.org", "octet 2 (0xCC): an address does not begin with a combining", false},
    {"\u0301a@x.org", "octet 1 (0xCC): an address does not begin with a combining", false},
    {"\"" X60 "a\\b\"@x.org", "the local part has 65 octets", false}, /* as written */
};

static void test_addr_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct addr a = {0};
        struct tide_error err = {0};
        enum tide_err rc = addr_parse(text_of(cases[i].in), 0, &a, &err);
        T_EQ(rc, cases[i].ok ? TIDE_OK : TIDE_EADDR, "%s: %s", cases[i].in, err.text);
        if (cases[i].ok) {
            T_STR(a.normal, cases[i].want, "%s", cases[i].in);
            T_EQ(a.n, strlen(a.normal), "%s", cases[i].in);
        } else {
            T_TRUE(strstr(err.text, cases[i].want), "%s: \"%s\" does not say \"%s\"", cases[i].in,
                   err.text, cases[i].want);
            T_EQ(a.n, 0, "%s: nothing is set", cases[i].in);
        }
    }
}

static void test_normal_form_is_stable(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct addr a = {0}, again = {0};
        if (addr_parse(text_of(cases[i].in), 0, &a, NULL) != TIDE_OK)
            continue;
        T_EQ(addr_parse(addr_text(&a), 0, &again, NULL), TIDE_OK, "%s", a.normal);
        T_STR(again.normal, a.normal, "the normal form's normal form");
        T_EQ(again.local_n, a.local_n, "%s", a.normal);
    }
}

static void test_nul_is_refused(void **state)
{
    (void)state;
    struct addr a;
    T_EQ(addr_parse((struct text){"a\0b@x.org", 9}, 0, &a, NULL), TIDE_EADDR, "local part");
    T_EQ(addr_parse((struct text){"ab@x\0.org", 9}, 0, &a, NULL), TIDE_EADDR, "domain");
    T_EQ(addr_parse((struct text){"\"a\0\"@x.org", 10}, 0, &a, NULL), TIDE_EADDR, "quoted");
    T_EQ(addr_parse((struct text){"a@[::1\0]", 8}, ADDR_LITERAL, &a, NULL), TIDE_EADDR, "literal");
}

static void test_literals(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
    } literals[] = {
        {"a@[192.0.2.1]", "a@[192.0.2.1]"},
        {"a@[IPv6:2001:DB8:0:0::1]", "a@[ipv6:2001:db8::1]"},
        {"a@[2001:db8::1]", NULL},
        {"a@[192.0.2.256]", NULL},
        {"a@[192.0.2.1", NULL},
        {"a@[]", NULL},
        {"a@[tag:text]", NULL},
    };
    for (size_t i = 0; i < TIDE_COUNT(literals); i++) {
        struct addr a = {0};
        enum tide_err rc = addr_parse(text_of(literals[i].in), ADDR_LITERAL, &a, NULL);
        T_EQ(rc, literals[i].want ? TIDE_OK : TIDE_EADDR, "%s", literals[i].in);
        if (literals[i].want)
            T_STR(a.normal, literals[i].want, "%s", literals[i].in);
    }
}

static void test_counting_key(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
        struct addr_folding folding;
    } keys[] = {
        {"A.b+c@x.org", "A.b+c@x.org", {0}},
        {"A.b+c@x.org", "Ab@x.org", {.ignores_dots = true, .subaddress_sep = '+'}},
        {"A.b+c@x.org",
         "ab@x.org",
         {.ignores_case = true, .ignores_dots = true, .subaddress_sep = '+'}},
        {"a-b@x.org", "a@x.org", {.subaddress_sep = '-'}},
        {"+b@x.org", "+b@x.org", {.subaddress_sep = '+'}}, /* never an empty local part */
        {"\"A b+c\"@x.org", "\"A b+c\"@x.org", {.ignores_case = true, .subaddress_sep = '+'}},
    };
    for (size_t i = 0; i < TIDE_COUNT(keys); i++) {
        struct addr a = {0};
        char out[ADDR_BYTES_MAX + 1];
        T_EQ(addr_parse(text_of(keys[i].in), 0, &a, NULL), TIDE_OK, "%s", keys[i].in);
        T_STR(addr_counting_key(&a, keys[i].folding, out), keys[i].want, "%s", keys[i].in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addr_parse),     cmocka_unit_test(test_normal_form_is_stable),
        cmocka_unit_test(test_nul_is_refused), cmocka_unit_test(test_literals),
        cmocka_unit_test(test_counting_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
