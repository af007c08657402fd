#include "cmd/mailtide/bulk_input.h"

#include "base/macros.h"
#include "core/proto/json.h"

static const char *const names[] = {"email",         "address",      "e-mail",
                                    "mail",          "recipient",    "email_address",
                                    "email address", "emailaddress", "to"};

void bulk_input_init(struct bulk_input *in, const char *column)
{
    *in = (struct bulk_input){.column = column};
}

void bulk_input_fini(struct bulk_input *in)
{
    if (in->kind == BULK_CSV)
        csv_fini(&in->csv);
    buf_fini(&in->fed);
    buf_fini(&in->address);
}

bool bulk_input_feed(struct bulk_input *in, const char *bytes, size_t n)
{
    buf_consume(&in->fed, in->at);
    in->at = 0;
    buf_add(&in->fed, bytes, n);
    in->end = in->end || n == 0;
    return in->fed.failed == TIDE_OK;
}

static struct text rest_of(const struct bulk_input *in)
{
    return text_cut(buf_text(&in->fed), in->at, in->fed.len);
}

static enum tide_err no_memory(struct tide_error *err)
{
    return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
}

/* The address is a copy: what it was taken from may go. */
static enum tide_err give(struct bulk_input *in,
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
static enum tide_err open_csv(struct bulk_input *in, bool *ret_header, struct tide_error *err)
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

static enum tide_err next_csv(struct bulk_input *in, struct text *ret, struct tide_error *err)
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

static enum tide_err next_ndjson(struct bulk_input *in, struct text *ret, struct tide_error *err)
{
    for (;;) {
        struct text rest = rest_of(in);
        size_t n = text_find(rest, '\n');
        bool too_long = n > BULK_LINE_BYTES_MAX, cut = n == rest.n && !in->end;
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

/* -- Which of them ------------------------------------------------------------------------------*/

/* Once the first line is there; false: it is not yet. */
static bool decide(struct bulk_input *in)
{
    struct text rest = rest_of(in);
    if (text_find(rest, '\n') == rest.n && !in->end && rest.n < BULK_LINE_BYTES_MAX)
        return false;
    if (text_starts(rest, TEXT("\xEF\xBB\xBF"))) /* a byte order mark */
        in->at += 3;
    rest = rest_of(in);
    struct text start = text_trim(rest);
    in->kind = start.n && start.p[0] == '{' ? BULK_NDJSON : BULK_CSV;
    if (in->kind == BULK_CSV)
        csv_init(&in->csv, csv_separator_of(start));
    return true;
}

enum tide_err bulk_input_next(struct bulk_input *in, struct text *ret, struct tide_error *err)
{
    if (in->kind == BULK_UNDECIDED && !decide(in))
        return TIDE_ENOENT;
    return in->kind == BULK_CSV ? next_csv(in, ret, err) : next_ndjson(in, ret, err);
}
