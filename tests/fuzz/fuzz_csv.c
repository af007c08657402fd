/* The same records come out whatever the pieces are, and what is written is read back. */
#include "core/proto/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct text in, size_t piece, char separator, struct buf *out)
{
    struct csv c;
    csv_init(&c, separator);
    for (size_t at = 0; at < in.n; at += piece) {
        struct text part = text_cut(in, at, piece);
        enum csv_got got;
        while ((got = csv_next(&c, &part, at + piece >= in.n)) != CSV_WANTS_MORE) {
            if (got == CSV_NO_MEMORY || c.count == 0 || c.count > CSV_FIELDS_MAX)
                abort();
            for (size_t i = 0; i < c.count; i++) {
                csv_put(out, csv_field(&c, i));
                buf_addc(out, i + 1 < c.count ? ',' : '\n');
            }
            if (c.count == 1 && csv_field(&c, 0).n == 0)
                buf_adds(out, "\"\"\n"); /* an empty line would be no record */
        }
        if (part.n)
            abort();
    }
    csv_fini(&c);
}

static void must_equal(const struct buf *a, const struct buf *b)
{
    if (!text_eq(buf_text(a), buf_text(b)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = {0}, pieces = {0}, again = {0};
    if (size == 0)
        return 0;
    struct text in = {(const char *)data + 1, size - 1};
    char separator = csv_separator_of(in);
    read_all(in, in.n + 1, separator, &whole);
    read_all(in, 1 + data[0] % 16, separator, &pieces);
    must_equal(&whole, &pieces);
    read_all(buf_text(&whole), whole.len + 1, ',', &again);
    buf_clear(&pieces);
    read_all(buf_text(&again), again.len + 1, ',', &pieces);
    must_equal(&again, &pieces);
    buf_fini(&whole);
    buf_fini(&pieces);
    buf_fini(&again);
    return 0;
}
