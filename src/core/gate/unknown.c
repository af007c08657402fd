/* Attempts of unknown fate: the answer was lost, or mailtide died before it came. They stay
 * counted, and are released again when no news of them comes in time. */
#include "core/gate/inside.h"

#include "base/macros.h"

#include <stdlib.h>

/* News of it may come until some time after `since`; gives that time. */
static tide_wall_ms await_news(struct gate *g,
                               struct gate_attempt *a,
                               tide_wall_ms since,
                               struct gate_todo *todo)
{
    int64_t wait = a->account >= 0 ? g->config->accounts[a->account].unknown_wait_ms : TIME_HOUR_MS;
    a->unknown = true;
    if (a->group)
        a->group->unknown++;
    if (!heap_put(&g->unknowns, &a->wait, since + wait))
        todo->failed = true;
    return since + wait;
}

void gate_answer_lost(struct gate *g,
                      struct gate_attempt *a,
                      const struct account_outcome *outcome,
                      struct text sentence,
                      tide_wall_ms now,
                      struct gate_todo *todo)
{
    gate_end_attempt(g, a,
                     &(struct gate_ending){.state = ATTEMPT_UNKNOWN,
                                           .then = NOTIFICATION_RELEASING,
                                           .due = await_news(g, a, now, todo),
                                           .event = "unknown",
                                           .sentence = sentence,
                                           .outcome = outcome},
                     now, todo);
}

void gate_on_flying(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    const struct attempt *was = ev->flying.attempt;
    struct gate_attempt *a = calloc(1, sizeof *a);
    if (!a || !idmap_put(&g->attempts, was->id, a)) {
        free(a);
        todo->failed = true;
        return;
    }
    *a = (struct gate_attempt){.id = was->id,
                               .recipient_id = was->recipient_id,
                               .group_id = was->group_id,
                               .started_at = was->started_at,
                               .account = config_account_index(g->config, was->account),
                               .digest = was->digest};
    bool told = was->news != NEWS_OTHER; /* whoever tells anything of a mail has it */
    bool unclear = ev->flying.known == FLYING_CANNOT_TELL && !told;
    if (unclear && was->state == ATTEMPT_UNKNOWN) {
        await_news(g, a, was->ended_at, todo); /* as before: it was booked and journalled then */
        return;
    }
    if (unclear) {
        gate_answer_lost(
            g, a, NULL,
            TEXT("mailtide stopped before the answer came; the mail may have left. It stays "
                 "counted and is tried again if no news of it comes"),
            ev->now, todo);
        return;
    }
    struct gate_ending arrived = {
        .state = ATTEMPT_ACCEPTED,
        .then = NOTIFICATION_SENT,
        .event = "sent",
        .sentence = TEXT("mailtide stopped before it noted the answer; the mail did arrive")};
    struct gate_ending not_arrived = {
        .state = ATTEMPT_DEFERRED,
        .then = NOTIFICATION_HELD,
        .due = ev->now,
        .event = "deferred",
        .sentence = TEXT("mailtide stopped before the mail left; it is planned anew")};
    bool not_there = ev->flying.known == FLYING_NOT_ARRIVED && !told;
    gate_end_attempt(g, a, not_there ? &not_arrived : &arrived, ev->now, todo);
    gate_free_attempt(g, a);
}

void gate_settle_unknowns(struct gate *g, tide_wall_ms now, struct gate_todo *todo)
{
    for (struct heap_node *n; (n = heap_first(&g->unknowns)) && n->key <= now;) {
        struct gate_attempt *a = container_of(n, struct gate_attempt, wait);
        gate_end_attempt(
            g, a,
            &(struct gate_ending){.state = ATTEMPT_ABANDONED,
                                  .then = NOTIFICATION_HELD,
                                  .due = now,
                                  .event = "abandoned",
                                  .sentence = TEXT("no news of it came in time; it is released "
                                                   "again and may be seen twice")},
            now, todo);
        gate_free_attempt(g, a);
    }
}

void gate_settle_arrived(struct gate *g,
                         struct gate_attempt *a,
                         struct text sentence,
                         tide_wall_ms now,
                         struct gate_todo *todo)
{
    gate_end_attempt(g, a,
                     &(struct gate_ending){.state = ATTEMPT_ACCEPTED,
                                           .then = NOTIFICATION_SENT,
                                           .event = "sent",
                                           .sentence = sentence},
                     now, todo);
    struct gate_group *grp = gate_leave_group(a);
    gate_free_attempt(g, a);
    if (grp)
        gate_decide(g, grp, now, todo);
}
