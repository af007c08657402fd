#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static uint64_t hash_key[2];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void draw_hash_key(void)
{
    if (getrandom(hash_key, sizeof hash_key, 0) != (ssize_t)sizeof hash_key) {
        hash_key[0] = (uint64_t)time(NULL);
        hash_key[1] = (uint64_t)(uintptr_t)&hash_key;
    }
}

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

/* Inlined, or the four words would go through memory each time. */
static inline __attribute__((always_inline)) void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein 2012). */
uint64_t hash_bytes(const void *bytes, size_t n)
{
    pthread_once(&hash_key_once, draw_hash_key);
    uint64_t k0 = hash_key[0], k1 = hash_key[1];
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                     k1 ^ 0x7465646279746573u};
    const unsigned char *p = bytes;
    size_t left = n;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t m;
        memcpy(&m, p, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)n << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)p[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014). */
uint64_t hash_u64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

struct idmap_slot {
    int64_t key;
    void *value; /* NULL: free */
};

void idmap_init(struct idmap *m)
{
    *m = (struct idmap){0};
}

void idmap_fini(struct idmap *m)
{
    free(m->slots);
    *m = (struct idmap){0};
}

/* Linear probing; the slot of `key`, or the free one where it would go. */
static uint32_t idmap_find(const struct idmap *m, int64_t key)
{
    uint32_t i = (uint32_t)hash_u64((uint64_t)key) & (m->cap - 1);
    while (m->slots[i].value && m->slots[i].key != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

void *idmap_get(const struct idmap *m, int64_t key)
{
    return m->cap ? m->slots[idmap_find(m, key)].value : NULL;
}

static bool idmap_grow(struct idmap *m)
{
    if (m->count < m->cap / 3 * 2)
        return true;
    if (m->cap > UINT32_MAX / 4)
        return false;
    struct idmap bigger = {.cap = m->cap ? m->cap * 2 : 16};
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    bigger.count = m->count;
    for (uint32_t i = 0; i < m->cap; i++)
        if (m->slots[i].value)
            bigger.slots[idmap_find(&bigger, m->slots[i].key)] = m->slots[i];
    free(m->slots);
    *m = bigger;
    return true;
}

bool idmap_put(struct idmap *m, int64_t key, void *value)
{
    if (!idmap_grow(m))
        return false;
    struct idmap_slot *slot = &m->slots[idmap_find(m, key)];
    if (!slot->value)
        m->count++;
    *slot = (struct idmap_slot){key, value};
    return true;
}

void *idmap_remove(struct idmap *m, int64_t key)
{
    if (!m->cap)
        return NULL;
    uint32_t mask = m->cap - 1, hole = idmap_find(m, key);
    void *value = m->slots[hole].value;
    if (!value)
        return NULL;
    /* Backward shift: later members of the run move into the hole if their home allows it. */
    for (uint32_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)hash_u64((uint64_t)m->slots[i].key) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = NULL;
    m->count--;
    return value;
}

void *idmap_next(const struct idmap *m, uint32_t *pos)
{
    while (*pos < m->cap) {
        void *value = m->slots[(*pos)++].value;
        if (value)
            return value;
    }
    return NULL;
}

struct strmap_slot {
    char *key; /* NULL: free */
    size_t n;
    uint64_t hash;
    void *value;
};

void strmap_init(struct strmap *m)
{
    *m = (struct strmap){0};
}

void strmap_fini(struct strmap *m)
{
    for (uint32_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    *m = (struct strmap){0};
}

static uint32_t strmap_find(const struct strmap *m, struct text key, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (m->cap - 1);
    for (; m->slots[i].key; i = (i + 1) & (m->cap - 1)) {
        const struct strmap_slot *s = &m->slots[i];
        if (s->hash == hash && text_eq((struct text){s->key, s->n}, key))
            break;
    }
    return i;
}

void *strmap_get(const struct strmap *m, struct text key)
{
    return m->cap ? m->slots[strmap_find(m, key, hash_bytes(key.p, key.n))].value : NULL;
}

static bool strmap_grow(struct strmap *m)
{
    if (m->count < m->cap / 3 * 2)
        return true;
    if (m->cap > UINT32_MAX / 4)
        return false;
    struct strmap bigger = {.cap = m->cap ? m->cap * 2 : 16};
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    bigger.count = m->count;
    for (uint32_t i = 0; i < m->cap; i++) {
        struct strmap_slot *s = &m->slots[i];
        if (s->key)
            bigger.slots[strmap_find(&bigger, (struct text){s->key, s->n}, s->hash)] = *s;
    }
    free(m->slots);
    *m = bigger;
    return true;
}

bool strmap_put(struct strmap *m, struct text key, void *value)
{
    if (!strmap_grow(m))
        return false;
    uint64_t hash = hash_bytes(key.p, key.n);
    struct strmap_slot *slot = &m->slots[strmap_find(m, key, hash)];
    if (!slot->key) {
        char *copy = malloc(key.n + 1);
        if (!copy)
            return false;
        if (key.n)
            memcpy(copy, key.p, key.n);
        copy[key.n] = '\0';
        *slot = (struct strmap_slot){.key = copy, .n = key.n, .hash = hash};
        m->count++;
    }
    slot->value = value;
    return true;
}

void *strmap_remove(struct strmap *m, struct text key)
{
    if (!m->cap)
        return NULL;
    uint32_t mask = m->cap - 1, hole = strmap_find(m, key, hash_bytes(key.p, key.n));
    if (!m->slots[hole].key)
        return NULL;
    void *value = m->slots[hole].value;
    free(m->slots[hole].key);
    for (uint32_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct strmap_slot){0};
    m->count--;
    return value;
}

void *strmap_next(const struct strmap *m, uint32_t *pos, struct text *ret_key)
{
    while (*pos < m->cap) {
        const struct strmap_slot *s = &m->slots[(*pos)++];
        if (!s->key)
            continue;
        if (ret_key)
            *ret_key = (struct text){s->key, s->n};
        return s->value;
    }
    return NULL;
}
