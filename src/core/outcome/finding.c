#include "core/outcome/finding.h"

#include <stdio.h>

/* 421 closes the whole connection (RFC 5321 3.8); 454 is "TLS not available" or "temporary
 * authentication failure" (RFC 3207, 4954), and what SES answers when it throttles the account. */
static bool concerns_account(const struct account_outcome *o)
{
    return o->account_fault || o->reply.code == 421 || o->reply.code == 454 ||
           (o->stage < STAGE_MAIL && o->reply.code >= 400);
}

static enum finding_kind kind_of(const struct account_outcome *o)
{
    switch (o->result) {
    case ACCOUNT_ACCEPTED:
        return FINDING_ACCEPTED;
    case ACCOUNT_UNKNOWN:
        return FINDING_UNKNOWN;
    case ACCOUNT_NOT_SENT:
        return o->account_fault ? FINDING_ACCOUNT : FINDING_LATER;
    case ACCOUNT_REFUSED:
        break;
    }
    if (concerns_account(o))
        return FINDING_ACCOUNT;
    return o->reply.code >= 500 ? FINDING_BOUNCE : FINDING_LATER;
}

void finding_of_outcome(const struct account_outcome *outcome,
                        struct text account,
                        struct finding *ret)
{
    static const char *const meanings[] = {
        [FINDING_ACCEPTED] = "took it",
        [FINDING_LATER] = "could not take it now",
        [FINDING_BOUNCE] = "refused it for good",
        [FINDING_ACCOUNT] = "cannot take mail now",
        [FINDING_UNKNOWN] = "did not answer after the whole message; it may have arrived",
    };
    char said[320];
    ret->kind = kind_of(outcome);
    reply_text(&outcome->reply, said, sizeof said);
    snprintf(ret->sentence, sizeof ret->sentence, "account " TEXT_FMT " %s (%s): %s",
             TEXT_ARG(account), meanings[ret->kind], reply_stage_name(outcome->stage),
             said[0] ? said : "no reply");
}
