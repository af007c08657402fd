/* sender.h - the sender report: whether a domain's mail will be trusted where it arrives.
 *
 * Out of a domain, the account that sends for it, its own addresses and a message as it left, come
 * probes: state machines that each want DNS answers, and that may all be asked at the same time.
 * When all are done, sender_report() makes checks of them: state, evidence, what it means at which
 * provider, and the record to publish.
 *
 *     sender_init(&s, &input, &arena);
 *     for each probe that is not done: feed it (src/io/dns/asker.h)
 *     sender_report(&s);                 // then s.checks
 *     sender_fini(&s);
 *
 * Owns      what its probes hold beside the arena (sender_fini()). What the input points to stays
 *           the caller's, and the arena's memory holds all texts.
 * Threads   one at a time. Pure: the arithmetic of signatures is the input's `verify`.
 * Errors    DNS doubts are SENDER_UNKNOWN checks. TIDE_ENOMEM, TIDE_ELIMIT (a bound below).
 * Limits    the constants below.
 * Standards RFC 7208, 6376, 8301, 8463, 9989, 9990, 8058, 5782. Rules: schedules/demands.conf.
 */
#ifndef CORE_VERIFY_SENDER_H
#define CORE_VERIFY_SENDER_H

#include "core/verify/dkim.h"
#include "core/verify/dmarc.h"
#include "core/verify/dmarc_reports.h"
#include "core/verify/mx.h"
#include "core/verify/ptr.h"
#include "core/verify/sender_rules.h"
#include "core/verify/spf.h"

#define SENDER_IPS_MAX    16
#define SENDER_KEYS_MAX   (2 * DKIM_SIGNATURES_MAX)
#define SENDER_PROBES_MAX 512
#define SENDER_CHECKS_MAX 256

struct sender_ip {
    uint8_t octets[16];
    bool v6;
    char text[48];
};

/* Whether the signature is right, and the sentence that says so. */
typedef enum tide_err (*sender_verify)(const struct message *m,
                                       const struct dkim_signature *s,
                                       const struct dkim_key *key,
                                       tide_wall_ms now,
                                       bool *ret_good,
                                       const char **ret_text,
                                       int64_t *ret_unsigned_bytes,
                                       struct tide_error *err);

/* What was seen in mail of a bulk stream as its application hands it in. */
struct sender_stream {
    struct text stream;
    const char *problem; /* of one_click.h; NULL: none */
    bool is_signed;      /* by the application */
};

struct sender_input {
    struct text domain;            /* of From; A-labels, lower case */
    struct text mail_from;         /* domain of the envelope sender; empty: the same */
    const struct profile *account; /* the ESP; NULL: none */
    const struct sender_ip *ips;   /* own ones; an ESP's are its own business */
    size_t ip_count;
    const struct text *selectors; /* of the domain's keys; none: the account's usual ones */
    size_t selector_count;
    const struct sender_rules *rules;
    const struct suffixes *suffixes; /* NULL: DMARC by RFC 9989's tree walk */
    bool bulk;                       /* it is, or wants to be, a bulk sender */
    bool block_lists;                /* ask them */
    bool private_addresses;          /* mail hosts off the Internet are hosts (config_dns) */
    const struct message *message;   /* as it arrived somewhere; NULL: none */
    sender_verify verify;            /* wanted with a message */
    const struct sender_stream *streams;
    size_t stream_count;
    tide_wall_ms now;
};

enum sender_probe_kind {
    PROBE_SPF,    /* an audit of the envelope domain's record */
    PROBE_SPF_IP, /* check_host() of an own address */
    PROBE_KEY,
    PROBE_DMARC,
    PROBE_PTR,
    PROBE_LIST,
    PROBE_MX, /* whether replies and bounces have somewhere to go */
};

struct sender_key {
    struct text selector, domain;
    struct dkim_key key;
    struct arena *arena;
    bool usual; /* not said by anybody: the account's profile has it */
};

struct sender_signature {
    struct dkim_signature s;
    bool parsed, good;
    size_t key; /* index */
    struct text text;
    int64_t unsigned_bytes;
};

struct sender_probe {
    enum sender_probe_kind kind;
    struct question first; /* done: nothing to ask */
    question_feed feed;
    void *machine; /* by kind: struct spf, sender_key, sender_dmarc, ptr, dnsbl, mx */
    size_t ip;     /* of the input; SENDER_IPS_MAX: of the domain */
};

/* The machine of PROBE_DMARC: the policy, then whom its reports may go to. */
struct sender_dmarc {
    struct dmarc dmarc; /* first */
    struct dmarc_reports reports;
    bool reporting;
};

enum sender_state { SENDER_GOOD, SENDER_NOTE, SENDER_UNKNOWN, SENDER_BAD };

const char *sender_state_name(enum sender_state s); /* "good", "note", "unknown", "bad" */

struct sender_check {
    enum sender_state state;
    struct text what;         /* "SPF", "DKIM s1._domainkey.example.org" */
    struct text finding;      /* a sentence */
    struct text evidence;     /* records seen; may be empty */
    struct text consequences; /* a line per provider; may be empty */
    struct text publish;      /* the records to publish, a line each; may be empty */
    bool demanded;            /* BAD: a provider demands it of this sender */
    bool guess;               /* about something that nobody has named: a usual selector */
    bool advice;              /* about single mails: nothing is held for it */
    bool dns_failed;          /* UNKNOWN because DNS did not answer */
};

struct sender {
    struct sender_input in;
    struct arena *arena;
    struct sender_probe probes[SENDER_PROBES_MAX];
    size_t probe_count;
    struct sender_key keys[SENDER_KEYS_MAX];
    size_t key_count;
    struct sender_signature signatures[DKIM_SIGNATURES_MAX];
    size_t signature_count;
    struct dmarc_identifier identifiers[DMARC_IDENTIFIERS_MAX];
    size_t identifier_count;

    struct sender_check checks[SENDER_CHECKS_MAX];
    size_t check_count;
    enum sender_state state; /* the worst of all */
};

TIDE_MUST_CHECK enum tide_err sender_init(struct sender *s,
                                          const struct sender_input *in,
                                          struct arena *arena,
                                          struct tide_error *err);
void sender_fini(struct sender *s);

/* Once every probe is done. */
TIDE_MUST_CHECK enum tide_err sender_report(struct sender *s, struct tide_error *err);

#endif
