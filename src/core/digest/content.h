/* content.h - looks into the body of a message: what it says first, and whether a digest may take
 * it.
 *
 * Owns      nothing; the text found is in the caller's arena.
 * Threads   any. No clock, no I/O.
 * Errors    none but memory: what cannot be understood is not digestible, with the reason.
 * Limits    CONTENT_DEPTH_MAX, CONTENT_PARTS_MAX: over them the message is not digestible.
 *           Time is linear in the size times the depth; at most CONTENT_TEXT_SCAN_BYTES of a text
 *           part are decoded.
 * Standards RFC 2045, 2046, 2183; transfer encodings, parameters and charsets by GMime.
 */
#ifndef CORE_DIGEST_CONTENT_H
#define CORE_DIGEST_CONTENT_H

#include "core/digest/message.h"

#define CONTENT_DEPTH_MAX       8
#define CONTENT_PARTS_MAX       100
#define CONTENT_TEXT_SCAN_BYTES (64u * 1024)

struct content {
    bool digestible;
    const char *reason; /* not digestible: a static sentence, else "" */
    struct text text; /* first lines of the text, UTF-8, lines parted by LF; "" when it has none */
    bool cut;         /* there was more text */
};

/* `text_bytes_max` and `lines_max` bound `text`; 0 lines: the text is not looked for. Quoted lines
 * (">") and what follows a signature mark ("-- ") are left out, blank lines do not count. */
TIDE_MUST_CHECK enum tide_err content_look(const struct message *m,
                                           size_t text_bytes_max,
                                           unsigned lines_max,
                                           struct arena *a,
                                           struct content *ret,
                                           struct tide_error *err);

#endif
