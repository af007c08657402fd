/* planner.h - says of a release: now, as a digest at T, or not before T because of limit L.
 *
 * Takes every limit that applies (recipient, pair, domain, provider, account, their crosses) and
 * the policy's wish, and answers with a time and a reason. All limits or none: planner_charge() is
 * only called right after an answer of PLAN_NOW and charges every one of them. Ledgers of wider
 * subjects live in the planner; a recipient's own ledger lives in struct plan_recipient, beside
 * whatever keeps the recipient.
 *
 * Owns      struct planner: limits, wider ledgers. struct plan_recipient is the caller's.
 * Lifetime  planner_new() to planner_free(). planner_configure() anew keeps every ledger.
 * Threads   loop thread only. Reads no clock, does no I/O: `now` is the caller's.
 * Errors    TIDE_ENOMEM; TIDE_ECORRUPT for a blob that is none (the caller starts afresh, and says
 *           so). planner_decide() out of memory holds for a second, with no limit named.
 * Limits    PLAN_LIMITS_MAX limits for one release. planner_decide() and planner_charge() do not
 *           allocate for a recipient whose ledger has room; both are O(limits that apply).
 */
#ifndef CORE_PLAN_PLANNER_H
#define CORE_PLAN_PLANNER_H

#include "base/buf.h"
#include "base/heap.h"
#include "core/config/config.h"
#include "core/plan/learn.h"
#include "core/plan/policy.h"
#include "core/record/notification.h"

struct planner;

#define PLAN_LIMITS_MAX 64 /* of provider, gateway and account together */

/* Where zones come from: zones_load() of io/loop/zones.h in the daemon. */
struct plan_zones {
    void *arg;
    /* An IANA zone; TIDE_ENOENT where the system has none of that name. */
    enum tide_err (*load)(void *arg, const char *name, struct zone **ret, struct tide_error *err);
};

TIDE_MUST_CHECK enum tide_err planner_new(const struct config *config,
                                          const struct plan_zones *zones,
                                          struct planner **ret,
                                          struct tide_error *err);
/* Takes a new configuration (borrowed until the next); on failure the old one stays in force. */
TIDE_MUST_CHECK enum tide_err planner_configure(struct planner *p,
                                                const struct config *config,
                                                struct tide_error *err);
void planner_free(struct planner *p);
/* Another policy than policy_even(), borrowed. To be set before rows are restored. */
void planner_set_policy(struct planner *p, const struct policy *policy);

/* -- A recipient ------------------------------------------------------------------------------- */

/* A recipient's own ledger and what the policy remembers of it. May be moved by assignment. */
struct plan_recipient {
    struct ledger ledger; /* recipient and pair limits; inline until there are more */
    uint32_t policy_word; /* the policy's */
    struct forecast forecast;
    bool sent_before; /* mail went there, and none that bounced since */
};

void plan_recipient_init(struct plan_recipient *r);
void plan_recipient_fini(struct plan_recipient *r);
TIDE_MUST_CHECK enum tide_err plan_recipient_decode(struct text blob,
                                                    struct plan_recipient *ret,
                                                    struct tide_error *err);
void plan_recipient_encode(const struct plan_recipient *r, struct buf *ret);
/* A stored recipient's blob ("" when there is none) with what history says of him (FORECAST_BYTES):
 * taken when he was seen for longer there, today's count kept. False: the stored one stays. Fits
 * struct change. */
bool plan_recipient_learn(struct text stored, struct text learnt, struct buf *ret);

/* Nothing in a stored recipient's blob bears on what is planned for him any more: no use counts,
 * and the forecast has not seen him for PLAN_FORGET_MS. One that cannot be read is kept. */
#define PLAN_FORGET_MS (90 * TIME_DAY_MS)
bool plan_recipient_is_spent(struct text stored, tide_wall_ms now);

/* -- A release --------------------------------------------------------------------------------- */

/* Whose limits apply. Names are interned once by the planner: small numbers that stay the same as
 * long as it lives. */
struct plan_route {
    uint32_t provider; /* planner_intern_provider(); 0: none known */
    uint32_t gateway;  /* the filter in front, whose limits apply too; 0: none */
    uint32_t domain;   /* recipient domain */
    uint32_t sender_domain;
    uint32_t sender;          /* envelope sender address, for pair limits */
    uint16_t account, stream; /* indices into the configuration */
};

/* 0 for an empty name, and when out of memory. */
uint32_t planner_intern_provider(struct planner *p, struct text name);
/* False: no profile has this name, so that no limits are known of it. */
bool planner_knows_provider(const struct planner *p, uint32_t number);
uint32_t planner_intern(struct planner *p, struct text name); /* domains, sender addresses */
/* A sender's address, and its domain with it. */
uint32_t planner_intern_sender(struct planner *p, struct text address);
uint32_t planner_sender_domain(const struct planner *p, uint32_t sender); /* 0: it has none */
/* Names are forgotten, and ledgers in which nothing counts, when there are many: whoever holds
 * numbers keeps them first. A forgotten name gets another number when it comes again. */
bool planner_is_crowded(const struct planner *p);
void planner_keep(struct planner *p, uint32_t name);
void planner_sweep(struct planner *p, tide_wall_ms now);
struct text planner_name(const struct planner *p, uint32_t number); /* "": 0 */

struct plan_query {
    tide_wall_ms now;
    struct plan_recipient *recipient;
    int64_t recipient_id; /* for jitter: the same recipient gets the same place in a spread */
    struct plan_route route;
    /* Index + 1, whose accounts may all carry it; 0: route.account alone. */
    uint16_t application;
    const struct group_pending *pending;
    tide_wall_ms last_at; /* newest arrival in the group */
    uint32_t source;      /* who writes: the same number in every run; 0: nobody knows */
    double weight;        /* of what is pending, in mails of the mean weight; 0: all weigh alike */
    bool urgent;          /* may use the reserve */
    bool digest;          /* the release would take all digestible ones */
    bool is_reply;        /* answers the recipient: free where the limit says so */
    bool by_hand;         /* an operator's release: counted, but only hard limits hold it */
    /* The policy may not hold longer (hold_ms_max, deadline); 0: no bound. */
    tide_wall_ms hold_until_max;
};

enum plan_kind { PLAN_NOW, PLAN_DIGEST, PLAN_HOLD };

enum plan_why {
    PLAN_WHY_ROOM,    /* NOW: enough is free */
    PLAN_WHY_URGENT,  /* NOW: may use the reserve */
    PLAN_WHY_SPACED,  /* DIGEST: room runs short, spaced over the rest of the window; NOW: the turn
                       * of a spaced digest has come */
    PLAN_WHY_DEAR,    /* DIGEST: a limit that many share grows scarce, so that all digests grow */
    PLAN_WHY_LIMIT,   /* HOLD: the limit is used up */
    PLAN_WHY_RESERVE, /* HOLD: what is left is kept for urgent streams */
    PLAN_WHY_SPREAD,  /* HOLD: the window has just opened, releases are spread */
};

struct plan_answer {
    enum plan_kind kind;
    enum plan_why why;
    tide_wall_ms at;           /* earliest release; now for PLAN_NOW */
    const struct limit *limit; /* the binding one, for NOW the recipient's tightest; NULL: none.
                                * Until the next planner_configure() */
    int64_t used;              /* of it, in its window */
    tide_wall_ms reset_at;     /* when that window starts anew; 0: it has no such instant */
    double expected;           /* DEAR: what is to come until the reset */
    const char *how;           /* DIGEST: struct policy's */
    uint32_t subject;          /* of a wider binding limit: where to queue (plan/queue.h); 0: own */
};

/* A recipient's day will have more than its limit takes, if each left alone. */
struct plan_warning {
    const struct limit *limit;
    int64_t used, pending;  /* of it; what waits already */
    double mean, low, high; /* of what is still to come: nine of ten lie within */
    double chance;          /* that it is too many */
    tide_wall_ms over_at;   /* when, if so: as likely before as after */
    tide_wall_ms reset_at;
};

/* `n` notifications that may be put into a digest have come at q->now: the forecast learns of it.
 * To be called once for each, before the decision about it. True: *ret_warning (may be NULL) is
 * news, once a day and recipient. */
bool planner_arrived(struct planner *p,
                     const struct plan_query *q,
                     unsigned n,
                     struct plan_warning *ret_warning);

/* What is to come for a recipient, in his own day (that of his daily limit, else UTC). False: the
 * policy foresees nothing. */
bool planner_foresee(struct planner *p, const struct plan_query *q, struct foreseen *ret);

/* His own daily limit of the least count, with what is used of it; NULL: he has none. */
const struct limit *planner_daily(struct planner *p,
                                  const struct plan_query *q,
                                  int64_t *ret_used,
                                  struct window_span *ret_window);

/* A limit that many share, as the one of its counters that is fullest has it. */
struct plan_wide {
    const struct limit *limit;
    struct text subject; /* "sendgrid", "shop.example > qq"; "" when nothing was counted yet */
    int64_t used;
    tide_wall_ms reset_at; /* 0: it has no such instant */
    /* Digests of all lengthen because of it: of so many mails that each notification would make
     * until `dear_until` only this share can leave, or (0) what is left is kept for urgent mail. 1:
     * no. */
    double share;
    tide_wall_ms dear_until;
    outlook_room *room; /* what it lets out until an instant; for the call alone */
    void *room_arg;
};

/* Every limit of an account that holds (what its ESP has told in place of its profile's), or
 * (account "") of a provider as a whole, whose window is an hour or longer. */
void planner_wide(struct planner *p,
                  struct text account,
                  struct text provider,
                  tide_wall_ms now,
                  void (*each)(void *arg, const struct plan_wide *w),
                  void *arg);

/* struct policy's; false: not this policy, or too many. */
bool planner_expect(
    struct planner *p, int64_t recipient_id, double value, tide_wall_ms now, tide_wall_ms until);

/* When none of the account's limits of an hour or more is used up any more; `now`: none is. */
tide_wall_ms planner_account_opens_at(struct planner *p, int account, tide_wall_ms now);

void planner_decide(struct planner *p, const struct plan_query *q, struct plan_answer *ret);

/* Charges all limits of the route for one attempt. Changed blobs wait in planner_next_dirty(). */
void planner_charge(struct planner *p, const struct plan_query *q);

/* The attempt never was one (nothing left the house), or was not accepted and the limit counts only
 * what was: gives back what may be given back. `started_at` is the time of the charge. */
enum plan_refund { REFUND_NOT_TRIED, REFUND_NOT_ACCEPTED };
void planner_refund(struct planner *p,
                    const struct plan_query *q,
                    tide_wall_ms started_at,
                    enum plan_refund what);

/* Wider ledgers, and what the policy has learnt, as rows for the store: the next one that changed
 * since it was last asked for, or false. Texts hold until the next call. */
bool planner_next_dirty(struct planner *p, struct text *ret_subject, struct buf *ret_blob);
TIDE_MUST_CHECK enum tide_err planner_restore(struct planner *p,
                                              struct text subject,
                                              struct text blob,
                                              struct tide_error *err);

/* Every kind of day that recipients' own limits count in, the plain one of UTC last; `id` is what
 * the forecast's rows are named by. Zones are borrowed for the call. */
void planner_days(struct planner *p,
                  void (*each)(void *arg, uint32_t id, struct window_rule *rule),
                  void *arg);

/* When the window that a reply has named opens anew, the margin included; for windows without a
 * place in the calendar a whole length from now. A zone that is not there counts as UTC. */
tide_wall_ms planner_opens_at(struct planner *p, const struct window *window, tide_wall_ms now);

/* -- Limits that replies name (learn.h) -------------------------------------------------------- */

/* The mail of this query was taken, or refused for a limit, or a limit is closed for it. To be told
 * after the refund of what a limit does not count. */
void planner_accepted(struct planner *p, const struct plan_query *q, tide_wall_ms started_at);

/* What the lesson's `used` says is found here. */
bool planner_refused(struct planner *p,
                     const struct plan_query *q,
                     struct learn_lesson *lesson,
                     tide_wall_ms *ret_until);

/* NULL: none is closed now. Until the next planner_refused(). */
const struct learn_key *planner_closed(struct planner *p, const struct plan_query *q);

/* A key by its names, as learn_route_of() wants them; `make` it if need be. NULL: there is none, or
 * out of memory. */
struct learn_key *planner_learnt_key(struct planner *p,
                                     enum limit_scope scope,
                                     int64_t recipient_id,
                                     struct text a,
                                     struct text b,
                                     bool make);
/* False: out of memory, or too many windows. */
bool planner_pin(struct planner *p,
                 struct learn_key *k,
                 const struct window *window,
                 int64_t count,
                 tide_wall_ms now);
void planner_forget(struct planner *p, struct learn_key *k);

/* An ESP has said what this account may send in such a window, and how much of it is used (-1: it
 * did not say; never takes back what was counted here). Where that is more than is known here, the
 * `flying` mails that are under way come on top. False: out of memory. */
bool planner_told(struct planner *p,
                  struct text account,
                  const struct window *window,
                  int64_t count,
                  int64_t used,
                  int flying,
                  struct text words,
                  tide_wall_ms now);

struct plan_learnt {
    const struct learn_key *key;
    const struct learn_limit *limit; /* NULL: of this key there is only a closure */
    struct text a, b;                /* names of the key's parts */
    int64_t used;                    /* of a recipient's own only with a query; else -1 */
};

/* All that was learnt, or (with a query) what concerns it. */
void planner_learnt(struct planner *p,
                    tide_wall_ms now,
                    const struct plan_query *only,
                    void (*each)(void *arg, const struct plan_learnt *x),
                    void *arg);

/* -- For people: every limit with what is used of it --------------------------------------------
 */

struct plan_usage {
    const struct limit *limit;
    struct text subject; /* "qq", "sendgrid", ...; "" for the recipient's own */
    int64_t used;
    tide_wall_ms reset_at;
};

/* Calls `each` for every wider subject in use, or with a query for all limits that apply to it. */
void planner_usage(struct planner *p,
                   tide_wall_ms now,
                   const struct plan_query *only,
                   void (*each)(void *arg, const struct plan_usage *u),
                   void *arg);

#endif
