/* parts.h - the steps of a walk through MIME parts; whoever walks bounds depth and number.
 *
 * Owns      nothing: parts are stretches of the caller's text, decoded text is in the arena.
 * Threads   any. No clock, no I/O.
 * Errors    none: what cannot be read is text/plain, or a part without an end.
 * Limits    each step is linear in what it passes over; a boundary is at most 200 bytes long.
 * Standards RFC 2045, 2046 5.1; transfer encodings and parameters by GMime.
 */
#ifndef CORE_DIGEST_PARTS_H
#define CORE_DIGEST_PARTS_H

#include "core/digest/message.h"

struct media {
    struct text type, subtype, charset, boundary, name; /* in the arena; "" where there is none */
};

/* What a message or part says it is; in a multipart/digest the default is another. */
struct media part_media(const struct message *m, bool in_digest, struct arena *a);

/* subtype NULL: any. */
bool part_is(const struct media *m, const char *type, const char *subtype);

/* "--boundary"; empty when there is no usable one. */
struct text part_boundary(const struct media *media, struct arena *a);

/* Finds the next delimiter line at or after *pos. What stands before it ends at *ret_end; *pos goes
 * behind the line, *ret_last tells "--boundary--". */
bool part_delimiter(
    struct text body, struct text delimiter, size_t *pos, size_t *ret_end, bool *ret_last);

/* The part that begins at *pos, behind a delimiter that was not the last: up to the next one, or to
 * the end of the body. *pos and *ret_last as above. */
void part_next(
    struct text body, struct text delimiter, size_t *pos, bool *ret_last, struct message *ret);

/* The first `bytes_max` of the part's body, transfer encoding undone. */
struct text part_bytes(const struct message *part, size_t bytes_max, struct arena *a);

/* The same with the charset undone: UTF-8. */
struct text part_text(const struct message *part,
                      struct text charset,
                      size_t bytes_max,
                      struct arena *a,
                      bool *ret_cut);

#endif
