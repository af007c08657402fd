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

    /* Of a body in pieces. */
    bool echo; /* what comes goes back, and the answer ends with it */
    bool holds, refuses, over;
    size_t came, pieces;
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

/* -- Bodies in pieces ----------------------------------------------------------------------------
 */

static bool in_pieces(void *arg, const struct http_request *req)
{
    return ((struct world *)arg)->echo && text_eq(req->path, TEXT("/pieces"));
}

static void on_echo_room(void *arg)
{
    struct world *w = arg;
    w->rooms++;
    http_hold(w->req, false);
}

static void on_piece(void *arg, struct text piece)
{
    struct world *w = arg;
    w->came += piece.n;
    w->pieces++;
    bool room = piece.n == 0 || http_write(w->req, piece);
    if (piece.n == 0) {
        struct http_request *req = w->req;
        w->req = NULL;
        w->over = true;
        http_end(req);
    } else if (!room || w->holds) {
        http_hold(w->req, true);
    }
}

static void on_pieces(void *arg, struct http_request *req)
{
    struct world *w = arg;
    if (!req->more) { /* small, or asked otherwise */
        http_reply(req, 200, "text/plain", req->body, NULL, 0);
        return;
    }
    if (w->refuses) {
        http_reply_error(req, 400, "bad_list", "Not this.");
        return;
    }
    w->req = req;
    http_begin(req, 200, "text/plain", NULL, 0, on_echo_room, on_gone, w);
    http_receive(req, on_piece);
    on_piece(w, req->body);
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

static void open_echo(struct world *w)
{
    struct tide_error err = {0};
    *w = (struct world){.echo = true};
    uv_loop_init(&w->loop);
    struct http_options o = {.listen = "127.0.0.1:0",
                             .limits = {.body_bytes_max = 1000, .idle_timeout_ms = 1000},
                             .on_request = on_pieces,
                             .in_pieces = in_pieces,
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

#define CHUNKED "POST /pieces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

static bool has_piece(const struct world *w)
{
    return w->pieces > 0;
}

/* The answer is there while the body still comes. */
static void test_answer_before_the_end(void **state)
{
    (void)state;
    struct world w;
    open_echo(&w);
    int fd = client_dial(http_port(w.http));
    client_put(fd, CHUNKED "5\r\nfirst\r\n");
    const char *in = client_get(&w.loop, fd, "first", 1);
    T_HAS(in, "HTTP/1.1 200 OK\r\n");
    T_HAS(in, "Transfer-Encoding: chunked");
    T_HAS(in, "5\r\nfirst\r\n");
    client_put(fd, "6\r\nsecond\r\n");
    T_HAS(client_get(&w.loop, fd, "second", 1), "6\r\nsecond\r\n");
    client_put(fd, "0\r\n\r\n");
    T_HAS(client_get(&w.loop, fd, "\r\n0\r\n\r\n", 1), "0\r\n\r\n");
    T_EQ(w.over, true, "the end was told");
    T_EQ(w.gones, 0, "nobody went");
    close(fd);
    shut(&w);
}

/* A small body is taken as a whole, and the connection goes on; so is one over HTTP/1.0, and one of
 * another path. */
static void test_whole_all_the_same(void **state)
{
    (void)state;
    struct world w;
    open_echo(&w);
    int fd = client_dial(http_port(w.http));
    for (int i = 0; i < 2; i++) {
        client_put(fd, "POST /pieces HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nsmall");
        T_HAS(client_get(&w.loop, fd, "small", 1), "Content-Length: 5");
    }
    client_put(fd, "POST /whole HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5\r\nwhole\r\n0\r\n\r\n");
    T_HAS(client_get(&w.loop, fd, "whole", 1), "Content-Length: 5");
    T_EQ(w.pieces, 0, "none came in pieces");
    close(fd);
    shut(&w);
}

/* A body that nobody takes makes its client wait; so does one who does not read the answer. */
static void test_body_waits(void **state)
{
    (void)state;
    static char chunk[65536];
    const size_t want = 400; /* 26 MB */
    memset(chunk, 'x', sizeof chunk);
    for (int reads = 0; reads < 2; reads++) {
        struct world w;
        open_echo(&w);
        w.holds = reads;
        int fd = client_dial(http_port(w.http));
        client_put(fd, CHUNKED);
        char head[16];
        size_t sent = 0, stalled = 0, left = 0, most = 0;
        const char *from = head;
        tide_mono_ms stop = clock_mono() + 6 * CLIENT_WAIT_MS;
        while (!w.over && clock_mono() < stop) {
            uv_run(&w.loop, UV_RUN_NOWAIT);
            if (left == 0 && sent <= want) {
                bool last = sent++ == want;
                left = (size_t)snprintf(head, sizeof head, "%s", last ? "0\r\n\r\n" : "10000\r\n");
                from = head;
            }
            ssize_t n = left ? send(fd, from, left, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
            if (n > 0) {
                left -= (size_t)n;
                from += n;
                if (left == 0 && from == head + strlen("10000\r\n") && sent <= want) {
                    from = chunk;
                    left = sizeof chunk;
                } else if (left == 0 && from == chunk + sizeof chunk) {
                    from = head;
                    left = 2;
                    memcpy(head, "\r\n", 3);
                }
            } else if (left) {
                stalled++;
            }
            if (w.holds && w.req && stalled > 50) { /* it was made to wait: let it go on */
                most = w.came;
                w.holds = false;
                http_hold(w.req, false);
            }
            if (reads || stalled > 50) {
                static char bytes[1 << 18];
                (void)recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
            }
        }
        T_EQ(w.over, true, "reads %d: the body came to its end", reads);
        T_EQ(w.came, want * sizeof chunk, "reads %d: all of it", reads);
        T_TRUE(stalled > 0, "reads %d: the client had to wait", reads);
        T_TRUE(!reads || most < sizeof chunk, "held after the first piece: %zu octets came", most);
        T_TRUE(reads || w.rooms > 10, "the writer waited %d times", w.rooms);
        close(fd);
        shut(&w);
    }
}

/* Refused at its first piece: the answer comes when the body has, or when there is too much of it.
 */
static void test_refused_in_the_middle(void **state)
{
    (void)state;
    struct world w;
    open_echo(&w);
    w.refuses = true;
    int fd = client_dial(http_port(w.http));
    client_put(fd, CHUNKED "3\r\nabc\r\n");
    for (int i = 0; i < 20; i++)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    client_put(fd, "3\r\ndef\r\n0\r\n\r\n");
    T_HAS(client_get(&w.loop, fd, "Not this", 1), "HTTP/1.1 400");
    client_put(fd, "POST /pieces HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nagain");
    T_HAS(client_get(&w.loop, fd, "again", 1), "HTTP/1.1 200"); /* the connection goes on */
    close(fd);
    shut(&w);
}

static void test_goes_in_the_middle(void **state)
{
    (void)state;
    for (int hard = 0; hard < 2; hard++) {
        struct world w;
        open_echo(&w);
        int fd = client_dial(http_port(w.http));
        client_put(fd, CHUNKED "3\r\nabc\r\n");
        turn_until(&w, has_piece, "a piece");
        struct linger linger = {.l_onoff = hard};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(fd);
        turn_until(&w, is_gone, "the handler is told");
        T_EQ(w.gones, 1, "once");
        shut(&w);
    }
}

/* The server closes with a body under way, and with one that it holds. */
static void test_closes_in_the_middle(void **state)
{
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct world w;
        open_echo(&w);
        w.holds = held;
        int fd = client_dial(http_port(w.http));
        client_put(fd, CHUNKED "3\r\nabc\r\n");
        turn_until(&w, has_piece, "a piece");
        http_close(w.http, on_closed, &w);
        T_EQ(w.gones, 1, "the handler is told");
        client_put(fd, "3\r\ndef\r\n");
        T_TRUE(!strstr(client_get(&w.loop, fd, "\r\n0\r\n", 1), "\r\n0\r\n"), "no last chunk");
        shut(&w);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_before_the_end),
        cmocka_unit_test(test_whole_all_the_same),
        cmocka_unit_test(test_body_waits),
        cmocka_unit_test(test_refused_in_the_middle),
        cmocka_unit_test(test_goes_in_the_middle),
        cmocka_unit_test(test_closes_in_the_middle),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_client_goes),
        cmocka_unit_test(test_server_closes),
        cmocka_unit_test(test_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
