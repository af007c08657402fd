#include "base/log.h"

#include "base/macros.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES_MAX 2048

enum log_level log_level_now = LOG_INFO;

static int log_fd = 2;
static tide_wall_ms (*log_now)(void *arg);
static void *log_now_arg;

static const char *const level_names[] = {"trace", "debug", "info", "warn", "error"};

void log_set_level(enum log_level level)
{
    log_level_now = level;
}

bool log_level_of(struct text name, enum log_level *ret)
{
    for (size_t i = 0; i < TIDE_COUNT(level_names); i++)
        if (text_eq(name, text_of(level_names[i]))) {
            *ret = (enum log_level)i;
            return true;
        }
    return false;
}

void log_set_fd(int fd)
{
    log_fd = fd;
}

void log_set_time(tide_wall_ms (*now)(void *arg), void *arg)
{
    log_now = now;
    log_now_arg = arg;
}

static tide_wall_ms now_ms(void)
{
    if (log_now)
        return log_now(log_now_arg);
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (tide_wall_ms)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
    char line[LINE_BYTES_MAX], when[TIME_TEXT_BYTES];
    int n = snprintf(line, sizeof line, "%s %s %s ", time_rfc3339(now_ms(), 0, when),
                     level_names[level], event);
    size_t len = TIDE_MIN((size_t)TIDE_MAX(n, 0), sizeof line - 2);
    va_list args;
    va_start(args, fmt);
    n = vsnprintf(line + len, sizeof line - 1 - len, fmt, args);
    va_end(args);
    len = TIDE_MIN(len + (size_t)TIDE_MAX(n, 0), sizeof line - 2);
    for (size_t i = 0; i < len; i++) /* one event is one line, whatever a peer put into it */
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    line[len++] = '\n';
    ssize_t written = write(log_fd, line, len);
    (void)written; /* nobody is left to tell */
}

const char *log_quote(struct text t, char *out, size_t size)
{
    bool plain = t.n > 0;
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] <= ' ' || strchr("\"\\=", t.p[i]))
            plain = false;
    size_t len = 0;
    if (!plain && len + 1 < size)
        out[len++] = '"';
    for (size_t i = 0; i < t.n && len + 6 < size; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c < ' ' || c == 0x7F)
            len += (size_t)snprintf(out + len, size - len, "\\x%02x", c);
        else if (c == '"' || c == '\\')
            len += (size_t)snprintf(out + len, size - len, "\\%c", c);
        else
            out[len++] = (char)c;
    }
    if (!plain && len + 1 < size)
        out[len++] = '"';
    out[TIDE_MIN(len, size - 1)] = '\0';
    return out;
}
