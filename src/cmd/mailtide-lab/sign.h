/* sign.h - how ESPs sign what they tell: keys of the lab's own, made at the start.
 *
 * Owns      keys and certificates.
 * Threads   one at a time.
 * Errors    TIDE_ETLS what OpenSSL cannot do, TIDE_EIO a file.
 */
#ifndef CMD_MAILTIDE_LAB_SIGN_H
#define CMD_MAILTIDE_LAB_SIGN_H

#include "base/buf.h"

struct signer;

enum signer_kind { SIGNER_EC_P256, SIGNER_RSA };

TIDE_MUST_CHECK enum tide_err signer_new(enum signer_kind kind,
                                         struct signer **ret,
                                         struct tide_error *err);
void signer_free(struct signer *s); /* NULL is fine */

/* base64 of the signature over SHA-256 of the text; ECDSA as ASN.1 DER. */
void signer_sign(const struct signer *s, struct text t, struct buf *ret);
/* base64 of the public key (SPKI), and a certificate of it as PEM. */
void signer_public_key(const struct signer *s, struct buf *ret);
void signer_certificate(const struct signer *s, struct buf *ret);

/* HMAC-SHA256, as hexadecimal digits or base64. */
void sign_hmac_hex(struct text key, struct text t, struct buf *ret);
void sign_hmac_base64(struct text key, struct text t, struct buf *ret);

/* An authority of the lab's own in the folder: ca.pem, and cert.pem with key.pem for localhost and
 * 127.0.0.1; made anew at each start. */
TIDE_MUST_CHECK enum tide_err sign_make_authority(const char *folder, struct tide_error *err);

#endif
