/* verp.h - addresses that bounces come back to, one for each attempt, which nobody can forge.
 *
 *     bounce+0c2kq7b3g4h01-4ncb7vq9pzr0m@bounces.example.com
 *            `- attempt    `- keyed hash of it
 *
 * The same "ATTEMPT-HASH" is the envelope id (RFC 3461 ENVID) of mails that have none.
 *
 * Owns      nothing. Threads any. Hashing is the caller's (core/proto/sigv4.h).
 * Errors    a domain that is too long is cut off by configuration; what is no such address, or has
 *           another hash, is simply none.
 */
#ifndef CORE_OUTCOME_VERP_H
#define CORE_OUTCOME_VERP_H

#include "base/id.h"
#include "core/proto/sigv4.h"

#define VERP_PREFIX        "bounce+"
#define VERP_TOKEN_BYTES   (2 * ID_TEXT_BYTES)
#define VERP_ADDRESS_BYTES 256
#define VERP_KEY_BYTES_MAX 128

struct verp {
    const struct sigv4_hash *hash;
    char key[VERP_KEY_BYTES_MAX];
    size_t key_n;
};

/* Both return out. */
const char *verp_token(const struct verp *v, tide_id attempt_id, char out[VERP_TOKEN_BYTES]);
const char *verp_address(const struct verp *v,
                         tide_id attempt_id,
                         struct text domain,
                         char out[VERP_ADDRESS_BYTES]);

/* The attempt of a token; 0: it is none of ours. */
tide_id verp_read_token(const struct verp *v, struct text token);
/* The attempt of an address at `domain`, in any case. *ret_shaped (may be NULL): it looks like one,
 * whether its hash is right or not. */
tide_id verp_read_address(const struct verp *v,
                          struct text address,
                          struct text domain,
                          bool *ret_shaped);

#endif
