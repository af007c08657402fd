/* Lists of addresses of any form, fed in pieces that the input chooses: the same addresses as in
 * one piece, and an end. */
#include "core/verify/addresses.h"

#include <stddef.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many addresses there are, with a sum over their bytes. */
static uint64_t read_all(struct text list, size_t piece)
{
    struct addresses in;
    struct text address;
    struct tide_error err;
    uint64_t sum = 0;
    enum tide_err rc = TIDE_ENOENT;
    addresses_init(&in, NULL);
    for (size_t at = 0, n = 1; n > 0 && rc == TIDE_ENOENT; at += n) {
        struct text part = text_cut(list, at, piece);
        n = part.n;
        if (!addresses_feed(&in, part.p, part.n))
            break;
        while ((rc = addresses_next(&in, &address, &err)) == TIDE_OK) {
            sum = sum * 31 + address.n + 1;
            for (size_t i = 0; i < address.n; i++)
                sum = sum * 31 + (uint8_t)address.p[i];
        }
    }
    addresses_fini(&in);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct text list = {(const char *)data + 1, size - 1};
    if (read_all(list, list.n + 1) != read_all(list, 1u + data[0]))
        abort();
    return 0;
}
