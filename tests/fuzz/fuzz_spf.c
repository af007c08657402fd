/* Whatever a domain and its DNS say, check_host() ends within its bounds. The input's first line is
 * the record of every name asked as TXT; the bytes after it choose address, statuses and answers.
 */
#include "core/verify/spf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define QUESTIONS_MAX 2000

static void must(int condition)
{
    if (!condition)
        abort();
}

struct source {
    const uint8_t *p;
    size_t n;
};

static uint8_t next(struct source *s)
{
    if (s->n == 0)
        return 0;
    s->n--;
    return *s->p++;
}

static void answer(struct source *s,
                   struct text record,
                   const struct question *q,
                   struct dns_rr rrs[16],
                   struct dns_answer *a)
{
    static const enum dns_status statuses[] = {DNS_OK, DNS_OK,     DNS_OK,       DNS_OK,
                                               DNS_OK, DNS_NODATA, DNS_NXDOMAIN, DNS_SERVFAIL};
    uint8_t choice = next(s);
    *a = (struct dns_answer){.type = q->type, .status = statuses[choice & 7], .rrs = rrs};
    if (a->status != DNS_OK)
        return;
    a->rr_count = 1 + (choice >> 3) % 15;
    if (q->type == DNS_TXT)
        a->rr_count = choice > 250 ? 2 : 1;
    for (size_t i = 0; i < a->rr_count; i++) {
        rrs[i] = (struct dns_rr){.data = q->type == DNS_TXT ? record : q->name};
        for (size_t k = 0; k < 4; k++)
            rrs[i].address[k] = next(s);
    }
}

static void run(struct source s, struct text record, bool audit)
{
    static struct spf_memo memo;
    struct arena arena;
    struct spf spf;
    struct question q;
    struct dns_rr rrs[16];
    struct spf_input in = {.mail_from = TEXT("a-b.c+d@x.example.org"),
                           .helo = TEXT("mail.example.org"),
                           .is_v6 = next(&s) & 1,
                           .explain = true,
                           .audit = audit,
                           .memo = audit ? &memo : NULL};
    for (size_t i = 0; i < 16; i++)
        in.ip[i] = next(&s);
    arena_init(&arena, 4u << 20);
    spf_init(&spf, &in, &arena);
    spf_start(&spf, &q);
    size_t asked = 0;
    while (!q.done) {
        struct dns_answer a;
        must(question_name_ok(q.name) && ++asked < QUESTIONS_MAX);
        answer(&s, record, &q, rrs, &a);
        spf_answer(&spf, &a, &q);
    }
    must(spf.lookups <= (audit ? SPF_AUDIT_MAX : SPF_LOOKUPS_MAX) + 1u);
    must(spf.depth <= SPF_DEPTH_MAX);
    spf_fini(&spf);
    spf_memo_fini(&memo); /* each input stands alone */
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text all = {(const char *)data, size};
    size_t line = text_find(all, '\n');
    struct source s = {data + line, size - line};
    run(s, text_cut(all, 0, line), false);
    run(s, text_cut(all, 0, line), true);
    return 0;
}
