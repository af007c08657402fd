#include "cmd/mailtide/show.h"

#include "base/macros.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wchar.h>

#define PARAGRAPH_COLUMNS_MIN 20
#define LABEL_COLUMNS         13

/* -- Text ----------------------------------------------------------------------------------------
 */

/* The code point at *p and its length; what is not UTF-8 is U+FFFD and one byte. */
static uint32_t take_point(struct text t, size_t at, size_t *ret_n)
{
    unsigned char c = (unsigned char)t.p[at];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    *ret_n = 1;
    if (n == 1)
        return c;
    if (at + n > t.n || !text_is_utf8(text_cut(t, at, n)))
        return 0xfffd;
    uint32_t point = c & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        point = point << 6 | ((unsigned char)t.p[at + i] & 0x3fu);
    *ret_n = n;
    return point;
}

/* Controls would steer the terminal, direction marks would let one column read as another. */
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || c == 0x061c ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfffd ||
           c == 0xfeff;
}

static size_t width_of(uint32_t c)
{
    if (is_unsafe(c))
        return 1;
    int w = wcwidth((wchar_t)c);
    return w < 0 ? 1 : (size_t)w;
}

size_t show_width(struct text t)
{
    size_t width = 0;
    for (size_t i = 0, n; i < t.n; i += n)
        width += width_of(take_point(t, i, &n));
    return width;
}

void show_text(struct buf *out, struct text t, size_t columns)
{
    bool cut = columns > 0 && show_width(t) > columns;
    size_t room = cut && columns > 3 ? columns - 3 : columns, width = 0;
    for (size_t i = 0, n; i < t.n; i += n) {
        uint32_t c = take_point(t, i, &n);
        width += width_of(c);
        if (cut && width > room)
            break;
        if (c == '\t' || c == '\n' || c == '\r')
            buf_addc(out, ' ');
        else if (is_unsafe(c))
            buf_adds(out, "\xef\xbf\xbd");
        else
            buf_add(out, t.p + i, n);
    }
    if (cut && columns > 3)
        buf_adds(out, "...");
}

static void begin_style(const struct show *s, enum style style)
{
    static const char *const codes[] = {
        [STYLE_BOLD] = "\033[1m",  [STYLE_DIM] = "\033[2m",  [STYLE_GOOD] = "\033[32m",
        [STYLE_WARN] = "\033[33m", [STYLE_BAD] = "\033[31m",
    };
    if (s->colour && style != STYLE_PLAIN)
        buf_adds(s->out, codes[style]);
}

static void end_style(const struct show *s, enum style style)
{
    if (s->colour && style != STYLE_PLAIN)
        buf_adds(s->out, "\033[0m");
}

void show_styled(struct show *s, enum style style, struct text t)
{
    begin_style(s, style);
    show_text(s->out, t, 0);
    end_style(s, style);
}

void show_paragraph(struct show *s, size_t column, size_t indent, struct text t)
{
    size_t width = (size_t)s->width;
    bool wraps = width >= indent + PARAGRAPH_COLUMNS_MIN, first = true;
    struct text rest = t, word;
    while (text_split(&rest, ' ', &word)) {
        size_t w = show_width(word);
        if (w == 0)
            continue;
        if (!first && wraps && column + 1 + w > width) {
            buf_addf(s->out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            buf_addc(s->out, ' ');
            column++;
        }
        show_text(s->out, word, 0);
        column += w;
        first = false;
    }
    buf_addc(s->out, '\n');
}

void show_heading(struct show *s, const char *text)
{
    buf_addc(s->out, '\n');
    show_styled(s, STYLE_BOLD, text_of(text));
    buf_addc(s->out, '\n');
}

void show_labelled(struct show *s, const char *label, enum style style, struct text t)
{
    buf_addf(s->out, "  %-*s", LABEL_COLUMNS - 2, label);
    if (style == STYLE_PLAIN) {
        show_paragraph(s, LABEL_COLUMNS, LABEL_COLUMNS, t);
    } else {
        show_styled(s, style, t);
        buf_addc(s->out, '\n');
    }
}

enum style show_style_of_state(struct text state)
{
    static const struct {
        const char *name;
        enum style style;
    } styles[] = {
        {"sent", STYLE_GOOD},          {"delivered", STYLE_GOOD},    {"accepted", STYLE_GOOD},
        {"ready", STYLE_GOOD},         {"deliverable", STYLE_GOOD},  {"held", STYLE_WARN},
        {"deferred", STYLE_WARN},      {"risky", STYLE_WARN},        {"unknown", STYLE_WARN},
        {"releasing", STYLE_WARN},     {"backing off", STYLE_WARN},  {"expired", STYLE_BAD},
        {"bounced", STYLE_BAD},        {"complained", STYLE_BAD},    {"refused", STYLE_BAD},
        {"abandoned", STYLE_BAD},      {"undeliverable", STYLE_BAD}, {"cancelled", STYLE_DIM},
        {"not an address", STYLE_BAD},
    };
    for (size_t i = 0; i < TIDE_COUNT(styles); i++)
        if (text_eq(state, text_of(styles[i].name)))
            return styles[i].style;
    return STYLE_PLAIN;
}

/* -- Times ---------------------------------------------------------------------------------------
 */

static struct tm local_of(tide_wall_ms t)
{
    time_t seconds =
        (time_t)(t >= 0 ? t / TIME_SECOND_MS : (t - TIME_SECOND_MS + 1) / TIME_SECOND_MS);
    struct tm tm = {0};
    localtime_r(&seconds, &tm);
    return tm;
}

const char *show_time(tide_wall_ms t, tide_wall_ms now, char *out)
{
    struct tm tm = local_of(t), today = local_of(now);
    bool same = tm.tm_year == today.tm_year && tm.tm_yday == today.tm_yday;
    if (strftime(out, SHOW_TIME_BYTES, same ? "%H:%M:%S %Z" : "%Y-%m-%d %H:%M:%S %Z", &tm) == 0)
        out[0] = '\0';
    return out;
}

/* To what text_of_duration() tells: days and hours, hours and minutes, or seconds. */
static int64_t rounded(int64_t ms)
{
    int64_t unit = ms >= TIME_DAY_MS    ? TIME_HOUR_MS
                   : ms >= TIME_HOUR_MS ? TIME_MINUTE_MS
                                        : TIME_SECOND_MS;
    return (ms + unit / 2) / unit * unit;
}

const char *show_relative(tide_wall_ms t, tide_wall_ms now, char *out)
{
    char span[32];
    int64_t away = t - now;
    if (away > -TIME_SECOND_MS && away < TIME_SECOND_MS)
        snprintf(out, SHOW_TIME_BYTES, away > 0 ? "now" : "just now");
    else if (away > 0)
        snprintf(out, SHOW_TIME_BYTES, "in %s", text_of_duration(rounded(away), span, sizeof span));
    else
        snprintf(out, SHOW_TIME_BYTES, "%s ago",
                 text_of_duration(rounded(-away), span, sizeof span));
    return out;
}

const char *show_when(tide_wall_ms t, tide_wall_ms now, char *out)
{
    char at[SHOW_TIME_BYTES], away[SHOW_TIME_BYTES];
    snprintf(out, SHOW_TIME_BYTES, "%.50s (%.40s)", show_time(t, now, at),
             show_relative(t, now, away));
    return out;
}

const char *show_when_in(const struct show *s, tide_wall_ms t, char *out)
{
    if (!t)
        return "-";
    return s->width > 0 ? show_relative(t, s->now, out) : show_when(t, s->now, out);
}

/* "2026-11-21 23:30:35 UTC (in 32 s)" at the head of `t`: how long it is, 0: something else. */
static size_t take_instant(struct text t, tide_wall_ms *ret)
{
    static const char form[] = "dddd-dd-dd dd:dd:dd UTC (in ";
    const size_t n = sizeof form - 1;
    char rfc3339[] = "dddd-dd-ddTdd:dd:ddZ";
    if (t.n < n)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (form[i] == 'd' ? !ascii_is_digit(t.p[i]) : t.p[i] != form[i])
            return 0;
    memcpy(rfc3339, t.p, 10);
    memcpy(rfc3339 + 11, t.p + 11, 8);
    size_t end = n + text_find(text_cut(t, n, t.n), ')');
    if (end >= t.n || time_parse_rfc3339(text_of(rfc3339), ret, NULL) != TIDE_OK)
        return 0;
    return end + 1;
}

void show_sentence(struct buf *out, struct text sentence, enum show_span span, tide_wall_ms now)
{
    char when[SHOW_TIME_BYTES];
    for (size_t i = 0; i < sentence.n;) {
        tide_wall_ms t;
        size_t n = take_instant(text_cut(sentence, i, sentence.n), &t);
        if (n == 0) {
            buf_addc(out, sentence.p[i++]);
            continue;
        }
        buf_adds(out, span == SHOW_SPAN_NOW ? show_when(t, now, when) : show_time(t, now, when));
        if (span == SHOW_SPAN_SAID) /* what stands behind "2026-11-21 23:30:35 UTC" */
            buf_add_text(out, text_cut(sentence, i + 23, n - 23));
        i += n;
    }
}

struct text show_reason(struct text sentence)
{
    static const char *const leads[] = {"held until ", "held for a digest until "};
    tide_wall_ms t;
    for (size_t i = 0; i < TIDE_COUNT(leads); i++) {
        size_t lead = strlen(leads[i]);
        if (!text_starts(sentence, text_of(leads[i])))
            continue;
        size_t n = take_instant(text_cut(sentence, lead, sentence.n), &t);
        struct text rest = text_cut(sentence, lead + n, sentence.n);
        if (n > 0 && text_starts(rest, TEXT(": ")))
            return text_cut(rest, 2, rest.n);
    }
    return sentence;
}

const char *show_count(int64_t n, char *out)
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;
    for (size_t i = 0; i < len; i++) {
        out[at++] = digits[i];
        if (ascii_is_digit(digits[i]) && i + 1 < len && (len - i - 1) % 3 == 0)
            out[at++] = ',';
    }
    out[at] = '\0';
    return out;
}

const char *show_bytes(int64_t n, char *out)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double x = (double)n;
    size_t unit = 0;
    for (; x >= 1000 && unit + 1 < TIDE_COUNT(units); unit++)
        x /= 1000;
    snprintf(out, SHOW_TIME_BYTES, unit == 0 || x >= 100 ? "%.0f %s" : "%.1f %s", x, units[unit]);
    return out;
}

/* -- Tables --------------------------------------------------------------------------------------
 */

void table_init(struct table *t, struct show *s, const struct column *columns)
{
    *t = (struct table){.show = s, .columns = columns};
    while (columns[t->column_count].title && t->column_count < TABLE_COLUMNS_MAX)
        t->column_count++;
}

void table_cell(struct table *t, enum style style, struct text text)
{
    struct buf safe = {0};
    if (t->count == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        struct cell *more = realloc(t->cells, cap * sizeof *more);
        if (!more) {
            t->failed = true;
            return;
        }
        t->cells = more;
        t->cap = cap;
    }
    show_text(&safe, text, 0);
    struct text kept = arena_text(&t->arena, buf_text(&safe));
    t->failed |= safe.failed != TIDE_OK || (safe.len > 0 && !kept.p);
    t->cells[t->count++] = (struct cell){kept, style};
    buf_fini(&safe);
}

void table_cellf(struct table *t, enum style style, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    table_cell(t, style, text_of(text));
}

void table_note(struct table *t, struct text text)
{
    struct text kept = arena_text(&t->arena, text);
    if (t->note_count == t->note_cap) {
        size_t cap = t->note_cap ? 2 * t->note_cap : 16;
        struct note *more = realloc(t->notes, cap * sizeof *more);
        if (!more) {
            t->failed = true;
            return;
        }
        t->notes = more;
        t->note_cap = cap;
    }
    t->failed |= text.n > 0 && !kept.p;
    if (t->count >= t->column_count)
        t->notes[t->note_count++] = (struct note){t->count / t->column_count - 1, kept};
}

/* Widths of the columns; the flexible one gives way until all fits. */
static void measure(const struct table *t, int indent, size_t *widths)
{
    size_t all = (size_t)indent;
    for (size_t c = 0; c < t->column_count; c++) {
        widths[c] = show_width(text_of(t->columns[c].title));
        for (size_t i = c; i < t->count; i += t->column_count)
            widths[c] = TIDE_MAX(widths[c], show_width(t->cells[i].text));
        all += widths[c] + (c > 0 ? 2 : 0);
    }
    for (size_t c = t->column_count; c-- > 0 && t->show->width > 0;) {
        size_t room = (size_t)t->show->width;
        if (!t->columns[c].flexible || all <= room)
            continue;
        size_t least = TIDE_MIN(widths[c], (size_t)10);
        size_t wanted = all - room, can = widths[c] - least;
        widths[c] -= TIDE_MIN(wanted, can);
        all -= TIDE_MIN(wanted, can);
    }
}

static void print_cell(
    const struct table *t, size_t column, size_t width, struct text text, enum style style)
{
    size_t has = TIDE_MIN(show_width(text), width);
    struct buf *out = t->show->out;
    int pad = (int)(width - has);
    if (column > 0)
        buf_adds(out, "  ");
    if (t->columns[column].right)
        buf_addf(out, "%*s", pad, "");
    begin_style(t->show, style);
    show_text(out, text, width);
    end_style(t->show, style);
    if (!t->columns[column].right && column + 1 < t->column_count)
        buf_addf(out, "%*s", pad, "");
}

void table_print(struct table *t, int indent)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0}, note = 0;
    struct buf *out = t->show->out;
    measure(t, indent, widths);
    if (t->failed)
        out->failed = TIDE_ENOMEM;
    buf_addf(out, "%*s", indent, "");
    for (size_t c = 0; c < t->column_count; c++)
        print_cell(t, c, widths[c], text_of(t->columns[c].title), STYLE_DIM);
    buf_addc(out, '\n');
    for (size_t i = 0; i + t->column_count <= t->count; i += t->column_count) {
        buf_addf(out, "%*s", indent, "");
        for (size_t c = 0; c < t->column_count; c++)
            print_cell(t, c, widths[c], t->cells[i + c].text, t->cells[i + c].style);
        buf_addc(out, '\n');
        for (; note < t->note_count && t->notes[note].row == i / t->column_count; note++) {
            size_t at = (size_t)indent + 4;
            buf_addf(out, "%*s", (int)at, "");
            show_paragraph(t->show, at, at, t->notes[note].text);
        }
    }
    free(t->cells);
    free(t->notes);
    arena_fini(&t->arena);
    *t = (struct table){0};
}
