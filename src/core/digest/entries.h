/* entries.h - what a digest shows of each notification, cleaned, in the order of the digest.
 *
 * Owns      nothing; all is in the caller's arena or borrowed from the notifications.
 * Threads   any. No clock, no I/O.
 * Errors    TIDE_ENOMEM alone.
 */
#ifndef CORE_DIGEST_ENTRIES_H
#define CORE_DIGEST_ENTRIES_H

#include "base/arena.h"
#include "core/digest/message.h"
#include "core/record/notification.h"

struct digest_entry {
    const struct notification *from;
    struct message message; /* empty when it cannot be read */
    struct text title;      /* never empty, one line */
    struct text text, icon;
    struct text url, icon_url; /* absolute and of a harmless scheme, or "" */
    struct text subject;       /* without Re: and Fwd: */
    struct text thread;        /* given, else the first reference, else "" for none */
    size_t thread_rank;        /* order of first appearance in time */
    size_t repeats; /* how many stand for this one, itself counted; 0: it is in another */
};

/* In the order: priority, thread, time; those that repeat the one before them are counted there. */
TIDE_MUST_CHECK enum tide_err digest_entries(const struct notification *items,
                                             size_t count,
                                             struct arena *a,
                                             struct digest_entry **ret,
                                             struct tide_error *err);

/* "" unless it is http, https or (where `mailto_too`) mailto, without blanks, controls or quotes.
 */
struct text digest_safe_url(struct text url, bool mailto_too);

/* One line of clean UTF-8, at most `max` bytes, without marks that turn its direction. */
struct text digest_clean_line(struct text t, size_t max, struct arena *a);

bool digest_same_thread(const struct digest_entry *a, const struct digest_entry *b);

#endif
