#include "io/loop/tls.h"

#include "base/macros.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define RECORD_BYTES_MAX 16384u /* RFC 8446 5.1: plaintext of one record */

struct tls_context {
    SSL_CTX *ssl_ctx;
    bool server, verify;
};

struct tls {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    bool server, started, open, peer_closed, failed;
    char host[256]; /* for texts; "" on the server */
};

/* The reason that matters is the one put last; the queue is empty afterwards. */
static const char *last_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return reason ? reason : "no reason given";
}

static SSL_CTX *ssl_ctx_new(bool server)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!ctx)
        return NULL;
    /* RFC 8996: nothing older than 1.2. Renegotiation is of no use here and a way to burn CPU. */
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* An idle connection gives its 34 kB of buffers back. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return ctx;
}

static enum tide_err load_server(const char *certificate_file,
                                 const char *key_file,
                                 SSL_CTX **ret,
                                 struct tide_error *err)
{
    enum tide_err rc = TIDE_OK;
    ERR_clear_error();
    SSL_CTX *ctx = ssl_ctx_new(true);
    if (!ctx)
        return tide_fail(err, TIDE_ENOMEM, "a TLS context: %s", last_reason());
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate_file) != 1)
        rc = tide_fail(err, TIDE_EIO, "certificate %s: want a PEM file, got: %s", certificate_file,
                       last_reason());
    else if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        rc = tide_fail(err, TIDE_EIO, "key %s: want the PEM key of %s, got: %s", key_file,
                       certificate_file, last_reason());
    else if (SSL_CTX_check_private_key(ctx) != 1)
        rc = tide_fail(err, TIDE_EIO, "key %s does not belong to certificate %s: %s", key_file,
                       certificate_file, last_reason());
    if (rc != TIDE_OK) {
        SSL_CTX_free(ctx);
        return rc;
    }
    *ret = ctx;
    return TIDE_OK;
}

static enum tide_err context_of(
    SSL_CTX *take_ctx, bool server, bool verify, struct tls_context **ret, struct tide_error *err)
{
    struct tls_context *c = malloc(sizeof *c);
    if (!c) {
        SSL_CTX_free(take_ctx);
        return tide_fail(err, TIDE_ENOMEM, "a TLS context");
    }
    *c = (struct tls_context){.ssl_ctx = take_ctx, .server = server, .verify = verify};
    *ret = c;
    return TIDE_OK;
}

enum tide_err tls_server_context_new(const char *certificate_file,
                                     const char *key_file,
                                     struct tls_context **ret,
                                     struct tide_error *err)
{
    SSL_CTX *ctx;
    enum tide_err rc = load_server(certificate_file, key_file, &ctx, err);
    return rc == TIDE_OK ? context_of(ctx, true, false, ret, err) : rc;
}

enum tide_err tls_server_context_reload(struct tls_context *c,
                                        const char *certificate_file,
                                        const char *key_file,
                                        struct tide_error *err)
{
    SSL_CTX *ctx;
    assert(c->server);
    enum tide_err rc = load_server(certificate_file, key_file, &ctx, err);
    if (rc != TIDE_OK)
        return rc;
    SSL_CTX_free(c->ssl_ctx); /* connections have a reference of their own */
    c->ssl_ctx = ctx;
    return TIDE_OK;
}

enum tide_err tls_client_context_new(bool verify,
                                     const char *ca_file,
                                     struct tls_context **ret,
                                     struct tide_error *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = ssl_ctx_new(false);
    if (!ctx)
        return tide_fail(err, TIDE_ENOMEM, "a TLS context: %s", last_reason());
    int loaded = 1;
    if (ca_file)
        loaded = SSL_CTX_load_verify_file(ctx, ca_file);
    else if (verify)
        loaded = SSL_CTX_set_default_verify_paths(ctx);
    if (loaded != 1) {
        SSL_CTX_free(ctx);
        return tide_fail(err, TIDE_EIO, "trusted CAs %s: want a PEM file, got: %s",
                         ca_file ? ca_file : "of the system", last_reason());
    }
    SSL_CTX_set_verify(ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    return context_of(ctx, false, verify, ret, err);
}

void tls_context_free(struct tls_context *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ssl_ctx);
    free(c);
}

/* A name goes into SNI and is verified as one; an IP address is verified as such and must not go
 * into SNI (RFC 6066 3). */
static bool set_host(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    ERR_clear_error();
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

enum tide_err tls_new(const struct tls_context *c,
                      const char *host,
                      struct tls **ret,
                      struct tide_error *err)
{
    assert(c->server || host);
    ERR_clear_error();
    struct tls *t = calloc(1, sizeof *t);
    SSL *ssl = SSL_new(c->ssl_ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (!t || !ssl || !in || !out) {
        free(t);
        SSL_free(ssl);
        BIO_free(in);
        BIO_free(out);
        return tide_fail(err, TIDE_ENOMEM, "a TLS connection: %s", last_reason());
    }
    BIO_set_mem_eof_return(in, -1); /* empty means "more to come", not the end */
    SSL_set_bio(ssl, in, out);
    *t = (struct tls){.ssl = ssl, .in = in, .out = out, .server = c->server};
    if (c->server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
        size_t n = strlen(host);
        if (n == 0 || n >= sizeof t->host || !set_host(ssl, host)) {
            tls_free(t);
            return tide_fail(err, TIDE_EINVAL, "TLS: want a host name or IP address, got \"%s\"",
                             host);
        }
        memcpy(t->host, host, n + 1);
    }
    *ret = t;
    return TIDE_OK;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

/* All that OpenSSL wants sent goes to `wire`: after every call that may have made some. */
static void drain(struct tls *t, struct buf *wire)
{
    char *bytes;
    long n = BIO_get_mem_data(t->out, &bytes);
    if (n <= 0)
        return;
    buf_add(wire, bytes, (size_t)n);
    (void)BIO_reset(t->out);
}

static enum tide_err fail_ssl(struct tls *t, const char *doing, struct tide_error *err)
{
    t->failed = true;
    const char *with = t->server ? "the client" : t->host;
    long verified = SSL_get_verify_result(t->ssl);
    if (!t->server && !t->open && verified != X509_V_OK &&
        SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE) {
        ERR_clear_error();
        return tide_fail(err, TIDE_ETLS, "the certificate of %s is not trusted: %s", with,
                         X509_verify_cert_error_string(verified));
    }
    return tide_fail(err, TIDE_ETLS, "TLS %s with %s: %s", doing, with, last_reason());
}

/* `ret` of an SSL call is not success: is it only that more bytes are needed? */
static bool wants_more(const struct tls *t, int ret)
{
    int why = SSL_get_error(t->ssl, ret);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static enum tide_err shake(struct tls *t, struct buf *wire, struct tide_error *err)
{
    ERR_clear_error();
    int ret = SSL_do_handshake(t->ssl);
    drain(t, wire);
    if (ret == 1)
        t->open = true;
    else if (!wants_more(t, ret))
        return fail_ssl(t, "handshake", err);
    return TIDE_OK;
}

enum tide_err tls_start(struct tls *t, struct buf *plain, struct buf *wire, struct tide_error *err)
{
    assert(!t->started);
    t->started = true;
    if (plain)
        buf_clear(plain);
    enum tide_err rc = shake(t, wire, err);
    return rc == TIDE_OK ? buf_check(wire, err) : rc;
}

static enum tide_err read_all(struct tls *t,
                              struct buf *plain,
                              struct buf *wire,
                              struct tide_error *err)
{
    while (!t->peer_closed) {
        char *room = buf_room(plain, RECORD_BYTES_MAX);
        if (!room)
            return buf_check(plain, err);
        ERR_clear_error();
        int n = SSL_read(t->ssl, room, RECORD_BYTES_MAX);
        drain(t, wire);
        if (n > 0)
            buf_added(plain, (size_t)n);
        else if (SSL_get_error(t->ssl, n) == SSL_ERROR_ZERO_RETURN)
            t->peer_closed = true;
        else if (wants_more(t, n))
            break;
        else
            return fail_ssl(t, "connection", err);
    }
    return TIDE_OK;
}

enum tide_err tls_feed(struct tls *t,
                       const void *bytes,
                       size_t n,
                       struct buf *plain,
                       struct buf *wire,
                       struct tide_error *err)
{
    assert(t->started);
    if (t->failed)
        return tide_fail(err, TIDE_ESTATE, "the TLS connection has failed before");
    if (n > INT32_MAX)
        return tide_fail(err, TIDE_ELIMIT, "TLS: %zu bytes at once are too many", n);
    if (n > 0 && BIO_write(t->in, bytes, (int)n) != (int)n)
        return tide_fail(err, TIDE_ENOMEM, "TLS: buffering %zu bytes", n);
    enum tide_err rc = TIDE_OK;
    if (!t->open)
        rc = shake(t, wire, err);
    if (rc == TIDE_OK && t->open)
        rc = read_all(t, plain, wire, err);
    return rc == TIDE_OK ? buf_check(wire, err) : rc;
}

enum tide_err tls_write(
    struct tls *t, const void *bytes, size_t n, struct buf *wire, struct tide_error *err)
{
    const char *p = bytes;
    if (!t->open || t->failed)
        return tide_fail(err, TIDE_ESTATE, "TLS: nothing can be written %s",
                         t->failed ? "after a failure" : "before the handshake is over");
    while (n > 0) {
        size_t done = 0;
        ERR_clear_error();
        int ret = SSL_write_ex(t->ssl, p, TIDE_MIN(n, RECORD_BYTES_MAX), &done);
        drain(t, wire);
        if (ret != 1)
            return fail_ssl(t, "connection", err);
        p += done;
        n -= done;
    }
    return buf_check(wire, err);
}

void tls_close(struct tls *t, struct buf *wire)
{
    /* Before the handshake is over there is nothing to close, after a failure OpenSSL forbids it.
     */
    if (!t->open || t->failed || (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    drain(t, wire);
    ERR_clear_error();
}

bool tls_is_open(const struct tls *t)
{
    return t->open;
}

bool tls_peer_closed(const struct tls *t)
{
    return t->peer_closed;
}

const char *tls_version(const struct tls *t)
{
    return SSL_get_version(t->ssl);
}

const char *tls_cipher(const struct tls *t)
{
    return SSL_get_cipher_name(t->ssl);
}
