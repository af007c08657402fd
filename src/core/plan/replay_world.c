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

static struct window window_of(const struct replay_settings *s, struct window w)
{
    if (w.kind == WINDOW_CALENDAR && w.unit == 0)
        w.unit = WINDOW_DAY;
    if (window_is_fixed(&w))
        w.zone = literal(s->zone);
    return w;
}

static struct limit mailbox_limit(const struct replay_settings *s, const char *name)
{
    return (struct limit){.name = literal(name),
                          .scope = LIMIT_RECIPIENT,
                          .count = s->quota,
                          .window = window_of(s, s->window)};
}

static struct limit shared_limit(const struct replay_settings *s,
                                 const char *name,
                                 enum limit_scope scope,
                                 int count)
{
    return (struct limit){
        .name = literal(name), .scope = scope, .count = count, .window = window_of(s, s->shared)};
}

/* Mailboxes of one provider, or one in two elsewhere with the same limit of its own. */
static void make_providers(struct replay *r)
{
    const struct replay_settings *s = r->settings;
    r->limits[0] = mailbox_limit(s, "mailbox/day");
    r->limits[1] = shared_limit(s, "mailbox/all", LIMIT_PROVIDER, s->provider_quota);
    r->limits[2] = mailbox_limit(s, "elsewhere/day");
    r->providers[0] = (struct profile){.name = literal("mailbox"),
                                       .limits = r->limits,
                                       .limit_count = s->provider_quota > 0 ? 2 : 1};
    r->providers[1] =
        (struct profile){.name = literal("elsewhere"), .limits = &r->limits[2], .limit_count = 1};
}

static void make_accounts(struct replay *r)
{
    static const char *const names[REPLAY_ACCOUNTS_MAX] = {"esp", "esp2", "esp3", "esp4"};
    static const char *const limits[REPLAY_ACCOUNTS_MAX] = {"esp/day", "esp2/day", "esp3/day",
                                                            "esp4/day"};
    const struct replay_settings *s = r->settings;
    r->account_count = TIDE_MIN(TIDE_MAX(s->accounts, 1), REPLAY_ACCOUNTS_MAX);
    for (unsigned i = 0; i < r->account_count; i++) {
        r->site_limits[i] = shared_limit(s, limits[i], LIMIT_ACCOUNT, s->site_quota[i]);
        r->esps[i] = (struct profile){.name = literal(names[i]),
                                      .limits = &r->site_limits[i],
                                      .limit_count = s->site_quota[i] > 0};
        r->accounts[i] = (struct config_account){.name = literal(names[i]), .profile = &r->esps[i]};
        r->account_list[i] = (int)i;
        r->applications[i] =
            (struct config_application){.name = literal(names[i]),
                                        .accounts = &r->account_list[i],
                                        .account_count = s->split ? 1 : r->account_count};
    }
}

static void make_config(struct replay *r)
{
    const struct replay_settings *s = r->settings;
    make_providers(r);
    make_accounts(r);
    r->streams[0] = (struct config_stream){.name = literal("normal"), .digest = true};
    r->streams[1] = (struct config_stream){.name = literal("urgent"), .urgent = true};
    r->config = (struct config){.planner = {.reserve = reserve_of(s),
                                            .margin_ms = s->margin_ms,
                                            .spread_ms = s->spread_ms,
                                            .direct_share = 0.5},
                                .streams = r->streams,
                                .stream_count = 2,
                                .accounts = r->accounts,
                                .account_count = r->account_count,
                                .applications = r->applications,
                                .application_count = s->split ? r->account_count : 1,
                                .profiles = {.providers = r->providers, .provider_count = 2}};
}

static enum tide_err set_policy(struct replay *r, struct tide_error *err)
{
    const struct replay_settings *s = r->settings;
    const struct quiet_settings quiet = {.urgent_cost = (float)s->urgent_cost,
                                         .no_price = s->no_price,
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

/* Of limits that many share, where their window rolls. */
static bool make_rings(struct replay *r)
{
    if (window_is_fixed(&r->site_limits[0].window))
        return true;
    bool ok = true;
    for (unsigned i = 0; i <= r->account_count; i++) {
        struct replay_wide *w = i < r->account_count ? &r->site_count[i] : &r->provider_count;
        int quota = i < r->account_count ? r->settings->site_quota[i] : r->settings->provider_quota;
        w->ring = quota > 0 ? calloc((size_t)quota, sizeof *w->ring) : NULL;
        ok = ok && (quota <= 0 || w->ring);
    }
    return ok;
}

enum tide_err replay_open(struct replay *r, struct tide_error *err)
{
    const struct replay_trace *t = r->trace;
    make_config(r);
    enum tide_err rc =
        r->settings->zones->load(r->settings->zones->arg, r->settings->zone, &r->zone, err);
    r->rule = (struct window_rule){.def = &r->limits[0].window, .zone = r->zone};
    r->shared_rule = (struct window_rule){.def = &r->site_limits[0].window, .zone = r->zone};
    if (rc == TIDE_OK)
        rc = planner_new(&r->config, r->settings->zones, &r->planner, err);
    if (rc == TIDE_OK)
        rc = set_policy(r, err);
    if (rc != TIDE_OK)
        return rc;
    r->users = calloc(t->user_count + 1, sizeof *r->users);
    r->next = malloc((t->count + 1) * sizeof *r->next);
    bool ok = r->users && r->next;
    if (!window_is_fixed(&r->limits[0].window)) {
        r->rings = calloc((size_t)t->user_count * 2 + 1, (size_t)r->settings->quota * 8);
        ok = ok && r->rings;
    }
    for (int c = 0; c < REPLAY_CLASSES; c++) {
        r->delays[c].counts = calloc(REPLAY_DELAY_S_MAX + 1, sizeof(uint32_t));
        ok = ok && r->delays[c].counts;
    }
    ok = ok && make_rings(r);
    if (!ok)
        return tide_fail(err, TIDE_ENOMEM, "%u users, %zu events", t->user_count, t->count);
    for (uint32_t u = 0; u < t->user_count; u++) {
        struct replay_line none = {REPLAY_NONE, REPLAY_NONE, 0};
        r->users[u].urgent = r->users[u].single = r->users[u].normal = none;
        r->users[u].event_day = INT32_MIN;
        r->users[u].mails.start = r->users[u].events.start = INT64_MIN;
        if (r->rings) {
            r->users[u].mails.ring = r->rings + (size_t)u * 2 * (size_t)r->settings->quota;
            r->users[u].events.ring = r->users[u].mails.ring + r->settings->quota;
        }
    }
    heap_init(&r->heap);
    for (int i = 0; i < 2; i++)
        r->provider_names[i] = planner_intern_provider(r->planner, text_of(r->providers[i].name));
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
    for (int i = 0; i < REPLAY_ACCOUNTS_MAX; i++)
        free(r->site_count[i].ring);
    free(r->provider_count.ring);
    planner_free(r->planner);
    quiet_policy_free(r->quiet);
    zone_free(r->zone);
}
