/* charset.h - any bytes that claim to be text, as clean UTF-8.
 *
 * Owns      nothing; what is returned is in the caller's arena or borrowed from the input.
 * Threads   any. charset_ready() initialises GMime once in the life of the process.
 * Errors    {NULL, 0} when memory ran out; anything else becomes text, whatever it was.
 * Standards RFC 2047, RFC 3629; windows-1252 as in the WHATWG Encoding standard.
 */
#ifndef CORE_DIGEST_CHARSET_H
#define CORE_DIGEST_CHARSET_H

#include "base/arena.h"

/* Before any call into GMime; cheap when done. */
void charset_ready(void);

/* `bytes` in the charset of that name ("" or unknown: UTF-8, else windows-1252). What cannot be
 * read in it becomes U+FFFD. */
struct text charset_to_utf8(struct text bytes, struct text charset, struct arena *a);

/* Controls would move the cursor, end a header or hide text: they become blanks. So do the C1
 * controls and the line separators U+2028 and U+2029. */
struct text charset_without_controls(struct text utf8, struct arena *a);

/* A header value, unfolded: RFC 2047 words decoded, raw bytes read as above, no controls, trimmed.
 * Neighbouring words of one charset are read together, since many a sender cuts a character in two
 * or pads each word; GMime's decoder, which stops at padding, is not used for that reason. */
struct text charset_decode_header(struct text unfolded, struct text charset, struct arena *a);

/* The length of the RFC 2047 word that `t` begins with; 0: none. */
size_t charset_word_length(struct text t);

/* The longest prefix of well-formed UTF-8 of at most `n` bytes that cuts no character in two. */
size_t charset_cut(struct text utf8, size_t n);

#endif
