/* smtp_conn.h - one connection to a smarthost: dialling, TLS, and the machine of smtp_client.h.
 *
 *   DIALLING --(next address)--> DIALLING --connected--> OPEN --CLOSE event--> CLOSING --> closed()
 *       `--no address left, time-out--------------------------------------> CLOSING
 *
 * Owns      its handles and buffers. Setup and addresses stay the caller's until closed().
 * Lifetime  smtp_conn_open() to closed(), after which the connection is no more.
 * Threads   loop thread only. closed() never comes from inside a call; done() and next_mail() may,
 *           from smtp_conn_send() and smtp_conn_close().
 */
#ifndef IO_RELEASE_SMTP_CONN_H
#define IO_RELEASE_SMTP_CONN_H

#include "core/proto/smtp_client.h"
#include "io/loop/tls.h"
#include "io/release/account.h"

#define SMTP_CONN_READ_BYTES 65536

struct smtp_conn;

/* The same for all connections of an account. */
struct smtp_conn_setup {
    uv_loop_t *loop;
    struct smtp_client_config client;
    const char *host;        /* for TLS */
    struct tls_context *tls; /* NULL: none */
    int64_t connect_timeout_ms, idle_timeout_ms;
    char read_bytes[SMTP_CONN_READ_BYTES]; /* what one read brings is eaten before the next */
    void *arg;
    /* A mail may be given: the next one, or NULL; the connection is then idle. */
    struct account_mail *(*next_mail)(void *arg, struct smtp_conn *c);
    /* `fresh`: it was the first mail of its connection. */
    void (*done)(void *arg,
                 struct smtp_conn *c,
                 struct account_mail *mail,
                 const struct account_outcome *outcome,
                 bool fresh);
    /* `fault` (NULL: none) kept the connection from ever becoming ready. */
    void (*closed)(void *arg, struct smtp_conn *c, const struct account_outcome *fault);
};

struct smtp_addresses {
    struct sockaddr_storage list[8];
    size_t count;
};

TIDE_MUST_CHECK enum tide_err smtp_conn_open(struct smtp_conn_setup *setup,
                                             const struct smtp_addresses *addresses,
                                             struct smtp_conn **ret,
                                             struct tide_error *err);

/* At any moment, also twice. The mail inside ends with what is known of it. */
void smtp_conn_close(struct smtp_conn *c, const char *why);

bool smtp_conn_is_idle(const struct smtp_conn *c);
/* Its message is on its way or handed over, the answer is not there. */
bool smtp_conn_awaits_fate(const struct smtp_conn *c);
bool smtp_conn_is_starting(const struct smtp_conn *c);               /* may still become ready */
bool smtp_conn_is_ending(const struct smtp_conn *c);                 /* takes no more mail */
void smtp_conn_send(struct smtp_conn *c, struct account_mail *mail); /* only when idle */

#endif
