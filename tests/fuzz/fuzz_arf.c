/* Bytes as a feedback report. */
#include "core/outcome/arf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct tide_error err;
    struct arf r;
    arena_init(&a, 16u << 20);
    if (arf_read((struct text){(const char *)data, size}, &a, &r, &err) == TIDE_OK)
        for (size_t i = 0; i < r.recipient_count; i++)
            if (!memchr(r.recipients[i].p, '@', r.recipients[i].n))
                abort();
    arena_fini(&a);
    return 0;
}
