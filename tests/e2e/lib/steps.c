/* Preloaded into a daemon and a lab: the machine's wall clock, stepped by what a file says, in
 * milliseconds. Read again at every look, so that both see the step at the same instant. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *step_ms;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void find(void)
{
    const char *path = getenv("STEPS_FILE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *seen = mmap(NULL, sizeof *step_ms, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (seen != MAP_FAILED)
        step_ms = seen;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(id, ts);
    if (rc == 0 && id == CLOCK_REALTIME && step_ms) {
        int64_t ms = (int64_t)ts->tv_sec * 1000 + ts->tv_nsec / 1000000 + *step_ms;
        ts->tv_sec = (time_t)(ms / 1000);
        ts->tv_nsec = (long)(ms % 1000) * 1000000 + ts->tv_nsec % 1000000;
    }
    return rc;
}
