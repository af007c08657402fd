#include "core/dns/cache.h"
#include "lib/check.h"

static const struct dns_cache_limits limits = {
    .entries_max = 4,
    .ttl_max_ms = TIME_DAY_MS,
    .negative_ttl_max_ms = TIME_HOUR_MS,
    .stale_max_ms = 2 * TIME_HOUR_MS,
};

#define T0 (1000 * TIME_DAY_MS)

static struct dns_question ask(const char *name, enum dns_type type)
{
    struct dns_question q;
    T_EQ(dns_question_init(&q, text_of(name), type, NULL), TIDE_OK, "%s", name);
    return q;
}

static const struct dns_rr two_mx[] = {
    {.ttl_s = 300, .preference = 5, .data = {"mxbiz1.qq.com", 13}},
    {.ttl_s = 600, .preference = 10, .data = {"mxbiz2.qq.com", 13}},
};

static struct dns_answer mx_answer(uint32_t ttl)
{
    return (struct dns_answer){.status = DNS_OK,
                               .type = DNS_MX,
                               .canonical = TEXT("client.asia"),
                               .ttl_s = ttl,
                               .rrs = two_mx,
                               .rr_count = 2};
}

static void put(struct dns_cache *c, const char *name, uint32_t ttl, tide_wall_ms now)
{
    struct dns_question q = ask(name, DNS_MX);
    struct dns_answer a = mx_answer(ttl);
    dns_cache_put(c, &q, &a, now);
}

static enum dns_freshness get(struct dns_cache *c, const char *name, tide_wall_ms now)
{
    struct dns_question q = ask(name, DNS_MX);
    struct arena arena = {0};
    struct dns_answer a;
    enum dns_freshness f = dns_cache_get(c, &q, now, &arena, &a);
    if (f != DNS_ABSENT) {
        T_EQ(a.rr_count, 2, "%s", name);
        T_EQ(a.rrs[1].preference, 10, "%s", name);
        T_TEXT(a.rrs[1].data, "mxbiz2.qq.com", "%s", name);
        T_EQ(a.stale, f == DNS_STALE, "%s", name);
    }
    arena_fini(&arena);
    return f;
}

static void test_times(void **state)
{
    (void)state;
    struct dns_cache c;
    dns_cache_init(&c, &limits);
    put(&c, "a.org", 300, T0);
    T_EQ(get(&c, "A.ORG", T0), DNS_FRESH, "case does not matter");
    T_EQ(get(&c, "a.org", T0 + 299999), DNS_FRESH, "to the last millisecond");
    T_EQ(get(&c, "a.org", T0 + 300000), DNS_STALE, "then stale");
    T_EQ(get(&c, "a.org", T0 + 300000 + 2 * TIME_HOUR_MS - 1), DNS_STALE, "for as long as allowed");
    T_EQ(get(&c, "a.org", T0 + 300000 + 2 * TIME_HOUR_MS), DNS_ABSENT, "then gone");
    T_EQ(c.entries.count, 0, "and dropped");
    put(&c, "a.org", 7 * 86400, T0);
    T_EQ(get(&c, "a.org", T0 + TIME_DAY_MS), DNS_STALE, "TTL capped at a day");
    put(&c, "b.org", 0, T0);
    T_EQ(get(&c, "b.org", T0), DNS_ABSENT, "a TTL of 0 is not kept");
    put(&c, "f.org", 300, T0);
    T_EQ(get(&c, "f.org", T0 - TIME_HOUR_MS), DNS_FRESH, "a clock set back a little");
    T_EQ(get(&c, "f.org", T0 - 2 * TIME_DAY_MS), DNS_ABSENT, "or a lot");
    dns_cache_fini(&c);
}

static void test_failures_do_not_displace(void **state)
{
    (void)state;
    struct dns_cache c;
    struct dns_question q = ask("a.org", DNS_MX);
    struct dns_answer failed = {.status = DNS_SERVFAIL, .type = DNS_MX, .ttl_s = 300};
    struct dns_answer gone = {.status = DNS_NXDOMAIN, .type = DNS_MX, .ttl_s = 86400};
    struct arena arena = {0};
    dns_cache_init(&c, &limits);
    put(&c, "a.org", 300, T0);
    dns_cache_put(&c, &q, &failed, T0 + 400000);
    T_EQ(get(&c, "a.org", T0 + 400000), DNS_STALE, "what was known stays");
    dns_cache_put(&c, &q, &gone, T0 + 400000);
    struct dns_answer a;
    T_EQ(dns_cache_get(&c, &q, T0 + 400000, &arena, &a), DNS_FRESH, "a fact takes its place");
    T_EQ(a.status, DNS_NXDOMAIN, "status");
    T_EQ(a.ttl_s, 3600, "negative TTL capped at an hour");
    arena_fini(&arena);
    dns_cache_fini(&c);
}

static void test_eviction(void **state)
{
    (void)state;
    struct dns_cache c;
    dns_cache_init(&c, &limits);
    put(&c, "1.org", 300, T0);
    put(&c, "2.org", 300, T0);
    put(&c, "3.org", 300, T0);
    put(&c, "4.org", 300, T0);
    T_EQ(get(&c, "1.org", T0), DNS_FRESH, "used just now");
    put(&c, "5.org", 300, T0);
    T_EQ(c.entries.count, 4, "bounded");
    T_EQ(get(&c, "2.org", T0), DNS_ABSENT, "the one not used for longest goes");
    T_EQ(get(&c, "1.org", T0), DNS_FRESH, "not the one just used");
    put(&c, "1.org", 300, T0);
    T_EQ(c.entries.count, 4, "put again is no second entry");
    size_t bytes = c.bytes;
    dns_cache_set_limits(&c, &(struct dns_cache_limits){.entries_max = 1});
    T_EQ(c.entries.count, 1, "smaller");
    T_EQ(c.bytes, bytes / 4, "bytes are counted");
    dns_cache_set_limits(&c, &(struct dns_cache_limits){.entries_max = 0});
    put(&c, "1.org", 300, T0);
    T_EQ(c.entries.count, 0, "none at all");
    dns_cache_fini(&c);
}

static void test_types_are_apart(void **state)
{
    (void)state;
    struct dns_cache c;
    struct dns_question a_question = ask("a.org", DNS_A), six = ask("a.org", DNS_AAAA);
    struct dns_rr rr = {.ttl_s = 60, .address = {0x20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}};
    struct dns_answer a = {.status = DNS_OK, .ttl_s = 60, .rrs = &rr, .rr_count = 1}, got;
    struct arena arena = {0};
    dns_cache_init(&c, &limits);
    a.type = DNS_A;
    dns_cache_put(&c, &a_question, &a, T0);
    T_EQ(dns_cache_get(&c, &six, T0, &arena, &got), DNS_ABSENT, "not an AAAA");
    a.type = DNS_AAAA;
    dns_cache_put(&c, &six, &a, T0);
    T_EQ(dns_cache_get(&c, &six, T0, &arena, &got), DNS_FRESH, "an AAAA");
    T_EQ(memcmp(got.rrs[0].address, rr.address, 16), 0, "all of it");
    T_EQ(dns_cache_get(&c, &a_question, T0, &arena, &got), DNS_FRESH, "an A");
    T_EQ(memcmp(got.rrs[0].address, rr.address, 4), 0, "four octets");
    T_EQ(got.rrs[0].address[4], 0, "and no more");
    arena_fini(&arena);
    dns_cache_fini(&c);
}

static void test_restart(void **state)
{
    (void)state;
    struct dns_cache c, d;
    struct buf file = {0};
    struct tide_error err = {0};
    dns_cache_init(&c, &limits);
    put(&c, "short.org", 60, T0);
    put(&c, "long.org", 86400, T0);
    dns_cache_encode(&c, &file);
    dns_cache_init(&d, &limits);
    T_OK(dns_cache_decode(&d, buf_text(&file), T0 + 30000, &err), &err, "decode");
    T_EQ(get(&d, "short.org", T0 + 59999), DNS_FRESH, "the TTL goes on");
    T_EQ(get(&d, "short.org", T0 + 60000), DNS_STALE, "and ends when it would have");
    dns_cache_fini(&d);
    dns_cache_init(&d, &limits);
    T_OK(dns_cache_decode(&d, buf_text(&file), T0 + 3 * TIME_HOUR_MS, &err), &err, "much later");
    T_EQ(d.entries.count, 1, "what is dead is left out");
    dns_cache_fini(&d);
    /* cut anywhere, any octet changed: refused whole */
    dns_cache_init(&d, &limits);
    for (size_t n = 0; n < file.len; n++) {
        T_EQ(dns_cache_decode(&d, text_cut(buf_text(&file), 0, n), T0, &err), TIDE_ECORRUPT,
             "cut at %zu", n);
        file.data[n] ^= 0x10;
        T_EQ(dns_cache_decode(&d, buf_text(&file), T0, &err), TIDE_ECORRUPT, "octet %zu", n);
        file.data[n] ^= 0x10;
    }
    T_EQ(d.entries.count, 0, "nothing came in");
    buf_fini(&file);
    dns_cache_fini(&d);
    dns_cache_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),    cmocka_unit_test(test_failures_do_not_displace),
        cmocka_unit_test(test_eviction), cmocka_unit_test(test_types_are_apart),
        cmocka_unit_test(test_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
