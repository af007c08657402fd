/* Bytes as mail that came back, and as the fields of a report. */
#include "core/outcome/bounce.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct tide_error err;
    struct text t = {(const char *)data, size};
    struct bounce b;
    struct dsn d;
    arena_init(&a, 64u << 20);
    if (bounce_read(t, NULL, NULL, &a, &b, &err) == TIDE_OK)
        for (size_t i = 0; i < b.recipient_count; i++)
            if (b.recipients[i].address.n == 0 ||
                !b.recipients[i].meaning.cause != (b.kind == BOUNCE_COMPLAINT))
                abort();
    if (dsn_read(t, &a, &d, &err) == TIDE_OK && d.recipient_count > DSN_RECIPIENTS_MAX)
        abort();
    arena_fini(&a);
    return 0;
}
