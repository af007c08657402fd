/* error.h - what mailtide could not do: a code and a sentence that says what, where and why.
 *
 * Owns      nothing; struct tide_error is the caller's and holds its text itself.
 * Threads   any.
 * Errors    a verdict (SERVFAIL, a refused mailbox) is never an error: see core/record/verdict.h.
 */
#ifndef MAILTIDE_ERROR_H
#define MAILTIDE_ERROR_H

#include <stddef.h>

/* code, what a person reads when there is nothing more to say */
#define TIDE_ERRORS(X)                             \
    X(OK, "ok")                                    \
    X(ENOMEM, "out of memory")                     \
    X(EINVAL, "invalid value")                     \
    X(ESYNTAX, "syntax error")                     \
    X(EADDR, "not a mail address")                 \
    X(ERANGE, "out of range")                      \
    X(ENOENT, "not found")                         \
    X(EEXIST, "exists already")                    \
    X(EIO, "input/output error")                   \
    X(EFULL, "no space left")                      \
    X(ELIMIT, "a limit is reached")                \
    X(EQUOTA, "no quota left before the deadline") \
    X(EPERM, "not permitted")                      \
    X(EAUTH, "authentication failed")              \
    X(EPROTO, "protocol error")                    \
    X(ETLS, "TLS failure")                         \
    X(ECONN, "connection failed")                  \
    X(ETIMEOUT, "timed out")                       \
    X(ECANCELED, "cancelled")                      \
    X(EBUSY, "busy")                               \
    X(ESTATE, "not possible in this state")        \
    X(ECORRUPT, "damaged data")                    \
    X(EGONE, "not kept any more")

enum tide_err {
#define TIDE_ERROR_CODE(code, text) TIDE_##code,
    TIDE_ERRORS(TIDE_ERROR_CODE)
#undef TIDE_ERROR_CODE
};

#define TIDE_ERROR_BYTES_MAX 256

struct tide_error {
    enum tide_err code;
    char text[TIDE_ERROR_BYTES_MAX]; /* "" until set; always terminated */
};

#if defined(__GNUC__)
#define TIDE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define TIDE_MUST_CHECK        __attribute__((warn_unused_result))
#else
#define TIDE_PRINTF(fmt, args)
#define TIDE_MUST_CHECK
#endif

/* "ENOMEM" and "out of memory": both static, never NULL. */
const char *tide_err_name(enum tide_err code);
const char *tide_err_text(enum tide_err code);

/* Sets *err (may be NULL) and returns `code`, so that `return tide_fail(...)` reads well. */
enum tide_err tide_fail(struct tide_error *err, enum tide_err code, const char *fmt, ...)
    TIDE_PRINTF(3, 4);

/* Puts "WHERE: " before the text that a callee left in *err and returns `code`.
 * "line 12: want 1..100" becomes "profile qq.conf: line 12: want 1..100". */
enum tide_err tide_wrap(struct tide_error *err, enum tide_err code, const char *fmt, ...)
    TIDE_PRINTF(3, 4);

#endif
