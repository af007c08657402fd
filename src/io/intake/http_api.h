/* http_api.h - the HTTP door of applications.
 *
 *   POST   /v1/notifications                one or many (http_submit.h)
 *   GET    /v1/notifications/{id}           the application's own
 *   DELETE /v1/notifications/{id}           the same as
 *   POST   /v1/notifications/{id}/cancel
 *   POST   /v1/notifications/{id}/release   by hand; it counts against the limits
 *   GET    /v1/recipients/{address}         whether it is in trouble, and why; its own recipients
 *   POST   /v1/recipients/{address}/confirm its owner has proven to be there (views_recipients.h)
 *   GET, POST /v1/verify, POST /v1/suppressed    io/status/verify_door.h
 *   GET    /v1/events                       what became of its notifications (io/status/events.h)
 *   POST   /v1/events/{account}             what an ESP tells (io/events/webhooks.h)
 *   GET    /v1/explain?text=, POST          what a reply or a returned mail means (explain.h)
 *   GET    /v1/webhooks/dead, POST /v1/webhooks/retry   its own that were not taken
 *   GET    /healthz                         200, or 503 and why
 *   GET    /metrics                         Prometheus; local clients, or with a key
 *   ...                                     the ESPs' own APIs (http_esp.h)
 *
 * An application shows its key as "Authorization: Bearer KEY"; without one it is the anonymous
 * application, if one is configured and the client is local. A wrong key is never anonymous.
 *
 * Owns      its listeners (config_http.listen, with its limits and certificate).
 * Lifetime  http_api_open() to the closed callback, which waits for the answers that are due: so
 *           close it before intake and store.
 * Threads   loop thread only. Keys are compared in constant time.
 */
#ifndef IO_INTAKE_HTTP_API_H
#define IO_INTAKE_HTTP_API_H

#include "io/events/webhooks.h"
#include "io/intake/http_submit.h"
#include "io/status/events.h"
#include "io/status/views.h"

struct http_api;

struct http_api_options {
    uv_loop_t *loop;
    struct intake *intake;
    struct store *store;
    const struct operate *operate;
    const struct clock *clock;
    struct event_feed *events;
    /* Answers /v1/verify (io/status/verify_door.h), false: not its path. NULL: none. */
    bool (*verify)(void *arg, struct http_request *req);
    void *verify_arg;
    struct webhooks *webhooks; /* NULL: ESPs cannot tell anything here */
};

/* Opens every address of the configuration in force; all or none. No address is fine: then only
 * http_api_notifications() is of use. */
TIDE_MUST_CHECK enum tide_err http_api_open(const struct http_api_options *options,
                                            struct http_api **ret,
                                            struct tide_error *err);
void http_api_close(struct http_api *api, void (*closed)(void *arg), void *arg);

/* In the order of http.listen, then of http.tls.listen. */
size_t http_api_listeners(const struct http_api *api);
int http_api_port(const struct http_api *api, size_t listener); /* 0: a Unix socket */

/* Who asks. */
struct http_caller {
    const struct config_application *application; /* NULL: an operator, who sees all; what he hands
                                                   * in belongs to ?application=, else to the
                                                   * anonymous one, else to the only one */
    bool may_operate;                             /* hand in, cancel, release */
    const char *by;                               /* for the journal */
};

/* Answers /v1/notifications and what is below it; false: another path, the request is still the
 * caller's. The status socket passes its own callers through here. */
bool http_api_notifications(struct http_api *api,
                            struct http_request *req,
                            const struct http_caller *caller);

#endif
