/* Arrivals, and what is to come: the planner's door to the policy's forecast. */
#include "core/plan/planner.h"

#include "base/macros.h"
#include "core/plan/planner_in.h"

/* His own daily limit of the least count; NULL: he has none. */
static const struct applied *daily(const struct applied_set *set)
{
    const struct applied *least = NULL;
    for (unsigned i = 0; i < set->count; i++) {
        const struct limit *l = set->all[i].tally.meter->limit;
        if (!set->all[i].subject && !set->all[i].overruled && window_is_day(&l->window) &&
            l->count > 0 && (!least || l->count < least->tally.meter->limit->count))
            least = &set->all[i];
    }
    return least;
}

const struct window *planner_plain_day(void)
{
    static const struct window day = {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY};
    return &day;
}

void planner_learning_day(const struct planner *p, tide_wall_ms now, struct policy_day *ret)
{
    const struct applied *a = daily(&p->ready);
    int64_t number = now / TIME_DAY_MS;
    *ret = (struct policy_day){
        .id = p->plain_day,
        .day = (int32_t)number,
        .window = {number * TIME_DAY_MS, (number + 1) * TIME_DAY_MS},
    };
    if (!a)
        return;
    struct meter *m = a->tally.meter;
    ret->id = m->window;
    ret->window = window_at(&m->rule, now);
    ret->day = window_day(&m->rule, ret->window);
}

void planner_plain_view(const struct planner *p,
                        const struct plan_query *q,
                        struct policy_view *ret)
{
    struct policy_day day;
    planner_learning_day(p, q->now, &day); /* he has no other */
    *ret = (struct policy_view){
        .now = q->now,
        .pending = q->pending,
        .last_at = q->last_at,
        .forecast = &q->recipient->forecast,
        .recipient_id = q->recipient_id,
        .hold_until_max = q->hold_until_max,
        .weight = q->weight,
        .window = day.window,
        .span_ms = TIME_DAY_MS,
        .is_day = true,
        .day = day.day,
        .window_id = day.id,
        .source = q->source,
        .direct_share = p->config->planner.direct_share,
    };
}

/* The day's view of a recipient; NULL: without a limit. */
static const struct applied *day_of(struct planner *p,
                                    const struct plan_query *q,
                                    struct policy_view *ret)
{
    const struct applied *a = daily(&p->ready);
    if (a)
        planner_view_of(p, q, a, ret);
    else
        planner_plain_view(p, q, ret);
    return a;
}

struct room {
    double left;
};

static double room_left(void *arg, tide_wall_ms at)
{
    (void)at;
    return ((const struct room *)arg)->left;
}

static bool warn(struct planner *p,
                 const struct policy_view *v,
                 const struct applied *a,
                 struct plan_warning *ret)
{
    struct foreseen f;
    struct outlook o;
    int64_t pending = 0;
    if (v->pending)
        pending = (int64_t)v->pending->urgent + v->pending->single + v->pending->digestible;
    struct room room = {(double)(v->count - v->used - pending)};
    if (v->forecast->warned || !p->policy->foresee || !p->policy->foresee(p->policy->arg, v, &f) ||
        (room.left >= 0 && rest_chance_over(&f.rest, (unsigned)room.left) < OUTLOOK_LIKELY))
        return false;
    v->forecast->warned = true;
    outlook_of_recipient(&f, v->now, v->window.end, room_left, &room, &o);
    const struct outlook_point *end = &o.points[o.count - 1];
    *ret = (struct plan_warning){.limit = a->tally.meter->limit,
                                 .used = v->used,
                                 .pending = pending,
                                 .mean = end->mean,
                                 .low = end->low[1],
                                 .high = end->high[1],
                                 .chance = room.left < 0 ? 1 : o.chance,
                                 .over_at = room.left < 0 ? v->now : o.over_at,
                                 .reset_at = v->window.end};
    return true;
}

bool planner_arrived(struct planner *p,
                     const struct plan_query *q,
                     unsigned n,
                     struct plan_warning *ret_warning)
{
    struct policy_view v;
    if (!p->policy->arrived || !planner_make_ready(p, q))
        return false;
    planner_count_shared(p, q, n);
    const struct applied *a = day_of(p, q, &v);
    p->policy->arrived(p->policy->arg, &v, n);
    return a && ret_warning && warn(p, &v, a, ret_warning);
}

bool planner_foresee(struct planner *p, const struct plan_query *q, struct foreseen *ret)
{
    struct policy_view v;
    if (!p->policy->foresee || !planner_make_ready(p, q))
        return false;
    (void)day_of(p, q, &v);
    return p->policy->foresee(p->policy->arg, &v, ret);
}

const struct limit *planner_daily(struct planner *p,
                                  const struct plan_query *q,
                                  int64_t *ret_used,
                                  struct window_span *ret_window)
{
    struct policy_view v;
    const struct applied *a = planner_make_ready(p, q) ? day_of(p, q, &v) : NULL;
    if (!a)
        return NULL;
    *ret_used = v.used;
    *ret_window = v.window;
    return a->tally.meter->limit;
}

/* -- Limits that many share ---------------------------------------------------------------------
 */

struct wide_room {
    struct tally tally;
};

static double wide_left(void *arg, tide_wall_ms at)
{
    const struct wide_room *r = arg;
    int64_t used = r->tally.ledger ? tally_used(&r->tally, at) : 0;
    return (double)(r->tally.meter->limit->count - used);
}

/* A window's fixed end is the end of what is asked: until then nothing is given back. */
static double fixed_left(void *arg, tide_wall_ms at)
{
    (void)at;
    return ((const struct room *)arg)->left;
}

/* `name`: the account's or the provider's, which comes last in what crosses something with it;
 * `account`: its index, or -1. */
static void tell_wide(struct planner *p,
                      struct meter *m,
                      uint32_t name,
                      int account,
                      tide_wall_ms now,
                      void (*each)(void *arg, const struct plan_wide *w),
                      void *arg)
{
    struct shared_price dear;
    struct subject *fullest = NULL;
    struct wide_room rolling = {{.meter = m, .id = m->id}};
    struct plan_wide w = {.limit = m->limit, .subject = TEXT("")};
    uint32_t pos = 0;
    for (struct subject *s; (s = idmap_next(&p->subjects.by_pair[m->limit->scope], &pos));)
        for (struct counter *c = s->counters; c; c = c->next) {
            struct tally t = {.meter = m, .ledger = &c->ledger, .id = m->id};
            if (c->limit != m->id || (s->b ? s->b : s->a) != name ||
                (rolling.tally.ledger && tally_used(&t, now) <= w.used))
                continue;
            rolling.tally = t;
            fullest = s;
            w.subject = text_of(s->label);
            w.used = tally_used(&t, now);
        }
    planner_price_of(p, fullest, account, &rolling.tally, now, &dear);
    w.share = dear.kept_until ? 0 : dear.meter ? dear.ratio : 1;
    w.dear_until = dear.until;
    struct room fixed = {(double)(m->limit->count - w.used)};
    if (window_is_fixed(&m->limit->window)) {
        w.reset_at = window_at(&m->rule, now).end;
        w.room = fixed_left;
        w.room_arg = &fixed;
    } else {
        w.room = wide_left;
        w.room_arg = &rolling;
    }
    each(arg, &w);
}

void planner_wide(struct planner *p,
                  struct text account,
                  struct text provider,
                  tide_wall_ms now,
                  void (*each)(void *arg, const struct plan_wide *w),
                  void *arg)
{
    const struct rule_set *set = NULL;
    int index = account.n ? config_account_index(p->config, account) : -1;
    uint32_t name = index >= 0 ? p->names.accounts[index] : planner_intern_provider(p, provider);
    const struct learn_route r = {.account = index >= 0 ? name : 0};
    struct learn_key *learnt = learn_find(&p->learn, LIMIT_ACCOUNT, &r);
    if (index >= 0)
        set = &p->rules->accounts[index];
    else if (!account.n)
        set = strmap_get(&p->rules->providers, rules_called(p->rules, provider));
    for (size_t i = 0; set && i < set->count; i++) {
        struct meter *m = &set->meters[i];
        bool is_wide = !limit_scope_is_own(m->limit->scope) && m->limit->scope != LIMIT_DOMAIN &&
                       m->limit->scope != LIMIT_IP_DOMAIN &&
                       m->limit->scope != LIMIT_ACCOUNT_STREAM;
        bool is_own = index < 0 || m->limit->scope == LIMIT_ACCOUNT;
        if (is_wide && is_own && planner_is_foreseeable(m->limit) &&
            !planner_is_overruled(p, &r, m, now))
            tell_wide(p, m, name, index, now, each, arg);
    }
    for (struct learn_limit *x = learnt ? learnt->limits : NULL; x; x = x->next)
        if (x->limit.count < LEARN_NO_NUMBER && planner_is_foreseeable(&x->limit) &&
            !learn_is_stale(x, now))
            tell_wide(p, &x->meter, name, index, now, each, arg);
}

bool planner_expect(
    struct planner *p, int64_t recipient_id, double value, tide_wall_ms now, tide_wall_ms until)
{
    return p->policy->expect && p->policy->expect(p->policy->arg, recipient_id, value, now, until);
}
