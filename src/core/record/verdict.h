/* verdict.h - what verification found out about a recipient's domain, with its evidence.
 *
 * A verdict is no error: SERVFAIL makes VERDICT_UNKNOWN with a time to ask again.
 *
 * Owns      nothing; strings live in the arena that the verdict was made in.
 * Threads   any.
 */
#ifndef CORE_RECORD_VERDICT_H
#define CORE_RECORD_VERDICT_H

#include "base/arena.h"
#include "base/time.h"

enum verdict_kind { VERDICT_UNKNOWN, VERDICT_DELIVERABLE, VERDICT_RISKY, VERDICT_UNDELIVERABLE };

const char *verdict_name(enum verdict_kind v); /* "unknown", "deliverable", ... */
bool verdict_of(struct text name, enum verdict_kind *ret);

struct verdict {
    enum verdict_kind kind;
    struct text provider; /* name of the profile; "" when none claims the MX set */
    bool provider_likely; /* told by SPF or DKIM alone, behind a gateway; else it is certain */
    struct text gateway;  /* a filter in front of the mailboxes; "" when none */
    struct text reason;   /* a sentence for people */
    struct text evidence; /* records seen, one a line: "client.asia MX 5 mxbiz1.qq.com (ttl 600)" */
    tide_wall_ms found_at, valid_until; /* unknown: when to ask again */
};

#endif
