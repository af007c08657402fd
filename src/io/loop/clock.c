#include "io/loop/clock.h"

#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RATE_MAX 1e6 /* eleven days in a second: beyond that a reply takes hours */

static tide_wall_ms system_wall(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (tide_wall_ms)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* With parts of a millisecond, which a high rate makes seconds of. */
static double system_wall_exact(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

void clock_init_real(struct clock *c)
{
    *c = (struct clock){.rate = 1};
}

tide_wall_ms clock_wall(const struct clock *c)
{
    int64_t ahead = c->page ? c->page->ahead_ms : 0;
    if (c->rate == 1 && c->origin == c->anchor)
        return system_wall() + ahead;
    return c->origin + (tide_wall_ms)((system_wall_exact() - (double)c->anchor) * c->rate) + ahead;
}

tide_mono_ms clock_mono(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (tide_mono_ms)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

uint64_t clock_until(const struct clock *c, tide_wall_ms at)
{
    tide_wall_ms now = clock_wall(c);
    if (at <= now)
        return 0;
    double real = ceil((double)(at - now) / c->rate);
    if (c->page) {
        int64_t wake = c->page->wake_at;
        while (at < wake && !atomic_compare_exchange_weak(&c->page->wake_at, &wake, at))
            continue;
        return (uint64_t)TIDE_MIN(real, CLOCK_LOOK_MS);
    }
    return real < 1e15 ? (uint64_t)real : (uint64_t)1e15;
}

static enum tide_err parse_rate(struct text t, double *ret, struct tide_error *err)
{
    char digits[32], *end = NULL;
    snprintf(digits, sizeof digits, TEXT_FMT, TEXT_ARG(t));
    double rate = t.n && t.n < sizeof digits ? strtod(digits, &end) : 0;
    if (!end || *end || !(rate > 0) || rate > RATE_MAX)
        return tide_fail(err, TIDE_ERANGE,
                         "rate: want a number over 0, up to 1000000, got \"" TEXT_FMT "\"",
                         TEXT_ARG(t));
    *ret = rate;
    return TIDE_OK;
}

static enum tide_err map_file(struct text path, struct clock *ret, struct tide_error *err)
{
    struct stat st;
    if (path.n == 0 || path.n >= sizeof ret->file)
        return tide_fail(err, TIDE_ERANGE, "file: want a path of up to %zu bytes",
                         sizeof ret->file - 1);
    snprintf(ret->file, sizeof ret->file, TEXT_FMT, TEXT_ARG(path));
    int fd = open(ret->file, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return tide_fail(err, TIDE_EIO, "%s: %s", ret->file, strerror(errno));
    void *page = MAP_FAILED;
    if (fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof *ret->page)
        page = mmap(NULL, sizeof *ret->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED)
        return tide_fail(err, TIDE_EIO, "%s: want %zu bytes to map", ret->file, sizeof *ret->page);
    ret->page = page;
    return TIDE_OK;
}

enum tide_err clock_parse(struct text t, struct clock *ret, struct tide_error *err)
{
    struct text rest = t, origin, rate, anchor, file;
    struct clock c = {.anchor = system_wall()};
    if (!text_split(&rest, '@', &origin) || !text_split(&rest, '@', &rate))
        return tide_fail(err, TIDE_ESYNTAX,
                         "want ORIGIN@RATE, such as \"2026-03-02T08:00:00+08:00@3600\", got "
                         "\"" TEXT_FMT "\"",
                         TEXT_ARG(t));
    enum tide_err rc = time_parse_rfc3339(origin, &c.origin, err);
    if (rc == TIDE_OK)
        rc = parse_rate(rate, &c.rate, err);
    if (rc == TIDE_OK && text_split(&rest, '@', &anchor))
        rc = time_parse_rfc3339(anchor, &c.anchor, err);
    if (rc == TIDE_OK && text_split(&rest, '@', &file))
        rc = map_file(file, &c, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, "clock");
    *ret = c;
    return TIDE_OK;
}

const char *clock_text(const struct clock *c, char *out)
{
    char origin[TIME_TEXT_BYTES], anchor[TIME_TEXT_BYTES];
    snprintf(out, CLOCK_TEXT_BYTES, "%s@%g@%s%s%s", time_rfc3339(c->origin, 0, origin), c->rate,
             time_rfc3339(c->anchor, 0, anchor), c->page ? "@" : "", c->file);
    return out;
}
