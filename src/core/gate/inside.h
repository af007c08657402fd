/* inside.h - the gate's own tables, shared by its files; nobody else includes this.
 *
 * gate.c        life, events and which file takes each, alarms, what status asks
 * todo.c        what a step hands out: changes, actions, journal entries
 * configured.c  what the configuration names, and a new one
 * domains.c     recipient domains and their verdicts
 * groups.c      recipients and groups: how they come into memory, and go
 *
 * decide.c      what a group does next
 * conditions.c  what has to be so before its mail may leave, limits aside
 * accounts.c    which account takes a mail, and what outcomes say of accounts
 * hold.c        how a group waits, and how its mail is dropped
 * reasons.c     the planner's answers in words
 * foresee.c     arrivals, told to the forecast
 *
 * claim.c       from "now" to a durable claim
 * attempts.c    what the stages of an attempt share
 * outcome.c     what a way out said of an attempt, and how that ends it
 * unclear.c     words that the recipient's past has to explain
 * unknown.c     attempts of unknown fate
 *
 * news.c        what is told of an attempt later
 * judge.c       what follows from it for the recipient
 * stops.c       what of a recipient's mail is stopped
 * limits.c      limits that replies name, and what operators and ESPs say of limits
 * guards.c      bounce and complaint rates that ESPs watch
 * detail.c      what journal entries say to programs
 *
 * With headers of their own, for they know nothing of the gate: alarm, backoff, senders.
 */
#ifndef CORE_GATE_INSIDE_H
#define CORE_GATE_INSIDE_H

#include "base/macros.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/rng.h"
#include "core/gate/backoff.h"
#include "core/gate/gate.h"
#include "core/gate/senders.h"
#include "core/outcome/finding.h"
#include "core/plan/guard.h"
#include "core/plan/queue.h"
#include "core/verify/recipient.h"

/* Lines of the queue that are the gate's own, beside the planner's subjects. */
#define LINE_ACCOUNT 0x80000000u /* + account index: wait for a free place */
#define LINE_DOMAIN  0x40000000u /* + domain number: wait for its verdict */
#define LINE_SENDER  0x20000000u /* + sender number: bulk mail waits for it to pass again */

struct gate_domain {
    char *name;
    uint32_t number, interned;
    uint32_t provider, gateway; /* the planner's numbers */
    uint32_t refs;              /* recipients */
    enum verdict_kind kind;
    bool asking, hinted;
    uint8_t hints;            /* of enum recipient_hint, what the domain alone tells; when hinted */
    tide_wall_ms valid_until; /* 0: never asked */
    char *reason;
    char *provider_name;
};

/* A million recipients are held at a time, each with a group or two: 176 bytes
 * for the two, and bench/bench_gate tells when there are more. Both lie in pools and name each
 * other by handles; what few of them need lies beside, found by their ids. */
struct gate_recipient {
    int64_t id; /* first: struct idpool */
    struct gate_domain *domain;
    struct plan_recipient plan;
    uint32_t groups;  /* the first; nearly always one. 0: none, then it goes */
    uint8_t hints;    /* of enum recipient_hint */
    bool stopped : 1; /* something of its mail: struct gate.stops */
    bool pinned : 1;  /* does not go with its last group */
};

/* What most groups never need. */
struct gate_times {
    int64_t group_id;                        /* first: struct idpool */
    tide_wall_ms deadline_at;                /* the earliest of what is pending; 0: none */
    tide_wall_ms retry_at;                   /* a try was put off until then; 0: no */
    tide_wall_ms dropped_late;               /* deadline that was already dealt with */
    tide_wall_ms single_after, digest_after; /* not_before: none of the class may leave earlier */
    /* A claim found all of the class to be of streams that its domain's verdict keeps: so until
     * `kept_until`, while the verdict is the one that ends at `kept_by`. */
    tide_wall_ms kept_by, kept_until;
    bool urgent_kept, single_kept, digest_kept;
};

/* Instants in 48 bits, which reach to the year 10889. */
#define GATE_MS_NEVER ((UINT64_C(1) << 48) - 1)

struct gate_group {
    struct queue_entry entry;
    int64_t id;
    uint32_t urgent, single, digestible; /* pending, as in struct group_pending */
    uint32_t recipient;
    uint32_t next;             /* of the same recipient; 0: none */
    uint32_t sender;           /* interned */
    uint64_t oldest_at : 48;   /* of what is pending; 0: nothing is */
    uint64_t application : 16; /* name number */
    uint64_t last_at : 48;     /* newest arrival */
    uint64_t weight : 16;      /* of the digestible ones that are pending, summed */
    uint64_t told_due : 48;    /* what was last written of it, so that nothing is written twice */
    uint64_t told_why : 5;
    uint64_t arrived : 10; /* digestible ones that the forecast has not been told of */
    /* All that is pending of the class is known to be of its stream below. Not known is false. */
    uint64_t urgent_pure : 1;
    uint8_t stream_urgent, stream_single, stream_digest; /* name numbers of the latest */
    uint8_t tries;                                       /* put off in a row */
    uint8_t flying;    /* attempts on their way or of unknown fate */
    uint8_t unknown;   /* of these, of unknown fate: they do not hold up others */
    uint8_t returning; /* ended attempts whose mail the store is putting back on hold */
    bool claiming : 1;
    /* All that is pending of the class is known to be of bulk streams. Not known is false: then a
     * claim that passes over bulk streams finds out. */
    bool single_bulk : 1, digest_bulk : 1;
    bool single_pure : 1, digest_pure : 1; /* as urgent_pure */
    /* What the recipient's suppressions stop is being dropped, or is no longer there. */
    bool sifting : 1, sifted : 1;
    bool has_times : 1; /* else all 0: gate_times(), gate_times_to_set() */
};

struct gate_attempt {
    struct heap_node wait; /* unknown fate: until when news is awaited */
    tide_id id;
    struct gate_group *group;         /* NULL: of an earlier run of mailtide, group not loaded */
    struct gate_recipient *recipient; /* NULL alike */
    int64_t recipient_id, group_id;
    struct plan_route route;
    tide_wall_ms started_at;
    tide_wall_ms newest_at; /* acceptance of the newest notification in it */
    int account;            /* index; -1: no longer configured */
    bool urgent, digest, unknown;
    bool was_sent_before;            /* to its recipient: struct plan_recipient */
    bool arrived;                    /* news of it came: the account has it, whatever it answers */
    struct account_outcome *unclear; /* an answer that the recipient's past has to explain */
    bool without_bulk;    /* the claim passes over bulk streams: their sender is held there */
    tide_wall_ms kept_by; /* and over those that the verdict keeps that ends then; 0: it does not */
};

struct gate_account {
    struct backoff backoff;
    int flying, places;
    int64_t accepted, deferred, refused, unknown;
    tide_wall_ms quota_until;             /* its ESP said that nothing is left until then */
    int64_t quota_limit, quota_window_ms; /* of that window, as it said last */
};

/* Names as small numbers, which stay when the configuration changes. */
struct gate_names {
    struct strmap numbers;
    char **texts; /* [number] */
    uint16_t count, most;
};

struct gate {
    struct planner *planner;
    const struct config *config;
    struct recipient_index hints; /* of that configuration */
    struct queue queue;
    struct idpool recipients;  /* struct gate_recipient */
    struct pool groups;        /* struct gate_group */
    struct idpool group_times; /* struct gate_times */
    struct idmap stops;        /* recipient -> struct gate_stops; of those that are stopped */
    struct idmap attempts;
    struct strmap domains; /* name -> struct gate_domain */
    struct idmap domains_by_number;
    uint32_t last_domain;
    tide_wall_ms
        recognised_at; /* verdicts found before were found by other profiles; 0: none was */
    struct gate_names applications, streams;
    struct heap unknowns;
    struct alarms alarms;
    struct guards guards;
    tide_wall_ms guards_at; /* to be looked at again */
    struct gate_senders senders;
    const struct rulebook *rules; /* NULL: replies are read by their codes alone */
    struct gate_account *accounts;
    size_t account_count;
    struct id_source ids;
    struct rng rng;
    struct gate_counts counts;
    double mean_weight; /* of digestible ones as they come; 0: none came yet */
};

/* RFC 5321 4.5.4.1: give up after 4 to 5 days. */
#define GATE_GIVE_UP_MS (5 * TIME_DAY_MS)

/* -- gate.c ------------------------------------------------------------------------------------ */

/* Journalled when it is new or has become worse, and when it is over: may be called at will. */
void gate_raise_alarm(struct gate *g,
                      struct text key,
                      enum alarm_severity severity,
                      struct text sentence,
                      struct text advice,
                      tide_wall_ms now,
                      struct gate_todo *todo);
void gate_clear_alarm(struct gate *g,
                      struct text key,
                      struct text why, /* "" */
                      tide_wall_ms now,
                      struct gate_todo *todo);

/* -- todo.c ------------------------------------------------------------------------------------ */

struct change *gate_add_change(struct gate_todo *todo, enum change_type type);
struct gate_action *gate_add_action(struct gate_todo *todo, enum gate_action_type type);
void gate_journal(struct gate_todo *todo,
                  tide_wall_ms now,
                  const struct journal_entry *about,
                  const char *event,
                  struct text sentence);
struct text gate_printf(struct gate_todo *todo, const char *fmt, ...) TIDE_PRINTF(2, 3);
const char *gate_when(tide_wall_ms at, tide_wall_ms now, char *out, size_t size);

/* -- configured.c ------------------------------------------------------------------------------ */

void gate_names_init(struct gate_names *names, uint16_t most);
void gate_names_fini(struct gate_names *names);
/* Of an application or a stream; it outlives a configuration. 0 (and failed): no memory, or too
 * many. */
uint16_t gate_name_number(struct gate_names *names, struct text name, struct gate_todo *todo);
const struct config_application *gate_application(const struct gate *g, uint16_t name);
uint16_t gate_application_number(const struct gate *g, uint16_t name); /* struct plan_query's */
/* Who writes, for the forecast: application and sender domain, the same in every run. */
uint32_t gate_source(const struct gate *g, const struct gate_group *grp);
int gate_stream(const struct gate *g, uint16_t name); /* index; -1: no longer configured */
bool gate_configure_accounts(struct gate *g, const struct config *config);
/* Whoever waits looks again: what held it may have changed. */
void gate_ask_again(struct gate *g, struct gate_todo *todo);
void gate_on_config(struct gate *g,
                    const struct config *config,
                    tide_wall_ms now,
                    struct gate_todo *todo);

/* -- domains.c --------------------------------------------------------------------------------- */

/* Made where it is not there; NULL (and failed): no memory. */
struct gate_domain *gate_domain_named(struct gate *g, struct text name, struct gate_todo *todo);
void gate_leave_domain(struct gate *g, struct gate_domain *d); /* one recipient less */
void gate_free_domain(struct gate_domain *d);
/* What the store has of it; unless memory knows better. */
void gate_take_stored_verdict(struct gate *g, struct gate_domain *d, const struct verdict *v);
/* The planner has other profiles now. `anew`: they recognise other providers, or by other marks. */
void gate_recognise(struct gate *g, bool anew, tide_wall_ms now);
void gate_on_verdict(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);

/* -- groups.c ---------------------------------------------------------------------------------- */

static inline struct gate_recipient *gate_recipient_of(const struct gate *g,
                                                       const struct gate_group *grp)
{
    return idpool_at(&g->recipients, grp->recipient);
}

static inline struct gate_group *gate_first_group(const struct gate *g,
                                                  const struct gate_recipient *r)
{
    return pool_at(&g->groups, r->groups);
}

static inline struct gate_group *gate_next_group(const struct gate *g, const struct gate_group *grp)
{
    return pool_at(&g->groups, grp->next);
}

/* A group's time, as others know it, and back. */
static inline tide_wall_ms gate_wall_ms(uint64_t ms)
{
    return ms < GATE_MS_NEVER ? (tide_wall_ms)ms : TIDE_NEVER;
}

static inline uint64_t gate_ms(tide_wall_ms at)
{
    return at < 0 ? 0 : TIDE_MIN((uint64_t)at, GATE_MS_NEVER);
}

static inline bool gate_is_empty(const struct gate_group *grp)
{
    return grp->urgent == 0 && grp->single == 0 && grp->digestible == 0;
}

struct gate_group *gate_known_group(const struct gate *g,
                                    const struct gate_recipient *r,
                                    int64_t group_id);
const struct gate_times *gate_times(const struct gate *g, const struct gate_group *grp);
/* NULL (and failed): no memory. */
struct gate_times *gate_times_to_set(struct gate *g,
                                     struct gate_group *grp,
                                     struct gate_todo *todo);
void gate_forget_retry(struct gate *g, struct gate_group *grp);
/* What claims have found of streams that the verdict keeps no longer holds. */
void gate_forget_kept(struct gate *g, struct gate_group *grp);
void gate_forget_if_idle(struct gate *g, struct gate_group *grp);
/* Goes, unless it has a group or is pinned. */
void gate_leave_recipient(struct gate *g, struct gate_recipient *r);
void gate_on_accepted(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);
void gate_on_pending(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);

/* -- foresee.c --------------------------------------------------------------------------------- */

/* The group's counts are new: its weight with them. */
void gate_set_pending(struct gate *g,
                      struct gate_group *grp,
                      const struct group_pending *pending,
                      struct gate_todo *todo);
/* One more came, of the last count. */
void gate_add_weight(struct gate *g, struct gate_group *grp, int weight);
double gate_weight(const struct gate *g, const struct gate_group *grp);
/* of what came since the last decision, now that it is known whose limits apply */
void gate_tell_arrivals(struct gate *g,
                        struct gate_group *grp,
                        const struct plan_query *q,
                        struct gate_todo *todo);

/* -- decide.c ---------------------------------------------------------------------------------- */

void gate_decide(struct gate *g, struct gate_group *grp, tide_wall_ms now, struct gate_todo *todo);
void gate_release_now(struct gate *g,
                      struct gate_group *grp,
                      tide_id only,
                      struct text by,
                      tide_wall_ms now,
                      struct gate_todo *todo);

/* -- conditions.c ------------------------------------------------------------------------------ */

/* What is not urgent rests with the recipient's mailbox. True: nothing else is there to go. */
bool gate_rests(struct gate *g, struct gate_group *grp, tide_wall_ms now, struct gate_todo *todo);
/* Classes of a group's mail of which something may be there to go, as far as is known. */
struct gate_ready {
    bool urgent, single, digest;
};
/* False when the group has to wait for, or ended by, what DNS says of its domain: mail of streams
 * that do not want it so stays, and a group waits when nothing else is there. */
bool gate_domain_lets_go(struct gate *g,
                         struct gate_group *grp,
                         struct gate_ready *ret,
                         tide_wall_ms now,
                         struct gate_todo *todo);
/* What keeps a stream's mail (NULL: no longer configured) while the verdict is what it is. */
enum gate_keeps { KEEPS_NOT, KEEPS_UNKNOWN, KEEPS_RISKY, KEEPS_HINTS };
enum gate_keeps gate_verdict_keeps(const struct gate_recipient *r, const struct config_stream *s);
bool gate_class_is_bulk(const struct gate_group *grp, const struct gate_ready *ready);
/* False: nothing but bulk mail of a sender that does not pass is there to go. Behind bulk mail that
 * is held the other class has its turn: then the first is no longer ready. */
bool gate_sender_lets_go(struct gate *g,
                         struct gate_group *grp,
                         const struct gate_sender *sender,
                         struct gate_ready *ready,
                         tide_wall_ms now,
                         struct gate_todo *todo);

/* -- accounts.c -------------------------------------------------------------------------------- */

/* The first account of the application that may take a mail now and has room for it; -1 when the
 * group waits instead. `sender` is set for bulk mail of a sender that is held at some: these are
 * not for it. */
int gate_choose_account(struct gate *g,
                        struct gate_group *grp,
                        const struct gate_sender *sender,
                        tide_wall_ms now,
                        struct gate_todo *todo);
/* What an outcome says of the attempt's account. */
void gate_note_outcome(struct gate *g,
                       struct gate_attempt *a,
                       const struct finding *f,
                       int64_t wait_ms,
                       tide_wall_ms now);

/* -- hold.c ------------------------------------------------------------------------------------ */

/* Why a group waits; what was told once is not told again (gate_group.told_why). */
enum gate_told {
    TOLD_NOTHING,
    TOLD_UNKNOWN,
    TOLD_RISKY,
    TOLD_LATER,
    TOLD_ACCOUNTS,
    TOLD_CLOSED,
    TOLD_GUARD,
    TOLD_PAUSED,
    TOLD_SENDER,
    TOLD_PLAN,       /* + enum plan_why */
    TOLD_STORED = 31 /* by an earlier run: of a group that was loaded */
};
_Static_assert((int)TOLD_PLAN + (int)PLAN_WHY_SPREAD < (int)TOLD_STORED,
               "gate_group.told_why has five bits");

/* The stream of a class of the group's mail, index into the configuration; -1: no longer
 * configured. A group that was loaded after a restart knows the stream of its most urgent mail
 * alone. */
int gate_stream_of_class(const struct gate *g,
                         const struct gate_group *grp,
                         bool urgent,
                         bool digest);
int gate_stream_of_next(const struct gate *g, const struct gate_group *grp); /* to leave */
/* Writes a hold once for the group, and again only when its reason or time has changed. */
void gate_tell_hold(struct gate *g,
                    struct gate_group *grp,
                    int why,
                    tide_wall_ms due,
                    struct text reason,
                    struct text limit,
                    tide_wall_ms now,
                    struct gate_todo *todo);
void gate_wait_until(struct gate *g,
                     struct gate_group *grp,
                     tide_wall_ms at,
                     struct gate_todo *todo);
void gate_wait_in_line(struct gate *g,
                       struct gate_group *grp,
                       uint32_t subject,
                       tide_wall_ms wake_at,
                       struct gate_todo *todo);
/* All of it, or what has a deadline before `late_at` (0: all). */
void gate_drop(struct gate *g,
               struct gate_group *grp,
               enum notification_state then,
               tide_wall_ms late_at,
               struct text reason,
               struct text detail,
               tide_wall_ms now,
               struct gate_todo *todo);
/* What is of a stream that is not in `without` ("|urgent|"; "": of any) is refused. */
void gate_drop_stopped(struct gate *g,
                       struct gate_group *grp,
                       struct text without,
                       struct text reason,
                       tide_wall_ms now,
                       struct gate_todo *todo);

/* -- reasons.c --------------------------------------------------------------------------------- */

/* "6 of 10 used (qq/recipient-day: 10 per day in Asia/Shanghai)" */
struct text gate_usage_text(const struct plan_answer *a, struct gate_todo *todo);
struct text gate_why_now(const struct plan_answer *a,
                         bool digest,
                         uint32_t count,
                         struct gate_todo *todo);
struct text gate_why_not(const struct plan_answer *a, tide_wall_ms now, struct gate_todo *todo);

/* -- claim.c ----------------------------------------------------------------------------------- */

void gate_claim(struct gate *g,
                struct gate_group *grp,
                const struct plan_query *q,
                tide_id only,
                struct text why,
                struct gate_todo *todo);
void gate_on_claimed(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);

/* -- attempts.c -------------------------------------------------------------------------------- */

/* How an attempt ends, or that its answer was lost. */
struct gate_ending {
    enum attempt_state state;
    enum notification_state then; /* what its notifications become */
    tide_wall_ms due;
    const char *event;
    struct text sentence;
    const struct account_outcome *outcome; /* NULL: nobody said anything */
    const struct finding *finding;         /* NULL alike */
};

/* Into the store, with its journal. What goes back on hold comes back to its group with the store's
 * answer (GATE_PENDING). */
void gate_end_attempt(struct gate *g,
                      struct gate_attempt *a,
                      const struct gate_ending *e,
                      tide_wall_ms now,
                      struct gate_todo *todo);
/* What it was charged for is given back, as `what` says: it did not arrive. */
void gate_refund(struct gate *g,
                 struct gate_attempt *a,
                 enum plan_refund what,
                 tide_wall_ms now,
                 struct gate_todo *todo);
/* One way or another: its place is free for the next in line. */
void gate_leave_wire(struct gate *g, struct gate_attempt *a, tide_wall_ms now);
/* Its group no longer counts it, and outlives it; gives the group, NULL: there is none. */
struct gate_group *gate_leave_group(struct gate_attempt *a);
void gate_free_attempt(struct gate *g, struct gate_attempt *a);
/* The query that it was charged by. */
void gate_query_of_attempt(struct gate_attempt *a, tide_wall_ms now, struct plan_query *ret);
const char *gate_account_name(const struct gate *g, const struct gate_attempt *a);
void gate_write_plan(int64_t recipient_id, const struct plan_recipient *p, struct gate_todo *todo);
/* The ledgers that have changed, and the recipient's (NULL: none has). */
void gate_add_ledger_changes(struct gate *g, struct gate_recipient *r, struct gate_todo *todo);

/* -- outcome.c --------------------------------------------------------------------------------- */

void gate_on_outcome(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);
/* What the attempt ends in; it is off the wire. */
void gate_conclude(struct gate *g,
                   struct gate_attempt *a,
                   const struct account_outcome *outcome,
                   const struct finding *f,
                   tide_wall_ms now,
                   struct gate_todo *todo);

/* -- unclear.c --------------------------------------------------------------------------------- */

/* Asks for the recipient's past: what was said may be its fault. Comes back as GATE_NEWS. */
void gate_recall(struct gate *g,
                 const struct gate_attempt *a,
                 const struct account_outcome *outcome,
                 enum news_kind kind,
                 struct gate_todo *todo);
/* The attempt waits, off the wire, for what the past says. */
void gate_await_past(struct gate *g,
                     struct gate_attempt *a,
                     const struct account_outcome *outcome,
                     tide_wall_ms now,
                     struct gate_todo *todo);
/* The account's answer was unclear: the recipient's past (NULL: it could not be read) tells. */
void gate_explain_unclear(struct gate *g,
                          struct gate_attempt *a,
                          const struct recipient_past *past,
                          tide_wall_ms now,
                          struct gate_todo *todo);

/* -- unknown.c --------------------------------------------------------------------------------- */

/* `outcome` NULL: nobody said anything. */
void gate_answer_lost(struct gate *g,
                      struct gate_attempt *a,
                      const struct account_outcome *outcome,
                      struct text sentence,
                      tide_wall_ms now,
                      struct gate_todo *todo);
void gate_on_flying(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);
void gate_settle_unknowns(struct gate *g, tide_wall_ms now, struct gate_todo *todo);
/* One of unknown fate of which news came. */
void gate_settle_arrived(struct gate *g,
                         struct gate_attempt *a,
                         struct text sentence,
                         tide_wall_ms now,
                         struct gate_todo *todo);

/* -- limits.c ---------------------------------------------------------------------------------- */

/* A reply names a limit; gives when it opens. `q` is that of the refused mail; `opens_at` when the
 * reply's window opens; `as_of` 0, or when the mail was taken that has bounced since. */
tide_wall_ms gate_limit_named(struct gate *g,
                              const struct plan_query *q,
                              const struct meaning *meaning,
                              tide_wall_ms opens_at,
                              tide_wall_ms as_of,
                              struct text account,
                              struct text words,
                              bool *ret_kept,
                              struct gate_todo *todo);
void gate_on_limit(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);
/* What an answer of the account's ESP said of its window. */
void gate_note_quota(struct gate *g,
                     int account,
                     const struct account_quota *quota,
                     tide_wall_ms now,
                     struct gate_todo *todo);

/* -- guards.c ---------------------------------------------------------------------------------- */

void gate_guard_sent(struct gate *g,
                     const struct gate_attempt *a,
                     tide_wall_ms now,
                     struct gate_todo *todo);
/* `sent_too`: the account did not take it, so that it was not counted as sent. */
void gate_guard_failed(struct gate *g,
                       struct text account,
                       struct text stream,
                       struct text provider,
                       enum guard_counts counts,
                       bool sent_too,
                       tide_wall_ms now,
                       struct gate_todo *todo);
/* The guard that holds this mail; NULL: none does. */
const struct guard *gate_guard_holds(const struct gate *g,
                                     const struct gate_recipient *r,
                                     const struct plan_query *q);
struct text gate_guard_reason(const struct guard *x, tide_wall_ms now, struct gate_todo *todo);
void gate_look_at_guards(struct gate *g, tide_wall_ms now, struct gate_todo *todo);
tide_wall_ms gate_guards_wake_at(const struct gate *g);
void gate_relink_guards(struct gate *g);
void gate_on_guard(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);

/* -- detail.c ---------------------------------------------------------------------------------- */

struct json_writer;
/* Ends the object, into the todo's memory, and frees what it was written to. */
struct text gate_keep_detail(struct json_writer *w, struct gate_todo *todo);
/* JSON objects for journal_entry.detail. Of an attempt: account, provider, then what was
 * said (code, status, reply, stage) and what it means (class, fault, cause, advice, rule); outcome
 * and finding may be NULL, until 0. */
struct text gate_detail_of_attempt(const struct gate *g,
                                   const struct gate_attempt *a,
                                   const struct account_outcome *outcome,
                                   const struct finding *f,
                                   tide_wall_ms until,
                                   struct gate_todo *todo);
struct text gate_detail_of_hold(struct text limit, tide_wall_ms until, struct gate_todo *todo);
struct gate_reading;
struct text gate_detail_of_news(const struct gate_reading *r,
                                tide_wall_ms until,
                                struct gate_todo *todo);
struct text gate_detail_of_suppression(const struct suppression *s, struct gate_todo *todo);
struct text gate_detail_of_drop(const char *code, /* "undeliverable", "suppressed", "deadline" */
                                const struct gate_domain *domain, /* or NULL */
                                struct gate_todo *todo);
struct text gate_detail_of_sender(struct text domain,
                                  struct text account,
                                  struct text reason,
                                  struct gate_todo *todo);
struct text gate_detail_of_alarm(struct text key,
                                 const char *severity, /* NULL: it is over */
                                 struct text advice,
                                 struct gate_todo *todo);

/* -- news.c ------------------------------------------------------------------------------------ */

/* What a piece of news means, worked out once. */
struct gate_reading {
    const struct news_found *found;
    const struct mail_news *news;
    tide_wall_ms now, said_at;
    struct meaning meaning; /* of a bounce or a deferral; else all zero */
    int status[3];
    struct text sentence;
    bool again;           /* bounced for a limit: it is mailed again */
    bool unclear_address; /* words for a limit or the address, and it is the address */
};

void gate_on_news(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);

/* -- judge.c ----------------------------------------------------------------------------------- */

/* The recipient is known. */
void gate_judge(struct gate *g, const struct gate_reading *r, struct gate_todo *todo);
void gate_on_order(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);

/* -- stops.c ----------------------------------------------------------------------------------- */

/* In place of an entry of the same scope. */
void gate_put_stop(struct gate *g,
                   struct gate_recipient *r,
                   const struct suppression *entry,
                   tide_wall_ms now,
                   struct gate_todo *todo);
/* Of a recipient that comes into memory; from then on memory is ahead of what the store answers. */
void gate_set_stops_of(struct gate *g,
                       struct gate_recipient *r,
                       const struct recipient_state *state,
                       tide_wall_ms now,
                       struct gate_todo *todo);
/* False: something is being dropped; GATE_PENDING decides again. Only with stops. */
bool gate_stops_let_go(struct gate *g,
                       struct gate_group *grp,
                       tide_wall_ms now,
                       struct gate_todo *todo);
/* Why a mail of that stream is refused; "": it is not. */
struct text gate_refusal_of(const struct gate *g,
                            const struct gate_group *grp,
                            struct text stream,
                            tide_wall_ms now,
                            struct gate_todo *todo);
/* Is mail of that stream for this recipient refused, or does it rest? */
bool gate_stream_is_stopped(const struct gate *g,
                            const struct gate_group *grp,
                            const struct config_stream *stream,
                            tide_wall_ms now);
/* Why all that is not urgent waits, until when; NULL: it need not. */
const struct suppression *gate_pause_of(const struct gate *g,
                                        const struct gate_group *grp,
                                        tide_wall_ms now);
const char *gate_stop_cause(enum suppression_cause c); /* "there is no such mailbox" */

#endif
