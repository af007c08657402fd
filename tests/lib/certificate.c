#include "lib/certificate.h"

#include "lib/check.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    T_TRUE(e && X509_add_ext(cert, e, -1), "extension %s", value);
    X509_EXTENSION_free(e);
}

static X509 *make(EVP_PKEY *key, const char *name)
{
    char names[200];
    X509 *cert = X509_new();
    T_TRUE(cert && key, "key and certificate");
    X509_set_version(cert, 2); /* X.509v3 */
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    snprintf(names, sizeof names, "DNS:%s,IP:127.0.0.1", name);
    add_extension(cert, NID_subject_alt_name, names);
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    T_TRUE(X509_sign(cert, key, EVP_sha256()) > 0, "signed");
    return cert;
}

void certificate_make(struct certificate *c, const char *name)
{
    snprintf(c->dir, sizeof c->dir, "/tmp/mailtide-cert-XXXXXX");
    T_TRUE(mkdtemp(c->dir), "a folder in /tmp");
    snprintf(c->cert_file, sizeof c->cert_file, "%s/cert.pem", c->dir);
    snprintf(c->key_file, sizeof c->key_file, "%s/key.pem", c->dir);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = make(key, name);
    FILE *f = fopen(c->cert_file, "w");
    T_TRUE(f && PEM_write_X509(f, cert) && fclose(f) == 0, "%s", c->cert_file);
    f = fopen(c->key_file, "w");
    T_TRUE(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) && fclose(f) == 0, "%s",
           c->key_file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void certificate_remove(const struct certificate *c)
{
    unlink(c->cert_file);
    unlink(c->key_file);
    rmdir(c->dir);
}
