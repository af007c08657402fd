/* How many domains a second get a verdict, and what does one cost in memory?
 *
 *   bench_verify IP:PORT FILE SECONDS [AT_ONCE]   FILE has a domain a line
 *
 * First without a cache, each domain's questions on the wire every time; then each domain once with
 * the cache, for its memory; then all of them out of the cache. bench/verify.sh runs it beside
 * dnsperf against nsd. */
#include "base/file.h"
#include "io/dns/verifier.h"
#include "io/loop/files.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define CACHE_ENTRIES 1000000
#define TIMEOUT_MS    2000

struct run {
    uv_loop_t loop;
    struct clock clock;
    struct config *config;
    struct resolver *resolver;
    struct verifier *verifier;
    struct text *domains;
    size_t count, next, most, under_way;
    uint64_t found[4];
    double until;
};

static double seconds(void)
{
    return (double)uv_hrtime() / 1e9;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void on_verdict(void *arg, enum tide_err rc, const struct verdict *v);

static void ask_next(struct run *r)
{
    if (r->next == r->most || seconds() >= r->until)
        return;
    struct text domain = r->domains[r->next++ % r->count];
    if (verifier_verify(r->verifier, domain, on_verdict, r, NULL) == TIDE_OK)
        r->under_way++;
}

static void on_verdict(void *arg, enum tide_err rc, const struct verdict *v)
{
    struct run *r = arg;
    r->under_way--;
    if (rc == TIDE_OK)
        r->found[v->kind]++;
    ask_next(r);
}

static void on_closed(void *arg)
{
    (void)arg;
}

static void on_verifier_closed(void *arg)
{
    resolver_close(((struct run *)arg)->resolver, on_closed, NULL);
}

static int open_run(struct run *r, char *server, int entries)
{
    struct tide_error err;
    struct config_dns dns = {.servers = &server,
                             .server_count = 1,
                             .timeout_ms = TIMEOUT_MS,
                             .tries = 3,
                             .cache_entries_max = entries,
                             .ttl_max_ms = TIME_DAY_MS,
                             .negative_ttl_max_ms = TIME_HOUR_MS};
    clock_init_real(&r->clock);
    uv_loop_init(&r->loop);
    if (resolver_open(&r->loop, &r->clock, &dns, &r->resolver, &err) == TIDE_OK &&
        verifier_open(&r->loop, r->resolver, &r->clock, &r->config->profiles, false, &r->verifier,
                      &err) == TIDE_OK)
        return 0;
    fprintf(stderr, "bench_verify: %s\n", err.text);
    return 1;
}

/* At most so many domains, for at most so long; returns seconds. */
static double go(struct run *r, size_t most, double for_seconds, size_t at_once)
{
    double start = seconds();
    r->next = 0;
    r->most = most;
    r->until = start + for_seconds;
    memset(r->found, 0, sizeof r->found);
    for (size_t i = 0; i < at_once; i++)
        ask_next(r);
    while (r->under_way)
        uv_run(&r->loop, UV_RUN_ONCE);
    return seconds() - start;
}

static void close_run(struct run *r)
{
    verifier_close(r->verifier, on_verifier_closed, r);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->loop);
}

static void read_domains(struct run *r, struct text all)
{
    struct text line;
    r->domains = calloc(all.n + 1, sizeof *r->domains);
    while (r->domains && text_split(&all, '\n', &line))
        if (text_trim(line).n)
            r->domains[r->count++] = text_trim(line);
}

static uint64_t found(const struct run *r)
{
    return r->found[0] + r->found[1] + r->found[2] + r->found[3];
}

int main(int argc, char **argv)
{
    struct run r = {0};
    struct buf file = {0};
    struct tide_error err = {0};
    if (argc < 4) {
        printf("SKIPPED: verify: wants a name server, see bench/verify.sh\n");
        return 0;
    }
    if (file_read(argv[2], 1u << 28, &file, &err) != TIDE_OK ||
        config_load(NULL, &files_source, &r.config, &err) != TIDE_OK) {
        fprintf(stderr, "bench_verify: %s\n", err.text);
        return 1;
    }
    read_domains(&r, buf_text(&file));
    size_t at_once = argc > 4 ? (size_t)strtoul(argv[4], NULL, 10) : 100;
    if (r.count == 0 || open_run(&r, argv[1], 0))
        return 1;
    double took = go(&r, SIZE_MAX, strtod(argv[3], NULL), at_once);
    struct resolver_counts c = resolver_counts(r.resolver);
    printf("verify_domains_per_s %.0f domains/s (%llu not deliverable)\n", (double)found(&r) / took,
           (unsigned long long)(found(&r) - r.found[VERDICT_DELIVERABLE]));
    printf("verify_queries_per_s %.0f queries/s (%llu asked again)\n", (double)c.sent_udp / took,
           (unsigned long long)c.timeouts);
    close_run(&r);
    if (open_run(&r, argv[1], CACHE_ENTRIES))
        return 1;
    size_t before = heap_bytes();
    (void)go(&r, r.count, 60, at_once);
    printf("verify_cache_bytes_per_domain %.0f bytes\n",
           (double)(heap_bytes() - before) / (double)r.count);
    took = go(&r, 10 * r.count, 60, at_once);
    printf("verify_cached_domains_per_s %.0f domains/s\n", (double)found(&r) / took);
    close_run(&r);
    config_free(r.config);
    free(r.domains);
    buf_fini(&file);
    return 0;
}
