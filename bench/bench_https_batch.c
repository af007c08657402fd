/* What do batches bring? Mails a second through one account at Postmark's API, every answer 20 ms
 * late (which stands for the round trip), one mail a request and 50, in the same run. The server is
 * of this process, on loopback, without TLS; mails of 1 KB; as many are inside the account as the
 * gate lets in with batches, in both cases. Prints "name value unit". */
#include "lib/api_load.h"

#include "base/macros.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LATE_MS 20
#define BATCH   50

static size_t mails_in(struct text body)
{
    size_t n = 0;
    for (size_t at; (at = text_ifind(body, TEXT("mailtide_attempt"))) < body.n; n++)
        body = text_cut(body, at + 1, SIZE_MAX);
    return n;
}

static void answer(struct http_request *req)
{
    static const char one[] = "{\"ErrorCode\":0,\"MessageID\":\"b7bc2f4a\",\"Message\":\"OK\"}";
    bool batch = text_eq(req->path, TEXT("/email/batch"));
    struct buf out = {0};
    for (size_t i = 0, n = batch ? mails_in(req->body) : 1; i < n; i++)
        buf_addf(&out, "%s%s", !batch ? "" : i == 0 ? "[" : ",", one);
    if (batch)
        buf_addc(&out, ']');
    http_reply(req, 200, "application/json", buf_text(&out), NULL, 0);
    buf_fini(&out);
}

static double release(
    struct api_load *l, const char *base, int connections, int batch_max, int count)
{
    char api[] = "postmark", name[] = "bench", key[] = "key";
    const struct config_account config = {.name = name,
                                          .type = ACCOUNT_HTTPS,
                                          .api = api,
                                          .base_url = (char *)(uintptr_t)base,
                                          .key = {key},
                                          .connections = connections,
                                          .batch_max = batch_max,
                                          .connect_timeout_ms = 10000,
                                          .command_timeout_ms = 10000};
    l->left = count;
    l->requests = 0;
    double seconds = api_load_run(l, &config, connections * (BATCH + 1));
    if (seconds <= 0)
        exit(1);
    printf("https_batch.%d_connections.%s %.0f mails/s, %d requests\n", connections,
           batch_max > 1 ? "batches" : "single", count / seconds, l->requests);
    return count / seconds;
}

int main(void)
{
    static const int connections[] = {1, 4, 10};
    uv_loop_t loop;
    struct api_load l = {.loop = &loop, .answer = answer, .late_ms = LATE_MS};
    const struct http_options options = {.listen = "127.0.0.1:0",
                                         .limits = {.body_bytes_max = 16u << 20},
                                         .on_request = api_load_on_request,
                                         .arg = &l};
    struct tide_error err = {0};
    struct http *http;
    char base[64];
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    uv_loop_init(&loop);
    if (http_open(&loop, &options, &http, &err) != TIDE_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    snprintf(base, sizeof base, "http://127.0.0.1:%d", http_port(http));
    for (size_t i = 0; i < TIDE_COUNT(connections); i++) {
        int n = connections[i];
        double single = release(&l, base, n, 1, n * 100);
        double batches = release(&l, base, n, BATCH, 20000);
        printf("https_batch.%d_connections.ratio %.1f x\n", n, batches / single);
    }
    api_load_close(&l, http);
    return l.failed > 0;
}
