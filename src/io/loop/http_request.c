#include "base/macros.h"
#include "core/proto/json_write.h"
#include "io/loop/clock.h"
#include "io/loop/http_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

/* -- Coming in --------------------------------------------------------------------------------- */

static void describe_peer(struct request *r)
{
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *addr =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    r->pub.peer = r->peer;
    snprintf(r->peer, sizeof r->peer, "unknown");
    if (r->h->listen.is_unix) {
        struct ucred who;
        socklen_t n = sizeof who;
        r->pub.peer_is_local = r->pub.peer_is_unix = true;
        r->pub.peer_uid = (uid_t)-1;
        if (fd && getsockopt(fd->connect_fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0)
            r->pub.peer_uid = who.uid;
        snprintf(r->peer, sizeof r->peer, "unix uid %ld",
                 r->pub.peer_uid == (uid_t)-1 ? -1L : (long)r->pub.peer_uid);
    } else if (addr && addr->client_addr) {
        r->pub.peer_is_local = listen_is_local(addr->client_addr);
        listen_address_text(addr->client_addr, sizeof(struct sockaddr_in6), r->peer,
                            sizeof r->peer);
    }
}

static enum MHD_Result count_framing(void *arg,
                                     enum MHD_ValueKind kind,
                                     const char *name,
                                     const char *value)
{
    (void)kind;
    (void)value;
    *(unsigned *)arg += text_ieq(text_of(name), TEXT("Content-Length")) ||
                        text_ieq(text_of(name), TEXT("Transfer-Encoding"));
    return MHD_YES;
}

/* From the headers alone: what cannot be taken. Says whether the answer should not wait for the
 * body, because the client waits for us (Expect) or has too much to send. */
static bool judge_headers(struct request *r)
{
    struct http *h = r->h;
    unsigned framing = 0;
    int64_t length = 0;
    struct text given = http_header(&r->pub, "Content-Length");
    bool waits = http_header(&r->pub, "Expect").p != NULL;
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_framing, &framing);
    if (framing > 1 || (given.p && text_int(given, 0, INT64_MAX, &length, NULL) != TIDE_OK)) {
        r->refuse = MHD_HTTP_BAD_REQUEST;
        r->refuse_code = "bad_framing";
        r->refuse_text = "Want one Content-Length or one Transfer-Encoding.";
        return true;
    }
    if (r->open && !h->closing)
        return false;
    if ((uint64_t)length > h->limits.body_bytes_max) {
        r->refuse = MHD_HTTP_CONTENT_TOO_LARGE;
        return waits || (uint64_t)length / 2 > h->limits.body_bytes_max;
    }
    if (h->closing || h->bodies_bytes + (size_t)length > h->limits.bodies_bytes_max) {
        r->refuse = MHD_HTTP_SERVICE_UNAVAILABLE;
        r->refuse_code = "busy";
        r->refuse_text = h->closing ? "The service is stopping."
                                    : "Too much is being uploaded at once, try again later.";
        return true;
    }
    return false;
}

static void refuse_closing(struct request *r)
{
    r->refuse = MHD_HTTP_SERVICE_UNAVAILABLE;
    r->refuse_code = "busy";
    r->refuse_text = "The service is stopping.";
}

static void reply_refusal(struct request *r)
{
    char text[96];
    if (r->refuse == MHD_HTTP_CONTENT_TOO_LARGE) {
        snprintf(text, sizeof text, "The body is larger than %zu bytes.",
                 r->h->limits.body_bytes_max);
        r->refuse_code = "too_large";
        r->refuse_text = text;
    }
    if (!r->h->on_refused || !r->h->on_refused(&r->pub, r->refuse, r->refuse_text))
        http_reply_error(&r->pub, r->refuse, r->refuse_code, r->refuse_text);
}

void *http_on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    struct http *h = arg;
    size_t n = strlen(target);
    struct request *r = calloc(1, sizeof *r + n + 1);
    if (!r)
        return NULL;
    memcpy(r->target, target, n);
    struct text whole = {r->target, n};
    size_t question = text_find(whole, '?');
    r->pub.raw_path = text_cut(whole, 0, question);
    r->pub.raw_query = text_cut(whole, question + 1, SIZE_MAX);
    r->h = h;
    r->connection = connection;
    r->started_at = clock_mono();
    buf_init(&r->body, h->limits.body_bytes_max);
    list_init(&r->stream.node);
    h->requests++;
    return r;
}

static void request_begin(struct request *r, const char *url, const char *method)
{
    r->begun = true;
    r->pub.method = text_of(method);
    r->pub.path = text_of(url);
    r->pub.is_tls = r->h->tls;
    describe_peer(r);
}

static void request_keep(struct request *r, const char *bytes, size_t n)
{
    struct http *h = r->h;
    r->seen_bytes += n;
    if (r->refuse)
        return;
    if (h->bodies_bytes + n > h->limits.bodies_bytes_max) {
        r->refuse = MHD_HTTP_SERVICE_UNAVAILABLE;
        r->refuse_code = "busy";
        r->refuse_text = "Too much is being uploaded at once, try again later.";
    } else {
        buf_add(&r->body, bytes, n);
        if (r->body.failed == TIDE_ELIMIT) {
            r->refuse = MHD_HTTP_CONTENT_TOO_LARGE;
        } else if (r->body.failed != TIDE_OK) {
            r->refuse = MHD_HTTP_SERVICE_UNAVAILABLE;
            r->refuse_code = "busy";
            r->refuse_text = "Out of memory, try again later.";
        } else {
            h->bodies_bytes += n;
            return;
        }
    }
    h->bodies_bytes -= r->body.len;
    buf_fini(&r->body);
}

static enum MHD_Result request_queue(struct request *r)
{
    if (!r->response)
        return MHD_NO; /* no memory for the answer: the connection is closed */
    return MHD_queue_response(r->connection, r->status, r->response);
}

/* The body is there as a whole. */
static enum MHD_Result request_ask(struct request *r)
{
    struct http *h = r->h;
    if (h->closing && !r->refuse) { /* its body came after those that are waited for */
        h->bodies_bytes -= r->body.len;
        buf_fini(&r->body);
        refuse_closing(r);
    }
    if (r->refuse) {
        reply_refusal(r);
        return request_queue(r);
    }
    h->bodies_bytes -= r->body.len;
    r->pub.body = buf_text(&r->body);
    r->state = REQUEST_ASKED;
    h->asked++;
    h->on_request(h->arg, &r->pub);
    if (r->state != REQUEST_ASKED)
        return request_queue(r);
    MHD_suspend_connection(r->connection);
    r->suspended = true;
    return MHD_YES;
}

/* -- A body in pieces -------------------------------------------------------------------------- */

static bool wants_pieces(const struct request *r, const char *version)
{
    struct http *h = r->h;
    int64_t length = INT64_MAX; /* chunks */
    if (!h->in_pieces || h->tls || strcmp(version, MHD_HTTP_VERSION_1_1) != 0 ||
        !h->in_pieces(h->arg, &r->pub))
        return false;
    struct text given = http_header(&r->pub, "Content-Length");
    return (!given.p || text_int(given, 0, INT64_MAX, &length, NULL) == TIDE_OK) &&
           length > HTTP_WHOLE_BYTES_MAX;
}

/* What libmicrohttpd is to do after a piece. */
static enum MHD_Result after_piece(struct request *r)
{
    bool out = r->state == REQUEST_ANSWERED && !r->early; /* all of the answer, or it waits here */
    if (r->stream.cut)
        return MHD_NO;
    if (out && r->response && r->ended)
        return request_queue(r);
    if (out && (r->ended || r->seen_bytes > r->h->limits.body_bytes_max))
        return MHD_NO; /* the answer has been written: the connection ends */
    /* libmicrohttpd calls for each chunk that it has read already, suspended or not */
    if (!r->suspended && (r->held || r->ended)) {
        MHD_suspend_connection(r->connection);
        r->suspended = true;
    }
    return MHD_YES;
}

static enum MHD_Result take_piece(struct request *r, struct text piece)
{
    struct http *h = r->h;
    struct stream *s = &r->stream;
    bool ended = r->ended;
    r->ended = piece.n == 0;
    if (r->state == REQUEST_RECEIVING && h->closing) {
        refuse_closing(r);
        reply_refusal(r);
    } else if (r->state == REQUEST_RECEIVING) {
        r->pub.body = piece;
        r->pub.more = true;
        r->state = REQUEST_ASKED;
        h->asked++;
        h->on_request(h->arg, &r->pub);
        assert(r->state != REQUEST_ASKED); /* the header says so: pieces come at once */
    } else if (r->state == REQUEST_STREAMING && s->on_piece && !ended) {
        s->on_piece(s->arg, piece);
    } else if (r->state == REQUEST_ANSWERED) {
        r->seen_bytes += piece.n;
    }
    return after_piece(r);
}

void http_receive(struct http_request *req, void (*on_piece)(void *arg, struct text piece))
{
    struct request *r = container_of(req, struct request, pub);
    assert(r->state == REQUEST_STREAMING && r->open);
    r->stream.on_piece = on_piece;
}

void http_hold(struct http_request *req, bool hold)
{
    struct request *r = container_of(req, struct request, pub);
    assert(r->state == REQUEST_STREAMING && r->open);
    r->held = hold;
    if (!hold && !r->ended)
        http_resume(r);
}

enum MHD_Result http_on_access(void *arg,
                               struct MHD_Connection *connection,
                               const char *url,
                               const char *method,
                               const char *version,
                               const char *upload_data,
                               size_t *upload_data_size,
                               void **con_cls)
{
    struct http *h = arg;
    struct request *r = *con_cls;
    (void)connection;
    if (!r)
        return MHD_NO; /* there was no memory for it */
    if (!r->begun) {
        request_begin(r, url, method);
        r->open = wants_pieces(r, version) && early_open(r);
        if (!judge_headers(r))
            return MHD_YES;
        reply_refusal(r);
        return request_queue(r);
    }
    if (r->open && !r->refuse) {
        struct text piece = {upload_data, *upload_data_size};
        *upload_data_size = 0;
        return take_piece(r, piece);
    }
    if (r->state == REQUEST_ANSWERED || r->state == REQUEST_STREAMING)
        return request_queue(r);
    if (*upload_data_size == 0)
        return request_ask(r);
    request_keep(r, upload_data, *upload_data_size);
    *upload_data_size = 0;
    if (r->seen_bytes / 2 > h->limits.body_bytes_max ||
        clock_mono() - r->started_at > h->limits.receive_max_ms)
        return MHD_NO; /* whoever goes on like that gets no answer */
    return MHD_YES;
}

void http_stream_cut(struct request *r)
{
    struct stream *s = &r->stream;
    r->state = REQUEST_ANSWERED;
    r->h->asked--;
    s->cut = true;
    list_remove(&s->node);
    early_close(r);
    s->on_gone(s->arg);
}

void http_on_completed(void *arg,
                       struct MHD_Connection *connection,
                       void **con_cls,
                       enum MHD_RequestTerminationCode why)
{
    (void)connection;
    (void)why;
    struct http *h = arg;
    struct request *r = *con_cls;
    if (!r)
        return;
    /* MHD keeps a suspended connection, so the handler's pointer stayed good until its answer */
    assert(r->state != REQUEST_ASKED);
    *con_cls = NULL;
    if (r->state == REQUEST_STREAMING)
        http_stream_cut(r);
    early_close(r);
    list_remove(&r->stream.node);
    buf_fini(&r->stream.out);
    if (r->state == REQUEST_RECEIVING)
        h->bodies_bytes -= r->body.len;
    if (r->response)
        MHD_destroy_response(r->response);
    buf_fini(&r->body);
    free(r);
    h->requests--;
}

struct text http_query(const struct http_request *req, const char *name)
{
    const struct request *r = container_of(req, const struct request, pub);
    const char *value = NULL;
    size_t n = 0;
    if (MHD_lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name),
                                      &value, &n) != MHD_YES)
        return (struct text){NULL, 0};
    return value ? (struct text){value, n} : (struct text){"", 0};
}

struct text http_header(const struct http_request *req, const char *name)
{
    const struct request *r = container_of(req, const struct request, pub);
    return text_of(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

/* -- Answers ----------------------------------------------------------------------------------- */

void http_resume(struct request *r)
{
    if (!r->suspended)
        return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    http_kick(r->h);
}

static void set_headers(struct request *r,
                        const char *content_type,
                        const struct http_header *headers,
                        size_t count)
{
    if (r->response && content_type)
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (size_t i = 0; r->response && i < count; i++)
        MHD_add_response_header(r->response, headers[i].name, headers[i].value);
}

void http_reply(struct http_request *req,
                unsigned status,
                const char *content_type,
                struct text body,
                const struct http_header *headers,
                size_t header_count)
{
    struct request *r = container_of(req, struct request, pub);
    struct http *h = r->h;
    assert(r->state != REQUEST_ANSWERED);
    if (r->state == REQUEST_ASKED)
        h->asked--;
    else
        h->bodies_bytes -= r->body.len; /* refused early */
    r->state = REQUEST_ANSWERED;
    r->status = status;
    early_close(r); /* it goes the usual way, once the body has come */
    /* MHD only reads what it must copy */
    r->response =
        MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
    buf_fini(&r->body); /* of which the answer may be made */
    set_headers(r, content_type, headers, header_count);
    if (r->response && h->closing)
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONNECTION, "close");
    http_resume(r); /* inside the handler nothing is suspended: http_on_access() goes on */
}

void http_reply_error(struct http_request *req,
                      unsigned status,
                      const char *code,
                      const char *message)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_object(&w, "error");
    jw_str(&w, "code", code);
    jw_str(&w, "message", message);
    jw_end(&w);
    jw_end(&w);
    buf_addc(&b, '\n');
    http_reply(req, status, "application/json", buf_text(&b), NULL, 0);
    buf_fini(&b);
}

/* -- Answers in pieces ------------------------------------------------------------------------- */

/* MHD asks for more to send. */
static ssize_t on_reader(void *arg, uint64_t pos, char *to, size_t max)
{
    struct request *r = arg;
    struct stream *s = &r->stream;
    (void)pos;
    if (s->out.len == 0 || s->cut) {
        if (s->cut || s->out.failed != TIDE_OK)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (r->state == REQUEST_ANSWERED)
            return MHD_CONTENT_READER_END_OF_STREAM;
        r->suspended = true;
        MHD_suspend_connection(r->connection);
        return 0;
    }
    size_t n = TIDE_MIN(s->out.len, max);
    memcpy(to, s->out.data, n);
    buf_consume(&s->out, n);
    if (s->wants_room && s->out.len < HTTP_STREAM_BYTES_MAX / 2) {
        s->wants_room = false;
        s->on_room(s->arg);
    }
    return (ssize_t)n;
}

void http_begin(struct http_request *req,
                unsigned status,
                const char *content_type,
                const struct http_header *headers,
                size_t header_count,
                void (*on_room)(void *arg),
                void (*on_gone)(void *arg),
                void *arg)
{
    struct request *r = container_of(req, struct request, pub);
    struct stream *s = &r->stream;
    assert(r->state == REQUEST_ASKED);
    r->state = REQUEST_STREAMING;
    r->status = status;
    s->on_room = on_room;
    s->on_gone = on_gone;
    s->arg = arg;
    list_append(&r->h->streams, &s->node);
    if (r->open) {
        early_begin(r, content_type, headers, header_count);
        return;
    }
    r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_STREAM_BYTES_MAX / 2,
                                                    on_reader, r, NULL);
    set_headers(r, content_type, headers, header_count);
    http_resume(r);
}

bool http_write(struct http_request *req, struct text piece)
{
    struct request *r = container_of(req, struct request, pub);
    struct stream *s = &r->stream;
    assert(r->state == REQUEST_STREAMING);
    if (r->open) {
        early_write(r, piece);
    } else {
        buf_add_text(&s->out, piece);
        http_resume(r);
    }
    s->wants_room = s->out.len >= HTTP_STREAM_BYTES_MAX;
    return !s->wants_room;
}

void http_end(struct http_request *req)
{
    struct request *r = container_of(req, struct request, pub);
    assert(r->state == REQUEST_STREAMING);
    r->state = REQUEST_ANSWERED;
    r->h->asked--;
    r->stream.wants_room = false;
    list_remove(&r->stream.node);
    buf_fini(&r->body);
    if (r->open)
        early_end(r);
    else
        http_resume(r);
}
