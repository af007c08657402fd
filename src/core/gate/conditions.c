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

enum gate_keeps gate_verdict_keeps(const struct gate_recipient *r, const struct config_stream *s)
{
    enum verdict_kind kind = r->domain->kind;
    if (kind == VERDICT_UNKNOWN && (!s || s->on_unknown == UNKNOWN_HOLD))
        return KEEPS_UNKNOWN;
    if (!s || s->on_risky == RISKY_SEND)
        return KEEPS_NOT;
    if (s->risky_hints & r->hints)
        return KEEPS_HINTS;
    return kind == VERDICT_RISKY ? KEEPS_RISKY : KEEPS_NOT;
}

/* Until when all of a class is kept; 0: other mail may be there. */
struct kept {
    enum gate_keeps why;
    unsigned hints; /* that its stream does not want */
    tide_wall_ms until;
};

/* No answer of DNS will change what the address looks like. */
static struct kept kept_by(const struct gate_recipient *r, const struct config_stream *s)
{
    enum gate_keeps why = gate_verdict_keeps(r, s);
    return (struct kept){.why = why,
                         .hints = why == KEEPS_HINTS ? s->risky_hints & r->hints : 0,
                         .until = why == KEEPS_NOT     ? 0
                                  : why == KEEPS_HINTS ? TIDE_NEVER
                                                       : r->domain->valid_until};
}

/* What of the streams is kept first to end; until 0: not all of them are. */
static struct kept streams_kept(const struct gate *g, const struct gate_recipient *r, bool *ret_all)
{
    struct kept first = {0};
    *ret_all = g->config->stream_count > 0;
    for (size_t i = 0; i < g->config->stream_count; i++) {
        struct kept k = kept_by(r, &g->config->streams[i]);
        *ret_all &= k.why != KEEPS_NOT;
        if (k.why != KEEPS_NOT && (!first.until || k.until < first.until))
            first = k;
    }
    return first;
}

static struct kept class_kept(
    const struct gate *g, const struct gate_group *grp, bool urgent, bool digest, tide_wall_ms now)
{
    const struct gate_recipient *r = gate_recipient_of(g, grp);
    const struct gate_times *times = gate_times(g, grp);
    bool pure = urgent ? grp->urgent_pure : digest ? grp->digest_pure : grp->single_pure;
    bool found = urgent ? times->urgent_kept : digest ? times->digest_kept : times->single_kept;
    bool all;
    if (pure) {
        int stream = gate_stream_of_class(g, grp, urgent, digest);
        return kept_by(r, stream >= 0 ? &g->config->streams[stream] : NULL);
    }
    struct kept k = streams_kept(g, r, &all);
    if (found && times->kept_by == r->domain->valid_until && times->kept_until > now)
        k.until = TIDE_MIN(k.until, times->kept_until);
    else if (!all)
        k = (struct kept){0};
    return k;
}

static void tell_kept(struct gate *g,
                      struct gate_group *grp,
                      const struct kept *k,
                      tide_wall_ms now,
                      struct gate_todo *todo)
{
    const struct gate_recipient *r = gate_recipient_of(g, grp);
    const struct gate_domain *d = r->domain;
    struct buf names = {0};
    char when[96];
    gate_when(d->valid_until, now, when, sizeof when);
    if (k->why == KEEPS_HINTS) {
        recipient_hints_names(k->hints, &names);
        gate_tell_hold(
            g, grp, TOLD_RISKY, TIDE_NEVER,
            gate_printf(todo,
                        "held: its stream wants no risky recipients, and this one is (%s); an "
                        "operator may release or cancel it",
                        buf_str(&names)),
            TEXT(""), now, todo);
        buf_fini(&names);
    } else if (k->why == KEEPS_RISKY)
        gate_tell_hold(g, grp, TOLD_RISKY, d->valid_until,
                       gate_printf(todo, "held until %s: its stream wants no risky recipients: %s",
                                   when, d->reason ? d->reason : ""),
                       TEXT(""), now, todo);
    else
        gate_tell_hold(g, grp, TOLD_UNKNOWN, d->valid_until,
                       gate_printf(todo, "held until %s: %s could not be verified yet: %s", when,
                                   d->name, d->reason ? d->reason : "no answer"),
                       TEXT(""), now, todo);
}

/* False: all that could leave by now is kept. */
static bool verdict_lets_go(struct gate *g,
                            struct gate_group *grp,
                            struct gate_ready *ret,
                            tide_wall_ms now,
                            struct gate_todo *todo)
{
    const struct gate_times *times = gate_times(g, grp);
    struct {
        bool pending, urgent, digest, *ready;
        tide_wall_ms after;
    } classes[] = {
        {grp->urgent > 0, true, false, &ret->urgent, times->single_after},
        {grp->single > 0, false, false, &ret->single, times->single_after},
        {grp->digestible > 0, false, true, &ret->digest, times->digest_after},
    };
    struct kept first = {0};
    tide_wall_ms until = TIDE_NEVER;
    for (size_t i = 0; i < TIDE_COUNT(classes); i++) {
        struct kept k = {0};
        if (classes[i].pending)
            k = class_kept(g, grp, classes[i].urgent, classes[i].digest, now);
        *classes[i].ready = classes[i].pending && !k.why && classes[i].after <= now;
        first = first.why ? first : k;
        if (classes[i].pending)
            until = TIDE_MIN(until, TIDE_MAX(k.until, classes[i].after));
    }
    if (ret->urgent || ret->single || ret->digest)
        return true;
    tell_kept(g, grp, &first, now, todo);
    gate_wait_until(g, grp, until, todo);
    return false;
}

bool gate_domain_lets_go(struct gate *g,
                         struct gate_group *grp,
                         struct gate_ready *ret,
                         tide_wall_ms now,
                         struct gate_todo *todo)
{
    struct gate_domain *d = gate_recipient_of(g, grp)->domain;
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
    return verdict_lets_go(g, grp, ret, now, todo);
}

bool gate_class_is_bulk(const struct gate_group *grp, const struct gate_ready *ready)
{
    return ready->urgent ? false : ready->single ? grp->single_bulk : grp->digest_bulk;
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
                         struct gate_ready *ready,
                         tide_wall_ms now,
                         struct gate_todo *todo)
{
    const char *why = gate_class_is_bulk(grp, ready) ? held_everywhere(g, grp, sender) : NULL;
    if (!why)
        return true;
    if (ready->single && ready->digest && !grp->digest_bulk) {
        ready->single = false;
        return true;
    }
    gate_tell_hold(
        g, grp, TOLD_SENDER, TIDE_NEVER,
        gate_printf(todo, "held: its stream is bulk, and its sender no longer passes: %s", why),
        TEXT(""), now, todo);
    bool later = (grp->urgent && !ready->urgent) || (grp->single && !ready->single) ||
                 (grp->digestible && !ready->digest);
    if (later || gate_times(g, grp)->deadline_at)
        gate_wait_until(g, grp, now + SENDER_ASK_AGAIN_MS, todo);
    else
        gate_wait_in_line(g, grp, LINE_SENDER | sender->number, TIDE_NEVER, todo);
    return false;
}
