#include "io/loop/zones.h"

#include <glib.h>

/* GLib's tables end with 2037 (its rules are written out up to there). */
#define FIRST_S 946684800  /* 2000-01-01 */
#define LAST_S  2145916800 /* 2038-01-01 */

static int interval_at(GTimeZone *g, int64_t t)
{
    return g_time_zone_find_interval(g, G_TIME_TYPE_UNIVERSAL, t);
}

/* The first second of `interval`, which lies in (from, LAST_S]: GLib does not tell it. */
static int64_t interval_start(GTimeZone *g, int interval, int64_t from)
{
    int64_t before = from, in = LAST_S;
    while (in - before > 1) {
        int64_t middle = before + (in - before) / 2;
        if (interval_at(g, middle) >= interval)
            in = middle;
        else
            before = middle;
    }
    return in;
}

static enum tide_err fill(struct zone *z, GTimeZone *g, struct tide_error *err)
{
    int first = interval_at(g, FIRST_S), last = interval_at(g, LAST_S);
    int offset = g_time_zone_get_offset(g, first);
    int64_t at = FIRST_S;
    for (int i = first + 1; i <= last; i++) {
        at = interval_start(g, i, at);
        int next = g_time_zone_get_offset(g, i);
        if (next == offset)
            continue; /* only the abbreviation or the DST flag changed */
        enum tide_err rc = zone_add(z, at * TIME_SECOND_MS, next, err);
        if (rc != TIDE_OK)
            return rc;
        offset = next;
    }
    return TIDE_OK;
}

enum tide_err zones_load(void *arg, const char *name, struct zone **ret, struct tide_error *err)
{
    (void)arg;
    if (!zone_name_is_sane(text_of(name)))
        return tide_fail(err, TIDE_EINVAL, "zone \"%s\": want an IANA name such as Asia/Shanghai",
                         name);
    GTimeZone *g = g_time_zone_new_identifier(name);
    if (!g)
        return tide_fail(err, TIDE_ENOENT,
                         "zone \"%s\": the system's time zone database does not have it (is the "
                         "package tzdata installed? old names are in tzdata-legacy)",
                         name);
    struct zone *z = zone_new(g_time_zone_get_offset(g, interval_at(g, FIRST_S)));
    enum tide_err rc = z ? fill(z, g, err) : tide_fail(err, TIDE_ENOMEM, "zone \"%s\"", name);
    g_time_zone_unref(g);
    if (rc == TIDE_OK)
        *ret = z;
    else
        zone_free(z);
    return rc;
}
