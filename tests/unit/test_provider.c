#include "core/verify/provider.h"
#include "lib/check.h"

#define S(text) ((char *)(uintptr_t)(text))

static char *google_mx[] = {S(".l.google.com"), S("smtp.google.com")};
static char *google_domains[] = {S("Gmail.com")};
static char *qq_mx[] = {S("mx1.qq.com"), S("mx2.qq.com"), S("mx3.qq.com")};
static char *exmail_mx[] = {S("mxbiz1.qq.com"), S("mxbiz2.qq.com")};
static char *tail_mx[] = {S(".qq.com")};
static char *mimecast_mx[] = {S(".mimecast.com")};
static char *comcast_domains[] = {S("comcast.net")};

static struct profile providers[] = {
    {.name = S("google"),
     .mx_suffixes = google_mx,
     .mx_suffix_count = 2,
     .domains = google_domains,
     .domain_count = 1},
    {.name = S("tail"), .mx_suffixes = tail_mx, .mx_suffix_count = 1},
    {.name = S("qq"), .mx_suffixes = qq_mx, .mx_suffix_count = 3},
    {.name = S("exmail"), .mx_suffixes = exmail_mx, .mx_suffix_count = 2},
    {.name = S("mimecast"), .mx_suffixes = mimecast_mx, .mx_suffix_count = 1, .is_gateway = true},
    {.name = S("comcast"), .domains = comcast_domains, .domain_count = 1},
};

static const struct {
    const char *domain, *hosts[3], *provider, *gateway;
    bool by_domain;
} cases[] = {
    {"a.org", {"aspmx.l.google.com", "alt1.aspmx.l.google.com"}, "google", "", false},
    {"a.org", {"smtp.google.com"}, "google", "", false},
    {"a.org", {"x.smtp.google.com"}, "", "", false}, /* no dot in front: the whole host only */
    {"a.org", {"l.google.com"}, "", "", false},      /* below it, not itself */
    {"a.org", {"evil-l.google.com.example"}, "", "", false},
    {"client.asia", {"mxbiz1.qq.com", "mxbiz2.qq.com"}, "exmail", "", false},
    {"client.asia", {"mxbiz1.qq.com", "mx2.qq.com"}, "", "", false}, /* they disagree */
    {"client.asia", {"new.qq.com"}, "tail", "", false}, /* the longest claim wins, else the tail */
    {"a.org", {"aspmx.l.google.com", "own.a.org"}, "", "", false},
    {"a.org", {"us-smtp-inbound-1.mimecast.com"}, "", "mimecast", false},
    {"a.org", {"x.mimecast.com", "aspmx.l.google.com"}, "google", "mimecast", false},
    {"comcast.net", {"mx1.comcast.net"}, "comcast", "", true},
    {"gmail.com", {"own.gmail.com"}, "google", "", true},
    {"sub.comcast.net", {"mx1.comcast.net"}, "", "", false},
    {"comcast.net", {NULL}, "comcast", "", true},
    {"a.org", {NULL}, "", "", false},
    {"a.org", {"localhost"}, "", "", false},
};

static const char *name_of(const struct profile *p)
{
    return p ? p->name : "";
}

static void test_match(void **state)
{
    (void)state;
    struct profiles all = {.providers = providers, .provider_count = TIDE_COUNT(providers)};
    struct provider_index ix;
    struct tide_error err = {0};
    T_OK(provider_index_init(&ix, &all, &err), &err, "index");
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct text hosts[3];
        size_t n = 0;
        while (n < 3 && cases[i].hosts[n]) {
            hosts[n] = text_of(cases[i].hosts[n]);
            n++;
        }
        struct provider_match m = provider_match(&ix, text_of(cases[i].domain), hosts, n);
        T_STR(name_of(m.provider), cases[i].provider, "%s, case %zu", cases[i].domain, i);
        T_STR(name_of(m.gateway), cases[i].gateway, "%s, case %zu", cases[i].domain, i);
        T_EQ(m.by_domain, cases[i].by_domain, "%s, case %zu", cases[i].domain, i);
    }
    provider_index_fini(&ix);
}

static void test_suggest(void **state)
{
    (void)state;
    static const char *const slips[][2] = {
        {"gmial.com", "Gmail.com"}, {"gmail.con", "Gmail.com"}, {"comcats.net", "comcast.net"},
        {"gmail.com", ""},          {"example.org", ""},        {"a.b", ""},
        {"gmailers.com", ""},
    };
    struct profiles all = {.providers = providers, .provider_count = TIDE_COUNT(providers)};
    struct provider_index ix;
    struct tide_error err = {0};
    T_OK(provider_index_init(&ix, &all, &err), &err, "index");
    for (size_t i = 0; i < TIDE_COUNT(slips); i++)
        T_TEXT(provider_suggest(&ix, text_of(slips[i][0])), slips[i][1], "%s", slips[i][0]);
    provider_index_fini(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_suggest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
