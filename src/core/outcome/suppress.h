/* suppress.h - when what was said of a recipient stops its mail, which of it, for how long, and
 * what starts it again.
 *
 *   no such mailbox   two refusals an hour apart, or one in the words of the recipient's own
 *                     provider (or 5.1.1, 5.1.10 with words): stopped; tried again after a while.
 *                     A mailbox that took mail in the last two weeks, or was confirmed, has to be
 *                     refused twice
 *   full, disabled    rests, longer each time, then is stopped; tried again after a while
 *   blocked us        the sender that was refused is stopped for it, no other
 *   complaint         stopped, until its owner or an operator says otherwise
 *   unsubscribed      that stream is stopped, unless it is an urgent one; until somebody lifts it
 *   anything else     limits, outages, content, reputation, authentication, a bare 550: never
 *
 * A delivery starts again what was stopped for the address or its mailbox.
 *
 * Owns      nothing: scopes are in the answer itself.
 * Threads   any. Reads no clock.
 * Standards RFC 5321 4.2.1, RFC 3463. Classes: schedules/replies/README.
 */
#ifndef CORE_OUTCOME_SUPPRESS_H
#define CORE_OUTCOME_SUPPRESS_H

#include "core/outcome/finding.h"
#include "core/record/past.h"

#define SUPPRESS_APART_MS    TIME_HOUR_MS       /* two refusals that are not one event */
#define SUPPRESS_RECENT_MS   (14 * TIME_DAY_MS) /* of a delivery that speaks for a mailbox */
#define SUPPRESS_MEMORY_MS   (90 * TIME_DAY_MS) /* findings and entries that still count */
#define SUPPRESS_SEVERAL     3                  /* mails of a day that make a limit likely */
#define SUPPRESS_SCOPE_BYTES 400

struct suppress_case {
    tide_wall_ms now, said_at;
    enum news_kind kind;
    const struct meaning *meaning; /* of BOUNCED and DEFERRED; else NULL */
    int status[3];                 /* enhanced; 0 0 0: not known */
    bool unclear_address; /* ambiguous words that suppress_unclear() called the address's */
    tide_id attempt_id;
    struct text identity, stream; /* of the mail; "" not known */
    bool urgent;                  /* that stream is */
    bool never;                   /* it is on the operator's list of those that are never stopped */
    const struct recipient_past *past;
};

struct suppress_answer {
    bool note; /* the refusal is evidence about the recipient: keep it */
    bool sure;
    enum reply_class class; /* of the evidence */
    bool stop; /* an entry is to be made of what follows, in place of one of the same scope */
    enum suppression_cause cause;
    bool pause;
    char scope[SUPPRESS_SCOPE_BYTES];
    tide_wall_ms expires_at; /* 0: never */
    int times;
    const char *why; /* for people; "" where nothing is stopped */
};

void suppress_judge(const struct suppress_case *c, struct suppress_answer *ret);

/* Does a delivery of this sender's mail at that time end an entry? */
bool suppress_ends(const struct suppression *s, struct text identity, tide_wall_ms delivered_at);

/* Does an entry that mailtide made stand on words that today's rules read as a limit, an outage or
 * a fault of ours? The rule that made it counts for as long as it still says that it is the
 * recipient's. */
bool suppress_is_outdated(const struct suppression *s, const struct rulebook *rules);

/* What words mean that stand for a limit as well as for an address that is wrong. */
enum suppress_unclear { UNCLEAR_LIMIT, UNCLEAR_ADDRESS, UNCLEAR_NEITHER };
enum suppress_unclear suppress_unclear(const struct recipient_past *past);

/* What an entry does to mail. */
enum suppress_effect {
    EFFECT_NONE,
    EFFECT_TRIED,  /* would stop it, but its stream says to try; the domain is verified anew */
    EFFECT_PAUSED, /* held until the entry expires */
    EFFECT_STOPPED,
};

struct suppress_mail {
    struct text stream, identity;
    bool urgent;
    enum on_suppressed rule; /* of its stream */
};

enum suppress_effect suppress_effect(const struct suppression *s,
                                     const struct suppress_mail *mail,
                                     tide_wall_ms now);

#endif
