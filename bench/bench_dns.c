/* How fast and how small is DNS?
 *
 *   bench_dns                                 memory of the cache, verdicts found in it
 *   bench_dns IP:PORT FILE SECONDS [AT_ONCE]  questions a second of the resolver, its cache off;
 *                                             FILE has "NAME TYPE" lines, as dnsperf's
 *
 * bench/dns.sh runs both beside dnsperf against nsd. */
#include "base/file.h"
#include "core/dns/cache.h"
#include "io/dns/verifier.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define DOMAINS 100000

static double seconds(void)
{
    return (double)uv_hrtime() / 1e9;
}

/* A domain with two MX on hosts of its own, the first of them with an A: what a verdict needs. */
static void cache_domain(struct dns_cache *c, int i)
{
    char domain[64], first[64], second[64];
    struct dns_question q;
    int n = snprintf(domain, sizeof domain, "customer-%06d.example", i);
    int n1 = snprintf(first, sizeof first, "mx1.%s", domain);
    int n2 = snprintf(second, sizeof second, "mx2.%s", domain);
    struct dns_rr mx[] = {{.ttl_s = 3600, .preference = 5, .data = {first, (size_t)n1}},
                          {.ttl_s = 3600, .preference = 10, .data = {second, (size_t)n2}}};
    struct dns_rr address = {.ttl_s = 3600, .address = {8, 8, 8, 8}};
    struct dns_answer a = {
        .type = DNS_MX, .canonical = {domain, (size_t)n}, .ttl_s = 3600, .rrs = mx, .rr_count = 2};
    if (dns_question_init(&q, a.canonical, DNS_MX, NULL) == TIDE_OK)
        dns_cache_put(c, &q, &a, 1000);
    a = (struct dns_answer){.type = DNS_A,
                            .canonical = {first, (size_t)n1},
                            .ttl_s = 3600,
                            .rrs = &address,
                            .rr_count = 1};
    if (dns_question_init(&q, a.canonical, DNS_A, NULL) == TIDE_OK)
        dns_cache_put(c, &q, &a, 1000);
}

static void bench_memory(void)
{
    struct dns_cache c;
    struct dns_cache_limits limits = {2 * DOMAINS, TIME_DAY_MS, TIME_HOUR_MS, 0};
    struct arena arena = {0};
    dns_cache_init(&c, &limits);
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < DOMAINS; i++)
        cache_domain(&c, i);
    struct mallinfo2 after = mallinfo2();
    size_t bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    printf("dns_cache_bytes_per_domain %.0f bytes (MX with two hosts, A of one)\n",
           (double)bytes / DOMAINS);
    double start = seconds();
    for (int i = 0; i < 10 * DOMAINS; i++) {
        char name[64];
        struct dns_question q;
        struct dns_answer a;
        int n = snprintf(name, sizeof name, "customer-%06d.example", i % DOMAINS);
        if (dns_question_init(&q, (struct text){name, (size_t)n}, DNS_MX, NULL) != TIDE_OK ||
            dns_cache_get(&c, &q, 2000, &arena, &a) != DNS_FRESH)
            abort();
        arena_reset(&arena);
    }
    printf("dns_cache_lookups_per_s %.0f lookups/s\n", 10 * DOMAINS / (seconds() - start));
    arena_fini(&arena);
    dns_cache_fini(&c);
}

struct question {
    struct text name;
    enum dns_type type;
};

struct run {
    uv_loop_t loop;
    struct resolver *resolver;
    struct question *questions;
    size_t count, next, under_way;
    uint64_t answered, failed;
    double until;
    bool done;
};

static void on_answer(void *arg, enum tide_err rc, const struct dns_answer *a);

static void ask_next(struct run *r)
{
    struct question *q = &r->questions[r->next++ % r->count];
    if (resolver_query(r->resolver, q->name, q->type, on_answer, r, NULL, NULL) == TIDE_OK)
        r->under_way++;
}

static void on_answer(void *arg, enum tide_err rc, const struct dns_answer *a)
{
    struct run *r = arg;
    r->under_way--;
    if (rc == TIDE_OK && dns_status_is_final(a->status))
        r->answered++;
    else
        r->failed++;
    if (!r->done && (r->answered & 63) == 0)
        r->done = seconds() >= r->until;
    if (!r->done)
        ask_next(r);
}

static size_t read_questions(struct text all, struct question **ret)
{
    struct text line, name;
    size_t count = 0, room = 0;
    struct question *list = NULL;
    while (text_split(&all, '\n', &line)) {
        if (!text_split(&line, ' ', &name) || name.n == 0)
            continue;
        if (count == room) {
            room = room ? room * 2 : 1024;
            list = realloc(list, room * sizeof *list);
            if (!list)
                abort();
        }
        line = text_trim(line);
        enum dns_type type = text_eq(line, TEXT("A"))     ? DNS_A
                             : text_eq(line, TEXT("TXT")) ? DNS_TXT
                                                          : DNS_MX;
        list[count++] = (struct question){name, type};
    }
    *ret = list;
    return count;
}

static int bench_queries(char *server, const char *path, double for_seconds, size_t at_once)
{
    struct run r = {0};
    struct buf file = {0};
    struct tide_error err = {0};
    struct clock clock;
    struct config_dns config = {
        .servers = &server, .server_count = 1, .timeout_ms = 2000, .tries = 3};
    clock_init_real(&clock);
    uv_loop_init(&r.loop);
    if (file_read(path, 1u << 28, &file, &err) != TIDE_OK ||
        resolver_open(&r.loop, &clock, &config, &r.resolver, &err) != TIDE_OK) {
        fprintf(stderr, "bench_dns: %s\n", err.text);
        return 1;
    }
    r.count = read_questions(buf_text(&file), &r.questions);
    if (r.count == 0)
        return 1;
    double start = seconds();
    r.until = start + for_seconds;
    for (size_t i = 0; i < at_once; i++)
        ask_next(&r);
    while (r.under_way)
        uv_run(&r.loop, UV_RUN_ONCE);
    double took = seconds() - start;
    struct resolver_counts c = resolver_counts(r.resolver);
    printf("dns_resolver_queries_per_s %.0f queries/s (%llu failed, %llu asked again)\n",
           (double)r.answered / took, (unsigned long long)r.failed, (unsigned long long)c.timeouts);
    resolver_close(r.resolver, NULL, NULL);
    uv_run(&r.loop, UV_RUN_DEFAULT);
    uv_loop_close(&r.loop);
    free(r.questions);
    buf_fini(&file);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 4)
        return bench_queries(argv[1], argv[2], strtod(argv[3], NULL),
                             argc > 4 ? (size_t)strtoul(argv[4], NULL, 10) : 100);
    bench_memory();
    return 0;
}
