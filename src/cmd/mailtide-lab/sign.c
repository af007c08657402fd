#include "cmd/mailtide-lab/sign.h"

#include "base/base64.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RSA_BITS   2048
#define VALID_S    (30L * 86400)
#define PATH_BYTES 4096
#define SLACK_S    3600 /* clocks differ */

struct signer {
    EVP_PKEY *key;
    X509 *certificate;
};

/* -- Certificates ------------------------------------------------------------------------------
 */

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = e && X509_add_ext(cert, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

/* Signed by `issuer`, or by itself if that is NULL. */
static X509 *make_certificate(
    EVP_PKEY *key, const char *name, const char *names, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    if (!cert)
        return NULL;
    X509_NAME *subject = X509_get_subject_name(cert);
    bool ok = X509_set_version(cert, 2) == 1; /* X.509v3 */
    ok = ok && ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1) == 1;
    ok = ok && X509_gmtime_adj(X509_getm_notBefore(cert), -SLACK_S);
    ok = ok && X509_gmtime_adj(X509_getm_notAfter(cert), VALID_S);
    ok = ok && X509_set_pubkey(cert, key) == 1;
    ok = ok && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
                                          -1, -1, 0) == 1;
    ok = ok && X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject) == 1;
    if (names)
        ok = ok && add_extension(cert, issuer ? issuer : cert, NID_subject_alt_name, names);
    ok = ok && add_extension(cert, issuer ? issuer : cert, NID_basic_constraints,
                             issuer ? "CA:FALSE" : "critical,CA:TRUE");
    ok = ok && X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()) > 0;
    if (!ok) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static FILE *open_in(const char *folder, const char *name, mode_t mode)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = n > 0 && (size_t)n < sizeof path
                 ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
                 : -1;
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f && fd >= 0)
        close(fd);
    return f;
}

static bool write_certificate(const char *folder, const char *name, X509 *cert)
{
    FILE *f = open_in(folder, name, 0644);
    bool ok = f && PEM_write_X509(f, cert) == 1;
    return f && fclose(f) == 0 && ok;
}

static bool write_key(const char *folder, const char *name, EVP_PKEY *key)
{
    FILE *f = open_in(folder, name, 0600);
    bool ok = f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
    return f && fclose(f) == 0 && ok;
}

enum tide_err sign_make_authority(const char *folder, struct tide_error *err)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = ca_key ? make_certificate(ca_key, "mailtide-lab", NULL, NULL, NULL) : NULL;
    X509 *cert = ca && key
                     ? make_certificate(key, "localhost", "DNS:localhost,IP:127.0.0.1", ca, ca_key)
                     : NULL;
    enum tide_err rc = TIDE_OK;
    if (!cert)
        rc = tide_fail(err, TIDE_ETLS, "a certificate cannot be made");
    else if (!write_certificate(folder, "ca.pem", ca) ||
             !write_certificate(folder, "cert.pem", cert) || !write_key(folder, "key.pem", key))
        rc = tide_fail(err, TIDE_EIO, "%s: cannot write ca.pem, cert.pem and key.pem", folder);
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return rc;
}

/* -- Signatures --------------------------------------------------------------------------------
 */

enum tide_err signer_new(enum signer_kind kind, struct signer **ret, struct tide_error *err)
{
    struct signer *s = calloc(1, sizeof *s);
    if (!s)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    s->key = kind == SIGNER_RSA ? EVP_RSA_gen(RSA_BITS) : EVP_EC_gen("P-256");
    if (s->key)
        s->certificate = make_certificate(s->key, "sns.amazonaws.com", NULL, NULL, NULL);
    if (!s->certificate) {
        signer_free(s);
        return tide_fail(err, TIDE_ETLS, "a key cannot be made");
    }
    *ret = s;
    return TIDE_OK;
}

void signer_free(struct signer *s)
{
    if (!s)
        return;
    X509_free(s->certificate);
    EVP_PKEY_free(s->key);
    free(s);
}

void signer_sign(const struct signer *s, struct text t, struct buf *ret)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char out[1024];
    size_t n = sizeof out;
    if (ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, s->key) == 1 &&
        EVP_DigestSign(ctx, out, &n, (const unsigned char *)t.p, t.n) == 1)
        base64_encode((struct text){(const char *)out, n}, ret);
    EVP_MD_CTX_free(ctx);
}

void signer_public_key(const struct signer *s, struct buf *ret)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(s->key, &der);
    if (n > 0)
        base64_encode((struct text){(const char *)der, (size_t)n}, ret);
    OPENSSL_free(der);
}

void signer_certificate(const struct signer *s, struct buf *ret)
{
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && PEM_write_bio_X509(bio, s->certificate) == 1) {
        long n = BIO_get_mem_data(bio, &pem);
        buf_add(ret, pem, (size_t)n);
    }
    BIO_free(bio);
}

static struct text hmac(struct text key, struct text t, unsigned char out[EVP_MAX_MD_SIZE])
{
    unsigned n = 0;
    HMAC(EVP_sha256(), key.p ? key.p : "", (int)key.n, (const unsigned char *)t.p, t.n, out, &n);
    return (struct text){(const char *)out, n};
}

void sign_hmac_hex(struct text key, struct text t, struct buf *ret)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    struct text mac = hmac(key, t, out);
    for (size_t i = 0; i < mac.n; i++)
        buf_addf(ret, "%02x", out[i]);
}

void sign_hmac_base64(struct text key, struct text t, struct buf *ret)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    base64_encode(hmac(key, t, out), ret);
}
