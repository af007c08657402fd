#include "core/verify/mailbox_host.h"

#include "core/verify/dkim_key.h"
#include "core/verify/question.h"

void mailbox_host_init(struct mailbox_host *h, struct text domain, struct arena *arena)
{
    *h = (struct mailbox_host){.arena = arena, .domain = domain};
}

static bool any_by_spf(const struct mailbox_host *h)
{
    for (size_t i = 0; i < h->found_count; i++)
        if (h->found[i].spf)
            return true;
    return false;
}

/* Its place among those found; MAILBOX_HOSTS_MAX: it is not there. */
static size_t place_of(const struct mailbox_host *h, const char *name)
{
    for (size_t i = 0; i < h->found_count; i++)
        if (text_eq(h->found[i].name, text_of(name)))
            return i;
    return MAILBOX_HOSTS_MAX;
}

static void find(struct mailbox_host *h, const struct profile *p, bool dkim)
{
    size_t i = place_of(h, p->name);
    if (i == MAILBOX_HOSTS_MAX) {
        if (h->found_count == MAILBOX_HOSTS_MAX)
            return;
        i = h->found_count;
        h->found[i].name = arena_text(h->arena, text_of(p->name));
        h->failed = h->failed || !h->found[i].name.p;
        h->found_count++;
    }
    h->found[i].dkim = h->found[i].dkim || dkim;
    h->found[i].spf = h->found[i].spf || !dkim;
}

/* -- Asking -------------------------------------------------------------------------------------*/

static bool asked_before(const struct provider_index *ix, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (text_eq(ix->selectors[i].name, ix->selectors[at].name))
            return true;
    return false;
}

/* Whether somebody who matters has his customers publish it. */
static bool wanted(const struct mailbox_host *h, const struct provider_index *ix, struct text name)
{
    bool candidates = any_by_spf(h);
    for (size_t i = 0; i < ix->selector_count; i++)
        if (text_eq(ix->selectors[i].name, name) &&
            (!candidates || place_of(h, ix->selectors[i].of->name) < MAILBOX_HOSTS_MAX))
            return true;
    return false;
}

struct text mailbox_host_ask(struct mailbox_host *h, const struct provider_index *ix)
{
    if (h->asked++ == 0)
        return h->domain;
    while (!h->failed && h->asked <= 1 + MAILBOX_SELECTORS_MAX && h->next < ix->selector_count) {
        size_t at = h->next++;
        struct text selector = ix->selectors[at].name;
        if (asked_before(ix, at) || !wanted(h, ix, selector))
            continue;
        char *name = arena_printf(h->arena, TEXT_FMT "._domainkey." TEXT_FMT, TEXT_ARG(selector),
                                  TEXT_ARG(h->domain));
        h->selector = arena_text(h->arena, selector);
        h->failed = !name || !h->selector.p;
        if (!h->failed && question_name_ok(text_of(name)))
            return text_of(name);
    }
    return (struct text){0};
}

/* -- Answers ------------------------------------------------------------------------------------*/

static struct text said(struct mailbox_host *h, char *line)
{
    h->failed = h->failed || !line;
    return text_of(line);
}

static struct text on_spf(struct mailbox_host *h,
                          const struct provider_index *ix,
                          const struct dns_answer *a)
{
    struct text seen = {0};
    for (size_t i = 0; i < a->rr_count; i++) {
        struct text txt = a->rrs[i].data, word;
        if (!text_split(&txt, ' ', &word) || !text_ieq(word, TEXT("v=spf1")))
            continue;
        while (text_split(&txt, ' ', &word)) {
            if (word.n && memchr("+?~", word.p[0], 3))
                word = text_cut(word, 1, word.n);
            size_t head = text_istarts(word, TEXT("include:"))    ? 8
                          : text_istarts(word, TEXT("redirect=")) ? 9
                                                                  : word.n;
            word = text_cut(word, head, word.n);
            const struct profile *p = provider_of_include(ix, word);
            if (p)
                find(h, p, false);
            if (p && !seen.n)
                seen =
                    said(h, arena_printf(h->arena, "the SPF record of " TEXT_FMT " names " TEXT_FMT,
                                         TEXT_ARG(h->domain), TEXT_ARG(word)));
        }
    }
    return seen;
}

/* A wildcard's text answers for every selector, and is seldom a key. */
static bool has_key(const struct dns_answer *a)
{
    for (size_t i = 0; i < a->rr_count; i++)
        if (dkim_key_is(a->rrs[i].data))
            return true;
    return false;
}

static struct text on_dkim(struct mailbox_host *h,
                           const struct provider_index *ix,
                           const struct dns_answer *a)
{
    struct text seen = {0};
    for (size_t i = 0; has_key(a) && i < ix->selector_count; i++) {
        struct text end = ix->selectors[i].end;
        if (!text_eq(ix->selectors[i].name, h->selector))
            continue;
        if (end.n && (!a->cname_count || !text_iends(a->canonical, end)))
            continue;
        find(h, ix->selectors[i].of, true);
        seen = said(h, arena_printf(
                           h->arena, "the DKIM selector " TEXT_FMT " of " TEXT_FMT " is that of %s",
                           TEXT_ARG(h->selector), TEXT_ARG(h->domain), ix->selectors[i].of->name));
    }
    return seen;
}

struct text mailbox_host_answer(struct mailbox_host *h,
                                const struct provider_index *ix,
                                const struct dns_answer *a)
{
    if (a->status != DNS_OK)
        return (struct text){0};
    return h->selector.n ? on_dkim(h, ix, a) : on_spf(h, ix, a);
}

struct text mailbox_host_name(const struct mailbox_host *h, enum limit_confidence *ret)
{
    size_t best = 0, with_best = 0, who = 0;
    for (size_t i = 0; i < h->found_count; i++) {
        size_t signs = (size_t)h->found[i].spf + h->found[i].dkim;
        if (signs > best)
            with_best = 0;
        best = signs > best ? signs : best;
        if (signs == best) {
            with_best++;
            who = i;
        }
    }
    if (with_best != 1 || h->failed)
        return (struct text){0};
    *ret = best == 2 ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM;
    return h->found[who].name;
}
