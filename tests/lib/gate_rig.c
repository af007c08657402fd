#include "lib/gate_rig.h"

#include "io/loop/zones.h"
#include "lib/check.h"

void gate_rig_begin(struct gate_rig *r, struct config *take_config)
{
    static const struct plan_zones zones = {.load = zones_load};
    struct tide_error err;
    *r = (struct gate_rig){.config = take_config};
    T_OK(planner_new(r->config, &zones, &r->planner, &err), &err, "planner");
    r->gate = gate_new(r->planner, r->config, 0, 1);
    assert_non_null(r->gate);
    gate_todo_init(&r->todo);
}

void gate_rig_end(struct gate_rig *r)
{
    gate_todo_fini(&r->todo);
    gate_free(r->gate);
    planner_free(r->planner);
    config_free(r->config);
}

void gate_rig_step(struct gate_rig *r, struct gate_event ev)
{
    gate_todo_fini(&r->todo);
    gate_step(r->gate, &ev, &r->todo);
    T_TRUE(!r->todo.failed, "memory");
}
