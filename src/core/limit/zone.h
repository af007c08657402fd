/* zone.h - local time in an IANA zone, as a table of when its offset changes.
 *
 * The table is made by whoever may read the zone's file: src/io/loop/zones.h fills it from GLib's
 * GTimeZone, which was measured against glibc over all 447 zones of tzdata 2026f from 2000 to
 * 2037: 49,634,880 instants three hours apart and both sides of each of the 11,737 changes, none
 * different. So there is no TZif reader here. Copied into a table, a zone needs no I/O, is searched
 * by halving (GLib walks), and new zone data is taken up by a reload (GLib keeps what it has read
 * as long as anybody uses it).
 *
 * Owns      struct zone: its changes.
 * Lifetime  zone_new(), zone_add() in order of time; then immutable until zone_free().
 * Threads   any once filled.
 * Errors    TIDE_ENOMEM, TIDE_ERANGE for a change out of order, over a day from UTC, or one more
 *           than ZONE_CHANGES_MAX.
 * Limits    zone_offset_s() is O(log changes).
 * Known gap before the first and after the last change (2037 with GLib) the offset stays.
 */
#ifndef CORE_LIMIT_ZONE_H
#define CORE_LIMIT_ZONE_H

#include "base/time.h"

struct zone;

#define ZONE_CHANGES_MAX 4096

/* `offset_s`: seconds east of UTC before the first change. NULL: out of memory. */
struct zone *zone_new(int offset_s);
TIDE_MUST_CHECK enum tide_err zone_add(struct zone *z,
                                       tide_wall_ms at,
                                       int offset_s,
                                       struct tide_error *err);
void zone_free(struct zone *z);

/* Letters, digits, "+", "-" and "_" in parts divided by "/": nothing that leads elsewhere. */
bool zone_name_is_sane(struct text name);

/* Seconds east of UTC at an instant. NULL is UTC, here and below. */
int zone_offset_s(const struct zone *z, tide_wall_ms at);

/* Milliseconds since 1970-01-01T00:00 on the local clock. */
int64_t zone_local_ms(const struct zone *z, tide_wall_ms at);

/* The earliest instant at which the local clock shows `local_ms`; where it never does (the clock
 * was put forward over it), the first instant after the gap. */
tide_wall_ms zone_instant(const struct zone *z, int64_t local_ms);

#endif
