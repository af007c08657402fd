/* log.h - one line per event: time, level, event, then key=value, ids first.
 *
 *   2026-11-21T22:17:26.123Z info release.sent attempt=0c2kq... account=sendgrid took_ms=41
 *
 * Recipient addresses are written at debug level alone. Values with blanks or quotes are quoted by
 * log_quote(). The text of an event is stable: people grep for it.
 *
 * Owns      the process' one log (level, descriptor, source of time).
 * Threads   any; a line is written with one write(2).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/time.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

extern enum log_level log_level_now; /* read it through log_on() */

static inline bool log_on(enum log_level level)
{
    return level >= log_level_now;
}

void log_set_level(enum log_level level);
bool log_level_of(struct text name, enum log_level *ret);
void log_set_fd(int fd); /* 2 until set */
/* Where log lines take their time from (the daemon's clock); the system's wall clock until set. */
void log_set_time(tide_wall_ms (*now)(void *arg), void *arg);

void log_write(enum log_level level, const char *event, const char *fmt, ...) TIDE_PRINTF(3, 4);

#define log_trace(event, ...) \
    (log_on(LOG_TRACE) ? log_write(LOG_TRACE, (event), __VA_ARGS__) : (void)0)
#define log_debug(event, ...) \
    (log_on(LOG_DEBUG) ? log_write(LOG_DEBUG, (event), __VA_ARGS__) : (void)0)
#define log_info(event, ...) \
    (log_on(LOG_INFO) ? log_write(LOG_INFO, (event), __VA_ARGS__) : (void)0)
#define log_warn(event, ...) \
    (log_on(LOG_WARN) ? log_write(LOG_WARN, (event), __VA_ARGS__) : (void)0)
#define log_error(event, ...) log_write(LOG_ERROR, (event), __VA_ARGS__)

/* "text" quoted if it must be, control characters and quotes escaped, cut to fit. Returns out. */
const char *log_quote(struct text t, char *out, size_t size);

#endif
