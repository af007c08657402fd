/* Whatever stands in a DMARC record: a usable one has a policy, and the walk ends. */
#include "core/verify/dmarc.h"

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
    struct dmarc_record r;
    struct arena arena;
    struct dmarc d;
    struct question q;
    struct dmarc_identifier ids[2] = {{.domain = TEXT("mail.example.org"), .dkim = true},
                                      {.domain = TEXT("example.com")}};
    dmarc_record_parse(in, &r);
    must(!r.usable || (r.p != DMARC_UNSET && dmarc_record_is(in)));
    must(r.faulty || r.usable);
    must(r.remark_count <= DMARC_REMARKS_MAX);
    arena_init(&arena, 1u << 20);
    dmarc_init(&d, TEXT("a.b.c.d.e.f.g.example.org"), ids, 2, NULL, &arena);
    dmarc_start(&d, &q);
    for (size_t asked = 0; !q.done; asked++) {
        struct dns_rr rr = {.data = in};
        bool there = size && data[asked % size] & 1;
        struct dns_answer a = {
            .type = q.type, .status = there ? DNS_OK : DNS_NXDOMAIN, .rrs = &rr, .rr_count = there};
        must(asked < 4 * DMARC_WALK_MAX);
        dmarc_feed(&d, &a, &q);
    }
    must(d.result == DMARC_NO_POLICY || d.applied <= d.asked);
    arena_fini(&arena);
    return 0;
}
