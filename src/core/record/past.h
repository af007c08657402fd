/* past.h - what the store knows of a recipient's past, and of the mail that a piece of news is
 * about: all that is needed to act on it, for recipients with nothing in memory too.
 *
 * Owns      nothing: texts are borrowed from the arena that the record came in.
 * Threads   any.
 */
#ifndef CORE_RECORD_PAST_H
#define CORE_RECORD_PAST_H

#include "core/record/news.h"
#include "core/record/notification.h"
#include "core/record/suppression.h"
#include "core/record/verdict.h"

#define PAST_FINDINGS_MAX     20 /* of one recipient that are looked at, the newest */
#define PAST_SUPPRESSIONS_MAX 20

/* A refusal that said something about the recipient's address or mailbox. */
struct past_finding {
    tide_wall_ms at;
    tide_id attempt_id; /* 0: not known; those of one attempt are one */
    struct text class;  /* reply_class_name() */
    bool sure;          /* the words themselves said so, not a code alone */
    struct text account, rule, reply;
};

struct recipient_past {
    tide_wall_ms delivered_at; /* the last time that somebody said so; 0: never */
    tide_wall_ms taken_at; /* the last attempt that an account took and no news denied; 0: none */
    int64_t taken_today;   /* such attempts in the last 24 hours; the one at hand is not counted */
    struct past_finding *findings; /* newest first */
    size_t finding_count;
    struct suppression *suppressions; /* in force or over */
    size_t suppression_count;
};

struct recipient_state;

/* What was found about a piece of news. */
struct news_found {
    bool seen;                               /* news of this key was acted on before */
    const struct recipient_state *recipient; /* NULL: nobody of ours */
    const struct attempt *attempt;           /* NULL: none was found */
    struct text application, identity;       /* of the attempt's group */
    enum notification_state state;           /* of the attempt's notifications */
    tide_wall_ms newest_at;                  /* acceptance of the newest of them */
    struct recipient_past past;
};

#endif
