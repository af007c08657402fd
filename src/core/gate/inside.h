/* inside.h - the gate's own tables, shared by its files; nobody else includes this.
 *
 * gate.c      tables, events, names
 * decide.c    what a group does next
 * attempts.c  claims, outcomes, attempts of unknown fate
 * detail.c    what journal entries say to programs
 * guards.c    bounce and complaint rates that ESPs watch
 * limits.c    limits that replies name, and what operators and ESPs say of limits
 * news.c      what is told of an attempt later
 * judge.c     what follows from it for the recipient
 * stops.c     what of a recipient's mail is stopped
 */
#ifndef CORE_GATE_INSIDE_H
#define CORE_GATE_INSIDE_H

#include "base/map.h"
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
    bool asking;
    tide_wall_ms valid_until; /* 0: never asked */
    char *reason;
    char *provider_name;
};

struct gate_recipient {
    int64_t id;
    struct plan_recipient plan;
    struct gate_domain *domain;
    struct gate_group *groups; /* nearly always one */
    struct gate_stops *stops;  /* what of its mail is stopped; NULL: nothing */
    uint32_t refs;             /* groups and attempts in flight */
    uint8_t hints;             /* of enum recipient_hint */
};

/* What most groups never need. */
struct gate_times {
    tide_wall_ms retry_at;                   /* a try was put off until then; 0: no */
    tide_wall_ms dropped_late;               /* deadline that was already dealt with */
    tide_wall_ms single_after, digest_after; /* not_before: none of the class may leave earlier */
};

struct gate_group {
    struct queue_entry entry;
    struct group_pending pending;
    struct gate_recipient *recipient;
    struct gate_group *next;  /* of the same recipient */
    struct gate_times *times; /* NULL: all 0; gate_times(), gate_times_to_set() */
    tide_wall_ms last_at;     /* newest arrival */
    tide_wall_ms told_due;    /* what was last written of it, so that nothing is written twice */
    uint32_t sender, sender_domain; /* interned */
    uint16_t application;           /* name number */
    uint16_t weight;                /* of the digestible ones that are pending, summed */
    uint16_t arrived;               /* digestible ones that the forecast has not been told of */
    uint8_t stream_urgent, stream_single, stream_digest; /* name numbers of the latest */
    uint8_t tries;                                       /* put off in a row */
    uint8_t flying;    /* attempts on their way or of unknown fate */
    uint8_t unknown;   /* of these, of unknown fate: they do not hold up others */
    uint8_t returning; /* ended attempts whose mail the store is putting back on hold */
    uint8_t told_why;
    bool claiming : 1;
    /* All that is pending of the class is known to be of bulk streams. Not known is false: then a
     * claim that passes over bulk streams finds out. */
    bool single_bulk : 1, digest_bulk : 1;
    /* What the recipient's suppressions stop is being dropped, or is no longer there. */
    bool sifting : 1, sifted : 1;
};

struct gate_attempt {
    struct heap_node wait; /* unknown fate: until when news is awaited */
    tide_id id;
    struct gate_group *group;         /* NULL: of an earlier run of mailtide, group not loaded */
    struct gate_recipient *recipient; /* NULL alike */
    int64_t group_id;
    struct plan_route route;
    tide_wall_ms started_at;
    tide_wall_ms newest_at; /* acceptance of the newest notification in it */
    int account;            /* index; -1: no longer configured */
    bool urgent, digest, unknown;
    bool was_sent_before;            /* to its recipient: struct plan_recipient */
    bool arrived;                    /* news of it came: the account has it, whatever it answers */
    struct account_outcome *unclear; /* an answer that the recipient's past has to explain */
    bool without_bulk; /* the claim passes over bulk streams: their sender is held there */
};

struct gate_account {
    struct backoff backoff;
    int flying, places;
    int64_t accepted, deferred, refused, unknown;
    tide_wall_ms quota_until;             /* its ESP said that nothing is left until then */
    int64_t quota_limit, quota_window_ms; /* of that window, as it said last */
};

struct gate {
    struct planner *planner;
    const struct config *config;
    struct recipient_index hints; /* of that configuration */
    struct queue queue;
    struct idmap recipients, attempts;
    int64_t group_count;
    struct strmap domains; /* name -> struct gate_domain */
    struct idmap domains_by_number;
    uint32_t last_domain;
    struct strmap names; /* of applications and streams; -> number */
    char **name_of;
    uint16_t name_count;
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

#define TOLD_STORED 0xFF /* told_why of a group that was loaded: by an earlier run */

/* gate.c */
struct change *gate_add_change(struct gate_todo *todo, enum change_type type);
struct gate_action *gate_add_action(struct gate_todo *todo, enum gate_action_type type);
void gate_journal(struct gate_todo *todo,
                  tide_wall_ms now,
                  const struct journal_entry *about,
                  const char *event,
                  struct text sentence);
struct text gate_printf(struct gate_todo *todo, const char *fmt, ...) TIDE_PRINTF(2, 3);
const struct config_application *gate_application(const struct gate *g, uint16_t name);
int gate_stream(const struct gate *g, uint16_t name); /* index; -1: no longer configured */
const struct gate_times *gate_times(const struct gate_group *grp);
struct gate_times *gate_times_to_set(struct gate_group *grp, struct gate_todo *todo); /* or NULL */
void gate_forget_if_idle(struct gate *g, struct gate_group *grp);
void gate_release_recipient(struct gate *g, struct gate_recipient *r);
const char *gate_when(tide_wall_ms at, tide_wall_ms now, char *out, size_t size);
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

struct text gate_domain_of(struct text address); /* what stands behind the last '@' */

/* foresee.c: the group's counts are new: its weight with them */
void gate_set_pending(struct gate_group *grp, const struct group_pending *pending);
/* One more came, of the last count. */
void gate_add_weight(struct gate *g, struct gate_group *grp, int weight);
double gate_weight(const struct gate *g, const struct gate_group *grp);
/* of what came since the last decision, now that it is known whose limits apply */
void gate_tell_arrivals(struct gate *g,
                        struct gate_group *grp,
                        const struct plan_query *q,
                        struct gate_todo *todo);

/* decide.c */
void gate_decide(struct gate *g, struct gate_group *grp, tide_wall_ms now, struct gate_todo *todo);
void gate_release_now(struct gate *g,
                      struct gate_group *grp,
                      tide_id only,
                      struct text by,
                      tide_wall_ms now,
                      struct gate_todo *todo);

/* What is of a stream that is not in `without` ("|urgent|"; "": of any) is refused. */
void gate_drop_stopped(struct gate *g,
                       struct gate_group *grp,
                       struct text without,
                       struct text reason,
                       tide_wall_ms now,
                       struct gate_todo *todo);

/* attempts.c */
void gate_claim(struct gate *g,
                struct gate_group *grp,
                const struct plan_query *q,
                tide_id only,
                struct text why,
                struct gate_todo *todo);
void gate_on_claimed(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);
void gate_on_outcome(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);
void gate_on_flying(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);
void gate_settle_unknowns(struct gate *g, tide_wall_ms now, struct gate_todo *todo);
/* One of unknown fate of which news came. */
void gate_settle_arrived(struct gate *g,
                         struct gate_attempt *a,
                         struct text sentence,
                         tide_wall_ms now,
                         struct gate_todo *todo);
void gate_free_attempt(struct gate *g, struct gate_attempt *a);
/* The ledgers that have changed, and the recipient's (NULL: none has). */
void gate_add_ledger_changes(struct gate *g, struct gate_recipient *r, struct gate_todo *todo);

/* limits.c: a reply names a limit; gives when it opens. `q` is that of the refused mail; `opens_at`
 * when the reply's window opens; `as_of` 0, or when the mail was taken that has bounced since. */
struct meaning;
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
/* Whoever waits looks again: what held it may have changed. */
void gate_ask_again(struct gate *g, struct gate_todo *todo);

/* guards.c */
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

/* The account's answer was unclear: the recipient's past (NULL: it could not be read) tells. */
void gate_explain_unclear(struct gate *g,
                          struct gate_attempt *a,
                          const struct recipient_past *past,
                          tide_wall_ms now,
                          struct gate_todo *todo);

/* detail.c: JSON objects for journal_entry.detail. Of an attempt: account, provider, then what was
 * said (code, status, reply, stage) and what it means (class, fault, cause, advice, rule); outcome
 * and finding may be NULL, until 0. */
struct finding;
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

/* judge.c: recipient is known */
void gate_judge(struct gate *g, const struct gate_reading *r, struct gate_todo *todo);
void gate_on_order(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);

/* stops.c */
/* In place of an entry of the same scope. */
void gate_put_stop(struct gate_recipient *r,
                   const struct suppression *entry,
                   tide_wall_ms now,
                   struct gate_todo *todo);
/* Of a recipient that comes into memory; from then on memory is ahead of what the store answers. */
void gate_set_stops_of(struct gate_recipient *r,
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

/* news.c */
void gate_on_news(struct gate *g, const struct gate_event *ev, struct gate_todo *todo);

#endif
