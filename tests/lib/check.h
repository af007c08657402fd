/* check.h - cmocka with the headers that it wants, and checks that print what they compared.
 *
 *   T_EQ(got, want, "%s", case_name)         integers, enums
 *   T_STR(got, want, "%s", case_name)        C strings
 *   T_TEXT(got, want, ...)                   struct text against a C string
 *   T_OK(rc, err, ...)                       rc is TIDE_OK; prints err's text if not
 *   T_TRUE(condition, ...)
 */
#ifndef TESTS_LIB_CHECK_H
#define TESTS_LIB_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above, as cmocka asks */
#include <cmocka.h>

#include "base/macros.h"
#include "base/text.h"

#include <stdio.h>

/* fail() does not return, which cmocka 1.1.5 does not tell the compiler. */
#define T_STOP()                 \
    do {                         \
        fail();                  \
        __builtin_unreachable(); \
    } while (0)

#define T_FAIL(...)                                 \
    do {                                            \
        print_error("%s:%d: ", __FILE__, __LINE__); \
        print_error(__VA_ARGS__);                   \
        print_error("\n");                          \
        T_STOP();                                   \
    } while (0)

#define T_EQ(got, want, ...)                                                               \
    do {                                                                                   \
        long long t_got = (long long)(got), t_want = (long long)(want);                    \
        if (t_got != t_want) {                                                             \
            print_error("%s:%d: %s is %lld, want %lld: ", __FILE__, __LINE__, #got, t_got, \
                        t_want);                                                           \
            print_error(__VA_ARGS__);                                                      \
            print_error("\n");                                                             \
            T_STOP();                                                                      \
        }                                                                                  \
    } while (0)

#define T_STR(got, want, ...) T_TEXT(text_of(got), want, __VA_ARGS__)

#define T_TEXT(got, want, ...)                                                              \
    do {                                                                                    \
        struct text t_got = (got), t_want = text_of(want);                                  \
        if (!text_eq(t_got, t_want)) {                                                      \
            print_error("%s:%d: %s is \"" TEXT_FMT "\", want \"" TEXT_FMT "\": ", __FILE__, \
                        __LINE__, #got, TEXT_ARG(t_got), TEXT_ARG(t_want));                 \
            print_error(__VA_ARGS__);                                                       \
            print_error("\n");                                                              \
            T_STOP();                                                                       \
        }                                                                                   \
    } while (0)

#define T_OK(rc, err, ...)                                                                   \
    do {                                                                                     \
        enum tide_err t_rc = (rc);                                                           \
        if (t_rc != TIDE_OK) {                                                               \
            print_error("%s:%d: %s: %s: %s: ", __FILE__, __LINE__, #rc, tide_err_name(t_rc), \
                        (err)->text);                                                        \
            print_error(__VA_ARGS__);                                                        \
            print_error("\n");                                                               \
            T_STOP();                                                                        \
        }                                                                                    \
    } while (0)

#define T_TRUE(condition, ...)                                                  \
    do {                                                                        \
        if (!(condition)) {                                                     \
            print_error("%s:%d: not so: %s: ", __FILE__, __LINE__, #condition); \
            print_error(__VA_ARGS__);                                           \
            print_error("\n");                                                  \
            T_STOP();                                                           \
        }                                                                       \
    } while (0)

/* The folder of third-party test data, or NULL after saying that `what` is skipped. */
const char *corpora_dir(const char *what);

#endif
