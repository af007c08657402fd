/* replay_in.h - what the files of a replay share; nobody else includes this.
 *
 * replay.c        playing a trace, and what came of it
 * replay_world.c  the world that it is played in
 */
#ifndef CORE_PLAN_REPLAY_IN_H
#define CORE_PLAN_REPLAY_IN_H

#include "base/heap.h"
#include "core/plan/policy_quiet.h"
#include "core/plan/replay.h"

#define REPLAY_NONE UINT32_MAX

/* A line of events, through struct replay.next. */
struct replay_line {
    uint32_t first, last; /* REPLAY_NONE: empty */
    uint32_t count;
};

/* How many in the window of now; of a rolling one the last `quota` instants. */
struct replay_tally {
    tide_wall_ms start, *ring;
    uint32_t count;
};

struct replay_user {
    struct heap_node wake;
    struct plan_recipient plan;
    struct group_pending pending;
    tide_wall_ms last_at;
    uint32_t source;                           /* who wrote last */
    double weight;                             /* of what is pending */
    struct replay_line urgent, single, normal; /* single: one by one, behind urgent ones */
    struct replay_tally mails, events;         /* of the limit's window, counted anew */
    struct replay_tally taken;                 /* of the hidden limit's */
    int32_t event_day;
    uint32_t events_of_day;
    tide_wall_ms warned_at; /* of event_day; 0: not */
    bool full;
};

struct replay {
    const struct replay_trace *trace;
    const struct replay_settings *settings;
    struct replay_result *out;
    struct config config;
    struct config_account accounts[REPLAY_ACCOUNTS_MAX];
    struct config_application applications[REPLAY_ACCOUNTS_MAX];
    int account_list[REPLAY_ACCOUNTS_MAX];
    struct config_stream streams[2];
    struct limit limits[3], site_limits[REPLAY_ACCOUNTS_MAX];
    unsigned account_count;
    struct profile providers[2], esps[REPLAY_ACCOUNTS_MAX];
    struct replay_wide { /* counted anew */
        tide_wall_ms start, *ring;
        uint64_t count;
    } site_count[REPLAY_ACCOUNTS_MAX], provider_count;
    struct planner *planner;
    struct quiet_policy *quiet;
    struct zone *zone; /* for counting anew what the ledger counts */
    struct window_rule rule, shared_rule;
    tide_wall_ms *rings; /* of rolling windows */
    uint32_t provider_names[2];
    struct replay_user *users;
    uint32_t *next; /* [event] */
    struct heap heap;
    struct replay_class_tally {
        uint32_t *counts;
        uint64_t count;
        double sum_s, max_s;
    } delays[REPLAY_CLASSES];
    tide_wall_ms scored_from;
    double mean_weight;
    bool failed;
};

/* On failure too it is to be closed. */
TIDE_MUST_CHECK enum tide_err replay_open(struct replay *r, struct tide_error *err);
void replay_close(struct replay *r);

#endif
