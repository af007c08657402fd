/* mbox.h - parts the mails of an mbox file (RFC 4155).
 *
 *     while (mbox_next(&rest, &mail)) ...
 *
 * A file that does not begin with a "From " line is one mail. A "From " line begins another where
 * an empty line stands before it, a sender and a date in it and a header field below it; not inside
 * a multipart whose end is still to come, for what is returned there may begin with such a line.
 *
 * Owns      nothing: mails are stretches of the file.
 * Threads   any. Linear in the size.
 */
#ifndef CORE_OUTCOME_MBOX_H
#define CORE_OUTCOME_MBOX_H

#include "base/text.h"

/* Takes the next mail from *rest; its "From " line is part of it. False at the end. */
bool mbox_next(struct text *rest, struct text *ret);

#endif
