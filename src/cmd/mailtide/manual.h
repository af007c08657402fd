/* manual.h - the lists of the manual, from the tables: mailtide.1 and mailtide.conf.5 hold them
 * between ".\" list NAME" and ".\" end NAME"; `make manual` puts them there, a test compares.
 *
 * Owns nothing. Threads any.
 */
#ifndef CMD_MAILTIDE_MANUAL_H
#define CMD_MAILTIDE_MANUAL_H

#include "base/buf.h"

/* "commands", "exits" or "keys" in man(7); false: another name. */
bool manual_list(const char *name, struct buf *ret);

#endif
