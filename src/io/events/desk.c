#include "io/events/desk.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/address/addr.h"

#include <stdlib.h>

struct batch {
    struct news_desk *desk;
    struct arena arena; /* what its pieces point into */
    news_desk_cb done;
    void *arg;
    size_t left, known;
    enum tide_err rc;
    struct tide_error err;
};

struct piece {
    struct list hook; /* of `waiting` */
    struct mail_news news;
    struct batch *batch;
};

struct note {
    struct store_apply req;
    struct change change;
    struct news_desk *desk;
};

struct news_desk {
    struct drive *drive;
    struct list waiting;
    struct piece *under_way[DESK_UNDER_WAY];
    size_t under_way_count, notes;
    struct news_desk_counts counts;
    uv_idle_t later; /* answers batches of nothing, and begins what was taken */
    struct list empty;
    bool closing, later_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* A batch of no pieces waits for its answer here. */
struct empty_batch {
    struct list hook;
    news_desk_cb done;
    void *arg;
    enum tide_err rc;
    struct tide_error err;
};

static void finish_closing(struct news_desk *d)
{
    if (!d->closing || !d->later_closed || d->under_way_count > 0 || d->notes > 0)
        return;
    void (*closed)(void *arg) = d->closed;
    void *arg = d->closed_arg;
    free(d);
    if (closed)
        closed(arg);
}

static void finish_batch(struct batch *b)
{
    const struct news_told told = {.rc = b->rc, .known = b->known, .err = &b->err};
    b->done(b->arg, &told);
    arena_fini(&b->arena);
    free(b);
}

/* -- One piece ----------------------------------------------------------------------------------
 */

static bool meet(const struct mail_news *a, const struct mail_news *b)
{
    return (a->key.n > 0 && text_eq(a->key, b->key)) ||
           (a->attempt_id != 0 && a->attempt_id == b->attempt_id) ||
           (a->recipient.n > 0 && text_ieq(a->recipient, b->recipient)) ||
           (a->esp_id.n > 0 && text_eq(a->esp_id, b->esp_id));
}

static bool must_wait(const struct news_desk *d, const struct piece *p)
{
    for (size_t i = 0; i < d->under_way_count; i++)
        if (meet(&d->under_way[i]->news, &p->news))
            return true;
    return d->under_way_count == DESK_UNDER_WAY;
}

static void begin(struct news_desk *d);

static void on_taken(void *arg, enum tide_err rc, bool known, const struct tide_error *err)
{
    struct piece *p = arg;
    struct batch *b = p->batch;
    struct news_desk *d = b->desk;
    for (size_t i = 0; i < d->under_way_count; i++)
        if (d->under_way[i] == p) {
            d->under_way[i] = d->under_way[--d->under_way_count];
            break;
        }
    if (rc != TIDE_OK && b->rc == TIDE_OK) {
        b->rc = rc;
        b->err = *err;
    }
    if (rc == TIDE_OK) {
        d->counts.known += known;
        d->counts.by_kind[p->news.kind]++;
        b->known += known;
    }
    if (--b->left == 0)
        finish_batch(b);
    begin(d);
    finish_closing(d);
}

static void begin(struct news_desk *d)
{
    while (!list_is_empty(&d->waiting)) {
        struct piece *p = container_of(d->waiting.next, struct piece, hook);
        if (must_wait(d, p))
            return;
        list_remove(&p->hook);
        d->counts.waiting--;
        d->under_way[d->under_way_count++] = p;
        drive_news(d->drive, &p->news, on_taken, p);
    }
}

/* -- Taking -------------------------------------------------------------------------------------
 */

/* Normal form of the address, or what was written where it is none. */
static struct text normal_of(struct text address, struct arena *a)
{
    struct addr addr;
    if (address.n == 0 || addr_parse(address, ADDR_LITERAL, &addr, NULL) != TIDE_OK)
        return arena_text(a, text_cut(address, 0, ADDR_BYTES_MAX));
    return arena_text(a, addr_text(&addr));
}

#define TEXT_BYTES_MAX 4000 /* of one field: a reply is shorter */

/* A copy on one line: it is shown to people, in journals and on terminals. */
static struct text plain_copy(struct text t, struct arena *a)
{
    char *out = arena_strndup(a, t.p ? t.p : "", TIDE_MIN(t.n, (size_t)TEXT_BYTES_MAX));
    struct text copied = {out, out ? TIDE_MIN(t.n, (size_t)TEXT_BYTES_MAX) : 0};
    for (size_t i = 0; i < copied.n; i++)
        if ((unsigned char)out[i] < ' ' || out[i] == 0x7F)
            out[i] = ' ';
    return copied;
}

static void copy(const struct mail_news *from, struct mail_news *to, struct arena *a)
{
    *to = *from;
    struct text *const texts[] = {&to->event,      &to->word,   &to->source, &to->account,
                                  &to->message_id, &to->esp_id, &to->reply,  &to->remote_mta};
    for (size_t i = 0; i < TIDE_COUNT(texts); i++)
        *texts[i] = plain_copy(*texts[i], a);
    to->recipient = normal_of(from->recipient, a);
    if (from->key.n > 0)
        to->key = text_of(arena_printf(a, TEXT_FMT "|" TEXT_FMT, TEXT_ARG(from->account),
                                       TEXT_ARG(text_cut(from->key, 0, TEXT_BYTES_MAX))));
}

static void on_later(uv_idle_t *idle)
{
    struct news_desk *d = idle->data;
    uv_idle_stop(idle);
    while (!list_is_empty(&d->empty)) {
        struct empty_batch *e = container_of(d->empty.next, struct empty_batch, hook);
        const struct news_told told = {.rc = e->rc, .err = &e->err};
        list_remove(&e->hook);
        e->done(e->arg, &told);
        free(e);
    }
    begin(d);
}

/* The answer comes on the next turn of the loop, without anything having been taken. */
static void answer_later(struct news_desk *d, enum tide_err rc, news_desk_cb done, void *arg)
{
    struct empty_batch *e = calloc(1, sizeof *e);
    if (!e) {
        struct tide_error err;
        const struct news_told told = {.rc = tide_fail(&err, TIDE_ENOMEM, "out of memory"),
                                       .err = &err};
        done(arg, &told); /* there is no memory to wait with */
        return;
    }
    *e = (struct empty_batch){.done = done, .arg = arg, .rc = rc};
    if (rc != TIDE_OK)
        tide_fail(&e->err, rc, "%s", rc == TIDE_ELIMIT ? "too much news waits" : "out of memory");
    list_append(&d->empty, &e->hook);
    uv_idle_start(&d->later, on_later);
}

void news_desk_take(
    struct news_desk *d, const struct mail_news *news, size_t count, news_desk_cb done, void *arg)
{
    if (count == 0 || d->closing || d->counts.waiting + count > DESK_WAITING_MAX) {
        answer_later(d, count == 0 ? TIDE_OK : TIDE_ELIMIT, done, arg);
        return;
    }
    struct batch *b = calloc(1, sizeof *b);
    struct piece *pieces = b ? arena_array(&b->arena, count, sizeof *pieces) : NULL;
    if (!pieces) {
        free(b);
        answer_later(d, TIDE_ENOMEM, done, arg);
        return;
    }
    *b = (struct batch){.desk = d, .arena = b->arena, .done = done, .arg = arg, .left = count};
    for (size_t i = 0; i < count; i++) {
        copy(&news[i], &pieces[i].news, &b->arena);
        pieces[i].batch = b;
        list_append(&d->waiting, &pieces[i].hook);
    }
    d->counts.waiting += count;
    uv_idle_start(&d->later, on_later);
}

/* -- Notes --------------------------------------------------------------------------------------
 */

static void on_noted(struct store_apply *req, enum tide_err rc, const struct tide_error *err)
{
    struct note *n = req->arg;
    struct news_desk *d = n->desk;
    if (rc != TIDE_OK)
        log_warn("news.not_noted", "error=\"%s\"", err->text);
    arena_fini(&req->arena);
    free(n);
    d->notes--;
    finish_closing(d);
}

void news_desk_note(struct news_desk *d, const char *event, struct text sentence)
{
    struct note *n = d->closing ? NULL : calloc(1, sizeof *n);
    if (!n)
        return;
    const struct drive_parts *parts = drive_parts(d->drive);
    n->desk = d;
    n->change = (struct change){.type = CHANGE_JOURNAL,
                                .journal = {.at = clock_wall(parts->clock),
                                            .event = text_of(event),
                                            .sentence = arena_text(&n->req.arena, sentence)}};
    n->req.changes = &n->change;
    n->req.count = 1;
    n->req.at = n->change.journal.at;
    n->req.done = on_noted;
    n->req.arg = n;
    d->notes++;
    store_apply(parts->store, &n->req);
}

/* -- Life ---------------------------------------------------------------------------------------
 */

enum tide_err news_desk_open(struct drive *drive, struct news_desk **ret, struct tide_error *err)
{
    struct news_desk *d = calloc(1, sizeof *d);
    if (!d)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    d->drive = drive;
    list_init(&d->waiting);
    list_init(&d->empty);
    uv_idle_init(drive_parts(drive)->loop, &d->later);
    d->later.data = d;
    *ret = d;
    return TIDE_OK;
}

/* What has not begun is not taken: who brought it hears so, and brings it again. */
static void give_back(struct news_desk *d)
{
    while (!list_is_empty(&d->waiting)) {
        struct piece *p = container_of(d->waiting.next, struct piece, hook);
        struct batch *b = p->batch;
        list_remove(&p->hook);
        if (b->rc == TIDE_OK)
            b->rc = tide_fail(&b->err, TIDE_ECANCELED, "mailtide is stopping");
        if (--b->left == 0)
            finish_batch(b);
    }
    d->counts.waiting = 0;
}

static void on_later_closed(uv_handle_t *handle)
{
    struct news_desk *d = handle->data;
    d->later_closed = true;
    finish_closing(d);
}

void news_desk_close(struct news_desk *d, void (*closed)(void *arg), void *arg)
{
    if (d->closing)
        return;
    d->closing = true;
    d->closed = closed;
    d->closed_arg = arg;
    give_back(d);
    on_later(&d->later);
    uv_close((uv_handle_t *)&d->later, on_later_closed);
}

void news_desk_count(const struct news_desk *d, struct news_desk_counts *ret)
{
    *ret = d->counts;
}
