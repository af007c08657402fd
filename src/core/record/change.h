/* change.h - what the gate wants remembered: rows that change, as plain data for the store.
 *
 * Owns      nothing: texts are borrowed until the store's callback.
 * Threads   any.
 */
#ifndef CORE_RECORD_CHANGE_H
#define CORE_RECORD_CHANGE_H

#include "base/buf.h"
#include "core/record/event.h"
#include "core/record/notification.h"
#include "core/record/past.h"
#include "core/record/verdict.h"

/* What deciding needs to know of a recipient, as last stored. */
struct recipient_state {
    int64_t id;
    struct text address, domain; /* normal form; A-labels */
    struct text plan;            /* the planner's own blob (ledger, forecast), "" at first */
    struct verdict verdict;      /* of its domain; found_at 0: never asked */
    struct text suppressed;      /* what stops its mail, one a line: suppression_line_of(); "" */
};

/* What was used of a wider subject's limits: the planner's own blob; an empty one: the row goes. */
struct ledger_blob {
    struct text subject, blob;
};

/* An address on an ESP's own list, for whoever keeps that list right. */
struct esp_listed {
    struct text account; /* name in the configuration */
    struct text address; /* normal form */
    struct text list;    /* the ESP's word for it: "bounces"; "": not known */
    struct text cause;   /* why it came there, a sentence */
    struct text state;   /* to be looked at: "listed", noted; "mend", to be taken off there.
                          * Ends: "mended"; "kept"; "gone", it does not stand there; "failed", the
                          * ESP would not */
    tide_wall_ms since;
};

/* A watched sender with what its last check found. */
struct sender_record {
    struct text domain, account; /* A-labels; name in the configuration */
    tide_wall_ms seen_at;        /* last mail of it, or 0: configured */
    tide_wall_ms checked_at;     /* 0: not yet */
    tide_wall_ms passed_at;      /* last check without a fault; 0: never */
    struct text held;            /* why its bulk streams wait; "": they do not */
    struct text report;          /* JSON, "" before the first check */
};

enum change_type {
    CHANGE_NOTIFICATION, /* state, reason, limit, due_at of one; left out where it would be a second
                          * fate (a cancelled one is not held again), or would put on hold what is
                          * in flight: only the end of its attempt does */
    CHANGE_GROUP_HELD,   /* all accepted or held ones of a group are held: reason, limit, due_at;
                          * cheap: these stand once in the group's row, however many it holds */
    CHANGE_RECIPIENT,    /* plan blob */
    CHANGE_LEDGER,       /* several of one subject in a batch: the last counts */
    CHANGE_ATTEMPT,      /* an attempt's end, or news of it */
    CHANGE_JOURNAL,
    CHANGE_VERDICT,    /* of a domain */
    CHANGE_SUPPRESS,   /* a recipient is not to be mailed */
    CHANGE_UNSUPPRESS, /* it may be again: address, scope and lifted_at count */
    CHANGE_NEWS,       /* what became of an attempt, as somebody said later */
    CHANGE_NEWS_SEEN,  /* news of this key was acted on */
    CHANGE_FINDING,    /* evidence about a recipient; one an attempt and class */
    CHANGE_ESP_LIST,   /* an address that stands on an ESP's own list */
    CHANGE_SENDER,     /* what a check of a sender found */
    CHANGE_SENDER_GONE,
    CHANGE_WEBHOOK_CURSOR, /* up to where an application's webhook was told */
    CHANGE_LETTER,         /* tried again later, or dead */
    CHANGE_LETTER_TAKEN,   /* it is gone: application and seq */
    CHANGE_LETTERS_AGAIN,  /* dead ones (seq, or 0: all) of an application ("": all) are tried anew:
                            * next_at, tries count from 0 */
    CHANGE_LEARNED,        /* of a recipient, known or not: what `merge` makes of its plan blob */
    CHANGE_LETTERS_SOON,   /* none that waits of an application waits longer than next_at */
};

struct change {
    enum change_type type;
    union {
        struct {
            tide_id id;
            int64_t group_id; /* CHANGE_GROUP_HELD */
            enum notification_state state;
            struct text reason, limit;
            tide_wall_ms due_at;
        } notification;
        struct {
            int64_t id;
            struct text plan;
        } recipient;
        struct ledger_blob ledger;
        struct {
            struct text address, domain; /* normal form; A-labels */
            struct text learnt;
            /* On the writer's thread: pure. False: what is stored stays. */
            bool (*merge)(struct text stored, struct text learnt, struct buf *ret);
            bool *taken; /* out; may be NULL */
        } learned;
        /* Notifications of the attempt that are RELEASING take `then` with the reason; with `then`
         * RELEASING they stay, and the attempt is loaded after a restart as one without an end. */
        struct {
            tide_id id;
            enum attempt_state state;
            struct text reply;
            tide_wall_ms ended_at;
            enum notification_state then;
            struct text reason, limit;
            tide_wall_ms due_at;
        } attempt;
        struct journal_entry journal;
        struct {
            struct text domain;
            struct verdict verdict;
        } verdict;
        struct suppression suppress;
        /* The attempt's notifications that no later attempt has taken become `then` with the
         * reason, where that is a step of their life; SENT with `then` HELD are mailed again. The
         * recipient's delivered_at follows. */
        struct {
            tide_id id; /* of the attempt */
            enum news_kind kind;
            tide_wall_ms said_at; /* when it happened, as they say; else when it was learnt */
            bool moves;           /* false: noted alone */
            enum notification_state then;
            struct text reason, limit;
            tide_wall_ms due_at;
        } news;
        struct {
            struct text key;
            tide_wall_ms at;
        } news_seen;
        struct {
            int64_t recipient_id;
            struct past_finding finding;
        } finding;
        struct esp_listed esp_list;
        struct sender_record sender; /* gone: domain and account alone count */
        struct {
            struct text application;
            int64_t cursor;
        } webhook;
        struct webhook_letter letter;
    };
};

#endif
