#include "lib/liar.h"

#include "lib/check.h"
#include "lib/dns_packet.h"

#include <stdlib.h>
#include <unistd.h>

struct peer {
    uv_tcp_t handle;
    struct liar *liar;
    uint8_t in[2 + DNS_QUERY_BYTES_MAX];
    size_t n;
    char room[600];
};

static struct packet packet;

static bool is(const uint8_t *query, const char *word)
{
    size_t n = strlen(word);
    return query[12] == n && text_ieq((struct text){(const char *)query + 13, n}, text_of(word));
}

static bool has_edns(const uint8_t *query)
{
    return query[11] == 1;
}

static void udp_say(struct liar *l, const struct sockaddr *to)
{
    uv_buf_t b = uv_buf_init((char *)packet.b, (unsigned)packet.n);
    T_TRUE(uv_udp_try_send(&l->udp, &b, 1, to) >= 0, "the server answers");
}

static unsigned type_of(const uint8_t *query)
{
    size_t at = 12;
    while (query[at])
        at += 1u + query[at];
    return (unsigned)query[at + 1] << 8 | query[at + 2];
}

static void right_answer(const uint8_t *query, size_t n)
{
    char host[80] = "mx.example";
    bool other = query[12] > 2 && ascii_lower((char)query[13]) == 'a' && query[14] == '-';
    if (other)
        snprintf(host, sizeof host, "%.*s.example", query[12] - 2, (const char *)query + 15);
    packet_answer(&packet, query, n, 0);
    if (type_of(query) == DNS_MX)
        packet_mx(&packet, NULL, 60, 10, host);
    else
        packet_a(&packet, NULL, 60, 0x01020304);
}

/* What both UDP and TCP get. */
static void broken_answer(const uint8_t *q, size_t n, bool sealed)
{
    right_answer(q, n);
    if (is(q, "loop")) {
        packet_answer(&packet, q, n, 0);
        packet_name(&packet, NULL, DNS_CNAME, 60, "b.loop");
        packet_name(&packet, "b.loop", DNS_CNAME, 60, "loop.example");
        packet_name(&packet, "loop.example", DNS_CNAME, 60, "b.loop");
    } else if (is(q, "rr300")) {
        for (int i = 0; i < 299; i++)
            packet_a(&packet, NULL, 60, 1);
    } else if (is(q, "pointer")) {
        packet_a(&packet, NULL, 60, 1);
        packet.b[packet.n - 15] = (uint8_t)(packet.n - 16);
    } else if (is(q, "length")) {
        if (type_of(q) == DNS_MX) /* of a second record then */
            packet_a(&packet, NULL, 60, 1);
        packet.b[packet.n - 5] = 200;
    } else if (is(q, "nxdata")) {
        packet_answer(&packet, q, n, 3);
        packet_a(&packet, NULL, 60, 1);
    } else if (is(q, "servfail")) {
        packet_answer(&packet, q, n, 2);
    } else if (is(q, "refused")) {
        packet_answer(&packet, q, n, 5);
    } else if (is(q, "none") || (sealed && q[12] == 0)) {
        packet_answer(&packet, q, n, 3);
        packet_soa(&packet, "example", 60, 60);
    } else if (is(q, "formerr") && has_edns(q)) {
        packet_answer(&packet, q, n, 1);
    } else if (is(q, "formerr2")) {
        packet_answer(&packet, q, n, 1);
    }
}

static bool needs_tcp(const uint8_t *q)
{
    return is(q, "truncated") || is(q, "reset") || is(q, "cut") || is(q, "tcpsilent") ||
           is(q, "tcpwrong");
}

/* Long after everybody has given up. */
static void on_slow(uv_timer_t *timer)
{
    struct liar *l = timer->data;
    right_answer(l->slow_question, l->slow_n);
    udp_say(l, (const struct sockaddr *)&l->slow_from);
}

static void on_query(
    uv_udp_t *h, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
    struct liar *l = h->data;
    (void)flags;
    if (n <= 0 || !from)
        return;
    const uint8_t *q = (const uint8_t *)buf->base;
    bool again = l->asked_udp++ > 0;
    if (is(q, "silent"))
        return;
    if (is(q, "slow")) {
        memcpy(l->slow_question, q, (size_t)n);
        l->slow_n = (size_t)n;
        memcpy(&l->slow_from, from, sizeof l->slow_from);
        uv_timer_start(&l->slow, on_slow, (uint64_t)l->slow_ms, 0);
        return;
    }
    broken_answer(q, (size_t)n, l->sealed);
    if (needs_tcp(q))
        packet_answer(&packet, q, (size_t)n, PACKET_TC);
    if (is(q, "wrongid") && !again)
        packet.b[0] ^= 1;
    if (is(q, "wrongname") && !again)
        packet.b[13] = 'x';
    if (is(q, "wrongtype") && !again)
        packet.b[12 + strlen("wrongtype") + strlen("example") + 4] = DNS_AAAA;
    if (is(q, "casefold"))
        for (size_t i = 13; i < 30; i++)
            packet.b[i] = (uint8_t)ascii_lower((char)packet.b[i]);
    if (is(q, "big"))
        for (int i = 1; i < DNS_RRS_MAX; i++)
            packet_a(&packet, "a-rather-long-owner-name.of-somebody-else.example", 60, 1);
    if (is(q, "late") && !again) {
        memcpy(l->late, q, (size_t)n);
        l->late_n = (size_t)n;
        return;
    }
    udp_say(l, from);
    if (is(q, "late")) { /* and the first one's answer, which nobody waits for */
        right_answer(l->late, l->late_n);
        udp_say(l, from);
    }
    if (is(q, "twice"))
        udp_say(l, from);
}

static void on_peer_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_written(uv_write_t *w, int status)
{
    (void)status;
    free(w);
}

static void peer_say(struct peer *p, const void *bytes, size_t n)
{
    struct {
        uv_write_t w;
        uint8_t b[];
    } *out = malloc(sizeof *out + n);
    memcpy(out->b, bytes, n);
    uv_buf_t b = uv_buf_init((char *)out->b, (unsigned)n);
    T_EQ(uv_write(&out->w, (uv_stream_t *)&p->handle, &b, 1, on_written), 0, "write");
}

static void peer_answer(struct peer *p)
{
    const uint8_t *q = p->in + 2;
    size_t n = p->n - 2;
    uint8_t head[2];
    if (is(q, "tcpsilent"))
        return;
    if (is(q, "reset")) {
        uv_tcp_close_reset(&p->handle, on_peer_closed);
        return;
    }
    broken_answer(q, n, p->liar->sealed);
    if (is(q, "tcpwrong")) { /* another's answer first */
        packet.b[0] ^= 1;
        head[0] = (uint8_t)(packet.n >> 8);
        head[1] = (uint8_t)packet.n;
        peer_say(p, head, 2);
        peer_say(p, packet.b, packet.n);
        packet.b[0] ^= 1;
    }
    head[0] = (uint8_t)(packet.n >> 8);
    head[1] = (uint8_t)packet.n;
    peer_say(p, head, 1);
    peer_say(p, head + 1, 1);
    if (is(q, "cut"))
        peer_say(p, packet.b, packet.n / 2);
    else
        peer_say(p, packet.b, packet.n);
    if (is(q, "cut"))
        uv_close((uv_handle_t *)&p->handle, on_peer_closed);
}

static void on_peer_alloc(uv_handle_t *h, size_t n, uv_buf_t *ret)
{
    struct peer *p = h->data;
    (void)n;
    *ret = uv_buf_init(p->room, sizeof p->room);
}

static void on_peer_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct peer *p = s->data;
    if (n < 0 || p->n + (size_t)n > sizeof p->in) {
        if (!uv_is_closing((uv_handle_t *)s))
            uv_close((uv_handle_t *)s, on_peer_closed);
        return;
    }
    memcpy(p->in + p->n, buf->base, (size_t)n);
    p->n += (size_t)n;
    if (p->n < 2 || p->n < 2 + ((size_t)p->in[0] << 8 | p->in[1]))
        return;
    p->liar->asked_tcp++;
    peer_answer(p);
}

static void on_peer(uv_stream_t *server, int status)
{
    struct liar *l = server->data;
    struct peer *p = calloc(1, sizeof *p);
    T_EQ(status, 0, "accept");
    p->liar = l;
    uv_tcp_init(server->loop, &p->handle);
    p->handle.data = p;
    T_EQ(uv_accept(server, (uv_stream_t *)&p->handle), 0, "accept");
    uv_read_start((uv_stream_t *)&p->handle, on_peer_alloc, on_peer_read);
}

static void on_slab(uv_handle_t *h, size_t n, uv_buf_t *ret)
{
    struct liar *l = h->data;
    (void)n;
    *ret = uv_buf_init(l->slab, LIAR_SLAB_BYTES);
}

/* Both on one port that is free; gives it. */
static int bind_both(uv_os_sock_t *ret_tcp, uv_os_sock_t *ret_udp)
{
    struct sockaddr_in a;
    for (int tries = 0; tries < 100; tries++) {
        socklen_t n = sizeof a;
        uv_ip4_addr("127.0.0.1", 0, &a);
        *ret_tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        *ret_udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (bind(*ret_tcp, (struct sockaddr *)&a, n) == 0 &&
            getsockname(*ret_tcp, (struct sockaddr *)&a, &n) == 0 &&
            bind(*ret_udp, (struct sockaddr *)&a, n) == 0)
            return ntohs(a.sin_port);
        close(*ret_tcp); /* somebody else has the other */
        close(*ret_udp);
    }
    T_TRUE(false, "no port is free");
    return 0;
}

void liar_open(struct liar *l, uv_loop_t *loop)
{
    uv_os_sock_t tcp, udp;
    *l = (struct liar){0};
    l->port = (uint16_t)bind_both(&tcp, &udp);
    uv_tcp_init(loop, &l->tcp);
    uv_udp_init(loop, &l->udp);
    uv_timer_init(loop, &l->slow);
    l->tcp.data = l->udp.data = l->slow.data = l;
    T_EQ(uv_tcp_open(&l->tcp, tcp), 0, "tcp");
    T_EQ(uv_udp_open(&l->udp, udp), 0, "udp");
    T_EQ(uv_listen((uv_stream_t *)&l->tcp, 100, on_peer), 0, "listen");
    int rcvbuf = 4 << 20;
    uv_recv_buffer_size((uv_handle_t *)&l->udp, &rcvbuf);
    uv_udp_recv_start(&l->udp, on_slab, on_query);
    uv_unref((uv_handle_t *)&l->tcp);
    uv_unref((uv_handle_t *)&l->udp);
    uv_unref((uv_handle_t *)&l->slow);
}

void liar_close(struct liar *l)
{
    uv_close((uv_handle_t *)&l->tcp, NULL);
    uv_close((uv_handle_t *)&l->udp, NULL);
    uv_close((uv_handle_t *)&l->slow, NULL);
}
