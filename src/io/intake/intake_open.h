/* intake_open.h - the intake's own life: for the daemon, not for the front doors.
 *
 * Lifetime  intake_open() to the callback of intake_close(), which waits for what is being stored.
 * Threads   loop thread only.
 */
#ifndef IO_INTAKE_INTAKE_OPEN_H
#define IO_INTAKE_INTAKE_OPEN_H

#include "io/drive/drive.h"
#include "io/intake/intake.h"

TIDE_MUST_CHECK enum tide_err intake_open(struct drive *drive,
                                          struct intake **ret,
                                          struct tide_error *err);
void intake_close(struct intake *in, void (*closed)(void *arg), void *arg);

struct intake_counts {
    int64_t accepted, duplicates, refused; /* since start */
};

void intake_count(const struct intake *in, struct intake_counts *ret);

#endif
