/* text.h - borrowed stretches of bytes, and how people write numbers, durations and sizes.
 *
 * Owns      nothing: a struct text points into somebody else's memory and is not terminated.
 * Threads   any.
 * Errors    TIDE_ESYNTAX and TIDE_ERANGE say what was found and what was wanted.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "mailtide/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *p; /* may be NULL when n is 0 */
    size_t n;
};

#define TEXT_FMT     "%.*s"
#define TEXT_ARG(t)  (int)(t).n, (t).p ? (t).p : ""
#define TEXT(string) ((struct text){(string), sizeof(string) - 1})

static inline struct text text_of(const char *s)
{
    return (struct text){s, s ? strlen(s) : 0};
}

static inline struct text text_cut(struct text t, size_t from, size_t n)
{
    if (from > t.n)
        from = t.n;
    return (struct text){from ? t.p + from : t.p, n < t.n - from ? n : t.n - from};
}

bool text_eq(struct text a, struct text b);
bool text_ieq(struct text a, struct text b); /* ASCII case only */
bool text_starts(struct text t, struct text prefix);
bool text_istarts(struct text t, struct text prefix);
bool text_iends(struct text t, struct text suffix);
int text_icmp(struct text a, struct text b);

/* Blanks, tabs, CR and LF at both ends. */
struct text text_trim(struct text t);

/* Takes what stands before `sep` (or all) from *rest; false when *rest was empty and done. */
bool text_split(struct text *rest, char sep, struct text *ret_piece);
/* The same with lines, which end in LF or CRLF. */
bool text_line(struct text *rest, struct text *ret_line);

/* First position of `c` or `needle`; t.n where there is none. */
size_t text_find(struct text t, char c);
size_t text_ifind(struct text t, struct text needle);

/* Has it one of the words at least, in either case? */
bool text_ihas(struct text t, const char *const *words, size_t count);

/* The whole of `t` as a decimal number. */
TIDE_MUST_CHECK enum tide_err text_int(
    struct text t, int64_t min, int64_t max, int64_t *ret, struct tide_error *err);

/* "500ms", "10min", "4h", "2d", "1w", "1h 30min"; a bare number or "10m" is refused. */
TIDE_MUST_CHECK enum tide_err text_duration_ms(struct text t,
                                               int64_t *ret_ms,
                                               struct tide_error *err);

/* "512", "25M" (10^6), "8KiB" (2^10), "1G"; in bytes. */
TIDE_MUST_CHECK enum tide_err text_size_bytes(struct text t,
                                              int64_t *ret_bytes,
                                              struct tide_error *err);

/* "3 h 12 min", the two largest units that matter; `size` of 32 always suffices. Returns out. */
const char *text_of_duration(int64_t ms, char *out, size_t size);

/* Levenshtein distance with swaps of neighbours, capped at `cap`: to name the nearest known word.
 */
unsigned text_distance(struct text a, struct text b, unsigned cap);

/* The nearest of `count` words, NULL when none is near enough to be meant. */
const char *text_nearest(struct text word, const char *const *words, size_t count);

bool text_is_utf8(struct text t); /* well-formed, no surrogates, no overlong forms (RFC 3629) */
bool text_is_ascii(struct text t);

static inline bool ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alnum(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c);
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* The value of a hexadecimal digit, -1 for what is none. */
static inline int ascii_hex(char c)
{
    c = ascii_lower(c);
    return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the three at the front stand for, `mark` and two hexadecimal digits ("%40", "=40");
 * -1: they are no escape. */
static inline int text_escaped(struct text t, char mark)
{
    int high = t.n >= 3 && t.p[0] == mark ? ascii_hex(t.p[1]) : -1;
    int low = high >= 0 ? ascii_hex(t.p[2]) : -1;
    return low >= 0 ? high << 4 | low : -1;
}

#endif
