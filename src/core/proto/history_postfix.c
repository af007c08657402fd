/* A Postfix log: each "to=" line of a delivery agent, once a queue id and recipient.
 *
 *   Mar  2 10:11:12 mx1 postfix/smtp[812]: 4F1A2C0B: to=<ann@example.org>, relay=..., delay=1.2,
 *       delays=..., dsn=2.0.0, status=sent (250 ok)
 *
 * The mail was made `delay` before the line was written. A deferred one comes again with the same
 * queue id; when it is removed the id may be given anew. Bounces (from=<>) are nobody's
 * notifications, and what goes to a filter on the same machine comes back as another mail.
 *
 * The classic time names neither year nor zone: years are counted back from the newest line, which
 * lies in the year that makes it not younger than `now_s`. */
#include "core/proto/history_in.h"

#include "base/macros.h"

#include <stdio.h>

#define BACK_S (180 * 86400) /* a line that much earlier than the last one is of another year */
#define SOON_S 86400         /* clocks and zones differ */

struct stamp {
    bool with_year;
    int64_t at_s;    /* with_year */
    struct civil at; /* else, without the year */
};

struct postfix {
    struct history *h;
    struct strmap queue; /* queue id -> struct mail */
    int year;            /* of the line at hand */
    int64_t last_s;      /* of the last line, in that year */
};

enum { MAIL_DEFERRED = 1, MAIL_BOUNCE = 2 };

static int month_of(struct text t)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (unsigned m = 0; m < 12; m++)
        if (t.n >= 3 && memcmp(t.p, names + 3 * m, 3) == 0)
            return (int)m + 1;
    return 0;
}

static int two_digits(const char *p)
{
    char tens = p[0] == ' ' ? '0' : p[0];
    if (!ascii_is_digit(tens) || !ascii_is_digit(p[1]))
        return -1;
    return (tens - '0') * 10 + (p[1] - '0');
}

/* The time at the line's start; the rest of the line behind it. */
static bool take_stamp(const struct history *h, struct text *line, struct stamp *ret)
{
    *ret = (struct stamp){0};
    if (line->n < 20)
        return false;
    int month = month_of(*line);
    if (!month) {
        size_t n = text_find(*line, ' ');
        ret->with_year = true;
        if (!history_time(h, text_cut(*line, 0, n), &ret->at_s))
            return false;
        *line = text_cut(*line, n, SIZE_MAX);
        return true;
    }
    const char *p = line->p;
    ret->at = (struct civil){.month = month,
                             .day = two_digits(p + 4),
                             .hour = two_digits(p + 7),
                             .minute = two_digits(p + 10),
                             .second = two_digits(p + 13)};
    if (p[3] != ' ' || p[6] != ' ' || p[9] != ':' || p[12] != ':' || ret->at.day < 1 ||
        ret->at.day > 31 || ret->at.hour < 0 || ret->at.hour > 23 || ret->at.minute < 0 ||
        ret->at.minute > 59 || ret->at.second < 0 || ret->at.second > 60)
        return false;
    *line = text_cut(*line, 15, SIZE_MAX);
    return true;
}

/* The instant of a stamp; a step back over half a year is New Year. */
static bool instant_of(struct postfix *p, struct stamp *s, int64_t *ret_s)
{
    if (s->with_year) {
        *ret_s = s->at_s;
        return true;
    }
    s->at.year = p->year;
    if (!history_local_time(p->h, &s->at, ret_s))
        return false;
    if (p->last_s && *ret_s < p->last_s - BACK_S) {
        s->at.year = ++p->year;
        if (!history_local_time(p->h, &s->at, ret_s))
            return false;
    }
    p->last_s = *ret_s;
    return true;
}

static struct civil civil_of_s(const struct history *h, int64_t at_s)
{
    tide_wall_ms ms = at_s * TIME_SECOND_MS;
    return civil_of_wall(ms, zone_offset_s(h->options->zone, ms));
}

/* The year of the first line, so that the last one is not younger than now. */
static int first_year(struct history *h, struct text bytes)
{
    struct postfix p = {.h = h, .year = 2000}; /* a leap year: it has every day */
    struct text line;
    struct stamp s;
    int64_t at_s;
    while (text_split(&bytes, '\n', &line))
        if (take_stamp(h, &line, &s) && !s.with_year)
            (void)instant_of(&p, &s, &at_s);
    if (!p.last_s)
        return 2000;
    struct civil last = civil_of_s(h, p.last_s);
    int newest = civil_of_s(h, h->options->now_s).year;
    last.year = newest;
    if (history_local_time(h, &last, &at_s) && at_s > h->options->now_s + SOON_S)
        newest--;
    return newest - (p.year - 2000);
}

/* What stands behind "name=" in a list divided by ", ": up to the comma, brackets taken off. */
static struct text value_of(struct text line, struct text name)
{
    size_t at = text_ifind(line, name);
    if (at == line.n)
        return TEXT("");
    struct text v = text_cut(line, at + name.n, SIZE_MAX);
    if (v.n && v.p[0] == '<') {
        size_t end = 1;
        bool quoted = false;
        while (end < v.n && (quoted || v.p[end] != '>')) {
            quoted ^= v.p[end] == '"';
            end++;
        }
        return end < v.n ? text_cut(v, 1, end - 1) : TEXT("");
    }
    return text_cut(v, 0, text_find(v, ','));
}

static bool is_here(struct text relay)
{
    return text_eq(relay, TEXT("local")) || text_istarts(relay, TEXT("127.")) ||
           text_ifind(relay, TEXT("[127.")) < relay.n || text_ifind(relay, TEXT("[::1]")) < relay.n;
}

static int64_t delay_of(struct text line)
{
    struct tide_error err;
    struct text v = value_of(line, TEXT(" delay="));
    int64_t s;
    return text_int(text_cut(v, 0, text_find(v, '.')), 0, 30 * 86400, &s, &err) == TIDE_OK ? s : 0;
}

static void mark(struct postfix *p, struct text key, uintptr_t what)
{
    if (!strmap_put(&p->queue, key, (void *)what))
        p->h->no_memory = true;
}

static void take_delivery(struct postfix *p, struct text id, struct text rest, int64_t at_s)
{
    char key[512];
    struct text to = value_of(rest, TEXT("to=")), status = value_of(rest, TEXT(" status="));
    status = text_cut(status, 0, text_find(status, ' '));
    if (!to.n || text_find(to, '@') == to.n || is_here(value_of(rest, TEXT(" relay="))) ||
        (uintptr_t)strmap_get(&p->queue, id) == MAIL_BOUNCE)
        return;
    int n = snprintf(key, sizeof key, TEXT_FMT " " TEXT_FMT, TEXT_ARG(id), TEXT_ARG(to));
    struct text once = {key, n < 0 ? 0 : TIDE_MIN((size_t)n, sizeof key - 1)};
    bool again = strmap_get(&p->queue, once) != NULL;
    if (text_eq(status, TEXT("deferred")))
        mark(p, once, MAIL_DEFERRED);
    else if (again)
        strmap_remove(&p->queue, once);
    if (again)
        p->h->result.again++;
    else
        (void)history_give(p->h, TIDE_MAX(at_s - delay_of(rest), 0), to, HISTORY_DIRECT, TEXT(""));
}

/* " mx1 postfix/smtp[812]: 4F1A2C0B: to=<...>, ..." */
static void take_line(struct postfix *p, struct text line, struct stamp *stamp)
{
    int64_t at_s;
    if (!instant_of(p, stamp, &at_s))
        return;
    size_t tag = text_ifind(line, TEXT("]: "));
    struct text program = text_cut(line, 0, tag), rest = text_cut(line, tag + 3, SIZE_MAX);
    if (text_ifind(program, TEXT("postfix")) == program.n)
        return;
    size_t colon = text_find(rest, ':');
    struct text id = text_cut(rest, 0, colon);
    if (colon == rest.n || id.n == 0 || id.n > 64 || text_find(id, ' ') < id.n)
        return;
    rest = text_trim(text_cut(rest, colon + 1, SIZE_MAX));
    if (text_starts(rest, TEXT("to=<"))) {
        p->h->result.records++;
        take_delivery(p, id, rest, at_s);
    } else if (text_starts(rest, TEXT("from=<>"))) {
        mark(p, id, MAIL_BOUNCE);
    } else if (text_starts(rest, TEXT("removed"))) {
        strmap_remove(&p->queue, id);
    }
}

void history_read_postfix(struct history *h, struct text bytes)
{
    struct postfix p = {.h = h, .year = first_year(h, bytes)};
    struct text line;
    struct stamp stamp;
    strmap_init(&p.queue);
    while (!h->no_memory && text_split(&bytes, '\n', &line))
        if (take_stamp(h, &line, &stamp))
            take_line(&p, line, &stamp);
    strmap_fini(&p.queue);
}
