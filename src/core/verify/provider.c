#include "core/verify/provider.h"

#include <stdlib.h>

#define NAME_BYTES_MAX 256

static bool put_lower(struct strmap *m, const char *name, const struct profile *p)
{
    char lower[NAME_BYTES_MAX];
    size_t n = strlen(name);
    if (n == 0 || n >= sizeof lower)
        return true; /* longer than any name: can match none */
    for (size_t i = 0; i < n; i++)
        lower[i] = ascii_lower(name[i]);
    struct text key = {lower, n};
    /* The first to claim it keeps it; a test over the profiles finds those who claim twice. */
    return strmap_get(m, key) || strmap_put(m, key, (void *)(uintptr_t)p);
}

enum tide_err provider_index_init(struct provider_index *ix,
                                  const struct profiles *profiles,
                                  struct tide_error *err)
{
    size_t count = 0;
    strmap_init(&ix->hosts);
    strmap_init(&ix->domains);
    for (size_t i = 0; i < profiles->provider_count; i++)
        count += profiles->providers[i].domain_count;
    ix->known = calloc(count + 1, sizeof *ix->known);
    ix->known_count = 0;
    bool ok = ix->known != NULL;
    for (size_t i = 0; i < profiles->provider_count; i++) {
        const struct profile *p = &profiles->providers[i];
        for (size_t k = 0; k < p->mx_suffix_count; k++)
            ok = ok && put_lower(&ix->hosts, p->mx_suffixes[k], p);
        for (size_t k = 0; ok && k < p->domain_count; k++) {
            ok = put_lower(&ix->domains, p->domains[k], p);
            ix->known[ix->known_count++] = p->domains[k];
        }
    }
    if (ok)
        return TIDE_OK;
    provider_index_fini(ix);
    return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
}

void provider_index_fini(struct provider_index *ix)
{
    strmap_fini(&ix->hosts);
    strmap_fini(&ix->domains);
    free(ix->known);
    ix->known = NULL;
    ix->known_count = 0;
}

/* The whole name first, then each shorter suffix with its dot: the longest claim wins. */
static const struct profile *of_host(const struct provider_index *ix, struct text host)
{
    const struct profile *p = strmap_get(&ix->hosts, host);
    for (size_t at = text_find(host, '.'); !p && at < host.n;) {
        struct text suffix = text_cut(host, at, host.n);
        p = strmap_get(&ix->hosts, suffix);
        at += 1 + text_find(text_cut(suffix, 1, suffix.n), '.');
    }
    return p;
}

struct provider_match provider_match(const struct provider_index *ix,
                                     struct text domain,
                                     const struct text *hosts,
                                     size_t host_count)
{
    struct provider_match m = {0};
    bool agree = true;
    for (size_t i = 0; i < host_count; i++) {
        const struct profile *p = of_host(ix, hosts[i]);
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
    if (strmap_get(&ix->domains, domain))
        return (struct text){0};
    struct text near = text_of(text_nearest(domain, ix->known, ix->known_count));
    unsigned slips = domain.n >= 9 ? 2 : 1; /* one letter in short names, two in longer ones */
    return near.n && text_distance(domain, near, slips + 1) <= slips ? near : (struct text){0};
}
