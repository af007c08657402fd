#include "lib/dns_packet.h"

#include <assert.h>

size_t packet_wire_name(const char *name, uint8_t *out)
{
    size_t n = 0;
    struct text rest = text_of(name), label;
    while (rest.n && text_split(&rest, '.', &label) && label.n) {
        out[n++] = (uint8_t)label.n;
        memcpy(out + n, label.p, label.n);
        n += label.n;
    }
    out[n++] = 0;
    return n;
}

static void put(struct packet *p, const void *bytes, size_t n)
{
    assert(p->n + n <= sizeof p->b);
    if (n)
        memcpy(p->b + p->n, bytes, n);
    p->n += n;
}

static void put_n(struct packet *p, uint32_t v, unsigned octets)
{
    while (octets--) {
        uint8_t b = (uint8_t)(v >> 8 * octets);
        put(p, &b, 1);
    }
}

void packet_answer(struct packet *p, const uint8_t *query, size_t query_n, unsigned flags)
{
    size_t end = 12;
    while (end < query_n && query[end])
        end += 1u + query[end];
    end += 5;
    assert(end <= query_n);
    p->n = 0;
    put(p, query, end);
    memset(p->b + 2, 0, 10);
    p->b[2] = (uint8_t)(0x81 | flags >> 8);
    p->b[3] = (uint8_t)(0x80 | flags);
    p->b[5] = 1;
}

void packet_rr(struct packet *p,
               int section,
               const char *owner,
               unsigned type,
               uint32_t ttl,
               const void *rdata,
               size_t rdata_n)
{
    uint8_t name[256] = {0xC0, 12};
    size_t count_at = 6 + 2 * (size_t)section;
    unsigned count = (unsigned)p->b[count_at] << 8 | p->b[count_at + 1];
    put(p, name, owner ? packet_wire_name(owner, name) : 2);
    put_n(p, type, 2);
    put_n(p, type == DNS_OPT ? 1232 : 1, 2);
    put_n(p, ttl, 4);
    put_n(p, (uint32_t)rdata_n, 2);
    put(p, rdata, rdata_n);
    count++;
    p->b[count_at] = (uint8_t)(count >> 8);
    p->b[count_at + 1] = (uint8_t)count;
}

void packet_a(struct packet *p, const char *owner, uint32_t ttl, uint32_t address)
{
    uint8_t b[4] = {(uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8),
                    (uint8_t)address};
    packet_rr(p, 0, owner, DNS_A, ttl, b, 4);
}

void packet_mx(
    struct packet *p, const char *owner, uint32_t ttl, unsigned preference, const char *host)
{
    uint8_t b[260] = {(uint8_t)(preference >> 8), (uint8_t)preference};
    packet_rr(p, 0, owner, DNS_MX, ttl, b, 2 + packet_wire_name(host, b + 2));
}

void packet_name(struct packet *p, const char *owner, unsigned type, uint32_t ttl, const char *to)
{
    uint8_t b[256];
    packet_rr(p, 0, owner, type, ttl, b, packet_wire_name(to, b));
}

void packet_soa(struct packet *p, const char *owner, uint32_t ttl, uint32_t minimum)
{
    uint8_t b[64] = {0};
    size_t n = packet_wire_name("ns", b);
    n += packet_wire_name("hostmaster", b + n);
    n += 16;
    for (unsigned i = 0; i < 4; i++)
        b[n++] = (uint8_t)(minimum >> 8 * (3 - i));
    packet_rr(p, 1, owner, DNS_SOA, ttl, b, n);
}

void packet_opt(struct packet *p, unsigned extended_rcode)
{
    packet_rr(p, 2, "", DNS_OPT, extended_rcode << 24, NULL, 0);
}
