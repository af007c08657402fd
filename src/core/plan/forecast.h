/* forecast.h - how much each recipient has still to get today, as a distribution.
 *
 * Expected count = profile of the day's hours x factor of the weekday x the recipient's own level.
 * The site (all recipients whose limits reset in one zone) owns profile and factors; a recipient
 * owns a level of six floats: two exponential memories of 10 and 1.2 days that fade only while he
 * is awake, and the chance that he is. What is left of a day is a zero-inflated negative binomial.
 *
 * All days here are the window's own: a number that grows by one with each reset, of which the
 * caller also says whether it lies on a weekend and which weekday it is (forecast_weekday()).
 *
 * Owns      nothing: plain structs without pointers, moved by assignment.
 * Lifetime  site_init() before first use; a zeroed struct forecast is a recipient never seen.
 * Threads   one at a time a struct. Reads no clock, allocates nothing.
 * Errors    TIDE_ECORRUPT for a blob that is none.
 * Limits    forecast_roll() and site_roll() are O(days since the last event), at most
 *           FORECAST_DAYS_MAX; after a longer silence only the last of them are counted.
 *           FORECAST_BYTES a recipient where stored, SITE_BYTES a site.
 */
#ifndef CORE_PLAN_FORECAST_H
#define CORE_PLAN_FORECAST_H

#include "base/buf.h"

#define FORECAST_DAYS_MAX  512
#define FORECAST_SITE_DAYS 29 /* the mean that a day is compared with */
#define FORECAST_BYTES     36

/* -- The site ---------------------------------------------------------------------------------- */

struct site {
    bool begun;
    int32_t day, first;                  /* of `today`; of the site's beginning */
    float hours[2][24];                  /* faded counts by hour: weekdays, weekends */
    float ratio[7], ratio_weight[7];     /* a weekday's total against the mean: faded sum, weight */
    uint32_t totals[FORECAST_SITE_DAYS]; /* of day d at d % FORECAST_SITE_DAYS */
    uint32_t today[24];
    uint64_t seen; /* notifications in all: what a table was built on */
    /* derived */
    float share[2][24], gone[2][25]; /* of the day's mail: in the hour; before it */
    float factor[FORECAST_DAYS_MAX]; /* of day d at d % FORECAST_DAYS_MAX */
};

/* Sunday is 0. Day 0 is 1970-01-01. */
static inline int forecast_weekday(int32_t day)
{
    return (int)((((int64_t)day + 4) % 7 + 7) % 7);
}

static inline bool forecast_weekend(int32_t day)
{
    int d = forecast_weekday(day);
    return d == 0 || d == 6;
}

void site_init(struct site *s);
/* Ends every day before `day`. Yesterday changes nothing; from further ahead it comes back. */
void site_roll(struct site *s, int32_t day);
/* `n` notifications in an hour of s->day. */
void site_count(struct site *s, int hour, uint32_t n);
float site_factor(const struct site *s, int32_t day);
/* One of several who write through a site, not seen before: begins as the whole does, believed like
 * SITE_BRANCH notifications of its own. */
#define SITE_BRANCH 100
void site_branch(struct site *s, const struct site *whole);
/* The share of a week's mail of `s` that comes at other hours than by these profiles. */
double site_moved(const struct site *s, const float share[2][24]);
/* It has hours or weekdays of its own, rather than those of the whole; `was`: it had them before.
 */
bool site_is_apart(const struct site *s, const struct site *whole, bool was);
/* The share of a day's mail that has usually come when the share `x` (0..1) of its time is gone. */
double site_gone(const struct site *s, int32_t day, double x);

/* What all recipients have usually still to get on a day of which the share `gone` is past; 0:
 * nothing is known yet. */
double site_rest(const struct site *s, int32_t day, double gone);

void site_encode(const struct site *s, struct buf *ret);
TIDE_MUST_CHECK enum tide_err site_decode(struct text blob,
                                          struct site *ret,
                                          struct tide_error *err);

/* -- A recipient ------------------------------------------------------------------------------- */

struct forecast_level {
    float slow, slow_weight; /* 10 days: faded sum of counts, of day factors */
    float fast, fast_weight; /* 1.2 days */
    float awake;             /* probability */
    float mean;              /* expected count of the day, if awake */
};

struct forecast {
    struct forecast_level level; /* at the start of `day`; awake is 0 for one never seen */
    int32_t day;
    uint16_t today;  /* notifications of this day so far */
    uint8_t urgent;  /* urgent mails that left on `day`: they have used so much of the reserve */
    bool warned;     /* somebody was told that this day will have too many */
    uint32_t last_s; /* time of the last one, seconds since 1970 */
};

/* A level that knows nothing, at the start of a day of that factor. */
void forecast_level_start(struct forecast_level *l, float factor);
/* The day had `n`, and its factor was `factor`; the next day's is `next`. */
void forecast_level_step(struct forecast_level *l, unsigned n, float factor, float next);

/* The day of one whose level is not kept (never seen, or the policy has no use for it). */
void forecast_begin_day(struct forecast *f, int32_t day);
/* Ends every day before `day`, exactly as if asked each midnight. The site has been rolled. */
void forecast_roll(struct forecast *f, const struct site *s, int32_t day);
/* One more came. Rolls first. */
void forecast_count(struct forecast *f, const struct site *s, int32_t day, uint32_t at_s);

void forecast_encode(const struct forecast *f, char out[FORECAST_BYTES]);
bool forecast_decode(const char in[FORECAST_BYTES], struct forecast *ret);

/* -- What is left of the day ------------------------------------------------------------------- */

/* Zero with 1 - awake; else negative binomial of this mean, shape FORECAST_SHAPE. */
struct rest {
    double awake, mean;
};

#define FORECAST_SHAPE 1.6

/* After `n` notifications, the share `gone` of the day's mail usually being past. */
struct rest forecast_rest(const struct forecast_level *l, unsigned n, double gone);
/* The level as this day shows it, as a whole day's worth: what the plan is looked up by. */
double forecast_level_now(const struct forecast_level *l, unsigned n, double gone);

double rest_mean(const struct rest *r);
/* P(N = x) for all x, one after another: start with x = 0, p = rest_first(r). */
double rest_first(const struct rest *r, double *ret_nb);
double rest_next(const struct rest *r, unsigned x, double *nb);
/* The least x with P(N <= x) >= q. */
unsigned rest_quantile(const struct rest *r, double q);
double rest_chance_over(const struct rest *r, unsigned x); /* P(N > x) */

/* How good it was, `y` having come: mean log score, continuous ranked probability score, and
 * P(N < y), P(N <= y) for coverage and the probability integral transform. */
struct rest_score {
    double log_score, crps, below, upto;
};
struct rest_score rest_judge(const struct rest *r, unsigned y);

#endif
