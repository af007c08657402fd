/* Which limits apply to a query, what of each it may use, and room to charge them. */
#include "core/plan/planner_in.h"

#include "base/macros.h"

#include <math.h>

/* `r`: the query's route, with the provider that the limit is of. */
static bool apply(struct planner *p,
                  const struct plan_query *q,
                  struct meter *m,
                  const struct learn_route *r,
                  struct applied_set *ret)
{
    const struct limit *l = m->limit;
    struct applied *a = &ret->all[ret->count];
    if (q->is_reply && l->replies_free)
        return true;
    *a = (struct applied){.tally = {.meter = m, .id = m->id},
                          .overruled = planner_is_overruled(p, r, m, q->now)};
    if (limit_scope_is_own(l->scope)) {
        const struct subject_name *sender = subjects_name(&p->subjects, q->route.sender);
        if (l->scope == LIMIT_PAIR)
            a->tally.id = plan_hash(m->id, &(uint32_t){sender ? sender->hash : 0}, 4);
        a->tally.ledger = &q->recipient->ledger;
    } else {
        uint32_t left, right;
        learn_parts(l->scope, r, &left, &right);
        a->subject = subjects_get(&p->subjects, l->scope, left, right);
        a->tally.ledger = a->subject ? subject_ledger(a->subject, m->id) : NULL;
        if (!a->tally.ledger)
            return false;
    }
    ret->count++;
    return true;
}

static bool apply_set(struct planner *p,
                      const struct plan_query *q,
                      const struct rule_set *set,
                      const struct learn_route *r,
                      struct applied_set *ret)
{
    bool ok = true;
    for (size_t i = 0; set && i < set->count && ok; i++)
        ok = apply(p, q, &set->meters[i], r, ret);
    return ok;
}

/* False: out of memory. */
static bool apply_all(struct planner *p, const struct plan_query *q, struct applied_set *ret)
{
    const struct subject_name *provider = subjects_name(&p->subjects, q->route.provider);
    const struct subject_name *gateway = subjects_name(&p->subjects, q->route.gateway);
    struct learn_route front, behind; /* an account's limit means whoever answers at the MX */
    planner_route(p, q, &front);
    behind = front;
    behind.provider = q->route.provider;
    ret->count = 0;
    ret->recipient = NULL;
    if (provider && !apply_set(p, q, provider->data, &behind, ret))
        return false;
    if (gateway && gateway != provider && !apply_set(p, q, gateway->data, &front, ret))
        return false;
    if (q->route.account < p->rules->account_count &&
        !apply_set(p, q, &p->rules->accounts[q->route.account], &front, ret))
        return false;
    return planner_apply_learnt(p, q, &front, ret);
}

static bool same_route(const struct plan_route *a, const struct plan_route *b)
{
    return a->provider == b->provider && a->gateway == b->gateway && a->domain == b->domain &&
           a->sender_domain == b->sender_domain && a->sender == b->sender &&
           a->account == b->account && a->stream == b->stream;
}

/* Into p->ready, unless the last query was about the same. */
bool planner_find_all(struct planner *p, const struct plan_query *q)
{
    struct applied_set *set = &p->ready;
    if (set->recipient == q->recipient && set->recipient_id == q->recipient_id &&
        set->is_reply == q->is_reply && same_route(&set->route, &q->route) &&
        q->now < set->stale_at)
        return true;
    if (!apply_all(p, q, set))
        return false;
    set->recipient = q->recipient;
    set->recipient_id = q->recipient_id;
    set->is_reply = q->is_reply;
    set->route = q->route;
    set->stale_at = p->learn.numbers ? q->now + TIME_HOUR_MS : TIDE_NEVER;
    return true;
}

/* The reserve is kept of limits that a recipient can use up for himself over a while; of a limit
 * so small that little would be left, at most half. */
int64_t planner_reserve_of(const struct planner *p, const struct limit *l)
{
    if (!limit_scope_is_own(l->scope) || !window_has_count(&l->window))
        return 0;
    return TIDE_MIN(TIDE_MAX(p->config->planner.reserve, 0), l->count / 2);
}

/* Urgent mail uses the reserve first: what it has had today need not be kept for it any more. */
int64_t planner_reserve_left(const struct planner *p,
                             const struct plan_query *q,
                             const struct applied *a)
{
    struct meter *m = a->tally.meter;
    int64_t reserve = planner_reserve_of(p, m->limit);
    const struct forecast *f = &q->recipient->forecast;
    if (!reserve || !f->urgent || !window_is_day(&m->limit->window) ||
        window_day(&m->rule, window_at(&m->rule, q->now)) != f->day)
        return reserve;
    return TIDE_MAX(reserve - f->urgent, 0);
}

int64_t planner_full_of(const struct meter *m)
{
    if (m->limit->count < 1)
        return 0;
    if (m->limit->window.kind == WINDOW_RATE)
        return m->burst;
    return m->limit->window.kind == WINDOW_COOLDOWN ? 1 : m->limit->count;
}

/* What a learnt number would hold is tried all the same, when the number may well have grown and
 * holding it would cost enough. */
static bool is_worth_a_try(const struct plan_query *q, const struct applied *a)
{
    int64_t used = tally_used(&a->tally, q->now);
    if (used < a->allowed || q->by_hand)
        return false;
    double weight = q->weight > 0 ? q->weight : q->pending ? q->pending->digestible : 1;
    tide_wall_ms until = tally_earliest(&a->tally, a->allowed, q->now);
    double minutes = (double)(until - q->now) / (double)TIME_MINUTE_MS;
    bool matters = q->urgent || a->subject; /* of a wider limit many wait */
    return learn_dares(a->key, a->learnt, used, matters ? INFINITY : weight * minutes);
}

bool planner_make_ready(struct planner *p, const struct plan_query *q)
{
    struct applied_set *set = &p->ready;
    ledger_prune(&q->recipient->ledger, q->now);
    if (!planner_find_all(p, q))
        return false;
    if (set->learnt)
        planner_roll_learnt(p, q);
    for (unsigned i = 0; i < set->count; i++) {
        struct applied *a = &set->all[i];
        if (a->subject)
            ledger_prune(a->tally.ledger, q->now);
        if (!tally_ready(&a->tally, q->now))
            return false;
        a->allowed = a->overruled ? INT32_MAX : planner_full_of(a->tally.meter);
        if (!q->urgent && !q->by_hand && !a->overruled)
            a->allowed -= planner_reserve_left(p, q, a);
        if (a->learnt && !a->overruled && is_worth_a_try(q, a))
            a->allowed = a->tally.meter->limit->count + 1;
    }
    return true;
}
