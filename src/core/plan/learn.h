/* learn.h - limits that nobody publishes, learnt from the replies that name them; and what such a
 * reply has closed for now.
 *
 *   refused for a limit, k taken in its window --> closed until it opens, number := k (cut fast)
 *   the number is used up, it may have grown,
 *   and what waits is worth a refusal          --> one more is tried (probed slowly)
 *
 * A key is whatever a reply was about: a mailbox, a pair, a provider from these IPs, an account ...
 * It has a closure (nothing more goes until then) and at most one number for each window. The
 * planner counts for a number as for any other limit, so what is learnt can only narrow what
 * profile and configuration allow.
 *
 * Closing. Providers with tiers (QQ: minute, hour, rest of the day) answer the same for each. So a
 * key wider than a mailbox is closed for ten minutes first, for an hour when it is named again, and
 * only then until the window that the reply speaks of opens. What opened it tells which tier it
 * was, and that window learns the number: mail taken after ten minutes means a limit by the
 * minutes.
 *
 * Numbers. Of each a belief is kept (belief.h), fed by every mail that was taken and every refusal;
 * the number is what is taken more likely than not. Where it is not known how many were taken
 * before a refusal, or none was, it is cut by a factor. When it is used up, one more is tried if
 *
 *   minutes that it would wait  x  chance that it is taken  >  10 minutes  x  chance of a refusal
 *
 * of at most 100 minutes, so that a limit that stays where it is costs a refusal in some seven
 * windows, later in some twenty. Ambiguous replies weigh little, and set no number by themselves.
 *
 * In common. What mailboxes of a provider say of their own limits is also believed of all of it,
 * each of them being doubted: two that agree set a number for those that have none of their own.
 * One that differs keeps its own, until the others' has moved after it: the newer holds.
 *
 * Owns      its keys and their numbers, and what was taken lately (LEARN_HISTORY entries).
 * Lifetime  learn_init() to learn_fini(). Pointers to numbers hold until learn_forget() or a prune
 *           inside learn_refused().
 * Threads   loop thread only. Reads no clock.
 * Errors    out of memory, or over LEARN_KEYS_MAX: learn_refused() says so; the mail at hand is
 *           held all the same, others find out for themselves.
 */
#ifndef CORE_PLAN_LEARN_H
#define CORE_PLAN_LEARN_H

#include "core/plan/belief.h"
#include "core/plan/ledger.h"
#include "core/plan/subject.h"

#define LEARN_KEYS_MAX   20000
#define LEARN_LIMITS_MAX 6 /* windows of one key */
#define LEARN_REPLIES    3 /* the newest that taught a number */
#define LEARN_HISTORY    16384
#define LEARN_NO_NUMBER  1000000000         /* watched, but not known yet */
#define LEARN_FORGET_MS  (90 * TIME_DAY_MS) /* a number that nobody has pressed against since */
#define LEARN_TOLD_MS    (7 * TIME_DAY_MS)  /* so long what an ESP has said holds */

struct plan_zones;

/* Whom one mail is for and how it goes, as numbers that mean the same while the planner lives. */
struct learn_route {
    int64_t recipient_id;
    uint32_t provider; /* who answers at the MX */
    uint32_t domain, sender_domain, sender;
    uint32_t account, pool, stream; /* interned names; pool: of sending IPs */
};

struct learn_reply {
    tide_wall_ms at;
    int64_t taken; /* in the window before it; -1: not known */
    bool ambiguous;
    char account[48], rule[64], words[160];
};

struct learn_limit {
    struct limit limit; /* count: what is kept to; LEARN_NO_NUMBER: nothing yet */
    struct meter meter;
    struct learn_limit *next;
    struct belief belief;    /* what the count is taken from; step 0: nothing is believed yet */
    tide_wall_ms changed_at; /* the belief's mark has moved */
    int64_t peak;            /* most used in the present window */
    int64_t taken;           /* of these, known to have been taken: in the window that starts ... */
    tide_wall_ms taken_window; /* ... here; calendar and clock windows only */
    tide_wall_ms window_start, made_at, taught_at, pressed_at;
    uint32_t taught;                           /* replies in all */
    uint32_t confirmed;                        /* windows used up since the last reply */
    uint8_t points;                            /* 2 a reply, 1 an ambiguous one; 2 set a number */
    bool pinned;                               /* an operator's: it stays */
    struct learn_reply replies[LEARN_REPLIES]; /* newest first */
};

struct learn_key {
    int64_t key;
    enum limit_scope scope;
    uint32_t a, b;
    int64_t recipient_id; /* 0 for a recipient's scope: every mailbox at the provider b */
    char *row;            /* of the store: "learn|ip-provider|outbox|qq" */
    /* the closure */
    tide_wall_ms until, named_at;
    uint32_t times; /* named so often in a row */
    char reason[256];
    /* of the naming, until it is known which tier it was */
    bool undecided;
    int64_t taken_minute, taken_ten, taken_hour; /* -1: not known */
    struct learn_reply lesson;
    struct learn_limit *limits;
    struct list dirty;
};

struct learn_taken;

struct learn {
    struct subjects *subjects;
    const struct plan_zones *zone_source;
    struct strmap zones;
    struct idmap by_key, meters; /* meters: meter.id -> struct learn_limit */
    struct list dirty;
    struct learn_taken *taken; /* ring: the last mails that were accepted */
    uint32_t taken_count, taken_cap, taken_next;
    tide_wall_ms taken_since; /* all since then are in it; 0: none yet */
    uint32_t undecided, numbers, told;
    tide_wall_ms pruned_at;
    char **gone; /* rows to be deleted */
    uint32_t gone_count;
};

void learn_init(struct learn *l, struct subjects *subjects, const struct plan_zones *zones);
void learn_fini(struct learn *l);

/* The names that a scope counts by on this route. */
void learn_parts(enum limit_scope scope,
                 const struct learn_route *r,
                 uint32_t *ret_a,
                 uint32_t *ret_b);

/* A route on which the key of this scope is: of these names, in the order of learn_parts(). */
void learn_route_of(struct learn *l,
                    enum limit_scope scope,
                    int64_t recipient_id,
                    struct text a_name,
                    struct text b_name,
                    struct learn_route *ret);

/* NULL: nothing was learnt of it. */
struct learn_key *learn_find(const struct learn *l,
                             enum limit_scope scope,
                             const struct learn_route *r);

/* What the mailboxes of a provider have in common, told by several of them; NULL: nothing yet. */
struct learn_key *learn_pool(const struct learn *l, uint32_t provider);
struct learn_key *learn_pool_get(struct learn *l, uint32_t provider);
/* A mailbox without a number of its own has had its n-th of a window. */
void learn_pool_taken(
    struct learn *l, struct learn_key *pool, struct learn_limit *x, int64_t n, tide_wall_ms now);
/* Of a mailbox's own number (NULL: it has none) and its provider's the newer holds. */
static inline bool learn_is_newer(const struct learn_limit *own, const struct learn_limit *pool)
{
    return own && (own->pinned || own->limit.source != SOURCE_LEARNED ||
                   (!pool->pinned && own->limit.count != LEARN_NO_NUMBER &&
                    own->changed_at >= pool->changed_at));
}
static inline bool learn_is_pool(const struct learn_key *k)
{
    return k->scope == LIMIT_RECIPIENT && !k->recipient_id;
}
/* Its number is taken from what is believed, not from what somebody has said. */
bool learn_is_believed(const struct learn_limit *x);
struct learn_limit *learn_limit_of(const struct learn_key *k, uint32_t window);

/* Every mail that is taken from now on will be told: to be called before the first is sent. */
void learn_watch(struct learn *l, tide_wall_ms now);

/* A mail was taken. `started_at`: when its attempt was charged. */
void learn_accepted(struct learn *l,
                    const struct learn_route *r,
                    tide_wall_ms started_at,
                    tide_wall_ms now);

/* A reply names a limit. */
struct learn_lesson {
    enum limit_scope scope;
    const struct window *window;
    tide_wall_ms opens_at; /* when that window opens anew */
    tide_wall_ms as_of; /* told later: when that mail was taken by the account; 0: just refused */
    int64_t used;       /* taken in it before, as a ledger has it; -1: none counts it */
    bool ambiguous;
    struct text cause, words, rule, account;
};
/* *ret_until is set in any case. False: nothing could be kept of it. */
bool learn_refused(struct learn *l,
                   const struct learn_route *r,
                   const struct learn_lesson *lesson,
                   tide_wall_ms now,
                   tide_wall_ms *ret_until);

/* Of the closures that hold this mail the one that opens last; NULL: none. */
const struct learn_key *learn_closed(const struct learn *l,
                                     const struct learn_route *r,
                                     tide_wall_ms now);

/* To be called for a number whose window may have turned since. `bound`: what profile and
 * configuration allow in such a window (INT64_MAX: no bound), `reserve`: of it kept for urgent
 * mail. */
void learn_roll(struct learn *l,
                struct learn_key *k,
                struct learn_limit *x,
                int64_t bound,
                int64_t reserve,
                tide_wall_ms now);

/* `used` of it are used up: to try one more is worth the chance of a refusal, when holding it costs
 * so many minutes of delay. */
bool learn_dares(const struct learn_key *k,
                 const struct learn_limit *x,
                 int64_t used,
                 double minutes);

/* -- By hand, and told by the other side ------------------------------------------------------- */

/* The key of the route, made if need be; NULL: out of memory, or the scope counts something that
 * the route has not. */
struct learn_key *learn_key_get(struct learn *l,
                                enum limit_scope scope,
                                const struct learn_route *r);
/* A number for that window, made without one if need be; NULL: out of memory. */
struct learn_limit *learn_limit_get(struct learn *l,
                                    struct learn_key *k,
                                    const struct window *window,
                                    tide_wall_ms now);
void learn_pin(struct learn *l, struct learn_key *k, struct learn_limit *x, int64_t count);
/* An ESP has said what the number is. */
void learn_told(struct learn *l,
                struct learn_key *k,
                struct learn_limit *x,
                int64_t count,
                struct text words,
                tide_wall_ms now);
/* The ESP has not said it for long: it holds no more. */
static inline bool learn_is_stale(const struct learn_limit *x, tide_wall_ms now)
{
    return x->limit.source == SOURCE_PUBLISHED && now - x->taught_at > LEARN_TOLD_MS;
}

/* The key with its closure and all its numbers. */
void learn_forget(struct learn *l, struct learn_key *k);

/* How sure the number is: by how many replies taught it and how many full windows bore it out. */
enum limit_confidence learn_confidence(const struct learn_limit *x);

/* -- Rows for the store ------------------------------------------------------------------------ */

void learn_mark(struct learn *l, struct learn_key *k);
/* An empty blob: the row goes. */
bool learn_next_dirty(struct learn *l, struct text *ret_row, struct buf *ret_blob);
TIDE_MUST_CHECK enum tide_err learn_restore(struct learn *l,
                                            struct text row,
                                            struct text blob,
                                            struct tide_error *err);

#endif
