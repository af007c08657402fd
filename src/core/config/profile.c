#include "core/config/profile.h"

#include "core/config/doc.h"
#include "core/config/limits.h"

#include <stdlib.h>

#define PROFILE_BYTES_MAX (1 << 20)

void profile_fini(struct profile *p)
{
    arena_fini(&p->memory);
    *p = (struct profile){0};
}

/* "schedules/providers/qq.conf" is "qq": what can be a key of the configuration. */
static enum tide_err name_of(const char *file, struct text *ret, struct tide_error *err)
{
    const char *slash = strrchr(file, '/');
    struct text name = text_of(slash ? slash + 1 : file);
    if (text_iends(name, TEXT(".conf")))
        name.n -= 5;
    bool ok = name.n > 0 && name.n <= DOC_NAME_BYTES_MAX && ascii_is_alpha(name.p[0]);
    for (size_t i = 0; i < name.n && ok; i++)
        ok = ascii_is_alnum(name.p[i]) || name.p[i] == '-' || name.p[i] == '_';
    if (!ok)
        return tide_fail(err, TIDE_EINVAL,
                         "%s: want a file name of letters, digits and hyphens, beginning with a "
                         "letter",
                         file);
    *ret = name;
    return TIDE_OK;
}

/* Lower case, one leading dot at most where `dots`, LDH labels. */
static enum tide_err check_hosts(const struct doc *d,
                                 const char *key,
                                 char **list,
                                 size_t count,
                                 bool dots,
                                 struct tide_error *err)
{
    const config_setting_t *s = config_setting_get_member(config_root_setting(&d->tree), key);
    for (size_t i = 0; i < count; i++) {
        struct text rest = text_of(list[i]), label;
        bool ok = rest.n <= 253;
        for (size_t k = 0; k < rest.n; k++)
            list[i][k] = ascii_lower(list[i][k]);
        if (dots && rest.n > 1 && rest.p[0] == '.')
            rest = text_cut(rest, 1, rest.n);
        ok &= text_find(rest, '.') < rest.n;
        while (ok && text_split(&rest, '.', &label)) {
            ok = label.n > 0 && label.n <= 63;
            for (size_t k = 0; k < label.n && ok; k++)
                ok = ascii_is_alnum(label.p[k]) || label.p[k] == '-' || label.p[k] == '_';
        }
        if (!ok)
            return doc_fail(d, s, err, TIDE_EINVAL, "want %s, got \"%.60s\"",
                            dots ? "host names or \".suffix\"" : "domain names", list[i]);
    }
    return TIDE_OK;
}

static enum tide_err check_profile(const struct doc *d, struct profile *p, struct tide_error *err)
{
    enum tide_err rc = check_hosts(d, "mx", p->mx_suffixes, p->mx_suffix_count, true, err);
    if (rc == TIDE_OK)
        rc = check_hosts(d, "domains", p->domains, p->domain_count, false, err);
    if (rc == TIDE_OK)
        rc = check_hosts(d, "spf", p->spf_includes, p->spf_include_count, false, err);
    if (rc != TIDE_OK)
        return rc;
    if (!p->title)
        return tide_fail(err, TIDE_EINVAL, "%s: title: want one, got none", p->file);
    if (p->kind == PROFILE_PROVIDER && p->mx_suffix_count == 0 && p->domain_count == 0)
        return tide_fail(err, TIDE_EINVAL,
                         "%s: want mx or domains, got neither: nothing would be recognised",
                         p->file);
    return TIDE_OK;
}

static enum tide_err read_guards(const struct doc *d,
                                 const config_setting_t *group,
                                 const struct doc_values *values,
                                 struct profile *p,
                                 struct tide_error *err)
{
    size_t count = (size_t)config_setting_length(group);
    p->guards = arena_array(values->arena, count + 1, sizeof *p->guards);
    if (!p->guards)
        return doc_fail(d, group, err, TIDE_ENOMEM, "out of memory");
    for (unsigned i = 0; i < count; i++) {
        const config_setting_t *s = config_setting_get_elem(group, i);
        struct guard_rule *g = &p->guards[p->guard_count];
        *g = (struct guard_rule){.name = arena_strdup(values->arena, config_setting_name(s)),
                                 .volume = 10000};
        enum tide_err rc =
            doc_group(d, s, profile_keys, profile_key_count, "guard", values, g, err);
        if (rc != TIDE_OK)
            return rc;
        if (!g->name || !(g->review > 0) || !(g->pause >= g->review))
            return doc_fail(d, s, err, TIDE_EINVAL, "want review above 0, and pause not below it");
        if (!g->reference || !g->date || !doc_date_ok(text_of(g->date)))
            return doc_fail(d, s, err, TIDE_EINVAL, "want reference and date, as \"2026-11-21\"");
        p->guard_count++;
    }
    return TIDE_OK;
}

static enum tide_err read_profile(const struct doc *d, struct profile *p, struct tide_error *err)
{
    const config_setting_t *root = config_root_setting(&d->tree), *limits = NULL, *guards = NULL;
    struct doc_values values = {.arena = &p->memory};
    const char *prefix = p->kind == PROFILE_PROVIDER ? "provider" : "account";
    enum tide_err rc = doc_group(d, root, profile_keys, profile_key_count, prefix, &values, p, err);
    if (rc == TIDE_OK)
        rc = doc_named(d, root, "limits", &limits, err);
    if (rc == TIDE_OK && limits) {
        struct limits_context c = {.doc = d, .values = &values, .owner = p->name, .sourced = true};
        rc = limits_read(&c, limits, &p->limits, &p->limit_count, err);
    }
    if (rc == TIDE_OK)
        rc = doc_named(d, root, "guards", &guards, err);
    if (rc == TIDE_OK && guards)
        rc = read_guards(d, guards, &values, p, err);
    return rc == TIDE_OK ? check_profile(d, p, err) : rc;
}

enum tide_err profile_parse(enum profile_kind kind,
                            const char *file,
                            struct text content,
                            struct profile *ret,
                            struct tide_error *err)
{
    struct profile p = {.kind = kind};
    struct doc d;
    struct text name = {0};
    enum tide_err rc = name_of(file, &name, err);
    if (rc == TIDE_OK)
        rc = doc_parse(file, content, &d, err);
    if (rc != TIDE_OK)
        return rc;
    arena_init(&p.memory, 16 * PROFILE_BYTES_MAX);
    p.name = arena_strndup(&p.memory, name.p, name.n);
    p.file = arena_strdup(&p.memory, file);
    rc = p.name && p.file ? read_profile(&d, &p, err)
                          : tide_fail(err, TIDE_ENOMEM, "%s: out of memory", file);
    doc_fini(&d);
    if (rc == TIDE_OK)
        *ret = p;
    else
        profile_fini(&p);
    return rc;
}

void profiles_fini(struct profiles *p)
{
    for (size_t i = 0; i < p->provider_count; i++)
        profile_fini(&p->providers[i]);
    for (size_t i = 0; i < p->account_count; i++)
        profile_fini(&p->accounts[i]);
    free(p->providers);
    free(p->accounts);
    lists_fini(&p->lists);
    *p = (struct profiles){0};
}

static const struct profile *find(const struct profile *list, size_t count, struct text name)
{
    for (size_t i = 0; i < count; i++)
        if (text_eq(text_of(list[i].name), name))
            return &list[i];
    return NULL;
}

const struct profile *profiles_provider(const struct profiles *p, struct text name)
{
    return find(p->providers, p->provider_count, name);
}

const struct profile *profiles_account(const struct profiles *p, struct text name)
{
    return find(p->accounts, p->account_count, name);
}

static bool same_names(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; i < a_count && same; i++)
        same = !strcmp(a[i], b[i]);
    return same;
}

bool profiles_recognise_alike(const struct profiles *a, const struct profiles *b)
{
    bool same = a->provider_count == b->provider_count;
    for (size_t i = 0; i < a->provider_count && same; i++) {
        const struct profile *x = &a->providers[i], *y = &b->providers[i];
        same = !strcmp(x->name, y->name) && x->is_gateway == y->is_gateway &&
               same_names(x->mx_suffixes, x->mx_suffix_count, y->mx_suffixes, y->mx_suffix_count) &&
               same_names(x->domains, x->domain_count, y->domains, y->domain_count) &&
               same_names(x->spf_includes, x->spf_include_count, y->spf_includes,
                          y->spf_include_count) &&
               same_names(x->dkim_selectors, x->dkim_selector_count, y->dkim_selectors,
                          y->dkim_selector_count);
    }
    return same;
}
