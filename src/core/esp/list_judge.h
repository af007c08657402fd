/* list_judge.h - what to do with an address that stands on an ESP's list: take it off, because the
 * recipient was not at fault; learn from it, because it was; or leave it.
 *
 *   complained, unsubscribed      learn; never taken off
 *   put there by somebody         left
 *   the words, or our own findings of that mail, name a limit, an outage or a fault of ours
 *                                 taken off
 *   mail has reached it since, or somebody has said since that it should come off
 *                                 taken off
 *   the words name the address or its mailbox
 *                                 learn
 *   words about content, policy, or none at all
 *                                 left: nobody knows better
 *
 * Owns      nothing. Threads any. Reads no clock.
 */
#ifndef CORE_ESP_LIST_JUDGE_H
#define CORE_ESP_LIST_JUDGE_H

#include "core/esp/lists.h"
#include "core/outcome/finding.h"
#include "core/record/past.h"

enum list_verdict { LIST_LEAVE, LIST_MEND, LIST_LEARN };

const char *list_verdict_name(enum list_verdict v);

struct list_case {
    const struct list_entry *entry;
    const struct rulebook *rules;      /* NULL: none */
    const struct recipient_past *past; /* NULL: nobody of ours */
    struct text provider;              /* of the recipient's profile; "" */
    struct text mend;                  /* why it is to come off, found before; "": not found */
    tide_wall_ms mend_at;              /* when that was found */
};

struct list_judgement {
    enum list_verdict verdict;
    struct meaning meaning; /* of the entry's words; all zero without */
    struct reply_said said;
    char why[400]; /* a sentence without its point */
};

void list_judge(const struct list_case *c, struct list_judgement *ret);

#endif
