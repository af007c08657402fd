/* buf.h - a growing byte buffer whose failure is checked once, at the end.
 *
 * Owns      its bytes; buf_take() hands them over (free() them).
 * Lifetime  buf_init() to buf_fini(). Zeroed memory is an initialised buffer without a bound.
 * Threads   one at a time.
 * Errors    sticky: after running out of memory or over `max` bytes every call does nothing and
 *           buf_check() says which. What was added before stays.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/text.h"

struct buf {
    char *data; /* terminated with a NUL that does not count, or NULL while empty */
    size_t len, cap;
    size_t max; /* 0: no bound */
    enum tide_err failed;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory, forgets the failure */

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_add_text(struct buf *b, struct text t);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) TIDE_PRINTF(2, 3);
/* RFC 3986 2.1: as %XX what is neither unreserved (letters, digits, "-._~") nor one of `also`. */
void buf_add_escaped(struct buf *b, struct text t, const char *also);

/* Room for `n` more bytes at data + len, NULL on failure; say how many came with buf_added(). */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

/* `n` more bytes are about to come: one allocation instead of many. Only a hint, nothing fails. */
void buf_expect(struct buf *b, size_t n);

/* Drops the first `n` bytes. */
void buf_consume(struct buf *b, size_t n);

TIDE_MUST_CHECK enum tide_err buf_check(const struct buf *b, struct tide_error *err);

static inline struct text buf_text(const struct buf *b)
{
    return (struct text){b->data, b->len};
}

/* "" while empty, never NULL. */
static inline const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

/* The bytes, terminated, to be freed by the caller; NULL when the buffer failed. */
char *buf_take(struct buf *b);

#endif
