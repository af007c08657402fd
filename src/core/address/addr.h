/* addr.h - a mailbox address: syntax, one normal form, and the key that it is counted under.
 *
 * Owns      struct addr holds its bytes itself.
 * Threads   any. Pure.
 * Errors    TIDE_EADDR names the octet of the input (from 1), what stands there and the rule.
 * Limits    local part 64 octets as written, quotes and all (RFC 5321 4.5.3.1.1), address 254 in
 *           the normal form (4.5.3.1.3: a path of 256 with its brackets).
 * Standards RFC 5321 4.1.2 (Mailbox) with RFC 6531 3.3 (UTF-8): no comments, no folding white
 *           space, no obsolete forms of RFC 5322, no display name, no angle brackets.
 *
 * The normal form has the domain as lower-case A-labels; the local part keeps its case and its
 * bytes, but is quoted only where it must be (RFC 5321 4.1.2 calls the forms equivalent).
 */
#ifndef CORE_ADDRESS_ADDR_H
#define CORE_ADDRESS_ADDR_H

#include "core/address/domain.h"

#define ADDR_LOCAL_BYTES_MAX 64
#define ADDR_BYTES_MAX       254

enum addr_flag {
    ADDR_LITERAL = 1, /* user@[192.0.2.1] is taken; `domain.ascii` is then "[192.0.2.1]" */
};

struct addr {
    char normal[ADDR_BYTES_MAX + 1]; /* local part, "@", domain */
    size_t n, local_n;               /* octets of all and of what stands before the "@" */
    struct domain domain;
    bool is_literal;
    bool is_quoted;  /* the local part needs its quotes */
    bool needs_utf8; /* the local part is not ASCII: the way must be SMTPUTF8 throughout */
};

static inline struct text addr_text(const struct addr *a)
{
    return (struct text){a->normal, a->n};
}

static inline struct text addr_local(const struct addr *a)
{
    return (struct text){a->normal, a->local_n};
}

/* What stands behind the last "@" (a quoted local part may have one, too), as it stands: nothing is
 * checked. "" without one. */
struct text addr_domain_of(struct text address);

TIDE_MUST_CHECK enum tide_err addr_parse(struct text in,
                                         unsigned flags,
                                         struct addr *ret,
                                         struct tide_error *err);

/* How a provider names one mailbox in many ways: for counting, never for sending. */
struct addr_folding {
    bool ignores_case;
    bool ignores_dots;
    char subaddress_sep; /* 0: none */
};

/* The key of the mailbox behind the address. A quoted local part is not folded. `out` holds
 * ADDR_BYTES_MAX + 1 octets. Returns out. */
const char *addr_counting_key(const struct addr *a, struct addr_folding folding, char *out);

#endif
