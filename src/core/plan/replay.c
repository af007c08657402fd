#include "core/plan/replay.h"

#include "base/heap.h"
#include "base/macros.h"
#include "core/plan/policy_quiet.h"

#include <stdlib.h>

#define NONE UINT32_MAX

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

/* A line of events, through struct run.next. */
struct line {
    uint32_t first, last; /* NONE: empty */
    uint32_t count;
};

/* How many in the window of now; of a rolling one the last `quota` instants. */
struct tally_of_window {
    tide_wall_ms start, *ring;
    uint32_t count;
};

struct user {
    struct heap_node wake;
    struct plan_recipient plan;
    struct group_pending pending;
    tide_wall_ms last_at;
    double weight; /* of what is pending */
    struct line urgent, normal;
    struct tally_of_window mails, events; /* of the limit's window, counted anew */
    int32_t event_day;
    uint32_t events_of_day;
    tide_wall_ms warned_at; /* of event_day; 0: not */
    bool full;
};

struct run {
    const struct replay_trace *trace;
    const struct replay_settings *settings;
    struct replay_result *out;
    struct config config;
    struct config_account account;
    struct config_stream streams[2];
    struct limit limit, site_limit;
    struct profile provider, esp;
    struct planner *planner;
    struct quiet_policy *quiet;
    struct zone *zone; /* for counting anew what the ledger counts */
    struct window_rule rule;
    tide_wall_ms *rings; /* of rolling windows */
    struct plan_route route;
    struct user *users;
    uint32_t *next; /* [event] */
    struct heap heap;
    struct tally_of_class {
        uint32_t *counts;
        uint64_t count;
        double sum_s, max_s;
    } delays[REPLAY_CLASSES];
    tide_wall_ms scored_from;
    double mean_weight;
    bool failed;
};

/* -- Policies that need no planning ------------------------------------------------------------ */

static tide_wall_ms at_once_wish(void *arg, const struct policy_view *v)
{
    (void)arg;
    return v->now;
}

static tide_wall_ms hourly_wish(void *arg, const struct policy_view *v)
{
    (void)arg;
    tide_wall_ms first = v->pending->oldest_at;
    return (first + TIME_HOUR_MS - 1) / TIME_HOUR_MS * TIME_HOUR_MS;
}

static uint32_t keep_word(void *arg, tide_wall_ms now, bool urgent, uint32_t word)
{
    (void)arg, (void)now, (void)urgent;
    return word;
}

static const struct policy at_once = {
    .name = "at-once", .wish = at_once_wish, .charged = keep_word};
static const struct policy hourly = {.name = "hourly", .wish = hourly_wish, .charged = keep_word};

/* -- Making the world -------------------------------------------------------------------------- */

static char *literal(const char *s)
{
    return (char *)(uintptr_t)s; /* the configuration's strings are not const, and not written */
}

static int reserve_of(const struct replay_settings *s)
{
    if (s->reserve >= 0)
        return s->reserve;
    return s->policy == REPLAY_QUIET ? 0 : 1;
}

static struct window window_of(const struct replay_settings *s)
{
    struct window w = s->window;
    if (w.kind == WINDOW_CALENDAR && w.unit == 0)
        w.unit = WINDOW_DAY;
    if (window_is_fixed(&w))
        w.zone = literal(s->zone);
    return w;
}

static void make_config(struct run *r)
{
    const struct replay_settings *s = r->settings;
    r->limit = (struct limit){.name = literal("mailbox/day"),
                              .scope = LIMIT_RECIPIENT,
                              .count = s->quota,
                              .window = window_of(s)};
    r->provider =
        (struct profile){.name = literal("mailbox"), .limits = &r->limit, .limit_count = 1};
    r->site_limit = (struct limit){
        .name = literal("esp/day"),
        .scope = LIMIT_ACCOUNT,
        .count = s->site_quota,
        .window = {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY, .zone = literal(s->zone)}};
    r->esp = (struct profile){.name = literal("esp")};
    if (s->site_quota > 0) {
        r->esp.limits = &r->site_limit;
        r->esp.limit_count = 1;
    }
    r->account = (struct config_account){.name = literal("esp"), .profile = &r->esp};
    r->streams[0] = (struct config_stream){.name = literal("normal"), .digest = true};
    r->streams[1] = (struct config_stream){.name = literal("urgent"), .urgent = true};
    r->config = (struct config){.planner = {.reserve = reserve_of(s),
                                            .margin_ms = s->margin_ms,
                                            .spread_ms = s->spread_ms,
                                            .direct_share = 0.5},
                                .streams = r->streams,
                                .stream_count = 2,
                                .accounts = &r->account,
                                .account_count = 1,
                                .profiles = {.providers = &r->provider, .provider_count = 1}};
}

static enum tide_err set_policy(struct run *r, struct tide_error *err)
{
    const struct replay_settings *s = r->settings;
    const struct quiet_settings quiet = {.urgent_cost = (float)s->urgent_cost,
                                         .fluid_only = s->policy == REPLAY_FLUID};
    switch (s->policy) {
    case REPLAY_QUIET:
    case REPLAY_FLUID:
        r->quiet = quiet_policy_new(&quiet);
        if (!r->quiet)
            return tide_fail(err, TIDE_ENOMEM, "policy");
        planner_set_policy(r->planner, quiet_policy(r->quiet));
        break;
    case REPLAY_AT_ONCE:
        planner_set_policy(r->planner, &at_once);
        break;
    case REPLAY_HOURLY:
        planner_set_policy(r->planner, &hourly);
        break;
    case REPLAY_EVEN:
    case REPLAY_OPTIMUM:
    case REPLAY_POLICY_COUNT:
        break;
    }
    return TIDE_OK;
}

static enum tide_err open_run(struct run *r, struct tide_error *err)
{
    const struct replay_trace *t = r->trace;
    make_config(r);
    enum tide_err rc =
        r->settings->zones->load(r->settings->zones->arg, r->settings->zone, &r->zone, err);
    r->rule = (struct window_rule){.def = &r->limit.window, .zone = r->zone};
    if (rc == TIDE_OK)
        rc = planner_new(&r->config, r->settings->zones, &r->planner, err);
    if (rc == TIDE_OK)
        rc = set_policy(r, err);
    if (rc != TIDE_OK)
        return rc;
    r->users = calloc(t->user_count + 1, sizeof *r->users);
    r->next = malloc((t->count + 1) * sizeof *r->next);
    bool ok = r->users && r->next;
    if (!window_is_fixed(&r->limit.window)) {
        r->rings = calloc((size_t)t->user_count * 2 + 1, (size_t)r->settings->quota * 8);
        ok = ok && r->rings;
    }
    for (int c = 0; c < REPLAY_CLASSES; c++) {
        r->delays[c].counts = calloc(REPLAY_DELAY_S_MAX + 1, sizeof(uint32_t));
        ok = ok && r->delays[c].counts;
    }
    if (!ok)
        return tide_fail(err, TIDE_ENOMEM, "%u users, %zu events", t->user_count, t->count);
    for (uint32_t u = 0; u < t->user_count; u++) {
        r->users[u].urgent = r->users[u].normal = (struct line){NONE, NONE, 0};
        r->users[u].event_day = INT32_MIN;
        r->users[u].mails.start = r->users[u].events.start = INT64_MIN;
        if (r->rings) {
            r->users[u].mails.ring = r->rings + (size_t)u * 2 * (size_t)r->settings->quota;
            r->users[u].events.ring = r->users[u].mails.ring + r->settings->quota;
        }
    }
    heap_init(&r->heap);
    r->route =
        (struct plan_route){.provider = planner_intern_provider(r->planner, TEXT("mailbox"))};
    return TIDE_OK;
}

static void close_run(struct run *r)
{
    for (uint32_t u = 0; r->users && u < r->trace->user_count; u++)
        plan_recipient_fini(&r->users[u].plan);
    for (int c = 0; c < REPLAY_CLASSES; c++)
        free(r->delays[c].counts);
    heap_fini(&r->heap);
    free(r->users);
    free(r->next);
    free(r->rings);
    planner_free(r->planner);
    quiet_policy_free(r->quiet);
    zone_free(r->zone);
}

/* -- Playing ----------------------------------------------------------------------------------- */

static void line_add(struct run *r, struct line *l, uint32_t event)
{
    r->next[event] = NONE;
    if (l->first == NONE)
        l->first = event;
    else
        r->next[l->last] = event;
    l->last = event;
    l->count++;
}

static uint32_t line_take(struct run *r, struct line *l)
{
    uint32_t event = l->first;
    l->first = r->next[event];
    if (l->first == NONE)
        l->last = NONE;
    l->count--;
    return event;
}

static void score(struct run *r, uint32_t event, tide_wall_ms now)
{
    const struct replay_event *e = &r->trace->events[event];
    tide_wall_ms at = e->at_s * TIME_SECOND_MS;
    if (at < r->scored_from)
        return;
    struct tally_of_class *d = &r->delays[e->class];
    double s = (double)(now - at) / 1000;
    d->counts[TIDE_MIN((int64_t)s, REPLAY_DELAY_S_MAX)]++;
    d->count++;
    d->sum_s += s;
    d->max_s = TIDE_MAX(d->max_s, s);
}

static int32_t day_at(const struct run *r, tide_wall_ms t, int *ret_hour)
{
    int64_t local = zone_local_ms(r->zone, t);
    *ret_hour = (int)(local % TIME_DAY_MS / TIME_HOUR_MS);
    return (int32_t)(local / TIME_DAY_MS);
}

/* One more, beside the ledger. True: it is over the limit. */
static bool count_one(struct run *r, struct tally_of_window *t, tide_wall_ms now)
{
    uint32_t quota = (uint32_t)r->settings->quota;
    if (!window_is_fixed(&r->limit.window)) {
        tide_wall_ms *place = &t->ring[t->count % quota];
        bool over = t->count >= quota && now - *place < r->limit.window.span_ms;
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

/* A mail has left: counted anew. */
static void count_mail(struct run *r, struct user *u, tide_wall_ms now, bool digest)
{
    int hour;
    (void)day_at(r, now, &hour);
    bool over = count_one(r, &u->mails, now);
    if (now < r->scored_from)
        return;
    r->out->mails++;
    r->out->digests += digest;
    r->out->mails_by_hour[hour]++;
    r->out->over += over;
}

static struct plan_query query_of(struct run *r, struct user *u, bool urgent, tide_wall_ms now)
{
    struct plan_query q = {.now = now,
                           .recipient = &u->plan,
                           .recipient_id = u - r->users + 1,
                           .route = r->route,
                           .pending = &u->pending,
                           .last_at = u->last_at,
                           .urgent = urgent,
                           .digest = !urgent};
    q.route.stream = urgent;
    if (r->mean_weight > 0)
        q.weight = u->weight / r->mean_weight;
    if (r->settings->hold_ms_max && !urgent && u->pending.oldest_at)
        q.hold_until_max = u->pending.oldest_at + r->settings->hold_ms_max;
    return q;
}

static double weight_of(const struct run *r, uint32_t event)
{
    bool direct = r->trace->events[event].class == REPLAY_DIRECT;
    return direct && r->settings->direct_weight > 0 ? r->settings->direct_weight : 1;
}

/* The oldest that is pending, of both kinds. */
static void refresh(struct run *r, struct user *u)
{
    const struct replay_event *e = r->trace->events;
    u->pending.urgent = u->urgent.count;
    u->pending.digestible = u->normal.count;
    u->pending.oldest_at = u->normal.count   ? e[u->normal.first].at_s * TIME_SECOND_MS
                           : u->urgent.count ? e[u->urgent.first].at_s * TIME_SECOND_MS
                                             : 0;
    if (!u->normal.count)
        u->weight = 0;
}

static void send(struct run *r, struct user *u, const struct plan_query *q)
{
    struct line *l = q->urgent ? &u->urgent : &u->normal;
    uint32_t n = q->urgent ? 1 : l->count;
    planner_charge(r->planner, q);
    count_mail(r, u, q->now, n > 1);
    for (uint32_t i = 0; i < n; i++)
        score(r, line_take(r, l), q->now);
    refresh(r, u);
}

/* Everything that may leave leaves; the user sleeps until the next instant that matters. */
static void settle(struct run *r, struct user *u, tide_wall_ms now)
{
    tide_wall_ms wake = TIDE_NEVER;
    for (int urgent = 1; urgent >= 0; urgent--) {
        const struct line *l = urgent ? &u->urgent : &u->normal;
        while (l->count) {
            struct plan_query q = query_of(r, u, urgent, now);
            struct plan_answer a;
            planner_decide(r->planner, &q, &a);
            if (a.kind != PLAN_NOW) {
                wake = TIDE_MIN(wake, TIDE_MAX(a.at, now + 1));
                break;
            }
            send(r, u, &q);
        }
    }
    if (wake == TIDE_NEVER)
        heap_remove(&r->heap, &u->wake);
    else if (!heap_put(&r->heap, &u->wake, wake))
        r->failed = true;
}

static void build_tables(struct run *r)
{
    struct quiet_job job;
    while (r->quiet && quiet_policy_wants(r->quiet, &job)) {
        quiet_policy_take(r->quiet, &job, quiet_table_build(&job.wanted, job.before));
        r->out->tables++;
    }
}

/* A warning that nothing came of. */
static void end_event_day(struct run *r, struct user *u)
{
    r->out->warned_in_vain += u->warned_at && !u->full && u->warned_at >= r->scored_from;
    u->warned_at = 0;
}

static void count_full(struct run *r, struct user *u, tide_wall_ms now)
{
    if (now < r->scored_from)
        return;
    r->out->full_days++;
    if (!u->warned_at)
        return;
    r->out->warned++;
    r->out->warned_hours += (double)(now - u->warned_at) / (double)TIME_HOUR_MS;
}

static void count_arrival(struct run *r, struct user *u, tide_wall_ms now, bool urgent)
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

static void arrive(struct run *r, uint32_t event)
{
    const struct replay_event *e = &r->trace->events[event];
    struct user *u = &r->users[e->user];
    tide_wall_ms now = e->at_s * TIME_SECOND_MS;
    bool urgent = e->class == REPLAY_URGENT;
    count_arrival(r, u, now, urgent);
    line_add(r, urgent ? &u->urgent : &u->normal, event);
    if (!urgent) {
        u->last_at = now;
        u->weight += weight_of(r, event);
    }
    refresh(r, u);
    if (!urgent) {
        struct plan_query q = query_of(r, u, false, now);
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

static void wake_until(struct run *r, tide_wall_ms until)
{
    struct heap_node *n;
    while ((n = heap_first(&r->heap)) && n->key <= until && !r->failed) {
        settle(r, container_of(n, struct user, wake), n->key);
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
    struct run *r, uint32_t user, struct known *k, tide_wall_ms first, tide_wall_ms last)
{
    const struct line *l = &r->users[user].normal;
    struct window_rule rule = {.def = &r->limit.window, .zone = r->zone};
    k->count = k->windows = 0;
    for (uint32_t e = l->first; e != NONE; e = r->next[e]) {
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
    for (uint32_t e = r->users[user].urgent.first; e != NONE; e = r->next[e]) {
        while (r->trace->events[e].at_s * TIME_SECOND_MS >= k->resets[w + 1])
            w++;
        k->quota[w] -= k->quota[w] > 0;
    }
}

static enum tide_err run_optimum(struct run *r, struct tide_error *err)
{
    const struct replay_event *e = r->trace->events;
    size_t n = r->trace->count;
    tide_wall_ms first = e[0].at_s * TIME_SECOND_MS, last = e[n - 1].at_s * TIME_SECOND_MS;
    size_t days = (size_t)((last - first) / TIME_DAY_MS) + 4;
    struct known k = {.at = malloc(n * sizeof *k.at),
                      .weight = malloc(n * sizeof *k.weight),
                      .resets = malloc((days + 1) * sizeof *k.resets),
                      .quota = malloc(days * sizeof *k.quota)};
    struct tally_of_class *d = &r->delays[REPLAY_DIRECT];
    bool ok = k.at && k.weight && k.resets && k.quota;
    for (uint32_t i = 0; i < n; i++) {
        struct user *u = &r->users[e[i].user];
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

static struct replay_delays summary(const struct tally_of_class *d)
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

static void summarise(struct run *r)
{
    struct replay_result *out = r->out;
    struct tally_of_class *all = &r->delays[REPLAY_DIRECT];
    for (int c = 0; c < REPLAY_CLASSES; c++)
        out->by_class[c] = summary(&r->delays[c]);
    const struct tally_of_class *watched = &r->delays[REPLAY_WATCHED];
    for (int s = 0; s <= REPLAY_DELAY_S_MAX; s++)
        all->counts[s] += watched->counts[s];
    all->count += watched->count;
    all->sum_s += watched->sum_s;
    all->max_s = TIDE_MAX(all->max_s, watched->max_s);
    out->all = summary(all);
    out->delay_counts = all->counts;
    all->counts = NULL;
}

static void find_mean_weight(struct run *r)
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
    if (t->count >= NONE)
        return tide_fail(err, TIDE_ERANGE, "%zu events are too many", t->count);
    for (size_t i = 0; i < t->count; i++) {
        if (t->events[i].user >= t->user_count || t->events[i].class >= REPLAY_CLASSES)
            return tide_fail(err, TIDE_ERANGE, "event %zu: user or priority out of range", i + 1);
        if (i && t->events[i].at_s < t->events[i - 1].at_s)
            return tide_fail(err, TIDE_ERANGE, "event %zu is earlier than the one before", i + 1);
    }
    return TIDE_OK;
}

static enum tide_err play(struct run *r, struct tide_error *err)
{
    const struct replay_trace *t = r->trace;
    find_mean_weight(r);
    for (uint32_t i = 0; i < t->count && !r->failed; i++) {
        wake_until(r, t->events[i].at_s * TIME_SECOND_MS);
        arrive(r, i);
    }
    for (uint32_t u = 0; u < t->user_count; u++) {
        r->out->left += r->users[u].normal.count;
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
    struct run r = {.trace = trace, .settings = settings, .out = &out};
    enum tide_err rc = check_trace(trace, err);
    if (rc != TIDE_OK)
        return rc;
    if (settings->policy == REPLAY_OPTIMUM && !window_is_fixed(&settings->window))
        return tide_fail(err, TIDE_EINVAL, "the optimum is not known for rolling windows");
    rc = open_run(&r, err);
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
    close_run(&r);
    return rc;
}

void replay_result_fini(struct replay_result *r)
{
    free(r->delay_counts);
    r->delay_counts = NULL;
}
