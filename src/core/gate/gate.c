#include "core/gate/gate.h"

#include "base/macros.h"
#include "core/gate/inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LOADED_SPREAD_MS 60000

/* -- What a step hands out --------------------------------------------------------------------- */

void gate_todo_init(struct gate_todo *todo)
{
    *todo = (struct gate_todo){.wake_at = TIDE_NEVER};
}

void gate_todo_fini(struct gate_todo *todo)
{
    arena_fini(&todo->arena);
    gate_todo_init(todo);
}

/* One more of `size` bytes at the end of an array in the arena; NULL (and failed) without memory.
 */
static void *add_one(struct gate_todo *todo, void **array, size_t *count, size_t *cap, size_t size)
{
    if (*count == *cap) {
        size_t more = *cap ? *cap * 2 : 8;
        void *bigger = arena_array(&todo->arena, more, size);
        if (!bigger) {
            todo->failed = true;
            return NULL;
        }
        if (*count)
            memcpy(bigger, *array, *count * size);
        *array = bigger;
        *cap = more;
    }
    return (char *)*array + (*count)++ * size;
}

struct change *gate_add_change(struct gate_todo *todo, enum change_type type)
{
    void *array = todo->changes;
    struct change *c =
        add_one(todo, &array, &todo->change_count, &todo->change_cap, sizeof *todo->changes);
    todo->changes = array;
    if (c)
        c->type = type;
    return c;
}

struct gate_action *gate_add_action(struct gate_todo *todo, enum gate_action_type type)
{
    void *array = todo->actions;
    struct gate_action *a = add_one(todo, &array, &todo->count, &todo->cap, sizeof *todo->actions);
    todo->actions = array;
    if (a)
        a->type = type;
    return a;
}

struct text gate_printf(struct gate_todo *todo, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    char *copy = n < 0 ? NULL : arena_strdup(&todo->arena, line);
    if (!copy)
        todo->failed = true;
    return text_of(copy);
}

void gate_journal(struct gate_todo *todo,
                  tide_wall_ms now,
                  const struct journal_entry *about,
                  const char *event,
                  struct text sentence)
{
    struct change *c = gate_add_change(todo, CHANGE_JOURNAL);
    if (!c)
        return;
    c->journal = *about;
    c->journal.at = now;
    c->journal.event = text_of(event);
    c->journal.sentence = sentence;
}

/* "2026-03-02 16:05 UTC (in 9 h 33 min)" */
const char *gate_when(tide_wall_ms at, tide_wall_ms now, char *out, size_t size)
{
    struct civil c = civil_of_wall(at, 0);
    char span[40];
    if (at == TIDE_NEVER)
        snprintf(out, size, "further notice");
    else
        snprintf(out, size, "%04d-%02d-%02d %02d:%02d:%02d UTC (in %s)", c.year, c.month, c.day,
                 c.hour, c.minute, c.second,
                 text_of_duration(TIDE_MAX(at - now, 0), span, sizeof span));
    return out;
}

/* -- Alarms --------------------------------------------------------------------------------------
 */

void gate_raise_alarm(struct gate *g,
                      struct text key,
                      enum alarm_severity severity,
                      struct text sentence,
                      struct text advice,
                      tide_wall_ms now,
                      struct gate_todo *todo)
{
    const struct journal_entry about = {
        .detail = gate_detail_of_alarm(key, alarm_severity_name(severity), advice, todo)};
    enum alarm_told told = alarms_raise(&g->alarms, key, severity, sentence, advice, now);
    if (told == ALARM_NEW || told == ALARM_WORSE)
        gate_journal(todo, now, &about, "alarm",
                     gate_printf(todo, TEXT_FMT "%s" TEXT_FMT, TEXT_ARG(sentence),
                                 advice.n ? " " : "", TEXT_ARG(advice)));
}

void gate_clear_alarm(
    struct gate *g, struct text key, struct text why, tide_wall_ms now, struct gate_todo *todo)
{
    const struct journal_entry about = {.detail = gate_detail_of_alarm(key, NULL, TEXT(""), todo)};
    struct alarm over;
    if (alarms_clear(&g->alarms, key, &over))
        gate_journal(todo, now, &about, "alarm_over",
                     gate_printf(todo, "over: %s%s" TEXT_FMT, over.sentence, why.n ? " " : "",
                                 TEXT_ARG(why)));
}

static void on_alarm(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    if (ev->alarm.over)
        gate_clear_alarm(g, ev->alarm.key, ev->alarm.sentence, ev->now, todo);
    else
        gate_raise_alarm(g, ev->alarm.key, ev->alarm.severity, ev->alarm.sentence, ev->alarm.advice,
                         ev->now, todo);
}

const struct alarms *gate_alarms(const struct gate *g)
{
    return &g->alarms;
}

/* -- Names of applications and streams: they outlive a configuration -----------------------------
 */

static uint16_t name_number(struct gate *g, struct text name, struct gate_todo *todo)
{
    uintptr_t known = (uintptr_t)strmap_get(&g->names, name);
    if (known)
        return (uint16_t)known;
    char **grown = g->name_count < UINT16_MAX
                       ? realloc(g->name_of, (g->name_count + 2u) * sizeof *grown)
                       : NULL;
    char *copy = grown ? strndup(name.p ? name.p : "", name.n) : NULL;
    if (grown)
        g->name_of = grown;
    if (!copy || !strmap_put(&g->names, name, (void *)(uintptr_t)(g->name_count + 1u))) {
        free(copy);
        todo->failed = true;
        return 0;
    }
    g->name_of[++g->name_count] = copy;
    return g->name_count;
}

static struct text name_text(const struct gate *g, uint16_t number)
{
    return number && number <= g->name_count ? text_of(g->name_of[number]) : TEXT("");
}

const struct config_application *gate_application(const struct gate *g, uint16_t name)
{
    struct text wanted = name_text(g, name);
    for (size_t i = 0; i < g->config->application_count; i++)
        if (text_eq(text_of(g->config->applications[i].name), wanted))
            return &g->config->applications[i];
    return NULL;
}

int gate_stream(const struct gate *g, uint16_t name)
{
    return config_stream_index(g->config, name_text(g, name));
}

/* -- Domains
 * --------------------------------------------------------------------------------------- */

static struct gate_domain *domain_of(struct gate *g, struct text name, struct gate_todo *todo)
{
    struct gate_domain *d = strmap_get(&g->domains, name);
    if (d)
        return d;
    d = calloc(1, sizeof *d);
    char *copy = d ? strndup(name.p ? name.p : "", name.n) : NULL;
    bool named = copy && strmap_put(&g->domains, name, d);
    if (!named || !idmap_put(&g->domains_by_number, g->last_domain + 1, d)) {
        if (named)
            strmap_remove(&g->domains, name);
        free(copy);
        free(d);
        todo->failed = true;
        return NULL;
    }
    d->name = copy;
    d->number = ++g->last_domain;
    d->interned = planner_intern(g->planner, name);
    return d;
}

static void free_domain(struct gate_domain *d)
{
    free(d->name);
    free(d->reason);
    free(d->provider_name);
    free(d);
}

static void replace_text(char **place, struct text t)
{
    free(*place);
    *place = strndup(t.p ? t.p : "", t.n);
}

static void take_verdict(struct gate *g, struct gate_domain *d, const struct verdict *v)
{
    d->kind = v->kind;
    d->valid_until = v->valid_until;
    replace_text(&d->reason, v->reason);
    /* While DNS does not answer the mailboxes are still where they were: the limits of the provider
     * that was found last go on to apply. */
    if (v->kind == VERDICT_UNKNOWN && !v->provider.n)
        return;
    d->provider = v->provider.n ? planner_intern_provider(g->planner, v->provider) : 0;
    d->gateway = v->gateway.n ? planner_intern_provider(g->planner, v->gateway) : 0;
    replace_text(&d->provider_name, v->provider);
}

/* -- Recipients and groups ------------------------------------------------------------------------
 */

static uint8_t hints_of(const struct gate *g, const struct recipient_state *state)
{
    struct recipient_hints h;
    size_t tail = state->domain.n + 1;
    struct text local =
        text_cut(state->address, 0, state->address.n > tail ? state->address.n - tail : 0);
    recipient_hints(&g->hints, local, state->domain, &h);
    return (uint8_t)h.found;
}

static struct gate_recipient *recipient_of(struct gate *g,
                                           const struct recipient_state *state,
                                           tide_wall_ms now,
                                           struct gate_todo *todo)
{
    struct gate_recipient *r = idmap_get(&g->recipients, state->id);
    if (r)
        return r;
    struct gate_domain *d = domain_of(g, state->domain, todo);
    r = d ? calloc(1, sizeof *r) : NULL;
    if (!r || !idmap_put(&g->recipients, state->id, r)) {
        free(r);
        todo->failed = true;
        return NULL;
    }
    struct tide_error err;
    r->id = state->id;
    r->domain = d;
    gate_set_stops_of(r, state, now, todo);
    r->hints = hints_of(g, state);
    d->refs++;
    plan_recipient_init(&r->plan);
    if (state->plan.n && plan_recipient_decode(state->plan, &r->plan, &err) != TIDE_OK) {
        struct journal_entry about = {.recipient_id = r->id};
        gate_journal(todo, now, &about, "ledger-lost",
                     gate_printf(todo,
                                 "the stored ledger could not be read (%s): counting starts anew",
                                 err.text));
    }
    if (state->verdict.found_at && d->valid_until < state->verdict.valid_until)
        take_verdict(g, d, &state->verdict);
    return r;
}

void gate_release_recipient(struct gate *g, struct gate_recipient *r)
{
    if (--r->refs > 0)
        return;
    struct gate_domain *d = r->domain;
    idmap_remove(&g->recipients, r->id);
    plan_recipient_fini(&r->plan);
    free(r->stops);
    free(r);
    if (--d->refs == 0 && !d->asking) {
        strmap_remove(&g->domains, text_of(d->name));
        idmap_remove(&g->domains_by_number, d->number);
        free_domain(d);
    }
}

struct text gate_domain_of(struct text address)
{
    for (size_t i = address.n; i > 0; i--)
        if (address.p[i - 1] == '@')
            return text_cut(address, i, address.n);
    return TEXT("");
}

static struct gate_group *known_group(const struct gate_recipient *r, int64_t group_id)
{
    struct gate_group *grp = r ? r->groups : NULL;
    while (grp && grp->pending.group_id != group_id)
        grp = grp->next;
    return grp;
}

static struct gate_group *group_of(struct gate *g,
                                   const struct group_pending *pending,
                                   const struct recipient_state *state,
                                   const struct gate_origin *origin,
                                   tide_wall_ms now,
                                   struct gate_todo *todo)
{
    struct gate_recipient *r = recipient_of(g, state, now, todo);
    struct gate_group *grp = r ? known_group(r, pending->group_id) : NULL;
    if (!r || grp)
        return grp;
    grp = calloc(1, sizeof *grp);
    if (!grp) {
        if (r->refs == 0) {
            r->refs = 1;
            gate_release_recipient(g, r);
        }
        todo->failed = true;
        return NULL;
    }
    queue_entry_init(&grp->entry);
    grp->recipient = r;
    grp->next = r->groups;
    r->groups = grp;
    r->refs++;
    g->group_count++;
    grp->application = name_number(g, origin->application, todo);
    grp->sender = planner_intern(g->planner, origin->identity);
    grp->sender_domain = planner_intern(g->planner, gate_domain_of(origin->identity));
    return grp;
}

const struct gate_times *gate_times(const struct gate_group *grp)
{
    static const struct gate_times none;
    return grp->times ? grp->times : &none;
}

struct gate_times *gate_times_to_set(struct gate_group *grp, struct gate_todo *todo)
{
    if (!grp->times)
        grp->times = calloc(1, sizeof *grp->times);
    if (!grp->times)
        todo->failed = true;
    return grp->times;
}

static void free_group(struct gate *g, struct gate_group *grp)
{
    struct gate_group **place = &grp->recipient->groups;
    while (*place != grp)
        place = &(*place)->next;
    *place = grp->next;
    g->group_count--;
    queue_remove(&g->queue, &grp->entry);
    gate_release_recipient(g, grp->recipient);
    free(grp->times);
    free(grp);
}

void gate_forget_if_idle(struct gate *g, struct gate_group *grp)
{
    const struct group_pending *p = &grp->pending;
    if (p->urgent + p->single + p->digestible == 0 && !grp->claiming && grp->flying == 0 &&
        grp->returning == 0)
        free_group(g, grp);
}

static void set_streams(struct gate *g, struct gate_group *grp, uint16_t stream)
{
    int index = gate_stream(g, stream);
    const struct config_stream *s = index >= 0 ? &g->config->streams[index] : NULL;
    bool bulk = s && s->bulk;
    if (s && s->urgent) {
        grp->stream_urgent = (uint8_t)stream;
    } else if (s && !s->digest) {
        grp->stream_single = (uint8_t)stream;
        grp->single_bulk = bulk && (grp->single_bulk || grp->pending.single == 1);
    } else {
        grp->stream_digest = (uint8_t)stream;
        grp->digest_bulk = bulk && (grp->digest_bulk || grp->pending.digestible == 1);
    }
}

/* An application may say "not before": the first of its class sets the time of the class, one that
 * may leave at once clears it; what is in between is found out by an empty claim. */
static void set_not_before(struct gate_group *grp,
                           tide_wall_ms not_before,
                           tide_wall_ms now,
                           struct gate_todo *todo)
{
    const struct group_pending *p = &grp->pending;
    bool first = p->urgent + p->single + p->digestible == 1;
    if (not_before <= now ? !grp->times : !first)
        return;
    struct gate_times *times = gate_times_to_set(grp, todo);
    if (times)
        times->single_after = times->digest_after = not_before <= now ? 0 : not_before;
}

static bool is_digestible(const struct gate *g, struct text stream)
{
    int index = config_stream_index(g->config, stream);
    return index >= 0 && g->config->streams[index].digest && !g->config->streams[index].urgent;
}

/* -- Events
 * ------------------------------------------------------------------------------------------ */

static void on_accepted(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct gate_group *grp = group_of(g, ev->accepted.pending, ev->accepted.recipient,
                                      &ev->accepted.origin, ev->now, todo);
    todo->decision = (struct gate_decision){.state = NOTIFICATION_ACCEPTED,
                                            .reason = TEXT("accepted, to be decided")};
    if (!grp)
        return;
    gate_set_pending(grp, ev->accepted.pending);
    grp->sifted = false;
    set_streams(g, grp, name_number(g, ev->accepted.origin.stream, todo));
    for (size_t i = 0; i < TIDE_COUNT(ev->accepted.also); i++)
        if (ev->accepted.also[i].n > 0)
            set_streams(g, grp, name_number(g, ev->accepted.also[i], todo));
    set_not_before(grp, ev->accepted.not_before, ev->now, todo);
    /* Else the pause that is waited for would begin anew with each that takes another's place. */
    if (!ev->accepted.superseding)
        grp->last_at = TIDE_MAX(grp->last_at, ev->accepted.accepted_at);
    if (ev->type == GATE_LOADED) {
        /* A million groups are not planned anew in one go at every start, nor their holds written
         * again: each is looked at within a minute, or when it is due. */
        tide_wall_ms soon = ev->now + rng_below(&g->rng, LOADED_SPREAD_MS);
        grp->told_due = ev->accepted.due_at;
        grp->told_why = TOLD_STORED;
        if (!queue_put_time(&g->queue, &grp->entry, TIDE_MIN(ev->accepted.due_at, soon)))
            todo->failed = true;
        return;
    }
    g->counts.accepted++;
    if (!ev->accepted.superseding && is_digestible(g, ev->accepted.origin.stream)) {
        if (grp->arrived < UINT16_MAX)
            grp->arrived++;
        gate_add_weight(g, grp, ev->accepted.weight);
    }
    grp->told_due = 0; /* the new one has to be told */
    struct text refusal = gate_refusal_of(g, grp, ev->accepted.origin.stream, ev->now, todo);
    gate_decide(g, grp, ev->now, todo);
    if (refusal.n > 0) /* whatever goes on of the rest of its group */
        todo->decision = (struct gate_decision){.state = NOTIFICATION_REFUSED, .reason = refusal};
}

static void on_verdict(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct gate_domain *d = strmap_get(&g->domains, ev->verdict.domain);
    if (!d)
        return; /* nobody waits for it any more */
    d->asking = false;
    take_verdict(g, d, ev->verdict.verdict);
    struct change *c = gate_add_change(todo, CHANGE_VERDICT);
    if (c) {
        c->verdict.domain = text_of(arena_strdup(&todo->arena, d->name));
        c->verdict.verdict = *ev->verdict.verdict;
        c->verdict.verdict.provider = arena_text(&todo->arena, ev->verdict.verdict->provider);
        c->verdict.verdict.gateway = arena_text(&todo->arena, ev->verdict.verdict->gateway);
        c->verdict.verdict.reason = arena_text(&todo->arena, ev->verdict.verdict->reason);
        c->verdict.verdict.evidence = arena_text(&todo->arena, ev->verdict.verdict->evidence);
    }
    queue_line_wait(&g->queue, LINE_DOMAIN | d->number, ev->now);
    if (d->refs == 0) {
        strmap_remove(&g->domains, ev->verdict.domain);
        idmap_remove(&g->domains_by_number, d->number);
        free_domain(d);
    }
}

static void on_timer(struct gate *g, tide_wall_ms now, struct gate_todo *todo)
{
    gate_settle_unknowns(g, now, todo);
    gate_look_at_guards(g, now, todo);
    for (int i = 0; i < GATE_STEP_MAX && !todo->failed; i++) {
        struct queue_entry *e = queue_take(&g->queue, now);
        if (!e)
            return;
        gate_decide(g, container_of(e, struct gate_group, entry), now, todo);
    }
}

static void on_pending(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    const struct group_pending *p = ev->pending;
    struct gate_group *grp = known_group(idmap_get(&g->recipients, p->recipient_id), p->group_id);
    if (!grp) { /* of an earlier run: nothing of it was pending until now */
        struct gate_action *a =
            p->urgent + p->single + p->digestible ? gate_add_action(todo, GATE_DO_LOAD) : NULL;
        if (a)
            a->group_id = p->group_id;
        return;
    }
    if (grp->returning)
        grp->returning--;
    grp->sifted |= grp->sifting;
    grp->sifting = false;
    gate_set_pending(grp, p);
    gate_decide(g, grp, ev->now, todo);
}

static void on_release(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct gate_group *grp =
        known_group(idmap_get(&g->recipients, ev->release.recipient_id), ev->release.group_id);
    if (grp)
        gate_release_now(g, grp, ev->release.only, ev->release.by, ev->now, todo);
    else
        todo->decision = (struct gate_decision){.state = NOTIFICATION_HELD,
                                                .reason = TEXT("nothing of it is pending")};
}

static void on_sender(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct text domain = ev->sender.domain, account = ev->sender.account;
    const struct gate_sender *sender = NULL;
    struct journal_entry about = {0};
    enum gate_senders_told told = gate_senders_set(&g->senders, planner_intern(g->planner, domain),
                                                   account, ev->sender.reason, &sender);
    if (told == SENDERS_LOST)
        todo->failed = true;
    if (told != SENDERS_CHANGED || ev->sender.restored)
        return;
    about.detail = gate_detail_of_sender(domain, account, ev->sender.reason, todo);
    if (ev->sender.reason.n)
        gate_journal(todo, ev->now, &about, "sender_held",
                     gate_printf(todo,
                                 "bulk streams of " TEXT_FMT " through " TEXT_FMT
                                 " are held: " TEXT_FMT,
                                 TEXT_ARG(domain), TEXT_ARG(account), TEXT_ARG(ev->sender.reason)));
    else
        gate_journal(todo, ev->now, &about, "sender_open",
                     gate_printf(todo,
                                 "bulk streams of " TEXT_FMT " through " TEXT_FMT
                                 " go on: the sender passes again",
                                 TEXT_ARG(domain), TEXT_ARG(account)));
    queue_line_wait(&g->queue, LINE_SENDER | sender->number, ev->now);
}

static bool configure_accounts(struct gate *g, const struct config *config)
{
    struct gate_account *accounts = calloc(config->account_count + 1, sizeof *accounts);
    if (!accounts)
        return false;
    for (size_t i = 0; i < config->account_count; i++) {
        const struct config_account *c = &config->accounts[i];
        struct gate_account *a = &accounts[i];
        int old = g->config ? config_account_index(g->config, text_of(c->name)) : -1;
        if (old >= 0 && g->accounts)
            *a = g->accounts[old];
        else
            backoff_init(&a->backoff, c->backoff_min_ms, c->backoff_max_ms);
        a->backoff.min_ms = c->backoff_min_ms;
        a->backoff.max_ms = c->backoff_max_ms;
        int connections = c->connections > 0                          ? c->connections
                          : c->profile && c->profile->connections > 0 ? c->profile->connections
                                                                      : 4;
        /* What a request takes under way and one mail claimed behind it, so that a connection need
         * not wait for the store between two requests. */
        a->places = connections * (TIDE_MAX(c->batch_max, 1) + 1);
    }
    free(g->accounts);
    g->accounts = accounts;
    g->account_count = config->account_count;
    return true;
}

void gate_ask_again(struct gate *g, struct gate_todo *todo)
{
    uint32_t pos = 0;
    for (struct gate_recipient *r; (r = idmap_next(&g->recipients, &pos));)
        for (struct gate_group *grp = r->groups; grp; grp = grp->next)
            if (!grp->claiming && !queue_put_time(&g->queue, &grp->entry, 0))
                todo->failed = true;
}

/* Attempts and groups name accounts by index: give them the new ones. */
static void on_config(struct gate *g, const struct config *config, struct gate_todo *todo)
{
    const struct config *old = g->config;
    struct recipient_index hints;
    if (recipient_index_init(&hints, &config->profiles, NULL) != TIDE_OK) {
        todo->failed = true;
        return;
    }
    if (!configure_accounts(g, config)) {
        recipient_index_fini(&hints);
        todo->failed = true;
        return;
    }
    recipient_index_fini(&g->hints);
    g->hints = hints;
    g->config = config;
    gate_relink_guards(g);
    uint32_t pos = 0;
    for (struct gate_attempt *a; (a = idmap_next(&g->attempts, &pos));)
        if (a->account >= 0)
            a->account = config_account_index(config, text_of(old->accounts[a->account].name));
    pos = 0;
    for (struct gate_recipient *r; (r = idmap_next(&g->recipients, &pos));)
        for (struct gate_group *grp = r->groups; grp; grp = grp->next) {
            grp->single_bulk = grp->digest_bulk = false;    /* streams may mean another thing now */
            if (!queue_put_time(&g->queue, &grp->entry, 0)) /* every hold may have changed */
                todo->failed = true;
        }
}

void gate_step(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    switch (ev->type) {
    case GATE_ACCEPTED:
    case GATE_LOADED:
        on_accepted(g, ev, todo);
        break;
    case GATE_FLYING:
        gate_on_flying(g, ev, todo);
        break;
    case GATE_VERDICT:
        on_verdict(g, ev, todo);
        break;
    case GATE_CLAIMED:
        gate_on_claimed(g, ev, todo);
        break;
    case GATE_OUTCOME:
        gate_on_outcome(g, ev, todo);
        break;
    case GATE_PENDING:
        on_pending(g, ev, todo);
        break;
    case GATE_RELEASE:
        on_release(g, ev, todo);
        break;
    case GATE_TIMER:
        on_timer(g, ev->now, todo);
        break;
    case GATE_NEWS:
        gate_on_news(g, ev, todo);
        break;
    case GATE_ORDER:
        gate_on_order(g, ev, todo);
        break;
    case GATE_CONFIG:
        on_config(g, ev->config, todo);
        break;
    case GATE_ALARM:
        on_alarm(g, ev, todo);
        break;
    case GATE_SENDER:
        on_sender(g, ev, todo);
        break;
    case GATE_LIMIT:
        gate_on_limit(g, ev, todo);
        break;
    case GATE_GUARD:
        gate_on_guard(g, ev, todo);
        break;
    }
    struct heap_node *unknown = heap_first(&g->unknowns);
    todo->wake_at = TIDE_MIN(queue_next_at(&g->queue), unknown ? unknown->key : TIDE_NEVER);
    todo->wake_at = TIDE_MIN(todo->wake_at, gate_guards_wake_at(g));
}

/* -- Life
 * ---------------------------------------------------------------------------------------------- */

struct gate *gate_new(struct planner *planner,
                      const struct config *config,
                      tide_id last_id,
                      uint64_t seed)
{
    struct gate *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->planner = planner;
    g->ids.last = last_id;
    queue_init(&g->queue);
    idmap_init(&g->recipients);
    idmap_init(&g->attempts);
    idmap_init(&g->domains_by_number);
    strmap_init(&g->domains);
    strmap_init(&g->names);
    heap_init(&g->unknowns);
    rng_seed(&g->rng, seed);
    guards_init(&g->guards, config->guards.memory_ms, config->guards.rest_ms);
    if (!configure_accounts(g, config) ||
        recipient_index_init(&g->hints, &config->profiles, NULL) != TIDE_OK) {
        gate_free(g);
        return NULL;
    }
    g->config = config;
    return g;
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    uint32_t pos = 0;
    for (struct gate_attempt *a; (a = idmap_next(&g->attempts, &pos));) {
        free(a->unclear);
        free(a);
    }
    pos = 0;
    for (struct gate_recipient *r; (r = idmap_next(&g->recipients, &pos));) {
        for (struct gate_group *grp; (grp = r->groups); free(grp)) {
            r->groups = grp->next;
            free(grp->times);
        }
        plan_recipient_fini(&r->plan);
        free(r->stops);
        free(r);
    }
    pos = 0;
    for (struct gate_domain *d; (d = strmap_next(&g->domains, &pos, NULL));)
        free_domain(d);
    for (uint16_t i = 1; i <= g->name_count; i++)
        free(g->name_of[i]);
    free(g->name_of);
    free(g->accounts);
    queue_fini(&g->queue);
    heap_fini(&g->unknowns);
    alarms_fini(&g->alarms);
    guards_fini(&g->guards);
    gate_senders_fini(&g->senders);
    recipient_index_fini(&g->hints);
    idmap_fini(&g->recipients);
    idmap_fini(&g->attempts);
    idmap_fini(&g->domains_by_number);
    strmap_fini(&g->domains);
    strmap_fini(&g->names);
    free(g);
}

void gate_set_rules(struct gate *g, const struct rulebook *rules)
{
    g->rules = rules;
}

tide_id gate_next_id(struct gate *g, tide_wall_ms now)
{
    return id_next(&g->ids, now);
}

/* -- For status
 * ------------------------------------------------------------------------------------------ */

struct plan_recipient *gate_plan_of(const struct gate *g, int64_t recipient_id)
{
    struct gate_recipient *r = idmap_get(&g->recipients, recipient_id);
    return r ? &r->plan : NULL;
}

void gate_count(const struct gate *g, struct gate_counts *ret)
{
    *ret = g->counts;
    ret->groups = g->group_count;
    ret->recipients = g->recipients.count;
    ret->waiting = g->queue.by_time.count;
    uint32_t pos = 0;
    for (struct gate_domain *d; (d = strmap_next(&g->domains, &pos, NULL));)
        ret->verifying += d->asking;
    ret->unknown = g->unknowns.count;
    ret->flying = (int64_t)g->attempts.count - g->unknowns.count;
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
