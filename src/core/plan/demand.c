#include "core/plan/demand.h"

#include "base/macros.h"

#define URGENT_FADE   0.1f /* of the mean of urgent ones a day: ten days */
#define PULL_SHARE    1.0  /* of a day's worth: so much today's count has to weigh against */
#define SAVE_EACH_MAX 256  /* notifications: so many may be missing after a crash */

/* -- Days -------------------------------------------------------------------------------------- */

static int32_t day_of(const struct zone *zone, tide_wall_ms t, double *ret_part)
{
    int64_t local = zone_local_ms(zone, t), day = local / TIME_DAY_MS;
    if (local < day * TIME_DAY_MS)
        day--;
    *ret_part = (double)(local - day * TIME_DAY_MS) / (double)TIME_DAY_MS;
    return (int32_t)day;
}

static void end_day(struct demand *d)
{
    forecast_level_step(&d->level, d->today, site_factor(&d->site, d->day),
                        site_factor(&d->site, d->day + 1));
    d->urgent += URGENT_FADE * ((float)d->urgent_today - d->urgent);
    d->today = d->urgent_today = 0;
    d->day++;
}

static void roll(struct demand *d, int32_t day)
{
    if (!d->site.begun)
        d->day = day;
    site_roll(&d->site, day);
    if (d->level.awake <= 0)
        forecast_level_start(&d->level, 1);
    if (day < d->day - 1)
        d->day = day; /* as site_roll() */
    if ((int64_t)day - d->day > FORECAST_DAYS_MAX - 1)
        d->day = day - (FORECAST_DAYS_MAX - 1);
    while (d->day < day)
        end_day(d);
}

void demand_init(struct demand *d)
{
    *d = (struct demand){0};
    site_init(&d->site);
}

void demand_count(struct demand *d, const struct zone *zone, tide_wall_ms now, uint32_t n)
{
    double part;
    roll(d, day_of(zone, now, &part));
    site_count(&d->site, TIDE_MIN((int)(part * 24), 23), n);
    d->today += n;
    d->unsaved += n;
}

void demand_count_urgent(struct demand *d, const struct zone *zone, tide_wall_ms now)
{
    double part;
    roll(d, day_of(zone, now, &part));
    d->urgent_today++;
    d->unsaved++;
}

/* -- What is to come --------------------------------------------------------------------------- */

/* A day after today: the weekday's factor of a week before it. */
static double mean_of(const struct demand *d, int32_t day)
{
    int32_t like = day - 7 * ((day - d->day + 6) / 7);
    double today = (double)site_factor(&d->site, d->day);
    return (double)d->level.mean * (today > 0 ? (double)site_factor(&d->site, like) / today : 1);
}

struct demanded demand_until(struct demand *d,
                             const struct zone *zone,
                             tide_wall_ms now,
                             tide_wall_ms until)
{
    double x, end;
    int32_t day = day_of(zone, now, &x), last = day_of(zone, TIDE_MAX(until, now), &end);
    roll(d, day);
    last = TIDE_MIN(last, day + DEMAND_DAYS_MAX);
    double gone = site_gone(&d->site, day, x), m = (double)d->level.mean;
    double pull = (PULL_SHARE * m + d->today) / (PULL_SHARE * m + m * gone);
    double first = site_gone(&d->site, day, last > day ? 1 : end) - gone;
    struct demanded out = {m * pull * first, (double)d->urgent * first};
    for (int32_t ahead = day + 1; ahead <= last; ahead++) {
        double share = ahead < last ? 1 : site_gone(&d->site, ahead, end);
        out.normal += mean_of(d, ahead) * share;
        out.urgent += (double)d->urgent * share;
    }
    return out;
}

/* -- Stored: a version, the level, the counts, the site ------------------------------------------
 */

#define VERSION    1
#define HEAD_BYTES (1 + FORECAST_BYTES + 12)

bool demand_is_unsaved(const struct demand *d)
{
    return d->unsaved > TIDE_MIN((uint32_t)d->level.mean / 32, SAVE_EACH_MAX);
}

static void put_u32(char *p, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        p[i] = (char)(x >> 8 * i);
}

static uint32_t get_u32(const char *p)
{
    uint32_t x = 0;
    for (int i = 0; i < 4; i++)
        x |= (uint32_t)(unsigned char)p[i] << 8 * i;
    return x;
}

void demand_encode(struct demand *d, struct buf *ret)
{
    const struct forecast level = {.level = d->level, .day = d->day};
    char head[HEAD_BYTES] = {VERSION};
    char *p = head + 1;
    forecast_encode(&level, p);
    p += FORECAST_BYTES;
    put_u32(p, d->today);
    put_u32(p + 4, d->urgent_today);
    put_u32(p + 8, (uint32_t)(d->urgent * 1000));
    buf_add(ret, head, sizeof head);
    site_encode(&d->site, ret);
    d->unsaved = 0;
}

enum tide_err demand_decode(struct text blob, struct demand *ret, struct tide_error *err)
{
    struct demand d = {0};
    struct forecast level;
    if (blob.n < HEAD_BYTES || blob.p[0] != VERSION || !forecast_decode(blob.p + 1, &level))
        return tide_fail(err, TIDE_ECORRUPT, "demand: %zu bytes of no known version", blob.n);
    const char *p = blob.p + 1 + FORECAST_BYTES;
    d.level = level.level;
    d.day = level.day;
    d.today = get_u32(p);
    d.urgent_today = get_u32(p + 4);
    d.urgent = (float)get_u32(p + 8) / 1000;
    enum tide_err rc = site_decode(text_cut(blob, HEAD_BYTES, blob.n), &d.site, err);
    if (rc == TIDE_OK)
        *ret = d;
    return rc;
}
