/* event_mail.h - an event of an ESP that comes as a mail: SES's notifications through an SNS topic
 * with an e-mail subscription, one JSON object in the text.
 *
 * What it says is given in the shapes of a delivery status and of a complaint, which the rest reads
 * like any other.
 *
 * Owns      nothing; everything is in the caller's arena.
 * Threads   any. No clock, no I/O.
 * Errors    none: what is no such event, or memory that runs out, is "no event".
 * Limits    EVENT_MAIL_BYTES of JSON. Linear in the size.
 */
#ifndef CORE_OUTCOME_EVENT_MAIL_H
#define CORE_OUTCOME_EVENT_MAIL_H

#include "core/outcome/arf.h"
#include "core/outcome/dsn.h"

#define EVENT_MAIL_BYTES (256u * 1024)

struct event_mail {
    bool complaint;
    struct dsn dsn;        /* of any event but a complaint */
    struct arf arf;        /* of a complaint */
    struct text mail_id;   /* Message-ID of our mail, with its brackets; "" */
    struct text mail_from; /* whom it was from; "" */
    struct text subject;
};

/* `body`: the text of the mail, decoded. False: it is no event. */
bool event_mail_read(struct text body, struct arena *a, struct event_mail *ret);

#endif
