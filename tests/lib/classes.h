/* classes.h - compares a class with a corpus' label, as its taxonomy.tsv has them. */
#ifndef TESTS_LIB_CLASSES_H
#define TESTS_LIB_CLASSES_H

#include "core/outcome/rules.h"

enum class_match { CLASS_WRONG, CLASS_NEAR, CLASS_EXACT };

/* Two labels leave open what it is: "recipient-filtered" (the recipient's side refuses, the address
 * may be right or wrong) and "sender-rejected" (the sender is refused, for whatever reason). */
enum class_match class_matches(struct text label, enum reply_class got);

#endif
