/* feed.h - tells applications of events as they come: signed webhooks, at least once each.
 *
 *   journal --(store_watch, a page at a time)--> endpoint --POST--> 2xx: the cursor goes on
 *                                                   `-- else: a letter, tried again, at last dead
 *
 * One endpoint an application that has a webhook configured; without any nothing is done at all.
 * Events leave in the journal's order (webhook.connections = 1), and each is told again with the
 * same id until it is taken: after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h; then it is a dead
 * letter, listed and kept as long as the journal, and can be put back by hand. What comes behind
 * an event that was not taken does not wait for it, but three in a row that were not taken are the
 * endpoint's fault: it then rests, for five minutes at most, and is tried with one event at a time;
 * once it takes one, all letters go out at once, the oldest first. The cursor and the letters are
 * in the store: a restart goes on where it was, and tells at most again what was under way.
 *
 * Owns      endpoints with their connections. Store, clock and configurations outlive it.
 * Lifetime  feed_open() to the closed callback. The store must be open until then.
 * Threads   loop thread only.
 * Errors    what the store cannot write is written later; nothing is told to be taken before.
 * Standards standard-webhooks 1.0.0 (core/proto/webhook_sign.h).
 */
#ifndef IO_FEED_FEED_H
#define IO_FEED_FEED_H

#include "core/config/config.h"
#include "core/gate/alarm.h"
#include "io/loop/clock.h"
#include "io/store/store.h"

struct feed;

struct feed_parts {
    uv_loop_t *loop;
    const struct clock *clock;
    struct store *store;
    void (*raise_alarm)(void *arg,
                        struct text key,
                        enum alarm_severity severity,
                        struct text sentence,
                        struct text advice);
    void (*clear_alarm)(void *arg, struct text key, struct text why);
    void *arg;
};

TIDE_MUST_CHECK enum tide_err feed_open(const struct feed_parts *parts,
                                        const struct config *config,
                                        struct feed **ret,
                                        struct tide_error *err);
/* Endpoints that did not change go on; others begin anew when the old one has ended. */
void feed_configure(struct feed *f, const struct config *config);
/* Letters were put back: they are looked for at once. */
void feed_wake(struct feed *f);
void feed_close(struct feed *f, void (*closed)(void *arg), void *arg);

#endif
