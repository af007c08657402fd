/* gate_rig.h - a gate with its planner and a configuration, for tests that step it by hand. */
#ifndef TESTS_LIB_GATE_RIG_H
#define TESTS_LIB_GATE_RIG_H

#include "core/gate/gate.h"

struct gate_rig {
    struct config *config; /* owned */
    struct planner *planner;
    struct gate *gate;
    struct gate_todo todo; /* of the last step */
};

void gate_rig_begin(struct gate_rig *r, struct config *take_config);
void gate_rig_end(struct gate_rig *r);
/* Ends the test when memory runs out. */
void gate_rig_step(struct gate_rig *r, struct gate_event ev);

#endif
