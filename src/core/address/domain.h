/* domain.h - domain names of mailboxes: one normal form (A-labels, lower case), registrable part.
 *
 * Owns      struct domain holds its bytes itself; struct suffixes owns libpsl's list.
 * Lifetime  suffixes_open() reads the list file once, at start-up; suffixes_close() frees it.
 * Threads   any. Pure, but for suffixes_open().
 * Errors    TIDE_EADDR names the octet of the input (from 1), what stands there and the rule.
 * Limits    labels of 63 octets, names of 253 (RFC 1035 2.3.4), both after IDNA.
 * Standards RFC 5321 4.1.2 (Domain), RFC 5891 with UTS 46 non-transitional mapping, RFC 5890 2.3.1.
 * Known gap the characters known to IDNA are those of libidn2's Unicode version.
 */
#ifndef CORE_ADDRESS_DOMAIN_H
#define CORE_ADDRESS_DOMAIN_H

#include "base/text.h"

#define DOMAIN_BYTES_MAX       253
#define DOMAIN_LABEL_BYTES_MAX 63
#define DOMAIN_INPUT_BYTES_MAX 1024 /* of UTF-8, before IDNA */

struct domain {
    char ascii[DOMAIN_BYTES_MAX + 1]; /* A-labels, lower case, no dot at the end */
    size_t n;
    bool is_idn; /* some label is an A-label */
    bool mapped; /* UTS 46 changed more than ASCII case: worth a look when a typo is suspected */
};

static inline struct text domain_text(const struct domain *d)
{
    return (struct text){d->ascii, d->n};
}

/* From ASCII or UTF-8. A dot at the end, an empty label, an all-numeric last label are refused. */
TIDE_MUST_CHECK enum tide_err domain_parse(struct text in,
                                           struct domain *ret,
                                           struct tide_error *err);

/* For people: U-labels in UTF-8, the ASCII form where that is not possible. `out` holds
 * DOMAIN_INPUT_BYTES_MAX. Returns out. */
const char *domain_unicode(struct text ascii, char *out);

/* Only ASCII letters, digits, hyphens within labels of 1..63 octets, 253 in all: what every name
 * is held against before and after IDNA. Lower case is not demanded. */
bool domain_is_ldh(struct text ascii);

/* 127.0.0.1 or ::1, with or without brackets: what some zones put where a name belongs. */
bool domain_is_ip(struct text t);

/* The same name, or one below it; ASCII case apart. */
bool domain_is_within(struct text name, struct text domain);

struct suffixes;

/* The public suffix list: the newer of the library's own and the system's. */
TIDE_MUST_CHECK enum tide_err suffixes_open(struct suffixes **ret, struct tide_error *err);
void suffixes_close(struct suffixes *s);

/* The registrable part ("a.b.co.uk" gives "b.co.uk"), a piece of `ascii`; empty when the name is
 * itself a public suffix. Private suffixes count ("x.github.io" is a registrable name). */
struct text suffixes_registrable(const struct suffixes *s, const struct domain *d);

#endif
