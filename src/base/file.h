/* file.h - a whole file at once, with a bound. For start-up and the command line, not for the loop.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

/* Replaces the buffer's content. TIDE_ENOENT, TIDE_EPERM, TIDE_EIO or TIDE_ELIMIT (over bytes_max),
 * each with the path in the text. */
TIDE_MUST_CHECK enum tide_err file_read(const char *path,
                                        size_t bytes_max,
                                        struct buf *ret,
                                        struct tide_error *err);

#endif
