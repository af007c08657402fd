/* The planner's answers in words: why a mail leaves now, or why it does not. */
#include "core/gate/inside.h"

struct text gate_usage_text(const struct plan_answer *a, struct gate_todo *todo)
{
    char limit[128];
    if (!a->limit)
        return TEXT("no limit is known");
    return gate_printf(todo, "%lld of %lld used (%s: %s)", (long long)a->used,
                       (long long)a->limit->count, a->limit->name,
                       limit_text(a->limit, limit, sizeof limit));
}

struct text gate_why_now(const struct plan_answer *a,
                         bool digest,
                         uint32_t count,
                         struct gate_todo *todo)
{
    struct text usage = gate_usage_text(a, todo);
    if (a->why == PLAN_WHY_URGENT)
        return gate_printf(todo, "released at once: urgent; " TEXT_FMT, TEXT_ARG(usage));
    if (digest && count > 1)
        return gate_printf(todo, "released as a digest of %u: " TEXT_FMT, count, TEXT_ARG(usage));
    return gate_printf(todo, "released: " TEXT_FMT, TEXT_ARG(usage));
}

struct text gate_why_not(const struct plan_answer *a, tide_wall_ms now, struct gate_todo *todo)
{
    char when[96], reset[96] = "", limit[128];
    struct text usage = gate_usage_text(a, todo);
    gate_when(a->at, now, when, sizeof when);
    if (a->reset_at)
        gate_when(a->reset_at, now, reset, sizeof reset);
    switch (a->why) {
    case PLAN_WHY_SPACED:
        return gate_printf(todo, "held for a digest until %s: " TEXT_FMT ", %s", when,
                           TEXT_ARG(usage),
                           a->how ? a->how : "what is left is spaced over the time to the reset");
    case PLAN_WHY_DEAR:
        return gate_printf(todo,
                           "held for a digest until %s: " TEXT_FMT
                           " and %.0f more notifications are expected until %s, so that digests "
                           "grow before it is full",
                           when, TEXT_ARG(usage), a->expected, reset);
    case PLAN_WHY_RESERVE:
        return gate_printf(todo, "held until %s: " TEXT_FMT ", the rest is kept for urgent mail",
                           when, TEXT_ARG(usage));
    case PLAN_WHY_SPREAD:
        return gate_printf(todo,
                           "held until %s: %s (%s) starts anew, what waited for it leaves spread "
                           "over a while",
                           when, a->limit->name, limit_text(a->limit, limit, sizeof limit));
    case PLAN_WHY_LIMIT:
    case PLAN_WHY_ROOM:
    case PLAN_WHY_URGENT:
        break;
    }
    if (a->reset_at)
        return gate_printf(todo, "held until %s: " TEXT_FMT "; it starts anew at %s", when,
                           TEXT_ARG(usage), reset);
    return gate_printf(todo, "held until %s: " TEXT_FMT, when, TEXT_ARG(usage));
}
