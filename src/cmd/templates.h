/* templates.h - the digest templates that a configuration asks for, read from its folder.
 *
 * Shared by the daemon and by `mailtide check-config`, so that what the one calls good the other
 * takes.
 *
 * Owns      nothing; *ret is the caller's (digest_templates_free()).
 * Threads   any. Blocks: for start-up, reload and the command line.
 * Errors    of a file or a template, with its path; *ret is then left alone.
 */
#ifndef CMD_TEMPLATES_H
#define CMD_TEMPLATES_H

#include "core/config/config.h"
#include "core/digest/digest.h"

/* The built-in ones for what the operator did not write. */
TIDE_MUST_CHECK enum tide_err templates_load(const struct config *config,
                                             struct digest_templates **ret,
                                             struct tide_error *err);

#endif
