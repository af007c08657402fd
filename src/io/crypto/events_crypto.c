#include "io/crypto/events_crypto.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define RSA_BITS_MIN 1024 /* Postal's own keys have no more */

static const EVP_MD *md_of(enum events_hash h)
{
    return h == EVENTS_MD5 ? EVP_md5() : h == EVENTS_SHA1 ? EVP_sha1() : EVP_sha256();
}

static size_t digest(enum events_hash h,
                     const struct text *parts,
                     size_t count,
                     unsigned char out[EVENTS_HASH_BYTES])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned n = 0;
    bool ok = ctx && EVP_DigestInit_ex(ctx, md_of(h), NULL) == 1;
    for (size_t i = 0; i < count && ok; i++)
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, out, &n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? n : 0;
}

/* RFC 2104 by hand would be as long: the message comes in pieces. */
static size_t hmac(enum events_hash h,
                   struct text key,
                   const struct text *parts,
                   size_t count,
                   unsigned char out[EVENTS_HASH_BYTES])
{
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, (const unsigned char *)key.p, key.n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = EVENTS_HASH_BYTES;
    bool ok = pkey && ctx && EVP_DigestSignInit(ctx, NULL, md_of(h), NULL, pkey) == 1;
    for (size_t i = 0; i < count && ok; i++)
        ok = EVP_DigestSignUpdate(ctx, parts[i].p ? parts[i].p : "", parts[i].n) == 1;
    ok = ok && EVP_DigestSignFinal(ctx, out, &n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return ok ? n : 0;
}

/* DER of a public key, else PEM of a certificate that is valid now. */
static EVP_PKEY *open_key(struct text key)
{
    const unsigned char *p = (const unsigned char *)key.p;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)key.n);
    if (pkey)
        return pkey;
    BIO *bio = BIO_new_mem_buf(key.p, (int)key.n);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    if (certificate && X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 &&
        X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0)
        pkey = X509_get_pubkey(certificate);
    X509_free(certificate);
    BIO_free(bio);
    return pkey;
}

static bool is_kind(EVP_PKEY *pkey, enum events_key kind)
{
    return kind == EVENTS_KEY_EC ? EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC
                                 : EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA &&
                                       EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN;
}

static bool verify(enum events_key kind,
                   enum events_hash h,
                   struct text key,
                   const struct text *parts,
                   size_t count,
                   struct text signature)
{
    if (key.n == 0 || key.n > INT32_MAX || signature.n == 0)
        return false;
    EVP_PKEY *pkey = open_key(key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = pkey && ctx && is_kind(pkey, kind) &&
              EVP_DigestVerifyInit(ctx, NULL, md_of(h), NULL, pkey) == 1;
    for (size_t i = 0; i < count && ok; i++)
        ok = EVP_DigestVerifyUpdate(ctx, parts[i].p ? parts[i].p : "", parts[i].n) == 1;
    ok = ok && EVP_DigestVerifyFinal(ctx, (const unsigned char *)signature.p, signature.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return ok;
}

const struct events_crypto events_crypto_openssl = {digest, hmac, verify};
