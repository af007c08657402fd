/* fake_smtp.h - an SMTP server inside the test, on a port of its own, that misbehaves on demand.
 *
 * Lifetime  fake_smtp_open() to fake_smtp_close() and a run of the loop after it.
 */
#ifndef TESTS_LIB_FAKE_SMTP_H
#define TESTS_LIB_FAKE_SMTP_H

#include "base/buf.h"
#include "core/proto/reply.h"
#include "io/loop/tls.h"

#include <uv.h>

enum fake_act {
    FAKE_ANSWER, /* `reply` in place of the usual one */
    FAKE_RESET,  /* RST */
    FAKE_CLOSE,  /* the reply, if any, then FIN */
    FAKE_HANG,   /* the reply, if any, then nothing is read or said for ever */
    FAKE_SLOW,   /* the usual reply, byte by byte */
};

struct fake_fault {
    bool on;
    enum reply_stage at; /* STAGE_CONNECT: at once; STAGE_DOT: when the final dot has come */
    enum fake_act act;
    const char *reply;
    int mail; /* of the connection, from 1; 0: any */
};

struct fake_smtp {
    uv_loop_t *loop;
    uv_tcp_t listener;
    int port;
    const char *offers; /* lines of EHLO without codes, each ending in "\n" */
    struct tls_context *tls;
    bool implicit_tls;
    struct fake_fault fault;
    const char *want_auth; /* the whole AUTH line that is right; NULL: any */
    /* what was seen */
    int connections, open, messages, commands, resets, quits, tls_handshakes;
    struct buf last_message, transcript;
};

void fake_smtp_open(struct fake_smtp *f, uv_loop_t *loop);
void fake_smtp_close(struct fake_smtp *f); /* its connections as well */
void fake_smtp_free(struct fake_smtp *f);  /* after the loop has run */

#endif
