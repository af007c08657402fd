/* letters.h - events that webhooks did not take and that were given up: listed, and put back.
 *
 *   GET  /v1/webhooks/dead?most=     {"now", "letters": [{"id", "application", "type", "tries",
 *                                     "first_at", "tried_at", "error"}]}
 *   POST /v1/webhooks/retry?id=      {"retried": N}; without id all
 *
 * Owns      nothing; each call has a job of its own until its answer.
 * Threads   loop thread only.
 */
#ifndef IO_STATUS_LETTERS_H
#define IO_STATUS_LETTERS_H

#include "io/status/views.h"

/* What is at these two paths; `application` "": any, or ?application=. False: another path. */
bool view_letters(const struct views *v,
                  struct http_request *req,
                  struct text application,
                  bool may_operate);

#endif
