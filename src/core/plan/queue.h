/* queue.h - who waits for what: by time, or in line at a wider limit.
 *
 * A million recipients held until the same reset must not all be asked again each time one place at
 * their provider becomes free. So an entry waits either for an instant, or in the line of one
 * subject (the binding wider limit), ordered by priority, then deadline, then age; only the line as
 * a whole has a wake-up time, and whoever takes from it stops at the first that still has to wait.
 *
 * Owns      its heaps, not the entries (embed struct queue_entry).
 * Threads   loop thread only. Reads no clock.
 * Errors    queue_*_put() says false when out of memory; the entry is then where it was.
 * Limits    every call is O(log n).
 */
#ifndef CORE_PLAN_QUEUE_H
#define CORE_PLAN_QUEUE_H

#include "base/heap.h"
#include "base/map.h"
#include "base/time.h"

struct queue {
    struct heap by_time; /* entries that wait for an instant */
    struct heap lines_by_time;
    struct idmap lines; /* subject -> struct queue_line */
};

struct queue_entry {
    struct heap_node node; /* tag: the subject of the line it stands in; 0: by time */
};

void queue_init(struct queue *q);
void queue_fini(struct queue *q);

static inline void queue_entry_init(struct queue_entry *e)
{
    *e = (struct queue_entry){0};
}

/* Moves the entry there from wherever it was. */
bool queue_put_time(struct queue *q, struct queue_entry *e, tide_wall_ms at);
/* `order`: least first (queue_order()); `wake_at`: when the line should next be asked. */
bool queue_put_line(
    struct queue *q, struct queue_entry *e, uint32_t subject, int64_t order, tide_wall_ms wake_at);
void queue_remove(struct queue *q, struct queue_entry *e);

/* priority first, then the earlier of deadline and (age turned into) due time. */
int64_t queue_order(int priority, bool urgent, tide_wall_ms deadline_at, tide_wall_ms oldest_at);

/* When somebody should next be taken; TIDE_NEVER when nobody waits. */
tide_wall_ms queue_next_at(const struct queue *q);

/* The next entry whose time has come, taken out; NULL: none. A line gives its entries one by one;
 * queue_line_wait() stops it until `wake_at` (its first still has to wait). */
struct queue_entry *queue_take(struct queue *q, tide_wall_ms now);
void queue_line_wait(struct queue *q, uint32_t subject, tide_wall_ms wake_at);

#endif
