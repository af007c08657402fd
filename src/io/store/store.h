/* store.h - everything durable: notifications, bodies, recipients, attempts, ledger, journal.
 *
 * The interface that sqlite.c implements and a PostgreSQL store can stand beside: requests go in on
 * the loop thread, one callback comes out on the loop thread, never from inside the call. Writes of
 * one request are one unit: all or nothing, durable before the callback says TIDE_OK. Requests
 * are carried out in the order they were made.
 *
 * Owns      the database, its writer thread and its reader connections. A request struct and all
 *           that it points to stay the caller's and must not move until its callback.
 * Lifetime  store_open() to the closed callback of store_close(), which first finishes all that
 *           is queued.
 * Threads   loop thread only; the writer's thread is inside.
 * Errors    TIDE_EFULL the disk is full (nothing was written, later requests may succeed again);
 *           TIDE_EIO, TIDE_ECORRUPT; TIDE_ELIMIT the queue is too long.
 */
#ifndef IO_STORE_STORE_H
#define IO_STORE_STORE_H

#include "base/arena.h"
#include "base/list.h"
#include "core/record/change.h"
#include "core/record/notification.h"

#include <uv.h>

struct store;

/* The store's own part of every request; zeroed memory will do. */
struct store_job {
    struct list hook;
    int kind;
    enum tide_err rc;
    struct tide_error err;
    void *result;
};

struct store_options {
    const char *path;
    int64_t keep_ms;                /* finished ones are pruned after this; 0: never */
    int64_t size_bytes_max;         /* 0: no bound */
    int64_t free_bytes_min;         /* accepting stops below */
    int64_t check_bytes_max;        /* a larger file is checked while it is used; 0: 256 MiB */
    int64_t log_bytes_max;          /* a longer log is copied into the database; 0: 64 MiB */
    tide_wall_ms (*now)(void *arg); /* called on other threads too */
    void *now_arg;
};

TIDE_MUST_CHECK enum tide_err store_open(uv_loop_t *loop,
                                         const struct store_options *options,
                                         struct store **ret,
                                         struct tide_error *err);
void store_close(struct store *s, void (*closed)(void *arg), void *arg);
/* Before the rooms above are closed: from `wait_ms` (of real time) on, ends of attempts that wait
 * for room on the disk fail, so that nobody waits for ever. Their fate is unknown at the next
 * start. */
void store_stop_waiting(struct store *s, int64_t wait_ms);

/* The greatest id ever given, for id_source.last after a restart. */
tide_id store_last_id(const struct store *s);

/* Whether it can write now. While it cannot, accepts, claims and drops fail by name; applies with
 * the end of an attempt in them wait inside and are carried out as soon as there is room. */
enum store_condition { STORE_OK, STORE_FULL, STORE_FAILED };

struct store_health {
    enum store_condition condition;
    char text[TIDE_ERROR_BYTES_MAX]; /* a sentence; "" while OK */
    size_t queued;                   /* requests not yet carried out */
    size_t waiting_endings;          /* of them: ends of attempts that wait for room */
};

void store_health(struct store *s, struct store_health *ret);

/* -- Accept: a submission becomes notifications --------------------------------------------------
 */

struct store_accepted {
    tide_id id;         /* given by the caller beforehand; for a duplicate the first one's */
    bool duplicate;     /* same application and key as before: nothing was stored */
    tide_id supersedes; /* was pending under the same collapse key, and is cancelled; 0: none */
    struct group_pending pending; /* of its group, this one included */
    struct recipient_state recipient;
};

struct store_accept {
    const struct submission *submission;
    struct store_accepted *items; /* recipient_count of them, ids set by the caller */
    struct arena arena;           /* for the strings of items; the caller's fini */
    void (*done)(struct store_accept *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    struct store_job job;
};

/* With key set: same application, key, sender, recipients and fingerprint (without one: body) gives
 * duplicates; same key and anything else is TIDE_EEXIST ("key ... was used for another message").
 * Each new notification is journalled here, event "accepted", so the gate need not. Its group's
 * due_at becomes 0: to be planned. With a collapse_key, an older one of its group that is pending
 * under the same is cancelled, and the new one counts from that one's acceptance. */
void store_accept(struct store *s, struct store_accept *req);

/* -- Apply: decisions of the gate (core/record/change.h), one unit
 * ----------------------------------
 */

struct store_apply {
    struct change *changes;
    size_t count;
    tide_wall_ms at; /* changed_at of what changes */
    /* out: groups whose pending notifications a CHANGE_ATTEMPT or CHANGE_NOTIFICATION changed (back
     * to HELD, or away from it) */
    struct group_pending *groups;
    size_t group_count;
    struct arena arena; /* the caller's fini */
    void (*done)(struct store_apply *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    struct store_job job;
};

void store_apply(struct store *s, struct store_apply *req);

/* -- Claim: a release takes what is pending, before the first byte leaves -------------------------
 */

struct store_claim {
    /* in */
    struct attempt attempt;      /* id, recipient_id, group_id, account, provider, started_at, ...;
                                  * retry_of_unknown is found here, from what was abandoned before */
    tide_id only;                /* this one notification; 0: by `digest` */
    bool by_hand;                /* those that are not to leave before later go too */
    struct text without_streams; /* "|news|offers|": these stay; "": none */
    bool digest;      /* all digestible ones, else the first single one: urgent before others, then
                       * priority, then age */
    size_t most;      /* digest: at most so many, priority first, then age; 0: no bound */
    size_t bytes_max; /* digest: their messages together, the first always taken; 0: no bound */
    tide_wall_ms now; /* not_before later than this stays, if not by hand */
    const struct change *changes; /* charged in the same unit: ledger, plan, journal */
    size_t change_count;
    /* out; strings in arena; each with its message */
    struct notification *notifications;
    size_t notification_count; /* 0: nothing was left to claim and no attempt was written */
    struct group_pending left; /* still pending in the group, what was claimed not counted */
    struct arena arena;        /* the caller's fini */
    void (*done)(struct store_claim *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    struct store_job job;
};

void store_claim(struct store *s, struct store_claim *req);

/* -- Drop: pending and not in flight becomes cancelled, expired or refused
 * -------------------------- */

struct store_drop {
    /* which: the first of these that is set */
    tide_id id;
    bool whole;           /* with id: and those behind it that came for others with the same mail */
    int64_t group_id;     /* with late_at: only those with drop_late and a deadline up to it */
    int64_t recipient_id; /* all groups of a recipient */
    tide_wall_ms late_at;
    struct text without_streams;  /* group_id: "|urgent|codes|": these stay; "": none */
    enum notification_state then; /* CANCELLED, EXPIRED or REFUSED */
    struct text reason, detail;   /* detail: a JSON object, "" if none */
    tide_wall_ms at;
    /* Journalled with each, event then's name, sentence `reason`, detail. */
    struct notification *dropped; /* without messages */
    size_t dropped_count;
    struct group_pending *groups; /* those that changed, or that were named */
    size_t group_count;
    struct arena arena;
    void (*done)(struct store_drop *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    struct store_job job;
};

/* TIDE_ENOENT: no such notification; TIDE_ESTATE: it is not pending any more, or in flight. */
void store_drop(struct store *s, struct store_drop *req);

/* -- Load: what was pending when mailtide stopped, in pieces --------------------------------------
 */

struct store_loaded_group {
    struct group_pending pending;
    tide_wall_ms due_at; /* earliest of its holds; 0: to be planned now */
    struct text application, identity;
    struct text streams[3]; /* of its first urgent, single and digestible pending ones; "": none */
    struct recipient_state recipient;
};

/* Groups with something pending or in flight. Reads run off the loop on reader connections. */
struct store_load {
    int64_t after_group_id; /* 0 at first */
    size_t most;
    struct store_loaded_group *groups;
    size_t group_count;
    struct attempt *flying; /* only with after_group_id 0: attempts whose notifications are
                             * RELEASING: flying, or unknown and not settled */
    size_t flying_count;
    struct ledger_blob *ledger; /* only with after_group_id 0 */
    size_t ledger_count;
    struct arena arena;
    void (*done)(struct store_load *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    struct store_job job;
};

void store_load(struct store *s, struct store_load *req);

/* -- Ask: for people and programs
 * ------------------------------------------------------------------ */

enum store_view {
    STORE_VIEW_NOTIFICATION, /* id */
    STORE_VIEW_WHY,          /* recipient (normal form) or id (notification, attempt): journal in
                              * order, attempts, and the notifications that these speak of */
    STORE_VIEW_QUEUE,        /* pending, by due_at; filter by recipient, domain, stream */
    STORE_VIEW_ACCEPTED,     /* how many of `application` from notification `id` on */
    STORE_VIEW_TALLIES,      /* what became of those of `application` from `id` to before `until`,
                              * by spans of `step_ms` */
    STORE_VIEW_NEWS,         /* what is known about `news`: found */
    STORE_VIEW_ADDRESSES,    /* of recipient_ids */
    STORE_VIEW_ESP_LISTS,    /* addresses on the lists of `account` that are to be looked at:
                              * those whose state is not an end, oldest first */
    STORE_VIEW_SUPPRESSED,   /* of each of `asked`: lines of suppression_line_of() */
    STORE_VIEW_SENDERS,      /* watched senders, by domain and account */
    STORE_VIEW_EVENTS,       /* the journal as others see it (core/record/event.h): of `application`
                              * ("": all), of `kinds`, behind the cursor `after` */
    STORE_VIEW_WEBHOOK,      /* webhook_cursor and letters (the next to be tried first) of
                              * `application` */
    STORE_VIEW_DEAD_LETTERS, /* without bodies; of `application` ("": all) */
    STORE_VIEW_PLANS,        /* recipients with a plan behind `id`, in order; of provider or gateway
                              * `domain` ("": all); only id, plan, provider and gateway of each */
    STORE_VIEW_SUPPRESSIONS, /* entries by address; filter by recipient, domain, stream (causes,
                              * "full|invalid"), application (whose recipients they are, and
                              * whose senders if of one); with `newest` only those in force; the
                              * first `skip` are left out */
    STORE_VIEW_COUNTS,       /* notifications by state, attempts by state, bytes, oldest pending */
};

struct store_counts {
    int64_t notifications[NOTIFICATION_CANCELLED + 1];
    int64_t attempts[ATTEMPT_ABANDONED + 1];
    int64_t recipients, bodies, database_bytes, journal_entries;
    tide_wall_ms oldest_pending_at; /* 0: none */
};

#define EVENTS_SCAN_MAX 20000

/* A journal entry with what it is about. */
struct store_event {
    struct journal_entry entry;
    struct text application, recipient; /* "": not one's alone, nobody's */
    struct attempt *attempt;            /* NULL: none, or pruned */
    struct notification *notifications; /* without messages: those of the attempt, or the one */
    size_t notification_count;
};

struct store_ask {
    enum store_view view;
    tide_id id;
    struct text recipient, domain, stream, application;
    struct text after; /* cursor of the page before; "" at first */
    size_t most, skip;
    tide_id until;   /* TALLIES */
    int64_t step_ms; /* TALLIES; 0: one for all */
    struct notification_tally *tallies;
    size_t tally_count;
    bool newest; /* WHY: the last `most` entries (in order) instead of the first; no cursor then */
    struct notification *notifications;
    size_t notification_count;
    struct attempt *attempts;
    size_t attempt_count;
    struct journal_entry *journal;
    size_t journal_count;
    struct recipient_state *recipients; /* PLANS */
    size_t recipient_count;
    struct recipient_state *recipient_row; /* WHY; NULL: nobody by that name */
    const int64_t *recipient_ids;          /* ADDRESSES: so many, and as many answers */
    size_t recipient_id_count;
    struct text *addresses;   /* ADDRESSES; "": there is no such recipient */
    const struct text *asked; /* SUPPRESSED: normal forms of addresses */
    size_t asked_count;
    struct text *suppressed;       /* one each, "" when it may be mailed */
    struct sender_record *senders; /* SENDERS */
    struct text account;           /* ESP_LISTS */
    struct esp_listed *listed;     /* ESP_LISTS; WHY: of the recipient, whatever became of it */
    size_t listed_count;
    size_t sender_count;
    struct store_counts counts;
    int64_t count;                    /* ACCEPTED */
    struct suppression *suppressions; /* SUPPRESSIONS */
    size_t suppression_count;
    /* NEWS: with `application` count says whether it has had mail for the recipient, and senders'
     * entries are those of its own */
    const struct mail_news *news; /* NEWS; its recipient in normal form */
    struct news_found found;
    struct text next; /* cursor; "" at the end */
    /* EVENTS. `after`: "" from the oldest that is kept, "newest" none of those that are there, else
     * a cursor from before (`next` is always one here). TIDE_EGONE: what followed the cursor was
     * pruned meanwhile, or the journal is another one. A step looks at EVENTS_SCAN_MAX entries. */
    event_set kinds;
    bool with_alarms; /* with `application`: what concerns operators too */
    struct store_event *events;
    size_t event_count;
    int64_t oldest_seq, newest_seq; /* 0: the journal is empty; WEBHOOK alike */
    int64_t next_seq;               /* of `next` */
    int64_t webhook_cursor;         /* WEBHOOK; -1: it was never told anything */
    struct webhook_letter *letters; /* WEBHOOK, DEAD_LETTERS */
    size_t letter_count;
    bool at_end; /* nothing was left behind `next` */
    struct arena arena;
    void (*done)(struct store_ask *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    struct store_job job;
};

void store_ask(struct store *s, struct store_ask *req);

/* -- Watch: that something was written -----------------------------------------------------------
 */

/* `wrote` comes on the loop after writes are durable, perhaps once for many; nothing may be closed
 * from inside it. */
struct store_watch {
    struct list hook;
    void (*wrote)(struct store_watch *w);
};
void store_watch(struct store *s, struct store_watch *w);
void store_unwatch(struct store_watch *w); /* twice is fine */

#endif
