/* story.h - joins cause and effect in a recipient's journal.
 *
 * Every entry stands for itself: who wrote it did not know what came before. What joins them is
 * what they say: the attempt, the instant, the words of a cause that a hold repeats. So the first
 * refusal gets its effects (holds, an entry in a list here or at the ESP, what the ESP dropped,
 * limits that were learned, mail that was refused for it), and what ended it is told.
 *
 * Owns      nothing: entries are borrowed for the call.
 * Threads   any.
 * Errors    none: what cannot be joined stands for itself.
 * Limits    looks back through what is given, STORY_OPEN_MAX troubles at once.
 */
#ifndef CORE_OUTCOME_STORY_H
#define CORE_OUTCOME_STORY_H

#include "core/record/notification.h"

#define STORY_OPEN_MAX 16

struct story_link {
    int cause; /* place of the entry that this one follows from; -1: it stands for itself */
    int ends;  /* place of the trouble that is over with this; -1: none */
};

/* `entries` of one recipient, in order; `ret` has room for as many. */
void story_join(const struct journal_entry *entries, size_t count, struct story_link *ret);

#endif
