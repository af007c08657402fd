/* inside.h - what the two halves of libmailtide share; not installed.
 *
 * Threads one. Errors as in mailtide/client.h.
 */
#ifndef CLIENT_INSIDE_H
#define CLIENT_INSIDE_H

#include "base/buf.h"
#include "core/proto/json.h"
#include "mailtide/client.h"

/* Asks and reads the answer; *ret is the caller's to free, TIDE_OK only for a 2xx. `body` of a
 * POST; NULL: GET. */
TIDE_MUST_CHECK enum tide_err client_ask(struct tide_client *c,
                                         const char *path,
                                         const struct buf *body,
                                         struct json **ret,
                                         struct tide_error *err);

/* The JSON of POST /v1/notifications. */
void client_write_message(struct buf *out, const struct tide_message *m);

#endif
