/* The rates that ESPs and providers watch: counted from what is sent and what is told of it later,
 * and kept by narrowing and closing what goes through the account (core/plan/guard.h).
 *
 * Each rule of an account's profile is watched for the account ("ses/bounces") and for each of its
 * streams ("ses/newsletter/bounces"), so that the stream at fault is narrowed first; each rule of a
 * provider's profile for the account's mail to it ("ses > google/complaints"). */
#include "core/gate/inside.h"

#include "base/macros.h"

#include <stdio.h>

#define LOOK_EVERY_MS (10 * TIME_MINUTE_MS) /* while any is narrow or closed: time mends them */
#define NAME_BYTES    512

/* Whose mail is counted. */
struct guarded {
    struct text account, stream, provider;
};

static struct text guard_name(const struct guarded *m,
                              bool of_stream,
                              bool of_provider,
                              const struct guard_rule *rule,
                              char *out)
{
    int n = of_provider ? snprintf(out, NAME_BYTES, TEXT_FMT " > " TEXT_FMT "/%s",
                                   TEXT_ARG(m->account), TEXT_ARG(m->provider), rule->name)
            : of_stream
                ? snprintf(out, NAME_BYTES, TEXT_FMT "/" TEXT_FMT "/%s", TEXT_ARG(m->account),
                           TEXT_ARG(m->stream), rule->name)
                : snprintf(out, NAME_BYTES, TEXT_FMT "/%s", TEXT_ARG(m->account), rule->name);
    return (struct text){out, (size_t)TIDE_MIN(TIDE_MAX(n, 0), NAME_BYTES - 1)};
}

typedef void guard_cb(void *arg, struct text name, const struct guard_rule *rule);

/* Each guard that watches such mail. */
static void each_guard(const struct gate *g, const struct guarded *m, guard_cb *each, void *arg)
{
    char name[NAME_BYTES];
    int account = config_account_index(g->config, m->account);
    const struct profile *esp = account >= 0 ? g->config->accounts[account].profile : NULL;
    const struct profile *provider =
        m->provider.n ? profiles_provider(&g->config->profiles, m->provider) : NULL;
    for (size_t i = 0; esp && i < esp->guard_count; i++) {
        each(arg, guard_name(m, false, false, &esp->guards[i], name), &esp->guards[i]);
        if (m->stream.n)
            each(arg, guard_name(m, true, false, &esp->guards[i], name), &esp->guards[i]);
    }
    for (size_t i = 0; account >= 0 && provider && i < provider->guard_count; i++)
        each(arg, guard_name(m, false, true, &provider->guards[i], name), &provider->guards[i]);
}

/* -- What follows ------------------------------------------------------------------------------ */

static struct text percent(double share, struct gate_todo *todo)
{
    return gate_printf(todo, share < 0.01 ? "%.2f %%" : "%.1f %%", share * 100);
}

/* "12 of about 240 mails bounced lately, which is surely more than 3.1 %" */
static struct text figures(const struct guard *x, struct gate_todo *todo)
{
    bool bounces = x->rule->counts == GUARD_BOUNCES;
    return gate_printf(todo, "%.0f of about %.0f mails %s lately, surely more than " TEXT_FMT,
                       x->failures, x->mails, bounces ? "bounced" : "were called spam",
                       TEXT_ARG(percent(guard_bound(x), todo)));
}

static void tell_alarm(struct gate *g,
                       const struct guard *x,
                       tide_wall_ms now,
                       struct gate_todo *todo)
{
    struct text key = gate_printf(todo, "guard/%s", x->name);
    struct text what = TEXT("");
    if (!x->rule || (x->state == GUARD_OPEN && !x->warned)) {
        gate_clear_alarm(g, key, TEXT("the rate is below the level again."), now, todo);
        return;
    }
    struct text level = percent(x->rule->review, todo);
    switch (x->state) {
    case GUARD_OPEN:
        what = gate_printf(todo, "at " TEXT_FMT " only recipients that took mail before get any",
                           TEXT_ARG(level));
        break;
    case GUARD_NARROW:
        what =
            gate_printf(todo, "over " TEXT_FMT ", so only recipients that took mail before get any",
                        TEXT_ARG(level));
        break;
    case GUARD_CLOSED:
        what = gate_printf(todo, "over " TEXT_FMT ", so no mail leaves",
                           TEXT_ARG(percent(x->rule->pause, todo)));
        break;
    }
    gate_raise_alarm(g, key, x->state == GUARD_OPEN ? ALARM_WARNING : ALARM_CRITICAL,
                     gate_printf(todo, "%s: " TEXT_FMT "; " TEXT_FMT ".", x->name,
                                 TEXT_ARG(figures(x, todo)), TEXT_ARG(what)),
                     gate_printf(todo,
                                 "Find out where these addresses come from and verify the list "
                                 "(mailtide verify FILE); mailtide guard open \"%s\" forgives it.",
                                 x->name),
                     now, todo);
}

static void tell_state(const struct guard *x, tide_wall_ms now, struct gate_todo *todo)
{
    static const char *const events[] = {[GUARD_OPEN] = "guard_open",
                                         [GUARD_NARROW] = "guard_narrow",
                                         [GUARD_CLOSED] = "guard_closed"};
    static const char *const words[] = {
        [GUARD_OPEN] = "is open again",
        [GUARD_NARROW] = "narrows: only recipients that took mail before get any",
        [GUARD_CLOSED] = "closes: no mail leaves"};
    struct journal_entry about = {0};
    gate_journal(todo, now, &about, events[x->state],
                 x->rule ? gate_printf(todo, "guard %s %s (" TEXT_FMT ")", x->name, words[x->state],
                                       TEXT_ARG(figures(x, todo)))
                         : gate_printf(todo, "guard %s %s", x->name, words[x->state]));
}

/* Something of it has changed. */
static void follow(struct gate *g,
                   const struct guard *x,
                   enum guard_state was,
                   tide_wall_ms now,
                   struct gate_todo *todo)
{
    if (x->state != was) {
        tell_state(x, now, todo);
        gate_ask_again(g, todo);
    }
    tell_alarm(g, x, now, todo);
}

/* -- Counting ---------------------------------------------------------------------------------- */

struct counting {
    struct gate *g;
    enum guard_counts counts;
    bool failed, sent;
    tide_wall_ms now;
    struct gate_todo *todo;
};

static void count_one(void *arg, struct text name, const struct guard_rule *rule)
{
    const struct counting *c = arg;
    struct guards *all = &c->g->guards;
    struct guard *x = guards_get(all, name, rule);
    if (!x)
        return;
    enum guard_state was = x->state;
    bool changed = c->sent && guard_sent(all, x, c->now);
    if (c->failed && rule->counts == c->counts)
        changed |= guard_failed(all, x, c->now);
    if (changed || (c->failed && x->warned)) /* its figures are news */
        follow(c->g, x, was, c->now, c->todo);
}

static struct text stream_name(const struct gate *g, uint16_t stream)
{
    return stream < g->config->stream_count ? text_of(g->config->streams[stream].name) : TEXT("");
}

void gate_guard_sent(struct gate *g,
                     const struct gate_attempt *a,
                     tide_wall_ms now,
                     struct gate_todo *todo)
{
    if (a->account < 0 || !a->recipient)
        return;
    const char *provider = a->recipient->domain->provider_name;
    struct guarded m = {.account = text_of(g->config->accounts[a->account].name),
                        .stream = stream_name(g, a->route.stream),
                        .provider = text_of(provider ? provider : "")};
    struct counting c = {.g = g, .sent = true, .now = now, .todo = todo};
    each_guard(g, &m, count_one, &c);
}

void gate_guard_failed(struct gate *g,
                       struct text account,
                       struct text stream,
                       struct text provider,
                       enum guard_counts counts,
                       bool sent_too,
                       tide_wall_ms now,
                       struct gate_todo *todo)
{
    struct guarded m = {account, stream, provider};
    struct counting c = {g, counts, true, sent_too, now, todo};
    each_guard(g, &m, count_one, &c);
    gate_add_ledger_changes(g, NULL, todo);
}

/* -- Holding ----------------------------------------------------------------------------------- */

struct worst {
    const struct gate *g;
    const struct guard *guard;
};

static void find_worst(void *arg, struct text name, const struct guard_rule *rule)
{
    struct worst *w = arg;
    const struct guard *x = guards_find(&w->g->guards, name);
    (void)rule;
    if (x && x->rule && x->state != GUARD_OPEN && (!w->guard || x->state > w->guard->state))
        w->guard = x;
}

const struct guard *gate_guard_holds(const struct gate *g,
                                     const struct gate_recipient *r,
                                     const struct plan_query *q)
{
    struct worst w = {.g = g};
    if (g->guards.tripped == 0 || !g->config->guards.enabled || q->by_hand ||
        q->route.account >= g->config->account_count)
        return NULL;
    const char *provider = r->domain->provider_name;
    struct guarded m = {.account = text_of(g->config->accounts[q->route.account].name),
                        .stream = stream_name(g, q->route.stream),
                        .provider = text_of(provider ? provider : "")};
    each_guard(g, &m, find_worst, &w);
    if (!w.guard || w.guard->state == GUARD_CLOSED)
        return w.guard;
    bool goes = (q->urgent && g->config->guards.urgent) || r->plan.sent_before;
    return goes ? NULL : w.guard;
}

struct text gate_guard_reason(const struct guard *x, tide_wall_ms now, struct gate_todo *todo)
{
    char when[96];
    struct text why = figures(x, todo);
    if (x->state == GUARD_CLOSED)
        return gate_printf(todo, "held until %s: guard %s is closed: " TEXT_FMT,
                           gate_when(x->rest_until, now, when, sizeof when), x->name,
                           TEXT_ARG(why));
    return gate_printf(
        todo, "held: guard %s lets only recipients through that took mail before: " TEXT_FMT,
        x->name, TEXT_ARG(why));
}

/* -- By time, by hand -------------------------------------------------------------------------- */

void gate_look_at_guards(struct gate *g, tide_wall_ms now, struct gate_todo *todo)
{
    uint32_t pos = 0;
    if (g->guards.tripped + g->guards.warned == 0 || now < g->guards_at)
        return;
    g->guards_at = now + LOOK_EVERY_MS;
    for (struct guard *x; (x = strmap_next(&g->guards.by_name, &pos, NULL));) {
        enum guard_state was = x->state;
        if ((was != GUARD_OPEN || x->warned) && guard_look(&g->guards, x, now))
            follow(g, x, was, now, todo);
    }
    gate_add_ledger_changes(g, NULL, todo);
}

tide_wall_ms gate_guards_wake_at(const struct gate *g)
{
    return g->guards.tripped + g->guards.warned ? g->guards_at : TIDE_NEVER;
}

struct relinking {
    struct gate *g;
};

static void relink_one(void *arg, struct text name, const struct guard_rule *rule)
{
    struct relinking *r = arg;
    struct guard *x = guards_find(&r->g->guards, name);
    if (x)
        x->rule = rule;
}

/* Rules are the configuration's: every guard gets its own anew, or none. */
void gate_relink_guards(struct gate *g)
{
    struct relinking r = {g};
    uint32_t pos = 0;
    g->guards.memory_ms = g->config->guards.memory_ms;
    g->guards.rest_ms = g->config->guards.rest_ms;
    for (struct guard *x; (x = strmap_next(&g->guards.by_name, &pos, NULL));)
        x->rule = NULL;
    for (size_t a = 0; g->guards.by_name.count && a < g->config->account_count; a++) {
        struct guarded m = {.account = text_of(g->config->accounts[a].name)};
        for (size_t s = 0; s < g->config->stream_count; s++) {
            m.stream = text_of(g->config->streams[s].name);
            each_guard(g, &m, relink_one, &r);
        }
        m.stream = TEXT("");
        for (size_t p = 0; p < g->config->profiles.provider_count; p++) {
            m.provider = text_of(g->config->profiles.providers[p].name);
            if (g->config->profiles.providers[p].guard_count)
                each_guard(g, &m, relink_one, &r);
        }
    }
    g->guards_at = 0;
}

enum tide_err gate_restore(struct gate *g,
                           struct text subject,
                           struct text blob,
                           struct tide_error *err)
{
    if (!text_starts(subject, TEXT("guard|")))
        return planner_restore(g->planner, subject, blob, err);
    enum tide_err rc = guards_restore(&g->guards, subject, blob, err);
    if (rc == TIDE_OK)
        gate_relink_guards(g);
    return rc;
}

void gate_on_guard(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct guard *x = guards_find(&g->guards, ev->guard.name);
    if (!x)
        return;
    guard_open(&g->guards, x, ev->now);
    struct journal_entry about = {0};
    todo->decision.reason =
        gate_printf(todo, "guard %s opened by hand (" TEXT_FMT "); what was counted is forgiven",
                    x->name, TEXT_ARG(ev->guard.by));
    gate_journal(todo, ev->now, &about, "guard_open", todo->decision.reason);
    gate_clear_alarm(g, gate_printf(todo, "guard/%s", x->name), TEXT("It was opened by hand."),
                     ev->now, todo);
    gate_ask_again(g, todo);
    gate_add_ledger_changes(g, NULL, todo);
}

const struct guards *gate_guards(const struct gate *g)
{
    return &g->guards;
}
