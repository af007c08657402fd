/* http_submit.h - POST /v1/notifications: a body of JSON becomes submissions, then one answer.
 *
 * One object or an array of them. Each item meets its own fate: one bad item does not lose the
 * others. The answer comes when the last item is durable or refused.
 *
 *   202 {"notifications":[{"id","recipient","state","reason","estimated_release_at","duplicate",
 *        "supersedes"}]}
 *   arrays: each entry with "index"; a refused item is {"index","error":{"code","field","message"}}
 *   nothing taken: {"error":{"code","field","message"}}, for arrays with "notifications" beside it,
 *   with 400 bad_json, bad_value, ...; 403 not_permitted; 409 key_used; 413 too_many_items;
 *   415 not_json; 429 too_many; 503 store_full, store_failed
 *
 * Owns      a job for each request until its answer.
 * Threads   loop thread; large bodies are parsed and composed in libuv's pool.
 */
#ifndef IO_INTAKE_HTTP_SUBMIT_H
#define IO_INTAKE_HTTP_SUBMIT_H

#include "io/intake/intake.h"
#include "io/loop/clock.h"
#include "io/loop/http.h"

struct http_submit_door {
    uv_loop_t *loop;
    struct intake *intake;
    const struct clock *clock;
};

/* Takes the request over and answers it. `application` is the caller's, authenticated. */
void http_submit(const struct http_submit_door *door,
                 struct http_request *req,
                 const struct config_application *application);

/* The status and the error alone: {"error":{"code","field","message"}}. */
void http_submit_error(struct http_request *req,
                       unsigned status,
                       const char *code,
                       const char *field,
                       const char *message);

#endif
