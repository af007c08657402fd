#include "base/id.h"

#include "base/macros.h"

#define EPOCH_MS  1577836800000LL /* 2020-01-01T00:00:00Z */
#define SEQ_BITS  16
#define NODE_BITS 5

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

tide_id id_next(struct id_source *s, tide_wall_ms now)
{
    int64_t ms = TIDE_MAX(now - EPOCH_MS, 1);
    tide_id fresh = ms << (SEQ_BITS + NODE_BITS) | (tide_id)(s->node & 31) << SEQ_BITS;
    /* Adding one may run over into the node's bits after 65536 ids in a millisecond: step on to the
     * next millisecond instead. */
    if (fresh <= s->last) {
        fresh = s->last + 1;
        if ((fresh & 0xFFFF) == 0)
            fresh = ((s->last >> (SEQ_BITS + NODE_BITS)) + 1) << (SEQ_BITS + NODE_BITS) |
                    (tide_id)(s->node & 31) << SEQ_BITS;
    }
    s->last = fresh;
    return fresh;
}

tide_id id_floor(tide_wall_ms t)
{
    /* Both ends are far: 2020 and 2159. */
    int64_t ms = TIDE_MIN(TIDE_MAX(t - EPOCH_MS, 0), INT64_MAX >> (SEQ_BITS + NODE_BITS));
    return ms << (SEQ_BITS + NODE_BITS);
}

const char *id_text(tide_id id, char *out)
{
    uint64_t v = (uint64_t)id;
    for (int i = ID_TEXT_BYTES - 2; i >= 0; i--, v >>= 5)
        out[i] = digits[v & 31];
    out[ID_TEXT_BYTES - 1] = '\0';
    return out;
}

enum tide_err id_parse(struct text t, tide_id *ret, struct tide_error *err)
{
    uint64_t v = 0;
    bool ok = t.n == ID_TEXT_BYTES - 1;
    for (size_t i = 0; ok && i < t.n; i++) {
        char c = ascii_lower(t.p[i]);
        c = c == 'o' ? '0' : c == 'i' || c == 'l' ? '1' : c; /* Crockford's look-alikes */
        const char *hit = c ? strchr(digits, c) : NULL;
        ok = hit && v >> 58 == 0;
        v = v << 5 | (uint64_t)(hit ? hit - digits : 0);
    }
    if (!ok || v == 0)
        return tide_fail(err, TIDE_ESYNTAX,
                         "want an id of 13 letters and digits, got \"" TEXT_FMT "\"", TEXT_ARG(t));
    *ret = (tide_id)v;
    return TIDE_OK;
}

tide_wall_ms id_time(tide_id id)
{
    return (id >> (SEQ_BITS + NODE_BITS)) + EPOCH_MS;
}
