/* The tree walk's branches that the corpus does not have: psd, np, t, deep names, doubt. */
#include "core/verify/dmarc.h"
#include "lib/check.h"
#include "lib/dns_world.h"

static const struct {
    const char *name, *record;
} records[] = {
    {"_dmarc.example.org", "v=DMARC1; p=reject; sp=quarantine; np=reject"},
    {"_dmarc.bank", "v=DMARC1; p=reject; psd=y; np=reject"},
    {"_dmarc.a.bank", "v=DMARC1; p=none"},
    {"_dmarc.own.example.org", "v=DMARC1; p=none; psd=n"},
    {"_dmarc.test.example", "v=DMARC1; p=reject; t=y"},
    {"_dmarc.e.f.g.h.deep.example", "v=DMARC1; p=reject"},
    {"_dmarc.broken.example", "v=DMARC1; adkim=s"},
    {"_dmarc.shop.lame", "v=DMARC1; p=reject"},
    {"_dmarc.twice.org", "v=DMARC1; p=none"},
    {"_dmarc.twice.org", "v=DMARC1; p=reject"},
};

static const struct {
    const char *from, *id;
    enum dmarc_result result;
    const char *record_at, *organizational;
    enum dmarc_policy asked, applied;
    size_t questions;
} cases[] = {
    {"example.org", "mail.example.org", DMARC_PASS, "example.org", "example.org", DMARC_REJECT,
     DMARC_REJECT, 5},
    {"there.example.org", "example.com", DMARC_FAIL, "example.org", "example.org", DMARC_QUARANTINE,
     DMARC_QUARANTINE, 4},
    {"gone.example.org", "gone.example.org", DMARC_PASS, "example.org", "example.org", DMARC_REJECT,
     DMARC_REJECT, 4},
    /* psd=n ends the walk: its neighbours are others */
    {"own.example.org", "example.org", DMARC_FAIL, "own.example.org", "own.example.org", DMARC_NONE,
     DMARC_NONE, 1},
    {"x.own.example.org", "y.own.example.org", DMARC_PASS, "own.example.org", "own.example.org",
     DMARC_NONE, DMARC_NONE, 4},
    /* below a public suffix with a policy */
    {"b.bank", "mail.b.bank", DMARC_PASS, "bank", "b.bank", DMARC_REJECT, DMARC_REJECT, 6},
    {"www.a.bank", "c.bank", DMARC_FAIL, "a.bank", "a.bank", DMARC_NONE, DMARC_NONE, 3},
    /* t=y asks for one less */
    {"test.example", "", DMARC_FAIL, "test.example", "test.example", DMARC_REJECT, DMARC_QUARANTINE,
     2},
    /* more than eight labels: on with seven (RFC 9989 4.10) */
    {"a.b.c.d.e.f.g.h.deep.example", "", DMARC_FAIL, "e.f.g.h.deep.example", "e.f.g.h.deep.example",
     DMARC_REJECT, DMARC_REJECT, 8},
    {"broken.example", "broken.example", DMARC_NO_POLICY, "", "broken.example", DMARC_UNSET,
     DMARC_UNSET, 2},
    {"twice.org", "twice.org", DMARC_NO_POLICY, "", "twice.org", DMARC_UNSET, DMARC_UNSET, 2},
    {"slow.org", "slow.org", DMARC_TEMPERROR, "", "", DMARC_UNSET, DMARC_UNSET, 1},
    /* the walk fails above the record: only what is neither the same name nor a stranger's is in
     * doubt */
    {"shop.lame", "shop.lame", DMARC_PASS, "shop.lame", "", DMARC_REJECT, DMARC_REJECT, 2},
    {"shop.lame", "mail.shop.lame", DMARC_TEMPERROR, "shop.lame", "", DMARC_REJECT, DMARC_REJECT,
     2},
    {"shop.lame", "other.example", DMARC_FAIL, "shop.lame", "", DMARC_REJECT, DMARC_REJECT, 2},
    {"mail.shop.lame", "", DMARC_TEMPERROR, "", "", DMARC_UNSET, DMARC_UNSET, 3},
    {"test.example", "slow.test.example", DMARC_TEMPERROR, "test.example", "test.example",
     DMARC_REJECT, DMARC_QUARANTINE, 3},
};

static void test_walk(void **state)
{
    (void)state;
    struct dns_world *w = dns_world_new();
    for (size_t i = 0; i < TIDE_COUNT(records); i++)
        dns_world_add(w, text_of(records[i].name), DNS_TXT, text_of(records[i].record));
    dns_world_add(w, TEXT("there.example.org"), DNS_A, TEXT("192.0.2.1"));
    dns_world_add(w, TEXT("b.bank"), DNS_A, TEXT("192.0.2.1"));
    dns_world_status(w, TEXT("_dmarc.slow.org"), DNS_TXT, DNS_SERVFAIL);
    dns_world_status(w, TEXT("_dmarc.lame"), DNS_TXT, DNS_SERVFAIL);
    dns_world_status(w, TEXT("_dmarc.slow.test.example"), DNS_TXT, DNS_TIMEOUT);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena arena = {0};
        struct dmarc d;
        struct question todo;
        const char *name = cases[i].from;
        struct dmarc_identifier id = {.domain = text_of(cases[i].id), .dkim = true};
        dmarc_init(&d, text_of(name), &id, cases[i].id[0] != 0, NULL, &arena);
        dmarc_start(&d, &todo);
        size_t asked = dns_world_run(w, todo, dmarc_feed, &d);
        T_STR(dmarc_result_name(d.result), dmarc_result_name(cases[i].result), "%s", name);
        T_TEXT(d.record_at, cases[i].record_at, "%s", name);
        T_TEXT(d.organizational, cases[i].organizational, "%s", name);
        T_STR(dmarc_policy_name(d.asked), dmarc_policy_name(cases[i].asked), "%s", name);
        T_STR(dmarc_policy_name(d.applied), dmarc_policy_name(cases[i].applied), "%s", name);
        T_EQ(asked, cases[i].questions, "%s: questions", name);
        arena_fini(&arena);
    }
    dns_world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_walk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
