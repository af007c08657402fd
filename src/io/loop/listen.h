/* listen.h - where to listen: "127.0.0.1:2525", "[::1]:0", "*:25", "unix:/run/mailtide/smtp.sock".
 *
 * Owns      nothing; a descriptor from listen_open() is the caller's, to be ended by
 * listen_close(). Threads   any; the calls do not block. Errors    TIDE_ESYNTAX what is wanted;
 * TIDE_EBUSY somebody listens there; TIDE_EPERM; TIDE_EIO all else that the system says. The
 * address is in the text. Limits    numbers only, and "localhost" (127.0.0.1): no name is looked
 * up.
 */
#ifndef IO_LOOP_LISTEN_H
#define IO_LOOP_LISTEN_H

#include "base/text.h"

#include <sys/socket.h>

#define LISTEN_NAME_BYTES 128 /* "unix:" and the longest path (108), "[...IPv6...]:65535" */

struct listen_spec {
    bool is_unix;
    struct sockaddr_storage address;
    socklen_t address_len;
    char name[LISTEN_NAME_BYTES]; /* as given */
};

TIDE_MUST_CHECK enum tide_err listen_parse(struct text t,
                                           struct listen_spec *ret,
                                           struct tide_error *err);

/* A socket that listens already, non-blocking, closed on exec. The path of a Unix socket that
 * nobody listens on any more is taken over; `unix_mode` are its permissions (0666, 0660). */
TIDE_MUST_CHECK enum tide_err listen_open(const struct listen_spec *s,
                                          int unix_mode,
                                          int *ret_fd,
                                          struct tide_error *err);

/* Closes `fd` (-1: the caller's library has done it) and removes the path of a Unix socket. */
void listen_close(const struct listen_spec *s, int fd);

/* "127.0.0.1:40312", "[::1]:80", "unix:/path" ("unix:" for a peer without a name). Returns out. */
const char *listen_address_text(const struct sockaddr *a, socklen_t len, char *out, size_t size);
/* What it listens on: the port that it got for port 0 as well. */
const char *listen_name(int fd, char *out, size_t size);
int listen_port(int fd); /* 0: not TCP */

/* A Unix socket, 127.0.0.0/8 or ::1 (IPv4-mapped as well): nobody from outside. */
bool listen_is_local(const struct sockaddr *a);

#endif
