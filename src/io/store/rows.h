/* rows.h - rows of the database as the structs of the pipeline, and a group's books.
 *
 * Owns      nothing: texts are copied into the arena that the caller names.
 * Threads   the connection's.
 * Errors    stick in struct db (sqlite.h).
 */
#ifndef IO_STORE_ROWS_H
#define IO_STORE_ROWS_H

#include "io/store/sqlite.h"
#include "io/store/store.h"

/* -- Counts of rows ------------------------------------------------------------------------------
 */

enum tallied {
    TALLY_NOTIFICATION,                                              /* + state */
    TALLY_ATTEMPT = TALLY_NOTIFICATION + NOTIFICATION_CANCELLED + 1, /* + state */
    TALLY_RECIPIENT = TALLY_ATTEMPT + ATTEMPT_ABANDONED + 1,
    TALLY_BODY,
    TALLY_JOURNAL,
    TALLY_COUNT
};

/* Where the bodies written last may be: a hash tells the place. Only a hint, the row decides. */
#define BODIES_RECENT 1024
struct body_recent {
    int64_t id; /* 0: none */
    uint64_t hash;
};

/* Recipients that a domain has got in this transaction: mostly many of them are of one domain. */
#define DOMAINS_COUNTED 64
struct domain_more {
    int64_t domain_id, recipients;
};

/* What writes of a unit need beside the connection. */
struct writing {
    struct db *db;
    tide_wall_ms now;
    struct body_recent bodies[BODIES_RECENT];
    /* changes of this transaction, not yet in the database */
    int64_t tally[TALLY_COUNT];
    struct domain_more domains[DOMAINS_COUNTED]; /* at domain_id % DOMAINS_COUNTED */
};

void tally_reset(struct writing *w);
void tally_flush(struct writing *w);
void tally_domain(struct writing *w, int64_t domain_id); /* has one recipient more */

/* -- A group's books -----------------------------------------------------------------------------
 */

struct group {
    struct group_pending pending;
    int64_t fresh, releasing, hold;
    int64_t notifications; /* stored, finished ones too */
    tide_wall_ms due_at, hold_due_at;
    bool recount; /* what went was the oldest, or the nearest to something */
};

/* What of a notification counts in its group. */
struct member {
    tide_id id;
    int64_t group_id, hold;
    enum notification_state state; /* as told to people: a hold of the group is seen */
    int class;
    tide_wall_ms accepted_at, deadline_at, not_before;
};

enum notification_class { CLASS_URGENT, CLASS_SINGLE, CLASS_DIGESTIBLE };

/* False: there is none. */
bool group_get(struct db *db, int64_t id, struct group *ret);
/* After all changes of the group's notifications were written. */
void group_put(struct writing *w, struct group *g);
bool group_is_empty(const struct group *g);

/* Books only: the notification's row is the caller's. */
void group_add(struct writing *w, struct group *g, const struct member *m);
void group_take(struct writing *w, struct group *g, const struct member *m);

/* The hold of the whole group. */
void group_hold(struct writing *w,
                int64_t group_id,
                struct text reason,
                struct text limit,
                tide_wall_ms due_at,
                tide_wall_ms at);

/* `g` is the member's group as last read, NULL: not read yet. False: there is none. */
bool member_get(struct db *db, tide_id id, struct member *ret, struct group *g);

struct move {
    enum notification_state next;
    struct text reason, limit;
    tide_wall_ms due_at, at;
    bool again;  /* SENT may become HELD: it came back, for a reason that passes */
    bool undone; /* BOUNCED may too: the ESP had dropped it unsent, and need not have */
};

/* Changes a notification's state and its group's books. False, and nothing is changed, where that
 * would be a second fate. */
bool member_move(struct writing *w,
                 struct group *g,
                 const struct member *m,
                 const struct move *move);

/* -- Rows ----------------------------------------------------------------------------------------
 */

/* `from` is the column that the row's part begins with. */
void rows_group(sqlite3_stmt *row, int from, struct group *ret);
void rows_recipient(
    struct db *db, sqlite3_stmt *row, int from, struct arena *a, struct recipient_state *ret);
void rows_notification(struct db *db, sqlite3_stmt *row, struct arena *a, struct notification *ret);
void rows_attempt(struct db *db, sqlite3_stmt *row, struct arena *a, struct attempt *ret);
void rows_suppression(struct db *db, sqlite3_stmt *row, struct arena *a, struct suppression *ret);
void rows_journal(struct db *db, sqlite3_stmt *row, struct arena *a, struct journal_entry *ret);

bool notification_get(struct db *db, tide_id id, struct arena *a, struct notification *ret);
bool recipient_find(struct db *db,
                    struct text address,
                    tide_wall_ms now,
                    struct arena *a,
                    struct recipient_state *ret);

/* names.c: the number that stands for a name of an attempt, or for an address beside a key: the
 * first 8 bytes of its SHA-256; 0: it is "". */
int64_t name_hash(struct db *db, struct text name);

void journal_add(struct writing *w, const struct journal_entry *e);

#endif
