/* http_inside.h - the HTTP server's own tables, shared by its files; nobody else includes this.
 *
 * http.c          the server on the loop: opening, running libmicrohttpd, closing
 * http_request.c  a request from its headers to its answer, in one piece or in many
 * http_early.c    an answer that goes out while the body still comes
 */
#ifndef IO_LOOP_HTTP_INSIDE_H
#define IO_LOOP_HTTP_INSIDE_H

#include "base/buf.h"
#include "base/list.h"
#include "io/loop/http.h"
#include "io/loop/listen.h"

#include <microhttpd.h>

struct http {
    uv_loop_t *loop;
    struct MHD_Daemon *mhd;
    struct listen_spec listen;
    int fd; /* listening */
    int port;
    struct http_limits limits;
    bool tls;
    bool (*in_pieces)(void *arg, const struct http_request *req);
    void (*on_request)(void *arg, struct http_request *req);
    bool (*on_refused)(struct http_request *req, unsigned status, const char *message);
    void *arg;
    uv_poll_t poll;   /* MHD's epoll descriptor */
    uv_timer_t timer; /* MHD's next time-out */
    uv_idle_t kick;   /* runs MHD once after a batch of answers */
    uv_timer_t drain;
    unsigned handles;    /* open ones of the four above */
    size_t asked;        /* requests whose answer is due from the handler */
    size_t requests;     /* all, until MHD has done with them */
    size_t bodies_bytes; /* held by requests being received */
    struct list streams; /* requests that are STREAMING */
    struct list earlies; /* struct early: answers beside libmicrohttpd */
    bool closing, stopped;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* See the drawing in the header. */
enum request_state { REQUEST_RECEIVING, REQUEST_ASKED, REQUEST_STREAMING, REQUEST_ANSWERED };

/* An answer in pieces. */
struct stream {
    struct list node;     /* in http.streams */
    struct buf out;       /* not sent yet */
    bool wants_room, cut; /* cut: it ends where it is, as an error that the client sees */
    void (*on_room)(void *arg);
    void (*on_gone)(void *arg);
    void (*on_piece)(void *arg, struct text piece); /* of the body; NULL: it is dropped */
    void *arg;
};

struct early;

struct request {
    struct http_request pub;
    struct http *h;
    struct MHD_Connection *connection;
    enum request_state state;
    bool suspended;
    unsigned refuse; /* status that the request ends with once it is read; 0: none */
    const char *refuse_code, *refuse_text;
    struct buf body;
    size_t seen_bytes; /* of the body, kept or not */
    tide_mono_ms started_at;
    struct MHD_Response *response;
    unsigned status;
    struct stream stream;
    struct early *early; /* its body comes in pieces; NULL: as a whole, or the answer is out */
    bool open, ended;    /* the body comes in pieces; it has come to its end */
    bool held;           /* no pieces for now */
    char peer[64];
    bool begun; /* its headers have been looked at */
    char target[];
};

/* -- http.c ------------------------------------------------------------------------------------ */

/* libmicrohttpd's own wake-up is not seen through the outer poll: it is run, once for a batch. */
void http_kick(struct http *h);

/* -- http_request.c ---------------------------------------------------------------------------- */

/* libmicrohttpd calls it with the request's target before it takes that apart in place; what it
 * gives back is the request, which http_on_access() gets. */
void *http_on_target(void *arg, const char *target, struct MHD_Connection *connection);
/* libmicrohttpd calls it for the headers, for each piece of the body, at its end, and after
 * resuming. */
enum MHD_Result http_on_access(void *arg,
                               struct MHD_Connection *connection,
                               const char *url,
                               const char *method,
                               const char *version,
                               const char *upload_data,
                               size_t *upload_data_size,
                               void **con_cls);
void http_on_completed(void *arg,
                       struct MHD_Connection *connection,
                       void **con_cls,
                       enum MHD_RequestTerminationCode why);
/* The owner of the stream hears of it once, and has nothing to do with the request any more. */
void http_stream_cut(struct request *r);
void http_resume(struct request *r);

/* -- http_early.c ------------------------------------------------------------------------------ */

/* libmicrohttpd takes no answer before the body's end, but it does not mind who writes to its
 * socket meanwhile: the answer is written there by ourselves, and the connection then closed. */
bool early_open(struct request *r); /* false: the body is taken as a whole */
void early_close(struct request *r);
void early_begin(struct request *r,
                 const char *content_type,
                 const struct http_header *headers,
                 size_t count);
void early_write(struct request *r, struct text piece);
void early_end(struct request *r);
/* All that are still on their way out end where they are: their connections wait for them. */
void early_cut_all(struct http *h);

#endif
