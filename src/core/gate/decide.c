/* What a group does next. One function, gate_decide(), looks at the group from the top each time
 * something happened to it, and ends in exactly one of: forgotten (nothing pending), in the queue
 * (by time or in a line), claiming (called again when the claim is done), or dropped. */
#include "core/gate/inside.h"

#include "base/macros.h"

#include <stdio.h>

enum told {
    TOLD_NOTHING,
    TOLD_UNKNOWN,
    TOLD_RISKY,
    TOLD_LATER,
    TOLD_ACCOUNTS,
    TOLD_CLOSED,
    TOLD_GUARD,
    TOLD_PAUSED,
    TOLD_SENDER,
    TOLD_PLAN /* + enum plan_why */
};

static struct text limit_name(const struct plan_answer *a)
{
    return a->limit ? text_of(a->limit->name) : TEXT("");
}

/* The stream of a class of the group's mail, index into the configuration; -1: no longer
 * configured. A group that was loaded after a restart knows the stream of its most urgent mail
 * alone. */
static int stream_of_class(const struct gate *g,
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

/* Of what would leave next. */
static int stream_of_next(const struct gate *g, const struct gate_group *grp)
{
    return stream_of_class(g, grp, grp->pending.urgent > 0,
                           grp->pending.urgent + grp->pending.single == 0);
}

/* Writes a hold once for the group, and again only when its reason or time has changed. */
static void tell_hold(struct gate *g,
                      struct gate_group *grp,
                      int why,
                      tide_wall_ms due,
                      struct text reason,
                      struct text limit,
                      tide_wall_ms now,
                      struct gate_todo *todo)
{
    (void)g;
    todo->decision = (struct gate_decision){
        .state = NOTIFICATION_HELD, .reason = reason, .due_at = due == TIDE_NEVER ? 0 : due};
    if (grp->told_due == due && (grp->told_why == why || grp->told_why == TOLD_STORED))
        return;
    grp->told_why = (uint8_t)why;
    grp->told_due = due;
    struct change *c = gate_add_change(todo, CHANGE_GROUP_HELD);
    if (c) {
        c->notification.group_id = grp->pending.group_id;
        c->notification.state = NOTIFICATION_HELD;
        c->notification.reason = reason;
        c->notification.limit = arena_text(&todo->arena, limit);
        c->notification.due_at = due == TIDE_NEVER ? 0 : due;
    }
    struct journal_entry about = {.recipient_id = grp->recipient->id,
                                  .group_id = grp->pending.group_id,
                                  .detail = gate_detail_of_hold(limit, due, todo)};
    gate_journal(todo, now, &about, "held", reason);
}

static void wait_until(struct gate *g,
                       struct gate_group *grp,
                       tide_wall_ms at,
                       struct gate_todo *todo)
{
    /* A deadline that drops mail wakes the group too. */
    tide_wall_ms deadline = grp->pending.deadline_at;
    if (deadline && deadline != gate_times(grp)->dropped_late)
        at = TIDE_MIN(at, deadline);
    if (!queue_put_time(&g->queue, &grp->entry, at))
        todo->failed = true;
}

static void wait_in_line(struct gate *g,
                         struct gate_group *grp,
                         uint32_t subject,
                         tide_wall_ms wake_at,
                         struct gate_todo *todo)
{
    const struct group_pending *p = &grp->pending;
    int stream = stream_of_next(g, grp);
    int priority = stream >= 0 ? g->config->streams[stream].priority : 9;
    int64_t order = queue_order(priority, p->urgent > 0, p->deadline_at, p->oldest_at);
    /* The first in line sets when the line is asked next; whoever comes behind it changes nothing.
     */
    if (!queue_put_line(&g->queue, &grp->entry, subject, order, wake_at))
        todo->failed = true;
}

static void drop(struct gate *g,
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
    a->drop.group_id = grp->pending.group_id;
    a->drop.then = then;
    a->drop.late_at = late_at;
    a->drop.reason = reason;
    a->drop.detail = detail;
    wait_until(g, grp, now + TIME_MINUTE_MS,
               todo); /* should the store fail; its answer comes sooner */
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
    drop(g, grp, NOTIFICATION_REFUSED, 0, reason, gate_detail_of_drop("suppressed", NULL, todo),
         now, todo);
    if (todo->count > at)
        todo->actions[at].drop.without_streams = without;
}

/* What is not urgent rests with the recipient's mailbox. True: nothing else is there to go. */
static bool rests(struct gate *g, struct gate_group *grp, tide_wall_ms now, struct gate_todo *todo)
{
    const struct suppression *pause = gate_pause_of(g, grp, now);
    char when[96];
    if (!pause)
        return false;
    tell_hold(g, grp, TOLD_PAUSED, pause->expires_at,
              gate_printf(todo, "held until %s: %s, it is left alone until then",
                          gate_when(pause->expires_at, now, when, sizeof when),
                          gate_stop_cause(pause->cause)),
              TEXT(""), now, todo);
    tide_wall_ms urgent = grp->pending.urgent ? gate_times(grp)->single_after : TIDE_NEVER;
    wait_until(g, grp, TIDE_MIN(pause->expires_at, TIDE_MAX(urgent, now + 1)), todo);
    return true;
}

/* False when the stream holds mail for a recipient like this. */
static bool risk_lets_go(struct gate *g,
                         struct gate_group *grp,
                         tide_wall_ms now,
                         struct gate_todo *todo)
{
    struct gate_domain *d = grp->recipient->domain;
    int index = stream_of_next(g, grp);
    const struct config_stream *s = index >= 0 ? &g->config->streams[index] : NULL;
    unsigned hints = s ? s->risky_hints & grp->recipient->hints : 0;
    bool risky = d->kind == VERDICT_RISKY;
    char when[96];
    if (!s || s->on_risky == RISKY_SEND || (!risky && !hints))
        return true;
    if (hints) { /* which no answer of DNS will change */
        struct buf names = {0};
        recipient_hints_names(hints, &names);
        tell_hold(
            g, grp, TOLD_RISKY, TIDE_NEVER,
            gate_printf(todo,
                        "held: its stream wants no risky recipients, and this one is (%s); an "
                        "operator may release or cancel it",
                        buf_str(&names)),
            TEXT(""), now, todo);
        buf_fini(&names);
        wait_until(g, grp, TIDE_NEVER, todo);
        return false;
    }
    tell_hold(g, grp, TOLD_RISKY, d->valid_until,
              gate_printf(todo, "held until %s: its stream wants no risky recipients: %s",
                          gate_when(d->valid_until, now, when, sizeof when),
                          d->reason ? d->reason : ""),
              TEXT(""), now, todo);
    wait_until(g, grp, d->valid_until, todo);
    return false;
}

/* False when the group has to wait for, or ended by, what DNS says of its domain. */
static bool domain_lets_go(struct gate *g,
                           struct gate_group *grp,
                           tide_wall_ms now,
                           struct gate_todo *todo)
{
    struct gate_domain *d = grp->recipient->domain;
    char when[96];
    if (d->valid_until <= now) {
        if (!d->asking) {
            struct gate_action *a = gate_add_action(todo, GATE_DO_VERIFY);
            if (!a)
                return false;
            a->domain = text_of(arena_strdup(&todo->arena, d->name));
            d->asking = true;
        }
        wait_in_line(g, grp, LINE_DOMAIN | d->number, TIDE_NEVER, todo);
        todo->decision = (struct gate_decision){
            .state = NOTIFICATION_ACCEPTED,
            .reason = gate_printf(todo, "accepted, %s is being verified", d->name)};
        return false;
    }
    if (d->kind == VERDICT_UNDELIVERABLE) {
        drop(g, grp, NOTIFICATION_REFUSED, 0, gate_printf(todo, "%s", d->reason ? d->reason : ""),
             gate_detail_of_drop("undeliverable", d, todo), now, todo);
        return false;
    }
    if (d->kind != VERDICT_UNKNOWN)
        return risk_lets_go(g, grp, now, todo);
    int stream = stream_of_next(g, grp);
    if (stream >= 0 && g->config->streams[stream].on_unknown == UNKNOWN_SEND)
        return risk_lets_go(g, grp, now, todo);
    tell_hold(g, grp, TOLD_UNKNOWN, d->valid_until,
              gate_printf(todo, "held until %s: %s could not be verified yet: %s",
                          gate_when(d->valid_until, now, when, sizeof when), d->name,
                          d->reason ? d->reason : "no answer"),
              TEXT(""), now, todo);
    wait_until(g, grp, d->valid_until, todo);
    return false;
}

/* -- Senders that do not pass --------------------------------------------------------------------
 */

static bool class_is_bulk(const struct gate_group *grp, bool single)
{
    return single ? grp->single_bulk && grp->pending.urgent == 0 : grp->digest_bulk;
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

#define SENDER_ASK_AGAIN_MS (10 * TIME_MINUTE_MS) /* of what a line cannot wake in time */

/* False: nothing but bulk mail of a sender that does not pass is there to go. *single is the class
 * that would go first; behind bulk mail that is held the other class has its turn. */
static bool sender_lets_go(struct gate *g,
                           struct gate_group *grp,
                           const struct gate_sender *sender,
                           bool *single,
                           tide_wall_ms now,
                           struct gate_todo *todo)
{
    const char *why = class_is_bulk(grp, *single) ? held_everywhere(g, grp, sender) : NULL;
    bool other = *single && grp->pending.digestible > 0 && !grp->digest_bulk;
    if (!why)
        return true;
    if (other && gate_times(grp)->digest_after <= now) {
        *single = false;
        return true;
    }
    tell_hold(
        g, grp, TOLD_SENDER, TIDE_NEVER,
        gate_printf(todo, "held: its stream is bulk, and its sender no longer passes: %s", why),
        TEXT(""), now, todo);
    if (other || grp->pending.deadline_at)
        wait_until(g, grp, now + SENDER_ASK_AGAIN_MS, todo);
    else
        wait_in_line(g, grp, LINE_SENDER | sender->number, TIDE_NEVER, todo);
    return false;
}

/* The account's ESP said that nothing is left of its window. A short wait is not worth a word. */
static void wait_for_quota(
    struct gate *g, struct gate_group *grp, int account, tide_wall_ms now, struct gate_todo *todo)
{
    char when[96];
    tide_wall_ms until = g->accounts[account].quota_until;
    struct text reason =
        gate_printf(todo, "held until %s: account %s has used up what its ESP takes until then",
                    gate_when(until, now, when, sizeof when), g->config->accounts[account].name);
    if (until > now + TIME_MINUTE_MS)
        tell_hold(g, grp, TOLD_ACCOUNTS, until, reason, TEXT(""), now, todo);
    todo->decision =
        (struct gate_decision){.state = NOTIFICATION_HELD, .reason = reason, .due_at = until};
    wait_in_line(g, grp, LINE_ACCOUNT | (uint32_t)account, until, todo);
}

/* The first account of the application that may take a mail now; -1 when the group waits instead.
 * `sender` is set for bulk mail of a sender that is held at some: these are not for it. */
static int choose_account(struct gate *g,
                          struct gate_group *grp,
                          const struct gate_sender *sender,
                          tide_wall_ms now,
                          struct gate_todo *todo)
{
    const struct config_application *app = gate_application(g, grp->application);
    if (!app || app->account_count == 0) {
        tell_hold(
            g, grp, TOLD_ACCOUNTS, TIDE_NEVER,
            gate_printf(todo, "held: its application is no longer configured, or has no account"),
            TEXT(""), now, todo);
        wait_until(g, grp, TIDE_NEVER, todo);
        return -1;
    }
    int first = -1; /* of those that are down: the one that is tried again first */
    tide_wall_ms earliest = TIDE_NEVER;
    for (size_t i = 0; i < app->account_count; i++) {
        struct gate_account *a = &g->accounts[app->accounts[i]];
        if (gate_sender_held(sender, g->config->accounts[app->accounts[i]].name))
            continue;
        int places = backoff_places(&a->backoff, now, a->places);
        if (a->quota_until > now && a->backoff.state == BACKOFF_UP) {
            wait_for_quota(g, grp, app->accounts[i], now, todo);
            return -1;
        }
        if (a->flying < places)
            return app->accounts[i];
        if (a->backoff.state == BACKOFF_UP) { /* busy: the next one only takes over for one down */
            wait_in_line(g, grp, LINE_ACCOUNT | (uint32_t)app->accounts[i], TIDE_NEVER, todo);
            todo->decision = (struct gate_decision){.state = NOTIFICATION_HELD,
                                                    .reason = TEXT("next in line for a connection"),
                                                    .due_at = now};
            return -1;
        }
        /* One that is being probed may be up at any moment: its outcome wakes the line. */
        tide_wall_ms again = a->backoff.state == BACKOFF_RESTING ? a->backoff.until : TIDE_NEVER;
        if (first < 0 || again < earliest) {
            earliest = again;
            first = app->accounts[i];
        }
    }
    /* The words stand for the whole rest of whoever waits; the time is that of the next try. */
    tell_hold(
        g, grp, TOLD_ACCOUNTS, earliest,
        gate_printf(todo, "held while its account rests: %s", g->accounts[first].backoff.reason),
        TEXT(""), now, todo);
    /* Whoever waits for an account that is down waits in its line, so that one of them probes it
     * and the others are not asked one by one. */
    wait_in_line(g, grp, LINE_ACCOUNT | (uint32_t)first, earliest, todo);
    return -1;
}

/* "6 of 10 used (qq/recipient-day: 10 per day in Asia/Shanghai)" */
static struct text usage_text(const struct plan_answer *a, struct gate_todo *todo)
{
    char limit[128];
    if (!a->limit)
        return TEXT("no limit is known");
    return gate_printf(todo, "%lld of %lld used (%s: %s)", (long long)a->used,
                       (long long)a->limit->count, a->limit->name,
                       limit_text(a->limit, limit, sizeof limit));
}

static struct text why_now(const struct plan_answer *a,
                           bool digest,
                           uint32_t count,
                           struct gate_todo *todo)
{
    struct text usage = usage_text(a, todo);
    if (a->why == PLAN_WHY_URGENT)
        return gate_printf(todo, "released at once: urgent; " TEXT_FMT, TEXT_ARG(usage));
    if (digest && count > 1)
        return gate_printf(todo, "released as a digest of %u: " TEXT_FMT, count, TEXT_ARG(usage));
    return gate_printf(todo, "released: " TEXT_FMT, TEXT_ARG(usage));
}

static struct text why_not(const struct plan_answer *a, tide_wall_ms now, struct gate_todo *todo)
{
    char when[96], reset[96] = "", limit[128];
    struct text usage = usage_text(a, todo);
    gate_when(a->at, now, when, sizeof when);
    if (a->reset_at)
        gate_when(a->reset_at, now, reset, sizeof reset);
    switch (a->why) {
    case PLAN_WHY_SPACED:
        return gate_printf(todo, "held for a digest until %s: " TEXT_FMT ", %s", when,
                           TEXT_ARG(usage),
                           a->how ? a->how : "what is left is spaced over the time to the reset");
    case PLAN_WHY_RESERVE:
        return gate_printf(todo, "held until %s: " TEXT_FMT ", the rest is kept for urgent mail",
                           when, TEXT_ARG(usage));
    case PLAN_WHY_SPREAD:
        return gate_printf(todo,
                           "held until %s: %s (%s) starts anew, what waited for it leaves spread "
                           "over a while",
                           when, a->limit->name, limit_text(a->limit, limit, sizeof limit));
    case PLAN_WHY_LIMIT:
    case PLAN_WHY_ROOM:
    case PLAN_WHY_URGENT:
        break;
    }
    if (a->reset_at)
        return gate_printf(todo, "held until %s: " TEXT_FMT "; it starts anew at %s", when,
                           TEXT_ARG(usage), reset);
    return gate_printf(todo, "held until %s: " TEXT_FMT, when, TEXT_ARG(usage));
}

static void fill_query(struct gate *g,
                       struct gate_group *grp,
                       int account,
                       bool urgent,
                       bool digest,
                       tide_wall_ms now,
                       struct plan_query *ret)
{
    int stream = stream_of_class(g, grp, urgent, digest);
    const struct config_stream *s = stream >= 0 ? &g->config->streams[stream] : NULL;
    *ret = (struct plan_query){
        .now = now,
        .recipient = &grp->recipient->plan,
        .recipient_id = grp->recipient->id,
        .route = {.provider = grp->recipient->domain->provider,
                  .gateway = grp->recipient->domain->gateway,
                  .domain = grp->recipient->domain->interned,
                  .sender_domain = grp->sender_domain,
                  .sender = grp->sender,
                  .account = (uint16_t)account,
                  .stream = (uint16_t)TIDE_MAX(stream, 0)},
        .pending = &grp->pending,
        .last_at = grp->last_at,
        .weight = gate_weight(g, grp),
        .urgent = urgent,
        .digest = digest,
    };
    if (s && s->hold_ms_max && grp->pending.oldest_at)
        ret->hold_until_max = grp->pending.oldest_at + s->hold_ms_max;
    tide_wall_ms deadline = grp->pending.deadline_at;
    if (deadline > now && (!ret->hold_until_max || deadline < ret->hold_until_max))
        ret->hold_until_max = deadline;
}

/* What came since the last decision, now that it is known whose limits apply. */
static void tell_arrivals(
    struct gate *g, struct gate_group *grp, int account, tide_wall_ms now, struct gate_todo *todo)
{
    struct plan_query q;
    if (!grp->arrived)
        return;
    fill_query(g, grp, account, false, true, now, &q);
    gate_tell_arrivals(g, grp, &q, todo);
}

static void hold(struct gate *g,
                 struct gate_group *grp,
                 const struct plan_answer *a,
                 tide_wall_ms now,
                 struct gate_todo *todo)
{
    tell_hold(g, grp, TOLD_PLAN + (int)a->why, a->at, why_not(a, now, todo), limit_name(a), now,
              todo);
    if (a->subject)
        wait_in_line(g, grp, a->subject, a->at, todo);
    else
        wait_until(g, grp, a->at, todo);
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
    tell_hold(g, grp, TOLD_CLOSED, c->until,
              gate_printf(todo, "held until %s: a reply named a limit: %s",
                          gate_when(c->until, q->now, when, sizeof when), c->reason),
              TEXT(""), q->now, todo);
    wait_until(g, grp, c->until, todo);
    return true;
}

/* Too much of what went through the account has bounced, or was called spam. */
static bool hold_guarded(struct gate *g,
                         struct gate_group *grp,
                         const struct plan_query *q,
                         struct gate_todo *todo)
{
    const struct guard *x = gate_guard_holds(g, grp->recipient, q);
    if (!x)
        return false;
    tide_wall_ms until = x->state == GUARD_CLOSED ? x->rest_until : TIDE_NEVER;
    tell_hold(g, grp, TOLD_GUARD, until, gate_guard_reason(x, q->now, todo), TEXT(""), q->now,
              todo);
    wait_until(g, grp, until, todo);
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
    struct plan_answer answer;
    fill_query(g, grp, account, urgent, digest, now, &q);
    if (hold_closed(g, grp, &q, todo) || hold_guarded(g, grp, &q, todo))
        return;
    planner_decide(g->planner, &q, &answer);
    if (answer.kind != PLAN_NOW) {
        hold(g, grp, &answer, now, todo);
        return;
    }
    struct text why = why_now(&answer, digest, grp->pending.digestible, todo);
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
    tide_wall_ms deadline = grp->pending.deadline_at;
    if (!deadline || deadline > now || deadline == gate_times(grp)->dropped_late)
        return false;
    struct gate_times *times = gate_times_to_set(grp, todo);
    if (times)
        times->dropped_late = deadline;
    drop(g, grp, NOTIFICATION_EXPIRED, now,
         TEXT("its deadline passed before there was room, and its stream says to drop it then"),
         gate_detail_of_drop("deadline", NULL, todo), now, todo);
    return true;
}

/* When the first of what is counted may leave: an application can say "not before". */
static tide_wall_ms early_until(const struct gate_group *grp)
{
    const struct group_pending *p = &grp->pending;
    tide_wall_ms single = p->urgent + p->single ? gate_times(grp)->single_after : TIDE_NEVER;
    tide_wall_ms digest = p->digestible ? gate_times(grp)->digest_after : TIDE_NEVER;
    return TIDE_MIN(single, digest);
}

void gate_decide(struct gate *g, struct gate_group *grp, tide_wall_ms now, struct gate_todo *todo)
{
    struct group_pending *p = &grp->pending;
    char when[96];
    if (grp->claiming)
        return; /* decided again when the claim is done */
    if (p->urgent + p->single + p->digestible == 0) {
        queue_remove(&g->queue, &grp->entry);
        gate_forget_if_idle(g, grp);
        return;
    }
    if (drop_late(g, grp, now, todo))
        return;
    if (grp->recipient->stops && !gate_stops_let_go(g, grp, now, todo))
        return;
    if (p->urgent == 0 && rests(g, grp, now, todo))
        return;
    tide_wall_ms early = early_until(grp);
    if (early > now) {
        tell_hold(g, grp, TOLD_LATER, early,
                  gate_printf(todo, "held until %s: not to leave before, says its application",
                              gate_when(early, now, when, sizeof when)),
                  TEXT(""), now, todo);
        wait_until(g, grp, early, todo);
        return;
    }
    if (!domain_lets_go(g, grp, now, todo))
        return;
    const struct gate_times *times = gate_times(grp);
    if (times->retry_at > now) {
        todo->decision = (struct gate_decision){.state = NOTIFICATION_HELD,
                                                .reason = TEXT("held: the last try was put off"),
                                                .due_at = times->retry_at};
        wait_until(g, grp, times->retry_at, todo);
        return;
    }
    bool busy = grp->flying > grp->unknown; /* order is kept: one under way, unless urgent */
    if (busy && p->urgent == 0) {
        queue_remove(&g->queue, &grp->entry);
        todo->decision = (struct gate_decision){.state = NOTIFICATION_HELD,
                                                .reason = TEXT("behind a mail that is under way"),
                                                .due_at = now};
        return; /* its outcome decides again */
    }
    bool single = p->urgent + p->single > 0 && times->single_after <= now;
    const struct gate_sender *sender = gate_senders_find(&g->senders, grp->sender_domain);
    if (sender && !sender_lets_go(g, grp, sender, &single, now, todo))
        return;
    bool bulk = sender && class_is_bulk(grp, single);
    int account = choose_account(g, grp, bulk ? sender : NULL, now, todo);
    if (account < 0)
        return;
    tell_arrivals(g, grp, account, now, todo);
    bool urgent = single && p->urgent > 0;
    if (!urgent && rests(g, grp, now, todo))
        return;
    if (busy && !urgent) {
        queue_remove(&g->queue, &grp->entry);
        return;
    }
    release_or_hold(g, grp, account, urgent, !single, now, todo);
}

void gate_release_now(struct gate *g,
                      struct gate_group *grp,
                      tide_id only,
                      struct text by,
                      tide_wall_ms now,
                      struct gate_todo *todo)
{
    const struct group_pending *p = &grp->pending;
    todo->decision = (struct gate_decision){.state = NOTIFICATION_HELD,
                                            .reason = TEXT("a release is under way")};
    if (grp->claiming || p->urgent + p->single + p->digestible == 0)
        return;
    if (grp->recipient->domain->kind == VERDICT_UNDELIVERABLE) {
        todo->decision.reason = gate_printf(todo, "%s", grp->recipient->domain->reason);
        return;
    }
    int account = choose_account(g, grp, NULL, now, todo);
    if (account < 0)
        return;
    struct plan_query q;
    struct plan_answer answer;
    bool digest = !only && p->digestible > 0 && p->urgent + p->single == 0;
    fill_query(g, grp, account, true, digest, now, &q);
    q.by_hand = true;
    planner_decide(g->planner, &q, &answer);
    if (answer.kind != PLAN_NOW) {
        hold(g, grp, &answer, now, todo);
        return;
    }
    struct text why = gate_printf(todo, "released by hand (" TEXT_FMT "): " TEXT_FMT, TEXT_ARG(by),
                                  TEXT_ARG(usage_text(&answer, todo)));
    if (grp->times)
        grp->times->retry_at = 0;
    gate_claim(g, grp, &q, only, why, todo);
    todo->decision =
        (struct gate_decision){.state = NOTIFICATION_RELEASING, .reason = why, .due_at = now};
}
