#include "cmd/mailtide/bulk_resume.h"

#include "core/proto/csv.h"

#include <errno.h>
#include <unistd.h>

#define READ_BYTES 65536

struct written {
    struct csv csv;
    uint64_t rows;
    int64_t end;
    bool wrong;
};

static void count_csv(struct written *w, struct text bytes, int64_t at)
{
    const char *start = bytes.p;
    while (csv_next(&w->csv, &bytes, false) == CSV_RECORD) {
        if (w->end == 0 && !text_eq(csv_field(&w->csv, 0), TEXT("address")))
            w->wrong = true;
        w->rows += w->end > 0;
        w->end = at + (bytes.p - start);
    }
}

static void count_lines(struct written *w, struct text bytes, int64_t at)
{
    for (size_t i = 0; i < bytes.n; i++) {
        if (w->end == 0 && at == 0 && i == 0 && bytes.p[0] != '{')
            w->wrong = true;
        if (bytes.p[i] != '\n')
            continue;
        w->rows++;
        w->end = at + (int64_t)i + 1;
    }
}

enum tide_err bulk_written(
    int fd, enum verified_form format, uint64_t *ret_rows, int64_t *ret_end, struct tide_error *err)
{
    char bytes[READ_BYTES];
    struct written w = {0};
    ssize_t n;
    csv_init(&w.csv, ',');
    for (int64_t at = 0; (n = pread(fd, bytes, sizeof bytes, at)) > 0; at += n) {
        struct text part = {bytes, (size_t)n};
        if (format == VERIFIED_CSV)
            count_csv(&w, part, at);
        else
            count_lines(&w, part, at);
    }
    csv_fini(&w.csv);
    if (n < 0)
        return tide_fail(err, TIDE_EIO, "%s", strerror(errno));
    if (w.wrong)
        return tide_fail(err, TIDE_EINVAL,
                         "it does not begin as a list that verify has written in "
                         "this format");
    *ret_rows = w.rows;
    *ret_end = w.end;
    return TIDE_OK;
}
