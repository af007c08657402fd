/* Verdicts out of a name server that lies (tests/lib/liar.h): right, or unknown with a time to ask
 * again; bounded in time and memory; and nobody waits for somebody else's slow domain.
 *
 * Time is scaled: a try lasts 150 ms here where it lasts seconds in the field, and "slow" answers
 * after six tries' time, as 30 s are to the default of 5 s. */
#include "io/dns/verifier.h"

#include "core/verify/mx.h"
#include "lib/check.h"
#include "lib/liar.h"

#include <malloc.h>
#include <stdlib.h>

#define TIMEOUT_MS 150
#define TRIES      2
#define SLOW_MS    900

struct world {
    uv_loop_t loop;
    struct clock clock;
    struct liar liar;
    struct resolver *resolver;
    struct verifier *verifier;
    struct profiles profiles;
    bool closed;
};

static void on_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

static void on_verifier_closed(void *arg)
{
    resolver_close(((struct world *)arg)->resolver, on_closed, arg);
}

static void open_world(struct world *w, int cache_entries)
{
    char name[32];
    char *servers[] = {name};
    struct tide_error err = {0};
    memset(w, 0, sizeof *w);
    uv_loop_init(&w->loop);
    liar_open(&w->liar, &w->loop);
    w->liar.slow_ms = SLOW_MS;
    snprintf(name, sizeof name, "127.0.0.1:%d", w->liar.port);
    struct config_dns config = {
        .servers = servers,
        .server_count = 1,
        .timeout_ms = TIMEOUT_MS,
        .tries = TRIES,
        .cache_entries_max = cache_entries,
        .ttl_max_ms = TIME_DAY_MS,
        .negative_ttl_max_ms = TIME_HOUR_MS,
    };
    clock_init_real(&w->clock);
    T_OK(resolver_open(&w->loop, &w->clock, &config, &w->resolver, &err), &err, "resolver");
    T_OK(verifier_open(&w->loop, w->resolver, &w->clock, &w->profiles, false, &w->verifier, &err),
         &err, "verifier");
}

static void close_world(struct world *w)
{
    verifier_close(w->verifier, on_verifier_closed, w);
    while (!w->closed)
        uv_run(&w->loop, UV_RUN_ONCE);
    liar_close(&w->liar);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    T_EQ(uv_loop_close(&w->loop), 0, "nothing is left open");
}

struct heard {
    int calls, *all;
    enum verdict_kind kind;
    int64_t valid_ms;
    size_t bytes; /* of its texts */
    uint64_t at_ms;
};

static void on_verdict(void *arg, enum tide_err rc, const struct verdict *v)
{
    struct heard *h = arg;
    T_EQ(rc, TIDE_OK, "a verdict, whatever DNS did");
    h->calls++;
    h->kind = v->kind;
    h->valid_ms = v->valid_until - v->found_at;
    h->bytes = v->reason.n + v->evidence.n;
    h->at_ms = uv_hrtime() / 1000000;
    T_TRUE(v->reason.n, "a sentence");
    if (h->all)
        ++*h->all;
}

static void verify(struct world *w, const char *domain, struct heard *h)
{
    struct tide_error err;
    T_OK(verifier_verify(w->verifier, text_of(domain), on_verdict, h, &err), &err, "%s", domain);
}

/* Of the domain's own MX, and (with "a-") of its only host's addresses. An unknown verdict is asked
 * again soon; a certain one holds for its TTL, here a minute at least. */
static const struct {
    const char *domain;
    enum verdict_kind kind;
} lies[] = {
    {"good.example", VERDICT_DELIVERABLE},
    {"a-good.example", VERDICT_DELIVERABLE},
    {"wrongid.example", VERDICT_DELIVERABLE}, /* the first answer is not ours, the next is */
    {"wrongname.example", VERDICT_DELIVERABLE},
    {"wrongtype.example", VERDICT_DELIVERABLE},
    {"late.example", VERDICT_DELIVERABLE},
    {"twice.example", VERDICT_DELIVERABLE},
    {"casefold.example", VERDICT_DELIVERABLE},
    {"truncated.example", VERDICT_DELIVERABLE}, /* over TCP */
    {"tcpwrong.example", VERDICT_DELIVERABLE},
    {"formerr.example", VERDICT_DELIVERABLE}, /* without EDNS */
    {"a-truncated.example", VERDICT_DELIVERABLE},
    {"big.example", VERDICT_DELIVERABLE},
    {"pointer.example", VERDICT_DELIVERABLE}, /* the loop is in another record than the MX */
    {"none.example", VERDICT_UNDELIVERABLE},
    {"a-none.example", VERDICT_UNDELIVERABLE},
    {"silent.example", VERDICT_UNKNOWN},
    {"slow.example", VERDICT_UNKNOWN},
    {"servfail.example", VERDICT_UNKNOWN},
    {"refused.example", VERDICT_UNKNOWN},
    {"formerr2.example", VERDICT_UNKNOWN},
    {"loop.example", VERDICT_UNKNOWN},
    {"length.example", VERDICT_UNKNOWN},
    {"nxdata.example", VERDICT_UNKNOWN}, /* NXDOMAIN, and yet data */
    {"reset.example", VERDICT_UNKNOWN},
    {"cut.example", VERDICT_UNKNOWN},
    {"tcpsilent.example", VERDICT_UNKNOWN},
    {"a-silent.example", VERDICT_UNKNOWN},
    {"a-slow.example", VERDICT_UNKNOWN},
    {"a-servfail.example", VERDICT_UNKNOWN},
    {"a-loop.example", VERDICT_UNKNOWN},
    {"a-pointer.example", VERDICT_UNKNOWN},
    {"a-length.example", VERDICT_UNKNOWN},
    {"a-nxdata.example", VERDICT_UNKNOWN},
    {"a-reset.example", VERDICT_UNKNOWN},
    {"a-cut.example", VERDICT_UNKNOWN},
};

/* Each alone, so that the liar's "first question" is that domain's. */
static void test_lies(void **state)
{
    (void)state;
    static struct world w;
    for (size_t i = 0; i < TIDE_COUNT(lies); i++) {
        struct heard h = {0};
        open_world(&w, 100);
        uint64_t start = uv_hrtime() / 1000000;
        verify(&w, lies[i].domain, &h);
        while (!h.calls)
            uv_run(&w.loop, UV_RUN_ONCE);
        T_STR(verdict_name(h.kind), verdict_name(lies[i].kind), "%s", lies[i].domain);
        T_TRUE(h.at_ms - start <= 3 * TRIES * TIMEOUT_MS + 500, "%s took %d ms", lies[i].domain,
               (int)(h.at_ms - start));
        T_TRUE(h.valid_ms >= TIME_MINUTE_MS, "%s: not asked for every mail", lies[i].domain);
        T_TRUE(h.kind != VERDICT_UNKNOWN || h.valid_ms <= MX_RETRY_DOUBT_MS, "%s: asked again",
               lies[i].domain);
        T_TRUE(h.bytes < 10000, "%s: %zu octets", lies[i].domain, h.bytes);
        close_world(&w);
        T_EQ(h.calls, 1, "%s: one callback", lies[i].domain);
    }
}

/* Hundreds of domains that never answer, before and behind one that does. */
static void test_slow_delays_nobody(void **state)
{
    (void)state;
    static struct world w;
    static struct heard slow[300];
    static const char *const kinds[] = {"silent", "tcpsilent", "slow", "a-silent", "reset"};
    struct heard good = {0};
    int ended = 0;
    memset(slow, 0, sizeof slow);
    open_world(&w, 1000);
    for (size_t i = 0; i < TIDE_COUNT(slow); i++) {
        char name[48];
        slow[i].all = &ended;
        snprintf(name, sizeof name, "%s.n%zu.example", kinds[i % TIDE_COUNT(kinds)], i);
        verify(&w, name, &slow[i]);
    }
    uint64_t start = uv_hrtime() / 1000000;
    verify(&w, "good.example", &good);
    while (!good.calls)
        uv_run(&w.loop, UV_RUN_ONCE);
    T_EQ(good.kind, VERDICT_DELIVERABLE, "good");
    T_TRUE(good.at_ms - start < TIMEOUT_MS, "%d ms", (int)(good.at_ms - start));
    while (ended < (int)TIDE_COUNT(slow))
        uv_run(&w.loop, UV_RUN_ONCE);
    for (size_t i = 0; i < TIDE_COUNT(slow); i++)
        T_EQ(slow[i].kind, VERDICT_UNKNOWN, "%s %zu", kinds[i % TIDE_COUNT(kinds)], i);
    close_world(&w);
}

/* A storm of SERVFAIL: every domain unknown, every one asked a few times, and the memory given
 * back. */
static void test_servfail_storm(void **state)
{
    (void)state;
    static struct world w;
    static struct heard h[2000];
    int ended = 0;
    size_t most = 0;
    open_world(&w, 500);
    for (int round = 0; round < 5; round++) {
        memset(h, 0, sizeof h);
        ended = 0;
        for (size_t i = 0; i < TIDE_COUNT(h); i++) {
            char name[48];
            h[i].all = &ended;
            snprintf(name, sizeof name, "servfail.r%d-n%zu.example", round, i);
            verify(&w, name, &h[i]);
        }
        while (ended < (int)TIDE_COUNT(h))
            uv_run(&w.loop, UV_RUN_ONCE);
        for (size_t i = 0; i < TIDE_COUNT(h); i++)
            T_EQ(h[i].kind, VERDICT_UNKNOWN, "domain %zu", i);
        T_EQ(verifier_jobs(w.verifier), 0, "no job is left");
        T_TRUE(resolver_counts(w.resolver).cache_entries <= 500, "the cache is bounded");
        size_t now = mallinfo2().uordblks;
        if (round == 1)
            most = now;
        T_TRUE(round < 2 || now <= most + 100000, "round %d: %zu octets, then %zu", round, most,
               now);
    }
    T_TRUE(w.liar.asked_udp <= 5 * (int)TIDE_COUNT(h) * (TRIES + 1), "%d questions",
           w.liar.asked_udp);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_slow_delays_nobody),
        cmocka_unit_test(test_servfail_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
