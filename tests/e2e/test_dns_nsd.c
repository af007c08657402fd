/* Resolver and verifier against a real authoritative server (nsd), which this test starts on a
 * free loopback port and ends. */
#include "core/verify/spf.h"
#include "io/dns/asker.h"
#include "io/dns/verifier.h"
#include "lib/check.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 5000

static const char zone_head[] = "$ORIGIN test.\n$TTL 300\n"
                                "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
                                "client MX 5 mxbiz1.qq.com.\nclient MX 10 mxbiz2.qq.com.\n"
                                "alias CNAME client\n"
                                "null MX 0 .\n"
                                "plain A 8.8.8.8\n"
                                "silent A 8.8.4.4\nsilent TXT \"v=spf1 -all\"\n"
                                "private MX 10 inside\ninside A 10.0.0.1\ninside AAAA fd00::1\n"
                                "home MX 10 localhost.\n"
                                "dead MX 10 gone\n"
                                "second MX 10 gone\nsecond MX 20 real\nreal A 9.9.9.9\n"
                                "viacname MX 10 mxalias\nmxalias CNAME real\n"
                                "six MX 10 six6\nsix6 AAAA 2606:4700::1111\n"
                                "empty TXT \"x\"\n"
                                "mixed MX 0 .\nmixed MX 10 real\n"
                                "literal MX 10 192.0.2.1.\n"
                                "lost MX 10 host.elsewhere.example.\n"
                                "spf TXT \"v=spf1 mx include:more.test -all\"\nspf MX 10 real\n"
                                "more TXT \"v=spf1 a:plain.test exists:%{i}.ok.test ~all\"\n"
                                "a.loop CNAME b.loop\nb.loop CNAME a.loop\n";

static const struct {
    const char *domain;
    enum verdict_kind kind;
    const char *provider, *reason, *evidence;
} cases[] = {
    {"client.test", VERDICT_DELIVERABLE, "exmail", "taken by mxbiz1.qq.com and others",
     "client.test MX 5 mxbiz1.qq.com (ttl 300)"},
    {"alias.test", VERDICT_DELIVERABLE, "exmail", "taken by mxbiz1.qq.com",
     "alias.test CNAME client.test"},
    {"null.test", VERDICT_UNDELIVERABLE, "", "takes no mail (null MX, RFC 7505)",
     "null.test MX 0 ."},
    {"plain.test", VERDICT_DELIVERABLE, "", "no MX record; mail goes to its own address",
     "plain.test A 8.8.8.8"},
    {"silent.test", VERDICT_RISKY, "", "says that it has no mail at all", "v=spf1 -all"},
    {"private.test", VERDICT_UNDELIVERABLE, "", "inside.test has a private address",
     "inside.test A 10.0.0.1"},
    {"home.test", VERDICT_UNDELIVERABLE, "", "localhost is this machine's own name", "localhost"},
    {"dead.test", VERDICT_UNDELIVERABLE, "", "gone.test does not exist", "NXDOMAIN"},
    {"second.test", VERDICT_DELIVERABLE, "", "taken by real.test and others",
     "real.test A 9.9.9.9"},
    {"viacname.test", VERDICT_DELIVERABLE, "", "taken by mxalias.test",
     "mxalias.test CNAME real.test"},
    {"six.test", VERDICT_DELIVERABLE, "", "taken by six6.test", "six6.test AAAA 2606:4700::1111"},
    {"empty.test", VERDICT_UNDELIVERABLE, "", "neither an MX record nor an address", "NODATA"},
    {"mixed.test", VERDICT_DELIVERABLE, "", "taken by real.test", "RFC 7505 3"},
    {"literal.test", VERDICT_RISKY, "", "is an IP address", "192.0.2.1"},
    {"lost.test", VERDICT_UNKNOWN, "", "REFUSED", "host.elsewhere.example"},
    {"many.test", VERDICT_DELIVERABLE, "", "taken by real.test", "MX 10 real.test"},
    {"nothere.test", VERDICT_UNDELIVERABLE, "", "does not exist", "NXDOMAIN"},
    {"a.loop.test", VERDICT_UNKNOWN, "", "", "a.loop.test MX"},
    {"x.elsewhere.example", VERDICT_UNKNOWN, "", "REFUSED", "REFUSED"},
};

struct world {
    char dir[64];
    pid_t nsd;
    int port;
    uv_loop_t loop;
    struct clock clock;
    struct resolver *resolver;
    struct verifier *verifier;
    int open;
};

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    T_TRUE(f && fputs(text, f) >= 0 && fclose(f) == 0, "write %s", path);
}

/* A port that is free for UDP and TCP just now. */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof a;
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    T_EQ(bind(tcp, (struct sockaddr *)&a, n), 0, "bind");
    T_EQ(getsockname(tcp, (struct sockaddr *)&a, &n), 0, "getsockname");
    close(tcp);
    return ntohs(a.sin_port);
}

static bool accepts(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return ok;
}

static void start_nsd(struct world *w)
{
    struct buf zone = {0}, conf = {0};
    snprintf(w->dir, sizeof w->dir, "/tmp/mailtide-nsd-XXXXXX");
    T_TRUE(mkdtemp(w->dir), "mkdtemp");
    w->port = free_port();
    buf_adds(&zone, zone_head);
    buf_adds(&zone, "many MX 10 real\n");
    for (int i = 0; i < 120; i++)
        buf_addf(&zone, "many MX %d mail-host-number-%03d\n", 100 + i, i);
    buf_adds(&zone, "big TXT");
    for (int i = 0; i < 15; i++)
        buf_addf(&zone, " \"%0200d\"", i);
    buf_addc(&zone, '\n');
    write_file(w->dir, "test.zone", buf_str(&zone));
    write_file(w->dir, "qq.zone",
               "$ORIGIN qq.com.\n$TTL 600\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n"
               "mxbiz1 A 1.2.3.4\nmxbiz2 A 1.2.3.5\n");
    buf_addf(&conf,
             "server:\n server-count: 1\n ip-address: 127.0.0.1@%d\n zonesdir: \"%s\"\n"
             " pidfile: \"\"\n username: \"\"\n database: \"\"\n xfrdfile: \"%s/xfrd\"\n"
             " xfrdir: \"%s\"\n zonelistfile: \"%s/list\"\n logfile: \"%s/log\"\n"
             " rrl-ratelimit: 0\nremote-control:\n control-enable: no\n"
             "zone:\n name: test\n zonefile: test.zone\nzone:\n name: qq.com\n zonefile: qq.zone\n",
             w->port, w->dir, w->dir, w->dir, w->dir, w->dir);
    write_file(w->dir, "nsd.conf", buf_str(&conf));
    buf_fini(&zone);
    buf_fini(&conf);
    char path[128];
    snprintf(path, sizeof path, "%s/nsd.conf", w->dir);
    w->nsd = fork();
    if (w->nsd == 0) {
        execlp("nsd", "nsd", "-d", "-c", path, (char *)NULL);
        execl("/usr/sbin/nsd", "nsd", "-d", "-c", path, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < WAIT_MS / 10 && !accepts(w->port); i++)
        usleep(10000); /* until it listens, which is looked at */
    T_TRUE(accepts(w->port), "nsd listens");
}

static void stop_nsd(struct world *w)
{
    char command[128];
    kill(w->nsd, SIGTERM);
    T_EQ(waitpid(w->nsd, NULL, 0), w->nsd, "nsd ended");
    snprintf(command, sizeof command, "rm -rf '%s'", w->dir);
    T_EQ(system(command), 0, "%s", command);
}

static char *suffixes[] = {(char *)(uintptr_t) "mxbiz1.qq.com",
                           (char *)(uintptr_t) "mxbiz2.qq.com"};
static struct profile exmail = {
    .name = (char *)(uintptr_t) "exmail", .mx_suffixes = suffixes, .mx_suffix_count = 2};
static const struct profiles profiles = {.providers = &exmail, .provider_count = 1};

static void open_world(struct world *w)
{
    char server[32], *servers[] = {server};
    struct tide_error err = {0};
    snprintf(server, sizeof server, "127.0.0.1:%d", w->port);
    struct config_dns config = {
        .servers = servers,
        .server_count = 1,
        .timeout_ms = 2000,
        .tries = 3,
        .cache_entries_max = 1000,
        .ttl_max_ms = TIME_DAY_MS,
        .negative_ttl_max_ms = TIME_HOUR_MS,
        .stale_max_ms = TIME_DAY_MS,
    };
    uv_loop_init(&w->loop);
    clock_init_real(&w->clock);
    T_OK(resolver_open(&w->loop, &w->clock, &config, &w->resolver, &err), &err, "resolver");
    T_OK(verifier_open(&w->loop, w->resolver, &w->clock, &profiles, false, &w->verifier, &err),
         &err, "verifier");
    w->open = 2;
}

static void on_resolver_closed(void *arg)
{
    struct world *w = arg;
    w->open--;
}

static void on_verifier_closed(void *arg)
{
    struct world *w = arg;
    w->open--;
    resolver_close(w->resolver, on_resolver_closed, w);
}

static void close_world(struct world *w)
{
    verifier_close(w->verifier, on_verifier_closed, w);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    T_EQ(w->open, 0, "both closed");
    T_EQ(uv_loop_close(&w->loop), 0, "no handle is left");
}

struct expectation {
    size_t index;
    int *left;
};

static void check_verdict(size_t i, const struct verdict *v)
{
    T_STR(verdict_name(v->kind), verdict_name(cases[i].kind), "%s: " TEXT_FMT "\n" TEXT_FMT,
          cases[i].domain, TEXT_ARG(v->reason), TEXT_ARG(v->evidence));
    T_TEXT(v->provider, cases[i].provider, "%s", cases[i].domain);
    T_TRUE(text_ifind(v->reason, text_of(cases[i].reason)) < v->reason.n || !*cases[i].reason,
           "%s: reason \"" TEXT_FMT "\"", cases[i].domain, TEXT_ARG(v->reason));
    T_TRUE(text_ifind(v->evidence, text_of(cases[i].evidence)) < v->evidence.n,
           "%s: evidence \"" TEXT_FMT "\"", cases[i].domain, TEXT_ARG(v->evidence));
    T_TRUE(v->valid_until > v->found_at, "%s: holds for a while", cases[i].domain);
}

static void on_verdict(void *arg, enum tide_err rc, const struct verdict *v)
{
    struct expectation *e = arg;
    T_EQ(rc, TIDE_OK, "%s", cases[e->index].domain);
    check_verdict(e->index, v);
    --*e->left;
}

static void test_verdicts(void **state)
{
    struct world *w = *state;
    struct expectation expect[TIDE_COUNT(cases)];
    struct tide_error err = {0};
    int left = 0;
    open_world(w);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        expect[i] = (struct expectation){i, &left};
        T_OK(verifier_verify(w->verifier, text_of(cases[i].domain), on_verdict, &expect[i], &err),
             &err, "%s", cases[i].domain);
        left++;
    }
    while (left && uv_run(&w->loop, UV_RUN_ONCE))
        ;
    T_EQ(left, 0, "one verdict each");
    T_TRUE(resolver_counts(w->resolver).sent_tcp > 0, "the long one came over TCP");
    /* From the cache, what was a fact. */
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena arena = {0};
        struct verdict v;
        bool known = verifier_cached(w->verifier, text_of(cases[i].domain), &arena, &v);
        T_EQ(known, cases[i].kind != VERDICT_UNKNOWN, "%s from the cache", cases[i].domain);
        if (known)
            check_verdict(i, &v);
        arena_fini(&arena);
    }
    close_world(w);
}

static void on_big(void *arg, enum tide_err rc, const struct dns_answer *a)
{
    int *calls = arg;
    T_EQ(rc, TIDE_OK, "code");
    T_EQ(a->status, DNS_OK, "%s", dns_status_name(a->status));
    T_EQ(a->rrs[0].data.n, 3000, "the strings joined");
    ++*calls;
}

static void test_tcp_sharing_and_restart(void **state)
{
    struct world *w = *state;
    struct tide_error err = {0};
    char path[128];
    int calls = 0;
    open_world(w);
    for (int i = 0; i < 10; i++)
        T_OK(resolver_query(w->resolver, TEXT("BIG.test."), DNS_TXT, on_big, &calls, NULL, &err),
             &err, "query");
    while (calls < 10 && uv_run(&w->loop, UV_RUN_ONCE))
        ;
    struct resolver_counts c = resolver_counts(w->resolver);
    T_EQ(c.sent_udp, 1, "one question for ten requests");
    T_EQ(c.sent_tcp, 1, "and once more over TCP");
    T_EQ(c.shared, 9, "nine shared it");
    snprintf(path, sizeof path, "%s/cache", w->dir);
    T_OK(resolver_save(w->resolver, path, &err), &err, "save");
    close_world(w);

    open_world(w);
    T_OK(resolver_load(w->resolver, path, &err), &err, "load");
    T_OK(resolver_query(w->resolver, TEXT("big.test"), DNS_TXT, on_big, &calls, NULL, &err), &err,
         "query");
    while (calls < 11 && uv_run(&w->loop, UV_RUN_ONCE))
        ;
    T_EQ(resolver_counts(w->resolver).sent_udp, 0, "known from before the restart");
    T_EQ(resolver_load(w->resolver, "/nonexistent/cache", &err), TIDE_ENOENT, "no file");
    close_world(w);
}

/* -- Any machine, by the asker ------------------------------------------------------------------*/

struct spf_run {
    struct spf spf;
    struct arena arena;
    struct question first;
    enum tide_err rc;
    int calls;
};

static void start_spf(struct spf_run *r, uint8_t last)
{
    struct spf_input in = {.mail_from = TEXT("ann@spf.test"), .helo = TEXT("h.test")};
    memcpy(in.ip, (const uint8_t[4]){8, 8, 8, last}, 4);
    *r = (struct spf_run){0};
    spf_init(&r->spf, &in, &r->arena);
    spf_start(&r->spf, &r->first);
}

static void end_spf(struct spf_run *r)
{
    spf_fini(&r->spf);
    arena_fini(&r->arena);
}

static void on_spf(void *arg, enum tide_err rc)
{
    struct spf_run *r = arg;
    r->rc = rc;
    r->calls++;
}

static void test_machines_by_the_asker(void **state)
{
    struct world *w = *state;
    struct tide_error err = {0};
    struct spf_run runs[2], again;
    struct asker_run *run = NULL;
    open_world(w);
    for (int i = 0; i < 2; i++) {
        start_spf(&runs[i], (uint8_t)(8 + i));
        T_OK(asker_start(w->resolver, &runs[i].first, spf_feed, &runs[i].spf, on_spf, &runs[i],
                         NULL, &err),
             &err, "start");
        T_EQ(runs[i].calls, 0, "never from inside the call");
    }
    while (runs[0].calls + runs[1].calls < 2 && uv_run(&w->loop, UV_RUN_ONCE))
        ;
    T_STR(spf_result_name(runs[0].spf.result), "pass", "%s", runs[0].spf.problem);
    T_TEXT(runs[0].spf.matched, "a:plain.test", "what matched");
    T_STR(spf_result_name(runs[1].spf.result), "fail", "%s", runs[1].spf.problem);
    start_spf(&again, 8);
    T_TRUE(asker_cached(w->resolver, &again.first, spf_feed, &again.spf, &again.arena),
           "known now");
    T_STR(spf_result_name(again.spf.result), "pass", "from the cache");
    end_spf(&again);
    start_spf(&again, 7); /* its exists: was not asked yet */
    T_TRUE(!asker_cached(w->resolver, &again.first, spf_feed, &again.spf, &again.arena), "unknown");
    end_spf(&again);
    start_spf(&again, 7);
    T_OK(asker_start(w->resolver, &again.first, spf_feed, &again.spf, on_spf, &again, &run, &err),
         &err, "start");
    asker_cancel(run);
    while (!again.calls && uv_run(&w->loop, UV_RUN_ONCE))
        ;
    T_EQ(again.rc, TIDE_ECANCELED, "cancelled");
    end_spf(&again);
    end_spf(&runs[0]);
    end_spf(&runs[1]);
    close_world(w);
}

static int start(void **state)
{
    static struct world w;
    start_nsd(&w);
    *state = &w;
    return 0;
}

static int stop(void **state)
{
    stop_nsd(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_tcp_sharing_and_restart),
        cmocka_unit_test(test_machines_by_the_asker),
    };
    if (system("PATH=$PATH:/usr/sbin command -v nsd >/dev/null") != 0) {
        printf("SKIPPED: DNS against a real server: nsd is not installed\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, start, stop);
}
