/* replay.h - what would have happened: a trace of notifications through the planner of the daemon,
 * in virtual time.
 *
 * One mailbox limit of so many mails a local day; every recipient of the trace has it. The planner,
 * its ledger and the policy are those of the daemon; only the rest of the world is played: a mail
 * that may leave has left. Beside it stand two yardsticks: what sending directly would have had
 * refused, and the least delay that anybody could reach who knew the future.
 *
 * Owns      nothing beyond a call; the events are borrowed.
 * Threads   any; a call is pure and reads no clock.
 * Errors    TIDE_ENOMEM; TIDE_ENOENT for an unknown zone; TIDE_ERANGE for a trace that is not
 *           sorted, or a user beyond user_count.
 * Limits    some 400 bytes a user, 12 bytes an event.
 */
#ifndef CORE_PLAN_REPLAY_H
#define CORE_PLAN_REPLAY_H

#include "core/plan/planner.h"

enum replay_class { REPLAY_URGENT, REPLAY_DIRECT, REPLAY_WATCHED, REPLAY_CLASSES };

struct replay_event {
    int64_t at_s;         /* since 1970 */
    uint32_t user;        /* 0 .. user_count - 1 */
    uint32_t class : 8;   /* enum replay_class */
    uint32_t source : 24; /* who writes; 0: nobody knows */
};

struct replay_trace {
    const struct replay_event *events; /* sorted by time */
    size_t count;
    uint32_t user_count;
};

#define REPLAY_POLICIES(X)                                                              \
    X(QUIET, "quiet", "waits for a silence; table of the plan")                         \
    X(FLUID, "fluid", "waits for a silence; no table, the price of a send alone")       \
    X(EVEN, "even", "at once while half is left, then evenly over the rest of the day") \
    X(AT_ONCE, "at-once", "at once while any is left, then waits for the reset")        \
    X(HOURLY, "hourly", "a digest at each full hour")                                   \
    X(OPTIMUM, "optimum", "the least delay possible, for one who knows the future")

enum replay_policy {
#define REPLAY_POLICY(code, name, help) REPLAY_##code,
    REPLAY_POLICIES(REPLAY_POLICY)
#undef REPLAY_POLICY
        REPLAY_POLICY_COUNT
};

#define REPLAY_HIDDEN_MAX 8

const char *replay_policy_name(enum replay_policy p);
const char *replay_policy_help(enum replay_policy p);

#define REPLAY_ACCOUNTS_MAX 4

struct replay_settings {
    enum replay_policy policy;
    struct window window; /* zone and all; zeroed: a calendar day in `zone` */
    const char *zone;     /* in which the days turn over; name for zones->load */
    const struct plan_zones *zones;
    int quota;
    /* Mails in `shared` that an account takes of all recipients together; 0: no such limit. The
     * next account takes over where one is full or, `split`, each has its own part of the
     * recipients. */
    int site_quota[REPLAY_ACCOUNTS_MAX];
    unsigned accounts; /* 0: one */
    bool split;
    /* The same of a provider, who runs so many of a hundred mailboxes. */
    int provider_quota, provider_percent; /* 0: no such limit; all */
    bool no_price;                        /* as in struct quiet_settings */
    struct window shared;                 /* zeroed: a calendar day in `zone` */
    int warmup_days;                      /* not scored */
    int reserve; /* kept for urgent mail, on top of its price; -1: what the policy needs (one
                  * for those that know no price, else none) */
    int64_t hold_ms_max;          /* 0: no bound */
    int64_t margin_ms, spread_ms; /* around and after a reset, as planner.* */
    double urgent_cost;           /* as in struct quiet_settings */
    bool single[REPLAY_CLASSES];  /* these are put into no digest */
    double direct_weight;         /* of direct mail against watched; 0: alike */
    /* What a mailbox really takes in its window, unknown to the planner, which learns it from
     * refusals: each of these numbers holds for so many days, then the next, and around. Not for
     * rolling windows, not for the optimum. */
    int hidden[REPLAY_HIDDEN_MAX];
    size_t hidden_count;
    int hidden_days;
};

#define REPLAY_DELAY_S_MAX (3 * 86400) /* longer ones are counted there */

struct replay_delays {
    uint64_t count;
    double mean, median, p95, p99, max; /* minutes */
};

struct replay_result {
    uint64_t notifications, mails, digests; /* scored; urgent ones are not notifications here */
    uint64_t over;                          /* mails beyond the limit of their day */
    uint64_t over_shared;                   /* beyond one that many share */
    uint64_t refused_direct;                /* had everything been sent when it came */
    uint64_t refused;                       /* by the hidden limit; 0 without one */
    uint64_t urgent, urgent_held;
    uint64_t left;   /* were pending at the end of the trace; played to their end */
    uint64_t tables; /* built */
    struct replay_delays all, by_class[REPLAY_CLASSES];
    uint32_t *delay_counts;     /* [REPLAY_DELAY_S_MAX + 1]; free() it */
    uint64_t mails_by_hour[24]; /* of the local day */
    uint64_t user_days;         /* with at least one notification */
    /* days of a recipient with more than the limit, all sent directly; those foreseen (will_exceed)
     * before, and how long before, in hours; those foreseen that never came */
    uint64_t full_days, warned, warned_in_vain;
    double warned_hours;
    uint64_t arrivals_by_hour[24];
};

TIDE_MUST_CHECK enum tide_err replay_run(const struct replay_trace *trace,
                                         const struct replay_settings *settings,
                                         struct replay_result *ret,
                                         struct tide_error *err);
void replay_result_fini(struct replay_result *r);

/* -- The forecast, judged on the same trace ---------------------------------------------------- */

struct replay_scores {
    uint64_t days; /* user-days judged */
    double crps, log_score, q90_coverage, pit_error;
};

#define REPLAY_FAN_DAYS 60

struct replay_forecast {
    struct replay_scores midnight, noon; /* the whole day, at its start; what is left, at 13:00 */
    struct replay_scores crowd;          /* all recipients' days summed, at the start */
    /* one busy recipient's last days */
    unsigned fan_count;
    struct replay_fan {
        int32_t day;
        unsigned q10, q50, q90, q99, came;
    } fan[REPLAY_FAN_DAYS];
};

#define REPLAY_NOON_HOUR 13

TIDE_MUST_CHECK enum tide_err replay_forecast(const struct replay_trace *trace,
                                              const struct replay_settings *settings,
                                              struct replay_forecast *ret,
                                              struct tide_error *err);

/* -- One who knows the future ------------------------------------------------------------------ */

/* The least sum of weighted delays (milliseconds) of one recipient's `count` notifications at `at`,
 * sorted. Window w lasts from resets[w] to resets[w + 1] and allows quota[w] sends; after the last
 * window one send takes what is left. Negative: out of memory. */
double replay_optimum(const tide_wall_ms *at,
                      const double *weight,
                      size_t count,
                      const tide_wall_ms *resets,
                      const int *quota,
                      size_t windows);

#endif
