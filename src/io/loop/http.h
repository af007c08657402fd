/* http.h - an HTTP/1.1 server on the loop: whole requests come out, answers go in now or later.
 *
 * libmicrohttpd inside, driven by its epoll descriptor. A request reaches the handler when its body
 * is there as a whole; the connection then rests until http_reply(), which may come at once or
 * after any number of loop turns. One struct http is one listening socket.
 *
 *   RECEIVING --body complete--> ASKED --http_reply()--> ANSWERED --written or gone--> (freed)
 *       |                          `--http_begin()--> STREAMING --http_end()--^
 *       `------ refused (413, 400, 503) ------------------^
 *
 * An answer may be written piece by piece (http_begin(), http_write(), http_end()): it goes out in
 * chunks, and whoever writes it faster than the client reads is told to wait. A body may come in
 * pieces, too (in_pieces, http_receive(), http_hold()): such an answer goes out while it comes, so
 * that a list of any length passes through, and the connection ends with it.
 *
 * Owns      its socket and connections. A request is valid from the handler's call until its
 *           http_reply(), also when the client has gone away meanwhile.
 * Lifetime  http_open() to the closed callback of http_close(), which first stops accepting and
 *           then waits for the answers that are due: every request must be answered once, whatever
 *           happens. Clients then have HTTP_DRAIN_MS to take their answers.
 * Threads   loop thread only.
 * Errors    TIDE_EINVAL a listen specification; TIDE_ECONN the socket; TIDE_ETLS the certificate.
 * Limits    struct http_limits; a body that is larger is read to its end (up to twice the limit)
 *           and answered with 413, so that the client gets to read why.
 * Standards RFC 9110, RFC 9112. A request with two Content-Length fields, or one beside
 *           Transfer-Encoding, is refused (RFC 9112 6.3).
 */
#ifndef IO_LOOP_HTTP_H
#define IO_LOOP_HTTP_H

#include "base/buf.h"
#include "core/config/config.h"

#include <sys/types.h>
#include <uv.h>

#define HTTP_DRAIN_MS 2000
#define HTTP_WHOLE_BYTES_MAX                                                               \
    (16u * 1024) /* of a Content-Length: the connection is worth more than an early answer \
                  */
#define HTTP_STREAM_BYTES_MAX                                           \
    (64u * 1024) /* written and not yet sent, then http_write() says so \
                  */

struct http;

struct http_limits {
    size_t body_bytes_max;
    size_t bodies_bytes_max;    /* of all requests being received together; 0: 8 x body_bytes_max */
    int connections_max;        /* 0: 1000 */
    int connections_per_ip_max; /* 0: no bound */
    int64_t idle_timeout_ms;    /* nothing came or went for so long; 0: 60 s */
    int64_t receive_max_ms;     /* one request's body as a whole; 0: 10 x idle_timeout_ms */
};

struct http_request {
    struct text method, path;        /* path without query, %-decoded */
    struct text raw_path, raw_query; /* as they were sent */
    struct text body;
    bool more;          /* `body` is only its beginning, and holds for the call: http_receive() */
    const char *peer;   /* "127.0.0.1:40312", "unix uid 1000" */
    bool is_tls;        /* it came by HTTPS */
    bool peer_is_local; /* a Unix socket or a loopback address */
    bool peer_is_unix;  /* then peer_uid is who connected */
    uid_t peer_uid;
    void *user; /* the handler's */
};

struct http_header {
    const char *name, *value;
};

struct http_options {
    const char *listen;    /* "127.0.0.1:8025", "[::1]:0", "unix:PATH" */
    int mode;              /* of a Unix socket; 0: 0660 */
    const char *group;     /* of a Unix socket; NULL: the daemon's own */
    struct config_tls tls; /* files NULL: plain */
    struct http_limits limits;
    void (*on_request)(void *arg, struct http_request *req);
    /* Of a request with its headers: whether its body is wanted in pieces. Then no limit on bodies
     * counts, and the handler calls http_begin() or answers before it returns. It is never so for a
     * body of less than HTTP_WHOLE_BYTES_MAX, over TLS or in HTTP/1.0. NULL: of none. */
    bool (*in_pieces)(void *arg, const struct http_request *req);
    /* A request whose body was not taken (400, 413, 503): answers it as on_request would, or says
     * false and it gets http_reply_error(). NULL: all get that. */
    bool (*on_refused)(struct http_request *req, unsigned status, const char *message);
    void *arg;
};

TIDE_MUST_CHECK enum tide_err http_open(uv_loop_t *loop,
                                        const struct http_options *options,
                                        struct http **ret,
                                        struct tide_error *err);
void http_close(struct http *h, void (*closed)(void *arg), void *arg);

int http_port(const struct http *h);             /* 0 for a Unix socket */
size_t http_requests_open(const struct http *h); /* asked and not answered yet */

/* Both {NULL, 0} when there is none; the text holds as long as the request. */
struct text http_query(const struct http_request *req, const char *name);
struct text http_header(const struct http_request *req, const char *name);

/* Exactly once for each request. Everything is copied. The request is gone afterwards. */
void http_reply(struct http_request *req,
                unsigned status,
                const char *content_type, /* NULL: no body */
                struct text body,
                const struct http_header *headers,
                size_t header_count);

/* An answer in pieces, in place of http_reply(). `on_room`: after http_write() has said false,
 * there is room again; may come from inside http_end() and http_write() of other requests, never of
 * this one. `on_gone`: the client has gone, or the server closes: the request is gone already,
 * nothing may be written. After http_end() neither comes. */
void http_begin(struct http_request *req,
                unsigned status,
                const char *content_type,
                const struct http_header *headers,
                size_t header_count,
                void (*on_room)(void *arg),
                void (*on_gone)(void *arg),
                void *arg);
/* Copied. False: enough for now; what comes all the same is taken, as far as memory goes. */
bool http_write(struct http_request *req, struct text piece);
/* The request is gone afterwards. */
void http_end(struct http_request *req);

/* Of a request with `more`, after http_begin(): its body's pieces as they come, with http_begin()'s
 * arg, each good for the call; an empty one is its end. What is not received is read and dropped.
 */
void http_receive(struct http_request *req, void (*on_piece)(void *arg, struct text piece));
/* The client waits with the rest of its body. */
void http_hold(struct http_request *req, bool hold);

/* {"error":{"code":CODE,"message":TEXT}} */
void http_reply_error(struct http_request *req,
                      unsigned status,
                      const char *code,
                      const char *message);

#endif
