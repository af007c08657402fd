/* prune.c - deletes what is finished and old, a few rows at a time.
 *
 * Notifications go in the order of their ids with a cursor that wraps, so no index is needed to
 * find them; held ones that are older than the rest are stepped over once a round. The last
 * notification of a submission takes it, its key and its body along.
 *
 * Recipients stay for as long as anything of them is stored, or what the planner and the judge
 * remember of them is worth something; then they go with their groups, the last one of a domain
 * with the domain. A few are looked at in each round, so that a million cost nothing to speak of.
 */
#include "io/store/writes.h"

#include "base/macros.h"
#include "core/plan/planner.h"
#include "core/proto/reply.h"

#define STEP_ROWS        256
#define SEEN_KEEP_MS     (14 * TIME_DAY_MS)
#define EVIDENCE_KEEP_MS (400 * TIME_DAY_MS) /* a year's term and what may follow it */

struct victim {
    tide_id id;
    int64_t submission_id, body_id;
    enum notification_state state;
    struct text key, application, collapse_key;
    int64_t recipient_id, group_id;
};

static void prune_notification(struct writing *w, const struct victim *v)
{
    db_run(w->db, Q_LAST_ID_KEEP, DB_VALUES(db_int(v->id)));
    db_run(w->db, Q_PRUNE_NOTIFICATION, DB_VALUES(db_int(v->id)));
    db_run(w->db, Q_GROUP_LESS, DB_VALUES(db_int(v->group_id)));
    w->tally[TALLY_NOTIFICATION + v->state]--;
    if (v->collapse_key.n > 0)
        db_run(w->db, Q_COLLAPSE_DELETE,
               DB_VALUES(db_int(v->recipient_id), db_text(v->application), db_text(v->collapse_key),
                         db_int(v->id)));
    db_run(w->db, Q_SUBMISSION_LESS, DB_VALUES(db_int(v->submission_id)));
    if (db_number(w->db, Q_SUBMISSION_LEFT, DB_VALUES(db_int(v->submission_id)), 1) > 0)
        return;
    db_run(w->db, Q_SUBMISSION_DELETE, DB_VALUES(db_int(v->submission_id)));
    if (v->key.n > 0)
        db_run(w->db, Q_KEY_DELETE, DB_VALUES(db_text(v->application), db_text(v->key)));
    db_run(w->db, Q_BODY_DELETE_LAST, DB_VALUES(db_int(v->body_id)));
    if (sqlite3_changes(w->db->sql) > 0)
        w->tally[TALLY_BODY]--;
    else
        db_run(w->db, Q_BODY_LESS, DB_VALUES(db_int(v->body_id)));
}

/* True: it came to the end of what is old enough. */
static bool prune_notifications(
    struct writing *w, struct prune *p, tide_wall_ms before, bool any_age, size_t *deleted)
{
    struct victim victims[STEP_ROWS];
    struct arena arena = {0};
    size_t seen = 0, n = 0;
    for (sqlite3_stmt *row = db_row(w->db, Q_PRUNE_NEXT,
                                    DB_VALUES(db_int(p->notification_after),
                                              db_int(any_age ? INT64_MAX : id_floor(before + 1)),
                                              db_int(STEP_ROWS)));
         row; row = db_next(w->db, Q_PRUNE_NEXT)) {
        seen++;
        p->notification_after = col_int(row, 0);
        enum notification_state state = (enum notification_state)col_int(row, 2);
        if (notification_is_pending(state) || (!any_age && col_int(row, 3) > before))
            continue;
        victims[n++] = (struct victim){.id = col_int(row, 0),
                                       .submission_id = col_int(row, 1),
                                       .state = state,
                                       .body_id = col_int(row, 4),
                                       .key = col_text(w->db, row, 5, &arena),
                                       .application = col_text(w->db, row, 6, &arena),
                                       .collapse_key = col_text(w->db, row, 7, &arena),
                                       .recipient_id = col_int(row, 8),
                                       .group_id = col_int(row, 9)};
    }
    for (size_t i = 0; i < n; i++)
        prune_notification(w, &victims[i]);
    arena_fini(&arena);
    *deleted += n;
    return seen < STEP_ROWS;
}

static bool prune_attempts(struct writing *w, struct prune *p, tide_wall_ms before, size_t *deleted)
{
    struct {
        tide_id id;
        int64_t state;
        struct text message_id, reply;
    } victims[STEP_ROWS];
    struct arena arena = {0};
    size_t seen = 0, n = 0;
    for (sqlite3_stmt *row = db_row(
             w->db, Q_PRUNE_ATTEMPT_NEXT,
             DB_VALUES(db_int(p->attempt_after), db_int(id_floor(before + 1)), db_int(STEP_ROWS)));
         row; row = db_next(w->db, Q_PRUNE_ATTEMPT_NEXT)) {
        seen++;
        p->attempt_after = col_int(row, 0);
        if (col_int(row, 2) != 0 || col_int(row, 3) > before)
            continue;
        victims[n].id = col_int(row, 0);
        victims[n].state = col_int(row, 1);
        victims[n].message_id = col_text(w->db, row, 4, &arena);
        victims[n++].reply = col_text(w->db, row, 5, &arena);
    }
    for (size_t i = 0; i < n; i++) {
        db_run(w->db, Q_LAST_ID_KEEP, DB_VALUES(db_int(victims[i].id)));
        db_run(w->db, Q_PRUNE_ATTEMPT_ITEMS, DB_VALUES(db_int(victims[i].id)));
        db_run(w->db, Q_PRUNE_ATTEMPT, DB_VALUES(db_int(victims[i].id)));
        name_drop(w, victims[i].message_id, victims[i].id);
        name_drop(w, reply_mail_id(victims[i].reply), victims[i].id);
        w->tally[TALLY_ATTEMPT + victims[i].state]--;
    }
    arena_fini(&arena);
    *deleted += n;
    return seen < STEP_ROWS;
}

/* The newest entry always stays, so that numbers are never given twice. */
static bool prune_journal(struct writing *w, tide_wall_ms before, size_t *deleted)
{
    int64_t seq[STEP_ROWS + 1];
    tide_wall_ms at[STEP_ROWS + 1];
    size_t seen = 0, n = 0;
    for (sqlite3_stmt *row = db_row(w->db, Q_PRUNE_JOURNAL_NEXT, DB_VALUES(db_int(STEP_ROWS + 1)));
         row; row = db_next(w->db, Q_PRUNE_JOURNAL_NEXT), seen++) {
        seq[seen] = col_int(row, 0);
        at[seen] = col_int(row, 1);
    }
    while (n + 1 < seen && at[n] <= before)
        n++;
    if (n > 0)
        db_run(w->db, Q_PRUNE_JOURNAL, DB_VALUES(db_int(seq[n - 1])));
    w->tally[TALLY_JOURNAL] -= (int64_t)n;
    *deleted += n;
    return n < STEP_ROWS;
}

/* News comes again within days; evidence and entries that are over still count for months
 * (core/outcome/suppress.h), and are kept for longer than that. */
static void prune_evidence(struct writing *w, tide_wall_ms before)
{
    struct values bound = DB_VALUES(db_int(TIDE_MIN(before, w->now - EVIDENCE_KEEP_MS)));
    db_run(w->db, Q_NEWS_SEEN_PRUNE, DB_VALUES(db_int(TIDE_MIN(before, w->now - SEEN_KEEP_MS))));
    db_run(w->db, Q_FINDING_PRUNE, bound);
    db_run(w->db, Q_SUPPRESSED_PRUNE, bound);
}

/* True: nothing more of them is to be done in this round. */
static bool prune_recipients(struct writing *w, struct prune *p, size_t *deleted)
{
    struct {
        int64_t id, domain_id;
    } victims[STEP_ROWS];
    size_t seen = 0, n = 0;
    for (sqlite3_stmt *row = db_row(w->db, Q_PRUNE_RECIPIENT_NEXT,
                                    DB_VALUES(db_int(p->recipient_after), db_int(STEP_ROWS)));
         row; row = db_next(w->db, Q_PRUNE_RECIPIENT_NEXT)) {
        seen++;
        p->recipient_after = col_int(row, 0);
        if (col_int(row, 4) != 0 || col_int(row, 3) > w->now - EVIDENCE_KEEP_MS ||
            !plan_recipient_is_spent(col_borrow(row, 2), w->now))
            continue;
        victims[n].id = col_int(row, 0);
        victims[n++].domain_id = col_int(row, 1);
    }
    for (size_t i = 0; i < n; i++) {
        struct values id = DB_VALUES(db_int(victims[i].id));
        struct values domain = DB_VALUES(db_int(victims[i].domain_id));
        db_run(w->db, Q_PRUNE_COLLAPSE, id);
        db_run(w->db, Q_PRUNE_GROUPS, id);
        db_run(w->db, Q_PRUNE_RECIPIENT, id);
        db_run(w->db, Q_DOMAIN_LESS, domain);
        db_run(w->db, Q_PRUNE_DOMAIN, domain);
        w->tally[TALLY_RECIPIENT]--;
    }
    if (seen < STEP_ROWS)
        p->recipient_after = 0;
    *deleted += n;
    return n == 0 || seen < STEP_ROWS;
}

bool prune_write(struct writing *w, struct prune *p, tide_wall_ms before, bool any_age)
{
    size_t deleted = 0;
    bool ever = before > 0; /* else what is remembered of recipients is kept for ever */
    bool end = prune_notifications(w, p, before, any_age, &deleted);
    /* For room, what belongs to the notifications just deleted goes too, and nothing younger. */
    if (any_age && p->notification_after > 0)
        before = TIDE_MAX(before, id_time(p->notification_after));
    end &= prune_attempts(w, p, before, &deleted);
    end &= prune_journal(w, before, &deleted);
    if (end && ever)
        end = prune_recipients(w, p, &deleted);
    p->deleted += deleted;
    if (!end)
        return false;
    db_run(w->db, Q_LETTERS_PRUNE, DB_VALUES(db_int(before)));
    prune_evidence(w, before);
    p->found_nothing = p->deleted == 0;
    p->notification_after = p->attempt_after = 0;
    p->deleted = 0;
    return true;
}
