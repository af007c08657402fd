/* What is to come for what many share, counted as it comes: for the subjects of wider limits, and
 * for applications, whose mail may go by any of their accounts. And its rows for the store. */
#include "core/plan/planner_in.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_START "demand|"

bool planner_is_foreseeable(const struct limit *l)
{
    return l->count > 0 && window_length_ms(&l->window) >= TIME_HOUR_MS &&
           window_has_count(&l->window);
}

/* NULL: out of memory, or there are too many, or it could have no row. `key`: "provider|qq|",
 * "application|shop|". */
static struct shared_demand *get_demand(struct planner_shared *s, struct text key)
{
    struct shared_demand *d = strmap_get(&s->demands, key);
    if (d || s->demands.count == PLAN_SHARED_MAX ||
        strlen(KEY_START) + key.n >= PLAN_DEMAND_KEY_BYTES || !(d = calloc(1, sizeof *d)))
        return d;
    demand_init(&d->demand);
    if (!strmap_put(&s->demands, key, d)) {
        free(d);
        return NULL;
    }
    return d;
}

static const struct zone *zone_of_account(const struct planner *p, int account)
{
    const struct rule_set *set = &p->rules->accounts[account];
    for (size_t i = 0; i < set->count; i++)
        if (set->meters[i].rule.zone)
            return set->meters[i].rule.zone;
    return NULL;
}

bool planner_configure_shared(struct planner *p)
{
    const struct config *c = p->config;
    struct planner_shared *s = &p->shared;
    char key[PLAN_DEMAND_KEY_BYTES];
    uint32_t pos = 0;
    free(s->apps);
    free(s->weights);
    for (struct shared_demand *d; (d = strmap_next(&s->demands, &pos, NULL));)
        d->zone = NULL; /* went with the old rules */
    s->apps = calloc(c->application_count + 1, sizeof *s->apps);
    s->weights = calloc(c->application_count * c->account_count + 1, sizeof *s->weights);
    s->weighed_at = 0;
    s->app_count = s->apps && s->weights ? c->application_count : 0;
    for (size_t i = 0; i < s->app_count; i++) {
        const struct config_application *a = &c->applications[i];
        snprintf(key, sizeof key, "application|%s|", a->name);
        s->apps[i] = get_demand(s, text_of(key));
        for (size_t k = 0; s->apps[i] && k < a->account_count && !s->apps[i]->zone; k++)
            s->apps[i]->zone = zone_of_account(p, a->accounts[k]);
    }
    return s->apps && s->weights;
}

void planner_free_shared(struct planner_shared *s)
{
    uint32_t pos = 0;
    for (struct shared_demand *d; (d = strmap_next(&s->demands, &pos, NULL));)
        free(d);
    strmap_fini(&s->demands);
    free(s->apps);
    free(s->weights);
}

struct shared_demand *planner_demand_of_app(const struct planner *p, const struct plan_query *q)
{
    return q->application && q->application <= p->shared.app_count
               ? p->shared.apps[q->application - 1]
               : NULL;
}

struct shared_demand *planner_demand_at(struct planner *p, const struct plan_query *q, unsigned i)
{
    const struct applied *a = &p->ready.all[i];
    struct subject *s = a->subject;
    if (!s || a->overruled || !planner_is_foreseeable(a->tally.meter->limit) ||
        (s->scope == LIMIT_ACCOUNT && planner_demand_of_app(p, q)))
        return NULL;
    if (!s->demand)
        s->demand = get_demand(&p->shared, text_of(s->key));
    if (s->demand && !s->demand->zone)
        s->demand->zone = a->tally.meter->rule.zone;
    return s->demand;
}

/* An earlier limit has the same. */
static bool is_again(struct planner *p, const struct plan_query *q, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (p->ready.all[k].subject == p->ready.all[i].subject && planner_demand_at(p, q, k))
            return true;
    return false;
}

static void count_in(struct planner *p,
                     struct shared_demand *d,
                     const struct plan_query *q,
                     unsigned n)
{
    if (n)
        demand_count(&d->demand, d->zone, q->now, n);
    else
        demand_count_urgent(&d->demand, d->zone, q->now);
    p->shared.unsaved |= demand_is_unsaved(&d->demand);
}

void planner_count_shared(struct planner *p, const struct plan_query *q, unsigned n)
{
    struct shared_demand *app = planner_demand_of_app(p, q);
    for (unsigned i = 0; i < p->ready.count; i++) {
        struct shared_demand *d = planner_demand_at(p, q, i);
        if (d && !is_again(p, q, i))
            count_in(p, d, q, n);
    }
    if (app)
        count_in(p, app, q, n);
}

/* -- Rows -------------------------------------------------------------------------------------- */

bool planner_next_demand(struct planner *p, struct text *ret_key, struct buf *ret_blob)
{
    struct planner_shared *s = &p->shared;
    struct text key;
    uint32_t pos = 0;
    for (struct shared_demand *d; s->unsaved && (d = strmap_next(&s->demands, &pos, &key));) {
        if (!demand_is_unsaved(&d->demand))
            continue;
        snprintf(s->row, sizeof s->row, KEY_START TEXT_FMT, TEXT_ARG(key));
        buf_clear(ret_blob);
        demand_encode(&d->demand, ret_blob);
        *ret_key = text_of(s->row);
        return ret_blob->failed == TIDE_OK;
    }
    s->unsaved = false;
    return false;
}

bool planner_is_demand_row(struct text key)
{
    return text_starts(key, TEXT(KEY_START));
}

enum tide_err planner_restore_demand(struct planner *p,
                                     struct text key,
                                     struct text blob,
                                     struct tide_error *err)
{
    struct demand d;
    struct text name = text_cut(key, strlen(KEY_START), key.n);
    enum tide_err rc = demand_decode(blob, &d, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, TEXT_FMT, TEXT_ARG(key));
    struct shared_demand *x = get_demand(&p->shared, name);
    if (x)
        x->demand = d;
    return TIDE_OK;
}
