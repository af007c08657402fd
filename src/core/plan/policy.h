/* policy.h - when a digest should leave while there is still room: the part of planning that is
 * taste, behind one interface so that another can take its place and both can be simulated.
 *
 * The planner keeps every limit and the reserve by itself; a policy is asked only about mail that
 * could leave now and may be put into a digest, and can only make it wait. What a policy learns of
 * a recipient lives in struct forecast, beside his ledger; what it learns of all of them goes to
 * the store as rows of its own.
 *
 * Owns      nothing. Threads: loop thread only. Reads no clock.
 */
#ifndef CORE_PLAN_POLICY_H
#define CORE_PLAN_POLICY_H

#include "core/limit/window.h"
#include "core/plan/outlook.h"
#include "core/record/notification.h"

#define POLICY_REFILLS_MAX 22

struct policy_view {
    tide_wall_ms now;
    const struct group_pending *pending; /* may be NULL */
    tide_wall_ms last_at;                /* newest arrival in the group */
    tide_wall_ms hold_until_max;         /* may not be held longer; 0: no bound */
    double weight;                       /* of what is pending, in mails of the mean weight; 0: all
                                          * weigh alike */
    uint32_t word;                       /* what this policy remembers of the recipient */
    struct forecast *forecast;           /* what was learnt of the recipient */
    int64_t recipient_id;                /* whose an application's expectation is */
    /* the recipient's tightest limit; for arrived(): his daily limit of the least count */
    int64_t count, used, reserve; /* the reserve: what urgent mail has left of it */
    int64_t reserve_full;
    struct window_span window; /* calendar, clock: of now; else both 0 */
    int64_t span_ms;           /* length of the window */
    bool is_day;               /* a calendar day: `day` and `window_id` say which */
    int32_t day;               /* local date, in days since 1970 */
    uint32_t window_id;        /* of the window's definition, stable over restarts */
    uint32_t source;           /* who writes, as in struct plan_query */
    double direct_share;
    /* Limits that many share let so few of what is to come leave that each digest has to be larger:
     * the inverse squares of what share they take, summed. 0: none is scarce. */
    double scarcity;
    /* For limits that do not count in days: the day that the forecast learns by, and when a rolling
     * window gives its sends back, one by one. */
    struct policy_day {
        uint32_t id;
        int32_t day;
        struct window_span window;
    } learnt_by;
    tide_wall_ms refills[POLICY_REFILLS_MAX];
    unsigned refill_count;
};

struct policy {
    const char *name;
    const char *how; /* for people, of a digest that waits: "what is left is ..." */
    void *arg;
    bool heeds_scarcity; /* else what many share is left to its limits alone */
    /* When the digest should leave: `now` or before is at once. */
    tide_wall_ms (*wish)(void *arg, const struct policy_view *v);
    /* The recipient's new word after a release at `now`. */
    uint32_t (*charged)(void *arg, tide_wall_ms now, bool urgent, uint32_t word);
    /* `n` notifications that may be put into a digest have come; for a recipient with a daily
     * limit. May be NULL, as all below. */
    void (*arrived)(void *arg, const struct policy_view *v, unsigned n);
    /* What is to come for him; count 0: he has no daily limit, the day is one to learn by. False:
     * this policy foresees nothing. */
    bool (*foresee)(void *arg, const struct policy_view *v, struct foreseen *ret);
    /* The application says how many he will get on the day of now, or (id 0) that all will get
     * `value` times as many as usual; value 0 takes it back. False: too many say so. */
    bool (*expect)(
        void *arg, int64_t recipient_id, double value, tide_wall_ms now, tide_wall_ms until);
    /* Rows for the store, as planner_next_dirty() and planner_restore(); keys start with
     * "policy|". */
    bool (*next_dirty)(void *arg, struct text *ret_key, struct buf *ret_blob);
    enum tide_err (*restore)(void *arg, struct text key, struct text blob, struct tide_error *err);
};

/* At once while more than direct_share of the tightest limit is free; then what is left of the
 * limit without the reserve is spread evenly over what is left of the window. */
const struct policy *policy_even(void);

#endif
