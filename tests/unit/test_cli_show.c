/* How the command line shows text, times, sentences and tables. */
#include "cmd/mailtide/show.h"

#include "lib/check.h"

#include <locale.h>
#include <stdlib.h>
#include <time.h>

#define NOW 1795304600000LL /* 2026-11-21T23:43:20Z */

static void test_text(void **state)
{
    static const struct {
        const char *name, *in;
        size_t columns;
        const char *want;
        size_t width;
    } cases[] = {
        {"plain", "New comment", 0, "New comment", 11},
        {"fits", "abcdef", 6, "abcdef", 6},
        {"cut", "abcdefghij", 6, "abc...", 10},
        {"wide characters take two", "\xe4\xbd\xa0\xe5\xa5\xbd", 0, "\xe4\xbd\xa0\xe5\xa5\xbd", 4},
        {"never half a wide one", "\xe4\xbd\xa0\xe5\xa5\xbd\xe5\xa5\xbd", 5, "\xe4\xbd\xa0...", 6},
        {"line ends", "a\r\nb\tc", 0, "a  b c", 6},
        {"escape sequence", "a\033[2Jb", 0, "a\xef\xbf\xbd[2Jb", 6},
        {"C1 control",
         "a\xc2\x9b"
         "b",
         0,
         "a\xef\xbf\xbd"
         "b",
         3},
        {"right-to-left override",
         "a\xe2\x80\xae"
         "b",
         0,
         "a\xef\xbf\xbd"
         "b",
         3},
        {"not UTF-8", "a\xff\xc3", 0, "a\xef\xbf\xbd\xef\xbf\xbd", 3},
        {"empty", "", 0, "", 0},
        {"two columns", "abcd", 2, "ab", 4},
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf b = {0};
        show_text(&b, text_of(cases[i].in), cases[i].columns);
        T_STR(buf_str(&b), cases[i].want, "%s", cases[i].name);
        T_EQ(show_width(text_of(cases[i].in)), cases[i].width, "%s", cases[i].name);
        buf_fini(&b);
    }
}

static void test_times(void **state)
{
    static const struct {
        const char *zone;
        tide_wall_ms t;
        const char *want;
    } cases[] = {
        {"UTC", NOW + 32000, "23:43:52 UTC (in 32 s)"},
        {"UTC", NOW, "23:43:20 UTC (just now)"},
        {"UTC", NOW - 5 * TIME_MINUTE_MS, "23:38:20 UTC (5 min ago)"},
        {"UTC", NOW + 3 * TIME_HOUR_MS + 12 * TIME_MINUTE_MS,
         "2026-11-22 02:55:20 UTC (in 3 h 12 min)"},
        {"UTC", NOW + 30 * TIME_DAY_MS - 5, "2026-12-21 23:43:19 UTC (in 30 d)"},
        {"UTC", NOW - TIME_HOUR_MS + 400, "22:43:20 UTC (1 h ago)"},
        {"UTC", NOW + 90 * TIME_MINUTE_MS - 31000, "2026-11-22 01:12:49 UTC (in 1 h 29 min)"},
        /* the day that counts is the local one */
        {"Asia/Shanghai", NOW + TIME_HOUR_MS, "08:43:20 CST (in 1 h)"},
        {"Asia/Shanghai", NOW - 8 * TIME_HOUR_MS, "2026-11-21 23:43:20 CST (8 h ago)"},
    };
    char out[SHOW_TIME_BYTES];
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        setenv("TZ", cases[i].zone, 1);
        tzset();
        T_STR(show_when(cases[i].t, NOW, out), cases[i].want, "%s", cases[i].want);
    }
    setenv("TZ", "UTC", 1);
    tzset();
}

static void test_sentences(void **state)
{
    static const struct {
        const char *name, *in, *want, *reason;
    } cases[] = {
        {"a hold of an hour ago", "held until 2026-11-21 23:43:52 UTC (in 1 h): 6 of 10 used",
         "held until 23:43:52 UTC (in 32 s): 6 of 10 used", "6 of 10 used"},
        {"a digest",
         "held for a digest until 2026-11-21 23:43:52 UTC (in 1 h): 6 of 10 used (qq: 10 per day)",
         "held for a digest until 23:43:52 UTC (in 32 s): 6 of 10 used (qq: 10 per day)",
         "6 of 10 used (qq: 10 per day)"},
        {"two instants",
         "held until 2026-11-21 23:43:52 UTC (in 1 h): full; it starts anew at 2026-11-21 23:43:21 "
         "UTC (in 1 s)",
         "held until 23:43:52 UTC (in 32 s): full; it starts anew at 23:43:21 UTC (in 1 s)",
         "full; it starts anew at 2026-11-21 23:43:21 UTC (in 1 s)"},
        {"none", "released: no limit is known", "released: no limit is known",
         "released: no limit is known"},
        {"not an instant", "at 2026-11-21 99:43:52 UTC (in 1 h)",
         "at 2026-11-21 99:43:52 UTC (in "
         "1 h)",
         "at 2026-11-21 99:43:52 UTC (in 1 h)"},
        {"cut off", "held until 2026-11-21 23:43:52 UTC (in ",
         "held until 2026-11-21 23:43:52 UTC (in ", "held until 2026-11-21 23:43:52 UTC (in "},
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf b = {0};
        show_sentence(&b, text_of(cases[i].in), SHOW_SPAN_NOW, NOW);
        T_STR(buf_str(&b), cases[i].want, "%s", cases[i].name);
        T_TEXT(show_reason(text_of(cases[i].in)), cases[i].reason, "%s", cases[i].name);
        buf_fini(&b);
    }
}

static void test_spans(void **state)
{
    struct text said = TEXT("held until 2026-11-21 23:43:52 UTC (in 1 h): full");
    struct buf b = {0};
    (void)state;
    show_sentence(&b, said, SHOW_SPAN_SAID, NOW);
    T_STR(buf_str(&b), "held until 23:43:52 UTC (in 1 h): full", "as it was said");
    buf_clear(&b);
    show_sentence(&b, said, SHOW_SPAN_NONE, NOW);
    T_STR(buf_str(&b), "held until 23:43:52 UTC: full", "the time alone");
    buf_fini(&b);
}

static void test_numbers(void **state)
{
    char out[SHOW_TIME_BYTES];
    (void)state;
    T_STR(show_count(0, out), "0", "zero");
    T_STR(show_count(999, out), "999", "three digits");
    T_STR(show_count(1234567, out), "1,234,567", "seven digits");
    T_STR(show_count(-1234, out), "-1,234", "negative");
    T_STR(show_bytes(0, out), "0 bytes", "nothing");
    T_STR(show_bytes(204800, out), "205 kB", "no needless digit");
    T_STR(show_bytes(1500000000, out), "1.5 GB", "one digit");
}

static const struct column columns[] = {
    {"id", false, false}, {"used", true, false}, {"reason", false, true}, {NULL, false, false}};

static void fill(struct table *t, struct show *s)
{
    table_init(t, s, columns);
    table_cell(t, STYLE_DIM, TEXT("a1"));
    table_cell(t, STYLE_BAD, TEXT("10"));
    table_cell(t, STYLE_PLAIN, TEXT("the limit of the day is used up"));
    table_cell(t, STYLE_DIM, TEXT("b2"));
    table_cellf(t, STYLE_PLAIN, "%d", 7);
    table_cell(t, STYLE_PLAIN, TEXT("room\n"));
}

static void test_tables(void **state)
{
    static const struct {
        const char *name;
        int width;
        bool colour;
        const char *want;
    } cases[] = {
        {"into a pipe", 0, false,
         "id  used  reason\n"
         "a1    10  the limit of the day is used up\n"
         "b2     7  room \n"},
        {"a narrow terminal", 30, false,
         "id  used  reason\n"
         "a1    10  the limit of the ...\n"
         "b2     7  room \n"},
        {"hopelessly narrow", 5, false,
         "id  used  reason\n"
         "a1    10  the lim...\n"
         "b2     7  room \n"},
        {"colours", 0, true,
         "\033[2mid\033[0m  \033[2mused\033[0m  \033[2mreason\033[0m\n"
         "\033[2ma1\033[0m    \033[31m10\033[0m  the limit of the day is used up\n"
         "\033[2mb2\033[0m     7  room \n"},
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf b = {0};
        struct show s = {.out = &b, .width = cases[i].width, .colour = cases[i].colour, .now = NOW};
        struct table t;
        fill(&t, &s);
        table_print(&t, 0);
        T_STR(buf_str(&b), cases[i].want, "%s", cases[i].name);
        buf_fini(&b);
    }
}

static void test_notes(void **state)
{
    struct buf b = {0};
    struct show s = {.out = &b, .width = 30, .now = NOW};
    struct table t;
    (void)state;
    table_init(&t, &s, columns);
    table_note(&t, TEXT("below no row: left out"));
    table_cell(&t, STYLE_PLAIN, TEXT("a1"));
    table_cell(&t, STYLE_PLAIN, TEXT("1"));
    table_cell(&t, STYLE_PLAIN, TEXT("x"));
    table_note(&t, TEXT("a note that is wrapped at the width"));
    table_cell(&t, STYLE_PLAIN, TEXT("b2"));
    table_cell(&t, STYLE_PLAIN, TEXT("2"));
    table_cell(&t, STYLE_PLAIN, TEXT("y"));
    table_print(&t, 0);
    T_STR(buf_str(&b),
          "id  used  reason\n"
          "a1     1  x\n"
          "    a note that is wrapped at\n"
          "    the width\n"
          "b2     2  y\n",
          "notes");
    buf_fini(&b);
}

static void test_paragraphs(void **state)
{
    static const struct {
        const char *name;
        int width;
        const char *want;
    } cases[] = {
        {"into a pipe", 0, "one two three four five six\n"},
        {"wrapped", 24, "one two three\n    four five six\n"},
        {"too narrow to wrap", 10, "one two three four five six\n"},
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf b = {0};
        struct show s = {.out = &b, .width = cases[i].width, .now = NOW};
        show_paragraph(&s, 8, 4, TEXT("one two  three four five six"));
        T_STR(buf_str(&b), cases[i].want, "%s", cases[i].name);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),      cmocka_unit_test(test_times),
        cmocka_unit_test(test_sentences), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_spans),     cmocka_unit_test(test_tables),
        cmocka_unit_test(test_notes),     cmocka_unit_test(test_paragraphs),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
