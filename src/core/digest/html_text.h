/* html_text.h - the words of an HTML document, for a summary; nothing of its looks.
 *
 * Owns      nothing; the result is the caller's buffer.
 * Threads   any. No clock, no I/O.
 * Errors    none but the buffer's: broken HTML gives some text.
 * Limits    linear in the size of the document; stops when the buffer is full.
 * Known gap styles count only as display:none in the element itself, and names of characters only
 *           those of Latin-1 and of typography.
 */
#ifndef CORE_DIGEST_HTML_TEXT_H
#define CORE_DIGEST_HTML_TEXT_H

#include "base/buf.h"

/* Appends the text of `html` (UTF-8), one line for each block, blanks collapsed. */
void html_text(struct text html, struct buf *ret);

#endif
