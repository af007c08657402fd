/* The numbers of a key: one for each window, cut by replies, probed by windows without one. */
#include "core/plan/learn_in.h"

#include "base/macros.h"
#include "core/config/limits.h"
#include "core/plan/planner.h"

#include <stdio.h>
#include <stdlib.h>

#define KEPT_CHANCE      0.5
#define REFUSAL_COST_MIN 10.0 /* what a refusal costs, in minutes of delay of one mail */
/* Nothing is worth more, not even urgent mail: else one that is always over is refused daily. What
 * is found out for many mailboxes is worth more. */
#define STAKE_MAX_MIN  100.0
#define STAKE_POOL_MIN 300.0

void learn_limit_free(struct learn_limit *x)
{
    limit_fini(&x->limit);
    free(x);
}

bool learn_zone(struct learn *l, const char *name, const struct zone **ret)
{
    struct tide_error ignored;
    *ret = NULL;
    if (!name || !strcmp(name, "UTC"))
        return true;
    struct zone *z = strmap_get(&l->zones, text_of(name));
    if (!z && l->zone_source && l->zone_source->load &&
        l->zone_source->load(l->zone_source->arg, name, &z, &ignored) == TIDE_OK &&
        !strmap_put(&l->zones, text_of(name), z)) {
        zone_free(z);
        return false;
    }
    *ret = z; /* a zone that is not there counts as UTC */
    return true;
}

/* What a number is counted in: a pause after each mail has no count, the mails that led to it do.
 */
struct window learn_countable(const struct window *w)
{
    struct window out = *w;
    if (!window_has_count(w))
        out = (struct window){.kind = WINDOW_ROLLING,
                              .span_ms = TIDE_MAX(w->span_ms, TIME_MINUTE_MS)};
    return out;
}

static bool name_limit(struct learn_limit *x, enum limit_scope scope)
{
    char words[64];
    limits_window_text(&x->limit.window, words);
    for (char *c = words; *c; c++)
        *c = *c == ' ' ? '-' : *c;
    return asprintf(&x->limit.name, "learned/%s-%s", limit_scope_name(scope), words) >= 0;
}

struct learn_limit *learn_limit_of(const struct learn_key *k, uint32_t window)
{
    for (struct learn_limit *x = k ? k->limits : NULL; x; x = x->next)
        if (x->meter.window == window)
            return x;
    return NULL;
}

struct learn_limit *learn_limit_get(struct learn *l,
                                    struct learn_key *k,
                                    const struct window *window,
                                    tide_wall_ms now)
{
    uint32_t hash = window_hash(window), count = 0;
    const struct zone *zone;
    struct learn_limit *x = learn_limit_of(k, hash);
    if (x)
        return x;
    for (x = k->limits; x; x = x->next)
        count++;
    x = count < LEARN_LIMITS_MAX && learn_zone(l, window->zone, &zone) ? calloc(1, sizeof *x)
                                                                       : NULL;
    if (!x)
        return NULL;
    x->limit = (struct limit){.scope = k->scope,
                              .count = LEARN_NO_NUMBER,
                              .window = *window,
                              .counts = COUNT_ACCEPTED,
                              .source = SOURCE_LEARNED};
    x->limit.window.zone = window->zone ? strdup(window->zone) : NULL;
    x->made_at = x->pressed_at = now;
    x->meter = (struct meter){
        .limit = &x->limit,
        .rule = {.def = &x->limit.window, .zone = zone},
        .id = plan_hash(plan_hash(3, k->row, strlen(k->row)), &hash, sizeof hash),
        .window = hash,
        .burst = 1,
    };
    bool named = name_limit(x, k->scope) && (!window->zone || x->limit.window.zone);
    if (!named || idmap_get(&l->meters, x->meter.id) || !idmap_put(&l->meters, x->meter.id, x)) {
        learn_limit_free(x);
        return NULL;
    }
    x->window_start = window_is_fixed(window) ? window_at(&x->meter.rule, now).start : now;
    x->next = k->limits;
    k->limits = x;
    l->numbers++;
    return x;
}

enum limit_confidence learn_confidence(const struct learn_limit *x)
{
    if (x->pinned || x->limit.source == SOURCE_PUBLISHED)
        return CONFIDENCE_HIGH;
    if (x->points < 2)
        return CONFIDENCE_LOW;
    if (x->taught >= 3 && x->confirmed >= 2)
        return CONFIDENCE_HIGH;
    return x->taught >= 2 || x->confirmed >= 2 ? CONFIDENCE_MEDIUM : CONFIDENCE_LOW;
}

static void keep_reply(struct learn_limit *x, const struct learn_reply *reply)
{
    memmove(&x->replies[1], &x->replies[0], (LEARN_REPLIES - 1) * sizeof x->replies[0]);
    x->replies[0] = *reply;
}

/* After how many mails of a window it has refused, as far as that is known; 0: it is not. */
static int64_t refused_after(const struct learn_limit *x, const struct learn_reply *reply)
{
    int64_t old = x->limit.count;
    bool known = old != LEARN_NO_NUMBER;
    if (reply->taken < 0) /* nobody knows how many it was */
        return known ? TIDE_MAX(1, old * 7 / 10) : 0;
    if (reply->taken == 0) /* the window is not quite ours: less is known than it seems */
        return known ? TIDE_MAX(1, old / 2) : 1;
    return TIDE_MIN(old, reply->taken);
}

bool learn_is_believed(const struct learn_limit *x)
{
    return x->belief.step && !x->pinned && x->limit.source == SOURCE_LEARNED && x->points >= 2;
}

/* The number is what is taken more likely than not. */
static void keep_to(struct learn_limit *x)
{
    if (learn_is_believed(x))
        x->limit.count = belief_number(&x->belief, KEPT_CHANCE);
}

/* A reply has refused what came after `reply->taken` mails in this window. */
void learn_teach(struct learn *l,
                 struct learn_key *k,
                 const struct window *window,
                 const struct learn_reply *reply,
                 tide_wall_ms now)
{
    const struct window counted = learn_countable(window);
    struct learn_limit *x = learn_limit_get(l, k, &counted, now);
    learn_mark(l, k);
    if (!x)
        return;
    bool fresh = x->taught == 0;
    int64_t after = refused_after(x, reply);
    keep_reply(x, reply);
    x->taught++;
    x->taught_at = now;
    x->points = (uint8_t)TIDE_MIN(x->points + (reply->ambiguous ? 1 : 2), 100);
    if (x->pinned || x->limit.source == SOURCE_PUBLISHED)
        return;
    x->confirmed = 0;
    if (after) {
        if (!x->belief.step)
            belief_init(&x->belief, after);
        int64_t mark = x->belief.mark;
        bool sure = !reply->ambiguous && !learn_is_pool(k);
        belief_refused(&x->belief, after, sure);
        if (x->belief.mark != mark)
            x->changed_at = now;
    }
    keep_to(x);
    x->limit.confidence = learn_confidence(x);
    if (fresh && !learn_is_pool(k) && reply->taken >= 0 && window_is_fixed(&x->limit.window)) {
        x->taken = reply->taken;
        x->taken_window = window_at(&x->meter.rule, now).start;
    }
}

static bool has_number(const struct learn_limit *x)
{
    return x && x->limit.count != LEARN_NO_NUMBER;
}

void learn_teach_mailbox(struct learn *l,
                         struct learn_key *k,
                         uint32_t provider,
                         const struct window *window,
                         const struct learn_reply *reply,
                         tide_wall_ms now)
{
    const struct window counted = learn_countable(window);
    uint32_t hash = window_hash(&counted);
    struct learn_key *pool = learn_pool_get(l, provider);
    struct learn_limit *theirs = learn_limit_of(pool, hash), *own = learn_limit_of(k, hash);
    if (has_number(own) && has_number(theirs) && !learn_is_newer(own, theirs)) {
        own->limit.count = LEARN_NO_NUMBER; /* theirs was kept to, and its own forgotten */
        own->belief.step = 0;
        own->points = 0;
    }
    bool repeats = has_number(own) && reply->taken == own->limit.count;
    bool agrees = has_number(theirs) && reply->taken == theirs->limit.count && !has_number(own);
    if (!agrees)
        learn_teach(l, k, window, reply, now);
    own = learn_limit_of(k, hash);
    if (pool && reply->taken > 0 && !repeats && (agrees || has_number(own))) {
        struct learn_reply told = *reply;
        told.ambiguous = true; /* it may be this mailbox's alone */
        learn_teach(l, pool, window, &told, now);
    }
}

void learn_pool_taken(
    struct learn *l, struct learn_key *pool, struct learn_limit *x, int64_t n, tide_wall_ms now)
{
    if (!learn_is_believed(x) || n < x->limit.count)
        return;
    int64_t mark = x->belief.mark;
    belief_taken(&x->belief, n, false);
    if (x->belief.mark != mark)
        x->changed_at = now;
    x->pressed_at = now;
    keep_to(x);
    learn_mark(l, pool);
}

void learn_believe(struct learn_limit *x)
{
    if (x->limit.count == LEARN_NO_NUMBER || x->limit.source != SOURCE_LEARNED)
        return;
    belief_init(&x->belief, x->limit.count);
    belief_refused(&x->belief, x->limit.count, true);
}

void learn_one_more(struct learn_limit *x)
{
    x->replies[0].taken++;
    x->limit.count++;
    learn_believe(x);
}

void learn_taken_of(struct learn_limit *x, tide_wall_ms now)
{
    if (!learn_is_believed(x) || x->taken < x->limit.count)
        return; /* told at the window's end */
    int64_t mark = x->belief.mark;
    belief_taken(&x->belief, x->taken, true);
    if (x->belief.mark != mark)
        x->changed_at = now;
    keep_to(x);
}

bool learn_dares(const struct learn_key *k,
                 const struct learn_limit *x,
                 int64_t used,
                 double minutes)
{
    if (!learn_is_believed(x))
        return false;
    double chance = belief_chance_after(&x->belief, TIDE_MAX(used, x->limit.count) + 1, used);
    double most = learn_is_pool(k) ? STAKE_POOL_MIN : STAKE_MAX_MIN;
    return TIDE_MIN(minutes, most) * chance > REFUSAL_COST_MIN * (1 - chance);
}

void learn_roll(struct learn *l,
                struct learn_key *k,
                struct learn_limit *x,
                int64_t bound,
                int64_t reserve,
                tide_wall_ms now)
{
    const struct window *w = &x->limit.window;
    int64_t length = window_length_ms(w);
    tide_wall_ms start = window_is_fixed(w) ? window_at(&x->meter.rule, now).start
                                            : now - (now - x->window_start) % length;
    if (start <= x->window_start)
        return;
    bool clean = x->taught_at < x->window_start;
    bool full = x->peak + reserve >= x->limit.count && x->peak > 0;
    int64_t passed = TIDE_MAX((start - x->window_start + length / 2) / length, 1);
    int64_t taken = learn_is_pool(k)                     ? 0
                    : !window_is_fixed(w)                ? x->peak
                    : x->taken_window == x->window_start ? x->taken
                                                         : 0;
    x->window_start = start;
    x->peak = 0;
    if (!learn_is_believed(x))
        return;
    if (clean)
        belief_taken(&x->belief, taken, true);
    belief_drift(&x->belief, passed);
    keep_to(x);
    x->limit.count = TIDE_MIN(x->limit.count, bound);
    if (full && clean) {
        x->pressed_at = now;
        x->confirmed++;
    }
    x->limit.confidence = learn_confidence(x);
    learn_mark(l, k);
}

void learn_pin(struct learn *l, struct learn_key *k, struct learn_limit *x, int64_t count)
{
    l->told -= x->limit.source == SOURCE_PUBLISHED;
    x->limit.count = count;
    x->limit.source = SOURCE_CONFIGURED;
    x->limit.confidence = CONFIDENCE_HIGH;
    x->pinned = true;
    learn_mark(l, k);
}

void learn_told(struct learn *l,
                struct learn_key *k,
                struct learn_limit *x,
                int64_t count,
                struct text words,
                tide_wall_ms now)
{
    bool known = x->limit.source == SOURCE_PUBLISHED && x->limit.count == count;
    if (x->pinned || (known && now - x->taught_at < TIME_DAY_MS))
        return;
    l->told += x->limit.source != SOURCE_PUBLISHED;
    x->limit.count = count;
    x->limit.source = SOURCE_PUBLISHED;
    x->limit.confidence = CONFIDENCE_HIGH;
    x->points = 2;
    x->taught++;
    x->taught_at = now;
    struct learn_reply reply = {.at = now, .taken = -1};
    snprintf(reply.words, sizeof reply.words, TEXT_FMT, TEXT_ARG(words));
    keep_reply(x, &reply);
    learn_mark(l, k);
}
