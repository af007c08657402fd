/* DMARC records of other projects, and look-ups with mailauth's results. What differs from a corpus
 * is put into classes below, each with its reason. */
#include "base/buf.h"
#include "core/proto/json.h"
#include "core/verify/dmarc.h"
#include "lib/check.h"
#include "lib/dns_world.h"
#include "lib/tsv.h"

#include <stdlib.h>

enum class {
    RIGHT,
    REMOVED, /* pct, rf and ri are no tags any more, what stands in them is ignored: RFC 9989 4.7 */
    UNKNOWN, /* unknown tags are ignored: RFC 9989 4.7 */
    ORDER,   /* the policy may stand anywhere after the version: RFC 9989 4.8 */
    BLANK,   /* blanks may follow the equals sign: RFC 9989 4.8 */
    SCHEME,  /* any URI may stand there: RFC 9989 4.7 */
    SHORT,   /* "p=n" is none of the three words: RFC 9989 4.8 */
    CASE,    /* DMARC1 is exact: RFC 9989 4.8 */
    EMPTY,   /* a value, and a tag, has one character at least: RFC 9989 4.8 */
    PAST,    /* what is wrong in it is read past, and said: RFC 9989 4.7, 4.10.1 */
    NO_VALUE, /* without p and rua there is nothing to do: RFC 9989 4.10.1 */
    WRONG
};

static const char *const class_names[] = {
    "right",
    "with pct, rf or ri, which are ignored (RFC 9989 4.7)",
    "with an unknown tag, which is ignored (RFC 9989 4.7)",
    "with the policy elsewhere than second, where it may be (RFC 9989 4.8)",
    "with a blank after the equals sign, which may be there (RFC 9989 4.8)",
    "with a URI that is no mailto, which may be there (RFC 9989 4.7)",
    "with a shortened policy, which is none (RFC 9989 4.8)",
    "with dmarc1 in lower case, which is no DMARC record (RFC 9989 4.8)",
    "with an empty value or tag, which may not be (RFC 9989 4.8)",
    "with a wrong value that is read past, with a remark (RFC 9989 4.7, 4.10.1)",
    "with neither policy nor reports, of which nothing follows (RFC 9989 4.10.1)",
    "wrong",
};

static bool has(struct text record, const char *part)
{
    return text_ifind(record, text_of(part)) < record.n;
}

/* Whether the record has a remark with these words. */
static bool remarked(const struct dmarc_record *r, const char *words)
{
    for (size_t i = 0; i < r->remark_count; i++)
        if (strstr(r->remarks[i].text, words))
            return true;
    return false;
}

/* A value, or a whole tag, of nothing. */
static bool has_empty(struct text record)
{
    struct text tag;
    while (text_split(&record, ';', &tag)) {
        tag = text_trim(tag);
        if ((tag.n == 0 && record.p) || (tag.n && tag.p[tag.n - 1] == '='))
            return true;
    }
    return false;
}

static enum class why_taken(struct text record, const struct dmarc_record *r) {
    if (remarked(r, "went with RFC 9989")) return REMOVED;
    if (remarked(r, "not known and is ignored")) return UNKNOWN;
    if (has(record, "= ")) return BLANK;
    if (has(record, "rua=") || has(record, "ruf=")) return has(record, "mailto:") ? WRONG : SCHEME;
    return text_ifind(record, TEXT("sp=")) < text_ifind(record, TEXT("; p=")) ? ORDER : WRONG;
}

static enum class why_refused(struct text record, const struct dmarc_record *r) {
    if (remarked(r, "does not begin")) return has(record, "dmarc1") ? CASE : WRONG;
    if (has_empty(record)) return EMPTY;
    if (remarked(r, "no value of it")) return r->usable ? PAST : SHORT;
    return remarked(r, "p is missing") ? NO_VALUE : WRONG;
}

static void test_records(void **state)
{
    (void)state;
    const char *dir = corpora_dir("DMARC records");
    if (!dir)
        return;
    size_t n, counts[TIDE_COUNT(class_names)] = {0};
    char *data = tsv_read(dir, "dmarc/records.tsv", &n);
    struct text rest = {data, n}, line, source, record, verdict;
    (void)text_split(&rest, '\n', &line);
    while (text_split(&rest, '\n', &line)) {
        struct dmarc_record r;
        if (line.n == 0)
            continue;
        T_TRUE(tsv_cell(&line, &source) && tsv_cell(&line, &record) && tsv_cell(&line, &verdict),
               "a line");
        if (text_eq(verdict, TEXT("see-detail")))
            continue; /* the source tests its own error handling there */
        dmarc_record_parse(record, &r);
        bool got = r.usable && !r.faulty, want = text_eq(verdict, TEXT("valid"));
        enum class class = got == want ? RIGHT
                           : got       ? why_taken(record, &r)
                                       : why_refused(record, &r);
        T_TRUE(class != WRONG, TEXT_FMT ": " TEXT_FMT ": %s", TEXT_ARG(source), TEXT_ARG(record),
               r.remark_count ? r.remarks[0].text : "no remark");
        counts[class]++;
    }
    free(data);
    for (size_t i = 0; i < WRONG; i++)
        if (counts[i])
            printf("dmarc: %zu records %s\n", counts[i], class_names[i]);
    T_TRUE(counts[RIGHT] > 50, "the corpus was read");
}

/* -- Look-ups -----------------------------------------------------------------------------------*/

static struct dns_world *world_of(const struct json *zone)
{
    struct dns_world *w = dns_world_new();
    void *pos = NULL;
    struct text key;
    const struct json *value;
    while (json_next(zone, &pos, &key, &value)) {
        struct text name = text_cut(key, 0, text_find(key, ' '));
        struct text error = json_string_text(json_member(value, "error"));
        if (error.n)
            dns_world_status(w, name, DNS_TXT,
                             text_eq(error, TEXT("ENOTFOUND")) ? DNS_NXDOMAIN : DNS_TIMEOUT);
        for (size_t i = 0; i < json_count(value) && !error.n; i++) {
            const struct json *strings = json_element(value, i);
            struct buf all = {0};
            for (size_t k = 0; k < json_count(strings); k++)
                buf_add_text(&all, json_string_text(json_element(strings, k)));
            dns_world_add(w, name, DNS_TXT, buf_text(&all));
            buf_fini(&all);
        }
    }
    return w;
}

static size_t read_identifiers(const struct json *question,
                               const char *member,
                               bool dkim,
                               struct dmarc_identifier *out)
{
    const struct json *list = json_member(question, member);
    for (size_t i = 0; i < json_count(list); i++)
        out[i] = (struct dmarc_identifier){
            .domain = json_string_text(json_member(json_element(list, i), "domain")), .dkim = dkim};
    return json_count(list);
}

static void same_text(const struct json *want,
                      const char *member,
                      struct text got,
                      struct text test)
{
    struct text t = json_string_text(json_member(want, member));
    T_TRUE(!t.n || text_ieq(t, got), TEXT_FMT ": %s is " TEXT_FMT ", want " TEXT_FMT,
           TEXT_ARG(test), member, TEXT_ARG(got), TEXT_ARG(t));
}

static void check_verify(const struct dmarc *d, const struct json *result, struct text test)
{
    const struct json *status = json_member(result, "status");
    same_text(status, "result", text_of(dmarc_result_name(d->result)), test);
    if (d->result != DMARC_PASS && d->result != DMARC_FAIL)
        return;
    enum dmarc_policy sp = d->parsed.sp == DMARC_UNSET ? d->parsed.p : d->parsed.sp;
    same_text(json_member(status, "header"), "d", d->record_at, test);
    same_text(result, "policy", text_of(dmarc_policy_name(d->asked)), test);
    same_text(result, "p", text_of(dmarc_policy_name(d->parsed.p)), test);
    same_text(result, "sp", text_of(dmarc_policy_name(sp)), test);
    same_text(result, "rr", d->record, test);
    const struct json *alignment = json_member(result, "alignment");
    bool spf = json_string_text(json_member(json_member(alignment, "spf"), "result")).n;
    bool dkim = json_string_text(json_member(json_member(alignment, "dkim"), "result")).n;
    T_EQ(d->aligned_spf, spf, TEXT_FMT ": SPF", TEXT_ARG(test));
    T_EQ(d->aligned_dkim, dkim, TEXT_FMT ": DKIM", TEXT_ARG(test));
}

static void check_lookup(const struct dmarc *d, const struct json *result, struct text test)
{
    bool found = json_kind(result) == JSON_KIND_OBJECT;
    if (found && json_string_text(json_member(result, "error")).n) {
        T_STR(dmarc_result_name(d->result), "temperror", TEXT_FMT, TEXT_ARG(test));
        return;
    }
    T_EQ(d->result != DMARC_NO_POLICY, found, TEXT_FMT, TEXT_ARG(test));
    same_text(result, "p", text_of(dmarc_policy_name(d->parsed.p)), test);
    same_text(result, "sp", text_of(dmarc_policy_name(d->parsed.sp)), test);
}

static bool run_case(struct text line, const struct suffixes *suffixes)
{
    struct json *doc = NULL;
    struct tide_error err;
    struct arena arena = {0};
    struct dmarc d;
    struct question todo;
    struct dmarc_identifier ids[DMARC_IDENTIFIERS_MAX];
    T_OK(json_parse(line, 1 << 20, &doc, &err), &err, "a line");
    const struct json *question = json_member(doc, "question");
    bool verify = text_eq(json_string_text(json_member(doc, "kind")), TEXT("verify"));
    struct text from = json_string_text(json_member(question, verify ? "headerFrom" : "domain"));
    struct text test = json_string_text(json_member(doc, "test"));
    bool run = from.n > 0; /* several From addresses: message_from() refuses them */
    if (run) {
        struct dns_world *w = world_of(json_member(doc, "zone"));
        size_t count = read_identifiers(question, "dkimDomains", true, ids);
        count += read_identifiers(question, "spfDomains", false, ids + count);
        from = text_cut(from, verify ? text_find(from, '@') + 1 : 0, from.n);
        dmarc_init(&d, from, ids, count, suffixes, &arena);
        dmarc_start(&d, &todo);
        dns_world_run(w, todo, dmarc_feed, &d);
        (verify ? check_verify : check_lookup)(&d, json_member(doc, "result"), test);
        dns_world_free(w);
    }
    json_free(doc);
    arena_fini(&arena);
    return run;
}

static void test_discovery(void **state)
{
    (void)state;
    const char *dir = corpora_dir("DMARC look-ups");
    struct suffixes *suffixes = NULL;
    struct tide_error err;
    if (!dir)
        return;
    T_OK(suffixes_open(&suffixes, &err), &err, "public suffixes");
    size_t n, cases = 0;
    char *data = tsv_read(dir, "dmarc/discovery.jsonl", &n);
    struct text rest = {data, n}, line;
    while (text_split(&rest, '\n', &line)) {
        if (line.n == 0)
            continue;
        cases += run_case(line, NULL);
        (void)run_case(line, suffixes);
    }
    free(data);
    suffixes_close(suffixes);
    printf("dmarc: %zu look-ups by RFC 9989 and by RFC 7489, all right\n", cases);
    T_TRUE(cases >= 20, "the corpus was read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_records),
                                       cmocka_unit_test(test_discovery)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
