#include "core/plan/expected.h"

#include "base/macros.h"

#include <math.h>
#include <stdlib.h>

#define VERSION     1
#define HEAD_BYTES  13
#define ENTRY_BYTES 20

struct expected_entry {
    int64_t recipient_id;
    tide_wall_ms until;
    float count;
};

void expected_fini(struct expected *e)
{
    uint32_t pos = 0;
    for (struct expected_entry *x; (x = idmap_next(&e->entries, &pos));)
        free(x);
    idmap_fini(&e->entries);
    *e = (struct expected){0};
}

/* Those that have ended; the walk begins anew after each, since a map that lost one may move. */
static void drop_ended(struct expected *e, tide_wall_ms now)
{
    for (bool found = true; found;) {
        uint32_t pos = 0;
        found = false;
        for (struct expected_entry *x; !found && (x = idmap_next(&e->entries, &pos));)
            if (x->until <= now) {
                idmap_remove(&e->entries, x->recipient_id);
                free(x);
                found = true;
            }
    }
}

static bool put(struct expected *e, int64_t id, double count, tide_wall_ms until)
{
    struct expected_entry *x = idmap_get(&e->entries, id);
    if (!x) {
        x = calloc(1, sizeof *x);
        if (!x || !idmap_put(&e->entries, id, x)) {
            free(x);
            return false;
        }
    }
    *x = (struct expected_entry){id, until, (float)count};
    return true;
}

bool expected_say(
    struct expected *e, int64_t recipient_id, double value, tide_wall_ms now, tide_wall_ms until)
{
    e->dirty = true;
    if (!(value > 0) || until <= now) {
        if (recipient_id)
            free(idmap_remove(&e->entries, recipient_id));
        else
            e->times = 0;
        return true;
    }
    if (!recipient_id) {
        e->times = TIDE_MIN(value, EXPECTED_TIMES_MAX);
        e->until = until;
        return true;
    }
    if (e->entries.count >= EXPECTED_MAX && !idmap_get(&e->entries, recipient_id))
        drop_ended(e, now);
    if (e->entries.count >= EXPECTED_MAX && !idmap_get(&e->entries, recipient_id))
        return false;
    return put(e, recipient_id, TIDE_MIN(value, EXPECTED_COUNT_MAX), until);
}

struct forecast_level expected_level(const struct expected *e,
                                     int64_t recipient_id,
                                     tide_wall_ms now,
                                     const struct forecast_level *l)
{
    struct forecast_level said = *l;
    const struct expected_entry *x = e->entries.count ? idmap_get(&e->entries, recipient_id) : NULL;
    if (x && now < x->until) {
        said.mean = x->count;
        said.awake = 1;
    } else if (e->times > 0 && now < e->until) {
        said.mean *= (float)e->times;
        said.awake = 1 - powf(1 - said.awake, (float)e->times);
    }
    return said;
}

/* -- Stored -------------------------------------------------------------------------------------
 */

static void put_le(struct buf *b, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_addc(b, (char)(x >> 8 * i));
}

static uint64_t get_le(const char **p, int bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++)
        x |= (uint64_t)(unsigned char)*(*p)++ << 8 * i;
    return x;
}

static void put_float(struct buf *b, float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    put_le(b, u, 4);
}

static bool get_float(const char **p, double most, float *ret)
{
    uint32_t u = (uint32_t)get_le(p, 4);
    memcpy(ret, &u, sizeof u);
    return *ret >= 0 && (double)*ret <= most;
}

void expected_encode(const struct expected *e, struct buf *ret)
{
    uint32_t pos = 0;
    buf_addc(ret, VERSION);
    put_float(ret, (float)e->times);
    put_le(ret, (uint64_t)e->until, 8);
    for (struct expected_entry *x; (x = idmap_next(&e->entries, &pos));) {
        put_le(ret, (uint64_t)x->recipient_id, 8);
        put_le(ret, (uint64_t)x->until, 8);
        put_float(ret, x->count);
    }
}

enum tide_err expected_decode(struct text blob, struct expected *ret, struct tide_error *err)
{
    struct expected e = {0};
    float times;
    bool ok = blob.n >= HEAD_BYTES && blob.p[0] == VERSION &&
              (blob.n - HEAD_BYTES) % ENTRY_BYTES == 0 &&
              (blob.n - HEAD_BYTES) / ENTRY_BYTES <= EXPECTED_MAX;
    if (!ok)
        return tide_fail(err, TIDE_ECORRUPT, "expectations: %zu bytes of no known version", blob.n);
    const char *p = blob.p + 1, *end = blob.p + blob.n;
    ok = get_float(&p, EXPECTED_TIMES_MAX, &times);
    e.times = (double)times;
    e.until = (tide_wall_ms)get_le(&p, 8);
    while (ok && p < end) {
        int64_t id = (int64_t)get_le(&p, 8);
        tide_wall_ms until = (tide_wall_ms)get_le(&p, 8);
        float count;
        ok = get_float(&p, EXPECTED_COUNT_MAX, &count) && put(&e, id, (double)count, until);
    }
    if (!ok) {
        expected_fini(&e);
        return tide_fail(err, TIDE_ECORRUPT, "expectations: a number that cannot be");
    }
    expected_fini(ret);
    *ret = e;
    return TIDE_OK;
}
