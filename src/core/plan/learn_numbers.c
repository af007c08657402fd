/* The numbers of a key: one for each window, cut by replies, probed by windows without one. */
#include "core/plan/learn_in.h"

#include "base/macros.h"
#include "core/config/limits.h"
#include "core/plan/planner.h"

#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_FIRST 2

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

struct learn_limit *learn_limit_get(struct learn *l,
                                    struct learn_key *k,
                                    const struct window *window,
                                    tide_wall_ms now)
{
    uint32_t hash = window_hash(window), count = 0;
    const struct zone *zone;
    for (struct learn_limit *x = k->limits; x; x = x->next, count++)
        if (x->meter.window == hash)
            return x;
    struct learn_limit *x = count < LEARN_LIMITS_MAX && learn_zone(l, window->zone, &zone)
                                ? calloc(1, sizeof *x)
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
    x->patience = PATIENCE_FIRST;
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

static int64_t cut_of(const struct learn_limit *x, const struct learn_reply *reply)
{
    int64_t old = x->limit.count;
    if (reply->taken < 0) /* nobody knows how many it was */
        return old == LEARN_NO_NUMBER ? old : TIDE_MAX(1, old * 7 / 10);
    if (reply->taken == 0) /* the window is not quite ours: less is known than it seems */
        return old == LEARN_NO_NUMBER ? 1 : TIDE_MAX(1, old / 2);
    if (reply->ambiguous && old != LEARN_NO_NUMBER)
        return TIDE_MIN(old, TIDE_MAX(reply->taken, old * 3 / 4));
    return TIDE_MIN(old, reply->taken);
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
    keep_reply(x, reply);
    x->taught++;
    x->taught_at = now;
    x->points = (uint8_t)TIDE_MIN(x->points + (reply->ambiguous ? 1 : 2), 100);
    if (x->pinned || x->limit.source == SOURCE_PUBLISHED)
        return;
    x->clean = x->confirmed = x->streak = 0;
    if (x->probing)
        x->patience = TIDE_MIN(x->patience * 2, LEARN_PATIENCE_MAX);
    x->probing = false;
    if (x->points < 2)
        return;
    x->limit.count = cut_of(x, reply);
    x->limit.confidence = learn_confidence(x);
    if (fresh && reply->taken >= 0 && window_is_fixed(&x->limit.window)) {
        x->taken = reply->taken;
        x->taken_window = window_at(&x->meter.rule, now).start;
    }
    if (!reply->ambiguous && reply->taken >= 0)
        x->refused_at = TIDE_MAX(reply->taken, x->limit.count) + 1;
}

/* The window was used up and nothing was refused: perhaps there is room for more. */
static void raise_number(struct learn_limit *x, int64_t bound)
{
    int64_t count = x->limit.count;
    int64_t next = count + TIDE_MAX(1, count / 10) * (1 + (int64_t)x->streak);
    uint32_t want = 1;
    if (x->refused_at && next >= x->refused_at) {
        next = TIDE_MAX(x->refused_at - 1, count);
        if (next == count) {
            next = x->refused_at;
            want = x->patience;
        }
    }
    next = TIDE_MIN(next, bound);
    if (x->clean < want || next <= count)
        return;
    x->limit.count = next;
    x->streak++;
    x->clean = 0;
    x->probing = true;
}

void learn_roll(struct learn *l,
                struct learn_key *k,
                struct learn_limit *x,
                int64_t bound,
                int64_t reserve,
                tide_wall_ms now)
{
    const struct window *w = &x->limit.window;
    tide_wall_ms start = window_is_fixed(w) ? window_at(&x->meter.rule, now).start
                                            : now - (now - x->window_start) % window_length_ms(w);
    if (start <= x->window_start)
        return;
    bool clean = x->taught_at < x->window_start;
    bool full = x->peak + reserve >= x->limit.count && x->peak > 0;
    x->window_start = start;
    x->peak = 0;
    if (!full || !clean || x->pinned || x->limit.source == SOURCE_PUBLISHED ||
        x->limit.count == LEARN_NO_NUMBER)
        return;
    x->pressed_at = now;
    x->clean++;
    x->confirmed++;
    if (x->refused_at && x->limit.count >= x->refused_at) {
        x->refused_at = 0; /* what was refused once is taken now */
        x->patience = PATIENCE_FIRST;
    }
    x->probing = false;
    raise_number(x, bound);
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
