/* copy.h - a whole copy of a database that is in use, as it is at one instant.
 *
 * Whoever writes meanwhile is not held up; only the log is not emptied until the copy is there.
 *
 * Owns      nothing. Threads   any; it blocks.
 * Errors    TIDE_EEXIST there is a file of that name; TIDE_ECORRUPT the copy is damaged; TIDE_EIO,
 *           TIDE_EFULL. A copy that failed is removed.
 */
#ifndef IO_STORE_COPY_H
#define IO_STORE_COPY_H

#include "base/text.h"

TIDE_MUST_CHECK enum tide_err store_copy(const char *from,
                                         const char *to,
                                         int64_t *ret_bytes,
                                         struct tide_error *err);

#endif
