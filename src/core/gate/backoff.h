/* backoff.h - when an account that failed may be tried again, and which account takes over.
 *
 *   UP --fault--> WAITING (until T) --T has come--> PROBING --success--> UP
 *                    ^                                  `--fault--> WAITING, twice as long
 *                    `-- what becomes of mails already on their way changes nothing
 *
 * While PROBING one mail at a time is let through. The wait doubles from min_ms to max_ms, and a
 * random part of up to a half is taken off, so that many installations do not come back at once.
 *
 * Owns      nothing outside itself.
 * Threads   one at a time. Reads no clock: `now` is the caller's. Waits are wall time, as they are
 *           shown to people and slept on beside releases; a clock that steps back never makes one
 *           longer than max_ms.
 * Limits    BACKOFF_REASON_BYTES of reason, cut to fit.
 */
#ifndef CORE_GATE_BACKOFF_H
#define CORE_GATE_BACKOFF_H

#include "base/rng.h"
#include "base/time.h"

#define BACKOFF_REASON_BYTES 256
#define BACKOFF_ANY          INT32_MAX

enum backoff_state { BACKOFF_UP, BACKOFF_WAITING, BACKOFF_PROBING };

struct backoff {
    int64_t min_ms, max_ms;
    enum backoff_state state;
    int faults; /* in a row */
    bool probe_out;
    tide_wall_ms since;                /* of the first fault in a row */
    tide_wall_ms until;                /* WAITING */
    int64_t wait_ms;                   /* the wait that `until` came from */
    char reason[BACKOFF_REASON_BYTES]; /* of the last fault */
};

void backoff_init(struct backoff *b, int64_t min_ms, int64_t max_ms);

/* How many mails may be handed to the account now: 0, 1 (a probe) or BACKOFF_ANY. */
int backoff_room(struct backoff *b, tide_wall_ms now);

/* Each mail handed over is announced, and ends in exactly one of the other three. */
void backoff_started(struct backoff *b);
void backoff_succeeded(struct backoff *b); /* any answer that is not the account's fault */
void backoff_withdrawn(struct backoff *b); /* ended without saying anything about it */
void backoff_failed(struct backoff *b, struct text reason, tide_wall_ms now, struct rng *rng);

/* When backoff_room() may become more than it is: TIDE_NEVER when no time will do that. */
tide_wall_ms backoff_wake_at(const struct backoff *b);

/* "up", "backing off until 2026-...: REASON", "trying one mail after: REASON". Returns out. */
const char *backoff_text(const struct backoff *b, char *out, size_t size);

/* The first account of `order` (indices into `all`, by preference) that may take a mail now; -1
 * when none may: *ret_at is then when the first of them wakes (TIDE_NEVER: when a probe has ended).
 */
int backoff_choose(
    struct backoff *all, const int *order, size_t count, tide_wall_ms now, tide_wall_ms *ret_at);

#endif
