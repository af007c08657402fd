/* Whatever stands in a TXT record or a macro: what parses has domains that expand. */
#include "core/verify/spf_macro.h"
#include "core/verify/spf_record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

static void expand(struct text spec, bool explain)
{
    static const uint8_t ip[16] = {0x20, 0x01, 0x0d, 0xb8};
    struct spf_values v = {.sender = TEXT("strong-bad@email.example.com"),
                           .local = TEXT("strong-bad"),
                           .sender_domain = TEXT("email.example.com"),
                           .domain = TEXT("email.example.com"),
                           .helo = TEXT("mx.example.org"),
                           .ip = ip,
                           .is_v6 = true};
    struct buf out = {0};
    struct tide_error err;
    must(spf_macro_expand(spec, &v, explain, &out, &err) == TIDE_OK);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = {(const char *)data, size};
    struct arena arena;
    struct spf_record r;
    struct tide_error err;
    arena_init(&arena, 16u << 20);
    if (spf_record_parse(in, &arena, &r, &err) == TIDE_OK)
        for (size_t i = 0; i < r.term_count; i++)
            if (r.terms[i].domain.n)
                expand(r.terms[i].domain, false);
    arena_fini(&arena);
    if (spf_macro_is_domain(in))
        must(spf_macro_is_string(in, false));
    if (spf_macro_is_string(in, true))
        expand(in, true);
    return 0;
}
