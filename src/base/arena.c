#include "base/arena.h"

#include "base/macros.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_BYTES 4096
#define ALIGN       _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max_bytes = max_bytes};
}

static void free_blocks(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_fini(struct arena *a)
{
    free_blocks(a->blocks);
    *a = (struct arena){.max_bytes = a->max_bytes};
}

void arena_reset(struct arena *a)
{
    if (a->blocks) {
        free_blocks(a->blocks->next);
        a->blocks->next = NULL;
        a->blocks->used = 0;
    }
    a->used_bytes = 0;
}

static struct arena_block *add_block(struct arena *a, size_t n)
{
    size_t size = TIDE_MAX(n, BLOCK_BYTES), whole;
    if (__builtin_add_overflow(size, sizeof(struct arena_block), &whole))
        return NULL;
    struct arena_block *b = malloc(whole);
    if (!b)
        return NULL;
    *b = (struct arena_block){.next = a->blocks, .size = size};
    a->blocks = b;
    return b;
}

static void *take(struct arena *a, size_t n)
{
    size_t padded;
    if (__builtin_add_overflow(n, ALIGN - 1, &padded))
        return NULL;
    padded &= ~(size_t)(ALIGN - 1);
    if (a->max_bytes && padded > a->max_bytes - a->used_bytes)
        return NULL;
    struct arena_block *b = a->blocks;
    if ((!b || b->size - b->used < padded) && !(b = add_block(a, padded)))
        return NULL;
    void *p = b->bytes + b->used;
    b->used += padded;
    a->used_bytes += padded;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    void *p = take(a, n);
    return p ? memset(p, 0, n) : NULL;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    return __builtin_mul_overflow(count, size, &n) ? NULL : arena_alloc(a, n);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *copy = n < SIZE_MAX ? take(a, n + 1) : NULL;
    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

struct text arena_text(struct arena *a, struct text t)
{
    char *copy = arena_strndup(a, t.p, t.n);
    return (struct text){copy, copy ? t.n : 0};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *s = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
    if (!s)
        return NULL;
    va_start(args, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, args);
    va_end(args);
    return s;
}
