/* smtp_service.h - SMTP servers on the loop: sockets, limits, time-outs, TLS and replies around
 * core/proto/smtp_server.h. What is accepted is the owner's business: the daemon's intake and the
 * lab's providers are owners.
 *
 * Owns      listeners and sessions. A session is valid until `closed` was called for it.
 * Lifetime  smtp_service_open() to the callback of smtp_service_close().
 * Threads   loop thread only. The process must ignore SIGPIPE: libuv writes with write(2).
 * Questions each of auth, mail, rcpt, message is answered once by smtp_session_answer(), from
 * within the call or at any later time, also when the peer or the service is gone meanwhile: the
 *           session and its mail stay until then.
 * Errors    TIDE_EBUSY, TIDE_EPERM, TIDE_ESYNTAX ... of listen.h. What a peer does wrong is told to
 *           it and logged at debug level.
 * Limits    those of the options. A peer that does not read its replies is not read from.
 */
#ifndef IO_LOOP_SMTP_SERVICE_H
#define IO_LOOP_SMTP_SERVICE_H

#include "core/proto/smtp_server.h"
#include "io/loop/tls.h"

#include <uv.h>

struct smtp_service;
struct smtp_session;

struct smtp_service_ops {
    /* A connection came. Fills in *options (zeroed but for `extensions`, which says what can be
     * offered); false refuses it with *refusal. May set the session's data. */
    bool (*open)(struct smtp_session *s,
                 struct smtp_server_options *options,
                 struct reply *refusal);
    void (*auth)(struct smtp_session *s, const struct smtp_credentials *credentials);
    void (*mail)(struct smtp_session *s, const struct smtp_mail *mail);
    void (*rcpt)(struct smtp_session *s,
                 const struct smtp_mail *mail,
                 const struct smtp_recipient *recipient);
    void (*message)(struct smtp_session *s, const struct smtp_mail *mail);
    void (*closed)(struct smtp_session *s); /* may be NULL */
};

struct smtp_service_options {
    const struct smtp_service_ops *ops;
    void *arg;
    struct tls_context *tls; /* for STARTTLS; NULL: none. Borrowed until the service is closed */
    int connections_max;
    int connections_per_ip_max; /* 0: no bound; Unix sockets have none */
    int64_t command_timeout_ms; /* each 0: none */
    int64_t data_timeout_ms;
    int64_t session_max_ms;
};

TIDE_MUST_CHECK enum tide_err smtp_service_open(uv_loop_t *loop,
                                                const struct smtp_service_options *options,
                                                struct smtp_service **ret,
                                                struct tide_error *err);

/* For connections to come; ops and arg stay. */
void smtp_service_configure(struct smtp_service *sv, const struct smtp_service_options *options);

/* Listens on these addresses (listen.h; "tls:" before one: TLS from the first byte on, RFC
 * 8314 3.3) and no others. Those that are listened on already stay untouched; on failure all stays
 * as it was. */
TIDE_MUST_CHECK enum tide_err smtp_service_listen(struct smtp_service *sv,
                                                  const char *const *addresses,
                                                  size_t count,
                                                  struct tide_error *err);

/* What the listener for `address` (as given) got: "127.0.0.1:40123". "" when there is none. */
const char *smtp_service_name(const struct smtp_service *sv,
                              const char *address,
                              char *out,
                              size_t size);
int smtp_service_port(const struct smtp_service *sv, const char *address); /* 0: none */
size_t smtp_service_connections(const struct smtp_service *sv);

/* No new connections; those that are open get 421 after what is being decided for them.
 * `closed_cb` comes when the last is gone. */
void smtp_service_close(struct smtp_service *sv, void (*closed_cb)(void *arg), void *arg);

/* ---- a session, for the ops ---- */

void *smtp_session_arg(const struct smtp_session *s); /* the service's */
void smtp_session_set_data(struct smtp_session *s, void *data);
void *smtp_session_data(const struct smtp_session *s);
const char *smtp_session_peer(const struct smtp_session *s); /* "127.0.0.1:40312", "unix:uid=33" */
bool smtp_session_is_local(const struct smtp_session *s);    /* loopback or Unix socket */
const struct smtp_server *smtp_session_server(const struct smtp_session *s);
void smtp_session_answer(struct smtp_session *s, const struct reply *r);

#endif
