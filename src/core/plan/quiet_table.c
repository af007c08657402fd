/* The programme. U(s, b, k) is the delay, in minutes, to be expected from just after an arrival in
 * slot s that made it k pending, b sends being left. From there the silence grows through the
 * bins between two ages; in bin j the next arrival comes with p[j], and ex[j] minutes are spent.
 *
 *   go[j]    sent at the start of bin j:  sum over i >= j of p[i] V(b-1, 1)[i] + urgent(b-1) ex[i]
 *   stay[j]  waited till then:            sum over i <  j of k ex[i] + urgent(b) ex[i]
 *                                                             + p[i] V(b, k+1)[i]
 *   U = min over j of stay[j] + go[j], and never: stay[n] + P(no arrival) E(k)
 *
 * V is U at the middle of the bin, between the two slots about it; E(k) is what k pending at the
 * reset cost in the next day. The last row is that of the reset itself, at an age of five hours
 * more. Four levels are computed at once, one in each lane of a vector. */
#include "core/plan/quiet_table.h"

#include "base/macros.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MIN     1440.0
#define SLOT_MIN    (DAY_MIN / QUIET_SLOTS)
#define LEVEL_FIRST 0.3 /* notifications a day; log-spaced to */
#define LEVEL_LAST  300.0
#define HAZARD      5.0  /* c: an hour */
#define HAZARD_AGE  0.5  /* minutes */
#define BASE_FLOOR  1e-4 /* an hour: nothing is impossible */
#define NIGHT_MIN   300.0
#define SWEEPS      2
#define BINS        (QUIET_AGES - 1)
#define ROW         (QUIET_PENDING + 1)
#define LANES       4

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t marks __attribute__((vector_size(4 * LANES)));

static const float ages[QUIET_AGES] = {0,   .5,  1,   2,   3,   4.5, 6.5, 9,    12,  16,
                                       21,  27,  35,  45,  58,  75,  95,  120,  150, 190,
                                       240, 300, 380, 480, 600, 760, 960, 1200, 1440};

/* What urgent bursts of one, two or three mails find missing when b are left, on average. */
static float missing(int b)
{
    static const float of[] = {2, 1, 1.0f / 3};
    return b < 3 ? of[b] : 0;
}

double quiet_age_minutes(unsigned tau)
{
    return (double)ages[TIDE_MIN(tau, QUIET_NEVER)];
}

static double level_step(void)
{
    return log(LEVEL_LAST / LEVEL_FIRST) / (QUIET_LEVELS - 1);
}

double quiet_level(unsigned level)
{
    return LEVEL_FIRST * exp(level * level_step());
}

/* -- Memory and look-up ------------------------------------------------------------------------ */

static int rows_of(int quota)
{
    return TIDE_MIN(quota, QUIET_QUOTA_MAX) + 1;
}

size_t quiet_table_bytes(int quota)
{
    return sizeof(struct quiet_table) +
           (size_t)2 * QUIET_LEVELS * (QUIET_SLOTS + 1) * (size_t)rows_of(quota) * ROW;
}

static size_t place(int rows, int type, unsigned level, unsigned slot, int b)
{
    return ((((size_t)type * QUIET_LEVELS + level) * (QUIET_SLOTS + 1) + slot) * (size_t)rows +
            (size_t)b) *
           ROW;
}

void quiet_table_free(struct quiet_table *t)
{
    free(t);
}

unsigned quiet_table_tau(
    const struct quiet_table *t, bool weekend, unsigned level, unsigned slot, int b, unsigned k)
{
    int rows = rows_of(t->quota);
    return t->tau[place(rows, weekend, level, slot, TIDE_MIN(TIDE_MAX(b, 0), rows - 1)) +
                  TIDE_MIN(k, QUIET_PENDING)];
}

double quiet_wait_minutes(
    const struct quiet_table *t, bool weekend, double mean, unsigned slot, int b, unsigned k)
{
    double x = mean > 0 ? log(mean / LEVEL_FIRST) / level_step() : 0;
    x = TIDE_MIN(TIDE_MAX(x, 0), QUIET_LEVELS - 1);
    unsigned i = TIDE_MIN((unsigned)x, QUIET_LEVELS - 2);
    double part = x - i;
    unsigned low = quiet_table_tau(t, weekend, i, slot, b, k);
    unsigned high = quiet_table_tau(t, weekend, i + 1, slot, b, k);
    if (low == QUIET_NEVER || high == QUIET_NEVER)
        return quiet_age_minutes(part < 0.5 ? low : high);
    return (1 - part) * quiet_age_minutes(low) + part * quiet_age_minutes(high);
}

/* -- The programme ----------------------------------------------------------------------------- */

/* The bins of a silence that begins at the start of one slot, cut at the day's end. */
struct silence {
    int count;
    int slot[BINS];   /* of the bin's middle */
    float late[BINS]; /* how far the middle is from that slot's start to the next's, 0..1 */
    float rem[BINS];  /* minutes from the middle to the day's end */
    lanes p[BINS], ex[BINS], none;
    lanes p_here[BINS], p_next[BINS]; /* p (1 - late), p late */
};

/* One run: four levels, one type of day. */
struct work {
    const struct quiet_case *c;
    int rows, type;
    uint8_t *out[LANES];           /* [QUIET_SLOTS + 1][rows][ROW] */
    lanes root[QUIET_SLOTS];       /* hazard at an age of one minute, a minute */
    float urgent[QUIET_SLOTS + 1]; /* cost a minute, and from the slot's start to the day's end */
    float urgent_left[QUIET_SLOTS + 1];
    lanes carried[ROW];          /* E(k) */
    lanes lost[QUIET_SLOTS + 1]; /* u0: delay of what comes after the last send */
    struct silence silence;
    lanes go[BINS + 1], wait[BINS], joined[ROW]; /* wait: cost of a bin beside k ex */
    lanes value[];                               /* [QUIET_SLOTS + 1][rows][ROW] */
};

static lanes all(float x)
{
    return (lanes){x, x, x, x};
}

static lanes *cell(struct work *w, int slot, int b)
{
    return w->value + ((size_t)slot * (size_t)w->rows + (size_t)b) * ROW;
}

static int hour_of_slot(int slot)
{
    return slot * 24 / QUIET_SLOTS;
}

static void prepare(struct work *w, const double level[LANES])
{
    for (int s = 0; s < QUIET_SLOTS; s++) {
        double share = (double)w->c->share[w->type][hour_of_slot(s)];
        for (int i = 0; i < LANES; i++)
            w->root[s][i] = (float)(HAZARD * sqrt(level[i] * share + BASE_FLOOR) / 60);
        w->urgent[s] = w->c->urgent_cost * (float)share / 60;
    }
    w->urgent_left[QUIET_SLOTS] = 0;
    for (int s = QUIET_SLOTS - 1; s >= 0; s--)
        w->urgent_left[s] = w->urgent_left[s + 1] + w->urgent[s] * (float)SLOT_MIN;
}

static void measure_silence(struct work *w, int slot, double age)
{
    struct silence *q = &w->silence;
    double start = slot * SLOT_MIN, left = DAY_MIN - start;
    lanes alive = all(1);
    q->count = 0;
    for (int j = 0; j < BINS && (double)ages[j] < left; j++) {
        double end = TIDE_MIN((double)ages[j + 1], left), width = end - (double)ages[j];
        double x = ((double)ages[j] + end) / 2, at = (start + x) / SLOT_MIN;
        int s = TIDE_MIN((int)at, QUIET_SLOTS - 1);
        double cool = width / sqrt(x + age + HAZARD_AGE);
        q->slot[j] = s;
        q->late[j] = (float)(at - s);
        q->rem[j] = (float)(left - x);
        for (int i = 0; i < LANES; i++) {
            float h = w->root[s][i] * (float)cool, gone = -expm1f(-h);
            q->p[j][i] = alive[i] * gone;
            q->ex[j][i] = alive[i] * (float)width * (h > 1e-6f ? gone / h : 1);
            alive[i] -= q->p[j][i];
        }
        q->p_next[j] = q->p[j] * q->late[j];
        q->p_here[j] = q->p[j] - q->p_next[j];
        q->count++;
    }
    q->none = alive;
}

/* What comes after the last send waits for the reset: of this slot's own u0 on both sides. */
static lanes lost_from(struct work *w, int slot)
{
    const struct silence *q = &w->silence;
    lanes sum = all(0), self = all(0);
    for (int j = 0; j < q->count; j++) {
        sum += q->p[j] * q->rem[j] + q->p_next[j] * w->lost[q->slot[j] + 1];
        if (q->slot[j] == slot)
            self += q->p_here[j];
        else
            sum += q->p_here[j] * w->lost[q->slot[j]];
    }
    return sum / (1 - self);
}

/* go[], and wait[] of the urgent price, for b sends left. */
static void weigh_sending(struct work *w, int b)
{
    const struct silence *q = &w->silence;
    float now = missing(b + w->c->reserve), then = missing(b - 1 + w->c->reserve);
    w->go[q->count] = all(0);
    for (int j = q->count - 1; j >= 0; j--) {
        float urgent = w->urgent[q->slot[j]];
        lanes v = q->p_here[j] * cell(w, q->slot[j], b - 1)[1] +
                  q->p_next[j] * cell(w, q->slot[j] + 1, b - 1)[1];
        w->go[j] = w->go[j + 1] + v + q->ex[j] * (urgent * then);
        w->wait[j] = q->ex[j] * (urgent * now);
    }
}

static bool none_of(marks m)
{
    return (m[0] | m[1] | m[2] | m[3]) == 0;
}

static lanes least(struct work *w, int b, int k, marks *ret_tau)
{
    const struct silence *q = &w->silence;
    const lanes count = all((float)k);
    lanes stay = all(0), best = w->go[0];
    marks tau = {0};
    int n = q->count;
    for (int j = 0; j < n; j++) {
        const lanes *here = cell(w, q->slot[j], b), *next = cell(w, q->slot[j] + 1, b);
        stay +=
            count * q->ex[j] + w->wait[j] + q->p_here[j] * here[k + 1] + q->p_next[j] * next[k + 1];
        lanes cost = stay + (j + 1 < n ? w->go[j + 1] : q->none * w->carried[k]);
        marks better = cost < best;
        best = (lanes)(((marks)cost & better) | ((marks)best & ~better));
        int32_t age = j + 1 < n ? j + 1 : QUIET_NEVER;
        tau = ((marks){age, age, age, age} & better) | (tau & ~better);
        /* Whatever is still to come only adds to stay[]. */
        if (j % 4 == 3 && none_of(stay < best))
            break;
    }
    *ret_tau = tau;
    return best;
}

/* Nothing pending: it is waited for the next arrival. */
static lanes idle(struct work *w, int b)
{
    const struct silence *q = &w->silence;
    lanes sum = q->none * w->carried[0];
    for (int j = 0; j < q->count; j++)
        sum += w->wait[j] + q->p_here[j] * cell(w, q->slot[j], b)[1] +
               q->p_next[j] * cell(w, q->slot[j] + 1, b)[1];
    return sum;
}

static void keep_tau(struct work *w, int slot, int b, int k, marks tau)
{
    for (unsigned i = 0; i < LANES; i++)
        w->out[i][((size_t)slot * (size_t)w->rows + (size_t)b) * ROW + (size_t)k] = (uint8_t)tau[i];
}

/* One slot, all b and k. */
static void solve_slot(struct work *w, int slot)
{
    const marks never = {QUIET_NEVER, QUIET_NEVER, QUIET_NEVER, QUIET_NEVER};
    float left = (float)(DAY_MIN - slot * SLOT_MIN);
    measure_silence(w, slot, 0);
    w->lost[slot] = lost_from(w, slot);
    for (int k = 0; k < ROW; k++) {
        cell(w, slot, 0)[k] =
            (float)k * left + w->lost[slot] + missing(w->c->reserve) * w->urgent_left[slot];
        keep_tau(w, slot, 0, k, never);
    }
    for (int b = 1; b < w->rows; b++) {
        lanes *u = cell(w, slot, b);
        weigh_sending(w, b);
        u[QUIET_PENDING] = w->go[0];
        keep_tau(w, slot, b, QUIET_PENDING, (marks){0});
        for (int k = QUIET_PENDING - 1; k > 0; k--) {
            marks tau;
            u[k] = least(w, b, k, &tau);
            keep_tau(w, slot, b, k, tau);
        }
        u[0] = idle(w, b);
        keep_tau(w, slot, b, 0, never);
    }
}

/* The day's beginning after a night's silence: what is carried over costs E, and the row of the
 * reset. */
static void solve_reset(struct work *w)
{
    const marks never = {QUIET_NEVER, QUIET_NEVER, QUIET_NEVER, QUIET_NEVER};
    lanes carried[ROW];
    measure_silence(w, 0, NIGHT_MIN);
    for (int k = 0; k < ROW; k++)
        keep_tau(w, QUIET_SLOTS, 0, k, never);
    for (int b = 1; b < w->rows; b++) {
        weigh_sending(w, b);
        lanes none = idle(w, b);
        for (int k = 0; k < ROW; k++) {
            marks tau = {0};
            lanes u = k == QUIET_PENDING ? w->go[0] : k ? least(w, b, k, &tau) : none;
            keep_tau(w, QUIET_SLOTS, b, k, k ? tau : never);
            carried[k] = u - none;
        }
    }
    memcpy(w->carried, carried, sizeof carried);
}

/* w->carried is what to start from. */
static void solve(struct work *w, const double means[LANES], int sweeps)
{
    prepare(w, means);
    w->lost[QUIET_SLOTS] = all(0);
    for (int sweep = 0; sweep < sweeps; sweep++) {
        for (int b = 0; b < w->rows; b++)
            memcpy(cell(w, QUIET_SLOTS, b), w->carried, sizeof w->carried);
        for (int slot = QUIET_SLOTS - 1; slot >= 0; slot--)
            solve_slot(w, slot);
        solve_reset(w);
    }
}

static struct work *work_new(const struct quiet_case *c)
{
    int rows = rows_of(c->quota);
    size_t cells = (size_t)(QUIET_SLOTS + 1) * (size_t)rows * ROW;
    struct work *w = aligned_alloc(sizeof(lanes), sizeof *w + cells * sizeof(lanes));
    if (w) {
        w->c = c;
        w->rows = rows;
    }
    return w;
}

/* What is carried over at levels from `level` on: from a table, to a table. */
static void take_carried(struct work *w, const struct quiet_table *from, unsigned level)
{
    for (unsigned i = 0; i < LANES; i++)
        for (int k = 0; k < ROW; k++)
            w->carried[k][i] = from ? from->carried[w->type][level + i][k] : 0;
}

static void keep_carried(const struct work *w, struct quiet_table *t, unsigned level)
{
    for (unsigned i = 0; i < LANES; i++)
        for (int k = 0; k < ROW; k++)
            t->carried[w->type][level + i][k] = w->carried[k][i];
}

struct quiet_table *quiet_table_build(const struct quiet_case *c, const struct quiet_table *before)
{
    _Static_assert(QUIET_LEVELS % LANES == 0, "levels are computed in full vectors");
    if (c->quota < 1)
        return NULL;
    struct quiet_table *t = malloc(quiet_table_bytes(c->quota));
    struct work *w = work_new(c);
    if (!t || !w) {
        free(t);
        free(w);
        return NULL;
    }
    t->quota = c->quota;
    t->made_for = *c;
    for (w->type = 0; w->type < 2; w->type++)
        for (unsigned level = 0; level < QUIET_LEVELS; level += LANES) {
            double means[LANES];
            for (unsigned i = 0; i < LANES; i++) {
                means[i] = quiet_level(level + i);
                w->out[i] = t->tau + place(w->rows, w->type, level + i, 0, 0);
            }
            take_carried(w, before, level);
            solve(w, means, before ? 1 : SWEEPS);
            keep_carried(w, t, level);
        }
    free(w);
    return t;
}

bool quiet_plan(
    const struct quiet_case *c, bool weekend, double mean, uint8_t *ret_tau, float *ret_cost)
{
    double means[LANES] = {mean, mean, mean, mean};
    struct work *w = c->quota < 1 ? NULL : work_new(c);
    if (!w)
        return false;
    w->type = weekend;
    for (unsigned i = 0; i < LANES; i++)
        w->out[i] = ret_tau;
    memset(w->carried, 0, sizeof w->carried);
    solve(w, means, SWEEPS);
    for (size_t i = 0; ret_cost && i < (size_t)QUIET_SLOTS * (size_t)w->rows * ROW; i++)
        ret_cost[i] = w->value[i][0];
    free(w);
    return true;
}

/* -- Without a table --------------------------------------------------------------------------- */

double quiet_fluid_price(double roots, int b)
{
    return b > 0 ? roots * roots / (2.0 * b * b) : INFINITY;
}

double quiet_fluid_roots(const float share[24], double mean, double x)
{
    double hours = TIDE_MIN(TIDE_MAX(x, 0), 1) * 24, sum = 0;
    for (int h = (int)hours; h < 24; h++)
        sum += sqrt((double)share[h] / 60) * 60 * (TIDE_MIN(1, h + 1 - hours));
    return sqrt(mean) * sum;
}
