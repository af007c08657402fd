/* arf.h - a complaint as providers send it (RFC 5965; RFC 6591 for authentication failures).
 *
 * Owns      nothing; texts are in the caller's arena.
 * Threads   any. No clock, no I/O.
 * Errors    TIDE_ENOMEM.
 * Limits    ARF_RECIPIENTS_MAX addresses are kept. Linear in the size.
 */
#ifndef CORE_OUTCOME_ARF_H
#define CORE_OUTCOME_ARF_H

#include "base/arena.h"

#define ARF_RECIPIENTS_MAX 50

struct arf {
    struct text type; /* "abuse", "fraud", "virus", "not-spam", "auth-failure" ... */
    struct text user_agent, source_ip, reported_domain, arrival_date, envelope_id;
    struct text mail_from;   /* Original-Mail-From: VERP may stand here */
    struct text *recipients; /* Original-Rcpt-To and the like; some providers hide them */
    size_t recipient_count;
};

/* The decoded body of message/feedback-report. */
TIDE_MUST_CHECK enum tide_err arf_read(struct text part,
                                       struct arena *a,
                                       struct arf *ret,
                                       struct tide_error *err);

#endif
