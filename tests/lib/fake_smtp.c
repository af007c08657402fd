#include "lib/fake_smtp.h"

#include "base/list.h"
#include "lib/check.h"

#include <stdlib.h>

struct fake_conn {
    struct fake_smtp *f;
    uv_tcp_t tcp;
    struct tls *tls;
    struct buf in, wire;
    bool in_data, stuck;
    int mails, auth_step;
    char bytes[65536];
    struct list hook;
};

static struct list conns;

static void on_conn_closed(uv_handle_t *handle)
{
    struct fake_conn *c = container_of(handle, struct fake_conn, tcp);
    c->f->open--;
    list_remove(&c->hook);
    tls_free(c->tls);
    buf_fini(&c->in);
    buf_fini(&c->wire);
    free(c);
}

static void hang_up(struct fake_conn *c, bool reset)
{
    c->stuck = true;
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    if (!reset || uv_tcp_close_reset(&c->tcp, on_conn_closed) != 0)
        uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
}

struct fake_write {
    uv_write_t req;
    char bytes[];
};

static void on_written(uv_write_t *req, int status)
{
    (void)status;
    free(container_of(req, struct fake_write, req));
}

static void put_wire(struct fake_conn *c, struct text t)
{
    struct fake_write *w = malloc(sizeof *w + t.n);
    memcpy(w->bytes, t.p, t.n);
    uv_buf_t b = uv_buf_init(w->bytes, (unsigned)t.n);
    if (uv_is_closing((uv_handle_t *)&c->tcp) ||
        uv_write(&w->req, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0)
        free(w);
}

static void flush_tls(struct fake_conn *c)
{
    if (c->wire.len)
        put_wire(c, buf_text(&c->wire));
    buf_clear(&c->wire);
}

static void say(struct fake_conn *c, const char *line, bool slow)
{
    struct buf out = {0};
    struct tide_error err;
    buf_adds(&out, line);
    if (out.len < 2 || out.data[out.len - 1] != '\n')
        buf_adds(&out, "\r\n");
    if (c->tls && tls_is_open(c->tls)) {
        T_OK(tls_write(c->tls, out.data, out.len, &c->wire, &err), &err, "fake server");
        flush_tls(c);
    } else {
        for (size_t at = 0; at < out.len;) {
            size_t n = slow ? 1 : out.len;
            put_wire(c, text_cut(buf_text(&out), at, n));
            at += n;
        }
    }
    buf_fini(&out);
}

/* The usual reply, or what the fault says. False: the connection is of no more use. */
static bool answer(struct fake_conn *c, enum reply_stage at, const char *usual)
{
    const struct fake_fault *x = &c->f->fault;
    if (!x->on || x->at != at || (x->mail && x->mail != c->mails)) {
        if (usual)
            say(c, usual, false);
        return true;
    }
    switch (x->act) {
    case FAKE_ANSWER:
        say(c, x->reply, false);
        return true;
    case FAKE_RESET:
    case FAKE_CLOSE:
        if (x->reply)
            say(c, x->reply, false);
        hang_up(c, x->act == FAKE_RESET);
        return false;
    case FAKE_HANG:
        if (x->reply)
            say(c, x->reply, false);
        uv_read_stop((uv_stream_t *)&c->tcp);
        c->stuck = true;
        return false;
    case FAKE_SLOW:
        if (usual)
            say(c, usual, true);
        return true;
    }
    return false;
}

static void start_tls(struct fake_conn *c)
{
    struct tide_error err;
    T_OK(tls_new(c->f->tls, NULL, &c->tls, &err), &err, "fake server");
    T_OK(tls_start(c->tls, &c->in, &c->wire, &err), &err, "fake server");
}

static void on_hello(struct fake_conn *c)
{
    struct buf out = {0};
    struct text rest = text_of(c->f->offers), line;
    buf_adds(&out, "250-fake\r\n");
    while (text_split(&rest, '\n', &line) && line.n)
        buf_addf(&out, "250-" TEXT_FMT "\r\n", TEXT_ARG(line));
    buf_adds(&out, c->f->tls && !c->tls ? "250 STARTTLS\r\n" : "250 HELP\r\n");
    answer(c, STAGE_EHLO, buf_str(&out));
    buf_fini(&out);
}

static void on_auth(struct fake_conn *c, struct text line)
{
    if (text_istarts(line, TEXT("AUTH LOGIN")) || c->auth_step == 1) {
        c->auth_step++;
        say(c, c->auth_step == 1 ? "334 VXNlcm5hbWU6" : "334 UGFzc3dvcmQ6", false);
        return;
    }
    bool right = !c->f->want_auth || text_eq(line, text_of(c->f->want_auth));
    c->auth_step = 0;
    answer(c, STAGE_AUTH, right ? "235 2.7.0 ok" : "535 5.7.8 wrong");
}

static bool is(struct text line, const char *verb)
{
    return text_istarts(line, text_of(verb));
}

static void on_command(struct fake_conn *c, struct text line)
{
    c->f->commands++;
    buf_addf(&c->f->transcript, TEXT_FMT "\n", TEXT_ARG(line));
    if (c->auth_step || is(line, "AUTH")) {
        on_auth(c, line);
    } else if (is(line, "EHLO")) {
        on_hello(c);
    } else if (is(line, "STARTTLS")) {
        if (answer(c, STAGE_STARTTLS, "220 go") && !c->f->fault.on)
            start_tls(c);
    } else if (is(line, "MAIL")) {
        c->mails++;
        answer(c, STAGE_MAIL, "250 2.1.0 ok");
    } else if (is(line, "RCPT")) {
        answer(c, STAGE_RCPT, "250 2.1.5 ok");
    } else if (is(line, "DATA")) {
        bool refused = c->f->fault.on && c->f->fault.at == STAGE_DATA;
        c->in_data = answer(c, STAGE_DATA, "354 go") && !refused;
    } else if (is(line, "RSET")) {
        c->f->resets++;
        say(c, "250 2.0.0 ok", false);
    } else if (is(line, "QUIT")) {
        c->f->quits++;
        say(c, "221 2.0.0 bye", false);
    } else {
        say(c, "500 5.5.2 what?", false);
    }
}

static void eat(struct fake_conn *c)
{
    while (!c->stuck && c->in.len) {
        struct text in = buf_text(&c->in);
        const char *want = c->in_data ? "\r\n.\r\n" : "\r\n";
        const char *hit = memmem(in.p, in.n, want, strlen(want));
        size_t end = hit ? (size_t)(hit - in.p) : in.n;
        if (!hit && !(c->in_data && text_starts(in, TEXT(".\r\n"))))
            break;
        struct text line = text_cut(in, 0, end);
        if (c->in_data && text_starts(in, TEXT(".\r\n"))) {
            c->in_data = false;
            buf_consume(&c->in, 3);
            say(c, "554 5.5.1 no valid recipients", false);
        } else if (c->in_data) {
            c->in_data = false;
            buf_clear(&c->f->last_message);
            buf_add_text(&c->f->last_message, text_cut(in, 0, end + 2));
            buf_consume(&c->in, end + 5);
            c->f->messages++;
            answer(c, STAGE_DOT, "250 2.0.0 queued");
        } else {
            char copy[4096];
            snprintf(copy, sizeof copy, TEXT_FMT, TEXT_ARG(line));
            buf_consume(&c->in, end + 2);
            on_command(c, text_of(copy));
        }
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct fake_conn *c = container_of(handle, struct fake_conn, tcp);
    (void)suggested;
    *ret = uv_buf_init(c->bytes, sizeof c->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct fake_conn *c = container_of(stream, struct fake_conn, tcp);
    struct tide_error err;
    if (n < 0) {
        hang_up(c, false);
    } else if (c->tls) {
        bool was = tls_is_open(c->tls);
        bool failed = tls_feed(c->tls, b->base, (size_t)n, &c->in, &c->wire, &err) != TIDE_OK;
        flush_tls(c);
        if (!was && tls_is_open(c->tls)) {
            c->f->tls_handshakes++;
            if (c->f->implicit_tls)
                answer(c, STAGE_GREETING, "220 fake");
        }
        if (failed)
            hang_up(c, false);
        else
            eat(c);
    } else {
        buf_add(&c->in, b->base, (size_t)n);
        eat(c);
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    struct fake_smtp *f = container_of(server, struct fake_smtp, listener);
    struct fake_conn *c = calloc(1, sizeof *c);
    T_EQ(status, 0, "fake server");
    c->f = f;
    uv_tcp_init(f->loop, &c->tcp);
    T_EQ(uv_accept(server, (uv_stream_t *)&c->tcp), 0, "fake server");
    uv_tcp_nodelay(&c->tcp, 1);
    list_append(&conns, &c->hook);
    f->connections++;
    f->open++;
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (!answer(c, STAGE_CONNECT, NULL))
        return;
    if (f->implicit_tls)
        start_tls(c);
    else
        answer(c, STAGE_GREETING, "220 fake ESMTP");
}

void fake_smtp_open(struct fake_smtp *f, uv_loop_t *loop)
{
    struct sockaddr_storage name;
    int len = sizeof name;
    struct sockaddr_in any;
    if (!conns.next)
        list_init(&conns);
    f->loop = loop;
    if (!f->offers)
        f->offers = "PIPELINING\n8BITMIME\n";
    T_EQ(uv_ip4_addr("127.0.0.1", 0, &any), 0, "address");
    T_EQ(uv_tcp_init(loop, &f->listener), 0, "listener");
    T_EQ(uv_tcp_bind(&f->listener, (struct sockaddr *)&any, 0), 0, "bind");
    T_EQ(uv_listen((uv_stream_t *)&f->listener, 128, on_connection), 0, "listen");
    T_EQ(uv_tcp_getsockname(&f->listener, (struct sockaddr *)&name, &len), 0, "name");
    f->port = ntohs(((struct sockaddr_in *)&name)->sin_port);
}

void fake_smtp_close(struct fake_smtp *f)
{
    uv_close((uv_handle_t *)&f->listener, NULL);
    LIST_EACH(node, &conns)
    {
        struct fake_conn *c = container_of(node, struct fake_conn, hook);
        if (c->f == f)
            hang_up(c, false);
    }
}

void fake_smtp_free(struct fake_smtp *f)
{
    T_EQ(f->open, 0, "connections of the fake server");
    buf_fini(&f->last_message);
    buf_fini(&f->transcript);
}
