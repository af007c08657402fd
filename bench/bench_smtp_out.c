/* How many mails a second does one account release over SMTP? Against Postfix's smtp-sink on
 * loopback with 1, 10 and 50 connections, and with every reply 20 ms late (a proxy in this
 * process stands for the way to an ESP). Prints "name value unit"; ends 0 with a line that says so
 * where smtp-sink is not installed. */
#include "base/list.h"
#include "io/release/account.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_BYTES 2048
#define LATE_MS       20
#define TARGET_LATE   1000.0 /* mails/s at 20 ms over 50 connections */

/* --- the peer --- */

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        a.sin_port = 0;
    close(fd);
    return ntohs(a.sin_port);
}

static bool listens(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return ok;
}

static pid_t start_sink(int port)
{
    char where[32];
    snprintf(where, sizeof where, "127.0.0.1:%d", port);
    pid_t pid = fork();
    if (pid == 0) {
        /* It refuses to run as root without being told whom to become. */
        const char *args[] = {"smtp-sink", "-u", "nobody", where, "1024", NULL};
        const char **from = geteuid() == 0 ? args : args + 2;
        from[0] = "smtp-sink";
        execvp("smtp-sink", (char *const *)(uintptr_t)from);
        execv("/usr/sbin/smtp-sink", (char *const *)(uintptr_t)from);
        _exit(127);
    }
    for (int i = 0; i < 200 && !listens(port); i++)
        usleep(10000);
    return pid;
}

/* --- the way to it, with replies that are late --- */

struct late {
    struct list hook;
    uint64_t due;
    uv_write_t req;
    struct relay *relay;
    size_t n;
    char bytes[];
};

struct relay {
    uv_tcp_t near, far;
    uv_timer_t timer;
    uv_connect_t connect;
    struct list late;
    char bytes[65536];
    bool closing;
};

static int sink_port;

static void on_closed(uv_handle_t *h)
{
    (void)h; /* a bench leaves its few relays to the end of the process */
}

static void relay_close(struct relay *r)
{
    if (r->closing)
        return;
    r->closing = true;
    uv_close((uv_handle_t *)&r->near, on_closed);
    uv_close((uv_handle_t *)&r->far, on_closed);
    uv_close((uv_handle_t *)&r->timer, on_closed);
}

static void on_relayed(uv_write_t *req, int status)
{
    (void)status;
    free(container_of(req, struct late, req));
}

static void put(struct late *l, uv_tcp_t *to)
{
    uv_buf_t b = uv_buf_init(l->bytes, (unsigned)l->n);
    if (l->relay->closing || uv_write(&l->req, (uv_stream_t *)to, &b, 1, on_relayed) != 0)
        free(l);
}

static void on_due(uv_timer_t *t)
{
    struct relay *r = container_of(t, struct relay, timer);
    struct list *node;
    while ((node = list_first(&r->late))) {
        struct late *l = container_of(node, struct late, hook);
        uint64_t now = uv_now(t->loop);
        if (l->due > now) {
            uv_timer_start(t, on_due, l->due - now, 0);
            return;
        }
        list_remove(node);
        put(l, &r->near);
    }
}

static void on_alloc(uv_handle_t *h, size_t n, uv_buf_t *ret)
{
    struct relay *r = h->data;
    (void)n;
    *ret = uv_buf_init(r->bytes, sizeof r->bytes);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct relay *r = s->data;
    if (n < 0) {
        relay_close(r);
        return;
    }
    struct late *l = malloc(sizeof *l + (size_t)n);
    l->relay = r;
    l->n = (size_t)n;
    memcpy(l->bytes, b->base, l->n);
    if (s == (uv_stream_t *)&r->near) {
        put(l, &r->far);
        return;
    }
    l->due = uv_now(s->loop) + LATE_MS;
    if (list_is_empty(&r->late))
        uv_timer_start(&r->timer, on_due, LATE_MS, 0);
    list_append(&r->late, &l->hook);
}

static void on_far(uv_connect_t *req, int status)
{
    struct relay *r = container_of(req, struct relay, connect);
    if (status < 0) {
        relay_close(r);
        return;
    }
    uv_read_start((uv_stream_t *)&r->far, on_alloc, on_read);
    uv_read_start((uv_stream_t *)&r->near, on_alloc, on_read);
}

static void on_near(uv_stream_t *server, int status)
{
    struct relay *r = calloc(1, sizeof *r);
    struct sockaddr_in to;
    (void)status;
    list_init(&r->late);
    uv_tcp_init(server->loop, &r->near);
    uv_tcp_init(server->loop, &r->far);
    uv_timer_init(server->loop, &r->timer);
    r->near.data = r->far.data = r;
    uv_accept(server, (uv_stream_t *)&r->near);
    uv_tcp_nodelay(&r->near, 1);
    uv_tcp_nodelay(&r->far, 1);
    uv_ip4_addr("127.0.0.1", sink_port, &to);
    uv_tcp_connect(&r->connect, &r->far, (struct sockaddr *)&to, on_far);
}

/* --- the run --- */

struct run {
    struct account *account;
    int wanted, sent, accepted, failed;
    struct text message;
};

static void fill(struct run *r);

static void on_done(struct account_mail *mail, const struct account_outcome *o)
{
    struct run *r = mail->arg;
    if (o->result == ACCOUNT_ACCEPTED)
        r->accepted++;
    else if (r->failed++ == 0)
        fprintf(stderr, "bench: %s\n", o->reply.text);
    free(mail);
    fill(r);
}

static void fill(struct run *r)
{
    for (int room = account_room(r->account); room > 0 && r->sent < r->wanted; room--) {
        struct account_mail *m = calloc(1, sizeof *m);
        m->attempt_id = ++r->sent;
        m->sender = TEXT("app@example.org");
        m->recipient = TEXT("someone@example.com");
        m->message = r->message;
        m->done = on_done;
        m->arg = r;
        account_send(r->account, m);
    }
}

static void on_account_closed(void *arg)
{
    *(bool *)arg = true;
}

static double run(uv_loop_t *loop, int port, int connections, int mails, struct text message)
{
    struct config_account config = {.name = (char *)(uintptr_t) "bench",
                                    .type = ACCOUNT_SMTP,
                                    .host = (char *)(uintptr_t) "127.0.0.1",
                                    .port = port,
                                    .helo = (char *)(uintptr_t) "bench.example",
                                    .connections = connections,
                                    .connect_timeout_ms = 10000,
                                    .command_timeout_ms = 10000,
                                    .dot_timeout_ms = 10000};
    struct clock clock;
    struct tide_error err;
    struct run r = {.wanted = mails, .message = message};
    clock_init_real(&clock);
    if (account_open(loop, &config, &clock, &r.account, &err) != TIDE_OK) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(1);
    }
    uint64_t start = uv_hrtime();
    fill(&r);
    while (r.accepted + r.failed < mails)
        uv_run(loop, UV_RUN_ONCE);
    double seconds = (double)(uv_hrtime() - start) / 1e9;
    bool closed = false;
    account_close(r.account, on_account_closed, &closed);
    while (!closed)
        uv_run(loop, UV_RUN_ONCE);
    if (r.failed)
        fprintf(stderr, "bench: %d of %d mails failed\n", r.failed, mails);
    return r.accepted / seconds;
}

int main(void)
{
    static const int connections[] = {1, 10, 50};
    char message[MESSAGE_BYTES + 1];
    struct sockaddr_in any;
    uv_loop_t loop;
    uv_tcp_t listener;
    int len = sizeof any;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < MESSAGE_BYTES; i++)
        message[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
    memcpy(message, "Subject: x\r\n\r\n", 14);
    struct text t = {message, MESSAGE_BYTES};
    sink_port = free_port();
    pid_t sink = start_sink(sink_port);
    if (!listens(sink_port)) {
        printf("SKIPPED: bench_smtp_out: smtp-sink (package postfix) is not there\n");
        return 0;
    }
    uv_loop_init(&loop);
    for (size_t i = 0; i < TIDE_COUNT(connections); i++)
        printf("smtp_out.loopback.%d_connections %.0f mails/s\n", connections[i],
               run(&loop, sink_port, connections[i], connections[i] == 1 ? 5000 : 20000, t));
    uv_tcp_init(&loop, &listener);
    uv_ip4_addr("127.0.0.1", 0, &any);
    uv_tcp_bind(&listener, (struct sockaddr *)&any, 0);
    uv_listen((uv_stream_t *)&listener, 128, on_near);
    uv_tcp_getsockname(&listener, (struct sockaddr *)&any, &len);
    for (size_t i = 0; i < TIDE_COUNT(connections); i++) {
        int n = connections[i];
        double rate = run(&loop, ntohs(any.sin_port), n, n * 60, t);
        printf("smtp_out.late_20ms.%d_connections %.0f mails/s\n", n, rate);
        if (n == 50)
            printf("smtp_out.late_20ms.50_connections.of_target %.2f ratio\n", rate / TARGET_LATE);
    }
    kill(sink, SIGTERM);
    waitpid(sink, NULL, 0);
    return 0;
}
