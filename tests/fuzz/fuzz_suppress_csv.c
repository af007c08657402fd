/* Whatever list is imported: entries hold an address, and what is written of them is read back. */
#include "core/outcome/suppress_csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct suppression *s)
{
    struct buf out = {0};
    struct csv csv;
    struct suppress_csv columns;
    struct suppression back;
    bool is_head;
    if (text_find(s->address, '@') == s->address.n || s->at < 0 || s->expires_at < 0)
        abort();
    suppress_csv_put_head(&out);
    suppress_csv_put(&out, s);
    struct text in = buf_text(&out);
    csv_init(&csv, ',');
    if (out.failed == TIDE_OK &&
        (csv_next(&csv, &in, true) != CSV_RECORD ||
         suppress_csv_head(&csv, &columns, &is_head, NULL) != TIDE_OK ||
         csv_next(&csv, &in, true) != CSV_RECORD ||
         suppress_csv_entry(&columns, &csv, SUPPRESSION_MANUAL, &back, NULL) != TIDE_OK ||
         !text_eq(back.address, s->address) || !text_eq(back.scope, s->scope) ||
         back.cause != s->cause || back.at / 1000 != s->at / 1000))
        abort();
    csv_fini(&csv);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = suppress_csv_begin((struct text){(const char *)data, size});
    struct csv csv;
    struct suppress_csv columns;
    struct suppression s;
    bool begun = false, is_head = false;
    csv_init(&csv, csv_separator_of(text_cut(in, 0, text_find(in, '\n'))));
    while (csv_next(&csv, &in, true) == CSV_RECORD) {
        if (!begun && suppress_csv_head(&csv, &columns, &is_head, NULL) != TIDE_OK)
            break;
        bool entry = begun || !is_head;
        begun = true;
        if (entry && suppress_csv_entry(&columns, &csv, SUPPRESSION_MANUAL, &s, NULL) == TIDE_OK)
            check_entry(&s);
    }
    csv_fini(&csv);
    return 0;
}
