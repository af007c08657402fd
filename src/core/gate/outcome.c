/* What a way out said of an attempt, and how that ends it: sent, bounced, put off, or put off until
 * a limit that the reply named opens anew. */
#include "core/gate/inside.h"

#include "base/macros.h"

#include <stdio.h>

/* RFC 5321 4.5.4.1: retries at least 30 minutes apart, the first few may come sooner. */
#define RETRY_MIN_MS    (5 * TIME_MINUTE_MS)
#define RETRY_MAX_MS    (4 * TIME_HOUR_MS)
#define LIMIT_JITTER_MS TIME_MINUTE_MS /* not all in the instant that a window opens */

static int64_t retry_after(struct gate *g, unsigned tries)
{
    int64_t wait = RETRY_MIN_MS;
    for (unsigned i = 0; i < tries && wait < RETRY_MAX_MS; i++)
        wait *= 2;
    return (int64_t)((double)TIDE_MIN(wait, RETRY_MAX_MS) * (0.9 + rng_unit(&g->rng) / 5));
}

static void set_retry(struct gate *g,
                      struct gate_group *grp,
                      tide_wall_ms at,
                      struct gate_todo *todo)
{
    struct gate_times *times = gate_times_to_set(g, grp, todo);
    if (times)
        times->retry_at = at;
}

/* Put off: back on hold, to be planned again at `at`. The store gives the new counts. */
static void put_off(struct gate *g,
                    struct gate_attempt *a,
                    const struct account_outcome *outcome,
                    const struct finding *f,
                    tide_wall_ms now,
                    struct gate_todo *todo)
{
    struct gate_group *grp = a->group;
    char when[96];
    tide_wall_ms at = now;
    bool for_mail = f->kind == FINDING_LATER;
    if (for_mail && grp) {
        at = now + retry_after(g, grp->tries);
        if (grp->tries < UINT8_MAX)
            grp->tries++;
        set_retry(g, grp, at, todo);
    }
    struct text sentence =
        for_mail ? gate_printf(todo, "%s; held until %s", f->sentence,
                               gate_when(at, now, when, sizeof when))
                 : gate_printf(todo, "%s; held until an account can take it", f->sentence);
    gate_end_attempt(g, a,
                     &(struct gate_ending){.state = ATTEMPT_DEFERRED,
                                           .then = NOTIFICATION_HELD,
                                           .due = at,
                                           .event = "deferred",
                                           .sentence = sentence,
                                           .outcome = outcome,
                                           .finding = f},
                     now, todo);
}

/* A limit that a reply named: everything that it counts waits until its window opens anew; this
 * mail's tries and age are as they were. */
static void close_limit(struct gate *g,
                        struct gate_attempt *a,
                        const struct account_outcome *outcome,
                        const struct finding *f,
                        tide_wall_ms now,
                        struct gate_todo *todo)
{
    const struct reply_rule *rule = f->meaning.rule;
    char when[96], said[REPLY_TEXT_BYTES_MAX + 64];
    bool closed = false;
    tide_wall_ms at = planner_opens_at(g->planner, &rule->window, now);
    at = TIDE_MAX(at, now + rule->wait_ms);
    at += (tide_wall_ms)((double)LIMIT_JITTER_MS * rng_unit(&g->rng));
    if (a->recipient) {
        struct plan_query q;
        gate_query_of_attempt(a, now, &q);
        reply_text(&outcome->reply, said, sizeof said);
        at = gate_limit_named(g, &q, &f->meaning, at, 0, text_of(gate_account_name(g, a)),
                              text_of(said), &closed, todo);
    }
    if (!closed && a->group)
        set_retry(g, a->group, at, todo);
    struct text sentence =
        gate_printf(todo, "%s; held until %s", f->sentence, gate_when(at, now, when, sizeof when));
    gate_end_attempt(g, a,
                     &(struct gate_ending){.state = ATTEMPT_DEFERRED,
                                           .then = NOTIFICATION_HELD,
                                           .due = at,
                                           .event = "limited",
                                           .sentence = sentence,
                                           .outcome = outcome,
                                           .finding = f},
                     now, todo);
}

/* It was taken: what is learnt of limits rests on that. */
static void note_taken(struct gate *g,
                       struct gate_attempt *a,
                       tide_wall_ms now,
                       struct gate_todo *todo)
{
    struct plan_query q;
    if (!a->recipient)
        return;
    gate_query_of_attempt(a, now, &q);
    planner_accepted(g->planner, &q, a->started_at);
    gate_guard_sent(g, a, now, todo);
    gate_add_ledger_changes(g, NULL, todo);
}

static bool concerns_recipient(const struct meaning *m)
{
    return (m->fault == FAULT_RECIPIENT && m->class != CLASS_DOMAIN) ||
           (m->rule && (m->rule->pair || m->rule->esp_list));
}

static void end_accepted(struct gate *g,
                         struct gate_attempt *a,
                         const struct account_outcome *outcome,
                         const struct finding *f,
                         tide_wall_ms now,
                         struct gate_todo *todo)
{
    note_taken(g, a, now, todo);
    if (a->group) {
        a->group->tries = 0;
        gate_forget_retry(g, a->group);
    }
    gate_end_attempt(g, a,
                     &(struct gate_ending){.state = ATTEMPT_ACCEPTED,
                                           .then = NOTIFICATION_SENT,
                                           .event = "sent",
                                           .sentence = gate_printf(todo, "%s", f->sentence),
                                           .outcome = outcome},
                     now, todo);
}

static void end_bounced(struct gate *g,
                        struct gate_attempt *a,
                        const struct account_outcome *outcome,
                        const struct finding *f,
                        tide_wall_ms now,
                        struct gate_todo *todo)
{
    g->counts.bounced++;
    gate_end_attempt(g, a,
                     &(struct gate_ending){.state = ATTEMPT_REFUSED,
                                           .then = NOTIFICATION_BOUNCED,
                                           .event = "bounced",
                                           .sentence = gate_printf(todo, "%s", f->sentence),
                                           .outcome = outcome,
                                           .finding = f},
                     now, todo);
    if (concerns_recipient(&f->meaning) && !a->unclear)
        gate_recall(g, a, outcome, NEWS_BOUNCED, todo);
    gate_refund(g, a, REFUND_NOT_ACCEPTED, now, todo);
}

void gate_conclude(struct gate *g,
                   struct gate_attempt *a,
                   const struct account_outcome *outcome,
                   const struct finding *f,
                   tide_wall_ms now,
                   struct gate_todo *todo)
{
    struct gate_group *grp;
    switch (f->kind) {
    case FINDING_ACCEPTED:
        end_accepted(g, a, outcome, f, now, todo);
        break;
    case FINDING_BOUNCE:
        end_bounced(g, a, outcome, f, now, todo);
        break;
    case FINDING_LIMIT:
        /* First: what is learnt is seeded after. */
        gate_refund(g, a, REFUND_NOT_ACCEPTED, now, todo);
        close_limit(g, a, outcome, f, now, todo);
        if (a->recipient)
            gate_add_ledger_changes(g, a->recipient, todo);
        break;
    case FINDING_LATER:
    case FINDING_ACCOUNT:
        put_off(g, a, outcome, f, now, todo);
        if (f->meaning.class == CLASS_FULL && concerns_recipient(&f->meaning))
            gate_recall(g, a, outcome, NEWS_DEFERRED, todo);
        gate_refund(g, a,
                    outcome->result == ACCOUNT_NOT_SENT ? REFUND_NOT_TRIED : REFUND_NOT_ACCEPTED,
                    now, todo);
        break;
    case FINDING_UNCLEAR:
        gate_await_past(g, a, outcome, now, todo);
        return;
    case FINDING_UNKNOWN:
        gate_answer_lost(g, a, outcome, gate_printf(todo, "%s", f->sentence), now, todo);
        if (a->group)
            gate_decide(g, a->group, now, todo);
        return;
    }
    /* Decide before the attempt goes: its group may be forgotten with it. What was put off comes
     * back with the store's answer (GATE_PENDING). */
    grp = gate_leave_group(a);
    gate_free_attempt(g, a);
    if (grp)
        gate_decide(g, grp, now, todo);
}

void gate_on_outcome(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct gate_attempt *a = idmap_get(&g->attempts, ev->outcome.attempt_id);
    if (!a || a->unknown || a->unclear)
        return;
    const struct account_outcome *outcome = ev->outcome.outcome;
    struct finding f;
    const char *account = gate_account_name(g, a);
    const char *provider = a->recipient ? a->recipient->domain->provider_name : NULL;
    finding_of_outcome(outcome, text_of(account), text_of(provider), g->rules, &f);
    if (a->arrived && f.kind != FINDING_ACCEPTED) {
        f.kind = FINDING_ACCEPTED;
        snprintf(f.sentence + strlen(f.sentence), sizeof f.sentence - strlen(f.sentence),
                 "; but news of it has come: account %s has it", account);
    }
    gate_note_outcome(g, a, &f, outcome->wait_ms, ev->now);
    gate_note_quota(g, a->account, &outcome->quota, ev->now, todo);
    gate_leave_wire(g, a, ev->now);
    if (f.kind == FINDING_LATER && ev->now - a->newest_at > GATE_GIVE_UP_MS)
        f.kind = FINDING_BOUNCE;
    gate_conclude(g, a, outcome, &f, ev->now, todo);
}
