#include "core/dns/query.h"

#include "base/macros.h"

#include <assert.h>

#define TO(s) (1u << QUERY_##s)
static const unsigned query_moves[] = {
    [QUERY_IDLE] = TO(UDP) | TO(DONE),
    [QUERY_UDP] = TO(UDP) | TO(TCP) | TO(DONE),
    [QUERY_TCP] = TO(TCP) | TO(UDP) | TO(DONE),
    [QUERY_DONE] = 0,
};

static void query_move(struct query *q, enum query_state next)
{
    assert(query_moves[q->state] & (1u << next));
    q->state = next;
}

void query_init(struct query *q, const uint8_t *order, size_t count, unsigned tries)
{
    *q = (struct query){.last = DNS_UNREACHABLE};
    q->server_count = (uint8_t)TIDE_MIN(count, (size_t)DNS_SERVERS_MAX);
    q->tries_left = (uint8_t)TIDE_MIN(tries, 255u);
    if (q->server_count)
        memcpy(q->servers, order, q->server_count);
}

static void finish(struct query *q, enum dns_status status, struct query_todo *todo)
{
    query_move(q, QUERY_DONE);
    *todo = (struct query_todo){.done = true, .status = status};
}

static void ask(struct query *q, enum query_state how, struct query_todo *todo)
{
    query_move(q, how);
    *todo = (struct query_todo){
        .send = true, .tcp = how == QUERY_TCP, .edns = q->edns, .server = q->servers[q->at]};
}

/* A new try from server number `from` on, leaving out those whose answer was none. */
static void try_from(struct query *q, unsigned from, struct query_todo *todo)
{
    if (q->tries_left == 0) {
        finish(q, q->last, todo);
        return;
    }
    for (unsigned i = 0; i < q->server_count; i++) {
        unsigned at = (from + i) % q->server_count;
        if (q->failed >> at & 1)
            continue;
        q->at = (uint8_t)at;
        q->tries_left--;
        q->edns = true;
        ask(q, QUERY_UDP, todo);
        return;
    }
    finish(q, q->last, todo);
}

static void give_up_server(struct query *q, enum dns_status why, struct query_todo *todo)
{
    q->last = why;
    q->failed |= (uint8_t)(1u << q->at);
    try_from(q, q->at + 1u, todo);
}

void query_step(struct query *q,
                enum query_event ev,
                enum dns_status status,
                struct query_todo *todo)
{
    *todo = (struct query_todo){0};
    if (q->state == QUERY_DONE)
        return;
    switch (ev) {
    case QUERY_START:
        try_from(q, 0, todo);
        return;
    case QUERY_ANSWER:
        if (dns_status_is_final(status) || status == DNS_LOOP)
            finish(q, status, todo);
        else
            give_up_server(q, status, todo);
        return;
    case QUERY_TRUNCATED:
        if (q->state == QUERY_UDP)
            ask(q, QUERY_TCP, todo);
        else
            give_up_server(q, DNS_BROKEN, todo);
        return;
    case QUERY_NO_EDNS:
        if (q->edns) {
            q->edns = false;
            ask(q, q->state, todo);
        } else {
            give_up_server(q, DNS_BROKEN, todo);
        }
        return;
    case QUERY_TIMEOUT:
    case QUERY_UNREACHABLE:
        /* What a server said before tells more than another's silence. */
        if (q->failed == 0)
            q->last = ev == QUERY_TIMEOUT ? DNS_TIMEOUT : DNS_UNREACHABLE;
        try_from(q, q->at + 1u, todo);
        return;
    }
}
