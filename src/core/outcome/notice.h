/* notice.h - reads what a mail system wrote to people: which addresses failed, and why.
 *
 * No patterns of single systems: it reads the structure that they share. Addresses stand alone on a
 * line, begin one, or follow a word such as "to" or "recipient"; what was wrong with one stands
 * behind it or below it; transcripts quote commands and replies; the returned message comes last,
 * behind a ruled line or with its header fields.
 *
 * Owns      nothing; texts are in the caller's arena or stretches of `body`.
 * Threads   any. No clock, no I/O.
 * Errors    TIDE_ENOMEM.
 * Limits    the constants below: what comes after is not read. Time is linear in the size times
 *           the number of addresses.
 */
#ifndef CORE_OUTCOME_NOTICE_H
#define CORE_OUTCOME_NOTICE_H

#include "base/arena.h"

#define NOTICE_LINES_MAX     2000
#define NOTICE_LINE_BYTES    1000 /* of a line that are looked at */
#define NOTICE_ADDRESSES_MAX 100
#define NOTICE_REASON_BYTES  1500

struct notice_recipient {
    struct text address;
    struct text original; /* what it was made from ("generated from ..."); "" when not said */
    struct text reason;   /* what stands with it, on one line; "" when nothing does */
    struct text heading;  /* the sentence above it: "The user's account is disabled."; "" */
    bool begins;          /* it stands alone on its line, or begins it: a list, no sentence */
    int weight;           /* how sure it is that it is one that failed: 3 and more is taken, 2 where
                           * nothing surer is there */
};

enum notice_tone {
    NOTICE_PLAIN,    /* says neither */
    NOTICE_FAILURE,  /* it was not delivered */
    NOTICE_DELAY,    /* it was not delivered yet */
    NOTICE_DELIVERY, /* it was delivered */
};

struct notice {
    struct notice_recipient *recipients; /* the surest first, then in order */
    size_t recipient_count;
    bool names; /* these are made of names in a list: where nothing else tells whom it is about */
    enum notice_tone tone;
    struct text said;    /* all of it up to the returned message, on one line */
    struct text replies; /* the lines that quote a server, on one line */
    struct text rest;    /* the returned message, where the text holds one */
};

/* `not_these`: addresses that take part in the notice itself (whom it is from, whom it is for).
 * `home`: the domain that it is from, which names without one belong to. */
TIDE_MUST_CHECK enum tide_err notice_read(struct text body,
                                          const struct text *not_these,
                                          size_t not_count,
                                          struct text home,
                                          struct arena *a,
                                          struct notice *ret,
                                          struct tide_error *err);

/* The next address in `t` at or after *pos, which goes behind it. */
bool notice_address(struct text t, size_t *pos, struct text *ret);

/* Does a line say that something failed, so that the addresses that follow are those it failed for?
 */
bool notice_leads(struct text line);

/* What a text says became of the mail. */
enum notice_tone notice_tone_of(struct text said);

#endif
