/* webhooks.h - POST /v1/events/ACCOUNT: an ESP tells what became of mails.
 *
 *   request --events_read()--> refused: 401, 403, 400 ...; journalled
 *      |            `--> SNS's certificate is wanted: fetched once, kept
 *      `--> news --news_desk_take()--> durable --> 200      (else 503: it is told again)
 *
 * Nothing of a request is believed or stored before it is proven (core/esp/events.h). A request
 * that may be taken once only (Mailgun's tokens) and was taken before is refused with 403. GET and
 * HEAD are answered with 200: some ESPs ask first whether there is anything.
 *
 * Owns      copies of certificates; each request until its answer.
 * Lifetime  webhooks_open() to the closed callback; the HTTP door stands above it and is closed
 *           before.
 * Threads   loop thread only.
 * Errors    as answers.
 * Limits    EVENTS_BYTES_MAX a body, CERTIFICATES_MAX certificates, REFUSALS_PER_MINUTE lines in
 *           the journal (the others are counted in the next line).
 */
#ifndef IO_EVENTS_WEBHOOKS_H
#define IO_EVENTS_WEBHOOKS_H

#include "core/esp/events.h"
#include "io/events/desk.h"
#include "io/loop/http.h"

#define WEBHOOKS_PATH "/v1/events/"

struct webhooks;

struct webhooks_options {
    uv_loop_t *loop;
    struct drive *drive;
    struct news_desk *desk;
};

TIDE_MUST_CHECK enum tide_err webhooks_open(const struct webhooks_options *options,
                                            struct webhooks **ret,
                                            struct tide_error *err);
void webhooks_close(struct webhooks *w, void (*closed)(void *arg), void *arg);

/* Answers what is below WEBHOOKS_PATH; false: another path, the request is still the caller's. */
bool webhooks_take(struct webhooks *w, struct http_request *req);

#endif
