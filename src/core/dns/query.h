/* query.h - one question's way through the name servers: what to do after each event.
 *
 *   IDLE --start--> UDP --truncated, other case--> TCP --answer--> DONE
 *                   | `--answer--------------------------------->/
 *                   |<--time-out, unreachable, SERVFAIL: next server, from UDP or TCP
 *                   `--FORMERR, NOTIMP, BADVERS: once more without EDNS (stays in UDP or TCP)
 *                   `--no try left: DONE with the last that was heard
 *
 * Owns      nothing. Threads one at a time. Pure.
 * Limits    `tries` in all, over all servers; asking again without EDNS or over TCP is part of a
 *           try, and happens once per try.
 */
#ifndef CORE_DNS_QUERY_H
#define CORE_DNS_QUERY_H

#include "core/dns/message.h"

#define DNS_SERVERS_MAX 8

enum query_state { QUERY_IDLE, QUERY_UDP, QUERY_TCP, QUERY_DONE };

enum query_event {
    QUERY_START,
    QUERY_ANSWER,      /* `status` says which */
    QUERY_TRUNCATED,   /* or of other case: go to TCP */
    QUERY_NO_EDNS,     /* the server does not know EDNS */
    QUERY_TIMEOUT,     /* of this try */
    QUERY_UNREACHABLE, /* ICMP, connection refused or reset */
};

struct query {
    enum query_state state;
    uint8_t servers[DNS_SERVERS_MAX]; /* in the order to be tried */
    uint8_t server_count, at, tries_left;
    bool edns;
    uint8_t failed; /* bit i: servers[i] gave an answer that is no answer; not asked again */
    enum dns_status last;
};

/* What to do: send to servers[at] over UDP or TCP (`send`), or finish with `status`. */
struct query_todo {
    bool send, tcp, edns, done;
    uint8_t server;
    enum dns_status status;
};

/* `order` are the caller's server numbers, best first. */
void query_init(struct query *q, const uint8_t *order, size_t count, unsigned tries);
void query_step(struct query *q,
                enum query_event ev,
                enum dns_status status,
                struct query_todo *todo);

#endif
