/* How a group waits, what is written of that, and how its mail is dropped. */
#include "core/gate/inside.h"

#include "base/macros.h"

int gate_stream_of_class(const struct gate *g,
                         const struct gate_group *grp,
                         bool urgent,
                         bool digest)
{
    uint16_t name = urgent ? grp->stream_urgent : digest ? grp->stream_digest : grp->stream_single;
    if (!name)
        name = grp->stream_single   ? grp->stream_single
               : grp->stream_digest ? grp->stream_digest
                                    : grp->stream_urgent;
    return gate_stream(g, name);
}

int gate_stream_of_next(const struct gate *g, const struct gate_group *grp)
{
    return gate_stream_of_class(g, grp, grp->urgent > 0, grp->urgent + grp->single == 0);
}

void gate_tell_hold(struct gate *g,
                    struct gate_group *grp,
                    int why,
                    tide_wall_ms due,
                    struct text reason,
                    struct text limit,
                    tide_wall_ms now,
                    struct gate_todo *todo)
{
    todo->decision = (struct gate_decision){
        .state = NOTIFICATION_HELD, .reason = reason, .due_at = due == TIDE_NEVER ? 0 : due};
    if (grp->told_due == gate_ms(due) &&
        (grp->told_why == (unsigned)why || grp->told_why == TOLD_STORED))
        return;
    grp->told_why = (unsigned)why & 31u;
    grp->told_due = gate_ms(due) & GATE_MS_NEVER;
    struct change *c = gate_add_change(todo, CHANGE_GROUP_HELD);
    if (c) {
        c->notification.group_id = grp->id;
        c->notification.state = NOTIFICATION_HELD;
        c->notification.reason = reason;
        c->notification.limit = arena_text(&todo->arena, limit);
        c->notification.due_at = due == TIDE_NEVER ? 0 : due;
    }
    struct journal_entry about = {.recipient_id = gate_recipient_of(g, grp)->id,
                                  .group_id = grp->id,
                                  .detail = gate_detail_of_hold(limit, due, todo)};
    gate_journal(todo, now, &about, "held", reason);
}

void gate_wait_until(struct gate *g,
                     struct gate_group *grp,
                     tide_wall_ms at,
                     struct gate_todo *todo)
{
    /* A deadline that drops mail wakes the group too. */
    tide_wall_ms deadline = gate_times(g, grp)->deadline_at;
    if (deadline && deadline != gate_times(g, grp)->dropped_late)
        at = TIDE_MIN(at, deadline);
    if (!queue_put_time(&g->queue, &grp->entry, at))
        todo->failed = true;
}

void gate_wait_in_line(struct gate *g,
                       struct gate_group *grp,
                       uint32_t subject,
                       tide_wall_ms wake_at,
                       struct gate_todo *todo)
{
    int stream = gate_stream_of_next(g, grp);
    int priority = stream >= 0 ? g->config->streams[stream].priority : 9;
    int64_t order = queue_order(priority, grp->urgent > 0, gate_times(g, grp)->deadline_at,
                                (tide_wall_ms)grp->oldest_at);
    /* The first in line sets when the line is asked next; whoever comes behind it changes nothing.
     */
    if (!queue_put_line(&g->queue, &grp->entry, subject, order, wake_at))
        todo->failed = true;
}

void gate_drop(struct gate *g,
               struct gate_group *grp,
               enum notification_state then,
               tide_wall_ms late_at,
               struct text reason,
               struct text detail,
               tide_wall_ms now,
               struct gate_todo *todo)
{
    struct gate_action *a = gate_add_action(todo, GATE_DO_DROP);
    if (!a)
        return;
    a->drop.group_id = grp->id;
    a->drop.then = then;
    a->drop.late_at = late_at;
    a->drop.reason = reason;
    a->drop.detail = detail;
    /* Should the store fail; its answer comes sooner. */
    gate_wait_until(g, grp, now + TIME_MINUTE_MS, todo);
    todo->decision = (struct gate_decision){.state = then, .reason = reason};
}

void gate_drop_stopped(struct gate *g,
                       struct gate_group *grp,
                       struct text without,
                       struct text reason,
                       tide_wall_ms now,
                       struct gate_todo *todo)
{
    size_t at = todo->count;
    gate_drop(g, grp, NOTIFICATION_REFUSED, 0, reason,
              gate_detail_of_drop("suppressed", NULL, todo), now, todo);
    if (todo->count > at)
        todo->actions[at].drop.without_streams = without;
}
