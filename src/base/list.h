/* list.h - a doubly linked list through a node inside the listed struct.
 *
 * Owns      nothing. A node is in one list at most; list_remove() of a node that is in none is safe
 *           if it was list_node_init()ed.
 * Threads   one at a time.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/macros.h"

#include <stdbool.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_append(struct list *l, struct list *node)
{
    list_insert_before(l, node);
}

static inline void list_prepend(struct list *l, struct list *node)
{
    list_insert_before(l->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

static inline struct list *list_first(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->next;
}

static inline struct list *list_take_first(struct list *l)
{
    struct list *node = list_first(l);
    if (node)
        list_remove(node);
    return node;
}

/* Safe against removal of the current node. */
#define LIST_EACH(node, l)                                                      \
    for (struct list *node = (l)->next, *node##_next = node->next; node != (l); \
         node = node##_next, node##_next = node->next)

#endif
