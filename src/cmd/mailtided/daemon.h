/* daemon.h - all rooms put together: opened in order, closed in the opposite order.
 *
 *   store, resolver, verifier, planner, templates -> drive -> (what the last run left is loaded)
 *     -> intake -> SMTP, HTTP, status socket -> ready
 *
 * Lifetime  daemon_run() returns when a signal (TERM, INT) has ended it; HUP reloads.
 * Errors    at start every failure is fatal and named; on reload the old configuration stays.
 */
#ifndef CMD_MAILTIDED_DAEMON_H
#define CMD_MAILTIDED_DAEMON_H

#include "io/loop/clock.h"

struct daemon_options {
    const char *config_path; /* NULL: embedded defaults */
    struct clock clock;
    bool greet;          /* tell a person at a terminal what to try */
    const char *program; /* argv[0]: mailtide lies beside it */
};

TIDE_MUST_CHECK enum tide_err daemon_run(const struct daemon_options *options,
                                         struct tide_error *err);

#endif
