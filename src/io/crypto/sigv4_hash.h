/* sigv4_hash.h - the hashes that core/proto/sigv4.h wants, by OpenSSL.
 *
 * Owns      nothing. Threads any. Errors none: OpenSSL aborts where it has no SHA-256.
 */
#ifndef IO_CRYPTO_SIGV4_HASH_H
#define IO_CRYPTO_SIGV4_HASH_H

#include "core/proto/sigv4.h"

extern const struct sigv4_hash sigv4_hash_openssl;

#endif
