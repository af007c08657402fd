#include "base/heap.h"

#include <stdlib.h>

/* Four children a node: half the depth of a binary heap, and siblings share a cache line. */
#define HEAP_ARITY 4u

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_fini(struct heap *h)
{
    free(h->nodes);
    *h = (struct heap){0};
}

static void place(struct heap *h, struct heap_node *n, uint32_t i)
{
    h->nodes[i] = n;
    n->at = i + 1;
}

static void sift_up(struct heap *h, struct heap_node *n, uint32_t i)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / HEAP_ARITY;
        if (h->nodes[parent]->key <= n->key)
            break;
        place(h, h->nodes[parent], i);
        i = parent;
    }
    place(h, n, i);
}

static void sift_down(struct heap *h, struct heap_node *n, uint32_t i)
{
    for (;;) {
        uint64_t child = (uint64_t)i * HEAP_ARITY + 1, end = child + HEAP_ARITY, least = child;
        if (child >= h->count)
            break;
        if (end > h->count)
            end = h->count;
        for (uint64_t c = child + 1; c < end; c++)
            if (h->nodes[c]->key < h->nodes[least]->key)
                least = c;
        if (h->nodes[least]->key >= n->key)
            break;
        place(h, h->nodes[least], i);
        i = (uint32_t)least;
    }
    place(h, n, i);
}

static bool grow(struct heap *h)
{
    if (h->count < h->cap)
        return true;
    if (h->cap > UINT32_MAX / 2)
        return false;
    /* By a quarter: a large one grows in place (mremap), and doubling would leave half of it empty.
     */
    uint32_t cap = h->cap < 64 ? h->cap + 16 : h->cap + h->cap / 4;
    struct heap_node **nodes = realloc(h->nodes, cap * sizeof *nodes);
    if (!nodes)
        return false;
    h->nodes = nodes;
    h->cap = cap;
    return true;
}

bool heap_put(struct heap *h, struct heap_node *n, int64_t key)
{
    if (n->at) {
        int64_t old = n->key;
        n->key = key;
        if (key < old)
            sift_up(h, n, n->at - 1);
        else
            sift_down(h, n, n->at - 1);
        return true;
    }
    if (!grow(h))
        return false;
    n->key = key;
    h->count++;
    sift_up(h, n, h->count - 1);
    return true;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    if (!n->at)
        return;
    uint32_t i = n->at - 1;
    struct heap_node *last = h->nodes[--h->count];
    n->at = 0;
    if (last == n)
        return;
    if (i > 0 && h->nodes[(i - 1) / HEAP_ARITY]->key > last->key)
        sift_up(h, last, i);
    else
        sift_down(h, last, i);
}
