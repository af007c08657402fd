/* tls.h - one TLS connection over memory, server and client side alike: bytes in, bytes out.
 *
 * The owner has the socket. It feeds what came from it and sends what is left in `wire`; after
 * every call `wire` holds all that OpenSSL has to say, also after a failure (an alert: send it,
 * then close).
 *
 *   client: tls_new, tls_start, (tls_feed until tls_is_open), tls_write and tls_feed, tls_close
 *   server: tls_new, tls_start, tls_feed ...
 *
 * Owns      struct tls its OpenSSL objects; struct tls_context certificate, key and trusted CAs.
 * Lifetime  _new() to _free(). A connection outlives its context and a reload of it.
 * Threads   one at a time per object. Contexts read files: at start-up and on reload only.
 * Errors    TIDE_ETLS (handshake, verification, damaged record): the text says whose and why;
 *           TIDE_ESTATE written before the handshake is over; TIDE_EIO a file; TIDE_ENOMEM;
 *           TIDE_ELIMIT of `plain` or `wire`. After a failure only tls_free() makes sense.
 * Standards RFC 8446, 5246 (TLS 1.2 at least), 6066 (SNI), 6125 (names), 3207 4.2 (see
 * tls_start()).
 */
#ifndef IO_LOOP_TLS_H
#define IO_LOOP_TLS_H

#include "base/buf.h"

struct tls;
struct tls_context;

/* Certificate chain (leaf first) and key, PEM. */
TIDE_MUST_CHECK enum tide_err tls_server_context_new(const char *certificate_file,
                                                     const char *key_file,
                                                     struct tls_context **ret,
                                                     struct tide_error *err);
/* Reads the files anew, for connections to come; on failure all stays as it was. */
TIDE_MUST_CHECK enum tide_err tls_server_context_reload(struct tls_context *c,
                                                        const char *certificate_file,
                                                        const char *key_file,
                                                        struct tide_error *err);

/* ca_file NULL: the system's. verify false takes any certificate (opportunistic TLS). */
TIDE_MUST_CHECK enum tide_err tls_client_context_new(bool verify,
                                                     const char *ca_file,
                                                     struct tls_context **ret,
                                                     struct tide_error *err);
void tls_context_free(struct tls_context *c); /* NULL is fine */

/* `host` is the name (or IP address) that a client asks for and verifies; NULL on the server. */
TIDE_MUST_CHECK enum tide_err tls_new(const struct tls_context *c,
                                      const char *host,
                                      struct tls **ret,
                                      struct tide_error *err);
void tls_free(struct tls *t); /* NULL is fine */

/* Begins the handshake. What stands in `plain` (may be NULL) came before it, in the clear, where
 * anyone could have put it: it is thrown away (RFC 3207 4.2, CVE-2011-0411). */
TIDE_MUST_CHECK enum tide_err tls_start(struct tls *t,
                                        struct buf *plain,
                                        struct buf *wire,
                                        struct tide_error *err);

/* `bytes` came from the peer; what they say is added to `plain`, what has to be sent to `wire`. */
TIDE_MUST_CHECK enum tide_err tls_feed(struct tls *t,
                                       const void *bytes,
                                       size_t n,
                                       struct buf *plain,
                                       struct buf *wire,
                                       struct tide_error *err);

TIDE_MUST_CHECK enum tide_err tls_write(
    struct tls *t, const void *bytes, size_t n, struct buf *wire, struct tide_error *err);

/* Adds close_notify to `wire`, once. */
void tls_close(struct tls *t, struct buf *wire);

bool tls_is_open(const struct tls *t);        /* the handshake is over */
bool tls_peer_closed(const struct tls *t);    /* close_notify came */
const char *tls_version(const struct tls *t); /* "TLSv1.3" */
const char *tls_cipher(const struct tls *t);  /* "TLS_AES_256_GCM_SHA384" */

#endif
