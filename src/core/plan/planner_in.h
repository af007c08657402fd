/* planner_in.h - the planner's own tables, shared by its files; nobody else includes this.
 *
 * planner.c          configuration, names, rows for the store, what people are told
 * planner_limits.c   which limits apply
 * planner_decide.c   deciding, charging
 * planner_foresee.c  arrivals, what is to come
 * planner_demand.c   what is to come for what many share, and its rows
 * planner_price.c    limits that many share grow dear before they are used up
 * planner_learn.c    limits that replies have taught, closures, what operators say of them
 */
#ifndef CORE_PLAN_PLANNER_IN_H
#define CORE_PLAN_PLANNER_IN_H

#include "core/plan/learn.h"
#include "core/plan/planner.h"
#include "core/plan/rules.h"

/* A limit that applies to a query. */
struct applied {
    struct tally tally;
    struct subject *subject; /* NULL: the recipient's own */
    struct learn_key *key;   /* of a number that was learnt; else NULL */
    struct learn_limit *learnt;
    bool overruled;  /* the ESP has said a number of its own: counted, but holds nothing */
    int64_t allowed; /* less than so many may count already */
};

struct applied_set {
    struct applied all[PLAN_LIMITS_MAX + LIMIT_SCOPES * LEARN_LIMITS_MAX];
    unsigned count;
    bool learnt;           /* some of them were learnt */
    tide_wall_ms stale_at; /* what was learnt is looked up again */
    /* what it was made for */
    const struct plan_recipient *recipient; /* NULL: for nothing */
    int64_t recipient_id;                   /* another one may come to the same memory */
    struct plan_route route;
    bool is_reply;
};

#define PLAN_SHARED_MAX       256  /* subjects and applications that are forecast */
#define PLAN_DEMAND_KEY_BYTES 1200 /* of a row */

/* What is still to come for a subject, or for an application whatever account takes it. */
struct shared_demand {
    struct demand demand;
    const struct zone *zone; /* of its days; NULL: UTC, or not known yet */
};

struct planner_shared {
    struct strmap demands;       /* by key; PLAN_SHARED_MAX at most */
    bool unsaved;                /* some of them may be */
    struct shared_demand **apps; /* by the configuration's index; NULL: no memory for it */
    size_t app_count;
    float *weights; /* [application][account]: what of it goes there */
    tide_wall_ms weighed_at;
    char row[PLAN_DEMAND_KEY_BYTES];
};

/* Of all limits on a way that many share. */
struct shared_price {
    double squares;            /* of the inverse ratios, summed; 0: none is scarce */
    tide_wall_ms kept_until;   /* what is left of one is kept for urgent mail; 0: of none */
    bool is_full;              /* of an account's: nothing is left */
    const struct meter *meter; /* the scarcest; NULL: none */
    double ratio, expected;    /* of it */
    int64_t used;
    tide_wall_ms until; /* it is refilled */
};

struct planner {
    const struct config *config;
    struct plan_zones zones;
    struct rules *rules;
    const struct policy *policy;
    uint32_t plain_day; /* what the forecast's rows call days of UTC by */
    struct subjects subjects;
    uint32_t linked; /* of their names: the first so many know their provider's limits */
    struct learn learn;
    struct planner_shared shared;
    struct applied_set ready; /* of the last query: a charge follows upon its decision */
    struct planner_names {    /* interned, by the configuration's indices */
        uint32_t *accounts, *pools, *streams;
    } names;
};

/* All limits that apply, into p->ready, unless the last query was about the same. False: out of
 * memory. */
bool planner_find_all(struct planner *p, const struct plan_query *q);

/* The query as limits are counted and what is learnt is looked up by; its provider is whoever
 * answers at the MX. */
void planner_route(const struct planner *p, const struct plan_query *q, struct learn_route *ret);

/* Adds the numbers that apply to the query; false: out of memory. */
bool planner_apply_learnt(struct planner *p,
                          const struct plan_query *q,
                          const struct learn_route *r,
                          struct applied_set *set);
/* Numbers whose window has turned are probed. */
void planner_roll_learnt(struct planner *p, const struct plan_query *q);
/* An ESP's own number stands in place of this one of the account's profile. */
bool planner_is_overruled(const struct planner *p,
                          const struct learn_route *r,
                          const struct meter *m,
                          tide_wall_ms now);
/* Prunes, settles, and makes room for one charge in every ledger. False: out of memory. */
bool planner_make_ready(struct planner *p, const struct plan_query *q);
/* What a policy is told about the query and this limit of the recipient's own. */
void planner_view_of(const struct planner *p,
                     const struct plan_query *q,
                     const struct applied *a,
                     struct policy_view *ret);
/* Of one without a daily limit, who is learnt of by days of UTC: accounts and providers want to
 * know too. */
void planner_plain_view(const struct planner *p,
                        const struct plan_query *q,
                        struct policy_view *ret);
/* The day that the forecast of the query at hand learns by. */
void planner_learning_day(const struct planner *p, tide_wall_ms now, struct policy_day *ret);
/* By which recipients without a daily limit are learnt of: days of UTC. */
const struct window *planner_plain_day(void);
/* What of it is still to be kept. */
int64_t planner_reserve_left(const struct planner *p,
                             const struct plan_query *q,
                             const struct applied *a);
/* So many at once from an empty window. */
int64_t planner_full_of(const struct meter *m);
int64_t planner_reserve_of(const struct planner *p, const struct limit *l);

/* -- planner_demand.c: of p->ready, which is the query's -----------------------------------------
 */

/* A limit whose price can be told: an hour's or more, with a count. */
bool planner_is_foreseeable(const struct limit *l);
/* After a new configuration; false: out of memory. */
bool planner_configure_shared(struct planner *p);
void planner_free_shared(struct planner_shared *s);
/* `n` have come; 0: an urgent one leaves. */
void planner_count_shared(struct planner *p, const struct plan_query *q, unsigned n);
/* NULL: what is to come for the application's accounts is what came through them. */
struct shared_demand *planner_demand_of_app(const struct planner *p, const struct plan_query *q);
/* Of the i-th limit's subject; NULL where it is the application's, or where nothing is foreseen. */
struct shared_demand *planner_demand_at(struct planner *p, const struct plan_query *q, unsigned i);
bool planner_next_demand(struct planner *p, struct text *ret_key, struct buf *ret_blob);
bool planner_is_demand_row(struct text key);
TIDE_MUST_CHECK enum tide_err planner_restore_demand(struct planner *p,
                                                     struct text key,
                                                     struct text blob,
                                                     struct tide_error *err);

/* -- planner_price.c: of p->ready, which is the query's ------------------------------------------
 */

void planner_price(struct planner *p, const struct plan_query *q, struct shared_price *ret);
/* Of one limit, whose counter is `t`, of a subject or (not -1) of this account as a whole. */
void planner_price_of(struct planner *p,
                      struct subject *s,
                      int account,
                      const struct tally *t,
                      tide_wall_ms now,
                      struct shared_price *ret);

#endif
