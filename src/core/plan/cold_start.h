/* cold_start.h - what a site's own history says before mailtide has seen a day of it.
 *
 * The same forecast that learns from each arrival, fed with a log: the profile of the day's hours
 * and of the weekdays, and each recipient's level, as they stand now. Windows turn over at
 * different instants, so there is one profile for each; a recipient's level hardly depends on it.
 *
 * Owns      struct cold_start: its forecasts (cold_start_fini()).
 * Threads   any. Pure, reads no clock.
 * Errors    TIDE_ENOMEM; TIDE_ERANGE for a trace that is not sorted; TIDE_ENOENT when nothing of it
 *           lies before `now`.
 */
#ifndef CORE_PLAN_COLD_START_H
#define CORE_PLAN_COLD_START_H

#include "core/limit/window.h"
#include "core/plan/replay.h"

struct cold_start {
    struct site site;
    struct forecast *recipients; /* [trace->user_count]; not begun: nothing was for him */
    /* for people */
    uint64_t notifications, recipient_days; /* urgent ones not counted; days with any */
    int32_t first_day, last_day;
    uint32_t day_median, day_most; /* of a recipient's days with any */
    int busy_from;                 /* the three hours of a weekday that bring most: from .. + 3 */
    double busy_share;             /* of a weekday's mail in them */
    double weekend;                /* a day of the weekend against a weekday */
};

/* `rule` names a window that is a day. What lies behind `now` is not looked at. */
TIDE_MUST_CHECK enum tide_err cold_start_learn(const struct replay_trace *trace,
                                               struct window_rule *rule,
                                               tide_wall_ms now,
                                               struct cold_start *ret,
                                               struct tide_error *err);
void cold_start_fini(struct cold_start *c);

#endif
