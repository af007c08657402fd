#include "base/macros.h"
#include "io/loop/http_inside.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The way out beside libmicrohttpd's. It goes when its handles are closed, the request maybe
 * before.
 *
 *   IDLE --written--> WAITING --socket takes all--> IDLE, or over when the answer is whole
 *                        `--failed, or nothing taken for the idle time--> cut */
struct early {
    struct list node;  /* in http.earlies */
    struct request *r; /* NULL: closed */
    int fd;            /* of the connection's socket: libmicrohttpd may close its own meanwhile */
    uv_poll_t poll;
    uv_timer_t idle;
    unsigned handles;
    bool waiting, whole;
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct early *e = handle->data;
    if (--e->handles > 0)
        return;
    close(e->fd);
    free(e);
}

bool early_open(struct request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct early *e = info ? calloc(1, sizeof *e) : NULL;
    if (!e)
        return false;
    e->fd = fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 0);
    if (e->fd < 0 || uv_poll_init_socket(r->h->loop, &e->poll, e->fd) != 0) {
        if (e->fd >= 0)
            close(e->fd);
        free(e);
        return false;
    }
    uv_timer_init(r->h->loop, &e->idle);
    e->poll.data = e->idle.data = e;
    e->handles = 2;
    e->r = r;
    r->early = e;
    list_append(&r->h->earlies, &e->node);
    return true;
}

void early_close(struct request *r)
{
    struct early *e = r->early;
    if (!e)
        return;
    r->early = NULL;
    e->r = NULL;
    list_remove(&e->node);
    uv_close((uv_handle_t *)&e->poll, on_handle_closed);
    uv_close((uv_handle_t *)&e->idle, on_handle_closed);
}

static void cut(struct early *e)
{
    struct request *r = e->r;
    if (r->state == REQUEST_STREAMING) {
        http_stream_cut(r);
    } else { /* its last bytes: nobody waits for them any more */
        r->stream.cut = true;
        early_close(r);
    }
    http_resume(r);
}

void early_cut_all(struct http *h)
{
    for (struct list *node; (node = list_first(&h->earlies));)
        cut(container_of(node, struct early, node));
}

static void on_idle(uv_timer_t *timer)
{
    cut(timer->data);
}

/* False: the connection is broken. */
static bool send_out(struct early *e)
{
    struct buf *out = &e->r->stream.out;
    size_t at = 0;
    ssize_t n = 0;
    if (out->failed != TIDE_OK)
        return false;
    while (at < out->len && n >= 0) {
        do
            n = send(e->fd, out->data + at, out->len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        at += n > 0 ? (size_t)n : 0;
    }
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        return false;
    buf_consume(out, at);
    if (at > 0)
        uv_timer_start(&e->idle, on_idle, (uint64_t)e->r->h->limits.idle_timeout_ms, 0);
    return true;
}

/* All of the answer is out; what of the body still comes is read, so that no reset overtakes it. */
static void answer_is_out(struct early *e)
{
    struct request *r = e->r;
    (void)shutdown(e->fd, SHUT_WR);
    early_close(r);
    http_resume(r);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct early *e = poll->data;
    struct request *r = e->r;
    struct stream *s = &r->stream;
    (void)events;
    if (status < 0 || !send_out(e)) {
        cut(e);
        return;
    }
    if (s->out.len == 0) {
        e->waiting = false;
        uv_poll_stop(poll);
        uv_timer_stop(&e->idle);
    }
    if (e->whole && s->out.len == 0) {
        answer_is_out(e);
    } else if (s->wants_room && s->out.len < HTTP_STREAM_BYTES_MAX / 2) {
        s->wants_room = false;
        s->on_room(s->arg);
    }
}

/* What was written goes out at the next turn of the loop, many lines at once. */
static void wait_for_room(struct early *e)
{
    if (e->waiting)
        return;
    e->waiting = true;
    int rc = uv_poll_start(&e->poll, UV_WRITABLE, on_writable);
    assert(rc == 0);
    uv_timer_start(&e->idle, on_idle, (uint64_t)e->r->h->limits.idle_timeout_ms, 0);
}

void early_begin(struct request *r,
                 const char *content_type,
                 const struct http_header *headers,
                 size_t count)
{
    struct buf *out = &r->stream.out;
    buf_addf(out, "HTTP/1.1 %u %s\r\n", r->status, MHD_get_reason_phrase_for(r->status));
    if (content_type)
        buf_addf(out, "Content-Type: %s\r\n", content_type);
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s: %s\r\n", headers[i].name, headers[i].value);
    buf_adds(out, "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    wait_for_room(r->early);
    if (!r->held)
        http_resume(r);
}

void early_write(struct request *r, struct text piece)
{
    struct buf *out = &r->stream.out;
    if (piece.n == 0) /* that would be the last chunk */
        return;
    buf_addf(out, "%zx\r\n", piece.n);
    buf_add_text(out, piece);
    buf_adds(out, "\r\n");
    wait_for_room(r->early);
}

void early_end(struct request *r)
{
    r->early->whole = true;
    buf_adds(&r->stream.out, "0\r\n\r\n");
    wait_for_room(r->early);
    r->held = false;
    if (!r->ended)
        http_resume(r); /* what still comes is read and dropped */
}
