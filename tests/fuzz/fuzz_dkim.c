/* Whatever a message's signatures and a key record say: nothing is read beyond the bytes, and what
 * is hashed has a bound. */
#include "core/verify/dkim.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

static void count(void *arg, const void *bytes, size_t n)
{
    size_t *total = arg;
    const uint8_t *p = bytes;
    unsigned sum = 0; /* of all, so that a sanitizer sees them read */
    for (size_t i = 0; i < n; i++)
        sum += p[i];
    must(sum <= 255 * n);
    *total += n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = {(const char *)data, size};
    struct arena arena;
    struct dkim_key key;
    struct message m;
    struct header h;
    struct tide_error err;
    size_t pos = 0;
    arena_init(&arena, 4u << 20);
    dkim_key_parse(in, &arena, &key);
    must((key.state == DKIM_KEY_OK) <= (key.der.n > 0));
    must((key.why[0] != 0) == (key.state != DKIM_KEY_OK || key.faulty));
    message_open_part(in, &m);
    while (message_next(&m, &pos, &h)) {
        struct dkim_signature s;
        size_t body = 0, header = 0;
        if (dkim_signature_parse(&h, &arena, &s, &err) != TIDE_OK)
            continue;
        int64_t whole = dkim_put_body(&s, &m, count, &body);
        must((int64_t)body <= whole && whole <= 2 * (int64_t)size + 2);
        must(s.body_bytes < 0 || (int64_t)body <= s.body_bytes);
        if (dkim_put_header(&s, &m, &arena, count, &header, &err) == TIDE_OK)
            must(header <= 2 * size + 2);
        break;
    }
    arena_fini(&arena);
    return 0;
}
