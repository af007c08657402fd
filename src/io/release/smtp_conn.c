#include "io/release/smtp_conn.h"

#include "base/log.h"
#include "base/macros.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define TLS_PIECE_BYTES 65536u /* plain text made into records at once */
#define NEXT_ADDRESS_MS 3000   /* an address that is silent so long gives way to the next one */

struct smtp_conn {
    struct smtp_conn_setup *setup;
    struct smtp_addresses addresses;
    size_t address; /* the one in use */
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    int handles; /* open ones */
    bool dialling, redialling, closing, turning, writing, ever_ready, idle, overdue;
    tide_mono_ms dial_deadline, idle_deadline;
    char dial_error[128];
    struct smtp_client client;
    struct tls *tls;
    struct buf plain, wire, flying; /* read in TLS; to be written; being written */
    size_t flying_plain;            /* bytes of the machine that `flying` stands for */
    struct smtp_mail mail;
    struct smtp_rcpt rcpt;
    struct account_mail *current;
    bool faulted;
    struct account_outcome fault;
};

static void turn(struct smtp_conn *c);
static void dial(struct smtp_conn *c);

/* --- the end --- */

static void on_handle_closed(struct smtp_conn *c)
{
    if (--c->handles > 0)
        return;
    c->setup->closed(c->setup->arg, c, c->faulted && !c->ever_ready ? &c->fault : NULL);
    smtp_client_fini(&c->client);
    tls_free(c->tls);
    buf_fini(&c->plain);
    buf_fini(&c->wire);
    buf_fini(&c->flying);
    free(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_handle_closed(container_of(handle, struct smtp_conn, timer));
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct smtp_conn *c = container_of(handle, struct smtp_conn, tcp);
    if (c->redialling && !c->closing) {
        c->redialling = false;
        c->handles--;
        dial(c);
        return;
    }
    on_handle_closed(c);
}

static void begin_close(struct smtp_conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    if (!c->redialling && !uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, on_tcp_closed);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void set_fault(struct smtp_conn *c, enum reply_stage stage, const struct reply *reply)
{
    c->faulted = true;
    c->fault = (struct account_outcome){
        .result = ACCOUNT_NOT_SENT, .reply = *reply, .stage = stage, .account_fault = true};
}

/* --- writing --- */

/* All that the kernel has taken is told to the machine: whether the final dot was among it decides
 * between NOT_SENT and UNKNOWN. libuv reports a finished write late, its queue is exact. */
static void note_written(struct smtp_conn *c)
{
    if (c->flying_plain && uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) == 0) {
        smtp_client_wrote(&c->client, c->flying_plain, clock_mono());
        c->flying_plain = 0;
    }
}

static void broken(struct smtp_conn *c, const char *what)
{
    note_written(c);
    smtp_client_broken(&c->client, what);
}

static void on_written(uv_write_t *req, int status)
{
    struct smtp_conn *c = container_of(req, struct smtp_conn, write);
    c->writing = false;
    if (c->closing)
        return;
    if (status < 0) { /* the last byte was not taken, else libuv would have said 0 */
        c->flying_plain = 0;
        smtp_client_broken(&c->client, uv_strerror(status));
    } else if (c->flying_plain) {
        smtp_client_wrote(&c->client, c->flying_plain, clock_mono());
        c->flying_plain = 0;
    }
    turn(c);
}

/* Writes what the socket takes at once and leaves the rest to libuv. `plain` of the machine's bytes
 * are told as written when the last of `bytes` is. */
static void write_out(struct smtp_conn *c, struct text bytes, size_t plain)
{
    uv_stream_t *stream = (uv_stream_t *)&c->tcp;
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)bytes.p, (unsigned)bytes.n);
    int n = uv_try_write(stream, &b, 1);
    if (n == UV_EAGAIN)
        n = 0;
    if (n < 0) {
        smtp_client_broken(&c->client, uv_strerror(n));
        return;
    }
    if ((size_t)n == bytes.n) {
        smtp_client_wrote(&c->client, plain, clock_mono());
        return;
    }
    buf_clear(&c->flying);
    buf_add_text(&c->flying, text_cut(bytes, (size_t)n, bytes.n));
    b = uv_buf_init(c->flying.data, (unsigned)c->flying.len);
    int rc = c->flying.failed ? UV_ENOMEM : uv_write(&c->write, stream, &b, 1, on_written);
    if (rc < 0) {
        smtp_client_broken(&c->client, uv_strerror(rc));
        return;
    }
    c->writing = true;
    c->flying_plain = plain;
}

/* One write, or false when there is nothing to write or one is under way. */
static bool write_some(struct smtp_conn *c)
{
    struct tide_error err;
    size_t plain = 0;
    if (c->writing || c->dialling || c->closing)
        return false;
    struct text t = {0};
    if (!c->tls || tls_is_open(c->tls))
        t = smtp_client_output(&c->client);
    if (c->tls) {
        plain = TIDE_MIN(t.n, TLS_PIECE_BYTES);
        if (plain && tls_write(c->tls, t.p, plain, &c->wire, &err) != TIDE_OK) {
            smtp_client_broken(&c->client, err.text);
            return false;
        }
        t = buf_text(&c->wire);
    } else {
        plain = t.n;
    }
    if (t.n == 0)
        return false;
    write_out(c, t, plain);
    buf_clear(&c->wire);
    return true;
}

/* What TLS still has to say (an alert, close_notify); nobody waits for it. */
static void write_last(struct smtp_conn *c)
{
    if (c->tls)
        tls_close(c->tls, &c->wire);
    if (c->writing || c->wire.len == 0)
        return;
    uv_buf_t b = uv_buf_init(c->wire.data, (unsigned)c->wire.len);
    (void)uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
}

/* --- events of the machine --- */

static void start_tls(struct smtp_conn *c)
{
    struct tide_error err = {0};
    enum tide_err rc = tls_new(c->setup->tls, c->setup->host, &c->tls, &err);
    if (rc == TIDE_OK)
        rc = tls_start(c->tls, NULL, &c->wire, &err);
    if (rc != TIDE_OK)
        smtp_client_broken(&c->client, err.text);
}

static void report_done(struct smtp_conn *c)
{
    static const enum account_result results[] = {[SMTP_PENDING] = ACCOUNT_NOT_SENT,
                                                  [SMTP_ACCEPTED] = ACCOUNT_ACCEPTED,
                                                  [SMTP_REFUSED] = ACCOUNT_REFUSED,
                                                  [SMTP_NOT_SENT] = ACCOUNT_NOT_SENT,
                                                  [SMTP_UNKNOWN] = ACCOUNT_UNKNOWN};
    const struct smtp_result *r = &c->rcpt.result;
    struct account_mail *mail = c->current;
    struct account_outcome outcome = {.result = results[r->fate],
                                      .reply = r->reply,
                                      .stage = r->stage,
                                      .account_fault = r->account_fault};
    assert(r->fate != SMTP_PENDING);
    c->current = NULL;
    c->setup->done(c->setup->arg, c, mail, &outcome, c->client.mails_done <= 1);
}

static void give(struct smtp_conn *c, struct account_mail *mail)
{
    c->idle = false;
    c->current = mail;
    c->rcpt = (struct smtp_rcpt){
        .address = mail->recipient, .notify = mail->notify, .orcpt = mail->orcpt};
    c->mail = (struct smtp_mail){.sender = mail->sender,
                                 .message = mail->message,
                                 .ret = mail->ret,
                                 .envid = mail->envid,
                                 .smtputf8 = mail->smtputf8,
                                 .rcpts = &c->rcpt,
                                 .rcpt_count = 1};
    smtp_client_send(&c->client, &c->mail, clock_mono());
}

static void on_ready(struct smtp_conn *c)
{
    c->ever_ready = true;
    struct account_mail *mail = c->setup->next_mail(c->setup->arg, c);
    if (mail) {
        give(c, mail);
        return;
    }
    c->idle = true;
    c->idle_deadline = clock_mono() + c->setup->idle_timeout_ms;
}

static void on_event(struct smtp_conn *c, enum smtp_event e)
{
    switch (e) {
    case SMTP_EVENT_NONE:
        break;
    case SMTP_EVENT_START_TLS:
        start_tls(c);
        break;
    case SMTP_EVENT_DONE:
        report_done(c);
        break;
    case SMTP_EVENT_READY:
        on_ready(c);
        break;
    case SMTP_EVENT_CLOSE:
        c->idle = false;
        if (c->client.faulted) {
            bool in_tls = c->tls && !tls_is_open(c->tls);
            set_fault(c, in_tls ? STAGE_STARTTLS : c->client.fault_stage, &c->client.fault);
        }
        write_last(c);
        begin_close(c);
        break;
    }
}

static void on_timer(uv_timer_t *timer);

static tide_mono_ms deadline_of(const struct smtp_conn *c)
{
    return c->dialling ? c->dial_deadline
           : c->idle   ? c->idle_deadline
                       : smtp_client_deadline(&c->client);
}

static void set_timer(struct smtp_conn *c)
{
    tide_mono_ms at = deadline_of(c);
    c->overdue = c->overdue && at <= clock_mono(); /* half a reply is no progress */
    if (at == TIDE_NEVER) {
        uv_timer_stop(&c->timer);
        return;
    }
    int64_t in_ms = at - clock_mono();
    uv_update_time(c->setup->loop);
    uv_timer_start(&c->timer, on_timer, in_ms > 0 ? (uint64_t)in_ms : 0, 0);
}

/* Writes and tells until there is nothing left to do. Called after everything that happened; what
 * happens inside (an owner that sends in its callback) is seen by the loop already running. */
static void turn(struct smtp_conn *c)
{
    if (c->turning || c->closing)
        return;
    c->turning = true;
    for (bool more = true; more && !c->closing;) {
        more = write_some(c);
        for (enum smtp_event e; !c->closing && (e = smtp_client_next(&c->client));) {
            on_event(c, e);
            more = true;
        }
    }
    c->turning = false;
    if (!c->closing)
        set_timer(c);
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct smtp_conn *c = container_of(handle, struct smtp_conn, tcp);
    (void)suggested;
    *ret = uv_buf_init(c->setup->read_bytes, SMTP_CONN_READ_BYTES);
}

static void feed_tls(struct smtp_conn *c, const char *bytes, size_t n)
{
    struct tide_error err = {0};
    bool was_open = tls_is_open(c->tls);
    buf_clear(&c->plain);
    enum tide_err rc = tls_feed(c->tls, bytes, n, &c->plain, &c->wire, &err);
    if (!was_open && tls_is_open(c->tls)) {
        log_debug("smtp_out.tls", "peer=%s version=%s cipher=%s", c->setup->client.peer,
                  tls_version(c->tls), tls_cipher(c->tls));
        if (c->client.state == SMTP_TLS)
            smtp_client_tls_open(&c->client, clock_mono());
    }
    if (c->plain.len)
        smtp_client_input(&c->client, buf_text(&c->plain), clock_mono());
    if (rc != TIDE_OK)
        broken(c, err.text);
    else if (tls_peer_closed(c->tls))
        broken(c, "the server closed the connection");
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct smtp_conn *c = container_of(stream, struct smtp_conn, tcp);
    if (n == 0 || c->closing)
        return;
    note_written(c);
    if (n < 0)
        broken(c, n == UV_EOF ? "the server closed the connection" : uv_strerror((int)n));
    else if (c->tls)
        feed_tls(c, b->base, (size_t)n);
    else
        smtp_client_input(&c->client, (struct text){b->base, (size_t)n}, clock_mono());
    turn(c);
}

/* --- dialling --- */

static void dial_failed(struct smtp_conn *c)
{
    struct reply r;
    reply_set(&r, 0, NULL, "%s: cannot connect: %s", c->setup->client.peer, c->dial_error);
    set_fault(c, STAGE_CONNECT, &r);
    begin_close(c);
}

static void next_address(struct smtp_conn *c, const char *why)
{
    snprintf(c->dial_error, sizeof c->dial_error, "%s", why);
    c->address++;
    if (c->address >= c->addresses.count) {
        dial_failed(c);
        return;
    }
    c->redialling = true;
    uv_close((uv_handle_t *)&c->tcp, on_tcp_closed);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct smtp_conn *c = container_of(req, struct smtp_conn, connect);
    if (c->closing || c->redialling)
        return;
    if (status < 0) {
        next_address(c, uv_strerror(status));
        return;
    }
    c->dialling = false;
    bool implicit = c->setup->client.tls == TLS_IMPLICIT;
    smtp_client_init(&c->client, &c->setup->client, implicit, clock_mono());
    if (implicit)
        start_tls(c);
    int rc = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (rc < 0)
        broken(c, uv_strerror(rc));
    turn(c);
}

static void dial(struct smtp_conn *c)
{
    const struct sockaddr *to = (const struct sockaddr *)&c->addresses.list[c->address];
    bool last = c->address + 1 == c->addresses.count;
    int64_t wait_ms = c->setup->connect_timeout_ms;
    c->dial_deadline = clock_mono() + (last ? wait_ms : TIDE_MIN(wait_ms, NEXT_ADDRESS_MS));
    uv_tcp_init(c->setup->loop, &c->tcp); /* opens no socket yet, cannot fail */
    c->handles++;
    uv_tcp_nodelay(&c->tcp, 1);
    int rc = uv_tcp_connect(&c->connect, &c->tcp, to, on_connected);
    if (rc < 0)
        next_address(c, uv_strerror(rc));
    else
        set_timer(c);
}

static void on_timer(uv_timer_t *timer)
{
    struct smtp_conn *c = container_of(timer, struct smtp_conn, timer);
    tide_mono_ms now = clock_mono();
    if (c->redialling)
        return;
    if (now >= deadline_of(c) && !c->overdue) {
        /* Perhaps it was this process that slept: what has come meanwhile is read first. */
        c->overdue = true;
        uv_timer_start(timer, on_timer, 1, 0);
        return;
    }
    if (c->dialling && now >= c->dial_deadline) {
        next_address(c, "no answer in time");
        return;
    }
    if (!c->dialling) {
        if (c->idle && now >= c->idle_deadline) {
            c->idle = false;
            smtp_client_quit(&c->client, now);
        }
        note_written(c);
        smtp_client_tick(&c->client, now);
        turn(c);
    } else {
        set_timer(c);
    }
}

enum tide_err smtp_conn_open(struct smtp_conn_setup *setup,
                             const struct smtp_addresses *addresses,
                             struct smtp_conn **ret,
                             struct tide_error *err)
{
    struct smtp_conn *c = calloc(1, sizeof *c);
    if (!c)
        return tide_fail(err, TIDE_ENOMEM, "a connection to %s", setup->client.peer);
    assert(addresses->count > 0);
    c->setup = setup;
    c->addresses = *addresses;
    c->dialling = true;
    uv_timer_init(setup->loop, &c->timer);
    c->handles = 1;
    dial(c);
    *ret = c;
    return TIDE_OK;
}

void smtp_conn_close(struct smtp_conn *c, const char *why)
{
    if (c->closing)
        return;
    if (c->dialling) {
        begin_close(c);
        return;
    }
    if (c->idle) {
        c->idle = false;
        smtp_client_quit(&c->client, clock_mono());
        (void)write_some(c);
    }
    broken(c, why);
    turn(c);
}

bool smtp_conn_is_idle(const struct smtp_conn *c)
{
    return c->idle && !c->closing;
}

bool smtp_conn_awaits_fate(const struct smtp_conn *c)
{
    return !c->closing && !c->dialling &&
           (c->client.state == SMTP_BODY || c->client.state == SMTP_DOT);
}

bool smtp_conn_is_starting(const struct smtp_conn *c)
{
    return !c->ever_ready && !c->closing;
}

bool smtp_conn_is_ending(const struct smtp_conn *c)
{
    return c->closing || (!c->dialling && c->client.state >= SMTP_QUIT);
}

void smtp_conn_send(struct smtp_conn *c, struct account_mail *mail)
{
    assert(smtp_conn_is_idle(c));
    give(c, mail);
    if (!c->turning)
        turn(c);
}
