/* Names that programs leave without a domain. */
#include "cmd/mailtide/local_names.h"

#include "base/macros.h"
#include "lib/check.h"

static const char aliases[] = "# aliases(5)\n"
                              "postmaster: root\n"
                              "root:\tann@example.org, bob@example.org\n"
                              "\"odd name\": odd@example.org\n"
                              "piped: |/bin/cat, /var/mail/x, :include:/x, \"|quoted\",\n"
                              "\tpiped@example.org\n"
                              "loop: pool\npool: loop\n"
                              "nowhere: |/bin/cat\n"
                              "folded:\n  f@example.org\n"
                              "last: l@example.org";

static const struct {
    const char *name, *want;
} cases[] = {
    {"ann@x.org", "ann@x.org"},
    {"root", "ann@example.org"},
    {"Postmaster", "ann@example.org"},
    {"odd name", "odd@example.org"},
    {"piped", "piped@example.org"},
    {"nowhere", "nowhere@host.test"},
    {"folded", "f@example.org"},
    {"last", "l@example.org"},
    {"ann", "ann@host.test"},
    {"loop", "loop@host.test"},
    {"# aliases(5)", "# aliases(5)@host.test"},
};

static void test_aliases(void **state)
{
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        T_TEXT(local_alias(&a, TEXT(aliases), text_of(cases[i].name), "host.test"), cases[i].want,
               "%s", cases[i].name);
    T_TEXT(local_alias(&a, TEXT(""), TEXT("ann"), "host.test"), "ann@host.test", "no aliases");
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_aliases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
