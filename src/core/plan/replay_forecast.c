/* The forecast judged: for each recipient, from his second day to a week after his last, and each
 * day after the warm-up, what was expected at midnight and at 13:00, against what came. */
#include "core/plan/replay.h"

#include "base/macros.h"
#include "core/plan/outlook.h"
#include "core/plan/policy_quiet.h"

#include <math.h>
#include <stdlib.h>

#define PIT_BINS     10
#define JUDGED_AFTER 7 /* days after a recipient's last: he may have gone for good */

struct judged {
    uint64_t days, within_q90;
    double crps, log_score, pit[PIT_BINS];
};

struct user {
    struct forecast forecast; /* at the start of the day */
    uint32_t by_noon, today, source;
    int32_t first_day, last_day; /* of the trace's events to him */
};

/* One of those who write. */
struct branch {
    uint32_t source;
    bool apart;
    struct site site;
};

struct book {
    const struct replay_trace *trace;
    struct zone *zone;
    struct site site;
    struct branch *branches[QUIET_SOURCES_MAX];
    unsigned branch_count;
    struct user *users;
    struct judged midnight, noon, crowd;
    struct replay_forecast *out;
    uint32_t watched; /* whose fan is drawn */
};

/* NULL: nobody knows who writes, or they are too many, or out of memory. */
static struct branch *branch_of(struct book *k, uint32_t source, bool make)
{
    for (unsigned i = 0; source && i < k->branch_count; i++)
        if (k->branches[i]->source == source)
            return k->branches[i];
    if (!source || !make || k->branch_count == QUIET_SOURCES_MAX)
        return NULL;
    struct branch *b = calloc(1, sizeof *b);
    if (b) {
        b->source = source;
        site_branch(&b->site, &k->site);
        k->branches[k->branch_count++] = b;
    }
    return b;
}

static void roll(struct book *k, int32_t day)
{
    site_roll(&k->site, day);
    for (unsigned i = 0; i < k->branch_count; i++) {
        struct branch *b = k->branches[i];
        if (b->site.day == day)
            continue;
        site_roll(&b->site, day);
        b->apart = site_is_apart(&b->site, &k->site, b->apart);
    }
}

static const struct site *site_of(struct book *k, const struct user *u)
{
    const struct branch *b = branch_of(k, u->source, false);
    return b && b->apart ? &b->site : &k->site;
}

static void judge(struct judged *j, const struct rest *r, unsigned came)
{
    struct rest_score s = rest_judge(r, came);
    j->days++;
    j->crps += s.crps;
    j->log_score += s.log_score;
    j->within_q90 += came <= rest_quantile(r, 0.9);
    /* Czado, Gneiting, Held: the transform of a count is uniform between P(N < y) and P(N <= y). */
    for (int b = 0; b < PIT_BINS; b++) {
        double from = (double)b / PIT_BINS, to = (double)(b + 1) / PIT_BINS;
        double a = TIDE_MAX(from, s.below), z = TIDE_MIN(to, s.upto);
        if (z > a)
            j->pit[b] += (z - a) / (s.upto - s.below);
    }
}

/* Of the sum over all recipients; relative: the mean over traces of any size means something. */
static void judge_crowd(struct judged *j, const struct crowd *c, double came)
{
    const struct foreseen *like = &c->parts[0].like;
    struct spread s = crowd_until(c, like->day_start, like->day_end);
    double upto = 1 - spread_chance_over(&s, came), below = 1 - spread_chance_over(&s, came - 1);
    if (s.mean <= 0)
        return;
    j->days++;
    j->crps += fabs(came - s.mean) / s.mean;
    j->within_q90 += came <= spread_quantile(&s, 0.9);
    for (int b = 0; b < PIT_BINS; b++) {
        double from = (double)b / PIT_BINS, to = (double)(b + 1) / PIT_BINS;
        double a = TIDE_MAX(from, below), z = TIDE_MIN(to, upto);
        if (z > a)
            j->pit[b] += (z - a) / (upto - below);
    }
}

static struct replay_scores scores_of(const struct judged *j)
{
    struct replay_scores s = {.days = j->days};
    double n = j->days ? (double)j->days : 1;
    s.crps = j->crps / n;
    s.log_score = j->log_score / n;
    s.q90_coverage = (double)j->within_q90 / n;
    for (int b = 0; b < PIT_BINS; b++)
        s.pit_error += fabs(j->pit[b] / n * PIT_BINS - 1) / PIT_BINS;
    return s;
}

static void draw(struct book *k, const struct rest *r, int32_t day, unsigned came)
{
    struct replay_forecast *out = k->out;
    if (out->fan_count == REPLAY_FAN_DAYS) {
        memmove(out->fan, out->fan + 1, sizeof out->fan - sizeof out->fan[0]);
        out->fan_count--;
    }
    out->fan[out->fan_count++] = (struct replay_fan){.day = day,
                                                     .q10 = rest_quantile(r, 0.1),
                                                     .q50 = rest_quantile(r, 0.5),
                                                     .q90 = rest_quantile(r, 0.9),
                                                     .q99 = rest_quantile(r, 0.99),
                                                     .came = came};
}

/* All users' day is known: judge it, then count it. */
static void end_day(struct book *k, int32_t day, bool scored)
{
    struct crowd crowd = {0};
    struct foreseen f = {.site = &k->site, .day = day, .day_end = TIME_DAY_MS};
    double came = 0;
    for (uint32_t i = 0; i < k->trace->user_count; i++) {
        struct user *u = &k->users[i];
        const struct site *site = site_of(k, u);
        if (u->forecast.level.awake > 0) {
            forecast_roll(&u->forecast, site, day);
            if (scored && day > u->first_day && day <= u->last_day + JUDGED_AFTER) {
                double gone = site_gone(site, day, REPLAY_NOON_HOUR / 24.0);
                struct rest all = forecast_rest(&u->forecast.level, 0, 0);
                struct rest left = forecast_rest(&u->forecast.level, u->by_noon, gone);
                f.site = site;
                f.rest = all;
                crowd_add(&crowd, &f);
                came += u->today;
                judge(&k->midnight, &all, u->today);
                judge(&k->noon, &left, u->today - u->by_noon);
                if (i == k->watched)
                    draw(k, &all, day, u->today);
            }
        }
        for (; u->today; u->today--)
            forecast_count(&u->forecast, site, day, 0);
        u->by_noon = 0;
    }
    if (crowd.recipients)
        judge_crowd(&k->crowd, &crowd, came);
}

static int32_t day_of(const struct book *k, int64_t at_s, int *ret_hour)
{
    int64_t local = zone_local_ms(k->zone, at_s * TIME_SECOND_MS);
    if (ret_hour)
        *ret_hour = (int)(local % TIME_DAY_MS / TIME_HOUR_MS);
    return (int32_t)(local / TIME_DAY_MS);
}

/* The days between a user's first and last event; returns the user of the most. */
static uint32_t survey(struct book *k)
{
    uint32_t best = 0;
    for (size_t i = 0; i < k->trace->count; i++) {
        const struct replay_event *e = &k->trace->events[i];
        struct user *u = &k->users[e->user];
        if (e->class == REPLAY_URGENT)
            continue;
        u->last_day = day_of(k, e->at_s, NULL);
        if (u->today++ == 0)
            u->first_day = u->last_day;
    }
    for (uint32_t u = 0; u < k->trace->user_count; u++)
        if (k->users[u].today > k->users[best].today)
            best = u;
    for (uint32_t u = 0; u < k->trace->user_count; u++)
        k->users[u].today = 0;
    return best;
}

static void walk(struct book *k, int warmup_days)
{
    const struct replay_event *e = k->trace->events;
    int32_t first = 0, day = 0;
    for (size_t i = 0; i < k->trace->count; i++) {
        int hour;
        int32_t its_day = day_of(k, e[i].at_s, &hour);
        if (i == 0)
            first = day = its_day;
        for (; day < its_day; day++) {
            roll(k, day);
            end_day(k, day, day >= first + warmup_days);
        }
        if (e[i].class == REPLAY_URGENT)
            continue;
        roll(k, day);
        site_count(&k->site, hour, 1);
        struct branch *b = branch_of(k, e[i].source, true);
        if (b)
            site_count(&b->site, hour, 1);
        k->users[e[i].user].source = e[i].source;
        k->users[e[i].user].today++;
        k->users[e[i].user].by_noon += hour < REPLAY_NOON_HOUR;
    }
}

enum tide_err replay_forecast(const struct replay_trace *trace,
                              const struct replay_settings *settings,
                              struct replay_forecast *ret,
                              struct tide_error *err)
{
    struct replay_forecast out = {0};
    struct book k = {.trace = trace, .out = &out};
    enum tide_err rc = settings->zones->load(settings->zones->arg, settings->zone, &k.zone, err);
    if (rc != TIDE_OK)
        return rc;
    k.users = calloc((size_t)trace->user_count + 1, sizeof *k.users);
    if (!k.users) {
        zone_free(k.zone);
        return tide_fail(err, TIDE_ENOMEM, "%u users", trace->user_count);
    }
    site_init(&k.site);
    k.watched = survey(&k);
    walk(&k, settings->warmup_days);
    out.midnight = scores_of(&k.midnight);
    out.noon = scores_of(&k.noon);
    out.crowd = scores_of(&k.crowd);
    *ret = out;
    for (unsigned i = 0; i < k.branch_count; i++)
        free(k.branches[i]);
    free(k.users);
    zone_free(k.zone);
    return TIDE_OK;
}
