/* hint.h - what an address itself may tell about a recipient; found by core/verify/recipient.h.
 *
 * Threads   any.
 */
#ifndef CORE_RECORD_HINT_H
#define CORE_RECORD_HINT_H

#include "base/text.h"

enum recipient_hint {
    HINT_TYPO = 1,       /* one slip away from a domain that everybody knows */
    HINT_ROLE = 2,       /* a function's mailbox, not a person's */
    HINT_DISPOSABLE = 4, /* made to be thrown away */
    HINT_FREE_MAIL = 8,  /* anybody may have a mailbox there */
};
#define HINT_COUNT 4

const char *recipient_hint_name(enum recipient_hint h); /* "typo", "role", "disposable", ... */
bool recipient_hint_of(struct text name, enum recipient_hint *ret);

#endif
