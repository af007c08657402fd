/* files.h - how configuration and zones are read from the real machine.
 *
 * Blocks: for start-up, reload and the command line.
 *
 * Owns      nothing. Threads any.
 * Errors    TIDE_ENOENT, TIDE_EPERM, TIDE_EIO, TIDE_ELIMIT with the path in the text; an unknown
 *           zone names the packages that bring it.
 */
#ifndef IO_LOOP_FILES_H
#define IO_LOOP_FILES_H

#include "core/config/config.h"
#include "core/plan/planner.h"

/* For config_load(): files, folders, getenv(). */
extern const struct config_source files_source;

/* For planner_new(): /usr/share/zoneinfo. */
extern const struct plan_zones files_zones;

/* The whole TZif file of an IANA zone, in place of what *ret held. */
TIDE_MUST_CHECK enum tide_err files_zone(const char *name, struct buf *ret, struct tide_error *err);

#endif
