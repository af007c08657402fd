/* cache.h - DNS answers kept for as long as they hold, and a while longer for bad times.
 *
 * Owns      its entries, each one block of memory with the name and the encoded answer.
 * Lifetime  dns_cache_init() to dns_cache_fini().
 * Threads   one at a time. Pure: `now` is the caller's.
 * Errors    running out of memory drops what should have been kept, nothing else.
 * Limits    entries_max; beyond it the entry that was not used for longest goes. All is O(1).
 *           A domain's two MX and one A take about 420 bytes (bench_dns).
 * Standards RFC 1035 (TTL), RFC 2308 (negative answers), RFC 8767 (stale answers).
 *
 * Only facts are kept (found, no data, no such name): a server's failure never takes the place of
 * what was known before, so that it can serve stale.
 */
#ifndef CORE_DNS_CACHE_H
#define CORE_DNS_CACHE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/time.h"
#include "core/dns/message.h"

struct dns_cache_limits {
    uint32_t entries_max;
    int64_t ttl_max_ms;          /* RFC 8767 4: a week at most makes sense */
    int64_t negative_ttl_max_ms; /* RFC 2308 5: one to three hours */
    int64_t stale_max_ms;        /* 0: nothing is served stale */
};

struct dns_cache {
    struct idmap entries; /* by the hash of type and name */
    struct list used;     /* least recently used first */
    struct dns_cache_limits limits;
    size_t bytes; /* of all entries, without the map's slots */
};

enum dns_freshness { DNS_ABSENT, DNS_FRESH, DNS_STALE };

void dns_cache_init(struct dns_cache *c, const struct dns_cache_limits *limits);
void dns_cache_fini(struct dns_cache *c);
/* New bounds from now on; what is over them goes. */
void dns_cache_set_limits(struct dns_cache *c, const struct dns_cache_limits *limits);

/* Keeps a final answer; others, and those that hold for no time at all, are not kept. */
void dns_cache_put(struct dns_cache *c,
                   const struct dns_question *q,
                   const struct dns_answer *answer,
                   tide_wall_ms now);

/* The answer with what is left of its TTL (0 when stale), in the arena. */
enum dns_freshness dns_cache_get(struct dns_cache *c,
                                 const struct dns_question *q,
                                 tide_wall_ms now,
                                 struct arena *arena,
                                 struct dns_answer *ret);

/* An answer as bytes and back; what is not one is TIDE_ECORRUPT. */
void dns_answer_encode(const struct dns_answer *a, struct buf *out);
TIDE_MUST_CHECK enum tide_err dns_answer_decode(struct text bytes,
                                                struct arena *arena,
                                                struct dns_answer *ret);

/* The whole cache as bytes, to outlive a restart. Decoding adds what still holds at `now` to what
 * is there; a damaged or foreign file is TIDE_ECORRUPT and adds nothing. */
void dns_cache_encode(const struct dns_cache *c, struct buf *out);
TIDE_MUST_CHECK enum tide_err dns_cache_decode(struct dns_cache *c,
                                               struct text bytes,
                                               tide_wall_ms now,
                                               struct tide_error *err);

#endif
