#include "base/macros.h"
#include "base/rng.h"
#include "core/plan/queue.h"
#include "lib/check.h"

#include <stdlib.h>

static void test_by_time(void **state)
{
    (void)state;
    struct queue q;
    struct queue_entry a, b;
    queue_init(&q);
    queue_entry_init(&a);
    queue_entry_init(&b);
    T_EQ(queue_next_at(&q), TIDE_NEVER, "empty");
    T_TRUE(queue_put_time(&q, &a, 200) && queue_put_time(&q, &b, 100), "put");
    T_EQ(queue_next_at(&q), 100, "the earlier");
    T_TRUE(queue_take(&q, 99) == NULL, "nobody yet");
    T_TRUE(queue_take(&q, 300) == &b, "earlier first");
    T_TRUE(queue_put_time(&q, &a, 400), "moved");
    T_TRUE(queue_take(&q, 300) == NULL, "later now");
    queue_remove(&q, &a);
    queue_remove(&q, &a);
    T_EQ(queue_next_at(&q), TIDE_NEVER, "removed, twice");
    queue_fini(&q);
}

static void test_line(void **state)
{
    (void)state;
    struct queue q;
    struct queue_entry e[3] = {0};
    queue_init(&q);
    T_TRUE(queue_put_line(&q, &e[0], 5, 30, 1000), "first");
    T_TRUE(queue_put_line(&q, &e[1], 5, 40, 9000), "behind: its time is not the line's");
    T_EQ(queue_next_at(&q), 1000, "the first one's");
    T_TRUE(queue_put_line(&q, &e[2], 5, 10, 500), "before all");
    T_EQ(queue_next_at(&q), 500, "now its own");
    T_TRUE(queue_take(&q, 499) == NULL, "waits");
    T_TRUE(queue_take(&q, 500) == &e[2], "by order");
    T_TRUE(queue_take(&q, 500) == &e[0], "one by one");
    T_TRUE(queue_put_line(&q, &e[0], 5, 30, 700), "has to wait still");
    T_TRUE(queue_take(&q, 600) == NULL, "and all behind it");
    queue_line_wait(&q, 5, 800);
    T_TRUE(queue_take(&q, 700) == NULL, "stopped");
    T_TRUE(queue_put_time(&q, &e[0], 650), "out of the line");
    T_TRUE(queue_take(&q, 650) == &e[0], "by time");
    queue_remove(&q, &e[1]);
    T_EQ(queue_next_at(&q), TIDE_NEVER, "an empty line is none");
    T_EQ(q.lines.count, 0, "and takes no memory");
    queue_line_wait(&q, 5, 1);
    queue_fini(&q);
}

/* Equals that all have to wait: each is taken once at most, then the line rests. */
static void test_equals_in_line(void **state)
{
    (void)state;
    struct queue q;
    struct queue_entry e[5] = {0};
    queue_init(&q);
    for (size_t i = 0; i < TIDE_COUNT(e); i++)
        T_TRUE(queue_put_line(&q, &e[i], 5, 30, 1000), "put");
    size_t taken = 0;
    for (struct queue_entry *x; taken < 100 && (x = queue_take(&q, 1000)); taken++)
        T_TRUE(queue_put_line(&q, x, 5, 30, 2000), "has to wait");
    T_TRUE(taken <= TIDE_COUNT(e), "asked %zu times", taken);
    T_EQ(queue_next_at(&q), 2000, "the line rests");
    queue_fini(&q);
}

static const struct {
    const char *name;
    int priority_a, priority_b;
    bool urgent_a, urgent_b;
    tide_wall_ms deadline_a, deadline_b, oldest_a, oldest_b;
} orders[] = {
    /* a before b */
    {"urgent", 9, 0, true, false, 0, 0, 100, 0},
    {"priority", 1, 2, false, false, 0, 0, 100, 0},
    {"age", 1, 1, false, false, 0, 0, 50, 100},
    {"deadline before age", 1, 1, false, false, 1000, 0, 100, 50},
    {"far deadline is none", 1, 1, false, false, 10 * TIME_DAY_MS, 0, 50, 100},
    {"old without before new with", 1, 1, false, false, 0, 3 * TIME_DAY_MS, 0, 2 * TIME_DAY_MS + 5},
};

static void test_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(orders); i++)
        T_TRUE(queue_order(orders[i].priority_a, orders[i].urgent_a, orders[i].deadline_a,
                           orders[i].oldest_a) <
                   queue_order(orders[i].priority_b, orders[i].urgent_b, orders[i].deadline_b,
                               orders[i].oldest_b),
               "%s", orders[i].name);
    T_TRUE(queue_order(99, false, INT64_MAX, INT64_MAX - 2 * TIME_DAY_MS) > 0, "extremes");
    T_TRUE(queue_order(-5, false, -5, -TIME_DAY_MS * 2) > 0, "below");
}

/* Random moves between time and lines, against a plain array. */
static void test_against_model(void **state)
{
    (void)state;
    enum { N = 300, STEPS = 30000, LINES = 4 };
    static struct queue_entry e[N];
    struct {
        bool in;
        uint32_t line;
        int64_t key;
    } model[N] = {0};
    struct queue q;
    struct rng rng;
    rng_seed(&rng, 11);
    queue_init(&q);
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = rng_below(&rng, N), line = rng_below(&rng, LINES + 1);
        int64_t key = rng_below(&rng, 1000);
        if (rng_below(&rng, 4) == 0) {
            queue_remove(&q, &e[i]);
            model[i].in = false;
            continue;
        }
        T_TRUE(queue_put_line(&q, &e[i], line, key, line ? 2000 + line : key), "put");
        model[i].in = true;
        model[i].line = line;
        model[i].key = key;
    }
    int left = 0;
    for (int i = 0; i < N; i++)
        left += model[i].in;
    int64_t last[LINES + 1] = {-1, -1, -1, -1, -1};
    for (struct queue_entry *x; (x = queue_take(&q, TIDE_NEVER)); left--) {
        size_t i = (size_t)(x - e);
        T_TRUE(model[i].in, "entry %zu was not in", i);
        T_TRUE(model[i].key >= last[model[i].line], "line %u in order", model[i].line);
        last[model[i].line] = model[i].key;
        model[i].in = false;
    }
    T_EQ(left, 0, "all came out");
    queue_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_time),        cmocka_unit_test(test_line),
        cmocka_unit_test(test_equals_in_line), cmocka_unit_test(test_order),
        cmocka_unit_test(test_against_model),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
