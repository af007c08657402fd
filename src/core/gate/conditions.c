/* What has to be so before a group's mail may leave, limits aside: its mailbox is not to be left
 * alone, its domain is verified and not too risky, the sender of bulk mail passes. */
#include "core/gate/inside.h"

#include "base/macros.h"

#define SENDER_ASK_AGAIN_MS (10 * TIME_MINUTE_MS) /* of what a line cannot wake in time */

bool gate_rests(struct gate *g, struct gate_group *grp, tide_wall_ms now, struct gate_todo *todo)
{
    const struct suppression *pause = gate_pause_of(g, grp, now);
    char when[96];
    if (!pause)
        return false;
    gate_tell_hold(g, grp, TOLD_PAUSED, pause->expires_at,
                   gate_printf(todo, "held until %s: %s, it is left alone until then",
                               gate_when(pause->expires_at, now, when, sizeof when),
                               gate_stop_cause(pause->cause)),
                   TEXT(""), now, todo);
    tide_wall_ms urgent = grp->urgent ? gate_times(g, grp)->single_after : TIDE_NEVER;
    gate_wait_until(g, grp, TIDE_MIN(pause->expires_at, TIDE_MAX(urgent, now + 1)), todo);
    return true;
}

/* False when the stream holds mail for a recipient like this. */
static bool risk_lets_go(struct gate *g,
                         struct gate_group *grp,
                         tide_wall_ms now,
                         struct gate_todo *todo)
{
    struct gate_domain *d = gate_recipient_of(g, grp)->domain;
    int index = gate_stream_of_next(g, grp);
    const struct config_stream *s = index >= 0 ? &g->config->streams[index] : NULL;
    unsigned hints = s ? s->risky_hints & gate_recipient_of(g, grp)->hints : 0;
    bool risky = d->kind == VERDICT_RISKY;
    char when[96];
    if (!s || s->on_risky == RISKY_SEND || (!risky && !hints))
        return true;
    if (hints) { /* which no answer of DNS will change */
        struct buf names = {0};
        recipient_hints_names(hints, &names);
        gate_tell_hold(
            g, grp, TOLD_RISKY, TIDE_NEVER,
            gate_printf(todo,
                        "held: its stream wants no risky recipients, and this one is (%s); an "
                        "operator may release or cancel it",
                        buf_str(&names)),
            TEXT(""), now, todo);
        buf_fini(&names);
        gate_wait_until(g, grp, TIDE_NEVER, todo);
        return false;
    }
    gate_tell_hold(g, grp, TOLD_RISKY, d->valid_until,
                   gate_printf(todo, "held until %s: its stream wants no risky recipients: %s",
                               gate_when(d->valid_until, now, when, sizeof when),
                               d->reason ? d->reason : ""),
                   TEXT(""), now, todo);
    gate_wait_until(g, grp, d->valid_until, todo);
    return false;
}

bool gate_domain_lets_go(struct gate *g,
                         struct gate_group *grp,
                         tide_wall_ms now,
                         struct gate_todo *todo)
{
    struct gate_domain *d = gate_recipient_of(g, grp)->domain;
    char when[96];
    if (d->valid_until <= now) {
        if (!d->asking) {
            struct gate_action *a = gate_add_action(todo, GATE_DO_VERIFY);
            if (!a)
                return false;
            a->domain = text_of(arena_strdup(&todo->arena, d->name));
            d->asking = true;
        }
        gate_wait_in_line(g, grp, LINE_DOMAIN | d->number, TIDE_NEVER, todo);
        todo->decision = (struct gate_decision){
            .state = NOTIFICATION_ACCEPTED,
            .reason = gate_printf(todo, "accepted, %s is being verified", d->name)};
        return false;
    }
    if (d->kind == VERDICT_UNDELIVERABLE) {
        gate_drop(g, grp, NOTIFICATION_REFUSED, 0,
                  gate_printf(todo, "%s", d->reason ? d->reason : ""),
                  gate_detail_of_drop("undeliverable", d, todo), now, todo);
        return false;
    }
    if (d->kind != VERDICT_UNKNOWN)
        return risk_lets_go(g, grp, now, todo);
    int stream = gate_stream_of_next(g, grp);
    if (stream >= 0 && g->config->streams[stream].on_unknown == UNKNOWN_SEND)
        return risk_lets_go(g, grp, now, todo);
    gate_tell_hold(g, grp, TOLD_UNKNOWN, d->valid_until,
                   gate_printf(todo, "held until %s: %s could not be verified yet: %s",
                               gate_when(d->valid_until, now, when, sizeof when), d->name,
                               d->reason ? d->reason : "no answer"),
                   TEXT(""), now, todo);
    gate_wait_until(g, grp, d->valid_until, todo);
    return false;
}

bool gate_class_is_bulk(const struct gate_group *grp, bool single)
{
    return single ? grp->single_bulk && grp->urgent == 0 : grp->digest_bulk;
}

/* Why bulk mail is held at every account of the application; NULL: one takes it. */
static const char *held_everywhere(const struct gate *g,
                                   const struct gate_group *grp,
                                   const struct gate_sender *sender)
{
    const struct config_application *app = gate_application(g, grp->application);
    const char *why = NULL;
    for (size_t i = 0; app && i < app->account_count; i++) {
        const char *here = gate_sender_held(sender, g->config->accounts[app->accounts[i]].name);
        if (!here)
            return NULL;
        why = why ? why : here;
    }
    return why;
}

bool gate_sender_lets_go(struct gate *g,
                         struct gate_group *grp,
                         const struct gate_sender *sender,
                         bool *single,
                         tide_wall_ms now,
                         struct gate_todo *todo)
{
    const char *why = gate_class_is_bulk(grp, *single) ? held_everywhere(g, grp, sender) : NULL;
    bool other = *single && grp->digestible > 0 && !grp->digest_bulk;
    if (!why)
        return true;
    if (other && gate_times(g, grp)->digest_after <= now) {
        *single = false;
        return true;
    }
    gate_tell_hold(
        g, grp, TOLD_SENDER, TIDE_NEVER,
        gate_printf(todo, "held: its stream is bulk, and its sender no longer passes: %s", why),
        TEXT(""), now, todo);
    if (other || gate_times(g, grp)->deadline_at)
        gate_wait_until(g, grp, now + SENDER_ASK_AGAIN_MS, todo);
    else
        gate_wait_in_line(g, grp, LINE_SENDER | sender->number, TIDE_NEVER, todo);
    return false;
}
