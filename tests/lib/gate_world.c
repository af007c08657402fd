#include "lib/gate_world.h"

#include "base/map.h"
#include "lib/check.h"

#include <stdlib.h>

bool sim_is_dead(int recipient)
{
    return recipient == RECIPIENTS - 1;
}

static void note_trace(struct world *w, uint64_t what)
{
    w->trace = hash_u64(w->trace ^ what ^ (uint64_t)w->now);
}

struct happening *sim_add(struct world *w, enum happening_type what, tide_wall_ms at)
{
    T_TRUE(w->queue_count < EVENTS_MAX, "seed %llu: too many events", (unsigned long long)w->seed);
    struct happening *h = &w->queue[w->queue_count++];
    *h = (struct happening){.what = what, .at = at, .run = w->run};
    return h;
}

struct try *sim_find_try(struct world *w, tide_id id)
{
    for (int i = w->try_count - 1; i >= 0; i--)
        if (w->tries[i].id == id)
            return &w->tries[i];
    return NULL;
}

static void verify(struct world *w, struct text domain)
{
    struct happening *h = sim_add(w, HAP_EVENT, w->now + 5 + rng_below(&w->rng, 500));
    int recipient = (int)strtol(domain.p + 1, NULL, 10);
    h->ev.type = GATE_VERDICT;
    snprintf(h->domain, sizeof h->domain, TEXT_FMT, TEXT_ARG(domain));
    bool unknown = rng_below(&w->rng, 20) == 0;
    h->verdict = (struct verdict){
        .kind = sim_is_dead(recipient) ? VERDICT_UNDELIVERABLE
                : unknown              ? VERDICT_UNKNOWN
                                       : VERDICT_DELIVERABLE,
        .provider = unknown || sim_is_dead(recipient) ? TEXT("") : TEXT("qq"),
        .reason = TEXT("as the made-up DNS says"),
        .found_at = h->at,
        .valid_until = h->at + (unknown ? 5 : 60) * TIME_MINUTE_MS,
    };
}

static void carry_out(struct world *w, struct gate_todo *todo)
{
    sim_apply(w, todo->changes, todo->change_count);
    for (size_t i = 0; i < todo->count; i++) {
        const struct gate_action *a = &todo->actions[i];
        switch (a->type) {
        case GATE_DO_VERIFY:
            verify(w, a->domain);
            break;
        case GATE_DO_CLAIM:
            sim_claim(w, a);
            break;
        case GATE_DO_DROP:
            sim_drop(w, a);
            break;
        case GATE_DO_RECALL:
            sim_recall(w, a);
            break;
        case GATE_DO_LOAD:
            sim_load_group(w, (int)a->group_id - 1, GATE_LOADED);
            break;
        }
    }
}

void sim_step(struct world *w, struct gate_event *ev)
{
    struct gate_todo todo;
    gate_todo_init(&todo);
    ev->now = w->now;
    gate_step(w->gate, ev, &todo);
    T_TRUE(!todo.failed, "out of memory");
    note_trace(w, (uint64_t)ev->type << 32 | (uint64_t)todo.count << 16 | todo.change_count);
    w->wake_at = todo.wake_at;
    carry_out(w, &todo);
    gate_todo_fini(&todo);
}
