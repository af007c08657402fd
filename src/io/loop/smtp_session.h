/* smtp_session.h - one connection of an SMTP service. For smtp_service.c and smtp_session.c alone;
 * owners include smtp_service.h.
 *
 * Owns      its handles, TLS and state machine. Counted references: one for each open handle and
 * each request in flight, the open question among them. The last one frees it.
 */
#ifndef IO_LOOP_SMTP_SESSION_H
#define IO_LOOP_SMTP_SESSION_H

#include "base/list.h"
#include "base/map.h"
#include "io/loop/listen.h"
#include "io/loop/smtp_service.h"

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

#define SMTP_READ_BYTES 65536u

struct smtp_service {
    uv_loop_t *loop;
    struct smtp_service_options options;
    struct list listeners, sessions;
    uv_timer_t keeper;                  /* never runs: its closing is what the end waits for */
    size_t session_count, handle_count; /* handles: listeners not closed yet, and the keeper */
    struct strmap ips;                  /* struct smtp_ip */
    bool closing;
    void (*closed_cb)(void *arg);
    void *closed_arg;
    char read_bytes[SMTP_READ_BYTES]; /* libuv reads and hands over at once: one for all */
};

/* How many connections an address has. */
struct smtp_ip {
    int count;
    char text[46]; /* INET6_ADDRSTRLEN */
};

struct smtp_session {
    struct list in_service;
    struct smtp_service *service;
    union stream stream;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    int refs;
    struct smtp_server server;
    struct tls *tls;
    struct buf plain;   /* heard through TLS */
    struct buf out;     /* replies */
    struct buf wire;    /* to be sent */
    struct buf sending; /* in flight */
    bool reading, asked, pumping, eof;
    bool ending;    /* nothing is heard any more, what is left is sent */
    bool lingering; /* all is sent; the peer may close */
    bool closing;
    uint64_t started_ms; /* uv_now() */
    bool is_local;
    struct smtp_ip *ip; /* NULL: not counted */
    char peer[LISTEN_NAME_BYTES];
    void *data;
};

/* Both handles are initialised and connected. */
void session_start(struct smtp_session *s, const struct reply *refusal);
/* Asked to end with this 421. */
void session_end(struct smtp_session *s, const struct reply *why);
/* smtp_service.c: the last reference is gone. */
void service_forget(struct smtp_service *sv, struct smtp_session *s);

#endif
