#include "cmd/mailtide/bulk_output.h"

#include "core/proto/csv.h"
#include "core/proto/json_write.h"
#include "core/verify/recipient.h"

#include <errno.h>
#include <unistd.h>

#define HEAD "address,verdict,normal,provider,provider_certain,gateway,hints,meant,reason,evidence"

#define READ_BYTES 65536

void bulk_put_head(enum bulk_format format, struct buf *out)
{
    if (format == BULK_TO_CSV)
        buf_adds(out, HEAD "\n");
}

/* Evidence has a line for each record seen; a row has to stay one line. */
static void put_evidence(struct buf *out, struct text evidence)
{
    struct buf line = {0};
    for (size_t i = 0; i < evidence.n; i++)
        buf_adds(&line, evidence.p[i] == '\n' ? " | " : (char[]){evidence.p[i], '\0'});
    csv_put(out, buf_text(&line));
    buf_fini(&line);
}

static void put_csv(const struct bulk_row *row, struct buf *out)
{
    struct buf hints = {0};
    recipient_hints_names(row->hints, &hints);
    struct text certain = row->provider.n == 0   ? TEXT("")
                          : row->provider_likely ? TEXT("no")
                                                 : TEXT("yes");
    const struct text fields[] = {row->given,       row->verdict, row->address,
                                  row->provider,    certain,      row->gateway,
                                  buf_text(&hints), row->meant,   row->reason};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        csv_put(out, fields[i]);
        buf_addc(out, ',');
    }
    put_evidence(out, row->evidence);
    buf_addc(out, '\n');
    buf_fini(&hints);
}

static void put_text(struct json_writer *w, const char *name, struct text t)
{
    if (t.n)
        jw_text(w, name, t);
    else
        jw_null(w, name);
}

static void put_json(const struct bulk_row *row, struct buf *out)
{
    struct json_writer w;
    struct text evidence = row->evidence, line;
    jw_init(&w, out);
    jw_object(&w, NULL);
    jw_text(&w, "given", row->given);
    put_text(&w, "address", row->address);
    jw_text(&w, "verdict", row->verdict);
    put_text(&w, "provider", row->provider);
    if (row->provider.n)
        jw_bool(&w, "provider_certain", !row->provider_likely);
    put_text(&w, "gateway", row->gateway);
    jw_array(&w, "hints");
    for (unsigned hint = 1; hint < 1u << HINT_COUNT; hint <<= 1)
        if (row->hints & hint)
            jw_str(&w, NULL, recipient_hint_name((enum recipient_hint)hint));
    jw_end(&w);
    put_text(&w, "meant", row->meant);
    put_text(&w, "reason", row->reason);
    jw_array(&w, "evidence");
    while (evidence.n && text_split(&evidence, '\n', &line))
        jw_text(&w, NULL, line);
    jw_end(&w);
    jw_end(&w);
    buf_addc(out, '\n');
}

void bulk_put_row(enum bulk_format format, const struct bulk_row *row, struct buf *out)
{
    if (format == BULK_TO_CSV)
        put_csv(row, out);
    else
        put_json(row, out);
}

/* -- What is there already ----------------------------------------------------------------------*/

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
    int fd, enum bulk_format format, uint64_t *ret_rows, int64_t *ret_end, struct tide_error *err)
{
    char bytes[READ_BYTES];
    struct written w = {0};
    ssize_t n;
    csv_init(&w.csv, ',');
    for (int64_t at = 0; (n = pread(fd, bytes, sizeof bytes, at)) > 0; at += n) {
        struct text part = {bytes, (size_t)n};
        if (format == BULK_TO_CSV)
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
