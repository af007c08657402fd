/* learn_in.h - what the files of learning share; nobody else includes this.
 *
 * learn.c          keys and their closures, what was taken lately
 * learn_numbers.c  the numbers of a key, what is believed of them
 * learn_rows.c     rows for the store
 */
#ifndef CORE_PLAN_LEARN_IN_H
#define CORE_PLAN_LEARN_IN_H

#include "core/plan/learn.h"

/* A reply has refused what came after `reply->taken` mails in this window. */
void learn_teach(struct learn *l,
                 struct learn_key *k,
                 const struct window *window,
                 const struct learn_reply *reply,
                 tide_wall_ms now);
/* The same of a mailbox: its provider's others are told; its own number only where theirs is
 * another. */
void learn_teach_mailbox(struct learn *l,
                         struct learn_key *k,
                         uint32_t provider,
                         const struct window *window,
                         const struct learn_reply *reply,
                         tide_wall_ms now);
/* It was under way when the refusal came, and was taken: there was room for one more. */
void learn_one_more(struct learn_limit *x);
/* Nothing is believed but that it is its count. */
void learn_believe(struct learn_limit *x);
/* One more of this window has been taken: x->taken. */
void learn_taken_of(struct learn_limit *x, tide_wall_ms now);
void learn_limit_free(struct learn_limit *x);

/* What a number is counted in: a pause after each mail has no count, the mails that led to it do.
 */
struct window learn_countable(const struct window *w);
/* NULL: UTC, or a zone that is not there. False: out of memory. */
bool learn_zone(struct learn *l, const char *name, const struct zone **ret);

#endif
