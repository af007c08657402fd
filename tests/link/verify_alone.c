/* A program of somebody else's: addresses, recipients' domains and SPF out of core/address and
 * core/verify alone, without mailtide's loop, store or resolver. It brings its own DNS: here a
 * table. `make` links it with the objects of base, core/address, core/verify and what these stand
 * on, and with no library that talks to the world; tests/run runs it. */
#include "core/address/addr.h"
#include "core/verify/mx.h"
#include "core/verify/spf.h"

#include <arpa/inet.h>
#include <stdio.h>

static const struct {
    const char *name;
    enum dns_type type;
    struct dns_rr rr;
} zone[] = {
    {"example.org", DNS_MX, {.ttl_s = 300, .preference = 10, .data = {"mx.example.org", 14}}},
    {"mx.example.org", DNS_A, {.ttl_s = 300, .address = {8, 8, 8, 8}}},
    {"example.org", DNS_TXT, {.ttl_s = 300, .data = {"v=spf1 ip4:192.0.2.0/24 -all", 28}}},
};

/* The caller's business: whatever asks DNS. */
static struct dns_answer ask(struct text name, enum dns_type type)
{
    for (size_t i = 0; i < sizeof zone / sizeof *zone; i++)
        if (text_ieq(name, text_of(zone[i].name)) && zone[i].type == type)
            return (struct dns_answer){.type = type,
                                       .status = DNS_OK,
                                       .ttl_s = 300,
                                       .rrs = (struct dns_rr *)(uintptr_t)&zone[i].rr,
                                       .rr_count = 1};
    return (struct dns_answer){.type = type, .status = DNS_NXDOMAIN, .ttl_s = 300};
}

static enum verdict_kind verify(const struct addr *a, struct arena *arena)
{
    struct mx mx;
    struct mx_todo todo;
    struct verdict v;
    mx_init(&mx, domain_text(&a->domain), NULL, false, arena);
    for (mx_start(&mx, &todo); !todo.done;) {
        struct dns_answer answer = ask(todo.name, todo.type);
        mx_answer(&mx, &answer, &todo);
    }
    mx_verdict(&mx, 0, arena, &v);
    printf("%s: %s: " TEXT_FMT "\n", a->normal, verdict_name(v.kind), TEXT_ARG(v.reason));
    mx_fini(&mx);
    return v.kind;
}

static enum spf_result check(const char *ip, struct arena *arena)
{
    struct spf spf;
    struct question q;
    struct spf_input in = {.mail_from = TEXT("example.org"), .helo = TEXT("mx.example.org")};
    if (inet_pton(AF_INET, ip, in.ip) != 1)
        return SPF_NONE;
    spf_init(&spf, &in, arena);
    for (spf_start(&spf, &q); !q.done;) {
        struct dns_answer answer = ask(q.name, q.type);
        spf_feed(&spf, &answer, &q);
    }
    enum spf_result result = spf.result;
    printf("%s: %s\n", ip, spf_result_name(result));
    spf_fini(&spf);
    return result;
}

int main(void)
{
    struct arena arena = {0};
    struct addr a;
    struct tide_error err;
    bool ok = addr_parse(TEXT("Ann@EXAMPLE.org"), 0, &a, &err) == TIDE_OK &&
              verify(&a, &arena) == VERDICT_DELIVERABLE;
    ok = ok && addr_parse(TEXT("ann@gone.example"), 0, &a, &err) == TIDE_OK &&
         verify(&a, &arena) == VERDICT_UNDELIVERABLE;
    ok = ok && addr_parse(TEXT("a..b@example.org"), 0, &a, &err) == TIDE_EADDR;
    ok = ok && check("192.0.2.7", &arena) == SPF_PASS && check("203.0.113.7", &arena) == SPF_FAIL;
    arena_fini(&arena);
    printf("[  %s  ] 1 test(s).\n", ok ? "PASSED" : "FAILED");
    return ok ? 0 : 1;
}
