/* http_esp.h - the HTTP door in the languages of the ESPs (core/esp): an application that used to
 * call SendGrid, Postmark, ... calls mailtide by changing its base URL.
 *
 * The key that an application shows is its own (config: key); there is no anonymous application
 * here, as there is none at the ESPs.
 *
 * Owns      a job for each request until its answer.
 * Threads   loop thread; large bodies are read and composed in libuv's pool.
 * Limits    when the store fails in the midst of a request's many mails (disk full among a thousand
 *           personalizations), the answer is the failure: whoever then sends it again sends those
 *           taken before twice, unless the API has an idempotency key.
 */
#ifndef IO_INTAKE_HTTP_ESP_H
#define IO_INTAKE_HTTP_ESP_H

#include "io/intake/http_submit.h"
#include "io/store/store.h"

struct http_esp_door {
    struct http_submit_door submit;
    struct store *store;
    const struct operate *operate;
};

/* Takes the request over and answers it; false: no ESP has such a path. */
bool http_esp(const struct http_esp_door *door, struct http_request *req);

/* Refuses a request at a path that is nobody's, in the form of the ESP that its key is of; false:
 * it is of none. */
bool http_esp_meant(const struct http_esp_door *door, struct http_request *req);

/* The same for one whose body could not be taken (struct http_options.on_refused). */
bool http_esp_refuse(struct http_request *req, unsigned status, const char *message);

#endif
