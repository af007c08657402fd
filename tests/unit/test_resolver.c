/* The resolver against a name server that lies (tests/lib/liar.h). */
#include "io/dns/verifier.h"
#include "lib/check.h"
#include "lib/liar.h"

#include <stdlib.h>
#include <unistd.h>

#define TIMEOUT_MS 150
struct world {
    uv_loop_t loop;
    struct clock clock;
    struct liar liar, second;
    struct resolver *r;
    bool closed;
};

static void open_resolver(struct world *w, const char *const *servers, size_t count)
{
    struct tide_error err = {0};
    struct config_dns config = {
        .servers = (char **)(uintptr_t)servers,
        .server_count = count,
        .timeout_ms = TIMEOUT_MS,
        .tries = 2,
        .cache_entries_max = 100,
        .ttl_max_ms = TIME_DAY_MS,
        .negative_ttl_max_ms = TIME_HOUR_MS,
        .stale_max_ms = TIME_DAY_MS,
    };
    clock_init_real(&w->clock);
    w->closed = false;
    T_OK(resolver_open(&w->loop, &w->clock, &config, &w->r, &err), &err, "open");
}

static void open_world(struct world *w)
{
    char name[32];
    const char *servers[] = {name};
    memset(w, 0, sizeof *w);
    uv_loop_init(&w->loop);
    liar_open(&w->liar, &w->loop);
    snprintf(name, sizeof name, "127.0.0.1:%d", w->liar.port);
    open_resolver(w, servers, 1);
}

static void on_closed(void *arg)
{
    struct world *w = arg;
    w->closed = true;
}

static void close_resolver(struct world *w)
{
    resolver_close(w->r, on_closed, w);
    resolver_close(w->r, on_closed, w); /* twice is once */
    while (!w->closed)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static void close_loop(struct world *w)
{
    uv_run(&w->loop, UV_RUN_DEFAULT);
    T_EQ(uv_loop_close(&w->loop), 0, "nothing is left open");
}

static void close_world(struct world *w)
{
    close_resolver(w);
    liar_close(&w->liar);
    close_loop(w);
}

struct got {
    int calls;
    enum tide_err rc;
    enum dns_status status;
    size_t rr_count;
    bool stale;
};

static void on_answer(void *arg, enum tide_err rc, const struct dns_answer *a)
{
    struct got *g = arg;
    g->calls++;
    g->rc = rc;
    T_EQ(rc == TIDE_OK, a != NULL, "an answer with TIDE_OK only");
    if (!a)
        return;
    g->status = a->status;
    g->rr_count = a->rr_count;
    g->stale = a->stale;
}

static void query(struct world *w, const char *name, struct got *g, struct resolver_request **ret)
{
    struct tide_error err = {0};
    int before = g->calls;
    T_OK(resolver_query(w->r, text_of(name), DNS_A, on_answer, g, ret, &err), &err, "%s", name);
    T_EQ(g->calls, before, "%s: no callback from inside the call", name);
}

static void wait_for(struct world *w, struct got *g)
{
    while (g->calls == 0)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static const struct {
    const char *name;
    enum dns_status want;
    int udp, tcp; /* questions that the server saw; -1: any */
} lies[] = {
    {"good.example", DNS_OK, 1, 0},
    {"none.example", DNS_NXDOMAIN, 1, 0},
    {"twice.example", DNS_OK, 1, 0},
    {"wrongid.example", DNS_OK, 2, 0},
    {"wrongname.example", DNS_OK, 2, 0},
    {"wrongtype.example", DNS_OK, 2, 0},
    {"late.example", DNS_OK, 2, 0},
    {"casefold.example", DNS_OK, 1, 1}, /* may be a forgery: TCP settles it */
    {"truncated.example", DNS_OK, 1, 1},
    {"tcpwrong.example", DNS_OK, 1, 1},
    {"big.example", DNS_OK, 1, 0}, /* more than was asked for, but sound */
    {"formerr.example", DNS_OK, 2, 0},
    {"formerr2.example", DNS_BROKEN, 2, 0},
    {"loop.example", DNS_LOOP, 1, 0},
    {"rr300.example", DNS_BROKEN, 1, 0},
    {"pointer.example", DNS_BROKEN, 1, 0},
    {"length.example", DNS_BROKEN, 1, 0},
    {"nxdata.example", DNS_BROKEN, 1, 0},
    {"servfail.example", DNS_SERVFAIL, 1, 0},
    {"refused.example", DNS_REFUSED, 1, 0},
    {"silent.example", DNS_TIMEOUT, 2, 0},
    {"reset.example", DNS_UNREACHABLE, 2, 2},
    {"cut.example", DNS_UNREACHABLE, 2, 2},
    {"tcpsilent.example", DNS_TIMEOUT, 2, 2},
};

static void test_lies(void **state)
{
    (void)state;
    static struct world w;
    for (size_t i = 0; i < TIDE_COUNT(lies); i++) {
        struct got g = {0};
        open_world(&w);
        query(&w, lies[i].name, &g, NULL);
        wait_for(&w, &g);
        T_STR(dns_status_name(g.status), dns_status_name(lies[i].want), "%s", lies[i].name);
        T_EQ(w.liar.asked_udp, lies[i].udp, "%s: over UDP", lies[i].name);
        T_EQ(w.liar.asked_tcp, lies[i].tcp, "%s: over TCP", lies[i].name);
        T_EQ(g.rr_count > 0, lies[i].want == DNS_OK, "%s", lies[i].name);
        struct resolver_counts c = resolver_counts(w.r);
        T_EQ(c.cache_entries, dns_status_is_final(lies[i].want), "%s: facts are kept",
             lies[i].name);
        close_world(&w);
        T_EQ(g.calls, 1, "%s: one callback", lies[i].name);
    }
}

static void test_slow_delays_nobody(void **state)
{
    (void)state;
    static struct world w;
    struct got slow[50] = {{0}}, quick = {0};
    open_world(&w);
    for (size_t i = 0; i < TIDE_COUNT(slow); i++) {
        char name[64];
        snprintf(name, sizeof name, "silent.n%zu.example", i);
        query(&w, name, &slow[i], NULL);
    }
    query(&w, "good.example", &quick, NULL);
    wait_for(&w, &quick);
    T_EQ(quick.status, DNS_OK, "answered");
    for (size_t i = 0; i < TIDE_COUNT(slow); i++)
        T_EQ(slow[i].calls, 0, "the silent one is still waited for");
    close_world(&w);
    for (size_t i = 0; i < TIDE_COUNT(slow); i++) {
        T_EQ(slow[i].calls, 1, "one callback");
        T_EQ(slow[i].rc, TIDE_ECANCELED, "cancelled by the close");
    }
}

/* A server that answers after half a minute: asked so often and no longer, whatever its answer. */
static void test_half_a_minute(void **state)
{
    (void)state;
    static struct world w;
    struct got slow = {0}, quick[20] = {{0}};
    open_world(&w);
    w.liar.slow_ms = 30000;
    query(&w, "slow.example", &slow, NULL);
    for (size_t i = 0; i < TIDE_COUNT(quick); i++) {
        char name[64];
        snprintf(name, sizeof name, "good.n%zu.example", i);
        query(&w, name, &quick[i], NULL);
    }
    for (size_t i = 0; i < TIDE_COUNT(quick); i++)
        wait_for(&w, &quick[i]);
    T_EQ(slow.calls, 0, "all others came first");
    wait_for(&w, &slow);
    T_STR(dns_status_name(slow.status), dns_status_name(DNS_TIMEOUT), "given up");
    T_EQ(resolver_counts(w.r).timeouts, 2, "after the tries that were configured");
    T_EQ(w.liar.asked_udp, 2 + (int)TIDE_COUNT(quick), "and no more questions");
    close_world(&w);
}

/* Written on the pool while the loop runs; only when there is something new. */
static void test_saved_meanwhile(void **state)
{
    (void)state;
    static struct world w;
    struct got g = {0};
    struct tide_error err;
    char path[] = "/tmp/mailtide-cache-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    open_world(&w);
    resolver_save_later(w.r, path);
    uv_run(&w.loop, UV_RUN_NOWAIT);
    T_EQ(access(path, F_OK), -1, "nothing was answered yet");
    query(&w, "good.example", &g, NULL);
    wait_for(&w, &g);
    resolver_save_later(w.r, path);
    resolver_save_later(w.r, path); /* one at a time */
    close_world(&w);                /* waits for it */
    T_EQ(access(path, F_OK), 0, "written");
    open_world(&w);
    T_OK(resolver_load(w.r, path, &err), &err, "load");
    T_EQ(resolver_counts(w.r).cache_entries, 1, "what was answered");
    close_world(&w);
    unlink(path);
}

static void test_storm(void **state)
{
    (void)state;
    static struct world w;
    enum { N = 5000 };
    static struct got got[N];
    memset(got, 0, sizeof got);
    open_world(&w);
    for (size_t i = 0; i < N; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.n%zu.example", i % 2 ? "servfail" : "good", i);
        query(&w, name, &got[i], NULL);
    }
    T_TRUE(resolver_counts(w.r).flights <= RESOLVER_FLIGHTS_MAX, "bounded");
    for (size_t i = 0; i < N; i++)
        wait_for(&w, &got[i]);
    for (size_t i = 0; i < N; i++) {
        T_EQ(got[i].calls, 1, "one callback");
        T_STR(dns_status_name(got[i].status), i % 2 ? "SERVFAIL" : "OK", "number %zu", i);
    }
    T_EQ(resolver_counts(w.r).cache_entries, 100, "the cache is bounded");
    close_world(&w);
}

static void test_cancel_and_share(void **state)
{
    (void)state;
    static struct world w;
    struct got a = {0}, b = {0}, c = {0};
    struct resolver_request *first = NULL, *cached = NULL;
    open_world(&w);
    query(&w, "good.example", &a, &first);
    query(&w, "GOOD.example.", &b, NULL);
    resolver_cancel(first);
    resolver_cancel(first);
    T_EQ(a.calls, 0, "not from inside the cancel");
    wait_for(&w, &b);
    wait_for(&w, &a);
    T_EQ(a.rc, TIDE_ECANCELED, "cancelled");
    T_EQ(b.status, DNS_OK, "the other one is served");
    T_EQ(w.liar.asked_udp, 1, "one question");
    query(&w, "good.example", &c, &cached);
    resolver_cancel(cached);
    wait_for(&w, &c);
    T_EQ(c.rc, TIDE_ECANCELED, "also what the cache has");
    struct tide_error err = {0};
    T_EQ(resolver_query(w.r, TEXT("a..b"), DNS_A, on_answer, &c, NULL, &err), TIDE_EINVAL, "name");
    close_world(&w);
    T_EQ(a.calls + b.calls + c.calls, 3, "one callback each");
}

static void test_stale(void **state)
{
    (void)state;
    static struct world w;
    struct got g = {0};
    struct arena arena = {0};
    struct dns_answer a;
    open_world(&w);
    query(&w, "good.example", &g, NULL);
    wait_for(&w, &g);
    uv_udp_recv_stop(&w.liar.udp); /* the server falls silent */
    T_TRUE(resolver_cached(w.r, TEXT("good.example"), DNS_A, &arena, &a), "fresh");
    w.clock.origin += 61 * TIME_SECOND_MS;
    T_TRUE(!resolver_cached(w.r, TEXT("good.example"), DNS_A, &arena, &a), "not fresh any more");
    g = (struct got){0};
    query(&w, "good.example", &g, NULL);
    wait_for(&w, &g);
    T_EQ(g.status, DNS_OK, "served stale (RFC 8767)");
    T_TRUE(g.stale, "and marked so");
    w.clock.origin += 2 * TIME_DAY_MS;
    g = (struct got){0};
    query(&w, "good.example", &g, NULL);
    wait_for(&w, &g);
    T_EQ(g.status, DNS_TIMEOUT, "too old to serve");
    arena_fini(&arena);
    close_world(&w);
}

#define BURST 300

static void ask_burst(struct world *w, enum dns_status want)
{
    static struct got g[BURST];
    static struct resolver_request *requests[BURST];
    memset(g, 0, sizeof g);
    for (int i = 0; i < BURST; i++) {
        char name[32];
        snprintf(name, sizeof name, "good.b%d.example", i);
        query(w, name, &g[i], &requests[i]);
    }
    for (int i = 0; i < BURST; i += 10)
        resolver_cancel(requests[i]);
    for (int i = 0; i < BURST; i++) {
        wait_for(w, &g[i]);
        T_EQ(g[i].calls, 1, "number %d: one callback", i);
        T_EQ(g[i].rc, i % 10 ? TIDE_OK : TIDE_ECANCELED, "number %d", i);
        T_EQ(i % 10 ? g[i].status : want, want, "number %d", i);
    }
}

static void test_failover(void **state)
{
    (void)state;
    static struct world w;
    struct got g = {0};
    char first[32], second[32];
    const char *servers[] = {first, second};
    memset(&w, 0, sizeof w);
    uv_loop_init(&w.loop);
    liar_open(&w.liar, &w.loop);
    liar_open(&w.second, &w.loop);
    snprintf(first, sizeof first, "127.0.0.1:%d", w.liar.port);
    snprintf(second, sizeof second, "127.0.0.1:%d", w.second.port);
    uv_udp_recv_stop(&w.liar.udp);
    open_resolver(&w, servers, 2);
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "good.n%d.example", i);
        g = (struct got){0};
        query(&w, name, &g, NULL);
        wait_for(&w, &g);
        T_EQ(g.status, DNS_OK, "the second server answers");
    }
    T_EQ(resolver_counts(w.r).timeouts, 3, "the silent one is left alone after three");
    close_resolver(&w);
    liar_close(&w.liar);
    liar_close(&w.second);
    while (uv_run(&w.loop, UV_RUN_DEFAULT))
        ;
    /* nobody listens there any more: ICMP says so at once */
    servers[0] = first;
    open_resolver(&w, servers, 1);
    g = (struct got){0};
    uint64_t start = uv_hrtime();
    query(&w, "good.example", &g, NULL);
    wait_for(&w, &g);
    T_EQ(g.status, DNS_UNREACHABLE, "refused");
    T_TRUE(uv_hrtime() - start < 1000000ull * 2 * TIMEOUT_MS, "without waiting for time-outs");
    ask_burst(&w, DNS_UNREACHABLE);
    close_resolver(&w);
    close_loop(&w);
}

/* More than one system call takes, and some of them forgotten before they leave. */
static void test_burst(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w);
    ask_burst(&w, DNS_OK);
    T_EQ(resolver_counts(w.r).timeouts, 0, "nothing is lost");
    close_world(&w);
}

static void close_from_callback(void *arg, enum tide_err rc, const struct dns_answer *a)
{
    struct world *w = arg;
    (void)a;
    if (rc == TIDE_OK)
        resolver_close(w->r, on_closed, w);
}

static void test_close_from_a_callback(void **state)
{
    (void)state;
    static struct world w;
    struct got others[20] = {{0}};
    open_world(&w);
    T_EQ(resolver_query(w.r, TEXT("good.example"), DNS_A, close_from_callback, &w, NULL, NULL),
         TIDE_OK, "query");
    for (size_t i = 0; i < TIDE_COUNT(others); i++) {
        char name[32];
        snprintf(name, sizeof name, "%s.n%zu.example", i % 2 ? "tcpsilent" : "silent", i);
        query(&w, name, &others[i], NULL);
    }
    while (!w.closed)
        uv_run(&w.loop, UV_RUN_ONCE);
    liar_close(&w.liar);
    close_loop(&w);
    for (size_t i = 0; i < TIDE_COUNT(others); i++)
        T_EQ(others[i].calls, 1, "one callback");
}

struct heard {
    int calls;
    enum tide_err rc;
    enum verdict_kind kind;
    struct verifier *close_too;
    struct world *world;
};

static void on_verdict(void *arg, enum tide_err rc, const struct verdict *v)
{
    struct heard *h = arg;
    h->calls++;
    h->rc = rc;
    T_EQ(rc == TIDE_OK, v != NULL, "a verdict with TIDE_OK only");
    if (v)
        h->kind = v->kind;
    if (h->close_too)
        verifier_close(h->close_too, on_closed, h->world);
}

static struct verifier *open_verifier(struct world *w)
{
    static const struct profiles none;
    struct verifier *v = NULL;
    struct tide_error err = {0};
    T_OK(verifier_open(&w->loop, w->r, &w->clock, &none, false, &v, &err), &err, "open");
    return v;
}

static void verify(struct verifier *v, const char *domain, struct heard *h)
{
    T_EQ(verifier_verify(v, text_of(domain), on_verdict, h, NULL), TIDE_OK, "%s", domain);
    T_EQ(h->calls, 0, "%s: no callback from inside the call", domain);
}

static void run_until_closed(struct world *w)
{
    while (!w->closed)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static void test_verifier_shares_and_closes(void **state)
{
    (void)state;
    static struct world w;
    struct heard h[3] = {{0}}, failed = {0}, again = {0};
    open_world(&w);
    struct verifier *v = open_verifier(&w);
    verify(v, "servfail.example", &failed);
    while (failed.calls == 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    T_EQ(failed.kind, VERDICT_UNKNOWN, "SERVFAIL is no verdict on the domain");
    w.liar.asked_udp = 0;
    for (size_t i = 0; i < TIDE_COUNT(h); i++)
        verify(v, "silent.example", &h[i]);
    T_EQ(verifier_jobs(v), 1, "one job for all");
    T_EQ(resolver_counts(w.r).flights, 1, "one question");
    verifier_close(v, on_closed, &w);
    verifier_close(v, on_closed, &w);
    T_EQ(h[0].calls, 0, "not from inside the close");
    T_EQ(verifier_verify(v, TEXT("good.example"), on_verdict, &again, NULL), TIDE_ESTATE, "late");
    run_until_closed(&w);
    for (size_t i = 0; i < TIDE_COUNT(h); i++) {
        T_EQ(h[i].calls, 1, "one callback");
        T_EQ(h[i].rc, TIDE_ECANCELED, "cancelled");
    }
    close_world(&w);
}

static void test_sealed_network(void **state)
{
    (void)state;
    static struct world w;
    struct heard open = {0}, sealed = {0};
    open_world(&w);
    struct verifier *v = open_verifier(&w);
    verify(v, "none.example", &open);
    while (open.calls == 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    T_EQ(open.kind, VERDICT_UNDELIVERABLE, "the name does not exist");
    verifier_close(v, on_closed, &w);
    run_until_closed(&w);
    w.closed = false;
    close_world(&w);

    open_world(&w);
    w.liar.sealed = true;
    v = open_verifier(&w);
    verify(v, "none.example", &sealed);
    while (sealed.calls == 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    T_EQ(sealed.kind, VERDICT_UNKNOWN, "a server that does not know the root knows nothing");
    verifier_close(v, on_closed, &w);
    run_until_closed(&w);
    w.closed = false;
    close_world(&w);
}

static void test_verifier_closes_from_a_callback(void **state)
{
    (void)state;
    static struct world w;
    struct heard first = {0}, second = {0}, other = {0};
    open_world(&w);
    struct verifier *v = open_verifier(&w);
    first.close_too = v;
    first.world = &w;
    verify(v, "none.example", &first);
    verify(v, "none.example", &second);
    verify(v, "silent.example", &other);
    run_until_closed(&w);
    T_EQ(first.kind, VERDICT_UNDELIVERABLE, "the domain does not exist");
    T_EQ(first.calls + second.calls + other.calls, 3, "one callback each");
    T_EQ(second.kind, VERDICT_UNDELIVERABLE, "who shared it hears the same");
    T_EQ(other.rc, TIDE_ECANCELED, "the other one is cancelled");
    close_world(&w);
}

static void test_servers(void **state)
{
    (void)state;
    struct world w = {0};
    struct tide_error err = {0};
    static const char *const bad[] = {"",     "localhost", "1.2.3.4:0", "1.2.3.4:65536",
                                      "[::1", "::1]"};
    uv_loop_init(&w.loop);
    clock_init_real(&w.clock);
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct config_dns config = {.servers = (char **)(uintptr_t)&bad[i], .server_count = 1};
        T_EQ(resolver_open(&w.loop, &w.clock, &config, &w.r, &err), TIDE_EINVAL, "%s", bad[i]);
        T_TRUE(strstr(err.text, "want an IP address"), "%s", err.text);
    }
    static const char *const good[] = {"127.0.0.1", "127.0.0.1:5300", "::1",
                                       "[::1]",     "[::1]:53",       "system"};
    open_resolver(&w, good, TIDE_COUNT(good));
    close_resolver(&w);
    close_loop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_slow_delays_nobody),
        cmocka_unit_test(test_half_a_minute),
        cmocka_unit_test(test_saved_meanwhile),
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_cancel_and_share),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_burst),
        cmocka_unit_test(test_close_from_a_callback),
        cmocka_unit_test(test_verifier_shares_and_closes),
        cmocka_unit_test(test_verifier_closes_from_a_callback),
        cmocka_unit_test(test_sealed_network),
        cmocka_unit_test(test_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
