#include "lib/tsv.h"

#include "base/file.h"
#include "lib/check.h"

static int hex(char c)
{
    return ascii_is_digit(c) ? c - '0' : ascii_is_alpha(c) ? ascii_lower(c) - 'a' + 10 : 0;
}

static size_t unescape(char *p, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\\' || i + 1 == n) {
            p[out++] = p[i];
            continue;
        }
        char c = p[++i];
        if (c == 'x' && i + 2 < n) {
            p[out++] = (char)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
            i += 2;
        } else {
            p[out++] = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
        }
    }
    return out;
}

bool tsv_cell(struct text *line, struct text *ret_cell)
{
    if (!text_split(line, '\t', ret_cell))
        return false;
    if (text_eq(*ret_cell, TEXT("-")))
        ret_cell->n = 0;
    /* the cell is a piece of a buffer that the test owns */
    ret_cell->n = unescape((char *)(uintptr_t)ret_cell->p, ret_cell->n);
    return true;
}

char *tsv_read(const char *dir, const char *name, size_t *ret_n)
{
    char path[512];
    struct buf b = {0};
    struct tide_error err = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    T_OK(file_read(path, 64u << 20, &b, &err), &err, "%s", path);
    *ret_n = b.len;
    return buf_take(&b);
}
