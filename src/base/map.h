/* map.h - hash tables: from numbers and from byte strings to pointers.
 *
 * Owns      its table and (struct strmap) copies of the keys; the values stay the caller's.
 * Lifetime  _init() to _fini(). Strings are hashed with SipHash-1-3 under a key drawn per process,
 *           so that nobody outside can choose colliding names.
 * Threads   one at a time.
 * Errors    put says false when out of memory; the map is then unchanged.
 * Limits    24 bytes an entry at the fullest, 48 just after growing (idmap); all calls are O(1).
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/text.h"

struct idmap_slot;

struct idmap {
    struct idmap_slot *slots;
    uint32_t count, cap; /* cap is a power of two, or 0 */
};

void idmap_init(struct idmap *m);
void idmap_fini(struct idmap *m);
void *idmap_get(const struct idmap *m, int64_t key);       /* NULL when absent */
bool idmap_put(struct idmap *m, int64_t key, void *value); /* value must not be NULL */
void *idmap_remove(struct idmap *m, int64_t key);
/* Walks all: start with *pos 0; NULL at the end. Removing the entry just returned is not allowed.
 */
void *idmap_next(const struct idmap *m, uint32_t *pos);

struct strmap_slot;

struct strmap {
    struct strmap_slot *slots;
    uint32_t count, cap;
};

void strmap_init(struct strmap *m);
void strmap_fini(struct strmap *m);
void *strmap_get(const struct strmap *m, struct text key);
bool strmap_put(struct strmap *m, struct text key, void *value); /* value must not be NULL */
void *strmap_remove(struct strmap *m, struct text key);
/* Walks all: start with *pos 0; NULL at the end. *ret_key (may be NULL) points into the map. */
void *strmap_next(const struct strmap *m, uint32_t *pos, struct text *ret_key);

uint64_t hash_bytes(const void *bytes, size_t n);
uint64_t hash_u64(uint64_t x);

#endif
