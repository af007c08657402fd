/* outcome.h - what became of one try at one mail, as the way out saw it.
 *
 * Owns      nothing. Threads any.
 */
#ifndef CORE_OUTCOME_OUTCOME_H
#define CORE_OUTCOME_OUTCOME_H

#include "core/proto/reply.h"

enum account_result {
    ACCOUNT_ACCEPTED, /* 2yz after the dot, or written and synced */
    ACCOUNT_REFUSED,  /* a reply said no; reply.code tells for how long */
    ACCOUNT_NOT_SENT, /* never reached, or broke before the message was whole: nothing arrived */
    ACCOUNT_UNKNOWN,  /* broke after the final dot, before its reply: may have arrived */
};

struct account_outcome {
    enum account_result result;
    struct reply reply; /* the deciding one, also where it refused the connection or the login
                         * (NOT_SENT); else what happened, with code 0 */
    enum reply_stage stage;
    bool account_fault; /* not ACCEPTED for a reason that concerns the whole account (connection,
                         * TLS, AUTH, 421): back off, let another take over */
    int64_t wait_ms;    /* with account_fault: how long the other side asks to wait; 0: not said */
    struct account_quota {
        bool said;                /* its answer told of a window: */
        int64_t limit, remaining; /* -1: not said */
        int64_t reset_ms;         /* until it starts anew; 0: not said */
        int64_t window_ms;        /* how long it is; 0: not known */
    } quota;
};

#endif
