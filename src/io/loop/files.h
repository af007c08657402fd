/* files.h - how the configuration is read from the real machine.
 *
 * Blocks: for start-up, reload and the command line.
 *
 * Owns      nothing. Threads any.
 * Errors    TIDE_ENOENT, TIDE_EPERM, TIDE_EIO, TIDE_ELIMIT with the path in the text.
 */
#ifndef IO_LOOP_FILES_H
#define IO_LOOP_FILES_H

#include "core/config/config.h"

/* For config_load(): files, folders, getenv(). */
extern const struct config_source files_source;

#endif
