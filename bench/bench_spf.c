/* How many check_host() a second, every answer in the cache, against libspf2 with its own cache
 * over the same records (Debian: libspf2-dev; without it that half is skipped).
 *
 *   bench_spf [SECONDS]     of each half; half a second if not said */
#include "base/macros.h"
#include "core/dns/cache.h"
#include "core/verify/spf.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#if __has_include(<spf2/spf.h>)
#define HAVE_SPF2 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <spf2/spf.h>
#include <spf2/spf_dns_cache.h>
#include <spf2/spf_dns_zone.h>
#pragma GCC diagnostic pop
#else
#define HAVE_SPF2 0
#endif

/* A company with an office, a web host and two ESPs, one of which has a tree of its own. */
static const struct {
    const char *name;
    enum dns_type type;
    const char *data;
} zone[] = {
    {"company.example", DNS_TXT,
     "v=spf1 mx a:web.company.example include:_spf.esp.example include:mail.other.example -all"},
    {"company.example", DNS_MX, "mx.company.example"},
    {"mx.company.example", DNS_A, "198.51.100.1"},
    {"web.company.example", DNS_A, "198.51.100.2"},
    {"_spf.esp.example", DNS_TXT,
     "v=spf1 include:_a.esp.example include:_b.esp.example include:_c.esp.example ~all"},
    {"_a.esp.example", DNS_TXT,
     "v=spf1 ip4:192.0.2.0/26 ip4:192.0.2.64/26 ip4:203.0.113.0/28 ip6:2001:db8:1::/48 ~all"},
    {"_b.esp.example", DNS_TXT,
     "v=spf1 ip4:203.0.113.16/28 ip4:203.0.113.32/28 ip4:203.0.113.48/28 ip4:203.0.113.64/28 "
     "ip4:203.0.113.80/28 ~all"},
    {"_c.esp.example", DNS_TXT,
     "v=spf1 ip4:203.0.113.96/28 ip4:203.0.113.112/28 ip4:203.0.113.128/28 ip4:203.0.113.144/28 "
     "~all"},
    {"mail.other.example", DNS_TXT, "v=spf1 ip4:198.18.0.0/15 exists:%{i}.ok.other.example ~all"},
    {"9.9.9.9.ok.other.example", DNS_A, "127.0.0.2"},
};

static const struct {
    const char *name, *ip;
    enum spf_result want;
} cases[] = {
    {"mx", "198.51.100.1", SPF_PASS},
    {"include", "192.0.2.70", SPF_PASS},
    {"deep_include", "203.0.113.150", SPF_PASS},
    {"macro", "9.9.9.9", SPF_PASS},
    {"fail", "8.8.8.8", SPF_FAIL},
};

static double seconds(void)
{
    return (double)uv_hrtime() / 1e9;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_spf: %s\n", what);
        exit(1);
    }
}

/* -- Ours ---------------------------------------------------------------------------------------*/

static void put(struct dns_cache *c, const char *name, enum dns_type type, const struct dns_rr *rr)
{
    struct dns_question q;
    struct dns_answer a = {.status = rr ? DNS_OK : DNS_NXDOMAIN,
                           .type = type,
                           .canonical = text_of(name),
                           .ttl_s = 3600,
                           .rrs = rr,
                           .rr_count = rr != NULL};
    must(dns_question_init(&q, text_of(name), type, NULL) == TIDE_OK, name);
    dns_cache_put(c, &q, &a, 1000);
}

static void fill(struct dns_cache *c)
{
    for (size_t i = 0; i < TIDE_COUNT(zone); i++) {
        struct dns_rr rr = {.ttl_s = 3600, .preference = 10, .data = text_of(zone[i].data)};
        if (zone[i].type == DNS_A)
            must(inet_pton(AF_INET, zone[i].data, rr.address) == 1, zone[i].data);
        put(c, zone[i].name, zone[i].type, &rr);
    }
    put(c, "8.8.8.8.ok.other.example", DNS_A, NULL);
}

static enum spf_result check(struct dns_cache *c,
                             struct spf_memo *memo,
                             const char *ip,
                             struct arena *arena)
{
    struct spf spf;
    struct question todo;
    struct spf_input in = {.mail_from = TEXT("ann@company.example"),
                           .helo = TEXT("mail.company.example"),
                           .explain = true,
                           .memo = memo};
    must(inet_pton(AF_INET, ip, in.ip) == 1, ip);
    spf_init(&spf, &in, arena);
    for (spf_start(&spf, &todo); !todo.done;) {
        struct dns_question q;
        struct dns_answer a;
        must(dns_question_init(&q, todo.name, todo.type, NULL) == TIDE_OK &&
                 dns_cache_get(c, &q, 2000, arena, &a) == DNS_FRESH,
             "an answer is not in the cache");
        spf_answer(&spf, &a, &todo);
    }
    spf_fini(&spf);
    return spf.result;
}

static double bench_ours(const char *ip, enum spf_result want, double limit_s)
{
    static const struct dns_cache_limits limits = {1000, TIME_DAY_MS, TIME_HOUR_MS, 0};
    static struct spf_memo memo;
    struct dns_cache c;
    struct arena arena = {0};
    spf_memo_init(&memo);
    dns_cache_init(&c, &limits);
    fill(&c);
    must(check(&c, &memo, ip, &arena) == want, "our result is another");
    size_t n = 0;
    double start = seconds(), end = start;
    for (; end - start < limit_s; end = seconds())
        for (int i = 0; i < 100; i++, n++) {
            arena_reset(&arena);
            must(check(&c, &memo, ip, &arena) == want, "our result is another");
        }
    arena_fini(&arena);
    spf_memo_fini(&memo);
    dns_cache_fini(&c);
    return (double)n / (end - start);
}

/* -- libspf2 ------------------------------------------------------------------------------------*/

#if HAVE_SPF2

static SPF_server_t *open_server(void)
{
    SPF_dns_server_t *records = SPF_dns_zone_new(NULL, NULL, 0);
    must(records != NULL, "libspf2: no zone");
    for (size_t i = 0; i < TIDE_COUNT(zone); i++)
        must(SPF_dns_zone_add_str(records, zone[i].name,
                                  zone[i].type == DNS_TXT ? ns_t_txt
                                  : zone[i].type == DNS_A ? ns_t_a
                                                          : ns_t_mx,
                                  NETDB_SUCCESS, zone[i].data) == SPF_E_SUCCESS,
             zone[i].name);
    SPF_dns_server_t *cache = SPF_dns_cache_new(records, NULL, 0, 8);
    SPF_server_t *server = SPF_server_new_dns(cache, 0);
    must(server && SPF_server_set_rec_dom(server, "mx.receiver.example") == SPF_E_SUCCESS,
         "libspf2: no server");
    return server;
}

static bool check_spf2(SPF_server_t *server, const char *ip, bool pass)
{
    SPF_request_t *request = SPF_request_new(server);
    SPF_response_t *response = NULL;
    SPF_request_set_ipv4_str(request, ip);
    SPF_request_set_helo_dom(request, "mail.company.example");
    SPF_request_set_env_from(request, "ann@company.example");
    SPF_request_query_mailfrom(request, &response);
    bool ok = SPF_response_result(response) == (pass ? SPF_RESULT_PASS : SPF_RESULT_FAIL);
    SPF_response_free(response);
    SPF_request_free(request);
    return ok;
}

static double bench_theirs(const char *ip, bool pass, double limit_s)
{
    SPF_server_t *server = open_server();
    must(check_spf2(server, ip, pass), "libspf2's result is another");
    size_t n = 0;
    double start = seconds(), end = start;
    for (; end - start < limit_s; end = seconds())
        for (int i = 0; i < 100; i++, n++)
            must(check_spf2(server, ip, pass), "libspf2's result is another");
    SPF_server_free(server);
    return (double)n / (end - start);
}

#else

static double bench_theirs(const char *ip, bool pass, double limit_s)
{
    (void)ip;
    (void)pass;
    (void)limit_s;
    return 0;
}

#endif

/* Turn about, and the best of each: what else runs on the machine falls on both. */
#define ROUNDS 5

int main(int argc, char **argv)
{
    double limit_s = argc > 1 ? strtod(argv[1], NULL) : 0.5, ours_s = 0, theirs_s = 0;
    if (!HAVE_SPF2)
        printf("SKIPPED: libspf2 was not there when this was built\n");
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        double ours = 0, theirs = 0;
        for (int round = 0; round < ROUNDS; round++) {
            double a = bench_ours(cases[i].ip, cases[i].want, limit_s / ROUNDS);
            double b = bench_theirs(cases[i].ip, cases[i].want == SPF_PASS, limit_s / ROUNDS);
            ours = TIDE_MAX(ours, a);
            theirs = TIDE_MAX(theirs, b);
        }
        ours_s += 1 / ours;
        printf("spf_check_host_%s %.0f per_s\n", cases[i].name, ours);
        if (!HAVE_SPF2)
            continue;
        theirs_s += 1 / theirs;
        printf("libspf2_%s %.0f per_s\n", cases[i].name, theirs);
    }
    printf("spf_check_host_per_s %.0f per_s (each case as often as the others)\n",
           TIDE_COUNT(cases) / ours_s);
    if (HAVE_SPF2) {
        printf("libspf2_per_s %.0f per_s\n", TIDE_COUNT(cases) / theirs_s);
        printf("spf_check_host_ratio %.1f times libspf2\n", theirs_s / ours_s);
    }
    return 0;
}
