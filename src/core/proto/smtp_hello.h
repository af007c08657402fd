/* smtp_hello.h - what a server offers in its answer to EHLO, and how a client proves who it is.
 *
 * Owns      nothing. Threads any.
 * Standards RFC 5321 4.1.1.1, 4954 (AUTH), 4616 (PLAIN); LOGIN and XOAUTH2 as servers do them.
 */
#ifndef CORE_PROTO_SMTP_HELLO_H
#define CORE_PROTO_SMTP_HELLO_H

#include "base/buf.h"
#include "core/config/config.h"

#define SMTP_EXTENSIONS(X) \
    X(PIPELINING)          \
    X(8BITMIME)            \
    X(SMTPUTF8)            \
    X(DSN)                 \
    X(STARTTLS)            \
    X(SIZE)

enum smtp_extension {
#define SMTP_EXTENSION(name) SMTP_EXT_##name,
    SMTP_EXTENSIONS(SMTP_EXTENSION)
#undef SMTP_EXTENSION
};

struct smtp_offer {
    unsigned extensions; /* bits of enum smtp_extension */
    unsigned mechs;      /* bits of enum auth_mech */
    int64_t size_max;    /* 0: no bound */
};

/* `line` stands behind "250-" or "250 "; what is not known is passed over. */
void smtp_offer_line(struct smtp_offer *o, struct text line);

/* The mechanism to use: the wanted one or, for AUTH_ANY, the first of PLAIN, LOGIN and XOAUTH2 that
 * is offered. AUTH_NONE: there is none. */
enum auth_mech smtp_auth_choose(enum auth_mech wanted, unsigned offered);

/* Appends "AUTH ..." with the initial response where the mechanism has one, without line end. */
void smtp_auth_begin(enum auth_mech mech, struct text user, struct text password, struct buf *out);

/* Appends what answers the `step`-th challenge (from 1), without line end. */
void smtp_auth_answer(
    enum auth_mech mech, int step, struct text user, struct text password, struct buf *out);

#endif
