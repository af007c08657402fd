/* drive.h - the gate's hands: turns what happens into events and carries out what the gate says.
 *
 *   store callback, verdict, timer, outcome --> gate_step() --> store_apply, store_claim, verify,
 *                                                               account_send, next wake-up
 *
 * Decides nothing: whatever could be decided stands in src/core/gate.
 *
 * Owns      the gate, its timer and the accounts (ways out). Store, verifier, planner, clock and
 *           configuration are the daemon's and outlive it.
 * Lifetime  drive_open() to the callback of drive_close(); the ready callback comes once the ledger
 *           and the attempts of the last run are loaded: only then mail may be submitted.
 * Threads   loop thread only; digests are built on the uv pool.
 * Errors    what the store cannot write is tried again by the gate; nothing is lost by it.
 */
#ifndef IO_DRIVE_DRIVE_H
#define IO_DRIVE_DRIVE_H

#include "core/digest/digest.h"
#include "core/gate/gate.h"
#include "core/outcome/verp.h"
#include "io/dns/verifier.h"
#include "io/loop/clock.h"
#include "io/release/account.h"
#include "io/store/store.h"

struct drive;

struct drive_parts {
    uv_loop_t *loop;
    const struct clock *clock;
    const struct config *config;
    struct planner *planner;
    struct store *store;
    struct verifier *verifier;
    const struct digest_templates *templates;
    const struct verp *verp; /* of envelope senders of our own; key_n 0 or NULL: there are none */
    const char *hostname;    /* right side of the Message-IDs of digests */
    uint64_t seed;           /* of jitter */
};

/* rc other than TIDE_OK: what the last run left cannot be read; nothing may be sent. */
typedef void (*drive_ready_cb)(void *arg, enum tide_err rc, const struct tide_error *err);

TIDE_MUST_CHECK enum tide_err drive_open(const struct drive_parts *parts,
                                         drive_ready_cb ready,
                                         void *arg,
                                         struct drive **ret,
                                         struct tide_error *err);
/* Ends what is on the wire as unknown or not sent, stores that, then calls back. */
void drive_close(struct drive *d, void (*closed)(void *arg), void *arg);

/* A new configuration, already in force in the planner. Accounts that did not change keep their
 * connections. The old configuration and templates have to stay until drive_close(). */
TIDE_MUST_CHECK enum tide_err drive_configure(struct drive *d,
                                              const struct config *config,
                                              const struct digest_templates *templates,
                                              struct tide_error *err);

/* How replies are read from now on; borrowed. */
void drive_set_rules(struct drive *d, const struct rulebook *rules);

/* Reads what is suppressed again by these rules, which stay until it is done or the drive closed:
 * what they no longer hold against a recipient is lifted. */
void drive_review(struct drive *d, const struct rulebook *rules);

/* A submission that is durable: decides on each, and says what was decided. */
struct drive_accepted {
    const struct submission *submission;
    const struct store_accepted *items;
    struct gate_decision *decisions; /* recipient_count, reasons in arena */
    struct arena *arena;
};
void drive_accepted(struct drive *d, const struct drive_accepted *accepted);

/* Called with each submission that was accepted, before it is decided on. */
void drive_on_accepted(struct drive *d,
                       void (*seen)(void *arg, const struct submission *s),
                       void *arg);

/* Feeds one event; *ret_decision (may be NULL) has its reason in *arena. */
void drive_event(struct drive *d,
                 struct gate_event *ev,
                 struct gate_decision *ret_decision,
                 struct arena *arena);

/* An alarm of whoever watches the world (core/gate/alarm.h): may be raised and cleared at will, is
 * journalled and shown once. `why` it is over may be "". */
void drive_raise_alarm(struct drive *d,
                       struct text key,
                       enum alarm_severity severity,
                       struct text sentence,
                       struct text advice);
void drive_clear_alarm(struct drive *d, struct text key, struct text why);
/* What somebody tells of a mail that has left: looked up in the store, decided on, stored. `news`
 * is copied; its recipient in normal form where it is known. Calls back once, not from inside
 * the call, when all that follows is durable: only then may the teller be told that it was taken.
 * `known`: it is about a recipient or an attempt of ours. */
typedef void (*drive_news_cb)(void *arg,
                              enum tide_err rc,
                              bool known,
                              const struct tide_error *err);
void drive_news(struct drive *d, const struct mail_news *news, drive_news_cb done, void *arg);

/* What somebody orders about the address of `order`->entry (normal form): suppressed, lifted or
 * confirmed, here and (as far as marked) on the ESPs' lists. Copied; its `found` is looked up.
 * Calls back as drive_news() does. */
void drive_order(struct drive *d, const struct gate_order *order, drive_news_cb done, void *arg);

/* Groups that the store changed for somebody else (a cancellation). */
void drive_pending(struct drive *d, const struct group_pending *groups, size_t count);

tide_id drive_next_id(struct drive *d);
const struct drive_parts *drive_parts(const struct drive *d);
const struct config *drive_config(const struct drive *d);
struct gate *drive_gate(struct drive *d);
int drive_account_room(const struct drive *d, int account);

#endif
