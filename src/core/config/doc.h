/* doc.h - one configuration text as a tree, and how its values get into structs by the key table.
 *
 * Libconfig gives syntax and line numbers; everything that it takes too easily is refused here
 * first (numbers that do not fit an int, @include, bytes that are no UTF-8, depth).
 *
 * Owns      the tree (doc_fini()). Values are copied into the caller's arena.
 * Threads   one at a time. Does no I/O but through struct config_source.
 * Errors    "FILE:LINE: KEY: want ..., got ...; did you mean KEY?"; a secret is never in a text.
 * Limits    DOC_BYTES_MAX, DOC_DEPTH_MAX, DOC_SETTINGS_MAX.
 * Known gap libconfig 1.5 does not look at what malloc() returns, and forgets 64 bytes when a text
 *           stands where none may stand.
 */
#ifndef CORE_CONFIG_DOC_H
#define CORE_CONFIG_DOC_H

#include "base/arena.h"
#include "core/config/keys.h"

#include <libconfig.h>

#define DOC_BYTES_MAX      (1 << 20)
#define DOC_DEPTH_MAX      8
#define DOC_NAME_BYTES_MAX 60
#define DOC_SETTINGS_MAX   10000 /* libconfig looks for twins one by one: 95,000 took a minute */

struct doc {
    config_t tree;
    const char *file; /* for error texts; the caller's */
};

TIDE_MUST_CHECK enum tide_err doc_parse(const char *file,
                                        struct text content,
                                        struct doc *ret,
                                        struct tide_error *err);
void doc_fini(struct doc *d);

/* Puts "FILE:LINE: PATH: " before the text. */
enum tide_err doc_fail(const struct doc *d,
                       const config_setting_t *s,
                       struct tide_error *err,
                       enum tide_err code,
                       const char *fmt,
                       ...) TIDE_PRINTF(5, 6);

/* Where values go, and how their texts are completed. */
struct doc_values {
    struct arena *arena;
    const struct config_source *source; /* NULL: texts are taken as they stand */
    const char *state_dir;              /* what ${state_dir} stands for; NULL: not known yet */
};

/* Reads all members of `group` by the rows below `prefix` into `base`. Unknown ones are an error;
 * KEY_NAMED ones are left alone. A sourced row wants its source, reference, date, confidence. */
TIDE_MUST_CHECK enum tide_err doc_group(const struct doc *d,
                                        const config_setting_t *group,
                                        const struct key *keys,
                                        size_t key_count,
                                        const char *prefix,
                                        const struct doc_values *v,
                                        void *base,
                                        struct tide_error *err);

/* Sets every row below `prefix` to its default; rows of named groups below it are left alone. */
TIDE_MUST_CHECK enum tide_err doc_presets(const struct key *keys,
                                          size_t key_count,
                                          const char *prefix,
                                          const struct doc_values *v,
                                          void *base,
                                          struct tide_error *err);

/* What of the row's path stands below the prefix; empty when it is not below it, or when it belongs
 * to a named group of its own. */
struct text doc_below(const struct key *key, const char *prefix);

/* One value. */
TIDE_MUST_CHECK enum tide_err doc_value(const struct doc *d,
                                        const config_setting_t *s,
                                        const struct key *key,
                                        const struct doc_values *v,
                                        void *base,
                                        struct tide_error *err);

/* The member, NULL where there is none; it must be a group of groups. */
TIDE_MUST_CHECK enum tide_err doc_named(const struct doc *d,
                                        const config_setting_t *parent,
                                        const char *name,
                                        const config_setting_t **ret,
                                        struct tide_error *err);

/* "; did you mean NAME?" or "". Returns out. */
const char *doc_hint(const char *nearest, char *out, size_t size);

bool doc_date_ok(struct text date); /* "2026-11-21" */

#endif
