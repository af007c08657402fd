/* guard_rule.h - a rate that an ESP or a provider watches: so many bounces or complaints of all
 * mails, and it reviews or pauses whoever sent them.
 *
 * Plain data, read from profiles (schedules/); core/plan/guard.h keeps to it.
 *
 * Owns      nothing: strings are the profile's.
 * Threads   any, read only.
 */
#ifndef CORE_LIMIT_GUARD_RULE_H
#define CORE_LIMIT_GUARD_RULE_H

#include "core/limit/limit.h"

enum guard_counts {
    GUARD_BOUNCES,    /* mails that the ESP calls hard bounces; where it does not say, those that
                       * were refused for good because of their address */
    GUARD_COMPLAINTS, /* mails that somebody called spam */
};

struct guard_rule {
    char *name; /* "bounces" */
    enum guard_counts counts;
    double review, pause; /* shares of all mails: 0.05, 0.1 */
    int64_t volume;       /* over about so many of the last mails */
    enum limit_source source;
    enum limit_confidence confidence;
    char *reference, *date;
};

#endif
