/* How many mails a second does one account release through an ESP's API? Against a server on
 * loopback, 1 KB of text, SendGrid's form; at once, and with every answer 20 ms late (which stands
 * for the round trip to an ESP). Without TLS the server is of this process; with it, of another
 * one. Prints "name value unit". usage: bench_https_out            without TLS bench_https_out CERT
 * KEY   with TLS, the certificate being its own authority (https.sh) */
#include "base/list.h"
#include "io/loop/http.h"
#include "io/release/https_out.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LATE_MS 20
#define MAILS   4000

struct late {
    uv_timer_t timer;
    struct http_request *req;
};

struct bench {
    uv_loop_t *loop;
    struct account *account;
    int late_ms, left, running, failed;
    bool closed;
};

static char message[1400];

static void answer(struct http_request *req)
{
    static const struct http_header id = {"X-Message-Id", "bench"};
    http_reply(req, 202, NULL, TEXT(""), &id, 1);
}

static void on_timer_closed(uv_handle_t *h)
{
    free(container_of((uv_timer_t *)(void *)h, struct late, timer));
}

static void on_late(uv_timer_t *t)
{
    answer(container_of(t, struct late, timer)->req);
    uv_close((uv_handle_t *)t, on_timer_closed);
}

static void on_request(void *arg, struct http_request *req)
{
    struct bench *b = arg;
    struct late *l = b->late_ms > 0 ? malloc(sizeof *l) : NULL;
    if (!l) {
        answer(req);
        return;
    }
    l->req = req;
    uv_timer_init(b->loop, &l->timer);
    uv_timer_start(&l->timer, on_late, (uint64_t)b->late_ms, 0);
}

static void send_next(struct bench *b, struct account_mail *mail);

static void on_done(struct account_mail *mail, const struct account_outcome *outcome)
{
    struct bench *b = mail->arg;
    b->running--;
    if (outcome->result != ACCOUNT_ACCEPTED && b->failed++ == 0)
        fprintf(stderr, "%s\n", outcome->reply.text);
    send_next(b, mail);
    uv_stop(b->loop); /* it may have been the last: then nothing else would end the wait */
}

static void send_next(struct bench *b, struct account_mail *mail)
{
    if (b->left == 0) {
        free(mail);
        return;
    }
    b->left--;
    b->running++;
    *mail = (struct account_mail){.attempt_id = b->left + 1,
                                  .sender = TEXT("a@shop.test"),
                                  .recipient = TEXT("b@client.test"),
                                  .message = text_of(message),
                                  .done = on_done,
                                  .arg = b};
    account_send(b->account, mail);
}

static void on_closed(void *arg)
{
    struct bench *b = arg;
    b->closed = true;
    uv_stop(b->loop);
}

static enum tide_err serve(struct bench *b,
                           const struct config_tls *tls,
                           struct http **ret,
                           struct tide_error *err)
{
    const struct http_options options = {.listen = "127.0.0.1:0",
                                         .tls = *tls,
                                         .limits = {.body_bytes_max = 100000},
                                         .on_request = on_request,
                                         .arg = b};
    return http_open(b->loop, &options, ret, err);
}

/* A process of its own, which says its port into the pipe and ends when it is killed. */
static pid_t serve_apart(int late_ms, const struct config_tls *tls, int *ret_port)
{
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        uv_loop_t loop;
        struct http *http;
        struct tide_error err = {0};
        struct bench b = {.loop = &loop, .late_ms = late_ms};
        uv_loop_init(&loop);
        int port = serve(&b, tls, &http, &err) == TIDE_OK ? http_port(http) : 0;
        if (port == 0)
            fprintf(stderr, "%s\n", err.text);
        if (write(ends[1], &port, sizeof port) == (ssize_t)sizeof port && port > 0)
            uv_run(&loop, UV_RUN_DEFAULT);
        _exit(1);
    }
    close(ends[1]);
    if (child > 0 && read(ends[0], ret_port, sizeof *ret_port) != (ssize_t)sizeof *ret_port)
        *ret_port = 0;
    close(ends[0]);
    return child;
}

/* Sends all through that many connections. */
static int release(struct bench *b, const struct config_account *config, const char *what)
{
    struct tide_error err = {0};
    struct clock clock;
    int count = b->left;
    clock_init_real(&clock);
    if (account_open(b->loop, config, &clock, &b->account, &err) != TIDE_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    uint64_t began = uv_hrtime();
    for (int i = 0; i < config->connections; i++)
        send_next(b, calloc(1, sizeof(struct account_mail)));
    while (b->running > 0)
        uv_run(b->loop, UV_RUN_ONCE);
    double seconds = (double)(uv_hrtime() - began) / 1e9;
    printf("https_out_%s%dms_%d_connections %.0f mails/s\n", what, b->late_ms, config->connections,
           count / seconds);
    account_close(b->account, on_closed, b);
    while (!b->closed)
        uv_run(b->loop, UV_RUN_ONCE);
    b->closed = false;
    return b->failed > 0;
}

static int measure(uv_loop_t *loop, int connections, int late_ms, const struct config_tls *tls)
{
    bool apart = tls->certificate_file != NULL;
    struct bench b = {.loop = loop, .late_ms = late_ms, .left = MAILS};
    struct tide_error err = {0};
    struct http *http = NULL;
    pid_t server = 0;
    char base[64], api[] = "sendgrid", name[] = "bench", key[] = "SG.key";
    int port = 0;
    if (late_ms > 0 && connections == 1)
        b.left = 100;
    if (apart)
        server = serve_apart(late_ms, tls, &port);
    else if (serve(&b, tls, &http, &err) == TIDE_OK)
        port = http_port(http);
    if (port == 0) {
        fprintf(stderr, "no server: %s\n", err.text);
        return 1;
    }
    snprintf(base, sizeof base, "%s://localhost:%d", apart ? "https" : "http", port);
    const struct config_account config = {.name = name,
                                          .type = ACCOUNT_HTTPS,
                                          .api = api,
                                          .base_url = base,
                                          .key = {key},
                                          .tls_verify = true,
                                          .tls_ca_file = tls->certificate_file,
                                          .connections = connections,
                                          .connect_timeout_ms = 10000,
                                          .command_timeout_ms = 10000};
    int failed = release(&b, &config, apart ? "tls_" : "");
    if (apart) {
        kill(server, SIGTERM);
        waitpid(server, NULL, 0);
    } else {
        http_close(http, on_closed, &b);
        while (!b.closed)
            uv_run(loop, UV_RUN_ONCE);
    }
    return failed;
}

int main(int argc, char **argv)
{
    static const struct {
        int connections, late_ms;
    } cases[] = {{1, 0}, {10, 0}, {1, LATE_MS}, {10, LATE_MS}, {50, LATE_MS}};
    uv_loop_t loop;
    int failed = 0;
    const struct config_tls tls = {.certificate_file = argc == 3 ? argv[1] : NULL,
                                   .key_file = argc == 3 ? argv[2] : NULL};
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    snprintf(message, sizeof message,
             "From: a@shop.test\r\nTo: b@client.test\r\nSubject: bench\r\n\r\n%01000d\r\n", 7);
    uv_loop_init(&loop);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        failed |= measure(&loop, cases[i].connections, cases[i].late_ms, &tls);
    return failed;
}
