/* rules.h - the rule base of schedules/replies: what a reply's words and codes mean.
 *
 *     rulebook_new(&b, &err);
 *     rulebook_add(b, "schedules/replies/10-google.conf", content, &err);   // each file, in order
 *     rulebook_seal(b);
 *     rule = rulebook_find(b, &said, &evidence);       // NULL: no rule knows it
 *
 * The first rule that fits decides: of the recipient's provider's own rules first, then of all in
 * order. An enhanced code means what that provider means by it (Gmail's 4.7.28 is not IANA's), so
 * codes alone are the last rules of all.
 *
 * A rule's patterns are PCRE2, without case, compiled once with the JIT. A pattern is tried only on
 * texts that have the three-letter pieces of its longest plain stretch, or of one in each of its
 * alternatives: some hundred rules cost microseconds.
 *
 * Owns      everything its rules point to, until rulebook_free().
 * Threads   rulebook_find() any, once sealed.
 * Errors    "FILE:LINE: KEY: want ..., got ..."; a pattern's fault with its place in the pattern.
 * Limits    the constants below. A match that runs out of its bound did not match.
 */
#ifndef CORE_OUTCOME_RULES_H
#define CORE_OUTCOME_RULES_H

#include "core/config/config.h"
#include "core/proto/reply.h"

#define RULES_MAX           2000
#define RULES_PROVIDERS_MAX 64   /* that rule files name, all together */
#define RULES_TEXT_BYTES    4096 /* of a reply that are looked at */
#define RULES_LIST_MAX      32   /* elements of a rule's lists */

/* Who has to do something about it. */
enum reply_fault {
    FAULT_UNKNOWN,      /* the reply does not say */
    FAULT_RECIPIENT,    /* the address or its mailbox */
    FAULT_OURS,         /* our set-up: DNS, authentication, reputation, credentials, software */
    FAULT_THEIR_LIMIT,  /* they take only so much: no one's fault, it passes */
    FAULT_THEIR_OUTAGE, /* their system or the way to it does not work */
    FAULT_CONTENT,      /* this message */
    FAULT_POLICY,       /* they do not want it from us, or not at this address */
};

enum reply_class {
    CLASS_OTHER,
    CLASS_RECIPIENT, /* no such mailbox; with another fault than theirs: their own filter refuses */
    CLASS_DOMAIN,    /* there is no such domain, or it takes no mail */
    CLASS_DISABLED,  /* there is one, shut */
    CLASS_FULL,
    CLASS_MOVED,
    CLASS_TOOBIG,
    CLASS_SPAM,       /* what the message says looks like spam */
    CLASS_REPUTATION, /* of the sending IP or domain; block lists; names in DNS */
    CLASS_AUTH,       /* SPF, DKIM, DMARC, log-in */
    CLASS_POLICY,
    CLASS_CONTENT,
    CLASS_VIRUS,
    CLASS_RATE, /* too many, too fast, greylisted */
    CLASS_NETWORK,
    CLASS_SYSTEM,
    CLASS_RELAY,
    CLASS_PROTOCOL,
    REPLY_CLASSES
};

/* What to do with this mail. */
enum reply_retry {
    RETRY_BY_CODE,   /* as the first digit says: 4 later, 5 never */
    RETRY_LATER,     /* the same again, with growing pauses, whatever the code says */
    RETRY_RESET,     /* not before the limit's window opens anew; it is no failure */
    RETRY_RECONNECT, /* at once, on a new connection */
    RETRY_SPLIT,     /* with fewer recipients in one message */
    RETRY_FIX,       /* not until the sender has changed something */
    RETRY_NEVER,
};

bool reply_class_of(struct text name, enum reply_class *ret);
const char *reply_fault_name(enum reply_fault f); /* "their-limit" */
const char *reply_class_name(enum reply_class c); /* "recipient" */
const char *reply_retry_name(enum reply_retry r); /* "reset" */

struct reply_rule {
    const char *name; /* "google/rate-recipient": its file without number, then its own */
    const char *file;
    enum reply_class class;
    enum reply_fault fault;
    enum reply_retry retry;
    const char *cause, *advice; /* whole sentences, for people */
    bool has_limit;             /* scope and window are known */
    enum limit_scope scope;
    struct window window;
    int64_t wait_ms; /* what somebody says to wait at least; 0: nobody does */
    const char *reference, *date;
    bool by_text;   /* it has patterns: the words themselves say so, not a code alone */
    bool loose;     /* its patterns are single words, which hint at it and no more */
    bool ambiguous; /* said for this limit as well as for an address that is wrong: the recipient's
                     * own history decides */
    bool esp_list;  /* an ESP says that the recipient stands on its own list, no more */
    bool pair;      /* the recipient wants no mail of this sender; others are not concerned */
    char **providers; /* whose rule it is; 0: everybody's */
    size_t provider_count;
    char **examples;
    size_t example_count;
};

/* What was said, from wherever it came. */
struct reply_said {
    struct text provider; /* name of its profile; empty: not known */
    int stage;            /* enum reply_stage; -1: not known */
    int code;             /* 0: not known */
    int status[3];        /* 0 0 0: not known */
    struct text words;
};

/* The words that decided, cut to fit; "" when it was a code. */
#define RULES_EVIDENCE_BYTES 160

struct rulebook;

TIDE_MUST_CHECK enum tide_err rulebook_new(struct rulebook **ret, struct tide_error *err);
void rulebook_free(struct rulebook *b);

TIDE_MUST_CHECK enum tide_err rulebook_add(struct rulebook *b,
                                           const char *file,
                                           struct text content,
                                           struct tide_error *err);

/* Puts the rules in the order of their files' names; a file of a name that was there takes the
 * place of the older one. */
void rulebook_seal(struct rulebook *b);

/* All of it from the folders "replies" of the configuration's schedules; a folder that is missing
 * has no rules. Without any the rulebook is empty. */
TIDE_MUST_CHECK enum tide_err rulebook_load(const struct config_source *source,
                                            char *const *schedules,
                                            size_t schedule_count,
                                            struct rulebook **ret,
                                            struct tide_error *err);

const struct reply_rule *rulebook_find(const struct rulebook *b,
                                       const struct reply_said *said,
                                       char ret_evidence[RULES_EVIDENCE_BYTES]);

/* In order. */
size_t rulebook_count(const struct rulebook *b);
const struct reply_rule *rulebook_rule(const struct rulebook *b, size_t i);
/* The k-th of the providers whose rule it is; NULL: there are no more, or it is everybody's. */
const char *rulebook_rule_provider(const struct rulebook *b, size_t i, size_t k);

/* Finds code and enhanced code in what somebody says about a reply: "550 5.1.1 no", "host mx said:
 * 550-5.1.1 no (in reply to RCPT TO command)", "smtp;550 no", "5.1.1 (bad mailbox)"; and the stage
 * where the words name it. What is not there stays 0 or -1. */
void reply_said_of(struct text words, struct reply_said *ret);

#endif
