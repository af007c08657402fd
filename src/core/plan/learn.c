#include "core/plan/learn.h"

#include "base/macros.h"
#include "core/plan/learn_in.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define PRUNE_EVERY_MS TIME_HOUR_MS
#define TEN_MINUTES_MS (10 * TIME_MINUTE_MS)
#define GONE_MAX       4096 /* rows that wait to be deleted; more stay behind, empty of meaning */

struct learn_taken {
    struct learn_route route;
    tide_wall_ms at;
};

void learn_init(struct learn *l, struct subjects *subjects, const struct plan_zones *zones)
{
    *l = (struct learn){.subjects = subjects, .zone_source = zones};
    list_init(&l->dirty);
}

static void key_free(struct learn_key *k)
{
    for (struct learn_limit *x = k->limits, *next; x; x = next) {
        next = x->next;
        learn_limit_free(x);
    }
    free(k->row);
    free(k);
}

void learn_fini(struct learn *l)
{
    uint32_t pos = 0;
    for (struct learn_key *k; (k = idmap_next(&l->by_key, &pos));)
        key_free(k);
    pos = 0;
    for (struct zone *z; (z = strmap_next(&l->zones, &pos, NULL));)
        zone_free(z);
    for (uint32_t i = 0; i < l->gone_count; i++)
        free(l->gone[i]);
    free(l->gone);
    free(l->taken);
    idmap_fini(&l->by_key);
    idmap_fini(&l->meters);
    strmap_fini(&l->zones);
    *l = (struct learn){0};
}

void learn_mark(struct learn *l, struct learn_key *k)
{
    if (list_is_empty(&k->dirty))
        list_append(&l->dirty, &k->dirty);
}

/* -- Keys -------------------------------------------------------------------------------------- */

/* Where in a route the names of a scope stand; 0, where the recipient's id stands: it has none. */
#define AT(field) offsetof(struct learn_route, field)
static const struct {
    size_t a, b;
} parts[LIMIT_SCOPES] = {
    [LIMIT_RECIPIENT] = {0, 0},
    [LIMIT_PAIR] = {AT(sender), 0},
    [LIMIT_DOMAIN] = {AT(domain), 0},
    [LIMIT_PROVIDER] = {AT(provider), 0},
    [LIMIT_SENDER_DOMAIN_PROVIDER] = {AT(sender_domain), AT(provider)},
    [LIMIT_IP_PROVIDER] = {AT(pool), AT(provider)},
    [LIMIT_IP_DOMAIN] = {AT(pool), AT(domain)},
    [LIMIT_ACCOUNT] = {AT(account), 0},
    [LIMIT_ACCOUNT_STREAM] = {AT(account), AT(stream)},
};
#undef AT

static uint32_t part_of(const struct learn_route *r, size_t at)
{
    return at ? *(const uint32_t *)((const char *)r + at) : 0;
}

static void set_part(struct learn_route *r, size_t at, uint32_t name)
{
    if (at)
        *(uint32_t *)((char *)r + at) = name;
}

void learn_parts(enum limit_scope scope,
                 const struct learn_route *r,
                 uint32_t *ret_a,
                 uint32_t *ret_b)
{
    *ret_a = part_of(r, parts[scope].a);
    *ret_b = part_of(r, parts[scope].b);
}

void learn_route_of(struct learn *l,
                    enum limit_scope scope,
                    int64_t recipient_id,
                    struct text a_name,
                    struct text b_name,
                    struct learn_route *ret)
{
    *ret = (struct learn_route){.recipient_id = recipient_id};
    set_part(ret, parts[scope].a, subjects_intern(l->subjects, a_name));
    set_part(ret, parts[scope].b, subjects_intern(l->subjects, b_name));
    if (scope == LIMIT_RECIPIENT && !recipient_id) /* all of a provider's */
        ret->provider = subjects_intern(l->subjects, b_name);
}

/* Scope in the upper bits, what it counts below: interned numbers are far smaller than 28 bits, a
 * recipient's id than 40. 0: the scope counts something that this route has not. */
static int64_t key_of(enum limit_scope scope, const struct learn_route *r)
{
    uint32_t a, b;
    learn_parts(scope, r, &a, &b);
    if (limit_scope_is_own(scope))
        return r->recipient_id ? (int64_t)scope << 57 | 1LL << 56 | (int64_t)(a & 0xFFFF) << 40 |
                                     r->recipient_id
                               : 0;
    return a && (b || !parts[scope].b) ? (int64_t)scope << 57 | (int64_t)a << 28 | b : 0;
}

struct learn_key *learn_find(const struct learn *l,
                             enum limit_scope scope,
                             const struct learn_route *r)
{
    int64_t key = l->by_key.count ? key_of(scope, r) : 0;
    return key ? idmap_get(&l->by_key, key) : NULL;
}

static char *row_of(const struct learn *l, const struct learn_key *k)
{
    const struct subject_name *a = subjects_name(l->subjects, k->a),
                              *b = subjects_name(l->subjects, k->b);
    char *row = NULL, id[24] = "";
    if (limit_scope_is_own(k->scope))
        snprintf(id, sizeof id, "%lld|", (long long)k->recipient_id);
    if (asprintf(&row, "learn|%s|%s%s|%s", limit_scope_name(k->scope), id, a ? a->text : "",
                 b ? b->text : "") < 0)
        return NULL;
    return row;
}

static struct learn_key *key_get(struct learn *l,
                                 int64_t key,
                                 enum limit_scope scope,
                                 int64_t recipient_id,
                                 uint32_t a,
                                 uint32_t b)
{
    struct learn_key *k = key ? idmap_get(&l->by_key, key) : NULL;
    if (k || !key || l->by_key.count >= LEARN_KEYS_MAX || !(k = calloc(1, sizeof *k)))
        return k;
    list_init(&k->dirty);
    k->key = key;
    k->scope = scope;
    k->recipient_id = recipient_id;
    k->a = a;
    k->b = b;
    k->row = row_of(l, k);
    if (!k->row || !idmap_put(&l->by_key, key, k)) {
        key_free(k);
        return NULL;
    }
    return k;
}

struct learn_key *learn_key_get(struct learn *l,
                                enum limit_scope scope,
                                const struct learn_route *r)
{
    uint32_t a, b;
    learn_parts(scope, r, &a, &b);
    return key_get(l, key_of(scope, r), scope, limit_scope_is_own(scope) ? r->recipient_id : 0, a,
                   b);
}

/* A recipient's key has the bit above the id. */
struct learn_key *learn_pool(const struct learn *l, uint32_t provider)
{
    return provider && l->by_key.count ? idmap_get(&l->by_key, provider) : NULL;
}

struct learn_key *learn_pool_get(struct learn *l, uint32_t provider)
{
    return key_get(l, provider, LIMIT_RECIPIENT, 0, 0, provider);
}

static void drop_limits(struct learn *l, struct learn_key *k)
{
    for (struct learn_limit *x = k->limits, *next; x; x = next) {
        next = x->next;
        idmap_remove(&l->meters, x->meter.id);
        l->numbers--;
        l->told -= x->limit.source == SOURCE_PUBLISHED;
        learn_limit_free(x);
    }
    k->limits = NULL;
}

void learn_forget(struct learn *l, struct learn_key *k)
{
    char **more =
        l->gone_count < GONE_MAX ? realloc(l->gone, (l->gone_count + 1) * sizeof *more) : NULL;
    if (more) {
        l->gone = more;
        more[l->gone_count++] = k->row;
        k->row = NULL;
    }
    l->undecided -= k->undecided;
    drop_limits(l, k);
    list_remove(&k->dirty);
    idmap_remove(&l->by_key, k->key);
    key_free(k);
}

static bool limit_is_old(const struct learn_limit *x, tide_wall_ms now)
{
    if (learn_is_stale(x, now))
        return true;
    return !x->pinned && x->limit.source == SOURCE_LEARNED &&
           now - TIDE_MAX(x->taught_at, x->pressed_at) > LEARN_FORGET_MS;
}

static bool key_is_idle(const struct learn_key *k, tide_wall_ms now)
{
    if (k->until > now || now - k->named_at <= TIME_DAY_MS)
        return false;
    for (const struct learn_limit *x = k->limits; x; x = x->next)
        if (!limit_is_old(x, now))
            return false;
    return true;
}

/* Forgets what is open again and was not learnt from, and numbers that nobody needs. */
static void prune(struct learn *l, tide_wall_ms now)
{
    if (now - l->pruned_at < PRUNE_EVERY_MS && now >= l->pruned_at)
        return;
    l->pruned_at = now;
    for (;;) { /* a walk may not remove: those found are removed after it, some at a time */
        struct learn_key *found[64];
        unsigned count = 0;
        uint32_t pos = 0;
        for (struct learn_key *k; count < TIDE_COUNT(found) && (k = idmap_next(&l->by_key, &pos));)
            if (key_is_idle(k, now))
                found[count++] = k;
        for (unsigned i = 0; i < count; i++)
            learn_forget(l, found[i]);
        if (count < TIDE_COUNT(found))
            return;
    }
}

/* -- What was taken lately --------------------------------------------------------------------- */

void learn_watch(struct learn *l, tide_wall_ms now)
{
    if (!l->taken_since || now < l->taken_since)
        l->taken_since = now;
}

static void note_taken(struct learn *l, const struct learn_route *r, tide_wall_ms now)
{
    learn_watch(l, now);
    if (l->taken_count == l->taken_cap && l->taken_cap < LEARN_HISTORY) {
        uint32_t cap = l->taken_cap ? l->taken_cap * 4 : 256;
        struct learn_taken *more = realloc(l->taken, cap * sizeof *more);
        if (more) {
            l->taken = more;
            l->taken_cap = cap;
        }
    }
    if (l->taken_cap == 0)
        return;
    if (l->taken_count < l->taken_cap) {
        l->taken[l->taken_count++] = (struct learn_taken){*r, now};
        l->taken_next = l->taken_count % l->taken_cap;
        return;
    }
    struct learn_taken *oldest = &l->taken[l->taken_next];
    l->taken_since = oldest->at + 1;
    *oldest = (struct learn_taken){*r, now};
    l->taken_next = (l->taken_next + 1) % l->taken_cap;
}

/* Mails of the key that were taken from `since` on, before `until`; -1: not all are remembered. */
static int64_t taken_between(const struct learn *l,
                             const struct learn_key *k,
                             tide_wall_ms since,
                             tide_wall_ms until)
{
    int64_t n = 0;
    if (!l->taken_since || l->taken_since > since)
        return -1;
    for (uint32_t i = 0; i < l->taken_count; i++)
        n += l->taken[i].at >= since && l->taken[i].at < until &&
             key_of(k->scope, &l->taken[i].route) == k->key;
    return n;
}

/* -- Refused, taken ---------------------------------------------------------------------------- */

/* How long it is closed for, of a key wider than a mailbox. */
static const int64_t tiers_ms[] = {TEN_MINUTES_MS, TIME_HOUR_MS};

static tide_wall_ms until_of(const struct learn_key *k, tide_wall_ms opens_at, tide_wall_ms now)
{
    if (limit_scope_is_own(k->scope) || k->times >= TIDE_COUNT(tiers_ms))
        return opens_at;
    return TIDE_MIN(opens_at, now + tiers_ms[k->times]);
}

static tide_wall_ms window_start_of(struct learn *l, const struct window *w, tide_wall_ms now)
{
    struct window_rule rule = {.def = w};
    const struct window counted = learn_countable(w);
    if (!window_is_fixed(w))
        return now - window_length_ms(&counted) + 1;
    if (!learn_zone(l, w->zone, &rule.zone))
        return now;
    return window_at(&rule, now).start;
}

static void fill_lesson(struct learn *l,
                        struct learn_key *k,
                        const struct learn_lesson *lesson,
                        tide_wall_ms now)
{
    struct learn_reply *r = &k->lesson;
    *r = (struct learn_reply){.at = now, .ambiguous = lesson->ambiguous};
    snprintf(r->account, sizeof r->account, TEXT_FMT, TEXT_ARG(lesson->account));
    snprintf(r->rule, sizeof r->rule, TEXT_FMT, TEXT_ARG(lesson->rule));
    snprintf(r->words, sizeof r->words, TEXT_FMT, TEXT_ARG(lesson->words));
    tide_wall_ms then = lesson->as_of ? lesson->as_of : now, end = lesson->as_of ? then : now + 1;
    r->taken = taken_between(l, k, window_start_of(l, lesson->window, then), end);
    if (r->taken < 0)
        r->taken = lesson->used;
    k->taken_minute = taken_between(l, k, then - TIME_MINUTE_MS, end);
    k->taken_ten = taken_between(l, k, then - TEN_MINUTES_MS, end);
    k->taken_hour = taken_between(l, k, then - TIME_HOUR_MS, end);
}

bool learn_refused(struct learn *l,
                   const struct learn_route *r,
                   const struct learn_lesson *lesson,
                   tide_wall_ms now,
                   tide_wall_ms *ret_until)
{
    *ret_until = lesson->opens_at;
    prune(l, now);
    struct learn_key *k = learn_key_get(l, lesson->scope, r);
    if (!k)
        return false;
    if (now - k->named_at > TIME_DAY_MS) {
        k->times = 0;
        l->undecided -= k->undecided;
        k->undecided = false;
    }
    snprintf(k->reason, sizeof k->reason, TEXT_FMT, TEXT_ARG(lesson->cause));
    if (now >= k->until) { /* mails that were already under way name it again: no escalation */
        k->until = until_of(k, lesson->opens_at, now);
        if (!k->undecided) /* else: named again where it opened, it is the same window's */
            fill_lesson(l, k, lesson, now);
        l->undecided -= k->undecided;
        k->undecided = k->until < lesson->opens_at;
        l->undecided += k->undecided;
        k->times++;
        if (!k->undecided && lesson->scope == LIMIT_RECIPIENT && r->provider)
            learn_teach_mailbox(l, k, r->provider, lesson->window, &k->lesson, now);
        else if (!k->undecided)
            learn_teach(l, k, lesson->window, &k->lesson, now);
    }
    k->named_at = now;
    *ret_until = k->until;
    learn_mark(l, k);
    return true;
}

/* Mail is taken again: what closed it was the limit of the tier that it was closed for. Most of it
 * sent within a minute: a limit by the minute, else by ten; and so on. */
static void decide_tier(struct learn *l, struct learn_key *k, tide_wall_ms now)
{
    struct learn_reply reply = k->lesson;
    struct window w = {.kind = WINDOW_ROLLING, .span_ms = TIME_HOUR_MS};
    k->undecided = false;
    l->undecided--;
    reply.taken = k->taken_hour;
    if (k->times == 1) {
        bool burst = k->taken_minute >= 2 && k->taken_minute * 2 >= k->taken_ten;
        w.span_ms = burst ? TIME_MINUTE_MS : TEN_MINUTES_MS;
        reply.taken = burst ? k->taken_minute : k->taken_ten;
    }
    learn_mark(l, k);
    if (reply.taken > 0)
        learn_teach(l, k, &w, &reply, now);
}

/* It was under way when the refusal came, and was taken: there was room for one more. */
static void one_more(struct learn *l, struct learn_key *k, tide_wall_ms started_at)
{
    int64_t *counts[] = {&k->lesson.taken, &k->taken_minute, &k->taken_ten, &k->taken_hour};
    for (size_t i = 0; i < TIDE_COUNT(counts); i++)
        if (*counts[i] >= 0)
            ++*counts[i];
    for (struct learn_limit *x = k->limits; x; x = x->next)
        if (x->taught_at == k->lesson.at && x->taught_at >= started_at && !x->pinned &&
            x->limit.source == SOURCE_LEARNED && x->replies[0].taken == x->limit.count) {
            learn_one_more(x);
            x->taken += x->made_at > started_at;
        }
    learn_mark(l, k);
}

/* Kept beside the ledger, which counts what is under way too. */
static void count_taken(struct learn *l,
                        struct learn_key *k,
                        tide_wall_ms started_at,
                        tide_wall_ms now)
{
    for (struct learn_limit *x = k->limits; x; x = x->next) {
        if (!window_is_fixed(&x->limit.window) || started_at < x->made_at)
            continue;
        tide_wall_ms start = window_at(&x->meter.rule, now).start;
        x->taken = x->taken_window == start ? x->taken + 1 : 1;
        x->taken_window = start;
        learn_taken_of(x, now);
        learn_mark(l, k);
    }
}

void learn_accepted(struct learn *l,
                    const struct learn_route *r,
                    tide_wall_ms started_at,
                    tide_wall_ms now)
{
    note_taken(l, r, now);
    if (l->by_key.count == 0)
        return;
    for (int scope = 0; scope < LIMIT_SCOPES; scope++) {
        struct learn_key *k = learn_find(l, (enum limit_scope)scope, r);
        if (!k)
            continue;
        count_taken(l, k, started_at, now);
        if (k->undecided && started_at >= k->until)
            decide_tier(l, k, now);
        else if (k->lesson.at && started_at <= k->lesson.at && now < k->until)
            one_more(l, k, started_at);
    }
}

const struct learn_key *learn_closed(const struct learn *l,
                                     const struct learn_route *r,
                                     tide_wall_ms now)
{
    const struct learn_key *last = NULL;
    if (l->by_key.count == 0)
        return NULL;
    for (int scope = 0; scope < LIMIT_SCOPES; scope++) {
        const struct learn_key *k = learn_find(l, (enum limit_scope)scope, r);
        if (k && k->until > now && (!last || k->until > last->until))
            last = k;
    }
    return last;
}
