#include "core/plan/planner.h"

#include "base/macros.h"
#include "core/address/addr.h"
#include "core/plan/planner_in.h"

#include <stdlib.h>

/* -- Configuration ----------------------------------------------------------------------------- */

static void names_free(struct planner_names *n)
{
    free(n->accounts);
    free(n->pools);
    free(n->streams);
}

static bool names_make(struct planner *p, const struct config *c, struct planner_names *ret)
{
    *ret = (struct planner_names){
        .accounts = calloc(c->account_count + 1, sizeof(uint32_t)),
        .pools = calloc(c->account_count + 1, sizeof(uint32_t)),
        .streams = calloc(c->stream_count + 1, sizeof(uint32_t)),
    };
    bool ok = ret->accounts && ret->pools && ret->streams;
    for (size_t i = 0; i < c->account_count && ok; i++) {
        const struct config_account *a = &c->accounts[i];
        ret->accounts[i] = subjects_intern(&p->subjects, text_of(a->name));
        ret->pools[i] = subjects_intern(&p->subjects, text_of(a->ip_pool ? a->ip_pool : a->name));
        ok = ret->accounts[i] && ret->pools[i];
    }
    for (size_t i = 0; i < c->stream_count && ok; i++) {
        ret->streams[i] = subjects_intern(&p->subjects, text_of(c->streams[i].name));
        ok = ret->streams[i] != 0;
    }
    if (!ok)
        names_free(ret);
    return ok;
}

/* Every name that is a provider's gets that provider's limits, whoever has interned it since. */
static void link_rules(struct planner *p)
{
    while (p->linked < p->subjects.name_count) {
        struct subject_name *n = subjects_name(&p->subjects, ++p->linked);
        if (n) /* else it was forgotten */
            n->data = strmap_get(&p->rules->providers, text_of(n->text));
    }
}

enum tide_err planner_configure(struct planner *p,
                                const struct config *config,
                                struct tide_error *err)
{
    struct rules *rules;
    struct planner_names names;
    enum tide_err rc = rules_new(config, &p->zones, &rules, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, "planner");
    if (!names_make(p, config, &names)) {
        rules_free(rules);
        return tide_fail(err, TIDE_ENOMEM, "planner: names of accounts and streams");
    }
    rules_free(p->rules);
    names_free(&p->names);
    p->config = config;
    p->rules = rules;
    p->ready.recipient = NULL;
    p->names = names;
    p->linked = 0;
    link_rules(p);
    if (!planner_configure_shared(p))
        return tide_fail(err, TIDE_ENOMEM, "planner: applications");
    return TIDE_OK;
}

enum tide_err planner_new(const struct config *config,
                          const struct plan_zones *zones,
                          struct planner **ret,
                          struct tide_error *err)
{
    struct planner *p = calloc(1, sizeof *p);
    if (!p)
        return tide_fail(err, TIDE_ENOMEM, "planner");
    if (zones)
        p->zones = *zones;
    p->policy = policy_even();
    p->plain_day = window_hash(planner_plain_day());
    subjects_init(&p->subjects);
    learn_init(&p->learn, &p->subjects, &p->zones);
    strmap_init(&p->shared.demands);
    enum tide_err rc = planner_configure(p, config, err);
    if (rc == TIDE_OK)
        *ret = p;
    else
        planner_free(p);
    return rc;
}

void planner_free(struct planner *p)
{
    if (!p)
        return;
    rules_free(p->rules);
    learn_fini(&p->learn);
    planner_free_shared(&p->shared);
    subjects_fini(&p->subjects);
    names_free(&p->names);
    free(p);
}

void planner_set_policy(struct planner *p, const struct policy *policy)
{
    p->policy = policy;
}

uint32_t planner_intern(struct planner *p, struct text name)
{
    uint32_t id = subjects_intern(&p->subjects, name);
    link_rules(p);
    return id;
}

uint32_t planner_intern_sender(struct planner *p, struct text address)
{
    uint32_t id = planner_intern(p, address);
    struct subject_name *n = subjects_name(&p->subjects, id);
    if (n && !n->domain)
        n->domain = planner_intern(p, addr_domain_of(address));
    return id;
}

uint32_t planner_sender_domain(const struct planner *p, uint32_t sender)
{
    const struct subject_name *n = subjects_name(&p->subjects, sender);
    return n ? n->domain : 0;
}

struct text planner_name(const struct planner *p, uint32_t number)
{
    const struct subject_name *n = subjects_name(&p->subjects, number);
    return n ? text_of(n->text) : TEXT("");
}

uint32_t planner_intern_provider(struct planner *p, struct text name)
{
    return planner_intern(p, rules_called(p->rules, name));
}

bool planner_knows_provider(const struct planner *p, uint32_t number)
{
    const struct subject_name *n = subjects_name(&p->subjects, number);
    return !n || n->data;
}

/* -- Forgetting -------------------------------------------------------------------------------- */

bool planner_is_crowded(const struct planner *p)
{
    return subjects_are_crowded(&p->subjects);
}

void planner_keep(struct planner *p, uint32_t name)
{
    subjects_keep(&p->subjects, name);
}

void planner_sweep(struct planner *p, tide_wall_ms now)
{
    uint32_t pos = 0;
    for (size_t i = 0; i < p->config->account_count; i++) {
        subjects_keep(&p->subjects, p->names.accounts[i]);
        subjects_keep(&p->subjects, p->names.pools[i]);
    }
    for (size_t i = 0; i < p->config->stream_count; i++)
        subjects_keep(&p->subjects, p->names.streams[i]);
    for (const struct learn_key *k; (k = idmap_next(&p->learn.by_key, &pos));) {
        subjects_keep(&p->subjects, k->a);
        subjects_keep(&p->subjects, k->b);
    }
    subjects_sweep(&p->subjects, now);
    p->ready.recipient = NULL; /* it speaks of subjects that may be gone */
}

/* -- Rows -------------------------------------------------------------------------------------- */

bool planner_next_dirty(struct planner *p, struct text *ret_subject, struct buf *ret_blob)
{
    if (subjects_next_dirty(&p->subjects, ret_subject, ret_blob))
        return true;
    if (learn_next_dirty(&p->learn, ret_subject, ret_blob))
        return true;
    if (planner_next_demand(p, ret_subject, ret_blob))
        return true;
    return p->policy->next_dirty && p->policy->next_dirty(p->policy->arg, ret_subject, ret_blob);
}

enum tide_err planner_restore(struct planner *p,
                              struct text subject,
                              struct text blob,
                              struct tide_error *err)
{
    if (text_starts(subject, TEXT("policy|")))
        return p->policy->restore ? p->policy->restore(p->policy->arg, subject, blob, err)
                                  : TIDE_OK;
    if (text_starts(subject, TEXT("learn|")))
        return learn_restore(&p->learn, subject, blob, err);
    if (planner_is_demand_row(subject))
        return planner_restore_demand(p, subject, blob, err);
    return subjects_restore(&p->subjects, subject, blob, err);
}

static bool is_own_day(const struct limit *l)
{
    return limit_scope_is_own(l->scope) && window_is_day(&l->window);
}

void planner_days(struct planner *p,
                  void (*each)(void *arg, uint32_t id, struct window_rule *rule),
                  void *arg)
{
    struct idmap told;
    uint32_t pos = 0;
    idmap_init(&told);
    for (struct meter *m; (m = idmap_next(&p->rules->by_id, &pos));)
        if (is_own_day(m->limit) && !idmap_get(&told, m->window) && idmap_put(&told, m->window, m))
            each(arg, m->window, &m->rule);
    struct window_rule plain = {.def = planner_plain_day()};
    if (!idmap_get(&told, p->plain_day))
        each(arg, p->plain_day, &plain);
    idmap_fini(&told);
}

tide_wall_ms planner_opens_at(struct planner *p, const struct window *window, tide_wall_ms now)
{
    struct zone *zone = NULL;
    struct window_rule rule = {.def = window};
    struct tide_error ignored;
    if (!window_is_fixed(window))
        return now + window_length_ms(window);
    if (window->zone && p->zones.load &&
        p->zones.load(p->zones.arg, window->zone, &zone, &ignored) == TIDE_OK)
        rule.zone = zone;
    tide_wall_ms end = window_at(&rule, now).end;
    zone_free(zone);
    return end + p->config->planner.margin_ms;
}

/* -- For people -------------------------------------------------------------------------------- */

typedef void usage_cb(void *arg, const struct plan_usage *u);

static void tell(
    const struct tally *t, const struct subject *s, tide_wall_ms now, usage_cb *each, void *arg)
{
    struct meter *m = t->meter;
    struct plan_usage u = {
        .limit = m->limit, .subject = s ? text_of(s->label) : TEXT(""), .used = tally_used(t, now)};
    if (window_is_fixed(&m->limit->window))
        u.reset_at = window_at(&m->rule, now).end;
    each(arg, &u);
}

/* The meter of a subject's counter; NULL: nothing is held by it now. */
static struct meter *meter_of(struct planner *p,
                              const struct subject *s,
                              uint32_t limit,
                              tide_wall_ms now)
{
    struct meter *m = idmap_get(&p->rules->by_id, limit);
    struct learn_limit *x = m ? NULL : idmap_get(&p->learn.meters, limit);
    if (x)
        return learn_is_stale(x, now) ? NULL : &x->meter;
    const struct learn_route r = {.account = s->a}; /* of an account's limits alone is it asked */
    return m && planner_is_overruled(p, &r, m, now) ? NULL : m;
}

void planner_usage(
    struct planner *p, tide_wall_ms now, const struct plan_query *only, usage_cb *each, void *arg)
{
    const struct applied_set *set = &p->ready;
    if (only) {
        if (planner_find_all(p, only))
            for (unsigned i = 0; i < set->count; i++)
                if (!set->all[i].overruled)
                    tell(&set->all[i].tally, set->all[i].subject, now, each, arg);
        return;
    }
    for (unsigned scope = 0; scope < LIMIT_SCOPES; scope++) {
        uint32_t pos = 0;
        for (struct subject *s; (s = idmap_next(&p->subjects.by_pair[scope], &pos));)
            for (struct counter *c = s->counters; c; c = c->next) {
                struct meter *m = meter_of(p, s, c->limit, now);
                struct tally t = {.meter = m, .ledger = &c->ledger, .id = c->limit};
                if (m && c->ledger.count)
                    tell(&t, s, now, each, arg);
            }
    }
}
