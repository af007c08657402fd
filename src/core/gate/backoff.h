/* backoff.h - when an account that failed may be tried again: exponential, with jitter.
 *
 *   UP --fault--> RESTING --time over--> PROBING --accepted--> UP
 *                    ^--------fault---------'
 *
 * Owns      its reason text. Embed it; no fini.
 * Threads   one at a time. Reads no clock; random numbers are the caller's.
 */
#ifndef CORE_GATE_BACKOFF_H
#define CORE_GATE_BACKOFF_H

#include "base/rng.h"
#include "base/time.h"

enum backoff_state { BACKOFF_UP, BACKOFF_RESTING, BACKOFF_PROBING };

struct backoff {
    enum backoff_state state;
    int64_t min_ms, max_ms;
    unsigned faults;    /* in a row */
    tide_wall_ms until; /* RESTING */
    char reason[256];   /* of the last fault; "" when up */
};

void backoff_init(struct backoff *b, int64_t min_ms, int64_t max_ms);

/* How many mails may be under way together: 0 while resting (moves to PROBING when `until` has
 * passed), 1 while probing, `most` when up. */
int backoff_places(struct backoff *b, tide_wall_ms now, int most);

/* A fault of the whole account. Faults of mails that were already under way when it began to rest
 * do not lengthen the rest. Doubles from min_ms to max_ms, times 0.75 .. 1.25. */
void backoff_fault(struct backoff *b, tide_wall_ms now, struct text reason, struct rng *rng);

/* The account itself said how long to wait: a rest that is shorter is lengthened to it, up to
 * max_ms. */
void backoff_wait(struct backoff *b, tide_wall_ms now, int64_t wait_ms);

/* A reply of any kind to a mail: the account works. True when it was not up before. */
bool backoff_works(struct backoff *b);

const char *backoff_state_name(enum backoff_state s); /* "up", "resting", "probing" */

#endif
