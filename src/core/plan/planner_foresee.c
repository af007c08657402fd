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
        if (!set->all[i].subject && l->window.kind == WINDOW_CALENDAR &&
            l->window.unit == WINDOW_DAY && l->count > 0 &&
            (!least || l->count < least->tally.meter->limit->count))
            least = &set->all[i];
    }
    return least;
}

/* Who has no daily limit is learnt of by days of UTC: accounts and providers want to know too. */
static void plain_day(const struct planner *p, const struct plan_query *q, struct policy_view *ret)
{
    static const struct window day = {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY};
    int64_t number = q->now / TIME_DAY_MS;
    *ret = (struct policy_view){
        .now = q->now,
        .pending = q->pending,
        .last_at = q->last_at,
        .forecast = &q->recipient->forecast,
        .recipient_id = q->recipient_id,
        .window = {number * TIME_DAY_MS, (number + 1) * TIME_DAY_MS},
        .span_ms = TIME_DAY_MS,
        .is_day = true,
        .day = (int32_t)number,
        .window_id = window_hash(&day),
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
        plain_day(p, q, ret);
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

bool planner_expect(
    struct planner *p, int64_t recipient_id, double value, tide_wall_ms now, tide_wall_ms until)
{
    return p->policy->expect && p->policy->expect(p->policy->arg, recipient_id, value, now, until);
}
