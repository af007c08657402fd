/* Whatever bytes come as an answer: they match or not, walks are bounded, and what is taken for an
 * answer keeps its promises and survives the cache's encoding. The first two octets choose the
 * question; the answer gets its id and question, so that the fuzzer need not guess them. */
#include "core/dns/cache.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_name(struct text name)
{
    must(name.n > 0 && name.n <= 4 * DNS_NAME_BYTES_MAX);
    for (size_t i = 0; i < name.n; i++)
        must(name.p[i] > 0x20 && name.p[i] < 0x7f && !(name.p[i] >= 'A' && name.p[i] <= 'Z'));
}

static void check_answer(const struct dns_answer *a, struct arena *arena)
{
    must(a->rr_count <= DNS_RRS_MAX && (a->rr_count > 0) == (a->status == DNS_OK));
    must(a->ttl_s <= INT32_MAX);
    if (!dns_status_is_final(a->status))
        return;
    must(a->cname_count <= DNS_CNAME_MAX);
    check_name(a->canonical);
    for (size_t i = 0; i < a->rr_count; i++)
        if (a->type == DNS_MX || a->type == DNS_CNAME || a->type == DNS_PTR)
            check_name(a->rrs[i].data);
    struct buf b = {0};
    struct dns_answer again;
    dns_answer_encode(a, &b);
    if (buf_check(&b, NULL) == TIDE_OK) {
        must(dns_answer_decode(buf_text(&b), arena, &again) == TIDE_OK);
        must(again.status == a->status && again.rr_count == a->rr_count);
        must(text_eq(again.canonical, a->canonical));
    }
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_MX,    DNS_A,   DNS_AAAA, DNS_TXT,
                                          DNS_CNAME, DNS_PTR, DNS_SOA,  DNS_NS};
    if (size < 2 || size > 65535)
        return 0;
    struct dns_question q;
    struct dns_answer a = {0};
    struct arena arena;
    uint8_t query[DNS_QUERY_BYTES_MAX];
    arena_init(&arena, 1u << 20);
    must(dns_question_init(&q, TEXT("a.example"), types[data[0] % 8], NULL) == TIDE_OK);
    size_t n = dns_encode(&q, 0x4142, NULL, data[1] & 1, query);
    /* as it came */
    if (dns_decode(&q, data[1] & 2, data + 2, size - 2, &arena, &a) == DNS_ANSWERED)
        check_answer(&a, &arena);
    /* with our header's id and our question put before it */
    size_t head = 12 + (size_t)q.name_n + 4, rest = size - 2;
    uint8_t *wire = malloc(head + rest + 12);
    if (!wire)
        abort();
    memcpy(wire, query, head);
    (void)n;
    memset(wire + 2, 0, 10);
    for (size_t i = 2; i < 12 && rest; i++, rest--)
        wire[i] = data[size - rest];
    wire[2] = (uint8_t)((wire[2] | 0x80) & 0x87);
    wire[4] = 0;
    wire[5] = 1;
    memcpy(wire + head, data + size - rest, rest);
    if (dns_decode(&q, data[1] & 2, wire, head + rest, &arena, &a) == DNS_ANSWERED)
        check_answer(&a, &arena);
    free(wire);
    arena_fini(&arena);
    return 0;
}
