/* spf_macro.h - the macros of SPF: their syntax, and what they stand for.
 *
 * Owns      nothing; expansions are appended to the caller's buffer.
 * Threads   any. Pure.
 * Errors    TIDE_ESYNTAX only for text that was not checked before; TIDE_ENOMEM, TIDE_ELIMIT are
 *           the buffer's.
 * Standards RFC 7208 7.
 */
#ifndef CORE_VERIFY_SPF_MACRO_H
#define CORE_VERIFY_SPF_MACRO_H

#include "base/buf.h"
#include "base/time.h"

#define SPF_VALUE_BYTES_MAX 512 /* local part and domain with room to spare */

/* What the letters stand for. */
struct spf_values {
    struct text sender;        /* s */
    struct text local;         /* l */
    struct text sender_domain; /* o */
    struct text domain;        /* d: whose record is being looked at */
    struct text validated;     /* p: empty for "unknown" */
    struct text helo;          /* h */
    struct text receiver;      /* r, explanations only */
    const uint8_t *ip;         /* i, c: 4 or 16 octets */
    bool is_v6;                /* v */
    tide_wall_ms now;          /* t, explanations only */
};

/* The domain-spec of a mechanism or a modifier. */
bool spf_macro_is_domain(struct text spec);
/* A macro-string; `explain`: with blanks and the letters c, r and t. */
bool spf_macro_is_string(struct text string, bool explain);

/* Whether this letter (lower case) is used. */
bool spf_macro_uses(struct text string, char letter);
/* Whether it is the same for every mail: no macros but d. */
bool spf_macro_is_fixed(struct text string);

TIDE_MUST_CHECK enum tide_err spf_macro_expand(struct text string,
                                               const struct spf_values *v,
                                               bool explain,
                                               struct buf *ret,
                                               struct tide_error *err);

#endif
