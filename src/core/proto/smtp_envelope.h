/* smtp_envelope.h - the commands of one mail, MAIL FROM to DATA, as text, and what need not be
 * asked because the answer is known.
 *
 * Owns      nothing. Threads any.
 */
#ifndef CORE_PROTO_SMTP_ENVELOPE_H
#define CORE_PROTO_SMTP_ENVELOPE_H

#include "core/proto/smtp_client.h"

/* Refusals of our own making, as the server would word them: an address that cannot stand between
 * "<" and ">", SMTPUTF8 needed but not offered (5.6.7), larger than SIZE allows. */
bool envelope_refused(const struct smtp_client *c, const struct smtp_mail *m, struct reply *ret);
bool envelope_rcpt_refused(const struct smtp_client *c,
                           const struct smtp_rcpt *rcpt,
                           struct reply *ret);

void envelope_add_mail(const struct smtp_client *c, const struct smtp_mail *m, struct buf *out);
void envelope_add_rcpt(const struct smtp_client *c, const struct smtp_rcpt *r, struct buf *out);

#endif
