/* Recipients and their groups: they come into memory with a notification, or when they are loaded,
 * and go when nothing of them is pending or in flight. */
#include "core/gate/inside.h"

#include "base/macros.h"
#include "core/address/addr.h"

#include <stdlib.h>

#define LOADED_SPREAD_MS 60000
#define ARRIVED_MAX      1023 /* of gate_group.arrived */

/* Those of the domain are the same for all of it, and take a dozen look-ups. */
static uint8_t hints_of(const struct gate *g,
                        struct gate_domain *d,
                        const struct recipient_state *state)
{
    struct recipient_hints h;
    if (!d->hinted) {
        recipient_hints(&g->hints, TEXT(""), state->domain, &h);
        d->hints = (uint8_t)h.found;
        d->hinted = true;
    }
    size_t tail = state->domain.n + 1;
    struct text local =
        text_cut(state->address, 0, state->address.n > tail ? state->address.n - tail : 0);
    recipient_hints(&g->hints, local, TEXT(""), &h);
    return (uint8_t)(d->hints | h.found);
}

static void recall_plan(struct gate_recipient *r,
                        struct text stored,
                        tide_wall_ms now,
                        struct gate_todo *todo)
{
    struct tide_error err;
    if (stored.n == 0 || plan_recipient_decode(stored, &r->plan, &err) == TIDE_OK)
        return;
    struct journal_entry about = {.recipient_id = r->id};
    gate_journal(todo, now, &about, "ledger-lost",
                 gate_printf(todo, "the stored ledger could not be read (%s): counting starts anew",
                             err.text));
}

/* Its handle; 0: no memory. */
static uint32_t recipient_of(struct gate *g,
                             const struct recipient_state *state,
                             tide_wall_ms now,
                             struct gate_todo *todo)
{
    uint32_t handle = idpool_find(&g->recipients, state->id);
    if (handle)
        return handle;
    struct gate_domain *d = gate_domain_named(g, state->domain, todo);
    handle = d ? idpool_add(&g->recipients, state->id) : 0;
    if (!handle) {
        todo->failed = true;
        return 0;
    }
    struct gate_recipient *r = idpool_at(&g->recipients, handle);
    r->domain = d;
    d->refs++;
    r->hints = hints_of(g, d, state);
    plan_recipient_init(&r->plan);
    gate_set_stops_of(g, r, state, now, todo);
    recall_plan(r, state->plan, now, todo);
    gate_take_stored_verdict(g, d, &state->verdict);
    return handle;
}

void gate_leave_recipient(struct gate *g, struct gate_recipient *r)
{
    if (r->groups || r->pinned)
        return;
    struct gate_domain *d = r->domain;
    if (r->stopped)
        free(idmap_remove(&g->stops, r->id));
    plan_recipient_fini(&r->plan);
    idpool_remove(&g->recipients, r->id);
    gate_leave_domain(g, d);
}

struct gate_group *gate_known_group(const struct gate *g,
                                    const struct gate_recipient *r,
                                    int64_t group_id)
{
    struct gate_group *grp = r ? gate_first_group(g, r) : NULL;
    while (grp && grp->id != group_id)
        grp = gate_next_group(g, grp);
    return grp;
}

static struct gate_group *group_of(struct gate *g,
                                   const struct group_pending *pending,
                                   const struct recipient_state *state,
                                   const struct gate_origin *origin,
                                   tide_wall_ms now,
                                   struct gate_todo *todo)
{
    uint32_t recipient = recipient_of(g, state, now, todo);
    struct gate_recipient *r = idpool_at(&g->recipients, recipient);
    struct gate_group *grp = gate_known_group(g, r, pending->group_id);
    if (!r || grp)
        return grp;
    uint32_t handle = pool_take(&g->groups);
    if (!handle) {
        gate_leave_recipient(g, r);
        todo->failed = true;
        return NULL;
    }
    grp = pool_at(&g->groups, handle);
    queue_entry_init(&grp->entry);
    grp->id = pending->group_id;
    grp->recipient = recipient;
    grp->next = r->groups;
    r->groups = handle;
    grp->application = gate_name_number(&g->applications, origin->application, todo);
    grp->sender = planner_intern_sender(g->planner, origin->identity);
    return grp;
}

const struct gate_times *gate_times(const struct gate *g, const struct gate_group *grp)
{
    static const struct gate_times none;
    return grp->has_times ? idpool_get(&g->group_times, grp->id) : &none;
}

struct gate_times *gate_times_to_set(struct gate *g, struct gate_group *grp, struct gate_todo *todo)
{
    if (!grp->has_times)
        grp->has_times = idpool_add(&g->group_times, grp->id) != 0;
    if (!grp->has_times)
        todo->failed = true;
    return grp->has_times ? idpool_get(&g->group_times, grp->id) : NULL;
}

void gate_forget_retry(struct gate *g, struct gate_group *grp)
{
    struct gate_times *times = grp->has_times ? idpool_get(&g->group_times, grp->id) : NULL;
    if (times)
        times->retry_at = 0;
}

static void free_group(struct gate *g, struct gate_group *grp)
{
    struct gate_recipient *r = gate_recipient_of(g, grp);
    uint32_t *place = &r->groups;
    for (struct gate_group *x; (x = pool_at(&g->groups, *place)) != grp;)
        place = &x->next;
    uint32_t handle = *place;
    *place = grp->next;
    queue_remove(&g->queue, &grp->entry);
    if (grp->has_times)
        idpool_remove(&g->group_times, grp->id);
    pool_give(&g->groups, handle);
    gate_leave_recipient(g, r);
}

void gate_forget_if_idle(struct gate *g, struct gate_group *grp)
{
    if (gate_is_empty(grp) && !grp->claiming && grp->flying == 0 && grp->returning == 0)
        free_group(g, grp);
}

void gate_forget_kept(struct gate *g, struct gate_group *grp)
{
    struct gate_times *times = grp->has_times ? idpool_get(&g->group_times, grp->id) : NULL;
    if (times)
        times->kept_by = 0;
}

/* Is all of a class of one stream, now that one of `stream` has come, the last of `count`? */
static bool is_pure(uint32_t count, bool was_pure, uint16_t was, uint16_t stream)
{
    return count == 1 || (was_pure && was == stream);
}

static void set_streams(struct gate *g, struct gate_group *grp, uint16_t stream)
{
    int index = gate_stream(g, stream);
    const struct config_stream *s = index >= 0 ? &g->config->streams[index] : NULL;
    bool bulk = s && s->bulk;
    if (s && s->urgent) {
        grp->urgent_pure = is_pure(grp->urgent, grp->urgent_pure, grp->stream_urgent, stream);
        grp->stream_urgent = (uint8_t)stream;
    } else if (s && !s->digest) {
        grp->single_pure = is_pure(grp->single, grp->single_pure, grp->stream_single, stream);
        grp->stream_single = (uint8_t)stream;
        grp->single_bulk = bulk && (grp->single_bulk || grp->single == 1);
    } else {
        grp->digest_pure = is_pure(grp->digestible, grp->digest_pure, grp->stream_digest, stream);
        grp->stream_digest = (uint8_t)stream;
        grp->digest_bulk = bulk && (grp->digest_bulk || grp->digestible == 1);
    }
    if (grp->has_times && !gate_verdict_keeps(gate_recipient_of(g, grp), s))
        gate_forget_kept(g, grp);
}

/* Mail came back: of which streams is not known. */
static void forget_streams(struct gate *g, struct gate_group *grp)
{
    grp->urgent_pure = grp->single_pure = grp->digest_pure = false;
    grp->single_bulk = grp->digest_bulk = false;
    gate_forget_kept(g, grp);
}

/* An application may say "not before": the first of its class sets the time of the class, one that
 * may leave at once clears it; what is in between is found out by an empty claim. */
static void set_not_before(struct gate *g,
                           struct gate_group *grp,
                           tide_wall_ms not_before,
                           tide_wall_ms now,
                           struct gate_todo *todo)
{
    bool first = (uint64_t)grp->urgent + grp->single + grp->digestible == 1;
    if (not_before <= now ? !grp->has_times : !first)
        return;
    struct gate_times *times = gate_times_to_set(g, grp, todo);
    if (times)
        times->single_after = times->digest_after = not_before <= now ? 0 : not_before;
}

static bool is_digestible(const struct gate *g, struct text stream)
{
    int index = config_stream_index(g->config, stream);
    return index >= 0 && g->config->streams[index].digest && !g->config->streams[index].urgent;
}

void gate_on_accepted(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct gate_group *grp = group_of(g, ev->accepted.pending, ev->accepted.recipient,
                                      &ev->accepted.origin, ev->now, todo);
    todo->decision = (struct gate_decision){.state = NOTIFICATION_ACCEPTED,
                                            .reason = TEXT("accepted, to be decided")};
    if (!grp)
        return;
    gate_set_pending(g, grp, ev->accepted.pending, todo);
    grp->sifted = false;
    set_streams(g, grp, gate_name_number(&g->streams, ev->accepted.origin.stream, todo));
    for (size_t i = 0; i < TIDE_COUNT(ev->accepted.also); i++)
        if (ev->accepted.also[i].n > 0)
            set_streams(g, grp, gate_name_number(&g->streams, ev->accepted.also[i], todo));
    set_not_before(g, grp, ev->accepted.not_before, ev->now, todo);
    /* Else the pause that is waited for would begin anew with each that takes another's place. */
    if (!ev->accepted.superseding)
        grp->last_at = TIDE_MAX(grp->last_at, gate_ms(ev->accepted.accepted_at)) & GATE_MS_NEVER;
    if (ev->type == GATE_LOADED) {
        /* A million groups are not planned anew in one go at every start, nor their holds written
         * again: each is looked at within a minute, or when it is due. */
        tide_wall_ms soon = ev->now + rng_below(&g->rng, LOADED_SPREAD_MS);
        grp->told_due = gate_ms(ev->accepted.due_at) & GATE_MS_NEVER;
        grp->told_why = TOLD_STORED;
        if (!queue_put_time(&g->queue, &grp->entry, TIDE_MIN(ev->accepted.due_at, soon)))
            todo->failed = true;
        return;
    }
    g->counts.accepted++;
    if (!ev->accepted.superseding && is_digestible(g, ev->accepted.origin.stream)) {
        if (grp->arrived < ARRIVED_MAX)
            grp->arrived++;
        gate_add_weight(g, grp, ev->accepted.weight);
    }
    grp->told_due = 0; /* the new one has to be told */
    struct text refusal = gate_refusal_of(g, grp, ev->accepted.origin.stream, ev->now, todo);
    gate_decide(g, grp, ev->now, todo);
    if (refusal.n > 0) /* whatever goes on of the rest of its group */
        todo->decision = (struct gate_decision){.state = NOTIFICATION_REFUSED, .reason = refusal};
}

void gate_on_pending(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    const struct group_pending *p = ev->pending;
    struct gate_group *grp =
        gate_known_group(g, idpool_get(&g->recipients, p->recipient_id), p->group_id);
    if (!grp) { /* of an earlier run: nothing of it was pending until now */
        struct gate_action *a =
            p->urgent + p->single + p->digestible ? gate_add_action(todo, GATE_DO_LOAD) : NULL;
        if (a)
            a->group_id = p->group_id;
        return;
    }
    if (grp->returning || p->urgent > grp->urgent || p->single > grp->single ||
        p->digestible > grp->digestible)
        forget_streams(g, grp);
    if (grp->returning)
        grp->returning--;
    grp->sifted |= grp->sifting;
    grp->sifting = false;
    gate_set_pending(g, grp, p, todo);
    gate_decide(g, grp, ev->now, todo);
}
