/* limit.h - a limit: scope x count x window x source (DESIGN: limits, windows, ledger).
 *
 * Plain data, made by src/core/config/profile.c and read by the planner. Where a number stands in
 * no provider's own text it is marked so by its source and confidence: a starting point, not a
 * fact.
 *
 * Owns      its strings (limit_fini()).
 * Threads   any, read only.
 */
#ifndef CORE_LIMIT_LIMIT_H
#define CORE_LIMIT_LIMIT_H

#include "base/time.h"

/* What one counter counts for. */
enum limit_scope {
    LIMIT_RECIPIENT,              /* one mailbox */
    LIMIT_PAIR,                   /* sender address, recipient */
    LIMIT_DOMAIN,                 /* recipient domain */
    LIMIT_PROVIDER,               /* all mail to one provider */
    LIMIT_SENDER_DOMAIN_PROVIDER, /* sender domain x provider */
    LIMIT_IP_PROVIDER,            /* sending IP pool of the account x provider */
    LIMIT_IP_DOMAIN,              /* sending IP pool of the account x recipient domain */
    LIMIT_ACCOUNT,                /* one ESP account */
    LIMIT_ACCOUNT_STREAM,         /* one stream within an account */
    LIMIT_SCOPES
};

enum window_kind {
    WINDOW_CALENDAR, /* minute, hour, day, month of a zone, each starting `offset_ms` late */
    WINDOW_CLOCK,    /* fixed spans of `span_ms` from the zone's midnight, e.g. half hours */
    WINDOW_ROLLING,  /* the last `span_ms`, exact */
    WINDOW_RATE,     /* `count` per `span_ms` with `burst` at once (GCRA) */
    WINDOW_COOLDOWN, /* `span_ms` since the last attempt; each attempt extends it; count is 1 */
};

enum window_unit { WINDOW_MINUTE, WINDOW_HOUR, WINDOW_DAY, WINDOW_MONTH };

struct window {
    enum window_kind kind;
    enum window_unit unit; /* calendar */
    int64_t span_ms;       /* clock, rolling, rate, cooldown */
    int64_t offset_ms;     /* calendar: the reset comes so much after the unit's start */
    char *zone;            /* IANA name; calendar and clock; NULL is UTC */
};

/* What uses a limit up. */
enum limit_counts {
    COUNT_ATTEMPTS, /* every try, refused or not */
    COUNT_ACCEPTED, /* every recipient that was accepted */
    COUNT_MESSAGES, /* every message, however many recipients it has */
};

enum limit_source { SOURCE_PUBLISHED, SOURCE_OBSERVED, SOURCE_CONFIGURED, SOURCE_LEARNED };
enum limit_confidence { CONFIDENCE_LOW, CONFIDENCE_MEDIUM, CONFIDENCE_HIGH };

struct limit {
    char *name; /* "qq/recipient-day": profile, then its own name; unique, stable over reloads */
    enum limit_scope scope;
    int64_t count; /* at most so many in the window */
    int64_t burst; /* rate: at most so many at once */
    struct window window;
    enum limit_counts counts;
    bool replies_free; /* mail that answers the recipient is not counted */
    enum limit_source source;
    enum limit_confidence confidence;
    char *reference; /* where the number is from, for people */
    char *date;      /* when it was found, "2026-11-21" */
    /* where it was read, for error texts */
    char *file;
    unsigned line;
};

void limit_fini(struct limit *l);

/* Counted for one mailbox, in the ledger that is kept beside it; else many share the counter. */
static inline bool limit_scope_is_own(enum limit_scope s)
{
    return s == LIMIT_RECIPIENT || s == LIMIT_PAIR;
}

/* The words of the configuration files and the CLI: "sender-domain-provider", "calendar", ... */
const char *limit_scope_name(enum limit_scope s);
const char *limit_source_name(enum limit_source s);
const char *limit_confidence_name(enum limit_confidence c);
bool limit_scope_of(struct text name, enum limit_scope *ret);

/* "10 per day in Asia/Shanghai", "14 per 1 s", "50000 per rolling 1 d": for people. Returns out. */
const char *limit_text(const struct limit *l, char *out, size_t size);

#endif
