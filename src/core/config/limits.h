/* limits.h - reads groups of limits: of a profile, of an account, of the operator.
 *
 * A limit that stands in place of another takes from it what it does not say.
 *
 * Owns      nothing: limits are made in the caller's arena.
 * Threads   any.
 * Errors    as doc.h.
 */
#ifndef CORE_CONFIG_LIMITS_H
#define CORE_CONFIG_LIMITS_H

#include "core/config/doc.h"

#define LIMITS_MAX 256 /* of one account, one profile, or the operator's own */

struct limits_context {
    const struct doc *doc;
    const struct doc_values *values;
    const char *owner;        /* "qq": a limit's full name is "qq/recipient-day" */
    bool sourced;             /* a profile's: source, reference, date, confidence are required */
    const struct limit *base; /* what may be replaced, by full name */
    size_t base_count;
};

/* Reads `group` and adds to the list; one of the same name in the list is replaced. */
TIDE_MUST_CHECK enum tide_err limits_read(const struct limits_context *c,
                                          const config_setting_t *group,
                                          struct limit **list,
                                          size_t *count,
                                          struct tide_error *err);

/* "day", "rolling 24h": fills kind, unit and span. */
TIDE_MUST_CHECK enum tide_err limits_window(struct text words,
                                            struct window *ret,
                                            struct tide_error *err);
/* The words for it. Returns out, which holds 64 bytes. */
const char *limits_window_text(const struct window *w, char *out);

#endif
