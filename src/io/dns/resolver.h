/* resolver.h - asks name servers over UDP and TCP, many questions at once, and keeps the answers.
 *
 * Owns      sockets, connections, the cache, every request until its callback.
 * Lifetime  resolver_open() to resolver_close(), whose callback is the last; every request gets
 *           exactly one callback before that, never from inside the call that started it.
 * Threads   loop thread only. TTLs count the clock's wall time, time-outs count real time.
 * Errors    what went wrong in DNS is the answer's status, never an error. The callback's code is
 *           TIDE_OK, or TIDE_ECANCELED after resolver_cancel() and resolver_close().
 * Limits    RESOLVER_FLIGHTS_MAX questions under way, further ones wait; RESOLVER_REQUESTS_MAX
 *           requests in all, then TIDE_ELIMIT. The cache has config_dns.cache_entries_max entries.
 * Standards RFC 1035, 2308, 6891, 7766 (TCP), 8767 (stale answers when all servers fail).
 *
 * The servers are recursive ones ("IP", "IP:port", "[v6]:port"; "system" for those of
 * /etc/resolv.conf, whose search list is ignored: names are asked as they are). They are tried in
 * the order given; one that fails is put behind the others for a while.
 */
#ifndef IO_DNS_RESOLVER_H
#define IO_DNS_RESOLVER_H

#include "core/config/config.h"
#include "core/dns/message.h"
#include "io/loop/clock.h"

#include <uv.h>

#define RESOLVER_FLIGHTS_MAX  2048
#define RESOLVER_REQUESTS_MAX 200000

struct resolver;
struct resolver_request;

/* The answer is borrowed for the call; NULL when the code is not TIDE_OK. */
typedef void (*resolver_cb)(void *arg, enum tide_err rc, const struct dns_answer *answer);

TIDE_MUST_CHECK enum tide_err resolver_open(uv_loop_t *loop,
                                            const struct clock *clock,
                                            const struct config_dns *config,
                                            struct resolver **ret,
                                            struct tide_error *err);
void resolver_close(struct resolver *r, void (*closed)(void *arg), void *arg);

/* Same name and type asked at the same time is one question on the wire. *ret (may be NULL) is for
 * resolver_cancel() and valid until the callback. TIDE_EINVAL: not a name. */
TIDE_MUST_CHECK enum tide_err resolver_query(struct resolver *r,
                                             struct text name,
                                             enum dns_type type,
                                             resolver_cb cb,
                                             void *arg,
                                             struct resolver_request **ret,
                                             struct tide_error *err);
void resolver_cancel(struct resolver_request *request);

/* From the cache alone, at once; false when it must be asked. */
bool resolver_cached(struct resolver *r,
                     struct text name,
                     enum dns_type type,
                     struct arena *arena,
                     struct dns_answer *ret);

/* The cache in a file: at start and at the end, not while the loop runs (they block). A file that
 * is not there is TIDE_ENOENT, a damaged one TIDE_ECORRUPT; the cache is then as it was. */
TIDE_MUST_CHECK enum tide_err resolver_load(struct resolver *r,
                                            const char *path,
                                            struct tide_error *err);
TIDE_MUST_CHECK enum tide_err resolver_save(struct resolver *r,
                                            const char *path,
                                            struct tide_error *err);

/* The same from time to time while the loop runs: on the pool, and only when something has been
 * answered since. A failure is logged. */
void resolver_save_later(struct resolver *r, const char *path);

struct resolver_counts {
    uint64_t requests, cache_hits, shared, sent_udp, sent_tcp, answers, timeouts, unreachable,
        stale;
    size_t cache_entries, cache_bytes, flights;
};

struct resolver_counts resolver_counts(const struct resolver *r);

#endif
