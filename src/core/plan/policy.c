#include "core/plan/policy.h"

#include "base/macros.h"

/* The word is the second of the last release that was not urgent. Spacing is counted from there
 * and not from now: asked again, at every arrival, the answer must not move on with the clock. */
static tide_wall_ms even_wish(void *arg, const struct policy_view *v)
{
    (void)arg;
    int64_t free_now = v->count - v->used, left = free_now - v->reserve;
    if (left < 1 || (double)free_now > v->direct_share * (double)v->count)
        return v->now;
    tide_wall_ms last = TIDE_MIN((int64_t)v->word * TIME_SECOND_MS, v->now), at;
    if (v->window.end) {
        last = TIDE_MAX(last, v->window.start);
        at = last + (v->window.end - last) / (left + 1);
    } else {
        at = last + v->span_ms / TIDE_MAX(v->count - v->reserve, 1);
    }
    return v->hold_until_max ? TIDE_MIN(at, v->hold_until_max) : at;
}

static uint32_t even_charged(void *arg, tide_wall_ms now, bool urgent, uint32_t word)
{
    (void)arg;
    return urgent ? word : (uint32_t)(now / TIME_SECOND_MS);
}

const struct policy *policy_even(void)
{
    static const struct policy even = {.name = "even",
                                       .how = "what is left is spaced over the time to the reset",
                                       .wish = even_wish,
                                       .charged = even_charged};
    return &even;
}
