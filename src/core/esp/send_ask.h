/* send_ask.h - whether an ESP has a mail whose answer was lost: it is asked for what it calls the
 * mail of an attempt.
 *
 *   API       request (GET)                                        our id stands in
 *   Postmark  /messages/outbound?metadata_mailtide_attempt=ID      Metadata
 *   SendGrid  /v3/messages?query=(unique_args['mailtide_attempt']  the query (Email Activity, an
 *             ="ID")                                               add-on: 403 without it)
 *   Mailgun   /v3/DOMAIN/events?event=accepted&recipient=ADDRESS   user-variables
 *
 * Resend and Brevo answer the same request again as they did then (idempotency keys); Amazon SES
 * and SparkPost have nothing to search by. What is not found may be indexed a moment later: only
 * FOUND is final.
 *
 * Owns      nothing: texts of a request are in the caller's arena.
 * Threads   any. No clock, no I/O, no random numbers.
 * Errors    TIDE_ENOMEM, TIDE_EINVAL.
 * Known gap SendGrid's answer does not repeat our id: its query and the recipient are believed.
 */
#ifndef CORE_ESP_SEND_ASK_H
#define CORE_ESP_SEND_ASK_H

#include "core/esp/send.h"

#define SEND_ASK_ANSWER_MAX (1u << 20) /* bytes: 25 mails, each with its metadata */

bool send_ask_can(const struct send_api *api);

/* Of an API that can. `built`: the request that the mail left with, whose key is shown again; it
 * outlives ret. */
TIDE_MUST_CHECK enum tide_err send_ask_build(const struct send_api *api,
                                             const struct send_mail *mail,
                                             const struct send_request *built,
                                             struct arena *a,
                                             struct send_request *ret,
                                             struct tide_error *err);

enum send_found {
    SEND_FOUND,
    SEND_NOT_FOUND,   /* not yet */
    SEND_CANNOT_TELL, /* nor will it: no right to ask, another answer than the API's */
    SEND_ASK_LATER,   /* too much asked, or down */
};
/* Found: what the mail ends with. */
enum send_found send_ask_read(const struct send_api *api,
                              const struct send_mail *mail,
                              int status,
                              struct text body,
                              struct send_said *ret);

#endif
