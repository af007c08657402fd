/* subject.h - names as small numbers, and the ledgers of whatever is wider than a recipient.
 *
 * A subject is one provider, account, domain or a cross of two; it holds one ledger for every limit
 * that counts for it. Its key ("sender-domain-provider|shop.example|qq") names its row in the
 * store; names, not numbers, so that it means the same after a restart.
 *
 * Owns      names, subjects and their ledgers.
 * Lifetime  subjects_init() to subjects_fini(); pointers and numbers hold until then.
 * Threads   loop thread only.
 * Errors    0 or NULL when out of memory, or for a name over SUBJECT_NAME_MAX bytes.
 * Limits    names and subjects that nobody needs any more are forgotten in sweeps, as soon as there
 *           are twice as many as after the last one; SUBJECT_NAMES_MAX names in a process' life.
 */
#ifndef CORE_PLAN_SUBJECT_H
#define CORE_PLAN_SUBJECT_H

#include "base/list.h"
#include "base/map.h"
#include "core/plan/demand.h"
#include "core/plan/ledger.h"

#define SUBJECT_NAME_MAX  1024
#define SUBJECT_NAMES_MAX (1u << 27) /* learnt limits keep their numbers in 28 bits */
#define SUBJECT_SWEEP_MIN 50000

struct subject_name {
    char *text;
    uint32_t id;
    uint32_t hash;   /* of the text, the same in every run */
    uint32_t domain; /* the planner's: of a sender's address; 0: not asked for */
    bool kept;       /* by subjects_keep(), until the next sweep */
    void *data;      /* the planner's: the limits of the provider of this name */
};

/* What was found of a limit's price at an instant; stands for a minute. */
struct price_memo {
    tide_wall_ms at,
        until;   /* from when on there is more: refilled, or (rolling) no longer scarce */
    double back; /* rolling: so many have come back until then */
    struct demanded demand; /* until then */
};

/* One limit's ledger in a subject. */
struct counter {
    struct counter *next;
    uint32_t limit; /* meter.id */
    struct ledger ledger;
    struct price_memo price; /* the planner's */
};

struct subject {
    uint32_t id;
    enum limit_scope scope;
    uint32_t a, b; /* names */
    char *key;     /* of its row in the store */
    char *label;   /* for people: "qq", "shop.example > qq" */
    struct counter *counters;
    struct list dirty;            /* in subjects.dirty, or alone */
    bool has_row;                 /* in the store, as far as known */
    struct shared_demand *demand; /* the planner's; NULL: not asked yet */
};

struct subjects {
    struct strmap names_by_text;
    struct subject_name **names;   /* [id - 1] */
    uint32_t name_count, name_cap; /* numbers that were given; those of forgotten names are NULL */
    uint32_t sweep_at;             /* so many names and subjects want a sweep */
    struct idmap by_pair[LIMIT_SCOPES]; /* two names -> struct subject */
    uint32_t count, last_id;
    struct list dirty;
};

void subjects_init(struct subjects *s);
void subjects_fini(struct subjects *s);

/* 0: empty, too long, or out of memory. */
uint32_t subjects_intern(struct subjects *s, struct text name);
/* NULL for 0 and for numbers never given. */
struct subject_name *subjects_name(const struct subjects *s, uint32_t id);

struct subject *subjects_find(const struct subjects *s,
                              enum limit_scope scope,
                              uint32_t a,
                              uint32_t b);
/* Finds or makes; a or b may be 0 where the scope has no such part, or it is not known. */
struct subject *subjects_get(struct subjects *s, enum limit_scope scope, uint32_t a, uint32_t b);
struct ledger *subject_ledger(struct subject *s, uint32_t limit); /* finds or makes */

/* Whether it is time for a sweep: whoever holds numbers says which, then all else goes. Subjects
 * go when nothing of them counts any more, their rows first. Pointers to them end here. */
bool subjects_are_crowded(const struct subjects *s);
void subjects_keep(struct subjects *s, uint32_t name);
void subjects_sweep(struct subjects *s, tide_wall_ms now);

void subjects_mark(struct subjects *s, struct subject *dirty);
bool subjects_next_dirty(struct subjects *s, struct text *ret_key, struct buf *ret_blob);
TIDE_MUST_CHECK enum tide_err subjects_restore(struct subjects *s,
                                               struct text key,
                                               struct text blob,
                                               struct tide_error *err);

#endif
