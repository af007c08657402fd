/* operate.h - what operators and applications may ask of the running gate, beside handing in mail.
 *
 * A contract between the doors (io/status, io/intake/http_api) and the daemon, which fills struct
 * operate. The doors have checked who may ask; the daemon knows what is going on. What has to be
 * read or written answers later by `done`; what only tells what memory holds answers at once.
 *
 * Owns      a request struct and all that it points to stay the caller's and must not move until
 *           `done`, which comes exactly once, on the loop thread; from inside the call only where
 *           it is refused at once (what was typed is wrong, or memory ran out).
 *           Answers live in the request's arena (zeroed by the caller, arena_fini() by the caller).
 * Threads   loop thread only.
 * Errors    TIDE_ENOENT no such notification or recipient, or another application's; TIDE_ESTATE it
 *           is not pending any more, or in flight; TIDE_EADDR `recipient` is no mail address;
 *           TIDE_EFULL, TIDE_EIO, TIDE_ELIMIT the store cannot take it now.
 */
#ifndef IO_STATUS_OPERATE_H
#define IO_STATUS_OPERATE_H

#include "base/arena.h"
#include "base/id.h"
#include "base/list.h"
#include "core/outcome/explain.h"
#include "core/plan/outlook.h"
#include "core/record/news.h"
#include "io/store/learn.h"

/* -- Cancel and release by hand -----------------------------------------------------------------
 */

struct operate_request {
    /* which: this notification, or (id 0) all that is pending of this recipient */
    tide_id id;
    bool whole;              /* cancel: for all recipients of its mail */
    struct text recipient;   /* as typed */
    struct text application; /* only what this application handed in; "": whoever did */
    struct text by;          /* who asks, for the journal: "application shop", "user anna" */
    /* out */
    size_t count; /* so many notifications were cancelled, or will be released at once */
    struct arena arena;
    void (*done)(struct operate_request *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    struct list hook; /* the daemon's */
    void *private;    /* the daemon's */
};

/* -- Limits with what is used of them -----------------------------------------------------------
 */

struct operate_limit {
    struct text name;    /* "qq/recipient-day" */
    struct text scope;   /* "recipient", "provider", ... */
    struct text subject; /* whose counter: "qq", "sendgrid", the recipient's address */
    struct text text;    /* "10 per day in Asia/Shanghai" */
    int64_t count, used;
    tide_wall_ms reset_at;          /* 0: its window has no such instant */
    struct text source, confidence; /* "published", "high" */
    struct text reference, date;    /* where the number is from; "" when nothing is noted */
};

struct operate_limits {
    struct text recipient; /* only those that apply to this one; "": all wider ones in use */
    /* out, in arena */
    struct operate_limit *rows;
    size_t count;
    struct text provider; /* that runs the recipient's mailbox; "" when not known */
    struct arena arena;
    void (*done)(struct operate_limits *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    struct list hook;
    void *private;
};

/* -- What replies have taught of limits ----------------------------------------------------------
 */

struct operate_reply {
    tide_wall_ms at;
    int64_t taken; /* in the window before it; -1: not known */
    bool ambiguous;
    struct text account, rule, words;
};

struct operate_learnt {
    struct text scope;         /* "recipient", "ip-provider", ... */
    struct text subject, of;   /* its parts: "outbox", "qq"; the address for a recipient; "@qq":
                                * every mailbox there */
    struct text text;          /* "10 per day in Asia/Shanghai"; "" while no number is known */
    int64_t count, used;       /* -1: not known */
    tide_wall_ms reset_at;     /* 0: its window has no such instant */
    tide_wall_ms closed_until; /* 0: not closed */
    struct text closed_for;    /* what the reply said */
    struct text source, confidence;
    int64_t refused_at;        /* the least count that was refused lately; 0: none is known */
    int64_t taught, confirmed; /* replies; windows that were used up since without one */
    bool pinned;
    /* what is believed of a number that replies have taught: nine in ten that it is `low` at least,
     * one in ten that it is over `high`; the chance that `count` are taken. likeliest 0: nothing */
    int64_t low, likeliest, high;
    double chance;
    struct operate_reply replies[3]; /* newest first */
    size_t reply_count;
};

struct operate_learnt_list {
    struct text recipient; /* only what concerns this one; "": all */
    /* out, in arena */
    struct operate_learnt *rows;
    size_t count;
    struct arena arena;
    void (*done)(struct operate_learnt_list *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
};

/* By hand: a number that stays, or all that was learnt of something forgotten. */
struct operate_limit_word {
    bool forget;
    struct text scope, subject, of; /* as in struct operate_learnt */
    struct text window, zone;       /* pin: "day", "rolling 1h"; "" the day, UTC */
    int64_t count;                  /* pin */
    struct text by;
    /* out */
    struct text said; /* what was done, a sentence, in arena */
    struct arena arena;
    void (*done)(struct operate_limit_word *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
};

/* -- Suppressing and lifting ---------------------------------------------------------------------
 */

enum operate_suppress_what { OPERATE_SUPPRESS, OPERATE_LIFT, OPERATE_CONFIRM };

struct operate_suppress {
    enum operate_suppress_what what;
    /* SUPPRESS: cause, scope, evidence, at, expires_at; its address as typed. An evidence that
     * turns out to be a limit, an outage or a fault of ours suppresses nobody: TIDE_ESTATE. */
    struct suppression entry;
    bool one_scope;          /* LIFT: that of `entry`->scope alone */
    struct text application; /* whose recipient it is; "": an operator asks */
    struct text by;
    /* out */
    struct arena arena;
    void (*done)(struct operate_suppress *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    void *private; /* the daemon's */
};

/* -- Guards --------------------------------------------------------------------------------------
 */

struct operate_guard {
    struct text name;   /* "ses/bounces", "ses/newsletter/bounces", "ses > google/complaints" */
    struct text state;  /* "open", "narrow", "closed" */
    struct text counts; /* "bounces", "complaints" */
    tide_wall_ms since, rest_until; /* 0: open ever since; not closed */
    bool warned;
    double mails, failures; /* that still count */
    double rate, bound;     /* likely, and at least */
    double review, pause;   /* levels */
};

struct operate_guard_open {
    struct text name, by;
    struct text said; /* out: a sentence, in arena; "": there is no such guard */
    struct arena arena;
};

/* -- How it goes --------------------------------------------------------------------------------
 */

struct operate_account {
    struct text name, type;     /* "outbox", "smtp" */
    struct text state;          /* "ready", "backing off", "closed" */
    struct text reason;         /* why it is not ready, a sentence; "" when it is */
    tide_wall_ms backoff_until; /* 0: not backing off */
    int room;                   /* mails it could take now */
    int64_t in_flight;
    int64_t accepted, deferred, refused, unknown; /* attempts since start, by their end */
};

struct operate_dns_server {
    struct text address;
    bool ok;
    int64_t queries, timeouts;
    int64_t rtt_ms; /* smoothed; -1: not known yet */
};

struct operate_alarm {
    struct text key, severity; /* "guard/ses/bounces"; "notice", "warning", "critical" */
    tide_wall_ms since;
    struct text sentence, advice;
};

struct operate_status {
    struct text version;
    tide_wall_ms started_at, now;
    struct text clock;         /* clock_text() when it is scaled, "" for real time */
    bool accepting;            /* intake takes mail */
    struct text not_accepting; /* why not, a sentence */
    /* since start */
    int64_t accepted, duplicates, intake_refused, released, digests;
    int64_t news[NEWS_UNLISTED + 1], news_known; /* told by ESPs and bounces; of mail of ours */
    double accepted_per_s, released_per_s;       /* over the last minute */
    int64_t recipients_held;                     /* with something pending, held in memory */
    /* queue lengths, now */
    int64_t verifying, due, waiting, flying; /* groups; attempts for `flying` */
    struct operate_alarm *alarms;            /* most severe first */
    size_t alarm_count;
    struct operate_account *accounts;
    size_t account_count;
    bool store_ok;
    struct text store_text; /* "" or what is wrong */
    int64_t store_queue;    /* requests that wait for the writer */
    int64_t store_free_bytes;
    struct operate_dns_server *dns;
    size_t dns_count;
    int64_t dns_cache_entries, dns_in_flight;
};

/* -- Learning from history: POST /v1/learn -------------------------------------------------------
 */

struct operate_learn {
    /* in, in arena: rows of the policy's sites, and recipients */
    struct ledger_blob *sites;
    size_t site_count;
    struct learn_recipient *recipients;
    size_t recipient_count;
    /* out */
    size_t sites_taken; /* profiles; others are known better */
    size_t recipients_taken, recipients_known, addresses_bad; /* struct store_learn's */
    struct arena arena;
    void (*done)(struct operate_learn *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
    void *private;
};

/* -- What is to come: GET /v1/forecast ----------------------------------------------------------
 */

struct operate_foreseen {
    struct text name, text, subject; /* of the limit: "qq/recipient-day", "10 per day", whose */
    int64_t count, used, pending;
    tide_wall_ms reset_at; /* 0: it has no such instant */
    double chance;         /* that more comes than it lets out until then, if each left alone */
    tide_wall_ms over_at;  /* when, if so; 0: it cannot be */
    double share;          /* struct plan_wide's; 1: no digest lengthens because of it */
    tide_wall_ms dear_until;
};

struct operate_forecast {
    /* in: one of them */
    struct text recipient, provider, account;
    /* out, in arena */
    struct outlook outlook; /* until the window's end that matters most */
    uint64_t recipients;    /* summed over so many */
    struct operate_foreseen *limits;
    size_t limit_count;
    int64_t today, pending; /* a recipient's: came today, waits */
    tide_wall_ms now;
    struct arena arena;
    void (*done)(struct operate_forecast *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
};

/* What an application says is to come: PUT /v1/recipients/ADDRESS/expected, PUT /v1/expected. */
struct operate_expect {
    struct text recipient; /* "": all */
    double value;          /* his count of the day; of all, so many times the usual; 0 takes back */
    tide_wall_ms until;    /* 0: for a day */
    struct text by;
    struct arena arena;
    void (*done)(struct operate_expect *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
};

/* -- The table that the daemon fills ------------------------------------------------------------
 */

struct operate {
    void *arg;
    void (*cancel)(void *arg, struct operate_request *req);
    void (*release)(void *arg, struct operate_request *req); /* counts against the limits */
    void (*limits)(void *arg, struct operate_limits *req);
    void (*learn)(void *arg, struct operate_learn *req);
    void (*learnt)(void *arg, struct operate_learnt_list *req);
    /* Both at once, as status. */
    void (*guards)(void *arg, struct arena *arena, struct operate_guard **ret, size_t *ret_count);
    void (*guard_open)(void *arg, struct operate_guard_open *req);
    void (*limit_word)(void *arg, struct operate_limit_word *req);
    void (*wake_webhooks)(void *arg); /* letters were put back */
    /* What explains replies now; good for as long as requests are answered, on other threads too.
     */
    struct explainer (*explainer)(void *arg, const struct profiles **ret_profiles);
    void (*forecast)(void *arg, struct operate_forecast *req);
    void (*expect)(void *arg, struct operate_expect *req);
    void (*suppress)(void *arg, struct operate_suppress *req);
    /* What "in 3 h" counts from: the daemon's clock may be hurried. */
    tide_wall_ms (*now)(void *arg);
    /* Fills *ret (zeroed) at once; its strings and arrays go into `arena` or outlive it. What is
     * not known stays zero. */
    void (*status)(void *arg, struct arena *arena, struct operate_status *ret);
};

#endif
