/* dkim_verify.h - whether a DKIM signature is right: core/verify/dkim.h with OpenSSL's arithmetic.
 *
 * Owns      nothing. Threads any. Does no I/O: the key is the caller's to find.
 * Errors    what is found is a result; TIDE_ENOMEM alone is an error.
 * Standards RFC 6376 6.1, RFC 8301, RFC 8463.
 */
#ifndef IO_CRYPTO_DKIM_VERIFY_H
#define IO_CRYPTO_DKIM_VERIFY_H

#include "base/time.h"
#include "core/verify/dkim.h"

enum dkim_verify_result {
    DKIM_VERIFY_PASS,
    DKIM_VERIFY_BODY,      /* the body is not what was signed */
    DKIM_VERIFY_SIGNATURE, /* a signed field is not, or the key is another */
    DKIM_VERIFY_EXPIRED,
    DKIM_VERIFY_KEY, /* the key is of no use, or of another kind */
};

/* "the body was changed after it was signed" */
const char *dkim_verify_text(enum dkim_verify_result r);

TIDE_MUST_CHECK enum tide_err dkim_verify(const struct message *m,
                                          const struct dkim_signature *s,
                                          const struct dkim_key *key,
                                          tide_wall_ms now,
                                          enum dkim_verify_result *ret,
                                          int64_t *ret_unsigned_bytes, /* behind l= */
                                          struct tide_error *err);

#endif
