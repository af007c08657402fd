/* dkim_key.h - a DKIM key record's text into a key, or into why it is of no use.
 *
 * Owns      nothing; the key's bytes live in the caller's arena.
 * Threads   any. Pure: the key is taken apart only as far as its length.
 * Errors    what a record says is a state, never an error; `why` is a sentence for its owner.
 * Standards RFC 6376 3.6.1, RFC 8301 (RSA: 1024 bits at least, SHA-256), RFC 8463 (Ed25519).
 */
#ifndef CORE_VERIFY_DKIM_KEY_H
#define CORE_VERIFY_DKIM_KEY_H

#include "base/arena.h"
#include "core/dns/message.h"

#define DKIM_RSA_BITS_MIN     1024 /* RFC 8301 3.2: verifiers take no shorter one */
#define DKIM_RSA_BITS_ADVISED 2048 /* RFC 8301 3.2: signers SHOULD */
#define DKIM_WHY_BYTES        200

enum dkim_algorithm { DKIM_RSA, DKIM_ED25519 };

enum dkim_key_state {
    DKIM_KEY_OK,
    DKIM_KEY_MISSING,
    DKIM_KEY_REVOKED, /* p= is empty */
    DKIM_KEY_MALFORMED,
    DKIM_KEY_SHORT,
    DKIM_KEY_UNUSABLE, /* not for mail, or not with SHA-256 */
    DKIM_KEY_UNKNOWN,  /* DNS failed: ask again */
};

const char *dkim_key_state_name(enum dkim_key_state s); /* "revoked" */

struct dkim_key {
    enum dkim_key_state state;
    enum dkim_algorithm algorithm;
    unsigned bits;
    struct text der;          /* RSA: SubjectPublicKeyInfo or RSAPublicKey; Ed25519: 32 octets */
    bool testing;             /* t=y: verifiers treat a failure as no signature at all */
    bool strict;              /* t=s: i= must be in d= itself */
    bool faulty;              /* usable, but against the grammar */
    char why[DKIM_WHY_BYTES]; /* of every state but OK, and of faulty; "" else */
};

/* Whether a TXT record may be meant as a key: it has a tag p, or begins with v=DKIM1. */
bool dkim_key_is(struct text txt);

void dkim_key_parse(struct text txt, struct arena *arena, struct dkim_key *ret);

/* The same of a whole answer for SELECTOR._domainkey.DOMAIN: none, several, a dangling CNAME. */
void dkim_key_of_answer(const struct dns_answer *a, struct arena *arena, struct dkim_key *ret);

#endif
