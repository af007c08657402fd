/* question.h - what a state machine of this room wants to know next.
 *
 * A machine hands out one question at a time and is fed the answer; src/io/dns/asker.h does that
 * over the resolver, a test over a table.
 *
 * Owns      nothing; the name lives in the machine's arena until the machine is fed.
 * Threads   any.
 */
#ifndef CORE_VERIFY_QUESTION_H
#define CORE_VERIFY_QUESTION_H

#include "core/dns/message.h"

struct question {
    bool done; /* nothing more is wanted: the result can be had */
    struct text name;
    enum dns_type type;
};

/* Feeds the answer and says what is wanted next. */
typedef void (*question_feed)(void *machine, const struct dns_answer *answer, struct question *ret);

/* Whether a name can be asked for at all: labels of 1..63 octets, 253 in all, one dot at the end
 * allowed, no backslash. */
bool question_name_ok(struct text name);

#endif
