/* What do batches bring? Mails a second through one account at Postmark's API, every answer 20 ms
 * late (which stands for the round trip), one mail a request and 50, in the same run. The server is
 * of this process, on loopback, without TLS; mails of 1 KB; as many are inside the account as the
 * gate lets in with batches, in both cases. Prints "name value unit". */
#include "io/loop/http.h"
#include "io/release/https_out.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LATE_MS 20
#define BATCH   50

struct late {
    uv_timer_t timer;
    struct http_request *req;
};

struct bench {
    uv_loop_t *loop;
    struct account *account;
    int left, running, failed, requests;
    bool closed;
};

static char message[1400];

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
    struct late *l = malloc(sizeof *l);
    b->requests++;
    if (!l) {
        answer(req);
        return;
    }
    l->req = req;
    uv_timer_init(b->loop, &l->timer);
    uv_timer_start(&l->timer, on_late, LATE_MS, 0);
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

static void wait_closed(struct bench *b)
{
    while (!b->closed)
        uv_run(b->loop, UV_RUN_ONCE);
    b->closed = false;
}

static double release(struct bench *b, const char *base, int connections, int batch_max, int count)
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
    struct tide_error err = {0};
    struct clock clock;
    clock_init_real(&clock);
    if (account_open(b->loop, &config, &clock, &b->account, &err) != TIDE_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    b->left = count;
    b->requests = 0;
    uint64_t began = uv_hrtime();
    for (int i = 0; i < connections * (BATCH + 1); i++)
        send_next(b, calloc(1, sizeof(struct account_mail)));
    while (b->running > 0)
        uv_run(b->loop, UV_RUN_ONCE);
    double rate = count / ((double)(uv_hrtime() - began) / 1e9);
    printf("https_batch.%d_connections.%s %.0f mails/s, %d requests\n", connections,
           batch_max > 1 ? "batches" : "single", rate, b->requests);
    account_close(b->account, on_closed, b);
    wait_closed(b);
    return rate;
}

int main(void)
{
    static const int connections[] = {1, 4, 10};
    uv_loop_t loop;
    struct bench b = {.loop = &loop};
    const struct http_options options = {.listen = "127.0.0.1:0",
                                         .limits = {.body_bytes_max = 16u << 20},
                                         .on_request = on_request,
                                         .arg = &b};
    struct tide_error err = {0};
    struct http *http;
    char base[64];
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    snprintf(message, sizeof message,
             "From: a@shop.test\r\nTo: b@client.test\r\nSubject: bench\r\n\r\n%01000d\r\n", 7);
    uv_loop_init(&loop);
    if (http_open(&loop, &options, &http, &err) != TIDE_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    snprintf(base, sizeof base, "http://127.0.0.1:%d", http_port(http));
    for (size_t i = 0; i < TIDE_COUNT(connections); i++) {
        int n = connections[i];
        double single = release(&b, base, n, 1, n * 100);
        double batches = release(&b, base, n, BATCH, 20000);
        printf("https_batch.%d_connections.ratio %.1f x\n", n, batches / single);
    }
    http_close(http, on_closed, &b);
    wait_closed(&b);
    return b.failed > 0;
}
