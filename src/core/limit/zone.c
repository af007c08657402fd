#include "core/limit/zone.h"

#include "base/macros.h"

#include <stdlib.h>

struct zone_change {
    tide_wall_ms at;
    int offset_s; /* from then on */
};

struct zone {
    int first_offset_s;
    uint32_t count, cap;
    struct zone_change *changes;
};

struct zone *zone_new(int offset_s)
{
    struct zone *z = calloc(1, sizeof *z);
    if (z)
        z->first_offset_s = offset_s;
    return z;
}

enum tide_err zone_add(struct zone *z, tide_wall_ms at, int offset_s, struct tide_error *err)
{
    if (z->count && at <= z->changes[z->count - 1].at)
        return tide_fail(err, TIDE_ERANGE, "zone: change %u is not after the one before it",
                         z->count);
    if (offset_s <= -86400 || offset_s >= 86400)
        return tide_fail(err, TIDE_ERANGE, "zone: want an offset under a day, got %d s", offset_s);
    if (z->count == ZONE_CHANGES_MAX)
        return tide_fail(err, TIDE_ERANGE, "zone: want at most %d changes", ZONE_CHANGES_MAX);
    if (z->count == z->cap) {
        uint32_t cap = z->cap ? z->cap * 2 : 64;
        struct zone_change *more = realloc(z->changes, cap * sizeof *more);
        if (!more)
            return tide_fail(err, TIDE_ENOMEM, "zone: change %u", z->count);
        z->changes = more;
        z->cap = cap;
    }
    z->changes[z->count++] = (struct zone_change){at, offset_s};
    return TIDE_OK;
}

void zone_free(struct zone *z)
{
    if (z)
        free(z->changes);
    free(z);
}

bool zone_name_is_sane(struct text name)
{
    struct text rest = name, part;
    if (!name.n || name.n > 64)
        return false;
    while (text_split(&rest, '/', &part)) {
        if (!part.n || part.p[0] == '-')
            return false;
        for (size_t i = 0; i < part.n; i++)
            if (!ascii_is_alnum(part.p[i]) && !strchr("+-_", part.p[i]))
                return false;
    }
    return name.p[name.n - 1] != '/';
}

/* How many changes have happened at `at`. */
static uint32_t changes_until(const struct zone *z, tide_wall_ms at)
{
    uint32_t from = 0, to = z->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (z->changes[middle].at <= at)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static int offset_after(const struct zone *z, uint32_t changes)
{
    return changes ? z->changes[changes - 1].offset_s : z->first_offset_s;
}

int zone_offset_s(const struct zone *z, tide_wall_ms at)
{
    return z ? offset_after(z, changes_until(z, at)) : 0;
}

int64_t zone_local_ms(const struct zone *z, tide_wall_ms at)
{
    return at + zone_offset_s(z, at) * TIME_SECOND_MS;
}

/* Offsets are under a day, so the instant lies between local_ms - 1 d and local_ms + 1 d. Each
 * stretch of constant offset that touches this is looked at, oldest first: either it shows the
 * time, or it starts later on the clock than that (then the time fell into the gap before it). */
tide_wall_ms zone_instant(const struct zone *z, int64_t local_ms)
{
    if (!z)
        return local_ms;
    uint32_t i = changes_until(z, local_ms - TIME_DAY_MS);
    for (;; i++) {
        int64_t offset_ms = offset_after(z, i) * TIME_SECOND_MS;
        if (i > 0 && z->changes[i - 1].at + offset_ms >= local_ms)
            return z->changes[i - 1].at;
        tide_wall_ms t = local_ms - offset_ms;
        if (i == z->count || t < z->changes[i].at)
            return t;
    }
}
