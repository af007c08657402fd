#include "core/plan/planner.h"

#include "base/macros.h"
#include "core/plan/planner_in.h"

#include <stdlib.h>

#define NO_MEMORY_WAIT_MS TIME_SECOND_MS
/* Each round waits for one limit; they settle in two or three. Should they not, the answer is
 * merely early: asked again then, it is HOLD again. */
#define ROUNDS_MAX 16

/* -- Configuration ----------------------------------------------------------------------------- */

static void names_free(struct planner_names *n)
{
    free(n->accounts);
    free(n->pools);
    free(n->streams);
}

static bool names_make(struct planner *p, const struct config *c, struct planner_names *ret)
{
    *ret = (struct planner_names){
        .accounts = calloc(c->account_count + 1, sizeof(uint32_t)),
        .pools = calloc(c->account_count + 1, sizeof(uint32_t)),
        .streams = calloc(c->stream_count + 1, sizeof(uint32_t)),
    };
    bool ok = ret->accounts && ret->pools && ret->streams;
    for (size_t i = 0; i < c->account_count && ok; i++) {
        const struct config_account *a = &c->accounts[i];
        ret->accounts[i] = subjects_intern(&p->subjects, text_of(a->name));
        ret->pools[i] = subjects_intern(&p->subjects, text_of(a->ip_pool ? a->ip_pool : a->name));
        ok = ret->accounts[i] && ret->pools[i];
    }
    for (size_t i = 0; i < c->stream_count && ok; i++) {
        ret->streams[i] = subjects_intern(&p->subjects, text_of(c->streams[i].name));
        ok = ret->streams[i] != 0;
    }
    if (!ok)
        names_free(ret);
    return ok;
}

/* Every name that is a provider's gets that provider's limits, whoever has interned it since. */
static void link_rules(struct planner *p)
{
    while (p->linked < p->subjects.name_count) {
        struct subject_name *n = subjects_name(&p->subjects, ++p->linked);
        n->data = strmap_get(&p->rules->providers, text_of(n->text));
    }
}

enum tide_err planner_configure(struct planner *p,
                                const struct config *config,
                                struct tide_error *err)
{
    struct rules *rules;
    struct planner_names names;
    enum tide_err rc = rules_new(config, &p->zones, &rules, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, "planner");
    if (!names_make(p, config, &names)) {
        rules_free(rules);
        return tide_fail(err, TIDE_ENOMEM, "planner: names of accounts and streams");
    }
    rules_free(p->rules);
    names_free(&p->names);
    p->config = config;
    p->rules = rules;
    p->ready.recipient = NULL;
    p->names = names;
    p->linked = 0;
    link_rules(p);
    return TIDE_OK;
}

enum tide_err planner_new(const struct config *config,
                          const struct plan_zones *zones,
                          struct planner **ret,
                          struct tide_error *err)
{
    struct planner *p = calloc(1, sizeof *p);
    if (!p)
        return tide_fail(err, TIDE_ENOMEM, "planner");
    if (zones)
        p->zones = *zones;
    p->policy = policy_even();
    subjects_init(&p->subjects);
    learn_init(&p->learn, &p->subjects, &p->zones);
    enum tide_err rc = planner_configure(p, config, err);
    if (rc == TIDE_OK)
        *ret = p;
    else
        planner_free(p);
    return rc;
}

void planner_free(struct planner *p)
{
    if (!p)
        return;
    rules_free(p->rules);
    learn_fini(&p->learn);
    subjects_fini(&p->subjects);
    names_free(&p->names);
    free(p);
}

void planner_set_policy(struct planner *p, const struct policy *policy)
{
    p->policy = policy;
}

uint32_t planner_intern(struct planner *p, struct text name)
{
    uint32_t id = subjects_intern(&p->subjects, name);
    link_rules(p);
    return id;
}

struct text planner_name(const struct planner *p, uint32_t number)
{
    const struct subject_name *n = subjects_name(&p->subjects, number);
    return n ? text_of(n->text) : TEXT("");
}

uint32_t planner_intern_provider(struct planner *p, struct text name)
{
    return planner_intern(p, name);
}

/* -- Which limits apply ------------------------------------------------------------------------ */

/* `r`: the query's route, with the provider that the limit is of. */
static bool apply(struct planner *p,
                  const struct plan_query *q,
                  struct meter *m,
                  const struct learn_route *r,
                  struct applied_set *ret)
{
    const struct limit *l = m->limit;
    struct applied *a = &ret->all[ret->count];
    if (q->is_reply && l->replies_free)
        return true;
    *a = (struct applied){.tally = {.meter = m, .id = m->id},
                          .overruled = planner_is_overruled(p, r, m, q->now)};
    if (limit_scope_is_own(l->scope)) {
        const struct subject_name *sender = subjects_name(&p->subjects, q->route.sender);
        if (l->scope == LIMIT_PAIR)
            a->tally.id = plan_hash(m->id, &(uint32_t){sender ? sender->hash : 0}, 4);
        a->tally.ledger = &q->recipient->ledger;
    } else {
        uint32_t left, right;
        learn_parts(l->scope, r, &left, &right);
        a->subject = subjects_get(&p->subjects, l->scope, left, right);
        a->tally.ledger = a->subject ? subject_ledger(a->subject, m->id) : NULL;
        if (!a->tally.ledger)
            return false;
    }
    ret->count++;
    return true;
}

static bool apply_set(struct planner *p,
                      const struct plan_query *q,
                      const struct rule_set *set,
                      const struct learn_route *r,
                      struct applied_set *ret)
{
    bool ok = true;
    for (size_t i = 0; set && i < set->count && ok; i++)
        ok = apply(p, q, &set->meters[i], r, ret);
    return ok;
}

/* False: out of memory. */
static bool apply_all(struct planner *p, const struct plan_query *q, struct applied_set *ret)
{
    const struct subject_name *provider = subjects_name(&p->subjects, q->route.provider);
    const struct subject_name *gateway = subjects_name(&p->subjects, q->route.gateway);
    struct learn_route front, behind; /* an account's limit means whoever answers at the MX */
    planner_route(p, q, &front);
    behind = front;
    behind.provider = q->route.provider;
    ret->count = 0;
    ret->recipient = NULL;
    if (provider && !apply_set(p, q, provider->data, &behind, ret))
        return false;
    if (gateway && gateway != provider && !apply_set(p, q, gateway->data, &front, ret))
        return false;
    if (q->route.account < p->rules->account_count &&
        !apply_set(p, q, &p->rules->accounts[q->route.account], &front, ret))
        return false;
    return planner_apply_learnt(p, q, &front, ret);
}

static bool same_route(const struct plan_route *a, const struct plan_route *b)
{
    return a->provider == b->provider && a->gateway == b->gateway && a->domain == b->domain &&
           a->sender_domain == b->sender_domain && a->sender == b->sender &&
           a->account == b->account && a->stream == b->stream;
}

/* Into p->ready, unless the last query was about the same. */
bool planner_find_all(struct planner *p, const struct plan_query *q)
{
    struct applied_set *set = &p->ready;
    if (set->recipient == q->recipient && set->is_reply == q->is_reply &&
        same_route(&set->route, &q->route) && q->now < set->stale_at)
        return true;
    if (!apply_all(p, q, set))
        return false;
    set->recipient = q->recipient;
    set->is_reply = q->is_reply;
    set->route = q->route;
    set->stale_at = p->learn.numbers ? q->now + TIME_HOUR_MS : TIDE_NEVER;
    return true;
}

/* -- Deciding ---------------------------------------------------------------------------------- */

/* The reserve is kept of limits that a recipient can use up for himself over a while; of a limit
 * so small that little would be left, at most half. */
int64_t planner_reserve_of(const struct planner *p, const struct limit *l)
{
    if (!limit_scope_is_own(l->scope) || !window_has_count(&l->window))
        return 0;
    return TIDE_MIN(TIDE_MAX(p->config->planner.reserve, 0), l->count / 2);
}

/* Urgent mail uses the reserve first: what it has had today need not be kept for it any more. */
int64_t planner_reserve_left(const struct planner *p,
                             const struct plan_query *q,
                             const struct applied *a)
{
    struct meter *m = a->tally.meter;
    int64_t reserve = planner_reserve_of(p, m->limit);
    const struct forecast *f = &q->recipient->forecast;
    if (!reserve || !f->urgent || !window_is_day(&m->limit->window) ||
        window_day(&m->rule, window_at(&m->rule, q->now)) != f->day)
        return reserve;
    return TIDE_MAX(reserve - f->urgent, 0);
}

/* An urgent mail has left. The policy's forecast is rolled to the day first, where it keeps one. */
static void count_urgent(struct planner *p, const struct plan_query *q)
{
    struct forecast *f = &q->recipient->forecast;
    for (unsigned i = 0; i < p->ready.count; i++) {
        struct applied *a = &p->ready.all[i];
        struct policy_view v;
        struct foreseen ignored;
        if (a->subject || !window_is_day(&a->tally.meter->limit->window))
            continue;
        planner_view_of(p, q, a, &v);
        if (!p->policy->foresee || !p->policy->foresee(p->policy->arg, &v, &ignored))
            forecast_begin_day(f, v.day);
        if (f->day == v.day && f->urgent < UINT8_MAX)
            f->urgent++;
        return;
    }
}

static int64_t full_of(const struct meter *m)
{
    if (m->limit->count < 1)
        return 0;
    if (m->limit->window.kind == WINDOW_RATE)
        return m->burst;
    return m->limit->window.kind == WINDOW_COOLDOWN ? 1 : m->limit->count;
}

bool planner_make_ready(struct planner *p, const struct plan_query *q)
{
    struct applied_set *set = &p->ready;
    ledger_prune(&q->recipient->ledger, q->now);
    if (!planner_find_all(p, q))
        return false;
    if (set->learnt)
        planner_roll_learnt(p, q);
    for (unsigned i = 0; i < set->count; i++) {
        struct applied *a = &set->all[i];
        if (a->subject)
            ledger_prune(a->tally.ledger, q->now);
        if (!tally_ready(&a->tally, q->now))
            return false;
        a->allowed = a->overruled ? INT32_MAX : full_of(a->tally.meter);
        if (!q->urgent && !q->by_hand && !a->overruled)
            a->allowed -= planner_reserve_left(p, q, a);
    }
    return true;
}

/* When all limits have room at once, and which of them it was that had it last. */
static tide_wall_ms earliest_of_all(const struct applied_set *set,
                                    tide_wall_ms now,
                                    const struct applied **ret_binding)
{
    tide_wall_ms at = now;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        tide_wall_ms before = at;
        for (unsigned i = 0; i < set->count; i++) {
            const struct applied *a = &set->all[i];
            tide_wall_ms t = tally_earliest(&a->tally, a->allowed, at);
            if (t > at) {
                at = t;
                *ret_binding = a;
            }
            if (at == TIDE_NEVER)
                return at;
        }
        if (at == before)
            break;
    }
    return at;
}

/* The recipient's own limit of which the least share is left; NULL: he has none that counts. */
static const struct applied *tightest(const struct applied_set *set, tide_wall_ms now)
{
    const struct applied *least = NULL;
    double least_share = 0;
    for (unsigned i = 0; i < set->count; i++) {
        const struct applied *a = &set->all[i];
        const struct limit *l = a->tally.meter->limit;
        if (a->subject || l->count < 1 || !window_has_count(&l->window))
            continue;
        double share = (double)(l->count - tally_used(&a->tally, now)) / (double)l->count;
        if (!least || share < least_share) {
            least = a;
            least_share = share;
        }
    }
    return least;
}

/* What waited for a window to open does not leave in the instant that it does. A recipient's own
 * window: everyone has a place of his own in the spread. A wider one: what it allows is let out
 * evenly over the spread, in the order of whoever stands in line. What came after the window opened
 * finds no crowd and leaves at once. */
static tide_wall_ms spread_one(const struct planner *p,
                               const struct plan_query *q,
                               const struct applied *a,
                               tide_wall_ms at)
{
    struct meter *m = a->tally.meter;
    if (!window_is_fixed(&m->limit->window) || a->overruled)
        return at;
    struct window_span w = window_at(&m->rule, at);
    tide_wall_ms open = w.start + m->margin_ms;
    int64_t spread = TIDE_MIN(p->config->planner.spread_ms, (w.end - w.start) / 4);
    if (spread < 1 || q->pending->oldest_at >= w.start || at >= open + spread)
        return at;
    /* No crowd stands before a window whose last one was not used up: whoever comes now waited for
     * something else. (The instant asked is before the margin, where charges count for both.) */
    int64_t kept = a->subject ? 0 : p->config->planner.reserve;
    if (tally_used(&a->tally, w.start - m->margin_ms - 1) + kept < m->limit->count)
        return at;
    int64_t place;
    if (!a->subject) {
        uint64_t seed = (uint64_t)q->recipient_id + 0x9e3779b97f4a7c15u; /* 0 hashes to 0 */
        place = (int64_t)(hash_u64(seed) % (uint64_t)spread);
    } else {
        int64_t used = tally_used(&a->tally, at), count = TIDE_MAX(m->limit->count, 1);
        place = (int64_t)((double)spread * (double)used / (double)count);
    }
    return TIDE_MAX(at, open + place);
}

static tide_wall_ms spread_all(const struct planner *p,
                               const struct plan_query *q,
                               const struct applied_set *set,
                               tide_wall_ms at,
                               const struct applied **ret_by)
{
    tide_wall_ms latest = at;
    if (q->urgent || q->by_hand || !q->pending || !q->pending->oldest_at || at == TIDE_NEVER)
        return at;
    for (unsigned i = 0; i < set->count; i++) {
        tide_wall_ms t = spread_one(p, q, &set->all[i], at);
        if (t > latest) {
            latest = t;
            *ret_by = &set->all[i];
        }
    }
    if (q->hold_until_max)
        latest = TIDE_MAX(at, TIDE_MIN(latest, q->hold_until_max));
    return latest;
}

void planner_view_of(const struct planner *p,
                     const struct plan_query *q,
                     const struct applied *a,
                     struct policy_view *ret)
{
    struct meter *m = a->tally.meter;
    const struct window *w = &m->limit->window;
    *ret = (struct policy_view){
        .now = q->now,
        .pending = q->pending,
        .last_at = q->last_at,
        .hold_until_max = q->hold_until_max,
        .weight = q->weight,
        .word = q->recipient->policy_word,
        .forecast = &q->recipient->forecast,
        .recipient_id = q->recipient_id,
        .count = m->limit->count,
        .used = tally_used(&a->tally, q->now),
        .reserve = planner_reserve_left(p, q, a),
        .reserve_full = planner_reserve_of(p, m->limit),
        .span_ms = window_length_ms(w),
        .direct_share = p->config->planner.direct_share,
        .window_id = m->window,
    };
    ret->is_day = window_is_day(w);
    if (window_is_fixed(w))
        ret->window = window_at(&m->rule, q->now);
    if (ret->is_day)
        ret->day = window_day(&m->rule, ret->window);
    else
        planner_learning_day(p, q->now, &ret->learnt_by);
    if (w->kind == WINDOW_ROLLING)
        for (int64_t left = ret->used; left > 0 && ret->refill_count < POLICY_REFILLS_MAX; left--)
            ret->refills[ret->refill_count++] = tally_earliest(&a->tally, left, q->now);
}

/* Of the account's limits that count in days, a calendar's or any 24 hours, the one of which least
 * is left. Only where all mail goes through one account does the forecast of all tell what is to
 * come for it. */
static void find_shared(const struct planner *p, tide_wall_ms now, struct policy_view *v)
{
    const struct applied_set *set = &p->ready;
    if (p->config->account_count != 1)
        return;
    for (unsigned i = 0; i < set->count; i++) {
        const struct applied *a = &set->all[i];
        const struct limit *l = a->tally.meter->limit;
        bool rolls = l->window.kind == WINDOW_ROLLING && l->window.span_ms == TIME_DAY_MS;
        if (l->scope != LIMIT_ACCOUNT || a->overruled || l->count < 1 ||
            (!window_is_day(&l->window) && !rolls))
            continue;
        int64_t left = TIDE_MAX(l->count - tally_used(&a->tally, now), 0);
        v->shared_left = v->is_shared ? TIDE_MIN(v->shared_left, left) : left;
        v->is_shared = true;
    }
}

static tide_wall_ms policy_wish(const struct planner *p,
                                const struct plan_query *q,
                                const struct applied *a)
{
    struct policy_view v;
    planner_view_of(p, q, a, &v);
    find_shared(p, q->now, &v);
    tide_wall_ms at = p->policy->wish(p->policy->arg, &v);
    return q->hold_until_max ? TIDE_MIN(at, q->hold_until_max) : at;
}

static void explain(struct plan_answer *ret, const struct applied *a, tide_wall_ms now)
{
    if (!a)
        return;
    struct meter *m = a->tally.meter;
    ret->limit = m->limit;
    ret->used = tally_used(&a->tally, now);
    if (window_is_fixed(&m->limit->window))
        ret->reset_at = window_at(&m->rule, now).end;
}

static void hold(struct plan_answer *ret,
                 enum plan_why why,
                 tide_wall_ms at,
                 const struct applied *binding,
                 const struct applied *last,
                 tide_wall_ms now)
{
    *ret = (struct plan_answer){.kind = PLAN_HOLD, .why = why, .at = at};
    explain(ret, binding, now);
    /* Whoever waits for a place of his own must not stop a line with it. */
    if (last && last->subject)
        ret->subject = last->subject->id;
}

void planner_decide(struct planner *p, const struct plan_query *q, struct plan_answer *ret)
{
    struct applied_set *set = &p->ready;
    const struct applied *binding = NULL, *by = NULL;
    if (!planner_make_ready(p, q)) {
        hold(ret, PLAN_WHY_LIMIT, q->now + NO_MEMORY_WAIT_MS, NULL, NULL, q->now);
        return;
    }
    tide_wall_ms room_at = earliest_of_all(set, q->now, &binding);
    tide_wall_ms at = spread_all(p, q, set, room_at, &by);
    const struct applied *own = tightest(set, q->now);
    bool may_wait = q->digest && !q->urgent && !q->by_hand && own;
    tide_wall_ms wish = may_wait ? policy_wish(p, q, own) : q->now;
    if (wish > at) {
        *ret = (struct plan_answer){
            .kind = PLAN_DIGEST, .why = PLAN_WHY_SPACED, .at = wish, .how = p->policy->how};
        explain(ret, own, q->now);
    } else if (room_at > q->now) {
        int64_t full = full_of(binding->tally.meter);
        bool kept = tally_earliest(&binding->tally, full, q->now) == q->now;
        hold(ret, kept ? PLAN_WHY_RESERVE : PLAN_WHY_LIMIT, at, binding, by ? by : binding, q->now);
    } else if (at > q->now) {
        hold(ret, PLAN_WHY_SPREAD, at, by, by, q->now);
    } else {
        *ret = (struct plan_answer){.kind = PLAN_NOW, .at = q->now};
        explain(ret, own, q->now);
        double share = own ? (double)(ret->limit->count - ret->used) : 1;
        bool short_of = own && share <= p->config->planner.direct_share * (double)ret->limit->count;
        ret->why = q->urgent || q->by_hand ? PLAN_WHY_URGENT
                   : may_wait && short_of  ? PLAN_WHY_SPACED
                                           : PLAN_WHY_ROOM;
    }
}

/* -- Charging ---------------------------------------------------------------------------------- */

void planner_charge(struct planner *p, const struct plan_query *q)
{
    struct applied_set *set = &p->ready;
    if (!planner_find_all(p, q))
        return; /* cannot be: planner_decide() has just found them all */
    for (unsigned i = 0; i < set->count; i++) {
        struct applied *a = &set->all[i];
        (void)tally_charge(&a->tally, q->now); /* made ready by planner_decide() */
        if (a->subject)
            subjects_mark(&p->subjects, a->subject);
        if (a->learnt)
            a->learnt->peak = TIDE_MAX(a->learnt->peak, tally_used(&a->tally, q->now));
    }
    if (q->urgent && !q->by_hand)
        count_urgent(p, q);
    q->recipient->sent_before = true;
    uint32_t *word = &q->recipient->policy_word;
    *word = p->policy->charged(p->policy->arg, q->now, q->urgent, *word);
}

void planner_refund(struct planner *p,
                    const struct plan_query *q,
                    tide_wall_ms started_at,
                    enum plan_refund what)
{
    const struct applied_set *set = &p->ready;
    if (!planner_find_all(p, q))
        return; /* what is not given back is at worst sent later */
    for (unsigned i = 0; i < set->count; i++) {
        const struct applied *a = &set->all[i];
        if (what == REFUND_NOT_ACCEPTED && a->tally.meter->limit->counts != COUNT_ACCEPTED)
            continue;
        if (a->learnt && a->learnt->made_at > started_at)
            continue; /* it was not yet counted then */
        tally_refund(&a->tally, q->now, started_at);
        if (a->subject)
            subjects_mark(&p->subjects, a->subject);
    }
}

bool planner_next_dirty(struct planner *p, struct text *ret_subject, struct buf *ret_blob)
{
    if (subjects_next_dirty(&p->subjects, ret_subject, ret_blob))
        return true;
    if (learn_next_dirty(&p->learn, ret_subject, ret_blob))
        return true;
    return p->policy->next_dirty && p->policy->next_dirty(p->policy->arg, ret_subject, ret_blob);
}

enum tide_err planner_restore(struct planner *p,
                              struct text subject,
                              struct text blob,
                              struct tide_error *err)
{
    if (text_starts(subject, TEXT("policy|")))
        return p->policy->restore ? p->policy->restore(p->policy->arg, subject, blob, err)
                                  : TIDE_OK;
    if (text_starts(subject, TEXT("learn|")))
        return learn_restore(&p->learn, subject, blob, err);
    return subjects_restore(&p->subjects, subject, blob, err);
}

static bool is_own_day(const struct limit *l)
{
    return limit_scope_is_own(l->scope) && window_is_day(&l->window);
}

void planner_days(struct planner *p,
                  void (*each)(void *arg, uint32_t id, struct window_rule *rule),
                  void *arg)
{
    struct idmap told;
    uint32_t pos = 0;
    idmap_init(&told);
    for (struct meter *m; (m = idmap_next(&p->rules->by_id, &pos));)
        if (is_own_day(m->limit) && !idmap_get(&told, m->window) && idmap_put(&told, m->window, m))
            each(arg, m->window, &m->rule);
    struct window_rule plain = {.def = planner_plain_day()};
    if (!idmap_get(&told, window_hash(plain.def)))
        each(arg, window_hash(plain.def), &plain);
    idmap_fini(&told);
}

tide_wall_ms planner_opens_at(struct planner *p, const struct window *window, tide_wall_ms now)
{
    struct zone *zone = NULL;
    struct window_rule rule = {.def = window};
    struct tide_error ignored;
    if (!window_is_fixed(window))
        return now + window_length_ms(window);
    if (window->zone && p->zones.load &&
        p->zones.load(p->zones.arg, window->zone, &zone, &ignored) == TIDE_OK)
        rule.zone = zone;
    tide_wall_ms end = window_at(&rule, now).end;
    zone_free(zone);
    return end + p->config->planner.margin_ms;
}

/* -- For people -------------------------------------------------------------------------------- */

typedef void usage_cb(void *arg, const struct plan_usage *u);

static void tell(
    const struct tally *t, const struct subject *s, tide_wall_ms now, usage_cb *each, void *arg)
{
    struct meter *m = t->meter;
    struct plan_usage u = {
        .limit = m->limit, .subject = s ? text_of(s->label) : TEXT(""), .used = tally_used(t, now)};
    if (window_is_fixed(&m->limit->window))
        u.reset_at = window_at(&m->rule, now).end;
    each(arg, &u);
}

void planner_usage(
    struct planner *p, tide_wall_ms now, const struct plan_query *only, usage_cb *each, void *arg)
{
    const struct applied_set *set = &p->ready;
    if (only) {
        if (planner_find_all(p, only))
            for (unsigned i = 0; i < set->count; i++)
                if (!set->all[i].overruled)
                    tell(&set->all[i].tally, set->all[i].subject, now, each, arg);
        return;
    }
    for (unsigned scope = 0; scope < LIMIT_SCOPES; scope++) {
        uint32_t pos = 0;
        for (struct subject *s; (s = idmap_next(&p->subjects.by_pair[scope], &pos));)
            for (struct counter *c = s->counters; c; c = c->next) {
                struct meter *m = idmap_get(&p->rules->by_id, c->limit);
                struct learn_limit *x = m ? NULL : idmap_get(&p->learn.meters, c->limit);
                m = x ? &x->meter : m;
                struct tally t = {.meter = m, .ledger = &c->ledger, .id = c->limit};
                if (m && c->ledger.count && !planner_overrules(p, s, m))
                    tell(&t, s, now, each, arg);
            }
    }
}
