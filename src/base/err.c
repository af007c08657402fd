#include "mailtide/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
} errors[] = {
#define ERROR_ROW(code, text) [TIDE_##code] = {#code, text},
    TIDE_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};

#define ERRORS_COUNT (sizeof errors / sizeof errors[0])

const char *tide_err_name(enum tide_err code)
{
    return (size_t)code < ERRORS_COUNT ? errors[code].name : "EUNKNOWN";
}

const char *tide_err_text(enum tide_err code)
{
    return (size_t)code < ERRORS_COUNT ? errors[code].text : "unknown error";
}

/* Cuts a text that was too long at a UTF-8 boundary and ends it with "...". */
static void end_cut_text(char *text, size_t size)
{
    size_t end = size - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80)
        end--;
    memcpy(text + end, "...", 4);
}

enum tide_err tide_fail(struct tide_error *err, enum tide_err code, const char *fmt, ...)
{
    if (!err)
        return code;
    err->code = code;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    if (n < 0)
        err->text[0] = '\0';
    else if ((size_t)n >= sizeof err->text)
        end_cut_text(err->text, sizeof err->text);
    return code;
}

enum tide_err tide_wrap(struct tide_error *err, enum tide_err code, const char *fmt, ...)
{
    if (!err)
        return code;
    char inner[TIDE_ERROR_BYTES_MAX], where[TIDE_ERROR_BYTES_MAX];
    snprintf(inner, sizeof inner, "%s", err->text[0] ? err->text : tide_err_text(code));
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(where, sizeof where, fmt, args);
    va_end(args);
    if (n < 0)
        where[0] = '\0';
    return tide_fail(err, code, "%s: %s", where, inner);
}
