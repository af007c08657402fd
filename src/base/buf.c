#include "base/buf.h"

#include "base/macros.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = TIDE_OK;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_room(struct buf *b, size_t n)
{
    size_t want;
    if (b->failed != TIDE_OK)
        return NULL;
    if (__builtin_add_overflow(b->len, n, &want) || (b->max && want > b->max) ||
        __builtin_add_overflow(want, 1, &want)) {
        b->failed = TIDE_ELIMIT;
        return NULL;
    }
    if (want > b->cap) {
        size_t cap = TIDE_MAX(want, b->cap < SIZE_MAX / 2 ? b->cap * 2 : want);
        cap = TIDE_MAX(cap, 64);
        char *data = realloc(b->data, cap);
        if (!data) {
            b->failed = TIDE_ENOMEM;
            return NULL;
        }
        b->data = data;
        b->cap = cap;
        b->data[b->len] = '\0';
    }
    return b->data + b->len;
}

void buf_expect(struct buf *b, size_t n)
{
    size_t left = b->max ? b->max - b->len : SIZE_MAX / 2 - b->len;
    if (b->failed == TIDE_OK && n <= left && !buf_room(b, n))
        b->failed = TIDE_OK;
}

void buf_added(struct buf *b, size_t n)
{
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    char *room = n ? buf_room(b, n) : NULL;
    if (!room)
        return;
    memcpy(room, bytes, n);
    buf_added(b, n);
}

void buf_add_text(struct buf *b, struct text t)
{
    buf_add(b, t.p, t.n);
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *room = n > 0 ? buf_room(b, (size_t)n) : NULL;
    if (!room)
        return;
    va_start(args, fmt);
    vsnprintf(room, (size_t)n + 1, fmt, args);
    va_end(args);
    buf_added(b, (size_t)n);
}

void buf_add_escaped(struct buf *b, struct text t, const char *also)
{
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (ascii_is_alnum(c) || (c && (strchr("-._~", c) || strchr(also, c))))
            buf_addc(b, c);
        else
            buf_addf(b, "%%%02X", (unsigned char)c);
    }
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
    } else {
        memmove(b->data, b->data + n, b->len - n);
        b->len -= n;
    }
    if (b->data)
        b->data[b->len] = '\0';
}

enum tide_err buf_check(const struct buf *b, struct tide_error *err)
{
    if (b->failed == TIDE_ELIMIT)
        return tide_fail(err, TIDE_ELIMIT, "more than %zu bytes", b->max);
    if (b->failed != TIDE_OK)
        return tide_fail(err, b->failed, "%s", tide_err_text(b->failed));
    return TIDE_OK;
}

char *buf_take(struct buf *b)
{
    if (b->failed != TIDE_OK || !buf_room(b, 0))
        return NULL;
    char *data = b->data;
    *b = (struct buf){.max = b->max};
    return data;
}
