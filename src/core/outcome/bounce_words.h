/* bounce_words.h - what a mail that comes back may be, by whom it is from and by its subject.
 *
 * Owns      nothing. Threads any. Errors none.
 */
#ifndef CORE_OUTCOME_BOUNCE_WORDS_H
#define CORE_OUTCOME_BOUNCE_WORDS_H

#include "base/text.h"

enum bounce_sender {
    SENDER_ANYBODY,
    SENDER_OFFICE, /* "root", "administrator": people and programs write so as well */
    SENDER_DAEMON, /* a mail system */
};

enum bounce_subject {
    SUBJECT_OTHER,
    SUBJECT_FAILURE, /* something failed: a delivery, or a build */
    SUBJECT_REPORT,  /* a mail was not delivered */
};

/* Decoded values of From and Subject. */
enum bounce_sender bounce_sender_of(struct text from);
enum bounce_subject bounce_subject_of(struct text subject);

/* "Automatic reply: ..." in the languages of mail programs. */
bool bounce_subject_is_away(struct text subject);

#endif
