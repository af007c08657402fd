#include "core/digest/charset.h"
#include "core/digest/message.h"

#include "base/map.h"

#include <gmime/gmime.h>

struct gather {
    struct arena *arena;
    struct text charset; /* of raw bytes that are no UTF-8 */
    struct mailbox *items;
    size_t count, cap;
    struct strmap *seen; /* NULL: keep what comes twice */
    struct tide_error *err;
};

/* Encoded words are hidden from GMime and decoded here, together (charset.h says why): "=?" goes in
 * as "=" HIDDEN "?", a character of private use. */
#define HIDDEN "\xEE\x80\x80"

static char *with_hidden_words(struct text t, struct arena *a)
{
    size_t n = 0;
    char *z = arena_alloc(a, t.n * 3 + 1);
    for (size_t i = 0; z && i < t.n; i++) {
        bool fold = t.p[i] == '\r' || t.p[i] == '\n' || t.p[i] == '\0';
        z[n++] = fold ? ' ' : t.p[i];
        if (t.p[i] == '=' && i + 1 < t.n && t.p[i + 1] == '?') {
            memcpy(z + n, HIDDEN, strlen(HIDDEN));
            n += strlen(HIDDEN);
        }
    }
    return z;
}

static struct text unhidden(const char *s, struct arena *a)
{
    struct text t = text_of(s);
    char *z = arena_alloc(a, t.n + 1);
    size_t n = 0;
    for (size_t i = 0; z && i < t.n; i++) {
        if (t.p[i] == '=' && text_starts(text_cut(t, i, 5), TEXT("=" HIDDEN "?"))) {
            z[n++] = '=';
            i += strlen(HIDDEN);
        } else {
            z[n++] = t.p[i];
        }
    }
    return text_trim((struct text){z, n});
}

static enum tide_err gather_one(struct gather *g, const char *name, const char *address)
{
    struct text t = unhidden(address, g->arena);
    if (t.n == 0)
        return TIDE_OK;
    if (t.n > MESSAGE_ADDRESS_BYTES_MAX)
        return tide_fail(g->err, TIDE_ELIMIT, "an address of %zu bytes; at most %d are allowed",
                         t.n, MESSAGE_ADDRESS_BYTES_MAX);
    if (g->seen && strmap_get(g->seen, t))
        return TIDE_OK;
    if (g->count == MESSAGE_ADDRESSES_MAX)
        return tide_fail(g->err, TIDE_ELIMIT, "more than %d addresses", MESSAGE_ADDRESSES_MAX);
    if (g->count == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 8;
        struct mailbox *more = arena_array(g->arena, cap, sizeof *more);
        if (!more)
            return tide_fail(g->err, TIDE_ENOMEM, "out of memory for addresses");
        if (g->count)
            memcpy(more, g->items, g->count * sizeof *more);
        g->items = more;
        g->cap = cap;
    }
    struct mailbox *box = &g->items[g->count];
    box->address = t;
    box->name = charset_decode_header(unhidden(name, g->arena), TEXT("utf-8"), g->arena);
    if (!box->name.p || (g->seen && !strmap_put(g->seen, t, g->items)))
        return tide_fail(g->err, TIDE_ENOMEM, "out of memory for addresses");
    g->count++;
    return TIDE_OK;
}

/* Groups in groups are no mail; GMime reads them all the same. */
#define GROUP_DEPTH_MAX 4

static enum tide_err gather_list(struct gather *g, InternetAddressList *list, int depth)
{
    int count = internet_address_list_length(list);
    enum tide_err rc = TIDE_OK;
    for (int i = 0; i < count && rc == TIDE_OK; i++) {
        InternetAddress *ia = internet_address_list_get_address(list, i);
        if (INTERNET_ADDRESS_IS_MAILBOX(ia))
            rc = gather_one(g, internet_address_get_name(ia),
                            internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(ia)));
        else if (INTERNET_ADDRESS_IS_GROUP(ia) && depth < GROUP_DEPTH_MAX)
            rc = gather_list(g, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(ia)),
                             depth + 1);
    }
    return rc;
}

static enum tide_err gather_field(struct gather *g, struct text raw)
{
    struct text utf8 =
        charset_to_utf8(raw, text_is_utf8(raw) ? TEXT("utf-8") : g->charset, g->arena);
    char *z = utf8.p ? with_hidden_words(utf8, g->arena) : NULL;
    if (!z)
        return tide_fail(g->err, TIDE_ENOMEM, "out of memory for addresses");
    charset_ready();
    InternetAddressList *list = internet_address_list_parse(NULL, z);
    if (!list)
        return TIDE_OK;
    enum tide_err rc = gather_list(g, list, 0);
    g_object_unref(list);
    return rc;
}

static enum tide_err gather_named(struct gather *g, const struct message *m, struct text name)
{
    struct header h;
    enum tide_err rc = TIDE_OK;
    g->charset = message_charset(m);
    for (size_t pos = 0; rc == TIDE_OK && message_next(m, &pos, &h);)
        if (text_ieq(h.name, name))
            rc = gather_field(g, h.raw);
    return rc == TIDE_OK ? rc : tide_wrap(g->err, rc, "header field " TEXT_FMT, TEXT_ARG(name));
}

enum tide_err message_mailboxes(const struct message *m,
                                struct text name,
                                struct arena *a,
                                struct mailbox **ret,
                                size_t *ret_count,
                                struct tide_error *err)
{
    struct gather g = {.arena = a, .err = err};
    enum tide_err rc = gather_named(&g, m, name);
    if (rc == TIDE_OK) {
        *ret = g.items;
        *ret_count = g.count;
    }
    return rc;
}

enum tide_err message_from(const struct message *m,
                           struct arena *a,
                           struct mailbox *ret,
                           struct tide_error *err)
{
    size_t fields = message_count(m, TEXT("From")), count;
    struct mailbox *boxes;
    if (fields == 0)
        return tide_fail(err, TIDE_ENOENT, "the message has no From field");
    if (fields > 1)
        return tide_fail(err, TIDE_ESYNTAX, "the message has %zu From fields; want one", fields);
    enum tide_err rc = message_mailboxes(m, TEXT("From"), a, &boxes, &count, err);
    if (rc != TIDE_OK)
        return rc;
    if (count == 0)
        return tide_fail(err, TIDE_ESYNTAX, "the From field holds no mail address");
    *ret = boxes[0];
    return TIDE_OK;
}

enum tide_err message_recipients(const struct message *m,
                                 struct arena *a,
                                 struct mailbox **ret,
                                 size_t *ret_count,
                                 struct tide_error *err)
{
    static const char *const fields[] = {"To", "Cc", "Bcc"};
    struct strmap seen;
    struct gather g = {.arena = a, .seen = &seen, .err = err};
    strmap_init(&seen);
    enum tide_err rc = TIDE_OK;
    for (size_t i = 0; i < 3 && rc == TIDE_OK; i++)
        rc = gather_named(&g, m, text_of(fields[i]));
    strmap_fini(&seen);
    if (rc == TIDE_OK) {
        *ret = g.items;
        *ret_count = g.count;
    }
    return rc;
}
