/* digest.h - makes one mail of several notifications of one recipient.
 *
 * Items are ordered by priority, then thread, then time. Items of one thread stand under one
 * heading with their number; one that says the same as the one before it in its thread is counted
 * there. `items_max` items are shown, the rest is counted. A digest of one is the original, byte
 * for byte.
 *
 * The mail is `multipart/alternative` from templates, or with `as_mime` an RFC 2046 digest that
 * holds all originals, byte for byte.
 *
 * Owns      struct digest_templates (digest_templates_free()). Notifications stay the caller's.
 * Threads   any; templates are read only once made. No clock, no I/O, no random numbers: the same
 *           input gives the same bytes.
 * Errors    TIDE_EINVAL no items, or a message-id that is none; TIDE_ELIMIT a digest over
 * bytes_max; TIDE_ENOMEM. An original that cannot be read is no error: its subject is shown. Limits
 * O(n log n) in the items; titles and texts are cut at DIGEST_TITLE_BYTES and DIGEST_TEXT_BYTES.
 * Standards RFC 5322, RFC 2046 5.1.5, RFC 2369, RFC 8058 (List-Unsubscribe), RFC 3834
 *           (Auto-Submitted).
 */
#ifndef CORE_DIGEST_DIGEST_H
#define CORE_DIGEST_DIGEST_H

#include "base/buf.h"
#include "core/record/notification.h"

#define DIGEST_TITLE_BYTES 200
#define DIGEST_TEXT_BYTES  400
#define DIGEST_TEXT_LINES  4
#define DIGEST_ITEMS_MAX   10000 /* of one digest, shown or counted */

struct digest_templates;

/* What the operator put in templates_dir; text {NULL, 0}: there is no such file, the built-in one
 * serves. `dir` is for error texts. */
struct digest_sources {
    const char *dir;
    struct text subject, text, html; /* subject.txt, digest.txt, digest.html */
};

/* *ret is set also when a source is wrong: the built-in one serves in its place, and *err and the
 * code tell of the first. Only TIDE_ENOMEM leaves *ret alone. `sources` NULL: the built-in ones. */
TIDE_MUST_CHECK enum tide_err digest_templates_new(const struct digest_sources *sources,
                                                   struct digest_templates **ret,
                                                   struct tide_error *err);
void digest_templates_free(struct digest_templates *t);

/* The built-in ones, to be shown to operators as a start for their own. */
struct digest_sources digest_builtin_sources(void);

struct digest_options {
    const struct digest_templates *templates;
    bool as_mime;           /* config digest.format "mime" */
    int items_max;          /* shown; 0: all */
    size_t bytes_max;       /* of the mail; 0: no bound */
    tide_wall_ms now;       /* for the Date field */
    int offset_s;           /* east of UTC: how times are shown */
    struct text zone;       /* shown beside times, "" for none */
    struct text message_id; /* fresh, with its angle brackets; not used for a digest of one */
};

struct digest_result {
    bool original;       /* a digest of one */
    size_t shown;        /* items with an entry or counted in one */
    size_t more;         /* items counted only */
    bool needs_smtputf8; /* a header or an address holds UTF-8 (RFC 6531) */
    bool needs_8bit;     /* the body does (RFC 6152) */
};

/* Appends the mail to *ret. All items are of one recipient and one identity, in any order, each
 * with its message. */
TIDE_MUST_CHECK enum tide_err digest_build(const struct notification *items,
                                           size_t count,
                                           const struct digest_options *options,
                                           struct buf *ret,
                                           struct digest_result *ret_result,
                                           struct tide_error *err);

#endif
