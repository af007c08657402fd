/* sender_inside.h - the watcher's own tables, shared by its files; nobody else includes this.
 *
 * sender_watch.c    when each is checked, mail that is seen, opening and closing
 * sender_watched.c  who is watched, and what of that is stored and told
 * sender_check.c    one check: its questions, and what the answers mean
 */
#ifndef IO_WATCH_SENDER_INSIDE_H
#define IO_WATCH_SENDER_INSIDE_H

#include "core/verify/sender_account.h"
#include "core/verify/sender_trust.h"
#include "io/dns/asker.h"
#include "io/watch/sender_watch.h"

#define FIRST_CHECK_MS (5 * TIME_SECOND_MS)
#define STREAMS_MAX    8

/* What was seen in the last mail of a bulk stream. */
struct seen_stream {
    char *name;
    const char *problem;
    bool is_signed;
};

struct watched {
    char *domain, *account;
    tide_wall_ms seen_at, checked_at, passed_at, due_at;
    char *held, *report; /* "" */
    bool configured, bulk;
    struct seen_stream streams[STREAMS_MAX];
    size_t stream_count;
};

/* Of schedules/; a check under way keeps those that it began with. */
struct shared_rules {
    unsigned refs;
    struct sender_rules rules;
};

struct probe_run {
    struct check *check;
    struct asker_run *run; /* NULL: done */
};

/* One check under way. */
struct check {
    struct sender_watch *watch;
    struct watched *of; /* NULL: forgotten meanwhile */
    struct sender sender;
    struct sender_account account;
    struct sender_stream streams[STREAMS_MAX];
    struct arena arena;
    struct probe_run runs[SENDER_PROBES_MAX];
    struct shared_rules *rules;
    size_t pending;
    bool cancelled;
};

struct sender_watch {
    struct sender_watch_parts parts;
    struct shared_rules *rules;
    struct drive *drive; /* NULL: not started */
    struct watched *all[WATCHED_MAX];
    size_t count;
    struct strmap by_name; /* "DOMAIN ACCOUNT" */
    struct check *check;   /* NULL: none is under way */
    struct store_ask load;
    uv_timer_t timer;
    unsigned writes;
    bool loading, closing, timer_closed;
    void (*ready)(void *arg);
    void *ready_arg;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* -- sender_watch.c ---------------------------------------------------------------------------- */

/* Sets the timer for whoever is due next. */
void sender_watch_wake(struct sender_watch *w);
void sender_watch_maybe_closed(struct sender_watch *w);

/* -- sender_watched.c -------------------------------------------------------------------------- */

/* The one of that name, made where it is not there; NULL: no memory or no room. */
struct watched *watched_named(struct sender_watch *w, struct text domain, struct text account);
void watched_free(struct watched *x);
/* That of the place `at` is told to be over, and freed. */
void watched_forget(struct sender_watch *w, size_t at);
/* Of its accounts an outbox is none: nothing leaves from there. */
bool watched_can_be(const struct config *c, int account);
/* Those that applications are configured with. */
void watched_configure(struct sender_watch *w);
void watched_store(struct sender_watch *w, const struct watched *x, bool gone);
void watched_take_record(struct sender_watch *w, const struct sender_record *r);
void watched_tell_gate(struct sender_watch *w, const struct watched *x, bool restored);
void watched_tell_alarm(struct sender_watch *w,
                        const struct watched *x,
                        const struct sender_trust *t);
char *watched_copy(struct text t);
/* What a check has found, in place of what was found before; false: no memory, nothing has changed.
 */
bool watched_take(struct watched *x, struct text held, struct text report);

/* -- sender_check.c ---------------------------------------------------------------------------- */

/* NULL: `err` says why. */
struct shared_rules *shared_rules_load(const struct config *config, struct tide_error *err);
void shared_rules_unref(struct shared_rules *r);
/* None may be under way. */
void sender_check_start(struct sender_watch *w, struct watched *x);

#endif
