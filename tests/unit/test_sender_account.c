/* What an account says about mail through it: the envelope domain, own addresses, selectors. */
#include "core/verify/sender_account.h"
#include "lib/check.h"
#include "lib/config_text.h"

#include <stdio.h>

#define X60 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const char config_text[] =
    "schedules = [\"sched\"];\n"
    "bounce: { domain = \"bounces.example.com\"; };\n"
    "accounts: {\n"
    "  named: { type = \"smtp\"; host = \"h\"; mail_from = \"Send.Example.NET\"; };\n"
    "  below: { type = \"smtp\"; host = \"h\"; mail_from = \"pm.{domain}\"; ips = [\"192.0.2.1\","
    " \"2001:db8::1\"]; selectors = [\"k1\"]; };\n"
    "  made: { type = \"smtp\"; host = \"h\"; };\n"
    "  plain: { type = \"smtp\"; host = \"h\"; verp = false; };\n"
    "  api: { type = \"https\"; api = \"resend\"; base_url = \"https://x.example\"; key = \"k\"; "
    "};\n"
    "};\n";

static const struct {
    const char *account, *given, *mail_from;
    size_t ips, selectors;
} cases[] = {
    {"named", "", "send.example.net", 0, 0},
    {"below", "", "pm.shop.example", 2, 1},
    {"below", "told.example", "told.example", 2, 1}, /* what is said beside it counts more */
    {"made", "", "bounces.example.com", 0, 0},
    {"plain", "", "shop.example", 0, 0},
    {"api", "", "shop.example", 0, 0}, /* the ESP makes its own */
};

static void test_envelope_domain(void **state)
{
    (void)state;
    const struct config_text files[] = {{"mailtide.conf", config_text}};
    struct config *c = config_of_texts(files, 1);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        static struct sender_account keep;
        struct sender_input in = {.domain = TEXT("shop.example"),
                                  .mail_from = text_of(cases[i].given)};
        struct tide_error err = {0};
        const char *name = cases[i].account;
        int at = config_account_index(c, text_of(name));
        T_TRUE(at >= 0, "%s", name);
        T_OK(sender_account_take(&keep, c, &c->accounts[at], &in, &err), &err, "%s", name);
        T_TEXT(in.mail_from, cases[i].mail_from, "%s", name);
        T_EQ(in.ip_count, cases[i].ips, "%s", name);
        T_EQ(in.selector_count, cases[i].selectors, "%s", name);
    }
    config_free(c);
}

/* A From so long that there is no such domain below it. */
static void test_too_long(void **state)
{
    (void)state;
    const struct config_text files[] = {{"mailtide.conf", config_text}};
    struct config *c = config_of_texts(files, 1);
    static struct sender_account keep;
    char from[256];
    snprintf(from, sizeof from, "%.60s.%.60s.%.60s.%.60s.example", X60, X60, X60, X60);
    struct sender_input in = {.domain = text_of(from)};
    struct tide_error err = {0};
    int at = config_account_index(c, TEXT("below"));
    T_EQ(sender_account_take(&keep, c, &c->accounts[at], &in, &err), TIDE_EADDR, "too long");
    T_TRUE(strstr(err.text, "mail_from of account below"), "%s", err.text);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_envelope_domain),
                                       cmocka_unit_test(test_too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
