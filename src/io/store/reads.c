#include "io/store/reads.h"

#include "base/macros.h"
#include "base/map.h"

#include <inttypes.h>

#define LOAD_MOST_MAX 10000
#define ASK_MOST_MAX  10000

/* Of rows wanted, 0 being as many as are given at all. */
static size_t bounded(size_t most, size_t max)
{
    return most == 0 || most > max ? max : most;
}

/* -- Load ---------------------------------------------------------------------------------------
 */

static void load_groups(struct db *db, struct store_load *req, tide_wall_ms now)
{
    size_t most = bounded(req->most, LOAD_MOST_MAX);
    req->groups = db_array(db, &req->arena, most, sizeof *req->groups);
    for (sqlite3_stmt *row =
             db_row(db, Q_LOAD_GROUPS,
                    DB_VALUES(db_int(now), db_int(req->after_group_id), db_int((int64_t)most)));
         row && req->group_count < most; row = db_next(db, Q_LOAD_GROUPS)) {
        struct group g;
        rows_group(row, 0, &g);
        struct store_loaded_group *out = &req->groups[req->group_count++];
        *out = (struct store_loaded_group){
            .pending = g.pending,
            .due_at = g.due_at,
            .application = col_text(db, row, GROUP_COLUMN_COUNT, &req->arena),
            .identity = col_text(db, row, GROUP_COLUMN_COUNT + 1, &req->arena),
        };
        for (int i = 0; i < 3; i++)
            out->streams[i] = col_text(db, row, GROUP_COLUMN_COUNT + 2 + i, &req->arena);
        rows_recipient(db, row, GROUP_COLUMN_COUNT + 5, &req->arena, &out->recipient);
    }
}

static void load_flying(struct db *db, struct store_load *req)
{
    size_t most = (size_t)db_number(db, Q_LOAD_FLYING_COUNT, DB_NONE, 0);
    req->flying = db_array(db, &req->arena, most + 1, sizeof *req->flying);
    for (sqlite3_stmt *row = db_row(db, Q_LOAD_FLYING, DB_NONE); row && req->flying_count < most;
         row = db_next(db, Q_LOAD_FLYING))
        rows_attempt(db, row, &req->arena, &req->flying[req->flying_count++]);
}

static void load_ledger(struct db *db, struct store_load *req)
{
    size_t most = (size_t)db_number(db, Q_LOAD_LEDGER_COUNT, DB_NONE, 0);
    req->ledger = db_array(db, &req->arena, most + 1, sizeof *req->ledger);
    for (sqlite3_stmt *row = db_row(db, Q_LOAD_LEDGER, DB_NONE); row && req->ledger_count < most;
         row = db_next(db, Q_LOAD_LEDGER))
        req->ledger[req->ledger_count++] =
            (struct ledger_blob){.subject = col_text(db, row, 0, &req->arena),
                                 .blob = col_text(db, row, 1, &req->arena)};
}

void load_read(struct db *db, struct store_load *req, tide_wall_ms now)
{
    req->group_count = req->flying_count = req->ledger_count = 0;
    load_groups(db, req, now);
    if (req->after_group_id == 0) {
        load_flying(db, req);
        load_ledger(db, req);
    }
}

/* -- Ask: one -----------------------------------------------------------------------------------
 */

static bool attempt_get(struct db *db, tide_id id, struct arena *arena, struct attempt *ret)
{
    sqlite3_stmt *row = db_row(db, Q_ATTEMPT_GET, DB_VALUES(db_int(id)));
    if (row)
        rows_attempt(db, row, arena, ret);
    return row != NULL;
}

static void ask_notification(struct db *db, struct store_ask *req)
{
    char text[ID_TEXT_BYTES];
    req->notifications = db_array(db, &req->arena, 1, sizeof *req->notifications);
    if (!req->notifications)
        return;
    if (notification_get(db, req->id, &req->arena, req->notifications))
        req->notification_count = 1;
    else
        db_fail(db, TIDE_ENOENT, "there is no notification %s", id_text(req->id, text));
}

/* -- Ask: why -----------------------------------------------------------------------------------
 */

/* The recipient that is asked about, by itself or through an id. */
static bool why_recipient(struct db *db, struct store_ask *req, tide_wall_ms now)
{
    struct recipient_state *r = db_array(db, &req->arena, 1, sizeof *r);
    struct notification n;
    struct attempt a;
    int64_t recipient_id = 0;
    char text[ID_TEXT_BYTES];
    if (!r)
        return false;
    if (req->id == 0) {
        if (recipient_find(db, req->recipient, now, &req->arena, r))
            req->recipient_row = r;
        return req->recipient_row != NULL;
    }
    if (notification_get(db, req->id, &req->arena, &n))
        recipient_id = n.recipient_id;
    else if (attempt_get(db, req->id, &req->arena, &a))
        recipient_id = a.recipient_id;
    else {
        db_fail(db, TIDE_ENOENT, "there is no notification or attempt %s", id_text(req->id, text));
        return false;
    }
    sqlite3_stmt *row = db_row(db, Q_RECIPIENT_GET, DB_VALUES(db_int(now), db_int(recipient_id)));
    if (row) {
        rows_recipient(db, row, 0, &req->arena, r);
        req->recipient_row = r;
    }
    return row != NULL;
}

static void why_journal(struct db *db, struct store_ask *req, int64_t after, size_t most)
{
    int64_t recipient_id = req->recipient_row->id;
    enum query q = req->newest ? Q_JOURNAL_NEWEST : Q_JOURNAL_PAGE;
    struct values page =
        DB_VALUES(db_int(recipient_id), db_int(req->id), db_int(after), db_int((int64_t)most + 1));
    struct values newest = DB_VALUES(db_int(recipient_id), db_int(req->id), db_int((int64_t)most));
    req->journal = db_array(db, &req->arena, most + 1, sizeof *req->journal);
    if (!req->journal)
        return;
    for (sqlite3_stmt *row = db_row(db, q, req->newest ? newest : page); row; row = db_next(db, q))
        rows_journal(db, row, &req->arena, &req->journal[req->journal_count++]);
    if (req->journal_count > most) { /* the one too many tells that there is a next page */
        req->journal_count = most;
        const char *next = arena_printf(&req->arena, "%" PRId64, req->journal[most - 1].seq);
        req->next = text_of(next);
    }
}

static void why_attempts(struct db *db, struct store_ask *req, size_t most)
{
    req->attempts = db_array(db, &req->arena, most, sizeof *req->attempts);
    for (sqlite3_stmt *row = db_row(
             db, Q_WHY_ATTEMPTS,
             DB_VALUES(db_int(req->recipient_row->id), db_int(req->id), db_int((int64_t)most)));
         row && req->attempt_count < most; row = db_next(db, Q_WHY_ATTEMPTS))
        rows_attempt(db, row, &req->arena, &req->attempts[req->attempt_count++]);
}

/* Adds a notification once, in the order in which they are first spoken of. */
static void why_add(
    struct db *db, struct store_ask *req, struct idmap *seen, tide_id id, size_t cap)
{
    if (id == 0 || req->notification_count == cap || idmap_get(seen, id))
        return;
    if (!idmap_put(seen, id, req))
        db_fail(db, TIDE_ENOMEM, "out of memory");
    if (notification_get(db, id, &req->arena, &req->notifications[req->notification_count]))
        req->notification_count++;
}

static void why_notifications(struct db *db, struct store_ask *req)
{
    size_t cap = req->journal_count + 1;
    for (size_t i = 0; req->id != 0 && i < req->attempt_count; i++)
        cap += (size_t)req->attempts[i].notification_count;
    struct idmap seen;
    idmap_init(&seen);
    req->notifications = db_array(db, &req->arena, cap, sizeof *req->notifications);
    if (req->notifications) {
        why_add(db, req, &seen, req->id, cap);
        for (size_t i = 0; i < req->journal_count; i++)
            why_add(db, req, &seen, req->journal[i].notification_id, cap);
        bool is_attempt = req->id != 0 && req->attempt_count == 1 && req->attempts[0].id == req->id;
        if (is_attempt)
            for (sqlite3_stmt *row = db_row(db, Q_ATTEMPT_ITEMS, DB_VALUES(db_int(req->id))); row;
                 row = db_next(db, Q_ATTEMPT_ITEMS))
                why_add(db, req, &seen, col_int(row, 0), cap);
    }
    idmap_fini(&seen);
}

static void ask_why(struct db *db, struct store_ask *req, tide_wall_ms now)
{
    size_t most = bounded(req->most, ASK_MOST_MAX);
    int64_t after = 0;
    if (req->after.n > 0 && text_int(req->after, 0, INT64_MAX, &after, &db->err) != TIDE_OK) {
        db_fail(db, TIDE_EINVAL, "not a cursor: \"%.*s\"", (int)TIDE_MIN(req->after.n, 40u),
                req->after.p);
        return;
    }
    if (!why_recipient(db, req, now))
        return;
    news_read_listed(db, req, req->recipient_row->address);
    why_journal(db, req, after, most);
    why_attempts(db, req, most);
    why_notifications(db, req);
}

/* -- Ask: queue ---------------------------------------------------------------------------------
 */

#define CURSOR_PARTS 6

static bool cursor_parse(struct text after, int64_t *parts)
{
    /* Before everything: due_at is never less than 0. */
    parts[0] = -1;
    for (size_t i = 1; i < CURSOR_PARTS; i++)
        parts[i] = 0;
    struct text piece;
    size_t n = 0;
    if (after.n == 0)
        return true;
    while (n < CURSOR_PARTS && text_split(&after, '.', &piece))
        if (text_int(piece, INT64_MIN, INT64_MAX, &parts[n++], NULL) != TIDE_OK)
            return false;
    return n == CURSOR_PARTS && after.n == 0;
}

static void ask_queue(struct db *db, struct store_ask *req, tide_wall_ms now)
{
    size_t most = bounded(req->most, ASK_MOST_MAX), n = 0;
    int64_t at[CURSOR_PARTS], last[CURSOR_PARTS] = {0};
    struct recipient_state of = {0};
    if (!cursor_parse(req->after, at)) {
        db_fail(db, TIDE_EINVAL, "not a cursor: \"%.*s\"", (int)TIDE_MIN(req->after.n, 40u),
                req->after.p);
        return;
    }
    if (req->recipient.n > 0 && !recipient_find(db, req->recipient, now, &req->arena, &of))
        return;
    enum query q = of.id != 0 ? Q_QUEUE_PAGE_OF : Q_QUEUE_PAGE;
    req->notifications = db_array(db, &req->arena, most, sizeof *req->notifications);
    for (sqlite3_stmt *row =
             db_row(db, q,
                    DB_VALUES(db_int(at[0]), db_int(at[1]), db_int(at[2]), db_int(at[3]),
                              db_int(at[4]), db_int(at[5]), db_text(req->domain),
                              db_text(req->stream), db_int(of.id), db_int((int64_t)most + 1)));
         row; row = db_next(db, q), n++) {
        if (n == most) { /* the one too many tells that there is a next page */
            req->next = text_of(arena_printf(
                &req->arena, "%" PRId64 ".%" PRId64 ".%" PRId64 ".%" PRId64 ".%" PRId64 ".%" PRId64,
                last[0], last[1], last[2], last[3], last[4], last[5]));
            break;
        }
        rows_notification(db, row, &req->arena, &req->notifications[n]);
        for (int i = 0; i < CURSOR_PARTS; i++)
            last[i] = col_int(row, NOTIFICATION_COLUMN_COUNT + i);
    }
    req->notification_count = n;
}

static void ask_addresses(struct db *db, struct store_ask *req)
{
    req->addresses = db_array(db, &req->arena, req->recipient_id_count + 1, sizeof(struct text));
    for (size_t i = 0; req->addresses && i < req->recipient_id_count; i++) {
        sqlite3_stmt *row = db_row(db, Q_ADDRESS_OF, DB_VALUES(db_int(req->recipient_ids[i])));
        req->addresses[i] = row ? col_text(db, row, 0, &req->arena) : TEXT("");
    }
}

/* -- Ask: suppressed -----------------------------------------------------------------------------
 */

static void ask_suppressed(struct db *db, struct store_ask *req, tide_wall_ms now)
{
    req->suppressed = db_array(db, &req->arena, req->asked_count, sizeof *req->suppressed);
    for (size_t i = 0; i < req->asked_count && req->suppressed; i++) {
        sqlite3_stmt *row =
            db_row(db, Q_SUPPRESSED_OF, DB_VALUES(db_int(now), db_text(req->asked[i])));
        req->suppressed[i] = row ? col_text(db, row, 0, &req->arena) : TEXT("");
    }
}

/* -- Ask: senders -------------------------------------------------------------------------------
 */

static void ask_senders(struct db *db, struct store_ask *req)
{
    size_t most = bounded(req->most, ASK_MOST_MAX);
    req->senders = db_array(db, &req->arena, most, sizeof *req->senders);
    for (sqlite3_stmt *row = db_row(db, Q_SENDERS, DB_VALUES(db_int((int64_t)most)));
         row && req->senders && req->sender_count < most; row = db_next(db, Q_SENDERS))
        req->senders[req->sender_count++] =
            (struct sender_record){.domain = col_text(db, row, 0, &req->arena),
                                   .account = col_text(db, row, 1, &req->arena),
                                   .seen_at = col_int(row, 2),
                                   .checked_at = col_int(row, 3),
                                   .passed_at = col_int(row, 4),
                                   .held = col_text(db, row, 5, &req->arena),
                                   .report = col_text(db, row, 6, &req->arena)};
}

/* -- Ask: plans, page by page: the forecast's sums are made of them
 * ------------------------------ */

static void ask_plans(struct db *db, struct store_ask *req)
{
    size_t most = bounded(req->most, ASK_MOST_MAX);
    const struct values which =
        DB_VALUES(db_int(req->id), db_text(req->domain), db_int((int64_t)most));
    req->recipients = db_array(db, &req->arena, most, sizeof *req->recipients);
    for (sqlite3_stmt *row = db_row(db, Q_RECIPIENT_PLANS, which);
         row && req->recipients && req->recipient_count < most;
         row = db_next(db, Q_RECIPIENT_PLANS)) {
        struct recipient_state *r = &req->recipients[req->recipient_count++];
        *r = (struct recipient_state){.id = col_int(row, 0),
                                      .plan = col_text(db, row, 1, &req->arena)};
        r->verdict.provider = col_text(db, row, 2, &req->arena);
        r->verdict.gateway = col_text(db, row, 3, &req->arena);
    }
}

/* -- Ask: counts --------------------------------------------------------------------------------
 */

static void ask_counts(struct db *db, struct store_ask *req)
{
    int64_t tally[TALLY_COUNT] = {0};
    for (sqlite3_stmt *row = db_row(db, Q_TALLY_ALL, DB_NONE); row; row = db_next(db, Q_TALLY_ALL))
        if (col_int(row, 0) >= 0 && col_int(row, 0) < TALLY_COUNT)
            tally[col_int(row, 0)] = col_int(row, 1);
    struct store_counts *c = &req->counts;
    *c = (struct store_counts){.recipients = tally[TALLY_RECIPIENT],
                               .bodies = tally[TALLY_BODY],
                               .journal_entries = tally[TALLY_JOURNAL]};
    for (size_t i = 0; i < TIDE_COUNT(c->notifications); i++)
        c->notifications[i] = tally[TALLY_NOTIFICATION + i];
    for (size_t i = 0; i < TIDE_COUNT(c->attempts); i++)
        c->attempts[i] = tally[TALLY_ATTEMPT + i];
    c->oldest_pending_at = db_number(db, Q_COUNT_OLDEST, DB_NONE, 0);
    c->database_bytes = db_pragma(db, "PRAGMA page_count") * db_pragma(db, "PRAGMA page_size");
}

/* -- Ask: tallies --------------------------------------------------------------------------------
 */

#define TALLIES_MAX 10000

static void ask_tallies(struct db *db, struct store_ask *req)
{
    int64_t step = req->step_ms > 0 ? req->step_ms : INT64_MAX;
    int64_t spans = (id_time(req->until) - id_time(req->id)) / step + 2;
    size_t most = (size_t)TIDE_MAX(1, TIDE_MIN(spans, TALLIES_MAX));
    struct values which = DB_VALUES(db_int(req->id), db_int(req->until), db_text(req->application));
    req->tally_count = 0;
    req->tallies = db_array(db, &req->arena, most, sizeof *req->tallies);
    for (sqlite3_stmt *row = db_row(db, Q_TALLIES, which); row && req->tallies;
         row = db_next(db, Q_TALLIES)) {
        int64_t from = id_time(col_int(row, 0)) / step * step, state = col_int(row, 1);
        size_t n = req->tally_count;
        if ((n == 0 || req->tallies[n - 1].from != from) && n < most)
            req->tallies[req->tally_count++] = (struct notification_tally){.from = from};
        struct notification_tally *last = &req->tallies[req->tally_count - 1];
        if (last->from == from && state >= 0 && (size_t)state < TIDE_COUNT(last->states))
            last->states[state]++;
    }
}

void ask_read(struct db *db, struct store_ask *req, tide_wall_ms now)
{
    req->notification_count = req->attempt_count = req->journal_count = req->sender_count = 0;
    req->recipient_row = NULL;
    req->next = TEXT("");
    switch (req->view) {
    case STORE_VIEW_NOTIFICATION:
        ask_notification(db, req);
        break;
    case STORE_VIEW_WHY:
        ask_why(db, req, now);
        break;
    case STORE_VIEW_QUEUE:
        ask_queue(db, req, now);
        break;
    case STORE_VIEW_ACCEPTED:
        req->count = db_number(db, Q_COUNT_ACCEPTED,
                               DB_VALUES(db_int(req->id), db_text(req->application)), 0);
        break;
    case STORE_VIEW_TALLIES:
        ask_tallies(db, req);
        break;
    case STORE_VIEW_ADDRESSES:
        ask_addresses(db, req);
        break;
    case STORE_VIEW_ESP_LISTS:
        news_read_listed(db, req, TEXT(""));
        break;
    case STORE_VIEW_PLANS:
        ask_plans(db, req);
        break;
    case STORE_VIEW_SUPPRESSED:
        ask_suppressed(db, req, now);
        break;
    case STORE_VIEW_SENDERS:
        ask_senders(db, req);
        break;
    case STORE_VIEW_EVENTS:
        ask_events(db, req);
        break;
    case STORE_VIEW_WEBHOOK:
    case STORE_VIEW_DEAD_LETTERS:
        ask_letters(db, req);
        break;
    case STORE_VIEW_COUNTS:
        ask_counts(db, req);
        break;
    case STORE_VIEW_SUPPRESSIONS:
        suppressions_read(db, req, now);
        break;
    case STORE_VIEW_NEWS:
        news_read(db, req, now);
        break;
    }
}
