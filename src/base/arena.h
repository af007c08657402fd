/* arena.h - memory of one message or one lookup, freed in one go.
 *
 * Owns      every byte that it handed out, until arena_fini() or arena_reset().
 * Lifetime  arena_init() to arena_fini(). Zeroed memory is an initialised arena without a bound.
 * Threads   one at a time.
 * Errors    NULL when memory or `max` ran out; what was handed out before stays valid.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/text.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used_bytes; /* handed out, paddings included */
    size_t max_bytes;  /* 0: no bound */
};

void arena_init(struct arena *a, size_t max_bytes);
void arena_fini(struct arena *a);
void arena_reset(struct arena *a); /* keeps one block for the next message */

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_array(struct arena *a, size_t count, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n); /* n bytes, NUL added */
char *arena_printf(struct arena *a, const char *fmt, ...) TIDE_PRINTF(2, 3);

/* A copy (terminated); {NULL, 0} on failure with n > 0. */
struct text arena_text(struct arena *a, struct text t);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
