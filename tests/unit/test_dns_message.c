#include "core/dns/message.h"
#include "lib/check.h"
#include "lib/dns_packet.h"

static struct packet packet; /* 64 KiB: not for the stack */
static struct arena arena;

struct asked {
    struct dns_question q;
    uint8_t wire[DNS_QUERY_BYTES_MAX];
    size_t n;
};

static struct asked ask(const char *name, enum dns_type type)
{
    static const uint8_t mix[32] = {0xAA, 0xAA, 0xAA, 0xAA};
    struct asked a;
    T_EQ(dns_question_init(&a.q, text_of(name), type, NULL), TIDE_OK, "%s", name);
    a.n = dns_encode(&a.q, 0x1234, mix, true, a.wire);
    return a;
}

static enum dns_match decode(const struct asked *a, struct dns_answer *ret)
{
    arena_reset(&arena);
    return dns_decode(&a->q, false, packet.b, packet.n, &arena, ret);
}

static void test_encode(void **state)
{
    (void)state;
    static const uint8_t want[] = {0x12, 0x34, 1,   0, 0,    1,   0,   0, 0, 0,  0, 1,
                                   2,    'a',  'B', 3, 'o',  'R', 'g', 0, 0, 15, 0, 1,
                                   0,    0,    41,  4, 0xD0, 0,   0,   0, 0, 0,  0};
    static const uint8_t mix[32] = {0x24}; /* octets 2 and 5 of the name */
    struct dns_question q;
    uint8_t out[DNS_QUERY_BYTES_MAX];
    T_EQ(dns_question_init(&q, TEXT("AB.org."), DNS_MX, NULL), TIDE_OK, "name");
    size_t n = dns_encode(&q, 0x1234, mix, true, out);
    T_EQ(n, sizeof want, "length");
    T_EQ(memcmp(out, want, n), 0, "bytes");
    T_EQ(dns_encode(&q, 0x1234, NULL, false, out), sizeof want - 11, "without EDNS");
    T_EQ(out[14], 'b', "lower case without mix");
}

static void test_names_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a..b", ".a", "a\\b",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.org", /* 65 */
    };
    struct dns_question q;
    char longer[400];
    for (size_t i = 0; i < TIDE_COUNT(bad); i++)
        T_EQ(dns_question_init(&q, text_of(bad[i]), DNS_A, NULL), TIDE_EINVAL, "%s", bad[i]);
    for (size_t i = 0; i + 1 < sizeof longer; i++)
        longer[i] = i % 50 == 49 ? '.' : 'x';
    for (size_t n = 200; n < 300; n++) {
        if (longer[n - 1] == '.')
            continue;
        T_EQ(dns_question_init(&q, (struct text){longer, n}, DNS_A, NULL),
             n <= 253 ? TIDE_OK : TIDE_EINVAL, "%zu octets", n);
    }
    T_EQ(dns_question_init(&q, TEXT("."), DNS_NS, NULL), TIDE_OK, "the root");
    T_EQ(q.name_n, 1, "one octet");
}

static void test_decode_mx(void **state)
{
    (void)state;
    struct asked a = ask("client.asia", DNS_MX);
    struct dns_answer got = {0};
    packet_answer(&packet, a.wire, a.n, 0);
    packet_mx(&packet, NULL, 600, 5, "MXBIZ1.qq.com");
    packet_mx(&packet, NULL, 300, 10, "mxbiz2.qq.com");
    packet_mx(&packet, "other.asia", 1, 1, "stranger.example");
    packet_opt(&packet, 0);
    T_EQ(decode(&a, &got), DNS_ANSWERED, "ours");
    T_EQ(got.status, DNS_OK, "found");
    T_EQ(got.rr_count, 2, "the other owner's record is left out");
    T_TEXT(got.rrs[0].data, "mxbiz1.qq.com", "lower case");
    T_EQ(got.rrs[0].preference, 5, "preference");
    T_EQ(got.ttl_s, 300, "the least TTL");
    T_TEXT(got.canonical, "client.asia", "no alias");
}

/* Addresses in the additional section of an MX answer, and of no other. */
static void test_decode_extra(void **state)
{
    (void)state;
    static const uint8_t short_a[] = {1, 2, 3}, good_a[] = {1, 2, 3, 4};
    for (int mx = 0; mx < 2; mx++) {
        struct asked a = ask("client.asia", mx ? DNS_MX : DNS_A);
        struct dns_answer got = {0};
        packet_answer(&packet, a.wire, a.n, 0);
        if (mx)
            packet_mx(&packet, NULL, 600, 5, "mx.qq.com");
        else
            packet_a(&packet, NULL, 600, 0x08080808);
        packet_rr(&packet, 1, "mx.qq.com", DNS_A, 60, good_a, 4); /* authority: not looked at */
        packet_rr(&packet, 2, "MX.qq.com", DNS_A, 60, good_a, 4);
        packet_rr(&packet, 2, "mx.qq.com", DNS_A, 60, short_a, 3);
        packet_rr(&packet, 2, "mx.qq.com", DNS_TXT, 60, good_a, 4);
        packet_rr(&packet, 2, "mx.qq.com", DNS_A, 0, good_a, 4);
        for (int i = 0; i < 20; i++)
            packet_rr(&packet, 2, "other.com", DNS_A, 60, good_a, 4);
        T_EQ(decode(&a, &got), DNS_ANSWERED, "ours");
        T_EQ(got.status, DNS_OK, "found");
        T_EQ(got.rr_count, 1, "the answer is as ever");
        T_TRUE(got.extra_count <= DNS_EXTRA_MAX && (got.extra_count > 0) == (mx == 1), "%zu",
               got.extra_count);
        if (!mx)
            continue;
        T_TEXT(got.extra[0].data, "mx.qq.com", "lower case");
        T_EQ(got.extra[0].address[3], 4, "address");
        T_TEXT(got.extra[1].data, "other.com",
               "damaged ones and those without a life are left out");
    }
}

static void test_decode_cname_chain(void **state)
{
    (void)state;
    struct asked a = ask("www.a.org", DNS_A);
    struct dns_answer got = {0};
    packet_answer(&packet, a.wire, a.n, 0);
    packet_a(&packet, "c.org", 300, 0x01020304); /* order does not matter */
    packet_name(&packet, "b.org", DNS_CNAME, 50, "C.org");
    packet_name(&packet, NULL, DNS_CNAME, 100, "b.org");
    T_EQ(decode(&a, &got), DNS_ANSWERED, "ours");
    T_EQ(got.status, DNS_OK, "found");
    T_EQ(got.cname_count, 2, "two links");
    T_EQ(got.ttl_s, 50, "the least TTL of all");
    T_TEXT(got.canonical, "c.org", "end of the chain");
    T_EQ(got.rrs[0].address[3], 4, "address");
    /* as long as allowed, and one longer */
    for (int links = DNS_CNAME_MAX; links <= DNS_CNAME_MAX + 1; links++) {
        char from[16] = "www.a.org", to[16];
        packet_answer(&packet, a.wire, a.n, 0);
        for (int i = 0; i < links; i++) {
            snprintf(to, sizeof to, "c%d.org", i);
            packet_name(&packet, from, DNS_CNAME, 100, to);
            snprintf(from, sizeof from, "%s", to);
        }
        packet_a(&packet, from, 300, 1);
        T_EQ(decode(&a, &got), DNS_ANSWERED, "ours");
        T_EQ(got.status, links <= DNS_CNAME_MAX ? DNS_OK : DNS_LOOP, "%d links", links);
    }
}

/* How each kind of answer without records is told apart. */
static const struct {
    const char *name;
    unsigned rcode;
    bool cname, soa, ns, data;
    const char *soa_owner;
    enum dns_status want;
    uint32_t ttl;
} negatives[] = {
    {"no data", 0, 0, 1, 0, 0, "org", DNS_NODATA, 60},
    {"no data, no SOA", 0, 0, 0, 0, 0, NULL, DNS_NODATA, 0},
    {"no such name", 3, 0, 1, 0, 0, "org", DNS_NXDOMAIN, 60},
    {"SOA of another zone", 3, 0, 1, 0, 0, "com", DNS_NXDOMAIN, 0},
    {"alias of no such name", 3, 1, 1, 0, 0, "org", DNS_NXDOMAIN, 60},
    {"NXDOMAIN with data", 3, 0, 1, 0, 1, "org", DNS_BROKEN, 0},
    {"referral", 0, 0, 0, 1, 0, NULL, DNS_BROKEN, 0},
    {"alias not followed", 0, 1, 0, 0, 0, NULL, DNS_BROKEN, 0},
    {"SERVFAIL", 2, 0, 0, 0, 0, NULL, DNS_SERVFAIL, 0},
    {"SERVFAIL with data", 2, 0, 0, 0, 1, NULL, DNS_SERVFAIL, 0},
    {"REFUSED", 5, 0, 0, 0, 0, NULL, DNS_REFUSED, 0},
    {"NOTAUTH", 9, 0, 0, 0, 0, NULL, DNS_REFUSED, 0},
};

static void test_decode_negative(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(negatives); i++) {
        struct asked a = ask("a.org", DNS_A);
        struct dns_answer got = {0};
        uint8_t ns[] = {2, 'n', 's', 0};
        packet_answer(&packet, a.wire, a.n, negatives[i].rcode);
        if (negatives[i].cname)
            packet_name(&packet, NULL, DNS_CNAME, 100, "b.org");
        if (negatives[i].data)
            packet_a(&packet, NULL, 100, 1);
        if (negatives[i].ns)
            packet_rr(&packet, 1, "org", DNS_NS, 100, ns, sizeof ns);
        if (negatives[i].soa)
            packet_soa(&packet, negatives[i].soa_owner, 900, 60);
        T_EQ(decode(&a, &got), DNS_ANSWERED, "%s", negatives[i].name);
        T_STR(dns_status_name(got.status), dns_status_name(negatives[i].want), "%s",
              negatives[i].name);
        T_EQ(got.ttl_s, negatives[i].ttl, "%s", negatives[i].name);
        T_EQ(got.rr_count, 0, "%s", negatives[i].name);
    }
}

static void test_match(void **state)
{
    (void)state;
    struct asked a = ask("client.asia", DNS_MX);
    struct dns_answer got = {0};
    /* Each changes one octet of a right answer. */
    static const struct {
        const char *name;
        size_t at;
        uint8_t flip;
        enum dns_match want;
    } changes[] = {
        {"nothing", 0, 0, DNS_ANSWERED},
        {"id", 1, 1, DNS_NOT_OURS},
        {"a query, not an answer", 2, 0x80, DNS_NOT_OURS},
        {"opcode", 2, 0x10, DNS_NOT_OURS},
        {"truncated", 2, 0x02, DNS_TRUNCATED},
        {"QDCOUNT 0", 5, 1, DNS_NOT_OURS},
        {"QDCOUNT 3", 5, 2, DNS_NOT_OURS},
        {"name", 14, 1, DNS_NOT_OURS},
        {"case", 14, 0x20, DNS_OTHER_CASE},
        {"type", 26, 1, DNS_NOT_OURS},
        {"class", 28, 2, DNS_NOT_OURS},
        {"FORMERR", 3, 1, DNS_NO_EDNS},
        {"NOTIMP", 3, 4, DNS_NO_EDNS},
    };
    for (size_t i = 0; i < TIDE_COUNT(changes); i++) {
        packet_answer(&packet, a.wire, a.n, 0);
        packet_mx(&packet, NULL, 600, 5, "mx.example");
        packet.b[changes[i].at] ^= changes[i].flip;
        T_EQ(decode(&a, &got), changes[i].want, "%s", changes[i].name);
    }
    packet_answer(&packet, a.wire, a.n, 0);
    packet_opt(&packet, 1); /* 16: BADVERS */
    T_EQ(decode(&a, &got), DNS_NO_EDNS, "BADVERS");
    packet_answer(&packet, a.wire, a.n, 1);
    packet.b[5] = 0;
    packet.n = 12;
    T_EQ(decode(&a, &got), DNS_NO_EDNS, "a FORMERR of a header alone");
    packet_answer(&packet, a.wire, a.n, PACKET_TC);
    T_EQ(dns_decode(&a.q, true, packet.b, packet.n, &arena, &got), DNS_ANSWERED, "TC over TCP");
    T_EQ(got.status, DNS_BROKEN, "makes no sense");
}

static void test_bounds(void **state)
{
    (void)state;
    struct asked a = ask("a.org", DNS_A);
    struct dns_answer got = {0};
    for (int count = DNS_RRS_MAX; count <= DNS_RRS_MAX + 44; count += 44) {
        packet_answer(&packet, a.wire, a.n, 0);
        for (int i = 0; i < count; i++)
            packet_a(&packet, NULL, 60, (uint32_t)i);
        T_EQ(decode(&a, &got), DNS_ANSWERED, "ours");
        T_EQ(got.status, count == DNS_RRS_MAX ? DNS_OK : DNS_BROKEN, "%d records", count);
    }
    /* a count that promises more than there is */
    packet_answer(&packet, a.wire, a.n, 0);
    packet_a(&packet, NULL, 60, 1);
    packet.b[7] = 2;
    T_EQ(decode(&a, &got), DNS_ANSWERED, "ours");
    T_EQ(got.status, DNS_BROKEN, "one record is missing");
    /* an owner that points at itself */
    packet_answer(&packet, a.wire, a.n, 0);
    size_t owner = packet.n;
    packet_a(&packet, NULL, 60, 1);
    packet.b[owner + 1] = (uint8_t)owner;
    T_EQ(decode(&a, &got), DNS_ANSWERED, "ours");
    T_EQ(got.status, DNS_BROKEN, "compression loop");
    /* lengths that lie */
    static const uint8_t lengths[] = {0, 3, 5, 200};
    for (size_t i = 0; i < TIDE_COUNT(lengths); i++) {
        packet_answer(&packet, a.wire, a.n, 0);
        packet_a(&packet, NULL, 60, 1);
        packet.b[packet.n - 5] = lengths[i];
        T_EQ(decode(&a, &got), DNS_ANSWERED, "ours");
        T_EQ(got.status, DNS_BROKEN, "an A of %u octets", lengths[i]);
    }
    /* cut anywhere: never an answer with records, never a crash */
    packet_answer(&packet, a.wire, a.n, 0);
    packet_a(&packet, NULL, 60, 1);
    for (size_t whole = packet.n, n = 0; n < whole; n++) {
        got = (struct dns_answer){0};
        packet.n = n;
        enum dns_match m = decode(&a, &got);
        T_TRUE(m == DNS_NOT_OURS || (m == DNS_ANSWERED && got.status == DNS_BROKEN), "cut at %zu",
               n);
    }
}

/* Data that is not what its type says spoils the answer; what is compressed is followed backwards
 * alone, and past the end of its own data never. The question is a.org, at octet 12. */
static const struct {
    const char *name;
    unsigned type;
    const char *data;
    size_t n;
    enum dns_status want;
    const char *read;
} shapes[] = {
    {"an MX", DNS_MX, "\0\5\2mx\xC0\x0C", 7, DNS_OK, "mx.a.org"},
    {"a null MX", DNS_MX, "\0\0\0", 3, DNS_OK, "."},
    {"an MX within the question", DNS_MX, "\0\5\xC0\x0E", 4, DNS_OK, "org"},
    {"an MX without a host", DNS_MX, "\0\5", 2, DNS_BROKEN, NULL},
    {"an MX with something behind it", DNS_MX, "\0\5\2mx\0x", 7, DNS_BROKEN, NULL},
    {"an MX cut off", DNS_MX, "\0\5\3mx", 5, DNS_BROKEN, NULL},
    {"an MX that points forward", DNS_MX, "\0\5\xC0\x30", 4, DNS_BROKEN, NULL},
    {"an MX that points at itself", DNS_MX, "\0\5\xC0\x25", 4, DNS_BROKEN, NULL},
    {"a label of a kind that is none", DNS_MX, "\0\5\x80\0", 4, DNS_BROKEN, NULL},
    {"a TXT of nothing", DNS_TXT, "", 0, DNS_OK, ""},
    {"a TXT of empty strings", DNS_TXT, "\0\0", 2, DNS_OK, ""},
    {"a TXT whose string is cut off", DNS_TXT, "\3ab", 3, DNS_BROKEN, NULL},
    {"an AAAA of four octets", DNS_AAAA, "\0\0\0\0", 4, DNS_BROKEN, NULL},
    {"a PTR", DNS_PTR, "\1B\xC0\x0C", 4, DNS_OK, "b.a.org"},
    {"a PTR of nothing", DNS_PTR, "", 0, DNS_BROKEN, NULL},
};

static void test_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(shapes); i++) {
        struct asked a = ask("a.org", (enum dns_type)shapes[i].type);
        struct dns_answer got = {0};
        packet_answer(&packet, a.wire, a.n, 0);
        packet_rr(&packet, 0, NULL, shapes[i].type, 60, shapes[i].data, shapes[i].n);
        T_EQ(decode(&a, &got), DNS_ANSWERED, "%s", shapes[i].name);
        T_STR(dns_status_name(got.status), dns_status_name(shapes[i].want), "%s", shapes[i].name);
        if (shapes[i].read && got.rr_count)
            T_TEXT(got.rrs[0].data, shapes[i].read, "%s", shapes[i].name);
        arena_fini(&arena);
    }
    /* a name of more than 255 octets, made of pieces that are none */
    struct asked a = ask("a.org", DNS_PTR);
    struct dns_answer got = {0};
    uint8_t piece[66] = {63};
    size_t before = 12;
    packet_answer(&packet, a.wire, a.n, 0);
    for (int i = 0; i < 4; i++) {
        memset(piece + 1, 'x', 63);
        piece[64] = (uint8_t)(0xC0 | before >> 8);
        piece[65] = (uint8_t)before;
        before = packet.n + 12;
        packet_rr(&packet, 0, NULL, DNS_PTR, 60, piece, sizeof piece);
    }
    T_EQ(decode(&a, &got), DNS_ANSWERED, "long");
    T_EQ(got.status, DNS_BROKEN, "a name that grows too long");
    arena_fini(&arena);
}

static void test_txt_and_odd_names(void **state)
{
    (void)state;
    struct asked a = ask("a.org", DNS_TXT);
    struct dns_answer got = {0};
    static const uint8_t txt[] = {6, 'v', '=', 's', 'p', 'f', '1', 0, 5, ' ', '-', 'a', 'l', 'l'};
    packet_answer(&packet, a.wire, a.n, 0);
    packet_rr(&packet, 0, NULL, DNS_TXT, 60, txt, sizeof txt);
    T_EQ(decode(&a, &got), DNS_ANSWERED, "ours");
    T_TEXT(got.rrs[0].data, "v=spf1 -all", "strings joined, the empty one too");
    static const uint8_t odd[] = {3, 'a', '.', '\n', 2, '\\', '"', 0};
    T_TEXT(dns_name_text(odd, sizeof odd, &arena), "a\\046\\010.\\092\\034", "escaped");
    T_TEXT(dns_name_text((const uint8_t *)"", 1, &arena), ".", "the root");
    T_STR(dns_type_name(DNS_AAAA), "AAAA", "type");
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),       cmocka_unit_test(test_names_refused),
        cmocka_unit_test(test_decode_mx),    cmocka_unit_test(test_decode_cname_chain),
        cmocka_unit_test(test_decode_extra), cmocka_unit_test(test_decode_negative),
        cmocka_unit_test(test_match),        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_shapes),       cmocka_unit_test(test_txt_and_odd_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
