/* gate.h - the whole pipeline in one pure step: an event comes in, what to do goes out.
 *
 * Daemon, simulator and fuzzers drive the same step. The gate keeps in memory only what is pending
 * or in flight, by group and recipient; the mails themselves stay in the store. It decides; the
 * owner carries out: asks DNS, writes changes, claims, sends, wakes it again at `wake_at`.
 *
 *   accepted --> domain verified? --> planner: now --> CLAIM --> claimed --> SEND --> outcome
 *                  |  `- VERIFY           `- hold until T (queue, timer)       `-> sent, bounced,
 *                  `- undeliverable: DROP                                          held again
 *
 * Owns      all state inside; event data is borrowed for the call; what a step tells to do lives in
 *           the todo's arena, which the caller owns.
 * Lifetime  gate_new() to gate_free(); gate_todo_init() to gate_todo_fini().
 * Threads   loop thread only. Reads no clock: every event carries `now`.
 * Errors    out of memory: todo.failed says so; the store still has everything and a restart or
 *           the next event of the group takes it up again.
 * Limits    a timer step handles GATE_STEP_MAX groups at most, then asks to be called again.
 */
#ifndef CORE_GATE_GATE_H
#define CORE_GATE_GATE_H

#include "base/arena.h"
#include "core/config/config.h"
#include "core/gate/alarm.h"
#include "core/outcome/outcome.h"
#include "core/outcome/rules.h"
#include "core/plan/planner.h"
#include "core/record/change.h"

#define GATE_STEP_MAX 512

struct gate;

/* `planner` and `config` are borrowed and outlive the gate (until the next GATE_CONFIG). */
struct gate *gate_new(struct planner *planner,
                      const struct config *config,
                      tide_id last_id,
                      uint64_t seed);
void gate_free(struct gate *g);

/* How replies are read; borrowed until the next call. NULL: by their codes alone. */
void gate_set_rules(struct gate *g, const struct rulebook *rules);

/* A row that the last run wrote as CHANGE_LEDGER. */
TIDE_MUST_CHECK enum tide_err gate_restore(struct gate *g,
                                           struct text subject,
                                           struct text blob,
                                           struct tide_error *err);

/* The next id of a notification: intake numbers them before they are stored. */
tide_id gate_next_id(struct gate *g, tide_wall_ms now);

enum gate_event_type {
    GATE_ACCEPTED, /* a notification is durable */
    GATE_LOADED,   /* a group that was pending when mailtide stopped */
    GATE_FLYING,   /* an attempt that had no end when mailtide stopped */
    GATE_VERDICT,  /* what verification found out of a domain */
    GATE_CLAIMED,  /* a claim is durable, or failed */
    GATE_OUTCOME,  /* a way out has finished with an attempt */
    GATE_PENDING,  /* a group's counts as the store has them now */
    GATE_RELEASE,  /* an operator wants this group's next mail, or this notification, now */
    GATE_NEWS,     /* somebody tells what became of a mail that has left */
    GATE_ORDER,    /* somebody suppresses an address, or lifts it */
    GATE_TIMER,
    GATE_CONFIG,
    GATE_SENDER, /* a sender no longer passes at an account, or passes again */
    GATE_ALARM,  /* somebody watching the world raises an alarm, or says that it is over */
    GATE_GUARD,  /* an operator opens a guard */
    GATE_LIMIT,  /* an operator pins or forgets what was learnt, or an ESP says what it allows */
};

/* What of a group the gate cannot know by itself. */
struct gate_origin {
    struct text application, stream; /* names; stream of the notification or the most urgent one */
    struct text identity;            /* From address, normal form */
};

enum gate_order_what {
    ORDER_SUPPRESS, /* `entry` as it stands, but for at and times */
    ORDER_LIFT,     /* what stops `entry`'s address; with one_scope that of its scope alone */
    ORDER_CONFIRM,  /* its owner has proven to be there: all of it, complaints too */
};

struct gate_order {
    enum gate_order_what what;
    bool one_scope;
    const struct suppression *entry; /* `by` says who orders */
    struct text application;         /* whose accounts' lists are to be mended; "": all */
    const struct news_found *found;  /* recipient and past */
};

struct gate_event {
    enum gate_event_type type;
    tide_wall_ms now;
    union {
        struct {
            const struct group_pending *pending;
            const struct recipient_state *recipient;
            struct gate_origin origin;
            struct text also[2]; /* loaded: streams of its other classes; "": none */
            bool superseding;    /* in the place of an older one: nothing more is to come */
            tide_wall_ms accepted_at, not_before;
            int weight;          /* how much its waiting counts; 0: not known, as 1 */
            tide_wall_ms due_at; /* loaded: what its hold said; 0: nothing yet */
        } accepted;              /* loaded alike, with id 0 */
        struct {
            const struct attempt *attempt;
            enum { FLYING_CANNOT_TELL, FLYING_ARRIVED, FLYING_NOT_ARRIVED } known;
        } flying;
        struct {
            struct text domain;
            const struct verdict *verdict;
        } verdict;
        struct {
            tide_id attempt_id;
            bool failed;            /* the store could not: nothing was written */
            size_t count;           /* claimed; 0: nothing was left */
            tide_wall_ms newest_at; /* acceptance of the newest of them */
            const struct group_pending *left;
        } claimed;
        struct {
            tide_id attempt_id;
            const struct account_outcome *outcome;
        } outcome;
        const struct group_pending *pending;
        struct {
            int64_t group_id, recipient_id;
            tide_id only; /* 0: the whole digest */
            struct text by;
        } release;
        struct {
            const struct mail_news *news;
            const struct news_found *found; /* what the store knows about it */
        } news;
        struct gate_order order;
        const struct config *config;
        struct {
            struct text domain, account;
            struct text reason; /* why its bulk streams are held there; "": they are not */
            bool restored;      /* an earlier run was told already */
        } sender;
        struct {
            struct text key;
            bool over;
            enum alarm_severity severity;
            struct text sentence, advice; /* over: why it is, or "" */
        } alarm;
        struct {
            struct text name, by;
        } guard;
        struct {
            enum gate_limit_word { LIMIT_PIN, LIMIT_FORGET, LIMIT_TOLD } word;
            enum limit_scope scope; /* pin, forget */
            int64_t recipient_id;   /* of recipient and pair */
            struct text a, b;       /* names of its parts: learn_route_of(); told: the account */
            const struct window *window;
            int64_t count;
            int64_t used;         /* told: of it; -1: not said */
            struct text by, said; /* who asks; told: the words */
        } limit;
    };
};

enum gate_action_type {
    GATE_DO_VERIFY, /* find out about a domain: GATE_VERDICT */
    GATE_DO_CLAIM,  /* store_claim with these changes: GATE_CLAIMED, then send: GATE_OUTCOME */
    GATE_DO_DROP,   /* store_drop: GATE_PENDING for each group that changed */
    GATE_DO_RECALL, /* what is known of the attempt of `news`: GATE_NEWS, in any case */
    GATE_DO_LOAD,   /* store_load of one group: GATE_LOADED */
};

struct gate_action {
    enum gate_action_type type;
    union {
        struct text domain;
        int64_t group_id;             /* load */
        const struct mail_news *news; /* recall */
        struct {
            struct attempt attempt;
            int account; /* index into the configuration */
            tide_id only;
            bool by_hand, digest;
            struct text without_streams; /* as store_claim wants them */
            size_t most;
            struct change *changes;
            size_t change_count;
        } claim;
        struct {
            int64_t group_id;
            tide_wall_ms late_at;
            enum notification_state then;
            struct text reason, detail;
            struct text without_streams; /* as store_drop wants them */
        } drop;
    };
};

/* What became of the notification or the group that the event was about. */
struct gate_decision {
    enum notification_state state;
    struct text reason; /* in the todo's arena */
    tide_wall_ms due_at;
};

struct gate_todo {
    struct arena arena;
    struct gate_action *actions; /* in order */
    size_t count, cap;
    struct change *changes; /* one unit for the store; GATE_PENDING for each group it returns */
    size_t change_count, change_cap;
    struct gate_decision
        decision;         /* GATE_ACCEPTED, GATE_RELEASE; GATE_LIMIT, GATE_GUARD: its reason */
    tide_wall_ms wake_at; /* GATE_TIMER then; TIDE_NEVER: no need */
    bool failed;          /* out of memory: something of the above is missing */
};

void gate_todo_init(struct gate_todo *todo);
void gate_todo_fini(struct gate_todo *todo);

/* `todo` is empty or fini'd and init'ed before each step. */
void gate_step(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);

/* -- For status ----------------------------------------------------------------------------------
 */

struct gate_account_state {
    bool up;
    tide_wall_ms backoff_until; /* 0: none */
    struct text reason;
    int flying;
    int64_t accepted, deferred, refused, unknown;
};

struct gate_counts {
    int64_t groups, recipients, verifying, waiting, flying, unknown;
    int64_t accepted, released, digests, refused, bounced; /* since start */
};

struct guards;
const struct guards *gate_guards(const struct gate *g);

/* Those that are active, most severe first; until the next step. */
const struct alarms *gate_alarms(const struct gate *g);

/* What the planner keeps of a recipient with something pending or in flight; else NULL. Until the
 * next step. */
struct plan_recipient *gate_plan_of(const struct gate *g, int64_t recipient_id);

void gate_count(const struct gate *g, struct gate_counts *ret);
void gate_account(const struct gate *g,
                  int account,
                  tide_wall_ms now,
                  struct gate_account_state *ret);

#endif
