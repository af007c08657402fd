/* verified.h - what was found out of an address, as a row of CSV or a line of JSON.
 *
 * Owns      nothing. Threads any. Pure.
 */
#ifndef CORE_VERIFY_VERIFIED_H
#define CORE_VERIFY_VERIFIED_H

#include "base/buf.h"

enum verified_form { VERIFIED_CSV, VERIFIED_NDJSON };

struct verified {
    struct text given, address; /* address: the normal form; empty: it is none */
    struct text verdict, provider, gateway;
    bool provider_likely; /* not certain */
    unsigned hints;       /* of enum recipient_hint */
    struct text meant;
    bool suppression_known; /* a daemon was asked */
    struct text suppressed; /* why it is not to be mailed; empty: it may be, or nobody was asked */
    struct text reason, evidence;
};

/* The first line of CSV; nothing for JSON. */
void verified_put_head(enum verified_form form, struct buf *out);
void verified_put_row(enum verified_form form, const struct verified *row, struct buf *out);

#endif
