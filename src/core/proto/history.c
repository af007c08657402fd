#include "core/proto/history.h"

#include "base/macros.h"
#include "core/proto/history_in.h"

#include <stdio.h>

#define GUESS_BYTES   (64u << 10)
#define BAD_SHARE     100          /* one record in so many may be unreadable */
#define MS_FROM       100000000000 /* a larger number of seconds is one of milliseconds */
#define ADDRESS_BYTES 320

const char *history_format_name(enum history_format f)
{
    static const char *const names[] = {
#define NAME(code, name, words) name,
        HISTORY_FORMATS(NAME)
#undef NAME
    };
    return names[f];
}

const char *history_format_words(enum history_format f)
{
    static const char *const words[] = {
#define WORDS(code, name, text) text,
        HISTORY_FORMATS(WORDS)
#undef WORDS
    };
    return words[f];
}

/* -- Times ------------------------------------------------------------------------------------- */

bool history_local_time(const struct history *h, const struct civil *c, int64_t *ret_s)
{
    struct civil utc = *c;
    utc.offset_s = 0;
    int64_t s = zone_instant(h->options->zone, wall_of_civil(&utc)) / TIME_SECOND_MS;
    if (s < 0 || s > HISTORY_AT_MAX_S)
        return false;
    *ret_s = s;
    return true;
}

static bool digits(struct text t, size_t from, size_t n, int *ret)
{
    int64_t x;
    struct tide_error err;
    for (size_t i = from; i < from + n; i++)
        if (i >= t.n || !ascii_is_digit(t.p[i]))
            return false;
    if (text_int(text_cut(t, from, n), 0, 9999, &x, &err) != TIDE_OK)
        return false;
    *ret = (int)x;
    return true;
}

/* "2026-03-02 10:11:12", ".123" and "UTC" or "+00:00" may follow; "2026-03-02T10:11:12" alike. */
static bool civil_time(const struct history *h, struct text t, int64_t *ret_s)
{
    struct civil c = {0};
    if (t.n < 19 || t.p[4] != '-' || t.p[7] != '-' || t.p[13] != ':' || t.p[16] != ':' ||
        (t.p[10] != ' ' && t.p[10] != 'T') || !digits(t, 0, 4, &c.year) ||
        !digits(t, 5, 2, &c.month) || !digits(t, 8, 2, &c.day) || !digits(t, 11, 2, &c.hour) ||
        !digits(t, 14, 2, &c.minute) || !digits(t, 17, 2, &c.second))
        return false;
    if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > 31 || c.hour > 23 || c.minute > 59 ||
        c.second > 60)
        return false;
    struct text rest = text_cut(t, 19, SIZE_MAX);
    if (rest.n && rest.p[0] == '.') {
        size_t n = 1;
        while (n < rest.n && ascii_is_digit(rest.p[n]))
            n++;
        rest = text_cut(rest, n, SIZE_MAX);
    }
    rest = text_trim(rest);
    if (rest.n == 0)
        return history_local_time(h, &c, ret_s);
    if (!text_ieq(rest, TEXT("UTC")) && !text_ieq(rest, TEXT("GMT")) && !text_eq(rest, TEXT("Z")) &&
        !text_eq(rest, TEXT("+0000")) && !text_eq(rest, TEXT("+00:00")))
        return false;
    *ret_s = wall_of_civil(&c) / TIME_SECOND_MS;
    return *ret_s >= 0;
}

bool history_time(const struct history *h, struct text t, int64_t *ret_s)
{
    struct tide_error err;
    tide_wall_ms ms;
    t = text_trim(t);
    if (t.n == 0)
        return false;
    if (text_find(t, '-') == t.n && text_find(t, ':') == t.n) {
        struct text whole = text_cut(t, 0, text_find(t, '.')); /* "1760000000.25" */
        if (text_int(whole, 0, HISTORY_AT_MAX_S * 1000, ret_s, &err) != TIDE_OK)
            return false;
        if (*ret_s > MS_FROM)
            *ret_s /= 1000;
        return true;
    }
    if (time_parse_rfc3339(t, &ms, &err) == TIDE_OK) {
        *ret_s = ms / TIME_SECOND_MS;
        return ms >= 0;
    }
    return civil_time(h, t, ret_s);
}

/* -- Giving ------------------------------------------------------------------------------------ */

void history_bad(struct history *h, const char *what, size_t number, const char *want)
{
    if (h->result.bad++ == 0)
        snprintf(h->result.first_bad, sizeof h->result.first_bad, "%s %zu: %s", what, number, want);
}

bool history_give(struct history *h,
                  int64_t at_s,
                  struct text recipient,
                  enum history_class class,
                  struct text id)
{
    if (recipient.n == 0 || recipient.n > ADDRESS_BYTES) {
        h->result.bad++;
        return true;
    }
    if (id.n) {
        /* 64 bits of a keyed hash: two of a billion mails are taken for one with a chance of 3 %.
         */
        int64_t key = (int64_t)(hash_bytes(id.p, id.n) * 3 + hash_bytes(recipient.p, recipient.n));
        if (idmap_get(&h->seen, key)) {
            h->result.again++;
            return true;
        }
        if (!idmap_put(&h->seen, key, h)) {
            h->no_memory = true;
            return false;
        }
    }
    const struct history_item item = {
        .at_s = at_s, .recipient = recipient, .class = class, .source = h->source};
    h->result.items++;
    if (!h->options->each(h->options->arg, &item))
        h->no_memory = true;
    return !h->no_memory;
}

static bool divides(char c)
{
    return c == ',' || c == ';' || c == ' ' || c == '[' || c == ']' || c == '"' || c == '<' ||
           c == '>' || c == '\'';
}

bool history_give_all(
    struct history *h, int64_t at_s, struct text list, enum history_class class, struct text id)
{
    if (text_find(list, '@') == list.n)
        return history_give(h, at_s, list, class, id);
    for (size_t i = 0; i < list.n;) {
        size_t n = 0;
        while (i + n < list.n && !divides(list.p[i + n]))
            n++;
        struct text one = text_cut(list, i, n);
        if (text_find(one, '@') < one.n && !history_give(h, at_s, one, class, id))
            return false;
        i += n + 1;
    }
    return true;
}

/* -- Which ------------------------------------------------------------------------------------- */

enum history_format history_guess(struct text bytes)
{
    struct text rest = text_cut(bytes, 0, GUESS_BYTES), line;
    while (text_split(&rest, '\n', &line)) {
        line = text_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (line.p[0] == '{' || line.p[0] == '[')
            return HISTORY_EVENTS;
        if (text_ifind(line, TEXT("postfix")) < line.n && text_ifind(line, TEXT("]: ")) < line.n)
            return HISTORY_POSTFIX;
    }
    return HISTORY_TABLE;
}

enum tide_err history_read(struct text bytes,
                           const struct history_options *options,
                           struct history_result *ret,
                           struct tide_error *err)
{
    static void (*const readers[])(struct history * h, struct text bytes) = {
        [HISTORY_TABLE] = history_read_table,
        [HISTORY_POSTFIX] = history_read_postfix,
        [HISTORY_EVENTS] = history_read_events,
    };
    struct history h = {.options = options};
    idmap_init(&h.seen);
    if (text_starts(bytes, TEXT("\xef\xbb\xbf"))) /* spreadsheets write one */
        bytes = text_cut(bytes, 3, SIZE_MAX);
    h.result.format = options->format != HISTORY_ANY ? options->format : history_guess(bytes);
    readers[h.result.format](&h, bytes);
    idmap_fini(&h.seen);
    if (h.no_memory)
        return tide_fail(err, TIDE_ENOMEM, "out of memory after %llu notifications",
                         (unsigned long long)h.result.items);
    if (h.result.bad && h.result.bad * BAD_SHARE > h.result.records)
        return tide_fail(err, TIDE_ESYNTAX, "%s",
                         h.result.first_bad[0] ? h.result.first_bad : "no recipient in it");
    if (h.result.items == 0)
        return tide_fail(err, TIDE_ESYNTAX, "no notification in it (read as: %s)",
                         history_format_words(h.result.format));
    *ret = h.result;
    return TIDE_OK;
}
