/* names.h - the lab's part of the DNS: names, records and faults, and answers on the wire.
 *
 * Records are lines as in a zone file, without TTL and class:
 *
 *   "client.asia MX 5 mxbiz1.qq.com"   "mxbiz1.qq.com A 127.0.0.1"   "x.example AAAA ::1"
 *   "client.asia TXT v=spf1 include:spf.mail.qq.com -all"   "www.example CNAME example"
 *   "null.example MX 0 ."   (takes no mail, RFC 7505)
 *   "broken.example SERVFAIL"   "silent.example TIMEOUT"   "late.example SLOW 2s"   (real time)
 *
 * What is not in the list does not exist: NXDOMAIN with a SOA. A name above one in the list exists
 * and has no records.
 *
 * Owns      its tables; texts are the caller's strings.
 * Threads   any, read only once made.
 * Errors    TIDE_ESYNTAX with the record.
 * Standards RFC 1035, 2308 (SOA in negative answers), 6891 (EDNS0), 7505.
 */
#ifndef CMD_MAILTIDE_LAB_NAMES_H
#define CMD_MAILTIDE_LAB_NAMES_H

#include "core/dns/message.h"

#define NAMES_ANSWER_BYTES_MAX 65535
#define NAMES_MX_MAX           16

struct names;

TIDE_MUST_CHECK enum tide_err names_new(
    char *const *records, size_t count, uint32_t ttl_s, struct names **ret, struct tide_error *err);
void names_free(struct names *n);

/* Answers a query; the length, 0 for silence. `out` holds NAMES_ANSWER_BYTES_MAX. *ret_delay_ms is
 * how long to wait before sending it. */
size_t names_answer(const struct names *n,
                    const uint8_t *query,
                    size_t query_n,
                    bool tcp,
                    uint8_t *out,
                    int64_t *ret_delay_ms);

/* Where mail for a domain goes, as an ESP finds out: hosts by preference, the domain itself without
 * an MX. DNS_NODATA: a null MX. Texts hold as long as `n`. */
enum dns_status names_mx(const struct names *n,
                         struct text domain,
                         struct text hosts[NAMES_MX_MAX],
                         size_t *ret_count);

#endif
