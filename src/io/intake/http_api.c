#include "io/intake/http_api.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/esp/esp.h"
#include "io/intake/http_esp.h"
#include "io/status/explain.h"
#include "io/status/letters.h"
#include "io/status/verify_door.h"
#include "io/status/view_forecast.h"
#include "io/status/views_recipients.h"

#include <stdio.h>
#include <stdlib.h>

struct http_api {
    struct http_submit_door door;
    struct http_esp_door esp;
    struct views views;
    struct webhooks *webhooks;
    struct event_feed *events;
    bool (*verify)(void *arg, struct http_request *req);
    void *verify_arg;
    struct http **listeners;
    size_t count, open; /* open: with those that are being closed */
    bool closing;
    uv_idle_t later; /* the closed callback never comes from inside http_api_close() */
    void (*closed)(void *arg);
    void *closed_arg;
};

/* -- Who asks -------------------------------------------------------------------------------------
 */

/* Takes as long for a wrong key as for the right one. */
static bool key_is(struct text given, const struct secret *key)
{
    size_t n = key->value ? strlen(key->value) : 0;
    volatile unsigned diff = n != given.n || n == 0;
    for (size_t i = 0; i < n && given.n > 0; i++)
        diff |= (unsigned char)key->value[i] ^ (unsigned char)given.p[i % given.n];
    return diff == 0;
}

static const struct config_application *of_key(const struct config *c, struct text key)
{
    const struct config_application *found = NULL;
    for (size_t i = 0; i < c->application_count; i++)
        if (key_is(key, &c->applications[i].key))
            found = &c->applications[i];
    return found;
}

static const struct config_application *anonymous(const struct config *c)
{
    for (size_t i = 0; i < c->application_count; i++)
        if (c->applications[i].anonymous)
            return &c->applications[i];
    return NULL;
}

/* NULL: nobody, and the request is answered with 401. */
static const struct config_application *authenticate(struct http_api *api, struct http_request *req)
{
    static const struct http_header challenge[] = {{"WWW-Authenticate", "Bearer"}};
    const struct config *c = intake_config(api->door.intake);
    struct text given = http_header(req, "Authorization");
    const struct config_application *a = NULL;
    if (given.p && text_istarts(given, TEXT("Bearer ")))
        a = of_key(c, text_trim(text_cut(given, 7, SIZE_MAX)));
    else if (!given.p && req->peer_is_local)
        a = anonymous(c);
    if (!a)
        http_reply(req, 401, "application/json",
                   given.p ? TEXT("{\"error\":{\"code\":\"bad_key\",\"message\":"
                                  "\"This key belongs to no application.\"}}\n")
                           : TEXT("{\"error\":{\"code\":\"no_key\",\"message\":"
                                  "\"Want Authorization: Bearer KEY.\"}}\n"),
                   challenge, 1);
    return a;
}

/* -- Routes ---------------------------------------------------------------------------------------
 */

static void reply_method(struct http_request *req, const char *allow)
{
    struct http_header header[] = {{"Allow", allow}};
    http_reply(req, 405, "application/json",
               TEXT("{\"error\":{\"code\":\"bad_method\",\"message\":"
                    "\"This path does not know the method.\"}}\n"),
               header, 1);
}

static bool is(const struct http_request *req, const char *method)
{
    return text_eq(req->method, text_of(method));
}

/* For whom an operator hands in. */
static const struct config_application *chosen(struct http_api *api, struct http_request *req)
{
    const struct config *c = intake_config(api->door.intake);
    struct text name = http_query(req, "application");
    if (name.n > 0)
        return config_application(c, name);
    return c->application_count == 1 ? &c->applications[0] : anonymous(c);
}

static void hand_in(struct http_api *api, struct http_request *req, const struct http_caller *who)
{
    const struct config_application *a = who->application ? who->application : chosen(api, req);
    if (a)
        http_submit(&api->door, req, a);
    else
        http_reply_error(req, 400, "no_application",
                         "Want ?application= with the name of a configured one.");
}

static void operate(struct http_api *api,
                    struct http_request *req,
                    const struct http_caller *who,
                    enum view_operation what,
                    tide_id id)
{
    const char *name = who->application ? who->application->name : "";
    view_operate(&api->views, req, what, id, text_of(name), text_of(who->by));
}

/* "/v1/notifications/{id}", "{id}/cancel", "{id}/release" */
static void one_notification(struct http_api *api,
                             struct http_request *req,
                             const struct http_caller *who,
                             struct text rest)
{
    size_t slash = text_find(rest, '/');
    struct text action = text_cut(rest, slash + 1, SIZE_MAX);
    bool cancels = text_eq(action, TEXT("cancel")), releases = text_eq(action, TEXT("release"));
    tide_id id;
    if (id_parse(text_cut(rest, 0, slash), &id, NULL) != TIDE_OK ||
        (slash < rest.n && !cancels && !releases)) {
        http_reply_error(req, 404, "not_found", "There is no such notification.");
        return;
    }
    if (slash == rest.n && is(req, "GET")) {
        const char *name = who->application ? who->application->name : "";
        view_notification(&api->views, req, id, text_of(name));
    } else if (slash == rest.n ? !is(req, "DELETE") : !is(req, "POST")) {
        reply_method(req, slash == rest.n ? "GET, DELETE" : "POST");
    } else if (!who->may_operate) {
        view_not_permitted(req);
    } else {
        operate(api, req, who, releases ? VIEW_RELEASE : VIEW_CANCEL, id);
    }
}

bool http_api_notifications(struct http_api *api,
                            struct http_request *req,
                            const struct http_caller *caller)
{
    static const struct text root = {"/v1/notifications", 17};
    if (!text_starts(req->path, root))
        return false;
    struct text rest = text_cut(req->path, root.n, SIZE_MAX);
    if (rest.n > 0 && rest.p[0] != '/')
        return false;
    if (rest.n > 0)
        one_notification(api, req, caller, text_cut(rest, 1, SIZE_MAX));
    else if (!is(req, "POST"))
        reply_method(req, "POST");
    else if (!caller->may_operate)
        http_reply_error(req, 403, "not_permitted", "You may look, but not hand in.");
    else
        hand_in(api, req, caller);
    return true;
}

static void on_request(void *arg, struct http_request *req)
{
    struct http_api *api = arg;
    bool reads = is(req, "GET") || is(req, "HEAD");
    if (text_eq(req->path, TEXT("/healthz")) && reads) {
        view_health(&api->views, req);
        return;
    }
    if (text_eq(req->path, TEXT("/metrics")) && reads && req->peer_is_local) {
        view_status(&api->views, req, VIEW_METRICS);
        return;
    }
    if (api->webhooks && webhooks_take(api->webhooks, req))
        return;
    if (!esp_is_own(req->path) && (http_esp(&api->esp, req) || http_esp_meant(&api->esp, req)))
        return;
    const struct config_application *a = authenticate(api, req);
    if (!a)
        return;
    char by[128];
    snprintf(by, sizeof by, "application %s", a->name);
    struct http_caller caller = {.application = a, .may_operate = true, .by = by};
    if (text_eq(req->path, TEXT("/metrics")) && reads)
        view_status(&api->views, req, VIEW_METRICS);
    else if (text_eq(req->path, TEXT("/v1/events")) && reads)
        event_feed_get(api->events, req, text_of(a->name), a->alarms);
    else if (!view_explain(&api->views, api->door.loop, req) &&
             !view_letters(&api->views, req, text_of(a->name), true) &&
             !view_forecast(&api->views, req, true, text_of(by)) &&
             !view_recipient(&api->views, req, text_of(a->name), true, text_of(by)) &&
             !(api->verify && api->verify(api->verify_arg, req)) &&
             !http_api_notifications(api, req, &caller))
        http_reply_error(req, 404, "not_found", "There is nothing at this path.");
}

static bool in_pieces(void *arg, const struct http_request *req)
{
    return ((struct http_api *)arg)->verify && verify_door_in_pieces(req);
}

/* -- Opening and closing --------------------------------------------------------------------------
 */

static void finish(struct http_api *api)
{
    void (*closed)(void *arg) = api->closed;
    void *arg = api->closed_arg;
    free(api->listeners);
    free(api);
    if (closed)
        closed(arg);
}

static void on_later_closed(uv_handle_t *handle)
{
    struct http_api *api = container_of((uv_idle_t *)handle, struct http_api, later);
    if (--api->open == 0)
        finish(api);
}

static void on_listener_closed(void *arg)
{
    struct http_api *api = arg;
    if (--api->open == 0)
        finish(api);
}

void http_api_close(struct http_api *api, void (*closed)(void *arg), void *arg)
{
    if (api->closing)
        return;
    api->closing = true;
    api->closed = closed;
    api->closed_arg = arg;
    for (size_t i = 0; i < api->count; i++)
        http_close(api->listeners[i], on_listener_closed, api);
    uv_close((uv_handle_t *)&api->later, on_later_closed);
}

static enum tide_err listen_on(struct http_api *api,
                               const struct config_http *c,
                               const char *address,
                               bool tls,
                               struct tide_error *err)
{
    struct http **h = &api->listeners[api->count];
    struct http_options o = {
        .listen = address,
        .limits = {.body_bytes_max = (size_t)c->body_bytes_max,
                   .connections_max = c->connections_max,
                   .connections_per_ip_max = c->connections_per_ip_max,
                   .idle_timeout_ms = c->idle_timeout_ms},
        .tls = tls ? c->tls : (struct config_tls){0},
        .on_request = on_request,
        .in_pieces = in_pieces,
        .on_refused = http_esp_refuse,
        .arg = api,
    };
    enum tide_err rc = http_open(api->door.loop, &o, h, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, tls && c->tls_listen_count ? "http.tls.listen" : "http.listen");
    api->count++;
    api->open++;
    log_info("http.listening", "address=%s port=%d%s", address, http_port(*h),
             tls && c->tls.certificate_file ? " tls=yes" : "");
    return TIDE_OK;
}

enum tide_err http_api_open(const struct http_api_options *options,
                            struct http_api **ret,
                            struct tide_error *err)
{
    const struct config_http *c = &intake_config(options->intake)->http;
    struct http_api *api = calloc(1, sizeof *api);
    if (api)
        api->listeners = calloc(c->listen_count + c->tls_listen_count + 1, sizeof(struct http *));
    if (!api || !api->listeners) {
        free(api);
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    }
    api->door = (struct http_submit_door){
        .loop = options->loop, .intake = options->intake, .clock = options->clock};
    api->webhooks = options->webhooks;
    api->esp = (struct http_esp_door){
        .submit = api->door, .store = options->store, .operate = options->operate};
    api->events = options->events;
    api->verify = options->verify;
    api->verify_arg = options->verify_arg;
    api->views = (struct views){.store = options->store, .operate = options->operate};
    uv_idle_init(options->loop, &api->later);
    api->open = 1;
    bool only = c->tls_listen_count == 0; /* TLS has no listeners of its own */
    enum tide_err rc = TIDE_OK;
    for (size_t i = 0; i < c->listen_count && rc == TIDE_OK; i++) {
        bool is_unix = text_starts(text_of(c->listen[i]), TEXT("unix:"));
        rc = listen_on(api, c, c->listen[i], only && !is_unix, err);
    }
    for (size_t i = 0; i < c->tls_listen_count && rc == TIDE_OK; i++)
        rc = listen_on(api, c, c->tls_listen[i], true, err);
    if (rc == TIDE_OK)
        *ret = api;
    else
        http_api_close(api, NULL, NULL); /* frees itself when the loop turns */
    return rc;
}

size_t http_api_listeners(const struct http_api *api)
{
    return api->count;
}

int http_api_port(const struct http_api *api, size_t listener)
{
    return http_port(api->listeners[listener]);
}
