/* spf.h - check_host() of RFC 7208: may this address send mail in that domain's name?
 *
 *   IDLE --start--> RECORD --terms without DNS, all of them--> DONE
 *    a, exists:   ADDRESS --> next term           include, redirect: RECORD of another domain
 *    mx:          MX --> MX_ADDRESS for each host --> next term
 *    ptr, %{p}:   PTR --> PTR_ADDRESS for each name --> next term, or on with the macro
 *    fail and an exp= modifier: EXPLAIN --> DONE
 *
 * With `audit` no mechanism matches: the whole record is walked with all that it includes, as its
 * owner wants to see it, without an address in hand.
 *
 * Owns      a scratch buffer and what it holds of the memo, until spf_fini(); other texts live in
 *           the arena given to spf_init(). The texts of struct spf_input stay the caller's and must
 *           outlive the machine.
 * Threads   one at a time. Pure: answers and `now` are the caller's.
 * Errors    running out of memory is SPF_TEMPERROR. `problem` says what led to an error result.
 * Limits    SPF_LOOKUPS_MAX terms that ask, SPF_VOIDS_MAX of them in vain, SPF_HOSTS_MAX hosts of
 *           an MX (more: permerror) and names of a PTR (more: not looked at), SPF_DEPTH_MAX records
 *           at once. So no record makes it ask more than about 240 questions.
 * Standards RFC 7208. Void lookups are counted once a term, on the term's own question (4.6.4
 *           speaks of terms): an IPv6 client does not fail on MX hosts that have IPv4 alone.
 */
#ifndef CORE_VERIFY_SPF_H
#define CORE_VERIFY_SPF_H

#include "core/verify/question.h"
#include "core/verify/spf_macro.h"
#include "core/verify/spf_memo.h"

#define SPF_LOOKUPS_MAX 10 /* RFC 7208 4.6.4 */
#define SPF_VOIDS_MAX   2  /* RFC 7208 4.6.4 */
#define SPF_HOSTS_MAX   10 /* RFC 7208 4.6.4 */
#define SPF_DEPTH_MAX   (SPF_LOOKUPS_MAX + 1)
#define SPF_RIVALS_MAX  4
#define SPF_AUDIT_MAX   60 /* terms that ask, where the count is wanted and not the result */

enum spf_state {
    SPF_AT_IDLE,
    SPF_AT_RECORD,
    SPF_AT_ADDRESS,
    SPF_AT_MX,
    SPF_AT_MX_ADDRESS,
    SPF_AT_PTR,
    SPF_AT_PTR_ADDRESS,
    SPF_AT_EXPLAIN,
    SPF_AT_DONE,
};

struct spf_input {
    uint8_t ip[16]; /* IPv4: the first four; an IPv4-mapped one is taken for IPv4 (RFC 7208 5) */
    bool is_v6;
    struct text mail_from; /* "ann@example.org"; empty (a bounce): postmaster@HELO */
    struct text helo;
    struct text receiver; /* for %{r} in explanations */
    tide_wall_ms now;     /* for %{t} in explanations */
    bool explain;         /* the exp= text is wanted */
    bool audit;
    struct spf_memo *memo; /* where parsed records are kept; NULL: nowhere */
};

/* One record under evaluation. */
struct spf_frame {
    struct text domain;
    struct spf_record record;
    size_t at;       /* term */
    bool begun;      /* its lookup is counted */
    bool redirected; /* here by redirect=: having no record is then an error */
};

/* What waits for the validated name of %{p}. */
enum spf_wait { SPF_WAIT_NOTHING, SPF_WAIT_TERM, SPF_WAIT_EXPLAIN, SPF_WAIT_TEXT };

struct spf {
    enum spf_state state;
    struct arena *arena;
    struct spf_input in;
    struct spf_values values;
    struct spf_frame frames[SPF_DEPTH_MAX];
    size_t depth;
    struct text target;               /* of the term under way, expanded */
    struct text hosts[SPF_HOSTS_MAX]; /* of its MX or PTR */
    size_t host_count, host_at;
    enum spf_wait wait;
    struct text validated_for; /* the domain that values.validated was found for */
    struct text exp_text;
    struct buf scratch;
    struct spf_memo_entry *held[SPF_AUDIT_MAX + 1]; /* until spf_fini(): texts point into them */
    size_t held_count;

    /* Once done. */
    enum spf_result result;
    struct text explanation;             /* empty: the receiver's own words */
    struct text matched, matched_domain; /* the term that decided, and whose it is */
    char problem[TIDE_ERROR_BYTES_MAX];  /* of an error result */
    unsigned lookups, voids;

    /* Of an audit. */
    struct text seen[SPF_AUDIT_MAX]; /* domains included or redirected to, in order */
    size_t seen_count;
    const struct spf_term *all; /* of the record itself or where it redirects; NULL: none */
    bool has_ptr;
    struct text record_text;            /* the domain's own */
    struct text rivals[SPF_RIVALS_MAX]; /* instead, where there are several */
    size_t rival_count;
    bool is_elsewhere; /* it stands where a CNAME of the domain leads to: another's */
};

void spf_init(struct spf *s, const struct spf_input *in, struct arena *arena);
void spf_fini(struct spf *s);
void spf_start(struct spf *s, struct question *todo);
void spf_answer(struct spf *s, const struct dns_answer *answer, struct question *todo);
/* The same for struct question's users. */
void spf_feed(void *spf, const struct dns_answer *answer, struct question *todo);

#endif
