/* fetch.h - HTTP requests to one server: connections kept, no more than a bound, on the loop.
 *
 * libcurl's multi interface inside (curl_multi_socket_action). HTTP/1.1, no redirects, no proxy
 * from the environment, no "Expect: 100-continue". Names are resolved by libuv's pool and given to
 * libcurl, so that it never resolves (which could block when a request is broken off).
 *
 * A request is never sent twice: libcurl would by itself repeat one that met a dying kept
 * connection, and is kept from it once a byte of the body was handed over.
 *
 * Owns      its connections. A struct fetch and all it points to stay the caller's until done(),
 *           which comes exactly once, never from inside fetch_start().
 * Lifetime  fetcher_open() to the closed callback; fetch_cancel() ends one request, whose done()
 *           then comes soon. fetcher_close() wants no request inside.
 * Threads   loop thread only; names are resolved on libuv's pool.
 * Errors    at open: TIDE_ESYNTAX a base_url that is none, TIDE_ENOMEM. Later: struct fetch.fate.
 * Limits    FETCH_BODY_MAX bytes of an answer are kept, or answer_max; the rest is read and
 *           dropped.
 * Known gap a request without a body that meets a dying kept connection may be sent again: only
 *           what may be asked twice (GET, DELETE) goes without one.
 */
#ifndef IO_LOOP_FETCH_H
#define IO_LOOP_FETCH_H

#include "base/buf.h"
#include "base/list.h"
#include "base/time.h"

#include <uv.h>

#define FETCH_HEADERS_MAX 8
#define FETCH_BODY_MAX    (64u * 1024)
#define FETCH_HEAD_MAX    (32u * 1024)

enum fetch_fate {
    FETCH_ANSWERED, /* status, head and body are there; the body's end perhaps not: cut */
    FETCH_NOT_SENT, /* the server cannot have had the whole request */
    FETCH_UNKNOWN,  /* it may have had it, and did not answer */
};

struct fetch_header {
    const char *name;
    struct text value;
};

struct fetcher;

struct fetch {
    /* in: to base_url and path */
    const char *method; /* NULL: POST; "GET" and "DELETE" go without a body if it is empty */
    struct text path, body;
    size_t answer_max; /* bytes of the answer that are kept; 0: FETCH_BODY_MAX */
    const struct fetch_header *headers;
    size_t header_count;
    void (*done)(struct fetch *f);
    void *arg;
    /* out; answer and head are freed with fetch_fini() */
    enum fetch_fate fate;
    int status;
    bool cut;        /* the connection broke within the body */
    char error[256]; /* not answered, or cut: why */
    struct buf answer;
    /* the fetcher's */
    struct buf head;
    void *easy, *header_list;
    struct fetcher *fetcher;
    struct list hook;
    size_t body_at;
    bool cancelled;
};

struct fetch_options {
    const char *base_url; /* "https://api.example.com", "http://127.0.0.1:8080/prefix" */
    bool tls_verify;
    const char *tls_ca_file; /* NULL: the system's */
    int connections_max;
    int64_t connect_timeout_ms;
    int64_t timeout_ms; /* of a whole request, connecting included */
};

TIDE_MUST_CHECK enum tide_err fetcher_open(uv_loop_t *loop,
                                           const struct fetch_options *options,
                                           struct fetcher **ret,
                                           struct tide_error *err);
void fetcher_close(struct fetcher *fr, void (*closed)(void *arg), void *arg);

void fetch_fini(struct fetch *f);

void fetch_start(struct fetcher *fr, struct fetch *f);
void fetch_cancel(struct fetch *f);

/* The whole body has been handed over: the server may have it. */
bool fetch_is_sent(const struct fetch *f);

/* A header of the answer, any case; p NULL: not there. */
struct text fetch_answer_header(const struct fetch *f, const char *name);

/* What the server is called in a Host header: with the port, unless it is the scheme's. */
const char *fetcher_host(const struct fetcher *fr);
/* The path that base_url ends in, "" for none. */
struct text fetcher_prefix(const struct fetcher *fr);

#endif
