/* pool.h - many objects of one size, each named by a number of 32 bits: its handle.
 *
 * What a million of something costs is in its small parts: malloc() puts 8 to 24 bytes before and
 * behind each, a pointer to it takes twice the room of a handle, and a hash table that repeats the
 * keys 16 bytes a slot. Here objects lie side by side in chunks, an index (struct idpool) holds
 * handles alone and compares keys in the objects themselves.
 *
 * Owns      the objects. They do not move: a pointer holds until its object is given back.
 * Lifetime  pool_init() to pool_fini(), idpool_init() to idpool_fini(); both give back all.
 * Threads   one at a time.
 * Errors    0 when out of memory; nothing has changed then.
 * Limits    2^32 / POOL_CHUNK chunks. take, give, find are O(1). A chunk that is empty goes back to
 *           malloc(), but for one. The index takes 6 bytes an object at the fullest, 12 just after
 *           growing.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

#define POOL_CHUNK 512u /* objects */

struct pool_chunk {
    struct list open; /* in pool.open while it has room */
    uint32_t number, live;
    uint32_t free; /* the first free object + 1, which holds the next; 0: none */
    _Alignas(max_align_t) char objects[];
};

struct pool {
    struct pool_chunk **chunks;
    uint32_t chunk_count, chunk_cap;
    uint32_t gap; /* no chunk below is missing */
    uint32_t object_bytes;
    uint32_t count;
    struct list open;
};

void pool_init(struct pool *p, size_t object_bytes);
void pool_fini(struct pool *p);
/* Zeroed; 0: no memory. */
uint32_t pool_take(struct pool *p);
void pool_give(struct pool *p, uint32_t handle);

/* NULL for 0. */
static inline void *pool_at(const struct pool *p, uint32_t handle)
{
    uint32_t i = handle - 1;
    if (!handle)
        return NULL;
    return p->chunks[i / POOL_CHUNK]->objects + (size_t)(i % POOL_CHUNK) * p->object_bytes;
}

/* -- Objects that are found by the int64_t that they begin with ---------------------------------
 */

struct idpool {
    struct pool pool;
    uint32_t *slots; /* handles; 0: free */
    uint32_t cap;    /* a power of two, or 0 */
};

void idpool_init(struct idpool *p, size_t object_bytes);
void idpool_fini(struct idpool *p);
/* 0 when there is none. */
uint32_t idpool_find(const struct idpool *p, int64_t id);
/* A new one, zeroed but for its id, which must not be there yet. */
uint32_t idpool_add(struct idpool *p, int64_t id);
void idpool_remove(struct idpool *p, int64_t id);
/* Walks all: start with *pos 0; NULL at the end. Removing the one just returned is not allowed. */
void *idpool_next(const struct idpool *p, uint32_t *pos);

static inline void *idpool_at(const struct idpool *p, uint32_t handle)
{
    return pool_at(&p->pool, handle);
}

static inline void *idpool_get(const struct idpool *p, int64_t id)
{
    return pool_at(&p->pool, idpool_find(p, id));
}

#endif
