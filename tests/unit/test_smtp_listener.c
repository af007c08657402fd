#include "base/macros.h"
#include "base/rng.h"
#include "io/intake/smtp_listener.h"
#include "io/loop/listen.h"
#include "io/loop/tls.h"
#include "lib/certificate.h"
#include "lib/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- an intake that notes what it gets, and answers when it is told to ---- */

struct intake {
    struct config config;
    struct intake_request *waiting[8];
    size_t waiting_count;
    struct buf got;
    enum tide_err answer;
    bool answer_at_once; /* from the loop's next turn */
    uv_idle_t idle;
};

const struct config *intake_config(const struct intake *in)
{
    return &in->config;
}

bool intake_foresee(struct intake *in,
                    struct text address,
                    struct text sender,
                    void (*done)(void *arg, struct text refusal),
                    void *arg)
{
    (void)in;
    (void)address;
    (void)sender;
    (void)done;
    (void)arg;
    return false;
}

enum tide_err intake_check_recipient(struct intake *in, struct text address, struct tide_error *err)
{
    (void)in;
    if (text_find(address, '@') == address.n)
        return tide_fail(err, TIDE_EADDR, "address \"" TEXT_FMT "\": want an @", TEXT_ARG(address));
    return TIDE_OK;
}

enum tide_err intake_check_sender(struct intake *in,
                                  const struct config_application *application,
                                  struct text sender,
                                  struct tide_error *err)
{
    (void)in;
    if (text_iends(sender, TEXT("@foreign.example")))
        return tide_fail(err, TIDE_EPERM, "application %s may not send as foreign.example",
                         application->name);
    return TIDE_OK;
}

static void intake_answer(struct intake *in)
{
    struct intake_request *req = in->waiting[0];
    struct tide_error err = {0};
    T_TRUE(in->waiting_count > 0, "a request waits");
    memmove(in->waiting, in->waiting + 1, --in->waiting_count * sizeof in->waiting[0]);
    if (in->answer == TIDE_OK) {
        req->results = arena_array(&req->arena, req->recipient_count, sizeof *req->results);
        for (size_t i = 0; i < req->recipient_count; i++)
            req->results[i].id = 4711 + (tide_id)i;
    } else {
        (void)tide_fail(&err, in->answer, "the test says so");
    }
    req->done(req, in->answer, &err);
}

static void on_idle(uv_idle_t *idle)
{
    struct intake *in = idle->data;
    while (in->waiting_count)
        intake_answer(in);
    uv_idle_stop(idle);
}

void intake_submit(struct intake *in, struct intake_request *req)
{
    T_TRUE(in->waiting_count < TIDE_COUNT(in->waiting), "not too many");
    in->waiting[in->waiting_count++] = req;
    buf_addf(&in->got, "%s: " TEXT_FMT " ->", req->application->name, TEXT_ARG(req->sender));
    for (size_t i = 0; i < req->recipient_count; i++)
        buf_addf(&in->got, " " TEXT_FMT "(" TEXT_FMT ")", TEXT_ARG(req->recipients[i].address),
                 TEXT_ARG(req->recipients[i].notify));
    buf_addf(&in->got, ": " TEXT_FMT "\n", TEXT_ARG(req->message));
    if (in->answer_at_once)
        uv_idle_start(&in->idle, on_idle);
}

/* ---- the world of one test ---- */

/* The configuration's strings are not const; nobody writes to these. */
static char tracker[] = "tracker", renamed[] = "renamed", local[] = "local", apikey[] = "apikey";
static char secret[] = "secret", hostname[] = "mt.example.org", anywhere[] = "127.0.0.1:0";
static char nowhere[] = "unix:/nonexistent/folder/smtp";

#define ANYWHERE "127.0.0.1:0"

struct world {
    uv_loop_t loop;
    struct intake intake;
    struct smtp_listener *listener;
    struct config_application applications[2];
    char *listen[2];
    char dir[64], unix_spec[96];
    struct certificate certificate;
    bool closed;
};

static void world_config(struct world *w)
{
    struct config *c = &w->intake.config;
    snprintf(w->dir, sizeof w->dir, "/tmp/mailtide-smtp-XXXXXX");
    T_TRUE(mkdtemp(w->dir), "a folder");
    snprintf(w->unix_spec, sizeof w->unix_spec, "unix:%s/smtp", w->dir);
    w->applications[0] = (struct config_application){
        .name = tracker, .smtp_user = apikey, .smtp_password = {secret}};
    w->applications[1] = (struct config_application){.name = local, .anonymous = true};
    w->listen[0] = anywhere;
    w->listen[1] = w->unix_spec;
    c->applications = w->applications;
    c->application_count = 2;
    c->smtp = (struct config_smtp){
        .listen = w->listen,
        .listen_count = 2,
        .hostname = hostname,
        .tls = {w->certificate.cert_file, w->certificate.key_file},
        .message_bytes_max = 1000000,
        .recipients_max = 10,
        .connections_max = 20,
        .connections_per_ip_max = 20,
        .errors_max = 10,
        .messages_per_connection = 100,
        .command_timeout_ms = 60000,
        .data_timeout_ms = 60000,
        .session_max_ms = 600000,
    };
}

static void world_open(struct world *w)
{
    struct tide_error err;
    T_OK(smtp_listener_open(&w->loop, &w->intake, &w->listener, &err), &err, "open");
}

static void world_init(struct world *w)
{
    *w = (struct world){0};
    certificate_make(&w->certificate, "mt.example.org");
    world_config(w);
    T_EQ(uv_loop_init(&w->loop), 0, "loop");
    uv_idle_init(&w->loop, &w->intake.idle);
    w->intake.idle.data = &w->intake;
    w->intake.answer_at_once = true;
}

static void on_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

static void world_fini(struct world *w)
{
    if (!w->closed)
        smtp_listener_close(w->listener, on_closed, w);
    uv_close((uv_handle_t *)&w->intake.idle, NULL);
    T_EQ(uv_run(&w->loop, UV_RUN_DEFAULT), 0, "nothing is left on the loop");
    T_TRUE(w->closed, "the callback came");
    T_EQ(uv_loop_close(&w->loop), 0, "all handles are closed");
    T_TRUE(access(w->unix_spec + 5, F_OK) != 0, "the Unix socket is removed");
    rmdir(w->dir);
    certificate_remove(&w->certificate);
    buf_fini(&w->intake.got);
}

/* ---- a client: sends, then runs the loop until it hears what it wants ---- */

struct client {
    struct world *w;
    int fd;
    struct buf heard;
    bool eof;
    struct tls_context *tls_context;
    struct tls *tls;
};

static void client_open(struct client *c, struct world *w, bool over_unix)
{
    *c = (struct client){.w = w};
    if (over_unix) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        snprintf(a.sun_path, sizeof a.sun_path, "%s", w->unix_spec + 5);
        c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
        T_EQ(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0, "connect");
    } else {
        struct sockaddr_in a = {.sin_family = AF_INET};
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        a.sin_port = htons((uint16_t)smtp_listener_port(w->listener, ANYWHERE));
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        T_EQ(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0, "connect");
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    tls_free(c->tls);
    tls_context_free(c->tls_context);
    buf_fini(&c->heard);
}

/* One turn of the loop, and a wait until somebody has something to say. */
static void turn(struct client *c)
{
    struct world *w = c->w;
    int timeout = uv_backend_timeout(&w->loop);
    struct pollfd fds[] = {{uv_backend_fd(&w->loop), POLLIN, 0}, {c->fd, POLLIN, 0}};
    if (timeout < 0 || timeout > 100)
        timeout = 100;
    (void)poll(fds, c->eof ? 1 : 2, timeout);
    uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void raw_send(struct client *c, struct text t)
{
    while (t.n) {
        ssize_t n = send(c->fd, t.p, t.n, MSG_NOSIGNAL);
        if (n > 0)
            t = text_cut(t, (size_t)n, SIZE_MAX);
        else if (errno == EAGAIN)
            turn(c);
        else
            return; /* closed by the server: seen when reading */
    }
}

static void client_send(struct client *c, const char *text)
{
    struct buf wire = {0};
    struct tide_error err;
    if (c->tls)
        T_OK(tls_write(c->tls, text, strlen(text), &wire, &err), &err, "write");
    else
        buf_adds(&wire, text);
    raw_send(c, buf_text(&wire));
    buf_fini(&wire);
}

static void client_hear(struct client *c)
{
    char bytes[4096];
    struct tide_error err;
    struct buf wire = {0};
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n > 0 && c->tls)
        T_OK(tls_feed(c->tls, bytes, (size_t)n, &c->heard, &wire, &err), &err, "TLS");
    else if (n > 0)
        buf_add(&c->heard, bytes, (size_t)n);
    else if (n == 0 || errno != EAGAIN)
        c->eof = true;
    raw_send(c, buf_text(&wire));
    buf_fini(&wire);
}

static void expect(struct client *c, const char *want)
{
    for (int i = 0; i < 5000 && !c->eof && !strstr(buf_str(&c->heard), want); i++) {
        turn(c);
        client_hear(c);
    }
    const char *at = strstr(buf_str(&c->heard), want);
    T_TRUE(at, "heard \"%s\", want \"%s\"", buf_str(&c->heard), want);
    buf_consume(&c->heard, (size_t)(at - c->heard.data) + strlen(want));
}

static void expect_eof(struct client *c)
{
    for (int i = 0; i < 5000 && !c->eof; i++) {
        turn(c);
        client_hear(c);
    }
    T_TRUE(c->eof, "closed by the server");
}

static void client_start_tls(struct client *c)
{
    struct buf wire = {0};
    struct tide_error err;
    T_OK(tls_client_context_new(true, c->w->certificate.cert_file, &c->tls_context, &err), &err,
         "context");
    T_OK(tls_new(c->tls_context, "mt.example.org", &c->tls, &err), &err, "connection");
    T_OK(tls_start(c->tls, &c->heard, &wire, &err), &err, "start");
    raw_send(c, buf_text(&wire));
    buf_fini(&wire);
    for (int i = 0; i < 5000 && !tls_is_open(c->tls); i++) {
        turn(c);
        client_hear(c);
    }
    T_TRUE(tls_is_open(c->tls), "handshake");
}

#define ENVELOPE "MAIL FROM:<a@x.org>\r\nRCPT TO:<b@y.org>\r\n"

/* ---- tests ---- */

static void test_a_mail_over_tcp_and_unix(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w);
    for (int over_unix = 0; over_unix < 2; over_unix++) {
        struct client c;
        client_open(&c, &w, over_unix);
        expect(&c, "220 mt.example.org ESMTP");
        client_send(&c, "EHLO c\r\n" ENVELOPE "RCPT TO:<c@y.org> NOTIFY=NEVER\r\nDATA\r\n");
        expect(&c, "354 ");
        client_send(&c, "Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n");
        char id[ID_TEXT_BYTES], want[64];
        snprintf(want, sizeof want, "250 2.0.0 Ok: queued as %s\r\n221 2.0.0 ", id_text(4711, id));
        expect(&c, want);
        expect_eof(&c);
        client_close(&c);
        T_STR(buf_str(&w.intake.got),
              "local: a@x.org -> b@y.org() c@y.org(NEVER): Subject: x\r\n\r\n.dot\r\n\n", "mail");
        buf_clear(&w.intake.got);
    }
    world_fini(&w);
}

static void test_auth_and_starttls(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_init(&w);
    w.applications[1].anonymous = false;
    world_open(&w);
    client_open(&c, &w, false);
    client_send(&c, "EHLO c\r\nMAIL FROM:<a@x.org>\r\nAUTH PLAIN AGFwaWtleQB3cm9uZw==\r\n");
    expect(&c, "250-STARTTLS\r\n");
    expect(&c, "530 5.7.0");
    expect(&c, "535 5.7.8");
    client_send(&c, "STARTTLS\r\nRSET\r\n");
    expect(&c, "220 2.0.0 Ready to start TLS\r\n");
    client_start_tls(&c);
    client_send(&c, "EHLO c\r\nAUTH LOGIN\r\nYXBpa2V5\r\nc2VjcmV0\r\n" ENVELOPE "DATA\r\n");
    expect(&c, "250-AUTH PLAIN LOGIN\r\n");
    expect(&c, "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0");
    expect(&c, "354");
    client_send(&c, "secretly\r\n.\r\n");
    expect(&c, "250 2.0.0 Ok: queued as");
    T_STR(buf_str(&w.intake.got), "tracker: a@x.org -> b@y.org(): secretly\r\n\n", "application");
    client_send(&c, "MAIL FROM:<a@foreign.example>\r\nMAIL FROM:<a@x.org>\r\nRCPT TO:<b>\r\n");
    expect(&c, "550 5.7.1 application tracker may not send as foreign.example");
    expect(&c, "553 5.1.3 address \"b\": want an @");
    client_send(&c, "QUIT\r\n");
    expect(&c, "221");
    expect_eof(&c);
    T_TRUE(tls_peer_closed(c.tls), "close_notify");
    client_close(&c);
    world_fini(&w);
}

static const struct {
    enum tide_err rc;
    const char *reply;
} errors[] = {
    {TIDE_EFULL, "452 4.3.1"},  {TIDE_EIO, "452 4.3.1"},    {TIDE_ELIMIT, "452 4.3.2"},
    {TIDE_EADDR, "553 5.1.3"},  {TIDE_EPERM, "550 5.7.1"},  {TIDE_EINVAL, "554 5.6.0"},
    {TIDE_EEXIST, "554 5.6.0"}, {TIDE_ENOMEM, "451 4.3.0"}, {TIDE_ECANCELED, "451 4.3.0"},
};

static void test_intake_errors(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_init(&w);
    world_open(&w);
    client_open(&c, &w, false);
    client_send(&c, "EHLO c\r\n");
    for (size_t i = 0; i < TIDE_COUNT(errors); i++) {
        char want[64];
        w.intake.answer = errors[i].rc;
        client_send(&c, ENVELOPE "DATA\r\nx\r\n.\r\n");
        snprintf(want, sizeof want, "%s the test says so\r\n", errors[i].reply);
        expect(&c, want);
    }
    client_close(&c);
    world_fini(&w);
}

/* The reply waits for the intake; what was pipelined behind waits as well. */
static void test_250_comes_after_the_intake(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_init(&w);
    w.intake.answer_at_once = false;
    world_open(&w);
    client_open(&c, &w, false);
    client_send(&c, "EHLO c\r\n" ENVELOPE "DATA\r\nx\r\n.\r\nNOOP\r\n");
    expect(&c, "354");
    while (!w.intake.waiting_count)
        turn(&c);
    turn(&c);
    client_hear(&c);
    T_TRUE(!strstr(buf_str(&c.heard), "250"), "not yet");
    intake_answer(&w.intake);
    expect(&c, "250 2.0.0 Ok: queued as");
    expect(&c, "250 2.0.0 Ok\r\n");
    client_close(&c);
    world_fini(&w);
}

static void test_connection_lost_while_submitting(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct world w;
        struct client c;
        world_init(&w);
        w.intake.answer_at_once = false;
        world_open(&w);
        client_open(&c, &w, false);
        client_send(&c, "EHLO c\r\n" ENVELOPE "DATA\r\nx\r\n.\r\n");
        while (!w.intake.waiting_count)
            turn(&c);
        struct linger at_once = {.l_onoff = reset, .l_linger = 0};
        setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(c.fd);
        c.fd = -1;
        c.eof = true;
        for (int i = 0; i < 3; i++)
            turn(&c);
        T_EQ(smtp_listener_connections(w.listener), 1, "the session waits for its answer");
        intake_answer(&w.intake);
        for (int i = 0; i < 100 && smtp_listener_connections(w.listener); i++)
            turn(&c);
        T_EQ(smtp_listener_connections(w.listener), 0, "then it is gone");
        client_close(&c);
        world_fini(&w);
    }
}

static void test_lost_before_the_dot(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_init(&w);
    world_open(&w);
    client_open(&c, &w, false);
    client_send(&c, "EHLO c\r\n" ENVELOPE "DATA\r\nhalf a message\r\n");
    expect(&c, "354");
    shutdown(c.fd, SHUT_WR);
    expect_eof(&c);
    T_EQ(w.intake.got.len, 0, "nothing is submitted");
    client_close(&c);
    world_fini(&w);
}

/* A client that sends all and closes its side still hears all replies. */
static void test_half_closed_client(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_init(&w);
    world_open(&w);
    client_open(&c, &w, false);
    client_send(&c, "EHLO c\r\n" ENVELOPE "DATA\r\nx\r\n.\r\nQUIT\r\n");
    shutdown(c.fd, SHUT_WR);
    expect(&c, "250 2.0.0 Ok: queued as");
    expect(&c, "221");
    expect_eof(&c);
    client_close(&c);
    world_fini(&w);
}

static void test_limits_on_connections(void **state)
{
    (void)state;
    struct world w;
    struct client c[4];
    world_init(&w);
    w.intake.config.smtp.connections_max = 3;
    w.intake.config.smtp.connections_per_ip_max = 2;
    world_open(&w);
    for (size_t i = 0; i < 4; i++) {
        client_open(&c[i], &w, i == 3);
        expect(&c[i], i < 2    ? "220 "
                      : i == 2 ? "421 4.7.0 Too many connections from 127.0.0.1"
                               : "220 ");
        if (i == 2) {
            expect_eof(&c[i]);
            client_close(&c[i]);
            turn(&c[1]);
        }
    }
    client_open(&c[2], &w, true);
    expect(&c[2], "421 4.3.2 Too many connections");
    expect_eof(&c[2]);
    client_close(&c[2]);
    client_close(&c[0]);
    while (smtp_listener_connections(w.listener) > 2)
        turn(&c[1]);
    client_open(&c[0], &w, false);
    expect(&c[0], "220 ");
    client_close(&c[0]);
    client_close(&c[1]);
    client_close(&c[3]);
    world_fini(&w);
}

static void test_timeouts(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_init(&w);
    w.intake.config.smtp.command_timeout_ms = 30;
    w.intake.config.smtp.data_timeout_ms = 20;
    world_open(&w);
    client_open(&c, &w, false);
    expect(&c, "421 4.4.2 mt.example.org Timeout");
    expect_eof(&c);
    client_close(&c);
    client_open(&c, &w, false);
    client_send(&c, "EHLO c\r\n" ENVELOPE "DATA\r\nx");
    expect(&c, "354");
    expect(&c, "421 4.4.2 mt.example.org Timeout");
    expect_eof(&c);
    client_close(&c);
    world_fini(&w);

    world_init(&w);
    w.intake.config.smtp.session_max_ms = 30;
    world_open(&w);
    client_open(&c, &w, false);
    for (int i = 0; i < 2000 && !strstr(buf_str(&c.heard), "421 4.4.2"); i++) {
        if (i % 10 == 0)
            client_send(&c, "NOOP\r\n");
        turn(&c);
        client_hear(&c);
    }
    T_TRUE(strstr(buf_str(&c.heard), "421 4.4.2"), "a busy session ends as well");
    client_close(&c);
    world_fini(&w);
}

/* A peer that sends and never reads: the server stops to read, its memory stays bounded. */
static void test_back_pressure(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_init(&w);
    world_open(&w);
    client_open(&c, &w, true);
    static char many[60000];
    for (size_t i = 0; i < sizeof many; i += 6)
        memcpy(many + i, "NOOP\r\n", 6);
    size_t sent = 0;
    for (int stuck = 0; stuck < 50;) {
        size_t from = sent % 6; /* whole commands, whatever was cut */
        ssize_t n = send(c.fd, many + from, sizeof many - 6, MSG_NOSIGNAL);
        stuck = n > 0 ? 0 : stuck + 1;
        sent += n > 0 ? (size_t)n : 0;
        uv_run(&w.loop, UV_RUN_NOWAIT);
        T_TRUE(sent < 20000000, "the server does not read without end");
    }
    size_t want = sent / 6 * strlen("250 2.0.0 Ok\r\n"), heard = 0;
    for (int i = 0; i < 100000 && heard < want; i++) {
        turn(&c);
        client_hear(&c);
        heard += c.heard.len;
        buf_clear(&c.heard);
    }
    T_TRUE(heard >= want, "then all replies come: %zu of %zu", heard, want);
    client_close(&c);
    world_fini(&w);
}

static void test_graceful_stop(void **state)
{
    (void)state;
    struct world w;
    struct client idle, busy;
    world_init(&w);
    w.intake.answer_at_once = false;
    world_open(&w);
    client_open(&idle, &w, false);
    client_open(&busy, &w, false);
    expect(&idle, "220");
    client_send(&busy, "EHLO c\r\n" ENVELOPE "DATA\r\nx\r\n.\r\n");
    while (!w.intake.waiting_count)
        turn(&busy);
    smtp_listener_close(w.listener, on_closed, &w);
    expect(&idle, "421 4.3.2 mt.example.org Shutting down");
    expect_eof(&idle);
    client_close(&idle);
    turn(&busy);
    T_TRUE(!w.closed, "what is being submitted is finished first");
    intake_answer(&w.intake);
    expect(&busy, "250 2.0.0 Ok: queued as");
    expect(&busy, "421 4.3.2");
    expect_eof(&busy);
    client_close(&busy);
    world_fini(&w);
}

static void test_reload(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    struct tide_error err;
    world_init(&w);
    world_open(&w);
    client_open(&c, &w, false);
    client_send(&c, "EHLO c\r\nAUTH PLAIN AGFwaWtleQBzZWNyZXQ=\r\n");
    expect(&c, "235");
    int port = smtp_listener_port(w.listener, ANYWHERE);
    char *bad[] = {anywhere, nowhere};
    w.intake.config.smtp.listen = bad;
    T_EQ(smtp_listener_reload(w.listener, &err), TIDE_EIO, "no such folder");
    T_TRUE(strstr(err.text, "/nonexistent/folder/smtp"), "%s", err.text);
    T_EQ(smtp_listener_port(w.listener, ANYWHERE), port, "the old listener stays");
    T_EQ(access(w.unix_spec + 5, F_OK), 0, "the other one too");
    w.intake.config.smtp.listen = w.listen;
    w.intake.config.smtp.listen_count = 1;
    w.applications[0].name = renamed;
    w.applications[1].anonymous = false;
    T_OK(smtp_listener_reload(w.listener, &err), &err, "reload");
    T_EQ(smtp_listener_port(w.listener, ANYWHERE), port, "untouched");
    T_TRUE(access(w.unix_spec + 5, F_OK) != 0, "not wanted any more");
    client_send(&c, "MAIL FROM:<a@x.org>\r\n");
    expect(&c, "530 5.7.0");
    client_close(&c);
    world_fini(&w);
}

static void test_tls_garbage(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_init(&w);
    world_open(&w);
    client_open(&c, &w, false);
    client_send(&c, "EHLO c\r\nSTARTTLS\r\n");
    expect(&c, "220 2.0.0");
    client_send(&c, "EHLO in the clear\r\n");
    expect_eof(&c);
    client_close(&c);
    world_fini(&w);
}

/* Clients that send parts of scripts in random pieces, half-close, reset or go silent, while the
 * intake answers or refuses at random moments. All ends well: every request is answered once, no
 * session is left. */
static void test_chaos(void **state)
{
    (void)state;
    enum { CLIENTS = 8, STEPS = 4000 };
    static const char *const scripts[] = {
        "EHLO c\r\n" ENVELOPE "DATA\r\nx\r\n.\r\nQUIT\r\n",
        "EHLO c\r\n" ENVELOPE "BDAT 4\r\nabcdBDAT 2 LAST\r\n\r\n" ENVELOPE "RSET\r\n",
        "EHLO c\r\nSTARTTLS\r\n\x16\x03\x01 garbage garbage garbage\r\n",
        "EHLO c\r\nAUTH PLAIN AGFwaWtleQBzZWNyZXQ=\r\n" ENVELOPE "DATA\r\ny\r\n.\r\n",
        "FOO\r\nFOO\r\nFOO\r\nFOO\r\nFOO\r\nFOO\r\nFOO\r\nFOO\r\nFOO\r\nFOO\r\nFOO\r\n",
    };
    struct world w;
    struct client c[CLIENTS];
    const char *at[CLIENTS];
    struct rng rng;
    rng_seed(&rng, 20261121);
    world_init(&w);
    w.intake.answer_at_once = false;
    world_open(&w);
    for (size_t i = 0; i < CLIENTS; i++)
        c[i] = (struct client){.w = &w, .fd = -1};
    int submitted = 0;
    for (int step = 0; step < STEPS; step++) {
        size_t i = rng_below(&rng, CLIENTS);
        uint32_t what = rng_below(&rng, 100);
        if (c[i].fd < 0) {
            client_open(&c[i], &w, rng_below(&rng, 2));
            at[i] = scripts[rng_below(&rng, TIDE_COUNT(scripts))];
        } else if (what < 80) {
            size_t n = strlen(at[i]), most = 1 + rng_below(&rng, 40);
            n = TIDE_MIN(n, most);
            (void)send(c[i].fd, at[i], n, MSG_NOSIGNAL);
            at[i] += n;
        } else if (what < 85) {
            shutdown(c[i].fd, SHUT_WR);
        } else if (what < 90) {
            struct linger at_once = {.l_onoff = what & 1, .l_linger = 0};
            setsockopt(c[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            client_close(&c[i]);
            c[i] = (struct client){.w = &w, .fd = -1};
        } else {
            client_hear(&c[i]);
        }
        uv_run(&w.loop, UV_RUN_NOWAIT);
        if (w.intake.waiting_count && (what < 30 || w.intake.waiting_count > 5)) {
            w.intake.answer = what & 1 ? TIDE_OK : TIDE_EFULL;
            intake_answer(&w.intake);
            submitted++;
        }
    }
    T_TRUE(submitted > 20, "%d messages came through", submitted);
    for (size_t i = 0; i < CLIENTS; i++)
        client_close(&c[i]);
    smtp_listener_close(w.listener, on_closed, &w);
    while (w.intake.waiting_count)
        intake_answer(&w.intake);
    world_fini(&w);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the service wants it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mail_over_tcp_and_unix),
        cmocka_unit_test(test_auth_and_starttls),
        cmocka_unit_test(test_intake_errors),
        cmocka_unit_test(test_250_comes_after_the_intake),
        cmocka_unit_test(test_connection_lost_while_submitting),
        cmocka_unit_test(test_lost_before_the_dot),
        cmocka_unit_test(test_half_closed_client),
        cmocka_unit_test(test_limits_on_connections),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_graceful_stop),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_tls_garbage),
        cmocka_unit_test(test_chaos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
