/* bidi.h - whether a name with right-to-left labels reads the same everywhere (RFC 5893 2).
 *
 * A name with one label that has a character of class R, AL or AN is a Bidi name, and then every
 * label has to keep the six rules, those in Latin too. The characters are taken for checked (RFC
 * 5892): the classes of what is allowed in labels are known here, not those of all of Unicode.
 *
 * Owns      nothing. Threads any. Pure.
 */
#ifndef CORE_ADDRESS_BIDI_H
#define CORE_ADDRESS_BIDI_H

#include "base/text.h"

enum bidi_class {
    BIDI_L,
    BIDI_R,
    BIDI_AL,
    BIDI_EN,
    BIDI_AN,
    BIDI_NSM,
    BIDI_NEUTRAL, /* ES, CS, ET, ON, BN: the rules treat them alike */
};

enum bidi_class bidi_class_of(uint32_t code_point);

/* `name`: labels in Unicode, UTF-8, dots between them. 0: well; else the rule that the label
 * *ret_label breaks. */
int bidi_check(struct text name, struct text *ret_label);

#endif
