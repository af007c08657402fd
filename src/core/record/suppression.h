/* suppression.h - an address that is not to be mailed: what for, on what evidence, until when.
 *
 * An entry stays after it is over, so that the next pause is longer than the last.
 *
 * Owns      nothing: texts are borrowed from the arena or row that the record came in.
 * Threads   any.
 */
#ifndef CORE_RECORD_SUPPRESSION_H
#define CORE_RECORD_SUPPRESSION_H

#include "base/arena.h"
#include "base/id.h"
#include "base/text.h"
#include "base/time.h"

#define SUPPRESSION_CAUSES(X)                                                 \
    X(MANUAL, "manual")             /* somebody put it there */               \
    X(INVALID, "invalid")           /* there is no such mailbox */            \
    X(DISABLED, "disabled")         /* there is one, shut */                  \
    X(FULL, "full")                 /* of mail */                             \
    X(COMPLAINT, "complaint")       /* its owner called our mail spam */      \
    X(UNSUBSCRIBED, "unsubscribed") /* its owner wants no more of a stream */ \
    X(REFUSED, "refused")           /* its owner's provider wants none of a sender */

enum suppression_cause {
#define SUPPRESSION_CAUSE(code, text) SUPPRESSION_##code,
    SUPPRESSION_CAUSES(SUPPRESSION_CAUSE)
#undef SUPPRESSION_CAUSE
};

const char *suppression_cause_name(enum suppression_cause c);
bool suppression_cause_of(struct text name, enum suppression_cause *ret);

/* What an entry stops: "" all mail; "bulk" what is not urgent; "stream:NAME" that stream;
 * "sender:ADDRESS" what comes from that sender identity. */
#define SUPPRESSION_BULK   "bulk"
#define SUPPRESSION_STREAM "stream:"
#define SUPPRESSION_SENDER "sender:"

struct suppression {
    struct text address; /* normal form */
    struct text scope;
    enum suppression_cause cause;
    bool pause;           /* mail is held until it expires, not refused */
    struct text evidence; /* what was said, word for word */
    struct text rule;     /* that knew it; "" */
    struct text account;  /* through which; "" */
    struct text by;       /* who put it there; "" mailtide itself */
    tide_id attempt_id;   /* 0: none */
    tide_wall_ms at;
    tide_wall_ms expires_at; /* 0: never */
    tide_wall_ms lifted_at;  /* 0: it was not */
    int times;               /* so often in a row, this one counted */
};

/* As one line of struct recipient_state: "CAUSE|1 if a pause|EXPIRES_AT|SCOPE". False: it is none.
 * Only these fields are set. */
bool suppression_line_of(struct text line, struct suppression *ret);

/* A copy whose texts are in *a. */
struct suppression suppression_copy(const struct suppression *s, struct arena *a);

static inline bool suppression_is_on(const struct suppression *s, tide_wall_ms now)
{
    return s->lifted_at == 0 && (s->expires_at == 0 || s->expires_at > now);
}

#endif
