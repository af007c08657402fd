/* ses.h - what the two APIs of Amazon SES (v2 as JSON, v1 as forms and XML) share.
 *
 * Owns      nothing. Threads any. Errors as core/esp/part.h says.
 */
#ifndef CORE_ESP_SES_H
#define CORE_ESP_SES_H

#include "core/esp/part.h"
#include "core/proto/form.h"

#define SES_RECIPIENTS_MAX 50
#define SES_BULK_MAX       50

enum { SES_HEADER_INVOCATION }; /* place in struct esp_ask.headers */

/* Appends one address, "a@b" or "Name <a@b>"; a wrong one is ESP_BAD_ADDRESS. */
bool ses_recipient(struct esp_reading *r, struct text t, struct api_addresses *ret);
/* The sender; a wrong one is refused as one that nobody has verified, by v1 as no address. */
bool ses_sender(struct esp_reading *r, struct text t, struct mailbox *ret);

/* The base64 of a message into d: its envelope is d->to, d->cc, d->bcc and d->from where they are
 * given, else what its header says. */
bool ses_raw(struct esp_reading *r, struct text encoded, struct api_draft *d);

/* At least one recipient, at most SES_RECIPIENTS_MAX. */
bool ses_check_recipients(struct esp_reading *r, const struct api_draft *d);

/* The SDKs send a request whose answer was lost again under the same amz-sdk-invocation-id; `index`
 * tells the mails of one request apart, -1: it is the only one. */
bool ses_take_key(struct esp_reading *r, struct api_draft *d, int index);

/* A template that SES stores; texts p NULL: not given. */
struct ses_template {
    struct text name, arn;
    const char *field; /* that a refusal is about */
};

/* Makes it the draft's, with these values (JSON); refused where another ESP is behind. */
bool ses_stored(struct esp_reading *r,
                const struct ses_template *t,
                struct text data,
                struct api_draft *d);
/* The values of bulk mail, JSON objects: an entry's own, which take the place of those for all. */
bool ses_merge_data(struct esp_reading *r, const struct text data[2], struct text *ret);

/* -- The query API beside sending: manage_ses_query.c -------------------------------------------
 */

/* Is the form's Action one of these? Then *ret says what it wants. */
bool ses_query_manages(const struct esp_ask *ask, const struct form *f, struct esp_batch *ret);
/* The result of its form's Action as XML; the name of the Action, NULL: it is another. */
const char *ses_query_managed(const struct esp_ask *ask,
                              const struct esp_batch *batch,
                              struct buf *b);

/* As XML's text. */
void ses_add_escaped(struct buf *b, struct text t);

#endif
