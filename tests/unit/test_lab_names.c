#include "cmd/mailtide-lab/names.h"
#include "lib/check.h"

static const char *const records[] = {
    "client.asia MX 10 mx2.lab.example",
    "client.asia MX 5 mx1.lab.example.",
    "client.asia TXT v=spf1 include:spf.example -all",
    "mx1.lab.example A 127.0.0.1",
    "mx1.lab.example AAAA ::1",
    "www.client.asia CNAME client.asia",
    "loop.example CNAME loop.example",
    "null.example MX 0 .",
    "plain.example A 127.0.0.2",
    "broken.example SERVFAIL",
    "silent.example TIMEOUT",
    "slow.example SLOW 250ms",
    "slow.example A 127.0.0.3",
};

static struct names *new_names(void)
{
    struct names *n = NULL;
    struct tide_error err = {0};
    T_OK(names_new((char *const *)records, TIDE_COUNT(records), 300, &n, &err), &err, "records");
    return n;
}

/* Asked and decoded as the daemon's resolver does it. */
static const struct {
    const char *name;
    enum dns_type type;
    enum dns_status status;
    size_t count;
    const char *first; /* data of the first record */
} cases[] = {
    {"client.asia", DNS_MX, DNS_OK, 2, "mx2.lab.example"},
    {"CLIENT.asia", DNS_MX, DNS_OK, 2, "mx2.lab.example"},
    {"client.asia", DNS_TXT, DNS_OK, 1, "v=spf1 include:spf.example -all"},
    {"www.client.asia", DNS_MX, DNS_OK, 2, "mx2.lab.example"},
    {"client.asia", DNS_A, DNS_NODATA, 0, NULL},
    {"asia", DNS_MX, DNS_NODATA, 0, NULL}, /* above a name that exists */
    {"sia", DNS_MX, DNS_NXDOMAIN, 0, NULL},
    {"nobody.example", DNS_MX, DNS_NXDOMAIN, 0, NULL},
    {"null.example", DNS_MX, DNS_OK, 1, "."},
    {"mx1.lab.example", DNS_A, DNS_OK, 1, NULL},
    {"mx1.lab.example", DNS_AAAA, DNS_OK, 1, NULL},
    {"broken.example", DNS_MX, DNS_SERVFAIL, 0, NULL},
    {"loop.example", DNS_MX, DNS_LOOP, 0, NULL},
};

static void test_answers(void **state)
{
    (void)state;
    static uint8_t out[NAMES_ANSWER_BYTES_MAX];
    const uint8_t mix[32] = {0x5a, 0xa5, 0x0f};
    struct names *n = new_names();
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        for (int way = 0; way < 3; way++) { /* UDP, UDP with EDNS, TCP */
            struct dns_question q;
            struct tide_error err = {0};
            struct arena arena = {0};
            struct dns_answer a = {0};
            uint8_t query[DNS_QUERY_BYTES_MAX];
            int64_t delay_ms;
            T_OK(dns_question_init(&q, text_of(cases[i].name), cases[i].type, &err), &err, "name");
            size_t query_n = dns_encode(&q, 4711, mix, way == 1, query);
            size_t got = names_answer(n, query, query_n, way == 2, out, &delay_ms);
            T_EQ(dns_decode(&q, way == 2, out, got, &arena, &a), DNS_ANSWERED, "%s", cases[i].name);
            T_EQ(a.status, cases[i].status, "%s", cases[i].name);
            T_EQ(a.rr_count, cases[i].count, "%s", cases[i].name);
            if (cases[i].first)
                T_TEXT(a.rrs[0].data, cases[i].first, "%s", cases[i].name);
            if (a.status == DNS_NXDOMAIN)
                T_EQ(a.ttl_s, 300, "the SOA says how long it holds");
            arena_fini(&arena);
        }
    names_free(n);
}

static size_t ask(const struct names *n, const char *name, int64_t *ret_delay_ms)
{
    static uint8_t out[NAMES_ANSWER_BYTES_MAX];
    const uint8_t mix[32] = {0};
    struct dns_question q;
    struct tide_error err = {0};
    uint8_t query[DNS_QUERY_BYTES_MAX];
    T_OK(dns_question_init(&q, text_of(name), DNS_A, &err), &err, "%s", name);
    size_t query_n = dns_encode(&q, 1, mix, true, query);
    return names_answer(n, query, query_n, false, out, ret_delay_ms);
}

static void test_faults(void **state)
{
    (void)state;
    int64_t delay_ms;
    struct names *n = new_names();
    T_EQ(ask(n, "silent.example", &delay_ms), 0, "silence");
    T_TRUE(ask(n, "slow.example", &delay_ms) > 0, "an answer");
    T_EQ(delay_ms, 250, "late");
    T_TRUE(ask(n, "plain.example", &delay_ms) > 0 && delay_ms == 0, "at once");
    names_free(n);
}

/* A long answer is cut over UDP, and whole over TCP. */
static void test_truncation(void **state)
{
    (void)state;
    static uint8_t out[NAMES_ANSWER_BYTES_MAX];
    static char lines[60][64];
    char *many[60];
    struct names *n = NULL;
    struct tide_error err = {0};
    struct dns_question q;
    struct dns_answer a;
    struct arena arena = {0};
    uint8_t query[DNS_QUERY_BYTES_MAX];
    const uint8_t mix[32] = {0};
    int64_t delay_ms;
    for (int i = 0; i < 60; i++) {
        snprintf(lines[i], sizeof lines[i], "big.example MX %d mx%d.a-rather-long-name.example", i,
                 i);
        many[i] = lines[i];
    }
    T_OK(names_new(many, 60, 60, &n, &err), &err, "records");
    T_OK(dns_question_init(&q, TEXT("big.example"), DNS_MX, &err), &err, "name");
    size_t query_n = dns_encode(&q, 9, mix, true, query);
    size_t got = names_answer(n, query, query_n, false, out, &delay_ms);
    T_TRUE(got <= DNS_EDNS_BYTES, "fits a datagram");
    T_EQ(dns_decode(&q, false, out, got, &arena, &a), DNS_TRUNCATED, "says so");
    got = names_answer(n, query, query_n, true, out, &delay_ms);
    T_EQ(dns_decode(&q, true, out, got, &arena, &a), DNS_ANSWERED, "whole");
    T_EQ(a.rr_count, 60, "all of them");
    arena_fini(&arena);
    names_free(n);
}

/* No query makes it read or write where it must not: every cut of one, and random bytes. */
static void test_hostile(void **state)
{
    (void)state;
    static uint8_t out[NAMES_ANSWER_BYTES_MAX];
    struct names *n = new_names();
    struct dns_question q;
    struct tide_error err = {0};
    uint8_t query[DNS_QUERY_BYTES_MAX];
    const uint8_t mix[32] = {0};
    int64_t delay_ms;
    uint64_t x = 88172645463325252u;
    T_OK(dns_question_init(&q, TEXT("www.client.asia"), DNS_MX, &err), &err, "name");
    size_t query_n = dns_encode(&q, 9, mix, true, query);
    for (size_t cut = 0; cut < 29; cut++) /* header 12, name 17 with its root */
        T_EQ(names_answer(n, query, cut, false, out, &delay_ms), 0, "cut at %zu", cut);
    for (int round = 0; round < 20000; round++) {
        uint8_t copy[DNS_QUERY_BYTES_MAX];
        memcpy(copy, query, query_n);
        for (int k = 0; k < 4; k++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            copy[x % query_n] = (uint8_t)(x >> 32);
        }
        (void)names_answer(n, copy, query_n, round & 1, out, &delay_ms);
    }
    names_free(n);
}

static void test_mx(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        enum dns_status status;
        size_t count;
        const char *first;
    } mx[] = {
        {"client.asia", DNS_OK, 2, "mx1.lab.example"},
        {"www.client.asia", DNS_OK, 2, "mx1.lab.example"},
        {"plain.example", DNS_OK, 1, "plain.example"},
        {"null.example", DNS_NODATA, 0, NULL},
        {"nobody.example", DNS_NXDOMAIN, 0, NULL},
        {"broken.example", DNS_SERVFAIL, 0, NULL},
        {"silent.example", DNS_TIMEOUT, 0, NULL},
        {"loop.example", DNS_OK, 1, "loop.example"},
    };
    struct names *n = new_names();
    for (size_t i = 0; i < TIDE_COUNT(mx); i++) {
        struct text hosts[NAMES_MX_MAX];
        size_t count = 99;
        T_EQ(names_mx(n, text_of(mx[i].domain), hosts, &count), mx[i].status, "%s", mx[i].domain);
        T_EQ(count, mx[i].count, "%s", mx[i].domain);
        if (mx[i].first)
            T_TEXT(hosts[0], mx[i].first, "%s", mx[i].domain);
    }
    names_free(n);
}

static void test_bad_records(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x.example",
        "x.example NS y",
        "x.example A 1.2.3",
        "x.example AAAA 127.0.0.1",
        "x.example MX ten y.example",
        "x..example A 127.0.0.1",
        "x.example SLOW",
        "",
        "x.example MX 1 a..b",
    };
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct names *n = NULL;
        struct tide_error err = {0};
        char *one = (char *)bad[i];
        T_TRUE(names_new(&one, 1, 60, &n, &err) != TIDE_OK, "%s", bad[i]);
        T_TRUE(strstr(err.text, "record \"") != NULL, "%s", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),    cmocka_unit_test(test_faults),
        cmocka_unit_test(test_truncation), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_mx),         cmocka_unit_test(test_bad_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
