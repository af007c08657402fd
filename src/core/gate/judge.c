/* What follows for a recipient from what was said of its mail: evidence is kept, its mail is
 * stopped or goes on again. What people order goes the same way. */
#include "core/gate/inside.h"

#include "base/macros.h"
#include "core/outcome/suppress.h"

/* The recipient's entries as they will be. */
struct entries {
    struct suppression list[PAST_SUPPRESSIONS_MAX + 1];
    bool changed[PAST_SUPPRESSIONS_MAX + 1];
    size_t count;
};

static void entries_of(const struct recipient_past *past, struct entries *ret)
{
    *ret = (struct entries){.count = TIDE_MIN(past->suppression_count, PAST_SUPPRESSIONS_MAX)};
    for (size_t i = 0; i < ret->count; i++)
        ret->list[i] = past->suppressions[i];
}

static void entries_put(struct entries *e, const struct suppression *s)
{
    size_t i = 0;
    while (i < e->count && !text_eq(e->list[i].scope, s->scope))
        i++;
    if (i == e->count && e->count < TIDE_COUNT(e->list))
        e->count++;
    if (i < e->count) {
        e->list[i] = *s;
        e->changed[i] = true;
    }
}

/* Whoever is in memory is decided on anew. Memory takes what has changed alone: it may know more
 * than the store did when it was asked. */
static void take_effect(struct gate *g,
                        const struct recipient_state *state,
                        const struct entries *e,
                        tide_wall_ms now,
                        struct gate_todo *todo)
{
    struct gate_recipient *r = state ? idpool_get(&g->recipients, state->id) : NULL;
    bool changed = false;
    for (size_t i = 0; i < e->count && r; i++)
        if (e->changed[i]) {
            gate_put_stop(g, r, &e->list[i], now, todo);
            changed = true;
        }
    if (!changed)
        return;
    r->pinned = true; /* deciding may forget its groups, and it with the last of them */
    for (struct gate_group *grp = gate_first_group(g, r), *next; grp; grp = next) {
        next = gate_next_group(g, grp);
        grp->told_due = 0;
        gate_decide(g, grp, now, todo);
    }
    r->pinned = false;
    gate_leave_recipient(g, r);
}

static bool is_never_stopped(const struct gate *g, const struct recipient_state *r)
{
    const struct config_suppression *c = &g->config->suppression;
    for (size_t i = 0; i < c->never_count; i++) {
        struct text t = text_of(c->never[i]);
        if (text_ieq(t, text_find(t, '@') < t.n ? r->address : r->domain))
            return true;
    }
    return false;
}

static const char *whose(const struct suppression *s)
{
    return s->scope.n == 0                                   ? "all mail"
           : text_eq(s->scope, TEXT(SUPPRESSION_BULK))       ? "all that is not urgent"
           : text_starts(s->scope, TEXT(SUPPRESSION_STREAM)) ? "mail of the stream "
                                                             : "mail of the sender ";
}

/* "mail of the stream news" */
static struct text scope_text(const struct suppression *s, struct gate_todo *todo)
{
    size_t colon = text_find(s->scope, ':');
    struct text name = colon < s->scope.n ? text_cut(s->scope, colon + 1, s->scope.n) : TEXT("");
    return gate_printf(todo, "%s" TEXT_FMT, whose(s), TEXT_ARG(name));
}

/* Writes an entry, and tells it. */
static void stop(const struct suppression *s,
                 const struct journal_entry *about,
                 struct text why,
                 struct entries *e,
                 tide_wall_ms now,
                 struct gate_todo *todo)
{
    char when[96];
    struct change *c = gate_add_change(todo, CHANGE_SUPPRESS);
    if (c)
        c->suppress = *s;
    entries_put(e, s);
    struct text what = scope_text(s, todo);
    struct text until =
        s->expires_at
            ? gate_printf(todo, "until %s", gate_when(s->expires_at, now, when, sizeof when))
            : TEXT("until somebody lifts it");
    struct journal_entry entry = *about;
    if (about->recipient_id == 0)
        return; /* nobody that mail was ever for: the list itself tells */
    entry.detail = gate_detail_of_suppression(s, todo);
    gate_journal(todo, now, &entry, "suppressed",
                 gate_printf(todo, TEXT_FMT " is %s " TEXT_FMT ": " TEXT_FMT, TEXT_ARG(what),
                             s->pause ? "held" : "refused", TEXT_ARG(until), TEXT_ARG(why)));
}

static void lift(const struct suppression *was,
                 const struct journal_entry *about,
                 struct text why,
                 struct entries *e,
                 tide_wall_ms now,
                 struct gate_todo *todo)
{
    struct suppression s = *was;
    struct change *c = gate_add_change(todo, CHANGE_UNSUPPRESS);
    s.lifted_at = now;
    s.address = arena_text(&todo->arena, was->address);
    s.scope = arena_text(&todo->arena, was->scope);
    if (c)
        c->suppress = s;
    entries_put(e, &s);
    struct text what = scope_text(&s, todo);
    struct journal_entry entry = *about;
    if (about->recipient_id == 0)
        return;
    entry.detail = gate_detail_of_suppression(&s, todo);
    gate_journal(todo, now, &entry, "unsuppressed",
                 gate_printf(todo, TEXT_FMT " goes on (it was stopped: %s): " TEXT_FMT,
                             TEXT_ARG(what), gate_stop_cause(s.cause), TEXT_ARG(why)));
}

/* -- What was said ------------------------------------------------------------------------------
 */

static void keep_evidence(const struct gate_reading *r,
                          const struct suppress_answer *a,
                          struct gate_todo *todo)
{
    struct change *c = gate_add_change(todo, CHANGE_FINDING);
    if (!c)
        return;
    const struct attempt *attempt = r->found->attempt;
    c->finding.recipient_id = r->found->recipient->id;
    c->finding.finding = (struct past_finding){
        .at = r->said_at,
        .attempt_id = attempt ? attempt->id : 0,
        .class = text_of(reply_class_name(a->class)),
        .sure = a->sure,
        .account = arena_text(&todo->arena, attempt ? attempt->account : r->news->account),
        .rule = arena_text(&todo->arena, text_of(r->meaning.rule ? r->meaning.rule->name : "")),
        .reply = arena_text(&todo->arena, r->news->reply)};
}

static void stop_for(const struct gate_reading *r,
                     const struct suppress_answer *a,
                     const struct journal_entry *about,
                     struct entries *e,
                     struct gate_todo *todo)
{
    const struct attempt *attempt = r->found->attempt;
    struct text said = r->news->reply.n > 0 ? r->news->reply : r->news->event;
    struct suppression s = {
        .address = arena_text(&todo->arena, r->found->recipient->address),
        .scope = arena_text(&todo->arena, text_of(a->scope)),
        .cause = a->cause,
        .pause = a->pause,
        .evidence = arena_text(&todo->arena, said),
        .rule = arena_text(&todo->arena, text_of(r->meaning.rule ? r->meaning.rule->name : "")),
        .account = arena_text(&todo->arena, attempt ? attempt->account : r->news->account),
        .attempt_id = attempt ? attempt->id : 0,
        .at = r->now,
        .expires_at = a->expires_at,
        .times = a->times};
    stop(&s, about, gate_printf(todo, "%s: " TEXT_FMT, a->why, TEXT_ARG(said)), e, r->now, todo);
}

/* What was stopped for this attempt, and turns out to have another reason. */
static bool was_not_its_fault(const struct gate_reading *r, const struct suppression *s)
{
    const struct meaning *m = &r->meaning;
    bool told = r->news->kind == NEWS_BOUNCED || r->news->kind == NEWS_DEFERRED;
    return told && s->by.n == 0 && s->attempt_id != 0 && r->found->attempt &&
           s->attempt_id == r->found->attempt->id && m->basis != BASIS_NOTHING &&
           (m->fault == FAULT_THEIR_LIMIT || m->fault == FAULT_THEIR_OUTAGE);
}

static void lift_what_ended(const struct gate_reading *r,
                            const struct journal_entry *about,
                            struct entries *e,
                            struct gate_todo *todo)
{
    for (size_t i = 0; i < r->found->past.suppression_count; i++) {
        const struct suppression *s = &r->found->past.suppressions[i];
        if (!suppression_is_on(s, r->now))
            continue;
        if (r->news->kind == NEWS_DELIVERED && suppress_ends(s, r->found->identity, r->said_at))
            lift(s, about, TEXT("mail has reached it again"), e, r->now, todo);
        else if (was_not_its_fault(r, s))
            lift(s, about,
                 gate_printf(todo, "it turns out to be no fault of the recipient: %s",
                             r->meaning.cause),
                 e, r->now, todo);
    }
}

/* An ESP puts what bounces on its own list, and what stands there it drops. Where the recipient is
 * not at fault it has to come off again. */
static void note_esp_list(const struct gate_reading *r,
                          const struct entries *e,
                          struct gate_todo *todo)
{
    const struct attempt *attempt = r->found->attempt;
    const struct meaning *m = &r->meaning;
    bool faultless =
        r->news->kind == NEWS_BOUNCED && m->basis != BASIS_NOTHING &&
        (m->fault == FAULT_THEIR_LIMIT || m->fault == FAULT_THEIR_OUTAGE || m->fault == FAULT_OURS);
    bool dropped = r->news->kind == NEWS_DROPPED || (m->rule && m->rule->esp_list);
    if (!attempt || (r->news->own ? !(m->rule && m->rule->esp_list) : !dropped && !faultless))
        return;
    bool stopped = false;
    for (size_t i = 0; i < e->count; i++)
        stopped |=
            e->list[i].scope.n == 0 && !e->list[i].pause && suppression_is_on(&e->list[i], r->now);
    struct change *c = gate_add_change(todo, CHANGE_ESP_LIST);
    if (c)
        c->esp_list =
            (struct esp_listed){.account = arena_text(&todo->arena, attempt->account),
                                .address = arena_text(&todo->arena, r->found->recipient->address),
                                .cause = r->sentence,
                                .state = text_of(stopped     ? "kept"
                                                 : faultless ? "mend"
                                                             : "listed"),
                                .since = r->said_at};
}

void gate_judge(struct gate *g, const struct gate_reading *r, struct gate_todo *todo)
{
    const struct news_found *found = r->found;
    int stream = found->attempt ? config_stream_index(g->config, found->attempt->stream) : -1;
    bool refusal = r->news->kind == NEWS_BOUNCED || r->news->kind == NEWS_DEFERRED;
    struct suppress_case c = {.now = r->now,
                              .said_at = r->said_at,
                              .kind = r->news->kind,
                              .meaning = refusal ? &r->meaning : NULL,
                              .unclear_address = r->unclear_address,
                              .attempt_id = found->attempt ? found->attempt->id : 0,
                              .identity = found->identity,
                              .stream = stream >= 0 ? found->attempt->stream : TEXT(""),
                              .urgent = stream >= 0 && g->config->streams[stream].urgent,
                              .never = is_never_stopped(g, found->recipient),
                              .past = &found->past};
    memcpy(c.status, r->status, sizeof c.status);
    struct suppress_answer answer;
    struct entries e;
    struct journal_entry about = {.recipient_id = found->recipient->id,
                                  .attempt_id = found->attempt ? found->attempt->id : 0};
    entries_of(&found->past, &e);
    suppress_judge(&c, &answer);
    lift_what_ended(r, &about, &e, todo);
    if (answer.note)
        keep_evidence(r, &answer, todo);
    if (answer.stop)
        stop_for(r, &answer, &about, &e, todo);
    note_esp_list(r, &e, todo);
    take_effect(g, found->recipient, &e, r->now, todo);
}

/* -- What people order --------------------------------------------------------------------------
 */

/* Its address is mended on the lists of the accounts that mail for it goes through. */
static void mend_lists(const struct gate *g,
                       struct text address,
                       struct text application,
                       struct text why,
                       tide_wall_ms now,
                       struct gate_todo *todo)
{
    const struct config_application *app = config_application(g->config, application);
    for (size_t i = 0; i < g->config->account_count; i++) {
        const struct config_account *a = &g->config->accounts[i];
        bool used = !app;
        for (size_t k = 0; app && k < app->account_count; k++)
            used |= app->accounts[k] == (int)i;
        struct change *c =
            used && a->type != ACCOUNT_OUTBOX ? gate_add_change(todo, CHANGE_ESP_LIST) : NULL;
        if (c)
            c->esp_list = (struct esp_listed){.account = arena_text(&todo->arena, text_of(a->name)),
                                              .address = address,
                                              .cause = why,
                                              .state = TEXT("mend"),
                                              .since = now};
    }
}

void gate_on_order(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    const struct gate_order *o = &ev->order;
    const struct recipient_state *r = o->found->recipient;
    const struct recipient_past *past = &o->found->past;
    struct text address = arena_text(&todo->arena, o->entry->address);
    struct journal_entry about = {.recipient_id = r ? r->id : 0};
    struct entries e;
    size_t lifted = 0;
    entries_of(past, &e);
    if (o->what == ORDER_SUPPRESS) {
        struct suppression s = suppression_copy(o->entry, &todo->arena);
        s.at = s.at > 0 ? TIDE_MIN(s.at, ev->now) : ev->now;
        s.times = 1;
        stop(&s, &about,
             gate_printf(todo, "%s, says " TEXT_FMT, gate_stop_cause(s.cause), TEXT_ARG(s.by)), &e,
             ev->now, todo);
    }
    struct text why = o->what == ORDER_CONFIRM
                          ? gate_printf(todo, "the recipient confirmed the address, says " TEXT_FMT,
                                        TEXT_ARG(o->entry->by))
                          : gate_printf(todo, "lifted by " TEXT_FMT, TEXT_ARG(o->entry->by));
    for (size_t i = 0; i < past->suppression_count && o->what != ORDER_SUPPRESS; i++) {
        const struct suppression *s = &past->suppressions[i];
        if (!suppression_is_on(s, ev->now) || (o->one_scope && !text_eq(s->scope, o->entry->scope)))
            continue;
        lift(s, &about, why, &e, ev->now, todo);
        lifted++;
    }
    if (o->what == ORDER_CONFIRM && r)
        gate_journal(todo, ev->now, &about, "confirmed", why);
    if (o->what == ORDER_CONFIRM || lifted > 0)
        mend_lists(g, address, o->application, why, ev->now, todo);
    take_effect(g, r, &e, ev->now, todo);
}
