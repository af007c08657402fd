/* What a group does next. One function, gate_decide(), looks at the group from the top each time
 * something happened to it, and ends in exactly one of: forgotten (nothing pending), in the queue
 * (by time or in a line), claiming (called again when the claim is done), or dropped. */
#include "core/gate/inside.h"

#include "base/macros.h"

static struct text limit_name(const struct plan_answer *a)
{
    return a->limit ? text_of(a->limit->name) : TEXT("");
}

static void fill_query(struct gate *g,
                       struct gate_group *grp,
                       int account,
                       bool urgent,
                       bool digest,
                       tide_wall_ms now,
                       struct group_pending *ret_pending,
                       struct plan_query *ret)
{
    int stream = gate_stream_of_class(g, grp, urgent, digest);
    const struct config_stream *s = stream >= 0 ? &g->config->streams[stream] : NULL;
    struct gate_recipient *r = gate_recipient_of(g, grp);
    tide_wall_ms deadline = gate_times(g, grp)->deadline_at;
    *ret_pending = (struct group_pending){.group_id = grp->id,
                                          .recipient_id = r->id,
                                          .urgent = grp->urgent,
                                          .single = grp->single,
                                          .digestible = grp->digestible,
                                          .oldest_at = gate_wall_ms(grp->oldest_at),
                                          .deadline_at = deadline};
    *ret = (struct plan_query){
        .now = now,
        .recipient = &r->plan,
        .recipient_id = r->id,
        .route = {.provider = r->domain->provider,
                  .gateway = r->domain->gateway,
                  .domain = r->domain->interned,
                  .sender_domain = planner_sender_domain(g->planner, grp->sender),
                  .sender = grp->sender,
                  .account = (uint16_t)account,
                  .stream = (uint16_t)TIDE_MAX(stream, 0)},
        .application = gate_application_number(g, grp->application),
        .pending = ret_pending,
        .last_at = gate_wall_ms(grp->last_at),
        .source = gate_source(g, grp),
        .weight = gate_weight(g, grp),
        .urgent = urgent,
        .digest = digest,
    };
    if (s && s->hold_ms_max && grp->oldest_at)
        ret->hold_until_max = ret_pending->oldest_at + s->hold_ms_max;
    if (deadline > now && (!ret->hold_until_max || deadline < ret->hold_until_max))
        ret->hold_until_max = deadline;
}

/* What came since the last decision, now that it is known whose limits apply. */
static void tell_arrivals(
    struct gate *g, struct gate_group *grp, int account, tide_wall_ms now, struct gate_todo *todo)
{
    struct plan_query q;
    struct group_pending pending;
    if (!grp->arrived)
        return;
    fill_query(g, grp, account, false, true, now, &pending, &q);
    gate_tell_arrivals(g, grp, &q, todo);
}

static void hold(struct gate *g,
                 struct gate_group *grp,
                 const struct plan_answer *a,
                 tide_wall_ms now,
                 struct gate_todo *todo)
{
    gate_tell_hold(g, grp, TOLD_PLAN + (int)a->why, a->at, gate_why_not(a, now, todo),
                   limit_name(a), now, todo);
    if (a->subject)
        gate_wait_in_line(g, grp, a->subject, a->at, todo);
    else
        gate_wait_until(g, grp, a->at, todo);
}

/* A limit that a reply has named is closed for this mail: wait until it opens. */
static bool hold_closed(struct gate *g,
                        struct gate_group *grp,
                        const struct plan_query *q,
                        struct gate_todo *todo)
{
    const struct learn_key *c = planner_closed(g->planner, q);
    char when[96];
    if (!c)
        return false;
    gate_tell_hold(g, grp, TOLD_CLOSED, c->until,
                   gate_printf(todo, "held until %s: a reply named a limit: %s",
                               gate_when(c->until, q->now, when, sizeof when), c->reason),
                   TEXT(""), q->now, todo);
    gate_wait_until(g, grp, c->until, todo);
    return true;
}

/* Too much of what went through the account has bounced, or was called spam. */
static bool hold_guarded(struct gate *g,
                         struct gate_group *grp,
                         const struct plan_query *q,
                         struct gate_todo *todo)
{
    const struct guard *x = gate_guard_holds(g, gate_recipient_of(g, grp), q);
    if (!x)
        return false;
    tide_wall_ms until = x->state == GUARD_CLOSED ? x->rest_until : TIDE_NEVER;
    gate_tell_hold(g, grp, TOLD_GUARD, until, gate_guard_reason(x, q->now, todo), TEXT(""), q->now,
                   todo);
    gate_wait_until(g, grp, until, todo);
    return true;
}

/* One class of the group's mail: released if the planner says now, else held. */
static void release_or_hold(struct gate *g,
                            struct gate_group *grp,
                            int account,
                            bool urgent,
                            bool digest,
                            tide_wall_ms now,
                            struct gate_todo *todo)
{
    struct plan_query q;
    struct group_pending pending;
    struct plan_answer answer;
    fill_query(g, grp, account, urgent, digest, now, &pending, &q);
    if (hold_closed(g, grp, &q, todo) || hold_guarded(g, grp, &q, todo))
        return;
    planner_decide(g->planner, &q, &answer);
    if (answer.kind != PLAN_NOW) {
        hold(g, grp, &answer, now, todo);
        return;
    }
    struct text why = gate_why_now(&answer, digest, grp->digestible, todo);
    gate_claim(g, grp, &q, 0, why, todo);
    todo->decision =
        (struct gate_decision){.state = NOTIFICATION_RELEASING, .reason = why, .due_at = now};
}

/* Late mail goes first: what is dropped needs no place. True when a drop was asked for. */
static bool drop_late(struct gate *g,
                      struct gate_group *grp,
                      tide_wall_ms now,
                      struct gate_todo *todo)
{
    tide_wall_ms deadline = gate_times(g, grp)->deadline_at;
    if (!deadline || deadline > now || deadline == gate_times(g, grp)->dropped_late)
        return false;
    struct gate_times *times = gate_times_to_set(g, grp, todo);
    if (times)
        times->dropped_late = deadline;
    gate_drop(
        g, grp, NOTIFICATION_EXPIRED, now,
        TEXT("its deadline passed before there was room, and its stream says to drop it then"),
        gate_detail_of_drop("deadline", NULL, todo), now, todo);
    return true;
}

/* When the first of what is counted may leave: an application can say "not before". */
static tide_wall_ms early_until(const struct gate *g, const struct gate_group *grp)
{
    tide_wall_ms single =
        grp->urgent || grp->single ? gate_times(g, grp)->single_after : TIDE_NEVER;
    tide_wall_ms digest = grp->digestible ? gate_times(g, grp)->digest_after : TIDE_NEVER;
    return TIDE_MIN(single, digest);
}

/* Of urgent mail many may be under way at once; each may come back on hold. */
static bool is_crowded(const struct gate_group *grp)
{
    return grp->flying + grp->returning >= UINT8_MAX;
}

void gate_decide(struct gate *g, struct gate_group *grp, tide_wall_ms now, struct gate_todo *todo)
{
    char when[96];
    if (grp->claiming)
        return; /* decided again when the claim is done */
    if (gate_is_empty(grp)) {
        queue_remove(&g->queue, &grp->entry);
        gate_forget_if_idle(g, grp);
        return;
    }
    if (drop_late(g, grp, now, todo))
        return;
    if (gate_recipient_of(g, grp)->stopped && !gate_stops_let_go(g, grp, now, todo))
        return;
    if (grp->urgent == 0 && gate_rests(g, grp, now, todo))
        return;
    tide_wall_ms early = early_until(g, grp);
    if (early > now) {
        gate_tell_hold(g, grp, TOLD_LATER, early,
                       gate_printf(todo, "held until %s: not to leave before, says its application",
                                   gate_when(early, now, when, sizeof when)),
                       TEXT(""), now, todo);
        gate_wait_until(g, grp, early, todo);
        return;
    }
    struct gate_ready ready;
    if (!gate_domain_lets_go(g, grp, &ready, now, todo))
        return;
    const struct gate_times *times = gate_times(g, grp);
    if (times->retry_at > now) {
        todo->decision = (struct gate_decision){.state = NOTIFICATION_HELD,
                                                .reason = TEXT("held: the last try was put off"),
                                                .due_at = times->retry_at};
        gate_wait_until(g, grp, times->retry_at, todo);
        return;
    }
    bool busy = grp->flying > grp->unknown; /* order is kept: one under way, unless urgent */
    if ((busy && grp->urgent == 0) || is_crowded(grp)) {
        queue_remove(&g->queue, &grp->entry);
        todo->decision = (struct gate_decision){.state = NOTIFICATION_HELD,
                                                .reason = TEXT("behind a mail that is under way"),
                                                .due_at = now};
        return; /* its outcome decides again */
    }
    const struct gate_sender *sender =
        gate_senders_find(&g->senders, planner_sender_domain(g->planner, grp->sender));
    if (sender && !gate_sender_lets_go(g, grp, sender, &ready, now, todo))
        return;
    bool bulk = sender && gate_class_is_bulk(grp, &ready);
    int account = gate_choose_account(g, grp, bulk ? sender : NULL, now, todo);
    if (account < 0)
        return;
    tell_arrivals(g, grp, account, now, todo);
    if (!ready.urgent && gate_rests(g, grp, now, todo))
        return;
    if (busy && !ready.urgent) {
        queue_remove(&g->queue, &grp->entry);
        return;
    }
    release_or_hold(g, grp, account, ready.urgent, !ready.urgent && !ready.single, now, todo);
}

void gate_release_now(struct gate *g,
                      struct gate_group *grp,
                      tide_id only,
                      struct text by,
                      tide_wall_ms now,
                      struct gate_todo *todo)
{
    todo->decision = (struct gate_decision){.state = NOTIFICATION_HELD,
                                            .reason = TEXT("a release is under way")};
    if (grp->claiming || gate_is_empty(grp) || is_crowded(grp))
        return;
    if (gate_recipient_of(g, grp)->domain->kind == VERDICT_UNDELIVERABLE) {
        todo->decision.reason = gate_printf(todo, "%s", gate_recipient_of(g, grp)->domain->reason);
        return;
    }
    int account = gate_choose_account(g, grp, NULL, now, todo);
    if (account < 0)
        return;
    struct plan_query q;
    struct group_pending pending;
    struct plan_answer answer;
    bool digest = !only && grp->digestible > 0 && grp->urgent == 0 && grp->single == 0;
    fill_query(g, grp, account, true, digest, now, &pending, &q);
    q.by_hand = true;
    planner_decide(g->planner, &q, &answer);
    if (answer.kind != PLAN_NOW) {
        hold(g, grp, &answer, now, todo);
        return;
    }
    struct text why = gate_printf(todo, "released by hand (" TEXT_FMT "): " TEXT_FMT, TEXT_ARG(by),
                                  TEXT_ARG(gate_usage_text(&answer, todo)));
    gate_forget_retry(g, grp);
    gate_claim(g, grp, &q, only, why, todo);
    todo->decision =
        (struct gate_decision){.state = NOTIFICATION_RELEASING, .reason = why, .due_at = now};
}
