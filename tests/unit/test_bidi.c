/* RFC 5893 2, rule by rule; Hebrew alef U+05D0 is R, Arabic alef U+0627 is AL, U+0661 is AN. */
#include "core/address/bidi.h"
#include "core/address/domain.h"
#include "lib/check.h"

static const struct {
    const char *name;
    int rule;
    const char *label;
} cases[] = {
    {"example.org", 0, ""},
    {"1.2-3.b\u00FCcher", 0, ""}, /* no Bidi name: the rules do not apply */
    {"\u05D0.org", 0, ""},
    {"\u05D0\u05D1-1.org", 0, ""},
    {"\u0627\u0661.org", 0, ""},
    {"\u0661.org", 1, "\u0661"},
    {"1.\u05D0", 1, "1"},
    {"-a.\u05D0", 1, "-a"},
    {"1\u05D0.org", 1, "1\u05D0"},
    {"\u0301\u05D0.org", 1, "\u0301\u05D0"},
    {"\u05D0a\u05D0.org", 2, "\u05D0a\u05D0"},
    {"\u05D0-.org", 3, "\u05D0-"},
    {"\u05D0\u05B0.org", 0, ""}, /* a mark behind it is no end */
    {"\u05D0-\u05B0.org", 3, "\u05D0-\u05B0"},
    {"\u06271\u0661.org", 4, "\u06271\u0661"},
    {"\u0627\u06F1\u0661.org", 4, "\u0627\u06F1\u0661"},
    {"\u06271.org", 0, ""},
    {"a\u05D0.org", 5, "a\u05D0"},
    {"a\u0661.org", 5, "a\u0661"},
    {"a-.\u05D0", 6, "a-"},
    {"a1.\u05D0", 0, ""},
    {"a\u0301.\u05D0", 0, ""},
    {"a\u00B7.\u05D0", 6, "a\u00B7"},
    {"\u0430\u0431.\u05D0", 0, ""}, /* Cyrillic */
    {"a..\u05D0", 1, ""},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct text label = TEXT("");
        T_EQ(bidi_check(text_of(cases[i].name), &label), cases[i].rule, "%s", cases[i].name);
        T_TEXT(label, cases[i].label, "%s", cases[i].name);
    }
}

/* Written in Unicode or as A-labels, it is the same name. */
static void test_domains(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool want;
    } names[] = {
        {"1.\u05D0.org", false},    {"1.xn--4db.org", false},   {"a.\u05D0.org", true},
        {"mail.xn--4db.org", true}, {"3com.\u05D0.org", false}, {"3com.com", true},
    };
    for (size_t i = 0; i < TIDE_COUNT(names); i++) {
        struct domain d;
        struct tide_error err = {0};
        bool ok = domain_parse(text_of(names[i].name), &d, &err) == TIDE_OK;
        T_EQ(ok, names[i].want, "%s: %s", names[i].name, err.text);
        if (!ok)
            T_TRUE(strstr(err.text, "breaks rule 1 of RFC 5893 2"), "%s", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules),
                                       cmocka_unit_test(test_domains)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
