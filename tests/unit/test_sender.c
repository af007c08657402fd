/* The sender report over a small world: what each check says, and the record that it offers. */
#include "core/verify/sender.h"
#include "lib/check.h"
#include "lib/dns_world.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define S(s) ((char *)(uintptr_t)(s))
#define KEY  "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static const struct {
    const char *name;
    enum dns_type type;
    const char *data;
} records[] = {
    {"good.org", DNS_A, "8.8.8.8"},
    {"noinclude.org", DNS_MX, "0 ."},
    {"good.org", DNS_TXT, "v=spf1 include:esp.example ip4:192.0.2.1 -all"},
    {"esp.example", DNS_TXT, "v=spf1 ip4:203.0.113.0/24 -all"},
    {"k1._domainkey.good.org", DNS_TXT, KEY},
    {"_dmarc.good.org", DNS_TXT, "v=DMARC1; p=reject; rua=mailto:d@good.org"},
    {"1.2.0.192.in-addr.arpa", DNS_PTR, "mail.good.org"},
    {"mail.good.org", DNS_A, "192.0.2.1"},
    {"2.2.0.192.in-addr.arpa", DNS_PTR, "other.good.org"},
    {"other.good.org", DNS_A, "192.0.2.3"},
    {"2.0.0.127.list.example", DNS_A, "127.0.0.2"},
    {"2.2.0.192.list.example", DNS_A, "127.0.0.2"},
    {"noinclude.org", DNS_TXT, "v=spf1 mx  ~all exp=why.noinclude.org"},
    {"open.org", DNS_TXT, "v=spf1 +all"},
    {"moved.org", DNS_TXT, "v=spf1 redirect=open.org"},
    {"broken.org", DNS_TXT, "v=spf1 ip4:1.2.3 -all"},
    {"many.org", DNS_TXT,
     "v=spf1 a:a1.many.org a:a2.many.org a:a3.many.org a:a4.many.org a:a5.many.org a:a6.many.org "
     "a:a7.many.org a:a8.many.org a:a9.many.org a:b1.many.org include:esp.example -all"},
    {"revoked._domainkey.noinclude.org", DNS_TXT, "v=DKIM1; p="},
    {"alias._domainkey.noinclude.org", DNS_CNAME, "gone.esp.example"},
    {"testing._domainkey.good.org", DNS_TXT, KEY "; t=y"},
    {"_dmarc.open.org", DNS_TXT, "v=DMARC1; p=none; pct=10"},
    {"_dmarc.broken.org", DNS_TXT, "v=DMARC1; p=nothing"},
    {"bounce.esp.example", DNS_TXT, "v=spf1 ip4:203.0.113.0/24 -all"},
    {"two.org", DNS_A, "8.8.8.8"},
    {"two.org", DNS_TXT, "v=spf1 include:esp.example -all"},
    {"two.org", DNS_TXT, "v=spf1 mx  include:esp.example ~all"},
    {"_dmarc.two.org", DNS_TXT, "v=DMARC1; p=reject"},
    {"_dmarc.two.org", DNS_TXT, "v=DMARC1; p=none"},
    {"k1._domainkey.two.org", DNS_TXT, KEY},
    {"typo.org", DNS_TXT, "v=spf1 ipv4:192.0.2.1 -all"},
    {"_dmarc.typo.org", DNS_TXT, "v=DMARC1; p=none; psd=y"},
    {"k1._domainkey.typo.org", DNS_TXT, KEY},
    {"rep.org", DNS_A, "8.8.8.8"},
    {"rep.org", DNS_TXT, "v=spf1 include:esp.example -all"},
    {"k1._domainkey.rep.org", DNS_TXT, KEY},
    {"_dmarc.rep.org", DNS_TXT,
     "v=DMARC1; p=none; rua=mailto:a@sub.rep.org,mailto:b@yes.example!10m, "
     "mailto:c@no.example,mailto:d@YES.example,https://no.example/x; ruf=mailto:e@slow.example"},
    {"rep.org._report._dmarc.yes.example", DNS_TXT, "v=DMARC1;"},
    {"rep.org._report._dmarc.no.example", DNS_TXT, "yes"},
};

static char *includes[] = {S("esp.example")}, *selectors[] = {S("k1")};
static const struct profile esp = {.name = S("esp"),
                                   .title = S("The ESP"),
                                   .spf_includes = includes,
                                   .spf_include_count = 1,
                                   .dkim_selectors = selectors,
                                   .dkim_selector_count = 1};

static char *codes[] = {S("127.0.0.2 bad")};
static struct dnsbl_zone zones[] = {{.name = S("list"),
                                     .title = S("The List"),
                                     .zone = S("list.example"),
                                     .addresses = true,
                                     .codes = codes,
                                     .code_count = 1,
                                     .delist = S("https://list.example/out")},
                                    {.name = S("dead"),
                                     .title = S("Dead List"),
                                     .zone = S("dead.example"),
                                     .addresses = true,
                                     .codes = codes,
                                     .code_count = 1,
                                     .delist = S("x")}};
static char *their_zones[] = {S("example")}, *other_zones[] = {S("t.example")};
static struct sender_demand demands[] = {{.name = S("p-spf"),
                                          .title = S("Provider"),
                                          .topic = SENDER_SPF,
                                          .bulk = true,
                                          .rule = S("SPF."),
                                          .consequence = S("Refused.")},
                                         {.name = S("p-open"),
                                          .title = S("Provider"),
                                          .topic = SENDER_SPF_OPEN,
                                          .rule = S("Not all."),
                                          .consequence = S("Deferred.")},
                                         {.name = S("p-list"),
                                          .title = S("Provider"),
                                          .topic = SENDER_BLOCK_LISTS,
                                          .zones = their_zones,
                                          .zone_count = 1,
                                          .rule = S("Not there."),
                                          .consequence = S("Refused.")},
                                         {.name = S("q-list"),
                                          .title = S("Other"),
                                          .topic = SENDER_BLOCK_LISTS,
                                          .zones = other_zones,
                                          .zone_count = 1,
                                          .rule = S("Not there."),
                                          .consequence = S("Refused.")}};
static const struct sender_rules rules = {
    .zones = zones, .zone_count = 2, .demands = demands, .demand_count = TIDE_COUNT(demands)};

#define SHOWN(who)                                                                          \
    " Publish there what " who " shows for this selector: a TXT record with the key, or a " \
    "CNAME.\n"
#define LOST                                                                              \
    " Replies to it are lost, and some receivers refuse mail from such a domain (5.1.8, " \
    "5.7.27).\n"

/* "state what: finding" in order; "+ line" is a record to publish. */
static const struct {
    const char *domain, *mail_from, *selector, *ip;
    const char *account; /* "" none */
    bool bulk;
    const char *want;
} cases[] = {
    {"good.org", "", "k1", "192.0.2.1", "esp", false,
     "good SPF of good.org: The record is right, with 1 of 10 DNS lookups.\n"
     "good SPF of 192.0.2.1: The result is pass, by ip4:192.0.2.1.\n"
     "good DKIM key k1._domainkey.good.org: Ed25519 with 256 bits.\n"
     "good DMARC of good.org: The policy is reject; with mail that fails, receivers will refuse "
     "it.\n"
     "good DMARC alignment: From aligns with the DKIM domain good.org, and with SPF too.\n"
     "good PTR of 192.0.2.1: mail.good.org, and back.\n"
     "good mail to good.org: good.org has no MX record; mail goes to its own address (RFC 5321 "
     "5.1).\n"
     "note block lists: 1 of 2 answers have nothing against the sender.\n"},
    {"good.org", "", "testing", "192.0.2.2", "esp", true,
     "good SPF of good.org: The record is right, with 1 of 10 DNS lookups.\n"
     "bad SPF of 192.0.2.2: The result is fail, by -all.\n"
     "+ good.org. TXT \"v=spf1 include:esp.example ip4:192.0.2.1 ip4:192.0.2.2 -all\"\n"
     "note DKIM key testing._domainkey.good.org: Ed25519 with 256 bits, in test mode (t=y): "
     "receivers may take its mail for unsigned.\n"
     "good DMARC of good.org: The policy is reject; with mail that fails, receivers will refuse "
     "it.\n"
     "good DMARC alignment: From aligns with the DKIM domain good.org.\n"
     "bad PTR of 192.0.2.2: Its name other.good.org does not lead back to it.\n"
     "+ other.good.org. A 192.0.2.2\n"
     "good mail to good.org: good.org has no MX record; mail goes to its own address (RFC 5321 "
     "5.1).\n"
     "unknown one-click unsubscribe: Show a message of the stream to have it checked (RFC 8058).\n"
     "bad 192.0.2.2 at The List: Listed: bad. Removal: https://list.example/out\n"
     "note block lists: 0 of 2 answers have nothing against the sender.\n"},
    {"noinclude.org", "", "revoked,alias", "", "esp", false,
     "note SPF of noinclude.org: The record does not have include:esp.example: mail through The "
     "ESP "
     "passes SPF only with an envelope domain of its own.\n"
     "+ noinclude.org. TXT \"v=spf1 mx include:esp.example ~all exp=why.noinclude.org\"\n"
     "bad DKIM key revoked._domainkey.noinclude.org: The key is revoked: p= is empty." SHOWN(
         "The ESP") "bad DKIM key alias._domainkey.noinclude.org: The key is missing: its CNAME "
                    "leads to "
                    "gone.esp.example, where there is no key." SHOWN(
                        "The ESP") "bad authentication: Mail of this sender passes neither SPF nor "
                                   "DKIM.\n"
                                   "bad DMARC of noinclude.org: There is no DMARC record.\n"
                                   "+ _dmarc.noinclude.org. TXT \"v=DMARC1; p=none; "
                                   "rua=mailto:dmarc-reports@noinclude.org\"\n"
                                   "bad mail to noinclude.org: The domain noinclude.org says that "
                                   "it takes no mail (null MX, RFC "
                                   "7505)." LOST},
    {"open.org", "", "", "", "", false,
     "bad SPF of open.org: The record lets everybody send: it ends in \"+all\".\n"
     "+ open.org. TXT \"v=spf1 ~all\"\n"
     "unknown DKIM: No selector is known: name it (--selector, or selectors of the account), or "
     "show a message as it arrived (--message).\n"
     "note DMARC of open.org: The policy is none; with mail that fails, receivers will deliver it "
     "as any other, and report.\n"
     "unknown DMARC alignment: Neither SPF nor DKIM is known to pass and to align.\n"
     "bad mail to open.org: The domain open.org has neither an MX record nor an address." LOST},
    {"broken.org", "bounce.esp.example", "none", "", "", false,
     "good SPF of bounce.esp.example: The record is right, with 0 of 10 DNS lookups.\n"
     "bad DKIM key none._domainkey.broken.org: The key is missing: the name does not exist." SHOWN(
         "the signer") "bad DMARC of broken.org: The record is of no use to receivers. Replace "
                       "it.\n"
                       "+ _dmarc.broken.org. TXT \"v=DMARC1; p=none; "
                       "rua=mailto:dmarc-reports@broken.org\"\n"
                       "bad mail to broken.org: The domain broken.org has neither an MX record nor "
                       "an address." LOST},
    {"many.org", "", "none", "", "", false,
     "bad SPF of many.org: The record needs 11 DNS lookups; receivers stop at 10 and refuse it "
     "(RFC 7208 4.6.4). Take out what no longer sends, or let an ESP use an envelope domain with a "
     "record of its own.\n"
     "bad DKIM key none._domainkey.many.org: The key is missing: the name does not exist." SHOWN(
         "the signer") "bad authentication: Mail of this sender passes neither SPF nor DKIM.\n"
                       "bad DMARC of many.org: There is no DMARC record.\n"
                       "+ _dmarc.many.org. TXT \"v=DMARC1; p=none; "
                       "rua=mailto:dmarc-reports@many.org\"\n"
                       "bad mail to many.org: The domain many.org has neither an MX record nor an "
                       "address." LOST},
    {"broken.org", "", "none", "", "", false,
     "bad SPF of broken.org: Receivers cannot read it: the SPF record of broken.org: "
     "\"ip4:1.2.3\": want an IP address, with or without a prefix length.\n"
     "bad DKIM key none._domainkey.broken.org: The key is missing: the name does not exist." SHOWN(
         "the signer") "bad authentication: Mail of this sender passes neither SPF nor DKIM.\n"
                       "bad DMARC of broken.org: The record is of no use to receivers. Replace "
                       "it.\n"
                       "+ _dmarc.broken.org. TXT \"v=DMARC1; p=none; "
                       "rua=mailto:dmarc-reports@broken.org\"\n"
                       "bad mail to broken.org: The domain broken.org has neither an MX record nor "
                       "an address." LOST},
    {"moved.org", "", "none", "", "", false,
     "bad SPF of moved.org: The record lets everybody send: it ends in \"+all\".\n"
     "bad DKIM key none._domainkey.moved.org: The key is missing: the name does not exist." SHOWN(
         "the signer") "bad authentication: Mail of this sender passes neither SPF nor DKIM.\n"
                       "bad DMARC of moved.org: There is no DMARC record.\n"
                       "+ _dmarc.moved.org. TXT \"v=DMARC1; p=none; "
                       "rua=mailto:dmarc-reports@moved.org\"\n"
                       "bad mail to moved.org: The domain moved.org has neither an MX record nor "
                       "an address." LOST},
    {"two.org", "", "k1", "192.0.2.9", "esp", false,
     "bad SPF of two.org: There are 2 SPF records, and receivers then use none (RFC 7208 4.5). "
     "Leave one.\n"
     "+ two.org. TXT \"v=spf1 include:esp.example mx ip4:192.0.2.9 ~all\"\n"
     "bad SPF of 192.0.2.9: The result is permerror: two.org has more than one SPF record (RFC "
     "7208 "
     "4.5).\n"
     "good DKIM key k1._domainkey.two.org: Ed25519 with 256 bits.\n"
     "bad DMARC of two.org: There is more than one record, and so none counts. Leave one.\n"
     "+ _dmarc.two.org. TXT \"v=DMARC1; p=reject\"\n"
     "bad PTR of 192.0.2.9: The address has no name.\n"
     "+ 9.2.0.192.in-addr.arpa. PTR mail.two.org.\n"
     "+ mail.two.org. A 192.0.2.9\n"
     "good mail to two.org: two.org has no MX record; mail goes to its own address (RFC 5321 "
     "5.1).\n"
     "note block lists: 1 of 2 answers have nothing against the sender.\n"},
    {"typo.org", "", "k1", "", "", false,
     "bad SPF of typo.org: Receivers cannot read it: the SPF record of typo.org: "
     "\"ipv4:192.0.2.1\": there is no such mechanism; it is written ip4.\n"
     "good DKIM key k1._domainkey.typo.org: Ed25519 with 256 bits.\n"
     "note DMARC of typo.org: The policy is none; with mail that fails, receivers will deliver it "
     "as any other, and report.\n"
     "good DMARC alignment: From aligns with the DKIM domain typo.org.\n"
     "bad mail to typo.org: The domain typo.org has neither an MX record nor an address." LOST},
    {"rep.org", "", "k1", "", "esp", false,
     "good SPF of rep.org: The record is right, with 1 of 10 DNS lookups.\n"
     "good DKIM key k1._domainkey.rep.org: Ed25519 with 256 bits.\n"
     "note DMARC of rep.org: The policy is none; with mail that fails, receivers will deliver it "
     "as any other, and report.\n"
     "good DMARC reports to yes.example: It says that it takes reports about rep.org.\n"
     "note DMARC reports to no.example: It does not say that it takes reports about rep.org: "
     "receivers send none there until its owner publishes this (RFC 9990 4, RFC 7489 7.1).\n"
     "+ rep.org._report._dmarc.no.example. TXT \"v=DMARC1\"\n"
     "note DMARC reports to slow.example: DNS failed: no name server answered in time.\n"
     "good DMARC alignment: From aligns with the DKIM domain rep.org, and with SPF too.\n"
     "good mail to rep.org: rep.org has no MX record; mail goes to its own address (RFC 5321 "
     "5.1).\n"},
    {"slow.org", "", "none", "", "", false,
     "unknown SPF of slow.org: DNS failed: slow.org TXT: no name server answered in time.\n"
     "unknown DKIM key none._domainkey.slow.org: DNS failed: no name server answered in time.\n"
     "unknown DMARC of slow.org: DNS failed: no name server answered in time.\n"
     "unknown mail to slow.org: Whether slow.org takes mail could not be found out: no name server "
     "answered in time.\n"},
};

/* Who does what about it: the rule of that topic, and of that block list. */
static void check_blame(const struct sender_check *c, const char *domain)
{
    if (c->state != SENDER_BAD)
        return;
    if (text_ifind(c->finding, TEXT("everybody")) < c->finding.n)
        T_TEXT(c->consequences, "Provider: Not all. Deferred. [p-open]", "%s", domain);
    else if (text_starts(c->what, TEXT("SPF")))
        T_TEXT(c->consequences, "Provider, of bulk senders: SPF. Refused. [p-spf]", "%s", domain);
    else if (text_ifind(c->what, TEXT(" at ")) < c->what.n)
        T_TEXT(c->consequences, "Provider: Not there. Refused. [p-list]", "%s", domain);
}

static void put_report(const struct sender *s, struct buf *out)
{
    for (size_t i = 0; i < s->check_count; i++) {
        const struct sender_check *c = &s->checks[i];
        struct text publish = c->publish, line;
        buf_addf(out, "%s " TEXT_FMT ": " TEXT_FMT "\n", sender_state_name(c->state),
                 TEXT_ARG(c->what), TEXT_ARG(c->finding));
        while (publish.n && text_split(&publish, '\n', &line))
            buf_addf(out, "+ " TEXT_FMT "\n", TEXT_ARG(line));
    }
}

static struct dns_world *make_world(void)
{
    struct dns_world *w = dns_world_new();
    for (size_t i = 0; i < TIDE_COUNT(records); i++)
        dns_world_add(w, text_of(records[i].name), records[i].type, text_of(records[i].data));
    for (int i = 0; i < 10; i++) {
        static const char *const hosts[] = {"a1", "a2", "a3", "a4", "a5",
                                            "a6", "a7", "a8", "a9", "b1"};
        char name[40];
        snprintf(name, sizeof name, "%s.many.org", hosts[i]);
        dns_world_add(w, text_of(name), DNS_A, TEXT("192.0.2.77"));
    }
    dns_world_status(w, TEXT("slow.org"), 0, DNS_TIMEOUT);
    dns_world_status(w, TEXT("rep.org._report._dmarc.slow.example"), 0, DNS_TIMEOUT);
    dns_world_status(w, TEXT("_dmarc.slow.org"), 0, DNS_TIMEOUT);
    dns_world_status(w, TEXT("none._domainkey.slow.org"), 0, DNS_TIMEOUT);
    return w;
}

static void run_case(const struct dns_world *w, size_t i, struct sender *s)
{
    struct arena arena = {0};
    struct tide_error err = {0};
    struct text names[4], list = text_of(cases[i].selector);
    struct sender_ip ip = {0};
    struct sender_input in = {.domain = text_of(cases[i].domain),
                              .mail_from = text_of(cases[i].mail_from),
                              .account = cases[i].account[0] ? &esp : NULL,
                              .selectors = names,
                              .ips = &ip,
                              .ip_count = cases[i].ip[0] != 0,
                              .rules = &rules,
                              .bulk = cases[i].bulk,
                              .block_lists = true};
    while (list.n && text_split(&list, ',', &names[in.selector_count]))
        in.selector_count++;
    if (in.ip_count) {
        snprintf(ip.text, sizeof ip.text, "%s", cases[i].ip);
        T_EQ(inet_pton(AF_INET, ip.text, ip.octets), 1, "%s", ip.text);
    }
    T_OK(sender_init(s, &in, &arena, &err), &err, "%s", cases[i].domain);
    for (size_t k = 0; k < s->probe_count; k++)
        dns_world_run(w, s->probes[k].first, s->probes[k].feed, s->probes[k].machine);
    T_OK(sender_report(s, &err), &err, "%s", cases[i].domain);
    struct buf out = {0};
    put_report(s, &out);
    T_STR(buf_str(&out), cases[i].want, "case %zu", i);
    for (size_t k = 0; k < s->check_count; k++)
        check_blame(&s->checks[k], cases[i].domain);
    buf_fini(&out);
    sender_fini(s);
    arena_fini(&arena);
}

static void test_reports(void **state)
{
    (void)state;
    struct dns_world *w = make_world();
    struct sender *s = calloc(1, sizeof *s);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        run_case(w, i, s);
    free(s);
    dns_world_free(w);
}

/* Whatever memory runs out, it ends with an error and frees what it has. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct dns_world *w = make_world();
    struct sender *s = calloc(1, sizeof *s);
    const struct sender_input in = {.domain = TEXT("good.org"), .account = &esp, .rules = &rules};
    size_t failed = 0;
    for (size_t max = 256; max < 20000; max += 128) {
        struct arena arena;
        struct tide_error err = {0};
        arena_init(&arena, max);
        enum tide_err rc = sender_init(s, &in, &arena, &err);
        if (rc == TIDE_OK) {
            for (size_t k = 0; k < s->probe_count; k++)
                dns_world_run(w, s->probes[k].first, s->probes[k].feed, s->probes[k].machine);
            rc = sender_report(s, &err);
            sender_fini(s);
        }
        T_TRUE(rc == TIDE_OK || rc == TIDE_ENOMEM, "%s", err.text);
        failed += rc != TIDE_OK;
        arena_fini(&arena);
    }
    T_TRUE(failed > 5, "memory ran out at times");
    free(s);
    dns_world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reports),
                                       cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
