/* upstream.h - one name server: its UDP sockets, its TCP connections, its health.
 *
 * Owns      its sockets and connections. A struct exchange is the caller's and embedded there.
 * Lifetime  upstream_new() to upstream_close(), whose callback frees it.
 * Threads   loop thread only.
 * Errors    a try for which there is no socket or memory is said by the return value; all else
 *           comes as one event to `on_event`, never from inside the call that asked, after which
 *           the exchange is idle again.
 * Limits    UPSTREAM_SOCKETS sockets with random ports, each drawn anew after some thousand
 *           questions; UPSTREAM_TCP_MAX connections, further questions wait for one to end.
 *
 * Questions asked in one turn of the loop go out together at its end, or earlier when there are as
 * many as one system call sends: a call each, and waking the server for each, cost more than all
 * else together.
 */
#ifndef IO_DNS_UPSTREAM_H
#define IO_DNS_UPSTREAM_H

#include "base/list.h"
#include "core/dns/query.h"
#include "io/dns/random.h"

#include <uv.h>

#define UPSTREAM_SOCKETS 8
#define UPSTREAM_TCP_MAX 64

struct upstream;
struct udp_socket;
struct tcp_link;

/* One try of one question. At most one of the three is set; all clear: idle. */
struct exchange {
    struct dns_question *question;
    struct udp_socket *socket;
    struct tcp_link *link;
    struct list waiting; /* for a connection */
    struct upstream *waits_at;
    bool edns;
};

void exchange_init(struct exchange *x, struct dns_question *question);
/* Forgets the try: no event will come. */
void exchange_drop(struct exchange *x);

/* What all servers of a resolver share. */
struct upstream_env {
    uv_loop_t *loop;
    struct dns_random *random;
    struct arena *arena; /* of the answer during one event */
    char *slab;          /* UPSTREAM_SLAB_BYTES, where datagrams are received */
    /* `answer` is set for QUERY_ANSWER only and borrowed for the call. */
    void (*on_event)(struct exchange *x, enum query_event ev, const struct dns_answer *answer);
};

#define UPSTREAM_SLAB_BYTES (20 * 65536) /* what makes libuv use recvmmsg */

struct upstream *upstream_new(const struct upstream_env *env, const struct sockaddr *address);
void upstream_close(struct upstream *u, void (*closed)(void *arg), void *arg);

/* False: nothing will be sent and the exchange is idle. */
TIDE_MUST_CHECK bool upstream_ask_udp(struct upstream *u, struct exchange *x, bool edns);
TIDE_MUST_CHECK bool upstream_ask_tcp(struct upstream *u, struct exchange *x, bool edns);

/* Three failures on end put a server behind the others for a second, then longer up to a minute. */
void upstream_note(struct upstream *u, bool answered);
bool upstream_is_down(const struct upstream *u);
uint64_t upstream_down_until(const struct upstream *u);

#endif
