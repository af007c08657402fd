/* smtp_script.h - an SMTP server without a socket, whose owner says yes to nearly everything.
 *
 * Refused are recipients and senders that contain "refused", and every user but "user" with
 * "secret". TLS is started without any handshake.
 *
 * Owns      the server, its replies and what was submitted.
 */
#ifndef TESTS_LIB_SMTP_SCRIPT_H
#define TESTS_LIB_SMTP_SCRIPT_H

#include "core/proto/smtp_server.h"

struct smtp_script {
    struct smtp_server server;
    struct buf out;       /* all replies since the start or smtp_script_clear() */
    struct buf submitted; /* "FROM <..> TO <..> <..>\n" and the message, for each */
    int message_count;
    bool closed;
};

struct smtp_server_options smtp_script_options(void);
void smtp_script_init(struct smtp_script *t, const struct smtp_server_options *o);
void smtp_script_fini(struct smtp_script *t);

/* `piece` bytes at a time; 0: all at once. */
void smtp_script_send(struct smtp_script *t, struct text bytes, size_t piece);

/* The codes of all replies in `out`, one a reply: "220 250 354". */
void smtp_script_codes(struct text out, struct buf *ret);

#endif
