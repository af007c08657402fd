/* fake_http.h - an HTTP server inside the test, on a port of its own, that plays a script.
 *
 * The n-th request (of all connections) meets the n-th act; the last act is for all that follow.
 *
 * Lifetime  fake_http_open() to fake_http_close() and a run of the loop after it.
 */
#ifndef TESTS_LIB_FAKE_HTTP_H
#define TESTS_LIB_FAKE_HTTP_H

#include "base/buf.h"
#include "base/list.h"
#include "io/loop/tls.h"

#include <uv.h>

#define FAKE_HTTP_REQUESTS_MAX 64

enum fake_http_does {
    HTTP_ANSWERS,    /* `text`, its Content-Length put in, and keeps the connection */
    HTTP_CLOSES,     /* `text` if any, then the end */
    HTTP_RESETS,     /* `text` if any, then RST */
    HTTP_HANGS,      /* `text` if any, then nothing */
    HTTP_STOPS_BODY, /* stops reading when the head is there */
    HTTP_CUTS_BODY,  /* RST when the head is there */
};

struct fake_http_act {
    enum fake_http_does does;
    const char *text; /* the answer as it goes over the wire */
};

struct fake_http {
    uv_loop_t *loop;
    uv_tcp_t listener;
    int port;
    struct tls_context *tls; /* NULL: plain */
    const struct fake_http_act *script;
    size_t script_count;
    /* what was seen */
    int connections, open;
    size_t heads, request_count; /* begun, whole */
    struct buf requests[FAKE_HTTP_REQUESTS_MAX];
    struct list conns;
};

void fake_http_open(struct fake_http *f, uv_loop_t *loop);
void fake_http_close(struct fake_http *f); /* its connections as well */
void fake_http_free(struct fake_http *f);  /* after the loop has run */

/* Of the i-th request: a header's value, and the body. */
struct text fake_http_header(const struct fake_http *f, size_t i, const char *name);
struct text fake_http_body(const struct fake_http *f, size_t i);

#endif
