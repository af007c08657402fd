#include "io/loop/smtp_session.h"

#include "base/log.h"
#include "base/macros.h"

#include <assert.h>
#include <stdlib.h>

#define UNREAD_BYTES_MAX 131072u /* waiting for an answer: then the peer is not read from */
#define UNSENT_BYTES_MAX 262144u
#define FLUSH_MS         10000 /* for the last replies to leave */
#define LINGER_MS        2000  /* for the peer to read them: closing earlier could destroy them */

static void pump(struct smtp_session *s);

static void unref(struct smtp_session *s)
{
    if (--s->refs > 0)
        return;
    struct smtp_service *sv = s->service;
    if (sv->options.ops->closed)
        sv->options.ops->closed(s);
    smtp_server_fini(&s->server);
    tls_free(s->tls);
    buf_fini(&s->plain);
    buf_fini(&s->out);
    buf_fini(&s->wire);
    buf_fini(&s->sending);
    service_forget(sv, s);
    free(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

static void session_close(struct smtp_session *s)
{
    if (s->closing)
        return;
    s->closing = true;
    uv_close(&s->stream.handle, on_handle_closed);
    uv_close((uv_handle_t *)&s->timer, on_handle_closed);
}

static void log_failure(const struct smtp_session *s,
                        const char *event,
                        const struct tide_error *err)
{
    char quoted[TIDE_ERROR_BYTES_MAX + 8];
    log_debug(event, "peer=%s error=%s", s->peer,
              log_quote(text_of(err->text), quoted, sizeof quoted));
}

/* ---- sending ---- */

/* Replies become bytes for the wire. */
static void encode(struct smtp_session *s)
{
    struct tide_error err;
    if (s->out.len == 0 || (s->tls && !tls_is_open(s->tls)))
        return; /* the greeting waits for the handshake */
    if (!s->tls) {
        buf_add_text(&s->wire, buf_text(&s->out));
    } else if (tls_write(s->tls, s->out.data, s->out.len, &s->wire, &err) != TIDE_OK) {
        log_failure(s, "smtp.tls_failed", &err);
        session_close(s);
    }
    buf_clear(&s->out);
}

static void on_written(uv_write_t *req, int status)
{
    struct smtp_session *s = req->data;
    buf_clear(&s->sending);
    if (status != 0)
        session_close(s);
    else
        pump(s);
    unref(s);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)status; /* the peer is gone: its EOF or the timer closes */
    unref(req->data);
}

/* All is said. The peer reads it, closes, and only then this side does (or after LINGER_MS). */
static void linger(struct smtp_session *s)
{
    s->lingering = true;
    s->shutdown.data = s;
    if (s->eof || uv_shutdown(&s->shutdown, &s->stream.stream, on_shutdown) != 0) {
        session_close(s);
        return;
    }
    s->refs++;
}

static void send_wire(struct smtp_session *s)
{
    if (s->closing || s->sending.len || s->wire.len == 0)
        return;
    uv_buf_t b = uv_buf_init(s->wire.data, (unsigned)s->wire.len);
    int n = uv_try_write(&s->stream.stream, &b, 1);
    if (n == (int)s->wire.len) {
        buf_clear(&s->wire);
        return;
    }
    if (n < 0 && n != UV_EAGAIN) {
        session_close(s);
        return;
    }
    if (n > 0)
        buf_consume(&s->wire, (size_t)n);
    struct buf empty = s->sending;
    s->sending = s->wire;
    s->wire = empty;
    b = uv_buf_init(s->sending.data, (unsigned)s->sending.len);
    s->write.data = s;
    if (uv_write(&s->write, &s->stream.stream, &b, 1, on_written) != 0) {
        session_close(s);
        return;
    }
    s->refs++;
}

static void flush(struct smtp_session *s)
{
    encode(s);
    if (s->ending && s->tls && !s->closing)
        tls_close(s->tls, &s->wire);
    if (s->out.failed || s->wire.failed)
        session_close(s);
    send_wire(s);
    if (s->ending && !s->lingering && !s->closing && s->wire.len == 0 && s->sending.len == 0)
        linger(s);
}

/* ---- time ---- */

static uint64_t timeout_ms(const struct smtp_session *s)
{
    const struct smtp_service_options *o = &s->service->options;
    if (s->lingering)
        return LINGER_MS;
    if (s->ending)
        return FLUSH_MS;
    if (s->asked)
        return 0; /* the owner's time, not the peer's */
    enum smtp_server_state state = s->server.state;
    bool data = state == SMTP_STATE_DATA || state == SMTP_STATE_CHUNK;
    return (uint64_t)(data ? o->data_timeout_ms : o->command_timeout_ms);
}

static void on_timeout(uv_timer_t *timer)
{
    struct smtp_session *s = timer->data;
    struct reply r;
    if (s->ending) {
        session_close(s);
        return;
    }
    log_debug("smtp.timeout", "peer=%s", s->peer);
    reply_set(&r, 421, (int[]){4, 4, 2}, "%s Timeout, closing the connection", s->server.hostname);
    session_end(s, &r);
}

static void arm(struct smtp_session *s)
{
    uint64_t wait = timeout_ms(s), now = uv_now(s->service->loop);
    uint64_t session_max = (uint64_t)s->service->options.session_max_ms;
    if (session_max && !s->ending && !s->asked) {
        uint64_t age = now - s->started_ms;
        uint64_t left = age < session_max ? session_max - age : 1;
        wait = wait ? TIDE_MIN(wait, left) : left;
    }
    if (wait)
        uv_timer_start(&s->timer, on_timeout, wait, 0);
    else
        uv_timer_stop(&s->timer);
}

/* ---- hearing ---- */

static void feed_plain(struct smtp_session *s, const void *bytes, size_t n)
{
    struct tide_error err;
    if (smtp_server_feed(&s->server, bytes, n, &err) != TIDE_OK) {
        log_failure(s, "smtp.feed_failed", &err);
        session_close(s);
    }
}

static void feed_tls(struct smtp_session *s, const void *bytes, size_t n)
{
    struct tide_error err;
    if (tls_feed(s->tls, bytes, n, &s->plain, &s->wire, &err) != TIDE_OK) {
        log_failure(s, "smtp.tls_failed", &err);
        send_wire(s); /* the alert, if it fits */
        session_close(s);
        return;
    }
    s->eof |= tls_peer_closed(s->tls);
    feed_plain(s, s->plain.data, s->plain.len);
    buf_clear(&s->plain);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct smtp_session *s = handle->data;
    *ret = uv_buf_init(s->service->read_bytes, SMTP_READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct smtp_session *s = stream->data;
    if (n == 0)
        return;
    if (n < 0) {
        s->eof = true;
        if (n != UV_EOF || s->lingering)
            session_close(s); /* reset: nothing can be said any more */
    } else if (s->ending) {
        return;
    } else if (s->tls) {
        feed_tls(s, b->base, (size_t)n);
    } else {
        feed_plain(s, b->base, (size_t)n);
    }
    pump(s);
}

/* Reading stops while much waits for an answer or for the peer to read. */
static void update_reading(struct smtp_session *s)
{
    bool want = !s->closing && !s->eof && s->server.in.len < UNREAD_BYTES_MAX &&
                s->wire.len + s->sending.len < UNSENT_BYTES_MAX;
    if (want && !s->reading)
        want = uv_read_start(&s->stream.stream, on_alloc, on_read) == 0;
    else if (!want && s->reading && !s->closing)
        uv_read_stop(&s->stream.stream);
    s->reading = want;
}

/* ---- deciding ---- */

static bool begin_tls(struct smtp_session *s)
{
    struct tide_error err;
    enum tide_err rc = TIDE_ESTATE;
    if (s->service->options.tls)
        rc = tls_new(s->service->options.tls, NULL, &s->tls, &err);
    if (rc == TIDE_OK)
        rc = tls_start(s->tls, NULL, &s->wire, &err);
    if (rc != TIDE_OK)
        session_close(s);
    return rc == TIDE_OK;
}

static void start_tls(struct smtp_session *s)
{
    encode(s); /* the 220 goes in the clear */
    if (begin_tls(s))
        smtp_server_tls_started(&s->server);
}

static void ask_owner(struct smtp_session *s, enum smtp_ask ask)
{
    const struct smtp_service_ops *ops = s->service->options.ops;
    const struct smtp_mail *mail = &s->server.mail;
    s->asked = true;
    s->refs++;
    if (ask == SMTP_ASK_AUTH)
        ops->auth(s, &s->server.credentials);
    else if (ask == SMTP_ASK_MAIL)
        ops->mail(s, mail);
    else if (ask == SMTP_ASK_RCPT)
        ops->rcpt(s, mail, &s->server.recipient);
    else
        ops->message(s, mail);
}

/* One step; false: nothing more can be done now. */
static bool pump_once(struct smtp_session *s)
{
    enum smtp_ask ask = smtp_server_step(&s->server, &s->out);
    switch (ask) {
    case SMTP_NEED_INPUT:
        s->ending |= s->eof;
        return false;
    case SMTP_ASK_CLOSE:
        s->ending = true;
        return false;
    case SMTP_ASK_STARTTLS:
        start_tls(s);
        return !s->closing;
    case SMTP_ASK_AUTH:
    case SMTP_ASK_MAIL:
    case SMTP_ASK_RCPT:
    case SMTP_ASK_MESSAGE:
        ask_owner(s, ask);
        return !s->asked;
    }
    return false;
}

/* Does all that can be done now, then sends what came of it in one write. */
static void pump(struct smtp_session *s)
{
    if (s->pumping || s->closing)
        return;
    s->refs++;
    s->pumping = true;
    while (!s->asked && !s->ending && !s->closing && pump_once(s))
        continue;
    s->pumping = false;
    if (!s->closing)
        flush(s);
    if (!s->closing) {
        update_reading(s);
        arm(s);
    }
    unref(s);
}

void smtp_session_answer(struct smtp_session *s, const struct reply *r)
{
    assert(s->asked);
    s->asked = false;
    smtp_server_answer(&s->server, r, &s->out);
    pump(s);
    unref(s);
}

/* ---- beginning and end ---- */

void session_start(struct smtp_session *s, const struct reply *refusal)
{
    s->started_ms = uv_now(s->service->loop);
    if (s->server.tls && !begin_tls(s))
        return;
    smtp_server_greet(&s->server, refusal, &s->out);
    pump(s);
}

void session_end(struct smtp_session *s, const struct reply *why)
{
    if (s->ending || s->closing)
        return;
    if (s->tls && !tls_is_open(s->tls)) {
        session_close(s); /* nothing can be said within a handshake */
        return;
    }
    smtp_server_close(&s->server, why, &s->out);
    pump(s);
}

void *smtp_session_arg(const struct smtp_session *s)
{
    return s->service->options.arg;
}

void smtp_session_set_data(struct smtp_session *s, void *data)
{
    s->data = data;
}

void *smtp_session_data(const struct smtp_session *s)
{
    return s->data;
}

const char *smtp_session_peer(const struct smtp_session *s)
{
    return s->peer;
}

bool smtp_session_is_local(const struct smtp_session *s)
{
    return s->is_local;
}

const struct smtp_server *smtp_session_server(const struct smtp_session *s)
{
    return &s->server;
}
