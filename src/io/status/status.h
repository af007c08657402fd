/* status.h - HTTP over a Unix socket for operators: what the CLI speaks, and curl --unix-socket.
 *
 *   GET  /                              a few lines for people
 *   GET  /v1/status                     shape_status()
 *   GET  /v1/queue?recipient=&domain=&stream=&after=&most=   {"now","notifications":[...],"next"}
 *   GET  /v1/why?recipient=|id=&after=&most=
 *                      {"now","recipient":{...},"notifications":[...],"attempts":[...],
 *                       "journal":[...],"next"}
 *   GET  /v1/limits[?recipient=]        {"now","limits":[...]}, "recipient","provider" if asked
 *   GET  /v1/limits/learned[?recipient=]   {"now","learned":[...]}: what replies have taught
 *   GET  /v1/guards, POST /v1/guards/open?name=    bounce and complaint rates that ESPs watch
 *   POST /v1/limits/pin?scope=&subject=&of=&count=&window=&zone=,
 * /v1/limits/forget?scope=&subject=&of=
 *                                       {"done": a sentence}
 *   GET  /v1/events?after=&most=&types=&wait=   the journal as others follow it (events.h)
 *   GET  /v1/senders[?domain=]          view_senders()
 *   GET  /v1/explain?text=, POST        what a reply or a returned mail means (explain.h)
 *   GET  /v1/webhooks/dead, POST /v1/webhooks/retry   events that webhooks did not take (letters.h)
 *   GET  /v1/suppressions, POST /v1/suppressions, POST /v1/suppressions/remove
 *   GET  /v1/recipients/{address}, POST /v1/recipients/{address}/confirm    (views_recipients.h)
 *   GET, POST /v1/verify, POST /v1/suppressed       verify_door.h
 *   GET  /v1/notifications/{id}         a notification
 *   POST /v1/notifications[?application=]           hands in (io/intake/http_submit.h)
 *   POST /v1/notifications/{id}/cancel, .../release   {"cancelled":N}, {"released":N}
 *   POST /v1/cancel?recipient=, /v1/release?recipient=   all that is pending of one recipient
 *   POST /v1/suppressions/sync          ESPs' lists are compared and mended now
 *   POST /v1/ingest                     a bounce or a complaint, as it came (io/events/bounces.h)
 *   GET  /healthz, /metrics
 *
 * Records are those of shape.h. Errors are {"error":{"code","message"}}. Whoever may open the
 * socket (mode, group) may read; POST and DELETE are for root, the daemon's own user and the
 * configured operators.
 *
 * Owns      its listener.
 * Lifetime  status_open() to the closed callback, which waits for the answers that are due.
 * Threads   loop thread only. Names of operators are looked up at opening and reconfiguring.
 */
#ifndef IO_STATUS_STATUS_H
#define IO_STATUS_STATUS_H

#include "core/config/config.h"
#include "io/status/events.h"
#include "io/status/views.h"

struct status;

struct verify_door;

struct status_options {
    uv_loop_t *loop;
    struct store *store;
    const struct operate *operate;
    struct event_feed *events;
    size_t body_bytes_max; /* of what is handed in */
    struct verify_door *verify;
    /* Answers what is at and below /v1/notifications, false: not its path. The intake's room stands
     * above this one: the daemon passes http_api_notifications() in. NULL: none of these. */
    bool (*notifications)(void *arg, struct http_request *req, bool may_operate, const char *by);
    /* Answers POST /v1/ingest, a mail that came back; NULL: it is not taken. */
    void (*ingest)(void *arg, struct http_request *req);
    /* Answers POST /v1/suppressions/sync (io/watch/list_door.h); NULL: there is none. */
    void (*lists)(void *arg, struct http_request *req);
    void *arg;
};

TIDE_MUST_CHECK enum tide_err status_open(const struct status_options *options,
                                          const struct config_status *config,
                                          struct status **ret,
                                          struct tide_error *err);
/* Takes the operators anew; the socket stays as it is. On failure the old ones stay. */
TIDE_MUST_CHECK enum tide_err status_configure(struct status *s,
                                               const struct config_status *config,
                                               struct tide_error *err);
void status_close(struct status *s, void (*closed)(void *arg), void *arg);

#endif
