/* smtp_server_in.h - what the two halves of the SMTP server share: smtp_server.c (the stream, the
 * states) and smtp_commands.c (what each line means). For them alone.
 */
#ifndef CORE_PROTO_SMTP_SERVER_IN_H
#define CORE_PROTO_SMTP_SERVER_IN_H

#include "core/proto/smtp_server.h"

void server_move(struct smtp_server *s, enum smtp_server_state next);
void server_ask(struct smtp_server *s, enum smtp_ask ask);
void server_end_mail(struct smtp_server *s);

/* One reply; `enhanced` ("5.5.1" or NULL) is left out when the extension is not offered. */
void server_say(
    struct smtp_server *s, struct buf *out, int code, const char *enhanced, const char *fmt, ...)
    TIDE_PRINTF(5, 6);
/* The same for a mistake of the peer's: too many of them end the connection. */
void server_fail(
    struct smtp_server *s, struct buf *out, int code, const char *enhanced, const char *fmt, ...)
    TIDE_PRINTF(5, 6);

/* smtp_commands.c: a line without its CR LF. */
void server_on_command(struct smtp_server *s, struct text line, struct buf *out);
void server_on_auth_line(struct smtp_server *s, struct text line, struct buf *out);

#endif
