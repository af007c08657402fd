#include "io/watch/list_inside.h"

#include "base/log.h"
#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_RUN_MS       (10 * TIME_SECOND_MS) /* after the start */
#define REST_MS            (10 * TIME_MINUTE_MS) /* after a failure */
#define LOOK_MS            2000                  /* what the store notes is seen so soon */
#define NAP_MS_MAX         60000 /* in real time, so that a step of the wall clock is noticed */
#define CONNECTIONS        1
#define CONNECT_TIMEOUT_MS 10000
#define CALL_TIMEOUT_MS    60000

static void way_pump(struct list_way *way);
static void asks_pump(struct list_sync *s);

/* -- An account's end --------------------------------------------------------------------------
 */

static void close_when_empty(struct list_sync *s)
{
    if (!s->closing || !list_is_empty(&s->ways) || !list_is_empty(&s->gone))
        return;
    void (*closed)(void *) = s->closed;
    void *arg = s->closed_arg;
    free(s);
    if (closed)
        closed(arg);
}

static void free_way(struct list_way *way)
{
    list_remove(&way->hook);
    if (way->key)
        explicit_bzero(way->key, strlen(way->key));
    free(way->name);
    free(way->key);
    free(way->key_id);
    free(way->region);
    free(way->place);
    free(way);
}

static void on_way_closed(uv_handle_t *handle)
{
    struct list_way *way = handle->data;
    struct list_sync *s = way->sync;
    free_way(way);
    close_when_empty(s);
}

static void on_fetcher_closed(void *arg)
{
    struct list_way *way = arg;
    uv_close((uv_handle_t *)&way->timer, on_way_closed);
}

/* No run is left, nothing is under way. */
static void way_may_go(struct list_way *way)
{
    if (!way->closing || way->run || way->open > 0)
        return;
    way->open = 1; /* once */
    uv_timer_stop(&way->timer);
    if (way->fetcher)
        fetcher_close(way->fetcher, on_fetcher_closed, way);
    else
        on_fetcher_closed(way);
}

static void close_way(struct list_way *way)
{
    if (way->closing)
        return;
    way->closing = true;
    list_remove(&way->hook);
    list_append(&way->sync->gone, &way->hook);
    if (way->call.busy)
        fetch_cancel(&way->call.fetch);
    else if (way->run && way->open == 0)
        list_run_step(way->run); /* it only waits */
    way_may_go(way);
}

/* -- When --------------------------------------------------------------------------------------
 */

static void on_timer(uv_timer_t *timer)
{
    struct list_way *way = timer->data;
    if (way->run)
        list_run_step(way->run);
    else
        way_pump(way);
}

static void arm(struct list_way *way, uint64_t ms)
{
    if (!way->closing || way->run)
        uv_timer_start(&way->timer, on_timer, ms, 0);
}

/* The run's next step: at once, at `until`, and where it is a call not before the ESP's rules say.
 */
void list_way_wait(struct list_way *way, tide_wall_ms until)
{
    tide_wall_ms now = list_now(way->sync);
    until = TIDE_MAX(until, way->may_call_at);
    arm(way, until > now && !way->closing ? clock_until(way->sync->parts.clock, until) : 0);
}

static void begin_run(struct list_way *way, bool whole, struct list_sync_ask *ask)
{
    way->noted = false;
    way->run = list_run_new(way, whole, ask);
    if (way->run)
        list_way_wait(way, 0);
    else
        log_warn("lists.problem", "account=%s error=\"out of memory\"", way->name);
}

void list_way_ended(struct list_way *way, struct list_run *run, bool failed)
{
    struct list_sync *s = way->sync;
    tide_wall_ms now = list_now(s);
    (void)run;
    way->run = NULL;
    way->rests_until = failed ? now + REST_MS : 0;
    if (failed && way->due_at <= now && way->every_ms > 0)
        way->due_at = way->rests_until;
    if (!failed && way->alarmed) {
        char key[200];
        snprintf(key, sizeof key, "lists/%s", way->name);
        drive_clear_alarm(s->parts.drive, text_of(key), TEXT("the list can be read again"));
        way->alarmed = false;
    }
    if (way->closing) {
        way_may_go(way);
        return;
    }
    asks_pump(s);
    way_pump(way);
}

/* Begins what is due, or sleeps until then. */
static void way_pump(struct list_way *way)
{
    struct list_sync *s = way->sync;
    tide_wall_ms now = list_now(s);
    if (way->run || way->closing || s->closing)
        return;
    if (way->due_at <= now) {
        way->due_at = way->every_ms > 0 ? now + way->every_ms : TIDE_NEVER;
        begin_run(way, true, NULL);
        return;
    }
    bool noted = way->noted && way->every_ms > 0;
    if (noted && way->rests_until <= now) {
        begin_run(way, false, NULL);
        return;
    }
    tide_wall_ms next = way->due_at;
    if (noted)
        next = TIDE_MIN(next, way->rests_until);
    uint64_t nap = next == TIDE_NEVER ? NAP_MS_MAX : clock_until(s->parts.clock, next);
    arm(way, TIDE_MIN(nap, (uint64_t)NAP_MS_MAX));
}

/* Something was written: perhaps a note. Looked at soon, not at once: many writes, one look. */
static void on_wrote(struct store_watch *watch)
{
    struct list_sync *s = container_of(watch, struct list_sync, watch);
    LIST_EACH(node, &s->ways)
    {
        struct list_way *way = container_of(node, struct list_way, hook);
        if (way->noted)
            continue;
        way->noted = true;
        if (!way->run && way->rests_until <= list_now(s) && way->every_ms > 0)
            arm(way, clock_until(s->parts.clock, list_now(s) + LOOK_MS));
    }
}

/* -- Who asks ----------------------------------------------------------------------------------
 */

static void end_ask(struct list_sync *s, enum tide_err rc, const struct tide_error *err)
{
    struct list_sync_ask *ask = container_of(list_take_first(&s->asks), struct list_sync_ask, hook);
    ask->done(ask, rc, err);
}

static bool is_asked(const struct list_way *way, const struct list_sync_ask *ask)
{
    return ask->account.n == 0 || text_eq(ask->account, text_of(way->name));
}

/* The first ask's next account, as soon as that is idle. */
static void asks_pump(struct list_sync *s)
{
    struct tide_error err = {0};
    while (!list_is_empty(&s->asks) && !s->closing) {
        struct list_sync_ask *ask = container_of(list_first(&s->asks), struct list_sync_ask, hook);
        if (!s->ask_at)
            s->ask_at = s->ways.next;
        while (s->ask_at != &s->ways &&
               !is_asked(container_of(s->ask_at, struct list_way, hook), ask))
            s->ask_at = s->ask_at->next;
        if (s->ask_at == &s->ways) {
            s->ask_at = NULL;
            end_ask(s, TIDE_OK, &err);
            continue;
        }
        struct list_way *way = container_of(s->ask_at, struct list_way, hook);
        if (way->run)
            return;
        s->ask_at = s->ask_at->next;
        ask->accounts++;
        begin_run(way, true, ask);
        if (way->run)
            return;
    }
}

void list_sync_ask(struct list_sync *s, struct list_sync_ask *ask)
{
    bool found = false;
    struct tide_error err;
    list_init(&ask->hook);
    if (s->stopped) {
        ask->done(ask, TIDE_ECANCELED, &(struct tide_error){.text = "mailtide ends"});
        return;
    }
    LIST_EACH(node, &s->ways)
    found |= is_asked(container_of(node, struct list_way, hook), ask);
    if (!found) {
        (void)tide_fail(&err, TIDE_ENOENT, "no account%s" TEXT_FMT " has a list that can be read",
                        ask->account.n > 0 ? " " : "", TEXT_ARG(ask->account));
        ask->done(ask, TIDE_ENOENT, &err);
        return;
    }
    list_append(&s->asks, &ask->hook);
    if (list_first(&s->asks) == &ask->hook)
        asks_pump(s);
}

static void cancel_asks(struct list_sync *s)
{
    struct tide_error err;
    s->ask_at = NULL;
    LIST_EACH(node, &s->ways)
    {
        struct list_way *way = container_of(node, struct list_way, hook);
        if (way->run)
            list_run_forget(way->run);
    }
    while (!list_is_empty(&s->asks)) {
        (void)tide_fail(&err, TIDE_ECANCELED, "the configuration changes, or mailtide ends");
        end_ask(s, TIDE_ECANCELED, &err);
    }
}

/* -- Opening -----------------------------------------------------------------------------------
 */

/* The only domain that applications may send as through the account; NULL: none, or several. */
static const char *only_domain(const struct config *config, const struct config_account *c)
{
    const char *only = NULL;
    int index = (int)(c - config->accounts);
    for (size_t i = 0; i < config->application_count; i++) {
        const struct config_application *a = &config->applications[i];
        bool through = false;
        for (size_t k = 0; k < a->account_count; k++)
            through |= a->accounts[k] == index;
        for (size_t k = 0; through && k < a->sender_domain_count; k++) {
            const char *domain = a->sender_domains[k];
            if (domain[0] == '.' || domain[0] == '*' || (only && strcasecmp(only, domain) != 0))
                return NULL;
            only = domain;
        }
    }
    return only;
}

/* Whose list it is, where it is not the account's; NULL: that cannot be known. */
static const char *place_of(const struct config *config,
                            const struct config_account *c,
                            const struct list_api *api)
{
    if (api == &lists_postmark)
        return c->message_stream ? c->message_stream : "outbound";
    if (api == &lists_mailgun)
        return c->domain ? c->domain : only_domain(config, c);
    return "";
}

static bool copy_texts(struct list_way *way, const struct config_account *c, const char *place)
{
    way->name = strdup(c->name);
    way->key = strdup(c->key.value ? c->key.value : "");
    way->key_id = strdup(c->key_id ? c->key_id : "");
    way->region = strdup(c->region ? c->region : "");
    way->place = strdup(place);
    return way->name && way->key && way->key_id && way->region && way->place;
}

static enum tide_err open_way(struct list_sync *s,
                              const struct config_account *c,
                              const struct list_api *api,
                              const char *place,
                              struct tide_error *err)
{
    struct list_way *way = calloc(1, sizeof *way);
    if (!way)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    list_init(&way->hook);
    const struct fetch_options options = {.base_url = c->base_url,
                                          .tls_verify = c->tls_verify,
                                          .tls_ca_file = c->tls_ca_file,
                                          .connections_max = CONNECTIONS,
                                          .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                          .timeout_ms = CALL_TIMEOUT_MS};
    way->sync = s;
    way->api = api;
    way->call.way = way;
    way->every_ms = c->lists_every_ms;
    way->due_at = way->every_ms > 0 ? list_now(s) + FIRST_RUN_MS : TIDE_NEVER;
    enum tide_err rc = copy_texts(way, c, place)
                           ? fetcher_open(s->parts.loop, &options, &way->fetcher, err)
                           : tide_fail(err, TIDE_ENOMEM, "out of memory");
    if (rc != TIDE_OK) {
        free_way(way);
        return tide_wrap(err, rc, "lists of account %s", c->name);
    }
    way->account = (struct list_account){.key = text_of(way->key),
                                         .place = text_of(way->place),
                                         .prefix = fetcher_prefix(way->fetcher)};
    uv_timer_init(s->parts.loop, &way->timer);
    way->timer.data = way;
    list_append(&s->ways, &way->hook);
    way_pump(way);
    return TIDE_OK;
}

/* An account with an API, a key, and an address of the API has a list. */
static const struct list_api *api_of(const struct config_account *c)
{
    const struct list_api *api = c->api ? list_api_find(text_of(c->api)) : NULL;
    if (!api || !c->base_url || !c->key.value || c->type == ACCOUNT_OUTBOX)
        return NULL;
    if (api->signs_aws && (!c->key_id || !c->region))
        return NULL;
    return api;
}

static enum tide_err open_ways(struct list_sync *s, struct tide_error *err)
{
    const struct config *config = s->parts.config;
    enum tide_err rc = TIDE_OK;
    for (size_t i = 0; i < config->account_count && rc == TIDE_OK; i++) {
        const struct config_account *c = &config->accounts[i];
        const struct list_api *api = api_of(c);
        const char *place = api ? place_of(config, c, api) : NULL;
        if (place)
            rc = open_way(s, c, api, place, err);
    }
    return rc;
}

static void close_ways(struct list_sync *s)
{
    while (!list_is_empty(&s->ways))
        close_way(container_of(list_first(&s->ways), struct list_way, hook));
}

enum tide_err list_sync_open(const struct list_sync_parts *parts,
                             struct list_sync **ret,
                             struct tide_error *err)
{
    struct list_sync *s = calloc(1, sizeof *s);
    if (!s)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    s->parts = *parts;
    list_init(&s->ways);
    list_init(&s->gone);
    list_init(&s->asks);
    s->watch.wrote = on_wrote;
    store_watch(parts->store, &s->watch);
    enum tide_err rc = open_ways(s, err);
    if (rc != TIDE_OK) {
        list_sync_close(s, NULL, NULL);
        return rc;
    }
    *ret = s;
    return TIDE_OK;
}

enum tide_err list_sync_configure(struct list_sync *s,
                                  const struct config *config,
                                  const struct rulebook *rules,
                                  struct tide_error *err)
{
    s->parts.config = config;
    s->parts.rules = rules;
    cancel_asks(s);
    close_ways(s);
    return open_ways(s, err);
}

void list_sync_stop(struct list_sync *s)
{
    s->stopped = true;
    cancel_asks(s);
}

void list_sync_close(struct list_sync *s, void (*closed)(void *arg), void *arg)
{
    if (s->closing)
        return;
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    store_unwatch(&s->watch);
    cancel_asks(s);
    bool empty = list_is_empty(&s->ways) && list_is_empty(&s->gone);
    close_ways(s);
    if (empty)
        close_when_empty(s);
}
