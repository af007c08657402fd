/* learn.h - what `mailtide learn` hands over: to the daemon, or to the store itself.
 *
 * learn.c        the command: reads the log, learns, says in words what it learnt
 * learn_store.c  into the store, while no daemon runs
 *
 * Owns nothing. Threads one.
 */
#ifndef CMD_MAILTIDE_LEARN_H
#define CMD_MAILTIDE_LEARN_H

#include "core/config/config.h"
#include "core/plan/policy_quiet.h"
#include "io/store/learn.h"

#define LEARN_SITES_MAX QUIET_SITES_MAX

struct learnt {
    struct learnt_site {
        uint32_t window_id;
        struct site site;
    } sites[LEARN_SITES_MAX];
    size_t site_count;
    struct learn_recipient *recipients;
    size_t recipient_count;
    tide_wall_ms now;
    /* out */
    size_t sites_taken, taken, known, bad;
};

/* Opens the configuration's store, which is made when there is none, and closes it again. */
TIDE_MUST_CHECK enum tide_err learn_into_store(const struct config *config,
                                               struct learnt *l,
                                               struct tide_error *err);

#endif
