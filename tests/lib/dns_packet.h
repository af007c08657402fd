/* dns_packet.h - DNS answers built by hand, right and wrong ones. */
#ifndef TESTS_LIB_DNS_PACKET_H
#define TESTS_LIB_DNS_PACKET_H

#include "core/dns/message.h"

struct packet {
    uint8_t b[65535];
    size_t n;
};

#define PACKET_TC 0x0200

/* Id and question of `query` (a query's bytes), QR and RA set, `flags` (rcode, PACKET_TC) added. */
void packet_answer(struct packet *p, const uint8_t *query, size_t query_n, unsigned flags);
/* A record at the end; `section` 0 answer, 1 authority, 2 additional is counted in the header.
 * `owner` as text; NULL: a pointer to the question. */
void packet_rr(struct packet *p,
               int section,
               const char *owner,
               unsigned type,
               uint32_t ttl,
               const void *rdata,
               size_t rdata_n);
void packet_a(struct packet *p, const char *owner, uint32_t ttl, uint32_t address);
void packet_mx(
    struct packet *p, const char *owner, uint32_t ttl, unsigned preference, const char *host);
void packet_name(struct packet *p, const char *owner, unsigned type, uint32_t ttl, const char *to);
void packet_soa(struct packet *p, const char *owner, uint32_t ttl, uint32_t minimum);
void packet_opt(struct packet *p, unsigned extended_rcode);

/* A name in wire form; returns its length. */
size_t packet_wire_name(const char *name, uint8_t *out);

#endif
