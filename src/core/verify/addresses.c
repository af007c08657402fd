#include "core/verify/addresses.h"

#include "base/macros.h"
#include "core/proto/json.h"

#include <glib.h>

static const char *const names[] = {"email",         "address",      "e-mail",
                                    "mail",          "recipient",    "email_address",
                                    "email address", "emailaddress", "to"};

void addresses_init(struct addresses *in, const char *column)
{
    *in = (struct addresses){.column = column};
}

void addresses_fini(struct addresses *in)
{
    if (in->kind == ADDRESSES_CSV)
        csv_fini(&in->csv);
    buf_fini(&in->fed);
    buf_fini(&in->address);
}

/* -- UTF-16 -------------------------------------------------------------------------------------*/

#define REPLACEMENT 0xFFFDu

static void put_utf8(struct buf *out, uint32_t c)
{
    char octets[6];
    buf_add(out, octets, (size_t)g_unichar_to_utf8(c, octets));
}

static void put_unit(struct addresses *in, uint32_t unit)
{
    bool first = unit >= 0xD800 && unit < 0xDC00, second = unit >= 0xDC00 && unit < 0xE000;
    if (in->surrogate && second) {
        put_utf8(&in->fed, 0x10000 + ((in->surrogate - 0xD800) << 10) + (unit - 0xDC00));
        in->surrogate = 0;
        return;
    }
    if (in->surrogate)
        put_utf8(&in->fed, REPLACEMENT);
    in->surrogate = first ? unit : 0;
    if (!first)
        put_utf8(&in->fed, second ? REPLACEMENT : unit);
}

static void feed_wide(struct addresses *in, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t octet = (uint8_t)bytes[i];
        if (in->has_half)
            put_unit(in,
                     in->big ? (uint32_t)in->half << 8 | octet : (uint32_t)octet << 8 | in->half);
        in->has_half = !in->has_half;
        in->half = octet;
    }
}

/* By the mark, which goes. False: two octets are wanted to know. */
static bool decide_encoding(struct addresses *in)
{
    const unsigned char *p = (const unsigned char *)in->fed.data;
    if (in->fed.len < 2)
        return in->end;
    in->big = p[0] == 0xFE && p[1] == 0xFF;
    in->wide = in->big || (p[0] == 0xFF && p[1] == 0xFE);
    in->no_text = !in->wide && memchr(p, 0, TIDE_MIN(in->fed.len, (size_t)4));
    if (in->wide) {
        struct buf narrow = in->fed;
        in->fed = (struct buf){0};
        feed_wide(in, narrow.data + 2, narrow.len - 2);
        buf_fini(&narrow);
    }
    return true;
}

bool addresses_feed(struct addresses *in, const char *bytes, size_t n)
{
    buf_consume(&in->fed, in->at);
    in->at = 0;
    if (in->wide)
        feed_wide(in, bytes, n);
    else
        buf_add(&in->fed, bytes, n);
    in->end = in->end || n == 0;
    return in->fed.failed == TIDE_OK;
}

static struct text rest_of(const struct addresses *in)
{
    return text_cut(buf_text(&in->fed), in->at, in->fed.len);
}

static enum tide_err no_memory(struct tide_error *err)
{
    return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
}

/* The address is a copy: what it was taken from may go. */
static enum tide_err give(struct addresses *in,
                          struct text address,
                          struct text *ret,
                          struct tide_error *err)
{
    buf_clear(&in->address);
    buf_add_text(&in->address, text_trim(address));
    *ret = buf_text(&in->address);
    return in->address.failed ? no_memory(err) : TIDE_OK;
}

/* -- CSV ----------------------------------------------------------------------------------------*/

static bool is_named(struct text field, const char *name)
{
    return text_ieq(text_trim(field), text_of(name));
}

static size_t column_named(const struct csv *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (is_named(csv_field(c, i), name))
            return i;
    return c->count;
}

/* Of the first record: which column, and whether it is a header. */
static enum tide_err open_csv(struct addresses *in, bool *ret_header, struct tide_error *err)
{
    const struct csv *c = &in->csv;
    size_t with_at = 0;
    int64_t number;
    while (with_at < c->count && text_find(csv_field(c, with_at), '@') >= csv_field(c, with_at).n)
        with_at++;
    *ret_header = with_at == c->count;
    in->place = with_at;
    if (in->column && text_int(text_of(in->column), 1, CSV_FIELDS_MAX, &number, NULL) == TIDE_OK)
        in->place = (size_t)number - 1;
    else if (in->column)
        in->place = column_named(c, in->column);
    for (size_t i = 0; !in->column && in->place == c->count && i < TIDE_COUNT(names); i++)
        in->place = column_named(c, names[i]);
    if (!in->column && in->place == c->count && c->count == 1) {
        in->place = 0; /* an address a line, and the first is none */
        *ret_header = false;
    }
    in->open = true;
    if (in->place < c->count)
        return TIDE_OK;
    return tide_fail(err, TIDE_EINVAL,
                     in->column ? "the list has no column \"%.80s\" in its first line"
                                : "the list's first line names no column \"email\" or \"address\"; "
                                  "say which with --column%s",
                     in->column ? in->column : "");
}

static enum tide_err next_csv(struct addresses *in, struct text *ret, struct tide_error *err)
{
    for (;;) {
        struct text rest = rest_of(in);
        size_t had = rest.n;
        enum csv_got got = csv_next(&in->csv, &rest, in->end);
        in->at += had - rest.n;
        if (got == CSV_WANTS_MORE)
            return TIDE_ENOENT;
        if (got == CSV_NO_MEMORY)
            return no_memory(err);
        if (in->csv.unclosed) {
            struct text last = csv_field(&in->csv, in->csv.count ? in->csv.count - 1 : 0);
            return tide_fail(
                err, TIDE_EINVAL, "a quote is opened and never closed, before \"" TEXT_FMT "\"",
                TEXT_ARG(text_cut(last, 0, TIDE_MIN(text_find(last, '\n'), (size_t)60))));
        }
        bool header = false;
        enum tide_err rc = in->open ? TIDE_OK : open_csv(in, &header, err);
        if (rc != TIDE_OK)
            return rc;
        if (!header)
            return give(in, csv_field(&in->csv, in->place), ret, err);
    }
}

/* -- JSON a line --------------------------------------------------------------------------------*/

static struct text address_in(const struct json *doc, const char *column)
{
    const struct json *v = json_kind(doc) == JSON_KIND_STRING ? doc : NULL;
    if (!v && column)
        v = json_member(doc, column);
    for (size_t i = 0; !v && !column && i < TIDE_COUNT(names); i++)
        v = json_member(doc, names[i]);
    return json_string_text(v);
}

static enum tide_err next_ndjson(struct addresses *in, struct text *ret, struct tide_error *err)
{
    for (;;) {
        struct text rest = rest_of(in);
        size_t n = text_find(rest, '\n');
        bool too_long = n > ADDRESSES_LINE_BYTES_MAX, cut = n == rest.n && !in->end;
        if (cut && !too_long && !in->skipping)
            return TIDE_ENOENT;
        in->at += TIDE_MIN(n + 1, rest.n);
        bool skipped = in->skipping;
        in->skipping = cut && (too_long || skipped);
        if (rest.n == 0)
            return TIDE_ENOENT;
        if (skipped)
            continue;
        struct text line = text_trim(text_cut(rest, 0, n));
        if (line.n == 0)
            continue;
        struct json *doc = NULL;
        enum tide_err rc = too_long ? TIDE_ESYNTAX : json_parse(line, line.n, &doc, err);
        if (rc == TIDE_ENOMEM)
            return rc;
        rc = give(in, rc == TIDE_OK ? address_in(doc, in->column) : (struct text){0}, ret, err);
        json_free(doc);
        return rc;
    }
}

/* -- A JSON array -------------------------------------------------------------------------------*/

/* Where the element that begins the text ends; n: it is not whole yet. */
static size_t element_end(struct text t)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == ']')) {
            return i;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return t.n;
}

/* TIDE_ENOENT: the array has ended, or more has to come. What is not whole at the end is an address
 * that is none. */
static enum tide_err next_in_array(struct addresses *in, struct text *ret, struct tide_error *err)
{
    while (!in->closed) {
        struct text rest = rest_of(in);
        if (rest.n == 0)
            return TIDE_ENOENT;
        size_t n = element_end(rest);
        if (n == rest.n && !in->end && n <= ADDRESSES_LINE_BYTES_MAX)
            return TIDE_ENOENT;
        if (n > ADDRESSES_LINE_BYTES_MAX)
            return tide_fail(err, TIDE_EINVAL, "the array has an element of more than %zu octets",
                             (size_t)ADDRESSES_LINE_BYTES_MAX);
        in->at += TIDE_MIN(n + 1, rest.n);
        in->closed = n < rest.n && rest.p[n] == ']';
        struct text element = text_trim(text_cut(rest, 0, n));
        struct json *doc = NULL;
        if (element.n == 0 && (in->closed || n == rest.n))
            return TIDE_ENOENT; /* "[]", or nothing more */
        enum tide_err rc = json_parse(element, element.n, &doc, err);
        if (rc == TIDE_ENOMEM)
            return rc;
        rc = give(in, rc == TIDE_OK ? address_in(doc, in->column) : (struct text){0}, ret, err);
        json_free(doc);
        return rc;
    }
    return TIDE_ENOENT;
}

/* -- Which of them ------------------------------------------------------------------------------*/

static struct text after_blanks(struct text t)
{
    size_t n = 0;
    while (n < t.n && (t.p[n] == ' ' || t.p[n] == '\t' || t.p[n] == '\r' || t.p[n] == '\n'))
        n++;
    return text_cut(t, n, t.n);
}

/* Once the first line that is not blank is there; false: it is not yet. */
static bool decide(struct addresses *in)
{
    static const struct text mark = {"\xEF\xBB\xBF", 3}; /* of byte order */
    struct text rest = rest_of(in);
    size_t marked = text_starts(rest, mark) ? mark.n : 0;
    struct text start = after_blanks(text_cut(rest, marked, rest.n));
    struct text line = text_cut(start, 0, text_find(start, '\n'));
    if (line.n == start.n && !in->end && rest.n < ADDRESSES_LINE_BYTES_MAX)
        return false;
    in->at += marked;
    in->kind = line.n && line.p[0] == '{'   ? ADDRESSES_NDJSON
               : line.n && line.p[0] == '[' ? ADDRESSES_ARRAY
                                            : ADDRESSES_CSV;
    if (in->kind == ADDRESSES_ARRAY)
        in->at += text_find(rest_of(in), '[') + 1;
    if (in->kind == ADDRESSES_CSV)
        csv_init(&in->csv, csv_separator_of(line));
    return true;
}

enum tide_err addresses_next(struct addresses *in, struct text *ret, struct tide_error *err)
{
    if (!in->encoded && !(in->encoded = decide_encoding(in)))
        return TIDE_ENOENT;
    if (in->no_text)
        return tide_fail(err, TIDE_EINVAL,
                         "the list begins with zero octets: want text in UTF-8, or UTF-16 with a "
                         "mark of byte order");
    if (in->kind == ADDRESSES_UNDECIDED && !decide(in))
        return TIDE_ENOENT;
    return in->kind == ADDRESSES_CSV     ? next_csv(in, ret, err)
           : in->kind == ADDRESSES_ARRAY ? next_in_array(in, ret, err)
                                         : next_ndjson(in, ret, err);
}
