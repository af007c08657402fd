#include "core/outcome/suppress_csv.h"

#include "base/macros.h"
#include "base/time.h"

#include <stdio.h>

static const struct {
    const char *name;
    enum suppress_column column;
} names[] = {
    {"email", COLUMN_ADDRESS},
    {"email address", COLUMN_ADDRESS},
    {"emailaddress", COLUMN_ADDRESS},
    {"address", COLUMN_ADDRESS},
    {"recipient", COLUMN_ADDRESS},
    {"reason", COLUMN_REASON},
    {"suppression reason", COLUMN_REASON},
    {"error", COLUMN_REASON},
    {"created", COLUMN_CREATED},
    {"created_at", COLUMN_CREATED},
    {"date", COLUMN_CREATED},
    {"last updated", COLUMN_CREATED},
    {"last update time", COLUMN_CREATED},
    {"lastupdatetime", COLUMN_CREATED},
    {"cause", COLUMN_CAUSE},
    {"type", COLUMN_CAUSE},
    {"scope", COLUMN_SCOPE},
    {"expires", COLUMN_EXPIRES},
};

struct text suppress_csv_begin(struct text list)
{
    static const struct text mark = {"\xEF\xBB\xBF", 3};
    return text_starts(list, mark) ? text_cut(list, mark.n, list.n) : list;
}

static struct text field_of(const struct csv *record, size_t i)
{
    return text_trim(csv_field(record, i));
}

enum tide_err suppress_csv_head(const struct csv *record,
                                struct suppress_csv *ret,
                                bool *ret_is_head,
                                struct tide_error *err)
{
    struct suppress_csv c;
    for (size_t i = 0; i < SUPPRESS_COLUMNS; i++)
        c.at[i] = -1;
    for (size_t i = 0; i < record->count; i++) {
        struct text t = field_of(record, i);
        if (text_find(t, '@') < t.n) { /* an entry: the address, then what SES calls its reason */
            c.at[COLUMN_ADDRESS] = (int)i;
            c.at[COLUMN_REASON] = i + 1 < record->count ? (int)i + 1 : -1;
            *ret_is_head = false;
            *ret = c;
            return TIDE_OK;
        }
        for (size_t k = 0; k < TIDE_COUNT(names); k++)
            if (text_ieq(t, text_of(names[k].name)) && c.at[names[k].column] < 0)
                c.at[names[k].column] = (int)i;
    }
    if (c.at[COLUMN_ADDRESS] < 0)
        return tide_fail(err, TIDE_ENOENT,
                         "want a column \"email\", \"email address\" or \"address\" in the first "
                         "line, or an address itself");
    *ret_is_head = true;
    *ret = c;
    return TIDE_OK;
}

static struct text column_of(const struct suppress_csv *c,
                             const struct csv *record,
                             enum suppress_column column)
{
    int at = c->at[column];
    return at >= 0 && (size_t)at < record->count ? field_of(record, (size_t)at) : TEXT("");
}

/* Seconds since 1970 or RFC 3339; 0: neither. */
static tide_wall_ms time_of(struct text t)
{
    tide_wall_ms at;
    int64_t n;
    if (text_int(t, 1, INT64_MAX / 1000, &n, NULL) == TIDE_OK)
        return n * 1000;
    struct tide_error ignored;
    return t.n > 0 && time_parse_rfc3339(t, &at, &ignored) == TIDE_OK ? at : 0;
}

enum tide_err suppress_csv_entry(const struct suppress_csv *c,
                                 const struct csv *record,
                                 enum suppression_cause otherwise,
                                 struct suppression *ret,
                                 struct tide_error *err)
{
    struct text reason = column_of(c, record, COLUMN_REASON);
    *ret = (struct suppression){.address = column_of(c, record, COLUMN_ADDRESS),
                                .scope = column_of(c, record, COLUMN_SCOPE),
                                .cause = otherwise,
                                .at = time_of(column_of(c, record, COLUMN_CREATED)),
                                .expires_at = time_of(column_of(c, record, COLUMN_EXPIRES))};
    if (text_find(ret->address, '@') == ret->address.n)
        return tide_fail(err, TIDE_EADDR, "holds no address");
    if (suppression_cause_of(column_of(c, record, COLUMN_CAUSE), &ret->cause)) {
        ret->evidence = reason;
    } else if (text_ieq(reason, TEXT("COMPLAINT")) || text_ieq(reason, TEXT("spamcomplaint"))) {
        ret->cause = SUPPRESSION_COMPLAINT;
    } else if (text_ieq(reason, TEXT("BOUNCE")) || text_ieq(reason, TEXT("hardbounce"))) {
        ret->cause = SUPPRESSION_INVALID;
    } else if (reason.n > 0) {
        ret->evidence = reason;
        if (otherwise == SUPPRESSION_MANUAL) /* words of a mail server: that is what bounces have */
            ret->cause = SUPPRESSION_INVALID;
    }
    return TIDE_OK;
}

void suppress_csv_put_head(struct buf *out)
{
    buf_adds(out, "email,reason,created,cause,scope,expires\r\n");
}

void suppress_csv_put(struct buf *out, const struct suppression *s)
{
    char number[24];
    csv_put(out, s->address);
    buf_addc(out, ',');
    csv_put(out, s->evidence);
    snprintf(number, sizeof number, "%lld", (long long)(s->at / 1000));
    buf_addf(out, ",%s,%s,", number, suppression_cause_name(s->cause));
    csv_put(out, s->scope);
    if (s->expires_at)
        buf_addf(out, ",%lld\r\n", (long long)(s->expires_at / 1000));
    else
        buf_adds(out, ",\r\n");
}

bool suppress_csv_put_ses(struct buf *out, const struct suppression *s)
{
    if (s->scope.n > 0 || s->pause || s->cause == SUPPRESSION_UNSUBSCRIBED)
        return false; /* SES knows neither streams nor pauses */
    csv_put(out, s->address);
    buf_addf(out, ",%s\r\n", s->cause == SUPPRESSION_COMPLAINT ? "COMPLAINT" : "BOUNCE");
    return true;
}
