/* smtp_args.h - custom args by SMTP: the header fields with which an ESP's smarthost is told what
 * to give back with its events. Our id goes there, and what the application wants to be told again.
 *
 *   ESP          field                    ours
 *   sendgrid     X-SMTPAPI                JSON: members of unique_args
 *   ses          X-SES-MESSAGE-TAGS       name=value, ...; what is made of letters, digits, _ and -
 *   mailgun      X-Mailgun-Variables      JSON: members
 *   postmark     X-PM-Metadata-NAME       a field each; ten of 20 and 80 bytes at most
 *   sparkpost    X-MSYS-API               JSON: members of metadata
 *   brevo        X-Mailin-custom          JSON: members; or one more in the application's "a:b|c:d"
 *   mandrill     X-MC-Metadata            JSON: members
 *   mailjet      X-MJ-EventPayload        JSON: members
 *   mailtrap     X-MT-Custom-Variables    JSON: members
 *
 * What the application has in that field stays; where it says a name too, its field counts before
 * its metadata, and our id before both. A field that cannot be read (no JSON) stays as it is, and
 * nothing is added. Fields for another of these ESPs are left out: they are nobody else's business.
 *
 * Owns      nothing.
 * Threads   any.
 * Errors    TIDE_ENOMEM, TIDE_ELIMIT.
 * Limits    SMTP_ARGS_LINE bytes without a blank, since lines are folded there: metadata that has
 *           more stays at home.
 * Known gap Resend documents no such field: its events are found by the Message-ID.
 */
#ifndef CORE_ESP_SMTP_ARGS_H
#define CORE_ESP_SMTP_ARGS_H

#include "base/buf.h"
#include "base/id.h"
#include "core/digest/message.h"

#define SMTP_ARGS_LINE 900 /* RFC 5322 2.1.1: 998 bytes of a line, the field's name among them */

bool smtp_args_has(struct text esp);

/* Appends the message with its fields for that ESP; `metadata` is a JSON object or "". */
TIDE_MUST_CHECK enum tide_err smtp_args_add(struct text esp,
                                            tide_id attempt,
                                            struct text metadata,
                                            const struct message *m,
                                            struct buf *ret,
                                            struct tide_error *err);

#endif
