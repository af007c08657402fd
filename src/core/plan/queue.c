#include "core/plan/queue.h"

#include "base/macros.h"

#include <stdlib.h>

/* A line exists while somebody stands in it. */
struct queue_line {
    struct heap_node node; /* in lines_by_time, by wake-up time */
    struct heap entries;   /* by order */
    uint32_t subject;
};

void queue_init(struct queue *q)
{
    heap_init(&q->by_time);
    heap_init(&q->lines_by_time);
    idmap_init(&q->lines);
}

static void line_free(struct queue_line *line)
{
    heap_fini(&line->entries);
    free(line);
}

void queue_fini(struct queue *q)
{
    uint32_t pos = 0;
    for (struct queue_line *line; (line = idmap_next(&q->lines, &pos));)
        line_free(line);
    idmap_fini(&q->lines);
    heap_fini(&q->lines_by_time);
    heap_fini(&q->by_time);
}

static struct queue_line *line_of(const struct queue *q, uint32_t subject)
{
    return subject ? idmap_get(&q->lines, subject) : NULL;
}

static void drop_if_empty(struct queue *q, struct queue_line *line)
{
    if (line->entries.count)
        return;
    heap_remove(&q->lines_by_time, &line->node);
    idmap_remove(&q->lines, line->node.tag);
    line_free(line);
}

static struct queue_line *line_new(struct queue *q, uint32_t subject, tide_wall_ms wake_at)
{
    struct queue_line *line = calloc(1, sizeof *line);
    if (!line)
        return NULL;
    line->node.tag = subject;
    if (!heap_put(&q->lines_by_time, &line->node, wake_at)) {
        line_free(line);
        return NULL;
    }
    if (!idmap_put(&q->lines, subject, line)) {
        heap_remove(&q->lines_by_time, &line->node);
        line_free(line);
        return NULL;
    }
    return line;
}

void queue_remove(struct queue *q, struct queue_entry *e)
{
    struct queue_line *line = line_of(q, e->node.tag);
    heap_remove(line ? &line->entries : &q->by_time, &e->node);
    e->node.tag = 0;
    if (line)
        drop_if_empty(q, line);
}

/* Into `to`, and only when that has room out of where it was. */
static bool move(struct queue *q, struct queue_entry *e, struct heap *to, int64_t key)
{
    struct heap_node was = e->node;
    if (!was.at)
        return heap_put(to, &e->node, key);
    /* A node is in one heap at most, so a stand-in takes the place in the new one first. */
    struct heap_node stand_in = {0};
    if (!heap_put(to, &stand_in, key))
        return false;
    queue_remove(q, e);
    to->nodes[stand_in.at - 1] = &e->node;
    e->node = stand_in;
    return true;
}

bool queue_put_time(struct queue *q, struct queue_entry *e, tide_wall_ms at)
{
    if (!e->node.tag)
        return heap_put(&q->by_time, &e->node, at);
    if (!move(q, e, &q->by_time, at))
        return false;
    e->node.tag = 0;
    return true;
}

bool queue_put_line(
    struct queue *q, struct queue_entry *e, uint32_t subject, int64_t order, tide_wall_ms wake_at)
{
    if (!subject)
        return queue_put_time(q, e, wake_at);
    struct queue_line *line = line_of(q, subject);
    if (!line && !(line = line_new(q, subject, wake_at)))
        return false;
    bool ok = e->node.tag == subject ? heap_put(&line->entries, &e->node, order)
                                     : move(q, e, &line->entries, order);
    if (ok) {
        e->node.tag = subject;
        /* Whoever is first knows when to ask; of several equals any. (By order, not by place: one
         * that was taken and comes back may find an equal in front, and the line would go round.)
         */
        if (heap_first(&line->entries)->key >= order)
            queue_line_wait(q, subject, wake_at);
    } else {
        drop_if_empty(q, line);
    }
    return ok;
}

/* 4 bits of class, then the time: the sign stays free. Times before 1970 count as 1970. */
int64_t queue_order(int priority, bool urgent, tide_wall_ms deadline_at, tide_wall_ms oldest_at)
{
    enum { TIME_BITS = 58 };
    /* What has no deadline is due, for its place in the line, a day after it came: it does not
     * starve behind an endless row of near deadlines. */
    tide_wall_ms due = oldest_at + TIME_DAY_MS;
    if (deadline_at > 0 && deadline_at < due)
        due = deadline_at;
    int64_t class = urgent ? 0 : 1 + (priority < 0 ? 0 : TIDE_MIN(priority, 9));
    due = due < 0 ? 0 : TIDE_MIN(due, ((int64_t)1 << TIME_BITS) - 1);
    return class << TIME_BITS | due;
}

tide_wall_ms queue_next_at(const struct queue *q)
{
    const struct heap_node *entry = heap_first(&q->by_time), *line = heap_first(&q->lines_by_time);
    return TIDE_MIN(entry ? entry->key : TIDE_NEVER, line ? line->key : TIDE_NEVER);
}

/* Whichever was to wake first, so that neither side keeps the other from its turn. */
struct queue_entry *queue_take(struct queue *q, tide_wall_ms now)
{
    struct heap_node *first = heap_first(&q->by_time), *woken = heap_first(&q->lines_by_time);
    struct queue_entry *e;
    if (first && first->key <= now && (!woken || first->key <= woken->key)) {
        e = container_of(first, struct queue_entry, node);
    } else if (woken && woken->key <= now) {
        struct queue_line *line = container_of(woken, struct queue_line, node);
        e = container_of(heap_first(&line->entries), struct queue_entry, node);
    } else {
        return NULL;
    }
    queue_remove(q, e);
    return e;
}

void queue_line_wait(struct queue *q, uint32_t subject, tide_wall_ms wake_at)
{
    struct queue_line *line = line_of(q, subject);
    if (line)
        (void)heap_put(&q->lines_by_time, &line->node, wake_at); /* it is in there: cannot fail */
}
