/* accept.c - a submission becomes rows: body, submission, notifications, groups, journal. */
#include "io/store/writes.h"

#include "base/macros.h"
#include "base/map.h"
#include "core/proto/json_write.h"

#include <openssl/evp.h>

#define HASH_BYTES      32
#define KEY_HASH_BYTES  8
#define KEY_ENTRY_BYTES (KEY_HASH_BYTES + 8)

struct hash {
    unsigned char bytes[HASH_BYTES];
};

static struct hash hash_of(struct db *db, struct text a, struct text b)
{
    struct hash h = {{0}};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(ctx, a.p, a.n) != 1 || EVP_DigestUpdate(ctx, "", 1) != 1 ||
        EVP_DigestUpdate(ctx, b.p, b.n) != 1 || EVP_DigestFinal_ex(ctx, h.bytes, NULL) != 1)
        db_fail(db, TIDE_ENOMEM, "out of memory for a SHA-256");
    EVP_MD_CTX_free(ctx);
    return h;
}

static struct text hash_bytes_of(const struct hash *h)
{
    return (struct text){(const char *)h->bytes, HASH_BYTES};
}

static bool group_find(struct writing *w,
                       const struct submission *s,
                       int64_t recipient_id,
                       struct group *ret)
{
    sqlite3_stmt *row =
        db_row(w->db, Q_GROUP_FIND,
               DB_VALUES(db_int(recipient_id), db_text(s->application), db_text(s->identity)));
    if (row)
        rows_group(row, 0, ret);
    return row != NULL;
}

/* -- Keys ---------------------------------------------------------------------------------------
 */

static void put_u64(char *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (char)(v & 0xff);
}

static uint64_t get_u64(const char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static void key_hash(struct db *db, struct text normal, char *out)
{
    put_u64(out, (uint64_t)name_hash(db, normal));
}

static void key_add(struct writing *w,
                    const struct store_accept *req,
                    const struct hash *digest,
                    struct arena *arena)
{
    const struct submission *s = req->submission;
    char *ids = db_array(w->db, arena, s->recipient_count, KEY_ENTRY_BYTES);
    for (size_t i = 0; ids && i < s->recipient_count; i++) {
        key_hash(w->db, s->recipients[i].normal, ids + i * KEY_ENTRY_BYTES);
        put_u64(ids + i * KEY_ENTRY_BYTES + KEY_HASH_BYTES, (uint64_t)req->items[i].id);
    }
    db_run(w->db, Q_KEY_ADD,
           DB_VALUES(db_text(s->application), db_text(s->key), db_blob(hash_bytes_of(digest)),
                     db_blob((struct text){ids, s->recipient_count * KEY_ENTRY_BYTES})));
}

/* The first id that this recipient was given; the same place first, so that one who is named twice
 * gets both ids. 0: not among them. */
static tide_id key_id(struct db *db, struct text ids, size_t at, struct text normal)
{
    char hash[KEY_HASH_BYTES];
    key_hash(db, normal, hash);
    size_t count = ids.n / KEY_ENTRY_BYTES;
    for (size_t i = 0; i <= count; i++) {
        size_t place = i == 0 ? at : i - 1;
        const char *entry = ids.p + place * KEY_ENTRY_BYTES;
        if (place < count && memcmp(entry, hash, sizeof hash) == 0)
            return (tide_id)get_u64(entry + KEY_HASH_BYTES);
    }
    return 0;
}

/* What an earlier request with this key stored is the answer; nothing is written. */
static void answer_again(struct writing *w,
                         struct store_accept *req,
                         struct store_accepted *out,
                         struct text ids)
{
    const struct submission *s = req->submission;
    for (size_t i = 0; i < s->recipient_count; i++) {
        struct store_accepted *item = &out[i];
        const struct submission_recipient *to = &s->recipients[i];
        *item = (struct store_accepted){.id = key_id(w->db, ids, i, to->normal), .duplicate = true};
        if (!recipient_find(w->db, to->normal, w->now, &req->arena, &item->recipient))
            continue;
        struct group g = {0};
        group_find(w, s, item->recipient.id, &g);
        item->pending = g.pending;
    }
}

/* True: the key was used before, and the answer (or the failure) is made. */
static bool key_used(struct writing *w,
                     struct store_accept *req,
                     struct store_accepted *out,
                     const struct hash *digest)
{
    const struct submission *s = req->submission;
    sqlite3_stmt *row =
        db_row(w->db, Q_KEY_FIND, DB_VALUES(db_text(s->application), db_text(s->key)));
    if (!row)
        return w->db->rc != TIDE_OK;
    bool same = text_eq(col_borrow(row, 0), hash_bytes_of(digest));
    struct text ids = col_text(w->db, row, 1, &req->arena);
    same = same && ids.n == s->recipient_count * KEY_ENTRY_BYTES;
    for (size_t i = 0; same && i < s->recipient_count; i++)
        same = key_id(w->db, ids, i, s->recipients[i].normal) != 0;
    if (same)
        answer_again(w, req, out, ids);
    else
        db_fail(w->db, TIDE_EEXIST, "key \"%.*s\" was used for another message",
                (int)TIDE_MIN(s->key.n, (size_t)100), s->key.p);
    return true;
}

/* -- Rows ---------------------------------------------------------------------------------------
 */

/* Eight bytes at a time: SipHash would cost as much as a statement. */
static uint64_t body_hash(struct text t)
{
    uint64_t hash = t.n, word;
    for (; t.n >= sizeof word; t = text_cut(t, sizeof word, t.n)) {
        memcpy(&word, t.p, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    for (size_t i = 0; i < t.n; i++)
        hash = (hash ^ (unsigned char)t.p[i]) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* Found again by a hash that need not be a good one: the bytes themselves are compared, so that a
 * row that was undone or pruned, or whose id was given anew, is never taken for it. */
static int64_t body_id(struct writing *w, struct text message)
{
    uint64_t hash = body_hash(message);
    struct body_recent *recent = &w->bodies[hash % BODIES_RECENT];
    struct values same =
        DB_VALUES(db_int(recent->id), db_int((int64_t)message.n), db_blob(message));
    if (recent->id != 0 && recent->hash == hash) {
        db_run(w->db, Q_BODY_USE_SAME, same);
        if (sqlite3_changes(w->db->sql) > 0)
            return recent->id;
    }
    db_run(w->db, Q_BODY_ADD, DB_VALUES(db_int((int64_t)message.n), db_blob(message)));
    w->tally[TALLY_BODY]++;
    *recent = (struct body_recent){db_last_rowid(w->db), hash};
    return recent->id;
}

static int64_t submission_add(struct writing *w, const struct submission *s)
{
    int64_t body = body_id(w, s->message);
    db_run(w->db, Q_SUBMISSION_ADD,
           DB_VALUES(db_int(body), db_int((int64_t)s->recipient_count), db_text(s->stream),
                     db_text(s->sender), db_text(s->subject), db_text(s->message_id),
                     db_text(s->thread), db_text(s->key), db_text(s->ret), db_text(s->envid),
                     db_text(s->item.title), db_text(s->item.url), db_text(s->item.text),
                     db_text(s->item.icon), db_int(s->drop_late), db_text(s->metadata),
                     db_text(s->collapse_key)));
    return db_last_rowid(w->db);
}

bool recipient_need(struct writing *w,
                    const struct submission_recipient *to,
                    struct arena *arena,
                    struct recipient_state *ret)
{
    struct values which = DB_VALUES(db_int(w->now), db_text(to->normal), db_text(to->domain));
    sqlite3_stmt *row = db_row(w->db, Q_RECIPIENT_OR_NEW, which);
    if (!row) {
        db_run(w->db, Q_DOMAIN_ADD, DB_VALUES(db_text(to->domain)));
        row = db_row(w->db, Q_RECIPIENT_OR_NEW, which);
    }
    if (!row)
        return true; /* failed */
    rows_recipient(w->db, row, 0, arena, ret);
    if (ret->id != 0)
        return false;
    int64_t domain_id = col_int(row, RECIPIENT_COLUMN_COUNT);
    db_run(w->db, Q_RECIPIENT_ADD, DB_VALUES(db_text(to->normal), db_int(domain_id)));
    w->tally[TALLY_RECIPIENT]++;
    ret->id = db_last_rowid(w->db);
    tally_domain(w, domain_id);
    return true;
}

/* Writes a group that is not there yet, with what is counted in it already. */
static void group_new(struct writing *w, const struct submission *s, struct group *g)
{
    struct group_pending *p = &g->pending;
    db_run(w->db, Q_GROUP_ADD,
           DB_VALUES(db_int(p->recipient_id), db_text(s->application), db_text(s->identity),
                     db_int(p->urgent), db_int(p->single), db_int(p->digestible), db_int(g->fresh),
                     db_int(p->oldest_at), db_int(p->deadline_at), db_int(p->not_before),
                     db_int(g->notifications)));
    p->group_id = db_last_rowid(w->db);
}

/* -- Collapse keys: of those with the same only the last counts
 * ------------------------------------
 */

static struct text superseded_detail(struct writing *w,
                                     const struct submission *s,
                                     tide_id by,
                                     struct arena *arena)
{
    struct buf b = {0};
    struct json_writer j;
    jw_init(&j, &b);
    jw_object(&j, NULL);
    jw_str(&j, "code", "superseded");
    jw_id(&j, "superseded_by", by);
    jw_text(&j, "collapse_key", s->collapse_key);
    jw_end(&j);
    struct text t = b.failed == TIDE_OK ? arena_text(arena, buf_text(&b)) : TEXT("");
    buf_fini(&b);
    if (t.n == 0)
        db_fail(w->db, TIDE_ENOMEM, "out of memory");
    return t;
}

/* The older one of the group that is pending and not in flight is cancelled, and the new one takes
 * its place in the line: else who is always superseded would never leave. `g` follows. */
static void supersede(struct writing *w,
                      struct store_accept *req,
                      struct group *g,
                      struct member *m,
                      struct store_accepted *out)
{
    const struct submission *s = req->submission;
    struct values key = DB_VALUES(db_int(g->pending.recipient_id), db_text(s->application),
                                  db_text(s->collapse_key));
    struct group of = *g;
    struct member old;
    char id[ID_TEXT_BYTES];
    tide_id older = db_number(w->db, Q_COLLAPSE_GET, key, 0);
    if (g->pending.group_id == 0 || older == 0 || !member_get(w->db, older, &old, &of) ||
        old.group_id != g->pending.group_id || old.state > NOTIFICATION_HELD)
        return;
    char *why = arena_printf(&req->arena, "superseded by %s: both have collapse key \"%.*s\"",
                             id_text(m->id, id), (int)TIDE_MIN(s->collapse_key.n, (size_t)100),
                             s->collapse_key.p);
    struct move move = {
        .next = NOTIFICATION_CANCELLED, .reason = text_of(why), .at = TIDE_MAX(s->accepted_at, 1)};
    if (!why)
        db_fail(w->db, TIDE_ENOMEM, "out of memory");
    if (!why || !member_move(w, &of, &old, &move))
        return;
    group_put(w, &of); /* counted anew before the new one is in it */
    *g = of;
    m->accepted_at = TIDE_MIN(m->accepted_at, old.accepted_at);
    out->supersedes = older;
    journal_add(w, &(struct journal_entry){.at = move.at,
                                           .recipient_id = g->pending.recipient_id,
                                           .group_id = g->pending.group_id,
                                           .notification_id = older,
                                           .event = TEXT("cancelled"),
                                           .sentence = move.reason,
                                           .detail = superseded_detail(w, s, m->id, &req->arena)});
}

static void accept_one(struct writing *w,
                       struct store_accept *req,
                       size_t i,
                       int64_t submission_id,
                       struct text sentence,
                       struct store_accepted *out)
{
    const struct submission *s = req->submission;
    const struct submission_recipient *to = &s->recipients[i];
    struct group g = {0};
    *out = (struct store_accepted){.id = req->items[i].id};
    bool is_new = recipient_need(w, to, &req->arena, &out->recipient);
    bool has_group = !is_new && group_find(w, s, out->recipient.id, &g);
    struct member m = {
        .id = out->id,
        .hold = g.hold,
        .state = NOTIFICATION_ACCEPTED,
        .class = s->urgent       ? CLASS_URGENT
                 : s->digestible ? CLASS_DIGESTIBLE
                                 : CLASS_SINGLE,
        .accepted_at = TIDE_MAX(s->accepted_at, 1), /* 0 would read "nothing is pending" */
        .deadline_at = s->deadline_at,
        .not_before = s->not_before,
    };
    g.pending.recipient_id = out->recipient.id;
    if (s->collapse_key.n > 0) {
        supersede(w, req, &g, &m, out);
        db_run(w->db, Q_COLLAPSE_PUT,
               DB_VALUES(db_int(out->recipient.id), db_text(s->application),
                         db_text(s->collapse_key), db_int(m.id)));
    }
    group_add(w, &g, &m);
    g.notifications++;
    g.due_at = 0;
    if (has_group)
        group_put(w, &g);
    else
        group_new(w, s, &g);
    db_run(w->db, Q_NOTIFICATION_ADD,
           DB_VALUES(db_int(m.id), db_int(submission_id), db_int(g.pending.group_id),
                     db_int(m.class), db_int(s->priority), db_int(m.hold), db_int(m.accepted_at),
                     db_int(m.deadline_at), db_int(m.not_before), db_text(to->address),
                     db_text(to->notify), db_text(to->orcpt)));
    out->pending = g.pending;
    journal_add(w, &(struct journal_entry){.at = TIDE_MAX(s->accepted_at, 1),
                                           .recipient_id = out->recipient.id,
                                           .group_id = g.pending.group_id,
                                           .notification_id = m.id,
                                           .event = TEXT("accepted"),
                                           .sentence = sentence});
}

void accept_write(struct writing *w, struct store_accept *req)
{
    const struct submission *s = req->submission;
    struct hash digest = {{0}};
    req->job.result = NULL;
    if (s->recipient_count == 0) {
        db_fail(w->db, TIDE_EINVAL, "a message without recipients");
        return;
    }
    struct store_accepted *out = db_array(w->db, &req->arena, s->recipient_count, sizeof *out);
    if (s->key.n > 0) {
        digest = hash_of(w->db, s->sender, s->fingerprint.n > 0 ? s->fingerprint : s->message);
        if (key_used(w, req, out, &digest)) {
            req->job.result = out;
            return;
        }
    }
    char *sentence = arena_printf(
        &req->arena, "accepted%s" TEXT_FMT " from application " TEXT_FMT " in stream " TEXT_FMT,
        s->source.n ? " by " : "", TEXT_ARG(s->source), TEXT_ARG(s->application),
        TEXT_ARG(s->stream));
    if (!sentence)
        db_fail(w->db, TIDE_ENOMEM, "out of memory");
    int64_t submission_id = submission_add(w, s);
    for (size_t i = 0; out && i < s->recipient_count; i++)
        accept_one(w, req, i, submission_id, text_of(sentence), &out[i]);
    if (s->key.n > 0)
        key_add(w, req, &digest, &req->arena);
    req->job.result = out;
}

void accept_publish(struct store_accept *req)
{
    memcpy(req->items, req->job.result, req->submission->recipient_count * sizeof req->items[0]);
}
