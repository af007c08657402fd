/* belief.h - what is believed of a limit that nobody has published: how likely each number is.
 *
 * A window lets L mails through and refuses what comes after; L is not known. Every mail taken says
 * that L is at least so many, every refusal that it is no more, and with every window L may have
 * moved, anywhere, so that what was seen long ago weighs less. Where it has moved often it is
 * believed to move more.
 *
 *   taken(n)       L < n   is impossible, or a thirtieth as likely where it is not sure
 *   refused(k)     the same of L < k; L > k a ten thousandth as likely, or a thirtieth
 *   a window       a share of the belief moves: half of it below, evenly; half above, where
 *                  P(L >= m) falls as 1 / m
 *
 * BELIEF_CELLS cells of `step` numbers each, the last one open. The step is a power of two that
 * keeps what was refused last in the lower half: up to 32 every number has a cell of its own.
 * Within its cell the count that was refused last has all of the weight.
 *
 * Owns      nothing: a plain struct, moved by assignment.
 * Lifetime  belief_init() before first use.
 * Threads   one at a time a struct. Reads no clock, allocates nothing.
 * Limits    every function is O(BELIEF_CELLS).
 */
#ifndef CORE_PLAN_BELIEF_H
#define CORE_PLAN_BELIEF_H

#include "base/buf.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define BELIEF_CELLS      64
#define BELIEF_NUMBER_MAX (1LL << 30)

struct belief {
    float chance[BELIEF_CELLS]; /* of L in step * i + 1 .. step * (i + 1); they sum to 1 */
    int64_t step;               /* 0: nothing is believed */
    int64_t mark;               /* L most likely, as it was refused last; 0: not known */
    float moves, windows;       /* faded: how often it has moved, in how many windows */
};

/* Nothing is known but the order of magnitude: P(L >= n) falls as 1 / n. */
void belief_init(struct belief *b, int64_t around);

/* The n-th mail of a window was taken; `k` were, and what came after them was refused. `sure`: it
 * was about this limit. */
void belief_taken(struct belief *b, int64_t n, bool sure);
void belief_refused(struct belief *b, int64_t k, bool sure);
/* So many windows have passed. */
void belief_drift(struct belief *b, int64_t windows);

/* The chance that the n-th mail of a window is taken. */
double belief_chance(const struct belief *b, int64_t n);
/* The same, when `taken` of this window's have been taken. */
double belief_chance_after(const struct belief *b, int64_t n, int64_t taken);
/* The greatest n that is taken with that chance at least; 1 at least. */
int64_t belief_number(const struct belief *b, double chance);
int64_t belief_likeliest(const struct belief *b);

/* "step mark moves windows" and two hex digits a cell: a logarithm, good to 4 %. */
void belief_encode(const struct belief *b, struct buf *ret);
bool belief_decode(struct text from, struct belief *ret);

#endif
