#include "core/plan/rules.h"

#include "base/macros.h"

#include <stdlib.h>

#define BURST_MAX 1000000 /* a bucket's level is 32 bits wide, in 1/LEDGER_RATE_UNIT */

/* While one set is made. */
struct making {
    struct rules *rules;
    const struct config *config;
    const struct plan_zones *zones;
    const char *owner;  /* account: its name goes into the hash; NULL for a provider */
    struct text called; /* provider: rules_called() */
    struct rule_set *set;
    struct tide_error *err;
};

static enum tide_err fail_limit(const struct making *m,
                                const struct limit *l,
                                enum tide_err code,
                                const char *what)
{
    return tide_fail(m->err, code, "%s:%u: limit %s: %s", l->file ? l->file : "configuration",
                     l->line, l->name, what);
}

static enum tide_err find_zone(const struct making *m, const char *name, struct zone **ret)
{
    *ret = NULL;
    if (!name || !strcmp(name, "UTC"))
        return TIDE_OK;
    struct zone *z = strmap_get(&m->rules->zones, text_of(name));
    if (!z) {
        enum tide_err rc = m->zones && m->zones->load
                               ? m->zones->load(m->zones->arg, name, &z, m->err)
                               : tide_fail(m->err, TIDE_ENOENT, "zone \"%s\": no zones here", name);
        if (rc != TIDE_OK)
            return rc;
        if (!strmap_put(&m->rules->zones, text_of(name), z)) {
            zone_free(z);
            return tide_fail(m->err, TIDE_ENOMEM, "zone \"%s\"", name);
        }
    }
    *ret = z;
    return TIDE_OK;
}

/* "day" of "sendgrid/day": an account's limit replaces its profile's of the same own name. */
static const char *own_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* The name alone: neither number nor window, so that both may be edited. */
static uint32_t limit_id(const struct making *m, const struct limit *l)
{
    const char *own = own_name(l->name);
    if (!m->owner) /* of "CALLED/OWN" */
        return plan_hash(plan_hash(plan_hash(1, m->called.p, m->called.n), "/", 1), own,
                         strlen(own));
    return plan_hash(plan_hash(2, m->owner, strlen(m->owner)), own, strlen(own));
}

static enum tide_err fill_meter(const struct making *m, const struct limit *l, struct meter *ret)
{
    struct zone *zone = NULL;
    enum tide_err rc = window_is_fixed(&l->window) ? find_zone(m, l->window.zone, &zone) : TIDE_OK;
    if (rc != TIDE_OK)
        return tide_wrap(m->err, rc, "%s:%u: limit %s", l->file ? l->file : "configuration",
                         l->line, l->name);
    int64_t quarter = window_length_ms(&l->window) / 4;
    *ret = (struct meter){
        .limit = l,
        .rule = {.def = &l->window, .zone = zone},
        .id = limit_id(m, l),
        .window = window_hash(&l->window),
        .margin_ms =
            l->window.kind == WINDOW_RATE ? 0 : TIDE_MIN(m->config->planner.margin_ms, quarter),
        .burst = TIDE_MIN(TIDE_MAX(l->burst, 1), BURST_MAX),
    };
    return TIDE_OK;
}

/* Adds the limit, or puts it in place of the one that counts under the same hash. */
static enum tide_err take(const struct making *m, const struct limit *l, size_t max, bool replace)
{
    struct meter made;
    enum tide_err rc = fill_meter(m, l, &made);
    if (rc != TIDE_OK)
        return rc;
    for (size_t i = 0; i < m->set->count; i++)
        if (m->set->meters[i].id == made.id) {
            if (!replace)
                return fail_limit(m, l, TIDE_EEXIST, "want another name, this one is taken");
            m->set->meters[i] = made;
            return TIDE_OK;
        }
    if (m->set->count == max)
        return tide_fail(m->err, TIDE_ELIMIT, "%s:%u: limit %s: want at most %zu limits here",
                         l->file ? l->file : "configuration", l->line, l->name, max);
    struct meter *more = realloc(m->set->meters, (m->set->count + 1) * sizeof *more);
    if (!more)
        return fail_limit(m, l, TIDE_ENOMEM, "out of memory");
    m->set->meters = more;
    more[m->set->count++] = made;
    return TIDE_OK;
}

static enum tide_err take_all(
    const struct making *m, const struct limit *l, size_t count, size_t max, bool replace)
{
    enum tide_err rc = TIDE_OK;
    for (size_t i = 0; i < count && rc == TIDE_OK; i++)
        rc = take(m, &l[i], max, replace);
    return rc;
}

struct text rules_called(const struct rules *r, struct text name)
{
    const char *called = r->called.count ? strmap_get(&r->called, name) : NULL;
    return called ? text_of(called) : name;
}

/* Whoever had other names before is counted under the oldest, so that nothing is forgotten. */
static enum tide_err call_providers(const struct making *m)
{
    const struct profiles *all = &m->config->profiles;
    for (size_t i = 0; i < all->provider_count; i++) {
        const struct profile *p = &all->providers[i];
        for (size_t k = 0; k <= p->formerly_count && p->formerly_count; k++) {
            struct text name = text_of(k ? p->formerly[k - 1] : p->name);
            const struct profile *now = profiles_provider(all, name);
            const char *called = strmap_get(&m->rules->called, name);
            if (called == p->formerly[0]) /* its own name again: it has gone back to it */
                continue;
            if ((now && now != p) || called)
                return tide_fail(m->err, TIDE_EEXIST,
                                 "%s: formerly: want names that no other profile has or had, got "
                                 "\"" TEXT_FMT "\"",
                                 p->file ? p->file : p->name, TEXT_ARG(name));
            if (!strmap_put(&m->rules->called, name, p->formerly[0]))
                return tide_fail(m->err, TIDE_ENOMEM, "names of provider %s", p->name);
        }
    }
    return TIDE_OK;
}

static enum tide_err provider_set(struct making *m, struct text plain_name)
{
    struct text name = m->called = rules_called(m->rules, plain_name);
    m->set = strmap_get(&m->rules->providers, name);
    if (m->set)
        return TIDE_OK;
    m->set = calloc(1, sizeof *m->set);
    if (m->set && strmap_put(&m->rules->providers, name, m->set))
        return TIDE_OK;
    free(m->set);
    return tide_fail(m->err, TIDE_ENOMEM, "limits of provider " TEXT_FMT, TEXT_ARG(name));
}

static enum tide_err make_providers(struct making *m)
{
    const struct config *c = m->config;
    enum tide_err rc = call_providers(m);
    for (size_t i = 0; i < c->profiles.provider_count && rc == TIDE_OK; i++) {
        const struct profile *p = &c->profiles.providers[i];
        rc = provider_set(m, text_of(p->name));
        if (rc == TIDE_OK)
            rc = take_all(m, p->limits, p->limit_count, RULES_PROVIDER_MAX, false);
    }
    for (size_t i = 0; i < c->provider_limit_count && rc == TIDE_OK; i++) {
        const struct limit *l = &c->provider_limits[i];
        struct text name = text_of(l->name);
        size_t slash = text_find(name, '/');
        if (slash == name.n)
            return fail_limit(m, l, TIDE_ESYNTAX, "want a name of the form PROVIDER/LIMIT");
        rc = provider_set(m, text_cut(name, 0, slash));
        if (rc == TIDE_OK)
            rc = take(m, l, RULES_PROVIDER_MAX, true);
    }
    return rc;
}

static enum tide_err make_accounts(struct making *m)
{
    const struct config *c = m->config;
    struct rules *r = m->rules;
    r->accounts = calloc(c->account_count ? c->account_count : 1, sizeof *r->accounts);
    if (!r->accounts)
        return tide_fail(m->err, TIDE_ENOMEM, "limits of accounts");
    enum tide_err rc = TIDE_OK;
    for (size_t i = 0; i < c->account_count && rc == TIDE_OK; i++) {
        const struct config_account *a = &c->accounts[i];
        m->owner = a->name;
        m->set = &r->accounts[r->account_count++];
        if (a->profile)
            rc = take_all(m, a->profile->limits, a->profile->limit_count, RULES_ACCOUNT_MAX, false);
        if (rc == TIDE_OK)
            rc = take_all(m, a->limits, a->limit_count, RULES_ACCOUNT_MAX, true);
    }
    return rc;
}

static enum tide_err index_set(const struct making *m, struct rule_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct meter *meter = &set->meters[i];
        if (idmap_get(&m->rules->by_id, meter->id))
            return fail_limit(m, meter->limit, TIDE_EEXIST,
                              "its name hashes like another limit's, rename one of them");
        if (!idmap_put(&m->rules->by_id, meter->id, meter))
            return fail_limit(m, meter->limit, TIDE_ENOMEM, "out of memory");
    }
    return TIDE_OK;
}

static enum tide_err make_index(const struct making *m)
{
    enum tide_err rc = TIDE_OK;
    uint32_t pos = 0;
    for (struct rule_set *s; rc == TIDE_OK && (s = strmap_next(&m->rules->providers, &pos, NULL));)
        rc = index_set(m, s);
    for (size_t i = 0; i < m->rules->account_count && rc == TIDE_OK; i++)
        rc = index_set(m, &m->rules->accounts[i]);
    return rc;
}

enum tide_err rules_new(const struct config *config,
                        const struct plan_zones *zones,
                        struct rules **ret,
                        struct tide_error *err)
{
    struct rules *r = calloc(1, sizeof *r);
    if (!r)
        return tide_fail(err, TIDE_ENOMEM, "limits");
    struct making m = {.rules = r, .config = config, .zones = zones, .err = err};
    enum tide_err rc = make_providers(&m);
    if (rc == TIDE_OK)
        rc = make_accounts(&m);
    if (rc == TIDE_OK)
        rc = make_index(&m);
    if (rc == TIDE_OK)
        *ret = r;
    else
        rules_free(r);
    return rc;
}

void rules_free(struct rules *r)
{
    if (!r)
        return;
    uint32_t pos = 0;
    for (struct zone *z; (z = strmap_next(&r->zones, &pos, NULL));)
        zone_free(z);
    pos = 0;
    for (struct rule_set *s; (s = strmap_next(&r->providers, &pos, NULL)); free(s))
        free(s->meters);
    for (size_t i = 0; i < r->account_count; i++)
        free(r->accounts[i].meters);
    free(r->accounts);
    strmap_fini(&r->zones);
    strmap_fini(&r->providers);
    strmap_fini(&r->called);
    idmap_fini(&r->by_id);
    free(r);
}
