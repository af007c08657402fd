/* list_sync.h - keeps the suppression lists of ESPs right, through their APIs.
 *
 * What stands on a list is read, judged (core/esp/list_judge.h) and acted on: an address that came
 * there for no fault of the recipient is taken off; what is known there of an address (no such
 * mailbox, a complaint) is learnt here; all else is left. Each step is journalled.
 *
 * It happens soon after the start and every `lists_every` for a whole account; for single addresses
 * as soon as the store notes them (struct esp_listed): a mail that was dropped, a bounce that was
 * no fault of the recipient, a recipient who confirmed; and for whoever asks.
 *
 *   IDLE --due--> NOTES --all--> READ (page by page) --------> PAST <--------------------.
 *                   `---some---> FIND (address by address) --> PAST --(WORDS)--> REMOVE -+-> DONE
 *                                                              `-----> learn, or leave --'
 *
 * Owns      a connection pool an account, the runs under way, its timers.
 * Lifetime  list_sync_open() to the callback of list_sync_close(). Configuration, rules, store and
 *           drive outlive it or the next list_sync_configure().
 * Threads   loop thread only.
 * Errors    an ESP that refuses the key raises the alarm "lists/ACCOUNT"; one that is down or says
 *           429 is asked again later. Nothing is lost by it: what is to be mended stays noted.
 * Limits    one call at a time and account, never closer than the ESP's rules allow;
 *           LIST_ENTRIES_MAX entries of one account are looked at in one run.
 */
#ifndef IO_WATCH_LIST_SYNC_H
#define IO_WATCH_LIST_SYNC_H

#include "core/esp/list_judge.h"
#include "io/drive/drive.h"

#define LIST_ENTRIES_MAX 1000000
#define LIST_ROWS_MAX    10000 /* of an answer to whoever asked */

struct list_sync;

struct list_sync_parts {
    uv_loop_t *loop;
    const struct clock *clock;
    const struct config *config;
    const struct rulebook *rules;
    struct store *store;
    struct drive *drive;
};

TIDE_MUST_CHECK enum tide_err list_sync_open(const struct list_sync_parts *parts,
                                             struct list_sync **ret,
                                             struct tide_error *err);
/* Accounts that are under way begin anew. */
TIDE_MUST_CHECK enum tide_err list_sync_configure(struct list_sync *s,
                                                  const struct config *config,
                                                  const struct rulebook *rules,
                                                  struct tide_error *err);
/* Who asked is told TIDE_ECANCELED, now and from now on: before the doors wait for their answers.
 */
void list_sync_stop(struct list_sync *s);
/* Before the drive and the store. */
void list_sync_close(struct list_sync *s, void (*closed)(void *arg), void *arg);

struct list_sync_row {
    struct text account, list, address;
    enum listed_kind kind;
    tide_wall_ms at;
    struct text words;
    enum list_verdict verdict;
    struct text why;
};

struct list_sync_ask {
    struct text account; /* "": all that have lists */
    bool dry;            /* only tells what it would do */
    /* out, in arena */
    struct list_sync_row
        *rows; /* those that are or would be taken off or learnt, and some others */
    size_t row_count;
    int64_t read, mended, learnt, left, failed;
    struct text problems; /* a line each: what could not be done; "" */
    size_t accounts;      /* that were looked at */
    struct arena arena;   /* the caller's fini */
    void (*done)(struct list_sync_ask *ask, enum tide_err rc, const struct tide_error *err);
    void *arg;
    struct list hook;
};

/* Calls back once; from inside the call with TIDE_ENOENT: no such account, or none with a list. */
void list_sync_ask(struct list_sync *s, struct list_sync_ask *ask);

#endif
