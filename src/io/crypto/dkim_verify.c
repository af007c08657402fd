#include "io/crypto/dkim_verify.h"

#include "base/macros.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static const char *const texts[] = {
    [DKIM_VERIFY_PASS] = "the signature is right",
    [DKIM_VERIFY_BODY] = "the body was changed after it was signed",
    [DKIM_VERIFY_SIGNATURE] = "a signed header field was changed, or another key signed",
    [DKIM_VERIFY_EXPIRED] = "the signature has expired (x=)",
    [DKIM_VERIFY_KEY] = "the key in DNS cannot check it",
};

const char *dkim_verify_text(enum dkim_verify_result r)
{
    return (size_t)r < TIDE_COUNT(texts) ? texts[r] : "?";
}

static void hash_more(void *arg, const void *bytes, size_t n)
{
    (void)EVP_DigestUpdate(arg, bytes, n);
}

static EVP_PKEY *open_key(const struct dkim_key *k)
{
    const unsigned char *p = (const unsigned char *)k->der.p;
    if (k->algorithm == DKIM_ED25519)
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p, k->der.n);
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)k->der.n);
    p = (const unsigned char *)k->der.p;
    return key ? key : d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)k->der.n);
}

static bool verify_rsa(EVP_PKEY *key,
                       const struct dkim_signature *s,
                       const unsigned char digest[32])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx && EVP_PKEY_verify_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
              EVP_PKEY_verify(ctx, (const unsigned char *)s->signature.p, s->signature.n, digest,
                              32) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* RFC 8463 3: what is signed is the hash. */
static bool verify_ed25519(EVP_PKEY *key,
                           const struct dkim_signature *s,
                           const unsigned char digest[32])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, (const unsigned char *)s->signature.p, s->signature.n, digest,
                               32) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static enum dkim_verify_result verify_signature(const struct dkim_signature *s,
                                                const struct dkim_key *k,
                                                const unsigned char digest[32])
{
    EVP_PKEY *key = open_key(k);
    int type = k->algorithm == DKIM_RSA ? EVP_PKEY_RSA : EVP_PKEY_ED25519;
    enum dkim_verify_result r = DKIM_VERIFY_KEY;
    if (key && EVP_PKEY_base_id(key) == type)
        r = (type == EVP_PKEY_RSA ? verify_rsa : verify_ed25519)(key, s, digest)
                ? DKIM_VERIFY_PASS
                : DKIM_VERIFY_SIGNATURE;
    EVP_PKEY_free(key);
    return r;
}

enum tide_err dkim_verify(const struct message *m,
                          const struct dkim_signature *s,
                          const struct dkim_key *key,
                          tide_wall_ms now,
                          enum dkim_verify_result *ret,
                          int64_t *ret_unsigned_bytes,
                          struct tide_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct arena arena;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(hash);
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    }
    arena_init(&arena, 1u << 20);
    int64_t length = dkim_put_body(s, m, hash_more, hash);
    (void)EVP_DigestFinal_ex(hash, digest, NULL);
    bool body_ok =
        length >= s->body_bytes && text_eq(s->body_hash, (struct text){(const char *)digest, 32});
    (void)EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    enum tide_err rc = dkim_put_header(s, m, &arena, hash_more, hash, err);
    if (rc == TIDE_OK) {
        (void)EVP_DigestFinal_ex(hash, digest, NULL);
        *ret_unsigned_bytes = s->body_bytes >= 0 ? length - s->body_bytes : 0;
        if (key->state != DKIM_KEY_OK || key->algorithm != s->algorithm ||
            (key->strict && !text_ieq(s->identity, s->domain)))
            *ret = DKIM_VERIFY_KEY;
        else if (s->expires_at_s && now / TIME_SECOND_MS > s->expires_at_s)
            *ret = DKIM_VERIFY_EXPIRED;
        else
            *ret = body_ok ? verify_signature(s, key, digest) : DKIM_VERIFY_BODY;
    }
    EVP_MD_CTX_free(hash);
    arena_fini(&arena);
    return rc;
}
