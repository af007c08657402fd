/* events.h - the journal as others follow it: GET /v1/events, with a durable cursor, and waiting.
 *
 *   GET /v1/events?after=CURSOR&most=N&types=a,b.*&wait=SECONDS
 *       {"now", "events": [EVENT, ...], "next": CURSOR, "more": whether there is more at once}
 *
 *   EVENT  {"id", "type", "timestamp", "data": {"application", "recipient", "reason", "detail",
 *           "attempt", "notifications": [{"id", "key", "stream", "recipient", "subject", ...}]}}
 *
 * `after` is what `next` said last (or an event's id): what follows it comes, each event once, in
 * the journal's order. Without it the oldest that is kept comes first; "newest" skips what is
 * there. With `wait` an answer without events is delayed until there is one, or the time is over.
 * 410 tells that what followed the cursor is not kept any more, and the oldest that is.
 *
 * Owns      those who wait.
 * Lifetime  event_feed_open() to the closed callback. event_feed_stop() before the doors are shut:
 *           all who wait are answered, and from then on nobody waits. Close it after them.
 * Threads   loop thread only.
 * Limits    EVENT_WAIT_S_MAX; EVENT_WAITERS_MAX wait at once, others are answered at once.
 */
#ifndef IO_STATUS_EVENTS_H
#define IO_STATUS_EVENTS_H

#include "core/proto/json_write.h"
#include "io/loop/clock.h"
#include "io/loop/http.h"
#include "io/store/store.h"

#define EVENT_WAIT_S_MAX  60
#define EVENT_WAITERS_MAX 500

struct event_feed;

TIDE_MUST_CHECK enum tide_err event_feed_open(uv_loop_t *loop,
                                              struct store *store,
                                              const struct clock *clock,
                                              struct event_feed **ret,
                                              struct tide_error *err);
void event_feed_stop(struct event_feed *f);
void event_feed_close(struct event_feed *f, void (*closed)(void *arg), void *arg);

/* `application` "": an operator, who sees all; else what is its own, and what concerns operators
 * with `with_alarms`. Takes the request over. */
void event_feed_get(struct event_feed *f,
                    struct http_request *req,
                    struct text application,
                    bool with_alarms);

/* "SEQ-TIME", a cursor too. Returns out. */
const char *event_id(const struct store_event *e, char *out, size_t size);

/* EVENT, as above. */
void shape_event(struct json_writer *w, const char *name, const struct store_event *e);

#endif
