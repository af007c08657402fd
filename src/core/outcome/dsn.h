/* dsn.h - the fields of a delivery status notification (RFC 3464; RFC 6533 for UTF-8 addresses).
 *
 *     struct dsn d;
 *     dsn_read(part, &arena, &d);       // the decoded body of message/delivery-status
 *
 * Fields are taken wherever they stand: many senders leave out the blank lines that part one
 * recipient from the next, or put per-message fields last.
 *
 * Owns      nothing; texts are in the caller's arena.
 * Threads   any. No clock, no I/O.
 * Errors    TIDE_ENOMEM. What is no field is passed over.
 * Limits    DSN_RECIPIENTS_MAX; later ones are counted in `left_out`. Linear in the size.
 */
#ifndef CORE_OUTCOME_DSN_H
#define CORE_OUTCOME_DSN_H

#include "base/arena.h"

#define DSN_RECIPIENTS_MAX 200

enum dsn_action {
    DSN_NO_ACTION, /* none said, or none known */
    DSN_FAILED,
    DSN_DELAYED,
    DSN_DELIVERED,
    DSN_RELAYED,
    DSN_EXPANDED,
};

const char *dsn_action_name(enum dsn_action a); /* "failed"; "" for none */

struct dsn_recipient {
    struct text original, final; /* addresses without their type; "" where there is none */
    enum dsn_action action;
    int status[3];          /* 0 0 0: none */
    struct text diagnostic; /* without its type, on one line */
    struct text remote_mta;
    struct text will_retry_until; /* as it stands */
};

struct dsn {
    struct text reporting_mta, envelope_id, arrival_date;
    struct dsn_recipient *recipients;
    size_t recipient_count, left_out;
};

TIDE_MUST_CHECK enum tide_err dsn_read(struct text part,
                                       struct arena *a,
                                       struct dsn *ret,
                                       struct tide_error *err);

/* "5.1.1 (bad mailbox)": the code in front. False when there is none. */
bool dsn_status(struct text value, int ret[3]);

/* "rfc822;ann@example.com", "<ann@example.com>", "utf-8; \x{E4}nn@example.com": the address. */
struct text dsn_address(struct text value, struct arena *a);

/* "smtp; 550 no", "dns; mx.example": what stands behind the type. */
struct text dsn_diagnostic(struct text value);

/* Takes the next field of a block of them from *rest: folded lines are joined, blanks trimmed. An
 * empty name is an empty line; a line that is no field is passed over. False at the end. */
bool dsn_field(struct text *rest, struct arena *a, struct text *ret_name, struct text *ret_value);

#endif
