/* sender_watch.h - checks the senders in use again and again, and holds the bulk streams of one
 * that no longer passes.
 *
 * A sender is a domain of From through an account: those that applications are configured with, and
 * those of mail seen lately. One is checked at a time (core/verify/sender), judged beside its last
 * report (core/verify/sender_trust), stored, and told to the gate as GATE_SENDER and as an alarm
 * "sender/DOMAIN/ACCOUNT". What is held stays held over a restart.
 *
 *   IDLE --due--> ASKING --all probes answered--> IDLE, due again later
 *
 * Owns      its timer, what it knows of each sender, the checks under way, the rules of schedules/.
 *           Loop, clock, store and resolver are the daemon's and outlive it; configuration and
 *           drive too, until the next sender_watch_configure().
 * Lifetime  sender_watch_open() to the callback of sender_watch_close(). It acts from
 *           sender_watch_start() on, which may come in the ready callback at the earliest.
 * Threads   loop thread only.
 * Errors    a check that cannot be made is tried again later; DNS doubts hold nothing.
 * Limits    WATCHED_MAX senders; what is over that is not watched.
 */
#ifndef IO_WATCH_SENDER_WATCH_H
#define IO_WATCH_SENDER_WATCH_H

#include "io/dns/resolver.h"
#include "io/drive/drive.h"

#define WATCHED_MAX 1000

struct sender_watch;

struct sender_watch_parts {
    uv_loop_t *loop;
    const struct clock *clock;
    const struct config *config;
    struct store *store;
    struct resolver *resolver;
};

/* Reads what was found before; then `ready`, never from inside the call. A store that cannot be
 * read is logged: nothing is known then. */
TIDE_MUST_CHECK enum tide_err sender_watch_open(const struct sender_watch_parts *parts,
                                                void (*ready)(void *arg),
                                                void *arg,
                                                struct sender_watch **ret,
                                                struct tide_error *err);
/* Tells the drive at once what is held, then checks. */
void sender_watch_start(struct sender_watch *w, struct drive *drive);

/* A new configuration; its rules of schedules/ are read too. On failure the old ones stay. */
TIDE_MUST_CHECK enum tide_err sender_watch_configure(struct sender_watch *w,
                                                     const struct config *config,
                                                     struct tide_error *err);

/* Mail that was accepted: its sender is in use. */
void sender_watch_seen(struct sender_watch *w, const struct submission *s);

/* Before the resolver and the drive. */
void sender_watch_close(struct sender_watch *w, void (*closed)(void *arg), void *arg);

#endif
