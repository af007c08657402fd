#include "core/outcome/finding.h"

#include "core/config/limits.h"

#include <stdio.h>

/* -- Meaning ----------------------------------------------------------------------------------- */

/* What the first digit says (RFC 5321 4.2.1), of the code or, without one, of the status. */
static int first_digit(const struct reply_said *said)
{
    return said->code ? said->code / 100 : said->status[0];
}

/* Without a code, what nobody mends by waiting is for good. */
static bool for_good(const struct reply_said *said, enum reply_fault fault)
{
    if (first_digit(said) > 0)
        return first_digit(said) == 5;
    return fault == FAULT_RECIPIENT || fault == FAULT_POLICY || fault == FAULT_CONTENT ||
           fault == FAULT_OURS;
}

static void last_resort(const struct reply_said *said, struct meaning *ret)
{
    switch (first_digit(said)) {
    case 2:
        ret->cause = "The server accepted.";
        ret->advice = "There is nothing to do.";
        break;
    case 4:
        ret->cause = "The server refused for now and gave no reason that is known here.";
        ret->advice = "Wait: it is tried again. If it goes on for a day, ask the operators of the "
                      "recipient's mail server, quoting the reply.";
        break;
    case 5:
        ret->cause = "The server refused for good and gave no reason that is known here.";
        ret->advice = "Read the reply itself; it alone does not say that the address is wrong. Ask "
                      "the recipient by other means, or the operators of the mail server.";
        break;
    default:
        ret->cause = "The text says nothing that is known here.";
        ret->advice = "Look for the server's own reply, three digits and a text, in the log of "
                      "whoever sent the mail.";
        break;
    }
}

void meaning_of(const struct rulebook *rules, const struct reply_said *said, struct meaning *ret)
{
    *ret = (struct meaning){0};
    const struct reply_rule *rule = rules ? rulebook_find(rules, said, ret->evidence) : NULL;
    if (rule) {
        ret->rule = rule;
        ret->class = rule->class;
        ret->fault = rule->fault;
        ret->retry = rule->retry;
        ret->basis = !rule->by_text ? BASIS_CODE : rule->loose ? BASIS_WORDS : BASIS_TEXT;
        ret->cause = rule->cause;
        ret->advice = rule->advice;
    } else {
        last_resort(said, ret);
    }
    for (size_t i = 0; rule && i < rule->provider_count; i++)
        ret->own |= said->provider.n > 0 && text_eq(said->provider, text_of(rule->providers[i]));
    ret->for_good = for_good(said, ret->fault);
    if (ret->retry == RETRY_BY_CODE)
        ret->retry = ret->for_good ? RETRY_NEVER : RETRY_LATER;
    if (ret->retry == RETRY_FIX && first_digit(said) == 4)
        ret->retry = RETRY_LATER; /* they will take it once it is mended */
}

const char *meaning_consequence(const struct meaning *m, char *out, size_t size)
{
    static const char *const scopes[] = {
        [LIMIT_RECIPIENT] = "mail to this recipient",
        [LIMIT_PAIR] = "mail of this sender to this recipient",
        [LIMIT_DOMAIN] = "mail to this recipient's domain",
        [LIMIT_PROVIDER] = "mail to this provider",
        [LIMIT_SENDER_DOMAIN_PROVIDER] = "mail of this sender domain to this provider",
        [LIMIT_IP_PROVIDER] = "mail from these IP addresses to this provider",
        [LIMIT_IP_DOMAIN] = "mail from these IP addresses to this domain",
        [LIMIT_ACCOUNT] = "mail through this account",
        [LIMIT_ACCOUNT_STREAM] = "mail of this stream through this account",
    };
    char window[64];
    if (m->rule && m->rule->ambiguous) {
        snprintf(out, size,
                 "It depends on the recipient's own history. Where mail arrived before and several "
                 "were taken today it is the limit: hold %s until the window (%s%s%s) opens anew. "
                 "Where none ever arrived it counts as evidence against the address.",
                 scopes[m->rule->scope], limits_window_text(&m->rule->window, window),
                 m->rule->window.zone ? ", " : "",
                 m->rule->window.zone ? m->rule->window.zone : "");
        return out;
    }
    switch (m->retry) {
    case RETRY_RESET:
        snprintf(out, size,
                 "Hold %s until the window (%s%s%s) opens anew; it is no failure of the "
                 "mail, and nobody is suppressed for it.",
                 scopes[m->rule->scope], limits_window_text(&m->rule->window, window),
                 m->rule->window.zone ? ", " : "",
                 m->rule->window.zone ? m->rule->window.zone : "");
        break;
    case RETRY_LATER:
    case RETRY_BY_CODE:
        snprintf(out, size, "Try again later, with growing pauses.%s",
                 m->fault == FAULT_OURS ? " Tell the operator: others will be put off too until "
                                          "it is mended."
                                        : "");
        break;
    case RETRY_RECONNECT:
        snprintf(out, size, "Go on at once over a new connection.");
        break;
    case RETRY_SPLIT:
        snprintf(out, size, "Send again with fewer recipients in one message.");
        break;
    case RETRY_FIX:
        snprintf(out, size,
                 "Give this mail up and tell the operator: others will be refused too "
                 "until it is mended. The address is not suppressed for it.");
        break;
    case RETRY_NEVER:
        snprintf(out, size, "Give this mail up. %s",
                 m->rule && m->rule->pair
                     ? "Mail of this sender to this recipient stops for a while; "
                       "other senders are not concerned."
                 : m->fault != FAULT_RECIPIENT ? "The address is not suppressed for it."
                 : m->class == CLASS_FULL      ? "The address rests for a while, longer each time."
                                               : "It counts as evidence against the address; once "
                                                 "confirmed, the address is suppressed.");
        break;
    }
    return out;
}

/* -- Outcome ----------------------------------------------------------------------------------- */

/* 421 closes the whole connection (RFC 5321 3.8); 454 is "TLS not available" or "temporary
 * authentication failure" (RFC 3207, 4954), and what SES answers when it throttles the account. */
static bool concerns_account(const struct account_outcome *o)
{
    return o->account_fault || o->reply.code == 421 || o->reply.code == 454 ||
           (o->stage < STAGE_MAIL && o->reply.code >= 400);
}

static enum finding_kind kind_of(const struct account_outcome *o, const struct meaning *m)
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
    if (m->rule && m->rule->ambiguous && o->reply.code >= 500)
        return FINDING_UNCLEAR;
    /* QQ, NetEase, Aliyun, Orange, Exchange Online and others say 550 and mean "not today". */
    if (m->fault == FAULT_THEIR_LIMIT && m->retry == RETRY_RESET && m->rule->has_limit)
        return FINDING_LIMIT;
    bool later = m->rule && (m->retry == RETRY_LATER || m->retry == RETRY_RECONNECT);
    return o->reply.code >= 500 && !later ? FINDING_BOUNCE : FINDING_LATER;
}

void finding_of_outcome(const struct account_outcome *outcome,
                        struct text account,
                        struct text provider,
                        const struct rulebook *rules,
                        struct finding *ret)
{
    static const char *const meanings[] = {
        [FINDING_ACCEPTED] = "took it",
        [FINDING_LATER] = "could not take it now",
        [FINDING_UNCLEAR] = "refused it for a limit or for the address",
        [FINDING_LIMIT] = "refused it for a limit",
        [FINDING_BOUNCE] = "refused it for good",
        [FINDING_ACCOUNT] = "cannot take mail now",
        [FINDING_UNKNOWN] = "did not answer after the whole message; it may have arrived",
    };
    char said[REPLY_TEXT_BYTES_MAX + 64];
    *ret = (struct finding){0};
    reply_text(&outcome->reply, said, sizeof said);
    if (outcome->reply.code >= 400) {
        struct reply_said what = {.provider = provider,
                                  .stage = (int)outcome->stage,
                                  .code = outcome->reply.code,
                                  .words = text_of(said)};
        memcpy(what.status, outcome->reply.enhanced, sizeof what.status);
        meaning_of(rules, &what, &ret->meaning);
    }
    ret->kind = kind_of(outcome, &ret->meaning);
    snprintf(ret->sentence, sizeof ret->sentence, "account " TEXT_FMT " %s (%s): %s%s%s",
             TEXT_ARG(account), meanings[ret->kind], reply_stage_name(outcome->stage),
             said[0] ? said : "no reply", ret->meaning.rule ? " - " : "",
             ret->meaning.rule ? ret->meaning.cause : "");
}
