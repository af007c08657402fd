/* zones.h - the system's time zones, read with GLib and handed to the core as tables.
 *
 * Owns      nothing; the zone is the caller's (zone_free()).
 * Threads   any.
 * Errors    TIDE_ENOENT for a name that the system's database does not have, with a hint for the
 *           old names that Debian keeps in tzdata-legacy; TIDE_EINVAL for a name that is none.
 * Limits    changes from 2000 to 2037; one zone takes about a millisecond.
 */
#ifndef IO_LOOP_ZONES_H
#define IO_LOOP_ZONES_H

#include "core/limit/zone.h"

/* Fits struct plan_zones; `arg` is not used. */
TIDE_MUST_CHECK enum tide_err zones_load(void *arg,
                                         const char *name,
                                         struct zone **ret,
                                         struct tide_error *err);

#endif
