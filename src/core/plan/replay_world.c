/* The world that a trace is replayed in: its configuration, planner and policy. */
#include "core/plan/replay_in.h"

#include "base/macros.h"

#include <stdlib.h>

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

static void make_config(struct replay *r)
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

static enum tide_err set_policy(struct replay *r, struct tide_error *err)
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

enum tide_err replay_open(struct replay *r, struct tide_error *err)
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
        r->users[u].urgent = r->users[u].normal = (struct replay_line){REPLAY_NONE, REPLAY_NONE, 0};
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

void replay_close(struct replay *r)
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
