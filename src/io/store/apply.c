/* apply.c - decisions of the gate become rows, and pending notifications are dropped. */
#include "io/store/writes.h"

#include "base/log.h"
#include "core/proto/reply.h"

#include <inttypes.h>

void touched_add(struct touched *t, const struct group *g)
{
    for (size_t i = t->count; i-- > 0;)
        if (t->groups[i].group_id == g->pending.group_id) {
            t->groups[i] = g->pending;
            return;
        }
    if (t->count < t->cap)
        t->groups[t->count++] = g->pending;
}

void group_settle(struct writing *w, struct group *g, struct touched *touched)
{
    group_put(w, g);
    if (touched)
        touched_add(touched, g);
}

static void change_notification(struct writing *w,
                                const struct change *c,
                                tide_wall_ms at,
                                struct touched *touched)
{
    struct group g = {0};
    struct member m;
    struct move move = {.next = c->notification.state,
                        .reason = c->notification.reason,
                        .limit = c->notification.limit,
                        .due_at = c->notification.due_at,
                        .at = at};
    if (!member_get(w->db, c->notification.id, &m, &g))
        return;
    /* In flight and out of it goes only with an attempt: else one could be released twice. */
    bool flies = m.state == NOTIFICATION_RELEASING && notification_is_pending(move.next);
    if (!flies && move.next != NOTIFICATION_RELEASING && member_move(w, &g, &m, &move))
        group_settle(w, &g, touched);
}

size_t attempt_members(struct writing *w,
                       enum query which,
                       tide_id attempt_id,
                       size_t most,
                       struct arena *arena,
                       tide_id **ret)
{
    size_t n = 0;
    *ret = db_array(w->db, arena, most + 1, sizeof **ret);
    for (sqlite3_stmt *row = db_row(w->db, which, DB_VALUES(db_int(attempt_id))); row && *ret;
         row = db_next(w->db, which))
        if (n < most)
            (*ret)[n++] = col_int(row, 0);
    return n;
}

void members_move(struct writing *w,
                  const tide_id *ids,
                  size_t count,
                  const struct move *move,
                  struct touched *touched)
{
    struct group g = {0};
    bool moved = false;
    for (size_t i = 0; i < count; i++) {
        struct member m;
        if (member_get(w->db, ids[i], &m, &g))
            moved |= member_move(w, &g, &m, move);
    }
    if (moved)
        group_settle(w, &g, touched);
}

static void change_attempt(struct writing *w,
                           const struct change *c,
                           tide_wall_ms at,
                           struct touched *touched)
{
    sqlite3_stmt *row = db_row(w->db, Q_ATTEMPT_GET, DB_VALUES(db_int(c->attempt.id)));
    if (!row)
        return;
    int64_t state = col_int(row, 8), count = col_int(row, 11);
    bool stays = c->attempt.then == NOTIFICATION_RELEASING;
    w->tally[TALLY_ATTEMPT + state]--;
    w->tally[TALLY_ATTEMPT + c->attempt.state]++;
    struct arena arena = {0};
    tide_id *ids;
    size_t n = attempt_members(w, Q_ATTEMPT_RELEASING, c->attempt.id, (size_t)count, &arena, &ids);
    db_run(w->db, Q_ATTEMPT_END,
           DB_VALUES(db_int(c->attempt.id), db_int(c->attempt.state), db_text(c->attempt.reply),
                     db_int(c->attempt.ended_at), db_int(stays && n > 0)));
    if (c->attempt.state == ATTEMPT_ACCEPTED)
        name_add(w, reply_mail_id(c->attempt.reply), c->attempt.id);
    struct move move = {.next = c->attempt.then,
                        .reason = c->attempt.reason,
                        .limit = c->attempt.limit,
                        .due_at = c->attempt.due_at,
                        .at = at};
    if (!stays)
        members_move(w, ids, n, &move, touched);
    arena_fini(&arena);
}

static void change_verdict(struct writing *w, const struct change *c)
{
    const struct verdict *v = &c->verdict.verdict;
    db_run(w->db, Q_VERDICT_PUT,
           DB_VALUES(db_text(c->verdict.domain), db_int(v->kind), db_text(v->provider),
                     db_text(v->gateway), db_text(v->reason), db_text(v->evidence),
                     db_int(v->found_at), db_int(v->valid_until), db_int(v->provider_likely)));
}

static void letter_write(struct writing *w, const struct webhook_letter *l)
{
    db_run(w->db, Q_LETTER_PUT,
           DB_VALUES(db_text(l->application), db_int(l->seq), db_text(l->event_id),
                     db_text(l->type), db_int(l->tries), db_int(l->first_at), db_int(l->tried_at),
                     db_int(l->next_at), db_text(l->error), db_text(l->body)));
}

static void change_learned(struct writing *w, const struct change *c)
{
    const struct submission_recipient to = {.normal = c->learned.address,
                                            .domain = c->learned.domain};
    struct arena arena = {0};
    struct buf plan = {0};
    struct recipient_state r;
    (void)recipient_need(w, &to, &arena, &r);
    bool taken = w->db->rc == TIDE_OK && c->learned.merge(r.plan, c->learned.learnt, &plan);
    if (taken && plan.failed != TIDE_OK)
        db_fail(w->db, TIDE_ENOMEM, "out of memory for a recipient's plan");
    else if (taken)
        db_run(w->db, Q_RECIPIENT_PLAN, DB_VALUES(db_int(r.id), db_blob(buf_text(&plan))));
    if (c->learned.taken)
        *c->learned.taken = taken;
    buf_fini(&plan);
    arena_fini(&arena);
}

static void change_ledger(struct writing *w, const struct ledger_blob *l)
{
    if (l->blob.n)
        db_run(w->db, Q_LEDGER_PUT, DB_VALUES(db_text(l->subject), db_blob(l->blob)));
    else
        db_run(w->db, Q_LEDGER_DROP, DB_VALUES(db_text(l->subject)));
}

static void change_sender(struct writing *w, const struct sender_record *s)
{
    db_run(w->db, Q_SENDER_PUT,
           DB_VALUES(db_text(s->domain), db_text(s->account), db_int(s->seen_at),
                     db_int(s->checked_at), db_int(s->passed_at), db_text(s->held),
                     db_text(s->report)));
}

static void letter_taken(struct writing *w, const struct webhook_letter *l)
{
    db_run(w->db, Q_LETTER_DELETE, DB_VALUES(db_text(l->application), db_int(l->seq)));
}

static void letters_again(struct writing *w, const struct webhook_letter *l)
{
    db_run(w->db, Q_LETTERS_AGAIN,
           DB_VALUES(db_text(l->application), db_int(l->seq), db_int(l->next_at)));
}

static void letters_soon(struct writing *w, const struct webhook_letter *l)
{
    db_run(w->db, Q_LETTERS_SOON, DB_VALUES(db_text(l->application), db_int(l->next_at)));
}

void change_write(struct writing *w,
                  const struct change *c,
                  tide_wall_ms at,
                  struct touched *touched)
{
    switch (c->type) {
    case CHANGE_NOTIFICATION:
        change_notification(w, c, at, touched);
        break;
    case CHANGE_GROUP_HELD:
        group_hold(w, c->notification.group_id, c->notification.reason, c->notification.limit,
                   c->notification.due_at, at);
        break;
    case CHANGE_RECIPIENT:
        db_run(w->db, Q_RECIPIENT_PLAN,
               DB_VALUES(db_int(c->recipient.id), db_blob(c->recipient.plan)));
        break;
    case CHANGE_LEDGER:
        change_ledger(w, &c->ledger);
        break;
    case CHANGE_ATTEMPT:
        change_attempt(w, c, at, touched);
        break;
    case CHANGE_JOURNAL:
        journal_add(w, &c->journal);
        break;
    case CHANGE_VERDICT:
        change_verdict(w, c);
        break;
    case CHANGE_SUPPRESS:
        suppression_write(w, &c->suppress);
        break;
    case CHANGE_UNSUPPRESS:
        suppression_lift(w, &c->suppress);
        break;
    case CHANGE_NEWS:
        news_write(w, c, at, touched);
        break;
    case CHANGE_NEWS_SEEN:
        db_run(w->db, Q_NEWS_SEEN_ADD,
               DB_VALUES(db_text(c->news_seen.key), db_int(c->news_seen.at)));
        break;
    case CHANGE_FINDING:
        finding_write(w, c);
        break;
    case CHANGE_ESP_LIST:
        esp_list_write(w, &c->esp_list);
        break;
    case CHANGE_SENDER:
        change_sender(w, &c->sender);
        break;
    case CHANGE_SENDER_GONE:
        db_run(w->db, Q_SENDER_DELETE,
               DB_VALUES(db_text(c->sender.domain), db_text(c->sender.account)));
        break;
    case CHANGE_LEARNED:
        change_learned(w, c);
        break;
    case CHANGE_WEBHOOK_CURSOR:
        db_run(w->db, Q_WEBHOOK_PUT,
               DB_VALUES(db_text(c->webhook.application), db_int(c->webhook.cursor)));
        break;
    case CHANGE_LETTER:
        letter_write(w, &c->letter);
        break;
    case CHANGE_LETTER_TAKEN:
        letter_taken(w, &c->letter);
        break;
    case CHANGE_LETTERS_AGAIN:
        letters_again(w, &c->letter);
        break;
    case CHANGE_LETTERS_SOON:
        letters_soon(w, &c->letter);
        break;
    }
}

void apply_write(struct writing *w, struct store_apply *req)
{
    struct touched touched = {0};
    for (size_t i = 0; i < req->count; i++)
        touched.cap += req->changes[i].type == CHANGE_NOTIFICATION ||
                       req->changes[i].type == CHANGE_ATTEMPT ||
                       req->changes[i].type == CHANGE_NEWS;
    if (touched.cap > 0)
        touched.groups = db_array(w->db, &req->arena, touched.cap, sizeof *touched.groups);
    for (size_t i = 0; i < req->count && w->db->rc == TIDE_OK; i++)
        change_write(w, &req->changes[i], req->at, &touched);
    req->groups = touched.groups;
    req->group_count = touched.count;
}

/* -- Drop ---------------------------------------------------------------------------------------
 */

/* What is being dropped, over one or many groups. */
struct dropping {
    struct store_drop *req;
    struct touched touched;
    size_t cap;
};

static void drop_one(struct writing *w, struct dropping *d, tide_id id, struct group *g)
{
    struct store_drop *req = d->req;
    struct member m;
    struct notification n;
    struct move move = {.next = req->then, .reason = req->reason, .at = req->at};
    if (!member_get(w->db, id, &m, g) || !member_move(w, g, &m, &move) ||
        !notification_get(w->db, id, &req->arena, &n))
        return;
    if (req->dropped_count == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 16;
        struct notification *more = db_array(w->db, &req->arena, cap, sizeof *more);
        if (!more)
            return;
        if (req->dropped_count > 0)
            memcpy(more, req->dropped, req->dropped_count * sizeof *more);
        req->dropped = more;
        d->cap = cap;
    }
    req->dropped[req->dropped_count++] = n;
    journal_add(w, &(struct journal_entry){.at = req->at,
                                           .recipient_id = g->pending.recipient_id,
                                           .group_id = g->pending.group_id,
                                           .notification_id = id,
                                           .event = text_of(notification_state_name(req->then)),
                                           .sentence = req->reason,
                                           .detail = req->detail});
}

static void drop_group(struct writing *w,
                       struct dropping *d,
                       int64_t group_id,
                       tide_wall_ms late_at)
{
    struct group g;
    if (!group_get(w->db, group_id, &g))
        return;
    touched_add(&d->touched, &g);
    if (group_is_empty(&g))
        return;
    enum query q = late_at > 0 ? Q_DROP_LATE : Q_DROP_ALL;
    struct arena arena = {0};
    size_t most = (size_t)g.pending.urgent + g.pending.single + g.pending.digestible, n = 0;
    tide_id *ids = db_array(w->db, &arena, most, sizeof *ids);
    for (sqlite3_stmt *row =
             late_at > 0
                 ? db_row(w->db, q, DB_VALUES(db_int(group_id), db_int(late_at)))
                 : db_row(w->db, q, DB_VALUES(db_int(group_id), db_text(d->req->without_streams)));
         row && ids; row = db_next(w->db, q))
        if (n < most)
            ids[n++] = col_int(row, 0);
    for (size_t i = 0; i < n; i++)
        drop_one(w, d, ids[i], &g);
    if (n > 0)
        group_settle(w, &g, &d->touched);
    arena_fini(&arena);
}

static void drop_by_id(struct writing *w, struct dropping *d, tide_id id)
{
    struct group g = {0};
    struct member m;
    char text[ID_TEXT_BYTES];
    if (!member_get(w->db, id, &m, &g)) {
        db_fail(w->db, TIDE_ENOENT, "there is no notification %s", id_text(id, text));
        return;
    }
    if (m.state > NOTIFICATION_HELD) {
        db_fail(w->db, TIDE_ESTATE, "notification %s is %s: only what is held can be dropped",
                id_text(id, text), notification_state_name(m.state));
        return;
    }
    drop_one(w, d, id, &g);
    group_settle(w, &g, &d->touched);
}

#define SIBLINGS_MAX   10000
#define SIBLINGS_APART TIME_MINUTE_MS /* one submission's ids are given at once */

/* Those of one submission that wait still. */
static void drop_whole(struct writing *w, struct dropping *d, tide_id first)
{
    struct arena arena = {0};
    tide_id *ids = db_array(w->db, &arena, SIBLINGS_MAX, sizeof *ids);
    size_t n = 0;
    struct values which =
        DB_VALUES(db_int(first), db_int(id_floor(id_time(first) + SIBLINGS_APART)));
    for (sqlite3_stmt *row = db_row(w->db, Q_DROP_WHOLE, which); row && ids;
         row = db_next(w->db, Q_DROP_WHOLE))
        if (n < SIBLINGS_MAX && col_int(row, 0) != first)
            ids[n++] = col_int(row, 0);
    for (size_t i = 0; i < n; i++) {
        struct group g = {0};
        struct member m;
        if (member_get(w->db, ids[i], &m, &g) && m.state <= NOTIFICATION_HELD)
            drop_by_id(w, d, ids[i]);
    }
    arena_fini(&arena);
}

void drop_write(struct writing *w, struct store_drop *req)
{
    struct arena arena = {0};
    struct dropping d = {.req = req};
    int64_t *groups = NULL;
    size_t n = 0, cap = 1;
    req->dropped = NULL;
    req->dropped_count = 0;
    if (req->id == 0 && req->group_id == 0)
        cap = (size_t)db_number(w->db, Q_GROUPS_OF_COUNT, DB_VALUES(db_int(req->recipient_id)), 0);
    if (req->whole)
        cap = SIBLINGS_MAX;
    d.touched.groups = db_array(w->db, &req->arena, cap + 1, sizeof *d.touched.groups);
    d.touched.cap = cap;
    if (req->id != 0) {
        drop_by_id(w, &d, req->id);
        if (req->whole)
            drop_whole(w, &d, req->id);
    } else if (req->group_id != 0)
        drop_group(w, &d, req->group_id, req->late_at);
    else {
        groups = db_array(w->db, &arena, cap + 1, sizeof *groups);
        for (sqlite3_stmt *row = db_row(w->db, Q_GROUPS_OF, DB_VALUES(db_int(req->recipient_id)));
             row && groups; row = db_next(w->db, Q_GROUPS_OF))
            if (n < cap)
                groups[n++] = col_int(row, 0);
        for (size_t i = 0; i < n; i++)
            drop_group(w, &d, groups[i], 0);
    }
    req->groups = d.touched.groups;
    req->group_count = d.touched.count;
    arena_fini(&arena);
}
