/* reply.h - one SMTP reply (RFC 5321 4.2) with its enhanced status code (RFC 3463, 2034).
 *
 * Owns      its text, which it holds itself; longer texts are cut.
 * Threads   any.
 */
#ifndef CORE_PROTO_REPLY_H
#define CORE_PROTO_REPLY_H

#include "base/text.h"

#define REPLY_TEXT_BYTES_MAX 1024

enum reply_stage {
    STAGE_CONNECT,
    STAGE_GREETING,
    STAGE_EHLO,
    STAGE_STARTTLS,
    STAGE_AUTH,
    STAGE_MAIL,
    STAGE_RCPT,
    STAGE_DATA,
    STAGE_DOT, /* the reply to the whole message */
};

const char *reply_stage_name(enum reply_stage s);

struct reply {
    int code;                        /* 200..599; 0: there was none, `text` says what happened */
    int enhanced[3];                 /* 0 0 0: none */
    char text[REPLY_TEXT_BYTES_MAX]; /* lines joined by " ", without codes */
};

/* "550 5.1.1 no such user": for journals. Returns out. */
const char *reply_text(const struct reply *r, char *out, size_t size);

/* Parses a whole reply, one or several lines "250-...", joined by CRLF; for texts that came from
 * elsewhere (webhooks, bounces) as well. */
TIDE_MUST_CHECK enum tide_err reply_parse(struct text t, struct reply *ret, struct tide_error *err);

#endif
