/* How many mails a second does one account release through an ESP's API? Against a server on
 * loopback, 1 KB of text, SendGrid's form; at once, and with every answer 20 ms late (which stands
 * for the round trip to an ESP). Without TLS the server is of this process; with it, of another
 * one. Prints "name value unit".
 *
 * usage: bench_https_out            without TLS
 *        bench_https_out CERT KEY   with TLS, the certificate being its own authority (https.sh)
 */
#include "lib/api_load.h"

#include "base/macros.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LATE_MS 20
#define MAILS   4000

static void answer(struct http_request *req)
{
    static const struct http_header id = {"X-Message-Id", "bench"};
    http_reply(req, 202, NULL, TEXT(""), &id, 1);
}

static enum tide_err serve(struct api_load *l,
                           const struct config_tls *tls,
                           struct http **ret,
                           struct tide_error *err)
{
    const struct http_options options = {.listen = "127.0.0.1:0",
                                         .tls = *tls,
                                         .limits = {.body_bytes_max = 100000},
                                         .on_request = api_load_on_request,
                                         .arg = l};
    return http_open(l->loop, &options, ret, err);
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
        struct api_load l = {.loop = &loop, .answer = answer, .late_ms = late_ms};
        uv_loop_init(&loop);
        int port = serve(&l, tls, &http, &err) == TIDE_OK ? http_port(http) : 0;
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

static int measure(uv_loop_t *loop, int connections, int late_ms, const struct config_tls *tls)
{
    bool apart = tls->certificate_file != NULL;
    int count = late_ms > 0 && connections == 1 ? 100 : MAILS;
    struct api_load l = {.loop = loop, .answer = answer, .late_ms = late_ms, .left = count};
    struct tide_error err = {0};
    struct http *http = NULL;
    pid_t server = 0;
    char base[64], api[] = "sendgrid", name[] = "bench", key[] = "SG.key";
    int port = 0;
    if (apart)
        server = serve_apart(late_ms, tls, &port);
    else if (serve(&l, tls, &http, &err) == TIDE_OK)
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
    double seconds = api_load_run(&l, &config, connections);
    if (seconds > 0)
        printf("https_out_%s%dms_%d_connections %.0f mails/s\n", apart ? "tls_" : "", late_ms,
               connections, count / seconds);
    if (apart) {
        kill(server, SIGTERM);
        waitpid(server, NULL, 0);
    } else {
        api_load_close(&l, http);
    }
    return seconds <= 0 || l.failed > 0;
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
    uv_loop_init(&loop);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        failed |= measure(&loop, cases[i].connections, cases[i].late_ms, &tls);
    return failed;
}
