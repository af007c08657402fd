/* The price of limits that many share.
 *
 * Each of them has its own forecast of what is still to come against what is left until it starts
 * anew. Where that is too little, only so many of each hundred notifications can have a mail of
 * their own: the ratio. In the fluid plan a digest then leaves when the ages of what is pending add
 * up to 1 / (2 rate ratio^2), which is the limit's price; prices of all limits on the way add up,
 * and so do the inverse squares of their ratios. The policy plans a recipient with as many sends as
 * would cost him that.
 *
 * Where several accounts may carry a mail, what is to come belongs to its application and is
 * divided over them by the room they have; the price is that of the cheapest with room. */
#include "core/plan/planner_in.h"

#include "base/macros.h"

#include <math.h>

#define MEMO_MS       TIME_MINUTE_MS /* so long an expectation stands */
#define REFILL_STEPS  8              /* instants of a rolling window that are looked at */
#define WEIGH_ROUNDS  4
#define URGENT_SPREAD 2.33 /* variance of urgent mails over their mean: they come in bursts */
#define URGENT_SURE   2.0  /* standard deviations */
#define URGENT_ROUND  0.25 /* what is less than that is not kept for */

/* -- One limit's expectation --------------------------------------------------------------------
 */

/* Whose demand a limit meets: a subject's own, or (account >= 0) the applications' that use it. */
struct source {
    struct shared_demand *own;
    int account;
};

static struct demanded until(struct planner *p,
                             const struct source *s,
                             tide_wall_ms now,
                             tide_wall_ms at)
{
    struct demanded sum = {0};
    const size_t accounts = p->config->account_count;
    if (s->own)
        return demand_until(&s->own->demand, s->own->zone, now, at);
    for (size_t i = 0; s->account >= 0 && i < p->shared.app_count; i++) {
        struct shared_demand *app = p->shared.apps[i];
        double weight = (double)p->shared.weights[i * accounts + (size_t)s->account];
        if (weight <= 0 || !app)
            continue;
        struct demanded d = demand_until(&app->demand, app->zone, now, at);
        sum.normal += weight * d.normal;
        sum.urgent += weight * d.urgent;
    }
    return sum;
}

/* A rolling window never starts anew, and what of it is not used by evening would be saved for
 * ever: it is planned in spans of its length (days: from midnight) as if it did. */
static tide_wall_ms end_of_span(const struct zone *zone, int64_t span, tide_wall_ms now)
{
    return now + span - zone_local_ms(zone, now) % span;
}

static void expect_until(struct planner *p,
                         const struct source *s,
                         const struct tally *t,
                         tide_wall_ms now,
                         tide_wall_ms at,
                         struct price_memo *scarcest)
{
    struct price_memo m = {.at = now, .until = at, .demand = until(p, s, now, at)};
    int64_t used = tally_used(t, now);
    double left = (double)(t->meter->limit->count - used);
    m.back = (double)(used - tally_used(t, at - 1));
    if (!scarcest->until ||
        (left + m.back) * scarcest->demand.normal < (left + scarcest->back) * m.demand.normal)
        *scarcest = m;
}

/* The instant until which it is scarcest, what has come back by then included. */
static void expect_rolling(struct planner *p,
                           const struct source *s,
                           const struct tally *t,
                           tide_wall_ms now,
                           struct price_memo *ret)
{
    const struct zone *zone = s->own              ? s->own->zone
                              : p->shared.apps[0] ? p->shared.apps[0]->zone
                                                  : NULL;
    tide_wall_ms end = end_of_span(zone, t->meter->limit->window.span_ms, now);
    int64_t used = tally_used(t, now);
    *ret = (struct price_memo){0};
    for (int i = 1; i < REFILL_STEPS && used > 0; i++) {
        tide_wall_ms at = tally_earliest(t, used - used * i / REFILL_STEPS + 1, now);
        if (at >= end)
            break;
        if (at > now)
            expect_until(p, s, t, now, at, ret);
    }
    expect_until(p, s, t, now, end, ret);
    /* What urgent mail does not find now it does not find for the whole length. */
    ret->demand.urgent = until(p, s, now, now + t->meter->limit->window.span_ms).urgent;
}

static void expect_anew(struct planner *p,
                        const struct source *s,
                        const struct tally *t,
                        tide_wall_ms now,
                        struct price_memo *ret)
{
    if (!window_is_fixed(&t->meter->limit->window)) {
        expect_rolling(p, s, t, now, ret);
        return;
    }
    *ret = (struct price_memo){.at = now, .until = window_at(&t->meter->rule, now).end};
    ret->demand = until(p, s, now, ret->until);
}

static struct price_memo *memo_of(const struct tally *t)
{
    return &container_of(t->ledger, struct counter, ledger)->price;
}

static const struct price_memo *expect(struct planner *p,
                                       const struct source *s,
                                       const struct tally *t,
                                       tide_wall_ms now)
{
    struct price_memo *m = memo_of(t);
    if (now < m->at || now >= m->at + MEMO_MS || now >= m->until)
        expect_anew(p, s, t, now, m);
    return m;
}

/* Mails that urgent ones will want until then and then some, the less the sooner there are new
 * ones; at most half. */
static double kept_for_urgent(const struct limit *l, double urgent)
{
    double part = TIDE_MIN((double)window_length_ms(&l->window) / (double)TIME_DAY_MS, 1);
    double kept = ceil(urgent + URGENT_SURE * sqrt(part * URGENT_SPREAD * urgent) - URGENT_ROUND);
    return TIDE_MIN(kept, (double)(l->count / 2));
}

/* Prices add up; of what is told to people the scarcest counts, what is kept first. */
static void add(struct shared_price *sum, const struct shared_price *one)
{
    double squares = sum->squares + one->squares;
    bool scarcer = !sum->meter || one->kept_until > sum->kept_until ||
                   (!sum->kept_until && one->ratio < sum->ratio);
    if (scarcer)
        *sum = *one;
    sum->squares = squares;
}

/* Adds this limit's price. */
static void add_price(struct planner *p,
                      const struct source *s,
                      const struct tally *t,
                      tide_wall_ms now,
                      struct shared_price *sum)
{
    const struct limit *l = t->meter->limit;
    const struct price_memo *m = expect(p, s, t, now);
    int64_t used = tally_used(t, now);
    double left = (double)(l->count - used) + m->back;
    double kept = kept_for_urgent(l, m->demand.urgent);
    double ratio = m->demand.normal > 0 ? TIDE_MAX(left - kept, 0.5) / m->demand.normal : INFINITY;
    bool is_kept = kept >= 1 && (double)(l->count - used) < kept + 1;
    struct shared_price one = {
        .meter = t->meter, .used = used, .expected = m->demand.normal, .until = m->until};
    sum->is_full |= l->count - used < 1;
    if (is_kept) {
        one.until = one.kept_until = window_is_fixed(&l->window)
                                         ? m->until
                                         : tally_earliest(t, l->count - (int64_t)kept, now);
    }
    one.ratio = TIDE_MIN(ratio, 1);
    one.squares = 1 / (one.ratio * one.ratio) - 1;
    if (one.ratio < 1 || is_kept)
        add(sum, &one);
}

/* -- Accounts ---------------------------------------------------------------------------------- */

typedef void tally_cb(struct planner *p, const struct tally *t, void *arg);

static void ask_meter(
    struct planner *p, struct subject *s, struct meter *m, tally_cb *each, void *arg)
{
    const struct tally t = {.meter = m, .id = m->id, .ledger = subject_ledger(s, m->id)};
    if (t.ledger && planner_is_foreseeable(m->limit))
        each(p, &t, arg);
}

/* Every limit of an account as a whole that holds now. */
static void each_of_account(
    struct planner *p, int account, tide_wall_ms now, tally_cb *each, void *arg)
{
    const struct rule_set *set = &p->rules->accounts[account];
    const struct learn_route r = {.account = p->names.accounts[account]};
    struct subject *s = subjects_get(&p->subjects, LIMIT_ACCOUNT, r.account, 0);
    const struct learn_key *told = learn_find(&p->learn, LIMIT_ACCOUNT, &r);
    for (size_t i = 0; s && i < set->count; i++) {
        struct meter *m = &set->meters[i];
        if (m->limit->scope == LIMIT_ACCOUNT && !planner_is_overruled(p, &r, m, now))
            ask_meter(p, s, m, each, arg);
    }
    for (struct learn_limit *x = s && told ? told->limits : NULL; x; x = x->next)
        if (x->limit.count < LEARN_NO_NUMBER && !learn_is_stale(x, now))
            ask_meter(p, s, &x->meter, each, arg);
}

struct asked {
    struct source source;
    tide_wall_ms now;
    struct shared_price *sum;
    double least; /* ratio of the scarcest of an account's limits */
};

static void price_one(struct planner *p, const struct tally *t, void *arg)
{
    const struct asked *x = arg;
    add_price(p, &x->source, t, x->now, x->sum);
}

static void ratio_one(struct planner *p, const struct tally *t, void *arg)
{
    struct asked *x = arg;
    struct price_memo m;
    expect_anew(p, &x->source, t, x->now, &m);
    memo_of(t)->until = 0; /* the weights move */
    double left = (double)(t->meter->limit->count - tally_used(t, x->now)) + m.back;
    double all = m.demand.normal + m.demand.urgent;
    if (all > 0)
        x->least = TIDE_MIN(x->least, left / all);
}

/* An application's share moves to where there is more room for what is to come. */
static void weigh_again(struct planner *p, tide_wall_ms now)
{
    const size_t accounts = p->config->account_count;
    for (size_t k = 0; k < accounts; k++) {
        struct asked x = {{.account = (int)k}, now, NULL, 1e6};
        each_of_account(p, (int)k, now, ratio_one, &x);
        for (size_t i = 0; i < p->shared.app_count; i++)
            p->shared.weights[i * accounts + k] *= (float)TIDE_MAX(x.least, 1e-6);
    }
    for (size_t i = 0; i < p->shared.app_count; i++) {
        float *w = &p->shared.weights[i * accounts], sum = 0;
        for (size_t k = 0; k < accounts; k++)
            sum += w[k];
        for (size_t k = 0; k < accounts && sum > 0; k++)
            w[k] /= sum;
    }
}

static void weigh(struct planner *p, tide_wall_ms now)
{
    struct planner_shared *s = &p->shared;
    if (now >= s->weighed_at && now < s->weighed_at + MEMO_MS)
        return;
    s->weighed_at = now;
    bool choice = false;
    for (size_t i = 0; i < s->app_count; i++) {
        const struct config_application *a = &p->config->applications[i];
        float *w = &s->weights[i * p->config->account_count];
        memset(w, 0, p->config->account_count * sizeof *w);
        for (size_t k = 0; k < a->account_count; k++)
            w[a->accounts[k]] = 1 / (float)a->account_count;
        choice |= a->account_count > 1;
    }
    for (int round = 0; choice && round < WEIGH_ROUNDS; round++)
        weigh_again(p, now);
}

/* The cheapest of the application's accounts with room. */
static void add_accounts(struct planner *p, const struct plan_query *q, struct shared_price *sum)
{
    const struct config_application *a = &p->config->applications[q->application - 1];
    struct shared_price best = {0};
    bool found = false;
    weigh(p, q->now);
    for (size_t i = 0; i < a->account_count; i++) {
        struct shared_price one = {0};
        struct asked x = {{.account = a->accounts[i]}, q->now, &one, 0};
        each_of_account(p, a->accounts[i], q->now, price_one, &x);
        bool better = one.is_full != best.is_full           ? best.is_full
                      : !one.kept_until != !best.kept_until ? !one.kept_until
                                                            : one.squares < best.squares;
        if (!found || better)
            best = one;
        found = true;
    }
    if (best.meter)
        add(sum, &best);
}

struct room_asked {
    tide_wall_ms now, at;
};

static void room_one(struct planner *p, const struct tally *t, void *arg)
{
    struct room_asked *x = arg;
    (void)p;
    x->at = TIDE_MAX(x->at, tally_earliest(t, planner_full_of(t->meter), x->now));
}

tide_wall_ms planner_account_opens_at(struct planner *p, int account, tide_wall_ms now)
{
    struct room_asked x = {.now = now, .at = now};
    each_of_account(p, account, now, room_one, &x);
    return x.at;
}

/* -- The price of a way ------------------------------------------------------------------------ */

void planner_price(struct planner *p, const struct plan_query *q, struct shared_price *ret)
{
    *ret = (struct shared_price){0};
    for (unsigned i = 0; i < p->ready.count; i++) {
        const struct source s = {planner_demand_at(p, q, i), -1};
        if (s.own)
            add_price(p, &s, &p->ready.all[i].tally, q->now, ret);
    }
    if (planner_demand_of_app(p, q))
        add_accounts(p, q, ret);
}

/* Another account takes what this one is too dear for. */
static bool is_spared(struct planner *p, int account, tide_wall_ms now)
{
    for (size_t i = 0; i < p->shared.app_count; i++) {
        const struct config_application *a = &p->config->applications[i];
        const struct plan_query q = {.now = now, .application = (uint16_t)(i + 1)};
        struct shared_price best = {0};
        for (size_t k = 0; k < a->account_count; k++)
            if (a->accounts[k] == account && !best.meter)
                add_accounts(p, &q, &best);
        if (best.meter)
            return false;
    }
    return p->shared.app_count > 0;
}

void planner_price_of(struct planner *p,
                      struct subject *s,
                      int account,
                      const struct tally *t,
                      tide_wall_ms now,
                      struct shared_price *ret)
{
    const struct source source = {account < 0 && s ? s->demand : NULL, account};
    *ret = (struct shared_price){0};
    if (!p->policy->heeds_scarcity || !t->ledger || (account < 0 && !source.own))
        return;
    weigh(p, now);
    add_price(p, &source, t, now, ret);
    if (account >= 0 && ret->meter && is_spared(p, account, now))
        *ret = (struct shared_price){0};
}
