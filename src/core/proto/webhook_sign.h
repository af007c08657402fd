/* webhook_sign.h - signs webhooks as the Standard Webhooks specification says (Svix' scheme).
 *
 *   webhook-id          the same each time that the event is told
 *   webhook-timestamp   seconds since 1970 of this telling
 *   webhook-signature   "v1,BASE64" for each secret, blanks between: HMAC-SHA-256 over
 *                       "ID.TIMESTAMP.BODY" under the base64 key behind "whsec_"
 *
 * Owns      nothing.
 * Threads   any.
 * Errors    a secret that is none: TIDE_ESYNTAX (the configuration has checked it).
 * Standards standard-webhooks 1.0.0.
 */
#ifndef CORE_PROTO_WEBHOOK_SIGN_H
#define CORE_PROTO_WEBHOOK_SIGN_H

#include "core/proto/sigv4.h"

/* Appends the signature header's value; `secrets` with blanks between. */
TIDE_MUST_CHECK enum tide_err webhook_sign(const struct sigv4_hash *hash,
                                           struct text secrets,
                                           struct text id,
                                           int64_t timestamp_s,
                                           struct text body,
                                           struct buf *ret,
                                           struct tide_error *err);

#endif
