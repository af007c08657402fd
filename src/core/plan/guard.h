/* guard.h - narrows and closes the gate before an ESP does: bounces and complaints as it counts
 * them.
 *
 *   OPEN --surely over the review level--> NARROW --surely over the pause level--> CLOSED
 *    ^  <--surely below again------------'   ^ `----------after a rest------------'
 *
 * NARROW lets mail to known-good recipients through, which brings the rate down; CLOSED nothing.
 *
 * What is judged is not the rate but what it must at least be: failures of all mails with a beta
 * prior whose mean is a fifth of the review level and whose weight is 10 / review mails, so that
 * ten mails do not decide. "Surely" is GUARD_CERTAINTY of the posterior. Old mails fade: with each
 * new one as the rule's volume says, and by half in every `memory_ms`.
 *
 * Owns      its guards. Rules are the configuration's: set anew after each change of it.
 * Lifetime  guards_init() to guards_fini().
 * Threads   loop thread only. Reads no clock.
 * Errors    out of memory: a mail is not counted.
 * Limits    GUARDS_MAX guards; further ones are not kept.
 */
#ifndef CORE_PLAN_GUARD_H
#define CORE_PLAN_GUARD_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "core/limit/guard_rule.h"

#define GUARDS_MAX      4096
#define GUARD_CERTAINTY 0.95

#define GUARD_STATES(X)                                              \
    X(OPEN, "open")                                                  \
    X(NARROW, "narrow") /* known-good recipients, and urgent mail */ \
    X(CLOSED, "closed")

enum guard_state {
#define GUARD_STATE(code, text) GUARD_##code,
    GUARD_STATES(GUARD_STATE)
#undef GUARD_STATE
};

const char *guard_state_name(enum guard_state s);

struct guard {
    char *name;                    /* "ses/bounces", "ses/newsletter/bounces" */
    const struct guard_rule *rule; /* NULL: no longer configured; nothing follows from it */
    enum guard_state state;
    double mails, failures;  /* that still count */
    tide_wall_ms at;         /* as of then */
    tide_wall_ms since;      /* of the state */
    tide_wall_ms rest_until; /* CLOSED */
    int64_t failed_since;    /* failures since the state began */
    bool warned;             /* surely over half of the review level */
    uint32_t unwritten;      /* mails that the store has not been told of */
    struct list dirty;
};

struct guards {
    struct strmap by_name;
    struct list dirty;
    int64_t memory_ms, rest_ms;
    uint32_t tripped; /* not OPEN */
    uint32_t warned;
};

void guards_init(struct guards *g, int64_t memory_ms, int64_t rest_ms);
void guards_fini(struct guards *g);

/* Finds or makes; NULL: out of memory, or too many. */
struct guard *guards_get(struct guards *g, struct text name, const struct guard_rule *rule);
struct guard *guards_find(const struct guards *g, struct text name);

/* True: the state, or whether it is warned, has changed. */
bool guard_sent(struct guards *g, struct guard *x, tide_wall_ms now);
bool guard_failed(struct guards *g, struct guard *x, tide_wall_ms now);
bool guard_look(struct guards *g, struct guard *x, tide_wall_ms now); /* time has passed */

/* By hand: open, and what was counted so far is forgiven. */
void guard_open(struct guards *g, struct guard *x, tide_wall_ms now);

/* The share of mails that fail: what it is likely to be, and what it is at least, surely. */
double guard_rate(const struct guard *x);
double guard_bound(const struct guard *x);

/* P(rate > level) of the posterior. */
double guard_certainty(const struct guard *x, double level);

/* "guard|ses/bounces" */
bool guards_next_dirty(struct guards *g, struct text *ret_row, struct buf *ret_blob);
TIDE_MUST_CHECK enum tide_err guards_restore(struct guards *g,
                                             struct text row,
                                             struct text blob,
                                             struct tide_error *err);

#endif
