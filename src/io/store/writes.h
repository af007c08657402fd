/* writes.h - what each kind of request writes, inside a transaction that the writer opened.
 *
 * Every function is one unit: what it finds wrong before it wrote anything it answers by name; any
 * other failure sticks in struct db, and the writer undoes the transaction. Outputs of the request
 * are set; on failure they mean nothing.
 *
 * Owns      nothing. Texts that go out are copied into the request's arena.
 * Threads   the writer's.
 */
#ifndef IO_STORE_WRITES_H
#define IO_STORE_WRITES_H

#include "io/store/rows.h"

/* The ids that an accept gives become visible in its items by accept_publish(), after the commit:
 * when a transaction is undone and tried again, the caller's own ids must still be there. */
void accept_write(struct writing *w, struct store_accept *req);
void accept_publish(struct store_accept *req);

/* Finds or makes a recipient's row. True: it is new, or the transaction has failed. */
bool recipient_need(struct writing *w,
                    const struct submission_recipient *to,
                    struct arena *arena,
                    struct recipient_state *ret);

void apply_write(struct writing *w, struct store_apply *req);
void claim_write(struct writing *w, struct store_claim *req);
void drop_write(struct writing *w, struct store_drop *req);

/* names.c: what else an attempt is called; "" is passed over. */
void name_add(struct writing *w, struct text name, tide_id attempt_id);
void name_drop(struct writing *w, struct text name, tide_id attempt_id);

/* One change; `touched` (may be NULL) collects the groups whose pending notifications changed. */
struct touched {
    struct group_pending *groups;
    size_t count, cap;
};
void change_write(struct writing *w,
                  const struct change *c,
                  tide_wall_ms at,
                  struct touched *touched);
void touched_add(struct touched *t, const struct group *g);
/* The notifications of an attempt that query `which` names, `most` at the most; gives how many. */
size_t attempt_members(struct writing *w,
                       enum query which,
                       tide_id attempt_id,
                       size_t most,
                       struct arena *arena,
                       tide_id **ret);
/* All of one group. */
void members_move(struct writing *w,
                  const tide_id *ids,
                  size_t count,
                  const struct move *move,
                  struct touched *touched);
/* Ends a change of a group: its books, and who wants to know of it. */
void group_settle(struct writing *w, struct group *g, struct touched *touched);

/* news.c: what is told later of an attempt, and what follows from it. */
void news_write(struct writing *w,
                const struct change *c,
                tide_wall_ms at,
                struct touched *touched);
void suppression_write(struct writing *w, const struct suppression *s);
void suppression_lift(struct writing *w, const struct suppression *s);
void finding_write(struct writing *w, const struct change *c);
void esp_list_write(struct writing *w, const struct esp_listed *l);

/* Deletes a few rows of what is finished and was last changed up to `before`; with `any_age` the
 * oldest finished ones whatever their age. True: a round through all is over. */
struct prune {
    tide_id notification_after, attempt_after; /* where the next step goes on */
    int64_t recipient_after;                   /* alike; a round goes on where the last one ended */
    size_t deleted;                            /* in this round */
    bool found_nothing;                        /* the last whole round had nothing to delete */
};
bool prune_write(struct writing *w, struct prune *p, tide_wall_ms before, bool any_age);

#endif
