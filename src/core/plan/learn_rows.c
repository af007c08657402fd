/* What was learnt as rows for the store. A row's key says of what ("learn|recipient|17|",
 * "learn|ip-provider|outbox|qq"), its blob is lines of fields divided by tabs, so that people and
 * later versions can read it:
 *
 *   2
 *   closed UNTIL NAMED_AT TIMES UNDECIDED MINUTE TEN HOUR REASON
 *   lesson AT TAKEN AMBIGUOUS ACCOUNT RULE WORDS
 *   number KIND UNIT SPAN OFFSET ZONE COUNT SOURCE PEAK WINDOW_START MADE_AT TAUGHT_AT PRESSED_AT
 *          TAUGHT CONFIRMED POINTS PINNED TAKEN TAKEN_WINDOW CHANGED_AT
 *   belief BELIEF                                          (belief.h; of the number above it)
 *   reply  AT TAKEN AMBIGUOUS ACCOUNT RULE WORDS           (the same)
 *
 * Version 1 had, of a number, the least count that was refused after SOURCE; CLEAN PATIENCE STREAK
 * after PRESSED_AT; PROBING after POINTS; and no belief: one is made of the number. */
#include "core/plan/learn_in.h"

#include "base/macros.h"
#include "core/plan/planner.h"

#include <stdio.h>
#include <stdlib.h>

#define ROW_PREFIX TEXT("learn|")
#define AT_MAX     (1LL << 53)
#define COUNT_MAX  (1LL << 40)

/* -- Writing ----------------------------------------------------------------------------------- */

static void put_words(struct buf *b, const char *s)
{
    buf_addc(b, '\t');
    for (; *s; s++)
        buf_addc(b, (unsigned char)*s < ' ' ? ' ' : *s);
}

static void put_int(struct buf *b, int64_t n)
{
    buf_addf(b, "\t%lld", (long long)n);
}

static void put_reply(struct buf *b, const char *what, const struct learn_reply *r)
{
    buf_adds(b, what);
    put_int(b, r->at);
    put_int(b, r->taken);
    put_int(b, r->ambiguous);
    put_words(b, r->account);
    put_words(b, r->rule);
    put_words(b, r->words);
    buf_addc(b, '\n');
}

static void put_number(struct buf *b, const struct learn_limit *x)
{
    const struct window *w = &x->limit.window;
    buf_adds(b, "number");
    put_int(b, w->kind);
    put_int(b, w->unit);
    put_int(b, w->span_ms);
    put_int(b, w->offset_ms);
    put_words(b, w->zone ? w->zone : "");
    const int64_t rest[] = {x->limit.count,  x->limit.source, x->peak,       x->window_start,
                            x->made_at,      x->taught_at,    x->pressed_at, x->taught,
                            x->confirmed,    x->points,       x->pinned,     x->taken,
                            x->taken_window, x->changed_at};
    for (size_t i = 0; i < TIDE_COUNT(rest); i++)
        put_int(b, rest[i]);
    buf_addc(b, '\n');
    if (x->belief.step) {
        buf_adds(b, "belief\t");
        belief_encode(&x->belief, b);
        buf_addc(b, '\n');
    }
    for (unsigned i = 0; i < LEARN_REPLIES && x->replies[i].at; i++)
        put_reply(b, "reply", &x->replies[i]);
}

static void put_key(struct buf *b, const struct learn_key *k)
{
    const int64_t closed[] = {k->until,        k->named_at,  k->times,     k->undecided,
                              k->taken_minute, k->taken_ten, k->taken_hour};
    buf_adds(b, "2\nclosed");
    for (size_t i = 0; i < TIDE_COUNT(closed); i++)
        put_int(b, closed[i]);
    put_words(b, k->reason);
    buf_addc(b, '\n');
    if (k->lesson.at)
        put_reply(b, "lesson", &k->lesson);
    for (const struct learn_limit *x = k->limits; x; x = x->next)
        put_number(b, x);
}

bool learn_next_dirty(struct learn *l, struct text *ret_row, struct buf *ret_blob)
{
    buf_clear(ret_blob);
    if (l->gone_count) { /* its text has to hold until the next call: it is kept in the blob's place
                          */
        char *row = l->gone[l->gone_count - 1];
        struct text t = text_of(row);
        buf_add_text(ret_blob, t);
        buf_addc(ret_blob, '\0');
        free(row);
        l->gone_count--;
        if (ret_blob->failed != TIDE_OK)
            return false;
        *ret_row = (struct text){ret_blob->data, t.n};
        ret_blob->len = 0;
        return true;
    }
    struct list *node = list_take_first(&l->dirty);
    if (!node)
        return false;
    struct learn_key *k = container_of(node, struct learn_key, dirty);
    put_key(ret_blob, k);
    if (ret_blob->failed != TIDE_OK) {
        learn_mark(l, k); /* out of memory: the row waits for the next call */
        return false;
    }
    *ret_row = text_of(k->row);
    return true;
}

/* -- Reading ----------------------------------------------------------------------------------- */

static bool take_int(struct text *rest, int64_t least, int64_t most, int64_t *ret)
{
    struct text field;
    struct tide_error ignored;
    return text_split(rest, '\t', &field) && text_int(field, least, most, ret, &ignored) == TIDE_OK;
}

static bool take_words(struct text *rest, char *out, size_t size)
{
    struct text field;
    if (!text_split(rest, '\t', &field))
        field = TEXT("");
    if (memchr(field.p ? field.p : "", '\0', field.n))
        return false;
    snprintf(out, size, TEXT_FMT, TEXT_ARG(field));
    return true;
}

static bool read_reply(struct text rest, struct learn_reply *r)
{
    int64_t ambiguous;
    if (!take_int(&rest, 0, AT_MAX, &r->at) || !take_int(&rest, -1, COUNT_MAX, &r->taken) ||
        !take_int(&rest, 0, 1, &ambiguous))
        return false;
    r->ambiguous = ambiguous != 0;
    return take_words(&rest, r->account, sizeof r->account) &&
           take_words(&rest, r->rule, sizeof r->rule) &&
           take_words(&rest, r->words, sizeof r->words);
}

static bool read_closed(struct learn *l, struct learn_key *k, struct text rest)
{
    int64_t f[7];
    static const int64_t most[] = {AT_MAX, AT_MAX, 1000000, 1, COUNT_MAX, COUNT_MAX, COUNT_MAX};
    for (size_t i = 0; i < TIDE_COUNT(f); i++)
        if (!take_int(&rest, i < 4 ? 0 : -1, most[i], &f[i]))
            return false;
    if (!take_words(&rest, k->reason, sizeof k->reason))
        return false;
    k->until = f[0];
    k->named_at = f[1];
    k->times = (uint32_t)f[2];
    l->undecided += f[3] != 0 && !k->undecided;
    k->undecided = k->undecided || f[3] != 0;
    k->taken_minute = f[4];
    k->taken_ten = f[5];
    k->taken_hour = f[6];
    return true;
}

static bool read_window(struct text *rest, struct window *ret, char *zone, size_t size)
{
    int64_t kind, unit;
    *ret = (struct window){0};
    if (!take_int(rest, 0, WINDOW_RATE, &kind) || !take_int(rest, 0, WINDOW_MONTH, &unit) ||
        !take_int(rest, 0, 366 * TIME_DAY_MS, &ret->span_ms) ||
        !take_int(rest, 0, 31 * TIME_DAY_MS, &ret->offset_ms) || !take_words(rest, zone, size))
        return false;
    ret->kind = (enum window_kind)kind;
    ret->unit = (enum window_unit)unit;
    ret->zone = zone[0] ? zone : NULL;
    bool zoned = !ret->zone || zone_name_is_sane(text_of(zone));
    return zoned && (ret->kind == WINDOW_CALENDAR || ret->span_ms > 0);
}

/* The fields of a number, in the order of their rows; false: one is missing, or out of range. */
enum { COUNT, SOURCE, PEAK, START, MADE, TAUGHT_AT, PRESSED, TAUGHT, CONFIRMED, POINTS };
enum { PINNED = POINTS + 1, TAKEN, TAKEN_WINDOW, CHANGED, FIELDS };

static bool read_fields(struct text *rest, bool old, int64_t f[FIELDS])
{
    static const int64_t most[FIELDS] = {[COUNT] = LEARN_NO_NUMBER,
                                         [SOURCE] = SOURCE_LEARNED,
                                         [PEAK] = COUNT_MAX,
                                         [START] = AT_MAX,
                                         [MADE] = AT_MAX,
                                         [TAUGHT_AT] = AT_MAX,
                                         [PRESSED] = AT_MAX,
                                         [TAUGHT] = 1 << 30,
                                         [CONFIRMED] = 1 << 30,
                                         [POINTS] = 100,
                                         [PINNED] = 1,
                                         [TAKEN] = COUNT_MAX,
                                         [TAKEN_WINDOW] = AT_MAX,
                                         [CHANGED] = AT_MAX};
    static const struct {
        int after, count;
    } gone[] = {{SOURCE, 1}, {PRESSED, 3}, {POINTS, 1}}; /* of version 1 */
    f[CHANGED] = 0;
    for (int i = 0; i < (old ? CHANGED : FIELDS); i++) {
        if (!take_int(rest, i == COUNT, most[i], &f[i]))
            return false;
        for (size_t g = 0; old && g < TIDE_COUNT(gone); g++)
            for (int n = 0; gone[g].after == i && n < gone[g].count; n++) {
                int64_t ignored;
                if (!take_int(rest, 0, COUNT_MAX, &ignored))
                    return false;
            }
    }
    return true;
}

static struct learn_limit *read_number(struct learn *l,
                                       struct learn_key *k,
                                       struct text rest,
                                       bool old)
{
    char zone[64];
    struct window w;
    int64_t f[FIELDS];
    if (!read_window(&rest, &w, zone, sizeof zone) || !read_fields(&rest, old, f))
        return NULL;
    struct learn_limit *x = learn_limit_get(l, k, &w, f[MADE]);
    if (!x)
        return NULL;
    x->limit.count = f[COUNT];
    l->told += f[SOURCE] == SOURCE_PUBLISHED && x->limit.source != SOURCE_PUBLISHED;
    x->limit.source = (enum limit_source)f[SOURCE];
    x->peak = f[PEAK];
    x->window_start = f[START];
    x->made_at = f[MADE];
    x->taught_at = f[TAUGHT_AT];
    x->pressed_at = f[PRESSED];
    x->taught = (uint32_t)f[TAUGHT];
    x->confirmed = (uint32_t)f[CONFIRMED];
    x->points = (uint8_t)f[POINTS];
    x->pinned = f[PINNED] != 0;
    x->taken = f[TAKEN];
    x->taken_window = f[TAKEN_WINDOW];
    x->changed_at = f[CHANGED];
    x->limit.confidence = learn_confidence(x);
    if (old)
        learn_believe(x);
    memset(x->replies, 0, sizeof x->replies);
    return x;
}

static bool read_blob(struct learn *l, struct learn_key *k, struct text blob)
{
    struct text line, what;
    struct learn_limit *number = NULL;
    unsigned replies = 0;
    if (!text_split(&blob, '\n', &line))
        return false;
    bool old = text_eq(line, TEXT("1"));
    if (!old && !text_eq(line, TEXT("2")))
        return false;
    while (text_split(&blob, '\n', &line)) {
        if (!text_split(&line, '\t', &what))
            continue;
        bool ok = true;
        if (text_eq(what, TEXT("closed"))) {
            ok = read_closed(l, k, line);
        } else if (text_eq(what, TEXT("lesson"))) {
            ok = read_reply(line, &k->lesson);
        } else if (text_eq(what, TEXT("number"))) {
            number = read_number(l, k, line, old);
            replies = 0;
            ok = number != NULL;
        } else if (text_eq(what, TEXT("belief")) && number) {
            ok = belief_decode(line, &number->belief);
        } else if (text_eq(what, TEXT("reply")) && number && replies < LEARN_REPLIES) {
            ok = read_reply(line, &number->replies[replies++]);
        }
        if (!ok)
            return false;
    }
    return true;
}

/* The route on which the row's key lies. */
static bool route_of_row(struct learn *l,
                         struct text row,
                         enum limit_scope *ret_scope,
                         struct learn_route *ret)
{
    struct text rest = text_cut(row, ROW_PREFIX.n, row.n), scope, left;
    struct tide_error ignored;
    int64_t recipient_id = 0;
    if (!text_starts(row, ROW_PREFIX) || memchr(row.p, '\0', row.n) ||
        !text_split(&rest, '|', &scope) || !limit_scope_of(scope, ret_scope) ||
        !text_split(&rest, '|', &left))
        return false;
    if (limit_scope_is_own(*ret_scope) &&
        (text_int(left, 0, (1LL << 40) - 1, &recipient_id, &ignored) != TIDE_OK ||
         !text_split(&rest, '|', &left)))
        return false;
    learn_route_of(l, *ret_scope, recipient_id, left, rest, ret);
    return true;
}

enum tide_err learn_restore(struct learn *l,
                            struct text row,
                            struct text blob,
                            struct tide_error *err)
{
    enum limit_scope scope;
    struct learn_route r;
    if (blob.n == 0)
        return TIDE_OK;
    if (!route_of_row(l, row, &scope, &r))
        return tide_fail(err, TIDE_ECORRUPT, "what was learnt of \"" TEXT_FMT "\": no such subject",
                         TEXT_ARG(row));
    bool pool = scope == LIMIT_RECIPIENT && !r.recipient_id;
    struct learn_key *k = pool ? learn_pool_get(l, r.provider) : learn_key_get(l, scope, &r);
    if (!k)
        return tide_fail(err, TIDE_ENOMEM, "what was learnt of \"" TEXT_FMT "\"", TEXT_ARG(row));
    if (read_blob(l, k, blob))
        return TIDE_OK;
    learn_forget(l, k); /* half of it is worse than none: it is learnt again */
    return tide_fail(err, TIDE_ECORRUPT, "what was learnt of \"" TEXT_FMT "\" is damaged",
                     TEXT_ARG(row));
}
