#include "core/verify/provider.h"

#include <stdlib.h>

#define NAME_BYTES_MAX 256
#define END_BYTES      7 /* ".qq.com" */

static bool put_lower(struct strmap *m, const char *name, const void *value)
{
    char lower[NAME_BYTES_MAX];
    size_t n = strlen(name);
    if (n == 0 || n >= sizeof lower)
        return true; /* longer than any name: can match none */
    for (size_t i = 0; i < n; i++)
        lower[i] = ascii_lower(name[i]);
    struct text key = {lower, n};
    /* The first to claim it keeps it; a test over the profiles finds those who claim twice. */
    return strmap_get(m, key) || strmap_put(m, key, (void *)(uintptr_t)value);
}

/* The bit of a name's end, which is the same for a host and every claim on it; of END_BYTES. */
static unsigned end_bit(struct text name)
{
    uint64_t end = 0;
    memcpy(&end, name.p + name.n - END_BYTES, END_BYTES);
    return (unsigned)(hash_u64(end) % PROVIDER_ENDS_BITS);
}

/* A claim on a host, or on all hosts below a name that begins with a dot. */
static bool put_claim(struct provider_index *ix,
                      struct strmap *hosts,
                      const char *name,
                      const void *value)
{
    char lower[END_BYTES];
    size_t n = strlen(name);
    if (n < END_BYTES) {
        ix->any_end = true;
    } else {
        for (size_t i = 0; i < END_BYTES; i++)
            lower[i] = ascii_lower(name[n - END_BYTES + i]);
        unsigned bit = end_bit((struct text){lower, END_BYTES});
        ix->ends[bit / 64] |= (uint64_t)1 << bit % 64;
    }
    return put_lower(hosts, name, value);
}

/* "selector1 onmicrosoft.com"; the profile's own text is pointed to. */
static void put_selector(struct provider_index *ix, const struct profile *p, const char *selector)
{
    struct text end = text_of(selector), name = {0};
    (void)text_split(&end, ' ', &name);
    ix->selectors[ix->selector_count++] =
        (struct provider_selector){.name = name, .end = text_trim(end), .of = p};
}

static bool put_profile(struct provider_index *ix, const struct profile *p)
{
    bool ok = true;
    for (size_t k = 0; k < p->mx_suffix_count; k++)
        ok = ok && put_claim(ix, &ix->hosts, p->mx_suffixes[k], p);
    for (size_t k = 0; k < p->domain_count; k++) {
        ok = ok && put_lower(&ix->domains, p->domains[k], p);
        ix->known[ix->known_count++] = p->domains[k];
    }
    for (size_t k = 0; k < p->spf_include_count && !p->is_gateway; k++)
        ok = ok && put_lower(&ix->includes, p->spf_includes[k], p);
    for (size_t k = 0; k < p->dkim_selector_count && !p->is_gateway; k++)
        put_selector(ix, p, p->dkim_selectors[k]);
    return ok;
}

static bool put_lists(struct provider_index *ix, const struct lists *lists)
{
    const struct list_words *free_mail = &lists->of[LIST_FREE_MAIL];
    bool ok = true;
    for (size_t i = 0; i < free_mail->count; i++)
        ix->known[ix->known_count++] = free_mail->words[i];
    for (int kind = PROVIDER_PARKED; kind <= PROVIDER_DISPOSABLE; kind++) {
        const struct list_words *list =
            &lists->of[kind == PROVIDER_PARKED ? LIST_PARKED_MX : LIST_DISPOSABLE_MX];
        for (size_t i = 0; i < list->count; i++)
            ok = ok && put_claim(ix, &ix->odd_hosts, list->words[i], (void *)(uintptr_t)kind);
    }
    return ok;
}

enum tide_err provider_index_init(struct provider_index *ix,
                                  const struct profiles *profiles,
                                  struct tide_error *err)
{
    size_t known = profiles->lists.of[LIST_FREE_MAIL].count, selectors = 0;
    *ix = (struct provider_index){0};
    strmap_init(&ix->hosts);
    strmap_init(&ix->domains);
    strmap_init(&ix->includes);
    strmap_init(&ix->odd_hosts);
    for (size_t i = 0; i < profiles->provider_count; i++) {
        known += profiles->providers[i].domain_count;
        selectors += profiles->providers[i].dkim_selector_count;
    }
    ix->known = calloc(known + 1, sizeof *ix->known);
    ix->selectors = calloc(selectors + 1, sizeof *ix->selectors);
    bool ok = ix->known && ix->selectors;
    for (size_t i = 0; i < profiles->provider_count; i++)
        ok = ok && put_profile(ix, &profiles->providers[i]);
    if (ok && put_lists(ix, &profiles->lists))
        return TIDE_OK;
    provider_index_fini(ix);
    return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
}

void provider_index_fini(struct provider_index *ix)
{
    strmap_fini(&ix->hosts);
    strmap_fini(&ix->domains);
    strmap_fini(&ix->includes);
    strmap_fini(&ix->odd_hosts);
    free(ix->known);
    free(ix->selectors);
    *ix = (struct provider_index){0};
}

static bool may_be_claimed(const struct provider_index *ix, struct text host)
{
    if (host.n < END_BYTES)
        return false;
    unsigned bit = end_bit(host);
    return ix->ends[bit / 64] >> bit % 64 & 1;
}

/* The whole name first, then each shorter suffix with its dot: the longest claim wins. */
static const void *of_host(const struct provider_index *ix,
                           const struct strmap *hosts,
                           struct text host)
{
    if (!ix->any_end && !may_be_claimed(ix, host))
        return NULL;
    const void *claim = strmap_get(hosts, host);
    for (size_t at = text_find(host, '.'); !claim && at < host.n;) {
        struct text suffix = text_cut(host, at, host.n);
        claim = strmap_get(hosts, suffix);
        at += 1 + text_find(text_cut(suffix, 1, suffix.n), '.');
    }
    return claim;
}

const struct profile *provider_of_include(const struct provider_index *ix, struct text include)
{
    char lower[NAME_BYTES_MAX];
    if (include.n == 0 || include.n > sizeof lower)
        return NULL;
    for (size_t i = 0; i < include.n; i++)
        lower[i] = ascii_lower(include.p[i]);
    return strmap_get(&ix->includes, (struct text){lower, include.n});
}

enum provider_oddity provider_oddity(const struct provider_index *ix, struct text host)
{
    return (enum provider_oddity)(uintptr_t)of_host(ix, &ix->odd_hosts, host);
}

struct provider_match provider_match(const struct provider_index *ix,
                                     struct text domain,
                                     const struct text *hosts,
                                     size_t host_count)
{
    struct provider_match m = {0};
    bool agree = true;
    for (size_t i = 0; i < host_count; i++) {
        const struct profile *p = of_host(ix, &ix->hosts, hosts[i]);
        if (p && p->is_gateway) {
            m.gateway = m.gateway ? m.gateway : p;
            continue;
        }
        agree = agree && p && (!m.provider || m.provider == p);
        if (agree)
            m.provider = p;
    }
    if (!agree)
        m.provider = NULL;
    if (!m.provider) {
        m.provider = strmap_get(&ix->domains, domain);
        m.by_domain = m.provider != NULL;
    }
    return m;
}

struct text provider_suggest(const struct provider_index *ix, struct text domain)
{
    struct text near = text_of(text_nearest(domain, ix->known, ix->known_count));
    unsigned slips = domain.n >= 9 ? 2 : 1; /* one letter in short names, two in longer ones */
    return near.n && !text_ieq(near, domain) && text_distance(domain, near, slips + 1) <= slips
               ? near
               : (struct text){0};
}
