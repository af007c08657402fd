/* dkim.h - a DKIM signature's tags, and the exact bytes that it is about.
 *
 * Owns      nothing; what is decoded lives in the caller's arena, texts in the caller's message.
 * Threads   any. Pure: hashing and the signature's arithmetic are the caller's
 *           (src/io/crypto/dkim_verify.h).
 * Errors    TIDE_ESYNTAX says what is wrong with the signature field; TIDE_ENOMEM.
 * Limits    DKIM_SIGNATURES_MAX are looked at by those who look at all of a message.
 * Standards RFC 6376 3.4 (canonicalization), 3.5, 3.7; RFC 8301 (rsa-sha1 is refused); RFC 8463.
 *           The message must have CRLF line ends (message_normalise()).
 */
#ifndef CORE_VERIFY_DKIM_H
#define CORE_VERIFY_DKIM_H

#include "core/digest/message.h"
#include "core/verify/dkim_key.h"

#define DKIM_SIGNATURES_MAX 16

struct dkim_signature {
    struct header field;
    enum dkim_algorithm algorithm;
    bool relaxed_header, relaxed_body;
    struct text domain, selector;      /* d=, s= */
    struct text identity;              /* the domain of i=; d= where there is none */
    struct text names;                 /* h= */
    struct text signature, body_hash;  /* decoded */
    int64_t body_bytes;                /* l=; -1: all */
    int64_t signed_at_s, expires_at_s; /* t=, x=; 0: not said */
};

TIDE_MUST_CHECK enum tide_err dkim_signature_parse(const struct header *field,
                                                   struct arena *arena,
                                                   struct dkim_signature *ret,
                                                   struct tide_error *err);

/* Whether h= has this name. */
bool dkim_signs(const struct dkim_signature *s, const char *name);

typedef void (*dkim_sink)(void *arg, const void *bytes, size_t n);

/* The canonical body, cut at l=. Returns how long it is uncut: less than l= is a failure (RFC 6376
 * 3.5), more is text that anybody may have added. */
int64_t dkim_put_body(const struct dkim_signature *s,
                      const struct message *m,
                      dkim_sink sink,
                      void *arg);

/* The canonical fields named by h=, and the signature's own without its b=. */
TIDE_MUST_CHECK enum tide_err dkim_put_header(const struct dkim_signature *s,
                                              const struct message *m,
                                              struct arena *arena,
                                              dkim_sink sink,
                                              void *arg,
                                              struct tide_error *err);

#endif
