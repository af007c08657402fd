#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK_BYTES 65536

static enum tide_err fail_errno(const char *path, struct tide_error *err)
{
    enum tide_err code = errno == ENOENT || errno == ENOTDIR ? TIDE_ENOENT
                         : errno == EACCES || errno == EPERM ? TIDE_EPERM
                                                             : TIDE_EIO;
    return tide_fail(err, code, "%s: %s", path, strerror(errno));
}

enum tide_err file_read(const char *path, size_t bytes_max, struct buf *ret, struct tide_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(path, err);
    buf_clear(ret);
    enum tide_err rc = TIDE_OK;
    for (;;) {
        char *room = buf_room(ret, CHUNK_BYTES);
        ssize_t n = room ? read(fd, room, CHUNK_BYTES) : 0;
        if (!room)
            rc = tide_fail(err, TIDE_ENOMEM, "%s: out of memory", path);
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n < 0)
            rc = fail_errno(path, err);
        if (rc != TIDE_OK || n == 0)
            break;
        buf_added(ret, (size_t)n);
        if (ret->len > bytes_max) {
            rc = tide_fail(err, TIDE_ELIMIT, "%s: larger than %zu bytes", path, bytes_max);
            break;
        }
    }
    close(fd);
    return rc;
}
