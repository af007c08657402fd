/* notification.h - the records of the pipeline: what was handed over, what is pending, what was
 * tried, what was decided. Plain data that gate, store and interfaces share.
 *
 * Owns      nothing: strings are borrowed from the arena or row that the record came in.
 * Threads   any.
 */
#ifndef CORE_RECORD_NOTIFICATION_H
#define CORE_RECORD_NOTIFICATION_H

#include "base/id.h"
#include "base/time.h"
#include "core/record/news.h"

/* A notification meets exactly one fate: SENT (then DELIVERED, BOUNCED or COMPLAINED as news
 * comes), REFUSED, EXPIRED or CANCELLED. A hold is not an attempt.
 *
 *   ACCEPTED --> HELD <--> RELEASING --> SENT --> DELIVERED | BOUNCED | COMPLAINED
 *      |          | `--> EXPIRED | CANCELLED | REFUSED
 *      `----------'--> ... */
#define NOTIFICATION_STATES(X)                                                  \
    X(ACCEPTED, "accepted")   /* durable, its domain is being verified */       \
    X(HELD, "held")           /* waits: reason, binding limit, release time */  \
    X(RELEASING, "releasing") /* in an attempt whose answer is not known yet */ \
    X(SENT, "sent")           /* the account took it */                         \
    X(DELIVERED, "delivered")                                                   \
    X(BOUNCED, "bounced") /* refused for good by the account or behind it */    \
    X(COMPLAINED, "complained")                                                 \
    X(REFUSED, "refused") /* by mailtide: undeliverable or suppressed */        \
    X(EXPIRED, "expired") /* its deadline passed and its stream says drop */    \
    X(CANCELLED, "cancelled")

enum notification_state {
#define NOTIFICATION_STATE(code, text) NOTIFICATION_##code,
    NOTIFICATION_STATES(NOTIFICATION_STATE)
#undef NOTIFICATION_STATE
};

const char *notification_state_name(enum notification_state s);
bool notification_state_of(struct text name, enum notification_state *ret);

/* How many there are of each state, of those accepted in a span of time. */
struct notification_tally {
    tide_wall_ms from;
    int64_t states[NOTIFICATION_CANCELLED + 1];
};

/* Can still be sent, cancelled or expire. */
static inline bool notification_is_pending(enum notification_state s)
{
    return s == NOTIFICATION_ACCEPTED || s == NOTIFICATION_HELD || s == NOTIFICATION_RELEASING;
}

/* What of a notification is put into a digest; taken from the API's fields or the
 * X-Mailtide-Digest-* headers, else from subject and first text lines. */
struct digest_item {
    struct text title, url, text, icon;
};

struct submission_recipient {
    struct text address;       /* as handed over */
    struct text normal;        /* one normal form for counting and lookup (core/address) */
    struct text domain;        /* A-labels, lower case: what DNS is asked */
    struct text notify, orcpt; /* RFC 3461, kept */
};

#define SUBMISSION_WEIGHT_MAX 100

/* One message as handed over, for one or many recipients; each becomes a notification. */
struct submission {
    struct text application, stream; /* names in the configuration */
    struct text sender;              /* envelope: RFC5321.MailFrom, "" for the null path */
    struct text identity;            /* the From address, normal form: who digests are grouped by */
    struct text subject;             /* decoded, for people */
    struct text message_id;          /* with its angle brackets */
    struct text message;             /* the whole, CRLF, not dot-stuffed */
    struct text key;                 /* idempotency: same application and key is the same thing */
    struct text fingerprint;         /* what must come again with the same key to be the same
                                      * thing; "": sender and message */
    struct text thread;              /* for collapsing in digests */
    struct text collapse_key;        /* of those with the same only the last counts; "": none */
    struct text source;              /* "smtp 127.0.0.1", "http 127.0.0.1": for the journal */
    struct text ret, envid;          /* RFC 3461, kept */
    struct text metadata;            /* what the application wants to be told again with all that
                                      * becomes of it: a JSON object; "": nothing */
    struct digest_item item;
    tide_wall_ms accepted_at;
    tide_wall_ms not_before;  /* 0: at once */
    tide_wall_ms deadline_at; /* 0: none */
    /* of its stream, at the time of acceptance */
    int priority;
    bool urgent, digestible, drop_late;
    int weight; /* how much its waiting counts; 1..100 */
    const struct submission_recipient *recipients;
    size_t recipient_count;
};

/* What is pending of one group: recipient, sender identity and application, the most that one
 * digest may hold together. This is all that the gate keeps in memory of held mail. */
struct group_pending {
    int64_t group_id, recipient_id;
    uint32_t urgent;          /* released one by one, at once if any room is left */
    uint32_t single;          /* released one by one */
    uint32_t digestible;      /* released together */
    tide_wall_ms oldest_at;   /* acceptance of the oldest; 0: nothing is pending */
    tide_wall_ms deadline_at; /* the earliest; 0: none */
    tide_wall_ms not_before;  /* earliest of those that may not leave yet; 0: none */
};

/* A notification with all that a person or a digest wants to see. */
struct notification {
    tide_id id;
    int64_t recipient_id, group_id;
    enum notification_state state;
    struct text application, stream;
    struct text recipient; /* as handed over */
    struct text recipient_normal, domain;
    struct text sender, identity, subject, message_id, thread, key, collapse_key;
    struct text envid, ret, notify, orcpt;
    struct digest_item item;
    tide_wall_ms accepted_at, not_before, deadline_at;
    int priority;
    bool urgent, digestible, drop_late;
    tide_wall_ms changed_at; /* last change of state */
    tide_wall_ms due_at;     /* held: estimated release; 0: not known */
    struct text reason;      /* of its state, a sentence */
    struct text limit;       /* name of the binding limit, "" if none */
    tide_id attempt_id;      /* of the last release; 0: none */
    int attempts;
    struct text metadata; /* of its submission */
    struct text message;  /* {NULL, 0} unless asked for */
};

#define ATTEMPT_STATES(X)                                                                   \
    X(FLYING, "flying")       /* charged and durable; the answer is not known yet */        \
    X(ACCEPTED, "accepted")   /* 2yz: the account has it */                                 \
    X(DEFERRED, "deferred")   /* refused for now, or never reached: nothing left */         \
    X(REFUSED, "refused")     /* 5yz */                                                     \
    X(UNKNOWN, "unknown")     /* the answer was lost, or mailtide died: may have arrived */ \
    X(ABANDONED, "abandoned") /* unknown for too long: its notifications were released anew */

enum attempt_state {
#define ATTEMPT_STATE(code, text) ATTEMPT_##code,
    ATTEMPT_STATES(ATTEMPT_STATE)
#undef ATTEMPT_STATE
};

const char *attempt_state_name(enum attempt_state s);

/* One try at one mail, single or digest. */
struct attempt {
    tide_id id;
    int64_t recipient_id, group_id;
    struct text account, provider, stream;
    struct text message_id; /* of the mail that leaves */
    struct text sender;     /* envelope */
    enum attempt_state state;
    bool digest;
    bool retry_of_unknown; /* the recipient may see it twice */
    int notification_count;
    tide_wall_ms started_at;
    tide_wall_ms ended_at; /* 0: not yet; of an unknown one: when its answer was lost */
    struct text reply;     /* the last reply, or what happened instead */
    enum news_kind news;   /* the last of what was said of it later and settles something; OTHER:
                            * nothing was */
    tide_wall_ms news_at;
};

/* Every decision with its reason, in order: what `mailtide why` prints. */
struct journal_entry {
    int64_t seq; /* given by the store */
    tide_wall_ms at;
    int64_t recipient_id;    /* 0: not about one */
    int64_t group_id;        /* whose application it concerns; 0: not one's alone */
    tide_id notification_id; /* 0: about the recipient or the whole gate */
    tide_id attempt_id;      /* 0: none */
    struct text event;       /* "accepted", "held", "released", ...: for programs */
    struct text sentence;    /* for people */
    struct text detail;      /* a JSON object with what programs want to know; "" if none */
};

#endif
