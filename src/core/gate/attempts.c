/* Attempts: charged and made durable before the first byte leaves, ended by an outcome, or of
 * unknown fate when the answer was lost or mailtide died in between.
 *
 *   gate_claim --> (store) claimed --> (way out) outcome --> accepted | deferred | refused
 *                     | nothing left: refunded         `--> unknown --news or time over--> ended
 *
 * Here is what its stages share; they are in claim.c, outcome.c, unclear.c and unknown.c. */
#include "core/gate/inside.h"

#include <stdlib.h>

void gate_write_plan(int64_t recipient_id, const struct plan_recipient *p, struct gate_todo *todo)
{
    struct buf blob = {0};
    struct change *c = gate_add_change(todo, CHANGE_RECIPIENT);
    plan_recipient_encode(p, &blob);
    if (c) {
        c->recipient.id = recipient_id;
        c->recipient.plan = arena_text(&todo->arena, buf_text(&blob));
    }
    todo->failed |= blob.failed != TIDE_OK;
    buf_fini(&blob);
}

static bool write_ledger(struct text subject, const struct buf *blob, struct gate_todo *todo)
{
    struct change *c = gate_add_change(todo, CHANGE_LEDGER);
    if (!c)
        return false;
    c->ledger.subject = arena_text(&todo->arena, subject);
    c->ledger.blob = arena_text(&todo->arena, buf_text(blob));
    return true;
}

void gate_add_ledger_changes(struct gate *g, struct gate_recipient *r, struct gate_todo *todo)
{
    struct buf blob = {0};
    struct text subject;
    bool ok = true;
    if (r)
        gate_write_plan(r->id, &r->plan, todo);
    while (ok && planner_next_dirty(g->planner, &subject, &blob))
        ok = write_ledger(subject, &blob, todo);
    while (ok && guards_next_dirty(&g->guards, &subject, &blob))
        ok = write_ledger(subject, &blob, todo);
    if (blob.failed != TIDE_OK)
        todo->failed = true;
    buf_fini(&blob);
}

void gate_query_of_attempt(struct gate_attempt *a, tide_wall_ms now, struct plan_query *ret)
{
    *ret = (struct plan_query){.now = now,
                               .recipient = &a->recipient->plan,
                               .recipient_id = a->recipient->id,
                               .route = a->route,
                               .urgent = a->urgent,
                               .digest = a->digest};
}

const char *gate_account_name(const struct gate *g, const struct gate_attempt *a)
{
    return a->account >= 0 ? g->config->accounts[a->account].name : "?";
}

void gate_refund(struct gate *g,
                 struct gate_attempt *a,
                 enum plan_refund what,
                 tide_wall_ms now,
                 struct gate_todo *todo)
{
    if (!a->recipient)
        return;
    struct plan_query q;
    gate_query_of_attempt(a, now, &q);
    planner_refund(g->planner, &q, a->started_at, what);
    a->recipient->plan.sent_before = a->was_sent_before; /* this one did not arrive */
    gate_add_ledger_changes(g, a->recipient, todo);
}

void gate_leave_wire(struct gate *g, struct gate_attempt *a, tide_wall_ms now)
{
    if (a->account >= 0) {
        g->accounts[a->account].flying--;
        queue_line_wait(&g->queue, LINE_ACCOUNT | (uint32_t)a->account, now);
    }
}

struct gate_group *gate_leave_group(struct gate_attempt *a)
{
    struct gate_group *grp = a->group;
    if (grp) {
        grp->flying--;
        grp->unknown = (uint8_t)(grp->unknown - a->unknown);
    }
    a->group = NULL;
    return grp;
}

void gate_free_attempt(struct gate *g, struct gate_attempt *a)
{
    struct gate_group *grp = gate_leave_group(a);
    heap_remove(&g->unknowns, &a->wait);
    idmap_remove(&g->attempts, a->id);
    free(a->unclear);
    free(a);
    if (grp)
        gate_forget_if_idle(g, grp);
}

void gate_end_attempt(struct gate *g,
                      struct gate_attempt *a,
                      const struct gate_ending *e,
                      tide_wall_ms now,
                      struct gate_todo *todo)
{
    struct change *c = gate_add_change(todo, CHANGE_ATTEMPT);
    if (c) {
        c->attempt.id = a->id;
        c->attempt.state = e->state;
        c->attempt.reply = e->sentence;
        c->attempt.ended_at = now;
        c->attempt.then = e->then;
        c->attempt.reason = e->sentence;
        c->attempt.due_at = e->due;
    }
    struct journal_entry about = {
        .recipient_id = a->recipient_id,
        .group_id = a->group_id,
        .attempt_id = a->id,
        .detail = gate_detail_of_attempt(g, a, e->outcome, e->finding, e->due, todo)};
    gate_journal(todo, now, &about, e->event, e->sentence);
    if (a->group && e->then == NOTIFICATION_HELD) {
        a->group->returning++;
        a->group->sifted = false;
    }
}
