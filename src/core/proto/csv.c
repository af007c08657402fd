#include "core/proto/csv.h"

void csv_init(struct csv *c, char separator)
{
    *c = (struct csv){.separator = separator, .whole = true};
    buf_init(&c->record, CSV_RECORD_BYTES_MAX);
}

void csv_fini(struct csv *c)
{
    buf_fini(&c->record);
}

static void begin(struct csv *c)
{
    buf_clear(&c->record);
    c->whole = c->too_large = c->begun = false;
    c->state = CSV_AT_START;
    c->count = 0;
    c->starts[0] = 0;
}

static void put(struct csv *c, const char *bytes, size_t n)
{
    c->begun = true;
    if (c->too_large)
        return;
    buf_add(&c->record, bytes, n);
    c->too_large = c->record.failed == TIDE_ELIMIT;
}

static void end_field(struct csv *c)
{
    c->begun = true;
    c->state = CSV_AT_START;
    if (c->count == CSV_FIELDS_MAX) {
        c->too_large = true;
        return;
    }
    c->starts[++c->count] = c->record.len;
}

/* One octet; true when it ended the record. */
static bool take(struct csv *c, char ch)
{
    bool line_end = ch == '\n' || ch == '\r';
    if (c->state == CSV_QUOTED) {
        if (ch == '"')
            c->state = CSV_QUOTE_IN_QUOTED;
        else
            put(c, &ch, 1);
        return false;
    }
    if (ch == '"' && c->state == CSV_QUOTE_IN_QUOTED) {
        put(c, &ch, 1);
        c->state = CSV_QUOTED;
    } else if (ch == '"' && c->state == CSV_AT_START) {
        c->begun = true;
        c->state = CSV_QUOTED;
    } else if (ch == c->separator) {
        end_field(c);
    } else if (line_end && c->begun) {
        end_field(c);
        return true;
    } else if (!line_end) {
        put(c, &ch, 1);
        c->state = CSV_PLAIN;
    }
    return false;
}

/* What may be copied as it is. */
static size_t plain_run(const struct csv *c, struct text in)
{
    size_t n = 0;
    if (c->state == CSV_QUOTED) {
        const char *quote = memchr(in.p, '"', in.n);
        return quote ? (size_t)(quote - in.p) : in.n;
    }
    if (c->state == CSV_PLAIN)
        while (n < in.n && in.p[n] != c->separator && in.p[n] != '\n' && in.p[n] != '\r')
            n++;
    return n;
}

static enum csv_got got(struct csv *c)
{
    c->whole = true;
    if (c->record.failed == TIDE_ENOMEM)
        return CSV_NO_MEMORY;
    return c->too_large ? CSV_TOO_LARGE : CSV_RECORD;
}

enum csv_got csv_next(struct csv *c, struct text *in, bool end)
{
    if (c->whole)
        begin(c);
    while (in->n) {
        size_t run = plain_run(c, *in);
        bool ended = false;
        if (run)
            put(c, in->p, run);
        else
            ended = take(c, in->p[0]);
        run = run ? run : 1;
        *in = text_cut(*in, run, in->n);
        if (ended)
            return got(c);
    }
    if (!end || !c->begun)
        return CSV_WANTS_MORE;
    c->unclosed = c->state == CSV_QUOTED;
    end_field(c);
    return got(c);
}

struct text csv_field(const struct csv *c, size_t i)
{
    if (i >= c->count)
        return (struct text){0};
    return text_cut(buf_text(&c->record), c->starts[i], c->starts[i + 1] - c->starts[i]);
}

char csv_separator_of(struct text line)
{
    static const char candidates[] = ",;\t|";
    size_t counts[sizeof candidates] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < line.n && (quoted || (line.p[i] != '\n' && line.p[i] != '\r')); i++) {
        const char *at = line.p[i] ? strchr(candidates, line.p[i]) : NULL;
        if (line.p[i] == '"')
            quoted = !quoted;
        else if (at && !quoted)
            counts[at - candidates]++;
    }
    for (size_t i = 1; candidates[i]; i++)
        if (counts[i] > counts[best])
            best = i;
    return candidates[best];
}

void csv_put(struct buf *out, struct text field)
{
    bool plain = true;
    for (size_t i = 0; i < field.n && plain; i++)
        plain = !memchr(",;\t|\"\r\n", field.p[i], 7);
    if (plain) {
        buf_add_text(out, field);
        return;
    }
    buf_addc(out, '"');
    for (size_t i = 0; i < field.n; i++) {
        if (field.p[i] == '"')
            buf_addc(out, '"');
        buf_addc(out, field.p[i]);
    }
    buf_addc(out, '"');
}
