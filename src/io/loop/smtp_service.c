#include "io/loop/smtp_service.h"

#include "base/log.h"
#include "base/macros.h"
#include "io/loop/smtp_session.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define UNIX_MODE   0666 /* as open as loopback; the folder says who gets there */
#define REFUSED_MAX 32   /* connections over the limit that are told so; the next are just closed */

struct listener {
    struct list in_service;
    struct smtp_service *service;
    union stream stream;
    struct listen_spec spec;
    bool tls; /* from the first byte on */
    bool wanted;
    union stream spare;
    bool spare_open;
};

enum tide_err smtp_service_open(uv_loop_t *loop,
                                const struct smtp_service_options *options,
                                struct smtp_service **ret,
                                struct tide_error *err)
{
    struct smtp_service *sv = calloc(1, sizeof *sv);
    if (!sv)
        return tide_fail(err, TIDE_ENOMEM, "an SMTP service");
    sv->loop = loop;
    sv->options = *options;
    list_init(&sv->listeners);
    list_init(&sv->sessions);
    strmap_init(&sv->ips);
    (void)uv_timer_init(loop, &sv->keeper);
    sv->keeper.data = sv;
    sv->handle_count = 1;
    *ret = sv;
    return TIDE_OK;
}

void smtp_service_configure(struct smtp_service *sv, const struct smtp_service_options *options)
{
    const struct smtp_service_ops *ops = sv->options.ops;
    void *arg = sv->options.arg;
    sv->options = *options;
    sv->options.ops = ops;
    sv->options.arg = arg;
}

size_t smtp_service_connections(const struct smtp_service *sv)
{
    return sv->session_count;
}

static void finish_close(struct smtp_service *sv)
{
    if (!sv->closing || sv->session_count || sv->handle_count)
        return;
    void (*closed_cb)(void *) = sv->closed_cb;
    void *arg = sv->closed_arg;
    strmap_fini(&sv->ips);
    free(sv);
    if (closed_cb)
        closed_cb(arg);
}

/* ---- connections ---- */

/* Counts a connection of this address; false: out of memory. */
static bool count_ip(struct smtp_session *s, const struct sockaddr *a)
{
    char text[sizeof s->ip->text] = "";
    if (a->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, text,
                        sizeof text);
    else
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, text,
                        sizeof text);
    struct smtp_ip *ip = strmap_get(&s->service->ips, text_of(text));
    if (!ip) {
        ip = calloc(1, sizeof *ip);
        if (!ip)
            return false;
        memcpy(ip->text, text, sizeof text);
        if (!strmap_put(&s->service->ips, text_of(text), ip)) {
            free(ip);
            return false;
        }
    }
    ip->count++;
    s->ip = ip;
    return true;
}

void service_forget(struct smtp_service *sv, struct smtp_session *s)
{
    list_remove(&s->in_service);
    sv->session_count--;
    if (s->ip && --s->ip->count == 0) {
        (void)strmap_remove(&sv->ips, text_of(s->ip->text));
        free(s->ip);
    }
    finish_close(sv);
}

/* Who is there? */
static bool identify(struct smtp_session *s, bool is_unix)
{
    if (is_unix) {
        struct ucred who = {0};
        socklen_t len = sizeof who;
        uv_os_fd_t fd = -1;
        s->is_local = true;
        if (uv_fileno(&s->stream.handle, &fd) == 0)
            (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
        (void)snprintf(s->peer, sizeof s->peer, "unix:uid=%u", (unsigned)who.uid);
        return true;
    }
    struct sockaddr_storage a = {0};
    int len = sizeof a;
    struct sockaddr *address = (struct sockaddr *)&a;
    if (uv_tcp_getpeername(&s->stream.tcp, address, &len) != 0)
        return false; /* gone already */
    s->is_local = listen_is_local(address);
    (void)listen_address_text(address, (socklen_t)len, s->peer, sizeof s->peer);
    (void)uv_tcp_nodelay(&s->stream.tcp, 1);
    return count_ip(s, address);
}

/* true: there is room; else what it is told. */
static bool has_room(const struct smtp_session *s, struct reply *refusal)
{
    const struct smtp_service_options *o = &s->service->options;
    if (o->connections_max > 0 && s->service->session_count > (size_t)o->connections_max)
        reply_set(refusal, 421, (int[]){4, 3, 2}, "Too many connections, try again later");
    else if (s->ip && o->connections_per_ip_max > 0 && s->ip->count > o->connections_per_ip_max)
        reply_set(refusal, 421, (int[]){4, 7, 0}, "Too many connections from %s", s->ip->text);
    else
        return true;
    log_info("smtp.refused", "peer=%s reason=\"%s\"", s->peer, refusal->text);
    return false;
}

static void on_dropped(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_spare_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    l->spare_open = false;
}

static int init_stream(struct listener *l, union stream *stream)
{
    uv_loop_t *loop = l->service->loop;
    return l->spec.is_unix ? uv_pipe_init(loop, &stream->pipe, 0) : uv_tcp_init(loop, &stream->tcp);
}

/* Out of memory: a connection has to be accepted to be got rid of, else libuv waits with it. */
static void drop_connection(struct listener *l)
{
    log_warn("smtp.accept_failed", "listener=%s error=\"out of memory\"", l->spec.name);
    if (l->spare_open || init_stream(l, &l->spare) != 0)
        return;
    l->spare_open = true;
    l->spare.handle.data = l;
    (void)uv_accept(&l->stream.stream, &l->spare.stream);
    uv_close(&l->spare.handle, on_spare_closed);
}

static void greet(struct smtp_session *s, bool tls)
{
    struct smtp_service *sv = s->service;
    struct smtp_server_options options = {.extensions = SMTP_EXT_ALL, .tls = tls};
    struct reply crowded, refused = {0};
    if (!sv->options.tls)
        options.extensions &= ~(unsigned)SMTP_EXT_STARTTLS;
    bool room = has_room(s, &crowded);
    bool taken = sv->options.ops->open(s, &options, &refused);
    smtp_server_init(&s->server, &options);
    session_start(s, !room ? &crowded : !taken ? &refused : NULL);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    struct smtp_service *sv = l->service;
    if (status != 0) {
        log_warn("smtp.accept_failed", "listener=%s error=\"%s\"", l->spec.name,
                 uv_strerror(status));
        return;
    }
    struct smtp_session *s = calloc(1, sizeof *s);
    if (!s || init_stream(l, &s->stream) != 0) {
        free(s);
        drop_connection(l);
        return;
    }
    s->stream.handle.data = s;
    s->timer.data = s;
    s->service = sv;
    bool crowded = sv->options.connections_max > 0 &&
                   sv->session_count >= (size_t)sv->options.connections_max + REFUSED_MAX;
    if (uv_accept(stream, &s->stream.stream) != 0 || crowded || !identify(s, l->spec.is_unix)) {
        uv_close(&s->stream.handle, on_dropped);
        return;
    }
    (void)uv_timer_init(sv->loop, &s->timer);
    s->refs = 2; /* stream and timer */
    sv->session_count++;
    list_append(&sv->sessions, &s->in_service);
    greet(s, l->tls);
}

/* ---- listeners ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    struct smtp_service *sv = l->service;
    sv->handle_count--;
    free(l);
    finish_close(sv);
}

static void listener_close(struct listener *l)
{
    list_remove(&l->in_service);
    listen_close(&l->spec, -1);
    uv_close(&l->stream.handle, on_listener_closed);
}

/* "tls:127.0.0.1:465" */
static const char *without_tls(const char *address, bool *ret_tls)
{
    *ret_tls = strncmp(address, "tls:", 4) == 0;
    return address + (*ret_tls ? 4 : 0);
}

static struct listener *find_listener(const struct smtp_service *sv, const char *address)
{
    bool tls;
    address = without_tls(address, &tls);
    LIST_EACH(node, &sv->listeners)
    {
        struct listener *l = container_of(node, struct listener, in_service);
        if (l->tls == tls && strcmp(l->spec.name, address) == 0)
            return l;
    }
    return NULL;
}

static enum tide_err listener_open(struct smtp_service *sv,
                                   const struct listen_spec *spec,
                                   bool tls,
                                   struct tide_error *err)
{
    int fd;
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return tide_fail(err, TIDE_ENOMEM, "a listener on %s", spec->name);
    enum tide_err rc = listen_open(spec, UNIX_MODE, &fd, err);
    if (rc != TIDE_OK) {
        free(l);
        return rc;
    }
    *l = (struct listener){.service = sv, .spec = *spec, .tls = tls, .wanted = true};
    l->stream.handle.data = l;
    int uv = init_stream(l, &l->stream);
    if (uv != 0) {
        listen_close(spec, fd);
        free(l);
        return tide_fail(err, TIDE_EIO, "listening on %s: %s", spec->name, uv_strerror(uv));
    }
    uv = spec->is_unix ? uv_pipe_open(&l->stream.pipe, fd) : uv_tcp_open(&l->stream.tcp, fd);
    if (uv == 0)
        uv = uv_listen(&l->stream.stream, SOMAXCONN, on_connection);
    sv->handle_count++;
    list_append(&sv->listeners, &l->in_service);
    if (uv == 0)
        return TIDE_OK;
    listener_close(l);
    return tide_fail(err, TIDE_EIO, "listening on %s: %s", spec->name, uv_strerror(uv));
}

enum tide_err smtp_service_listen(struct smtp_service *sv,
                                  const char *const *addresses,
                                  size_t count,
                                  struct tide_error *err)
{
    enum tide_err rc = TIDE_OK;
    LIST_EACH(node, &sv->listeners)
    container_of(node, struct listener, in_service)->wanted = false;
    struct list *last_old = sv->listeners.prev;
    for (size_t i = 0; i < count && rc == TIDE_OK; i++) {
        struct listen_spec spec;
        bool tls;
        const char *plain = without_tls(addresses[i], &tls);
        struct listener *known = find_listener(sv, addresses[i]);
        if (known) {
            known->wanted = true;
            continue;
        }
        rc = listen_parse(text_of(plain), &spec, err);
        if (rc == TIDE_OK)
            rc = listener_open(sv, &spec, tls, err);
    }
    /* On success those not wanted any more go, on failure those opened just now. */
    bool is_new = last_old == &sv->listeners;
    LIST_EACH(node, &sv->listeners)
    {
        struct listener *l = container_of(node, struct listener, in_service);
        bool next_is_new = is_new || node == last_old;
        if (rc == TIDE_OK ? !l->wanted : is_new)
            listener_close(l);
        is_new = next_is_new;
    }
    return rc;
}

const char *smtp_service_name(const struct smtp_service *sv,
                              const char *address,
                              char *out,
                              size_t size)
{
    const struct listener *l = find_listener(sv, address);
    uv_os_fd_t fd;
    if (l && uv_fileno(&l->stream.handle, &fd) == 0)
        return listen_name(fd, out, size);
    (void)snprintf(out, size, "%s", "");
    return out;
}

int smtp_service_port(const struct smtp_service *sv, const char *address)
{
    const struct listener *l = find_listener(sv, address);
    uv_os_fd_t fd;
    return l && uv_fileno(&l->stream.handle, &fd) == 0 ? listen_port(fd) : 0;
}

static void on_keeper_closed(uv_handle_t *handle)
{
    struct smtp_service *sv = handle->data;
    sv->handle_count--;
    finish_close(sv);
}

void smtp_service_close(struct smtp_service *sv, void (*closed_cb)(void *arg), void *arg)
{
    struct reply r;
    if (sv->closing)
        return;
    sv->closing = true;
    sv->closed_cb = closed_cb;
    sv->closed_arg = arg;
    LIST_EACH(node, &sv->listeners)
    listener_close(container_of(node, struct listener, in_service));
    LIST_EACH(session, &sv->sessions)
    {
        struct smtp_session *s = container_of(session, struct smtp_session, in_service);
        reply_set(&r, 421, (int[]){4, 3, 2}, "%s Shutting down, try again later",
                  s->server.hostname);
        session_end(s, &r);
    }
    uv_close((uv_handle_t *)&sv->keeper, on_keeper_closed);
}
