/* http_esp.h - the HTTP door in the languages of the ESPs (core/esp): an application that used to
 * call SendGrid, Postmark, ... calls mailtide by changing its base URL.
 *
 * The key that an application shows is its own (config: key); there is no anonymous application
 * here, as there is none at the ESPs.
 *
 * Owns      a job for each request until its answer.
 * Threads   loop thread; large bodies are read and composed in libuv's pool.
 * Limits    a request whose mails fail for different reasons (disk full in the midst of a thousand
 *           personalizations) is answered with the first failure: whoever then sends it again sends
 *           the others twice, unless the API has an idempotency key.
 */
#ifndef IO_INTAKE_HTTP_ESP_H
#define IO_INTAKE_HTTP_ESP_H

#include "io/intake/http_submit.h"
#include "io/store/store.h"

struct http_esp_door {
    struct http_submit_door submit;
    struct store *store;
};

/* Takes the request over and answers it; false: no ESP has such a path. */
bool http_esp(const struct http_esp_door *door, struct http_request *req);

#endif
