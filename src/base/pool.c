#include "base/pool.h"

#include "base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void pool_init(struct pool *p, size_t object_bytes)
{
    const size_t align = _Alignof(max_align_t) / 2; /* of int64_t and pointers */
    *p = (struct pool){.object_bytes = (uint32_t)((object_bytes + align - 1) / align * align)};
    list_init(&p->open);
}

void pool_fini(struct pool *p)
{
    for (uint32_t i = 0; i < p->chunk_count; i++)
        free(p->chunks[i]);
    free(p->chunks);
    pool_init(p, p->object_bytes);
}

static uint32_t *free_next(struct pool_chunk *c, uint32_t slot, uint32_t object_bytes)
{
    return (uint32_t *)(void *)(c->objects + (size_t)slot * object_bytes);
}

/* The lowest number that no chunk has; false: out of memory, or of numbers. */
static bool number_free(struct pool *p)
{
    while (p->gap < p->chunk_count && p->chunks[p->gap])
        p->gap++;
    if (p->gap < p->chunk_cap)
        return true;
    uint32_t cap = p->chunk_cap ? p->chunk_cap * 2 : 16;
    struct pool_chunk **more =
        cap <= UINT32_MAX / POOL_CHUNK ? realloc(p->chunks, cap * sizeof(*more)) : NULL;
    if (!more)
        return false;
    p->chunks = more;
    p->chunk_cap = cap;
    return true;
}

static struct pool_chunk *open_chunk(struct pool *p)
{
    struct list *first = list_first(&p->open);
    if (first)
        return container_of(first, struct pool_chunk, open);
    if (!number_free(p))
        return NULL;
    struct pool_chunk *c = malloc(sizeof *c + (size_t)POOL_CHUNK * p->object_bytes);
    if (!c)
        return NULL;
    c->number = p->gap;
    c->live = 0;
    c->free = 1;
    for (uint32_t i = 0; i < POOL_CHUNK; i++)
        *free_next(c, i, p->object_bytes) = i + 1 < POOL_CHUNK ? i + 2 : 0;
    p->chunks[c->number] = c;
    if (c->number == p->chunk_count)
        p->chunk_count++;
    list_append(&p->open, &c->open);
    return c;
}

uint32_t pool_take(struct pool *p)
{
    struct pool_chunk *c = open_chunk(p);
    if (!c)
        return 0;
    uint32_t slot = c->free - 1;
    uint32_t *object = free_next(c, slot, p->object_bytes);
    c->free = *object;
    memset(object, 0, p->object_bytes);
    c->live++;
    p->count++;
    if (!c->free)
        list_remove(&c->open);
    return c->number * POOL_CHUNK + slot + 1;
}

/* All but one of the open chunks: else an object that comes and goes would take a chunk each time.
 */
static void free_chunk(struct pool *p, struct pool_chunk *c)
{
    if (p->open.next == p->open.prev)
        return;
    list_remove(&c->open);
    p->chunks[c->number] = NULL;
    if (c->number < p->gap)
        p->gap = c->number;
    free(c);
}

void pool_give(struct pool *p, uint32_t handle)
{
    uint32_t slot = (handle - 1) % POOL_CHUNK;
    struct pool_chunk *c = p->chunks[(handle - 1) / POOL_CHUNK];
    assert(handle && c->live > 0);
    if (!c->free)
        list_append(&p->open, &c->open);
    *free_next(c, slot, p->object_bytes) = c->free;
    c->free = slot + 1;
    p->count--;
    if (--c->live == 0)
        free_chunk(p, c);
}

/* -- The index --------------------------------------------------------------------------------- */

void idpool_init(struct idpool *p, size_t object_bytes)
{
    *p = (struct idpool){0};
    pool_init(&p->pool, object_bytes);
}

void idpool_fini(struct idpool *p)
{
    pool_fini(&p->pool);
    free(p->slots);
    p->slots = NULL;
    p->cap = 0;
}

static int64_t id_of(const struct idpool *p, uint32_t handle)
{
    int64_t id;
    memcpy(&id, pool_at(&p->pool, handle), sizeof id);
    return id;
}

static uint32_t home_of(int64_t id, uint32_t mask)
{
    return (uint32_t)hash_u64((uint64_t)id) & mask;
}

/* Linear probing; the slot of `id`, or the free one where it would go. */
static uint32_t slot_of(const struct idpool *p, int64_t id)
{
    uint32_t mask = p->cap - 1, i = home_of(id, mask);
    while (p->slots[i] && id_of(p, p->slots[i]) != id)
        i = (i + 1) & mask;
    return i;
}

uint32_t idpool_find(const struct idpool *p, int64_t id)
{
    return p->cap ? p->slots[slot_of(p, id)] : 0;
}

static bool grow(struct idpool *p)
{
    if (p->pool.count < p->cap / 3 * 2)
        return true;
    if (p->cap > UINT32_MAX / 4)
        return false;
    uint32_t cap = p->cap ? p->cap * 2 : 16;
    uint32_t *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < p->cap; i++) {
        uint32_t to = p->slots[i] ? home_of(id_of(p, p->slots[i]), cap - 1) : 0;
        while (p->slots[i] && slots[to])
            to = (to + 1) & (cap - 1);
        if (p->slots[i])
            slots[to] = p->slots[i];
    }
    free(p->slots);
    p->slots = slots;
    p->cap = cap;
    return true;
}

uint32_t idpool_add(struct idpool *p, int64_t id)
{
    uint32_t handle = grow(p) ? pool_take(&p->pool) : 0;
    if (!handle)
        return 0;
    memcpy(pool_at(&p->pool, handle), &id, sizeof id);
    uint32_t slot = slot_of(p, id);
    assert(!p->slots[slot]);
    p->slots[slot] = handle;
    return handle;
}

void idpool_remove(struct idpool *p, int64_t id)
{
    uint32_t mask = p->cap - 1, hole = p->cap ? slot_of(p, id) : 0;
    uint32_t handle = p->cap ? p->slots[hole] : 0;
    if (!handle)
        return;
    /* Backward shift: later members of the run move into the hole if their home allows it. */
    for (uint32_t i = (hole + 1) & mask; p->slots[i]; i = (i + 1) & mask) {
        uint32_t home = home_of(id_of(p, p->slots[i]), mask);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            p->slots[hole] = p->slots[i];
            hole = i;
        }
    }
    p->slots[hole] = 0;
    pool_give(&p->pool, handle);
}

void *idpool_next(const struct idpool *p, uint32_t *pos)
{
    while (*pos < p->cap) {
        uint32_t handle = p->slots[(*pos)++];
        if (handle)
            return pool_at(&p->pool, handle);
    }
    return NULL;
}
