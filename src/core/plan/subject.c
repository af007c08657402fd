#include "core/plan/subject.h"

#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

void subjects_init(struct subjects *s)
{
    *s = (struct subjects){0};
    list_init(&s->dirty);
}

static void subject_free(struct subject *s)
{
    for (struct counter *c = s->counters, *next; c; c = next) {
        next = c->next;
        ledger_fini(&c->ledger);
        free(c);
    }
    free(s->key);
    free(s->label);
    free(s);
}

static void name_free(struct subject_name *n)
{
    if (n)
        free(n->text);
    free(n);
}

void subjects_fini(struct subjects *s)
{
    for (unsigned scope = 0; scope < LIMIT_SCOPES; scope++) {
        uint32_t pos = 0;
        for (struct subject *x; (x = idmap_next(&s->by_pair[scope], &pos));)
            subject_free(x);
        idmap_fini(&s->by_pair[scope]);
    }
    for (uint32_t i = 0; i < s->name_count; i++)
        name_free(s->names[i]);
    free(s->names);
    strmap_fini(&s->names_by_text);
    *s = (struct subjects){0};
}

/* -- Names ------------------------------------------------------------------------------------- */

static bool names_grow(struct subjects *s)
{
    if (s->name_count < s->name_cap)
        return true;
    uint32_t cap = s->name_cap ? s->name_cap * 2 : 64;
    struct subject_name **more = realloc(s->names, cap * sizeof(*more));
    if (!more)
        return false;
    s->names = more;
    s->name_cap = cap;
    return true;
}

uint32_t subjects_intern(struct subjects *s, struct text name)
{
    struct subject_name *n = strmap_get(&s->names_by_text, name);
    if (n || !name.n)
        return n ? n->id : 0;
    if (name.n > SUBJECT_NAME_MAX || s->name_count == SUBJECT_NAMES_MAX || !names_grow(s) ||
        !(n = calloc(1, sizeof *n)))
        return 0;
    n->id = s->name_count + 1;
    n->hash = plan_hash(0, name.p, name.n);
    n->text = strndup(name.p, name.n);
    if (!n->text || !strmap_put(&s->names_by_text, name, n)) {
        free(n->text);
        free(n);
        return 0;
    }
    s->names[s->name_count++] = n;
    return n->id;
}

struct subject_name *subjects_name(const struct subjects *s, uint32_t id)
{
    return id && id <= s->name_count ? s->names[id - 1] : NULL;
}

static const char *name_text(const struct subjects *s, uint32_t id)
{
    const struct subject_name *n = subjects_name(s, id);
    return n ? n->text : "";
}

/* -- Subjects ---------------------------------------------------------------------------------- */

static int64_t pair_key(uint32_t a, uint32_t b)
{
    return (int64_t)((uint64_t)a << 32 | b);
}

struct subject *subjects_find(const struct subjects *s,
                              enum limit_scope scope,
                              uint32_t a,
                              uint32_t b)
{
    return idmap_get(&s->by_pair[scope], pair_key(a, b));
}

struct subject *subjects_get(struct subjects *s, enum limit_scope scope, uint32_t a, uint32_t b)
{
    struct subject *x = subjects_find(s, scope, a, b);
    if (x || !(x = calloc(1, sizeof *x)))
        return x;
    const char *left = name_text(s, a), *right = name_text(s, b);
    list_init(&x->dirty);
    x->scope = scope;
    x->a = a;
    x->b = b;
    x->id = s->last_id + 1;
    if (asprintf(&x->key, "%s|%s|%s", limit_scope_name(scope), left, right) < 0)
        x->key = NULL;
    if (asprintf(&x->label, "%s%s%s", left, *left && *right ? " > " : "", right) < 0)
        x->label = NULL;
    if (!x->key || !x->label || !idmap_put(&s->by_pair[scope], pair_key(a, b), x)) {
        subject_free(x);
        return NULL;
    }
    s->count++;
    s->last_id++;
    return x;
}

struct ledger *subject_ledger(struct subject *s, uint32_t limit)
{
    for (struct counter *c = s->counters; c; c = c->next)
        if (c->limit == limit)
            return &c->ledger;
    struct counter *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->limit = limit;
    c->next = s->counters;
    s->counters = c;
    return &c->ledger;
}

/* -- Sweeps ------------------------------------------------------------------------------------ */

bool subjects_are_crowded(const struct subjects *s)
{
    return s->names_by_text.count + s->count >= TIDE_MAX(s->sweep_at, (uint32_t)SUBJECT_SWEEP_MIN);
}

void subjects_keep(struct subjects *s, uint32_t name)
{
    struct subject_name *n = subjects_name(s, name);
    if (!n)
        return;
    n->kept = true;
    if ((n = subjects_name(s, n->domain)))
        n->kept = true;
}

/* Nothing of it counts any more. */
static bool is_empty(struct subject *x, tide_wall_ms now)
{
    bool empty = true;
    for (struct counter *c = x->counters; c; c = c->next) {
        ledger_prune(&c->ledger, now);
        empty &= c->ledger.count == 0;
    }
    return empty;
}

/* Of one scope. What has a row loses that first, and goes in the next sweep. */
static void sweep_scope(struct subjects *s, struct idmap *map, tide_wall_ms now)
{
    struct subject **gone = calloc(map->count + 1, sizeof(*gone));
    size_t count = 0;
    uint32_t pos = 0;
    for (struct subject *x; gone && (x = idmap_next(map, &pos));) {
        if (!is_empty(x, now) || !list_is_empty(&x->dirty)) {
            subjects_keep(s, x->a);
            subjects_keep(s, x->b);
        } else if (x->has_row) {
            subjects_keep(s, x->a);
            subjects_keep(s, x->b);
            subjects_mark(s, x);
        } else {
            gone[count++] = x;
        }
    }
    for (size_t i = 0; i < count; i++) {
        idmap_remove(map, pair_key(gone[i]->a, gone[i]->b));
        subject_free(gone[i]);
        s->count--;
    }
    if (!gone) /* no memory: nothing goes */
        for (uint32_t i = 1; i <= s->name_count; i++)
            subjects_keep(s, i);
    free(gone);
}

void subjects_sweep(struct subjects *s, tide_wall_ms now)
{
    for (unsigned scope = 0; scope < LIMIT_SCOPES; scope++)
        sweep_scope(s, &s->by_pair[scope], now);
    for (uint32_t i = 0; i < s->name_count; i++) {
        struct subject_name *n = s->names[i];
        if (n && !n->kept && !n->data) {
            strmap_remove(&s->names_by_text, text_of(n->text));
            name_free(n);
            s->names[i] = NULL;
        } else if (n) {
            n->kept = false;
        }
    }
    s->sweep_at = 2 * (s->names_by_text.count + s->count);
}

/* -- Rows for the store: per limit its hash and the length of its ledger, then the ledger --------
 */

static void put_u32(struct buf *b, uint32_t x)
{
    const char bytes[4] = {(char)x, (char)(x >> 8), (char)(x >> 16), (char)(x >> 24)};
    buf_add(b, bytes, sizeof bytes);
}

static uint32_t get_u32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

void subjects_mark(struct subjects *s, struct subject *dirty)
{
    if (list_is_empty(&dirty->dirty))
        list_append(&s->dirty, &dirty->dirty);
}

bool subjects_next_dirty(struct subjects *s, struct text *ret_key, struct buf *ret_blob)
{
    struct list *node = list_take_first(&s->dirty);
    if (!node)
        return false;
    struct subject *x = container_of(node, struct subject, dirty);
    buf_clear(ret_blob);
    for (const struct counter *c = x->counters; c; c = c->next) {
        if (c->ledger.count == 0)
            continue;
        size_t header = ret_blob->len;
        put_u32(ret_blob, c->limit);
        put_u32(ret_blob, 0);
        ledger_encode(&c->ledger, ret_blob);
        if (ret_blob->failed != TIDE_OK)
            break;
        uint32_t n = (uint32_t)(ret_blob->len - header - 8);
        for (unsigned i = 0; i < 4; i++)
            ret_blob->data[header + 4 + i] = (char)(n >> 8 * i);
    }
    if (ret_blob->failed != TIDE_OK) {
        subjects_mark(s, x); /* out of memory: the row waits for the next call */
        return false;
    }
    x->has_row = ret_blob->len > 0; /* an empty one is no row */
    *ret_key = text_of(x->key);
    return true;
}

static enum tide_err restore_ledgers(struct subject *x, struct text blob, struct tide_error *err)
{
    while (blob.n) {
        if (blob.n < 8 || get_u32(blob.p + 4) > blob.n - 8)
            return tide_fail(err, TIDE_ECORRUPT, "cut short, %zu bytes are left", blob.n);
        uint32_t limit = get_u32(blob.p), n = get_u32(blob.p + 4);
        struct ledger l, *into;
        enum tide_err rc = ledger_decode(text_cut(blob, 8, n), &l, err);
        if (rc != TIDE_OK)
            return rc;
        into = subject_ledger(x, limit);
        if (!into) {
            ledger_fini(&l);
            return tide_fail(err, TIDE_ENOMEM, "a ledger");
        }
        ledger_fini(into);
        *into = l;
        blob = text_cut(blob, 8 + (size_t)n, blob.n);
    }
    return TIDE_OK;
}

enum tide_err subjects_restore(struct subjects *s,
                               struct text key,
                               struct text blob,
                               struct tide_error *err)
{
    struct text rest = key, scope_name, left, right = {0};
    enum limit_scope scope;
    if (!text_split(&rest, '|', &scope_name) || !limit_scope_of(scope_name, &scope) ||
        !text_split(&rest, '|', &left))
        return tide_fail(err, TIDE_ECORRUPT, "ledger \"" TEXT_FMT "\": want SCOPE|NAME|NAME",
                         TEXT_ARG(key));
    right = rest;
    uint32_t a = subjects_intern(s, left), b = subjects_intern(s, right);
    if ((left.n && !a) || (right.n && !b))
        return tide_fail(err,
                         left.n > SUBJECT_NAME_MAX || right.n > SUBJECT_NAME_MAX ? TIDE_ECORRUPT
                                                                                 : TIDE_ENOMEM,
                         "ledger of a name with %zu bytes", TIDE_MAX(left.n, right.n));
    struct subject *x = subjects_get(s, scope, a, b);
    if (x)
        x->has_row = true;
    enum tide_err rc = x ? restore_ledgers(x, blob, err) : tide_fail(err, TIDE_ENOMEM, "subject");
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "ledger \"" TEXT_FMT "\"", TEXT_ARG(key));
}
