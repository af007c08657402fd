/* dmarc.h - which DMARC policy applies to a From domain, and whether SPF and DKIM align with it.
 *
 *   IDLE --start--> WALK --up the tree, of the From domain--> WALK of each identifier's domain
 *                     `--> EXISTS (np: does the From domain exist?) --> DONE
 *
 * With a list of public suffixes the organizational domain comes from it (RFC 7489 3.2, 6.6.3), and
 * only _dmarc of the From domain and of its organizational domain are asked.
 *
 * Owns      nothing; texts live in the arena given to dmarc_init(). Identifiers stay the caller's.
 * Threads   one at a time. Pure.
 * Errors    a name server's failure is DMARC_TEMPERROR.
 * Limits    DMARC_IDENTIFIERS_MAX; DMARC_WALK_MAX questions per domain (RFC 9989 4.10).
 * Standards RFC 9989 4.10 (tree walk), 4.4 (alignment), RFC 8020 (what does not exist).
 */
#ifndef CORE_VERIFY_DMARC_H
#define CORE_VERIFY_DMARC_H

#include "core/address/domain.h"
#include "core/verify/dmarc_record.h"
#include "core/verify/question.h"

#define DMARC_WALK_MAX        8
#define DMARC_RIVALS_MAX      4
#define DMARC_IDENTIFIERS_MAX 16

enum dmarc_state { DMARC_AT_IDLE, DMARC_AT_WALK, DMARC_AT_EXISTS, DMARC_AT_DONE };

/* A domain that passed SPF or DKIM. */
struct dmarc_identifier {
    struct text domain;
    bool dkim;
    bool aligned; /* out */
};

enum dmarc_result { DMARC_NO_POLICY, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR };

const char *dmarc_result_name(enum dmarc_result r); /* "none", "pass", "fail", "temperror" */

/* What a walk up the tree found. */
struct dmarc_walk {
    struct text domain, at; /* from where; asked now */
    unsigned steps;
    struct text own_record;      /* at the domain itself */
    struct text top, top_record; /* the one with the fewest labels */
    struct text psd, psd_record; /* psd=y, above the domain */
    struct text stop;            /* psd=n */
};

struct dmarc {
    enum dmarc_state state;
    struct arena *arena;
    const struct suffixes *suffixes;
    struct text from;
    struct dmarc_identifier *identifiers;
    size_t identifier_count, at;
    struct dmarc_walk walk;
    bool with_own;                        /* the walk of the From domain itself */
    unsigned too_many;                    /* names with more than one record */
    struct text rivals[DMARC_RIVALS_MAX]; /* those of `from` */
    size_t rival_count;
    enum dns_status doubt;            /* why the result is a temperror */
    enum dns_status walk_doubt;       /* the walk up from `from` failed above its own record */
    enum dns_status identifier_doubt; /* whether one is aligned was not to be learnt */
    bool out_of_memory;

    /* Once done. */
    enum dmarc_result result;
    struct text organizational;    /* of the From domain; empty: the walk failed */
    struct text record_at, record; /* "example.org", its text; empty: none */
    struct dmarc_record parsed;
    enum dmarc_policy asked;   /* what the record asks receivers to do with mail of `from` */
    enum dmarc_policy applied; /* the same, one less with t=y */
    bool no_such_domain;       /* known only where np matters */
    bool aligned_spf, aligned_dkim;
};

/* `from`: A-labels, lower case, no dot at the end. suffixes NULL: the tree walk of RFC 9989. */
void dmarc_init(struct dmarc *d,
                struct text from,
                struct dmarc_identifier *identifiers,
                size_t identifier_count,
                const struct suffixes *suffixes,
                struct arena *arena);
void dmarc_start(struct dmarc *d, struct question *todo);
void dmarc_feed(void *dmarc, const struct dns_answer *answer, struct question *todo);

#endif
