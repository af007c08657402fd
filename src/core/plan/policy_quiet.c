#include "core/plan/policy_quiet.h"

#include "base/macros.h"
#include "core/plan/expected.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define AT_ONCE_MS      TIME_SECOND_MS
#define SAVE_EACH       256  /* notifications: so many may be missing of a profile after a crash */
#define MOVED_SHARE     0.08 /* of the day's mail in other hours: the table is outdated */
#define FLUID_STEPS_MAX 3
#define STREAM_SENDS    3
#define LEVEL_MOST      quiet_level(QUIET_LEVELS - 1)
#define FLAT_ID         0u /* the place of a day without hours */
#define EXPECTED_KEY    "policy|expected"

struct place {
    struct site site;
    uint32_t window_id, source; /* 0: all who write */
    int32_t compared_day;
    bool apart;     /* from the whole: its own profile is used */
    uint64_t saved; /* site.seen when it was written last */
    int32_t saved_day;
};

struct table_entry {
    struct quiet_table *table; /* NULL: none yet */
    struct place *place;
    int quota, reserve;
    float urgent_part;   /* of the price of urgent mail: what is held waits for so much of a day */
    int32_t checked_day; /* the profile was compared on that day */
    bool wanted, building;
};

struct quiet_policy {
    struct quiet_settings settings;
    struct policy policy;
    struct place *places[QUIET_SITES_MAX];
    struct table_entry tables[QUIET_TABLES_MAX];
    unsigned place_count, table_count, wanted_count;
    struct table_entry *last_table; /* looked up last */
    struct expected expected;
    char key[QUIET_KEY_BYTES];
};

/* -- Sites and tables -------------------------------------------------------------------------- */

static struct place *find_place(const struct quiet_policy *q, uint32_t window_id, uint32_t source)
{
    for (unsigned i = 0; i < q->place_count; i++)
        if (q->places[i]->window_id == window_id && q->places[i]->source == source)
            return q->places[i];
    return NULL;
}

static struct place *add_place(struct quiet_policy *q, uint32_t window_id, uint32_t source)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    site_init(&p->site);
    p->window_id = window_id;
    p->source = source;
    q->places[q->place_count++] = p;
    return p;
}

static struct place *get_place(struct quiet_policy *q, uint32_t window_id)
{
    struct place *p = find_place(q, window_id, 0);
    return p || q->place_count == QUIET_SITES_MAX ? p : add_place(q, window_id, 0);
}

/* Whoever writes this recipient, by himself; NULL: it is not known who, or they are too many. */
static struct place *source_place(struct quiet_policy *q, struct place *whole, uint32_t source)
{
    struct place *p = source ? find_place(q, whole->window_id, source) : NULL;
    if (p || !source || q->place_count >= QUIET_SOURCES_MAX)
        return p;
    p = add_place(q, whole->window_id, source);
    if (p)
        site_branch(&p->site, &whole->site);
    return p;
}

/* By what place a recipient is planned on that day: that of all, or of who writes, where it
 * differs.
 */
static struct place *place_for(struct quiet_policy *q,
                               uint32_t window_id,
                               uint32_t source,
                               int32_t day)
{
    struct place *whole = get_place(q, window_id);
    struct place *own = whole && source ? find_place(q, window_id, source) : NULL;
    if (!own)
        return whole;
    if (own->compared_day != day) {
        site_roll(&whole->site, day);
        site_roll(&own->site, day);
        own->apart = site_is_apart(&own->site, &whole->site, own->apart);
        own->compared_day = day;
    }
    return own->apart ? own : whole;
}

const struct site *quiet_policy_site(const struct quiet_policy *q, uint32_t window_id)
{
    const struct place *p = find_place(q, window_id, 0);
    return p ? &p->site : NULL;
}

const char *quiet_site_key(uint32_t window_id, char out[QUIET_KEY_BYTES])
{
    snprintf(out, QUIET_KEY_BYTES, "policy|site|%08x", window_id);
    return out;
}

bool quiet_policy_learn(struct quiet_policy *q, uint32_t window_id, const struct site *site)
{
    struct place *p = get_place(q, window_id);
    if (!p || p->site.seen >= site->seen)
        return false;
    p->site = *site;
    p->saved = 0;
    return true;
}

static void want(struct quiet_policy *q, struct table_entry *t)
{
    if (t->wanted || t->building)
        return;
    t->wanted = true;
    q->wanted_count++;
}

static bool is_for(
    const struct table_entry *t, const struct place *p, int quota, int reserve, float urgent_part)
{
    return t->place == p && t->quota == quota && t->reserve == reserve &&
           fabsf(t->urgent_part - urgent_part) < 1e-6f;
}

static struct table_entry *find_table(
    struct quiet_policy *q, struct place *p, int quota, int reserve, float urgent_part)
{
    struct table_entry *t = q->last_table;
    if (t && is_for(t, p, quota, reserve, urgent_part))
        return t;
    for (unsigned i = 0; i < q->table_count; i++) {
        t = &q->tables[i];
        if (is_for(t, p, quota, reserve, urgent_part))
            return q->last_table = t;
    }
    if (q->table_count == QUIET_TABLES_MAX)
        return NULL;
    t = &q->tables[q->table_count++];
    *t = (struct table_entry){.place = p,
                              .quota = quota,
                              .reserve = reserve,
                              .urgent_part = urgent_part,
                              .checked_day = INT32_MIN};
    return q->last_table = t;
}

/* The table, if there is one; asks for it, and once a day whether the profile has left it behind.
 */
static const struct quiet_table *table_for(
    struct quiet_policy *q, struct place *p, int64_t count, int64_t reserve, float urgent_part)
{
    int quota = (int)TIDE_MIN(count - reserve, QUIET_QUOTA_MAX);
    struct table_entry *t =
        find_table(q, p, quota, (int)TIDE_MIN(reserve, QUIET_QUOTA_MAX), urgent_part);
    if (!t || q->settings.fluid_only)
        return NULL;
    if (t->checked_day != p->site.day) {
        t->checked_day = p->site.day;
        if (!t->table || site_moved(&p->site, t->table->made_for.share) > MOVED_SHARE)
            want(q, t);
    }
    return t->table;
}

bool quiet_policy_is_wanting(const struct quiet_policy *q)
{
    return q->wanted_count > 0;
}

bool quiet_policy_wants(struct quiet_policy *q, struct quiet_job *ret)
{
    for (unsigned i = 0; q->wanted_count && i < q->table_count; i++) {
        struct table_entry *t = &q->tables[i];
        if (!t->wanted)
            continue;
        float cost = q->settings.urgent_cost;
        *ret = (struct quiet_job){.window_id = t->place->window_id,
                                  .source = t->place->source,
                                  .urgent_part = t->urgent_part,
                                  .before = t->table};
        ret->wanted.quota = t->quota;
        ret->wanted.reserve = t->reserve;
        ret->wanted.urgent_cost = (cost < 0    ? 0
                                   : cost == 0 ? QUIET_URGENT_COST
                                               : cost) *
                                  t->urgent_part;
        memcpy(ret->wanted.share, t->place->site.share, sizeof ret->wanted.share);
        t->wanted = false;
        t->building = true;
        q->wanted_count--;
        return true;
    }
    return false;
}

void quiet_policy_take(struct quiet_policy *q,
                       const struct quiet_job *job,
                       struct quiet_table *take_table)
{
    const struct place *p = find_place(q, job->window_id, job->source);
    for (unsigned i = 0; i < q->table_count; i++) {
        struct table_entry *t = &q->tables[i];
        if (!t->building || !is_for(t, p, job->wanted.quota, job->wanted.reserve, job->urgent_part))
            continue;
        t->building = false;
        if (take_table) {
            quiet_table_free(t->table);
            t->table = take_table;
        }
        return;
    }
    quiet_table_free(take_table);
}

/* -- The policy -------------------------------------------------------------------------------- */

static double part_of_day(const struct policy_view *v, tide_wall_ms at)
{
    double x = (double)(at - v->window.start) / (double)(v->window.end - v->window.start);
    return TIDE_MIN(TIDE_MAX(x, 0), 1);
}

static void quiet_arrived(void *arg, const struct policy_view *v, unsigned n)
{
    struct quiet_policy *q = arg;
    struct place *whole = get_place(q, v->window_id);
    if (!whole || !v->forecast)
        return;
    struct place *own = source_place(q, whole, v->source);
    int hour = TIDE_MIN((int)(part_of_day(v, v->now) * 24), 23);
    site_roll(&whole->site, v->day);
    site_count(&whole->site, hour, n);
    if (own) {
        site_roll(&own->site, v->day);
        site_count(&own->site, hour, n);
    }
    struct place *p = place_for(q, v->window_id, v->source, v->day);
    for (unsigned i = 0; i < n; i++)
        forecast_count(v->forecast, &p->site, v->day, (uint32_t)(v->now / TIME_SECOND_MS));
}

/* Ages add up to `price` minutes at: the sum of the arrivals is taken from the oldest and the
 * newest, the others lying evenly between. */
static tide_wall_ms fluid_due(
    const struct policy_view *v, const float share[24], double mean, double k, double sends)
{
    double oldest = (double)(v->pending ? v->pending->oldest_at : v->last_at),
           newest = (double)v->last_at;
    double middle = (oldest + newest) / 2;
    int b = (int)TIDE_MIN(sends, INT32_MAX);
    tide_wall_ms at = TIDE_MAX(v->last_at, v->window.start);
    for (int i = 0; i < FLUID_STEPS_MAX; i++) {
        double roots = quiet_fluid_roots(share, mean, part_of_day(v, at));
        double ms = quiet_fluid_price(roots, b) * (double)TIME_MINUTE_MS;
        at = (tide_wall_ms)(middle + TIDE_MIN(ms / k, (double)TIME_DAY_MS));
    }
    return at;
}

/* The table's slots begin at a time; in between it is later by `part`. */
static double between(double wait, double next, double part)
{
    if (wait < QUIET_FOREVER && next < QUIET_FOREVER)
        return wait + part * (next - wait);
    return part < 0.5 ? wait : next;
}

/* Site and recipient are brought to the day. */
static void roll(struct place *p, const struct policy_view *v, int32_t day)
{
    site_roll(&p->site, day);
    forecast_roll(v->forecast, &p->site, day);
}

/* How many he gets on that day, as it looks when the share `gone` of it has usually come. */
static double mean_of(const struct quiet_policy *q, const struct policy_view *v, double gone)
{
    struct forecast_level level =
        expected_level(&q->expected, v->recipient_id, v->now, &v->forecast->level);
    return forecast_level_now(&level, v->forecast->today, gone);
}

/* The table ends at QUIET_QUOTA_MAX sends. With more of them the quiet time is that of a lower
 * level: by the price of a send it goes as mean^3 / sends^4 (fluid_due()). */
static double mean_at_most(double mean, double sends)
{
    return sends > QUIET_QUOTA_MAX ? mean * pow(QUIET_QUOTA_MAX / sends, 4.0 / 3) : mean;
}

/* Each send will have to take more than the table can count: what comes is all but a stream then,
 * which the fluid price divides; one send is kept, as the table's price of urgent mail would. With
 * the last two the table still knows better. */
static bool is_stream(double mean, double expected, double sends)
{
    return sends >= STREAM_SENDS &&
           (expected > QUIET_PENDING * sends || mean_at_most(mean, sends) > LEVEL_MOST);
}

static double pending_of(const struct policy_view *v)
{
    return v->weight > 0 ? v->weight : v->pending ? v->pending->digestible : 1;
}

/* The sends that he is planned with: those that are left, or as few as the price of what is shared
 * makes them; `his` is what he has to get with them. */
static double dear(const struct policy_view *v, double left, double his)
{
    if (v->scarcity <= 0 || his <= 0)
        return left;
    return TIDE_MAX(1 / sqrt(1 / (left * left) + v->scarcity / (his * his)), 1);
}

static unsigned table_pending(double pending)
{
    return (unsigned)TIDE_MIN(TIDE_MAX(lround(pending), 1), QUIET_PENDING);
}

/* So many minutes after `from`, as the table has it; at `end` at the latest. */
static tide_wall_ms after(const struct policy_view *v,
                          tide_wall_ms from,
                          double minutes,
                          tide_wall_ms end)
{
    if (minutes >= QUIET_FOREVER)
        return end;
    tide_wall_ms ms = (tide_wall_ms)(minutes * (double)TIME_MINUTE_MS);
    return ms < AT_ONCE_MS ? v->now : TIDE_MIN(from + ms, end);
}

/* -- Windows that are no days -------------------------------------------------------------------
 */

/* The expected arrivals from one instant to a later one, as a rate a day. */
static double rate_between(const struct place *p,
                           const struct policy_day *day,
                           double mean,
                           tide_wall_ms from,
                           tide_wall_ms to)
{
    double length = (double)(day->window.end - day->window.start);
    double a = (double)(from - day->window.start) / length,
           z = (double)(to - day->window.start) / length;
    double share = site_gone(&p->site, day->day, z) - site_gone(&p->site, day->day, a);
    if (z > 1)
        share += site_gone(&p->site, day->day + 1, z - 1);
    return z > a ? mean * share / (z - a) : mean;
}

/* So many sends until then. */
struct horizon {
    double minutes, sends;
};

/* The scarcest of the spans that what is left has to last for. A window that starts anew has one;
 * a rolling one has one for each send that comes back: until then the earlier ones have to do. Of a
 * long window a day's part. */
static struct horizon scarcest(const struct policy_view *v, tide_wall_ms from)
{
    double left = (double)(v->count - v->used - v->reserve), day = (double)TIME_DAY_MS / 60000;
    struct horizon worst = {day, left};
    if (v->window.end) {
        worst.minutes = (double)(v->window.end - from) / (double)TIME_MINUTE_MS;
        if (worst.minutes > day)
            worst = (struct horizon){day, TIDE_MAX(left * day / worst.minutes, 1)};
        return worst;
    }
    worst.sends = left + v->refill_count;
    worst.minutes = TIDE_MIN((double)v->span_ms / (double)TIME_MINUTE_MS, day);
    for (unsigned i = 0; i < v->refill_count; i++) {
        struct horizon h = {(double)(v->refills[i] - from) / (double)TIME_MINUTE_MS, left + i};
        if (h.minutes > 0 && h.sends > 0 && h.minutes * worst.sends > worst.minutes * h.sends)
            worst = h;
    }
    if (worst.sends > left) {
        worst.minutes *= left / worst.sends;
        worst.sends = left;
    }
    return worst;
}

/* The programme of a flat day, entered as far before its end as the horizon is. */
static tide_wall_ms other_wish(struct quiet_policy *q, const struct policy_view *v)
{
    const struct policy_day *day = &v->learnt_by;
    struct place *p = place_for(q, day->id, v->source, day->day), *flat = get_place(q, FLAT_ID);
    if (!p || !flat || !v->forecast || v->span_ms < TIME_HOUR_MS)
        return policy_even()->wish(NULL, v);
    float part = (float)TIDE_MIN(v->span_ms, TIME_DAY_MS) / (float)TIME_DAY_MS;
    const struct quiet_table *t = table_for(q, flat, v->count, v->reserve_full, part);
    int64_t left = v->count - v->used - v->reserve;
    if (left < 1)
        return v->now;
    if (!t)
        return policy_even()->wish(NULL, v);
    roll(p, v, day->day);
    tide_wall_ms from = TIDE_MIN(v->last_at, v->now);
    bool carried = v->window.end && from < v->window.start;
    from = carried ? v->window.start : from;
    struct horizon h = scarcest(v, from);
    double x = (double)(from - day->window.start) / (double)(day->window.end - day->window.start);
    tide_wall_ms end = from + (tide_wall_ms)(h.minutes * 60000);
    double mean = mean_of(q, v, site_gone(&p->site, day->day, x));
    mean = rate_between(p, day, mean, from, end);
    double slot = (1 - TIDE_MIN(h.minutes / 1440, 1)) * QUIET_SLOTS;
    unsigned s = TIDE_MIN((unsigned)slot, QUIET_SLOTS - 1);
    double sends = dear(v, h.sends, mean * h.minutes / 1440 + pending_of(v));
    int b = (int)TIDE_MIN(TIDE_MAX(lround(sends), 1), QUIET_QUOTA_MAX);
    mean = mean_at_most(mean, sends);
    double wait = quiet_wait_minutes(t, false, mean, s, b, table_pending(pending_of(v)));
    return after(v, from, wait, end);
}

/* Between two slots. */
static double wait_in(const struct quiet_table *t,
                      bool weekend,
                      double mean,
                      unsigned slot,
                      int b,
                      unsigned pending,
                      double part)
{
    double wait = quiet_wait_minutes(t, weekend, mean, slot, b, pending);
    if (part <= 0)
        return wait;
    return between(wait, quiet_wait_minutes(t, weekend, mean, slot + 1, b, pending), part);
}

static tide_wall_ms quiet_wish(void *arg, const struct policy_view *v)
{
    struct quiet_policy *q = arg;
    if (!v->is_day)
        return other_wish(q, v);
    struct place *p = v->forecast ? place_for(q, v->window_id, v->source, v->day) : NULL;
    if (!p)
        return policy_even()->wish(NULL, v);
    int64_t left = v->count - v->used - v->reserve;
    if (left < 1)
        return v->now; /* the limit holds it */
    roll(p, v, v->day);

    bool weekend = forecast_weekend(v->day);
    tide_wall_ms last = TIDE_MIN(v->last_at, v->now);
    bool carried = last < v->window.start;
    tide_wall_ms from = carried ? v->window.start : last;
    double x = part_of_day(v, from);
    double gone = site_gone(&p->site, v->day, x), mean = mean_of(q, v, gone), k = pending_of(v);
    unsigned pending = table_pending(k);
    double sends = (double)left;
    if (!carried) /* what was carried over once is not put off again */
        sends = dear(v, sends, mean * (1 - gone) + k);
    const struct quiet_table *t = table_for(q, p, v->count, v->reserve_full, 1);
    /* The fluid price would hold the first mail of a day that has room for all. */
    if (!t && !q->settings.fluid_only && sends > v->direct_share * (double)v->count)
        return v->now;
    if (!t)
        return TIDE_MIN(fluid_due(v, p->site.share[weekend], mean, k, sends), v->window.end);
    if (!carried && is_stream(mean, mean * (1 - gone) + k, sends)) {
        sends -= v->reserve_full == 0;
        return TIDE_MIN(fluid_due(v, p->site.share[weekend], mean, k, sends), v->window.end);
    }
    unsigned slot = carried ? QUIET_SLOTS : TIDE_MIN((unsigned)(x * QUIET_SLOTS), QUIET_SLOTS - 1);
    mean = mean_at_most(mean, sends);
    sends = TIDE_MIN(sends, QUIET_QUOTA_MAX);
    int b = (int)sends;
    double part = slot + 1 < QUIET_SLOTS ? x * QUIET_SLOTS - slot : 0;
    double wait = wait_in(t, weekend, mean, slot, b, pending, part);
    if (sends > b)
        wait = between(wait, wait_in(t, weekend, mean, slot, b + 1, pending, part), sends - b);
    return after(v, from, wait, v->window.end);
}

static bool quiet_foresee(void *arg, const struct policy_view *v, struct foreseen *ret)
{
    struct quiet_policy *q = arg;
    struct place *p =
        v->is_day && v->forecast ? place_for(q, v->window_id, v->source, v->day) : NULL;
    if (!p)
        return false;
    roll(p, v, v->day);
    struct forecast_level next = v->forecast->level,
                          level = expected_level(&q->expected, v->recipient_id, v->now, &next);
    double gone = site_gone(&p->site, v->day, part_of_day(v, v->now));
    *ret = (struct foreseen){.site = &p->site,
                             .day = v->day,
                             .day_start = v->window.start,
                             .day_end = v->window.end,
                             .rest = forecast_rest(&level, v->forecast->today, gone)};
    forecast_level_step(&next, v->forecast->today, site_factor(&p->site, v->day), 1);
    ret->next_awake = (double)next.awake;
    ret->next_mean = (double)next.mean;
    return true;
}

static bool quiet_expect(
    void *arg, int64_t recipient_id, double value, tide_wall_ms now, tide_wall_ms until)
{
    struct quiet_policy *q = arg;
    return expected_say(&q->expected, recipient_id, value, now, until);
}

static uint32_t quiet_charged(void *arg, tide_wall_ms now, bool urgent, uint32_t word)
{
    (void)arg;
    return policy_even()->charged(NULL, now, urgent, word);
}

/* -- Rows -------------------------------------------------------------------------------------- */

/* "policy|site|0a1b2c3d", and behind it "|0a1b2c3d" of who writes. */
static const char *place_key(const struct place *p, char out[QUIET_KEY_BYTES])
{
    quiet_site_key(p->window_id, out);
    if (p->source)
        snprintf(out + strlen(out), QUIET_KEY_BYTES - strlen(out), "|%08x", p->source);
    return out;
}

/* False: it is no such key. */
static bool read_key(struct text rest, uint32_t *ret_window, uint32_t *ret_source)
{
    uint32_t *into[] = {ret_window, ret_source};
    struct text piece;
    *ret_source = 0;
    for (size_t i = 0; i < TIDE_COUNT(into) && text_split(&rest, '|', &piece); i++) {
        char hex[9] = "", *end = hex;
        if (piece.n != 8)
            return false;
        memcpy(hex, piece.p, 8);
        *into[i] = (uint32_t)strtoul(hex, &end, 16);
        if (*end)
            return false;
    }
    return rest.n == 0;
}

static bool quiet_next_dirty(void *arg, struct text *ret_key, struct buf *ret_blob)
{
    struct quiet_policy *q = arg;
    if (q->expected.dirty) {
        buf_clear(ret_blob);
        expected_encode(&q->expected, ret_blob);
        q->expected.dirty = false;
        *ret_key = TEXT(EXPECTED_KEY);
        return ret_blob->failed == TIDE_OK;
    }
    for (unsigned i = 0; i < q->place_count; i++) {
        struct place *p = q->places[i];
        if (p->site.seen < p->saved + SAVE_EACH &&
            (p->saved_day == p->site.day || p->site.seen == p->saved))
            continue;
        buf_clear(ret_blob);
        site_encode(&p->site, ret_blob);
        if (ret_blob->failed != TIDE_OK)
            return false;
        p->saved = p->site.seen;
        p->saved_day = p->site.day;
        *ret_key = text_of(place_key(p, q->key));
        return true;
    }
    return false;
}

static enum tide_err quiet_restore(void *arg,
                                   struct text key,
                                   struct text blob,
                                   struct tide_error *err)
{
    struct quiet_policy *q = arg;
    const struct text prefix = TEXT("policy|site|");
    uint32_t id, source;
    if (text_eq(key, TEXT(EXPECTED_KEY)))
        return expected_decode(blob, &q->expected, err);
    if (!text_starts(key, prefix))
        return TIDE_OK; /* of a policy that is not this one */
    if (!read_key(text_cut(key, prefix.n, key.n), &id, &source))
        return tide_fail(err, TIDE_ECORRUPT, "policy's row \"" TEXT_FMT "\"", TEXT_ARG(key));
    struct site s;
    enum tide_err rc = site_decode(blob, &s, err);
    if (rc != TIDE_OK)
        return rc;
    struct place *p = find_place(q, id, source);
    if (!p && q->place_count < (source ? QUIET_SOURCES_MAX : QUIET_SITES_MAX))
        p = add_place(q, id, source);
    if (!p && source)
        return TIDE_OK; /* one too many: he goes with the others */
    if (!p)
        return tide_fail(err, TIDE_ENOMEM, "site profile");
    p->site = s;
    p->saved = s.seen;
    p->saved_day = s.day;
    return TIDE_OK;
}

/* -- Life -------------------------------------------------------------------------------------- */

struct quiet_policy *quiet_policy_new(const struct quiet_settings *settings)
{
    struct quiet_policy *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    if (settings)
        q->settings = *settings;
    q->policy = (struct policy){.name = "quiet",
                                .how = "it waits for a pause, so that what comes until then "
                                       "goes with it",
                                .arg = q,
                                .heeds_scarcity = !q->settings.no_price,
                                .wish = quiet_wish,
                                .charged = quiet_charged,
                                .arrived = quiet_arrived,
                                .foresee = quiet_foresee,
                                .expect = quiet_expect,
                                .next_dirty = quiet_next_dirty,
                                .restore = quiet_restore};
    return q;
}

void quiet_policy_free(struct quiet_policy *q)
{
    if (!q)
        return;
    expected_fini(&q->expected);
    for (unsigned i = 0; i < q->place_count; i++)
        free(q->places[i]);
    for (unsigned i = 0; i < q->table_count; i++)
        quiet_table_free(q->tables[i].table);
    free(q);
}

const struct policy *quiet_policy(struct quiet_policy *q)
{
    return &q->policy;
}
