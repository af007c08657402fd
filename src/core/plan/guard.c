#include "core/plan/guard.h"

#include "base/macros.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The prior: what is likely of whoever sends, before anything is known. */
#define PRIOR_SHARE   0.2  /* of the review level */
#define PRIOR_MAILS   10.0 /* / review: its weight */
#define WARN_SHARE    0.5  /* of the review level */
#define OPEN_AGAIN    0.8  /* of a level: what it must be below to be over */
#define WRITE_EVERY   64   /* mails; a failure is written at once */
#define FRACTION_MAX  300  /* steps of the continued fraction */
#define FRACTION_NEAR 1e-12
#define ROW_PREFIX    TEXT("guard|")

const char *guard_state_name(enum guard_state s)
{
    static const char *const names[] = {
#define GUARD_STATE(code, text) [GUARD_##code] = text,
        GUARD_STATES(GUARD_STATE)
#undef GUARD_STATE
    };
    return names[s];
}

/* -- The beta distribution --------------------------------------------------------------------- */

/* The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method. */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= FRACTION_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        if (fabs(d * c - 1) < FRACTION_NEAR)
            break;
    }
    return h;
}

/* P(X <= x) of Beta(a, b). */
static double beta_below(double a, double b, double x)
{
    int sign;
    if (x <= 0 || x >= 1)
        return x > 0;
    double front = exp(lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) +
                       a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

static void posterior(const struct guard *x, double *ret_a, double *ret_b)
{
    double weight = x->rule ? PRIOR_MAILS / x->rule->review : 1;
    double mean = x->rule ? PRIOR_SHARE * x->rule->review : 0.5;
    double failures = fmin(x->failures, x->mails);
    *ret_a = weight * mean + failures;
    *ret_b = weight * (1 - mean) + x->mails - failures;
}

double guard_rate(const struct guard *x)
{
    return x->mails > 0 ? fmin(x->failures / x->mails, 1) : 0;
}

double guard_certainty(const struct guard *x, double level)
{
    double a, b;
    posterior(x, &a, &b);
    return 1 - beta_below(a, b, level);
}

double guard_bound(const struct guard *x)
{
    double a, b, low = 0, high = 1;
    posterior(x, &a, &b);
    for (int i = 0; i < 50; i++) {
        double middle = (low + high) / 2;
        if (beta_below(a, b, middle) < 1 - GUARD_CERTAINTY)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* -- Guards ------------------------------------------------------------------------------------ */

void guards_init(struct guards *g, int64_t memory_ms, int64_t rest_ms)
{
    *g = (struct guards){.memory_ms = memory_ms, .rest_ms = rest_ms};
    list_init(&g->dirty);
}

void guards_fini(struct guards *g)
{
    uint32_t pos = 0;
    for (struct guard *x; (x = strmap_next(&g->by_name, &pos, NULL));) {
        free(x->name);
        free(x);
    }
    strmap_fini(&g->by_name);
}

struct guard *guards_find(const struct guards *g, struct text name)
{
    return strmap_get(&g->by_name, name);
}

struct guard *guards_get(struct guards *g, struct text name, const struct guard_rule *rule)
{
    struct guard *x = strmap_get(&g->by_name, name);
    if (!x && g->by_name.count < GUARDS_MAX && (x = calloc(1, sizeof *x))) {
        x->name = strndup(name.p ? name.p : "", name.n);
        list_init(&x->dirty);
        if (!x->name || !strmap_put(&g->by_name, name, x)) {
            free(x->name);
            free(x);
            return NULL;
        }
    }
    if (x && rule)
        x->rule = rule;
    return x;
}

static void mark(struct guards *g, struct guard *x)
{
    if (list_is_empty(&x->dirty))
        list_append(&g->dirty, &x->dirty);
    x->unwritten = 0;
}

static void fade(const struct guards *g, struct guard *x, tide_wall_ms now)
{
    if (x->at && now > x->at && g->memory_ms > 0) {
        double left = exp2(-(double)(now - x->at) / (double)g->memory_ms);
        x->mails *= left;
        x->failures *= left;
    }
    x->at = TIDE_MAX(x->at, now);
}

static void move(struct guards *g, struct guard *x, enum guard_state next, tide_wall_ms now)
{
    g->tripped -= x->state != GUARD_OPEN;
    g->tripped += next != GUARD_OPEN;
    x->state = next;
    x->since = now;
    x->failed_since = 0;
    x->rest_until = next == GUARD_CLOSED ? now + g->rest_ms : 0;
    mark(g, x);
}

static bool is_sure(const struct guard *x, double level)
{
    return guard_certainty(x, level) >= GUARD_CERTAINTY;
}

static enum guard_state next_state(const struct guard *x, tide_wall_ms now)
{
    switch (x->state) {
    case GUARD_OPEN:
        return is_sure(x, x->rule->pause)    ? GUARD_CLOSED
               : is_sure(x, x->rule->review) ? GUARD_NARROW
                                             : GUARD_OPEN;
    case GUARD_NARROW: /* what came of mail before that is no reason to close it now */
        if (x->failed_since > 0 && is_sure(x, x->rule->pause))
            return GUARD_CLOSED;
        return is_sure(x, x->rule->review * OPEN_AGAIN) ? GUARD_NARROW : GUARD_OPEN;
    case GUARD_CLOSED:
        return now >= x->rest_until ? GUARD_NARROW : GUARD_CLOSED;
    }
    return x->state;
}

bool guard_look(struct guards *g, struct guard *x, tide_wall_ms now)
{
    if (!x->rule) {
        bool was = x->state != GUARD_OPEN || x->warned;
        if (x->state != GUARD_OPEN)
            move(g, x, GUARD_OPEN, now);
        g->warned -= x->warned;
        x->warned = false;
        return was;
    }
    fade(g, x, now);
    enum guard_state next = next_state(x, now);
    double level = x->rule->review * WARN_SHARE * (x->warned ? OPEN_AGAIN : 1);
    bool warned = next != GUARD_OPEN || is_sure(x, level);
    bool changed = next != x->state || warned != x->warned;
    g->warned -= x->warned;
    g->warned += warned;
    x->warned = warned;
    if (next != x->state)
        move(g, x, next, now);
    return changed;
}

bool guard_sent(struct guards *g, struct guard *x, tide_wall_ms now)
{
    fade(g, x, now);
    double left = x->rule ? 1 - 1 / (double)TIDE_MAX(x->rule->volume, 1) : 1;
    x->mails = x->mails * left + 1;
    x->failures *= left;
    if (++x->unwritten >= WRITE_EVERY)
        mark(g, x);
    return x->warned && guard_look(g, x, now);
}

bool guard_failed(struct guards *g, struct guard *x, tide_wall_ms now)
{
    fade(g, x, now);
    x->failures++;
    x->failed_since++;
    mark(g, x);
    return guard_look(g, x, now);
}

void guard_open(struct guards *g, struct guard *x, tide_wall_ms now)
{
    x->mails = x->failures = 0;
    g->warned -= x->warned;
    x->warned = false;
    move(g, x, GUARD_OPEN, now);
}

/* -- Rows for the store: 1 STATE MAILS FAILURES AT SINCE REST_UNTIL FAILED_SINCE, in thousandths
 * where they are no whole numbers ----------------------------------------------------------------
 */

bool guards_next_dirty(struct guards *g, struct text *ret_row, struct buf *ret_blob)
{
    struct list *node = list_take_first(&g->dirty);
    if (!node)
        return false;
    struct guard *x = container_of(node, struct guard, dirty);
    buf_clear(ret_blob);
    buf_addf(ret_blob, "1 %d %lld %lld %lld %lld %lld %lld", (int)x->state,
             (long long)(x->mails * 1000), (long long)(x->failures * 1000), (long long)x->at,
             (long long)x->since, (long long)x->rest_until, (long long)x->failed_since);
    size_t n = ret_blob->len; /* the row's name stands behind the blob, in the same buffer */
    buf_addf(ret_blob, "guard|%s", x->name);
    if (ret_blob->failed != TIDE_OK) {
        mark(g, x);
        return false;
    }
    *ret_row = text_cut(buf_text(ret_blob), n, ret_blob->len);
    ret_blob->len = n;
    return true;
}

enum tide_err guards_restore(struct guards *g,
                             struct text row,
                             struct text blob,
                             struct tide_error *err)
{
    static const int64_t most[8] = {1,         GUARD_CLOSED, 1LL << 53, 1LL << 53,
                                    1LL << 53, 1LL << 53,    1LL << 53, 1LL << 53};
    int64_t f[8];
    struct text rest = blob, field;
    struct tide_error ignored;
    for (size_t i = 0; i < TIDE_COUNT(f); i++)
        if (!text_split(&rest, ' ', &field) ||
            text_int(field, i == 0 ? 1 : 0, most[i], &f[i], &ignored) != TIDE_OK)
            return tide_fail(err, TIDE_ECORRUPT, "guard \"" TEXT_FMT "\" is damaged",
                             TEXT_ARG(row));
    struct guard *x = text_starts(row, ROW_PREFIX) && !memchr(row.p, '\0', row.n)
                          ? guards_get(g, text_cut(row, ROW_PREFIX.n, row.n), NULL)
                          : NULL;
    if (!x)
        return tide_fail(err, TIDE_ENOMEM, "guard \"" TEXT_FMT "\"", TEXT_ARG(row));
    g->tripped -= x->state != GUARD_OPEN;
    g->tripped += f[1] != GUARD_OPEN;
    x->state = (enum guard_state)f[1];
    x->mails = (double)f[2] / 1000;
    x->failures = (double)f[3] / 1000;
    x->at = f[4];
    x->since = f[5];
    x->rest_until = f[6];
    x->failed_since = f[7];
    return TIDE_OK;
}
