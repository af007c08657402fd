/* shape.h - the JSON of notifications, attempts, the journal, limits and the state of the gate.
 *
 * The one place that says how a record looks to programs, for the HTTP API, the status socket and
 * the CLI. Times are RFC 3339 in UTC, ids are strings, what is not known is null.
 *
 *   notification  id, state, recipient, domain, application, stream, sender, subject, message_id,
 *                 thread, key, collapse_key, accepted_at, not_before, deadline, changed_at,
 *                 estimated_release_at, reason, limit, attempts, attempt
 *   attempt       id, account, provider, stream, state, digest, notifications, may_be_double,
 *                 message_id, started_at, ended_at, reply
 *   journal       seq, at, event, sentence, notification, attempt, detail, cause, ends
 *   limit         name, scope, subject, text, count, used, free, reset_at, source, confidence,
 *                 reference, date
 *   status        see shape_status()
 *
 * Owns nothing. Threads any.
 */
#ifndef IO_STATUS_SHAPE_H
#define IO_STATUS_SHAPE_H

#include "core/proto/json_write.h"
#include "core/record/notification.h"
#include "io/status/operate.h"
#include "io/store/store.h"

void shape_notification(struct json_writer *w, const char *name, const struct notification *n);
void shape_attempt(struct json_writer *w, const char *name, const struct attempt *a);
/* With what it follows from, and what is over with it: seq of another entry, 0 for null. */
void shape_journal(struct json_writer *w,
                   const char *name,
                   const struct journal_entry *e,
                   int64_t cause,
                   int64_t ends);
void shape_limit(struct json_writer *w, const char *name, const struct operate_limit *l);
/* scope, subject, of, text, count, used, reset_at, closed_until, closed_for, source, confidence,
 * refused_at, taught, confirmed, pinned, belief: {low, likeliest, high, chance}, replies: [{at,
 * taken, ambiguous, account, rule, words}] */
void shape_learnt(struct json_writer *w, const char *name, const struct operate_learnt *l);
/* address, scope, cause, pause, evidence, rule, account, attempt, by, at, expires_at, lifted_at,
 * times */
void shape_suppression(struct json_writer *w, const char *name, const struct suppression *s);
/* name, state, counts, since, rest_until, warned, mails, failures, rate, bound, review, pause */
void shape_guard(struct json_writer *w, const char *name, const struct operate_guard *g);
void shape_verdict(struct json_writer *w, const char *name, const struct verdict *v);

/* {version, started_at, now, clock, accepting, not_accepting, notifications {STATE: n},
 *  attempts {STATE: n}, oldest_pending_at, since_start {...}, per_second {...}, queues {...},
 *  accounts [...], store {...}, dns {...}} */
void shape_status(struct json_writer *w,
                  const char *name,
                  const struct operate_status *s,
                  const struct store_counts *counts);

/* The same as Prometheus' text format 0.0.4. */
void shape_metrics(struct buf *out,
                   const struct operate_status *s,
                   const struct store_counts *counts);

/* The same for people: a few aligned lines. */
void shape_overview(struct buf *out,
                    const struct operate_status *s,
                    const struct store_counts *counts);

#endif
