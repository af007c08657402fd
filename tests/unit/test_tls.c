#include "io/loop/tls.h"
#include "lib/certificate.h"
#include "lib/check.h"

#include <stdlib.h>

static struct certificate ours, other;

/* A client and a server that hand each other what they have to send, `piece` bytes at a time. */
struct pair {
    struct tls_context *client_ctx, *server_ctx;
    struct tls *client, *server;
    struct buf to_server, to_client;             /* on the wire */
    struct buf heard_by_server, heard_by_client; /* plaintext */
    enum tide_err client_rc, server_rc;
    struct tide_error client_err, server_err;
};

static void pair_init(struct pair *p, bool verify, const char *ca_file, const char *host)
{
    struct tide_error err;
    *p = (struct pair){0};
    T_OK(tls_server_context_new(ours.cert_file, ours.key_file, &p->server_ctx, &err), &err, "srv");
    T_OK(tls_client_context_new(verify, ca_file, &p->client_ctx, &err), &err, "client");
    T_OK(tls_new(p->client_ctx, host, &p->client, &err), &err, "client connection");
    T_OK(tls_new(p->server_ctx, NULL, &p->server, &err), &err, "server connection");
    T_OK(tls_start(p->server, &p->heard_by_server, &p->to_client, &err), &err, "server starts");
    T_OK(tls_start(p->client, NULL, &p->to_server, &err), &err, "client starts");
}

static void pair_fini(struct pair *p)
{
    tls_free(p->client);
    tls_free(p->server);
    tls_context_free(p->client_ctx);
    tls_context_free(p->server_ctx);
    buf_fini(&p->to_server);
    buf_fini(&p->to_client);
    buf_fini(&p->heard_by_server);
    buf_fini(&p->heard_by_client);
}

/* Until both are silent or one has failed. */
static void pair_talk(struct pair *p, size_t piece)
{
    while (p->to_server.len || p->to_client.len) {
        size_t n = TIDE_MIN(piece, p->to_server.len);
        if (n && p->server_rc == TIDE_OK)
            p->server_rc = tls_feed(p->server, p->to_server.data, n, &p->heard_by_server,
                                    &p->to_client, &p->server_err);
        buf_consume(&p->to_server, n);
        n = TIDE_MIN(piece, p->to_client.len);
        if (n && p->client_rc == TIDE_OK)
            p->client_rc = tls_feed(p->client, p->to_client.data, n, &p->heard_by_client,
                                    &p->to_server, &p->client_err);
        buf_consume(&p->to_client, n);
    }
}

static const struct {
    const char *name;
    bool verify, trust_ours;
    const char *host;
    enum tide_err want;
    const char *text; /* in the client's error */
} handshakes[] = {
    {"verified by name", true, true, "mail.example.org", TIDE_OK, NULL},
    {"verified by IP address", true, true, "127.0.0.1", TIDE_OK, NULL},
    {"wrong name", true, true, "mail.example.net", TIDE_ETLS, "hostname mismatch"},
    {"wrong IP address", true, true, "127.0.0.2", TIDE_ETLS, "IP address mismatch"},
    {"unknown issuer", true, false, "mail.example.org", TIDE_ETLS, "self-signed certificate"},
    {"not verified", false, false, "mail.example.net", TIDE_OK, NULL},
};

static void test_handshakes(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 100, 100000};
    for (size_t i = 0; i < TIDE_COUNT(handshakes); i++) {
        for (size_t k = 0; k < TIDE_COUNT(pieces); k++) {
            struct pair p;
            pair_init(&p, handshakes[i].verify,
                      handshakes[i].trust_ours ? ours.cert_file : other.cert_file,
                      handshakes[i].host);
            pair_talk(&p, pieces[k]);
            T_EQ(p.client_rc, handshakes[i].want, "%s: %s", handshakes[i].name, p.client_err.text);
            T_EQ(tls_is_open(p.client), handshakes[i].want == TIDE_OK, "%s", handshakes[i].name);
            if (handshakes[i].text) {
                T_TRUE(strstr(p.client_err.text, handshakes[i].text), "%s: %s", handshakes[i].name,
                       p.client_err.text);
                T_TRUE(strstr(p.client_err.text, handshakes[i].host), "names the host: %s",
                       p.client_err.text);
                T_EQ(p.server_rc, TIDE_ETLS, "the alert reaches the server");
            } else {
                T_STR(tls_version(p.server), "TLSv1.3", "version");
            }
            pair_fini(&p);
        }
    }
}

static void test_bytes_both_ways_and_close(void **state)
{
    (void)state;
    enum { BIG = 300000 };
    struct pair p;
    struct tide_error err;
    char *big = malloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)(i * 31 >> 3);
    pair_init(&p, true, ours.cert_file, "mail.example.org");
    T_EQ(tls_write(p.client, "x", 1, &p.to_server, &err), TIDE_ESTATE, "too early");
    pair_talk(&p, 700);
    T_OK(tls_write(p.client, big, BIG, &p.to_server, &err), &err, "big");
    T_OK(tls_write(p.server, "220 hi\r\n", 8, &p.to_client, &err), &err, "small");
    pair_talk(&p, 1400);
    T_TEXT(buf_text(&p.heard_by_client), "220 hi\r\n", "small");
    T_EQ(p.heard_by_server.len, BIG, "all of it");
    T_TRUE(memcmp(p.heard_by_server.data, big, BIG) == 0, "unchanged");
    T_TRUE(!tls_peer_closed(p.server), "open");
    tls_close(p.client, &p.to_server);
    size_t once = p.to_server.len;
    tls_close(p.client, &p.to_server);
    T_EQ(p.to_server.len, once, "close_notify goes out once");
    pair_talk(&p, 1);
    T_TRUE(tls_peer_closed(p.server), "close_notify came");
    T_EQ(p.server_rc, TIDE_OK, "and is no failure");
    pair_fini(&p);
    free(big);
}

static void test_start_throws_away_what_came_in_the_clear(void **state)
{
    (void)state;
    struct tls_context *ctx;
    struct tls *t;
    struct tide_error err;
    struct buf plain = {0}, wire = {0};
    T_OK(tls_server_context_new(ours.cert_file, ours.key_file, &ctx, &err), &err, "context");
    T_OK(tls_new(ctx, NULL, &t, &err), &err, "connection");
    buf_adds(&plain, "RSET\r\nMAIL FROM:<mallory@example.org>\r\n");
    T_OK(tls_start(t, &plain, &wire, &err), &err, "start");
    T_EQ(plain.len, 0, "injected commands are gone");
    tls_free(t);
    tls_context_free(ctx);
    buf_fini(&plain);
    buf_fini(&wire);
}

static void test_garbage_is_an_error(void **state)
{
    (void)state;
    struct pair p;
    struct tide_error err;
    pair_init(&p, false, NULL, "mail.example.org");
    T_EQ(tls_feed(p.server, "EHLO there\r\n", 12, &p.heard_by_server, &p.to_client, &err),
         TIDE_ETLS, "no TLS");
    T_TRUE(strstr(err.text, "TLS handshake with the client: "), "%s", err.text);
    T_EQ(tls_feed(p.server, "x", 1, &p.heard_by_server, &p.to_client, &err), TIDE_ESTATE, "after");
    T_EQ(tls_write(p.server, "x", 1, &p.to_client, &err), TIDE_ESTATE, "after");
    pair_fini(&p);

    pair_init(&p, false, NULL, "mail.example.org");
    pair_talk(&p, 5000);
    T_OK(tls_write(p.client, "hello", 5, &p.to_server, &err), &err, "write");
    p.to_server.data[p.to_server.len - 1] ^= 1;
    pair_talk(&p, 5000);
    T_EQ(p.server_rc, TIDE_ETLS, "a changed record");
    T_EQ(p.heard_by_server.len, 0, "nothing of it is heard");
    pair_fini(&p);
}

static void test_plaintext_bound(void **state)
{
    (void)state;
    struct pair p;
    struct tide_error err;
    static const char text[60000];
    pair_init(&p, false, NULL, "mail.example.org");
    pair_talk(&p, 5000);
    p.heard_by_server.max = 40000;
    T_OK(tls_write(p.client, text, sizeof text, &p.to_server, &err), &err, "write");
    pair_talk(&p, 100000);
    T_EQ(p.server_rc, TIDE_ELIMIT, "the owner's bound holds");
    pair_fini(&p);
}

static void test_files(void **state)
{
    (void)state;
    struct tls_context *ctx = NULL;
    struct tide_error err;
    T_EQ(tls_server_context_new("/nonexistent/c.pem", ours.key_file, &ctx, &err), TIDE_EIO, "cert");
    T_TRUE(strstr(err.text, "certificate /nonexistent/c.pem"), "%s", err.text);
    T_EQ(tls_server_context_new(ours.cert_file, "/nonexistent/k.pem", &ctx, &err), TIDE_EIO, "key");
    T_TRUE(strstr(err.text, "key /nonexistent/k.pem"), "%s", err.text);
    T_EQ(tls_server_context_new(ours.cert_file, other.key_file, &ctx, &err), TIDE_EIO, "pair");
    T_TRUE(strstr(err.text, other.key_file), "%s", err.text);
    T_EQ(tls_client_context_new(true, "/nonexistent/ca.pem", &ctx, &err), TIDE_EIO, "CAs");
    T_TRUE(ctx == NULL, "nothing was made");
    T_OK(tls_client_context_new(true, NULL, &ctx, &err), &err, "the system's CAs");
    struct tls *t = NULL;
    T_EQ(tls_new(ctx, "", &t, &err), TIDE_EINVAL, "no host");
    tls_context_free(ctx);
}

static void test_reload(void **state)
{
    (void)state;
    struct pair p;
    struct tide_error err;
    pair_init(&p, true, ours.cert_file, "mail.example.org");
    T_EQ(tls_server_context_reload(p.server_ctx, ours.cert_file, other.key_file, &err), TIDE_EIO,
         "a bad pair is refused");
    T_OK(tls_server_context_reload(p.server_ctx, other.cert_file, other.key_file, &err), &err,
         "other files");
    pair_talk(&p, 500);
    T_OK(p.client_rc, &p.client_err, "the connection keeps the certificate that it began with");
    struct tls *late;
    struct buf none = {0};
    T_OK(tls_new(p.server_ctx, NULL, &late, &err), &err, "a later connection");
    tls_free(p.server);
    tls_free(p.client);
    p.server = late;
    T_OK(tls_new(p.client_ctx, "mail.example.org", &p.client, &err), &err, "its client");
    T_OK(tls_start(p.server, &none, &p.to_client, &err), &err, "start");
    T_OK(tls_start(p.client, &none, &p.to_server, &err), &err, "start");
    pair_talk(&p, 500);
    T_EQ(p.client_rc, TIDE_ETLS, "gets the new certificate");
    pair_fini(&p);
}

static int make_certificates(void **state)
{
    (void)state;
    certificate_make(&ours, "mail.example.org");
    certificate_make(&other, "other.example.org");
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    certificate_remove(&ours);
    certificate_remove(&other);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshakes),
        cmocka_unit_test(test_bytes_both_ways_and_close),
        cmocka_unit_test(test_start_throws_away_what_came_in_the_clear),
        cmocka_unit_test(test_garbage_is_an_error),
        cmocka_unit_test(test_plaintext_bound),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_reload),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
