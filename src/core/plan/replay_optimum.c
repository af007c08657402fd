/* The least delay for one who knows the future. A send takes all that is pending, so the
 * notifications fall into runs, each sent when its last one comes, or at a reset if it was carried
 * over; a window has at most so many runs. cost[i] is the least for the first i being sent, the
 * rest carried over; a window of q sends adds at most q runs to it. */
#include "core/plan/replay.h"

#include "base/macros.h"

#include <math.h>
#include <stdlib.h>

struct sums {
    const tide_wall_ms *at;
    double *weight, *moment; /* of the first i: sum of weights, of weight x (at - at[0]) */
};

/* Notifications first .. last-1 leave together at `when`. */
static double run_cost(const struct sums *s, size_t first, size_t last, tide_wall_ms when)
{
    return (s->weight[last] - s->weight[first]) * (double)(when - s->at[0]) -
           (s->moment[last] - s->moment[first]);
}

/* One window: before it `before` had come, at its end `after` have. cost[low..after], scratch
 * alike; returns the least i that may still be left at. */
static size_t window(const struct sums *s,
                     tide_wall_ms start,
                     int quota,
                     size_t low,
                     size_t before,
                     size_t after,
                     double *cost,
                     double *now,
                     double *next)
{
    for (size_t i = low; i <= after; i++)
        now[i] = i <= before ? cost[i] : INFINITY;
    for (size_t i = before + 1; i <= after; i++)
        cost[i] = INFINITY;
    for (int j = 0; j < quota; j++) {
        bool better = false;
        for (size_t i = low; i <= after; i++)
            next[i] = INFINITY;
        for (size_t i = low; i < after; i++) {
            if (now[i] == INFINITY)
                continue;
            for (size_t e = TIDE_MAX(i + 1, before); e <= after; e++) {
                tide_wall_ms when = TIDE_MAX(s->at[e - 1], start);
                double c = now[i] + run_cost(s, i, e, when);
                next[e] = TIDE_MIN(next[e], c);
            }
        }
        for (size_t i = low; i <= after; i++) {
            if (next[i] < cost[i]) {
                cost[i] = next[i];
                better = true;
            }
            now[i] = next[i];
        }
        if (!better)
            break;
    }
    /* A send in the window would have taken all that came before it: only if there was none may
     * anything older still wait. */
    if (quota > 0)
        for (size_t i = low; i < before; i++)
            cost[i] = INFINITY;
    while (cost[low] == INFINITY)
        low++;
    return low;
}

double replay_optimum(const tide_wall_ms *at,
                      const double *weight,
                      size_t count,
                      const tide_wall_ms *resets,
                      const int *quota,
                      size_t windows)
{
    if (count == 0)
        return 0;
    struct sums s = {.at = at};
    double *block = malloc((count + 1) * 5 * sizeof *block);
    if (!block)
        return -1;
    double *cost = block, *now = cost + count + 1, *next = now + count + 1;
    s.weight = next + count + 1;
    s.moment = s.weight + count + 1;
    s.weight[0] = s.moment[0] = 0;
    for (size_t i = 0; i < count; i++) {
        s.weight[i + 1] = s.weight[i] + weight[i];
        s.moment[i + 1] = s.moment[i] + weight[i] * (double)(at[i] - at[0]);
        cost[i + 1] = INFINITY;
    }
    cost[0] = 0;
    size_t before = 0, low = 0;
    for (size_t w = 0; w < windows; w++) {
        size_t after = before;
        while (after < count && at[after] < resets[w + 1])
            after++;
        low = window(&s, resets[w], quota[w], low, before, after, cost, now, next);
        before = after;
    }
    double best = cost[count];
    for (size_t i = 0; i < count; i++)
        if (cost[i] < INFINITY)
            best = TIDE_MIN(best, cost[i] + run_cost(&s, i, count, resets[windows]));
    free(block);
    return best;
}
