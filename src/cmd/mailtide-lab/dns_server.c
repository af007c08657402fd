#include "cmd/mailtide-lab/dns_server.h"

#include "base/list.h"
#include "base/macros.h"
#include "io/loop/listen.h"

#include <stdlib.h>

#define BACKLOG     64
#define QUERY_BYTES 65537 /* a TCP query with its length */

struct dns_server {
    uv_udp_t udp;
    uv_tcp_t tcp;
    const struct names *names;
    struct list peers;
    int refs; /* open handles */
    bool closing;
    char name[LISTEN_NAME_BYTES];
    char datagram[65536];
    uint8_t answer[NAMES_ANSWER_BYTES_MAX];
    void (*closed)(void *arg);
    void *closed_arg;
};

/* Somebody an answer is due to: a TCP connection, or a UDP question that waits. */
struct peer {
    struct dns_server *server;
    struct list node;
    int refs; /* handles open, writes in flight */
    bool is_tcp, closing;
    uv_tcp_t tcp;
    uv_timer_t timer;
    struct sockaddr_storage from;
    size_t n, wanted; /* TCP: bytes of the query that came, and all of it */
    uint8_t *bytes;   /* TCP: the query; then the answer */
    size_t answer_n;
    uv_write_t write;
    uv_udp_send_t send;
};

static void server_unref(struct dns_server *s)
{
    if (--s->refs > 0)
        return;
    void (*closed)(void *) = s->closed;
    void *arg = s->closed_arg;
    free(s);
    if (closed)
        closed(arg);
}

static void peer_unref(struct peer *p)
{
    if (--p->refs > 0)
        return;
    list_remove(&p->node);
    server_unref(p->server);
    free(p->bytes);
    free(p);
}

static void on_peer_closed(uv_handle_t *handle)
{
    peer_unref(handle->data);
}

static void peer_close(struct peer *p)
{
    if (p->closing)
        return;
    p->closing = true;
    uv_close((uv_handle_t *)&p->timer, on_peer_closed);
    if (p->is_tcp)
        uv_close((uv_handle_t *)&p->tcp, on_peer_closed);
}

static struct peer *peer_new(struct dns_server *s, bool is_tcp)
{
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->server = s;
    p->is_tcp = is_tcp;
    s->refs++;
    list_append(&s->peers, &p->node);
    uv_timer_init(s->udp.loop, &p->timer);
    p->timer.data = p;
    p->refs = 1;
    if (is_tcp) {
        uv_tcp_init(s->udp.loop, &p->tcp);
        p->tcp.data = p;
        p->refs++;
    }
    return p;
}

static void on_sent(uv_udp_send_t *req, int status)
{
    struct peer *p = req->data;
    (void)status;
    peer_close(p);
    peer_unref(p);
}

static void on_written(uv_write_t *req, int status)
{
    struct peer *p = req->data;
    (void)status;
    peer_close(p); /* one question a connection; resolvers ask again */
    peer_unref(p);
}

static void on_due(uv_timer_t *timer)
{
    struct peer *p = timer->data;
    uv_buf_t b = uv_buf_init((char *)p->bytes, (unsigned)p->answer_n);
    p->refs++;
    p->write.data = p->send.data = p;
    int rc = p->is_tcp ? uv_write(&p->write, (uv_stream_t *)&p->tcp, &b, 1, on_written)
                       : uv_udp_send(&p->send, &p->server->udp, &b, 1,
                                     (const struct sockaddr *)&p->from, on_sent);
    if (rc != 0) {
        peer_close(p);
        peer_unref(p);
    }
}

/* -- UDP ---------------------------------------------------------------------------------------
 */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct dns_server *s = handle->data;
    (void)suggested;
    *ret = uv_buf_init(s->datagram, sizeof s->datagram);
}

static void answer_later(struct dns_server *s,
                         size_t n,
                         const struct sockaddr *from,
                         int64_t delay_ms)
{
    struct peer *p = peer_new(s, false);
    if (!p)
        return;
    p->bytes = malloc(n);
    if (!p->bytes) {
        peer_close(p);
        return;
    }
    memcpy(p->bytes, s->answer, n);
    p->answer_n = n;
    memcpy(&p->from, from,
           from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    uv_timer_start(&p->timer, on_due, (uint64_t)delay_ms, 0);
}

static void on_datagram(
    uv_udp_t *udp, ssize_t n, const uv_buf_t *b, const struct sockaddr *from, unsigned flags)
{
    struct dns_server *s = udp->data;
    int64_t delay_ms;
    (void)flags;
    if (n <= 0 || !from)
        return;
    size_t answer_n =
        names_answer(s->names, (const uint8_t *)b->base, (size_t)n, false, s->answer, &delay_ms);
    if (answer_n == 0)
        return;
    uv_buf_t out = uv_buf_init((char *)s->answer, (unsigned)answer_n);
    if (delay_ms > 0)
        answer_later(s, answer_n, from, delay_ms);
    else
        (void)uv_udp_try_send(udp, &out, 1, from); /* a lost datagram is asked for again */
}

/* -- TCP ---------------------------------------------------------------------------------------
 */

static void on_peer_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct peer *p = handle->data;
    (void)suggested;
    *ret = uv_buf_init((char *)p->bytes + p->n, (unsigned)(QUERY_BYTES - p->n));
}

static void peer_answer(struct peer *p)
{
    struct dns_server *s = p->server;
    int64_t delay_ms;
    size_t n = names_answer(s->names, p->bytes + 2, p->wanted - 2, true, s->answer, &delay_ms);
    if (n == 0) {
        p->n = 0; /* a name that is never answered: the peer gives up, or asks something else */
        return;
    }
    uv_read_stop((uv_stream_t *)&p->tcp);
    p->bytes[0] = (uint8_t)(n >> 8);
    p->bytes[1] = (uint8_t)n;
    memcpy(p->bytes + 2, s->answer, n);
    p->answer_n = n + 2;
    uv_timer_start(&p->timer, on_due, (uint64_t)delay_ms, 0);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct peer *p = stream->data;
    (void)b;
    if (n < 0) {
        peer_close(p);
        return;
    }
    p->n += (size_t)n;
    if (p->n < 2)
        return;
    p->wanted = 2 + ((size_t)p->bytes[0] << 8 | p->bytes[1]);
    if (p->n >= p->wanted)
        peer_answer(p);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct dns_server *s = stream->data;
    struct peer *p = status == 0 ? peer_new(s, true) : NULL;
    if (!p)
        return;
    p->bytes = malloc(QUERY_BYTES);
    if (!p->bytes || uv_accept(stream, (uv_stream_t *)&p->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&p->tcp, on_peer_room, on_read) != 0)
        peer_close(p);
}

/* -- Beginning and end -------------------------------------------------------------------------
 */

static int bind_both(struct dns_server *s, struct sockaddr_storage *address)
{
    struct sockaddr *a = (struct sockaddr *)address;
    int n = sizeof *address;
    /* TCP chooses the port: of its ports more are in use. */
    int rc = uv_tcp_bind(&s->tcp, a, 0);
    if (rc == 0)
        rc = uv_tcp_getsockname(&s->tcp, a, &n);
    if (rc == 0)
        rc = uv_udp_bind(&s->udp, a, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&s->tcp, BACKLOG, on_connection);
    if (rc == 0)
        listen_address_text(a, (socklen_t)n, s->name, sizeof s->name);
    return rc;
}

static void on_handle_closed(uv_handle_t *handle)
{
    server_unref(handle->data);
}

void dns_server_close(struct dns_server *s, void (*closed)(void *arg), void *arg)
{
    if (s->closing)
        return;
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    LIST_EACH(node, &s->peers)
    peer_close(container_of(node, struct peer, node));
    uv_close((uv_handle_t *)&s->udp, on_handle_closed);
    uv_close((uv_handle_t *)&s->tcp, on_handle_closed);
}

enum tide_err dns_server_open(uv_loop_t *loop,
                              const char *listen,
                              const struct names *names,
                              struct dns_server **ret,
                              struct tide_error *err)
{
    struct listen_spec spec;
    enum tide_err rc = listen_parse(text_of(listen), &spec, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, "dns.listen");
    if (spec.is_unix)
        return tide_fail(err, TIDE_EINVAL, "dns.listen: want an address and a port");
    struct dns_server *s = calloc(1, sizeof *s);
    if (!s)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    s->names = names;
    list_init(&s->peers);
    uv_udp_init(loop, &s->udp);
    uv_tcp_init(loop, &s->tcp);
    s->udp.data = s->tcp.data = s;
    s->refs = 2;
    int n = bind_both(s, &spec.address);
    if (n == 0)
        n = uv_udp_recv_start(&s->udp, on_room, on_datagram);
    if (n != 0) {
        dns_server_close(s, NULL, NULL);
        return tide_fail(err, TIDE_ECONN, "dns.listen %s: %s", listen, uv_strerror(n));
    }
    *ret = s;
    return TIDE_OK;
}

const char *dns_server_name(const struct dns_server *s)
{
    return s->name;
}
