/* bounce_parts.h - the parts of a mail that came back: what it says, its fields, what it returns.
 *
 * Owns      the text (bounce_parts_fini()); everything else is in the arena or points into the
 * mail. Threads   any. No clock, no I/O. Errors    none: what cannot be read is left out. Limits
 * BOUNCE_DEPTH_MAX, BOUNCE_PARTS_MAX, BOUNCE_TEXT_BYTES of each part (bounce.h).
 */
#ifndef CORE_OUTCOME_BOUNCE_PARTS_H
#define CORE_OUTCOME_BOUNCE_PARTS_H

#include "core/digest/message.h"
#include "core/outcome/bounce.h"

struct bounce_parts {
    struct arena *arena;
    int count;
    struct buf text; /* what it says to people */
    bool html_only;
    struct text status, feedback; /* decoded bodies of the first of each */
    bool has_status, has_feedback, has_receipt;
    struct message original; /* the returned message, or its header */
    bool has_original;
};

/* Zeroed but for its arena. */
void bounce_parts_take(struct bounce_parts *r, const struct message *mail);
void bounce_parts_fini(struct bounce_parts *r);

/* The returned message stands in this text; the first one that is found is kept. */
void bounce_parts_original(struct bounce_parts *r, struct text t);

#endif
