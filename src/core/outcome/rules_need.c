/* What a text must hold for a pattern to have a chance: plain stretches, of which one at least. */
#include "core/outcome/rulebook.h"

#include "base/macros.h"

#include <stdlib.h>

#define RUN_BYTES 64
#define NEEDS_MAX 96 /* literals of one pattern; one that needs more is always tried */

struct literal {
    char text[RUN_BYTES];
    size_t n;
};

/* Any of them; none at all: nothing is known. */
struct need {
    struct literal any[NEEDS_MAX];
    size_t count;
};

struct parse {
    const char *p;
    size_t at;
    int depth;
};

#define DEPTH_MAX 8

static size_t shortest(const struct need *n)
{
    size_t least = n->count ? RUN_BYTES : 0;
    for (size_t i = 0; i < n->count; i++)
        least = TIDE_MIN(least, n->any[i].n);
    return least;
}

/* Long ones are rarer in texts; many are more work. */
static int worth(const struct need *n)
{
    size_t least = shortest(n);
    return least < 3 ? 0 : (int)TIDE_MIN(least, 6) * 100 - (int)n->count;
}

static void take_better(struct need *best, const struct need *other)
{
    if (worth(other) > worth(best))
        *best = *other;
}

static void take_run(struct need *best, char *run, size_t *n)
{
    struct need one = {.count = 1};
    memcpy(one.any[0].text, run, *n);
    one.any[0].n = *n;
    if (*n > 0)
        take_better(best, &one);
    *n = 0;
}

/* Past a class "[...]" that begins here. */
static void skip_class(struct parse *x)
{
    x->at++;
    if (x->p[x->at] == '^')
        x->at++;
    if (x->p[x->at] == ']')
        x->at++;
    while (x->p[x->at] && x->p[x->at] != ']')
        x->at += x->p[x->at] == '\\' && x->p[x->at + 1] ? 2 : 1;
    x->at += x->p[x->at] == ']';
}

/* A quantifier, if one stands here; true when what is before it may be missing. */
static bool optional(struct parse *x)
{
    char c = x->p[x->at];
    bool may_miss = c == '?' || c == '*';
    if (c == '{') {
        may_miss = x->p[x->at + 1] == '0' || x->p[x->at + 1] == ',';
        while (x->p[x->at] && x->p[x->at] != '}')
            x->at++;
        x->at += x->p[x->at] == '}';
    } else if (may_miss || c == '+') {
        x->at++;
    } else {
        return false;
    }
    if (x->p[x->at] == '?' || x->p[x->at] == '+')
        x->at++;
    return may_miss;
}

static void alternatives(struct parse *x, struct need *ret);

/* "(...)" with what may follow it. A look-around says nothing about what the match holds. */
static void group(struct parse *x, struct need *best)
{
    struct need inner = {0};
    bool looks = false;
    x->at++;
    if (x->p[x->at] == '?') {
        looks = x->p[x->at + 1] != ':';
        while (x->p[x->at] && strchr("?:<!=", x->p[x->at]))
            x->at++;
    }
    alternatives(x, &inner);
    x->at += x->p[x->at] == ')';
    if (!optional(x) && !looks)
        take_better(best, &inner);
}

static void branch(struct parse *x, struct need *best)
{
    char run[RUN_BYTES];
    size_t n = 0;
    while (x->p[x->at] && x->p[x->at] != '|' && x->p[x->at] != ')') {
        char c = x->p[x->at];
        bool escaped = c == '\\' && x->p[x->at + 1] && !ascii_is_alnum(x->p[x->at + 1]);
        if ((!strchr("\\^$.[(?*+{", c) || escaped) && n < RUN_BYTES) {
            run[n++] = ascii_lower(x->p[x->at + (escaped ? 1 : 0)]);
            x->at += escaped ? 2 : 1;
            size_t before = x->at;
            bool missing = optional(x);
            if (missing)
                n--;
            if (x->at != before)
                take_run(best, run, &n);
            continue;
        }
        take_run(best, run, &n);
        if (c == '(') {
            group(x, best);
            continue;
        }
        if (c == '[')
            skip_class(x);
        else
            x->at += c == '\\' && x->p[x->at + 1] ? 2 : 1;
        optional(x);
    }
    take_run(best, run, &n);
}

/* Every branch has to need something, else the whole needs nothing. */
static void alternatives(struct parse *x, struct need *ret)
{
    bool all = ++x->depth < DEPTH_MAX;
    struct need sum = {0};
    for (;;) {
        struct need one = {0};
        branch(x, &one);
        all &= worth(&one) > 0 && sum.count + one.count <= NEEDS_MAX;
        for (size_t i = 0; all && i < one.count; i++)
            sum.any[sum.count++] = one.any[i];
        if (x->p[x->at] != '|')
            break;
        x->at++;
    }
    x->depth--;
    if (!all)
        sum.count = 0;
    *ret = sum;
}

bool rule_needs(const char *pattern, struct arena *a, struct rule_pattern *ret)
{
    struct parse x = {.p = pattern};
    struct need need;
    alternatives(&x, &need);
    ret->need_count = 0;
    if (need.count == 0 || pattern[x.at] != '\0')
        return true;
    ret->needs = arena_array(a, need.count, sizeof *ret->needs);
    if (!ret->needs)
        return false;
    for (size_t i = 0; i < need.count; i++) {
        const struct literal *l = &need.any[i];
        size_t count = TIDE_MIN(l->n - 2, PIECES_MAX);
        for (size_t k = 0; k < PIECES_MAX; k++) /* spread over it; a short one says one twice */
            ret->needs[i].pieces[k] = piece_of(l->text + (k < count ? k * (l->n - 2) / count : 0));
    }
    ret->need_count = need.count;
    return true;
}

/* -- The hints of a book ----------------------------------------------------------------------- */

/* Calls for each need of each pattern; with `hints` NULL only counts into `at`. */
static void each_need(const struct rulebook *b, uint32_t *at, struct rule_hint *hints)
{
    for (size_t i = 0; i < b->count; i++)
        for (size_t k = 0; k < b->rules[i]->pattern_count; k++) {
            const struct rule_pattern *p = &b->rules[i]->patterns[k];
            for (size_t n = 0; n < p->need_count; n++) {
                uint32_t *slot = &at[p->needs[n].pieces[0]];
                if (hints)
                    hints[*slot] = (struct rule_hint){&p->needs[n], (uint16_t)i};
                ++*slot;
            }
        }
}

static bool needs_nothing(const struct rule_entry *r)
{
    bool nothing = r->pattern_count == 0;
    for (size_t k = 0; k < r->pattern_count; k++)
        nothing |= r->patterns[k].need_count == 0;
    return nothing;
}

void rulebook_hint(struct rulebook *b)
{
    uint32_t total = 0;
    free(b->hint_at);
    free(b->hints);
    b->hints = NULL;
    b->hint_at = calloc(PIECE_BITS + 1, sizeof *b->hint_at);
    if (!b->hint_at)
        return;
    each_need(b, b->hint_at, NULL);
    for (size_t p = 0; p <= PIECE_BITS; p++) { /* numbers become the places where each begins */
        uint32_t n = b->hint_at[p];
        b->hint_at[p] = total;
        total += n;
    }
    b->hints = calloc(total + 1, sizeof *b->hints);
    if (!b->hints) {
        free(b->hint_at);
        b->hint_at = NULL;
        return;
    }
    each_need(b, b->hint_at, b->hints);
    for (size_t p = PIECE_BITS; p > 0; p--) /* each has moved to where the next one begins */
        b->hint_at[p] = b->hint_at[p - 1];
    b->hint_at[0] = 0;
    memset(b->always, 0, sizeof b->always);
    for (size_t i = 0; i < b->count; i++)
        if (needs_nothing(b->rules[i]))
            b->always[i / 64] |= UINT64_C(1) << (i % 64);
}
