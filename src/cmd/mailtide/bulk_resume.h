/* bulk_resume.h - how many rows of a list an earlier run has written.
 *
 * Owns      nothing. Threads any.
 * Errors    TIDE_EIO, TIDE_EINVAL: the file does not begin as verified_put_head() would.
 */
#ifndef CMD_MAILTIDE_BULK_RESUME_H
#define CMD_MAILTIDE_BULK_RESUME_H

#include "core/verify/verified.h"

/* Reads the file from its start: whole rows in it, and where the last one ends. */
TIDE_MUST_CHECK enum tide_err bulk_written(
    int fd, enum verified_form form, uint64_t *ret_rows, int64_t *ret_end, struct tide_error *err);

#endif
