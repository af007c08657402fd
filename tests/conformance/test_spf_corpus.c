/* The test suite of RFC 7208 (result and explanation of each case), and records of other projects.
 */
#include "core/verify/spf.h"
#include "lib/check.h"
#include "lib/dns_world.h"
#include "lib/tsv.h"

#include <arpa/inet.h>
#include <stdlib.h>

static const struct {
    const char *name;
    enum dns_type type;
} types[] = {
    {"A", DNS_A},     {"AAAA", DNS_AAAA},   {"MX", DNS_MX},
    {"TXT", DNS_TXT}, {"CNAME", DNS_CNAME}, {"PTR", DNS_PTR},
};

/* The rest of a zone line: name, type, data. */
static void add_record(struct dns_world *w, struct text line)
{
    struct text name, type, cell;
    struct buf data = {0};
    T_TRUE(tsv_cell(&line, &name) && tsv_cell(&line, &type), "a zone line");
    if (text_eq(type, TEXT("TIMEOUT"))) {
        dns_world_status(w, name, 0, DNS_TIMEOUT);
        return;
    }
    size_t t = 0;
    while (t < TIDE_COUNT(types) && !text_eq(type, text_of(types[t].name)))
        t++;
    if (t == TIDE_COUNT(types)) /* SPF, as type 99 was: nobody asks for it (RFC 7208 3.1) */
        return;
    for (int i = 0; tsv_cell(&line, &cell); i++) {
        if (types[t].type == DNS_MX && i)
            buf_addc(&data, ' ');
        if (!text_eq(cell, TEXT("\"\"")))
            buf_add_text(&data, cell);
    }
    if (text_eq(buf_text(&data), TEXT("TIMEOUT")))
        dns_world_status(w, name, types[t].type, DNS_TIMEOUT);
    else
        dns_world_add(w, name, types[t].type, buf_text(&data));
    buf_fini(&data);
}

static struct dns_world *world_of(const char *dir, struct text doc)
{
    size_t n;
    char *data = tsv_read(dir, "spf/rfc7208.zone.tsv", &n);
    struct text rest = {data, n}, line, first;
    struct dns_world *w = dns_world_new();
    while (text_split(&rest, '\n', &line))
        if (tsv_cell(&line, &first) && text_eq(first, doc))
            add_record(w, line);
    free(data);
    return w;
}

static void read_ip(struct text t, struct spf_input *in)
{
    char ip[64];
    snprintf(ip, sizeof ip, TEXT_FMT, TEXT_ARG(t));
    in->is_v6 = text_find(t, ':') < t.n;
    T_EQ(inet_pton(in->is_v6 ? AF_INET6 : AF_INET, ip, in->ip), 1, "%s", ip);
}

static bool is_one_of(const char *result, struct text wanted)
{
    struct text one;
    while (text_split(&wanted, ',', &one))
        if (text_eq(one, text_of(result)))
            return true;
    return false;
}

struct spf_case {
    struct text test, results, explanation;
    struct spf_input in;
};

static void read_case(struct text line, struct spf_case *c)
{
    struct text ip;
    c->in = (struct spf_input){.explain = true};
    T_TRUE(tsv_cell(&line, &ip) && tsv_cell(&line, &c->in.helo) &&
               tsv_cell(&line, &c->in.mail_from) && tsv_cell(&line, &c->results) &&
               tsv_cell(&line, &c->explanation),
           "a case");
    read_ip(ip, &c->in);
}

static void run_case(const struct dns_world *w, const struct spf_case *c)
{
    struct arena arena = {0};
    struct spf spf;
    struct question todo;
    spf_init(&spf, &c->in, &arena);
    spf_start(&spf, &todo);
    dns_world_run(w, todo, spf_feed, &spf);
    T_TRUE(is_one_of(spf_result_name(spf.result), c->results),
           TEXT_FMT " is %s, want " TEXT_FMT ": %s", TEXT_ARG(c->test), spf_result_name(spf.result),
           TEXT_ARG(c->results), spf.problem);
    T_EQ(spf.result == SPF_TEMPERROR || spf.result == SPF_PERMERROR, spf.problem[0] != 0,
         TEXT_FMT ": an error, and only an error, has a reason", TEXT_ARG(c->test));
    if (c->explanation.n) {
        struct text got = spf.explanation.n ? spf.explanation : TEXT("DEFAULT");
        T_TRUE(text_eq(got, c->explanation),
               TEXT_FMT ": explanation \"" TEXT_FMT "\", want \"" TEXT_FMT "\"", TEXT_ARG(c->test),
               TEXT_ARG(got), TEXT_ARG(c->explanation));
    }
    spf_fini(&spf);
    arena_fini(&arena);
}

static void test_rfc7208(void **state)
{
    (void)state;
    const char *dir = corpora_dir("RFC 7208 test suite");
    if (!dir)
        return;
    size_t n, cases = 0;
    char *data = tsv_read(dir, "spf/rfc7208.cases.tsv", &n);
    struct text rest = {data, n}, line, doc, test, current = {0};
    struct dns_world *w = NULL;
    static struct spf_memo memo;
    spf_memo_init(&memo);
    (void)text_split(&rest, '\n', &line);
    while (text_split(&rest, '\n', &line)) {
        if (line.n == 0 || !tsv_cell(&line, &doc) || !tsv_cell(&line, &test))
            continue;
        if (!text_eq(doc, current)) {
            if (w)
                dns_world_free(w);
            w = world_of(dir, doc);
            current = doc;
        }
        struct spf_case c = {.test = test};
        read_case(line, &c);
        run_case(w, &c);
        c.in.memo = &memo; /* with the records of other cases in it */
        run_case(w, &c);
        cases++;
    }
    dns_world_free(w);
    spf_memo_fini(&memo);
    free(data);
    printf("spf: %zu cases of the RFC 7208 suite, all right\n", cases);
    T_EQ(cases, 203, "the corpus was read");
}

/* Where the corpus says otherwise than the RFC. */
static bool is_wrong_in_corpus(struct text record)
{
    /* Domains of one label ("a:x"): RFC 7208 7.1 has domain-end = "." toplabel, and case
     * a-only-toplabel of the suite above is a permerror. */
    return text_ifind(record, TEXT("a:x a:x/0 ")) < record.n;
}

static void test_records(void **state)
{
    (void)state;
    const char *dir = corpora_dir("SPF records");
    if (!dir)
        return;
    size_t n, cases = 0, listed = 0;
    char *data = tsv_read(dir, "spf/records.tsv", &n);
    struct text rest = {data, n}, line, source, record, verdict;
    (void)text_split(&rest, '\n', &line);
    while (text_split(&rest, '\n', &line)) {
        struct arena arena = {0};
        struct spf_record r;
        struct tide_error err = {0};
        if (line.n == 0)
            continue;
        T_TRUE(tsv_cell(&line, &source) && tsv_cell(&line, &record) && tsv_cell(&line, &verdict),
               "a line");
        bool ok = spf_record_parse(record, &arena, &r, &err) == TIDE_OK;
        bool want = text_eq(verdict, TEXT("valid")) != is_wrong_in_corpus(record);
        T_EQ(ok, want, TEXT_FMT ": %s", TEXT_ARG(record), err.text);
        listed += is_wrong_in_corpus(record);
        arena_fini(&arena);
        cases++;
    }
    free(data);
    printf("spf: %zu records, %zu of them otherwise than the corpus (RFC 7208 7.1)\n", cases,
           listed);
    T_TRUE(cases >= 6, "the corpus was read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc7208),
                                       cmocka_unit_test(test_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
