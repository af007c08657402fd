/* send_batch.h - several mails, each with a content of its own, in one request to an ESP.
 *
 *   API        path                         mails   one of them is refused
 *   Postmark   /email/batch, of templates   500     its element of the answer says so
 *              /email/batchWithTemplates
 *   Resend     /emails/batch                100     "errors" of the answer names its index
 *                                                   (x-batch-validation: permissive)
 *
 * The other APIs have nothing of the kind: SendGrid's personalizations, Mailgun's recipient
 * variables, SparkPost's substitution data, Brevo's messageVersions and SES' SendBulkEmail put
 * different names into one content. Digests share none.
 *
 * A batch is made of requests as build() makes them for one mail: their bodies are its elements.
 * Where single requests carry an idempotency key, a batch has one of its own, which stands for
 * that very set of mails in that order. What the answer means for each mail is send.h's table, but:
 *
 *   2xx that does not fit the batch   LOST for each mail: by position it would speak of others
 *   400, 413, 422 .. of the whole     none was taken, and one mail may be the reason: each alone
 *   404, 405, 501                     the same; this API (or what plays it) takes no batches
 *   5xx but 501 and 503               LOST for each mail: a part of the batch may be taken; but
 *                                     with Postmark's own error in it, as for one mail: refused
 *
 * Owns      nothing: as send.h.
 * Threads   any. No clock, no I/O, no random numbers.
 * Errors    TIDE_ENOMEM.
 * Limits    SEND_BATCH_BYTES of body: Postmark's bound is 50 MB, Resend names none; what is lost
 *           with one answer stays small.
 */
#ifndef CORE_ESP_SEND_BATCH_H
#define CORE_ESP_SEND_BATCH_H

#include "core/esp/send.h"

#define SEND_BATCH_BYTES        (8u << 20)
#define SEND_BATCH_ANSWER_BYTES 1024 /* of an answer, for each mail */

/* How many mails the API takes in one request; 1: it has no such call. */
size_t send_batch_max(const struct send_api *api);

/* Both may be in one batch. */
bool send_batch_goes_with(const struct send_request *a, const struct send_request *b);

/* `each`: at least two that go with one another; `first`: the attempt of the first. */
TIDE_MUST_CHECK enum tide_err send_batch_build(const struct send_request *const *each,
                                               size_t count,
                                               tide_id first,
                                               struct arena *arena,
                                               struct send_request *ret,
                                               struct tide_error *err);

/* Bytes of an answer worth keeping. */
size_t send_batch_answer_max(size_t count);

enum send_batch_said {
    SEND_BATCH_EACH,  /* each[] says it */
    SEND_BATCH_APART, /* none was taken: send each alone; each[] says how the whole was refused */
    SEND_BATCH_NEVER, /* the same, and do not try again */
};
enum send_batch_said send_batch_read(const struct send_api *api,
                                     const struct send_answer *answer,
                                     size_t count,
                                     struct send_said *each);

#endif
