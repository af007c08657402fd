/* smtp_server.h - the server's side of one SMTP connection: bytes in, replies and questions out.
 *
 * The owner feeds what came and steps until more is needed. A step stops where somebody has to
 * decide (these credentials? this sender, recipient, message?); the owner answers with a reply, at
 * once or later. What the peer sent meanwhile waits unread.
 *
 *   smtp_server_init(&s, &options); smtp_server_greet(&s, NULL, &out);
 *   on bytes:  smtp_server_feed(&s, bytes, n);
 *   then:      switch (smtp_server_step(&s, &out)) {
 *              case SMTP_ASK_RCPT: ... smtp_server_answer(&s, &reply, &out); and step again
 *
 * Replies do not depend on how the bytes were cut into pieces.
 *
 * Line ends: only CR LF ends a command (a bare LF or CR, or a NUL: 500 5.5.2), and only
 * CR LF . CR LF ends DATA. A bare LF or CR within DATA is content like any other byte: it neither
 * begins a line for dot-unstuffing nor ends one; what takes the message normalises it.
 *
 * Owns      options (copied), what was fed, the transaction. Pointers in struct smtp_mail hold
 *           until the answer to SMTP_ASK_MESSAGE or the next step.
 * Threads   one at a time. No I/O, no clock.
 * Errors    TIDE_ENOMEM of feed: close. All else is a reply. A buffer that fails (out) is the
 *           owner's to notice.
 * Limits    SMTP_LINE_BYTES_MAX, SMTP_AUTH_BYTES_MAX, and those of the options.
 * Standards RFC 5321, 1870 SIZE, 2034 and 3463 enhanced codes, 2920 PIPELINING, 3030 CHUNKING,
 *           3207 STARTTLS, 3461 DSN, 4954 AUTH (PLAIN, LOGIN), 6152 8BITMIME, 6531 SMTPUTF8.
 * Known gap BINARYMIME, BURL and other mechanisms are not offered. One message is held in memory.
 */
#ifndef CORE_PROTO_SMTP_SERVER_H
#define CORE_PROTO_SMTP_SERVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/proto/reply.h"

/* RFC 5321 4.5.3.1.4: 512, and what the parameters of the extensions add (AUTH= 500, ENVID 107,
 * ORCPT 507, SIZE 26 ...) with room for UTF-8. */
#define SMTP_LINE_BYTES_MAX 2048
#define SMTP_AUTH_BYTES_MAX 12288 /* RFC 4954 4 */
#define SMTP_HELO_BYTES_MAX 255

enum smtp_extension {
    SMTP_EXT_PIPELINING = 1 << 0,
    SMTP_EXT_SIZE = 1 << 1,
    SMTP_EXT_8BITMIME = 1 << 2,
    SMTP_EXT_SMTPUTF8 = 1 << 3,
    SMTP_EXT_CHUNKING = 1 << 4,
    SMTP_EXT_ENHANCED = 1 << 5, /* ENHANCEDSTATUSCODES */
    SMTP_EXT_DSN = 1 << 6,
    SMTP_EXT_STARTTLS = 1 << 7,
    SMTP_EXT_AUTH = 1 << 8,
};
#define SMTP_EXT_ALL 0x1ffu

struct smtp_server_options {
    const char *hostname; /* in the greeting and the reply to EHLO; copied */
    unsigned extensions;
    bool tls;              /* the connection began with TLS */
    bool auth_without_tls; /* AUTH may come in the clear */
    bool auth_required;    /* before MAIL: 530 */
    int64_t message_bytes_max;
    int recipients_max;
    int errors_max;   /* then 421; 0: no bound */
    int messages_max; /* on one connection, then 421; 0: no bound */
};

struct smtp_recipient {
    struct text address; /* "user@example.org", "postmaster" */
    struct text notify, orcpt;
};

/* A transaction. */
struct smtp_mail {
    bool open;
    struct text sender; /* "" is the null path */
    struct text ret, envid;
    int64_t size_bytes; /* declared; 0: not */
    bool smtputf8, eight_bit;
    struct smtp_recipient *recipients; /* those accepted */
    size_t recipient_count, recipient_cap;
    size_t recipients_tried;
    struct buf message; /* dots unstuffed */
    struct arena arena;
};

struct smtp_credentials {
    struct text user, password;
};

enum smtp_ask {
    SMTP_NEED_INPUT,   /* nothing to decide; all that was fed is consumed */
    SMTP_ASK_AUTH,     /* s->credentials; 235 or 535 */
    SMTP_ASK_MAIL,     /* s->mail.sender and what its parameters said */
    SMTP_ASK_RCPT,     /* s->recipient */
    SMTP_ASK_MESSAGE,  /* s->mail, whole */
    SMTP_ASK_STARTTLS, /* send `out` in the clear, begin TLS, then smtp_server_tls_started() */
    SMTP_ASK_CLOSE,    /* send `out`, then close; asked from now on */
};

enum smtp_server_state {
    SMTP_STATE_NEW,
    SMTP_STATE_COMMAND,
    SMTP_STATE_AUTH,
    SMTP_STATE_DATA,
    SMTP_STATE_CHUNK,
    SMTP_STATE_ASKED,
    SMTP_STATE_TLS,
    SMTP_STATE_CLOSED,
};

enum smtp_auth_step { SMTP_AUTH_PLAIN, SMTP_AUTH_USER, SMTP_AUTH_PASSWORD };

struct smtp_server {
    /* for the owner to read */
    char helo[SMTP_HELO_BYTES_MAX + 1]; /* "" until HELO or EHLO */
    bool esmtp, tls, authenticated;
    struct smtp_mail mail;
    struct smtp_recipient recipient;
    struct smtp_credentials credentials;
    enum smtp_server_state state;
    enum smtp_ask ask;
    /* its own */
    struct smtp_server_options options;
    char hostname[SMTP_HELO_BYTES_MAX + 1];
    struct buf in;
    size_t pos; /* consumed of `in` */
    int errors, messages;
    bool line_too_long;
    bool line_start;      /* DATA: a dot here is stuffed or ends it */
    bool message_too_big; /* what comes is thrown away */
    bool chunked;         /* the transaction has seen BDAT */
    bool chunk_last, chunk_refused;
    int64_t chunk_left, chunk_bytes;
    enum smtp_auth_step auth_step;
    struct buf auth; /* decoded user and password */
    size_t auth_user_n;
    bool close_wanted; /* after the open question */
    struct reply close_reply;
};

void smtp_server_init(struct smtp_server *s, const struct smtp_server_options *options);
void smtp_server_fini(struct smtp_server *s);

/* 220, or with `refusal` (may be NULL) that reply and the end. */
void smtp_server_greet(struct smtp_server *s, const struct reply *refusal, struct buf *out);

TIDE_MUST_CHECK enum tide_err smtp_server_feed(struct smtp_server *s,
                                               const void *bytes,
                                               size_t n,
                                               struct tide_error *err);
enum smtp_ask smtp_server_step(struct smtp_server *s, struct buf *out);

/* To SMTP_ASK_AUTH, _MAIL, _RCPT, _MESSAGE: 2xx accepts, 421 closes, code 0 closes without a word.
 * An empty text gets a plain one. */
void smtp_server_answer(struct smtp_server *s, const struct reply *r, struct buf *out);

/* Forgets all that was said in the clear (RFC 3207 4.2). */
void smtp_server_tls_started(struct smtp_server *s);

/* Ends the connection with `why` (a 421), after the answer when the question of a message is open:
 * its fate must be told. */
void smtp_server_close(struct smtp_server *s, const struct reply *why, struct buf *out);

#endif
