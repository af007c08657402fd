#include "io/dns/upstream.h"

#include "base/buf.h"
#include "base/macros.h"
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SOCKET_QUESTIONS_MAX 4096 /* then another port */
#define RCVBUF_BYTES         (4 << 20)
#define PORT_TRIES           8
#define TCP_MESSAGE_MAX      65535
#define GATHER_MAX           32 /* questions that go out in one system call */
#define DOWN_AFTER           3
#define DOWN_MS_MIN          1000u
#define DOWN_MS_MAX          60000u

struct udp_socket {
    uv_udp_t handle;
    struct upstream *upstream;
    struct idmap exchanges; /* by id */
    unsigned asked;
    bool closing;
};

struct tcp_link {
    uv_tcp_t handle;
    uv_connect_t connect;
    uv_write_t write;
    struct upstream *upstream;
    struct exchange *exchange; /* NULL: dropped */
    struct list node;
    struct buf in;
    uint8_t out[2 + DNS_QUERY_BYTES_MAX];
    size_t out_n;
    bool closing;
};

/* Questions that wait for the end of the loop's turn, in order. */
struct gathered {
    size_t count;
    size_t n[GATHER_MAX];
    uint8_t bytes[GATHER_MAX][DNS_QUERY_BYTES_MAX];
};

struct upstream {
    const struct upstream_env *env;
    struct sockaddr_storage address;
    struct udp_socket *sockets[UPSTREAM_SOCKETS];
    unsigned next_socket;
    struct udp_socket *gathers; /* whose questions `out` holds; NULL: none */
    struct gathered out;
    struct list failed; /* exchanges whose question could not be sent; to be told in on_turn() */
    uv_idle_t sender;   /* runs while there is something in `out` or `failed` */
    struct list links, tcp_waiting;
    unsigned link_count;
    unsigned refs; /* open handles, and one for the owner */
    bool closing;
    unsigned failures;
    uint64_t down_until;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void unref(struct upstream *u)
{
    if (--u->refs > 0)
        return;
    if (u->closed)
        u->closed(u->closed_arg);
    free(u);
}

struct upstream *upstream_new(const struct upstream_env *env, const struct sockaddr *address)
{
    struct upstream *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->env = env;
    (void)uv_idle_init(env->loop, &u->sender); /* cannot fail */
    u->refs = 2;
    size_t n =
        address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    memcpy(&u->address, address, n);
    list_init(&u->links);
    list_init(&u->tcp_waiting);
    list_init(&u->failed);
    return u;
}

void exchange_init(struct exchange *x, struct dns_question *question)
{
    *x = (struct exchange){.question = question};
    list_init(&x->waiting);
}

/* ---- UDP ---- */

static void on_udp_closed(uv_handle_t *handle)
{
    struct udp_socket *s = container_of(handle, struct udp_socket, handle);
    struct upstream *u = s->upstream;
    idmap_fini(&s->exchanges);
    free(s);
    unref(u);
}

static void udp_close(struct udp_socket *s)
{
    if (s->closing)
        return;
    s->closing = true;
    uv_close((uv_handle_t *)&s->handle, on_udp_closed);
}

static void on_udp_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct udp_socket *s = container_of(handle, struct udp_socket, handle);
    *ret = uv_buf_init(s->upstream->env->slab, UPSTREAM_SLAB_BYTES);
}

static void forget_gathered(struct upstream *u)
{
    u->gathers = NULL;
    u->out.count = 0;
}

/* ICMP said that nobody listens: everything under way on this socket is lost. What is asked anew
 * meanwhile is not, hence the list. */
static void udp_fail_all(struct udp_socket *s)
{
    struct upstream *u = s->upstream;
    struct list lost;
    list_init(&lost);
    if (u->gathers == s)
        forget_gathered(u);
    u->refs++;
    while (s->exchanges.count) {
        uint32_t pos = 0;
        struct exchange *x = idmap_next(&s->exchanges, &pos);
        exchange_drop(x);
        list_append(&lost, &x->waiting);
    }
    for (struct list *node; (node = list_take_first(&lost));)
        u->env->on_event(container_of(node, struct exchange, waiting), QUERY_UNREACHABLE, NULL);
    unref(u);
}

static void feed(struct upstream *u, struct exchange *x, enum dns_match m, struct dns_answer *a)
{
    static const enum query_event events[] = {
        [DNS_OTHER_CASE] = QUERY_TRUNCATED,
        [DNS_TRUNCATED] = QUERY_TRUNCATED,
        [DNS_NO_EDNS] = QUERY_NO_EDNS,
        [DNS_ANSWERED] = QUERY_ANSWER,
    };
    exchange_drop(x);
    u->env->on_event(x, events[m], m == DNS_ANSWERED ? a : NULL);
}

static void on_datagram(
    uv_udp_t *handle, ssize_t n, const uv_buf_t *bytes, const struct sockaddr *from, unsigned flags)
{
    struct udp_socket *s = container_of(handle, struct udp_socket, handle);
    if (flags & UV_UDP_MMSG_FREE || s->closing)
        return;
    if (n < 0) {
        udp_fail_all(s);
        return;
    }
    if (n < 12 || !from)
        return;
    struct upstream *u = s->upstream;
    const uint8_t *p = (const uint8_t *)bytes->base;
    struct exchange *x = idmap_get(&s->exchanges, p[0] << 8 | p[1]);
    if (!x)
        return;
    struct dns_answer a = {0};
    arena_reset(u->env->arena);
    enum dns_match m = dns_decode(x->question, false, p, (size_t)n, u->env->arena, &a);
    if (m != DNS_NOT_OURS)
        feed(u, x, m, &a);
}

/* A random port of our own choice, else one of the kernel's. */
static int bind_somewhere(struct udp_socket *s)
{
    struct upstream *u = s->upstream;
    struct sockaddr_storage any = {.ss_family = u->address.ss_family};
    int rc = UV_EADDRINUSE;
    for (int i = 0; i <= PORT_TRIES && rc == UV_EADDRINUSE; i++) {
        uint16_t port = (uint16_t)(1024 + dns_random_u16(u->env->random) % (65536 - 1024));
        if (i == PORT_TRIES)
            port = 0;
        if (any.ss_family == AF_INET6)
            ((struct sockaddr_in6 *)&any)->sin6_port = htons(port);
        else
            ((struct sockaddr_in *)&any)->sin_port = htons(port);
        rc = uv_udp_bind(&s->handle, (const struct sockaddr *)&any, 0);
    }
    return rc;
}

static struct udp_socket *udp_open(struct upstream *u)
{
    struct udp_socket *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->upstream = u;
    if (uv_udp_init_ex(u->env->loop, &s->handle, u->address.ss_family | UV_UDP_RECVMMSG) != 0) {
        free(s);
        return NULL;
    }
    u->refs++;
    int rcvbuf = RCVBUF_BYTES;
    if (bind_somewhere(s) != 0 ||
        uv_udp_connect(&s->handle, (const struct sockaddr *)&u->address) != 0 ||
        uv_udp_recv_start(&s->handle, on_udp_alloc, on_datagram) != 0) {
        udp_close(s);
        return NULL;
    }
    (void)uv_recv_buffer_size((uv_handle_t *)&s->handle, &rcvbuf); /* less is slower, not wrong */
    return s;
}

/* Sockets take turns, each with what one system call sends; one that has served long enough is
 * replaced once nothing is under way. */
static struct udp_socket *udp_choose(struct upstream *u)
{
    if (u->gathers)
        return u->gathers;
    unsigned at = u->next_socket++ % UPSTREAM_SOCKETS;
    struct udp_socket *s = u->sockets[at];
    if (s && s->asked >= SOCKET_QUESTIONS_MAX && s->exchanges.count == 0) {
        udp_close(s);
        s = u->sockets[at] = NULL;
    }
    if (!s)
        s = u->sockets[at] = udp_open(u);
    return s;
}

struct udp_send {
    uv_udp_send_t request;
    char bytes[DNS_QUERY_BYTES_MAX];
};

static void on_sent(uv_udp_send_t *request, int status)
{
    (void)status; /* a loss shows as a time-out */
    free(container_of(request, struct udp_send, request));
}

/* The socket's buffer is full: the loop sends it when there is room. A loss shows as a time-out. */
static void send_later(struct udp_socket *s, const uint8_t *bytes, size_t n)
{
    struct udp_send *later = malloc(sizeof *later);
    if (!later)
        return;
    memcpy(later->bytes, bytes, n);
    uv_buf_t b = uv_buf_init(later->bytes, (unsigned)n);
    if (uv_udp_send(&later->request, &s->handle, &b, 1, NULL, on_sent) != 0)
        free(later);
}

/* Sends from number `at` on as many as go; how many did, or minus what errno says about the first.
 */
static int send_some(struct upstream *u, size_t at)
{
    struct gathered *out = &u->out;
    struct mmsghdr messages[GATHER_MAX] = {0};
    struct iovec parts[GATHER_MAX];
    uv_os_fd_t fd;
    int rc = uv_fileno((const uv_handle_t *)&u->gathers->handle, &fd);
    if (rc != 0)
        return rc;
    for (size_t i = at; i < out->count; i++) {
        parts[i] = (struct iovec){out->bytes[i], out->n[i]};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    do
        rc = sendmmsg(fd, messages + at, (unsigned)(out->count - at), 0);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : rc;
}

/* Those whose question could not be sent are told of it in on_turn(). */
static void send_gathered(struct upstream *u)
{
    struct udp_socket *s = u->gathers;
    for (size_t at = 0; s && at < u->out.count;) {
        const uint8_t *bytes = u->out.bytes[at];
        int rc = send_some(u, at);
        if (rc > 0) {
            at += (size_t)rc;
            continue;
        }
        struct exchange *x = idmap_get(&s->exchanges, bytes[0] << 8 | bytes[1]);
        if (rc == -EAGAIN || rc == -EWOULDBLOCK || rc == -ENOBUFS) {
            send_later(s, bytes, u->out.n[at]);
        } else if (x) { /* else it was cancelled meanwhile */
            exchange_drop(x);
            list_append(&u->failed, &x->waiting);
        }
        at++;
    }
    forget_gathered(u);
}

/* Reports to exchanges only here, outside of every call of the owner's. Who is asked again by that
 * starts the handle anew, so that a server that refuses all is no endless loop. */
static void on_turn(uv_idle_t *sender)
{
    struct upstream *u = container_of(sender, struct upstream, sender);
    uv_idle_stop(sender);
    send_gathered(u);
    u->refs++;
    for (struct list *node; (node = list_take_first(&u->failed));)
        u->env->on_event(container_of(node, struct exchange, waiting), QUERY_UNREACHABLE, NULL);
    unref(u);
}

bool upstream_ask_udp(struct upstream *u, struct exchange *x, bool edns)
{
    assert(!x->socket && !x->link && !x->waits_at);
    struct udp_socket *s = u->closing ? NULL : udp_choose(u);
    if (!s || s->exchanges.count > UINT16_MAX / 2)
        return false;
    uint16_t id;
    do
        id = dns_random_u16(u->env->random);
    while (idmap_get(&s->exchanges, id));
    uint8_t mix[32];
    dns_random_fill(u->env->random, mix, x->question->name_n / 8u + 1); /* a bit a byte of it */
    if (!idmap_put(&s->exchanges, id, x))
        return false;
    struct gathered *out = &u->out;
    out->n[out->count] = dns_encode(x->question, id, mix, edns, out->bytes[out->count]);
    out->count++;
    x->socket = u->gathers = s;
    x->edns = edns;
    s->asked++;
    if (out->count == GATHER_MAX)
        send_gathered(u);
    if (out->count || !list_is_empty(&u->failed))
        uv_idle_start(&u->sender, on_turn);
    return true;
}

/* ---- TCP ---- */

static void tcp_start_waiting(struct upstream *u);

static void on_tcp_closed(uv_handle_t *handle)
{
    struct tcp_link *l = container_of(handle, struct tcp_link, handle);
    struct upstream *u = l->upstream;
    list_remove(&l->node);
    u->link_count--;
    buf_fini(&l->in);
    free(l);
    if (!u->closing)
        tcp_start_waiting(u);
    unref(u);
}

static void tcp_close(struct tcp_link *l)
{
    if (l->exchange)
        l->exchange->link = NULL;
    l->exchange = NULL;
    if (l->closing)
        return;
    l->closing = true;
    uv_close((uv_handle_t *)&l->handle, on_tcp_closed);
}

static void tcp_fail(struct tcp_link *l)
{
    struct exchange *x = l->exchange;
    struct upstream *u = l->upstream;
    tcp_close(l);
    if (x)
        u->env->on_event(x, QUERY_UNREACHABLE, NULL);
}

static void on_tcp_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct tcp_link *l = container_of(handle, struct tcp_link, handle);
    size_t room = TIDE_MIN(suggested, (size_t)4096);
    char *p = buf_room(&l->in, room);
    *ret = uv_buf_init(p, p ? (unsigned)room : 0);
}

/* Takes whole messages from the front until one is ours. */
static void on_tcp_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    (void)bytes;
    struct tcp_link *l = container_of(stream, struct tcp_link, handle);
    struct upstream *u = l->upstream;
    if (l->closing || n == 0)
        return;
    if (n < 0) {
        tcp_fail(l);
        return;
    }
    buf_added(&l->in, (size_t)n);
    while (l->in.len >= 2) {
        const uint8_t *p = (const uint8_t *)l->in.data;
        size_t size = (size_t)p[0] << 8 | p[1];
        if (l->in.len < 2 + size)
            return;
        struct dns_answer a = {0};
        arena_reset(u->env->arena);
        struct exchange *x = l->exchange;
        enum dns_match m = dns_decode(x->question, true, p + 2, size, u->env->arena, &a);
        if (m != DNS_NOT_OURS) {
            feed(u, x, m, &a);
            return;
        }
        buf_consume(&l->in, 2 + size);
    }
}

static void on_tcp_written(uv_write_t *request, int status)
{
    struct tcp_link *l = container_of(request, struct tcp_link, write);
    if (status < 0 && !l->closing)
        tcp_fail(l);
}

static void on_tcp_connected(uv_connect_t *request, int status)
{
    struct tcp_link *l = container_of(request, struct tcp_link, connect);
    if (l->closing)
        return;
    uv_buf_t b = uv_buf_init((char *)l->out, (unsigned)l->out_n);
    uv_stream_t *stream = (uv_stream_t *)&l->handle;
    if (status < 0 || uv_read_start(stream, on_tcp_alloc, on_tcp_read) != 0 ||
        uv_write(&l->write, stream, &b, 1, on_tcp_written) != 0)
        tcp_fail(l);
}

static bool tcp_open(struct upstream *u, struct exchange *x)
{
    struct tcp_link *l = calloc(1, sizeof *l);
    if (!l)
        return false;
    buf_init(&l->in, 2 + TCP_MESSAGE_MAX + 4096);
    l->upstream = u;
    if (uv_tcp_init(u->env->loop, &l->handle) != 0) {
        free(l);
        return false;
    }
    u->refs++;
    u->link_count++;
    list_append(&u->links, &l->node);
    size_t n = dns_encode(x->question, dns_random_u16(u->env->random), NULL, x->edns, l->out + 2);
    l->out[0] = (uint8_t)(n >> 8);
    l->out[1] = (uint8_t)n;
    l->out_n = n + 2;
    if (uv_tcp_connect(&l->connect, &l->handle, (const struct sockaddr *)&u->address,
                       on_tcp_connected) != 0) {
        tcp_close(l);
        return false;
    }
    l->exchange = x;
    x->link = l;
    return true;
}

static void tcp_start_waiting(struct upstream *u)
{
    struct list *node = u->link_count < UPSTREAM_TCP_MAX ? list_take_first(&u->tcp_waiting) : NULL;
    if (!node)
        return;
    struct exchange *x = container_of(node, struct exchange, waiting);
    x->waits_at = NULL;
    if (!tcp_open(u, x))
        u->env->on_event(x, QUERY_UNREACHABLE, NULL);
}

bool upstream_ask_tcp(struct upstream *u, struct exchange *x, bool edns)
{
    assert(!x->socket && !x->link && !x->waits_at);
    if (u->closing)
        return false;
    x->edns = edns;
    if (u->link_count < UPSTREAM_TCP_MAX)
        return tcp_open(u, x);
    list_append(&u->tcp_waiting, &x->waiting);
    x->waits_at = u;
    return true;
}

/* ---- both ---- */

void exchange_drop(struct exchange *x)
{
    if (x->socket)
        idmap_remove(&x->socket->exchanges, x->question->id);
    x->socket = NULL;
    if (x->link)
        tcp_close(x->link);
    list_remove(&x->waiting);
    x->waits_at = NULL;
}

static void on_sender_closed(uv_handle_t *handle)
{
    unref(container_of(handle, struct upstream, sender));
}

void upstream_close(struct upstream *u, void (*closed)(void *arg), void *arg)
{
    assert(!u->closing);
    u->closing = true;
    u->closed = closed;
    u->closed_arg = arg;
    forget_gathered(u);
    for (size_t i = 0; i < UPSTREAM_SOCKETS; i++)
        if (u->sockets[i])
            udp_close(u->sockets[i]);
    uv_close((uv_handle_t *)&u->sender, on_sender_closed);
    LIST_EACH(node, &u->links)
    tcp_close(container_of(node, struct tcp_link, node));
    unref(u);
}

void upstream_note(struct upstream *u, bool answered)
{
    if (answered) {
        u->failures = 0;
        u->down_until = 0;
        return;
    }
    if (++u->failures < DOWN_AFTER)
        return;
    unsigned shift = TIDE_MIN(u->failures - DOWN_AFTER, 6u);
    u->down_until = uv_now(u->env->loop) + TIDE_MIN(DOWN_MS_MIN << shift, DOWN_MS_MAX);
}

bool upstream_is_down(const struct upstream *u)
{
    return u->down_until > uv_now(u->env->loop);
}

uint64_t upstream_down_until(const struct upstream *u)
{
    return u->down_until;
}
