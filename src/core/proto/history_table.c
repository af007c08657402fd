/* Tables: comma-separated values, or tabs, semicolons, bars.
 *
 * With a first line of names the columns are found by name; of the names of a kind the first in the
 * list below that is there. Without: TIME, RECIPIENT and perhaps THREAD and PRIORITY, by place. */
#include "core/proto/history_in.h"

#include "base/macros.h"
#include "core/proto/csv.h"

#define NAME_BYTES 32
#define WANT                                                                                     \
    "want TIME, RECIPIENT and perhaps THREAD and PRIORITY (urgent, direct, watched or 0 to 2), " \
    "divided by tabs or commas"

enum column { COL_TIME, COL_RECIPIENT, COL_ID, COL_CLASS, COL_SOURCE, COLUMNS };

/* Names in small letters and digits alone. "processed": SendGrid's export; "mailtimestamp",
 * "maildestination": SES' events flattened (Athena, Firehose); "destination": Message Insights. */
static const struct {
    enum column column;
    const char *name;
} names[] = {
    {COL_TIME, "mailtimestamp"},
    {COL_TIME, "processed"},
    {COL_TIME, "sentat"},
    {COL_TIME, "senttime"},
    {COL_TIME, "sendtime"},
    {COL_TIME, "sendtimestamp"},
    {COL_TIME, "time"},
    {COL_TIME, "timestamp"},
    {COL_TIME, "unixtime"},
    {COL_TIME, "datetime"},
    {COL_TIME, "date"},
    {COL_TIME, "createdat"},
    {COL_TIME, "eventtime"},
    {COL_TIME, "eventtimestamp"},
    {COL_TIME, "lasteventtime"},
    {COL_TIME, "at"},
    {COL_RECIPIENT, "recipient"},
    {COL_RECIPIENT, "recipients"},
    {COL_RECIPIENT, "maildestination"},
    {COL_RECIPIENT, "destination"},
    {COL_RECIPIENT, "toemail"},
    {COL_RECIPIENT, "toaddress"},
    {COL_RECIPIENT, "to"},
    {COL_RECIPIENT, "rcpt"},
    {COL_RECIPIENT, "email"},
    {COL_RECIPIENT, "emailaddress"},
    {COL_RECIPIENT, "address"},
    {COL_RECIPIENT, "user"},
    {COL_ID, "mailmessageid"},
    {COL_ID, "messageid"},
    {COL_ID, "sgmessageid"},
    {COL_ID, "msgid"},
    {COL_CLASS, "priority"},
    {COL_CLASS, "class"},
    {COL_CLASS, "stream"},
    {COL_SOURCE, "application"},
    {COL_SOURCE, "app"},
    {COL_SOURCE, "sender"},
    {COL_SOURCE, "from"},
    {COL_SOURCE, "fromemail"},
    {COL_SOURCE, "fromaddress"},
};

struct layout {
    size_t at[COLUMNS];
    bool has[COLUMNS], named;
};

static void plain_name(struct text t, char out[NAME_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < t.n && n + 1 < NAME_BYTES; i++)
        if (ascii_is_alnum(t.p[i]))
            out[n++] = ascii_lower(t.p[i]);
    out[n] = '\0';
}

/* Whether this is a line of names that tells where time and recipient stand. */
static bool find_columns(const struct csv *c, struct layout *ret)
{
    struct layout l = {.named = true};
    size_t rank[COLUMNS];
    for (size_t i = 0; i < c->count; i++) {
        char name[NAME_BYTES];
        plain_name(csv_field(c, i), name);
        for (size_t k = 0; k < TIDE_COUNT(names); k++) {
            enum column col = names[k].column;
            if (strcmp(names[k].name, name) != 0 || (l.has[col] && rank[col] <= k))
                continue;
            l.at[col] = i;
            l.has[col] = true;
            rank[col] = k;
        }
    }
    if (l.has[COL_TIME] && l.has[COL_RECIPIENT])
        *ret = l;
    return l.has[COL_TIME] && l.has[COL_RECIPIENT];
}

/* A stream of one's own counts as direct, where the column has a name; else it is a mistake. */
static bool class_of(struct text t, bool named, enum history_class *ret)
{
    static const char *const classes[HISTORY_CLASSES] = {"urgent", "direct", "watched"};
    *ret = HISTORY_DIRECT;
    if (t.n == 0)
        return true;
    for (unsigned c = 0; c < HISTORY_CLASSES; c++)
        if (text_ieq(t, text_of(classes[c])) || (t.n == 1 && t.p[0] == (char)('0' + c))) {
            *ret = (enum history_class)c;
            return true;
        }
    return named;
}

static struct text field(const struct csv *c, const struct layout *l, enum column col)
{
    return l->has[col] ? text_trim(csv_field(c, l->at[col])) : TEXT("");
}

/* False: it is no such record. */
static bool take(struct history *h, const struct csv *c, const struct layout *l)
{
    int64_t at_s;
    enum history_class class;
    struct text recipient = field(c, l, COL_RECIPIENT);
    if (!recipient.n || !history_time(h, field(c, l, COL_TIME), &at_s) ||
        !class_of(field(c, l, COL_CLASS), l->named, &class))
        return false;
    h->source = field(c, l, COL_SOURCE);
    (void)history_give_all(h, at_s, recipient, class, field(c, l, COL_ID));
    return true;
}

void history_read_table(struct history *h, struct text bytes)
{
    static const struct layout by_place = {
        .at = {[COL_TIME] = 0, [COL_RECIPIENT] = 1, [COL_CLASS] = 3},
        .has = {[COL_TIME] = true, [COL_RECIPIENT] = true, [COL_CLASS] = true}};
    struct layout layout = by_place;
    struct csv c;
    enum csv_got got;
    size_t number = 0;
    while (bytes.n && (bytes.p[0] == '#' || bytes.p[0] == '\n' || bytes.p[0] == '\r'))
        bytes = text_cut(bytes, text_find(bytes, '\n') + 1, SIZE_MAX);
    csv_init(&c, csv_separator_of(text_cut(bytes, 0, text_find(bytes, '\n'))));
    while (!h->no_memory && (got = csv_next(&c, &bytes, true)) != CSV_WANTS_MORE) {
        number++;
        if (got == CSV_NO_MEMORY) {
            h->no_memory = true;
            break;
        }
        if (number == 1 && find_columns(&c, &layout))
            continue;
        struct text first = text_trim(csv_field(&c, 0));
        if (first.n && first.p[0] == '#')
            continue;
        h->result.records++;
        if (got == CSV_TOO_LARGE)
            history_bad(h, "line", number, "it is too long");
        else if (!take(h, &c, &layout) && number > 1) /* the first may be names that nobody knows */
            history_bad(h, "line", number, WANT);
    }
    csv_fini(&c);
}
