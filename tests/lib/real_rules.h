/* real_rules.h - the rules of schedules/replies, as mailtide ships them.
 *
 * Run in the source tree, or with MAILTIDE_SCHEDULES set.
 */
#ifndef TESTS_LIB_REAL_RULES_H
#define TESTS_LIB_REAL_RULES_H

#include "core/outcome/rules.h"

/* The caller's: rulebook_free(). Fails the test when they cannot be loaded. */
struct rulebook *real_rules(void);

#endif
