/* show.h - how things look to people: columns, colours, times, sentences.
 *
 * What comes from outside (subjects, replies, addresses) goes through show_text(), which lets no
 * control character and no direction mark reach the terminal.
 *
 * Owns      struct table: its cells, until table_print().
 * Threads   one at a time. Reads no clock: `now` is the caller's. The zone is the process's (TZ).
 * Errors    running out of memory shows in the buffer (buf_check()).
 * Known gap widths are those of the C library's wcwidth(); emoji made of several code points count
 *           as the sum of their parts.
 */
#ifndef CMD_MAILTIDE_SHOW_H
#define CMD_MAILTIDE_SHOW_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/time.h"

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARN, STYLE_BAD };

struct show {
    struct buf *out;
    bool colour;
    int width; /* of the terminal; 0: no terminal, nothing is cut or wrapped */
    tide_wall_ms now;
};

/* -- Text ----------------------------------------------------------------------------------------
 */

/* Columns that the text takes once it is safe to show. */
size_t show_width(struct text t);

/* Appends what can be shown of `t` in at most `columns` (0: all), with "..." where it was cut. */
void show_text(struct buf *out, struct text t, size_t columns);
void show_styled(struct show *s, enum style style, struct text t);

/* A paragraph: its first line begins where the cursor is (`column`), the others are indented. */
void show_paragraph(struct show *s, size_t column, size_t indent, struct text t);

/* A line in bold with an empty one before it. */
void show_heading(struct show *s, const char *text);
/* "  label      text", the text wrapped behind the label when it is plain. */
void show_labelled(struct show *s, const char *label, enum style style, struct text t);

enum style show_style_of_state(struct text state); /* of notifications, attempts and verdicts */

/* -- Times ---------------------------------------------------------------------------------------
 */

#define SHOW_TIME_BYTES 96

/* "23:30:35 CST" on the day of `now`, else "2026-11-22 00:05:30 CST". Returns out. */
const char *show_time(tide_wall_ms t, tide_wall_ms now, char *out);
/* "in 3 h 12 min", "5 min ago", "just now"; rounded, so that 30 d are not told as 29 d 23 h. */
const char *show_relative(tide_wall_ms t, tide_wall_ms now, char *out);
/* Both: "23:30:35 CST (in 32 s)". */
const char *show_when(tide_wall_ms t, tide_wall_ms now, char *out);
/* For a column: the same, of which a terminal has room for "in 32 s" alone; "-" for 0. */
const char *show_when_in(const struct show *s, tide_wall_ms t, char *out);

/* A sentence of the daemon, its instants ("2026-11-21 23:30:35 UTC (in 32 s)", true when it was
 * written) in local time. */
enum show_span {
    SHOW_SPAN_NOW,  /* as far away as they are now */
    SHOW_SPAN_SAID, /* as the sentence has it: it is fresh, and what the clock says is not known */
    SHOW_SPAN_NONE, /* the time alone: it may have passed, or have been put off since */
};

void show_sentence(struct buf *out, struct text sentence, enum show_span span, tide_wall_ms now);

/* The same without "held until TIME: " in front, for where the time stands beside it. */
struct text show_reason(struct text sentence);

/* "12,345" and "1.5 GB". Return out. */
const char *show_count(int64_t n, char *out);
const char *show_bytes(int64_t n, char *out);

/* -- Tables --------------------------------------------------------------------------------------
 */

#define TABLE_COLUMNS_MAX 10

struct column {
    const char *title; /* NULL ends the list */
    bool right;        /* numbers */
    bool flexible;     /* cut first when the terminal is narrow */
};

struct table {
    struct show *show;
    const struct column *columns;
    size_t column_count;
    struct cell {
        struct text text; /* safe to show */
        enum style style;
    } * cells;
    size_t count, cap;
    struct note {
        size_t row;
        struct text text;
    } * notes; /* below their rows, in order */
    size_t note_count, note_cap;
    struct arena arena;
    bool failed;
};

void table_init(struct table *t, struct show *s, const struct column *columns);
/* Row by row, left to right. */
void table_cell(struct table *t, enum style style, struct text text);
void table_cellf(struct table *t, enum style style, const char *fmt, ...) TIDE_PRINTF(3, 4);
/* A paragraph below the row that was filled last: for what no column of a terminal has room for. */
void table_note(struct table *t, struct text text);
/* Writes and frees it. `indent` blanks before each line. */
void table_print(struct table *t, int indent);

#endif
