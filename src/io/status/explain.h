/* explain.h - what a reply or a mail that came back means, over HTTP: as mailtide explain --json.
 *
 *   GET  /v1/explain?text=TEXT&provider=NAME     a reply
 *   POST /v1/explain  (text/plain)               a reply; ?provider= too
 *   POST /v1/explain  (anything else)            a whole mail, or an mbox
 *
 * Owns      nothing; each call has a job of its own until its answer.
 * Threads   loop thread; mails are read on libuv's pool.
 * Errors    400 nothing to explain, no such provider.
 */
#ifndef IO_STATUS_EXPLAIN_H
#define IO_STATUS_EXPLAIN_H

#include "io/status/views.h"

/* False: another path, the request is still the caller's. */
bool view_explain(const struct views *v, uv_loop_t *loop, struct http_request *req);

#endif
