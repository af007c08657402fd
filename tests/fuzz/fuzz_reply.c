/* Whatever bytes come: a scan never goes beyond them, and what parses is one line of UTF-8 that
 * says the same when it is written and read again. */
#include "core/proto/reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = {(const char *)data, size};
    struct tide_error err;
    struct reply r, again;
    size_t n = 0;
    if (reply_scan(in, &n, &err) == TIDE_OK) {
        must(n <= size && n <= REPLY_BYTES_MAX);
        if (n > 0) /* a whole reply always parses */
            must(reply_parse(text_cut(in, 0, n), &r, &err) == TIDE_OK);
    }
    if (reply_parse(in, &r, &err) != TIDE_OK)
        return 0;
    char out[REPLY_TEXT_BYTES_MAX + 64];
    must(r.code >= 200 && r.code <= 599);
    must(text_is_utf8(text_of(r.text)) && !strpbrk(r.text, "\r\n"));
    reply_text(&r, out, sizeof out);
    must(reply_parse(text_of(out), &again, &err) == TIDE_OK && again.code == r.code);
    return 0;
}
