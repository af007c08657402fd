#include "core/address/domain.h"
#include "lib/check.h"

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

static const struct {
    const char *in, *want; /* ASCII form, or a piece of the error's text */
    bool ok, idn, mapped;
} cases[] = {
    {"example.org", "example.org", true, false, false},
    {"EXAMPLE.Org", "example.org", true, false, false},
    {"bücher.de", "xn--bcher-kva.de", true, true, false},
    {"BÜCHER.de", "xn--bcher-kva.de", true, true, true},
    {"xn--bcher-kva.de", "xn--bcher-kva.de", true, true, false},
    {"XN--BCHER-KVA.DE", "xn--bcher-kva.de", true, true, false},
    {"a\u200b.com", "a.com", true, false, true}, /* zero-width space */
    {"\uff41.com", "a.com", true, false, true},  /* full-width a */
    {"例え。jp", "xn--r8jz45g.jp", true, true, true},
    {X60 "abc.org", X60 "abc.org", true, false, false},
    {X60 "abcd.org", "has 64 octets as ASCII, 63 are possible", false, false, false},
    {X60 "." X60 "." X60 "." X60 ".1234567.org", "has 255 octets as ASCII", false, false, false},
    {"a_b.com", "octet 2 ('_')", false, false, false},
    {"ex ample.com", "octet 3 (0x20)", false, false, false},
    {"bü@cher.com", "octet 4 ('@')", false, false, false},
    {"bü_cher.com", "octet 4 ('_')", false, false, false},
    {"a..b", "octet 3 ('.'): a label is empty", false, false, false},
    {".a", "octet 1 ('.'): a label is empty", false, false, false},
    {"a.", "octet 2 ('.'): a domain does not end in a dot", false, false, false},
    {"-a.org", "octet 1 ('-'): a label neither", false, false, false},
    {"a-.org", "octet 2 ('-'): a label neither", false, false, false},
    {"ab--c.org", "octet 3 ('-'): hyphens as third", false, false, false},
    {"xn--0.tld", "RFC 5891", false, false, false},
    {"192.0.2.1", "is a number", false, false, false},
    {"\xff.org", "not well-formed UTF-8", false, false, false},
    {"", "there is no domain", false, false, false},
};

static void test_domain_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct domain d = {0};
        struct tide_error err = {0};
        enum tide_err rc = domain_parse(text_of(cases[i].in), &d, &err);
        T_EQ(rc, cases[i].ok ? TIDE_OK : TIDE_EADDR, "%s: %s", cases[i].in, err.text);
        if (!cases[i].ok) {
            T_TRUE(strstr(err.text, cases[i].want), "%s: \"%s\" does not say \"%s\"", cases[i].in,
                   err.text, cases[i].want);
            continue;
        }
        T_STR(d.ascii, cases[i].want, "%s", cases[i].in);
        T_EQ(d.is_idn, cases[i].idn, "%s: idn", cases[i].in);
        T_EQ(d.mapped, cases[i].mapped, "%s: mapped", cases[i].in);
        T_TRUE(domain_is_ldh(domain_text(&d)), "%s", d.ascii);
    }
}

static void test_domain_unicode(void **state)
{
    (void)state;
    char out[DOMAIN_INPUT_BYTES_MAX];
    T_STR(domain_unicode(TEXT("xn--bcher-kva.de"), out), "bücher.de", "A-label");
    T_STR(domain_unicode(TEXT("example.org"), out), "example.org", "plain");
    T_STR(domain_unicode(TEXT("xn--0.tld"), out), "xn--0.tld", "not decodable: as it is");
}

static void test_domain_is_ip(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1", "::1", "[192.0.2.1]", "[IPv6:2001:db8::1]"};
    static const char *const no[] = {"example.org", "1.2.3", "", "[]", "256.0.0.1", "a::b::c"};
    for (size_t i = 0; i < TIDE_COUNT(yes); i++)
        T_TRUE(domain_is_ip(text_of(yes[i])), "%s", yes[i]);
    for (size_t i = 0; i < TIDE_COUNT(no); i++)
        T_TRUE(!domain_is_ip(text_of(no[i])), "%s", no[i]);
}

static void test_registrable(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"a.b.example.com", "example.com"},
        {"example.co.uk", "example.co.uk"},
        {"co.uk", ""},
        {"com", ""},
    };
    struct suffixes *s = NULL;
    struct tide_error err = {0};
    T_OK(suffixes_open(&s, &err), &err, "open");
    for (size_t i = 0; i < TIDE_COUNT(names); i++) {
        struct domain d = {0};
        T_OK(domain_parse(text_of(names[i][0]), &d, &err), &err, "%s", names[i][0]);
        T_TEXT(suffixes_registrable(s, &d), names[i][1], "%s", names[i][0]);
    }
    suffixes_close(s);
}

static void test_within(void **state)
{
    static const struct {
        const char *name, *domain;
        bool want;
    } names[] = {
        {"example.org", "example.org", true},    {"a.b.Example.org", "exAmple.org", true},
        {".example.org", "example.org", true},   {"notexample.org", "example.org", false},
        {"example.org", "a.example.org", false}, {"org", "example.org", false},
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(names); i++)
        T_EQ(domain_is_within(text_of(names[i].name), text_of(names[i].domain)), names[i].want,
             "%s within %s", names[i].name, names[i].domain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domain_parse), cmocka_unit_test(test_domain_unicode),
        cmocka_unit_test(test_domain_is_ip), cmocka_unit_test(test_registrable),
        cmocka_unit_test(test_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
