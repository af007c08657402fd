/* spf_record.h - an SPF record's text into its terms.
 *
 * Owns      nothing; terms live in the caller's arena, their texts in the caller's record.
 * Threads   any. Pure.
 * Errors    TIDE_ESYNTAX names the term and what is wrong with it; the whole record is checked
 *           before anything of it is used (RFC 7208 4.6). TIDE_ENOMEM.
 * Standards RFC 7208 4.5, 4.6.1, 5, 6, 12 (the grammar).
 */
#ifndef CORE_VERIFY_SPF_RECORD_H
#define CORE_VERIFY_SPF_RECORD_H

#include "base/arena.h"

enum spf_result {
    SPF_NONE,
    SPF_NEUTRAL,
    SPF_PASS,
    SPF_FAIL,
    SPF_SOFTFAIL,
    SPF_TEMPERROR,
    SPF_PERMERROR,
};

const char *spf_result_name(enum spf_result r); /* "softfail" */

enum spf_mechanism {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
};

struct spf_term {
    enum spf_mechanism mechanism;
    enum spf_result result; /* by its qualifier */
    uint8_t prefix4, prefix6;
    uint8_t address[16]; /* ip4: the first four */
    struct text domain;  /* as written, macros and all; empty: the current domain */
    struct text written; /* "~include:example.org" */
};

struct spf_record {
    struct spf_term *terms;
    size_t term_count;
    struct text redirect, explanation; /* domain-specs; empty: none */
};

/* Whether a TXT record is one: "v=spf1" and then a blank or nothing (RFC 7208 4.5). */
bool spf_record_is(struct text txt);

TIDE_MUST_CHECK enum tide_err spf_record_parse(struct text txt,
                                               struct arena *arena,
                                               struct spf_record *ret,
                                               struct tide_error *err);

#endif
