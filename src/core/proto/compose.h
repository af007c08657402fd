/* compose.h - builds the RFC 5322 message of a draft from its fields.
 *
 * The fields of a stored template stand as application/json where text and html would.
 *
 *   multipart/mixed            where there are attachments
 *     multipart/related        where there are inline files beside html
 *       multipart/alternative  where there are text and html
 *         text/plain, text/html
 *       image/png (inline, Content-ID)
 *     application/pdf (attachment)
 *
 * GMime writes the parts; the header is written by core/digest/message.h, since GMime 3.2 makes
 * encoded words of 76 bytes, one more than RFC 2047 2 allows, and its own reader drops them.
 *
 * Levels that would hold one part are left out. The message has CRLF line ends and 7-bit bodies.
 *
 * Owns      nothing: appends to the caller's buffer.
 * Threads   any; GMime is initialised on first use. Reads no clock: date, id and with them the
 *           boundaries come from the caller, so the same draft gives the same bytes.
 * Errors    TIDE_EINVAL a control character in what would stand in a header (api.c has refused it
 *           before, with the field's name); TIDE_ENOMEM, TIDE_ELIMIT the buffer's.
 * Standards RFC 5322, 2045, 2046, 2047 (headers), 2231 (file names), 2387 (related). Bcc is not
 *           written. An attached message (message/...) goes as application/octet-stream, since it
 *           may not be base64 otherwise (RFC 2046 5.2.1).
 */
#ifndef CORE_PROTO_COMPOSE_H
#define CORE_PROTO_COMPOSE_H

#include "base/buf.h"
#include "core/proto/api.h"

struct compose_given {
    tide_wall_ms date;
    struct text message_id; /* without angle brackets; the draft's own Message-ID header wins */
};

TIDE_MUST_CHECK enum tide_err compose(const struct api_draft *d,
                                      const struct compose_given *given,
                                      struct buf *ret,
                                      struct tide_error *err);

#endif
