#include "core/dns/cache.h"

#include "base/macros.h"

#include <stdlib.h>

#define CACHE_MAGIC       "mailtide dns cache 1\n"
#define ANSWER_BYTES_MAX  65536
#define CLOCK_BACK_MS_MAX TIME_DAY_MS /* an entry from further in the future is not believed */

struct entry {
    struct list node;
    tide_wall_ms stored_at, expires_at;
    uint32_t answer_n;
    uint16_t type;
    uint8_t name_n;
    char bytes[]; /* name, then the encoded answer */
};

static size_t entry_bytes(const struct entry *e)
{
    return sizeof *e + e->name_n + e->answer_n;
}

void dns_cache_init(struct dns_cache *c, const struct dns_cache_limits *limits)
{
    *c = (struct dns_cache){.limits = *limits};
    idmap_init(&c->entries);
    list_init(&c->used);
}

static void entry_drop(struct dns_cache *c, struct entry *e)
{
    idmap_remove(&c->entries, dns_key(e->type, e->bytes, e->name_n));
    list_remove(&e->node);
    c->bytes -= entry_bytes(e);
    free(e);
}

void dns_cache_fini(struct dns_cache *c)
{
    LIST_EACH(node, &c->used)
    entry_drop(c, container_of(node, struct entry, node));
    idmap_fini(&c->entries);
}

static void shrink_to(struct dns_cache *c, uint32_t count)
{
    while (c->entries.count > count)
        entry_drop(c, container_of(list_first(&c->used), struct entry, node));
}

void dns_cache_set_limits(struct dns_cache *c, const struct dns_cache_limits *limits)
{
    c->limits = *limits;
    shrink_to(c, limits->entries_max);
}

/* The entry of this name; one of another name with the same hash is not it. */
static struct entry *find(
    const struct dns_cache *c, int64_t key, uint16_t type, const void *name, size_t n)
{
    struct entry *e = idmap_get(&c->entries, key);
    return e && e->type == type && e->name_n == n && memcmp(e->bytes, name, n) == 0 ? e : NULL;
}

/* Takes the place of what was under the same key. */
static void insert(struct dns_cache *c,
                   int64_t key,
                   const struct entry *head,
                   const void *name,
                   struct text answer)
{
    if (c->limits.entries_max == 0)
        return;
    struct entry *old = idmap_get(&c->entries, key);
    struct entry *e = malloc(sizeof *e + head->name_n + answer.n);
    if (!e)
        return;
    *e = *head;
    e->answer_n = (uint32_t)answer.n;
    memcpy(e->bytes, name, e->name_n);
    memcpy(e->bytes + e->name_n, answer.p, answer.n);
    if (old)
        entry_drop(c, old);
    shrink_to(c, c->limits.entries_max - 1);
    if (!idmap_put(&c->entries, key, e)) {
        free(e);
        return;
    }
    list_append(&c->used, &e->node);
    c->bytes += entry_bytes(e);
}

void dns_cache_put(struct dns_cache *c,
                   const struct dns_question *q,
                   const struct dns_answer *answer,
                   tide_wall_ms now)
{
    int64_t max = answer->status == DNS_OK ? c->limits.ttl_max_ms : c->limits.negative_ttl_max_ms;
    int64_t ttl = TIDE_MIN((int64_t)answer->ttl_s * TIME_SECOND_MS, max);
    if (!dns_status_is_final(answer->status) || ttl <= 0 || c->limits.entries_max == 0)
        return;
    struct buf b;
    buf_init(&b, ANSWER_BYTES_MAX);
    dns_answer_encode(answer, &b);
    struct entry head = {
        .stored_at = now, .expires_at = now + ttl, .type = q->type, .name_n = q->name_n};
    if (buf_check(&b, NULL) == TIDE_OK)
        insert(c, q->key, &head, q->name, buf_text(&b));
    buf_fini(&b);
}

enum dns_freshness dns_cache_get(struct dns_cache *c,
                                 const struct dns_question *q,
                                 tide_wall_ms now,
                                 struct arena *arena,
                                 struct dns_answer *ret)
{
    struct entry *e = find(c, q->key, q->type, q->name, q->name_n);
    if (!e)
        return DNS_ABSENT;
    bool dead = now >= e->expires_at && now - e->expires_at >= c->limits.stale_max_ms;
    bool from_future = e->stored_at > now && e->stored_at - now > CLOCK_BACK_MS_MAX;
    struct text bytes = {e->bytes + e->name_n, e->answer_n};
    if (dead || from_future) {
        entry_drop(c, e);
        return DNS_ABSENT;
    }
    if (dns_answer_decode(bytes, arena, ret) != TIDE_OK)
        return DNS_ABSENT; /* out of memory */
    list_remove(&e->node);
    list_append(&c->used, &e->node);
    if (now >= e->expires_at) {
        ret->ttl_s = 0;
        ret->stale = true;
        return DNS_STALE;
    }
    int64_t left = (e->expires_at - now + TIME_SECOND_MS - 1) / TIME_SECOND_MS;
    ret->ttl_s = (uint32_t)TIDE_MIN(left, (int64_t)INT32_MAX);
    return DNS_FRESH;
}

/* Numbers are big-endian; a text is its length in two octets and its bytes. */
static void put_uint(struct buf *out, uint64_t v, unsigned octets)
{
    while (octets--)
        buf_addc(out, (char)(v >> 8 * octets));
}

static void put_text(struct buf *out, struct text t)
{
    if (t.n > UINT16_MAX)
        out->failed = TIDE_ELIMIT;
    put_uint(out, t.n, 2);
    buf_add_text(out, t);
}

struct reader {
    struct text rest;
    bool failed;
};

static uint64_t take_uint(struct reader *r, unsigned octets)
{
    uint64_t v = 0;
    if (r->rest.n < octets) {
        r->failed = true;
        return 0;
    }
    for (unsigned i = 0; i < octets; i++)
        v = v << 8 | (uint8_t)r->rest.p[i];
    r->rest = text_cut(r->rest, octets, r->rest.n);
    return v;
}

static struct text take_bytes(struct reader *r, size_t n)
{
    if (r->failed || r->rest.n < n) {
        r->failed = true;
        return (struct text){0};
    }
    struct text t = text_cut(r->rest, 0, n);
    r->rest = text_cut(r->rest, n, r->rest.n);
    return t;
}

/* What a record of this type keeps beside its TTL. */
static bool has_address(unsigned type)
{
    return type == DNS_A || type == DNS_AAAA;
}

void dns_answer_encode(const struct dns_answer *a, struct buf *out)
{
    put_uint(out, a->status, 1);
    put_uint(out, a->type, 2);
    put_uint(out, a->cname_count, 1);
    put_uint(out, a->ttl_s, 4);
    put_text(out, a->canonical);
    put_uint(out, a->rr_count, 2);
    for (size_t i = 0; i < a->rr_count; i++) {
        const struct dns_rr *rr = &a->rrs[i];
        put_uint(out, rr->ttl_s, 4);
        if (has_address(a->type))
            buf_add(out, rr->address, a->type == DNS_A ? 4 : 16);
        else
            put_text(out, rr->data);
        if (a->type == DNS_MX)
            put_uint(out, rr->preference, 2);
    }
}

enum tide_err dns_answer_decode(struct text bytes, struct arena *arena, struct dns_answer *ret)
{
    struct reader r = {bytes, false};
    struct dns_answer a = {.status = (enum dns_status)take_uint(&r, 1)};
    a.type = (enum dns_type)take_uint(&r, 2);
    a.cname_count = (uint8_t)take_uint(&r, 1);
    a.ttl_s = (uint32_t)take_uint(&r, 4);
    struct text canonical = take_bytes(&r, take_uint(&r, 2));
    a.rr_count = take_uint(&r, 2);
    if (r.failed || !dns_status_is_final(a.status) || a.ttl_s > INT32_MAX ||
        a.rr_count > DNS_RRS_MAX || (a.rr_count > 0) != (a.status == DNS_OK))
        return TIDE_ECORRUPT;
    struct dns_rr *rrs = a.rr_count ? arena_array(arena, a.rr_count, sizeof *rrs) : NULL;
    a.canonical = arena_text(arena, canonical);
    if ((a.rr_count && !rrs) || (canonical.n && !a.canonical.p))
        return TIDE_ENOMEM;
    for (size_t i = 0; i < a.rr_count && !r.failed; i++) {
        rrs[i].ttl_s = (uint32_t)take_uint(&r, 4);
        size_t n = has_address(a.type) ? (a.type == DNS_A ? 4 : 16) : take_uint(&r, 2);
        struct text data = take_bytes(&r, n);
        if (has_address(a.type) && data.n)
            memcpy(rrs[i].address, data.p, data.n);
        else if (data.n && !(rrs[i].data = arena_text(arena, data)).p)
            return TIDE_ENOMEM;
        if (a.type == DNS_MX)
            rrs[i].preference = (uint16_t)take_uint(&r, 2);
    }
    if (r.failed || r.rest.n)
        return TIDE_ECORRUPT;
    a.rrs = rrs;
    *ret = a;
    return TIDE_OK;
}

/* FNV-1a: against damage, not against malice. The file is our own. */
static uint64_t checksum(struct text t)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < t.n; i++)
        h = (h ^ (uint8_t)t.p[i]) * 0x100000001b3u;
    return h;
}

void dns_cache_encode(const struct dns_cache *c, struct buf *out)
{
    size_t start = out->len;
    buf_adds(out, CACHE_MAGIC);
    LIST_EACH(node, &c->used)
    {
        const struct entry *e = container_of(node, struct entry, node);
        put_uint(out, (uint64_t)e->stored_at, 8);
        put_uint(out, (uint64_t)e->expires_at, 8);
        put_uint(out, e->type, 2);
        put_uint(out, e->name_n, 1);
        put_uint(out, e->answer_n, 4);
        buf_add(out, e->bytes, (size_t)e->name_n + e->answer_n);
    }
    if (out->failed == TIDE_OK)
        put_uint(out, checksum(text_cut(buf_text(out), start, out->len)), 8);
}

/* One entry of the file; it is checked whole before it is believed. */
static bool take_entry(struct reader *r,
                       struct entry *head,
                       struct text *ret_name,
                       struct text *ret_answer)
{
    *head = (struct entry){0};
    head->stored_at = (tide_wall_ms)take_uint(r, 8);
    head->expires_at = (tide_wall_ms)take_uint(r, 8);
    head->type = (uint16_t)take_uint(r, 2);
    head->name_n = (uint8_t)take_uint(r, 1);
    head->answer_n = (uint32_t)take_uint(r, 4);
    *ret_name = take_bytes(r, head->name_n);
    *ret_answer = take_bytes(r, head->answer_n);
    if (r->failed || head->name_n == 0 || head->stored_at < 0 ||
        head->expires_at <= head->stored_at || head->expires_at > TIDE_NEVER / 2)
        return false;
    struct arena arena = {0};
    struct dns_answer a;
    bool ok = dns_answer_decode(*ret_answer, &arena, &a) == TIDE_OK && a.type == head->type;
    arena_fini(&arena);
    return ok;
}

enum tide_err dns_cache_decode(struct dns_cache *c,
                               struct text bytes,
                               tide_wall_ms now,
                               struct tide_error *err)
{
    struct text magic = TEXT(CACHE_MAGIC);
    if (!text_starts(bytes, magic) || bytes.n < magic.n + 8)
        return tide_fail(err, TIDE_ECORRUPT, "not a DNS cache of this version");
    struct reader sum = {text_cut(bytes, bytes.n - 8, 8), false};
    if (take_uint(&sum, 8) != checksum(text_cut(bytes, 0, bytes.n - 8)))
        return tide_fail(err, TIDE_ECORRUPT, "the DNS cache is damaged: its checksum is wrong");
    struct text all = text_cut(bytes, magic.n, bytes.n - 8 - magic.n), name, answer;
    struct entry head;
    for (struct reader r = {all, false}; r.rest.n;)
        if (!take_entry(&r, &head, &name, &answer))
            return tide_fail(err, TIDE_ECORRUPT, "the DNS cache holds an entry that is none");
    for (struct reader r = {all, false}; r.rest.n;) {
        (void)take_entry(&r, &head, &name, &answer);
        int64_t key = dns_key(head.type, name.p, name.n);
        bool known = find(c, key, head.type, name.p, name.n) != NULL;
        if (!known && now - head.expires_at < c->limits.stale_max_ms)
            insert(c, key, &head, name.p, answer);
    }
    return TIDE_OK;
}
