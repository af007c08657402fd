/* From "now" to a durable claim: the attempt is charged and numbered, the store takes the mails for
 * it, and its answer says whether any were left to take. */
#include "core/gate/inside.h"

#include "base/macros.h"

#include <stdlib.h>

#define STORE_WAIT_MS     (10 * TIME_SECOND_MS) /* after a claim that the store could not write */
#define KEPT_ASK_AGAIN_MS (10 * TIME_MINUTE_MS)
#define DIGEST_ITEMS      1000 /* in one mail; the template shows fewer and counts the rest */

/* Those of other classes, too, while the verdict keeps some of what an urgent claim is for: else
 * something else would leave in its stead, with the rights of urgent mail. */
static bool is_of_other_class(const struct gate_attempt *a, const struct config_stream *s)
{
    return a->kept_by && a->urgent && !s->urgent;
}

/* Streams that stay behind, "|news|offers|" as store_claim wants it: bulk ones, those that the
 * verdict keeps, and those that are stopped or rest for this recipient; "": there is none. */
static struct text streams_behind(const struct gate *g,
                                  const struct gate_attempt *a,
                                  tide_wall_ms now,
                                  struct gate_todo *todo)
{
    struct buf names = {0};
    for (size_t i = 0; i < g->config->stream_count; i++) {
        const struct config_stream *s = &g->config->streams[i];
        if ((a->without_bulk && s->bulk) || (a->kept_by && gate_verdict_keeps(a->recipient, s)) ||
            is_of_other_class(a, s) || gate_stream_is_stopped(g, a->group, s, now))
            buf_addf(&names, "%s%s|", names.len ? "" : "|", s->name);
    }
    struct text t = arena_text(&todo->arena, buf_text(&names));
    if (names.failed != TIDE_OK || (names.len && !t.p))
        todo->failed = true;
    buf_fini(&names);
    return t;
}

static bool verdict_keeps_some(const struct config *c, const struct gate_recipient *r)
{
    bool found = false;
    for (size_t i = 0; i < c->stream_count; i++)
        found |= gate_verdict_keeps(r, &c->streams[i]) != KEEPS_NOT;
    return found;
}

static bool has_bulk(const struct config *c)
{
    bool found = false;
    for (size_t i = 0; i < c->stream_count; i++)
        found |= c->streams[i].bulk;
    return found;
}

/* The attempt, charged; NULL: no memory. */
static struct gate_attempt *start_attempt(struct gate *g,
                                          struct gate_group *grp,
                                          const struct plan_query *q)
{
    struct gate_attempt *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    *a = (struct gate_attempt){.id = id_next(&g->ids, q->now),
                               .group = grp,
                               .recipient = gate_recipient_of(g, grp),
                               .recipient_id = gate_recipient_of(g, grp)->id,
                               .group_id = grp->id,
                               .route = q->route,
                               .started_at = q->now,
                               .account = q->route.account,
                               .urgent = q->urgent,
                               .digest = q->digest,
                               .was_sent_before = gate_recipient_of(g, grp)->plan.sent_before};
    if (!idmap_put(&g->attempts, a->id, a)) {
        free(a);
        return NULL;
    }
    planner_charge(g->planner, q);
    queue_remove(&g->queue, &grp->entry);
    grp->claiming = true;
    grp->flying++;
    grp->told_due = 0;
    g->accounts[a->account].flying++;
    return a;
}

/* What is written with the claim or not at all. */
static void add_own_changes(struct gate *g,
                            const struct gate_attempt *a,
                            struct text why,
                            struct gate_action *action,
                            struct gate_todo *todo)
{
    struct gate_todo own = {.arena = todo->arena};
    struct journal_entry about = {.recipient_id = a->recipient->id,
                                  .group_id = a->group_id,
                                  .attempt_id = a->id,
                                  .detail = gate_detail_of_attempt(g, a, NULL, NULL, 0, &own)};
    gate_add_ledger_changes(g, a->recipient, &own);
    gate_journal(&own, a->started_at, &about, "released", why);
    todo->arena = own.arena;
    todo->failed |= own.failed;
    action->claim.changes = own.changes;
    action->claim.change_count = own.change_count;
}

void gate_claim(struct gate *g,
                struct gate_group *grp,
                const struct plan_query *q,
                tide_id only,
                struct text why,
                struct gate_todo *todo)
{
    struct gate_action *action = gate_add_action(todo, GATE_DO_CLAIM);
    struct gate_attempt *a = action ? start_attempt(g, grp, q) : NULL;
    if (!a) {
        todo->count -= action != NULL;
        todo->failed = true;
        return;
    }
    const struct config_account *account = &g->config->accounts[a->account];
    const struct gate_sender *sender = gate_senders_find(&g->senders, q->route.sender_domain);
    const char *provider = gate_recipient_of(g, grp)->domain->provider_name;
    a->without_bulk = !q->by_hand && gate_sender_held(sender, account->name) && has_bulk(g->config);
    if (!q->by_hand && verdict_keeps_some(g->config, a->recipient))
        a->kept_by = a->recipient->domain->valid_until;
    if (a->without_bulk || a->kept_by || (!q->by_hand && a->recipient->stopped))
        action->claim.without_streams = streams_behind(g, a, q->now, todo);
    action->claim.account = a->account;
    action->claim.only = only;
    action->claim.by_hand = q->by_hand;
    action->claim.digest = q->digest;
    action->claim.most = q->digest ? DIGEST_ITEMS : 1;
    action->claim.attempt = (struct attempt){
        .id = a->id,
        .recipient_id = gate_recipient_of(g, grp)->id,
        .group_id = a->group_id,
        .account = text_of(arena_strdup(&todo->arena, account->name)),
        .provider = text_of(arena_strdup(&todo->arena, provider ? provider : "")),
        .state = ATTEMPT_FLYING,
        .digest = q->digest,
        .started_at = q->now,
    };
    add_own_changes(g, a, why, action, todo);
}

/* The verdict keeps all that is left of the class; a claim that passed over bulk streams as well
 * cannot tell which it is. */
static void note_kept(struct gate *g,
                      const struct gate_attempt *a,
                      tide_wall_ms now,
                      struct gate_todo *todo)
{
    struct gate_times *times = gate_times_to_set(g, a->group, todo);
    if (!times)
        return;
    tide_wall_ms until = a->without_bulk ? now + KEPT_ASK_AGAIN_MS : TIDE_NEVER;
    if (times->kept_by != a->kept_by || times->kept_until <= now) {
        times->urgent_kept = times->single_kept = times->digest_kept = false;
        times->kept_until = until;
    }
    times->kept_by = a->kept_by;
    times->kept_until = TIDE_MIN(times->kept_until, until);
    *(a->urgent   ? &times->urgent_kept
      : a->digest ? &times->digest_kept
                  : &times->single_kept) = true;
}

/* Nothing was taken: what the class has to wait for before it is tried again. */
static void wait_after_empty(struct gate *g,
                             const struct gate_attempt *a,
                             const struct gate_event *ev,
                             struct gate_todo *todo)
{
    struct gate_group *grp = a->group;
    tide_wall_ms not_before = ev->claimed.left ? ev->claimed.left->not_before : 0;
    if (!ev->claimed.failed && not_before <= ev->now) { /* nothing else was left */
        if (a->kept_by) {
            note_kept(g, a, ev->now, todo);
            return;
        }
        if (a->without_bulk) {
            grp->digest_bulk |= a->digest;
            grp->single_bulk |= !a->digest;
            return;
        }
    }
    struct gate_times *times = gate_times_to_set(g, grp, todo);
    tide_wall_ms after = TIDE_MAX(not_before, ev->now + 1);
    if (times && ev->claimed.failed)
        times->retry_at = ev->now + STORE_WAIT_MS;
    else if (times && a->digest)
        times->digest_after = after;
    else if (times)
        times->single_after = after;
}

void gate_on_claimed(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct gate_attempt *a = idmap_get(&g->attempts, ev->claimed.attempt_id);
    if (!a)
        return;
    struct gate_group *grp = a->group;
    grp->claiming = false;
    if (!ev->claimed.failed && ev->claimed.left)
        gate_set_pending(g, grp, ev->claimed.left, todo);
    if (ev->claimed.failed || ev->claimed.count == 0) {
        wait_after_empty(g, a, ev, todo);
        gate_refund(g, a, REFUND_NOT_TRIED, ev->now, todo);
        gate_leave_wire(g, a, ev->now);
        gate_leave_group(a);
        gate_free_attempt(g, a);
    } else {
        a->newest_at = ev->claimed.newest_at;
        g->counts.released++;
        g->counts.digests += a->digest && ev->claimed.count > 1;
    }
    gate_decide(g, grp, ev->now, todo);
}
