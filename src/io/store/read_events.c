/* read_events.c - the journal as applications follow it: cursors, who may see what, and what each
 * entry is about. */
#include "io/store/reads.h"

#include "base/macros.h"

#include <inttypes.h>

#define EVENTS_MOST_MAX  1000
#define LETTERS_MOST_MAX 1000
#define ITEMS_MAX        5000 /* notifications in one answer; the first event always has all its own */

/* A cursor is "SEQ-TIME" of the entry that was seen last, the time in hexadecimal: a number alone
 * could be one of another database's. It is an event's id, too. */
struct cursor {
    int64_t seq, at; /* at -1: not said */
};

static bool cursor_read(struct text t, struct cursor *ret)
{
    size_t dash = text_find(t, '-');
    ret->at = -1;
    if (text_int(text_cut(t, 0, dash), 0, INT64_MAX, &ret->seq, NULL) != TIDE_OK)
        return false;
    if (dash == t.n)
        return true;
    ret->at = 0;
    if (t.n - dash < 2 || t.n - dash > 16)
        return false;
    for (size_t i = dash + 1; i < t.n; i++) {
        char c = ascii_lower(t.p[i]);
        int digit = ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        ret->at = ret->at * 16 + digit;
    }
    return true;
}

static struct text cursor_text(struct db *db, struct arena *a, int64_t seq, tide_wall_ms at)
{
    char *text = arena_printf(a, "%" PRId64 "-%" PRIx64, seq, (uint64_t)at);
    if (!text)
        db_fail(db, TIDE_ENOMEM, "out of memory");
    return text_of(text);
}

/* When entry `seq` was made; -1: there is no such entry. */
static tide_wall_ms made_at(struct db *db, int64_t seq)
{
    return db_number(db, Q_JOURNAL_AT, DB_VALUES(db_int(seq)), -1);
}

/* Where to go on; false: it failed. */
static bool start_of(struct db *db, struct store_ask *req, struct cursor *ret)
{
    *ret = (struct cursor){0, -1};
    req->next = TEXT("0");
    if (text_eq(req->after, TEXT("newest"))) {
        ret->seq = req->newest_seq;
        if (ret->seq > 0)
            req->next = cursor_text(db, &req->arena, ret->seq, made_at(db, ret->seq));
        return db->rc == TIDE_OK;
    }
    if (req->after.n == 0)
        return true;
    if (!cursor_read(req->after, ret)) {
        db_fail(db, TIDE_EINVAL, "not a cursor: \"%.*s\"", (int)TIDE_MIN(req->after.n, 40u),
                req->after.p);
        return false;
    }
    req->next = arena_text(&req->arena, req->after);
    tide_wall_ms at = made_at(db, ret->seq);
    bool other = ret->seq > req->newest_seq || (ret->at >= 0 && at >= 0 && at != ret->at);
    if (!other && ret->seq > 0 && ret->seq + 1 < req->oldest_seq)
        db_fail(db, TIDE_EGONE,
                "what followed cursor %" PRId64 " is not kept any more; the oldest event that is "
                "there can be had by starting without a cursor (after %" PRId64 ")",
                ret->seq, req->oldest_seq - 1);
    else if (other)
        db_fail(db, TIDE_EGONE,
                "cursor %.*s is of another journal: this one has events %" PRId64 " to %" PRId64
                "; start without a cursor",
                (int)TIDE_MIN(req->after.n, 40u), req->after.p, req->oldest_seq, req->newest_seq);
    return db->rc == TIDE_OK;
}

static bool may_see(const struct store_ask *req,
                    const struct event_kind *kind,
                    struct text application,
                    bool wrote_to)
{
    if (req->application.n == 0)
        return true;
    switch (kind->audience) {
    case EVENT_OWN:
        return text_eq(application, req->application);
    case EVENT_RECIPIENT:
        return text_eq(application, req->application) || wrote_to;
    case EVENT_OPERATOR:
        return req->with_alarms;
    }
    return false;
}

/* Chooses the entries. */
static void choose(struct db *db, struct store_ask *req, int64_t after, size_t most)
{
    int64_t seen = 0, last = 0;
    tide_wall_ms last_at = 0;
    req->at_end = true;
    for (sqlite3_stmt *row =
             db_row(db, Q_EVENTS,
                    DB_VALUES(db_int(after), db_text(req->application), db_int(EVENTS_SCAN_MAX)));
         row; row = db_next(db, Q_EVENTS)) {
        const struct event_kind *kind = event_of_journal(col_borrow(row, 5));
        if (req->event_count == most) {
            req->at_end = false;
            break;
        }
        seen++;
        last = col_int(row, 0);
        last_at = col_int(row, 1);
        if (!kind || (req->kinds & event_bit(kind)) == 0 ||
            !may_see(req, kind, col_borrow(row, JOURNAL_COLUMN_COUNT),
                     col_int(row, JOURNAL_COLUMN_COUNT + 2) != 0))
            continue;
        struct store_event *e = &req->events[req->event_count++];
        rows_journal(db, row, &req->arena, &e->entry);
        e->application = col_text(db, row, JOURNAL_COLUMN_COUNT, &req->arena);
        e->recipient = col_text(db, row, JOURNAL_COLUMN_COUNT + 1, &req->arena);
    }
    if (seen == EVENTS_SCAN_MAX)
        req->at_end = false;
    if (last > 0) {
        req->next = cursor_text(db, &req->arena, last, last_at);
        req->next_seq = last;
    }
}

static void load_attempt(struct db *db, struct store_ask *req, struct store_event *e)
{
    size_t n = 0, count;
    sqlite3_stmt *row = db_row(db, Q_ATTEMPT_GET, DB_VALUES(db_int(e->entry.attempt_id)));
    e->attempt = row ? db_array(db, &req->arena, 1, sizeof *e->attempt) : NULL;
    if (!e->attempt)
        return;
    rows_attempt(db, row, &req->arena, e->attempt);
    count = (size_t)TIDE_MAX(e->attempt->notification_count, 0);
    e->notifications = db_array(db, &req->arena, count + 1, sizeof *e->notifications);
    for (row = db_row(db, Q_EVENT_ITEMS, DB_VALUES(db_int(e->entry.attempt_id)));
         row && e->notifications && n < count; row = db_next(db, Q_EVENT_ITEMS))
        rows_notification(db, row, &req->arena, &e->notifications[n++]);
    e->notification_count = n;
}

static void load_items(struct db *db, struct store_ask *req, struct store_event *e)
{
    if (e->entry.notification_id != 0) {
        e->notifications = db_array(db, &req->arena, 1, sizeof *e->notifications);
        if (e->notifications &&
            notification_get(db, e->entry.notification_id, &req->arena, e->notifications))
            e->notification_count = 1;
    } else if (e->entry.attempt_id != 0) {
        load_attempt(db, req, e);
    }
}

void ask_events(struct db *db, struct store_ask *req)
{
    size_t most = req->most == 0 || req->most > EVENTS_MOST_MAX ? EVENTS_MOST_MAX : req->most;
    size_t items = 0;
    struct cursor from;
    req->event_count = 0;
    req->oldest_seq = db_number(db, Q_JOURNAL_OLDEST, DB_NONE, 0);
    req->newest_seq = db_number(db, Q_JOURNAL_SEQ, DB_NONE, 0);
    if (!start_of(db, req, &from))
        return;
    req->events = db_array(db, &req->arena, most, sizeof *req->events);
    req->next_seq = from.seq;
    if (req->events)
        choose(db, req, from.seq, most);
    for (size_t i = 0; i < req->event_count && db->rc == TIDE_OK; i++) {
        struct store_event *e = &req->events[i];
        if (i > 0 && items > ITEMS_MAX) { /* the rest comes with the next page */
            const struct journal_entry *last = &req->events[i - 1].entry;
            req->next = cursor_text(db, &req->arena, last->seq, last->at);
            req->next_seq = last->seq;
            req->event_count = i;
            req->at_end = false;
            break;
        }
        load_items(db, req, e);
        items += e->notification_count;
    }
}

static void rows_letter(struct db *db, sqlite3_stmt *row, struct arena *a, struct webhook_letter *l)
{
    *l = (struct webhook_letter){
        .application = col_text(db, row, 0, a),
        .seq = col_int(row, 1),
        .event_id = col_text(db, row, 2, a),
        .type = col_text(db, row, 3, a),
        .tries = (int)col_int(row, 4),
        .first_at = col_int(row, 5),
        .tried_at = col_int(row, 6),
        .next_at = col_int(row, 7),
        .error = col_text(db, row, 8, a),
        .body = col_text(db, row, 9, a),
    };
}

void ask_letters(struct db *db, struct store_ask *req)
{
    bool dead = req->view == STORE_VIEW_DEAD_LETTERS;
    enum query q = dead ? Q_LETTERS_DEAD : Q_LETTERS_NEXT;
    size_t most = req->most == 0 || req->most > LETTERS_MOST_MAX ? LETTERS_MOST_MAX : req->most;
    req->letter_count = 0;
    req->newest_seq = db_number(db, Q_JOURNAL_SEQ, DB_NONE, 0);
    req->webhook_cursor = db_number(db, Q_WEBHOOK_GET, DB_VALUES(db_text(req->application)), -1);
    req->letters = db_array(db, &req->arena, most, sizeof *req->letters);
    for (sqlite3_stmt *row =
             db_row(db, q, DB_VALUES(db_text(req->application), db_int((int64_t)most)));
         row && req->letters && req->letter_count < most; row = db_next(db, q))
        rows_letter(db, row, &req->arena, &req->letters[req->letter_count++]);
}
