#include "core/plan/belief.h"

#include "base/macros.h"

#include <math.h>

#define REFUSED_IN_VAIN 1e-4 /* though L is more: it was about something else after all */
/* Taken though L is less, or refused though it is more: neither is sure to have been about it. */
#define DOUBTED        0.03
#define MOVES_START    1.0 /* believed before anything was seen: once in so many windows */
#define WINDOWS_START  40.0
#define WINDOWS_MEMORY 120.0
#define MOVING_LEAST   (1 / 120.0)
#define MOVING_MOST    (1 / 8.0)
#define CODE_MAX       255
#define LOG_STEP       16.0 /* codes a factor of two */
#define PARTS          100  /* of moves and windows, as stored */

#define LAST (BELIEF_CELLS - 1)

static int64_t least_of(const struct belief *b, int cell)
{
    return b->step * cell + 1;
}

static int cell_of(const struct belief *b, int64_t n)
{
    return (int)TIDE_MIN((TIDE_MAX(n, 1) - 1) / b->step, LAST);
}

/* The share of a cell's belief that lies at n and above. */
static double share_from(const struct belief *b, int cell, int64_t n)
{
    int64_t least = least_of(b, cell), end = least + b->step;
    if (n <= least)
        return 1;
    if (b->mark && cell_of(b, b->mark) == cell)
        return n <= b->mark ? 1 : 0;
    if (cell == LAST)
        return (double)least / (double)n;
    return n >= end ? 0 : (double)(end - n) / (double)b->step;
}

/* P(m <= L < end | L >= from), where P(L >= m) falls as 1 / m. */
static double falling(int64_t from, int64_t m, int64_t end)
{
    double a = (double)TIDE_MAX(m, from), z = (double)end;
    return a < z ? (double)from / a - (double)from / z : 0;
}

static int64_t step_for(int64_t around)
{
    int64_t step = 1;
    while (around > step * BELIEF_CELLS / 2 && step < BELIEF_NUMBER_MAX)
        step *= 2;
    return step;
}

static void start(struct belief *b, int64_t around)
{
    b->step = step_for(around);
    b->mark = 0;
    for (int i = 0; i < LAST; i++)
        b->chance[i] = (float)falling(1, least_of(b, i), least_of(b, i + 1));
    b->chance[LAST] = (float)(1 / (double)least_of(b, LAST));
}

void belief_init(struct belief *b, int64_t around)
{
    *b = (struct belief){.moves = (float)MOVES_START, .windows = (float)WINDOWS_START};
    start(b, around);
}

/* Contradictions leave nothing: then all is open again. */
static void normalise(struct belief *b)
{
    double sum = 0;
    for (int i = 0; i < BELIEF_CELLS; i++)
        sum += (double)b->chance[i];
    if (sum <= 0)
        start(b, b->step * BELIEF_CELLS / 2);
    for (int i = 0; i < BELIEF_CELLS && sum > 0; i++)
        b->chance[i] = (float)((double)b->chance[i] / sum);
}

/* -- The cells' width -------------------------------------------------------------------------- */

static void widen(struct belief *b)
{
    struct belief w = *b;
    w.step = b->step * 2;
    for (int i = 0; i < BELIEF_CELLS; i++)
        w.chance[i] = 2 * i + 1 < LAST ? b->chance[2 * i] + b->chance[2 * i + 1] : 0;
    int64_t open = least_of(b, LAST);
    double top = (double)b->chance[LAST];
    w.chance[LAST / 2] = b->chance[LAST - 1];
    for (int i = LAST / 2; i < LAST; i++)
        w.chance[i] += (float)(top * falling(open, least_of(&w, i), least_of(&w, i + 1)));
    w.chance[LAST] = (float)(top * (double)open / (double)least_of(&w, LAST));
    *b = w;
}

static void narrow(struct belief *b)
{
    struct belief w = *b;
    w.step = b->step / 2;
    memset(w.chance, 0, sizeof w.chance);
    for (int i = 0; i < BELIEF_CELLS; i++) {
        double upper = share_from(b, i, least_of(b, i) + w.step);
        float at = b->chance[i];
        w.chance[TIDE_MIN(2 * i, LAST)] += at * (float)(1 - upper);
        w.chance[TIDE_MIN(2 * i + 1, LAST)] += at * (float)upper;
    }
    *b = w;
}

static void fit(struct belief *b, int64_t around)
{
    int64_t step = step_for(around);
    while (b->step < step)
        widen(b);
    while (b->step > step * 2) /* not to and fro */
        narrow(b);
}

/* -- What is seen ------------------------------------------------------------------------------ */

static void set_mark(struct belief *b, int64_t mark)
{
    b->moves += b->mark && b->mark != mark ? 1 : 0;
    b->mark = mark;
}

static void doubt_below(struct belief *b, int64_t n, double doubt)
{
    for (int i = 0; i <= cell_of(b, n); i++) {
        double above = share_from(b, i, n);
        b->chance[i] *= (float)(above + (1 - above) * doubt);
    }
    normalise(b);
}

/* What lies in the cell of n is as good as n. */
static void doubt_above(struct belief *b, int64_t n, double doubt)
{
    for (int i = cell_of(b, n) + 1; i < BELIEF_CELLS; i++)
        b->chance[i] *= (float)doubt;
    normalise(b);
}

void belief_taken(struct belief *b, int64_t n, bool sure)
{
    n = TIDE_MIN(n, BELIEF_NUMBER_MAX);
    if (n < 2)
        return;
    fit(b, TIDE_MAX(n, b->mark));
    doubt_below(b, n, sure ? 0 : DOUBTED);
    if (b->mark && n > b->mark && (sure || belief_likeliest(b) != b->mark))
        set_mark(b, 0);
}

static void see_refusal(struct belief *b, int64_t k, bool sure)
{
    doubt_below(b, k, sure ? 0 : DOUBTED);
    doubt_above(b, k, sure ? REFUSED_IN_VAIN : DOUBTED);
}

void belief_refused(struct belief *b, int64_t k, bool sure)
{
    k = TIDE_MIN(TIDE_MAX(k, 1), BELIEF_NUMBER_MAX);
    fit(b, sure ? k : TIDE_MAX(k, b->mark));
    see_refusal(b, k, sure);
    /* So far from all that was believed that none of it helps. */
    if (sure && (double)b->chance[cell_of(b, k)] < 0.5) {
        start(b, k);
        see_refusal(b, k, sure);
    }
    if (sure || cell_of(b, k) == cell_of(b, belief_likeliest(b)))
        set_mark(b, k);
}

static double moving(const struct belief *b)
{
    double rate = (double)b->moves / (double)b->windows;
    return TIDE_MIN(TIDE_MAX(rate, MOVING_LEAST), MOVING_MOST);
}

void belief_drift(struct belief *b, int64_t windows)
{
    if (windows < 1)
        return;
    double moved = 1 - pow(1 - moving(b), (double)windows);
    int64_t from = b->mark ? b->mark : belief_number(b, 0.5);
    double below = from > 1 ? 0.5 : 0;
    for (int i = 0; i < BELIEF_CELLS; i++) {
        int64_t least = least_of(b, i), end = least + b->step;
        double under = (double)TIDE_MAX(TIDE_MIN(end, from) - least, 0);
        double over = i < LAST       ? falling(from + 1, least, end)
                      : least > from ? (double)(from + 1) / (double)TIDE_MAX(least, from + 1)
                                     : 1;
        double prior = (from > 1 ? below * under / (double)(from - 1) : 0) + (1 - below) * over;
        b->chance[i] = (float)((double)b->chance[i] * (1 - moved) + moved * prior);
    }
    normalise(b);
    b->windows += (float)TIDE_MIN(windows, (int64_t)WINDOWS_MEMORY);
    if ((double)b->windows > WINDOWS_MEMORY) {
        b->moves *= (float)(WINDOWS_MEMORY / (double)b->windows);
        b->windows = (float)WINDOWS_MEMORY;
    }
}

/* -- What is believed -------------------------------------------------------------------------- */

double belief_chance(const struct belief *b, int64_t n)
{
    double sum = 0;
    for (int i = cell_of(b, n); i < BELIEF_CELLS; i++)
        sum += (double)b->chance[i] * share_from(b, i, n);
    return TIDE_MIN(sum, 1);
}

double belief_chance_after(const struct belief *b, int64_t n, int64_t taken)
{
    if (n <= taken)
        return 1;
    double of = belief_chance(b, taken);
    return of > 0 ? TIDE_MIN(belief_chance(b, n) / of, 1) : 0;
}

int64_t belief_number(const struct belief *b, double chance)
{
    int64_t low = 1, high = BELIEF_NUMBER_MAX;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        if (belief_chance(b, middle) >= chance)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

int64_t belief_likeliest(const struct belief *b)
{
    int best = 0;
    for (int i = 1; i < LAST; i++)
        if (b->chance[i] > b->chance[best])
            best = i;
    if (b->mark && cell_of(b, b->mark) == best)
        return b->mark;
    return (double)b->chance[LAST] > 0.5 ? least_of(b, LAST)
                                         : least_of(b, best) + (b->step - 1) / 2;
}

/* -- Rows -------------------------------------------------------------------------------------- */

static int code_of(double chance)
{
    double code = chance > 0 ? CODE_MAX + LOG_STEP * log2(chance) : 0;
    return (int)lround(TIDE_MAX(code, 0));
}

void belief_encode(const struct belief *b, struct buf *ret)
{
    buf_addf(ret, "%lld %lld %ld %ld ", (long long)b->step, (long long)b->mark,
             lround((double)b->moves * PARTS), lround((double)b->windows * PARTS));
    for (int i = 0; i < BELIEF_CELLS; i++)
        buf_addf(ret, "%02x", (unsigned)code_of((double)b->chance[i]));
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool belief_decode(struct text from, struct belief *ret)
{
    static const int64_t least[] = {1, 0, 0, PARTS},
                         most[] = {BELIEF_NUMBER_MAX, BELIEF_NUMBER_MAX,
                                   (int64_t)WINDOWS_MEMORY * 100 * PARTS,
                                   (int64_t)WINDOWS_MEMORY * PARTS};
    int64_t n[4];
    struct text word;
    struct tide_error ignored;
    struct belief b = {0};
    bool any = false;
    for (size_t i = 0; i < TIDE_COUNT(n); i++)
        if (!text_split(&from, ' ', &word) ||
            text_int(word, least[i], most[i], &n[i], &ignored) != TIDE_OK)
            return false;
    if (from.n != 2 * BELIEF_CELLS || (n[0] & (n[0] - 1)))
        return false;
    for (int i = 0; i < BELIEF_CELLS; i++) {
        int high = digit(from.p[2 * i]), low = digit(from.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        int code = high * 16 + low;
        b.chance[i] = code ? (float)exp2((code - CODE_MAX) / LOG_STEP) : 0;
        any = any || code;
    }
    if (!any)
        return false;
    b.step = n[0];
    b.mark = n[1];
    b.moves = (float)n[2] / PARTS;
    b.windows = (float)n[3] / PARTS;
    normalise(&b);
    *ret = b;
    return true;
}
