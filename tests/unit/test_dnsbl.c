/* Block lists: who is listed, and everything that is no listing. And the files that name them. */
#include "core/verify/sender_rules.h"
#include "io/loop/files.h"
#include "lib/check.h"
#include "lib/dns_world.h"

#include <arpa/inet.h>

static char *codes[] = {(char *)(uintptr_t) "127.0.0.2 a spam source",
                        (char *)(uintptr_t) "127.0.0.4 an exploited machine"};
static char *bit_codes[] = {(char *)(uintptr_t) "2 black", (char *)(uintptr_t) "8 red"};

#define S(s) ((char *)(uintptr_t)(s))
#define ZONE(z)                                                                       \
    {                                                                                 \
        .name = S(z), .title = S(z), .zone = S(z), .addresses = true, .codes = codes, \
        .code_count = 2, .delist = S("x")                                             \
    }

static const struct dnsbl_zone zones[] = {
    ZONE("good.example"),
    ZONE("dead.example"),
    ZONE("wild.example"),
    ZONE("deaf.example"),
    ZONE("public.example"),
    {.name = S("names"),
     .zone = S("names.example"),
     .domains = true,
     .bits = true,
     .codes = bit_codes,
     .code_count = 2,
     .test = S("test.invalid")},
};

static const struct {
    const char *name, *address;
} listed[] = {
    {"2.0.0.127.good.example", "127.0.0.2"},
    {"1.2.0.192.good.example", "127.0.0.4"},
    {"2.2.0.192.good.example", "127.0.0.99"},
    {"3.2.0.192.good.example", "192.0.2.3"},
    {"4.2.0.192.good.example", "127.255.255.254"},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.good.example", "127.0.0.2"},
    {"2.0.0.127.wild.example", "127.0.0.2"},
    {"1.0.0.127.wild.example", "127.0.0.2"},
    {"9.2.0.192.wild.example", "127.0.0.2"},
    {"2.0.0.127.public.example", "127.255.255.254"},
    {"test.invalid.names.example", "127.0.0.2"},
    {"bad.org.names.example", "127.0.0.12"},
    {"asked.org.names.example", "127.0.0.1"},
};

static const struct {
    size_t zone;
    const char *what;
    enum dnsbl_result want;
    const char *why;
} cases[] = {
    {0, "192.0.2.1", DNSBL_LISTED, "an exploited machine"},
    {0, "192.0.2.9", DNSBL_CLEAR, ""},
    {0, "192.0.2.2", DNSBL_UNKNOWN, "the list answers with a code that it does not document"},
    {0, "192.0.2.3", DNSBL_UNKNOWN, "the list answers with a code that it does not document"},
    {0, "192.0.2.4", DNSBL_UNKNOWN,
     "the list refuses to answer this resolver (127.255.255.x): ask it through a resolver of your "
     "own"},
    {0, "2001:db8::1", DNSBL_LISTED, "a spam source"},
    {1, "192.0.2.1", DNSBL_UNKNOWN, "the list does not list its own test entry: it is dead"},
    {2, "192.0.2.9", DNSBL_UNKNOWN, "the list, or the resolver, lists everything"},
    {3, "192.0.2.1", DNSBL_UNKNOWN, "no name server answered in time"},
    {4, "192.0.2.1", DNSBL_UNKNOWN,
     "the list refuses to answer this resolver (127.255.255.x): ask it through a resolver of your "
     "own"},
    {5, "bad.org", DNSBL_LISTED, "red"},
    {5, "good.org", DNSBL_CLEAR, ""},
    {5, "asked.org", DNSBL_UNKNOWN, "the list answers with a code that it does not document"},
};

static void test_listings(void **state)
{
    (void)state;
    struct dns_world *w = dns_world_new();
    for (size_t i = 0; i < TIDE_COUNT(listed); i++)
        dns_world_add(w, text_of(listed[i].name), DNS_A, text_of(listed[i].address));
    dns_world_add(w, TEXT("1.2.0.192.good.example"), DNS_TXT, TEXT("see http://good.example/?1"));
    dns_world_status(w, TEXT("2.0.0.127.deaf.example"), 0, DNS_TIMEOUT);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        const struct dnsbl_zone *z = &zones[cases[i].zone];
        struct arena arena = {0};
        struct dnsbl d;
        struct question todo;
        uint8_t ip[16];
        bool v6 = strchr(cases[i].what, ':') != NULL;
        if (z->domains) {
            dnsbl_init_domain(&d, z, text_of(cases[i].what), &arena);
        } else {
            T_EQ(inet_pton(v6 ? AF_INET6 : AF_INET, cases[i].what, ip), 1, "ip");
            dnsbl_init_ip(&d, z, ip, v6, &arena);
        }
        dnsbl_start(&d, &todo);
        T_TRUE(dns_world_run(w, todo, dnsbl_feed, &d) <= 4, "four questions at most");
        T_EQ(d.result, cases[i].want, "%s at %s", cases[i].what, z->zone);
        T_TEXT(d.what, cases[i].why, "%s at %s", cases[i].what, z->zone);
        if (i == 0)
            T_TEXT(d.reason, "see http://good.example/?1", "the list's own words");
        arena_fini(&arena);
    }
    dns_world_free(w);
}

static void test_the_files_are_right(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct sender_rules rules;
    struct tide_error err;
    T_OK(config_load(NULL, &files_source, &config, &err), &err, "config");
    T_OK(sender_rules_load(config, &files_source, &rules, &err), &err, "rules");
    T_TRUE(rules.zone_count >= 11 && rules.demand_count >= 19, "they are there");
    for (size_t i = 0; i < rules.demand_count; i++)
        T_TRUE(profiles_provider(&config->profiles, text_of(rules.demands[i].provider)),
               "%s is a profile", rules.demands[i].provider);
    for (size_t i = 0; i < rules.zone_count; i++)
        for (size_t k = 0; k < rules.zones[i].code_count; k++)
            T_TRUE(strchr(rules.zones[i].codes[k], ' '), "%s: a code and its meaning",
                   rules.zones[i].codes[k]);
    sender_rules_fini(&rules);
    config_free(config);
}

static const struct {
    const char *text, *error;
} wrong[] = {
    {"zones: { a: { title = \"A\"; }; };",
     "x.conf:1: zones.a: want all of title, zone, codes, delist, reference and date"},
    {"list: { };", "x.conf:1: list: want zones or demands"},
    {"demands: { a: { topik = \"spf\"; }; };",
     "x.conf:1: demands.a.topik: there is no such key; did you mean topic?"},
};

static void test_mistakes_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(wrong); i++) {
        struct sender_rules r = {0};
        struct tide_error err = {0};
        T_TRUE(sender_rules_add(&r, "x.conf", text_of(wrong[i].text), &err) != TIDE_OK, "%s",
               wrong[i].text);
        T_STR(err.text, wrong[i].error, "%s", wrong[i].text);
        sender_rules_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listings),
        cmocka_unit_test(test_the_files_are_right),
        cmocka_unit_test(test_mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
