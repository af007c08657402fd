/* news.c - what is told later about a mail: found, and written; suppressions and their evidence. */
#include "io/store/reads.h"
#include "io/store/writes.h"

#define LISTED_MOST   1000 /* that are to be looked at */
#define LISTED_OF_ONE 20

/* -- Finding what news is about ------------------------------------------------------------------
 */

static void read_findings(struct db *db, struct store_ask *req, int64_t recipient_id)
{
    struct recipient_past *past = &req->found.past;
    past->findings = db_array(db, &req->arena, PAST_FINDINGS_MAX, sizeof *past->findings);
    struct values which = DB_VALUES(db_int(recipient_id), db_int(PAST_FINDINGS_MAX));
    for (sqlite3_stmt *row = db_row(db, Q_FINDINGS_OF, which); row && past->findings;
         row = db_next(db, Q_FINDINGS_OF))
        if (past->finding_count < PAST_FINDINGS_MAX)
            past->findings[past->finding_count++] =
                (struct past_finding){.at = col_int(row, 0),
                                      .attempt_id = col_int(row, 1),
                                      .class = col_text(db, row, 2, &req->arena),
                                      .sure = col_int(row, 3) != 0,
                                      .account = col_text(db, row, 4, &req->arena),
                                      .rule = col_text(db, row, 5, &req->arena),
                                      .reply = col_text(db, row, 6, &req->arena)};
}

static void read_suppressions(struct db *db, struct store_ask *req, struct text address)
{
    struct recipient_past *past = &req->found.past;
    past->suppressions =
        db_array(db, &req->arena, PAST_SUPPRESSIONS_MAX, sizeof *past->suppressions);
    struct values which =
        DB_VALUES(db_text(address), db_int(PAST_SUPPRESSIONS_MAX), db_text(req->application));
    for (sqlite3_stmt *row = db_row(db, Q_SUPPRESSIONS_OF, which); row && past->suppressions;
         row = db_next(db, Q_SUPPRESSIONS_OF))
        if (past->suppression_count < PAST_SUPPRESSIONS_MAX)
            rows_suppression(db, row, &req->arena, &past->suppressions[past->suppression_count++]);
}

static void read_past(struct db *db,
                      struct store_ask *req,
                      const struct recipient_state *r,
                      tide_id attempt_id,
                      tide_wall_ms now)
{
    sqlite3_stmt *row = db_row(
        db, Q_PAST_OF, DB_VALUES(db_int(r->id), db_int(attempt_id), db_int(now - TIME_DAY_MS)));
    if (row) {
        req->found.past.delivered_at = col_int(row, 0);
        req->found.past.taken_at = col_int(row, 1);
        req->found.past.taken_today = col_int(row, 2);
    }
    read_findings(db, req, r->id);
}

static bool take_row(struct db *db, struct store_ask *req, sqlite3_stmt *row, struct attempt *ret)
{
    if (row)
        rows_attempt(db, row, &req->arena, ret);
    return row != NULL;
}

/* A mail to many has one Message-ID: without a recipient the name then says nothing. */
static bool find_by_name(struct db *db,
                         struct store_ask *req,
                         struct text name,
                         struct attempt *ret)
{
    int64_t hash = name_hash(db, name);
    struct text recipient = req->news->recipient;
    if (name.n == 0)
        return false;
    if (recipient.n == 0 && db_number(db, Q_NAME_RECIPIENTS, DB_VALUES(db_int(hash)), 0) != 1)
        return false;
    return take_row(db, req, db_row(db, Q_NAME_FIND, DB_VALUES(db_int(hash), db_text(recipient))),
                    ret);
}

#define NEWS_AFTER_MS_MAX (5 * TIME_DAY_MS)     /* queues give up after that (RFC 5321 4.5.4.1) */
#define NEWS_BEFORE_MS    (10 * TIME_MINUTE_MS) /* their clock and ours */

/* The last resort: the last mail to this recipient that was under way then. */
static bool find_by_time(struct db *db,
                         struct store_ask *req,
                         tide_wall_ms now,
                         struct attempt *ret)
{
    const struct mail_news *news = req->news;
    tide_wall_ms at = news->at > 0 ? news->at : now;
    if (news->unproven || news->recipient.n == 0 || news->kind == NEWS_OTHER ||
        news->kind == NEWS_UNSUBSCRIBED || news->kind == NEWS_UNLISTED)
        return false;
    return take_row(db, req,
                    db_row(db, Q_NEWS_LAST_ATTEMPT,
                           DB_VALUES(db_text(news->recipient), db_text(news->account),
                                     db_int(at - NEWS_AFTER_MS_MAX), db_int(at + NEWS_BEFORE_MS))),
                    ret);
}

/* The attempt that the news is about: by our id, by what the mail is called, by its time. */
static bool find_attempt(struct db *db,
                         struct store_ask *req,
                         tide_wall_ms now,
                         struct attempt *ret)
{
    const struct mail_news *news = req->news;
    tide_id id = news->attempt_id;
    if (id != 0 && take_row(db, req, db_row(db, Q_ATTEMPT_GET, DB_VALUES(db_int(id))), ret))
        return true;
    return find_by_name(db, req, news->esp_id, ret) ||
           find_by_name(db, req, news->message_id, ret) || find_by_time(db, req, now, ret);
}

static void read_group(struct db *db, struct store_ask *req, const struct attempt *a)
{
    sqlite3_stmt *row = db_row(db, Q_NEWS_GROUP, DB_VALUES(db_int(a->group_id), db_int(a->id)));
    if (!row)
        return;
    req->found.application = col_text(db, row, 0, &req->arena);
    req->found.identity = col_text(db, row, 1, &req->arena);
    req->found.state = (enum notification_state)col_int(row, 2);
    req->found.newest_at = col_int(row, 3);
}

void news_read(struct db *db, struct store_ask *req, tide_wall_ms now)
{
    const struct mail_news *news = req->news;
    struct attempt *a = db_array(db, &req->arena, 1, sizeof *a);
    struct recipient_state *r = db_array(db, &req->arena, 1, sizeof *r);
    req->found = (struct news_found){0};
    if (!a || !r)
        return;
    req->found.seen = news->key.n > 0 && db_row(db, Q_NEWS_SEEN, DB_VALUES(db_text(news->key)));
    bool of_attempt = find_attempt(db, req, now, a), found;
    if (of_attempt) {
        sqlite3_stmt *row =
            db_row(db, Q_RECIPIENT_GET, DB_VALUES(db_int(now), db_int(a->recipient_id)));
        if (row)
            rows_recipient(db, row, 0, &req->arena, r);
        found = row != NULL;
        req->found.attempt = a;
        read_group(db, req, a);
    } else if (news->unproven)
        return; /* nobody of ours can be meant by it */
    else
        found = recipient_find(db, news->recipient, now, &req->arena, r);
    if (found) {
        req->found.recipient = r;
        read_past(db, req, r, of_attempt ? a->id : 0, now);
    }
    if (found && req->application.n > 0)
        req->count =
            db_number(db, Q_GROUPS_IN, DB_VALUES(db_int(r->id), db_text(req->application)), 0);
    read_suppressions(db, req, found ? r->address : news->recipient);
}

void news_read_listed(struct db *db, struct store_ask *req, struct text address)
{
    size_t most = address.n > 0 ? LISTED_OF_ONE : LISTED_MOST;
    enum query query = address.n > 0 ? Q_ESP_LISTS_OF : Q_ESP_LISTS;
    req->listed = db_array(db, &req->arena, most, sizeof *req->listed);
    struct values which =
        DB_VALUES(db_text(address.n > 0 ? address : req->account), db_int((int64_t)most));
    for (sqlite3_stmt *row = db_row(db, query, which);
         row && req->listed && req->listed_count < most; row = db_next(db, query))
        req->listed[req->listed_count++] =
            (struct esp_listed){.account = col_text(db, row, 0, &req->arena),
                                .address = col_text(db, row, 1, &req->arena),
                                .list = col_text(db, row, 2, &req->arena),
                                .cause = col_text(db, row, 3, &req->arena),
                                .state = col_text(db, row, 4, &req->arena),
                                .since = col_int(row, 5)};
}

/* -- The list of what is suppressed ---------------------------------------------------------------
 */

#define SUPPRESSIONS_MOST 1000

void suppressions_read(struct db *db, struct store_ask *req, tide_wall_ms now)
{
    size_t most = req->most > 0 && req->most < SUPPRESSIONS_MOST ? req->most : SUPPRESSIONS_MOST;
    size_t blank = text_find(req->after, ' '); /* "ADDRESS SCOPE": neither of these holds one */
    req->suppression_count = 0;
    req->suppressions = db_array(db, &req->arena, most, sizeof *req->suppressions);
    struct text causes =
        req->stream.n > 0
            ? text_of(arena_printf(&req->arena, "|" TEXT_FMT "|", TEXT_ARG(req->stream)))
            : TEXT("");
    struct values page = DB_VALUES(
        db_text(text_cut(req->after, 0, blank)),
        db_text(blank < req->after.n ? text_cut(req->after, blank + 1, req->after.n) : TEXT("")),
        db_text(req->recipient), db_text(req->domain), db_text(causes),
        db_int(req->newest ? now : 0), db_int((int64_t)most + 1), db_int((int64_t)req->skip),
        db_text(req->application));
    for (sqlite3_stmt *row = db_row(db, Q_SUPPRESSIONS_PAGE, page); row && req->suppressions;
         row = db_next(db, Q_SUPPRESSIONS_PAGE)) {
        if (req->suppression_count == most) { /* the one too many: there is a next page */
            const struct suppression *last = &req->suppressions[most - 1];
            req->next = text_of(arena_printf(&req->arena, TEXT_FMT " " TEXT_FMT,
                                             TEXT_ARG(last->address), TEXT_ARG(last->scope)));
            break;
        }
        rows_suppression(db, row, &req->arena, &req->suppressions[req->suppression_count++]);
    }
}

/* -- Changes -------------------------------------------------------------------------------------
 */

static void write_fate(struct writing *w,
                       const struct change *c,
                       size_t count,
                       tide_wall_ms at,
                       struct touched *touched)
{
    struct arena arena = {0};
    tide_id *ids;
    size_t n = attempt_members(w, Q_NEWS_ITEMS, c->news.id, count, &arena, &ids);
    struct move move = {.next = c->news.then,
                        .reason = c->news.reason,
                        .limit = c->news.limit,
                        .due_at = c->news.due_at,
                        .at = at,
                        .again = true,
                        .undone = c->news.kind == NEWS_UNLISTED};
    members_move(w, ids, n, &move, touched);
    arena_fini(&arena);
}

void news_write(struct writing *w, const struct change *c, tide_wall_ms at, struct touched *touched)
{
    sqlite3_stmt *row = db_row(w->db, Q_ATTEMPT_GET, DB_VALUES(db_int(c->news.id)));
    if (!row)
        return;
    int64_t recipient_id = col_int(row, 1);
    size_t count = (size_t)col_int(row, 11);
    db_run(w->db, Q_NEWS_NOTE,
           DB_VALUES(db_int(c->news.id), db_int(c->news.kind), db_int(c->news.said_at)));
    if (c->news.kind == NEWS_DELIVERED)
        db_run(w->db, Q_DELIVERED_AT, DB_VALUES(db_int(recipient_id), db_int(c->news.said_at)));
    if (c->news.moves)
        write_fate(w, c, count, at, touched);
}

void suppression_write(struct writing *w, const struct suppression *s)
{
    db_run(w->db, Q_SUPPRESS,
           DB_VALUES(db_text(s->address), db_text(s->scope),
                     db_text(text_of(suppression_cause_name(s->cause))), db_int(s->pause),
                     db_text(s->evidence), db_text(s->rule), db_text(s->account), db_text(s->by),
                     db_int(s->attempt_id), db_int(s->at), db_int(s->expires_at),
                     db_int(s->times)));
}

void suppression_lift(struct writing *w, const struct suppression *s)
{
    db_run(w->db, Q_UNSUPPRESS,
           DB_VALUES(db_text(s->address), db_text(s->scope), db_int(s->lifted_at)));
}

void finding_write(struct writing *w, const struct change *c)
{
    const struct past_finding *f = &c->finding.finding;
    db_run(w->db, Q_FINDING_ADD,
           DB_VALUES(db_int(c->finding.recipient_id), db_int(f->attempt_id), db_text(f->class),
                     db_int(f->at), db_int(f->sure), db_text(f->account), db_text(f->rule),
                     db_text(f->reply)));
}

void esp_list_write(struct writing *w, const struct esp_listed *l)
{
    db_run(w->db, Q_ESP_LIST_PUT,
           DB_VALUES(db_text(l->account), db_text(l->address), db_text(l->list), db_text(l->cause),
                     db_text(l->state), db_int(l->since)));
}
