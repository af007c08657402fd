/* aws_sign.h - signs a request of ours for Amazon SES (core/proto/sigv4.h): what goes into its
 * X-Amz-Date and Authorization headers.
 *
 * Owns      nothing: texts are borrowed for the call, the answer is the caller's.
 * Threads   any.
 * Errors    those of sigv4_sign(); TIDE_ENOMEM.
 */
#ifndef IO_CRYPTO_AWS_SIGN_H
#define IO_CRYPTO_AWS_SIGN_H

#include "base/time.h"
#include "core/proto/sigv4.h"

struct aws_request {
    const char *key_id, *secret, *region;
    const char *method, *host;
    struct text path;         /* as it is sent, with its query: sorted, escaped */
    struct text content_type; /* p NULL: it has none */
    struct text body;
    tide_wall_ms now; /* the machine's own time */
};

struct aws_signature {
    char date[32], authorization[512];
};

TIDE_MUST_CHECK enum tide_err aws_sign(const struct aws_request *request,
                                       struct aws_signature *ret,
                                       struct tide_error *err);

#endif
