/* liar.h - a name server that lies: it lives on the test's loop, on UDP and TCP of one loopback
 * port, and does what the first label of the name says ("servfail.example", "reset.example").
 *
 * MX of a name is mx.example, or, where the first label is "a-" and a lie, the host whose address
 * the lie is about: "a-reset.example" has the MX reset.example. Every other type has an A record.
 *
 * Lifetime  liar_open() to liar_close(), then the loop runs once more.
 */
#ifndef TESTS_LIB_LIAR_H
#define TESTS_LIB_LIAR_H

#include "core/dns/message.h"

#include <uv.h>

#define LIAR_SLAB_BYTES 65536

struct liar {
    uv_udp_t udp;
    uv_tcp_t tcp;
    int port;
    int asked_udp, asked_tcp;
    bool sealed;                       /* knows no name at all, the root neither */
    uint8_t late[DNS_QUERY_BYTES_MAX]; /* the first question for "late", answered with the second */
    size_t late_n;
    uv_timer_t slow; /* of the question for "slow" */
    uint8_t slow_question[DNS_QUERY_BYTES_MAX];
    size_t slow_n;
    struct sockaddr_in slow_from;
    int slow_ms; /* set by the test */
    char slab[LIAR_SLAB_BYTES];
};

void liar_open(struct liar *l, uv_loop_t *loop);
void liar_close(struct liar *l);

#endif
