/* demand.h - how much is still to come for what many share: a provider, an account's application,
 * a sender domain at a provider.
 *
 * Forecast as a recipient's is, but with hours and weekdays of its own: profile of the day's hours
 * x factor of the weekday x two memories, pulled by today's count. Urgent mail, which does not
 * wait, is counted beside it.
 *
 * Days are those of the zone that the caller names, always the same for one demand.
 *
 * Owns      nothing: a plain struct without pointers.
 * Lifetime  demand_init() before first use.
 * Threads   one at a time. Reads no clock, allocates nothing.
 * Errors    TIDE_ECORRUPT for a blob that is none.
 * Limits    3.2 kB. A call is O(1) after the days since the last; demand_between() O(days asked).
 */
#ifndef CORE_PLAN_DEMAND_H
#define CORE_PLAN_DEMAND_H

#include "core/limit/zone.h"
#include "core/plan/forecast.h"

#define DEMAND_DAYS_MAX 31 /* further ahead is not asked */

struct demand {
    struct site site;
    struct forecast_level level; /* at the start of `day` */
    int32_t day;
    uint32_t today, urgent_today;
    float urgent; /* a day */
    uint32_t unsaved;
};

void demand_init(struct demand *d);

/* `n` came that may be put into digests; an urgent one has left. */
void demand_count(struct demand *d, const struct zone *zone, tide_wall_ms now, uint32_t n);
void demand_count_urgent(struct demand *d, const struct zone *zone, tide_wall_ms now);

struct demanded {
    double normal, urgent; /* notifications */
};

/* What will have come from `now` until `until`, on average. */
struct demanded demand_until(struct demand *d,
                             const struct zone *zone,
                             tide_wall_ms now,
                             tide_wall_ms until);

/* So much has changed since it was written that it should be again. */
bool demand_is_unsaved(const struct demand *d);
void demand_encode(struct demand *d, struct buf *ret); /* takes it for saved */
TIDE_MUST_CHECK enum tide_err demand_decode(struct text blob,
                                            struct demand *ret,
                                            struct tide_error *err);

#endif
