#include "core/verify/dkim.h"

#include "base/base64.h"
#include "base/macros.h"
#include "core/address/addr.h"
#include "core/verify/tag_list.h"

#define DECODED_BYTES_MAX 2048

/* -- The signature field ------------------------------------------------------------------------*/

static enum tide_err want(struct tide_error *err, const char *what)
{
    return tide_fail(err, TIDE_ESYNTAX, "%s", what);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* base64 with folds in it. */
static enum tide_err read_base64(
    struct text t, const char *tag, struct arena *arena, struct text *ret, struct tide_error *err)
{
    struct buf bytes;
    buf_init(&bytes, DECODED_BYTES_MAX);
    enum tide_err rc = base64_decode(t, &bytes, err);
    if (rc == TIDE_OK) {
        *ret = arena_text(arena, buf_text(&bytes));
        if (bytes.len && !ret->p)
            rc = tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    }
    buf_fini(&bytes);
    if (rc == TIDE_OK && ret->n == 0)
        rc = tide_fail(err, TIDE_ESYNTAX, "there is nothing");
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "%s=", tag);
}

/* "relaxed/simple"; what is not said is simple. */
static bool read_canonicalization(struct text c, struct dkim_signature *s)
{
    size_t slash = text_find(c, '/');
    struct text head = text_trim(text_cut(c, 0, slash)),
                body = text_trim(text_cut(c, slash + 1, c.n));
    s->relaxed_header = text_ieq(head, TEXT("relaxed"));
    s->relaxed_body = text_ieq(body, TEXT("relaxed"));
    return (s->relaxed_header || !c.n || text_ieq(head, TEXT("simple"))) &&
           (s->relaxed_body || slash == c.n || text_ieq(body, TEXT("simple")));
}

static bool read_number(struct text t, int64_t preset, int64_t *ret)
{
    *ret = preset;
    return !t.p || text_int(t, 0, INT64_MAX, ret, NULL) == TIDE_OK;
}

static enum tide_err read_tags(const struct tag_list *l,
                               struct dkim_signature *s,
                               struct tide_error *err)
{
    struct text a = tag_value(l, "a"), i = tag_value(l, "i"), q = tag_value(l, "q");
    if (!text_eq(tag_value(l, "v"), TEXT("1")))
        return want(err, "v= is not 1");
    if (text_ieq(a, TEXT("rsa-sha1")))
        return want(err, "a=rsa-sha1 is refused by receivers (RFC 8301)");
    if (text_ieq(a, TEXT("rsa-sha256")))
        s->algorithm = DKIM_RSA;
    else if (text_ieq(a, TEXT("ed25519-sha256")))
        s->algorithm = DKIM_ED25519;
    else
        return want(err, "a= is no algorithm that receivers know");
    if (!s->domain.n || !s->selector.n || !s->names.n)
        return want(err, "one of d=, s= and h= is missing");
    if (!read_canonicalization(tag_value(l, "c"), s))
        return want(err, "c= is neither simple nor relaxed");
    if (q.p && text_ifind(q, TEXT("dns/txt")) == q.n)
        return want(err, "q= knows no way but dns/txt");
    if (!read_number(tag_value(l, "l"), -1, &s->body_bytes) ||
        !read_number(tag_value(l, "t"), 0, &s->signed_at_s) ||
        !read_number(tag_value(l, "x"), 0, &s->expires_at_s))
        return want(err, "one of l=, t= and x= is no number");
    if (s->expires_at_s && s->signed_at_s && s->expires_at_s <= s->signed_at_s)
        return want(err, "x= is not after t= (RFC 6376 3.5)");
    s->identity = i.p ? addr_domain_of(i) : s->domain;
    if (!domain_is_within(s->identity, s->domain))
        return want(err, "i= is not within d=");
    if (!dkim_signs(s, "from"))
        return want(err, "h= does not have From (RFC 6376 5.4)");
    return TIDE_OK;
}

enum tide_err dkim_signature_parse(const struct header *field,
                                   struct arena *arena,
                                   struct dkim_signature *ret,
                                   struct tide_error *err)
{
    struct tag_list l;
    struct dkim_signature s = {.field = *field};
    tag_list_parse(field->raw, false, &l);
    if (l.malformed || l.duplicate || l.too_many)
        return want(err, "it is no list of NAME=VALUE, each name once (RFC 6376 3.2)");
    s.domain = tag_value(&l, "d");
    s.selector = tag_value(&l, "s");
    s.names = tag_value(&l, "h");
    enum tide_err rc = read_tags(&l, &s, err);
    if (rc == TIDE_OK)
        rc = read_base64(tag_value(&l, "b"), "b", arena, &s.signature, err);
    if (rc == TIDE_OK)
        rc = read_base64(tag_value(&l, "bh"), "bh", arena, &s.body_hash, err);
    if (rc == TIDE_OK)
        *ret = s;
    return rc;
}

bool dkim_signs(const struct dkim_signature *s, const char *name)
{
    struct text rest = s->names, one;
    while (text_split(&rest, ':', &one))
        if (text_ieq(text_trim(one), text_of(name)))
            return true;
    return false;
}

/* -- The body (RFC 6376 3.4.3, 3.4.4) -----------------------------------------------------------*/

struct body_sink {
    dkim_sink sink;
    void *arg;
    int64_t left; /* of l=; negative: all */
    int64_t total;
};

static void put(struct body_sink *b, const char *bytes, size_t n)
{
    size_t take = b->left < 0 || (int64_t)n <= b->left ? n : (size_t)b->left;
    b->total += (int64_t)n;
    if (take)
        b->sink(b->arg, bytes, take);
    if (b->left >= 0)
        b->left -= (int64_t)take;
}

/* A line without its end: runs of blanks become one, those at the end go. */
static void put_relaxed(struct body_sink *b, struct text line)
{
    while (line.n && is_blank(line.p[line.n - 1]))
        line.n--;
    for (size_t i = 0; i < line.n;) {
        size_t start = i;
        while (i < line.n && !is_blank(line.p[i]))
            i++;
        if (i > start)
            put(b, line.p + start, i - start);
        if (i < line.n)
            put(b, " ", 1);
        while (i < line.n && is_blank(line.p[i]))
            i++;
    }
}

static bool is_empty(struct text line, bool relaxed)
{
    for (size_t i = 0; i < line.n; i++)
        if (!relaxed || !is_blank(line.p[i]))
            return false;
    return true;
}

int64_t dkim_put_body(const struct dkim_signature *s,
                      const struct message *m,
                      dkim_sink sink,
                      void *arg)
{
    struct body_sink b = {.sink = sink, .arg = arg, .left = s->body_bytes};
    struct text rest = m->body, line;
    size_t empty = 0;
    while (rest.n && text_line(&rest, &line)) {
        if (is_empty(line, s->relaxed_body)) {
            empty++; /* they count only when something comes after them */
            continue;
        }
        for (; empty; empty--)
            put(&b, "\r\n", 2);
        if (s->relaxed_body)
            put_relaxed(&b, line);
        else
            put(&b, line.p, line.n);
        put(&b, "\r\n", 2);
    }
    if (b.total == 0 && !s->relaxed_body)
        put(&b, "\r\n", 2); /* RFC 6376 3.4.3: an empty body is one line end */
    return b.total;
}

/* -- The header (RFC 6376 3.4.1, 3.4.2, 3.7) ----------------------------------------------------*/

/* "name:value": unfolded, runs of blanks become one, none around the colon and at the end. */
static void put_relaxed_field(struct text name, struct text value, struct body_sink *b)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = ascii_lower(name.p[i]);
        put(b, &c, 1);
    }
    put(b, ":", 1);
    put_relaxed(b, text_trim(value));
}

static void put_field(const struct header *h, bool relaxed, struct body_sink *b)
{
    if (!relaxed) {
        put(b, h->whole.p, h->whole.n);
        return;
    }
    put_relaxed_field(text_trim(h->name), h->raw, b);
    put(b, "\r\n", 2);
}

/* The signature's own field, with what stands in b= taken out and without its line end. */
static enum tide_err put_own(const struct dkim_signature *s,
                             struct body_sink *b,
                             struct tide_error *err)
{
    struct buf whole = {0};
    struct text raw = s->field.raw, rest = raw, item;
    size_t before = (size_t)(raw.p - s->field.whole.p);
    buf_add(&whole, s->field.whole.p, before);
    while (text_split(&rest, ';', &item)) {
        size_t at = text_find(item, '=');
        bool own = at < item.n && text_eq(text_trim(text_cut(item, 0, at)), TEXT("b"));
        buf_add_text(&whole, own ? text_cut(item, 0, at + 1) : item);
        if (rest.p)
            buf_addc(&whole, ';');
    }
    enum tide_err rc = buf_check(&whole, err);
    if (rc == TIDE_OK && s->relaxed_header)
        put_relaxed_field(text_trim(s->field.name), text_cut(buf_text(&whole), before, whole.len),
                          b);
    else if (rc == TIDE_OK)
        put(b, whole.data, whole.len);
    buf_fini(&whole);
    return rc;
}

enum tide_err dkim_put_header(const struct dkim_signature *s,
                              const struct message *m,
                              struct arena *arena,
                              dkim_sink sink,
                              void *arg,
                              struct tide_error *err)
{
    struct body_sink b = {.sink = sink, .arg = arg, .left = -1};
    struct header *all = arena_array(arena, MESSAGE_HEADERS_MAX, sizeof *all);
    bool *used = arena_array(arena, MESSAGE_HEADERS_MAX, sizeof *used);
    struct text rest = s->names, name;
    size_t count = 0, pos = 0;
    if (!all || !used)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    while (count < MESSAGE_HEADERS_MAX && message_next(m, &pos, &all[count])) {
        used[count] = all[count].whole.p == s->field.whole.p;
        count++;
    }
    /* RFC 6376 5.4.2: from the bottom up; a name without a field left stands for nothing. */
    while (text_split(&rest, ':', &name)) {
        size_t i = count;
        while (i-- > 0)
            if (!used[i] && text_ieq(text_trim(all[i].name), text_trim(name)))
                break;
        if (i == (size_t)-1)
            continue;
        used[i] = true;
        put_field(&all[i], s->relaxed_header, &b);
    }
    return put_own(s, &b, err);
}
