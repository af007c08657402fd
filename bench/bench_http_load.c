/* A client of the HTTP door: keep-alive connections, closed loop (RATE 0: as fast as answers come)
 * or open loop (RATE requests a second, whatever the answers do). Prints rate and latencies.
 *
 *   bench_http_load PORT CONNECTIONS SECONDS [RATE [BATCH [FILE]]]
 *
 * FILE holds a whole request to be sent in place of the own one; "@@@@@@@@" in it becomes a number
 * of eight digits, another one each time. Any 2xx is a success then.
 */
#include "base/buf.h"
#include "base/file.h"
#include "base/list.h"
#include "base/macros.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define SAMPLES_MAX 4000000
#define BODY_BYTES  700 /* of text: about 1 kB with the rest of one notification */

struct load {
    uv_loop_t loop;
    uv_timer_t tick;
    struct sockaddr_in to;
    int connections, batch;
    struct buf given; /* FILE */
    double rate, until, start;
    long sent, answered, failed, owed;
    float *latency_ms;
    struct list idle;
};

struct conn {
    struct list node;
    struct load *load;
    uv_tcp_t tcp;
    uv_write_t write;
    struct buf request, answer;
    double sent_at;
    bool busy;
    char slab[65536];
};

static double now_s(void)
{
    return (double)uv_hrtime() * 1e-9;
}

static void fill_in_given(struct conn *c)
{
    struct load *l = c->load;
    char number[16];
    snprintf(number, sizeof number, "%08ld", l->sent % 100000000);
    buf_clear(&c->request);
    buf_add_text(&c->request, buf_text(&l->given));
    struct text rest = buf_text(&c->request);
    for (size_t at; (at = text_ifind(rest, TEXT("@@@@@@@@"))) < rest.n;) {
        rest = text_cut(rest, at, SIZE_MAX);
        memcpy(c->request.data + (rest.p - c->request.data), number, 8);
    }
}

static void make_request(struct conn *c)
{
    struct load *l = c->load;
    if (l->given.len > 0) {
        fill_in_given(c);
        return;
    }
    struct buf body = {0};
    char text[BODY_BYTES + 1];
    memset(text, 'x', BODY_BYTES);
    text[BODY_BYTES] = '\0';
    if (l->batch > 1)
        buf_addc(&body, '[');
    for (int i = 0; i < l->batch; i++)
        buf_addf(
            &body,
            "%s{\"from\":\"app@example.com\",\"to\":\"u%ld@client.asia\",\"subject\":\"Comment "
            "%ld\",\"text\":\"%s\"}",
            i ? "," : "", l->sent * l->batch + i, l->sent, text);
    if (l->batch > 1)
        buf_addc(&body, ']');
    buf_clear(&c->request);
    buf_addf(
        &c->request,
        "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n",
        body.len);
    buf_add_text(&c->request, buf_text(&body));
    buf_fini(&body);
}

static void send_one(struct conn *c, double due)
{
    struct load *l = c->load;
    make_request(c);
    l->sent++;
    c->busy = true;
    c->sent_at = due;
    uv_buf_t b = uv_buf_init(c->request.data, (unsigned)c->request.len);
    uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, NULL);
}

/* Length of a whole answer at the front of the buffer; 0: not yet. */
static size_t whole_answer(const struct buf *b, bool *ret_ok)
{
    struct text t = buf_text(b);
    size_t head = text_ifind(t, TEXT("\r\n\r\n"));
    if (head == t.n)
        return 0;
    size_t at = text_ifind(text_cut(t, 0, head + 2), TEXT("content-length:"));
    long n = at < head ? strtol(t.p + at + 15, NULL, 10) : 0;
    *ret_ok = text_starts(t, TEXT("HTTP/1.1 2"));
    return t.n >= head + 4 + (size_t)n ? head + 4 + (size_t)n : 0;
}

static void on_alloc(uv_handle_t *h, size_t n, uv_buf_t *ret)
{
    struct conn *c = h->data;
    (void)n;
    *ret = uv_buf_init(c->slab, sizeof c->slab);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct conn *c = s->data;
    struct load *l = c->load;
    bool ok = false;
    if (n < 0) {
        fprintf(stderr, "bench_http_load: %s\n", uv_strerror((int)n));
        exit(1);
    }
    buf_add(&c->answer, b->base, (size_t)n);
    size_t whole = whole_answer(&c->answer, &ok);
    if (!whole || !c->busy)
        return;
    double now = now_s();
    buf_consume(&c->answer, whole);
    c->busy = false;
    l->failed += !ok;
    if (l->answered < SAMPLES_MAX)
        l->latency_ms[l->answered] = (float)((now - c->sent_at) * 1e3);
    l->answered++;
    if (now >= l->until)
        return;
    if (l->rate == 0)
        send_one(c, now);
    else
        list_append(&l->idle, &c->node);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct conn *c = req->data;
    free(req);
    if (status != 0) {
        fprintf(stderr, "bench_http_load: connect: %s\n", uv_strerror(status));
        exit(1);
    }
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (c->load->rate == 0)
        send_one(c, now_s());
    else
        list_append(&c->load->idle, &c->node);
}

/* Open loop: what is due is sent on any idle connection; latency counts from when it was due. */
static void on_tick(uv_timer_t *t)
{
    struct load *l = t->data;
    double now = now_s();
    while (l->rate > 0 && now < l->until) {
        double due = l->start + (double)l->sent / l->rate;
        struct list *node = due <= now ? list_take_first(&l->idle) : NULL;
        if (!node)
            break;
        send_one(container_of(node, struct conn, node), due);
    }
    if (now > l->until + 1)
        uv_stop(&l->loop);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    static struct load l;
    if (argc < 4) {
        fprintf(stderr, "usage: bench_http_load PORT CONNECTIONS SECONDS [RATE [BATCH [FILE]]]\n");
        return 2;
    }
    double span = strtod(argv[3], NULL);
    l.connections = (int)strtol(argv[2], NULL, 10);
    l.rate = argc > 4 ? strtod(argv[4], NULL) : 0;
    l.batch = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 1;
    if (argc > 6 && file_read(argv[6], 1 << 20, &l.given, NULL) != TIDE_OK) {
        fprintf(stderr, "bench_http_load: %s cannot be read\n", argv[6]);
        return 1;
    }
    l.latency_ms = malloc(SAMPLES_MAX * sizeof *l.latency_ms);
    list_init(&l.idle);
    uv_loop_init(&l.loop);
    uv_ip4_addr("127.0.0.1", (int)strtol(argv[1], NULL, 10), &l.to);
    l.start = now_s();
    l.until = l.start + span;
    for (int i = 0; i < l.connections; i++) {
        struct conn *c = calloc(1, sizeof *c);
        uv_connect_t *req = calloc(1, sizeof *req);
        if (!c || !req || !l.latency_ms)
            return 1;
        c->load = &l;
        list_init(&c->node);
        uv_tcp_init(&l.loop, &c->tcp);
        uv_tcp_nodelay(&c->tcp, 1);
        c->tcp.data = c;
        req->data = c;
        uv_tcp_connect(req, &c->tcp, (const struct sockaddr *)&l.to, on_connected);
    }
    uv_timer_init(&l.loop, &l.tick);
    l.tick.data = &l;
    uv_timer_start(&l.tick, on_tick, 0, 1);
    uv_run(&l.loop, UV_RUN_DEFAULT);
    long n = TIDE_MIN(l.answered, SAMPLES_MAX);
    qsort(l.latency_ms, (size_t)n, sizeof *l.latency_ms, by_value);
    printf("notifications_per_s %.0f notifications/s\n", (double)(l.answered * l.batch) / span);
    printf("failed %ld requests\n", l.failed);
    if (n > 0)
        printf("latency_p50 %.2f ms\nlatency_p99 %.2f ms\n", (double)l.latency_ms[n / 2],
               (double)l.latency_ms[n * 99 / 100]);
    return l.failed || !n;
}
