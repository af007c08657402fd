/* Accounts: which of an application's takes a mail now, and what outcomes say of them. */
#include "core/gate/inside.h"

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
        gate_tell_hold(g, grp, TOLD_ACCOUNTS, until, reason, TEXT(""), now, todo);
    todo->decision =
        (struct gate_decision){.state = NOTIFICATION_HELD, .reason = reason, .due_at = until};
    gate_wait_in_line(g, grp, LINE_ACCOUNT | (uint32_t)account, until, todo);
}

/* When an account that is up has room by its ESP's word and (where there is a choice) by its
 * limits; `now`: it has. */
static tide_wall_ms opens_at(struct gate *g, int account, bool choice, tide_wall_ms now)
{
    tide_wall_ms at = choice ? planner_account_opens_at(g->planner, account, now) : now;
    return TIDE_MAX(at, g->accounts[account].quota_until);
}

int gate_choose_account(struct gate *g,
                        struct gate_group *grp,
                        const struct gate_sender *sender,
                        tide_wall_ms now,
                        struct gate_todo *todo)
{
    const struct config_application *app = gate_application(g, grp->application);
    if (!app || app->account_count == 0) {
        gate_tell_hold(
            g, grp, TOLD_ACCOUNTS, TIDE_NEVER,
            gate_printf(todo, "held: its application is no longer configured, or has no account"),
            TEXT(""), now, todo);
        gate_wait_until(g, grp, TIDE_NEVER, todo);
        return -1;
    }
    int first = -1; /* of those that are down: the one that is tried again first */
    int full = -1;  /* of those that are up, but have let out all that they may: the same */
    tide_wall_ms earliest = TIDE_NEVER, full_until = TIDE_NEVER;
    for (size_t i = 0; i < app->account_count; i++) {
        struct gate_account *a = &g->accounts[app->accounts[i]];
        if (gate_sender_held(sender, g->config->accounts[app->accounts[i]].name))
            continue;
        int places = backoff_places(&a->backoff, now, a->places);
        tide_wall_ms opens = a->backoff.state == BACKOFF_UP
                                 ? opens_at(g, app->accounts[i], app->account_count > 1, now)
                                 : now;
        if (opens > now) {
            if (full < 0 || opens < full_until) {
                full = app->accounts[i];
                full_until = opens;
            }
            continue;
        }
        if (a->flying < places)
            return app->accounts[i];
        if (a->backoff.state == BACKOFF_UP) { /* busy: the next one only takes over for one down */
            gate_wait_in_line(g, grp, LINE_ACCOUNT | (uint32_t)app->accounts[i], TIDE_NEVER, todo);
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
    if (first < 0 && full >= 0 && g->accounts[full].quota_until > now) {
        wait_for_quota(g, grp, full, now, todo);
        return -1;
    }
    if (first < 0 && full >= 0)
        return full; /* its limit says until when */
    /* The words stand for the whole rest of whoever waits; the time is that of the next try. */
    gate_tell_hold(
        g, grp, TOLD_ACCOUNTS, earliest,
        gate_printf(todo, "held while its account rests: %s", g->accounts[first].backoff.reason),
        TEXT(""), now, todo);
    /* Whoever waits for an account that is down waits in its line, so that one of them probes it
     * and the others are not asked one by one. */
    gate_wait_in_line(g, grp, LINE_ACCOUNT | (uint32_t)first, earliest, todo);
    return -1;
}

void gate_note_outcome(struct gate *g,
                       struct gate_attempt *a,
                       const struct finding *f,
                       int64_t wait_ms,
                       tide_wall_ms now)
{
    if (a->account < 0)
        return;
    struct gate_account *acc = &g->accounts[a->account];
    switch (f->kind) {
    case FINDING_ACCEPTED:
        acc->accepted++;
        break;
    case FINDING_LATER:
    case FINDING_LIMIT:
    case FINDING_UNCLEAR:
    case FINDING_ACCOUNT:
        acc->deferred++;
        break;
    case FINDING_BOUNCE:
        acc->refused++;
        break;
    case FINDING_UNKNOWN:
        acc->unknown++;
        break;
    }
    if (f->kind == FINDING_ACCOUNT || f->kind == FINDING_UNKNOWN)
        backoff_fault(&acc->backoff, now, text_of(f->sentence), &g->rng);
    else
        backoff_works(&acc->backoff);
    if (f->kind == FINDING_ACCOUNT)
        backoff_wait(&acc->backoff, now, wait_ms);
}

void gate_account(const struct gate *g,
                  int account,
                  tide_wall_ms now,
                  struct gate_account_state *ret)
{
    const struct gate_account *a = &g->accounts[account];
    bool resting = a->backoff.state == BACKOFF_RESTING && now < a->backoff.until;
    *ret = (struct gate_account_state){.up = !resting,
                                       .backoff_until = resting ? a->backoff.until : 0,
                                       .reason = text_of(a->backoff.reason),
                                       .flying = a->flying,
                                       .accepted = a->accepted,
                                       .deferred = a->deferred,
                                       .refused = a->refused,
                                       .unknown = a->unknown};
}
