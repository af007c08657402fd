/* reply.h - one SMTP reply (RFC 5321 4.2) with its enhanced status code (RFC 3463, 2034).
 *
 * Owns      its text, which it holds itself; longer texts are cut. It is always UTF-8 on one line:
 *           control characters become blanks, and "?" stands for each byte of a text in some other
 *           charset.
 * Threads   any.
 * Errors    TIDE_ESYNTAX not a reply, TIDE_ELIMIT a line or reply over its bound.
 */
#ifndef CORE_PROTO_REPLY_H
#define CORE_PROTO_REPLY_H

#include "base/text.h"

#define REPLY_TEXT_BYTES_MAX 1024
#define REPLY_LINE_BYTES_MAX 4096  /* RFC 5321 4.5.3.1.5 says 512; real ones are longer */
#define REPLY_BYTES_MAX      16384 /* all lines of one reply */

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

/* For a stream: how many bytes the reply at its front takes, line ends included; 0 while the rest
 * has still to come. A bare LF ends a line as well. */
TIDE_MUST_CHECK enum tide_err reply_scan(struct text in, size_t *ret_n, struct tide_error *err);

/* Takes the next line of a whole reply: what stands behind "250-" or "250 ". */
bool reply_line(struct text *rest, struct text *ret_line);

/* A reply that nobody sent: what happened instead (code 0), or a refusal of our own making. */
void reply_set(struct reply *r, int code, const int enhanced[3], const char *fmt, ...)
    TIDE_PRINTF(4, 5);

/* What the other side calls a mail that it took, out of its reply: "queued as 3F2A8C01", "Ok
 * 0102018c-5d1f", "id=1smi9f-00057m-86zr". "": it does not say. */
struct text reply_mail_id(struct text reply);

/* Parses a whole reply, one or several lines "250-...", joined by CRLF; for texts that came from
 * elsewhere (webhooks, bounces) as well. */
TIDE_MUST_CHECK enum tide_err reply_parse(struct text t, struct reply *ret, struct tide_error *err);

#endif
