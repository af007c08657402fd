/* event.h - which journal entries the outside may follow, under which names, and who may.
 *
 * Events out are the journal seen from outside: GET /v1/events and webhooks give every entry whose
 * event has a row here, in the journal's order. To let an application learn of something, write a
 * journal entry for it, and add a row.
 *
 * Owns      nothing; the table is static.
 * Threads   any.
 */
#ifndef CORE_RECORD_EVENT_H
#define CORE_RECORD_EVENT_H

#include "base/text.h"
#include "base/time.h"

enum event_audience {
    EVENT_OWN,       /* the application whose notifications it is about */
    EVENT_RECIPIENT, /* every application that ever wrote to the recipient */
    EVENT_OPERATOR,  /* operators, and applications that ask for it (alarms = true) */
};

struct event_kind {
    const char *journal; /* struct journal_entry.event */
    const char *type;    /* "notification.sent" */
    enum event_audience audience;
    bool usual;       /* in webhooks that name no types */
    const char *help; /* when it comes; then what its detail may hold */
    const char *detail;
};

/* Bits of a set of kinds: their places in the table. */
typedef uint64_t event_set;
#define EVENT_ALL (~(event_set)0)

extern const struct event_kind event_kinds[];
extern const size_t event_kind_count; /* at most 64 */

/* An event that an application's webhook would not take at once. */
struct webhook_letter {
    struct text application;
    int64_t seq; /* of the journal's entry */
    struct text event_id, type;
    int tries;
    tide_wall_ms first_at, tried_at;
    tide_wall_ms next_at; /* 0: given up, a dead letter */
    struct text error;    /* why not, the last time */
    struct text body;     /* as it is told each time */
};

/* By the journal's word; NULL: nothing that is told outside. */
const struct event_kind *event_of_journal(struct text event);
const struct event_kind *event_of_type(struct text type);

static inline event_set event_bit(const struct event_kind *k)
{
    return (event_set)1 << (k - event_kinds);
}

event_set event_usual(void);

/* "notification.sent", "notification.*" or "*" (blanks around it do not count). False: no such. */
bool event_set_add(event_set *set, struct text type);

/* Several with commas between; an empty list is all. TIDE_EINVAL names the one that is unknown. */
TIDE_MUST_CHECK enum tide_err event_set_parse(struct text list,
                                              event_set *ret,
                                              struct tide_error *err);

#endif
