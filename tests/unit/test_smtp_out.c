/* The pool against a server inside the test: faults at every stage, TLS, AUTH, reuse, room. */
#include "io/release/account.h"
#include "io/release/smtp_conn.h"
#include "io/release/smtp_out.h"
#include "lib/certificate.h"
#include "lib/check.h"
#include "lib/fake_smtp.h"

#include <signal.h>
#include <stdlib.h>

#define MESSAGE "Subject: x\r\n\r\nhello\r\n.dot\r\n"

struct sent {
    struct account_mail mail;
    struct account_outcome outcome;
    int done;
    struct world *world;
};

struct world {
    uv_loop_t loop;
    struct fake_smtp server;
    struct config_account config;
    struct account *account;
    struct clock clock;
    struct sent *mails;
    int mail_count, done, room_least;
    bool in_send, closed;
};

static void on_done(struct account_mail *mail, const struct account_outcome *outcome)
{
    struct sent *s = mail->arg;
    T_TRUE(!s->world->in_send, "a callback from inside account_send()");
    s->outcome = *outcome;
    s->done++;
    s->world->done++;
}

static void on_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

static void world_open(struct world *w)
{
    struct tide_error err;
    T_EQ(uv_loop_init(&w->loop), 0, "loop");
    fake_smtp_open(&w->server, &w->loop);
    struct config_account *c = &w->config;
    c->name = (char *)(uintptr_t) "test";
    c->type = ACCOUNT_SMTP;
    c->helo = (char *)(uintptr_t) "me.example";
    c->host = c->host ? c->host : (char *)(uintptr_t) "127.0.0.1";
    c->port = c->port ? c->port : w->server.port;
    c->connect_timeout_ms = c->connect_timeout_ms ? c->connect_timeout_ms : 5000;
    c->command_timeout_ms = c->command_timeout_ms ? c->command_timeout_ms : 5000;
    c->dot_timeout_ms = c->dot_timeout_ms ? c->dot_timeout_ms : 5000;
    clock_init_real(&w->clock);
    T_OK(account_open(&w->loop, c, &w->clock, &w->account, &err), &err, "open");
}

static struct sent *world_send(struct world *w, const char *message)
{
    struct sent *s = calloc(1, sizeof *s);
    s->world = w;
    s->mail = (struct account_mail){.attempt_id = 1,
                                    .sender = TEXT("a@example.org"),
                                    .recipient = TEXT("b@example.com"),
                                    .message = text_of(message),
                                    .done = on_done,
                                    .arg = s};
    w->in_send = true;
    account_send(w->account, &s->mail);
    w->in_send = false;
    w->mail_count++;
    return s;
}

static void world_wait(struct world *w)
{
    while (w->done < w->mail_count)
        T_TRUE(uv_run(&w->loop, UV_RUN_ONCE) != 0 || w->done == w->mail_count, "nothing happens");
}

static void world_close(struct world *w)
{
    account_close(w->account, on_closed, w);
    while (!w->closed)
        uv_run(&w->loop, UV_RUN_ONCE);
    fake_smtp_close(&w->server);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    T_EQ(uv_loop_close(&w->loop), 0, "all handles are closed");
    fake_smtp_free(&w->server);
}

static void expect(const struct sent *s,
                   enum account_result result,
                   enum reply_stage stage,
                   int code,
                   bool account_fault,
                   const char *name)
{
    T_EQ(s->done, 1, "%s: one outcome", name);
    T_EQ(s->outcome.result, result, "%s: %s", name, s->outcome.reply.text);
    T_EQ(s->outcome.stage, stage, "%s: %s", name, s->outcome.reply.text);
    T_EQ(s->outcome.reply.code, code, "%s: %s", name, s->outcome.reply.text);
    T_EQ(s->outcome.account_fault, account_fault, "%s: %s", name, s->outcome.reply.text);
}

static const struct {
    const char *name;
    struct fake_fault fault;
    enum account_result result;
    enum reply_stage stage;
    int code;
    bool account_fault;
} faults[] = {
    {"no fault", {0}, ACCOUNT_ACCEPTED, STAGE_DOT, 250, false},
    {"slow", {true, STAGE_MAIL, FAKE_SLOW, NULL, 0}, ACCOUNT_ACCEPTED, STAGE_DOT, 250, false},
    {"slow EHLO", {true, STAGE_EHLO, FAKE_SLOW, NULL, 0}, ACCOUNT_ACCEPTED, STAGE_DOT, 250, false},

    {"closed at once",
     {true, STAGE_CONNECT, FAKE_CLOSE, NULL, 0},
     ACCOUNT_NOT_SENT,
     STAGE_GREETING,
     0,
     true},
    {"reset after EHLO",
     {true, STAGE_EHLO, FAKE_RESET, NULL, 0},
     ACCOUNT_NOT_SENT,
     STAGE_EHLO,
     0,
     true},
    {"reset after MAIL",
     {true, STAGE_MAIL, FAKE_RESET, NULL, 0},
     ACCOUNT_NOT_SENT,
     STAGE_MAIL,
     0,
     true},
    {"close after DATA",
     {true, STAGE_DATA, FAKE_CLOSE, NULL, 0},
     ACCOUNT_NOT_SENT,
     STAGE_DATA,
     0,
     true},
    {"reset after the dot",
     {true, STAGE_DOT, FAKE_RESET, NULL, 0},
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true},
    {"close after the dot",
     {true, STAGE_DOT, FAKE_CLOSE, NULL, 0},
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true},

    {"hangs before the greeting",
     {true, STAGE_GREETING, FAKE_HANG, NULL, 0},
     ACCOUNT_NOT_SENT,
     STAGE_GREETING,
     0,
     true},
    {"hangs at EHLO",
     {true, STAGE_EHLO, FAKE_HANG, NULL, 0},
     ACCOUNT_NOT_SENT,
     STAGE_EHLO,
     0,
     true},
    {"hangs at RCPT",
     {true, STAGE_RCPT, FAKE_HANG, NULL, 0},
     ACCOUNT_NOT_SENT,
     STAGE_RCPT,
     0,
     true},
    {"hangs after the dot",
     {true, STAGE_DOT, FAKE_HANG, NULL, 0},
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true},

    {"greeting 554",
     {true, STAGE_GREETING, FAKE_ANSWER, "554 5.7.1 no", 0},
     ACCOUNT_NOT_SENT,
     STAGE_GREETING,
     554,
     true},
    {"greeting garbage",
     {true, STAGE_GREETING, FAKE_ANSWER, "\x16\x03\x01 what", 0},
     ACCOUNT_NOT_SENT,
     STAGE_GREETING,
     0,
     true},
    {"421 at MAIL",
     {true, STAGE_MAIL, FAKE_CLOSE, "421 4.7.0 later", 0},
     ACCOUNT_REFUSED,
     STAGE_MAIL,
     421,
     true},
    {"MAIL refused",
     {true, STAGE_MAIL, FAKE_ANSWER, "451 4.3.0 later", 0},
     ACCOUNT_REFUSED,
     STAGE_MAIL,
     451,
     false},
    {"RCPT refused",
     {true, STAGE_RCPT, FAKE_ANSWER, "550 5.1.1 who?", 0},
     ACCOUNT_REFUSED,
     STAGE_RCPT,
     550,
     false},
    {"DATA refused",
     {true, STAGE_DATA, FAKE_ANSWER, "452 4.3.1 full", 0},
     ACCOUNT_REFUSED,
     STAGE_DATA,
     452,
     false},
    {"message refused",
     {true, STAGE_DOT, FAKE_ANSWER, "550 5.7.1 frequency limited", 0},
     ACCOUNT_REFUSED,
     STAGE_DOT,
     550,
     false},
    {"garbage after the dot",
     {true, STAGE_DOT, FAKE_ANSWER, "sure", 0},
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true},
};

static void test_faults(void **state)
{
    (void)state;
    static const char *const offers[] = {"PIPELINING\n8BITMIME\n", "8BITMIME\n"};
    for (size_t i = 0; i < 2 * TIDE_COUNT(faults); i++) {
        size_t at = i / 2;
        bool hangs = faults[at].fault.act == FAKE_HANG;
        struct world w = {
            .server = {.fault = faults[at].fault, .offers = offers[i % 2]},
            .config = {.command_timeout_ms = hangs ? 60 : 0, .dot_timeout_ms = hangs ? 60 : 0}};
        world_open(&w);
        struct sent *s = world_send(&w, MESSAGE);
        world_wait(&w);
        expect(s, faults[at].result, faults[at].stage, faults[at].code, faults[at].account_fault,
               faults[at].name);
        if (faults[at].result == ACCOUNT_ACCEPTED)
            T_TEXT(buf_text(&w.server.last_message), "Subject: x\r\n\r\nhello\r\n..dot\r\n",
                   "body");
        world_close(&w);
        free(s);
    }
}

static void test_giant_reply(void **state)
{
    (void)state;
    char *giant = malloc(1 << 20);
    memset(giant, 'x', 1 << 20);
    memcpy(giant, "250 ", 4);
    giant[(1 << 20) - 1] = '\0';
    struct world w = {.server = {.fault = {true, STAGE_EHLO, FAKE_ANSWER, giant, 0}}};
    world_open(&w);
    struct sent *s = world_send(&w, MESSAGE);
    world_wait(&w);
    expect(s, ACCOUNT_NOT_SENT, STAGE_EHLO, 0, true, "giant reply");
    world_close(&w);
    free(s);
    free(giant);
}

/* One connection for all, RSET between, never QUIT before the end. */
static void test_connection_is_kept_after_refusal(void **state)
{
    (void)state;
    struct world w = {.config = {.connections = 1},
                      .server = {.fault = {true, STAGE_RCPT, FAKE_ANSWER, "550 5.1.1 who?", 2}}};
    struct sent *s[4];
    world_open(&w);
    for (int i = 0; i < 4; i++)
        s[i] = world_send(&w, MESSAGE);
    world_wait(&w);
    for (int i = 0; i < 4; i++) {
        if (i == 1)
            expect(s[i], ACCOUNT_REFUSED, STAGE_RCPT, 550, false, "the second");
        else
            expect(s[i], ACCOUNT_ACCEPTED, STAGE_DOT, 250, false, "the others");
        free(s[i]);
    }
    T_EQ(w.server.connections, 1, "one connection");
    T_EQ(w.server.quits, 0, "no QUIT after a refusal");
    world_close(&w);
}

static void test_pool_room_and_cap(void **state)
{
    (void)state;
    struct world w = {.config = {.connections = 3, .messages_per_connection = 2}};
    struct sent *s[12];
    world_open(&w);
    T_EQ(account_room(w.account), 3, "all free");
    for (int i = 0; i < 12; i++) {
        s[i] = world_send(&w, MESSAGE);
        T_EQ(account_room(w.account), TIDE_MAX(0, 2 - i), "after %d", i + 1);
    }
    world_wait(&w);
    for (int i = 0; i < 12; i++) {
        expect(s[i], ACCOUNT_ACCEPTED, STAGE_DOT, 250, false, "pooled");
        free(s[i]);
    }
    T_TRUE(w.server.connections >= 6, "two mails a connection, %d", w.server.connections);
    T_TRUE(smtp_out_connections(w.account) <= 3, "no more than three at a time");
    while (smtp_out_connections(w.account) > 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    T_EQ(account_room(w.account), 3, "free again");
    world_close(&w);
}

static void test_idle_connections_are_closed(void **state)
{
    (void)state;
    struct world w = {0};
    world_open(&w);
    smtp_out_set_idle_ms(w.account, 30);
    struct sent *s = world_send(&w, MESSAGE);
    world_wait(&w);
    T_EQ(smtp_out_connections(w.account), 1, "kept");
    while (smtp_out_connections(w.account) > 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    T_EQ(w.server.quits, 1, "with QUIT");
    world_close(&w);
    free(s);
}

/* The server gave a kept connection up: the next mail does not suffer for it. */
static void test_kept_connection_that_died(void **state)
{
    (void)state;
    static const struct fake_fault dies[] = {
        {true, STAGE_MAIL, FAKE_RESET, NULL, 2},
        {true, STAGE_MAIL, FAKE_CLOSE, "421 4.4.2 too many messages", 2},
        {true, STAGE_MAIL, FAKE_HANG, NULL, 2},
    };
    for (size_t i = 0; i < TIDE_COUNT(dies); i++) {
        struct world w = {.server = {.fault = dies[i]}, .config = {.command_timeout_ms = 80}};
        world_open(&w);
        for (int k = 0; k < 3; k++) {
            struct sent *s = world_send(&w, MESSAGE);
            world_wait(&w);
            expect(s, ACCOUNT_ACCEPTED, STAGE_DOT, 250, false, "over a fresh connection");
            free(s);
        }
        T_EQ(w.server.connections, 3, "each second mail kills one");
        T_EQ(w.server.messages, 3, "nothing twice");
        world_close(&w);
    }
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct world w = {0};
    world_open(&w);
    uv_close((uv_handle_t *)&w.server.listener, NULL);
    uv_run(&w.loop, UV_RUN_NOWAIT);
    struct sent *s[3];
    for (int i = 0; i < 3; i++)
        s[i] = world_send(&w, MESSAGE);
    world_wait(&w);
    for (int i = 0; i < 3; i++) {
        expect(s[i], ACCOUNT_NOT_SENT, STAGE_CONNECT, 0, true, "refused");
        T_TRUE(strstr(s[i]->outcome.reply.text, "connection refused"), "%s",
               s[i]->outcome.reply.text);
        free(s[i]);
    }
    account_close(w.account, on_closed, &w);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    T_TRUE(w.closed, "closed");
    T_EQ(uv_loop_close(&w.loop), 0, "all handles are closed");
}

static void test_name_without_address(void **state)
{
    (void)state;
    struct world w = {.config = {.host = (char *)(uintptr_t) "no..such..name"}};
    world_open(&w);
    struct sent *s = world_send(&w, MESSAGE);
    world_wait(&w);
    expect(s, ACCOUNT_NOT_SENT, STAGE_CONNECT, 0, true, "no such name");
    world_close(&w);
    free(s);
}

struct dialled {
    bool ready, closed, fault;
    char reason[256];
};

static struct account_mail *on_dialled_ready(void *arg, struct smtp_conn *c)
{
    (void)c;
    ((struct dialled *)arg)->ready = true;
    return NULL;
}

static void on_dialled_closed(void *arg, struct smtp_conn *c, const struct account_outcome *fault)
{
    struct dialled *d = arg;
    (void)c;
    d->closed = true;
    d->fault = fault != NULL;
    if (fault)
        snprintf(d->reason, sizeof d->reason, "%.200s", fault->reply.text);
}

/* Addresses are tried in order: one that refuses gives way to the next. */
static void test_next_address(void **state)
{
    (void)state;
    for (int good = 0; good < 2; good++) {
        uv_loop_t loop;
        struct tide_error err;
        struct fake_smtp server = {0}, gone = {0};
        struct dialled d = {0};
        struct smtp_addresses addresses = {.count = 3};
        struct smtp_conn *c;
        static struct smtp_conn_setup setup;
        uv_loop_init(&loop);
        fake_smtp_open(&server, &loop);
        fake_smtp_open(&gone, &loop);
        fake_smtp_close(&gone);
        uv_run(&loop, UV_RUN_NOWAIT);
        for (size_t i = 0; i < 3; i++)
            uv_ip4_addr("127.0.0.1", i == 2 && good ? server.port : gone.port,
                        (struct sockaddr_in *)&addresses.list[i]);
        setup = (struct smtp_conn_setup){
            .loop = &loop,
            .client = {.peer = "fake", .helo = "me", .command_timeout_ms = 5000},
            .connect_timeout_ms = 5000,
            .idle_timeout_ms = 5000,
            .arg = &d,
            .next_mail = on_dialled_ready,
            .closed = on_dialled_closed};
        T_OK(smtp_conn_open(&setup, &addresses, &c, &err), &err, "open");
        T_TRUE(smtp_conn_is_starting(c), "not from inside the call");
        while (!d.ready && !d.closed)
            uv_run(&loop, UV_RUN_ONCE);
        T_EQ(d.ready, good, "the third address");
        T_EQ(d.fault, !good, "no address left");
        if (good)
            smtp_conn_close(c, "enough");
        else
            T_STR(d.reason, "fake: cannot connect: connection refused", "why");
        fake_smtp_close(&server);
        uv_run(&loop, UV_RUN_DEFAULT);
        T_TRUE(d.closed, "closed");
        T_EQ(uv_loop_close(&loop), 0, "all handles are closed");
        fake_smtp_free(&server);
        fake_smtp_free(&gone);
    }
}

static const struct {
    const char *name, *host;
    enum tls_mode mode;
    bool offered, implicit, verify, trusted;
    enum account_result result;
    enum reply_stage stage;
    int handshakes;
} tls_cases[] = {
    {"required, trusted", "127.0.0.1", TLS_REQUIRED, true, false, true, true, ACCOUNT_ACCEPTED,
     STAGE_DOT, 1},
    {"required, self-signed", "127.0.0.1", TLS_REQUIRED, true, false, true, false, ACCOUNT_NOT_SENT,
     STAGE_STARTTLS, 0},
    {"required, self-signed, not verified", "127.0.0.1", TLS_REQUIRED, true, false, false, false,
     ACCOUNT_ACCEPTED, STAGE_DOT, 1},
    {"required, trusted, wrong name", "localhost", TLS_REQUIRED, true, false, true, true,
     ACCOUNT_NOT_SENT, STAGE_STARTTLS, 0},
    {"required, not offered", "127.0.0.1", TLS_REQUIRED, false, false, false, false,
     ACCOUNT_NOT_SENT, STAGE_STARTTLS, 0},
    {"opportunistic, not offered", "127.0.0.1", TLS_OPPORTUNISTIC, false, false, false, false,
     ACCOUNT_ACCEPTED, STAGE_DOT, 0},
    {"implicit", "127.0.0.1", TLS_IMPLICIT, true, true, true, true, ACCOUNT_ACCEPTED, STAGE_DOT, 1},
    {"implicit, self-signed", "127.0.0.1", TLS_IMPLICIT, true, true, true, false, ACCOUNT_NOT_SENT,
     STAGE_STARTTLS, 0},
    {"implicit, but the server speaks in the clear", "127.0.0.1", TLS_IMPLICIT, false, false, false,
     false, ACCOUNT_NOT_SENT, STAGE_STARTTLS, 0},
};

static void test_tls(void **state)
{
    (void)state;
    struct certificate cert, other;
    struct tls_context *context;
    struct tide_error err;
    certificate_make(&cert, "smtp.test");
    certificate_make(&other, "other.test");
    T_OK(tls_server_context_new(cert.cert_file, cert.key_file, &context, &err), &err, "context");
    struct buf big = {0};
    while (big.len < 300000)
        buf_adds(&big, "a line that is neither short nor long, only one of many\r\n");
    for (size_t i = 0; i < TIDE_COUNT(tls_cases); i++) {
        struct world w = {
            .server = {.tls = tls_cases[i].offered ? context : NULL,
                       .implicit_tls = tls_cases[i].implicit},
            .config = {.host = (char *)(uintptr_t)tls_cases[i].host,
                       .tls = tls_cases[i].mode,
                       .tls_verify = tls_cases[i].verify,
                       .tls_ca_file = tls_cases[i].trusted ? cert.cert_file : other.cert_file}};
        world_open(&w);
        struct sent *s[2] = {world_send(&w, MESSAGE), NULL};
        world_wait(&w);
        bool fine = tls_cases[i].result == ACCOUNT_ACCEPTED;
        expect(s[0], tls_cases[i].result, tls_cases[i].stage, fine ? 250 : 0, !fine,
               tls_cases[i].name);
        if (fine) {
            T_EQ(w.server.tls_handshakes, tls_cases[i].handshakes, "%s", tls_cases[i].name);
            s[1] = world_send(&w, buf_str(&big));
            world_wait(&w);
            expect(s[1], ACCOUNT_ACCEPTED, STAGE_DOT, 250, false, "a big one");
            T_EQ(w.server.last_message.len, big.len, "all of it");
            T_EQ(w.server.connections, 1, "over the same connection");
        }
        world_close(&w);
        free(s[0]);
        free(s[1]);
    }
    buf_fini(&big);
    tls_context_free(context);
    certificate_remove(&cert);
    certificate_remove(&other);
}

static const struct {
    const char *name, *offers, *want;
    enum auth_mech mech;
    enum account_result result;
    int code;
} auths[] = {
    {"PLAIN", "AUTH PLAIN LOGIN\n", "AUTH PLAIN AHVzZXIAcGFzcw==", AUTH_ANY, ACCOUNT_ACCEPTED, 250},
    {"PLAIN, wrong", "AUTH PLAIN LOGIN\n", "AUTH PLAIN other", AUTH_ANY, ACCOUNT_NOT_SENT, 535},
    {"LOGIN", "AUTH LOGIN\n", "cGFzcw==", AUTH_ANY, ACCOUNT_ACCEPTED, 250},
    {"LOGIN, wrong", "AUTH LOGIN\n", "other", AUTH_LOGIN, ACCOUNT_NOT_SENT, 535},
    {"XOAUTH2", "AUTH XOAUTH2\n",
     "AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHBhc3MBAQ==", AUTH_XOAUTH2, ACCOUNT_ACCEPTED, 250},
    {"not offered", "PIPELINING\n", NULL, AUTH_PLAIN, ACCOUNT_NOT_SENT, 0},
};

static void test_auth(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(auths); i++) {
        struct world w = {.server = {.offers = auths[i].offers, .want_auth = auths[i].want},
                          .config = {.auth = auths[i].mech,
                                     .user = (char *)(uintptr_t) "user",
                                     .password = {(char *)(uintptr_t) "pass"}}};
        world_open(&w);
        struct sent *s = world_send(&w, MESSAGE);
        world_wait(&w);
        bool fine = auths[i].result == ACCOUNT_ACCEPTED;
        expect(s, auths[i].result, fine ? STAGE_DOT : STAGE_AUTH, auths[i].code, !fine,
               auths[i].name);
        world_close(&w);
        free(s);
    }
}

/* A server that reads nothing: the message stays in our hands, so it was not sent. */
static void test_message_that_is_not_read(void **state)
{
    (void)state;
    struct buf big = {0};
    while (big.len < 20000000)
        buf_adds(&big, "a line that is neither short nor long, only one of many\r\n");
    struct world w = {.server = {.fault = {true, STAGE_DATA, FAKE_HANG, "354 go", 0}},
                      .config = {.command_timeout_ms = 200}};
    world_open(&w);
    struct sent *s = world_send(&w, buf_str(&big));
    world_wait(&w);
    expect(s, ACCOUNT_NOT_SENT, STAGE_DATA, 0, true, "not read");
    T_TRUE(strstr(s->outcome.reply.text, "took nothing of the message"), "%s",
           s->outcome.reply.text);
    world_close(&w);
    buf_fini(&big);
    free(s);
}

/* Closed while two messages are behind the dot and two mails wait. */
static void test_close_with_mails_inside(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum fake_act act;
        enum account_result want; /* of what is behind the dot */
    } cases[] = {
        {"the answer comes late", FAKE_SLOW, ACCOUNT_ACCEPTED},
        {"the answer never comes", FAKE_HANG, ACCOUNT_UNKNOWN},
    };
    for (size_t k = 0; k < TIDE_COUNT(cases); k++) {
        struct world w = {.config = {.connections = 2, .dot_timeout_ms = 300},
                          .server = {.fault = {true, STAGE_DOT, cases[k].act, NULL, 0}}};
        struct sent *s[4];
        world_open(&w);
        for (int i = 0; i < 4; i++)
            s[i] = world_send(&w, MESSAGE);
        while (w.server.messages < 2)
            uv_run(&w.loop, UV_RUN_ONCE);
        account_close(w.account, on_closed, &w);
        account_close(w.account, on_closed, &w);
        world_wait(&w);
        int as_wanted = 0, not_sent = 0;
        for (int i = 0; i < 4; i++) {
            T_EQ(s[i]->done, 1, "%s: one outcome", cases[k].name);
            as_wanted += s[i]->outcome.result == cases[k].want;
            not_sent += s[i]->outcome.result == ACCOUNT_NOT_SENT;
            free(s[i]);
        }
        T_EQ(as_wanted, 2, "%s: behind the dot", cases[k].name);
        T_EQ(not_sent, 2, "%s: waiting", cases[k].name);
        while (!w.closed)
            uv_run(&w.loop, UV_RUN_ONCE);
        fake_smtp_close(&w.server);
        uv_run(&w.loop, UV_RUN_DEFAULT);
        T_EQ(uv_loop_close(&w.loop), 0, "%s: all handles are closed", cases[k].name);
        fake_smtp_free(&w.server);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_giant_reply),
        cmocka_unit_test(test_connection_is_kept_after_refusal),
        cmocka_unit_test(test_pool_room_and_cap),
        cmocka_unit_test(test_idle_connections_are_closed),
        cmocka_unit_test(test_kept_connection_that_died),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_name_without_address),
        cmocka_unit_test(test_next_address),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_auth),
        cmocka_unit_test(test_message_that_is_not_read),
        cmocka_unit_test(test_close_with_mails_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
