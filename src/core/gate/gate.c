#include "core/gate/gate.h"

#include "base/macros.h"
#include "core/gate/inside.h"

#include <stdlib.h>

/* -- Alarms ------------------------------------------------------------------------------------ */

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

/* -- Events ------------------------------------------------------------------------------------ */

/* Of senders and domains that came and went: an application may make up as many as it likes. */
static void forget_names(struct gate *g, tide_wall_ms now)
{
    struct planner *p = g->planner;
    uint32_t pos = 0;
    if (!planner_is_crowded(p))
        return;
    for (struct gate_recipient *r; (r = idpool_next(&g->recipients, &pos));)
        for (struct gate_group *grp = gate_first_group(g, r); grp; grp = gate_next_group(g, grp))
            planner_keep(p, grp->sender);
    pos = 0;
    for (struct gate_domain *d; (d = strmap_next(&g->domains, &pos, NULL));) {
        planner_keep(p, d->interned);
        planner_keep(p, d->provider);
        planner_keep(p, d->gateway);
    }
    pos = 0;
    for (struct gate_attempt *a; (a = idmap_next(&g->attempts, &pos));) {
        planner_keep(p, a->route.provider);
        planner_keep(p, a->route.gateway);
        planner_keep(p, a->route.domain);
        planner_keep(p, a->route.sender);
        planner_keep(p, a->route.sender_domain);
    }
    pos = 0;
    for (struct gate_sender *s; (s = idmap_next(&g->senders.by_domain, &pos));)
        planner_keep(p, s->domain);
    planner_sweep(p, now);
}

static void on_timer(struct gate *g, tide_wall_ms now, struct gate_todo *todo)
{
    gate_settle_unknowns(g, now, todo);
    gate_look_at_guards(g, now, todo);
    forget_names(g, now);
    for (int i = 0; i < GATE_STEP_MAX && !todo->failed; i++) {
        struct queue_entry *e = queue_take(&g->queue, now);
        if (!e)
            return;
        gate_decide(g, container_of(e, struct gate_group, entry), now, todo);
    }
}

static void on_release(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct gate_group *grp = gate_known_group(
        g, idpool_get(&g->recipients, ev->release.recipient_id), ev->release.group_id);
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

void gate_step(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    switch (ev->type) {
    case GATE_ACCEPTED:
    case GATE_LOADED:
        gate_on_accepted(g, ev, todo);
        break;
    case GATE_FLYING:
        gate_on_flying(g, ev, todo);
        break;
    case GATE_VERDICT:
        gate_on_verdict(g, ev, todo);
        break;
    case GATE_CLAIMED:
        gate_on_claimed(g, ev, todo);
        break;
    case GATE_OUTCOME:
        gate_on_outcome(g, ev, todo);
        break;
    case GATE_PENDING:
        gate_on_pending(g, ev, todo);
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
        gate_on_config(g, ev->config, ev->now, todo);
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

/* -- Life -------------------------------------------------------------------------------------- */

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
    idpool_init(&g->recipients, sizeof(struct gate_recipient));
    pool_init(&g->groups, sizeof(struct gate_group));
    idpool_init(&g->group_times, sizeof(struct gate_times));
    idmap_init(&g->stops);
    gate_names_init(&g->applications, UINT16_MAX);
    gate_names_init(&g->streams, UINT8_MAX);
    idmap_init(&g->attempts);
    idmap_init(&g->domains_by_number);
    strmap_init(&g->domains);
    heap_init(&g->unknowns);
    rng_seed(&g->rng, seed);
    guards_init(&g->guards, config->guards.memory_ms, config->guards.rest_ms);
    if (!gate_configure_accounts(g, config) ||
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
    for (struct gate_recipient *r; (r = idpool_next(&g->recipients, &pos));)
        plan_recipient_fini(&r->plan);
    pos = 0;
    for (void *stops; (stops = idmap_next(&g->stops, &pos));)
        free(stops);
    pos = 0;
    for (struct gate_domain *d; (d = strmap_next(&g->domains, &pos, NULL));)
        gate_free_domain(d);
    gate_names_fini(&g->applications);
    gate_names_fini(&g->streams);
    free(g->accounts);
    queue_fini(&g->queue);
    heap_fini(&g->unknowns);
    alarms_fini(&g->alarms);
    guards_fini(&g->guards);
    gate_senders_fini(&g->senders);
    recipient_index_fini(&g->hints);
    idpool_fini(&g->recipients);
    pool_fini(&g->groups);
    idpool_fini(&g->group_times);
    idmap_fini(&g->stops);
    idmap_fini(&g->attempts);
    idmap_fini(&g->domains_by_number);
    strmap_fini(&g->domains);
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

/* -- For status -------------------------------------------------------------------------------- */

struct plan_recipient *gate_plan_of(const struct gate *g, int64_t recipient_id)
{
    struct gate_recipient *r = idpool_get(&g->recipients, recipient_id);
    return r ? &r->plan : NULL;
}

void gate_count(const struct gate *g, struct gate_counts *ret)
{
    *ret = g->counts;
    ret->groups = g->groups.count;
    ret->recipients = g->recipients.pool.count;
    ret->waiting = g->queue.by_time.count;
    uint32_t pos = 0;
    for (struct gate_domain *d; (d = strmap_next(&g->domains, &pos, NULL));)
        ret->verifying += d->asking;
    ret->unknown = g->unknowns.count;
    ret->flying = (int64_t)g->attempts.count - g->unknowns.count;
}
