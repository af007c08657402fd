/* The decision: the limits first, then the policy's wish; and the charge that follows upon it. */
#include "core/plan/planner_in.h"

#include "base/macros.h"

#define NO_MEMORY_WAIT_MS TIME_SECOND_MS
/* Each round waits for one limit; they settle in two or three. Should they not, the answer is
 * merely early: asked again then, it is HOLD again. */
#define ROUNDS_MAX 16

/* When all limits have room at once, and which of them it was that had it last. */
static tide_wall_ms earliest_of_all(const struct applied_set *set,
                                    tide_wall_ms now,
                                    const struct applied **ret_binding)
{
    tide_wall_ms at = now;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        tide_wall_ms before = at;
        for (unsigned i = 0; i < set->count; i++) {
            const struct applied *a = &set->all[i];
            tide_wall_ms t = tally_earliest(&a->tally, a->allowed, at);
            if (t > at) {
                at = t;
                *ret_binding = a;
            }
            if (at == TIDE_NEVER)
                return at;
        }
        if (at == before)
            break;
    }
    return at;
}

/* The recipient's own limit of which the least share is left, of several untouched ones the least;
 * NULL: he has none that counts. */
static const struct applied *tightest(const struct applied_set *set, tide_wall_ms now)
{
    const struct applied *least = NULL;
    double least_share = 0;
    for (unsigned i = 0; i < set->count; i++) {
        const struct applied *a = &set->all[i];
        const struct limit *l = a->tally.meter->limit;
        if (a->subject || a->overruled || l->count < 1 || !window_has_count(&l->window))
            continue;
        double share = (double)(l->count - tally_used(&a->tally, now)) / (double)l->count;
        bool fewer = least && l->count < least->tally.meter->limit->count;
        if (!least || share < least_share || (share <= least_share && fewer)) {
            least = a;
            least_share = share;
        }
    }
    return least;
}

/* What waited for a window to open does not leave in the instant that it does. A recipient's own
 * window: everyone has a place of his own in the spread. A wider one: what it allows is let out
 * evenly over the spread, in the order of whoever stands in line. What came after the window opened
 * finds no crowd and leaves at once. */
static tide_wall_ms spread_one(const struct planner *p,
                               const struct plan_query *q,
                               const struct applied *a,
                               tide_wall_ms at)
{
    struct meter *m = a->tally.meter;
    if (!window_is_fixed(&m->limit->window) || a->overruled)
        return at;
    struct window_span w = window_at(&m->rule, at);
    tide_wall_ms open = w.start + m->margin_ms;
    int64_t spread = TIDE_MIN(p->config->planner.spread_ms, (w.end - w.start) / 4);
    if (spread < 1 || q->pending->oldest_at >= w.start || at >= open + spread)
        return at;
    /* No crowd stands before a window whose last one was not used up: whoever comes now waited for
     * something else. (The instant asked is before the margin, where charges count for both.) */
    int64_t kept = a->subject ? 0 : p->config->planner.reserve;
    if (tally_used(&a->tally, w.start - m->margin_ms - 1) + kept < m->limit->count)
        return at;
    int64_t place;
    if (!a->subject) {
        uint64_t seed = (uint64_t)q->recipient_id + 0x9e3779b97f4a7c15u; /* 0 hashes to 0 */
        place = (int64_t)(hash_u64(seed) % (uint64_t)spread);
    } else {
        int64_t used = tally_used(&a->tally, at), count = TIDE_MAX(m->limit->count, 1);
        place = (int64_t)((double)spread * (double)used / (double)count);
    }
    return TIDE_MAX(at, open + place);
}

static tide_wall_ms spread_all(const struct planner *p,
                               const struct plan_query *q,
                               const struct applied_set *set,
                               tide_wall_ms at,
                               const struct applied **ret_by)
{
    tide_wall_ms latest = at;
    if (q->urgent || q->by_hand || !q->pending || !q->pending->oldest_at || at == TIDE_NEVER)
        return at;
    for (unsigned i = 0; i < set->count; i++) {
        tide_wall_ms t = spread_one(p, q, &set->all[i], at);
        if (t > latest) {
            latest = t;
            *ret_by = &set->all[i];
        }
    }
    if (q->hold_until_max)
        latest = TIDE_MAX(at, TIDE_MIN(latest, q->hold_until_max));
    return latest;
}

void planner_view_of(const struct planner *p,
                     const struct plan_query *q,
                     const struct applied *a,
                     struct policy_view *ret)
{
    struct meter *m = a->tally.meter;
    const struct window *w = &m->limit->window;
    *ret = (struct policy_view){
        .now = q->now,
        .pending = q->pending,
        .last_at = q->last_at,
        .hold_until_max = q->hold_until_max,
        .weight = q->weight,
        .word = q->recipient->policy_word,
        .forecast = &q->recipient->forecast,
        .recipient_id = q->recipient_id,
        .count = m->limit->count,
        .used = tally_used(&a->tally, q->now),
        .reserve = planner_reserve_left(p, q, a),
        .reserve_full = planner_reserve_of(p, m->limit),
        .span_ms = window_length_ms(w),
        .direct_share = p->config->planner.direct_share,
        .window_id = m->window,
        .source = q->source,
    };
    ret->is_day = window_is_day(w);
    if (window_is_fixed(w))
        ret->window = window_at(&m->rule, q->now);
    if (ret->is_day)
        ret->day = window_day(&m->rule, ret->window);
    else
        planner_learning_day(p, q->now, &ret->learnt_by);
    if (w->kind == WINDOW_ROLLING)
        for (int64_t left = ret->used; left > 0 && ret->refill_count < POLICY_REFILLS_MAX; left--)
            ret->refills[ret->refill_count++] = tally_earliest(&a->tally, left, q->now);
}

/* What a recipient without a limit of his own is planned with where shared ones are scarce. */
#define SENDS_UNLIMITED 20

static tide_wall_ms ask_policy(const struct planner *p, const struct policy_view *v)
{
    tide_wall_ms at = p->policy->wish(p->policy->arg, v);
    return v->hold_until_max ? TIDE_MIN(at, v->hold_until_max) : at;
}

/* What his own limit makes of it, and what the price of shared ones adds: *ret_dear. A price is
 * that of now: it is asked anew once the limit is refilled. */
static tide_wall_ms policy_wish(struct planner *p,
                                const struct plan_query *q,
                                const struct applied *own,
                                struct shared_price *ret_dear)
{
    struct policy_view v;
    if (p->policy->heeds_scarcity)
        planner_price(p, q, ret_dear);
    if (own)
        planner_view_of(p, q, own, &v);
    else
        planner_plain_view(p, q, &v);
    tide_wall_ms at = own ? ask_policy(p, &v) : q->now;
    if (!ret_dear->meter)
        return at;
    if (!own)
        v.count = SENDS_UNLIMITED;
    v.scarcity = ret_dear->squares;
    tide_wall_ms dear = TIDE_MIN(ask_policy(p, &v), ret_dear->until);
    dear = TIDE_MAX(dear, ret_dear->kept_until);
    if (v.hold_until_max)
        dear = TIDE_MIN(dear, v.hold_until_max);
    if (dear <= at)
        ret_dear->meter = NULL;
    return TIDE_MAX(at, dear);
}

static void explain(struct plan_answer *ret, const struct applied *a, tide_wall_ms now)
{
    if (!a)
        return;
    struct meter *m = a->tally.meter;
    ret->limit = m->limit;
    ret->used = tally_used(&a->tally, now);
    if (window_is_fixed(&m->limit->window))
        ret->reset_at = window_at(&m->rule, now).end;
}

static void hold(struct plan_answer *ret,
                 enum plan_why why,
                 tide_wall_ms at,
                 const struct applied *binding,
                 const struct applied *last,
                 tide_wall_ms now)
{
    *ret = (struct plan_answer){.kind = PLAN_HOLD, .why = why, .at = at};
    explain(ret, binding, now);
    /* Whoever waits for a place of his own must not stop a line with it. */
    if (last && last->subject)
        ret->subject = last->subject->id;
}

void planner_decide(struct planner *p, const struct plan_query *q, struct plan_answer *ret)
{
    struct applied_set *set = &p->ready;
    const struct applied *binding = NULL, *by = NULL;
    if (!planner_make_ready(p, q)) {
        hold(ret, PLAN_WHY_LIMIT, q->now + NO_MEMORY_WAIT_MS, NULL, NULL, q->now);
        return;
    }
    tide_wall_ms room_at = earliest_of_all(set, q->now, &binding);
    tide_wall_ms at = spread_all(p, q, set, room_at, &by);
    const struct applied *own = tightest(set, q->now);
    bool may_wait = q->digest && !q->urgent && !q->by_hand;
    struct shared_price dear = {0};
    tide_wall_ms wish = may_wait ? policy_wish(p, q, own, &dear) : q->now;
    if (wish > at && dear.meter) {
        *ret = (struct plan_answer){.kind = PLAN_DIGEST,
                                    .why = PLAN_WHY_DEAR,
                                    .at = wish,
                                    .limit = dear.meter->limit,
                                    .used = dear.used,
                                    .expected = dear.expected,
                                    .reset_at = dear.until};
    } else if (wish > at) {
        *ret = (struct plan_answer){
            .kind = PLAN_DIGEST, .why = PLAN_WHY_SPACED, .at = wish, .how = p->policy->how};
        explain(ret, own, q->now);
    } else if (room_at > q->now) {
        int64_t full = planner_full_of(binding->tally.meter);
        bool kept = tally_earliest(&binding->tally, full, q->now) == q->now;
        hold(ret, kept ? PLAN_WHY_RESERVE : PLAN_WHY_LIMIT, at, binding, by ? by : binding, q->now);
    } else if (at > q->now) {
        hold(ret, PLAN_WHY_SPREAD, at, by, by, q->now);
    } else {
        *ret = (struct plan_answer){.kind = PLAN_NOW, .at = q->now};
        explain(ret, own, q->now);
        double share = own ? (double)(ret->limit->count - ret->used) : 1;
        bool short_of = own && share <= p->config->planner.direct_share * (double)ret->limit->count;
        ret->why = q->urgent || q->by_hand ? PLAN_WHY_URGENT
                   : may_wait && short_of  ? PLAN_WHY_SPACED
                                           : PLAN_WHY_ROOM;
    }
}

/* -- Charging ---------------------------------------------------------------------------------- */

/* An urgent mail has left. The policy's forecast is rolled to the day first, where it keeps one. */
static void count_urgent(struct planner *p, const struct plan_query *q)
{
    struct forecast *f = &q->recipient->forecast;
    for (unsigned i = 0; i < p->ready.count; i++) {
        struct applied *a = &p->ready.all[i];
        struct policy_view v;
        struct foreseen ignored;
        if (a->subject || !window_is_day(&a->tally.meter->limit->window))
            continue;
        planner_view_of(p, q, a, &v);
        if (!p->policy->foresee || !p->policy->foresee(p->policy->arg, &v, &ignored))
            forecast_begin_day(f, v.day);
        if (f->day == v.day && f->urgent < UINT8_MAX)
            f->urgent++;
        return;
    }
}

void planner_charge(struct planner *p, const struct plan_query *q)
{
    struct applied_set *set = &p->ready;
    if (!planner_find_all(p, q))
        return; /* cannot be: planner_decide() has just found them all */
    for (unsigned i = 0; i < set->count; i++) {
        struct applied *a = &set->all[i];
        (void)tally_charge(&a->tally, q->now); /* made ready by planner_decide() */
        if (a->subject)
            subjects_mark(&p->subjects, a->subject);
        if (a->learnt)
            a->learnt->peak = TIDE_MAX(a->learnt->peak, tally_used(&a->tally, q->now));
    }
    if (q->urgent && !q->by_hand) {
        count_urgent(p, q);
        planner_count_shared(p, q, 0);
    }
    q->recipient->sent_before = true;
    uint32_t *word = &q->recipient->policy_word;
    *word = p->policy->charged(p->policy->arg, q->now, q->urgent, *word);
}

void planner_refund(struct planner *p,
                    const struct plan_query *q,
                    tide_wall_ms started_at,
                    enum plan_refund what)
{
    const struct applied_set *set = &p->ready;
    if (!planner_find_all(p, q))
        return; /* what is not given back is at worst sent later */
    for (unsigned i = 0; i < set->count; i++) {
        const struct applied *a = &set->all[i];
        if (what == REFUND_NOT_ACCEPTED && a->tally.meter->limit->counts != COUNT_ACCEPTED)
            continue;
        if (a->learnt && a->learnt->made_at > started_at)
            continue; /* it was not yet counted then */
        tally_refund(&a->tally, q->now, started_at);
        if (a->subject)
            subjects_mark(&p->subjects, a->subject);
    }
}
