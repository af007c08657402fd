/* bounce.h - reads mail that comes back: what it is, about whom, why, and about which of our mails.
 *
 *     bounce_read(bytes, rules, providers, &arena, &b, &err);
 *     if (b.kind == BOUNCE_REPORT)
 *         for (i...) b.recipients[i].address, .action, .meaning
 *
 * A delivery status notification is taken by its fields (dsn.h), a complaint by its own (arf.h),
 * any other notice by what it says to people (notice.h). What is no report is told apart first by
 * what it says it is (RFC 3834: Auto-Submitted, Precedence; RFC 8098: a receipt), and otherwise by
 * there being nothing in it that failed.
 *
 * Owns      nothing; everything is in the caller's arena, which may point into `bytes`.
 * Threads   any. No clock, no I/O; it is for a worker thread when the mail is large.
 * Errors    TIDE_ENOMEM. Anything else that is wrong with a mail makes it BOUNCE_OTHER or leaves
 *           something empty.
 * Limits    the constants below. Linear in the size times the depth; at most BOUNCE_TEXT_BYTES of
 *           text are decoded.
 * Standards RFC 3464, 6522, 6533, 5965, 3834, 8098.
 */
#ifndef CORE_OUTCOME_BOUNCE_H
#define CORE_OUTCOME_BOUNCE_H

#include "core/outcome/arf.h"
#include "core/outcome/dsn.h"
#include "core/outcome/finding.h"

#define BOUNCE_BYTES_MAX      (32u * 1024 * 1024) /* more is not read */
#define BOUNCE_DEPTH_MAX      6
#define BOUNCE_PARTS_MAX      60
#define BOUNCE_TEXT_BYTES     (256u * 1024)
#define BOUNCE_RECIPIENTS_MAX 200

enum bounce_kind {
    BOUNCE_OTHER,     /* mail of a person or of a program, no report */
    BOUNCE_REPORT,    /* each recipient's action says what became of the mail */
    BOUNCE_COMPLAINT, /* somebody called it spam, or an authentication failure report */
    BOUNCE_AUTOREPLY, /* on holiday, ticket received, prove that you are human */
    BOUNCE_RECEIPT,   /* it was read (RFC 8098), or will never be */
};

const char *bounce_kind_name(enum bounce_kind k); /* "report" */

struct provider_index;

struct bounce_recipient {
    struct text address; /* whom we sent to, as far as the report knows */
    struct text final;   /* where it went in the end; may be the same */
    enum dsn_action action;
    int status[3];    /* the most telling one; 0 0 0: none */
    int code;         /* of the reply; 0: none */
    struct text said; /* the words that were classified */
    struct text remote_mta;
    struct text provider; /* who runs that host: name of its profile; "": not known */
    int stage;            /* enum reply_stage; -1: not known */
    struct meaning meaning;
};

struct bounce {
    enum bounce_kind kind;
    struct bounce_recipient *recipients;
    size_t recipient_count;
    struct text subject, from;
    struct text sent_to;       /* the address that the report came to: VERP stands here */
    struct text original_id;   /* Message-ID of our mail, with its brackets */
    struct text original_from; /* whom it was from */
    struct text original_subject;
    struct text envelope_id; /* ENVID that we gave (RFC 3461) */
    struct text reporting_mta;
    struct arf complaint; /* of BOUNCE_COMPLAINT */
};

/* `rules` NULL: classes by codes alone. `providers` NULL: nobody's own rules come first. */
TIDE_MUST_CHECK enum tide_err bounce_read(struct text bytes,
                                          const struct rulebook *rules,
                                          const struct provider_index *providers,
                                          struct arena *a,
                                          struct bounce *ret,
                                          struct tide_error *err);

#endif
