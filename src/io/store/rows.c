#include "io/store/rows.h"

#include "base/log.h"
#include "base/macros.h"

#include <assert.h>
#include <inttypes.h>

void tally_reset(struct writing *w)
{
    memset(w->tally, 0, sizeof w->tally);
    memset(w->domains, 0, sizeof w->domains);
}

static void flush_domain(struct writing *w, const struct domain_more *d)
{
    if (d->recipients != 0)
        db_run(w->db, Q_DOMAIN_MORE, DB_VALUES(db_int(d->domain_id), db_int(d->recipients)));
}

void tally_domain(struct writing *w, int64_t domain_id)
{
    struct domain_more *d = &w->domains[(uint64_t)domain_id % DOMAINS_COUNTED];
    if (d->domain_id != domain_id) {
        flush_domain(w, d);
        *d = (struct domain_more){.domain_id = domain_id};
    }
    d->recipients++;
}

void tally_flush(struct writing *w)
{
    for (int i = 0; i < DOMAINS_COUNTED; i++)
        flush_domain(w, &w->domains[i]);
    for (int i = 0; i < TALLY_COUNT; i++)
        if (w->tally[i] != 0)
            db_run(w->db, Q_TALLY_ADD, DB_VALUES(db_int(i), db_int(w->tally[i])));
    tally_reset(w);
}

void journal_add(struct writing *w, const struct journal_entry *e)
{
    db_run(w->db, Q_JOURNAL_ADD,
           DB_VALUES(db_int(e->at), db_int(e->recipient_id), db_int(e->notification_id),
                     db_int(e->attempt_id), db_text(e->event), db_text(e->sentence),
                     db_text(e->detail), db_int(e->group_id)));
    w->tally[TALLY_JOURNAL]++;
}

/* -- Rows ---------------------------------------------------------------------------------------
 */

void rows_group(sqlite3_stmt *row, int from, struct group *ret)
{
    int64_t v[GROUP_COLUMN_COUNT];
    for (int i = 0; i < GROUP_COLUMN_COUNT; i++)
        v[i] = col_int(row, from + i);
    *ret = (struct group){.pending = {.group_id = v[0],
                                      .recipient_id = v[1],
                                      .urgent = (uint32_t)v[2],
                                      .single = (uint32_t)v[3],
                                      .digestible = (uint32_t)v[4],
                                      .oldest_at = v[5],
                                      .deadline_at = v[6],
                                      .not_before = v[7]},
                          .fresh = v[8],
                          .releasing = v[9],
                          .due_at = v[10],
                          .hold = v[11],
                          .hold_due_at = v[12],
                          .notifications = v[13]};
}

void rows_recipient(
    struct db *db, sqlite3_stmt *row, int from, struct arena *a, struct recipient_state *ret)
{
    *ret = (struct recipient_state){
        .id = col_int(row, from),
        .address = col_text(db, row, from + 1, a),
        .domain = col_text(db, row, from + 2, a),
        .plan = col_text(db, row, from + 3, a),
        .verdict = {.kind = (enum verdict_kind)col_int(row, from + 4),
                    .provider = col_text(db, row, from + 5, a),
                    .gateway = col_text(db, row, from + 6, a),
                    .reason = col_text(db, row, from + 7, a),
                    .evidence = col_text(db, row, from + 8, a),
                    .found_at = col_int(row, from + 9),
                    .valid_until = col_int(row, from + 10),
                    .provider_likely = col_int(row, from + 11) != 0},
        .suppressed = col_text(db, row, from + 12, a),
    };
}

void rows_notification(struct db *db, sqlite3_stmt *row, struct arena *a, struct notification *ret)
{
    int i = 0, class;
    struct notification n = {0};
    n.id = col_int(row, i++);
    n.recipient_id = col_int(row, i++);
    n.group_id = col_int(row, i++);
    n.state = (enum notification_state)col_int(row, i++);
    struct text *const texts[] = {
        &n.application, &n.stream,   &n.recipient, &n.recipient_normal, &n.domain,
        &n.sender,      &n.identity, &n.subject,   &n.message_id,       &n.thread,
        &n.key,         &n.envid,    &n.ret,       &n.notify,           &n.orcpt,
        &n.item.title,  &n.item.url, &n.item.text, &n.item.icon,
    };
    for (size_t t = 0; t < TIDE_COUNT(texts); t++)
        *texts[t] = col_text(db, row, i++, a);
    n.accepted_at = col_int(row, i++);
    n.not_before = col_int(row, i++);
    n.deadline_at = col_int(row, i++);
    n.priority = (int)col_int(row, i++);
    class = (int)col_int(row, i++);
    n.urgent = class == CLASS_URGENT;
    n.digestible = class == CLASS_DIGESTIBLE;
    n.drop_late = col_int(row, i++) != 0;
    n.changed_at = col_int(row, i++);
    n.due_at = col_int(row, i++);
    n.reason = col_text(db, row, i++, a);
    n.limit = col_text(db, row, i++, a);
    n.attempt_id = col_int(row, i++);
    n.attempts = (int)col_int(row, i++);
    n.metadata = col_text(db, row, i++, a);
    n.collapse_key = col_text(db, row, i++, a);
    assert(i == NOTIFICATION_COLUMN_COUNT);
    *ret = n;
}

void rows_attempt(struct db *db, sqlite3_stmt *row, struct arena *a, struct attempt *ret)
{
    *ret = (struct attempt){
        .id = col_int(row, 0),
        .recipient_id = col_int(row, 1),
        .group_id = col_int(row, 2),
        .account = col_text(db, row, 3, a),
        .provider = col_text(db, row, 4, a),
        .stream = col_text(db, row, 5, a),
        .message_id = col_text(db, row, 6, a),
        .sender = col_text(db, row, 7, a),
        .state = (enum attempt_state)col_int(row, 8),
        .digest = col_int(row, 9) != 0,
        .retry_of_unknown = col_int(row, 10) != 0,
        .notification_count = (int)col_int(row, 11),
        .started_at = col_int(row, 12),
        .ended_at = col_int(row, 13),
        .reply = col_text(db, row, 14, a),
        .news = (enum news_kind)col_int(row, 15),
        .news_at = col_int(row, 16),
    };
}

void rows_suppression(struct db *db, sqlite3_stmt *row, struct arena *a, struct suppression *ret)
{
    *ret = (struct suppression){
        .address = col_text(db, row, 0, a),
        .scope = col_text(db, row, 1, a),
        .pause = col_int(row, 3) != 0,
        .evidence = col_text(db, row, 4, a),
        .rule = col_text(db, row, 5, a),
        .account = col_text(db, row, 6, a),
        .by = col_text(db, row, 7, a),
        .attempt_id = col_int(row, 8),
        .at = col_int(row, 9),
        .expires_at = col_int(row, 10),
        .lifted_at = col_int(row, 11),
        .times = (int)col_int(row, 12),
    };
    if (!suppression_cause_of(col_borrow(row, 2), &ret->cause))
        ret->cause = SUPPRESSION_MANUAL; /* of a newer mailtide */
}

void rows_journal(struct db *db, sqlite3_stmt *row, struct arena *a, struct journal_entry *ret)
{
    *ret = (struct journal_entry){
        .seq = col_int(row, 0),
        .at = col_int(row, 1),
        .recipient_id = col_int(row, 2),
        .notification_id = col_int(row, 3),
        .attempt_id = col_int(row, 4),
        .event = col_text(db, row, 5, a),
        .sentence = col_text(db, row, 6, a),
        .detail = col_text(db, row, 7, a),
        .group_id = col_int(row, 8),
    };
}

bool notification_get(struct db *db, tide_id id, struct arena *a, struct notification *ret)
{
    sqlite3_stmt *row = db_row(db, Q_NOTIFICATION_GET, DB_VALUES(db_int(id)));
    if (row)
        rows_notification(db, row, a, ret);
    return row != NULL;
}

bool recipient_find(struct db *db,
                    struct text address,
                    tide_wall_ms now,
                    struct arena *a,
                    struct recipient_state *ret)
{
    sqlite3_stmt *row = db_row(db, Q_RECIPIENT_FIND, DB_VALUES(db_int(now), db_text(address)));
    if (row)
        rows_recipient(db, row, 0, a, ret);
    return row != NULL;
}

/* -- A group's books ----------------------------------------------------------------------------
 */

bool group_get(struct db *db, int64_t id, struct group *ret)
{
    sqlite3_stmt *row = db_row(db, Q_GROUP_GET, DB_VALUES(db_int(id)));
    if (row)
        rows_group(row, 0, ret);
    return row != NULL;
}

bool group_is_empty(const struct group *g)
{
    return g->pending.urgent == 0 && g->pending.single == 0 && g->pending.digestible == 0;
}

static uint32_t *counter_of(struct group *g, int class)
{
    return class == CLASS_URGENT   ? &g->pending.urgent
           : class == CLASS_SINGLE ? &g->pending.single
                                   : &g->pending.digestible;
}

static void take_least(tide_wall_ms *least, tide_wall_ms at)
{
    if (at > 0 && (*least == 0 || at < *least))
        *least = at;
}

void group_add(struct writing *w, struct group *g, const struct member *m)
{
    w->tally[TALLY_NOTIFICATION + m->state]++;
    if (m->state == NOTIFICATION_RELEASING)
        g->releasing++;
    if (m->state > NOTIFICATION_HELD)
        return;
    ++*counter_of(g, m->class);
    g->fresh += m->state == NOTIFICATION_ACCEPTED;
    take_least(&g->pending.oldest_at, m->accepted_at);
    take_least(&g->pending.deadline_at, m->deadline_at);
    if (m->not_before > w->now)
        take_least(&g->pending.not_before, m->not_before);
}

void group_take(struct writing *w, struct group *g, const struct member *m)
{
    w->tally[TALLY_NOTIFICATION + m->state]--;
    if (m->state == NOTIFICATION_RELEASING)
        g->releasing--;
    if (m->state > NOTIFICATION_HELD)
        return;
    --*counter_of(g, m->class);
    g->fresh -= m->state == NOTIFICATION_ACCEPTED;
    g->recount |= m->accepted_at <= g->pending.oldest_at ||
                  (m->deadline_at > 0 && m->deadline_at <= g->pending.deadline_at) ||
                  (m->not_before > 0 && m->not_before <= g->pending.not_before);
}

static void count_least(struct writing *w, struct group *g)
{
    struct group_pending *p = &g->pending;
    p->oldest_at = p->deadline_at = p->not_before = 0;
    g->recount = false;
    if (group_is_empty(g))
        return;
    sqlite3_stmt *row =
        db_row(w->db, Q_GROUP_LEAST, DB_VALUES(db_int(p->group_id), db_int(w->now)));
    if (row) {
        p->oldest_at = col_int(row, 0);
        p->deadline_at = col_int(row, 1);
        p->not_before = col_int(row, 2);
    }
}

void group_put(struct writing *w, struct group *g)
{
    if (g->recount)
        count_least(w, g);
    if (group_is_empty(g))
        g->due_at = 0;
    const struct group_pending *p = &g->pending;
    db_run(w->db, Q_GROUP_PUT,
           DB_VALUES(db_int(p->group_id), db_int(p->urgent), db_int(p->single),
                     db_int(p->digestible), db_int(p->oldest_at), db_int(p->deadline_at),
                     db_int(p->not_before), db_int(g->fresh), db_int(g->releasing),
                     db_int(g->due_at), db_int(g->notifications)));
}

void group_hold(struct writing *w,
                int64_t group_id,
                struct text reason,
                struct text limit,
                tide_wall_ms due_at,
                tide_wall_ms at)
{
    struct group g;
    if (!group_get(w->db, group_id, &g) || group_is_empty(&g))
        return;
    w->tally[TALLY_NOTIFICATION + NOTIFICATION_ACCEPTED] -= g.fresh;
    w->tally[TALLY_NOTIFICATION + NOTIFICATION_HELD] += g.fresh;
    db_run(
        w->db, Q_GROUP_HOLD,
        DB_VALUES(db_int(group_id), db_int(due_at), db_int(at), db_text(reason), db_text(limit)));
}

bool member_get(struct db *db, tide_id id, struct member *ret, struct group *g)
{
    sqlite3_stmt *row = db_row(db, Q_MEMBER_GET, DB_VALUES(db_int(id)));
    if (!row)
        return false;
    struct member m = {.id = id,
                       .group_id = col_int(row, 0),
                       .state = (enum notification_state)col_int(row, 1),
                       .class = (int)col_int(row, 2),
                       .accepted_at = col_int(row, 3),
                       .deadline_at = col_int(row, 4),
                       .not_before = col_int(row, 5),
                       .hold = col_int(row, 6)};
    if (g->pending.group_id != m.group_id && !group_get(db, m.group_id, g)) {
        db_fail(db, TIDE_ECORRUPT, "database %s: notification %" PRId64 " has no group", db->path,
                id);
        return false;
    }
    if (m.state == NOTIFICATION_ACCEPTED && m.hold != g->hold)
        m.state = NOTIFICATION_HELD;
    *ret = m;
    return true;
}

/* -- States -------------------------------------------------------------------------------------
 */

#define TO(s)    (1u << NOTIFICATION_##s)
#define ANYWHERE (TO(ACCEPTED) | TO(HELD) | TO(RELEASING) | FATES)
#define FATES                                                                              \
    (TO(SENT) | TO(DELIVERED) | TO(BOUNCED) | TO(COMPLAINED) | TO(REFUSED) | TO(EXPIRED) | \
     TO(CANCELLED))

/* Bounces come late, complaints later, and news of one mail in any order; but what never left the
 * house stays there, and what left it is not held again. */
static const unsigned moves[] = {
    [NOTIFICATION_ACCEPTED] = ANYWHERE,
    [NOTIFICATION_HELD] = ANYWHERE,
    [NOTIFICATION_RELEASING] = ANYWHERE,
    [NOTIFICATION_SENT] = TO(DELIVERED) | TO(BOUNCED) | TO(COMPLAINED),
    [NOTIFICATION_DELIVERED] = TO(BOUNCED) | TO(COMPLAINED),
    [NOTIFICATION_BOUNCED] = TO(DELIVERED) | TO(COMPLAINED),
    [NOTIFICATION_COMPLAINED] = 0,
    [NOTIFICATION_REFUSED] = 0,
    [NOTIFICATION_EXPIRED] = 0,
    [NOTIFICATION_CANCELLED] = 0,
};

/* A group is planned at once while one of its notifications was never planned, else it is due
 * when the earliest hold ends. */
static void due_with(struct group *g, bool alone, tide_wall_ms due_at)
{
    if (alone)
        g->due_at = due_at;
    else if (g->fresh > 0)
        g->due_at = 0;
    else if (g->due_at == 0)
        g->due_at = g->hold_due_at > 0 ? TIDE_MIN(g->hold_due_at, due_at) : due_at;
    else
        g->due_at = TIDE_MIN(g->due_at, due_at);
}

bool member_move(struct writing *w,
                 struct group *g,
                 const struct member *m,
                 const struct move *move)
{
    bool again =
        move->next == NOTIFICATION_HELD && ((move->again && m->state == NOTIFICATION_SENT) ||
                                            (move->undone && m->state == NOTIFICATION_BOUNCED));
    if ((size_t)m->state >= TIDE_COUNT(moves) ||
        (!again && (moves[m->state] & 1u << move->next) == 0)) {
        char id[ID_TEXT_BYTES];
        log_debug("store.second_fate", "notification=%s state=%s refused=%s", id_text(m->id, id),
                  notification_state_name(m->state), notification_state_name(move->next));
        return false;
    }
    db_run(w->db, Q_NOTIFICATION_PUT,
           DB_VALUES(db_int(m->id), db_int(move->next), db_int(g->hold), db_int(move->at),
                     db_int(move->due_at), db_text(move->reason), db_text(move->limit)));
    struct member next = *m;
    next.state = move->next;
    next.hold = g->hold;
    bool recount = g->recount;
    group_take(w, g, m);
    bool alone = group_is_empty(g);
    group_add(w, g, &next);
    if (notification_is_pending(next.state) && next.state != NOTIFICATION_RELEASING)
        g->recount = recount; /* it is still there */
    if (next.state == NOTIFICATION_HELD)
        due_with(g, alone, move->due_at);
    return true;
}
