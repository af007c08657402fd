/* Lists of addresses (RFC 5322 3.4, obsolete forms too), read in one pass without recursion: GMime
 * takes the square of a list's length, a minute for 250 kB, and recurses into groups. */
#include "core/digest/charset.h"
#include "core/digest/message.h"

#include "base/macros.h"
#include "base/map.h"

struct gather {
    struct arena *arena;
    struct mailbox *items;
    size_t count, cap;
    struct strmap *seen; /* NULL: keep what comes twice */
    struct tide_error *err;
};

static enum tide_err grow(struct gather *g)
{
    size_t cap = g->cap ? g->cap * 2 : 8;
    struct mailbox *more = arena_array(g->arena, cap, sizeof *more);
    if (!more)
        return tide_fail(g->err, TIDE_ENOMEM, "out of memory for addresses");
    if (g->count)
        memcpy(more, g->items, g->count * sizeof *more);
    g->items = more;
    g->cap = cap;
    return TIDE_OK;
}

static enum tide_err gather_one(struct gather *g, struct text name, struct text address)
{
    if (address.n > MESSAGE_ADDRESS_BYTES_MAX)
        return tide_fail(g->err, TIDE_ELIMIT, "an address of %zu bytes; at most %d are allowed",
                         address.n, MESSAGE_ADDRESS_BYTES_MAX);
    if (g->seen && strmap_get(g->seen, address))
        return TIDE_OK;
    if (g->count == MESSAGE_ADDRESSES_MAX)
        return tide_fail(g->err, TIDE_ELIMIT, "more than %d addresses", MESSAGE_ADDRESSES_MAX);
    enum tide_err rc = g->count == g->cap ? grow(g) : TIDE_OK;
    if (rc != TIDE_OK)
        return rc;
    struct mailbox *box = &g->items[g->count];
    box->address = arena_text(g->arena, address);
    box->name =
        charset_decode_header(text_cut(name, 0, MESSAGE_VALUE_BYTES_MAX), TEXT("utf-8"), g->arena);
    if (box->name.n > 0) /* it may be borrowed from the reader's buffer */
        box->name = arena_text(g->arena, box->name);
    if (!box->address.p || (g->seen && !strmap_put(g->seen, address, g)))
        return tide_fail(g->err, TIDE_ENOMEM, "out of memory for addresses");
    g->count++;
    return TIDE_OK;
}

/* One mailbox while it is read. */
struct words {
    struct text rest;
    struct buf phrase;  /* words and quoted strings, the quotes undone */
    struct buf bare;    /* the same as an address without angle brackets, quotes kept */
    struct buf angle;   /* within angle brackets */
    struct buf comment; /* the last one */
    bool has_angle, blank;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

static bool joins(char c)
{
    return c == '.' || c == '@';
}

/* Blanks around "." and "@" mean nothing (RFC 5322 4.4); others stay, so that what is no address is
 * not made into one. */
static void add_to_address(struct buf *b, bool blank, const char *bytes, size_t n)
{
    if (blank && b->len > 0 && n > 0 && !joins(bytes[0]) && !joins(b->data[b->len - 1]))
        buf_addc(b, ' ');
    buf_add(b, bytes, n);
}

static void add_word(struct words *w, struct text shown, struct text written)
{
    if (!w->has_angle) {
        if (w->blank && w->phrase.len > 0)
            buf_addc(&w->phrase, ' ');
        buf_add_text(&w->phrase, shown);
        add_to_address(&w->bare, w->blank, written.p, written.n);
    }
    w->blank = false;
}

static char take_char(struct text *rest)
{
    char c = rest->p[0];
    *rest = text_cut(*rest, 1, rest->n);
    return c;
}

/* Up to the closing quote or the end; the rest begins behind the opening one. */
static void take_quoted(struct words *w)
{
    struct buf plain = {0};
    const char *from = w->rest.p - 1;
    while (w->rest.n > 0) {
        char c = take_char(&w->rest);
        if (c == '"')
            break;
        if (c == '\\' && w->rest.n > 0)
            c = take_char(&w->rest);
        if (c != '\r' && c != '\n')
            buf_addc(&plain, c);
    }
    add_word(w, buf_text(&plain), (struct text){from, (size_t)(w->rest.p - from)});
    buf_fini(&plain);
}

/* Comments may hold comments; they are counted, not nested. */
static void take_comment(struct words *w)
{
    buf_clear(&w->comment);
    for (size_t depth = 1; w->rest.n > 0;) {
        char c = take_char(&w->rest);
        depth += c == '(';
        depth -= c == ')';
        if (depth == 0)
            break;
        if (c == '\\' && w->rest.n > 0)
            c = take_char(&w->rest);
        buf_addc(&w->comment, c);
    }
    w->blank = true;
}

static void take_angle(struct words *w)
{
    bool quoted = false, blank = false;
    buf_clear(&w->angle);
    w->has_angle = true;
    while (w->rest.n > 0) {
        char c = take_char(&w->rest);
        if (c == '>' && !quoted)
            break;
        if (c == '\\' && quoted && w->rest.n > 0) {
            buf_addc(&w->angle, c);
            c = take_char(&w->rest);
        } else if (c == '"') {
            quoted = !quoted;
        } else if (is_blank(c) && !quoted) {
            blank = true;
            continue;
        } else if (c == ':' && w->angle.len > 0 && w->angle.data[0] == '@') {
            buf_clear(&w->angle); /* a route (RFC 5322 4.4) */
            continue;
        }
        add_to_address(&w->angle, blank, &c, 1);
        blank = false;
    }
}

/* An encoded word whole, as senders put commas and colons into them; a domain literal whole; else
 * bytes up to the next that means something. */
static void take_atom(struct words *w)
{
    size_t n = charset_word_length(w->rest);
    if (n == 0 && w->rest.p[0] == '[')
        n = TIDE_MIN(text_find(w->rest, ']') + 1, w->rest.n);
    if (n == 0)
        n = 1;
    add_word(w, text_cut(w->rest, 0, n), text_cut(w->rest, 0, n));
    w->rest = text_cut(w->rest, n, w->rest.n);
}

static enum tide_err end_mailbox(struct words *w, struct gather *g)
{
    enum tide_err rc = TIDE_OK;
    struct text address = text_trim(buf_text(w->has_angle ? &w->angle : &w->bare));
    struct text name = buf_text(w->has_angle ? &w->phrase : &w->comment);
    if (w->has_angle && name.n == 0)
        name = buf_text(&w->comment);
    if (w->phrase.failed || w->bare.failed || w->angle.failed || w->comment.failed)
        rc = tide_fail(g->err, TIDE_ENOMEM, "out of memory for addresses");
    else if (address.n > 0)
        rc = gather_one(g, name, address);
    buf_clear(&w->phrase);
    buf_clear(&w->bare);
    buf_clear(&w->angle);
    buf_clear(&w->comment);
    w->has_angle = w->blank = false;
    return rc;
}

static enum tide_err take_one(struct words *w, struct gather *g)
{
    enum tide_err rc = TIDE_OK;
    char c = w->rest.p[0];
    if (!strchr("\"(<,;:", c) && !is_blank(c)) {
        take_atom(w);
        return rc;
    }
    w->rest = text_cut(w->rest, 1, w->rest.n);
    switch (c) {
    case '"':
        take_quoted(w);
        break;
    case '(':
        take_comment(w);
        break;
    case '<':
        if (w->has_angle) /* the comma between two was forgotten */
            rc = end_mailbox(w, g);
        take_angle(w);
        break;
    case ',':
    case ';':
        rc = end_mailbox(w, g);
        break;
    case ':': /* what stood before it is the name of a group */
        buf_clear(&w->phrase);
        buf_clear(&w->bare);
        break;
    default:
        w->blank = true;
    }
    return rc;
}

static enum tide_err gather_field(struct gather *g, struct text raw, struct text charset)
{
    struct text utf8 = charset_to_utf8(raw, text_is_utf8(raw) ? TEXT("utf-8") : charset, g->arena);
    if (raw.n > 0 && !utf8.p)
        return tide_fail(g->err, TIDE_ENOMEM, "out of memory for addresses");
    struct words w = {.rest = utf8};
    enum tide_err rc = TIDE_OK;
    while (rc == TIDE_OK && w.rest.n > 0)
        rc = take_one(&w, g);
    if (rc == TIDE_OK)
        rc = end_mailbox(&w, g);
    buf_fini(&w.phrase);
    buf_fini(&w.bare);
    buf_fini(&w.angle);
    buf_fini(&w.comment);
    return rc;
}

static enum tide_err gather_named(struct gather *g, const struct message *m, struct text name)
{
    struct header h;
    enum tide_err rc = TIDE_OK;
    struct text charset = message_charset(m);
    for (size_t pos = 0; rc == TIDE_OK && message_find_next(m, name, &pos, &h);)
        rc = gather_field(g, h.raw, charset);
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
    for (size_t i = 0; i < TIDE_COUNT(fields) && rc == TIDE_OK; i++)
        rc = gather_named(&g, m, text_of(fields[i]));
    strmap_fini(&seen);
    if (rc == TIDE_OK) {
        *ret = g.items;
        *ret_count = g.count;
    }
    return rc;
}
