#include "core/gate/backoff.h"

#include "base/macros.h"

#include <stdio.h>

void backoff_init(struct backoff *b, int64_t min_ms, int64_t max_ms)
{
    *b = (struct backoff){.state = BACKOFF_UP,
                          .min_ms = TIDE_MAX(min_ms, 1),
                          .max_ms = TIDE_MAX(max_ms, TIDE_MAX(min_ms, 1))};
}

int backoff_places(struct backoff *b, tide_wall_ms now, int most)
{
    /* Further away than any rest is long: the clock stepped back. */
    bool stepped = (double)(b->until - now) > (double)b->max_ms * 1.25;
    if (b->state == BACKOFF_RESTING && (now >= b->until || stepped))
        b->state = BACKOFF_PROBING;
    switch (b->state) {
    case BACKOFF_UP:
        return most;
    case BACKOFF_RESTING:
        return 0;
    case BACKOFF_PROBING:
        return TIDE_MIN(1, most);
    }
    return 0;
}

void backoff_fault(struct backoff *b, tide_wall_ms now, struct text reason, struct rng *rng)
{
    snprintf(b->reason, sizeof b->reason, TEXT_FMT, TEXT_ARG(reason));
    if (b->state == BACKOFF_RESTING)
        return;
    int64_t rest = b->min_ms;
    for (unsigned i = 0; i < b->faults && rest < b->max_ms; i++)
        rest = rest > b->max_ms / 2 ? b->max_ms : rest * 2;
    b->faults++;
    b->until = now + (int64_t)((double)rest * (0.75 + rng_unit(rng) / 2));
    b->state = BACKOFF_RESTING;
}

void backoff_wait(struct backoff *b, tide_wall_ms now, int64_t wait_ms)
{
    if (b->state == BACKOFF_RESTING)
        b->until = TIDE_MAX(b->until, now + TIDE_MIN(wait_ms, b->max_ms));
}

bool backoff_works(struct backoff *b)
{
    bool was_up = b->state == BACKOFF_UP;
    b->state = BACKOFF_UP;
    b->faults = 0;
    b->until = 0;
    b->reason[0] = '\0';
    return !was_up;
}

const char *backoff_state_name(enum backoff_state s)
{
    static const char *const names[] = {"up", "resting", "probing"};
    return (size_t)s < TIDE_COUNT(names) ? names[s] : "?";
}
