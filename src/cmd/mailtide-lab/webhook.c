#include "cmd/mailtide-lab/webhook.h"

#include "base/list.h"
#include "base/log.h"
#include "base/macros.h"
#include "io/loop/listen.h"

#include <stdlib.h>

#define REPLY_BYTES       4096
#define ANSWER_TIMEOUT_MS 5000

struct post {
    struct list node;
    struct buf request;
    int tries;
};

/* IDLE --post--> BUSY (connecting, writing, reading the status line) --closed--> IDLE */
struct webhook {
    uv_loop_t *loop;
    struct listen_spec server;
    char *host, *path;
    struct list posts;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    bool busy, closing, taken;
    size_t n;
    char reply[REPLY_BYTES + 1];
    void (*closed)(void *arg);
    void *closed_arg;
};

static void start_next(struct webhook *h);

static void post_free(struct post *p)
{
    list_remove(&p->node);
    buf_fini(&p->request);
    free(p);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct webhook *h = handle->data;
    void (*closed)(void *) = h->closed;
    void *arg = h->closed_arg;
    while (!list_is_empty(&h->posts))
        post_free(container_of(list_first(&h->posts), struct post, node));
    free(h->host);
    free(h->path);
    free(h);
    if (closed)
        closed(arg);
}

static void finish_close(struct webhook *h)
{
    if (h->closing && !h->busy)
        uv_close((uv_handle_t *)&h->timer, on_timer_closed);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct webhook *h = handle->data;
    struct post *p = container_of(list_first(&h->posts), struct post, node);
    h->busy = false;
    if (h->taken) {
        post_free(p);
    } else if (++p->tries == WEBHOOK_TRIES) {
        log_warn("lab.webhook_failed", "url=http://%s%s tries=%d", h->host, h->path, p->tries);
        post_free(p);
    }
    finish_close(h);
    start_next(h);
}

static void hang_up(struct webhook *h)
{
    uv_timer_stop(&h->timer);
    if (!uv_is_closing((uv_handle_t *)&h->tcp))
        uv_close((uv_handle_t *)&h->tcp, on_tcp_closed);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct webhook *h = handle->data;
    (void)suggested;
    *ret = uv_buf_init(h->reply + h->n, (unsigned)(REPLY_BYTES - h->n));
}

/* "HTTP/1.1 204 ...": the class of the status is all that matters. */
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct webhook *h = stream->data;
    (void)b;
    if (n > 0)
        h->n += (size_t)n;
    h->reply[h->n] = '\0';
    bool whole = strstr(h->reply, "\r\n") != NULL;
    if (!whole && n >= 0)
        return;
    h->taken =
        whole && strncmp(h->reply, "HTTP/1.", 7) == 0 && h->reply[8] == ' ' && h->reply[9] == '2';
    hang_up(h);
}

static void on_written(uv_write_t *req, int status)
{
    struct webhook *h = req->data;
    if (status != 0)
        hang_up(h);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct webhook *h = req->data;
    struct post *p = container_of(list_first(&h->posts), struct post, node);
    uv_buf_t b = uv_buf_init(p->request.data, (unsigned)p->request.len);
    h->write.data = h;
    if (status != 0 || uv_write(&h->write, (uv_stream_t *)&h->tcp, &b, 1, on_written) != 0 ||
        uv_read_start((uv_stream_t *)&h->tcp, on_room, on_read) != 0)
        hang_up(h);
}

static void on_timeout(uv_timer_t *timer)
{
    hang_up(timer->data);
}

static void start_next(struct webhook *h)
{
    if (h->busy || h->closing || list_is_empty(&h->posts))
        return;
    h->busy = true;
    h->taken = false;
    h->n = 0;
    uv_tcp_init(h->loop, &h->tcp);
    h->tcp.data = h->connect.data = h;
    uv_timer_start(&h->timer, on_timeout, ANSWER_TIMEOUT_MS, 0);
    if (uv_tcp_connect(&h->connect, &h->tcp, (const struct sockaddr *)&h->server.address,
                       on_connected) != 0)
        hang_up(h);
}

void webhook_post(struct webhook *h, struct text headers, struct text body)
{
    struct post *p = calloc(1, sizeof *p);
    if (!p)
        return;
    list_append(&h->posts, &p->node);
    buf_addf(&p->request,
             "POST %s HTTP/1.1\r\nHost: %s\r\n" TEXT_FMT
             "Content-Length: %zu\r\nConnection: close\r\n\r\n",
             h->path, h->host, TEXT_ARG(headers), body.n);
    buf_add_text(&p->request, body);
    if (p->request.failed != TIDE_OK)
        post_free(p);
    start_next(h);
}

void webhook_close(struct webhook *h, void (*closed)(void *arg), void *arg)
{
    if (h->closing)
        return;
    h->closing = true;
    h->closed = closed;
    h->closed_arg = arg;
    if (h->busy)
        hang_up(h);
    finish_close(h);
}

enum tide_err webhook_open(uv_loop_t *loop,
                           const char *url,
                           struct webhook **ret,
                           struct tide_error *err)
{
    static const char scheme[] = "http://";
    const char *host = url + sizeof scheme - 1;
    if (strncmp(url, scheme, sizeof scheme - 1) != 0 || !strchr(host, '/'))
        return tide_fail(err, TIDE_EINVAL, "webhook: want http://ADDRESS:PORT/PATH, got \"%.80s\"",
                         url);
    struct webhook *h = calloc(1, sizeof *h);
    if (!h)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    list_init(&h->posts);
    h->loop = loop;
    h->path = strdup(strchr(host, '/'));
    h->host = strndup(host, strcspn(host, "/"));
    enum tide_err rc = h->path && h->host ? listen_parse(text_of(h->host), &h->server, err)
                                          : tide_fail(err, TIDE_ENOMEM, "out of memory");
    if (rc == TIDE_OK && h->server.is_unix)
        rc = tide_fail(err, TIDE_EINVAL, "want an address and a port");
    if (rc != TIDE_OK) {
        free(h->path);
        free(h->host);
        free(h);
        return tide_wrap(err, rc, "webhook %s", url);
    }
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    *ret = h;
    return TIDE_OK;
}
