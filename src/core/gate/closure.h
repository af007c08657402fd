/* closure.h - who said "not before": a limit that a reply has just named, closed until it opens
 * anew.
 *
 * The ledger keeps to the limits that are known; a closure is the answer to one that was not, or
 * was thought wider: nothing more goes to whatever the reply was about (a mailbox, a provider from
 * these IPs, the account, ...) until its window opens. Kept in memory alone: after a restart the
 * first refusal tells it again.
 *
 * Providers with tiers (QQ: minute, hour, rest of the day) answer the same for each. So a limit of
 * more than one mailbox is closed for minutes first, for an hour when it is named again, and only
 * then until its window opens; a quiet day forgets that.
 *
 * Owns      its entries with their texts.
 * Lifetime  closures_init() to closures_fini(). Zeroed memory is an empty table.
 * Threads   loop thread only. Reads no clock.
 * Errors    out of memory, or over CLOSURES_MAX: closures_put() says false; the mail at hand is
 * held all the same, others find out for themselves.
 */
#ifndef CORE_GATE_CLOSURE_H
#define CORE_GATE_CLOSURE_H

#include "base/map.h"
#include "base/time.h"
#include "core/plan/planner.h"

#define CLOSURES_MAX 100000

struct closure {
    int64_t key; /* scope and what it counts */
    tide_wall_ms until, named_at;
    unsigned times; /* named so often in a row */
    char reason[256];
};

struct closures {
    struct idmap by_key;
    tide_wall_ms pruned_at;
};

void closures_fini(struct closures *c);

/* Closes what the limit of that scope counts for this release (`recipient_id` for recipient and
 * pair), until `opens_at` at most; *ret_until is set in any case. */
bool closures_put(struct closures *c,
                  enum limit_scope scope,
                  const struct plan_route *route,
                  int64_t recipient_id,
                  tide_wall_ms opens_at,
                  struct text reason,
                  tide_wall_ms now,
                  tide_wall_ms *ret_until);

/* The one of those that apply which opens last; NULL: none is closed now. */
const struct closure *closures_find(const struct closures *c,
                                    const struct plan_route *route,
                                    int64_t recipient_id,
                                    tide_wall_ms now);

#endif
