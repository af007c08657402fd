/* bounce_signs.h - what a mail that comes back may be, by its fields, its subject and its text.
 *
 * Owns      nothing. Threads any. Errors none.
 */
#ifndef CORE_OUTCOME_BOUNCE_SIGNS_H
#define CORE_OUTCOME_BOUNCE_SIGNS_H

#include "core/outcome/bounce_parts.h"
#include "core/outcome/notice.h"

/* One mail while it is read. */
struct bounce_reading {
    const struct rulebook *rules;
    const struct provider_index *providers;
    struct arena *arena;
    struct message mail;
    struct bounce_parts parts;
};

/* "Return-Path: <>": no answer is wanted, as of a mail system. */
bool bounce_null_path(const struct bounce_reading *r);

/* From a mail system rather than from a person? */
bool bounce_from_system(const struct bounce_reading *r, const struct bounce *b);

bool bounce_is_autoreply(const struct bounce_reading *r, struct text subject);

/* A complaint from before RFC 5965: the message itself, sent back by a desk for complaints. */
bool bounce_is_old_complaint(const struct bounce_reading *r, const struct bounce *b);

/* How much speaks for a report that has no fields which say so: 2 and more is one, 3 and more even
 * where it calls itself automatic. */
int bounce_signs(const struct bounce_reading *r, const struct bounce *b, const struct notice *n);

/* Is it a report though no mail system seems to have written it? */
bool bounce_listed(const struct bounce_reading *r, const struct notice *n, const struct bounce *b);

#endif
