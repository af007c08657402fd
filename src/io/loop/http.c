#include "io/loop/http.h"

#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/macros.h"
#include "core/proto/json_write.h"
#include "io/loop/clock.h"
#include "io/loop/listen.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTION_BYTES_MAX                                            \
    (32u * 1024) /* MHD's pool: request line, headers, answer's headers \
                  */
#define CONNECTIONS_DEFAULT 1000
#define IDLE_DEFAULT_MS     60000
#define PEM_BYTES_MAX       (1u << 20)

struct http {
    uv_loop_t *loop;
    struct MHD_Daemon *mhd;
    struct listen_spec listen;
    int fd; /* listening */
    int port;
    struct http_limits limits;
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
    void *arg;
};

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
    char peer[64];
};

static void on_kick(uv_idle_t *idle);
static void drained(struct http *h);

/* -- Requests -----------------------------------------------------------------------------------
 */

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

static struct request *request_new(struct http *h,
                                   struct MHD_Connection *connection,
                                   const char *url,
                                   const char *method)
{
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->h = h;
    r->connection = connection;
    r->pub.method = text_of(method);
    r->pub.path = text_of(url);
    r->started_at = clock_mono();
    buf_init(&r->body, h->limits.body_bytes_max);
    list_init(&r->stream.node);
    describe_peer(r);
    h->requests++;
    return r;
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
        r->refuse = MHD_HTTP_SERVICE_UNAVAILABLE;
        r->refuse_code = "busy";
        r->refuse_text = "The service is stopping.";
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

/* MHD calls this for the headers, for each piece of the body, at its end, and after resuming. */
static enum MHD_Result on_access(void *arg,
                                 struct MHD_Connection *connection,
                                 const char *url,
                                 const char *method,
                                 const char *version,
                                 const char *upload_data,
                                 size_t *upload_data_size,
                                 void **con_cls)
{
    (void)version;
    struct http *h = arg;
    struct request *r = *con_cls;
    if (!r) {
        r = *con_cls = request_new(h, connection, url, method);
        if (!r)
            return MHD_NO;
        if (!judge_headers(r))
            return MHD_YES;
        reply_refusal(r);
        return request_queue(r);
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

/* The owner of the stream hears of it once, and has nothing to do with the request any more. */
static void stream_cut(struct request *r)
{
    struct stream *s = &r->stream;
    r->state = REQUEST_ANSWERED;
    r->h->asked--;
    s->cut = true;
    list_remove(&s->node);
    s->on_gone(s->arg);
}

static void on_completed(void *arg,
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
        stream_cut(r);
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
    buf_fini(&r->body);
    /* MHD only reads what it must copy */
    r->response =
        MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
    if (r->response && content_type)
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (size_t i = 0; r->response && i < header_count; i++)
        MHD_add_response_header(r->response, headers[i].name, headers[i].value);
    if (r->response && h->closing)
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (!r->suspended)
        return; /* inside the handler: on_access() goes on */
    r->suspended = false;
    MHD_resume_connection(r->connection);
    /* MHD's own wake-up is not seen through the outer poll: it must be run, once for a batch */
    uv_idle_start(&h->kick, on_kick);
}

/* -- Answers in pieces ---------------------------------------------------------------------------
 */

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

static void resume(struct request *r)
{
    if (!r->suspended)
        return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    uv_idle_start(&r->h->kick, on_kick);
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
    r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_STREAM_BYTES_MAX / 2,
                                                    on_reader, r, NULL);
    if (r->response)
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (size_t i = 0; r->response && i < header_count; i++)
        MHD_add_response_header(r->response, headers[i].name, headers[i].value);
    resume(r);
}

bool http_write(struct http_request *req, struct text piece)
{
    struct request *r = container_of(req, struct request, pub);
    struct stream *s = &r->stream;
    assert(r->state == REQUEST_STREAMING);
    buf_add_text(&s->out, piece);
    resume(r);
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
    resume(r);
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

/* -- The loop -----------------------------------------------------------------------------------
 */

static void on_timer(uv_timer_t *timer);

static void run_mhd(struct http *h)
{
    unsigned long long ms;
    if (h->stopped)
        return;
    MHD_run(h->mhd);
    if (MHD_get_timeout(h->mhd, &ms) == MHD_YES)
        uv_timer_start(&h->timer, on_timer, ms, 0);
    else
        uv_timer_stop(&h->timer);
    drained(h);
}

static void on_timer(uv_timer_t *timer)
{
    run_mhd(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run_mhd(poll->data);
}

static void on_kick(uv_idle_t *idle)
{
    uv_idle_stop(idle);
    run_mhd(idle->data);
}

/* -- Opening and closing ------------------------------------------------------------------------
 */

static void on_log(void *arg, const char *fmt, va_list args) TIDE_PRINTF(2, 0);

static void on_log(void *arg, const char *fmt, va_list args)
{
    (void)arg;
    if (!log_on(LOG_DEBUG))
        return;
    char line[256], quoted[300];
    vsnprintf(line, sizeof line, fmt, args);
    log_debug("http.library", "text=%s",
              log_quote(text_trim(text_of(line)), quoted, sizeof quoted));
}

static struct http_limits with_defaults(struct http_limits l)
{
    if (l.bodies_bytes_max == 0)
        l.bodies_bytes_max = l.body_bytes_max * 8;
    if (l.connections_max == 0)
        l.connections_max = CONNECTIONS_DEFAULT;
    if (l.idle_timeout_ms == 0)
        l.idle_timeout_ms = IDLE_DEFAULT_MS;
    if (l.receive_max_ms == 0)
        l.receive_max_ms = l.idle_timeout_ms * 10;
    return l;
}

/* A Unix socket is nobody's but ours until its group is right. */
static enum tide_err open_socket(struct http *h,
                                 const struct http_options *options,
                                 struct tide_error *err)
{
    int mode = options->mode ? options->mode : 0660;
    h->fd = -1;
    enum tide_err rc = listen_parse(text_of(options->listen), &h->listen, err);
    if (rc == TIDE_OK)
        rc = listen_open(&h->listen, options->group ? 0600 : mode, &h->fd, err);
    if (rc != TIDE_OK)
        return rc;
    h->port = listen_port(h->fd);
    if (!h->listen.is_unix || !options->group)
        return TIDE_OK;
    const char *path = ((const struct sockaddr_un *)&h->listen.address)->sun_path;
    const struct group *g = getgrnam(options->group);
    if (!g)
        return tide_fail(err, TIDE_EINVAL, "%s: no group is named \"%s\"", path, options->group);
    if (chown(path, (uid_t)-1, g->gr_gid) != 0 || chmod(path, (mode_t)mode) != 0)
        return tide_fail(err, TIDE_EPERM, "%s: cannot give it to group %s: %s", path,
                         options->group, strerror(errno));
    return TIDE_OK;
}

static enum tide_err start_mhd(struct http *h, const struct config_tls *tls, struct tide_error *err)
{
    struct buf key = {0}, certificate = {0};
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    enum tide_err rc = TIDE_OK;
    if (tls->certificate_file && tls->key_file) {
        flags |= MHD_USE_TLS;
        rc = file_read(tls->certificate_file, PEM_BYTES_MAX, &certificate, err);
        if (rc == TIDE_OK)
            rc = file_read(tls->key_file, PEM_BYTES_MAX, &key, err);
    }
    if (rc != TIDE_OK)
        goto out;
    struct MHD_OptionItem tls_options[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, key.data},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, certificate.data},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    const struct http_limits *l = &h->limits;
    unsigned idle_s = (unsigned)((l->idle_timeout_ms + 999) / 1000);
    h->mhd = MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, h,
        MHD_OPTION_LISTEN_SOCKET, h->fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)l->connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)l->connections_per_ip_max,
        MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
        flags & MHD_USE_TLS ? tls_options : none, MHD_OPTION_END);
    if (!h->mhd && flags & MHD_USE_TLS)
        rc = tide_fail(err, TIDE_ETLS, "certificate %s and key %s cannot be used",
                       tls->certificate_file, tls->key_file);
    else if (!h->mhd)
        rc = tide_fail(err, TIDE_ECONN, "the HTTP server does not start");
out:
    if (key.data)
        explicit_bzero(key.data, key.len);
    buf_fini(&key);
    buf_fini(&certificate);
    return rc;
}

static void start_handles(struct http *h)
{
    int epoll_fd = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    h->poll.data = h->timer.data = h->kick.data = h->drain.data = h;
    /* none of these can fail on a valid descriptor: they take no memory */
    uv_timer_init(h->loop, &h->timer);
    uv_timer_init(h->loop, &h->drain);
    uv_idle_init(h->loop, &h->kick);
    int rc = uv_poll_init(h->loop, &h->poll, epoll_fd);
    assert(rc == 0);
    rc = uv_poll_start(&h->poll, UV_READABLE, on_poll);
    assert(rc == 0);
    h->handles = 4;
}

enum tide_err http_open(uv_loop_t *loop,
                        const struct http_options *options,
                        struct http **ret,
                        struct tide_error *err)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    h->loop = loop;
    h->limits = with_defaults(options->limits);
    list_init(&h->streams);
    h->on_request = options->on_request;
    h->on_refused = options->on_refused;
    h->arg = options->arg;
    enum tide_err rc = open_socket(h, options, err);
    if (rc == TIDE_OK)
        rc = start_mhd(h, &options->tls, err);
    if (rc != TIDE_OK) {
        if (h->fd >= 0)
            listen_close(&h->listen, h->fd);
        free(h);
        return tide_wrap(err, rc, "http");
    }
    start_handles(h);
    *ret = h;
    return TIDE_OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http *h = handle->data;
    if (--h->handles > 0)
        return;
    void (*closed)(void *arg) = h->closed;
    void *arg = h->closed_arg;
    free(h);
    if (closed)
        closed(arg);
}

/* Only outside MHD_run(), and with no answer due: MHD aborts when a connection is suspended. */
static void stop(struct http *h)
{
    assert(h->closing && h->asked == 0);
    if (h->stopped)
        return;
    h->stopped = true;
    uv_poll_stop(&h->poll); /* before MHD closes the descriptor */
    MHD_stop_daemon(h->mhd);
    listen_close(&h->listen, h->fd);
    uv_close((uv_handle_t *)&h->poll, on_handle_closed);
    uv_close((uv_handle_t *)&h->timer, on_handle_closed);
    uv_close((uv_handle_t *)&h->kick, on_handle_closed);
    uv_close((uv_handle_t *)&h->drain, on_handle_closed);
}

static void on_drain(uv_timer_t *timer)
{
    struct http *h = timer->data;
    if (h->asked == 0)
        stop(h);
}

static void drained(struct http *h)
{
    if (!h->closing || h->asked > 0)
        return;
    if (h->requests == 0)
        stop(h);
    else if (!uv_is_active((uv_handle_t *)&h->drain))
        uv_timer_start(&h->drain, on_drain, HTTP_DRAIN_MS, 0);
}

void http_close(struct http *h, void (*closed)(void *arg), void *arg)
{
    if (h->closing)
        return;
    h->closing = true;
    h->closed = closed;
    h->closed_arg = arg;
    for (struct list *node; (node = list_first(&h->streams));) {
        struct request *r = container_of(node, struct request, stream.node);
        stream_cut(r);
        resume(r);
    }
    MHD_quiesce_daemon(h->mhd); /* the socket is ours again */
    uv_idle_start(&h->kick, on_kick);
}

int http_port(const struct http *h)
{
    return h->port;
}

size_t http_requests_open(const struct http *h)
{
    return h->asked;
}
