/* mime.h - the body of a mail put together: text beside HTML, or originals one after another.
 *
 * Written by hand, since GMime would write the originals anew and draws boundaries at random; the
 * transfer encodings are GMime's.
 *
 * Owns      nothing; appends to the caller's buffer, whose failure is sticky.
 * Threads   any. No clock, no I/O, no random numbers: a boundary comes from `seed` (the Message-ID)
 *           and from what must not contain it.
 * Standards RFC 2045, RFC 2046 5.1.4 (alternative), 5.1.5 (digest), RFC 6532 (message/global).
 */
#ifndef CORE_DIGEST_MIME_H
#define CORE_DIGEST_MIME_H

#include "base/buf.h"

/* Each appends MIME-Version and Content-Type, the empty line and the body. Text and HTML are UTF-8
 * with LF; originals are whole messages with CRLF. */
void mime_put_alternative(struct buf *b, struct text plain, struct text html, struct text seed);
void mime_put_digest(struct buf *b,
                     struct text plain,
                     const struct text *originals,
                     size_t original_count,
                     struct text seed);

/* 32 hexadecimal digits that are the same for the same text, on every machine and in every run. */
#define MIME_HASH_BYTES 33
void mime_hash(struct text of, char out[MIME_HASH_BYTES]);

#endif
