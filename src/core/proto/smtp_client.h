/* smtp_client.h - one SMTP submission connection as a pure machine: bytes in, bytes out, events.
 *
 * It knows nothing of sockets and TLS. The owner feeds what came (smtp_client_input), writes what
 * smtp_client_output() shows and says how much of it the socket took (smtp_client_wrote), ticks it
 * when smtp_client_deadline() has come, and asks for events after every call.
 *
 *   GREETING --> EHLO --> STARTTLS --> TLS --> EHLO --> AUTH --> READY <------------------.
 *                 `--> HELO (no ESMTP) ------------------------> READY                    |
 *   READY --send--> ENVELOPE --354--> BODY --dot handed over--> DOT --reply------------> READY
 *                      |  `--354, but no recipient was accepted--> LONE_DOT ------------> READY
 *                      `--refused--> RSET ----------------------------------------------> READY
 *   READY --quit, or enough mails--> QUIT --> CLOSED      any --421, broken, time-out--> CLOSED
 *
 * Where a connection breaks decides what a mail's fate is: as long as a byte of the final dot's
 * line was not taken by the socket, the message was not whole and NOT_SENT is certain; from then on
 * until the reply it is UNKNOWN.
 *
 * Owns      its buffers. Configuration and mail stay the caller's: the configuration as long as the
 *           machine lives, a mail from smtp_client_send() until SMTP_EVENT_DONE.
 * Lifetime  smtp_client_init() to smtp_client_fini().
 * Threads   one at a time. Reads no clock: `now` is the caller's.
 * Errors    never returned: the fate of the mail and `fault` tell them.
 * Limits    replies: REPLY_LINE_BYTES_MAX, REPLY_BYTES_MAX; one mail at a time.
 * Standards RFC 5321, 1870 (SIZE), 2920 (PIPELINING), 3207 (STARTTLS), 3461 (DSN), 4954 (AUTH),
 *           4616 (PLAIN), 6152 (8BITMIME), 6531 (SMTPUTF8).
 * Departure 8-bit content goes out as it is where 8BITMIME is not offered: converting it would
 *           break signatures, and no server in use minds.
 */
#ifndef CORE_PROTO_SMTP_CLIENT_H
#define CORE_PROTO_SMTP_CLIENT_H

#include "base/buf.h"
#include "base/time.h"
#include "core/proto/dot.h"
#include "core/proto/reply.h"
#include "core/proto/smtp_hello.h"

enum smtp_fate {
    SMTP_PENDING,  /* none yet */
    SMTP_ACCEPTED, /* 2yz after the dot */
    SMTP_REFUSED,  /* a reply said no, or we knew that it would (SIZE, SMTPUTF8) */
    SMTP_NOT_SENT, /* nothing arrived */
    SMTP_UNKNOWN,  /* broke between the final dot and its reply */
};

struct smtp_result {
    enum smtp_fate fate;
    enum reply_stage stage;
    struct reply reply;
    bool account_fault; /* concerns the whole account: connection, authentication, 421 */
};

struct smtp_rcpt {
    struct text address, notify, orcpt;
    struct smtp_result result;
};

struct smtp_mail {
    struct text sender; /* "": the null path */
    struct text message;
    struct text ret, envid;
    bool smtputf8;
    struct smtp_rcpt *rcpts;
    size_t rcpt_count; /* at least 1 */
};

struct smtp_client_config {
    const char *peer; /* "smtp.example.com:587", for texts */
    const char *helo; /* our own name */
    enum tls_mode tls;
    enum auth_mech auth;
    struct text user, password; /* user "": no AUTH */
    int mails_max;              /* of one connection, then QUIT; 0: no bound */
    int64_t command_timeout_ms; /* greeting, commands, and each piece of the body */
    int64_t dot_timeout_ms;     /* RFC 5321 4.5.3.2.6: 10 minutes */
};

enum smtp_state {
    SMTP_GREETING,
    SMTP_EHLO,
    SMTP_HELO,
    SMTP_STARTTLS,
    SMTP_TLS, /* the owner's handshake */
    SMTP_AUTH,
    SMTP_READY,
    SMTP_ENVELOPE,
    SMTP_BODY,
    SMTP_DOT,
    SMTP_LONE_DOT,
    SMTP_RSET,
    SMTP_QUIT,
    SMTP_CLOSED,
};

enum smtp_event {
    SMTP_EVENT_NONE,
    SMTP_EVENT_START_TLS, /* begin the handshake, then smtp_client_tls_open() */
    SMTP_EVENT_DONE,      /* the fates of the mail's recipients are settled; it is let go */
    SMTP_EVENT_READY,     /* smtp_client_send() may be called */
    SMTP_EVENT_CLOSE,     /* close the connection; `faulted` says whether something was wrong */
};

struct smtp_client {
    const struct smtp_client_config *config;
    enum smtp_state state;
    unsigned events;         /* bits of enum smtp_event */
    bool tls;                /* the connection is protected */
    struct smtp_offer offer; /* of the last EHLO */
    enum auth_mech mech;     /* in use */
    int auth_step;
    struct smtp_mail *mail;
    bool mail_accepted, data_asked;
    size_t asked, answered;   /* commands of the envelope */
    size_t ask_at, answer_at; /* recipients: the next to be asked for, to be answered about */
    size_t accepted;          /* recipients */
    struct dot_writer dot;
    int mails_done;
    tide_mono_ms now, deadline; /* of the call; of what is waited for */
    struct buf in, out;
    size_t out_at; /* bytes of `out` that the socket took */
    bool faulted;
    enum reply_stage fault_stage;
    struct reply fault;
};

/* The connection stands (in TLS already if tls_open); the greeting is awaited. */
void smtp_client_init(struct smtp_client *c,
                      const struct smtp_client_config *config,
                      bool tls_open,
                      tide_mono_ms now);
void smtp_client_fini(struct smtp_client *c);

enum smtp_event smtp_client_next(struct smtp_client *c);
void smtp_client_input(struct smtp_client *c, struct text bytes, tide_mono_ms now);

/* What has to be written next; valid until the next call. */
struct text smtp_client_output(struct smtp_client *c);
void smtp_client_wrote(struct smtp_client *c, size_t n, tide_mono_ms now);

void smtp_client_tls_open(struct smtp_client *c, tide_mono_ms now);
/* The connection is gone, or no longer wanted. */
void smtp_client_broken(struct smtp_client *c, const char *what);
void smtp_client_tick(struct smtp_client *c, tide_mono_ms now);
tide_mono_ms smtp_client_deadline(const struct smtp_client *c); /* TIDE_NEVER: none is running */

/* Only when ready. */
void smtp_client_send(struct smtp_client *c, struct smtp_mail *mail, tide_mono_ms now);
void smtp_client_quit(struct smtp_client *c, tide_mono_ms now);

const char *smtp_state_name(enum smtp_state s);

static inline bool smtp_client_offers(const struct smtp_client *c, enum smtp_extension e)
{
    return c->offer.extensions >> e & 1;
}

#endif
