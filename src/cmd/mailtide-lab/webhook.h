/* webhook.h - posts to one URL, in order, one request after the other.
 *
 * Owns      its queue and connection. What could not be posted is tried WEBHOOK_TRIES times, then
 *           logged and left.
 * Lifetime  webhook_open() to the callback of webhook_close(); what waits then is left.
 * Threads   loop thread only.
 * Errors    TIDE_EINVAL a URL that is not http://ADDRESS:PORT/PATH (no names, no TLS: it is a lab).
 */
#ifndef CMD_MAILTIDE_LAB_WEBHOOK_H
#define CMD_MAILTIDE_LAB_WEBHOOK_H

#include "base/buf.h"

#include <uv.h>

#define WEBHOOK_TRIES 3

struct webhook;

TIDE_MUST_CHECK enum tide_err webhook_open(uv_loop_t *loop,
                                           const char *url,
                                           struct webhook **ret,
                                           struct tide_error *err);
/* `headers` are whole lines. Both are copied. */
void webhook_post(struct webhook *h, struct text headers, struct text body);
void webhook_close(struct webhook *h, void (*closed)(void *arg), void *arg);

#endif
