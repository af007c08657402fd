#include "base/time.h"

#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

/* Both ways after Howard Hinnant, "chrono-compatible low-level date algorithms" (public domain):
 * years start in March, so that the leap day is the last one. */
int64_t days_of_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void civil_of_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t mp = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * mp + 2) / 5 + 1);
    *ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

struct civil civil_of_wall(tide_wall_ms t, int offset_s)
{
    int64_t local = t + offset_s * TIME_SECOND_MS;
    int64_t days = floor_div(local, TIME_DAY_MS), rest = local - days * TIME_DAY_MS;
    struct civil c = {.offset_s = offset_s};
    civil_of_days(days, &c.year, &c.month, &c.day);
    c.hour = (int)(rest / TIME_HOUR_MS);
    c.minute = (int)(rest / TIME_MINUTE_MS % 60);
    c.second = (int)(rest / TIME_SECOND_MS % 60);
    c.ms = (int)(rest % TIME_SECOND_MS);
    c.weekday = (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    return c;
}

tide_wall_ms wall_of_civil(const struct civil *c)
{
    return days_of_civil(c->year, c->month, c->day) * TIME_DAY_MS + c->hour * TIME_HOUR_MS +
           c->minute * TIME_MINUTE_MS + (c->second - c->offset_s) * TIME_SECOND_MS + c->ms;
}

/* In place of printf, which took more than all the rest of a journal entry, each with a time in it.
 */
static char *put_digits(char *p, char before, int n, int digits)
{
    if (before)
        *p++ = before;
    for (int i = digits; i-- > 0; n /= 10)
        p[i] = (char)('0' + n % 10);
    return p + digits;
}

/* Any year is written, though that of a notification has four digits. */
static char *put_year(char *p, int year)
{
    if (year < 0 || year > 9999)
        return p + snprintf(p, 12, "%04d", year);
    return put_digits(p, '\0', year, 4);
}

const char *time_rfc3339(tide_wall_ms t, int offset_s, char *out)
{
    struct civil c = civil_of_wall(t, offset_s);
    char *p = put_year(out, c.year);
    p = put_digits(p, '-', c.month, 2);
    p = put_digits(p, '-', c.day, 2);
    p = put_digits(p, 'T', c.hour, 2);
    p = put_digits(p, ':', c.minute, 2);
    p = put_digits(p, ':', c.second, 2);
    p = put_digits(p, '.', c.ms, 3);
    int minutes = abs(offset_s) / 60;
    if (offset_s == 0) {
        *p++ = 'Z';
    } else {
        p = put_digits(p, offset_s < 0 ? '-' : '+', minutes / 60, 2);
        p = put_digits(p, ':', minutes % 60, 2);
    }
    *p = '\0';
    return out;
}

static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

const char *time_rfc5322(tide_wall_ms t, int offset_s, char *out)
{
    struct civil c = civil_of_wall(t, offset_s);
    int minutes = abs(offset_s) / 60;
    snprintf(out, TIME_TEXT_BYTES, "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d",
             weekdays[c.weekday], c.day, months[c.month - 1], c.year, c.hour, c.minute, c.second,
             offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
    return out;
}

/* Exactly `digits` decimal digits from the front of *t. */
static bool take_number(struct text *t, size_t digits, int min, int max, int *ret)
{
    int value = 0;
    if (t->n < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (!ascii_is_digit(t->p[i]))
            return false;
        value = value * 10 + (t->p[i] - '0');
    }
    *t = text_cut(*t, digits, t->n);
    *ret = value;
    return value >= min && value <= max;
}

static bool take_char(struct text *t, const char *one_of)
{
    if (t->n == 0 || !strchr(one_of, t->p[0]) || t->p[0] == '\0')
        return false;
    *t = text_cut(*t, 1, t->n);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_fraction(struct text *t, int *ret_ms)
{
    *ret_ms = 0;
    if (!take_char(t, "."))
        return true;
    int scale = 100;
    size_t n = 0;
    for (; n < t->n && ascii_is_digit(t->p[n]); n++, scale /= 10)
        *ret_ms += (t->p[n] - '0') * scale;
    *t = text_cut(*t, n, t->n);
    return n > 0;
}

/* "+0800" (sep 0) or "+08:00" (sep ':'). */
static bool take_offset(struct text *t, char sep, int *ret_s)
{
    bool negative = t->n > 0 && t->p[0] == '-';
    int h, m;
    if (!take_char(t, "+-") || !take_number(t, 2, 0, 23, &h))
        return false;
    if (sep && !take_char(t, (const char[]){sep, 0}))
        return false;
    if (!take_number(t, 2, 0, 59, &m))
        return false;
    *ret_s = (h * 3600 + m * 60) * (negative ? -1 : 1);
    return true;
}

enum tide_err time_parse_rfc3339(struct text t, tide_wall_ms *ret, struct tide_error *err)
{
    struct text r = t;
    struct civil c = {0};
    bool ok = take_number(&r, 4, 1, 9999, &c.year) && take_char(&r, "-") &&
              take_number(&r, 2, 1, 12, &c.month) && take_char(&r, "-") &&
              take_number(&r, 2, 1, days_in_month(c.year, c.month), &c.day) &&
              take_char(&r, "Tt ") && take_number(&r, 2, 0, 23, &c.hour) && take_char(&r, ":") &&
              take_number(&r, 2, 0, 59, &c.minute) && take_char(&r, ":") &&
              take_number(&r, 2, 0, 60, &c.second) && take_fraction(&r, &c.ms) &&
              (take_char(&r, "Zz") || take_offset(&r, ':', &c.offset_s)) && r.n == 0;
    if (!ok)
        return tide_fail(err, TIDE_ESYNTAX,
                         "want a time such as \"2026-11-21T22:17:26Z\" or \"...+08:00\", got "
                         "\"" TEXT_FMT "\"",
                         TEXT_ARG(t));
    *ret = wall_of_civil(&c);
    return TIDE_OK;
}

static bool take_name(struct text *t, const char *const *names, int count, int *ret)
{
    for (int i = 0; i < count; i++)
        if (text_istarts(*t, text_of(names[i]))) {
            *t = text_cut(*t, 3, t->n);
            *ret = i;
            return true;
        }
    return false;
}

static void skip_blanks(struct text *t)
{
    while (t->n > 0 && strchr(" \t\r\n", t->p[0]) && t->p[0])
        *t = text_cut(*t, 1, t->n);
}

/* RFC 5322 4.3: the American names have offsets, all other names count as -0000. */
static bool take_zone(struct text *t, int *ret_s)
{
    static const struct {
        const char *name;
        int hours;
    } zones[] = {{"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5},
                 {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};
    if (take_offset(t, 0, ret_s))
        return true;
    size_t n = 0;
    while (n < t->n && ascii_is_alpha(t->p[n]))
        n++;
    struct text name = text_cut(*t, 0, n);
    *ret_s = 0;
    for (size_t i = 0; i < TIDE_COUNT(zones); i++)
        if (text_ieq(name, text_of(zones[i].name)))
            *ret_s = zones[i].hours * 3600;
    *t = text_cut(*t, n, t->n);
    return n > 0;
}

/* Two-digit and three-digit years as RFC 5322 4.3 reads them. */
static bool take_year(struct text *t, int *ret)
{
    size_t n = 0;
    while (n < t->n && ascii_is_digit(t->p[n]))
        n++;
    if (n < 2 || n > 4 || !take_number(t, n, 0, 9999, ret))
        return false;
    if (n == 2)
        *ret += *ret < 50 ? 2000 : 1900;
    else if (n == 3)
        *ret += 1900;
    return *ret >= 1;
}

enum tide_err time_parse_rfc5322(struct text t, tide_wall_ms *ret, struct tide_error *err)
{
    struct text r = t;
    struct civil c = {0};
    int weekday, month = 0;
    skip_blanks(&r);
    if (take_name(&r, weekdays, 7, &weekday))
        take_char(&r, ",");
    skip_blanks(&r);
    size_t digits = r.n > 1 && ascii_is_digit(r.p[1]) ? 2 : 1;
    bool ok = take_number(&r, digits, 1, 31, &c.day);
    skip_blanks(&r);
    ok = ok && take_name(&r, months, 12, &month);
    c.month = month + 1;
    skip_blanks(&r);
    ok = ok && take_year(&r, &c.year) && c.day <= days_in_month(c.year, c.month);
    skip_blanks(&r);
    ok = ok && take_number(&r, r.n > 1 && ascii_is_digit(r.p[1]) ? 2 : 1, 0, 23, &c.hour) &&
         take_char(&r, ":") && take_number(&r, 2, 0, 59, &c.minute);
    if (ok && take_char(&r, ":"))
        ok = take_number(&r, 2, 0, 60, &c.second);
    skip_blanks(&r);
    ok = ok && take_zone(&r, &c.offset_s);
    skip_blanks(&r);
    if (!ok || (r.n > 0 && r.p[0] != '('))
        return tide_fail(err, TIDE_ESYNTAX,
                         "want a date such as \"Sat, 21 Nov 2026 22:17:26 +0000\" (RFC 5322 3.3), "
                         "got \"" TEXT_FMT "\"",
                         TEXT_ARG(t));
    *ret = wall_of_civil(&c);
    return TIDE_OK;
}
