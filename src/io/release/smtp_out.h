/* smtp_out.h - an account that is an SMTP smarthost: a pool of kept connections.
 *
 * Mails wait inside only while connections are being made, or when more are sent than
 * account_room() said. A connection is kept for the next mail, closed after a while without one
 * and after the configured number of mails. A mail that met a kept connection which the server
 * had meanwhile given up is sent over a fresh one, as long as not even MAIL was answered.
 *
 * Each connection that cannot be made (name, TCP, TLS, greeting, AUTH) fails one mail that waits,
 * with ACCOUNT_NOT_SENT, account_fault and the server's reply where there was one.
 *
 * Owns      connections, TLS context, what the host's name resolved to (for a minute).
 * Threads   loop thread only; names are resolved on libuv's pool (getaddrinfo).
 * Errors    at open: TIDE_EIO (CA file), TIDE_EINVAL, TIDE_ENOMEM. Later: the mails' outcomes.
 */
#ifndef IO_RELEASE_SMTP_OUT_H
#define IO_RELEASE_SMTP_OUT_H

#include "io/release/account.h"

TIDE_MUST_CHECK enum tide_err smtp_out_open(uv_loop_t *loop,
                                            const struct config_account *config,
                                            struct account **ret,
                                            struct tide_error *err);

/* How long a connection is kept without mail; 30 s until set. */
void smtp_out_set_idle_ms(struct account *a, int64_t idle_ms);

/* Connections that are open or being made. */
int smtp_out_connections(const struct account *a);

#endif
