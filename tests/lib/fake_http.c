#include "lib/fake_http.h"

#include "lib/check.h"

#include <stdlib.h>

struct http_conn {
    struct fake_http *f;
    uv_tcp_t tcp;
    struct tls *tls;
    struct buf in, wire;
    bool stuck;
    char bytes[65536];
    struct list hook;
};

struct http_write {
    uv_write_t req;
    char bytes[];
};

static void on_conn_closed(uv_handle_t *handle)
{
    struct http_conn *c = container_of(handle, struct http_conn, tcp);
    c->f->open--;
    list_remove(&c->hook);
    tls_free(c->tls);
    buf_fini(&c->in);
    buf_fini(&c->wire);
    free(c);
}

static void hang_up(struct http_conn *c, bool reset)
{
    c->stuck = true;
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    if (!reset || uv_tcp_close_reset(&c->tcp, on_conn_closed) != 0)
        uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
}

static void on_written(uv_write_t *req, int status)
{
    (void)status;
    free(container_of(req, struct http_write, req));
}

/* As far as the socket takes it at once: what follows may be a reset. */
static void put_wire(struct http_conn *c, struct text t)
{
    uv_buf_t now = uv_buf_init((char *)(uintptr_t)t.p, (unsigned)t.n);
    int done = t.n > 0 ? uv_try_write((uv_stream_t *)&c->tcp, &now, 1) : 0;
    size_t at = done > 0 ? (size_t)done : 0;
    if (at == t.n || uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    struct http_write *w = malloc(sizeof *w + t.n - at);
    memcpy(w->bytes, t.p + at, t.n - at);
    uv_buf_t b = uv_buf_init(w->bytes, (unsigned)(t.n - at));
    if (uv_write(&w->req, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0)
        free(w);
}

static void say(struct http_conn *c, const char *text)
{
    struct tide_error err;
    if (c->tls) {
        T_OK(tls_write(c->tls, text, strlen(text), &c->wire, &err), &err, "fake server");
        put_wire(c, buf_text(&c->wire));
        buf_clear(&c->wire);
    } else {
        put_wire(c, text_of(text));
    }
}

static struct text value_of(struct text head, const char *name)
{
    struct text line;
    while (text_split(&head, '\n', &line)) {
        size_t colon = text_find(line, ':');
        if (colon < line.n && text_ieq(text_cut(line, 0, colon), text_of(name)))
            return text_trim(text_cut(line, colon + 1, line.n));
    }
    return (struct text){NULL, 0};
}

static size_t head_length(struct text in)
{
    const char *end = in.n ? memmem(in.p, in.n, "\r\n\r\n", 4) : NULL;
    return end ? (size_t)(end - in.p) + 4 : 0;
}

/* The text of a whole answer, with the length of its body unless it says one. */
static void say_answer(struct http_conn *c, struct text t)
{
    struct buf b = {0};
    size_t head = head_length(t);
    bool says = memmem(t.p, t.n, "Content-Length", 14);
    buf_add_text(&b, text_cut(t, 0, head - 2));
    if (!says)
        buf_addf(&b, "Content-Length: %zu\r\n", t.n - head);
    buf_add_text(&b, text_cut(t, head - 2, t.n));
    say(c, buf_str(&b));
    buf_fini(&b);
}

static void play(struct http_conn *c, const struct fake_http_act *act)
{
    if (act->does == HTTP_ANSWERS)
        say_answer(c, text_of(act->text));
    else if (act->text)
        say(c, act->text);
    if (act->does == HTTP_CLOSES || act->does == HTTP_RESETS)
        hang_up(c, act->does == HTTP_RESETS);
    else if (act->does != HTTP_ANSWERS)
        c->stuck = true;
}

/* Whole requests in `in` meet their acts. */
static void eat(struct http_conn *c)
{
    struct fake_http *f = c->f;
    while (!c->stuck) {
        struct text in = buf_text(&c->in);
        size_t head = head_length(in);
        int64_t length = 0;
        if (head == 0)
            return;
        const struct fake_http_act *act =
            &f->script[TIDE_MIN(f->request_count, f->script_count - 1)];
        struct text said = value_of(text_cut(in, 0, head), "Content-Length");
        if (!text_starts(in, TEXT("GET ")))
            T_EQ(text_int(said, 0, 1 << 30, &length, NULL), TIDE_OK, "a length");
        if (act->does == HTTP_STOPS_BODY || act->does == HTTP_CUTS_BODY) {
            f->heads++;
            f->request_count++;
            uv_read_stop((uv_stream_t *)&c->tcp);
            c->stuck = true;
            if (act->does == HTTP_CUTS_BODY)
                hang_up(c, true);
            return;
        }
        if (in.n < head + (size_t)length)
            return;
        T_TRUE(f->request_count < FAKE_HTTP_REQUESTS_MAX, "too many requests");
        buf_add(&f->requests[f->request_count], in.p, head + (size_t)length);
        f->heads++;
        f->request_count++;
        buf_consume(&c->in, head + (size_t)length);
        play(c, act);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct http_conn *c = container_of(handle, struct http_conn, tcp);
    (void)suggested;
    *ret = uv_buf_init(c->bytes, sizeof c->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct http_conn *c = container_of(stream, struct http_conn, tcp);
    struct tide_error err;
    if (n < 0) {
        hang_up(c, false);
        return;
    }
    if (c->tls) {
        bool failed = tls_feed(c->tls, b->base, (size_t)n, &c->in, &c->wire, &err) != TIDE_OK;
        put_wire(c, buf_text(&c->wire));
        buf_clear(&c->wire);
        if (failed) {
            hang_up(c, false);
            return;
        }
    } else {
        buf_add(&c->in, b->base, (size_t)n);
    }
    eat(c);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct fake_http *f = container_of(server, struct fake_http, listener);
    struct http_conn *c = calloc(1, sizeof *c);
    struct tide_error err;
    T_EQ(status, 0, "fake server");
    c->f = f;
    uv_tcp_init(f->loop, &c->tcp);
    T_EQ(uv_accept(server, (uv_stream_t *)&c->tcp), 0, "fake server");
    uv_tcp_nodelay(&c->tcp, 1);
    list_append(&f->conns, &c->hook);
    f->connections++;
    f->open++;
    if (f->tls) {
        T_OK(tls_new(f->tls, NULL, &c->tls, &err), &err, "fake server");
        T_OK(tls_start(c->tls, NULL, &c->wire, &err), &err, "fake server");
    }
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

void fake_http_open(struct fake_http *f, uv_loop_t *loop)
{
    struct sockaddr_in name, any;
    int len = sizeof name;
    list_init(&f->conns);
    f->loop = loop;
    T_EQ(uv_ip4_addr("127.0.0.1", 0, &any), 0, "address");
    T_EQ(uv_tcp_init(loop, &f->listener), 0, "listener");
    T_EQ(uv_tcp_bind(&f->listener, (struct sockaddr *)&any, 0), 0, "bind");
    T_EQ(uv_listen((uv_stream_t *)&f->listener, 128, on_connection), 0, "listen");
    T_EQ(uv_tcp_getsockname(&f->listener, (struct sockaddr *)&name, &len), 0, "name");
    f->port = ntohs(name.sin_port);
}

void fake_http_close(struct fake_http *f)
{
    uv_close((uv_handle_t *)&f->listener, NULL);
    LIST_EACH(node, &f->conns)
    hang_up(container_of(node, struct http_conn, hook), false);
}

void fake_http_free(struct fake_http *f)
{
    T_EQ(f->open, 0, "connections of the fake server");
    for (size_t i = 0; i < f->request_count; i++)
        buf_fini(&f->requests[i]);
}

struct text fake_http_header(const struct fake_http *f, size_t i, const char *name)
{
    struct text all = buf_text(&f->requests[i]);
    return value_of(text_cut(all, 0, head_length(all)), name);
}

struct text fake_http_body(const struct fake_http *f, size_t i)
{
    struct text all = buf_text(&f->requests[i]);
    return text_cut(all, head_length(all), all.n);
}
