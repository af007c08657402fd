/* list_run.h - one run over an account's lists, as its files see it. Every step begins one thing (a
 * call, a question to the store, a write) and is gone on from where that ends; nothing else is
 * under way meanwhile.
 *
 * list_run.c    beginning, steps, end; calls and writes that any step makes
 * list_read.c   NOTES, READ, FIND: what is to be looked at, and what stands on the lists
 * list_entry.c  PAST, WORDS, GONE: one entry after the other is judged and settled
 * list_mend.c   REMOVE, AGAIN: it is taken off, and what was dropped for it is told
 * list_learn.c  what is known there becomes known here
 */
#ifndef IO_WATCH_LIST_RUN_H
#define IO_WATCH_LIST_RUN_H

#include "core/address/addr.h"
#include "io/watch/list_inside.h"

#define LIST_CHANGES_MAX   2
#define LIST_TROUBLE_BYTES 500 /* of an ESP's words in a sentence */

enum run_phase {
    RUN_NOTES,
    RUN_READ,
    RUN_FIND,
    RUN_PAST,
    RUN_WORDS,
    RUN_REMOVE,
    RUN_AGAIN,
    RUN_GONE,
    RUN_GONE_AGAIN,
    RUN_DONE
};

struct list_run {
    struct list_way *way;
    struct list_sync_ask *ask; /* NULL: nobody did */
    bool whole, dry, failed;
    enum run_phase phase;
    struct arena arena;
    struct list_entry *entries;
    size_t entry_count, entry_cap;
    struct store_ask notes; /* what is to be looked at: its `listed` */
    bool *seen;             /* of each note: it stood there */
    size_t list, note, at;  /* where the reading, the finding, the judging is */
    struct text next;       /* the page that comes */
    unsigned tries, calls;  /* of this step; that were answered */
    /* the entry at hand */
    struct addr addr;
    struct store_ask past;
    struct store_ask again; /* what was dropped: its `attempts` */
    size_t again_at;
    bool gone; /* it stood there no more: others, or a run before, had taken it off */
    struct mail_news question;
    struct suppression learnt;
    struct list_judgement judgement;
    bool asked_words;
    unsigned strangers; /* whose words were asked for */
    /* what is being written */
    struct store_apply write;
    struct change changes[LIST_CHANGES_MAX];
    struct arena write_arena;
    int64_t mended, learnt_count, left, failures;
};

/* list_run.c */
void list_run_soon(struct list_run *r, enum run_phase next);
const char *list_run_list(const struct list_run *r, const struct list_entry *e); /* its name */
void list_run_problem(struct list_run *r, const char *what, struct text why);
/* The ESP will not, or cannot now: what is noted stays noted. */
void list_run_fail(struct list_run *r, const char *what, struct text why);
void list_run_call(struct list_run *r,
                   enum list_asking what,
                   size_t list,
                   struct text about,
                   void (*done)(struct list_call *c));
/* True: it is over for this step, and *c is to be read. */
bool list_run_answered(struct list_run *r, struct list_call *c, const char *what);
/* Writes the first `count` of r->changes; goes on with `next` when they are durable. */
void list_run_store(struct list_run *r, size_t count, enum run_phase next);
/* In r->write_arena. */
struct change list_run_note(struct list_run *r,
                            struct text address,
                            struct text list,
                            const char *state,
                            struct text cause);

/* list_read.c */
void list_run_ask_notes(struct list_run *r);
void list_run_on_page(struct list_call *c);
void list_run_on_found(struct list_call *c);

/* list_entry.c */
struct list_entry *list_run_entry(struct list_run *r);
const struct esp_listed *list_run_note_of(struct list_run *r); /* NULL: none */
void list_run_report(struct list_run *r);                      /* to who asked */
void list_run_pass(struct list_run *r);                        /* the entry at hand is done with */
/* The note about the address is settled; then the next entry. */
void list_run_settle(struct list_run *r, const char *state);
void list_run_judge(struct list_run *r);
void list_run_on_words(struct list_call *c);
void list_run_settle_gone(struct list_run *r);

/* list_mend.c */
void list_run_on_removed(struct list_call *c);
/* What was dropped for the address at hand; then the next entry, or (gone) the next note. */
void list_run_tell_dropped(struct list_run *r, bool gone);

/* list_learn.c */
void list_run_learn(struct list_run *r);

#endif
