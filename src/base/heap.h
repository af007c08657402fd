/* heap.h - a priority queue by time (or any int64_t key) whose nodes live in the queued structs.
 *
 * Owns      the array of node pointers, not the nodes.
 * Lifetime  heap_init() to heap_fini(); heap_node_init() a node before its first use.
 * Threads   one at a time.
 * Errors    heap_put() of a new node says false when out of memory; all else cannot fail.
 * Limits    put, move and remove are O(log n); 10 bytes a node at most beside the node. Equal keys
 *           come out in no given order.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    uint32_t at;  /* position + 1; 0: in no heap */
    uint32_t tag; /* the owner's, who gets it for nothing */
};

struct heap {
    struct heap_node **nodes;
    uint32_t count, cap;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h);

static inline void heap_node_init(struct heap_node *n)
{
    *n = (struct heap_node){0};
}

/* Puts the node in with `key`, or moves it there when it is in already. */
bool heap_put(struct heap *h, struct heap_node *n, int64_t key);
void heap_remove(struct heap *h, struct heap_node *n);

/* The node of the least key; NULL when empty. */
static inline struct heap_node *heap_first(const struct heap *h)
{
    return h->count ? h->nodes[0] : NULL;
}

#endif
