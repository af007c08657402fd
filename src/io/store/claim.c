/* claim.c - a release takes what is pending: chosen, charged and marked in one unit. */
#include "io/store/writes.h"

#include "base/macros.h"

/* Which query chooses, and how many at most it can give. */
static enum query choice_of(const struct store_claim *req, const struct group *g, size_t *ret_most)
{
    if (req->only != 0 || !req->digest) {
        *ret_most = 1;
        return req->only != 0 ? Q_CLAIM_ONLY : Q_CLAIM_SINGLE;
    }
    *ret_most = g->pending.digestible;
    if (req->most > 0)
        *ret_most = TIDE_MIN(*ret_most, req->most);
    return Q_CLAIM_DIGEST;
}

static size_t choose(
    struct writing *w, const struct store_claim *req, tide_id *ids, enum query q, size_t most)
{
    int64_t of = q == Q_CLAIM_ONLY ? req->only : req->attempt.group_id;
    tide_wall_ms until = req->by_hand ? INT64_MAX : req->now;
    struct values which = q == Q_CLAIM_ONLY
                              ? DB_VALUES(db_int(of), db_int(until))
                              : DB_VALUES(db_int(of), db_int(until), db_int((int64_t)most),
                                          db_text(req->without_streams));
    size_t n = 0, bytes = 0;
    for (sqlite3_stmt *row = db_row(w->db, q, which); row && n < most; row = db_next(w->db, q)) {
        bytes += (size_t)col_int(row, 1);
        /* What does not fit ends the digest, however small the next one is: order is kept. */
        if (n > 0 && req->bytes_max > 0 && bytes > req->bytes_max)
            break;
        ids[n++] = col_int(row, 0);
    }
    return n;
}

/* Whether one of these may have arrived already, by an attempt of which no news ever came. */
static bool may_be_double(struct writing *w, const tide_id *ids, size_t n)
{
    bool found = false;
    for (size_t i = 0; i < n && !found; i++)
        found = db_row(w->db, Q_ATTEMPT_MAYBE_ARRIVED, DB_VALUES(db_int(ids[i]))) != NULL;
    return found;
}

static void attempt_add(struct writing *w, const struct attempt *a, size_t count)
{
    db_run(w->db, Q_ATTEMPT_ADD,
           DB_VALUES(db_int(a->id), db_int(a->recipient_id), db_int(a->group_id), db_int(a->state),
                     db_int(a->digest), db_int(a->retry_of_unknown), db_int((int64_t)count),
                     db_int(a->started_at), db_text(a->account), db_text(a->provider),
                     db_text(a->stream), db_text(a->message_id), db_text(a->sender)));
    w->tally[TALLY_ATTEMPT + a->state]++;
}

/* What the attempt's row tells of the mail that leaves: a single one is the original itself. */
static void describe_mail(struct writing *w, struct store_claim *req, tide_id first, size_t count)
{
    struct notification n = {0};
    if (!notification_get(w->db, first, &req->arena, &n))
        return;
    req->attempt.digest = count > 1;
    req->attempt.stream = n.stream;
    req->attempt.sender = n.sender;
    if (count == 1)
        req->attempt.message_id = n.message_id;
}

static void take_one(struct writing *w,
                     struct store_claim *req,
                     struct group *g,
                     tide_id id,
                     struct notification *ret)
{
    struct member m;
    if (!member_get(w->db, id, &m, g))
        return;
    db_run(w->db, Q_NOTIFICATION_CLAIM,
           DB_VALUES(db_int(id), db_int(req->now), db_int(req->attempt.id)));
    db_run(w->db, Q_ATTEMPT_ITEM_ADD, DB_VALUES(db_int(req->attempt.id), db_int(id)));
    group_take(w, g, &m);
    m.state = NOTIFICATION_RELEASING;
    group_add(w, g, &m);
    notification_get(w->db, id, &req->arena, ret);
    sqlite3_stmt *row = db_row(w->db, Q_MESSAGE_GET, DB_VALUES(db_int(id)));
    if (row)
        ret->message = col_text(w->db, row, 0, &req->arena);
}

void claim_write(struct writing *w, struct store_claim *req)
{
    struct group g = {0};
    req->notifications = NULL;
    req->notification_count = 0;
    if (req->only != 0) { /* its group is known better here than by the caller */
        struct member m;
        if (member_get(w->db, req->only, &m, &g)) {
            req->attempt.group_id = g.pending.group_id;
            req->attempt.recipient_id = g.pending.recipient_id;
        }
    } else
        group_get(w->db, req->attempt.group_id, &g);
    size_t most = 0, n = 0;
    enum query q = choice_of(req, &g, &most);
    tide_id *ids = most > 0 ? db_array(w->db, &req->arena, most, sizeof *ids) : NULL;
    if (ids)
        n = choose(w, req, ids, q, most);
    if (n > 0 && w->db->rc == TIDE_OK) {
        req->notifications = db_array(w->db, &req->arena, n, sizeof *req->notifications);
        req->attempt.retry_of_unknown = may_be_double(w, ids, n);
        describe_mail(w, req, ids[0], n);
        attempt_add(w, &req->attempt, n);
        name_add(w, req->attempt.message_id, req->attempt.id);
        for (size_t i = 0; i < n && w->db->rc == TIDE_OK; i++)
            take_one(w, req, &g, ids[i], &req->notifications[i]);
        group_put(w, &g);
        for (size_t i = 0; i < req->change_count; i++)
            change_write(w, &req->changes[i], req->now, NULL);
        req->notification_count = n;
        req->attempt.notification_count = (int)n;
    }
    req->left = g.pending;
}
