/* learn_in.h - what the files of learning share; nobody else includes this.
 *
 * learn.c          keys and their closures, what was taken lately
 * learn_numbers.c  the numbers of a key
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
void learn_limit_free(struct learn_limit *x);

/* What a number is counted in: a pause after each mail has no count, the mails that led to it do.
 */
struct window learn_countable(const struct window *w);
/* NULL: UTC, or a zone that is not there. False: out of memory. */
bool learn_zone(struct learn *l, const char *name, const struct zone **ret);

#endif
