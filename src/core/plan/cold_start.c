#include "core/plan/cold_start.h"

#include "base/macros.h"

#include <stdlib.h>

/* A day's counts weigh as so many notifications at most: that is enough to know the profile by, and
 * little enough that a window of few recipients soon has its own. */
#define HOURS_WEIGHT_MAX 2000.0f
#define DAY_COUNT_MAX    1000 /* of one recipient, for the median; the rest is counted there */
#define BUSY_HOURS       3

struct walk {
    struct cold_start out;
    struct window_rule *rule;
    uint32_t by_count[DAY_COUNT_MAX + 1]; /* recipients' days with so many */
    uint64_t of_type[2];                  /* notifications on weekdays, weekends */
};

static int32_t day_of(struct window_rule *rule, tide_wall_ms at, int *ret_hour)
{
    struct window_span w = window_at(rule, at);
    if (ret_hour)
        *ret_hour = TIDE_MIN((int)((at - w.start) * 24 / (w.end - w.start)), 23);
    return window_day(rule, w);
}

/* A recipient's day is over when his next one begins. */
static void count_day(struct walk *w, const struct forecast *f)
{
    if (f->today == 0)
        return;
    w->by_count[TIDE_MIN(f->today, DAY_COUNT_MAX)]++;
    w->out.recipient_days++;
    w->out.day_most = TIDE_MAX(w->out.day_most, f->today);
}

static void take(struct walk *w, const struct replay_event *e)
{
    int hour;
    tide_wall_ms at = e->at_s * TIME_SECOND_MS;
    int32_t day = day_of(w->rule, at, &hour);
    struct forecast *f = &w->out.recipients[e->user];
    if (f->level.awake > 0 && f->day != day)
        count_day(w, f);
    site_roll(&w->out.site, day);
    site_count(&w->out.site, hour, 1);
    forecast_count(f, &w->out.site, day, (uint32_t)e->at_s);
    if (w->out.notifications++ == 0)
        w->out.first_day = day;
    w->out.last_day = day;
    w->of_type[forecast_weekend(day)]++;
}

static void find_words(struct walk *w)
{
    struct cold_start *c = &w->out;
    uint64_t sum = 0, days[2] = {0};
    for (uint32_t n = 1; n <= DAY_COUNT_MAX && sum * 2 < c->recipient_days; n++) {
        sum += w->by_count[n];
        c->day_median = n;
    }
    for (int h = 0; h + BUSY_HOURS <= 24; h++) {
        double share = 0;
        for (int i = h; i < h + BUSY_HOURS; i++)
            share += (double)c->site.share[0][i];
        if (share > c->busy_share) {
            c->busy_share = share;
            c->busy_from = h;
        }
    }
    for (int32_t d = c->first_day; d <= c->last_day; d++)
        days[forecast_weekend(d)]++;
    c->weekend = 1;
    if (days[0] && days[1] && w->of_type[0])
        c->weekend =
            (double)w->of_type[1] / (double)days[1] * (double)days[0] / (double)w->of_type[0];
}

/* Made a beginning and not an end: what comes is compared with itself, not with the history's
 * numbers, which may be of many more recipients than come under one window. */
static void make_beginning(struct site *s)
{
    for (int y = 0; y < 2; y++) {
        float sum = 0;
        for (int h = 0; h < 24; h++)
            sum += s->hours[y][h];
        for (int h = 0; h < 24 && sum > HOURS_WEIGHT_MAX; h++)
            s->hours[y][h] *= HOURS_WEIGHT_MAX / sum;
    }
    for (int i = 0; i < FORECAST_SITE_DAYS; i++)
        s->totals[i] = 0;
    s->first = s->day;
    for (int h = 0; h < 24; h++)
        s->today[h] = 0;
}

enum tide_err cold_start_learn(const struct replay_trace *trace,
                               struct window_rule *rule,
                               tide_wall_ms now,
                               struct cold_start *ret,
                               struct tide_error *err)
{
    struct walk *w = calloc(1, sizeof *w);
    enum tide_err rc = TIDE_OK;
    if (w)
        w->out.recipients = calloc((size_t)trace->user_count + 1, sizeof(struct forecast));
    if (!w || !w->out.recipients) {
        free(w);
        return tide_fail(err, TIDE_ENOMEM, "%u recipients", trace->user_count);
    }
    w->rule = rule;
    site_init(&w->out.site);
    for (size_t i = 0; i < trace->count && rc == TIDE_OK; i++) {
        const struct replay_event *e = &trace->events[i];
        if (e->user >= trace->user_count || (i && e->at_s < e[-1].at_s))
            rc = tide_fail(err, TIDE_ERANGE, "event %zu is not sorted in", i + 1);
        else if (e->class != REPLAY_URGENT && e->at_s * TIME_SECOND_MS <= now)
            take(w, e);
    }
    if (rc == TIDE_OK && w->out.notifications == 0)
        rc = tide_fail(err, TIDE_ENOENT, "nothing in it lies in the past");
    if (rc == TIDE_OK) {
        int32_t today = day_of(rule, now, NULL);
        site_roll(&w->out.site, today);
        for (uint32_t u = 0; u < trace->user_count; u++)
            if (w->out.recipients[u].level.awake > 0) {
                count_day(w, &w->out.recipients[u]);
                forecast_roll(&w->out.recipients[u], &w->out.site, today);
            }
        find_words(w);
        make_beginning(&w->out.site);
        *ret = w->out;
    } else {
        cold_start_fini(&w->out);
    }
    free(w);
    return rc;
}

void cold_start_fini(struct cold_start *c)
{
    free(c->recipients);
    c->recipients = NULL;
}
