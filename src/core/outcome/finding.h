/* finding.h - what an outcome means: by the plain classes of RFC 5321 4.2.1 and RFC 3463.
 *
 * The last resort that always answers; rules that know the providers' own words come before it.
 * Nothing here ever suppresses an address: a bare 550 does not say whose fault it is.
 *
 * Owns      nothing. Threads any.
 */
#ifndef CORE_OUTCOME_FINDING_H
#define CORE_OUTCOME_FINDING_H

#include "core/outcome/outcome.h"

enum finding_kind {
    FINDING_ACCEPTED,
    FINDING_LATER,   /* this mail again later */
    FINDING_BOUNCE,  /* this mail never */
    FINDING_ACCOUNT, /* no fault of the mail: the account as a whole should rest, the mail goes on
                        hold */
    FINDING_UNKNOWN, /* the answer was lost: it may have arrived */
};

struct finding {
    enum finding_kind kind;
    char sentence[512]; /* for people: who said what, and what it means */
};

void finding_of_outcome(const struct account_outcome *outcome,
                        struct text account,
                        struct finding *ret);

#endif
