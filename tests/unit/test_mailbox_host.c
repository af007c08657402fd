/* Gateways, parked and throw-away mail hosts: who really has the mailbox, through the whole of
 * mx.c, with small profiles and with the shipped ones. */
#include "core/config/config.h"
#include "core/verify/mx.h"
#include "io/loop/files.h"
#include "lib/check.h"
#include "lib/dns_world.h"

static const struct {
    const char *name;
    enum dns_type type;
    const char *data;
} world[] = {
    {"mx.gate.org", DNS_A, "8.8.8.8"},
    {"eu-smtp-inbound-1.mimecast.com", DNS_A, "8.8.8.8"},
    {"mxa-0.gslb.pphosted.com", DNS_A, "8.8.8.8"},
    {"d1.ess.barracudanetworks.com", DNS_A, "8.8.8.8"},
    {"mx1.hc1-2.iphmx.com", DNS_A, "8.8.8.8"},
    {"firm.in.tmes.trendmicro.eu", DNS_A, "8.8.8.8"},
    {"aspmx.l.google.com", DNS_A, "8.8.8.8"},
    {"mail.h-email.net", DNS_A, "8.8.8.8"},
    {"mail.mailinator.com", DNS_A, "8.8.8.8"},

    /* SPF alone */
    {"spf.org", DNS_MX, "10 eu-smtp-inbound-1.mimecast.com"},
    {"spf.org", DNS_TXT, "v=spf1 include:_netblocks.mimecast.com include:_SPF.google.com ~all"},
    /* SPF and DKIM */
    {"both.org", DNS_MX, "10 mxa-0.gslb.pphosted.com"},
    {"both.org", DNS_TXT, "hello"},
    {"both.org", DNS_TXT, "v=spf1 ?include:spf.protection.outlook.com -all"},
    {"selector1._domainkey.both.org", DNS_CNAME,
     "selector1-both-org._domainkey.both.onmicrosoft.com"},
    {"selector1-both-org._domainkey.both.onmicrosoft.com", DNS_TXT, "v=DKIM1; p=AAAA"},
    /* DKIM alone, and the same selector of somebody else's */
    {"dkim.org", DNS_MX, "10 d1.ess.barracudanetworks.com"},
    {"selector1._domainkey.dkim.org", DNS_TXT, "v=DKIM1; p=AAAA"},
    {"google._domainkey.dkim.org", DNS_TXT, "v=DKIM1; p=AAAA"},
    /* Two by SPF, one by DKIM too */
    {"move.org", DNS_MX, "10 mx1.hc1-2.iphmx.com"},
    {"move.org", DNS_TXT, "v=spf1 include:_spf.google.com include:spf.protection.outlook.com -all"},
    {"selector2._domainkey.move.org", DNS_CNAME, "selector2-move._domainkey.x.dkim.mail.microsoft"},
    {"selector2-move._domainkey.x.dkim.mail.microsoft", DNS_TXT, "v=DKIM1; p=AAAA"},
    /* Two by SPF, none by DKIM */
    {"tie.org", DNS_MX, "10 firm.in.tmes.trendmicro.eu"},
    {"tie.org", DNS_TXT, "v=spf1 include:_spf.google.com redirect=spf.protection.outlook.com"},
    /* Nothing to go by */
    {"own.org", DNS_MX, "10 eu-smtp-inbound-1.mimecast.com"},
    {"own.org", DNS_TXT, "v=spf1 include: include:_spf.own.org -all"},
    /* One host is the provider's own: nothing is asked */
    {"half.org", DNS_MX, "10 eu-smtp-inbound-1.mimecast.com"},
    {"half.org", DNS_MX, "20 aspmx.l.google.com"},

    /* A wildcard answers every selector */
    {"wild.org", DNS_MX, "10 eu-smtp-inbound-1.mimecast.com"},
    {"google._domainkey.wild.org", DNS_TXT, "v=spf1 -all"},

    {"gmial.com", DNS_MX, "10 mail.h-email.net"},
    {"cheap.org", DNS_MX, "10 mail.mailinator.com"},
};

static const struct {
    const char *domain, *provider, *gateway;
    bool likely;
    enum verdict_kind kind;
    unsigned questions;
    const char *reason;
} cases[] = {
    {"spf.org", "google", "mimecast", true, VERDICT_DELIVERABLE, 4,
     "Mail for spf.org is taken by eu-smtp-inbound-1.mimecast.com. mimecast filters it, most "
     "likely "
     "for mailboxes at google."},
    {"both.org", "microsoft365", "proofpoint", false, VERDICT_DELIVERABLE, 5,
     "Mail for both.org is taken by mxa-0.gslb.pphosted.com. proofpoint filters it for mailboxes "
     "at "
     "microsoft365."},
    {"dkim.org", "google", "barracuda", true, VERDICT_DELIVERABLE, 6, NULL},
    {"move.org", "microsoft365", "cisco", false, VERDICT_DELIVERABLE, 6, NULL},
    {"tie.org", "", "trendmicro", false, VERDICT_DELIVERABLE, 6, NULL},
    {"own.org", "", "mimecast", false, VERDICT_DELIVERABLE, 6,
     "Mail for own.org is taken by eu-smtp-inbound-1.mimecast.com. mimecast filters it."},
    {"wild.org", "", "mimecast", false, VERDICT_DELIVERABLE, 6, NULL},
    {"half.org", "google", "mimecast", false, VERDICT_DELIVERABLE, 2, NULL},
    {"gmial.com", "", "", false, VERDICT_RISKY, 2,
     "Mail for gmial.com is taken by mail.h-email.net, a host of parked domains: whom it was meant "
     "for does not read it."},
    {"cheap.org", "", "", false, VERDICT_RISKY, 2,
     "Mail for cheap.org is taken by mail.mailinator.com, a host of addresses made to be thrown "
     "away."},
};

static struct config *config;
static struct provider_index index_of;
static struct dns_world *records;

static int open_all(void **state)
{
    (void)state;
    struct tide_error err;
    T_OK(config_load(NULL, &files_source, &config, &err), &err, "schedules");
    T_OK(provider_index_init(&index_of, &config->profiles, &err), &err, "index");
    records = dns_world_new();
    for (size_t i = 0; i < TIDE_COUNT(world); i++)
        dns_world_add(records, text_of(world[i].name), world[i].type, text_of(world[i].data));
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    dns_world_free(records);
    provider_index_fini(&index_of);
    config_free(config);
    return 0;
}

static unsigned verify(const char *domain, struct arena *arena, struct verdict *ret)
{
    struct mx m;
    struct mx_todo todo;
    unsigned questions = 0;
    mx_init(&m, text_of(domain), &index_of, false, arena);
    for (mx_start(&m, &todo); !todo.done; questions++) {
        struct dns_answer a;
        T_TRUE(questions < 100, "%s: ends", domain);
        dns_world_ask(records, todo.name, todo.type, arena, &a);
        mx_answer(&m, &a, &todo);
    }
    mx_verdict(&m, 1000, arena, ret);
    mx_fini(&m);
    return questions;
}

static void test_who_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena arena = {0};
        struct verdict v;
        unsigned questions = verify(cases[i].domain, &arena, &v);
        T_TEXT(v.provider, cases[i].provider, "%s", cases[i].domain);
        T_TEXT(v.gateway, cases[i].gateway, "%s", cases[i].domain);
        T_EQ(v.provider_likely, cases[i].likely, "%s", cases[i].domain);
        T_STR(verdict_name(v.kind), verdict_name(cases[i].kind), "%s", cases[i].domain);
        T_EQ(questions, cases[i].questions, "%s", cases[i].domain);
        if (cases[i].reason)
            T_TEXT(v.reason, cases[i].reason, "%s", cases[i].domain);
        arena_fini(&arena);
    }
}

static void test_evidence(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct verdict v;
    verify("both.org", &arena, &v);
    T_TEXT(v.evidence,
           "both.org MX 10 mxa-0.gslb.pphosted.com (ttl 300)\n"
           "mxa-0.gslb.pphosted.com A 8.8.8.8 (ttl 300)\n"
           "the SPF record of both.org names spf.protection.outlook.com\n"
           "the DKIM selector selector1 of both.org is that of microsoft365",
           "line by line");
    arena_fini(&arena);
}

/* A failing or lying name server behind a gateway leaves the verdict as it is. */
static void test_doubt_behind_a_gateway(void **state)
{
    (void)state;
    static const enum dns_status statuses[] = {DNS_SERVFAIL, DNS_TIMEOUT, DNS_NXDOMAIN, DNS_LOOP};
    for (size_t i = 0; i < TIDE_COUNT(statuses); i++) {
        struct arena arena = {0};
        struct mx m;
        struct mx_todo todo;
        struct verdict v;
        unsigned questions = 0;
        mx_init(&m, TEXT("spf.org"), &index_of, false, &arena);
        for (mx_start(&m, &todo); !todo.done; questions++) {
            struct dns_answer a;
            dns_world_ask(records, todo.name, todo.type, &arena, &a);
            if (todo.type == DNS_TXT)
                a = (struct dns_answer){.type = DNS_TXT, .status = statuses[i]};
            mx_answer(&m, &a, &todo);
        }
        mx_verdict(&m, 1000, &arena, &v);
        T_EQ(v.kind, VERDICT_DELIVERABLE, "%s", dns_status_name(statuses[i]));
        T_TEXT(v.gateway, "mimecast", "%s", dns_status_name(statuses[i]));
        T_TEXT(v.provider, "", "%s", dns_status_name(statuses[i]));
        T_TRUE(questions <= 2 + 1 + MAILBOX_SELECTORS_MAX, "%u questions", questions);
        mx_fini(&m);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_it_is),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_doubt_behind_a_gateway),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
