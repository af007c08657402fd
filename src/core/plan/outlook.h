/* outlook.h - what is still to come until a window ends, by hour, and whether a limit will hold it.
 *
 * For one recipient the forecast's own distribution; for an account or a provider the sum over all
 * recipients. They are not independent: one event of the site goes to many of them. So a sum has
 * the moments of its parts, and besides a share of its own mean that moves all of them together
 * (OUTLOOK_COMMON, measured: plan.md); a negative binomial of these moments stands for it.
 *
 * Owns      nothing: plain structs.
 * Threads   any. Pure, reads no clock.
 * Limits    OUTLOOK_POINTS_MAX points a window: hours, of longer windows longer steps.
 */
#ifndef CORE_PLAN_OUTLOOK_H
#define CORE_PLAN_OUTLOOK_H

#include "base/time.h"
#include "core/plan/forecast.h"

#define OUTLOOK_POINTS_MAX 32
#define OUTLOOK_BANDS      3 /* 50, 90, 99 % */
#define OUTLOOK_COMMON     0.6
#define OUTLOOK_LIKELY     0.6 /* from such a chance on somebody is told */

extern const int outlook_percent[OUTLOOK_BANDS];

/* A count to come: zero with 1 - awake, else negative binomial of this mean and shape. */
struct spread {
    double awake, mean, shape;
};

/* The least x with P(N <= x) >= q; P(N > x). */
double spread_quantile(const struct spread *s, double q);
double spread_chance_over(const struct spread *s, double x);

/* -- Whose --------------------------------------------------------------------------------------
 */

/* A recipient as the planner foresees him. */
struct foreseen {
    const struct site *site; /* his window's; until the next arrival */
    int32_t day;
    tide_wall_ms day_start, day_end; /* of the day of now */
    struct rest rest;                /* of the day of now */
    double next_awake, next_mean;    /* of a day after it */
};

#define CROWD_SITES_MAX 64

/* Sums over recipients, by site, since their hours differ. */
struct crowd {
    struct crowd_part {
        struct foreseen like;  /* any of them: site and day */
        double rest, rest_var; /* mean; what of the variance grows with the mean's square */
        double next, next_var;
    } parts[CROWD_SITES_MAX];
    size_t count;
    uint64_t recipients;
    double share; /* of what is to come that is counted here; 0 is 1 */
};

void crowd_add(struct crowd *c, const struct foreseen *f);

/* What comes for all of them from `now` until `at`. */
struct spread crowd_until(const struct crowd *c, tide_wall_ms now, tide_wall_ms at);

/* -- Until the window ends -----------------------------------------------------------------------
 */

struct outlook_point {
    tide_wall_ms at;
    double mean; /* from now until `at`, as all here */
    double median, low[OUTLOOK_BANDS], high[OUTLOOK_BANDS];
    double chance; /* that the limit is reached until then */
};

struct outlook {
    tide_wall_ms from, until;
    struct outlook_point points[OUTLOOK_POINTS_MAX]; /* the last one is the window's end */
    size_t count;
    double chance;        /* of more than there is room for */
    tide_wall_ms over_at; /* when, if so: it is as likely before as after; 0: it cannot be */
};

/* What can still leave until an instant: less than TIDE_NEVER only where there is a limit. */
typedef double outlook_room(void *arg, tide_wall_ms at);

/* room NULL: there is no limit. */
void outlook_of_recipient(const struct foreseen *f,
                          tide_wall_ms now,
                          tide_wall_ms until,
                          outlook_room *room,
                          void *arg,
                          struct outlook *ret);
void outlook_of_crowd(const struct crowd *c,
                      tide_wall_ms now,
                      tide_wall_ms until,
                      outlook_room *room,
                      void *arg,
                      struct outlook *ret);

#endif
