/* take_apart.h - a message taken apart: its text, its HTML, its files; for APIs that want no MIME.
 *
 * The first text/plain and the first text/html that are no attachments are the body; all other
 * parts are files, inline where a Content-ID says that the HTML shows them. Of a
 * multipart/alternative the shapes other than these two and a calendar item are left out: they say
 * the same once more.
 *
 * Owns      nothing; all is in the caller's arena or points into the message.
 * Threads   any. No clock, no I/O.
 * Errors    TIDE_EINVAL what would not be the same mail any more (signed, encrypted, a report), or
 *           cannot be told apart; TIDE_ELIMIT TAKE_PARTS_MAX, TAKE_DEPTH_MAX; TIDE_ENOMEM.
 * Standards RFC 2045, 2046, 2183, 2387.
 */
#ifndef CORE_DIGEST_TAKE_APART_H
#define CORE_DIGEST_TAKE_APART_H

#include "core/digest/message.h"

#define TAKE_PARTS_MAX 100
#define TAKE_DEPTH_MAX 8

struct taken_file {
    struct text name;       /* never "" */
    struct text type;       /* "image/png" */
    struct text content_id; /* without angle brackets; "" when there is none */
    struct text bytes;
    bool shown; /* inline: has a Content-ID and is no attachment */
};

struct taken_parts {
    struct text plain, html; /* UTF-8; p NULL when there is none */
    struct taken_file files[TAKE_PARTS_MAX];
    size_t file_count;
};

TIDE_MUST_CHECK enum tide_err take_apart(const struct message *m,
                                         struct arena *a,
                                         struct taken_parts *ret,
                                         struct tide_error *err);

#endif
