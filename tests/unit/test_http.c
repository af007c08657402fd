/* The server against raw clients, all in one thread: the client's sockets do not block, and the
 * loop is turned until what was waited for is there. */
#include "io/loop/clock.h"
#include "io/loop/http.h"
#include "lib/certificate.h"
#include "lib/check.h"
#include "lib/client.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_MAX 1000
#define HELD_MAX 64

struct world {
    uv_loop_t loop;
    struct http *http;
    struct http_request *held[HELD_MAX]; /* asked, not answered yet */
    size_t held_count, asked;
    bool hold; /* answer later */
    char seen_peer[64];
    uid_t seen_uid;
    bool closed;
};

static void answer(struct http_request *req)
{
    struct buf b = {0};
    const struct http_header extra[] = {{"X-Seen", "yes"}};
    struct text q = http_query(req, "q"), header = http_header(req, "x-one");
    buf_addf(&b, TEXT_FMT " " TEXT_FMT " q=" TEXT_FMT " x=" TEXT_FMT " %zu:", TEXT_ARG(req->method),
             TEXT_ARG(req->path), TEXT_ARG(q), TEXT_ARG(header), req->body.n);
    buf_add_text(&b, text_cut(req->body, 0, 20));
    http_reply(req, 200, "text/plain", buf_text(&b), extra, 1);
    buf_fini(&b);
}

static void on_request(void *arg, struct http_request *req)
{
    struct world *w = arg;
    w->asked++;
    snprintf(w->seen_peer, sizeof w->seen_peer, "%s", req->peer);
    w->seen_uid = req->peer_uid;
    if (w->hold)
        w->held[w->held_count++] = req;
    else
        answer(req);
}

static void open_at(struct world *w, const char *listen, struct http_limits limits)
{
    struct tide_error err = {0};
    *w = (struct world){0};
    uv_loop_init(&w->loop);
    limits.body_bytes_max = BODY_MAX;
    struct http_options o = {
        .listen = listen, .limits = limits, .on_request = on_request, .arg = w};
    T_OK(http_open(&w->loop, &o, &w->http, &err), &err, "%s", listen);
}

static void on_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

static void shut(struct world *w)
{
    if (!w->closed)
        http_close(w->http, on_closed, w);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    T_TRUE(w->closed, "closed");
    T_EQ(uv_loop_close(&w->loop), 0, "nothing is left on the loop");
}

static int dial(const struct world *w)
{
    return client_dial(http_port(w->http));
}

static void put(int fd, const char *s)
{
    client_put(fd, s);
}

static const char *get_times(struct world *w, int fd, const char *until, int times)
{
    return client_get(&w->loop, fd, until, times);
}

static const char *get(struct world *w, int fd, const char *until)
{
    return client_get(&w->loop, fd, until, 1);
}

static void turn_until_held(struct world *w, size_t count)
{
    tide_mono_ms stop = clock_mono() + CLIENT_WAIT_MS;
    while (w->held_count < count && clock_mono() < stop)
        uv_run(&w->loop, UV_RUN_NOWAIT);
    T_EQ(w->held_count, count, "requests that wait");
}

static void test_keep_alive_and_fields(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    int fd = dial(&w);
    put(fd, "GET /a%20b?q=1%262&z HTTP/1.1\r\nHost: x\r\nX-One: uno\r\n\r\n");
    const char *in = get(&w, fd, "0:");
    T_HAS(in, "HTTP/1.1 200");
    T_HAS(in, "X-Seen: yes");
    T_HAS(in, "GET /a b q=1&2 x=uno 0:");
    put(fd, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    T_HAS(get(&w, fd, "3:abc"), "POST /p q= x= 3:abc");
    T_TRUE(strncmp(w.seen_peer, "127.0.0.1:", 10) == 0, "peer %s", w.seen_peer);
    T_EQ(w.asked, 2, "on one connection");
    close(fd);
    shut(&w);
}

static void test_chunked_and_slow(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    int fd = dial(&w);
    static const char all[] = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\n\r\n";
    for (size_t i = 0; i + 1 < sizeof all; i++) { /* byte by byte */
        char one[2] = {all[i], '\0'};
        put(fd, one);
        uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    T_HAS(get(&w, fd, "8:"), "8:abcdefgh");
    close(fd);
    shut(&w);
}

static void test_pipelined(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    int fd = dial(&w);
    put(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
            "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
            "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
    const char *in = get_times(&w, fd, "HTTP/1.1 200", 3);
    in = strstr(in, "GET /3") ? in : get(&w, fd, "GET /3");
    T_HAS(in, "GET /3");
    T_EQ(w.asked, 3, "three");
    close(fd);
    shut(&w);
}

static void test_expect_continue(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    int fd = dial(&w);
    put(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    T_HAS(get(&w, fd, "\r\n\r\n"), "100 Continue");
    put(fd, "ok");
    T_HAS(get(&w, fd, "2:ok"), "HTTP/1.1 200");
    close(fd);
    fd = dial(&w);
    put(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\nExpect: 100-continue\r\n\r\n");
    T_HAS(get(&w, fd, "}"), "HTTP/1.1 413");
    close(fd);
    shut(&w);
}

static void test_oversize(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    char big[1600];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    int fd = dial(&w); /* said beforehand, read to the end */
    put(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1599\r\n\r\n");
    put(fd, big);
    const char *in = get(&w, fd, "}}");
    T_HAS(in, "HTTP/1.1 413");
    T_HAS(in, "{\"error\":{\"code\":\"too_large\",\"message\":\"The body is larger than 1000 "
              "bytes.\"}}");
    put(fd, "GET /again HTTP/1.1\r\nHost: x\r\n\r\n"); /* the connection goes on */
    T_HAS(get(&w, fd, "0:"), "GET /again");
    close(fd);
    fd = dial(&w); /* found out on the way */
    put(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n63f\r\n");
    put(fd, big);
    put(fd, "\r\n0\r\n\r\n");
    T_HAS(get(&w, fd, "}}"), "HTTP/1.1 413");
    close(fd);
    fd = dial(&w); /* without an end: cut off */
    put(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        put(fd, "63f\r\n");
        put(fd, big);
        put(fd, "\r\n");
    }
    T_STR(get(&w, fd, "HTTP"), "", "no answer");
    close(fd);
    T_EQ(w.asked, 1, "none of them reached the handler");
    shut(&w);
}

static const struct {
    const char *name, *head;
    const char *want;
} framings[] = {
    {"two lengths", "Content-Length: 2\r\nContent-Length: 2", "HTTP/1.1 400"},
    {"length and chunked", "Content-Length: 2\r\nTransfer-Encoding: chunked", "HTTP/1.1 400"},
    {"no number", "Content-Length: 2x", "HTTP/1.1 400"},
    {"negative", "Content-Length: -2", "HTTP/1.1 400"},
    {"unknown coding", "Transfer-Encoding: gzip", "HTTP/1.1 "},
};

static void test_framing(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    for (size_t i = 0; i < TIDE_COUNT(framings); i++) {
        int fd = dial(&w);
        char text[300];
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\nhi", framings[i].head);
        put(fd, text);
        const char *in = get(&w, fd, "\r\n\r\n");
        if (i < 4)
            T_TRUE(strstr(in, framings[i].want), "%s: %s", framings[i].name, in);
        close(fd);
    }
    T_EQ(w.asked, 0, "none reached the handler");
    shut(&w);
}

/* The client has nothing more to say and waits for its answer. */
static void test_half_close_while_waiting(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    w.hold = true;
    int fd = dial(&w);
    put(fd, "POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    turn_until_held(&w, 1);
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 20; i++)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    answer(w.held[0]);
    T_HAS(get(&w, fd, "2:hi"), "POST /half");
    close(fd);
    shut(&w);
}

static void test_gone_while_waiting(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    w.hold = true;
    int fd = dial(&w);
    put(fd, "POST /gone HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    turn_until_held(&w, 1);
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd); /* RST */
    for (int i = 0; i < 20; i++)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    T_TEXT(w.held[0]->path, "/gone", "the request is still there");
    T_TEXT(w.held[0]->body, "hi", "and its body");
    answer(w.held[0]);
    shut(&w);
}

static void test_many_parallel(void **state)
{
    (void)state;
    enum { N = 50 };
    struct world w;
    int fds[N];
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    w.hold = true;
    for (int round = 0; round < 3; round++) {
        w.held_count = 0;
        for (int i = 0; i < N; i++) {
            char text[100];
            if (round == 0)
                fds[i] = dial(&w);
            snprintf(text, sizeof text,
                     "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n%04d", i, i);
            put(fds[i], text);
        }
        turn_until_held(&w, N);
        T_EQ(http_requests_open(w.http), N, "all are waiting");
        for (int i = N; i-- > 0;)
            answer(w.held[i]);
        for (int i = 0; i < N; i++) {
            char want[20];
            snprintf(want, sizeof want, "4:%04d", i);
            T_HAS(get(&w, fds[i], want), want);
        }
    }
    for (int i = 0; i < N; i++)
        close(fds[i]);
    shut(&w);
}

/* Answers after a delay come back as fast as without: the kick after resuming (in one batch, no
 * time-out or other traffic is there to wake the server up). */
static void test_answers_need_no_other_traffic(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    w.hold = true;
    int fd = dial(&w);
    tide_mono_ms start = clock_mono();
    for (int i = 0; i < 100; i++) {
        w.held_count = 0;
        put(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        turn_until_held(&w, 1);
        answer(w.held[0]);
        T_HAS(get(&w, fd, "0:"), "200");
    }
    T_TRUE(clock_mono() - start < 3000, "100 answers took %lld ms",
           (long long)(clock_mono() - start));
    close(fd);
    shut(&w);
}

static void test_close_waits_for_answers(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){0});
    w.hold = true;
    int fd = dial(&w), idle = dial(&w), uploading = dial(&w);
    put(fd, "GET /last HTTP/1.1\r\nHost: x\r\n\r\n");
    put(uploading, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nhi");
    turn_until_held(&w, 1);
    http_close(w.http, on_closed, &w);
    http_close(w.http, on_closed, &w); /* twice is no harm */
    for (int i = 0; i < 20; i++)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    T_TRUE(!w.closed, "an answer is due");
    close(uploading);
    answer(w.held[0]);
    const char *in = get(&w, fd, "0:");
    T_HAS(in, "GET /last");
    T_HAS(in, "Connection: close");
    uv_run(&w.loop, UV_RUN_DEFAULT);
    T_TRUE(w.closed, "closed");
    T_EQ(uv_loop_close(&w.loop), 0, "nothing is left on the loop");
    close(fd);
    close(idle);
}

static void test_idle_timeout(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){.idle_timeout_ms = 1000});
    int fd = dial(&w);
    put(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Le");
    const char *in = get(&w, fd, "never");
    T_TRUE(in[0] == '\0' || strstr(in, "408"), "closed: %s", in);
    close(fd);
    shut(&w);
}

static void test_connection_limit(void **state)
{
    (void)state;
    struct world w;
    open_at(&w, "127.0.0.1:0", (struct http_limits){.connections_per_ip_max = 2});
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(&w);
        send(fds[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, MSG_NOSIGNAL);
        const char *in = get(&w, fds[i], "0:");
        T_EQ(strstr(in, "200") != NULL, i < 2, "connection %d", i);
    }
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    shut(&w);
}

static void test_unix_socket(void **state)
{
    (void)state;
    struct world w;
    char dir[] = "/tmp/test-http-XXXXXX", spec[100];
    T_TRUE(mkdtemp(dir) != NULL, "folder");
    snprintf(spec, sizeof spec, "unix:%s/s", dir);
    open_at(&w, spec, (struct http_limits){0});
    struct stat st;
    T_EQ(stat(spec + 5, &st), 0, "there");
    T_EQ(st.st_mode & 0777, 0660, "its mode");
    int fd = client_dial_unix(spec + 5);
    put(fd, "GET /u HTTP/1.1\r\nHost: x\r\n\r\n");
    T_HAS(get(&w, fd, "0:"), "GET /u");
    T_EQ(w.seen_uid, geteuid(), "peer");
    close(fd);
    shut(&w);
    T_EQ(stat(spec + 5, &st), -1, "the socket is gone");
    rmdir(dir);
}

/* A blocking client of its own thread; says what it got. */
struct tls_client {
    int fd;
    char got[2000];
    bool done;
};

static void *tls_ask(void *arg)
{
    struct tls_client *c = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    static const char ask[] = "POST /tls HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                              "Connection: close\r\n\r\nhi";
    SSL_set_fd(ssl, c->fd);
    if (SSL_connect(ssl) == 1 && SSL_write(ssl, ask, sizeof ask - 1) > 0) {
        int n, at = 0;
        while ((n = SSL_read(ssl, c->got + at, (int)sizeof c->got - 1 - at)) > 0)
            at += n;
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    __atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
    return NULL;
}

static void test_tls(void **state)
{
    (void)state;
    struct world w = {0};
    struct tide_error err = {0};
    struct certificate files;
    certificate_make(&files, "mail.example");
    uv_loop_init(&w.loop);
    struct http_options o = {.listen = "127.0.0.1:0",
                             .tls = {files.cert_file, files.key_file},
                             .limits = {.body_bytes_max = BODY_MAX},
                             .on_request = on_request,
                             .arg = &w};
    T_OK(http_open(&w.loop, &o, &w.http, &err), &err, "open");
    struct tls_client c = {.fd = dial(&w)};
    pthread_t thread;
    w.hold = true;
    T_EQ(pthread_create(&thread, NULL, tls_ask, &c), 0, "thread");
    turn_until_held(&w, 1);
    answer(w.held[0]);
    tide_mono_ms stop = clock_mono() + CLIENT_WAIT_MS;
    while (!__atomic_load_n(&c.done, __ATOMIC_ACQUIRE) && clock_mono() < stop)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    shutdown(c.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(c.fd);
    T_HAS(c.got, "POST /tls q= x= 2:hi");
    shut(&w);
    certificate_remove(&files);
}

static const struct {
    const char *listen;
    enum tide_err want;
} bad_specs[] = {
    {"127.0.0.1", TIDE_ESYNTAX},
    {"example.org:25", TIDE_ESYNTAX},
    {"unix:/no/such/folder/s", TIDE_EIO},
};

static void test_open_fails(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    for (size_t i = 0; i < TIDE_COUNT(bad_specs); i++) {
        struct tide_error err = {0};
        struct http *h = NULL;
        struct http_options o = {.listen = bad_specs[i].listen, .on_request = on_request};
        T_EQ(http_open(&loop, &o, &h, &err), bad_specs[i].want, "%s: %s", bad_specs[i].listen,
             err.text);
        T_TRUE(h == NULL, "nothing is returned");
    }
    char certificate[] = "/no/such/certificate", key[] = "/no/such/key";
    struct tide_error err = {0};
    struct http *h = NULL;
    struct http_options o = {
        .listen = "127.0.0.1:0", .on_request = on_request, .tls = {certificate, key}};
    T_EQ(http_open(&loop, &o, &h, &err), TIDE_ENOENT, "%s", err.text);
    T_EQ(uv_loop_close(&loop), 0, "nothing is left on the loop");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive_and_fields),
        cmocka_unit_test(test_chunked_and_slow),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_oversize),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_half_close_while_waiting),
        cmocka_unit_test(test_gone_while_waiting),
        cmocka_unit_test(test_many_parallel),
        cmocka_unit_test(test_answers_need_no_other_traffic),
        cmocka_unit_test(test_close_waits_for_answers),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_open_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
