/* events_crypto.h - what core/esp/events.h wants hashed and verified, by OpenSSL.
 *
 * Owns      nothing. Threads any.
 * Errors    a key or a certificate that cannot be used verifies nothing.
 */
#ifndef IO_CRYPTO_EVENTS_CRYPTO_H
#define IO_CRYPTO_EVENTS_CRYPTO_H

#include "core/esp/events.h"

extern const struct events_crypto events_crypto_openssl;

#endif
