/* Answers in pieces: in chunks, as fast as the client reads and no faster, and ended by whoever
 * goes first. */
#include "io/loop/clock.h"
#include "io/loop/http.h"
#include "lib/check.h"
#include "lib/client.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE "0123456789012345678901234567890123456789012345678901234567890\n"

struct world {
    uv_loop_t loop;
    struct http *http;
    struct http_request *req;
    size_t want, written; /* lines */
    int rooms, gones;
    bool later; /* the answer begins after the handler */
    bool stuck; /* nothing more is written by itself */
    bool closed;
};

static void produce(struct world *w)
{
    while (w->req && !w->stuck && w->written < w->want) {
        w->written++;
        if (!http_write(w->req, TEXT(LINE)))
            return; /* on_room goes on */
    }
    if (w->req && !w->stuck) {
        http_end(w->req);
        w->req = NULL;
    }
}

static void on_room(void *arg)
{
    struct world *w = arg;
    w->rooms++;
    produce(w);
}

static void on_gone(void *arg)
{
    struct world *w = arg;
    w->gones++;
    w->req = NULL;
}

static void begin(struct world *w)
{
    static const struct http_header extra[] = {{"X-Seen", "yes"}};
    http_begin(w->req, 200, "application/x-ndjson", extra, 1, on_room, on_gone, w);
    produce(w);
}

static void on_request(void *arg, struct http_request *req)
{
    struct world *w = arg;
    w->req = req;
    if (!w->later)
        begin(w);
}

static void open_world(struct world *w, size_t want)
{
    struct tide_error err = {0};
    *w = (struct world){.want = want};
    uv_loop_init(&w->loop);
    struct http_options o = {.listen = "127.0.0.1:0",
                             .limits = {.body_bytes_max = 1000},
                             .on_request = on_request,
                             .arg = w};
    T_OK(http_open(&w->loop, &o, &w->http, &err), &err, "open");
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

static int ask(struct world *w)
{
    int fd = client_dial(http_port(w->http));
    client_put(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return fd;
}

static void turn_until(struct world *w, bool (*done)(const struct world *w), const char *what)
{
    tide_mono_ms stop = clock_mono() + CLIENT_WAIT_MS;
    while (!done(w) && clock_mono() < stop)
        uv_run(&w->loop, UV_RUN_NOWAIT);
    T_TRUE(done(w), "%s", what);
}

static bool is_asked(const struct world *w)
{
    return w->req != NULL;
}

static bool is_gone(const struct world *w)
{
    return w->gones > 0;
}

static void test_small(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        struct world w;
        open_world(&w, 3);
        w.later = later;
        int fd = ask(&w);
        if (later) {
            turn_until(&w, is_asked, "asked");
            begin(&w);
        }
        const char *in = client_get(&w.loop, fd, "0\r\n\r\n", 1);
        T_HAS(in, "HTTP/1.1 200");
        T_HAS(in, "Transfer-Encoding: chunked");
        T_HAS(in, "X-Seen: yes");
        T_HAS(in, LINE LINE LINE);
        T_EQ(w.gones, 0, "nobody went");
        /* the connection goes on */
        w.written = 0;
        w.later = false;
        client_put(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        T_HAS(client_get(&w.loop, fd, "0\r\n\r\n", 1), LINE LINE LINE);
        close(fd);
        shut(&w);
    }
}

/* Whoever does not read stops the writer; whoever reads on gets all. */
static void test_slow_reader(void **state)
{
    (void)state;
    struct world w;
    const size_t lines = 200000; /* 12 MB: more than sockets hold */
    open_world(&w, lines);
    int fd = ask(&w);
    turn_until(&w, is_asked, "asked");
    size_t before = SIZE_MAX;
    for (int same = 0; same < 50; same = before == w.written ? same + 1 : 0) {
        before = w.written;
        uv_run(&w.loop, UV_RUN_NOWAIT);
        (void)poll(NULL, 0, 1); /* what is on its way between two sockets of one machine */
    }
    T_TRUE(w.written < lines, "%zu of %zu lines were written to one who reads nothing", w.written,
           lines);
    char *bytes = malloc(1 << 20);
    size_t got = 0;
    ssize_t n = -1;
    tide_mono_ms stop = clock_mono() + 6 * CLIENT_WAIT_MS;
    while ((w.req || n > 0) && clock_mono() < stop) {
        uv_run(&w.loop, UV_RUN_NOWAIT);
        n = recv(fd, bytes, 1 << 20, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
    }
    free(bytes);
    T_EQ(w.written, lines, "all was written in the end");
    T_TRUE(got > lines * (sizeof LINE - 1) / 10 * 9, "%zu bytes arrived", got);
    T_TRUE(w.rooms > 50, "the writer waited %d times", w.rooms);
    close(fd);
    shut(&w);
}

static void test_client_goes(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, 100000000);
    int fd = ask(&w);
    turn_until(&w, is_asked, "asked");
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    turn_until(&w, is_gone, "the writer is told");
    T_EQ(w.gones, 1, "once");
    T_TRUE(w.written < w.want, "and it stopped");
    shut(&w);
}

/* The server closes: the client can see that the answer is not whole. */
static void test_server_closes(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, 1);
    w.stuck = true;
    int fd = ask(&w);
    turn_until(&w, is_asked, "asked");
    (void)http_write(w.req, TEXT(LINE));
    T_HAS(client_get(&w.loop, fd, LINE, 1), LINE);
    http_close(w.http, on_closed, &w);
    T_EQ(w.gones, 1, "the writer is told");
    T_TRUE(!strstr(client_get(&w.loop, fd, "\r\n0\r\n", 1), "\r\n0\r\n"), "no last chunk");
    shut(&w);
    close(fd);
}

/* A request whose body ends while the server closes is not begun any more. */
static void test_too_late(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, 1);
    int fd = client_dial(http_port(w.http));
    client_put(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
    for (int i = 0; i < 20; i++)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    http_close(w.http, on_closed, &w);
    client_put(fd, "cd");
    T_HAS(client_get(&w.loop, fd, "stopping", 1), "HTTP/1.1 503");
    T_EQ(w.written, 0, "the handler was not asked");
    shut(&w);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),       cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_client_goes), cmocka_unit_test(test_server_closes),
        cmocka_unit_test(test_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
