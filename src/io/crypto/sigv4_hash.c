#include "io/crypto/sigv4_hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static void sha256(struct text in, unsigned char out[SIGV4_HASH_BYTES])
{
    EVP_Digest(in.p ? in.p : "", in.n, out, NULL, EVP_sha256(), NULL);
}

static void hmac_sha256(struct text key, struct text in, unsigned char out[SIGV4_HASH_BYTES])
{
    HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)in.p, in.n, out, NULL);
}

const struct sigv4_hash sigv4_hash_openssl = {sha256, hmac_sha256};
