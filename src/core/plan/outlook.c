#include "core/plan/outlook.h"

#include "base/macros.h"

#include <math.h>

#define EXACT_MEAN 300.0 /* above it a gamma law stands for the negative binomial */
#define SHAPE_MAX  1e6   /* as good as Poisson */
#define CROWD_MAX  1e9

const int outlook_percent[OUTLOOK_BANDS] = {50, 90, 99};

/* -- One count ----------------------------------------------------------------------------------
 */

/* The standard normal quantile, Acklam's rational approximation (relative error 1.2e-9). */
static double normal_quantile(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,
                               -2.759285104469687e+02, 1.383577518672690e+02,
                               -3.066479806614716e+01, 2.506628277459239e+00},
                        b[] = {-5.447609879822406e+01, 1.615858368580409e+02,
                               -1.556989798598866e+02, 6.680131188771972e+01,
                               -1.328068155288572e+01},
                        c[] = {-7.784894002430293e-03, -3.223964580411365e-01,
                               -2.400758277161838e+00, -2.549732539343734e+00,
                               4.374664141464968e+00,  2.938163982698783e+00},
                        d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                               3.754408661907416e+00};
    if (p > 0.5)
        return -normal_quantile(1 - p);
    if (p < 1e-300)
        return -38;
    if (p < 0.02425) {
        double q = sqrt(-2 * log(p));
        return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
               ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    }
    double q = p - 0.5, r = q * q;
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
           (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

/* Wilson and Hilferty: the cube root of a gamma variable is nearly normal. Its shape is such that
 * mean and variance are those of the negative binomial. */
static double gamma_shape(const struct spread *s)
{
    return 1 / (1 / s->mean + 1 / s->shape);
}

static double large_quantile(const struct spread *s, double q)
{
    double k = gamma_shape(s), x = 1 - 1 / (9 * k) + normal_quantile(q) / sqrt(9 * k);
    return x > 0 ? ceil(s->mean * x * x * x) : 0;
}

static double large_chance_over(const struct spread *s, double x)
{
    double k = gamma_shape(s);
    double z = (cbrt((x + 0.5) / s->mean) - 1 + 1 / (9 * k)) * sqrt(9 * k);
    return erfc(z / sqrt(2)) / 2;
}

/* Walks P(N = 0), P(N = 1), ... until the sum reaches `until` or x `most`; returns the last x. */
static double walk(const struct spread *s, double until, double most, double *ret_sum)
{
    double p = pow(s->shape / (s->shape + s->mean), s->shape), x = 0;
    double ratio = s->mean / (s->mean + s->shape);
    double sum = 1 - s->awake + s->awake * p;
    while (sum < until && x < most) {
        p *= (x + s->shape) / (x + 1) * ratio;
        sum += s->awake * p;
        x++;
    }
    *ret_sum = sum;
    return x;
}

double spread_quantile(const struct spread *s, double q)
{
    double sum;
    if (s->mean <= 0 || s->awake <= 0 || q <= 1 - s->awake)
        return 0;
    if (s->mean > EXACT_MEAN)
        return large_quantile(s, (q - 1 + s->awake) / s->awake);
    return walk(s, TIDE_MIN(q, 1 - 1e-9), 100 * EXACT_MEAN, &sum);
}

double spread_chance_over(const struct spread *s, double x)
{
    double sum;
    if (x < 0)
        return 1;
    if (s->mean <= 0 || s->awake <= 0)
        return 0;
    if (s->mean > EXACT_MEAN)
        return s->awake * large_chance_over(s, x);
    if (x > 100 * EXACT_MEAN)
        return 0;
    (void)walk(s, 2, floor(x), &sum);
    return TIDE_MAX(0, 1 - sum);
}

/* -- How much of it until an instant ------------------------------------------------------------
 */

/* Of what is left of the day, and of the days that follow. */
static void parts_until(
    const struct foreseen *f, tide_wall_ms now, tide_wall_ms at, double *ret_rest, double *ret_next)
{
    double length = (double)(f->day_end - f->day_start);
    double gone = site_gone(f->site, f->day, (double)(now - f->day_start) / length);
    *ret_next = 0;
    *ret_rest = 1;
    if (at <= f->day_end) {
        double then = site_gone(f->site, f->day, (double)(at - f->day_start) / length);
        *ret_rest = gone < 1 ? TIDE_MIN(TIDE_MAX((then - gone) / (1 - gone), 0), 1) : 1;
        return;
    }
    int64_t whole = (at - f->day_end) / TIME_DAY_MS;
    double part = (double)((at - f->day_end) % TIME_DAY_MS) / (double)TIME_DAY_MS;
    *ret_next = (double)whole + site_gone(f->site, f->day + 1 + (int32_t)whole, part);
}

/* Two kinds of days, each zero with a chance of its own: of their moments, one spread. */
static struct spread spread_of(double mean, double square)
{
    if (mean <= 0)
        return (struct spread){.shape = 1};
    return (struct spread){
        .awake = 1, .mean = mean, .shape = square > 0 ? mean * mean / square : SHAPE_MAX};
}

static double square_of(double awake, double mean)
{
    return awake * mean * mean / FORECAST_SHAPE + awake * (1 - awake) * mean * mean;
}

static struct spread recipient_until(const struct foreseen *f, tide_wall_ms now, tide_wall_ms at)
{
    double rest, next;
    parts_until(f, now, at, &rest, &next);
    if (next <= 0)
        return (struct spread){f->rest.awake, f->rest.mean * rest, FORECAST_SHAPE};
    double mean = rest_mean(&f->rest) + f->next_awake * f->next_mean * next;
    return spread_of(mean, square_of(f->rest.awake, f->rest.mean) +
                               square_of(f->next_awake, f->next_mean) * next * next);
}

void crowd_add(struct crowd *c, const struct foreseen *f)
{
    size_t i = 0;
    while (i < c->count && c->parts[i].like.site != f->site)
        i++;
    if (i == CROWD_SITES_MAX)
        i--; /* the hours of another kind of day */
    if (i == c->count) {
        c->parts[i] = (struct crowd_part){.like = *f};
        c->count++;
    }
    struct crowd_part *p = &c->parts[i];
    p->rest += rest_mean(&f->rest);
    p->rest_var += square_of(f->rest.awake, f->rest.mean);
    p->next += f->next_awake * f->next_mean;
    p->next_var += square_of(f->next_awake, f->next_mean);
    c->recipients++;
}

struct spread crowd_until(const struct crowd *c, tide_wall_ms now, tide_wall_ms at)
{
    double mean = 0, square = 0, share = c->share > 0 ? c->share : 1;
    for (size_t i = 0; i < c->count; i++) {
        const struct crowd_part *p = &c->parts[i];
        double rest, next;
        parts_until(&p->like, now, at, &rest, &next);
        mean += p->rest * rest + p->next * next;
        square += p->rest_var * rest * rest + p->next_var * next * next;
    }
    mean = TIDE_MIN(mean * share, CROWD_MAX);
    return spread_of(mean, square * share * share + OUTLOOK_COMMON * mean * mean);
}

/* -- The fan ------------------------------------------------------------------------------------
 */

/* Whose: one of the two. */
struct whose {
    const struct foreseen *one;
    const struct crowd *all;
};

static struct spread until_of(const struct whose *w, tide_wall_ms now, tide_wall_ms at)
{
    return w->one ? recipient_until(w->one, now, at) : crowd_until(w->all, now, at);
}

static double chance_at(
    const struct whose *w, tide_wall_ms now, tide_wall_ms at, outlook_room *room, void *arg)
{
    struct spread s = until_of(w, now, at);
    return room ? spread_chance_over(&s, floor(room(arg, at))) : 0;
}

static void put_point(
    const struct whose *w, tide_wall_ms at, outlook_room *room, void *arg, struct outlook *o)
{
    struct spread s = until_of(w, o->from, at);
    struct outlook_point *p = &o->points[o->count++];
    *p = (struct outlook_point){.at = at, .mean = s.awake * s.mean};
    p->median = spread_quantile(&s, 0.5);
    for (int b = 0; b < OUTLOOK_BANDS; b++) {
        double tail = (1 - outlook_percent[b] / 100.0) / 2;
        p->low[b] = spread_quantile(&s, tail);
        p->high[b] = spread_quantile(&s, 1 - tail);
    }
    /* What has happened stays: with a rolling window room comes back. */
    double before = o->count > 1 ? p[-1].chance : 0;
    p->chance = TIDE_MAX(before, chance_at(w, o->from, at, room, arg));
}

/* The instant at which half of the chance has come true, between two points by halving. */
static tide_wall_ms half_way(const struct whose *w,
                             const struct outlook *o,
                             outlook_room *room,
                             void *arg)
{
    tide_wall_ms low = o->from, high = o->until;
    for (size_t i = 0; i < o->count; i++) {
        if (o->points[i].chance * 2 >= o->chance) {
            high = o->points[i].at;
            break;
        }
        low = o->points[i].at;
    }
    while (high - low > TIME_MINUTE_MS) {
        tide_wall_ms middle = low + (high - low) / 2;
        if (chance_at(w, o->from, middle, room, arg) * 2 >= o->chance)
            high = middle;
        else
            low = middle;
    }
    return high;
}

static void foresee(const struct whose *w,
                    tide_wall_ms now,
                    tide_wall_ms until,
                    outlook_room *room,
                    void *arg,
                    struct outlook *ret)
{
    *ret = (struct outlook){.from = now, .until = TIDE_MAX(until, now)};
    tide_wall_ms span = ret->until - now, step = TIME_HOUR_MS;
    while (span / step >= OUTLOOK_POINTS_MAX - 2)
        step = step < TIME_DAY_MS ? TIME_DAY_MS : step * 2;
    /* At full hours, so that whoever reads them finds them on his clock. */
    for (tide_wall_ms at = (now / step + 1) * step; at < ret->until; at += step)
        put_point(w, at, room, arg, ret);
    put_point(w, ret->until, room, arg, ret);
    ret->chance = ret->points[ret->count - 1].chance;
    if (ret->chance > 0)
        ret->over_at = half_way(w, ret, room, arg);
}

void outlook_of_recipient(const struct foreseen *f,
                          tide_wall_ms now,
                          tide_wall_ms until,
                          outlook_room *room,
                          void *arg,
                          struct outlook *ret)
{
    foresee(&(struct whose){.one = f}, now, until, room, arg, ret);
}

void outlook_of_crowd(const struct crowd *c,
                      tide_wall_ms now,
                      tide_wall_ms until,
                      outlook_room *room,
                      void *arg,
                      struct outlook *ret)
{
    foresee(&(struct whose){.all = c}, now, until, room, arg, ret);
}
