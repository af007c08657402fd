/* Fills a database with held notifications, one for each recipient, for bench/start.sh.
 *
 *   bench_fill FILE COUNT
 */
#include "base/macros.h"
#include "io/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LANES         1000
#define DOMAINS       1000
#define MESSAGE_BYTES 500

struct lane {
    char message[MESSAGE_BYTES], address[40];
    struct submission submission;
    struct submission_recipient to;
    struct store_accepted item;
    struct store_accept accept;
    struct change changes[2];
    struct store_apply apply;
};

static uv_loop_t loop;
static struct store *store;
static struct id_source ids;
static struct lane lanes[LANES];
static size_t started, ended, wanted;

static tide_wall_ms now_ms(void *arg)
{
    (void)arg;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (tide_wall_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(const char *what, const struct tide_error *err)
{
    fprintf(stderr, "bench_fill: %s: %s\n", what, err->text);
    exit(1);
}

static void start(struct lane *lane);

static void on_held(struct store_apply *req, enum tide_err rc, const struct tide_error *err)
{
    struct lane *lane = req->arg;
    if (rc != TIDE_OK)
        die("hold", err);
    arena_fini(&req->arena);
    ended++;
    if (started < wanted)
        start(lane);
}

/* Held until tomorrow, as a limit of the recipient's provider would. */
static void on_accepted(struct store_accept *req, enum tide_err rc, const struct tide_error *err)
{
    static const struct text reason = TEXT("held until tomorrow: 10 of 10 used");
    struct lane *lane = req->arg;
    if (rc != TIDE_OK)
        die("accept", err);
    tide_wall_ms now = now_ms(NULL);
    lane->changes[0] = (struct change){.type = CHANGE_GROUP_HELD,
                                       .notification = {.group_id = lane->item.pending.group_id,
                                                        .state = NOTIFICATION_HELD,
                                                        .reason = reason,
                                                        .due_at = now + TIME_DAY_MS}};
    lane->changes[1] = (struct change){.type = CHANGE_JOURNAL,
                                       .journal = {.at = now,
                                                   .recipient_id = lane->item.recipient.id,
                                                   .event = TEXT("held"),
                                                   .sentence = reason}};
    arena_fini(&req->arena);
    lane->apply = (struct store_apply){.changes = lane->changes,
                                       .count = TIDE_COUNT(lane->changes),
                                       .at = now,
                                       .done = on_held,
                                       .arg = lane};
    store_apply(store, &lane->apply);
}

static void start(struct lane *lane)
{
    size_t n = started++;
    snprintf(lane->address, sizeof lane->address, "r%zu@d%zu.example", n, n % DOMAINS);
    memset(lane->message, 'x', sizeof lane->message);
    memcpy(lane->message, lane->address, strlen(lane->address));
    struct text address = text_of(lane->address);
    lane->item = (struct store_accepted){.id = id_next(&ids, now_ms(NULL))};
    lane->to = (struct submission_recipient){
        .address = address,
        .normal = address,
        .domain = text_cut(address, text_find(address, '@') + 1, SIZE_MAX)};
    lane->submission = (struct submission){.application = TEXT("bench"),
                                           .stream = TEXT("default"),
                                           .sender = TEXT("app@app.example"),
                                           .identity = TEXT("app@app.example"),
                                           .subject = TEXT("New comment on a task of yours"),
                                           .message_id = TEXT("<0123456789@app.example>"),
                                           .message = {lane->message, sizeof lane->message},
                                           .source = TEXT("bench"),
                                           .accepted_at = now_ms(NULL),
                                           .digestible = true,
                                           .recipients = &lane->to,
                                           .recipient_count = 1};
    lane->accept = (struct store_accept){
        .submission = &lane->submission, .items = &lane->item, .done = on_accepted, .arg = lane};
    store_accept(store, &lane->accept);
}

/* All domains were found good: else the daemon would first ask DNS for each. */
static void on_known(struct store_apply *req, enum tide_err rc, const struct tide_error *err)
{
    if (rc != TIDE_OK)
        die("verdicts", err);
    arena_fini(&req->arena);
    for (size_t i = 0; i < LANES && started < wanted; i++)
        start(&lanes[i]);
}

static void know_domains(struct store_apply *req)
{
    static struct change changes[DOMAINS];
    static char names[DOMAINS][20];
    tide_wall_ms now = now_ms(NULL);
    for (size_t i = 0; i < DOMAINS; i++) {
        snprintf(names[i], sizeof names[i], "d%zu.example", i);
        changes[i] =
            (struct change){.type = CHANGE_VERDICT,
                            .verdict = {.domain = text_of(names[i]),
                                        .verdict = {.kind = VERDICT_DELIVERABLE,
                                                    .provider = TEXT("qq"),
                                                    .reason = TEXT("ok"),
                                                    .found_at = now,
                                                    .valid_until = now + 7 * TIME_DAY_MS}}};
    }
    *req = (struct store_apply){.changes = changes, .count = DOMAINS, .at = now, .done = on_known};
    store_apply(store, req);
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench_fill FILE COUNT\n");
        return 2;
    }
    struct store_options options = {.path = argv[1], .now = now_ms};
    struct store_apply known;
    struct tide_error err;
    bool closed = false;
    wanted = strtoul(argv[2], NULL, 10);
    if (uv_loop_init(&loop) != 0 || store_open(&loop, &options, &store, &err) != TIDE_OK)
        die("open", &err);
    uint64_t from = uv_hrtime();
    know_domains(&known);
    while (ended < wanted)
        uv_run(&loop, UV_RUN_ONCE);
    printf("fill_notifications %.0f held/s\n", (double)wanted * 1e9 / (double)(uv_hrtime() - from));
    store_close(store, on_closed, &closed);
    while (!closed)
        uv_run(&loop, UV_RUN_ONCE);
    uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}
