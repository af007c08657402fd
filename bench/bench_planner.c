/* How many decisions a second, with five limits applying; and a million held in one line. */
#include "base/macros.h"
#include "core/plan/planner.h"
#include "core/plan/queue.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TARGET 1e6

enum { RECIPIENTS = 100000, DECISIONS = 2000000, HELD = 1000000, TAKEN = 100000 };

/* Of this process: what one core does, whoever else is on the machine. */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static char *name(const char *s)
{
    return (char *)(uintptr_t)s;
}

static enum tide_err load_zone(void *arg, const char *n, struct zone **ret, struct tide_error *err)
{
    (void)arg;
    *ret = zone_new(8 * 3600);
    return *ret ? TIDE_OK : tide_fail(err, TIDE_ENOMEM, "zone %s", n);
}

/* Decide and charge, round and round over many recipients, so that little is in the cache. */
static void bench_decisions(struct plan_recipient *recipients, bool in_line)
{
    struct limit provider_limits[] = {
        {.name = name("p/day"),
         .scope = LIMIT_RECIPIENT,
         .count = 1000,
         .window = {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = name("Asia/Shanghai")}},
        {.name = name("p/hour"),
         .scope = LIMIT_RECIPIENT,
         .count = 500,
         .window = {.kind = WINDOW_CALENDAR, .unit = WINDOW_HOUR, .zone = name("Asia/Shanghai")}},
        {.name = name("p/all"),
         .scope = LIMIT_SENDER_DOMAIN_PROVIDER,
         .count = 1000000000,
         .window = {.kind = WINDOW_CLOCK, .span_ms = 30 * TIME_MINUTE_MS}},
    };
    struct limit account_limits[] = {
        {.name = name("a/rate"),
         .scope = LIMIT_ACCOUNT,
         .count = in_line ? 1 : 4000000,
         .burst = in_line ? 1 : 1000000,
         .window = {.kind = WINDOW_RATE, .span_ms = 1000}},
        {.name = name("a/day"),
         .scope = LIMIT_ACCOUNT,
         .count = 1000000000,
         .window = {.kind = WINDOW_ROLLING, .span_ms = TIME_DAY_MS}},
    };
    struct profile provider = {.name = name("p"), .limits = provider_limits, .limit_count = 3};
    struct profile esp = {.name = name("a"), .limits = account_limits, .limit_count = 2};
    struct config_account account = {.name = name("main"), .profile = &esp};
    struct config_stream stream = {.name = name("news")};
    struct config config = {.planner = {.reserve = 2, .margin_ms = 30000, .direct_share = 0.5},
                            .profiles = {.providers = &provider, .provider_count = 1},
                            .accounts = &account,
                            .account_count = 1,
                            .streams = &stream,
                            .stream_count = 1};
    const struct plan_zones zones = {NULL, load_zone};
    struct tide_error err;
    struct planner *p = NULL;
    if (planner_new(&config, &zones, &p, &err) != TIDE_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    tide_wall_ms now = 1772416800000;
    struct group_pending pending = {.digestible = 1, .oldest_at = now};
    struct plan_query q = {.pending = &pending,
                           .digest = true,
                           .route = {.provider = planner_intern_provider(p, TEXT("p")),
                                     .domain = planner_intern(p, TEXT("client.example")),
                                     .sender_domain = planner_intern(p, TEXT("shop.example")),
                                     .sender = planner_intern(p, TEXT("app@shop.example"))}};
    long sent = 0;
    double start = seconds();
    for (int i = 0; i < DECISIONS; i++) {
        struct plan_answer a;
        q.now =
            now + (int64_t)i * 43; /* over a day, so that rolling windows have all their slots */
        q.recipient_id = i % RECIPIENTS;
        q.recipient = &recipients[q.recipient_id];
        planner_decide(p, &q, &a);
        if (a.kind == PLAN_NOW) {
            planner_charge(p, &q);
            sent++;
        }
    }
    double took = seconds() - start, rate = DECISIONS / took;
    const char *what = in_line ? "hold" : "decide_and_charge";
    printf("planner_%s %.0f per_s\n", what, rate);
    printf("planner_%s_ratio_to_target %.2f x\n", what, rate / TARGET);
    printf("planner_%s_sent %ld of_%d\n", what, sent, DECISIONS);
    planner_free(p);
}

static void bench_queue(void)
{
    struct queue q;
    struct queue_entry *entries = calloc(HELD, sizeof *entries);
    if (!entries)
        exit(1);
    queue_init(&q);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    double start = seconds();
    for (uint32_t i = 0; i < HELD; i++) {
        int64_t order = queue_order(1, false, 0, (int64_t)(hash_u64(i) % 1000000));
        if (!queue_put_line(&q, &entries[i], 7, order, 1000))
            exit(1);
    }
    double filled = seconds();
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct queue_entry *first = queue_take(&q, 1000);
    double took_first = seconds() - filled;
    int taken = first != NULL;
    while (taken < TAKEN && queue_take(&q, 1000))
        taken++;
    double took = seconds() - filled;
    printf("queue_put_1000000_in_line %.0f per_s\n", HELD / (filled - start));
    printf("queue_first_of_1000000 %.1f us\n", took_first * 1e6);
    printf("queue_take_%d_of_1000000 %.1f ms\n", taken, took * 1e3);
    printf("queue_ram %.1f bytes_per_entry\n",
           (double)(after - before) / HELD + (double)sizeof *entries);
    queue_fini(&q);
    free(entries);
}

int main(void)
{
    struct plan_recipient *recipients = calloc(RECIPIENTS, sizeof *recipients);
    if (!recipients)
        return 1;
    bench_decisions(recipients, false);
    size_t heap = 0;
    for (int i = 0; i < RECIPIENTS; i++) {
        heap +=
            recipients[i].ledger.on_heap ? malloc_usable_size(recipients[i].ledger.heap) + 8 : 0;
        plan_recipient_fini(&recipients[i]);
    }
    printf("planner_recipient %zu bytes\n", sizeof(struct plan_recipient));
    printf("planner_recipient_heap_with_2_limits %.1f bytes\n", (double)heap / RECIPIENTS);
    bench_decisions(recipients, true);
    for (int i = 0; i < RECIPIENTS; i++)
        plan_recipient_fini(&recipients[i]);
    free(recipients);
    bench_queue();
    return 0;
}
