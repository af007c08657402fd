#include "core/plan/replay.h"

#include "base/macros.h"
#include "base/map.h"
#include "core/plan/replay_in.h"

#include <stdlib.h>

const char *replay_policy_name(enum replay_policy p)
{
    static const char *const names[] = {
#define NAME(code, name, help) name,
        REPLAY_POLICIES(NAME)
#undef NAME
    };
    return names[p];
}

const char *replay_policy_help(enum replay_policy p)
{
    static const char *const helps[] = {
#define HELP(code, name, help) help,
        REPLAY_POLICIES(HELP)
#undef HELP
    };
    return helps[p];
}

/* -- Playing ----------------------------------------------------------------------------------- */

static void line_add(struct replay *r, struct replay_line *l, uint32_t event)
{
    r->next[event] = REPLAY_NONE;
    if (l->first == REPLAY_NONE)
        l->first = event;
    else
        r->next[l->last] = event;
    l->last = event;
    l->count++;
}

static uint32_t line_take(struct replay *r, struct replay_line *l)
{
    uint32_t event = l->first;
    l->first = r->next[event];
    if (l->first == REPLAY_NONE)
        l->last = REPLAY_NONE;
    l->count--;
    return event;
}

static void score(struct replay *r, uint32_t event, tide_wall_ms now)
{
    const struct replay_event *e = &r->trace->events[event];
    tide_wall_ms at = e->at_s * TIME_SECOND_MS;
    if (at < r->scored_from)
        return;
    struct replay_class_tally *d = &r->delays[e->class];
    double s = (double)(now - at) / 1000;
    d->counts[TIDE_MIN((int64_t)s, REPLAY_DELAY_S_MAX)]++;
    d->count++;
    d->sum_s += s;
    d->max_s = TIDE_MAX(d->max_s, s);
}

static int32_t day_at(const struct replay *r, tide_wall_ms t, int *ret_hour)
{
    int64_t local = zone_local_ms(r->zone, t);
    *ret_hour = (int)(local % TIME_DAY_MS / TIME_HOUR_MS);
    return (int32_t)(local / TIME_DAY_MS);
}

/* One more, beside the ledger. True: it is over the limit. */
static bool count_one(struct replay *r, struct replay_tally *t, tide_wall_ms now)
{
    uint32_t quota = (uint32_t)r->settings->quota;
    if (!window_is_fixed(&r->limits[0].window)) {
        tide_wall_ms *place = &t->ring[t->count % quota];
        bool over = t->count >= quota && now - *place < r->limits[0].window.span_ms;
        if (!over) { /* what was refused uses nothing up */
            *place = now;
            t->count++;
        }
        return over;
    }
    tide_wall_ms start = window_at(&r->rule, now).start;
    if (t->start != start) {
        t->start = start;
        t->count = 0;
    }
    return ++t->count > quota;
}

/* As count_one(), of a limit that many share. */
static bool count_wide(struct replay *r, struct replay_wide *w, int quota, tide_wall_ms now)
{
    if (quota < 1)
        return false;
    if (w->ring) {
        tide_wall_ms *place = &w->ring[w->count++ % (uint64_t)quota];
        bool over = *place && now - *place < r->site_limits[0].window.span_ms;
        *place = now;
        return over;
    }
    tide_wall_ms start = window_at(&r->shared_rule, now).start;
    if (w->start != start) {
        w->start = start;
        w->count = 0;
    }
    return ++w->count > (uint64_t)quota;
}

/* Whose mailbox is run by the provider that has a limit for all; whose application has which
 * account. */
static bool is_elsewhere(const struct replay *r, const struct replay_user *u)
{
    int percent = r->settings->provider_percent;
    return percent && (int)(hash_u64((uint64_t)(u - r->users) + 1) % 100) >= percent;
}

static unsigned application_of(const struct replay *r, const struct replay_user *u)
{
    return r->settings->split
               ? (unsigned)((hash_u64((uint64_t)(u - r->users) + 1) >> 32) % r->account_count)
               : 0;
}

/* A mail has left: counted anew. */
static void count_mail(
    struct replay *r, struct replay_user *u, tide_wall_ms now, bool digest, unsigned account)
{
    const struct replay_settings *s = r->settings;
    bool wide = count_wide(r, &r->site_count[account], s->site_quota[account], now);
    if (!is_elsewhere(r, u))
        wide |= count_wide(r, &r->provider_count, s->provider_quota, now);
    int hour;
    (void)day_at(r, now, &hour);
    bool over = count_one(r, &u->mails, now);
    if (now < r->scored_from)
        return;
    r->out->mails++;
    r->out->digests += digest;
    r->out->mails_by_hour[hour]++;
    r->out->over += over;
    r->out->over_shared += wide;
}

/* The first with room, or that has it first, as the gate has it. */
static int account_of(struct replay *r, const struct config_application *a, tide_wall_ms now)
{
    int first = a->accounts[0];
    tide_wall_ms first_at = TIDE_NEVER;
    for (size_t i = 0; a->account_count > 1 && i < a->account_count && first_at > now; i++) {
        tide_wall_ms at = planner_account_opens_at(r->planner, a->accounts[i], now);
        if (at < first_at) {
            first_at = at;
            first = a->accounts[i];
        }
    }
    return first;
}

/* In the order that they leave in. */
enum kind { URGENT, SINGLE, DIGEST, KINDS };

static enum kind kind_of(const struct replay *r, enum replay_class class)
{
    return class == REPLAY_URGENT ? URGENT : r->settings->single[class] ? SINGLE : DIGEST;
}

static struct replay_line *line_of(struct replay_user *u, enum kind kind)
{
    return kind == URGENT ? &u->urgent : kind == SINGLE ? &u->single : &u->normal;
}

static struct plan_query query_of(struct replay *r,
                                  struct replay_user *u,
                                  enum kind kind,
                                  tide_wall_ms now)
{
    bool urgent = kind == URGENT;
    struct plan_query q = {.now = now,
                           .recipient = &u->plan,
                           .recipient_id = u - r->users + 1,
                           .application = (uint16_t)(application_of(r, u) + 1),
                           .pending = &u->pending,
                           .last_at = u->last_at,
                           .source = u->source,
                           .urgent = urgent,
                           .digest = kind == DIGEST};
    const struct config_application *a = &r->applications[q.application - 1];
    q.route.provider = r->provider_names[is_elsewhere(r, u)];
    q.route.stream = urgent;
    q.route.account = (uint16_t)account_of(r, a, now);
    if (r->mean_weight > 0)
        q.weight = u->weight / r->mean_weight;
    if (r->settings->hold_ms_max && !urgent && u->pending.oldest_at)
        q.hold_until_max = u->pending.oldest_at + r->settings->hold_ms_max;
    return q;
}

static double weight_of(const struct replay *r, uint32_t event)
{
    bool direct = r->trace->events[event].class == REPLAY_DIRECT;
    return direct && r->settings->direct_weight > 0 ? r->settings->direct_weight : 1;
}

static tide_wall_ms oldest(const struct replay *r, const struct replay_line *l)
{
    return l->count ? r->trace->events[l->first].at_s * TIME_SECOND_MS : 0;
}

/* The oldest that is pending: of urgent ones only where there is nothing else. */
static void refresh(struct replay *r, struct replay_user *u)
{
    tide_wall_ms single = oldest(r, &u->single), normal = oldest(r, &u->normal);
    u->pending.urgent = u->urgent.count;
    u->pending.single = u->single.count;
    u->pending.digestible = u->normal.count;
    u->pending.oldest_at = single && normal   ? TIDE_MIN(single, normal)
                           : single || normal ? single + normal
                                              : oldest(r, &u->urgent);
    if (!u->normal.count)
        u->weight = 0;
}

/* -- A limit that the planner does not know ---------------------------------------------------- */

static uint32_t hidden_at(const struct replay *r, tide_wall_ms now)
{
    const struct replay_settings *s = r->settings;
    int64_t day = (now - r->trace->events[0].at_s * TIME_SECOND_MS) / TIME_DAY_MS;
    return (uint32_t)s->hidden[(size_t)(day / TIDE_MAX(s->hidden_days, 1)) % s->hidden_count];
}

/* The mail that was just charged meets the hidden limit; true: it was refused for it. */
static bool is_refused(struct replay *r, struct replay_user *u, const struct plan_query *q)
{
    if (!r->settings->hidden_count)
        return false;
    struct window_span w = window_at(&r->rule, q->now);
    if (u->taken.start != w.start)
        u->taken = (struct replay_tally){.start = w.start};
    if (u->taken.count < hidden_at(r, q->now)) {
        u->taken.count++;
        planner_accepted(r->planner, q, q->now);
        return false;
    }
    tide_wall_ms until;
    struct learn_lesson lesson = {.scope = LIMIT_RECIPIENT,
                                  .window = &r->limits[0].window,
                                  .opens_at = w.end + r->settings->margin_ms,
                                  .cause = TEXT("too many in its window"),
                                  .rule = TEXT("simulated")};
    planner_refund(r->planner, q, q->now, REFUND_NOT_ACCEPTED);
    if (!planner_refused(r->planner, q, &lesson, &until))
        r->failed = true;
    r->out->refused += q->now >= r->scored_from;
    return true;
}

/* When mail may be tried again that a refusal has closed the mailbox for; 0: it is open. */
static tide_wall_ms closed_until(struct replay *r, const struct plan_query *q)
{
    const struct learn_key *k = r->settings->hidden_count ? planner_closed(r->planner, q) : NULL;
    return k ? k->until : 0;
}

/* False: it was refused, and waits on. */
static bool send(struct replay *r, struct replay_user *u, const struct plan_query *q)
{
    struct replay_line *l = line_of(u, q->urgent ? URGENT : q->digest ? DIGEST : SINGLE);
    uint32_t n = q->digest ? l->count : 1;
    planner_charge(r->planner, q);
    if (is_refused(r, u, q))
        return false;
    count_mail(r, u, q->now, n > 1, q->route.account);
    for (uint32_t i = 0; i < n; i++)
        score(r, line_take(r, l), q->now);
    refresh(r, u);
    return true;
}

/* Everything that may leave leaves; the user sleeps until the next instant that matters. */
static void settle(struct replay *r, struct replay_user *u, tide_wall_ms now)
{
    tide_wall_ms wake = TIDE_NEVER;
    for (enum kind kind = URGENT; kind < KINDS; kind++) {
        const struct replay_line *l = line_of(u, kind);
        while (l->count) {
            struct plan_query q = query_of(r, u, kind, now);
            struct plan_answer a = {.at = closed_until(r, &q)};
            if (!a.at) {
                planner_decide(r->planner, &q, &a);
                if (a.kind == PLAN_NOW && send(r, u, &q))
                    continue;
            }
            wake = TIDE_MIN(wake, TIDE_MAX(a.at, now + 1));
            break;
        }
    }
    if (wake == TIDE_NEVER)
        heap_remove(&r->heap, &u->wake);
    else if (!heap_put(&r->heap, &u->wake, wake))
        r->failed = true;
}

static void build_tables(struct replay *r)
{
    struct quiet_job job;
    while (r->quiet && quiet_policy_wants(r->quiet, &job)) {
        quiet_policy_take(r->quiet, &job, quiet_table_build(&job.wanted, job.before));
        r->out->tables++;
    }
}

/* A warning that nothing came of. */
static void end_event_day(struct replay *r, struct replay_user *u)
{
    r->out->warned_in_vain += u->warned_at && !u->full && u->warned_at >= r->scored_from;
    u->warned_at = 0;
}

static void count_full(struct replay *r, struct replay_user *u, tide_wall_ms now)
{
    if (now < r->scored_from)
        return;
    r->out->full_days++;
    if (!u->warned_at)
        return;
    r->out->warned++;
    r->out->warned_hours += (double)(now - u->warned_at) / (double)TIME_HOUR_MS;
}

static void count_arrival(struct replay *r, struct replay_user *u, tide_wall_ms now, bool urgent)
{
    int hour;
    int32_t day = day_at(r, now, &hour);
    bool first = day != u->event_day;
    if (first) {
        end_event_day(r, u);
        u->event_day = day;
        u->events_of_day = 0;
        u->full = false;
    }
    u->events_of_day++;
    bool refused = count_one(r, &u->events, now);
    if (u->events_of_day > (uint32_t)r->settings->quota && !u->full) {
        u->full = true;
        count_full(r, u, now);
    }
    if (now < r->scored_from)
        return;
    r->out->user_days += first;
    r->out->refused_direct += refused;
    r->out->arrivals_by_hour[hour]++;
    r->out->urgent += urgent;
    r->out->notifications += !urgent;
}

static void arrive(struct replay *r, uint32_t event)
{
    const struct replay_event *e = &r->trace->events[event];
    struct replay_user *u = &r->users[e->user];
    tide_wall_ms now = e->at_s * TIME_SECOND_MS;
    bool urgent = e->class == REPLAY_URGENT;
    count_arrival(r, u, now, urgent);
    enum kind kind = kind_of(r, (enum replay_class)e->class);
    line_add(r, line_of(u, kind), event);
    if (kind == DIGEST) {
        u->last_at = now;
        u->source = e->source;
        u->weight += weight_of(r, event);
    }
    refresh(r, u);
    if (kind == DIGEST) {
        struct plan_query q = query_of(r, u, DIGEST, now);
        struct plan_warning warning;
        if (planner_arrived(r->planner, &q, 1, &warning) && !u->full)
            u->warned_at = now;
    }
    uint32_t held = u->urgent.count;
    settle(r, u, now);
    if (urgent && u->urgent.count == held && now >= r->scored_from)
        r->out->urgent_held++;
    build_tables(r);
}

static void wake_until(struct replay *r, tide_wall_ms until)
{
    struct heap_node *n;
    while ((n = heap_first(&r->heap)) && n->key <= until && !r->failed) {
        settle(r, container_of(n, struct replay_user, wake), n->key);
        build_tables(r);
    }
}

/* -- One who knows the future ------------------------------------------------------------------ */

/* A user's notifications and the windows they lie in, with what urgent mail leaves of each. */
struct known {
    tide_wall_ms *at, *resets;
    double *weight;
    int *quota;
    size_t count, windows;
};

static void know(
    struct replay *r, uint32_t user, struct known *k, tide_wall_ms first, tide_wall_ms last)
{
    const struct replay_line *l = &r->users[user].normal;
    struct window_rule rule = {.def = &r->limits[0].window, .zone = r->zone};
    k->count = k->windows = 0;
    for (uint32_t e = l->first; e != REPLAY_NONE; e = r->next[e]) {
        tide_wall_ms at = r->trace->events[e].at_s * TIME_SECOND_MS;
        k->at[k->count] = at;
        k->weight[k->count++] = at >= r->scored_from;
    }
    for (tide_wall_ms t = first; t <= last; t = k->resets[k->windows]) {
        struct window_span w = window_at(&rule, t);
        k->resets[k->windows] = w.start;
        k->quota[k->windows++] = r->settings->quota;
        k->resets[k->windows] = w.end;
    }
    size_t w = 0;
    for (uint32_t e = r->users[user].urgent.first; e != REPLAY_NONE; e = r->next[e]) {
        while (r->trace->events[e].at_s * TIME_SECOND_MS >= k->resets[w + 1])
            w++;
        k->quota[w] -= k->quota[w] > 0;
    }
}

static enum tide_err run_optimum(struct replay *r, struct tide_error *err)
{
    const struct replay_event *e = r->trace->events;
    size_t n = r->trace->count;
    tide_wall_ms first = e[0].at_s * TIME_SECOND_MS, last = e[n - 1].at_s * TIME_SECOND_MS;
    size_t days = (size_t)((last - first) / TIME_DAY_MS) + 4;
    struct known k = {.at = malloc(n * sizeof *k.at),
                      .weight = malloc(n * sizeof *k.weight),
                      .resets = malloc((days + 1) * sizeof *k.resets),
                      .quota = malloc(days * sizeof *k.quota)};
    struct replay_class_tally *d = &r->delays[REPLAY_DIRECT];
    bool ok = k.at && k.weight && k.resets && k.quota;
    for (uint32_t i = 0; i < n; i++) {
        struct replay_user *u = &r->users[e[i].user];
        bool urgent = e[i].class == REPLAY_URGENT;
        count_arrival(r, u, e[i].at_s * TIME_SECOND_MS, urgent);
        line_add(r, urgent ? &u->urgent : &u->normal, i);
    }
    for (uint32_t u = 0; u < r->trace->user_count && ok; u++) {
        know(r, u, &k, first, last);
        double ms = replay_optimum(k.at, k.weight, k.count, k.resets, k.quota, k.windows);
        ok = ms >= 0;
        d->sum_s += ms / 1000;
    }
    d->count = r->out->notifications;
    free(k.at);
    free(k.weight);
    free(k.resets);
    free(k.quota);
    return ok ? TIDE_OK : tide_fail(err, TIDE_ENOMEM, "optimum");
}

/* -- Results ----------------------------------------------------------------------------------- */

static double quantile_of(const uint32_t *counts, uint64_t total, double q)
{
    uint64_t want = (uint64_t)((double)total * q), sum = 0;
    for (int s = 0; s <= REPLAY_DELAY_S_MAX; s++) {
        sum += counts[s];
        if (sum > want)
            return s / 60.0;
    }
    return 0;
}

static struct replay_delays summary(const struct replay_class_tally *d)
{
    struct replay_delays r = {.count = d->count};
    if (!d->count)
        return r;
    r.mean = d->sum_s / (double)d->count / 60;
    r.median = quantile_of(d->counts, d->count, 0.5);
    r.p95 = quantile_of(d->counts, d->count, 0.95);
    r.p99 = quantile_of(d->counts, d->count, 0.99);
    r.max = d->max_s / 60;
    return r;
}

static void summarise(struct replay *r)
{
    struct replay_result *out = r->out;
    struct replay_class_tally *all = &r->delays[REPLAY_DIRECT];
    for (int c = 0; c < REPLAY_CLASSES; c++)
        out->by_class[c] = summary(&r->delays[c]);
    const struct replay_class_tally *watched = &r->delays[REPLAY_WATCHED];
    for (int s = 0; s <= REPLAY_DELAY_S_MAX; s++)
        all->counts[s] += watched->counts[s];
    all->count += watched->count;
    all->sum_s += watched->sum_s;
    all->max_s = TIDE_MAX(all->max_s, watched->max_s);
    out->all = summary(all);
    out->delay_counts = all->counts;
    all->counts = NULL;
}

static void find_mean_weight(struct replay *r)
{
    double sum = 0;
    size_t n = 0;
    if (r->settings->direct_weight <= 0)
        return;
    for (uint32_t i = 0; i < r->trace->count; i++)
        if (r->trace->events[i].class != REPLAY_URGENT) {
            sum += weight_of(r, i);
            n++;
        }
    r->mean_weight = n ? sum / (double)n : 0;
}

static enum tide_err check_trace(const struct replay_trace *t, struct tide_error *err)
{
    if (t->count >= REPLAY_NONE)
        return tide_fail(err, TIDE_ERANGE, "%zu events are too many", t->count);
    for (size_t i = 0; i < t->count; i++) {
        if (t->events[i].user >= t->user_count || t->events[i].class >= REPLAY_CLASSES)
            return tide_fail(err, TIDE_ERANGE, "event %zu: user or priority out of range", i + 1);
        if (i && t->events[i].at_s < t->events[i - 1].at_s)
            return tide_fail(err, TIDE_ERANGE, "event %zu is earlier than the one before", i + 1);
    }
    return TIDE_OK;
}

static enum tide_err play(struct replay *r, struct tide_error *err)
{
    const struct replay_trace *t = r->trace;
    find_mean_weight(r);
    for (uint32_t i = 0; i < t->count && !r->failed; i++) {
        wake_until(r, t->events[i].at_s * TIME_SECOND_MS);
        arrive(r, i);
    }
    for (uint32_t u = 0; u < t->user_count; u++) {
        r->out->left += r->users[u].normal.count + r->users[u].single.count;
        end_event_day(r, &r->users[u]);
    }
    wake_until(r, TIDE_NEVER - 1);
    return r->failed ? tide_fail(err, TIDE_ENOMEM, "replay") : TIDE_OK;
}

enum tide_err replay_run(const struct replay_trace *trace,
                         const struct replay_settings *settings,
                         struct replay_result *ret,
                         struct tide_error *err)
{
    struct replay_result out = {0};
    struct replay r = {.trace = trace, .settings = settings, .out = &out};
    enum tide_err rc = check_trace(trace, err);
    if (rc != TIDE_OK)
        return rc;
    bool rolls = !window_is_fixed(&settings->window);
    if (settings->policy == REPLAY_OPTIMUM && rolls)
        return tide_fail(err, TIDE_EINVAL, "the optimum is not known for rolling windows");
    if (settings->hidden_count && (settings->policy == REPLAY_OPTIMUM || rolls))
        return tide_fail(err, TIDE_EINVAL,
                         "a hidden limit is not for rolling windows, nor for the optimum");
    rc = replay_open(&r, err);
    if (rc == TIDE_OK && trace->count) {
        r.scored_from =
            trace->events[0].at_s * TIME_SECOND_MS + settings->warmup_days * TIME_DAY_MS;
        rc = settings->policy == REPLAY_OPTIMUM ? run_optimum(&r, err) : play(&r, err);
    }
    if (rc == TIDE_OK) {
        out.warned_hours /= out.warned ? (double)out.warned : 1;
        summarise(&r);
        *ret = out;
    }
    replay_close(&r);
    return rc;
}

void replay_result_fini(struct replay_result *r)
{
    free(r->delay_counts);
    r->delay_counts = NULL;
}
