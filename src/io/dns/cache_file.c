#include "io/dns/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool write_all(int fd, struct text t)
{
    while (t.n) {
        ssize_t n = write(fd, t.p, t.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        t = text_cut(t, (size_t)n, t.n);
    }
    return fsync(fd) == 0;
}

enum tide_err cache_file_write(const char *path, struct text bytes, struct tide_error *err)
{
    char *beside = NULL;
    if (asprintf(&beside, "%s.new", path) < 0)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_all(fd, bytes);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (ok && rename(beside, path) != 0) {
        ok = false;
        why = errno;
    }
    if (!ok)
        unlink(beside);
    free(beside);
    return ok ? TIDE_OK
              : tide_fail(err, why == ENOSPC ? TIDE_EFULL : TIDE_EIO, "%s: %s", path,
                          strerror(why));
}
