/* account.h - one way out: a mail and its envelope go in, exactly one outcome comes back.
 *
 * The interface that every way out implements (smtp_out.c, outbox.c; HTTPS APIs later). Durability
 * is not its business: the attempt is on disk before account_send() is called.
 *
 * Owns      its connections. A struct account_mail and what it points to stay the caller's until
 *           its callback, which comes exactly once, never from inside the call.
 * Lifetime  account_open() to the closed callback; mails still inside then end with
 *           ACCOUNT_NOT_SENT. Those whose message may already have arrived are given some seconds
 *           for their answer, then they end with ACCOUNT_UNKNOWN.
 * Threads   loop thread only.
 */
#ifndef IO_RELEASE_ACCOUNT_H
#define IO_RELEASE_ACCOUNT_H

#include "base/id.h"
#include "base/list.h"
#include "core/config/config.h"
#include "core/outcome/outcome.h"
#include "io/loop/clock.h"

#include <uv.h>

struct account_mail {
    tide_id attempt_id;
    struct text sender, recipient;         /* envelope; sender "" is the null path */
    struct text message;                   /* CRLF, not dot-stuffed */
    struct text ret, envid, notify, orcpt; /* RFC 3461; used where the other side offers DSN */
    bool smtputf8;                         /* addresses or headers hold UTF-8 */
    void (*done)(struct account_mail *mail, const struct account_outcome *outcome);
    void *arg;
    struct list hook; /* the account's */
};

struct account;

TIDE_MUST_CHECK enum tide_err account_open(uv_loop_t *loop,
                                           const struct config_account *config,
                                           const struct clock *clock,
                                           struct account **ret,
                                           struct tide_error *err);
void account_close(struct account *a, void (*closed)(void *arg), void *arg);

void account_send(struct account *a, struct account_mail *mail);

/* How many mails it can take now without queueing them inside (free connections or places). */
int account_room(const struct account *a);

/* Whether an attempt of unknown fate arrived, where the way out can tell (the outbox can). */
enum account_settled { SETTLED_CANNOT_TELL, SETTLED_ARRIVED, SETTLED_NOT_ARRIVED };
enum account_settled account_settle(struct account *a, tide_id attempt_id);

#endif
