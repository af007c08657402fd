/* finding.h - what a reply means: cause, whose fault, advice, and what follows from it.
 *
 * The rule base decides (rules.h); without a rule that fits, or without a rule base, the classes of
 * RFC 5321 4.2.1 do. Nothing here ever suppresses an address: a bare 550 does not say whose fault
 * it is.
 *
 * Owns      nothing: texts are the rule book's or static.
 * Threads   any.
 */
#ifndef CORE_OUTCOME_FINDING_H
#define CORE_OUTCOME_FINDING_H

#include "core/outcome/outcome.h"
#include "core/outcome/rules.h"

enum finding_kind {
    FINDING_ACCEPTED,
    FINDING_LATER,   /* this mail again later */
    FINDING_UNCLEAR, /* a limit of theirs or an address that is wrong: its history decides */
    FINDING_LIMIT,   /* a limit of theirs: not before its window opens anew, and no failure */
    FINDING_BOUNCE,  /* this mail never */
    FINDING_ACCOUNT, /* no fault of the mail: the account as a whole should rest, the mail goes on
                        hold */
    FINDING_UNKNOWN, /* the answer was lost: it may have arrived */
};

/* How much a meaning rests on. */
enum finding_basis {
    BASIS_NOTHING, /* the first digit, or less */
    BASIS_CODE,    /* a rule that knows the code alone */
    BASIS_WORDS,   /* single words that hint at it; no rule knows the sentence */
    BASIS_TEXT,    /* a rule that knows the words */
};

struct meaning {
    enum reply_class class;
    enum reply_fault fault;
    enum reply_retry retry; /* never RETRY_BY_CODE */
    enum finding_basis basis;
    const char *cause, *advice;
    const struct reply_rule *rule;       /* NULL: none fitted */
    bool own;                            /* a rule of the recipient's own provider */
    bool for_good;                       /* a 5yz, or what no waiting mends */
    char evidence[RULES_EVIDENCE_BYTES]; /* the words that decided; "" */
};

/* What was said, by the rules (NULL: there are none). */
void meaning_of(const struct rulebook *rules, const struct reply_said *said, struct meaning *ret);

/* What mailtide does with a mail that was answered so, as a sentence. Returns out. */
const char *meaning_consequence(const struct meaning *m, char *out, size_t size);

struct finding {
    enum finding_kind kind;
    char sentence[512];     /* for people: who said what, and what it means */
    struct meaning meaning; /* of a refusal; else all zero */
};

/* `provider` is the name of the recipient's provider's profile, empty when it is not known. */
void finding_of_outcome(const struct account_outcome *outcome,
                        struct text account,
                        struct text provider,
                        const struct rulebook *rules,
                        struct finding *ret);

#endif
