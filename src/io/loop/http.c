#include "io/loop/http.h"

#include "base/file.h"
#include "base/log.h"
#include "base/macros.h"
#include "io/loop/http_inside.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* MHD's pool: request line, headers, answer's headers */
#define CONNECTION_BYTES_MAX (32u * 1024)
#define CONNECTIONS_DEFAULT  1000
#define IDLE_DEFAULT_MS      60000
#define PEM_BYTES_MAX        (1u << 20)

/* -- The loop ---------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);
static void drained(struct http *h);

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

void http_kick(struct http *h)
{
    uv_idle_start(&h->kick, on_kick);
}

/* -- Opening ----------------------------------------------------------------------------------- */

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
        flags, 0, NULL, NULL, http_on_access, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, h,
        MHD_OPTION_LISTEN_SOCKET, h->fd, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, h,
        MHD_OPTION_URI_LOG_CALLBACK, http_on_target, h, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)l->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)l->connections_per_ip_max, MHD_OPTION_CONNECTION_TIMEOUT, idle_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MAX,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, flags & MHD_USE_TLS ? tls_options : none,
        MHD_OPTION_END);
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
    list_init(&h->earlies);
    h->on_request = options->on_request;
    h->on_refused = options->on_refused;
    h->in_pieces = options->in_pieces;
    h->tls = options->tls.certificate_file && options->tls.key_file;
    h->arg = options->arg;
    enum tide_err rc = open_socket(h, options, err);
    if (rc == TIDE_OK)
        rc = start_mhd(h, &options->tls, err);
    if (rc != TIDE_OK) {
        if (h->fd >= 0)
            listen_close(&h->listen, h->fd);
        free(h);
        return rc;
    }
    start_handles(h);
    *ret = h;
    return TIDE_OK;
}

/* -- Closing ----------------------------------------------------------------------------------- */

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
    if (h->asked > 0)
        return;
    early_cut_all(h);
    MHD_run(h->mhd); /* sees what was resumed */
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
        http_stream_cut(r);
        http_resume(r);
    }
    MHD_quiesce_daemon(h->mhd); /* the socket is ours again */
    http_kick(h);
}

int http_port(const struct http *h)
{
    return h->port;
}

size_t http_requests_open(const struct http *h)
{
    return h->asked;
}
