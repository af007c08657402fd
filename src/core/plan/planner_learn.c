#include "core/plan/planner_in.h"

#include "base/macros.h"

void planner_route(const struct planner *p, const struct plan_query *q, struct learn_route *ret)
{
    const struct plan_route *r = &q->route;
    bool account = r->account < p->config->account_count;
    *ret = (struct learn_route){
        .recipient_id = q->recipient_id,
        .provider = r->gateway ? r->gateway : r->provider,
        .domain = r->domain,
        .sender_domain = r->sender_domain,
        .sender = r->sender,
        .account = account ? p->names.accounts[r->account] : 0,
        .pool = account ? p->names.pools[r->account] : 0,
        .stream = r->stream < p->config->stream_count ? p->names.streams[r->stream] : 0,
    };
}

/* Where a number is counted; false: out of memory. `own`: the recipient's ledger. */
static bool tally_of(struct planner *p,
                     const struct learn_key *k,
                     struct learn_limit *x,
                     struct ledger *own,
                     struct applied *ret)
{
    *ret = (struct applied){.tally = {.meter = &x->meter, .id = x->meter.id, .ledger = own}};
    if (limit_scope_is_own(k->scope))
        return own != NULL;
    ret->subject = subjects_get(&p->subjects, k->scope, k->a, k->b);
    ret->tally.ledger = ret->subject ? subject_ledger(ret->subject, x->meter.id) : NULL;
    return ret->tally.ledger != NULL;
}

/* What several mailboxes of the provider have taught, unless this one knows better. Counted in any
 * case. */
static bool apply_pool(struct planner *p,
                       const struct plan_query *q,
                       const struct learn_route *r,
                       struct applied_set *set)
{
    struct learn_key *pool = p->learn.numbers ? learn_pool(&p->learn, r->provider) : NULL;
    struct learn_key *own = pool ? learn_find(&p->learn, LIMIT_RECIPIENT, r) : NULL;
    for (struct learn_limit *x = pool ? pool->limits : NULL; x; x = x->next) {
        struct applied *a = &set->all[set->count];
        struct learn_limit *his = learn_limit_of(own, x->meter.window);
        if (!tally_of(p, pool, x, &q->recipient->ledger, a))
            return false;
        a->key = pool;
        a->learnt = x;
        bool newer = learn_is_newer(his, x), known = x->limit.count != LEARN_NO_NUMBER;
        a->overruled = newer || !known;
        for (unsigned i = 0; his && known && !newer && i < set->count; i++)
            set->all[i].overruled = set->all[i].overruled || set->all[i].learnt == his;
        set->learnt = true;
        set->count++;
    }
    return true;
}

bool planner_apply_learnt(struct planner *p,
                          const struct plan_query *q,
                          const struct learn_route *r,
                          struct applied_set *set)
{
    set->learnt = false;
    for (int scope = 0; p->learn.numbers && scope < LIMIT_SCOPES; scope++) {
        struct learn_key *k = learn_find(&p->learn, (enum limit_scope)scope, r);
        for (struct learn_limit *x = k ? k->limits : NULL; x; x = x->next) {
            struct applied *a = &set->all[set->count];
            if (learn_is_stale(x, q->now))
                continue;
            if (!tally_of(p, k, x, &q->recipient->ledger, a))
                return false;
            a->key = k;
            a->learnt = x;
            set->learnt = true;
            set->count++;
        }
    }
    return apply_pool(p, q, r, set);
}

/* What profile and configuration allow in such a window. */
static int64_t bound_of(const struct applied_set *set, const struct applied *of)
{
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < set->count; i++) {
        const struct applied *a = &set->all[i];
        if (!a->learnt && !a->overruled && a->tally.meter->window == of->tally.meter->window &&
            a->tally.meter->limit->scope == of->learnt->limit.scope)
            least = TIDE_MIN(least, a->tally.meter->limit->count);
    }
    return least;
}

void planner_roll_learnt(struct planner *p, const struct plan_query *q)
{
    struct applied_set *set = &p->ready;
    for (unsigned i = 0; i < set->count; i++) {
        struct applied *a = &set->all[i];
        if (a->learnt)
            learn_roll(&p->learn, a->key, a->learnt, bound_of(set, a),
                       planner_reserve_of(p, &a->learnt->limit), q->now);
    }
}

bool planner_is_overruled(const struct planner *p,
                          const struct learn_route *r,
                          const struct meter *m,
                          tide_wall_ms now)
{
    if (p->learn.told == 0 || m->limit->scope != LIMIT_ACCOUNT ||
        m->limit->source == SOURCE_CONFIGURED)
        return false;
    const struct learn_key *k = learn_find(&p->learn, LIMIT_ACCOUNT, r);
    for (const struct learn_limit *x = k ? k->limits : NULL; x; x = x->next)
        if (x->limit.source == SOURCE_PUBLISHED && x->meter.window == m->window &&
            !learn_is_stale(x, now))
            return true;
    return false;
}

/* -- What replies say -------------------------------------------------------------------------- */

/* A mailbox that has nothing better speaks for all of its provider. */
static void pool_accepted(struct planner *p,
                          const struct plan_query *q,
                          const struct learn_route *r,
                          tide_wall_ms started_at)
{
    struct learn_key *pool = p->learn.numbers ? learn_pool(&p->learn, r->provider) : NULL;
    struct learn_key *own = pool ? learn_find(&p->learn, LIMIT_RECIPIENT, r) : NULL;
    for (struct learn_limit *x = pool ? pool->limits : NULL; x; x = x->next) {
        struct applied a;
        if (!tally_of(p, pool, x, &q->recipient->ledger, &a))
            continue;
        if (x->made_at > started_at)
            (void)tally_charge(&a.tally, q->now);
        if (!learn_is_newer(learn_limit_of(own, x->meter.window), x))
            learn_pool_taken(&p->learn, pool, x, tally_used(&a.tally, q->now), q->now);
    }
}

void planner_accepted(struct planner *p, const struct plan_query *q, tide_wall_ms started_at)
{
    struct learn_route r;
    uint32_t numbers = p->learn.numbers;
    planner_route(p, q, &r);
    learn_accepted(&p->learn, &r, started_at, q->now);
    pool_accepted(p, q, &r, started_at);
    if (p->learn.numbers != numbers)
        p->ready.recipient = NULL;
    for (int scope = 0; p->learn.numbers && scope < LIMIT_SCOPES; scope++) {
        struct learn_key *k = learn_find(&p->learn, (enum limit_scope)scope, &r);
        for (struct learn_limit *x = k ? k->limits : NULL; x; x = x->next) {
            struct applied a;
            if (x->made_at <= started_at || !tally_of(p, k, x, &q->recipient->ledger, &a))
                continue; /* it was charged when it left */
            (void)tally_charge(&a.tally, q->now);
            if (a.subject)
                subjects_mark(&p->subjects, a.subject);
        }
    }
}

/* Mails that were taken in such a window, as the ledgers have it; -1: none counts it. */
static int64_t used_of(const struct planner *p, const struct learn_lesson *lesson, tide_wall_ms now)
{
    const struct applied_set *set = &p->ready;
    int64_t used = -1;
    uint32_t hash = window_hash(lesson->window);
    for (unsigned i = 0; i < set->count; i++) {
        const struct applied *a = &set->all[i];
        const struct limit *l = a->tally.meter->limit;
        if (a->tally.meter->window != hash || l->scope != lesson->scope)
            continue;
        int64_t n = tally_used(&a->tally, now);
        const struct learn_limit *x = a->learnt;
        if (x && x->taken_window && x->taken_window == window_at(&a->tally.meter->rule, now).start)
            n = x->taken + (lesson->as_of != 0);
        if ((l->counts != COUNT_ACCEPTED || lesson->as_of) && n > 0)
            n--; /* the refused one itself */
        used = TIDE_MAX(used, n);
    }
    return used;
}

/* What was taken before a number was known counts against it. */
static void seed_new(struct planner *p, const struct plan_query *q, struct learn_key *k)
{
    for (struct learn_limit *x = k ? k->limits : NULL; x; x = x->next) {
        struct applied a;
        if (x->made_at != q->now || !tally_of(p, k, x, &q->recipient->ledger, &a))
            continue;
        (void)tally_adopt(&a.tally, q->now, TIDE_MAX(x->replies[0].taken, 0));
        if (a.subject)
            subjects_mark(&p->subjects, a.subject);
    }
}

bool planner_refused(struct planner *p,
                     const struct plan_query *q,
                     struct learn_lesson *lesson,
                     tide_wall_ms *ret_until)
{
    struct learn_route r;
    planner_route(p, q, &r);
    lesson->used = planner_find_all(p, q) ? used_of(p, lesson, q->now) : -1;
    bool kept = learn_refused(&p->learn, &r, lesson, q->now, ret_until);
    p->ready.recipient = NULL;
    if (kept)
        seed_new(p, q, learn_find(&p->learn, lesson->scope, &r));
    if (kept && lesson->scope == LIMIT_RECIPIENT)
        seed_new(p, q, learn_pool(&p->learn, r.provider));
    return kept;
}

const struct learn_key *planner_closed(struct planner *p, const struct plan_query *q)
{
    struct learn_route r;
    learn_watch(&p->learn, q->now);
    if (p->learn.by_key.count == 0)
        return NULL;
    planner_route(p, q, &r);
    return learn_closed(&p->learn, &r, q->now);
}

/* -- By hand, and told by the ESP -------------------------------------------------------------- */

struct learn_key *planner_learnt_key(struct planner *p,
                                     enum limit_scope scope,
                                     int64_t recipient_id,
                                     struct text a,
                                     struct text b,
                                     bool make)
{
    struct learn_route r;
    learn_route_of(&p->learn, scope, recipient_id, a, b, &r);
    p->ready.recipient = NULL;
    if (scope == LIMIT_RECIPIENT && !recipient_id)
        return make ? learn_pool_get(&p->learn, r.provider) : learn_pool(&p->learn, r.provider);
    return make ? learn_key_get(&p->learn, scope, &r) : learn_find(&p->learn, scope, &r);
}

bool planner_pin(struct planner *p,
                 struct learn_key *k,
                 const struct window *window,
                 int64_t count,
                 tide_wall_ms now)
{
    struct learn_limit *x = learn_limit_get(&p->learn, k, window, now);
    p->ready.recipient = NULL;
    if (x)
        learn_pin(&p->learn, k, x, count);
    return x != NULL;
}

void planner_forget(struct planner *p, struct learn_key *k)
{
    p->ready.recipient = NULL;
    learn_forget(&p->learn, k);
}

/* What the profile's own limit of such a window has counted so far. */
static int64_t counted_before(struct planner *p,
                              const struct learn_key *k,
                              uint32_t window,
                              tide_wall_ms now)
{
    const struct subject *s = subjects_find(&p->subjects, LIMIT_ACCOUNT, k->a, 0);
    int64_t most = 0;
    for (struct counter *c = s ? s->counters : NULL; c; c = c->next) {
        struct meter *m = idmap_get(&p->rules->by_id, c->limit);
        struct tally t = {.meter = m, .ledger = &c->ledger, .id = c->limit};
        if (m && m->window == window && m->limit->window.kind != WINDOW_RATE)
            most = TIDE_MAX(most, tally_used(&t, now));
    }
    return most;
}

bool planner_told(struct planner *p,
                  struct text account,
                  const struct window *window,
                  int64_t count,
                  int64_t used,
                  int flying,
                  struct text words,
                  tide_wall_ms now)
{
    struct learn_key *k = planner_learnt_key(p, LIMIT_ACCOUNT, 0, account, TEXT(""), true);
    struct learn_limit *x = k ? learn_limit_get(&p->learn, k, window, now) : NULL;
    struct applied a;
    if (!x || !tally_of(p, k, x, NULL, &a))
        return false;
    bool fresh = x->made_at == now && x->limit.source != SOURCE_PUBLISHED;
    learn_told(&p->learn, k, x, count, words, now);
    x->limit.counts = COUNT_ACCEPTED;
    if (window->kind == WINDOW_RATE)
        return true;
    if (fresh)
        used = TIDE_MAX(used, counted_before(p, k, x->meter.window, now));
    int64_t known = tally_used(&a.tally, now);
    if (used > known && !tally_adopt(&a.tally, now, used + flying)) /* others use it too */
        return false;
    if (used > known)
        subjects_mark(&p->subjects, a.subject);
    return true;
}

/* -- For people -------------------------------------------------------------------------------- */

struct telling {
    struct planner *p;
    tide_wall_ms now;
    struct ledger *own; /* NULL: not known */
    void (*each)(void *arg, const struct plan_learnt *x);
    void *arg;
};

static void tell_key(const struct telling *t, struct learn_key *k)
{
    struct plan_learnt x = {
        .key = k, .a = planner_name(t->p, k->a), .b = planner_name(t->p, k->b), .used = -1};
    if (!k->limits && k->until > t->now)
        t->each(t->arg, &x);
    for (struct learn_limit *l = k->limits; l; l = l->next) {
        struct applied a;
        x.limit = l;
        x.used = tally_of(t->p, k, l, t->own, &a) ? tally_used(&a.tally, t->now) : -1;
        t->each(t->arg, &x);
    }
}

void planner_learnt(struct planner *p,
                    tide_wall_ms now,
                    const struct plan_query *only,
                    void (*each)(void *arg, const struct plan_learnt *x),
                    void *arg)
{
    struct telling t = {p, now, only ? &only->recipient->ledger : NULL, each, arg};
    uint32_t pos = 0;
    if (!only) {
        for (struct learn_key *k; (k = idmap_next(&p->learn.by_key, &pos));)
            tell_key(&t, k);
        return;
    }
    struct learn_route r;
    planner_route(p, only, &r);
    for (int scope = 0; scope < LIMIT_SCOPES; scope++) {
        struct learn_key *k = learn_find(&p->learn, (enum limit_scope)scope, &r);
        if (k)
            tell_key(&t, k);
    }
    struct learn_key *pool = learn_pool(&p->learn, r.provider);
    if (pool)
        tell_key(&t, pool);
}
