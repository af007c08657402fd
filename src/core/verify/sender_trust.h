/* sender_trust.h - a sender that is watched: what its report means beside the one before, and
 * whether its bulk streams go on.
 *
 *   a check fails   it is bad, and it passed before, or a provider demands it of this sender
 *   it is unknown   DNS did not answer: it stays what it was, and nothing is held or let go for it
 *
 * Reports are kept as JSON, the form of `mailtide check-sender --json` with a few members more, so
 * that whoever reads the store or the status socket needs no second form.
 *
 * Owns      nothing; texts are made in the caller's arena.
 * Threads   any. Pure.
 * Errors    TIDE_ENOMEM. A report before that cannot be read counts as none.
 */
#ifndef CORE_VERIFY_SENDER_TRUST_H
#define CORE_VERIFY_SENDER_TRUST_H

#include "core/proto/json_write.h"
#include "core/record/change.h"
#include "core/verify/sender.h"

struct sender_trust {
    bool failing;       /* a check fails, or failed and is not known now */
    bool seen_failing;  /* this time */
    bool passed_before; /* ever, as a whole */
    struct text reason; /* the check that fails, with its finding; "": none */
    struct text advice; /* the record to publish; may be "" */
    struct text remark; /* of single mails (unsubscribing): what is not right; "": nothing */
    struct text report; /* for the next time, and to be shown */
    bool doubtful;      /* DNS did not answer everything */
    bool held;
};

/* `before` is the record of the last check (all zero: there was none). hold, hold_first: what the
 * configuration says of failures after having passed, and of others. `account` is its name. */
TIDE_MUST_CHECK enum tide_err sender_trust(const struct sender *s,
                                           struct text account,
                                           const struct sender_record *before,
                                           bool hold,
                                           bool hold_first,
                                           struct arena *arena,
                                           struct sender_trust *ret,
                                           struct tide_error *err);

/* "check", "state", "finding", "evidence", "consequences", "publish" of one check, into an open
 * object. */
void sender_check_json(struct json_writer *w, const struct sender_check *c);

#endif
