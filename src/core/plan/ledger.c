#include "core/plan/ledger.h"

#include "base/macros.h"

#include <assert.h>
#include <stdlib.h>

#define SPAN_S_MAX   ((1 << 28) - 1)
#define FIXED_S_MAX  (32 * 86400) /* no month is longer: what says so is damaged */
#define ROUNDING_MS  1000 /* span_s is rounded up: windows side by side may seem to overlap */
#define USE_BYTES    24
#define BLOB_VERSION 1

__extension__ typedef __int128 wide_int;

static struct plan_use *uses_of(const struct ledger *l)
{
    return l->on_heap ? l->heap->uses : (struct plan_use *)(uintptr_t)l->uses;
}

static unsigned cap_of(const struct ledger *l)
{
    return l->on_heap ? l->heap->cap : LEDGER_INLINE;
}

void ledger_fini(struct ledger *l)
{
    if (l->on_heap)
        free(l->heap);
    *l = (struct ledger){0};
}

static bool ledger_grow(struct ledger *l, unsigned more)
{
    unsigned want = l->count + more, cap = cap_of(l);
    if (want <= cap)
        return true;
    if (want > LEDGER_USES_MAX)
        return false;
    while (cap < want)
        cap *= 2;
    size_t bytes = sizeof(struct ledger_heap) + cap * sizeof(struct plan_use);
    struct ledger_heap *bigger = l->on_heap ? realloc(l->heap, bytes) : malloc(bytes);
    if (!bigger)
        return false;
    if (!l->on_heap) {
        memcpy(bigger->uses, l->uses, l->count * sizeof *bigger->uses);
        bigger->prune_s = 0;
    }
    bigger->cap = cap;
    l->heap = bigger;
    l->on_heap = 1;
    return true;
}

static tide_wall_ms use_end(const struct plan_use *u)
{
    return u->at + (int64_t)u->span_s * TIME_SECOND_MS;
}

static bool kind_is_fixed(const struct plan_use *u)
{
    return u->kind == WINDOW_CALENDAR || u->kind == WINDOW_CLOCK;
}

/* From when on it does not matter. A window that is over is kept for a while, in case the clock
 * goes back into it. */
static tide_wall_ms use_death(const struct plan_use *u)
{
    int64_t span_ms = (int64_t)u->span_s * TIME_SECOND_MS;
    return use_end(u) + (kind_is_fixed(u) ? TIDE_MIN(span_ms, LEDGER_STEP_MAX_MS) : 0);
}

/* A second in which something can be dropped. */
static void prune_by(struct ledger *l, tide_wall_ms death)
{
    if (!l->on_heap)
        return;
    int64_t s = TIDE_MIN(TIDE_MAX(death / TIME_SECOND_MS, 1), (int64_t)UINT32_MAX);
    if (!l->count || s < l->heap->prune_s)
        l->heap->prune_s = (uint32_t)s;
}

/* What was said of when to prune no longer holds. */
static void prune_soon(struct ledger *l)
{
    if (l->on_heap)
        l->heap->prune_s = 0;
}

void ledger_prune(struct ledger *l, tide_wall_ms now)
{
    struct plan_use *u = uses_of(l);
    uint16_t count = l->count;
    if (l->on_heap) {
        if (l->heap->prune_s && now / TIME_SECOND_MS < l->heap->prune_s)
            return;
        l->heap->prune_s = UINT32_MAX;
    }
    l->count = 0;
    for (uint16_t i = 0; i < count; i++) {
        if (u[i].used == 0 || use_death(&u[i]) <= now)
            continue;
        prune_by(l, use_death(&u[i]));
        u[l->count++] = u[i];
    }
}

/* -- One limit's uses -------------------------------------------------------------------------- */

static bool is_fixed(const struct tally *t)
{
    return window_is_fixed(&t->meter->limit->window);
}

static int64_t span_of(const struct tally *t)
{
    int64_t length = window_length_ms(&t->meter->limit->window);
    return is_fixed(t) ? length : length + t->meter->margin_ms;
}

static bool is_own(const struct tally *t, const struct plan_use *u)
{
    return u->limit == t->id && u->window == t->meter->window;
}

#define EACH_USE(u, l) \
    for (struct plan_use *u = uses_of(l), *u##_end = u + (l)->count; u < u##_end; u++)

static uint32_t span_s_of(int64_t ms)
{
    int64_t s = ms / TIME_SECOND_MS + (ms % TIME_SECOND_MS != 0);
    return (uint32_t)TIDE_MIN(s, SPAN_S_MAX);
}

static void count_up(struct plan_use *u, int64_t n)
{
    int64_t used = (int64_t)u->used + n;
    u->used = (uint32_t)TIDE_MIN(used, (int64_t)UINT32_MAX);
}

/* There is room: ledger_grow() came before. */
static struct plan_use *add_use(const struct tally *t, tide_wall_ms at, int64_t span_ms)
{
    struct ledger *l = t->ledger;
    assert(l->count < cap_of(l));
    struct plan_use *u = &uses_of(l)[l->count];
    *u = (struct plan_use){.limit = t->id,
                           .window = t->meter->window,
                           .span_s = span_s_of(span_ms) & SPAN_S_MAX,
                           .kind = t->meter->limit->window.kind & 7u,
                           .at = at};
    prune_by(l, use_death(u));
    l->count++;
    return u;
}

/* What counts in a calendar or clock window. Normally one use starts with it; after new zone data
 * an older one may overlap it. */
static int64_t window_used(const struct tally *t, struct window_span w)
{
    int64_t most = 0;
    EACH_USE(u, t->ledger)
    if (is_own(t, u) && u->at < w.end && use_end(u) > w.start + ROUNDING_MS)
        most = TIDE_MAX(most, u->used);
    return most;
}

static struct plan_use *window_use(const struct tally *t, struct window_span w)
{
    EACH_USE(u, t->ledger)
    if (is_own(t, u) && u->at == w.start)
        return u;
    return NULL;
}

/* Windows that a charge at `now` may be seen in: mail is in flight, and clocks differ. */
static struct window_span first_touched(const struct tally *t, tide_wall_ms now)
{
    return window_at(&t->meter->rule, now - t->meter->margin_ms);
}

static bool next_touched(const struct tally *t, tide_wall_ms now, struct window_span *w)
{
    if (w->end > now + t->meter->margin_ms)
        return false;
    *w = window_at(&t->meter->rule, w->end);
    return true;
}

static bool windows_ready(const struct tally *t, tide_wall_ms now, int64_t least)
{
    struct window_span w = first_touched(t, now);
    do {
        struct plan_use *u = window_use(t, w);
        if (!u) {
            if (!ledger_grow(t->ledger, 1))
                return false;
            int64_t before = window_used(t, w);
            u = add_use(t, w.start, w.end - w.start);
            count_up(u, before);
        }
        if (u->used < least)
            count_up(u, least - u->used);
    } while (next_touched(t, now, &w));
    return true;
}

static int64_t slot_ms(const struct tally *t)
{
    int64_t span = span_of(t);
    return t->meter->limit->count <= LEDGER_SLOTS_MAX ? 1 : TIDE_MAX(1, span / LEDGER_SLOTS_MAX);
}

/* There are as many uses of this limit as there may be: a sign of an edited count. */
static bool is_crowded(const struct tally *t)
{
    unsigned count = 0;
    if (t->ledger->count < 2 * LEDGER_SLOTS_MAX)
        return false;
    EACH_USE(u, t->ledger)
    count += is_own(t, u);
    return count >= 2 * LEDGER_SLOTS_MAX;
}

/* The use that a charge of a rolling window goes to; NULL: a new one is wanted. When the clock has
 * gone back, and when it is crowded, it is the newest: both make it leave late, never early. */
static struct plan_use *rolling_use(const struct tally *t, tide_wall_ms now)
{
    struct plan_use *first = uses_of(t->ledger), *u = first + t->ledger->count;
    do
        if (u == first)
            return NULL;
    while (!is_own(t, --u));
    if (u->used == 0 || now <= u->at || is_crowded(t))
        return u;
    int64_t slot = slot_ms(t);
    return u->at / slot == now / slot ? u : NULL;
}

/* The level of a leaky bucket, in 1/LEDGER_RATE_UNIT. What has leaked is rounded down. */
static int64_t rate_level(const struct tally *t, const struct plan_use *u, tide_wall_ms at)
{
    if (at <= u->at || t->meter->limit->count < 1)
        return u->used;
    wide_int leaked = (wide_int)(at - u->at) * t->meter->limit->count * LEDGER_RATE_UNIT;
    leaked /= span_of(t);
    return leaked >= u->used ? 0 : u->used - (int64_t)leaked;
}

static struct plan_use *first_own(const struct tally *t)
{
    EACH_USE(u, t->ledger)
    if (is_own(t, u))
        return u;
    return NULL;
}

/* The last attempt; with `spare` the use that the next one overwrites. */
static struct plan_use *cooldown_use(const struct tally *t, bool spare)
{
    struct plan_use *a = NULL, *b = NULL; /* a is the newer */
    EACH_USE(u, t->ledger)
    {
        if (!is_own(t, u))
            continue;
        if (!a || (u->used && (!a->used || u->at > a->at))) {
            b = a;
            a = u;
        } else {
            b = u;
        }
    }
    if (!spare)
        return a && a->used ? a : NULL;
    return a && !a->used ? a : b;
}

/* -- Getting ready ----------------------------------------------------------------------------- */

static int64_t rate_full_ms(const struct meter *m)
{
    const struct limit *l = m->limit;
    wide_int ms = (wide_int)(m->burst + 1) * window_length_ms(&l->window);
    ms = ms / TIDE_MAX(l->count, 1) + 1;
    return ms > (wide_int)SPAN_S_MAX * 1000 ? (int64_t)SPAN_S_MAX * 1000 : (int64_t)ms;
}

/* A use for the charge to come, with nothing in it yet. */
static bool landing_ready(const struct tally *t, tide_wall_ms now, int64_t least)
{
    struct plan_use *u = NULL;
    int64_t span_ms = span_of(t);
    switch (t->meter->limit->window.kind) {
    case WINDOW_CALENDAR:
    case WINDOW_CLOCK:
        return windows_ready(t, now, least);
    case WINDOW_ROLLING:
        u = rolling_use(t, now);
        break;
    case WINDOW_RATE:
        u = first_own(t);
        span_ms = rate_full_ms(t->meter);
        least *= LEDGER_RATE_UNIT;
        break;
    case WINDOW_COOLDOWN:
        u = cooldown_use(t, true);
        least = TIDE_MIN(least, 1);
        break;
    }
    if (!u) {
        if (!ledger_grow(t->ledger, 1))
            return false;
        u = add_use(t, now, span_ms);
    }
    if (least > 0) { /* adopted */
        count_up(u, least - TIDE_MIN(least, u->used));
        u->at = TIDE_MAX(u->at, now);
    }
    return true;
}

/* The limit's window was edited. Instants are kept where both windows count instants; else the new
 * one starts from the most that an old one that still matters had counted. */
static bool adopt(const struct tally *t, tide_wall_ms now)
{
    const struct window *w = &t->meter->limit->window;
    int64_t most = 0, rolling = 0;
    if (!ledger_grow(t->ledger, 4))
        return false;
    prune_soon(t->ledger);
    EACH_USE(u, t->ledger)
    {
        if (u->limit != t->id || u->window == t->meter->window)
            continue;
        if (u->kind == w->kind && !window_is_fixed(w)) {
            int64_t span = w->kind == WINDOW_RATE ? rate_full_ms(t->meter) : span_of(t);
            u->window = t->meter->window;
            u->span_s = span_s_of(span) & SPAN_S_MAX;
            continue;
        }
        if (use_end(u) > now) {
            if (u->kind == WINDOW_ROLLING)
                rolling += u->used;
            else if (u->kind == WINDOW_RATE)
                most = TIDE_MAX(most, (u->used + LEDGER_RATE_UNIT - 1) / LEDGER_RATE_UNIT);
            else
                most = TIDE_MAX(most, u->used);
        }
        u->used = 0;
        u->limit = ~t->id; /* nobody's; goes with the next pruning */
    }
    most = TIDE_MAX(most, rolling);
    return most == 0 || landing_ready(t, now, most);
}

/* So far ahead that the clock was wrong when it was made; nearer it may be wrong now. */
static bool lies_far_ahead(const struct plan_use *u, tide_wall_ms now)
{
    return u->at > now + TIDE_MAX(LEDGER_STEP_MAX_MS, (int64_t)u->span_s * TIME_SECOND_MS);
}

static bool lies_ahead(const struct tally *t, const struct plan_use *u, tide_wall_ms now)
{
    if (lies_far_ahead(u, now))
        return true;
    return kind_is_fixed(u) && u->at > now + t->meter->margin_ms && !u->folded;
}

/* The clock has gone back. What was charged ahead of now was, in truth, charged before now. */
static bool fold_back(const struct tally *t, tide_wall_ms now)
{
    int64_t ahead = 0;
    if (!ledger_grow(t->ledger, 4))
        return false;
    prune_soon(t->ledger);
    EACH_USE(u, t->ledger)
    {
        if (!is_own(t, u) || !lies_ahead(t, u, now))
            continue;
        if (!kind_is_fixed(u)) {
            u->at = now;
            continue;
        }
        ahead += u->used;
        u->folded = 1;
        if (lies_far_ahead(u, now)) { /* that window was never reached */
            u->used = 0;
            u->limit = ~t->id;
        }
    }
    if (!ahead || !windows_ready(t, now, 0))
        return ahead == 0;
    count_up(window_use(t, window_at(&t->meter->rule, now)), ahead);
    return true;
}

bool tally_ready(const struct tally *t, tide_wall_ms now)
{
    bool edited = false, ahead = false;
    EACH_USE(u, t->ledger)
    {
        if (u->limit != t->id)
            continue;
        edited |= u->window != t->meter->window;
        ahead |= lies_ahead(t, u, now);
    }
    if (edited && !adopt(t, now))
        return false;
    if (ahead && !fold_back(t, now))
        return false;
    return landing_ready(t, now, 0);
}

/* -- Questions and charges --------------------------------------------------------------------- */

static int64_t rolling_used(const struct tally *t, tide_wall_ms at)
{
    const uint32_t limit = t->id, window = t->meter->window;
    const tide_wall_ms gone = at - span_of(t);
    int64_t sum = 0;
    EACH_USE(u, t->ledger) /* the planner's hottest loop: up to LEDGER_SLOTS_MAX uses a decision */
    sum += u->limit == limit && u->window == window && u->at > gone ? u->used : 0;
    return sum;
}

bool tally_adopt(const struct tally *t, tide_wall_ms now, int64_t used)
{
    if (!tally_ready(t, now))
        return false;
    if (t->meter->limit->window.kind != WINDOW_ROLLING)
        return landing_ready(t, now, used);
    int64_t missing = used - rolling_used(t, now); /* its uses add up */
    struct plan_use *u = missing > 0 ? rolling_use(t, now) : NULL;
    if (u) {
        u->at = TIDE_MAX(u->at, now);
        count_up(u, missing);
    }
    return true;
}

int64_t tally_used(const struct tally *t, tide_wall_ms at)
{
    const struct plan_use *u;
    switch (t->meter->limit->window.kind) {
    case WINDOW_CALENDAR:
    case WINDOW_CLOCK: {
        int64_t most = 0;
        struct window_span w = first_touched(t, at);
        do
            most = TIDE_MAX(most, window_used(t, w));
        while (next_touched(t, at, &w));
        return most;
    }
    case WINDOW_ROLLING:
        return rolling_used(t, at);
    case WINDOW_RATE:
        u = first_own(t);
        return u ? (rate_level(t, u, at) + LEDGER_RATE_UNIT - 1) / LEDGER_RATE_UNIT : 0;
    case WINDOW_COOLDOWN:
        u = cooldown_use(t, false);
        return u && u->at + span_of(t) > at;
    }
    return 0;
}

static tide_wall_ms earliest_fixed(const struct tally *t, int64_t allowed, tide_wall_ms from)
{
    struct window_span w = first_touched(t, from);
    for (;;) {
        if (window_used(t, w) >= allowed) {
            from = w.end + t->meter->margin_ms;
            w = window_at(&t->meter->rule, w.end);
        } else if (!next_touched(t, from, &w)) {
            return from;
        }
    }
}

static tide_wall_ms earliest_rolling(const struct tally *t, int64_t allowed, tide_wall_ms from)
{
    int64_t used = rolling_used(t, from), span = span_of(t);
    if (used < allowed)
        return from;
    tide_wall_ms at = from;
    EACH_USE(u, t->ledger)
    {
        if (!is_own(t, u) || u->at + span <= from)
            continue;
        at = TIDE_MAX(at, u->at + span);
        used -= u->used;
        if (used < allowed)
            break;
    }
    return at;
}

static tide_wall_ms earliest_rate(const struct tally *t, int64_t allowed, tide_wall_ms from)
{
    const struct plan_use *u = first_own(t);
    if (!u)
        return from;
    int64_t over = rate_level(t, u, from) + (1 - allowed) * LEDGER_RATE_UNIT;
    if (over <= 0)
        return from;
    wide_int rate = (wide_int)TIDE_MAX(t->meter->limit->count, 1) * LEDGER_RATE_UNIT;
    wide_int wait = ((wide_int)over * span_of(t) + rate - 1) / rate;
    return TIDE_MAX(from, u->at) + (tide_wall_ms)wait;
}

tide_wall_ms tally_earliest(const struct tally *t, int64_t allowed, tide_wall_ms from)
{
    if (allowed < 1)
        return TIDE_NEVER;
    const struct plan_use *u;
    switch (t->meter->limit->window.kind) {
    case WINDOW_CALENDAR:
    case WINDOW_CLOCK:
        return earliest_fixed(t, allowed, from);
    case WINDOW_ROLLING:
        return earliest_rolling(t, allowed, from);
    case WINDOW_RATE:
        return earliest_rate(t, allowed, from);
    case WINDOW_COOLDOWN:
        u = cooldown_use(t, false);
        return u ? TIDE_MAX(from, u->at + span_of(t)) : from;
    }
    return from;
}

/* False when one of the windows has no use yet. */
static bool charge_windows(const struct tally *t, tide_wall_ms now)
{
    struct window_span first = first_touched(t, now), last = first;
    do
        if (!window_use(t, last))
            return false;
    while (next_touched(t, now, &last));
    EACH_USE(u, t->ledger)
    if (is_own(t, u) && u->at >= first.start) { /* those ahead too: see ledger.h */
        count_up(u, 1);
        if (u->at <= last.start)
            u->folded = 0;
    }
    return true;
}

static bool charge_use(const struct tally *t, tide_wall_ms now)
{
    struct plan_use *u = NULL;
    switch (t->meter->limit->window.kind) {
    case WINDOW_CALENDAR:
    case WINDOW_CLOCK:
        return charge_windows(t, now);
    case WINDOW_ROLLING:
        u = rolling_use(t, now);
        break;
    case WINDOW_RATE:
        u = first_own(t);
        if (u)
            u->used = (uint32_t)rate_level(t, u, now);
        break;
    case WINDOW_COOLDOWN:
        u = cooldown_use(t, true);
        if (u)
            u->used = 0;
        break;
    }
    if (!u)
        return false;
    u->at = u->used ? TIDE_MAX(u->at, now) : now;
    count_up(u, t->meter->limit->window.kind == WINDOW_RATE ? LEDGER_RATE_UNIT : 1);
    return true;
}

bool tally_charge(const struct tally *t, tide_wall_ms now)
{
    return charge_use(t, now) || (tally_ready(t, now) && charge_use(t, now));
}

void tally_refund(const struct tally *t, tide_wall_ms now, tide_wall_ms started_at)
{
    int64_t span = span_of(t);
    bool rolling = t->meter->limit->window.kind == WINDOW_ROLLING;
    if (now < started_at || (rolling && started_at + span <= now))
        return; /* it has left already; what is found now is another's */
    EACH_USE(u, t->ledger)
    {
        if (!is_own(t, u) || !u->used)
            continue;
        bool found = false;
        if (is_fixed(t))
            found = u->at <= started_at && started_at < use_end(u) - ROUNDING_MS;
        else if (rolling)
            found = u->at >= started_at;
        else if (u->kind == WINDOW_COOLDOWN)
            found = u->at == started_at;
        if (found) {
            u->used--;
            return;
        }
    }
}

/* -- Rows for the store ------------------------------------------------------------------------ */

static void put_le(struct buf *b, uint64_t x, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_addc(b, (char)(x >> 8 * i & 0xff));
}

static uint64_t get_le(const char *p, unsigned bytes)
{
    uint64_t x = 0;
    for (unsigned i = 0; i < bytes; i++)
        x |= (uint64_t)(unsigned char)p[i] << 8 * i;
    return x;
}

void ledger_encode(const struct ledger *l, struct buf *ret)
{
    buf_addc(ret, BLOB_VERSION);
    EACH_USE(u, l)
    {
        if (!u->used)
            continue;
        put_le(ret, u->limit, 4);
        put_le(ret, u->window, 4);
        put_le(ret, u->used, 4);
        put_le(ret, u->span_s | (uint32_t)u->kind << 28 | (uint32_t)u->folded << 31, 4);
        put_le(ret, (uint64_t)u->at, 8);
    }
}

enum tide_err ledger_decode(struct text blob, struct ledger *ret, struct tide_error *err)
{
    if (blob.n < 1 || blob.p[0] != BLOB_VERSION)
        return tide_fail(err, TIDE_ECORRUPT, "ledger: want version %d, got %d", BLOB_VERSION,
                         blob.n ? blob.p[0] : 0);
    size_t count = (blob.n - 1) / USE_BYTES;
    if ((blob.n - 1) % USE_BYTES || count > LEDGER_USES_MAX)
        return tide_fail(err, TIDE_ECORRUPT, "ledger: %zu bytes are no whole number of uses",
                         blob.n - 1);
    struct ledger l = {0};
    if (!ledger_grow(&l, (unsigned)count))
        return tide_fail(err, TIDE_ENOMEM, "ledger of %zu uses", count);
    for (size_t i = 0; i < count; i++) {
        const char *p = blob.p + 1 + i * USE_BYTES;
        uint32_t word = (uint32_t)get_le(p + 12, 4);
        struct plan_use u = {.limit = (uint32_t)get_le(p, 4),
                             .window = (uint32_t)get_le(p + 4, 4),
                             .used = (uint32_t)get_le(p + 8, 4),
                             .span_s = word & SPAN_S_MAX,
                             .kind = word >> 28 & 7u,
                             .folded = (word >> 31) != 0,
                             .at = (int64_t)get_le(p + 16, 8)};
        bool sane = u.kind <= WINDOW_COOLDOWN && u.at > -LEDGER_AT_MAX_MS &&
                    u.at < LEDGER_AT_MAX_MS && (!kind_is_fixed(&u) || u.span_s <= FIXED_S_MAX);
        if (!sane) {
            ledger_fini(&l);
            return tide_fail(err, TIDE_ECORRUPT, "ledger: use %zu is none", i);
        }
        uses_of(&l)[l.count++] = u;
    }
    *ret = l;
    return TIDE_OK;
}
