#include "core/plan/forecast.h"

#include "base/macros.h"

#include <math.h>

/* Measured on three sites of two years and more; plan.md says what else was tried. */
#define FADE           0.98769866f /* 2^(-1/56): profile and factors, a half life of 56 days */
#define HOURS_START    2.0f        /* an hour's count before anything was seen */
#define RATIO_START    20.0f       /* days' worth of belief that all weekdays are alike */
#define SHARE_FLOOR    0.05f       /* of the profile, spread evenly: no hour is impossible */
#define MEAN_START     2.0         /* notifications a recipient and day */
#define MEAN_WEIGHT    0.5         /* days' worth of belief in it */
#define MIX_FAST       0.6
#define FADE_SLOW      0.09516258f /* 1 - e^(-1/10): ten days */
#define FADE_FAST      0.56540179f /* 1 - e^(-1/1.2): 1.2 days */
#define WAKE_OR_SLEEP  0.03        /* a day, either way */
#define DORMANCY_SHAPE 1.5
#define TODAY_SHAPE    6.0 /* days' worth of belief in the level against today's count */
#define AWAKE_START    0.5f

#define APART       0.08 /* of the mail at other times: a profile of its own */
#define APART_STILL 0.05
#define CHANCE      0.6 /* mean distance of a multinomial, an hour: 0.4; mail comes in clumps */

#define DAY_MAX      1000000 /* year 4707 */
#define SITE_VERSION 1
#define SITE_BYTES   (1 + 4 + 4 + 8 + 4 * (48 + 14 + FORECAST_SITE_DAYS + 24))

/* -- The site ---------------------------------------------------------------------------------- */

static void derive_profile(struct site *s)
{
    for (int y = 0; y < 2; y++) {
        float sum = 0, gone = 0;
        for (int h = 0; h < 24; h++)
            sum += s->hours[y][h];
        for (int h = 0; h < 24; h++) {
            const float *n = s->hours[y];
            float smooth = 0.25f * n[(h + 23) % 24] + 0.5f * n[h] + 0.25f * n[(h + 1) % 24];
            s->share[y][h] = (1 - SHARE_FLOOR) * smooth / sum + SHARE_FLOOR / 24;
        }
        for (int h = 0; h < 24; h++) {
            s->gone[y][h] = gone;
            gone += s->share[y][h];
        }
        s->gone[y][24] = 1;
    }
}

static float factor_of(const struct site *s, int32_t day)
{
    float sum = 0;
    for (int d = 0; d < 7; d++)
        sum += s->ratio[d] / s->ratio_weight[d];
    int d = forecast_weekday(day);
    return s->ratio[d] / s->ratio_weight[d] / (sum / 7);
}

static void put_factor(struct site *s)
{
    s->factor[(uint32_t)s->day % FORECAST_DAYS_MAX] = factor_of(s, s->day);
}

void site_init(struct site *s)
{
    *s = (struct site){0};
    for (int h = 0; h < 48; h++)
        s->hours[h / 24][h % 24] = HOURS_START;
    for (int d = 0; d < 7; d++)
        s->ratio[d] = s->ratio_weight[d] = RATIO_START;
    for (int d = 0; d < FORECAST_DAYS_MAX; d++)
        s->factor[d] = 1;
    derive_profile(s);
}

void site_branch(struct site *s, const struct site *whole)
{
    site_init(s);
    s->begun = whole->begun;
    s->day = s->first = whole->day;
    for (int y = 0; y < 2; y++)
        for (int h = 0; h < 24; h++)
            s->hours[y][h] = whole->share[y][h] * SITE_BRANCH * (y ? 2 : 5) / 7;
    for (int d = 0; d < 7; d++)
        s->ratio[d] = RATIO_START * whole->ratio[d] / whole->ratio_weight[d];
    memcpy(s->factor, whole->factor, sizeof s->factor);
    derive_profile(s);
}

double site_moved(const struct site *s, const float share[2][24])
{
    double mail[2] = {0}, other[2] = {0};
    for (int y = 0; y < 2; y++)
        for (int h = 0; h < 24; h++) {
            mail[y] += (double)s->hours[y][h];
            other[y] += fabs((double)s->share[y][h] - (double)share[y][h]) / 2;
        }
    return (mail[0] * other[0] + mail[1] * other[1]) / (mail[0] + mail[1]);
}

/* How far the hours of as much mail would lie from the true ones by chance alone. */
static double by_chance(const struct site *s)
{
    double mail = 0, far = 0;
    for (int y = 0; y < 2; y++) {
        double of_type = 0, roots = 0;
        for (int h = 0; h < 24; h++) {
            of_type += (double)s->hours[y][h];
            roots += sqrt((double)s->share[y][h]);
        }
        mail += of_type;
        far += sqrt(of_type) * roots;
    }
    return CHANCE * far / mail;
}

bool site_is_apart(const struct site *s, const struct site *whole, bool was)
{
    double weekdays = 0;
    for (int d = 0; d < 7; d++)
        weekdays += fabs((double)(s->ratio[d] / s->ratio_weight[d] -
                                  whole->ratio[d] / whole->ratio_weight[d])) /
                    14;
    return site_moved(s, whole->share) + weekdays - by_chance(s) > (was ? APART_STILL : APART);
}

static void end_day(struct site *s)
{
    int type = forecast_weekend(s->day), weekday = forecast_weekday(s->day);
    uint64_t total = 0, sum = 0;
    for (int h = 0; h < 48; h++)
        s->hours[h / 24][h % 24] *= FADE;
    for (int h = 0; h < 24; h++) {
        s->hours[type][h] += (float)s->today[h];
        total += s->today[h];
        s->today[h] = 0;
    }
    s->totals[(uint32_t)s->day % FORECAST_SITE_DAYS] = (uint32_t)TIDE_MIN(total, UINT32_MAX);
    for (int i = 0; i < FORECAST_SITE_DAYS; i++)
        sum += s->totals[i];
    for (int d = 0; d < 7; d++) {
        s->ratio[d] *= FADE;
        s->ratio_weight[d] *= FADE;
    }
    if (sum) {
        int64_t days = TIDE_MIN((int64_t)s->day - s->first + 1, FORECAST_SITE_DAYS);
        s->ratio[weekday] += (float)((double)total * (double)days / (double)sum);
        s->ratio_weight[weekday] += 1;
    }
    s->day++;
    put_factor(s);
}

void site_roll(struct site *s, int32_t day)
{
    if (!s->begun) {
        s->begun = true;
        s->day = s->first = day;
        put_factor(s);
        return;
    }
    if (day < s->day - 1)
        s->day = day; /* that far ahead the clock was plainly wrong */
    s->first = TIDE_MIN(s->first, s->day);
    if (day <= s->day)
        return;
    /* Nothing for over a year: what is older than the longest memory is not walked through. */
    if ((int64_t)day - s->day > FORECAST_DAYS_MAX) {
        for (int h = 0; h < 24; h++)
            s->today[h] = 0;
        s->day = day - FORECAST_DAYS_MAX;
    }
    while (s->day < day)
        end_day(s);
    derive_profile(s);
}

void site_count(struct site *s, int hour, uint32_t n)
{
    s->today[hour] += n;
    s->seen += n;
}

float site_factor(const struct site *s, int32_t day)
{
    return s->factor[(uint32_t)day % FORECAST_DAYS_MAX];
}

double site_gone(const struct site *s, int32_t day, double x)
{
    int y = forecast_weekend(day);
    double hours = TIDE_MIN(TIDE_MAX(x, 0), 1) * 24;
    int h = (int)TIDE_MIN(hours, 23);
    return (double)s->gone[y][h] + (hours - h) * (double)s->share[y][h];
}

double site_rest(const struct site *s, int32_t day, double gone)
{
    uint64_t sum = 0;
    int64_t days = TIDE_MIN((int64_t)s->day - s->first, FORECAST_SITE_DAYS);
    for (int i = 0; i < FORECAST_SITE_DAYS; i++)
        sum += s->totals[i];
    return days > 0 ? (double)sum / (double)days * (double)site_factor(s, day) * (1 - gone) : 0;
}

/* -- A recipient's level ----------------------------------------------------------------------- */

/* P(nobody writes | awake) where `mean` was expected. */
static double silence(double mean)
{
    double x = DORMANCY_SHAPE / (DORMANCY_SHAPE + mean);
    return x * sqrt(x); /* to the power of DORMANCY_SHAPE */
}

static double awake_after(double awake, unsigned n, double mean)
{
    if (n > 0)
        return 1;
    double p = awake * silence(mean);
    return p / (p + 1 - awake);
}

static void set_mean(struct forecast_level *l, float factor)
{
    double slow =
        (MEAN_WEIGHT * MEAN_START + (double)l->slow) / (MEAN_WEIGHT + (double)l->slow_weight);
    double fast = (MEAN_WEIGHT * slow + (double)l->fast) / (MEAN_WEIGHT + (double)l->fast_weight);
    l->mean = (float)(slow * pow(fast / slow, MIX_FAST)) * factor;
}

void forecast_level_start(struct forecast_level *l, float factor)
{
    *l = (struct forecast_level){.awake = AWAKE_START};
    set_mean(l, factor);
}

void forecast_level_step(struct forecast_level *l, unsigned n, float factor, float next)
{
    float q = (float)awake_after((double)l->awake, n, (double)l->mean);
    l->slow = l->slow * (1 - q * FADE_SLOW) + (float)n;
    l->slow_weight = l->slow_weight * (1 - q * FADE_SLOW) + q * factor;
    l->fast = l->fast * (1 - q * FADE_FAST) + (float)n;
    l->fast_weight = l->fast_weight * (1 - q * FADE_FAST) + q * factor;
    l->awake = q * (1 - (float)WAKE_OR_SLEEP) + (1 - q) * (float)WAKE_OR_SLEEP;
    set_mean(l, next);
}

void forecast_begin_day(struct forecast *f, int32_t day)
{
    if (f->day == day)
        return;
    f->day = day;
    f->urgent = 0;
}

void forecast_roll(struct forecast *f, const struct site *s, int32_t day)
{
    if (f->level.awake <= 0) {
        forecast_level_start(&f->level, site_factor(s, day));
        forecast_begin_day(f, day);
        f->today = 0;
        return;
    }
    if (day < f->day - 1)
        f->day = day; /* as site_roll() */
    if (day <= f->day)
        return;
    if ((int64_t)day - f->day > FORECAST_DAYS_MAX - 1)
        f->day = day - (FORECAST_DAYS_MAX - 1);
    for (; f->day < day; f->day++) {
        forecast_level_step(&f->level, f->today, site_factor(s, f->day),
                            site_factor(s, f->day + 1));
        f->today = 0;
        f->warned = false;
        f->urgent = 0;
    }
}

void forecast_count(struct forecast *f, const struct site *s, int32_t day, uint32_t at_s)
{
    forecast_roll(f, s, day);
    if (f->today < UINT16_MAX)
        f->today++;
    f->last_s = at_s;
}

/* -- What is left of the day ------------------------------------------------------------------- */

static double todays_pull(double mean, unsigned n, double gone)
{
    return (TODAY_SHAPE + n) / (TODAY_SHAPE + mean * gone);
}

struct rest forecast_rest(const struct forecast_level *l, unsigned n, double gone)
{
    double m = (double)l->mean;
    return (struct rest){.awake = awake_after((double)l->awake, n, m * gone),
                         .mean = m * (1 - gone) * todays_pull(m, n, gone)};
}

double forecast_level_now(const struct forecast_level *l, unsigned n, double gone)
{
    double m = (double)l->mean;
    return awake_after((double)l->awake, n, m * gone) * m * todays_pull(m, n, gone);
}

double rest_mean(const struct rest *r)
{
    return r->awake * r->mean;
}

double rest_first(const struct rest *r, double *ret_nb)
{
    *ret_nb = pow(FORECAST_SHAPE / (FORECAST_SHAPE + r->mean), FORECAST_SHAPE);
    return 1 - r->awake + r->awake * *ret_nb;
}

double rest_next(const struct rest *r, unsigned x, double *nb)
{
    *nb *= (x + FORECAST_SHAPE) / (x + 1.0) * r->mean / (r->mean + FORECAST_SHAPE);
    return r->awake * *nb;
}

#define COUNT_MAX 100000u /* a tail that long is a sum that never reaches its level by rounding */

unsigned rest_quantile(const struct rest *r, double q)
{
    double nb, sum = rest_first(r, &nb);
    unsigned x = 0;
    while (sum < q && x < COUNT_MAX) {
        sum += rest_next(r, x, &nb);
        x++;
    }
    return x;
}

double rest_chance_over(const struct rest *r, unsigned x)
{
    double nb, sum = rest_first(r, &nb);
    for (unsigned i = 0; i < TIDE_MIN(x, COUNT_MAX); i++)
        sum += rest_next(r, i, &nb);
    return TIDE_MAX(0, 1 - sum);
}

struct rest_score rest_judge(const struct rest *r, unsigned y)
{
    struct rest_score s = {0};
    double nb, p = rest_first(r, &nb), sum = 0;
    for (unsigned x = 0; x <= y || (sum < 1 - 1e-9 && x < COUNT_MAX); x++) {
        if (x)
            p = rest_next(r, x - 1, &nb);
        if (x == y) {
            s.below = sum;
            s.upto = sum + p;
            s.log_score = -log(TIDE_MAX(p, 1e-300));
        }
        sum += p;
        s.crps += (sum - (y <= x)) * (sum - (y <= x));
    }
    return s;
}

/* -- Stored ------------------------------------------------------------------------------------ */

static void put32(char **p, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        *(*p)++ = (char)(x >> 8 * i);
}

static uint32_t get32(const char **p)
{
    uint32_t x = 0;
    for (int i = 0; i < 4; i++)
        x |= (uint32_t)(unsigned char)*(*p)++ << 8 * i;
    return x;
}

static void put_float(char **p, float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    put32(p, u);
}

/* Not below zero, not past all sense: what a damaged row holds must not spread. */
static float get_float(const char **p, bool *ok)
{
    float x;
    uint32_t u = get32(p);
    memcpy(&x, &u, sizeof x);
    if (!(x >= 0 && x < 1e12f)) {
        *ok = false;
        return 0;
    }
    return x;
}

/* A day that some clock may have shown. */
static int32_t get_day(const char **p, bool *ok)
{
    int32_t day = (int32_t)get32(p);
    if (day < -DAY_MAX || day > DAY_MAX) {
        *ok = false;
        return 0;
    }
    return day;
}

void forecast_encode(const struct forecast *f, char out[FORECAST_BYTES])
{
    const struct forecast_level *l = &f->level;
    const float floats[6] = {l->slow, l->slow_weight, l->fast, l->fast_weight, l->awake, l->mean};
    char *p = out;
    for (int i = 0; i < 6; i++)
        put_float(&p, floats[i]);
    put32(&p, (uint32_t)f->day);
    put32(&p, f->today | (uint32_t)f->warned << 16 | (uint32_t)f->urgent << 24);
    put32(&p, f->last_s);
}

bool forecast_decode(const char in[FORECAST_BYTES], struct forecast *ret)
{
    bool ok = true;
    float x[6];
    const char *p = in;
    for (int i = 0; i < 6; i++)
        x[i] = get_float(&p, &ok);
    struct forecast f = {.level = {x[0], x[1], x[2], x[3], x[4], x[5]}};
    f.day = get_day(&p, &ok);
    uint32_t today = get32(&p);
    f.today = (uint16_t)today;
    f.warned = today >> 16 & 1;
    f.urgent = (uint8_t)(today >> 24);
    f.last_s = get32(&p);
    ok = ok && f.level.awake <= 1;
    if (ok)
        *ret = f;
    return ok;
}

void site_encode(const struct site *s, struct buf *ret)
{
    char *p = buf_room(ret, SITE_BYTES);
    if (!p)
        return;
    *p++ = SITE_VERSION;
    put32(&p, (uint32_t)s->day);
    put32(&p, (uint32_t)s->first);
    put32(&p, (uint32_t)s->seen);
    put32(&p, (uint32_t)(s->seen >> 32));
    for (int i = 0; i < 48; i++)
        put_float(&p, s->hours[i / 24][i % 24]);
    for (int d = 0; d < 7; d++) {
        put_float(&p, s->ratio[d]);
        put_float(&p, s->ratio_weight[d]);
    }
    for (int i = 0; i < FORECAST_SITE_DAYS; i++)
        put32(&p, s->totals[i]);
    for (int h = 0; h < 24; h++)
        put32(&p, s->today[h]);
    buf_added(ret, SITE_BYTES);
}

/* The factors of past days are not stored: a weekday's changes by less than a hundredth a week. */
static void restore_factors(struct site *s)
{
    for (int32_t back = 0; back < FORECAST_DAYS_MAX; back++) {
        int32_t day = s->day - back;
        s->factor[(uint32_t)day % FORECAST_DAYS_MAX] = factor_of(s, day);
    }
}

enum tide_err site_decode(struct text blob, struct site *ret, struct tide_error *err)
{
    struct site s;
    bool ok = true;
    if (blob.n != SITE_BYTES || blob.p[0] != SITE_VERSION)
        return tide_fail(err, TIDE_ECORRUPT, "site profile: %zu bytes of no known version", blob.n);
    site_init(&s);
    const char *p = blob.p + 1;
    s.begun = true;
    s.day = get_day(&p, &ok);
    s.first = get_day(&p, &ok);
    s.seen = get32(&p);
    s.seen |= (uint64_t)get32(&p) << 32;
    for (int i = 0; i < 48; i++)
        s.hours[i / 24][i % 24] = get_float(&p, &ok);
    for (int d = 0; d < 7; d++) {
        s.ratio[d] = get_float(&p, &ok);
        s.ratio_weight[d] = get_float(&p, &ok);
        ok = ok && s.ratio[d] > 0 && s.ratio_weight[d] > 0;
    }
    for (int i = 0; i < FORECAST_SITE_DAYS; i++)
        s.totals[i] = get32(&p);
    for (int h = 0; h < 24; h++)
        s.today[h] = get32(&p);
    float sum[2] = {0};
    for (int i = 0; i < 48; i++)
        sum[i / 24] += s.hours[i / 24][i % 24];
    if (!ok || sum[0] <= 0 || sum[1] <= 0)
        return tide_fail(err, TIDE_ECORRUPT, "site profile: a number that cannot be");
    derive_profile(&s);
    restore_factors(&s);
    *ret = s;
    return TIDE_OK;
}
