/* bench_store - how many notifications a second become durable, are claimed and settled, and how
 * fast held groups are loaded; beside raw pwrite + fdatasync of the same bytes in the same batches.
 *
 *   bench_store [folder [groups]]     the folder (default: /tmp) decides which disk is measured
 */
#include "base/macros.h"
#include "io/store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MESSAGE_BYTES 2048
#define FLIGHT_MAX    500
#define MEASURE_NS    1000000000u
#define RECIPIENTS    20000

struct lane {
    char message[MESSAGE_BYTES], address[40];
    struct submission submission;
    struct submission_recipient to;
    struct store_accepted item;
    struct store_accept accept;
    struct store_claim claim;
    struct change end;
    struct store_apply apply;
    tide_id claimed;
};

static uv_loop_t loop;
static struct store *store;
static struct lane lanes[FLIGHT_MAX];
static struct id_source ids;
static size_t started, ended, wanted;
static uint64_t stop_at_ns;

static tide_wall_ms now_ms(void *arg)
{
    (void)arg;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (tide_wall_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(const char *what, const struct tide_error *err)
{
    fprintf(stderr, "bench_store: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

/* One second, or `wanted` of them where that is set. */
static bool more(void)
{
    return wanted ? started < wanted : uv_hrtime() < stop_at_ns;
}

static double run_lanes(size_t flight, size_t want, void (*start)(struct lane *lane))
{
    uint64_t from = uv_hrtime();
    started = ended = 0;
    wanted = want;
    stop_at_ns = from + MEASURE_NS;
    for (size_t i = 0; i < flight; i++)
        start(&lanes[i]);
    while (ended < started)
        uv_run(&loop, UV_RUN_ONCE);
    return (double)ended * 1e9 / (double)(uv_hrtime() - from);
}

/* -- Accept -------------------------------------------------------------------------------------
 */

static void accept_start(struct lane *lane);

static void on_accepted(struct store_accept *req, enum tide_err rc, const struct tide_error *err)
{
    struct lane *lane = req->arg;
    if (rc != TIDE_OK)
        die("accept", err);
    arena_fini(&req->arena);
    ended++;
    if (more())
        accept_start(lane);
}

/* A message of its own for a recipient out of many, each of whom comes again and again. */
static void accept_start(struct lane *lane)
{
    size_t n = started++ % (wanted ? wanted : RECIPIENTS);
    int len = snprintf(lane->address, sizeof lane->address, "r%zu@d%zu.example", n, n % 1000);
    struct text address = {lane->address, (size_t)len};
    memset(lane->message, 'x', sizeof lane->message);
    lane->item.id = id_next(&ids, now_ms(NULL));
    if (!wanted)
        memcpy(lane->message, &lane->item.id, sizeof lane->item.id);
    lane->to = (struct submission_recipient){
        .address = address,
        .normal = address,
        .domain = text_cut(address, text_find(address, '@') + 1, SIZE_MAX)};
    lane->submission = (struct submission){.application = TEXT("app"),
                                           .stream = TEXT("comments"),
                                           .sender = TEXT("bounce@app.example"),
                                           .identity = TEXT("app@app.example"),
                                           .subject = TEXT("New comment on a task of yours"),
                                           .message_id = TEXT("<0123456789@app.example>"),
                                           .message = {lane->message, sizeof lane->message},
                                           .source = TEXT("bench"),
                                           .accepted_at = now_ms(NULL),
                                           .recipients = &lane->to,
                                           .recipient_count = 1};
    lane->accept = (struct store_accept){
        .submission = &lane->submission, .items = &lane->item, .done = on_accepted, .arg = lane};
    store_accept(store, &lane->accept);
}

/* -- Claim and settle ---------------------------------------------------------------------------
 */

static void claim_start(struct lane *lane);

static void on_settled(struct store_apply *req, enum tide_err rc, const struct tide_error *err)
{
    if (rc != TIDE_OK)
        die("settle", err);
    struct lane *lane = req->arg;
    arena_fini(&req->arena);
    ended++;
    if (more())
        claim_start(lane);
}

static void on_claimed(struct store_claim *req, enum tide_err rc, const struct tide_error *err)
{
    struct lane *lane = req->arg;
    if (rc != TIDE_OK || req->notification_count != 1)
        die("claim", err);
    arena_fini(&req->arena);
    lane->end = (struct change){.type = CHANGE_ATTEMPT,
                                .attempt = {.id = lane->claim.attempt.id,
                                            .state = ATTEMPT_ACCEPTED,
                                            .reply = TEXT("250 2.0.0 queued as 4711"),
                                            .ended_at = now_ms(NULL),
                                            .then = NOTIFICATION_SENT}};
    lane->apply = (struct store_apply){
        .changes = &lane->end, .count = 1, .at = now_ms(NULL), .done = on_settled, .arg = lane};
    store_apply(store, &lane->apply);
}

/* Groups 1, 2, ... in turn: each holds at least one when this is measured. */
static void claim_start(struct lane *lane)
{
    static int64_t group;
    started++;
    lane->claim = (struct store_claim){.attempt = {.id = id_next(&ids, now_ms(NULL)),
                                                   .group_id = group % RECIPIENTS + 1,
                                                   .recipient_id = group % RECIPIENTS + 1,
                                                   .account = TEXT("sendgrid"),
                                                   .provider = TEXT("qq"),
                                                   .message_id = TEXT("<1@out.example>"),
                                                   .started_at = now_ms(NULL)},
                                       .now = now_ms(NULL),
                                       .done = on_claimed,
                                       .arg = lane};
    group++;
    store_claim(store, &lane->claim);
}

/* -- Load ---------------------------------------------------------------------------------------
 */

static size_t loaded;

static void on_loaded(struct store_load *req, enum tide_err rc, const struct tide_error *err)
{
    if (rc != TIDE_OK)
        die("load", err);
    size_t n = req->group_count;
    int64_t after = n ? req->groups[n - 1].pending.group_id : 0;
    loaded += n;
    arena_fini(&req->arena);
    if (n == req->most) {
        req->after_group_id = after;
        store_load(store, req);
    } else
        ended = 1;
}

static double load_all(size_t most)
{
    struct store_load load = {.most = most, .done = on_loaded};
    uint64_t from = uv_hrtime();
    loaded = ended = 0;
    store_load(store, &load);
    while (!ended)
        uv_run(&loop, UV_RUN_ONCE);
    return (double)(uv_hrtime() - from) / 1e9;
}

/* -- Raw ----------------------------------------------------------------------------------------
 */

static double raw(const char *dir, size_t batch)
{
    char path[300];
    static char bytes[MESSAGE_BYTES * FLIGHT_MAX];
    snprintf(path, sizeof path, "%s/raw", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    uint64_t from = uv_hrtime();
    off_t at = 0;
    size_t n = 0;
    while (uv_hrtime() - from < MEASURE_NS / 2) {
        if (pwrite(fd, bytes, MESSAGE_BYTES * batch, at) < 0 || fdatasync(fd) != 0)
            die("raw write", NULL);
        at += (off_t)(MESSAGE_BYTES * batch);
        n += batch;
    }
    double rate = (double)n * 1e9 / (double)(uv_hrtime() - from);
    close(fd);
    unlink(path);
    return rate;
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static void close_store(void)
{
    bool closed = false;
    store_close(store, on_closed, &closed);
    while (!closed)
        uv_run(&loop, UV_RUN_ONCE);
}

static void open_store(const char *path)
{
    struct store_options options = {.path = path, .now = now_ms};
    struct tide_error err;
    if (store_open(&loop, &options, &store, &err) != TIDE_OK)
        die("open", &err);
}

int main(int argc, char **argv)
{
    static const size_t flights[] = {1, 10, 100, FLIGHT_MAX};
    char dir[200], path[300], command[300];
    size_t groups = argc > 2 ? strtoul(argv[2], NULL, 10) : 200000;
    snprintf(dir, sizeof dir, "%s/bench_store.XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(dir) || uv_loop_init(&loop) != 0)
        die("cannot start", NULL);
    snprintf(path, sizeof path, "%s/mail.db", dir);
    open_store(path);
    run_lanes(FLIGHT_MAX, RECIPIENTS, accept_start); /* every recipient is known when it counts */
    for (size_t i = 0; i < TIDE_COUNT(flights); i++) {
        double disk = raw(dir, flights[i]);
        double rate = run_lanes(flights[i], 0, accept_start);
        printf("store_accept_%zu %.0f 1/s\n", flights[i], rate);
        printf("store_accept_%zu_raw %.0f 1/s\n", flights[i], disk);
        printf("store_accept_%zu_ratio %.2f x\n", flights[i], rate / disk);
    }
    for (size_t i = 0; i < TIDE_COUNT(flights); i++) {
        double rate = run_lanes(flights[i], flights[i] == 1 ? 500 : 4000, claim_start);
        printf("store_claim_settle_%zu %.0f 1/s\n", flights[i], rate);
    }
    close_store();
    snprintf(path, sizeof path, "%s/held.db", dir);
    open_store(path);
    double rate = run_lanes(FLIGHT_MAX, groups, accept_start);
    printf("store_accept_new_recipients %.0f 1/s\n", rate);
    close_store();
    uint64_t from = uv_hrtime();
    open_store(path);
    printf("store_open %.3f s\n", (double)(uv_hrtime() - from) / 1e9);
    double s = load_all(5000);
    printf("store_load_groups %zu\nstore_load %.0f 1/s\n", loaded, (double)loaded / s);
    close_store();
    uv_run(&loop, UV_RUN_DEFAULT);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return loaded == groups && system(command) == 0 ? 0 : 1;
}
