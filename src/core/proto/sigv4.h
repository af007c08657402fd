/* sigv4.h - AWS Signature Version 4 over one request with its body at hand.
 *
 *     Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/ses/aws4_request,
 *                    SignedHeaders=host;x-amz-date, Signature=HEX
 *
 * Who checks compares sigv4_sign() of what the client claims with the claim's signature, in
 * constant time; who signs fills a claim in.
 *
 * Owns      nothing: a claim points into the header's value.
 * Threads   any. Hashing is the caller's: no cryptography library in core.
 * Errors    TIDE_ESYNTAX an Authorization that is none; TIDE_EINVAL a header that is signed but not
 *           there, or host or x-amz-date not signed; TIDE_ENOMEM.
 * Standards AWS General Reference, "Signing AWS API requests". The body's own hash is always used,
 *           never the one that x-amz-content-sha256 states.
 */
#ifndef CORE_PROTO_SIGV4_H
#define CORE_PROTO_SIGV4_H

#include "base/buf.h"

#define SIGV4_HASH_BYTES 32
#define SIGV4_HEX_BYTES  (2 * SIGV4_HASH_BYTES + 1)

struct sigv4_hash {
    void (*sha256)(struct text in, unsigned char out[SIGV4_HASH_BYTES]);
    void (*hmac_sha256)(struct text key, struct text in, unsigned char out[SIGV4_HASH_BYTES]);
};

struct sigv4_claim {
    struct text access_key, date, region, service; /* date: "20261121" */
    struct text signed_headers;                    /* "host;x-amz-date" */
    struct text signature;
};

struct sigv4_request {
    /* The path is escaped once for the signature, as AWS wants it (S3 alone differs): given as it
     * is sent, escapes and all. The query as it is sent. */
    struct text method, path, query, body;
    struct text amz_date; /* "20261121T211210Z" */
    /* The value of a header, name in lower case; p NULL: not there. */
    struct text (*header)(void *arg, const char *name);
    void *arg;
};

TIDE_MUST_CHECK enum tide_err sigv4_parse(struct text authorization,
                                          struct sigv4_claim *ret,
                                          struct tide_error *err);

/* The signature of the claim's scope and headers under `secret`. */
TIDE_MUST_CHECK enum tide_err sigv4_sign(const struct sigv4_hash *hash,
                                         const struct sigv4_request *request,
                                         const struct sigv4_claim *claim,
                                         struct text secret,
                                         char ret[SIGV4_HEX_BYTES],
                                         struct tide_error *err);

/* "20261121T211210Z" */
TIDE_MUST_CHECK enum tide_err sigv4_time(struct text amz_date, int64_t *ret_ms);

#endif
