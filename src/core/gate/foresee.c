/* What comes, told to the forecast; and what the forecast says of a day, told to the application:
 * once for a recipient and day, as soon as it is likely that he gets more than his mailbox takes.
 */
#include "core/gate/inside.h"

#include "base/macros.h"

#include "core/proto/json_write.h"

#define WEIGHT_MEMORY 0.01 /* of the mean, a notification */

/* Those that left, or came back, are taken for average ones: one weighs 1 until it is known. */
void gate_set_pending(struct gate *g,
                      struct gate_group *grp,
                      const struct group_pending *pending,
                      struct gate_todo *todo)
{
    uint64_t was = grp->digestible, is = pending->digestible, weight = grp->weight;
    weight = is <= was ? (was ? (weight * is + was / 2) / was : 0) : weight + (is - was);
    grp->weight = (uint16_t)TIDE_MIN(weight, UINT16_MAX);
    grp->urgent = pending->urgent;
    grp->single = pending->single;
    grp->digestible = pending->digestible;
    grp->oldest_at = gate_ms(pending->oldest_at) & GATE_MS_NEVER;
    if (pending->deadline_at == gate_times(g, grp)->deadline_at)
        return;
    struct gate_times *times = gate_times_to_set(g, grp, todo);
    if (times)
        times->deadline_at = pending->deadline_at;
}

void gate_add_weight(struct gate *g, struct gate_group *grp, int weight)
{
    int more = TIDE_MAX(weight, 1);
    g->mean_weight += g->mean_weight > 0 ? WEIGHT_MEMORY * (more - g->mean_weight) : more;
    grp->weight = (uint16_t)TIDE_MIN(grp->weight + more - 1, UINT16_MAX); /* 1 is counted already */
}

double gate_weight(const struct gate *g, const struct gate_group *grp)
{
    return g->mean_weight > 0 ? grp->weight / g->mean_weight : 0;
}

static struct text detail_of(const struct plan_warning *x, struct gate_todo *todo)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_str(&w, "limit", x->limit->name);
    jw_int(&w, "count", x->limit->count);
    jw_int(&w, "used", x->used);
    jw_int(&w, "pending", x->pending);
    jw_number(&w, "expected", x->mean);
    jw_int(&w, "at_least", (int64_t)x->low);
    jw_int(&w, "at_most", (int64_t)x->high);
    jw_number(&w, "chance", x->chance);
    jw_time(&w, "at", x->over_at);
    jw_time(&w, "resets_at", x->reset_at);
    return gate_keep_detail(&w, todo);
}

void gate_tell_arrivals(struct gate *g,
                        struct gate_group *grp,
                        const struct plan_query *q,
                        struct gate_todo *todo)
{
    struct plan_warning x;
    char at[96];
    unsigned n = grp->arrived;
    grp->arrived = 0;
    if (!n || !planner_arrived(g->planner, q, n, &x))
        return;
    struct text sentence = gate_printf(
        todo,
        "will exceed %s: %lld of %lld used, %lld waiting, %.0f more expected until it starts anew "
        "(%.0f to %.0f in nine of ten cases); full at %s, then digests grow and wait",
        x.limit->name, (long long)x.used, (long long)x.limit->count, (long long)x.pending, x.mean,
        x.low, x.high, gate_when(x.over_at, q->now, at, sizeof at));
    const struct journal_entry about = {.recipient_id = gate_recipient_of(g, grp)->id,
                                        .detail = detail_of(&x, todo)};
    gate_journal(todo, q->now, &about, "will_exceed", sentence);
}
