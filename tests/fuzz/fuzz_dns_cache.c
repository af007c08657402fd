/* Whatever a cache file holds: it is taken whole or refused whole, and what was taken is bounded
 * and can be written again. The checksum is put right, so that the fuzzer gets past it. */
#include "core/dns/cache.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void load(struct text file)
{
    static const struct dns_cache_limits limits = {8, TIME_DAY_MS, TIME_HOUR_MS, TIME_DAY_MS};
    struct dns_cache c, again;
    struct tide_error err = {0};
    dns_cache_init(&c, &limits);
    dns_cache_init(&again, &limits);
    if (dns_cache_decode(&c, file, TIME_DAY_MS, &err) == TIDE_OK) {
        struct buf b = {0};
        must(c.entries.count <= limits.entries_max);
        dns_cache_encode(&c, &b);
        must(dns_cache_decode(&again, buf_text(&b), TIME_DAY_MS, &err) == TIDE_OK);
        must(again.entries.count == c.entries.count && again.bytes == c.bytes);
        buf_fini(&b);
    } else {
        must(c.entries.count == 0 && err.code == TIDE_ECORRUPT);
    }
    dns_cache_fini(&again);
    dns_cache_fini(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = {(const char *)data, size};
    struct arena arena;
    struct dns_answer a;
    struct buf file = {0};
    arena_init(&arena, 1u << 20);
    if (dns_answer_decode(in, &arena, &a) == TIDE_OK)
        must(dns_status_is_final(a.status) && a.rr_count <= DNS_RRS_MAX);
    arena_fini(&arena);
    load(in);
    buf_adds(&file, "mailtide dns cache 1\n");
    buf_add(&file, data, size);
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, as cache.c */
    for (size_t i = 0; i < file.len; i++)
        h = (h ^ (uint8_t)file.data[i]) * 0x100000001b3u;
    for (int i = 7; i >= 0; i--)
        buf_addc(&file, (char)(h >> 8 * i));
    if (buf_check(&file, NULL) == TIDE_OK)
        load(buf_text(&file));
    buf_fini(&file);
    return 0;
}
