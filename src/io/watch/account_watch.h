/* account_watch.h - asks an ESP now and then what the account may send, has sent, and whether it is
 * in good standing (Amazon SES' GetAccount; core/esp/quota.h).
 *
 * The numbers go to the gate as GATE_LIMIT: they stand in place of the profile's, and mail that
 * others sent through the same account counts. What an operator should know is an alarm:
 * "account/NAME/standing", "account/NAME/sandbox", "account/NAME/quota", "account/NAME/unread".
 *
 * Owns      a connection for each account that is asked, its timer.
 * Lifetime  account_watch_open() to the callback of account_watch_close(). Clock, drive and
 *           configuration outlive it or the next account_watch_configure().
 * Threads   loop thread only.
 * Errors    an answer that does not come or is none changes nothing and is asked for again; when it
 *           is refused an alarm says so.
 */
#ifndef IO_WATCH_ACCOUNT_WATCH_H
#define IO_WATCH_ACCOUNT_WATCH_H

#include "io/drive/drive.h"

struct account_watch;

struct account_watch_parts {
    uv_loop_t *loop;
    const struct clock *clock;
    const struct config *config;
    struct drive *drive;
};

TIDE_MUST_CHECK enum tide_err account_watch_open(const struct account_watch_parts *parts,
                                                 struct account_watch **ret,
                                                 struct tide_error *err);
/* On failure the accounts are asked as before. */
TIDE_MUST_CHECK enum tide_err account_watch_configure(struct account_watch *w,
                                                      const struct config *config,
                                                      struct tide_error *err);
/* Before the drive. */
void account_watch_close(struct account_watch *w, void (*closed)(void *arg), void *arg);

#endif
