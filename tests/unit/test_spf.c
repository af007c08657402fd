/* What check_host() says beside its result, the audit of a record, and the bounds. The results
 * themselves are tested by the RFC's own suite (tests/conformance/test_spf_corpus.c). */
#include "core/verify/spf.h"
#include "lib/check.h"
#include "lib/dns_world.h"

static const struct {
    const char *name;
    enum dns_type type;
    const char *data;
} records[] = {
    {"example.org", DNS_TXT, "v=spf1 a mx include:esp.example ip4:192.0.2.0/24 -all"},
    {"example.org", DNS_A, "198.51.100.1"},
    {"example.org", DNS_MX, "10 mx.example.org"},
    {"mx.example.org", DNS_A, "198.51.100.2"},
    {"mx.example.org", DNS_AAAA, "2001:db8::2"},
    {"esp.example", DNS_TXT, "v=spf1 include:_a.esp.example ip4:203.0.113.0/24 ~all"},
    {"_a.esp.example", DNS_TXT, "v=spf1 ip6:2001:db8:1::/48"},
    {"typo.org", DNS_TXT, "v=spf1 ipv4:192.0.2.1 -all"},
    {"two.org", DNS_TXT, "v=spf1 -all"},
    {"two.org", DNS_TXT, "v=spf1 ~all"},
    {"lost.org", DNS_TXT, "v=spf1 include:gone.example -all"},
    {"slow.org", DNS_TXT, "v=spf1 a:slow.example -all"},
    {"moved.org", DNS_TXT, "v=spf1 redirect=example.org"},
    {"open.org", DNS_TXT, "v=spf1 ptr +all"},
    {"many.org", DNS_TXT,
     "v=spf1 a:a.many.org a:b.many.org a:c.many.org a:d.many.org a:e.many.org a:f.many.org "
     "a:g.many.org a:h.many.org a:i.many.org a:j.many.org a:k.many.org -all"},
    {"a.many.org", DNS_A, "198.51.100.9"},
    {"self.org", DNS_TXT, "v=spf1 include:self.org -all"},
    {"six.org", DNS_TXT, "v=spf1 mx a:x.six.org -all"},
    {"six.org", DNS_MX, "10 a.six.org"},
    {"six.org", DNS_MX, "10 b.six.org"},
    {"six.org", DNS_MX, "10 c.six.org"},
    {"a.six.org", DNS_A, "198.51.100.3"},
    {"b.six.org", DNS_A, "198.51.100.4"},
    {"c.six.org", DNS_A, "198.51.100.5"},
    {"x.six.org", DNS_AAAA, "2001:db8::9"},
};

static struct dns_world *world;

static int make_world(void **state)
{
    (void)state;
    world = dns_world_new();
    for (size_t i = 0; i < TIDE_COUNT(records); i++)
        dns_world_add(world, text_of(records[i].name), records[i].type, text_of(records[i].data));
    dns_world_status(world, TEXT("slow.example"), 0, DNS_TIMEOUT);
    return 0;
}

static int free_world(void **state)
{
    (void)state;
    dns_world_free(world);
    return 0;
}

#define IP4(a, b, c, d) \
    {                   \
        a, b, c, d      \
    }

static const struct {
    const char *domain;
    uint8_t ip[4];
    enum spf_result want;
    const char *matched, *of, *problem;
} cases[] = {
    {"example.org", IP4(198, 51, 100, 1), SPF_PASS, "a", "example.org", ""},
    {"example.org", IP4(198, 51, 100, 2), SPF_PASS, "mx", "example.org", ""},
    {"example.org", IP4(203, 0, 113, 7), SPF_PASS, "ip4:203.0.113.0/24", "esp.example", ""},
    {"example.org", IP4(192, 0, 2, 255), SPF_PASS, "ip4:192.0.2.0/24", "example.org", ""},
    {"example.org", IP4(8, 8, 8, 8), SPF_FAIL, "-all", "example.org", ""},
    {"moved.org", IP4(8, 8, 8, 8), SPF_FAIL, "-all", "example.org", ""},
    {"typo.org", IP4(8, 8, 8, 8), SPF_PERMERROR, "", "",
     "the SPF record of typo.org: \"ipv4:192.0.2.1\": there is no such mechanism; it is written "
     "ip4"},
    {"two.org", IP4(8, 8, 8, 8), SPF_PERMERROR, "", "",
     "two.org has more than one SPF record (RFC 7208 4.5)"},
    {"lost.org", IP4(8, 8, 8, 8), SPF_PERMERROR, "", "",
     "include:gone.example: there is no SPF record"},
    {"slow.org", IP4(8, 8, 8, 8), SPF_TEMPERROR, "", "",
     "slow.example A: no name server answered in time"},
    {"many.org", IP4(8, 8, 8, 8), SPF_PERMERROR, "", "",
     "more than 2 DNS lookups find nothing, the last one d.many.org (RFC 7208 4.6.4)"},
    {"self.org", IP4(8, 8, 8, 8), SPF_PERMERROR, "", "",
     "more than 10 DNS lookups are needed (RFC 7208 4.6.4)"},
    {"nothing.example", IP4(8, 8, 8, 8), SPF_NONE, "", "", ""},
};

static void test_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena arena = {0};
        struct spf s;
        struct question todo;
        struct spf_input in = {.mail_from = text_of(cases[i].domain), .helo = TEXT("h.example")};
        char from[80];
        snprintf(from, sizeof from, "ann@%s", cases[i].domain);
        in.mail_from = text_of(from);
        memcpy(in.ip, cases[i].ip, 4);
        spf_init(&s, &in, &arena);
        spf_start(&s, &todo);
        dns_world_run(world, todo, spf_feed, &s);
        T_STR(spf_result_name(s.result), spf_result_name(cases[i].want), "%s", cases[i].domain);
        T_STR(s.problem, cases[i].problem, "%s", cases[i].domain);
        T_TEXT(s.matched, cases[i].matched, "%s", cases[i].domain);
        T_TEXT(s.matched_domain, cases[i].of, "%s", cases[i].domain);
        spf_fini(&s);
        arena_fini(&arena);
    }
}

/* Three MX hosts without IPv6 are no void lookups for an IPv6 client. */
static void test_ipv6_client_and_ipv4_hosts(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct spf s;
    struct question todo;
    struct spf_input in = {.mail_from = TEXT("ann@six.org"), .helo = TEXT("h"), .is_v6 = true};
    memcpy(in.ip, (const uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, [15] = 9}, 16);
    spf_init(&s, &in, &arena);
    spf_start(&s, &todo);
    dns_world_run(world, todo, spf_feed, &s);
    T_STR(spf_result_name(s.result), "pass", "%s", s.problem);
    T_EQ(s.voids, 0, "void lookups");
    spf_fini(&s);
    arena_fini(&arena);
}

static const struct {
    const char *domain;
    enum spf_result want;
    unsigned lookups, voids;
    size_t seen;
    const char *last_seen, *all;
    bool has_ptr;
} audits[] = {
    {"example.org", SPF_NEUTRAL, 4, 0, 2, "_a.esp.example", "-all", false},
    {"moved.org", SPF_NEUTRAL, 5, 0, 3, "_a.esp.example", "-all", false},
    {"open.org", SPF_NEUTRAL, 1, 0, 0, NULL, "+all", true},
    {"many.org", SPF_NEUTRAL, 11, 10, 0, NULL, "-all", false},
    {"typo.org", SPF_PERMERROR, 0, 0, 0, NULL, NULL, false},
    {"self.org", SPF_PERMERROR, 11, 0, 10, "self.org", NULL, false},
    {"nothing.example", SPF_NONE, 0, 0, 0, NULL, NULL, false},
};

static void test_audit(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(audits); i++) {
        struct arena arena = {0};
        struct spf s;
        struct question todo;
        const char *name = audits[i].domain;
        struct spf_input in = {.helo = text_of(name), .audit = true};
        spf_init(&s, &in, &arena);
        spf_start(&s, &todo);
        dns_world_run(world, todo, spf_feed, &s);
        T_STR(spf_result_name(s.result), spf_result_name(audits[i].want), "%s: %s", name,
              s.problem);
        T_EQ(s.voids, audits[i].voids, "%s: voids", name);
        T_EQ(s.seen_count, audits[i].seen, "%s: domains seen", name);
        T_EQ(s.lookups, audits[i].lookups, "%s: lookups", name);
        if (audits[i].last_seen)
            T_TEXT(s.seen[s.seen_count - 1], audits[i].last_seen, "%s", name);
        T_EQ(s.all != NULL, audits[i].all != NULL, "%s: all", name);
        if (s.all)
            T_TEXT(s.all->written, audits[i].all, "%s", name);
        T_EQ(s.has_ptr, audits[i].has_ptr, "%s: ptr", name);
        spf_fini(&s);
        arena_fini(&arena);
    }
}

/* Whatever memory runs out, it ends, with temperror or with what it had found out. */
static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t max = 16; max < 6000; max += 16) {
        struct arena arena;
        struct spf s;
        struct question todo;
        struct spf_input in = {.mail_from = TEXT("ann@example.org"), .helo = TEXT("h.example")};
        memcpy(in.ip, (const uint8_t[4])IP4(203, 0, 113, 7), 4);
        arena_init(&arena, max);
        spf_init(&s, &in, &arena);
        spf_start(&s, &todo);
        dns_world_run(world, todo, spf_feed, &s);
        T_TRUE(s.result == SPF_TEMPERROR || s.result == SPF_PASS, "%zu bytes: %s", max,
               spf_result_name(s.result));
        spf_fini(&s);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_ipv6_client_and_ipv4_hosts),
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
