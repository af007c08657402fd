#include "base/pool.h"
#include "base/rng.h"
#include "lib/check.h"

#include <stdlib.h>

struct thing {
    int64_t id;
    uint32_t mark;
    char rest[20];
};

/* Comes and goes by chance, in waves that fill many chunks and empty them again, against the
 * obvious model. */
static void test_idpool_against_model(void **state)
{
    (void)state;
    enum { IDS = 6000, WAVES = 12, STEPS = 12000 };
    static uint32_t handles[IDS];
    static struct thing *things[IDS];
    struct idpool p;
    struct rng rng;
    uint32_t count = 0;
    rng_seed(&rng, 20261122);
    idpool_init(&p, sizeof(struct thing));
    for (int i = 0; i < WAVES * STEPS; i++) {
        uint32_t k = rng_below(&rng, IDS);
        bool rising = i / STEPS % 2 == 0, add = rng_below(&rng, 8) < (rising ? 7 : 1);
        int64_t id = (int64_t)k * 7919 - 1000000;
        T_EQ(idpool_find(&p, id), handles[k], "step %d finds %u", i, k);
        if (add && !handles[k]) {
            handles[k] = idpool_add(&p, id);
            things[k] = idpool_at(&p, handles[k]);
            T_TRUE(things[k] && things[k]->id == id && things[k]->mark == 0, "new %u", k);
            things[k]->mark = k;
            count++;
        } else if (!add && handles[k]) {
            T_EQ(things[k]->mark, k, "step %d: %u as it was left", i, k);
            idpool_remove(&p, id);
            handles[k] = 0;
            count--;
        }
        T_EQ(p.pool.count, count, "count after step %d", i);
    }
    uint32_t pos = 0, walked = 0;
    for (struct thing *x; (x = idpool_next(&p, &pos)); walked++)
        T_TRUE(things[x->mark] == x, "%u has not moved", x->mark);
    T_EQ(walked, count, "walked");
    idpool_fini(&p);
}

/* Each object is another's neighbour, not its twin. */
static void test_pool_objects_lie_apart(void **state)
{
    (void)state;
    enum { COUNT = 3 * POOL_CHUNK };
    static uint32_t handles[COUNT];
    struct pool p;
    pool_init(&p, 12);
    for (uint32_t i = 0; i < COUNT; i++) {
        handles[i] = pool_take(&p);
        memset(pool_at(&p, handles[i]), (int)(i % 251 + 1), 12);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        for (const unsigned char *c = pool_at(&p, handles[i]), *end = c + 12; c < end; c++)
            T_EQ(*c, i % 251 + 1, "object %u", i);
    T_TRUE(pool_at(&p, 0) == NULL, "no handle");
    pool_fini(&p);
}

/* What is given back in any order leaves one chunk at most, and is handed out anew. */
static void test_pool_gives_chunks_back(void **state)
{
    (void)state;
    enum { COUNT = 5 * POOL_CHUNK };
    static uint32_t handles[COUNT];
    struct pool p;
    pool_init(&p, 64);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < COUNT; i++)
            handles[i] = pool_take(&p);
        T_EQ(p.chunk_count, COUNT / POOL_CHUNK, "no more chunks than are needed");
        for (uint32_t i = 0; i < COUNT; i++)
            pool_give(&p, handles[(i * 7u) % COUNT]);
        uint32_t chunks = 0;
        for (uint32_t i = 0; i < p.chunk_count; i++)
            chunks += p.chunks[i] != NULL;
        T_EQ(chunks, 1, "round %d: chunks that are kept", round);
        T_EQ(p.count, 0, "round %d: count", round);
    }
    pool_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idpool_against_model),
        cmocka_unit_test(test_pool_objects_lie_apart),
        cmocka_unit_test(test_pool_gives_chunks_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
