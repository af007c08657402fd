/* submission.h - makes a submission of what a front door handed in: pure reading and editing.
 *
 * Reads the X-Mailtide-* fields, takes them and Bcc out, puts in Message-ID, Date and From where
 * they are missing, finds stream, identity, subject and recipients' normal forms.
 *
 *   X-Mailtide-Stream: urgent          X-Mailtide-Deadline: 2h | RFC 3339
 *   X-Mailtide-Key: order-17           X-Mailtide-Not-Before: 10min | RFC 3339
 *   X-Mailtide-Weight: 3               how much its waiting counts, in place of its stream's
 *   X-Mailtide-Thread: ticket-4        X-Mailtide-Digest-Title, -Url, -Text, -Icon
 *
 * Owns      nothing; all that *ret points to is in the request's arena.
 * Threads   any. Reads no clock.
 * Errors    as io/intake/intake.h says, each with the field or the address that is wrong.
 */
#ifndef IO_INTAKE_SUBMISSION_H
#define IO_INTAKE_SUBMISSION_H

#include "io/intake/intake.h"

struct submission_times {
    tide_wall_ms now;
    tide_id message_number; /* makes the Message-ID unique where there is none */
    const char *hostname;
};

TIDE_MUST_CHECK enum tide_err submission_make(const struct config *config,
                                              const struct submission_times *times,
                                              const struct intake_request *req,
                                              struct arena *arena,
                                              struct submission *ret,
                                              struct tide_error *err);

#endif
