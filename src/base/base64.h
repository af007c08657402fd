/* base64.h - base64 (RFC 4648 4): for AUTH, attachments and raw messages in JSON.
 *
 * Owns      nothing; appends to the caller's buffer.
 * Threads   any.
 * Errors    TIDE_ESYNTAX says at which byte (from 0) it is not base64, TIDE_ENOMEM or TIDE_ELIMIT
 *           the buffer's own. What was appended is then taken back.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* Blanks and line ends between the characters are skipped, as encoders for mail put them there.
 * Padding is wanted, bits behind the last byte must be zero: one text for each content. */
TIDE_MUST_CHECK enum tide_err base64_decode(struct text t, struct buf *ret, struct tide_error *err);

/* One line, padded. */
void base64_encode(struct text bytes, struct buf *ret);

#endif
