#include "core/outcome/dsn.h"

#include "base/buf.h"
#include "base/macros.h"

#define FOLDS_MAX       50
#define VALUE_BYTES_MAX 4000

static const char *const actions[] = {
    [DSN_NO_ACTION] = "",          [DSN_FAILED] = "failed",   [DSN_DELAYED] = "delayed",
    [DSN_DELIVERED] = "delivered", [DSN_RELAYED] = "relayed", [DSN_EXPANDED] = "expanded",
};

const char *dsn_action_name(enum dsn_action a)
{
    return actions[a];
}

/* "failed (bad address)", "Failure", "fail": as they come. */
static enum dsn_action action_of(struct text value)
{
    if (text_istarts(value, TEXT("fail")))
        return DSN_FAILED;
    if (text_istarts(value, TEXT("delay")) || text_istarts(value, TEXT("deferred")))
        return DSN_DELAYED;
    if (text_istarts(value, TEXT("deliver")))
        return DSN_DELIVERED;
    if (text_istarts(value, TEXT("relay")))
        return DSN_RELAYED;
    if (text_istarts(value, TEXT("expand")))
        return DSN_EXPANDED;
    return DSN_NO_ACTION;
}

bool dsn_status(struct text value, int ret[3])
{
    int parts[3] = {0};
    size_t at = 0;
    value = text_trim(value);
    for (int i = 0; i < 3; i++) {
        size_t from = at;
        while (at < value.n && at - from < 3 && ascii_is_digit(value.p[at]))
            parts[i] = parts[i] * 10 + (value.p[at++] - '0');
        if (at == from || (i < 2 && (at == value.n || value.p[at++] != '.')))
            return false;
    }
    if (parts[0] != 2 && parts[0] != 4 && parts[0] != 5)
        return false;
    memcpy(ret, parts, sizeof parts);
    return true;
}

/* RFC 6533 3: "\x{E4}" is U+00E4. */
static struct text without_escapes(struct text t, struct arena *a)
{
    char *out = arena_alloc(a, t.n + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < t.n;) {
        uint32_t c = 0;
        size_t k = i + 3, digits = 0;
        bool escape = text_starts(text_cut(t, i, t.n), TEXT("\\x{"));
        for (; escape && k < t.n && digits < 6; k++, digits++) {
            char d = ascii_lower(t.p[k]);
            if (!ascii_is_digit(d) && !(d >= 'a' && d <= 'f'))
                break;
            c = c * 16 + (uint32_t)(ascii_is_digit(d) ? d - '0' : d - 'a' + 10);
        }
        escape = escape && digits > 1 && k < t.n && t.p[k] == '}' && c >= ' ' && c < 0x110000 &&
                 !(c >= 0xD800 && c < 0xE000);
        if (!escape) {
            out[n++] = t.p[i++];
            continue;
        }
        i = k + 1; /* at least six bytes were taken, four at most are written */
        if (c < 0x80) {
            out[n++] = (char)c;
        } else {
            int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
            static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
            out[n++] = (char)(leads[more] | (c >> (6 * more)));
            while (more-- > 0)
                out[n++] = (char)(0x80 | ((c >> (6 * more)) & 0x3F));
        }
    }
    return (struct text){out, n};
}

/* "rfc822;": what stands before an address or a diagnostic. */
static struct text without_type(struct text value)
{
    size_t semicolon = text_find(value, ';');
    if (semicolon == value.n || semicolon > 30)
        return text_trim(value);
    for (size_t i = 0; i < semicolon; i++)
        if (!ascii_is_alnum(value.p[i]) && !strchr("-_ ", value.p[i]))
            return text_trim(value);
    return text_trim(text_cut(value, semicolon + 1, value.n));
}

struct text dsn_diagnostic(struct text value)
{
    return without_type(value);
}

struct text dsn_address(struct text value, struct arena *a)
{
    struct text t = without_type(value);
    size_t open = text_find(t, '<');
    if (open < t.n) {
        size_t close = text_find(text_cut(t, open + 1, t.n), '>');
        t = text_cut(t, open + 1, close);
    } else if (t.n > 0 && t.p[0] != '"') {
        size_t end = 0; /* "ann@example.com (Ann)" */
        while (end < t.n && t.p[end] != ' ' && t.p[end] != '\t')
            end++;
        t = text_cut(t, 0, end);
    }
    while (t.n > 1 && strchr(".,;:>", t.p[t.n - 1]))
        t.n--;
    if (text_find(t, '\\') < t.n)
        t = without_escapes(t, a);
    return text_trim(t);
}

/* -- Fields ------------------------------------------------------------------------------------ */

static bool is_field(struct text line, size_t *ret_colon)
{
    size_t i = 0;
    while (i < line.n && (ascii_is_alnum(line.p[i]) || line.p[i] == '-' || line.p[i] == '_'))
        i++;
    *ret_colon = i;
    return i > 0 && i <= 60 && i < line.n && line.p[i] == ':';
}

/* A line goes on when it begins with a blank, and is not blank. */
static bool goes_on(struct text rest)
{
    size_t end = text_find(rest, '\n');
    return rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t') &&
           text_trim(text_cut(rest, 0, end)).n > 0;
}

bool dsn_field(struct text *rest, struct arena *a, struct text *ret_name, struct text *ret_value)
{
    struct text line;
    size_t colon;
    while (text_line(rest, &line)) {
        *ret_name = *ret_value = (struct text){"", 0};
        if (text_trim(line).n == 0)
            return true;
        if (!is_field(line, &colon))
            continue;
        *ret_name = text_cut(line, 0, colon);
        struct text value = text_trim(text_cut(line, colon + 1, line.n));
        if (goes_on(*rest)) {
            struct buf b = {.max = VALUE_BYTES_MAX};
            buf_add_text(&b, value);
            for (int folds = 0; folds < FOLDS_MAX && goes_on(*rest); folds++) {
                text_line(rest, &line);
                buf_addc(&b, ' ');
                buf_add_text(&b, text_trim(line));
            }
            value = text_trim(arena_text(a, buf_text(&b)));
            buf_fini(&b);
        }
        *ret_value = text_cut(value, 0, VALUE_BYTES_MAX);
        return true;
    }
    return false;
}

static bool says(const struct dsn_recipient *r)
{
    return r->final.n > 0 || r->original.n > 0;
}

static void put_field(
    struct dsn *d, struct dsn_recipient *r, struct text name, struct text value, struct arena *a)
{
    if (text_ieq(name, TEXT("Final-Recipient")))
        r->final = dsn_address(value, a);
    else if (text_ieq(name, TEXT("Original-Recipient")))
        r->original = dsn_address(value, a);
    else if (text_ieq(name, TEXT("X-Actual-Recipient")) && r->final.n == 0)
        r->final = dsn_address(value, a);
    else if (text_ieq(name, TEXT("Action")))
        r->action = action_of(value);
    else if (text_ieq(name, TEXT("Status")))
        (void)dsn_status(value, r->status);
    else if (text_ieq(name, TEXT("Diagnostic-Code")))
        r->diagnostic = without_type(value);
    else if (text_ieq(name, TEXT("Remote-MTA")))
        r->remote_mta = without_type(value);
    else if (text_ieq(name, TEXT("Will-Retry-Until")))
        r->will_retry_until = value;
    else if (text_ieq(name, TEXT("Reporting-MTA")))
        d->reporting_mta = without_type(value);
    else if (text_ieq(name, TEXT("Original-Envelope-Id")))
        d->envelope_id = value;
    else if (text_ieq(name, TEXT("Arrival-Date")))
        d->arrival_date = value;
}

/* Another recipient begins where a field comes again that a recipient has once. */
static bool begins_anew(const struct dsn_recipient *r, struct text name)
{
    return says(r) && ((text_ieq(name, TEXT("Final-Recipient")) && r->final.n > 0) ||
                       (text_ieq(name, TEXT("Original-Recipient")) && r->original.n > 0));
}

static void keep(struct dsn *d, struct dsn_recipient *r)
{
    if (says(r)) {
        if (d->recipient_count < DSN_RECIPIENTS_MAX)
            d->recipients[d->recipient_count++] = *r;
        else
            d->left_out++;
    }
    *r = (struct dsn_recipient){0};
}

enum tide_err dsn_read(struct text part, struct arena *a, struct dsn *ret, struct tide_error *err)
{
    struct dsn d = {.recipients = arena_array(a, DSN_RECIPIENTS_MAX, sizeof *d.recipients)};
    struct dsn_recipient r = {0};
    struct text name, value;
    if (!d.recipients)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a delivery status");
    while (dsn_field(&part, a, &name, &value)) {
        if (name.n == 0 ? says(&r) : begins_anew(&r, name))
            keep(&d, &r);
        put_field(&d, &r, name, value, a);
    }
    keep(&d, &r);
    *ret = d;
    return TIDE_OK;
}
