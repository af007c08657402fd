/* handin.h - one draft on its way into the intake: composed, fingerprinted, submitted.
 *
 * What the doors that speak HTTP have in common, whatever their JSON looks like.
 *
 * Owns      the composed message and the intake request; the draft and its texts stay the caller's
 *           until the callback.
 * Lifetime  zeroed memory to handin_fini(). handin_prepare() once, handin_submit() at most once.
 * Threads   handin_prepare() any, the rest on the loop thread.
 * Errors    handin_prepare(): TIDE_EINVAL what cannot stand in a message, TIDE_ENOMEM.
 */
#ifndef IO_INTAKE_HANDIN_H
#define IO_INTAKE_HANDIN_H

#include "core/proto/api.h"
#include "io/intake/intake.h"

#define HANDIN_FINGERPRINT_BYTES 32

struct handin {
    const struct api_draft *draft;
    struct buf composed;
    char fingerprint[HANDIN_FINGERPRINT_BYTES]; /* of the draft without its times and key */
    bool has_fingerprint;
    struct text
        template_api; /* of a draft with a template; the caller's to set before submitting */
    /* recipients, and after `done` the results */
    struct intake_request in;
};

/* `now` is the Date of a message that is composed. The recipients are put in the arena. */
TIDE_MUST_CHECK enum tide_err handin_prepare(struct handin *h,
                                             const struct api_draft *draft,
                                             tide_wall_ms now,
                                             struct arena *arena,
                                             struct tide_error *err);

/* `source` stays until the callback, which finds the struct by container_of(); in.arg is the
 * caller's to set before. */
void handin_submit(struct handin *h,
                   struct intake *intake,
                   const struct config_application *application,
                   struct text source,
                   void (*done)(struct intake_request *in,
                                enum tide_err rc,
                                const struct tide_error *err));
void handin_fini(struct handin *h);

#endif
