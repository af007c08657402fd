#include "lib/client.h"

#include "io/loop/clock.h"
#include "lib/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

int client_dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    T_EQ(connect(fd, (struct sockaddr *)&a, sizeof a), 0, "connect: %s", strerror(errno));
    return fd;
}

int client_dial_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    T_EQ(connect(fd, (struct sockaddr *)&a, sizeof a), 0, "connect: %s", strerror(errno));
    return fd;
}

void client_put(int fd, const char *s)
{
    T_EQ(send(fd, s, strlen(s), MSG_NOSIGNAL), (ssize_t)strlen(s), "send: %s", strerror(errno));
}

static int count_of(const char *in, const char *what)
{
    int seen = 0;
    for (const char *p = in; (p = strstr(p, what)); p++)
        seen++;
    return seen;
}

const char *client_get(uv_loop_t *loop, int fd, const char *until, int times)
{
    static char in[262144];
    size_t n = 0;
    tide_mono_ms stop = clock_mono() + CLIENT_WAIT_MS;
    in[0] = '\0';
    while (count_of(in, until) < times && clock_mono() < stop) {
        uv_run(loop, UV_RUN_NOWAIT);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 1) <= 0)
            continue;
        ssize_t got = recv(fd, in + n, sizeof in - 1 - n, MSG_DONTWAIT);
        if (got <= 0)
            break;
        n += (size_t)got;
        in[n] = '\0';
    }
    return in;
}
