/* smtp_listener.h - the SMTP front door: who may send, and from the message to the intake.
 *
 * Clients authenticate as an application of the configuration; on loopback and Unix sockets those
 * that do not are its anonymous application, if there is one. 250 comes after the intake's TIDE_OK.
 *
 * Owns      its sockets and sessions; TLS context.
 * Lifetime  smtp_listener_open() to the callback of smtp_listener_close(); the intake must live and
 *           answer until then.
 * Threads   loop thread only. Certificates are read at open and reload.
 * Errors    those of listening and of the certificate, with the address or file.
 * Replies   intake's error to SMTP: EADDR 553 5.1.3, EPERM 550 5.7.1, EINVAL and EEXIST 554 5.6.0,
 *           ELIMIT 452 4.3.2, EFULL and EIO 452 4.3.1, all else 451 4.3.0; with the error's text.
 */
#ifndef IO_INTAKE_SMTP_LISTENER_H
#define IO_INTAKE_SMTP_LISTENER_H

#include "io/events/bounces.h"
#include "io/intake/intake.h"

#include <uv.h>

struct smtp_listener;

/* Listens where intake_config(in)->smtp says. */
TIDE_MUST_CHECK enum tide_err smtp_listener_open(uv_loop_t *loop,
                                                 struct intake *in,
                                                 struct smtp_listener **ret,
                                                 struct tide_error *err);

/* After the configuration changed: addresses, limits, certificate. Sessions keep what they began
 * with, but whoever's application is gone has to authenticate again. On failure the old addresses
 * and the old certificate stay in force. */
TIDE_MUST_CHECK enum tide_err smtp_listener_reload(struct smtp_listener *l, struct tide_error *err);

/* Who takes mail for bounce addresses, which nobody needs to authenticate for. At once after
 * opening, if at all; borrowed until the listener is closed. */
void smtp_listener_set_bounces(struct smtp_listener *l, struct bounces *bounces);

/* The port behind "127.0.0.1:0" (as configured; of smtp.tls.listen with "tls:" before it); 0: not
 * listened on, or a Unix socket. */
int smtp_listener_port(const struct smtp_listener *l, const char *address);
size_t smtp_listener_connections(const struct smtp_listener *l);

/* Messages being submitted are answered, then all get 421. */
void smtp_listener_close(struct smtp_listener *l, void (*closed_cb)(void *arg), void *arg);

#endif
