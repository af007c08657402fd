#include "io/loop/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WANT "want ADDRESS:PORT, [IPV6]:PORT, *:PORT or unix:/PATH"

static enum tide_err parse_unix(struct text path, struct listen_spec *s, struct tide_error *err)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&s->address;
    if (path.n == 0 || text_find(path, '/') == path.n || memchr(path.p, '\0', path.n))
        return tide_fail(err, TIDE_ESYNTAX,
                         "listen address %s: want a path with a \"/\" after \"unix:\"", s->name);
    if (path.n >= sizeof un->sun_path)
        return tide_fail(err, TIDE_ELIMIT,
                         "listen address %s: want a path of at most %zu bytes, got %zu", s->name,
                         sizeof un->sun_path - 1, path.n);
    s->is_unix = true;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.p, path.n);
    un->sun_path[path.n] = '\0';
    s->address_len = sizeof *un;
    return TIDE_OK;
}

static bool parse_host(struct text host, uint16_t port, struct listen_spec *s)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&s->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&s->address;
    char text[INET6_ADDRSTRLEN];
    bool bracketed = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (bracketed)
        host = text_cut(host, 1, host.n - 2);
    if (host.n >= sizeof text || host.n == 0)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    if (bracketed || strcmp(text, "*") == 0) { /* "*": IPv6 and IPv4 with one socket */
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        s->address_len = sizeof *v6;
        return !bracketed || inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    s->address_len = sizeof *v4;
    return inet_pton(AF_INET, strcmp(text, "localhost") == 0 ? "127.0.0.1" : text, &v4->sin_addr) ==
           1;
}

enum tide_err listen_parse(struct text t, struct listen_spec *ret, struct tide_error *err)
{
    struct listen_spec s = {0};
    int64_t port;
    if (t.n >= sizeof s.name)
        return tide_fail(err, TIDE_ELIMIT, "a listen address of %zu bytes is too long", t.n);
    if (t.n)
        memcpy(s.name, t.p, t.n);
    if (text_starts(t, TEXT("unix:"))) {
        enum tide_err rc = parse_unix(text_cut(t, 5, SIZE_MAX), &s, err);
        if (rc == TIDE_OK)
            *ret = s;
        return rc;
    }
    size_t colon = t.n;
    while (colon > 0 && t.p[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return tide_fail(err, TIDE_ESYNTAX, "listen address \"%s\": " WANT, s.name);
    enum tide_err rc = text_int(text_cut(t, colon, SIZE_MAX), 0, 65535, &port, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, "listen address \"%s\": port", s.name);
    if (!parse_host(text_cut(t, 0, colon - 1), (uint16_t)port, &s))
        return tide_fail(err, TIDE_ESYNTAX, "listen address \"%s\": " WANT, s.name);
    *ret = s;
    return TIDE_OK;
}

static enum tide_err fail_errno(const struct listen_spec *s,
                                const char *doing,
                                int error,
                                struct tide_error *err)
{
    enum tide_err code = error == EADDRINUSE                 ? TIDE_EBUSY
                         : error == EACCES || error == EPERM ? TIDE_EPERM
                                                             : TIDE_EIO;
    return tide_fail(err, code, "%s on %s: %s", doing, s->name, strerror(error));
}

/* A path left by a process that is gone: nobody answers there. */
static bool is_stale(const struct listen_spec *s)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&s->address;
    struct stat st;
    if (lstat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool stale = connect(fd, (const struct sockaddr *)&s->address, s->address_len) != 0 &&
                 errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static enum tide_err bind_socket(const struct listen_spec *s,
                                 int fd,
                                 int unix_mode,
                                 struct tide_error *err)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&s->address;
    int on = 1, off = 0;
    if (!s->is_unix)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (s->address.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, s->name[0] == '*' ? &off : &on, sizeof on);
    if (s->is_unix && is_stale(s))
        (void)unlink(un->sun_path);
    if (bind(fd, (const struct sockaddr *)&s->address, s->address_len) != 0)
        return fail_errno(s, "binding", errno, err);
    if (s->is_unix && chmod(un->sun_path, (mode_t)unix_mode) != 0)
        return fail_errno(s, "setting the permissions", errno, err);
    if (listen(fd, SOMAXCONN) != 0)
        return fail_errno(s, "listening", errno, err);
    return TIDE_OK;
}

enum tide_err listen_open(const struct listen_spec *s,
                          int unix_mode,
                          int *ret_fd,
                          struct tide_error *err)
{
    int fd = socket(s->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail_errno(s, "opening a socket", errno, err);
    enum tide_err rc = bind_socket(s, fd, unix_mode, err);
    if (rc == TIDE_OK)
        *ret_fd = fd;
    else
        close(fd);
    return rc;
}

void listen_close(const struct listen_spec *s, int fd)
{
    if (s->is_unix)
        (void)unlink(((const struct sockaddr_un *)&s->address)->sun_path);
    if (fd >= 0)
        close(fd);
}

const char *listen_address_text(const struct sockaddr *a, socklen_t len, char *out, size_t size)
{
    char ip[INET6_ADDRSTRLEN] = "?";
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
        (void)inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof ip);
        (void)snprintf(out, size, "%s:%d", ip, ntohs(v4->sin_port));
    } else if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip);
        (void)snprintf(out, size, "[%s]:%d", ip, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)a;
        size_t n = len > offsetof(struct sockaddr_un, sun_path)
                       ? len - offsetof(struct sockaddr_un, sun_path)
                       : 0;
        (void)snprintf(out, size, "unix:%.*s", (int)n, n ? un->sun_path : "");
    }
    return out;
}

const char *listen_name(int fd, char *out, size_t size)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        (void)snprintf(out, size, "?");
    else
        (void)listen_address_text((const struct sockaddr *)&a, len, out, size);
    return out;
}

int listen_port(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        return 0;
    if (a.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&a)->sin_port);
    return a.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)&a)->sin6_port) : 0;
}

bool listen_is_local(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (a->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
    }
    return a->sa_family == AF_UNIX;
}
