/* A domain's way to its verdict: a small world of records, asked through the state machine. */
#include "core/verify/mx.h"
#include "core/verify/netaddr.h"
#include "lib/check.h"

#include <arpa/inet.h>

/* One line a record: name, type, value; MX "10 host". Types may also be a status. */
struct record {
    const char *name;
    enum dns_type type;
    const char *value;
    enum dns_status status;
};

static const struct record world[] = {
    {"good.org", DNS_MX, "10 mx.good.org", 0},
    {"mx.good.org", DNS_A, "8.8.8.8", 0},
    {"order.org", DNS_MX, "20 second.org", 0},
    {"order.org", DNS_MX, "10 first.org", 0},
    {"first.org", DNS_A, "8.8.4.4", 0},
    {"null.org", DNS_MX, "0 .", 0},
    {"mixed.org", DNS_MX, "0 .", 0},
    {"mixed.org", DNS_MX, "10 mx.good.org", 0},
    {"implicit.org", DNS_A, "8.8.8.8", 0},
    {"noall.org", DNS_A, "8.8.8.8", 0},
    {"noall.org", DNS_TXT, "v=spf1 -all", 0},
    {"spf.org", DNS_A, "8.8.8.8", 0},
    {"spf.org", DNS_TXT, "v=spf1 mx -all", 0},
    {"implicit6.org", DNS_AAAA, "2606:4700::1", 0},
    {"nothing.org", DNS_TXT, "hello", 0},
    {"private.org", DNS_MX, "10 in.private.org", 0},
    {"in.private.org", DNS_A, "192.168.1.1", 0},
    {"six.org", DNS_MX, "10 in.six.org", 0},
    {"in.six.org", DNS_A, "127.0.0.1", 0},
    {"in.six.org", DNS_AAAA, "2606:4700::1", 0},
    {"home.org", DNS_MX, "10 localhost", 0},
    {"loop0.org", DNS_A, "0.0.0.0", 0},
    {"dead.org", DNS_MX, "10 gone.org", 0},
    {"dead.org", DNS_MX, "20 bare.org", 0},
    {"bare.org", DNS_TXT, "x", 0},
    {"half.org", DNS_MX, "10 gone.org", 0},
    {"half.org", DNS_MX, "20 fails.org", 0},
    {"rescue.org", DNS_MX, "10 fails.org", 0},
    {"rescue.org", DNS_MX, "20 mx.good.org", 0},
    {"literal.org", DNS_MX, "10 8.8.8.8", 0},
    {"fails.org", DNS_A, NULL, DNS_SERVFAIL},
    {"fails.org", DNS_MX, NULL, DNS_SERVFAIL},
    {"silent.org", DNS_MX, NULL, DNS_TIMEOUT},
    {"loop.org", DNS_MX, NULL, DNS_LOOP},
    {"afails.org", DNS_MX, NULL, DNS_NODATA},
    {"afails.org", DNS_A, NULL, DNS_SERVFAIL},
};

static const struct {
    const char *domain;
    enum verdict_kind kind;
    const char *reason;
    unsigned questions;
    int64_t valid_ms;
} cases[] = {
    {"good.org", VERDICT_DELIVERABLE, "Mail for good.org is taken by mx.good.org.", 2, 300000},
    {"order.org", VERDICT_DELIVERABLE, "Mail for order.org is taken by first.org and others.", 2,
     300000},
    {"null.org", VERDICT_UNDELIVERABLE,
     "The domain null.org says that it takes no mail (null MX, RFC 7505).", 1, 300000},
    {"mixed.org", VERDICT_DELIVERABLE, "Mail for mixed.org is taken by mx.good.org and others.", 2,
     300000},
    {"implicit.org", VERDICT_DELIVERABLE,
     "implicit.org has no MX record; mail goes to its own address (RFC 5321 5.1).", 3, 60000},
    {"spf.org", VERDICT_DELIVERABLE,
     "spf.org has no MX record; mail goes to its own address (RFC 5321 5.1).", 3, 60000},
    {"noall.org", VERDICT_RISKY,
     "noall.org has no MX record; mail goes to its own address (RFC 5321 5.1), but its SPF record "
     "says that it has no mail at all.",
     3, 60000},
    {"implicit6.org", VERDICT_DELIVERABLE,
     "implicit6.org has no MX record; mail goes to its own address (RFC 5321 5.1).", 4, 60000},
    {"nothing.org", VERDICT_UNDELIVERABLE,
     "The domain nothing.org has neither an MX record nor an address.", 3, 60000},
    {"loop0.org", VERDICT_UNDELIVERABLE,
     "loop0.org has no MX record, and its own address is no address of a host (0.0.0.0/8).", 3,
     60000},
    {"private.org", VERDICT_UNDELIVERABLE,
     "No mail host of private.org can be reached: in.private.org has a private address.", 3, 60000},
    {"six.org", VERDICT_DELIVERABLE, "Mail for six.org is taken by in.six.org.", 3, 300000},
    {"home.org", VERDICT_UNDELIVERABLE,
     "No mail host of home.org can be reached: localhost is this machine's own name.", 1, 300000},
    {"dead.org", VERDICT_UNDELIVERABLE,
     "No mail host of dead.org can be reached: gone.org does not exist.", 4, 60000},
    {"half.org", VERDICT_UNKNOWN,
     "Whether half.org takes mail could not be found out: the name server failed (SERVFAIL).", 3,
     MX_RETRY_DOUBT_MS},
    {"rescue.org", VERDICT_DELIVERABLE, "Mail for rescue.org is taken by mx.good.org and others.",
     3, 300000},
    {"literal.org", VERDICT_RISKY,
     "The MX of literal.org is an IP address, which many senders do not accept.", 1, 300000},
    {"absent.org", VERDICT_UNDELIVERABLE, "The domain absent.org does not exist.", 1, 60000},
    {"fails.org", VERDICT_UNKNOWN,
     "Whether fails.org takes mail could not be found out: the name server failed (SERVFAIL).", 1,
     MX_RETRY_DOUBT_MS},
    {"silent.org", VERDICT_UNKNOWN,
     "Whether silent.org takes mail could not be found out: no name server answered in time.", 1,
     MX_RETRY_SILENT_MS},
    {"loop.org", VERDICT_UNKNOWN,
     "Whether loop.org takes mail could not be found out: the name is an alias (CNAME) in a loop "
     "or too long.",
     1, MX_RETRY_DOUBT_MS},
    {"afails.org", VERDICT_UNKNOWN,
     "Whether afails.org takes mail could not be found out: the name server failed (SERVFAIL).", 2,
     MX_RETRY_DOUBT_MS},
};

static bool exists(struct text name)
{
    for (size_t i = 0; i < TIDE_COUNT(world); i++)
        if (text_eq(text_of(world[i].name), name))
            return true;
    return false;
}

static void read_record(const struct record *r, struct dns_rr *rr)
{
    struct text value = text_of(r->value), number;
    rr->ttl_s = 300;
    if (r->type == DNS_A || r->type == DNS_AAAA) {
        T_EQ(inet_pton(r->type == DNS_A ? AF_INET : AF_INET6, r->value, rr->address), 1, "%s",
             r->value);
        return;
    }
    if (r->type == DNS_MX) {
        int64_t n;
        text_split(&value, ' ', &number);
        T_EQ(text_int(number, 0, 65535, &n, NULL), TIDE_OK, "%s", r->value);
        rr->preference = (uint16_t)n;
    }
    rr->data = value;
}

/* What a resolver would say; negative answers hold a minute. */
static struct dns_answer answer(const struct mx_todo *todo, struct dns_rr *rrs)
{
    struct dns_answer a = {.type = todo->type, .canonical = todo->name, .ttl_s = 60, .rrs = rrs};
    a.status = exists(todo->name) ? DNS_NODATA : DNS_NXDOMAIN;
    for (size_t i = 0; i < TIDE_COUNT(world); i++) {
        if (!text_eq(text_of(world[i].name), todo->name) || world[i].type != todo->type)
            continue;
        if (!world[i].value) {
            a.status = world[i].status;
            continue;
        }
        a.status = DNS_OK;
        a.ttl_s = 300;
        read_record(&world[i], &rrs[a.rr_count++]);
    }
    return a;
}

static unsigned verify(const char *domain, bool private, struct arena *arena, struct verdict *ret)
{
    struct mx m;
    struct mx_todo todo;
    unsigned questions = 0;
    mx_init(&m, text_of(domain), NULL, private, arena);
    for (mx_start(&m, &todo); !todo.done; questions++) {
        struct dns_rr rrs[8] = {{0}};
        struct dns_answer a = answer(&todo, rrs);
        mx_answer(&m, &a, &todo);
    }
    mx_verdict(&m, 1000, arena, ret);
    mx_fini(&m);
    return questions;
}

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena arena = {0};
        struct verdict v;
        unsigned questions = verify(cases[i].domain, false, &arena, &v);
        T_TEXT(v.reason, cases[i].reason, "%s", cases[i].domain);
        T_STR(verdict_name(v.kind), verdict_name(cases[i].kind), "%s", cases[i].domain);
        T_EQ(questions, cases[i].questions, "%s: questions", cases[i].domain);
        T_EQ(v.valid_until - v.found_at, cases[i].valid_ms, "%s: holds for", cases[i].domain);
        T_TRUE(v.evidence.n, "%s: evidence", cases[i].domain);
        arena_fini(&arena);
    }
}

static void test_evidence(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct verdict v;
    verify("mixed.org", false, &arena, &v);
    T_TEXT(v.evidence,
           "mixed.org MX 0 . (ttl 300)\n"
           "mixed.org MX 10 mx.good.org (ttl 300)\n"
           "a null MX beside others means nothing (RFC 7505 3)\n"
           "mx.good.org A 8.8.8.8 (ttl 300)",
           "line by line");
    arena_fini(&arena);
}

static void test_private_addresses_allowed(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct verdict v;
    verify("private.org", true, &arena, &v);
    T_EQ(v.kind, VERDICT_DELIVERABLE, TEXT_FMT, TEXT_ARG(v.reason));
    arena_fini(&arena);
}

/* Two hundred hosts that lead nowhere: a bounded number of questions, and no certainty. */
static void test_many_hosts(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct dns_rr rrs[200] = {{0}};
    char names[200][24];
    for (size_t i = 0; i < 200; i++) {
        int n = snprintf(names[i], sizeof names[i], "gone%zu.org", i);
        rrs[i] = (struct dns_rr){.ttl_s = 300, .preference = 10, .data = {names[i], (size_t)n}};
    }
    struct mx m;
    struct mx_todo todo;
    struct verdict v;
    unsigned questions = 0;
    struct dns_answer many = {.type = DNS_MX, .ttl_s = 300, .rrs = rrs, .rr_count = 200};
    struct dns_answer none = {.status = DNS_NXDOMAIN, .type = DNS_A, .ttl_s = 300};
    mx_init(&m, TEXT("many.org"), NULL, false, &arena);
    for (mx_start(&m, &todo); !todo.done; questions++)
        mx_answer(&m, todo.type == DNS_MX ? &many : &none, &todo);
    T_EQ(questions, 1 + MX_ASKED_MAX, "bounded");
    mx_verdict(&m, 0, &arena, &v);
    T_EQ(v.kind, VERDICT_UNKNOWN, "not all were asked");
    mx_fini(&m);
    arena_fini(&arena);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct arena small, arena = {0};
    struct verdict v;
    arena_init(&small, 64);
    struct mx m;
    struct mx_todo todo;
    mx_init(&m, TEXT("order.org"), NULL, false, &small);
    for (mx_start(&m, &todo); !todo.done;) {
        struct dns_rr rrs[8] = {{0}};
        struct dns_answer a = answer(&todo, rrs);
        while (todo.type == DNS_MX && arena_alloc(&small, 1))
            ;
        mx_answer(&m, &a, &todo);
    }
    mx_verdict(&m, 0, &arena, &v);
    T_EQ(v.kind, VERDICT_UNKNOWN, TEXT_FMT, TEXT_ARG(v.reason));
    mx_fini(&m);
    arena_fini(&small);
    arena_fini(&arena);
}

static void test_netaddr(void **state)
{
    (void)state;
    static const char *const global[] = {
        "8.8.8.8",    "1.1.1.1",     "100.63.0.1",      "100.128.0.1",     "172.15.0.1",
        "172.32.0.1", "198.17.0.1",  "198.20.0.1",      "223.255.255.255", "2606:4700::1",
        "2a00::1",    "2001:200::1", "64:ff9b::808:808"};
    static const char *const local[] = {"0.0.0.0",
                                        "10.1.2.3",
                                        "100.64.0.1",
                                        "100.127.255.255",
                                        "127.0.0.1",
                                        "169.254.1.1",
                                        "172.16.0.1",
                                        "172.31.255.255",
                                        "192.0.0.1",
                                        "192.0.2.1",
                                        "192.168.0.1",
                                        "198.18.0.1",
                                        "198.19.0.1",
                                        "198.51.100.1",
                                        "203.0.113.1",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "::1",
                                        "::ffff:8.8.8.8",
                                        "fe80::1",
                                        "fc00::1",
                                        "fd00::1",
                                        "ff02::1",
                                        "2001:db8::1",
                                        "2001::1",
                                        "2002:808:808::1",
                                        "3fff::1",
                                        "64:ff9b::a00:1",
                                        "4000::1"};
    for (size_t i = 0; i < TIDE_COUNT(global) + TIDE_COUNT(local); i++) {
        bool want = i < TIDE_COUNT(global);
        const char *name = want ? global[i] : local[i - TIDE_COUNT(global)];
        uint8_t b[16];
        bool four = inet_pton(AF_INET, name, b) == 1;
        T_TRUE(four || inet_pton(AF_INET6, name, b) == 1, "%s", name);
        const char *kind = four ? netaddr_not_global4(b) : netaddr_not_global6(b);
        T_EQ(kind == NULL, want, "%s: %s", name, kind ? kind : "global");
    }
}

/* Addresses that came along with the MX: they save the question for the first host, when one of
 * them makes it usable, and count for nothing else. */
static void test_told_along(void **state)
{
    (void)state;
    static const struct {
        const char *owner;
        uint8_t address[4];
        bool saves;
    } told[] = {
        {"mx.a.org", {8, 8, 8, 8}, true},    {"mx2.a.org", {8, 8, 8, 8}, false},
        {"a.org", {8, 8, 8, 8}, false},      {"mx.a.org", {192, 168, 1, 1}, false},
        {"mx.a.org", {127, 0, 0, 1}, false}, {"MX.a.org", {8, 8, 8, 8}, false},
    };
    for (size_t i = 0; i < TIDE_COUNT(told); i++) {
        struct arena arena = {0};
        struct mx m;
        struct mx_todo todo;
        const struct dns_rr mx[] = {
            {.ttl_s = 600, .preference = 20, .data = TEXT("mx2.a.org")},
            {.ttl_s = 600, .preference = 10, .data = TEXT("mx.a.org")},
        };
        struct dns_rr extra = {.ttl_s = 60, .data = text_of(told[i].owner)};
        memcpy(extra.address, told[i].address, 4);
        const struct dns_answer a = {.type = DNS_MX,
                                     .status = DNS_OK,
                                     .ttl_s = 600,
                                     .rrs = mx,
                                     .rr_count = 2,
                                     .extra = &extra,
                                     .extra_count = 1};
        struct verdict v;
        mx_init(&m, TEXT("a.org"), NULL, false, &arena);
        mx_start(&m, &todo);
        mx_answer(&m, &a, &todo);
        T_EQ(todo.done, told[i].saves, "case %zu", i);
        if (!todo.done) {
            T_TEXT(todo.name, "mx.a.org", "case %zu: asked for as ever", i);
            const struct dns_answer none = {.type = DNS_A, .status = DNS_NXDOMAIN, .ttl_s = 600};
            while (!todo.done)
                mx_answer(&m, &none, &todo);
        }
        mx_verdict(&m, 0, &arena, &v);
        T_EQ(v.kind, told[i].saves ? VERDICT_DELIVERABLE : VERDICT_UNDELIVERABLE, "case %zu", i);
        if (told[i].saves)
            T_TRUE(text_ifind(v.evidence, TEXT("mx.a.org A 8.8.8.8 (ttl 60)")) < v.evidence.n,
                   TEXT_FMT, TEXT_ARG(v.evidence));
        mx_fini(&m);
        arena_fini(&arena);
    }
}

static void test_verdict_names(void **state)
{
    (void)state;
    for (int i = VERDICT_UNKNOWN; i <= VERDICT_UNDELIVERABLE; i++) {
        enum verdict_kind k = VERDICT_UNKNOWN;
        T_TRUE(verdict_of(text_of(verdict_name((enum verdict_kind)i)), &k), "%d", i);
        T_EQ(k, i, "there and back");
    }
    enum verdict_kind k;
    T_TRUE(!verdict_of(TEXT("Risky"), &k), "exact words only");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told_along), cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_evidence),   cmocka_unit_test(test_private_addresses_allowed),
        cmocka_unit_test(test_many_hosts), cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_netaddr),    cmocka_unit_test(test_verdict_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
