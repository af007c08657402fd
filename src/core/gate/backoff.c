#include "core/gate/backoff.h"

#include "base/macros.h"

#include <assert.h>
#include <stdio.h>

static void move(struct backoff *b, enum backoff_state next)
{
    static const unsigned may[] = {
        [BACKOFF_UP] = 1u << BACKOFF_WAITING,
        [BACKOFF_WAITING] = 1u << BACKOFF_PROBING,
        [BACKOFF_PROBING] = 1u << BACKOFF_WAITING | 1u << BACKOFF_UP,
    };
    assert(may[b->state] & 1u << next);
    b->state = next;
    b->probe_out = false;
}

void backoff_init(struct backoff *b, int64_t min_ms, int64_t max_ms)
{
    *b = (struct backoff){.min_ms = TIDE_MAX(min_ms, 1)};
    b->max_ms = TIDE_MAX(max_ms, b->min_ms);
}

int backoff_room(struct backoff *b, tide_wall_ms now)
{
    if (b->state == BACKOFF_WAITING) {
        /* The clock stepped back: what is left would be longer than the wait ever was. */
        if (b->until - now > b->wait_ms)
            b->until = now + b->wait_ms;
        if (now >= b->until)
            move(b, BACKOFF_PROBING);
    }
    switch (b->state) {
    case BACKOFF_UP:
        return BACKOFF_ANY;
    case BACKOFF_WAITING:
        return 0;
    case BACKOFF_PROBING:
        return !b->probe_out;
    }
    return 0;
}

void backoff_started(struct backoff *b)
{
    if (b->state == BACKOFF_PROBING)
        b->probe_out = true;
}

void backoff_succeeded(struct backoff *b)
{
    if (b->state == BACKOFF_WAITING) /* an older connection may still work: that opens no new one */
        return;
    if (b->state == BACKOFF_PROBING)
        move(b, BACKOFF_UP);
    b->faults = 0;
}

void backoff_withdrawn(struct backoff *b)
{
    b->probe_out = false;
}

static int64_t wait_of(const struct backoff *b, struct rng *rng)
{
    int64_t wait = b->min_ms;
    for (int i = 1; i < b->faults && wait < b->max_ms; i++)
        wait = wait > b->max_ms / 2 ? b->max_ms : wait * 2;
    return TIDE_MAX(wait - (int64_t)((double)wait / 2 * rng_unit(rng)), 1);
}

void backoff_failed(struct backoff *b, struct text reason, tide_wall_ms now, struct rng *rng)
{
    snprintf(b->reason, sizeof b->reason, TEXT_FMT, TEXT_ARG(reason));
    if (b->state == BACKOFF_WAITING) /* one breakdown fails all that were on their way: once */
        return;
    if (b->faults++ == 0)
        b->since = now;
    b->wait_ms = wait_of(b, rng);
    b->until = now + b->wait_ms;
    move(b, BACKOFF_WAITING);
}

tide_wall_ms backoff_wake_at(const struct backoff *b)
{
    return b->state == BACKOFF_WAITING ? b->until : TIDE_NEVER;
}

const char *backoff_text(const struct backoff *b, char *out, size_t size)
{
    char when[TIME_TEXT_BYTES];
    switch (b->state) {
    case BACKOFF_UP:
        snprintf(out, size, "up");
        break;
    case BACKOFF_WAITING:
        snprintf(out, size, "backing off until %s: %s", time_rfc3339(b->until, 0, when), b->reason);
        break;
    case BACKOFF_PROBING:
        snprintf(out, size, "trying one mail after: %s", b->reason);
        break;
    }
    return out;
}

int backoff_choose(
    struct backoff *all, const int *order, size_t count, tide_wall_ms now, tide_wall_ms *ret_at)
{
    *ret_at = TIDE_NEVER;
    for (size_t i = 0; i < count; i++) {
        struct backoff *b = &all[order[i]];
        if (backoff_room(b, now) > 0)
            return order[i];
        *ret_at = TIDE_MIN(*ret_at, backoff_wake_at(b));
    }
    return -1;
}
