#include "core/esp/events_fields.h"

#include "base/base64.h"
#include "base/macros.h"
#include "core/esp/send.h"
#include "core/outcome/dsn.h"
#include "core/outcome/rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum event_word events_word(struct text name, const struct event_name *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_eq(name, text_of(table[i].name)))
            return table[i].word;
    return EVENT_UNKNOWN;
}

enum events_end events_refuse(struct events_batch *b, enum events_fault fault, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(b->message, sizeof b->message, fmt, args);
    va_end(args);
    /* It is shown to people, and may quote what a stranger wrote. */
    for (char *c = b->message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F || *c == '"')
            *c = '\'';
    b->fault = fault;
    return EVENTS_REFUSED;
}

enum events_end events_fresh(const struct events_ask *ask,
                             tide_wall_ms at,
                             int64_t window_ms,
                             struct events_batch *b)
{
    char text[TIME_TEXT_BYTES];
    const tide_wall_ms clocks[] = {ask->now, ask->wall};
    for (size_t i = 0; i < TIDE_COUNT(clocks); i++)
        if (clocks[i] > 0 && at > clocks[i] - window_ms && at < clocks[i] + EVENTS_AHEAD_MS)
            return EVENTS_READ;
    if (ask->now == 0)
        return EVENTS_READ;
    return events_refuse(b, EVENTS_STALE, "It was signed at %s, which is too long ago or to come.",
                         time_rfc3339(at, 0, text));
}

enum events_end events_fresh_stamp(const struct events_ask *ask,
                                   struct text seconds,
                                   int64_t window_ms,
                                   struct events_batch *b)
{
    int64_t n = 0;
    seconds = text_cut(seconds, 0, text_find(seconds, '.'));
    if (ask->now != 0 && text_int(seconds, 0, INT64_MAX / 1000, &n, NULL) != TIDE_OK)
        return events_refuse(b, EVENTS_STALE, "The signed time is none.");
    return events_fresh(ask, n * 1000, window_ms, b);
}

enum events_end events_parse(struct text body, struct json **ret, struct events_batch *b)
{
    struct tide_error err;
    enum tide_err rc = json_parse(body, EVENTS_BYTES_MAX, ret, &err);
    if (rc == TIDE_OK)
        return EVENTS_READ;
    *ret = NULL;
    return events_refuse(b, rc == TIDE_ENOMEM ? EVENTS_NO_MEMORY : EVENTS_BAD_BODY,
                         "The body is no JSON: %.180s.", err.text);
}

enum events_end events_form(const struct events_ask *ask,
                            struct arena *a,
                            struct form *ret,
                            struct events_batch *b)
{
    struct tide_error err;
    enum tide_err rc = form_parse(ask->content_type, ask->body, a, ret, &err);
    if (rc == TIDE_OK)
        return EVENTS_READ;
    return events_refuse(b, rc == TIDE_ENOMEM ? EVENTS_NO_MEMORY : EVENTS_BAD_BODY,
                         "The body is no form: %.180s.", err.text);
}

/* -- News ---------------------------------------------------------------------------------------
 */

static bool grow(struct events_batch *b, struct arena *a)
{
    size_t cap = b->count == 0 ? 1 : b->count * 2;
    struct mail_news *more = arena_array(a, cap, sizeof *more);
    if (!more)
        return false;
    if (b->count > 0)
        memcpy(more, b->news, b->count * sizeof *more);
    b->news = more;
    return true;
}

void events_set_word(struct mail_news *n, enum event_word word)
{
    static const struct {
        const char *text;
        enum news_kind kind;
    } words[] = {
#define EVENT_WORD(code, text, kind) {text, NEWS_##kind},
        EVENT_WORDS(EVENT_WORD)
#undef EVENT_WORD
    };
    n->word = text_of(words[word].text);
    n->kind = words[word].kind;
}

void events_count(struct mail_news *n, bool hard)
{
    if (n->kind == NEWS_BOUNCED)
        n->count = hard ? NEWS_COUNT_HARD : NEWS_COUNT_SOFT;
}

struct mail_news *events_add(struct events_batch *b,
                             struct arena *a,
                             struct text event,
                             enum event_word word)
{
    if (b->count == EVENTS_MAX) {
        events_refuse(b, EVENTS_TOO_MUCH, "More than %d events in one request.", EVENTS_MAX);
        return NULL;
    }
    /* Room is for a power of two. */
    if ((b->count & (b->count - 1)) == 0 && !grow(b, a)) {
        events_refuse(b, EVENTS_NO_MEMORY, "Out of memory.");
        return NULL;
    }
    struct mail_news *n = &b->news[b->count++];
    *n = (struct mail_news){.event = event};
    events_set_word(n, word);
    return n;
}

enum events_end events_done(const struct events_batch *b)
{
    return b->fault == EVENTS_FINE ? EVENTS_READ : EVENTS_REFUSED;
}

/* -- Values -------------------------------------------------------------------------------------
 */

struct text events_value(const struct json *v, struct arena *a)
{
    int64_t n;
    double x;
    if (json_kind(v) == JSON_KIND_STRING)
        return json_string_text(v);
    if (json_int(v, &n))
        return text_of(arena_printf(a, "%" PRId64, n));
    if (json_number(v, &x))
        return text_of(arena_printf(a, "%.17g", x));
    return TEXT("");
}

struct text events_text(const struct json *o, const char *name, struct arena *a)
{
    return events_value(json_member(o, name), a);
}

const struct json *events_object(const struct json *o, const char *name)
{
    const struct json *v = json_member(o, name);
    return json_kind(v) == JSON_KIND_OBJECT ? v : NULL;
}

const struct json *events_list(const struct json *o, const char *name)
{
    const struct json *v = json_member(o, name);
    return json_kind(v) == JSON_KIND_ARRAY ? v : NULL;
}

struct text events_first(const struct json *o, const char *const *names, struct arena *a)
{
    struct text t = TEXT("");
    for (size_t i = 0; names[i] && t.n == 0; i++)
        t = events_text(o, names[i], a);
    return t;
}

/* Only what lies between 1970 and 2200 is a time. */
#define SECONDS_MAX 7258118400.0

static tide_wall_ms of_seconds(double s)
{
    return s > 0 && s < SECONDS_MAX ? (tide_wall_ms)floor(s * 1000 + 0.001) : 0;
}

tide_wall_ms events_seconds(const struct json *v)
{
    double x;
    int64_t whole, part = 0;
    if (json_number(v, &x))
        return of_seconds(x);
    struct text t = json_string_text(v);
    size_t dot = text_find(t, '.');
    struct text fraction = text_cut(t, dot + 1, 3);
    if (text_int(text_cut(t, 0, dot), 0, (int64_t)SECONDS_MAX, &whole, NULL) != TIDE_OK)
        return 0;
    if (dot < t.n && fraction.n == 3 && text_int(fraction, 0, 999, &part, NULL) != TIDE_OK)
        return 0;
    return whole * 1000 + part;
}

tide_wall_ms events_time(struct text t)
{
    char copy[TIME_TEXT_BYTES];
    tide_wall_ms at;
    t = text_trim(t);
    if (time_parse_rfc3339(t, &at, NULL) == TIDE_OK)
        return at > 0 ? at : 0;
    if (t.n < 19 || t.n > 30)
        return 0;
    snprintf(copy, sizeof copy, TEXT_FMT "Z", TEXT_ARG(t));
    return time_parse_rfc3339(text_of(copy), &at, NULL) == TIDE_OK && at > 0 ? at : 0;
}

tide_id events_attempt_of(struct text id)
{
    tide_id found;
    return id.n == ID_TEXT_BYTES - 1 && id_parse(id, &found, NULL) == TIDE_OK ? found : 0;
}

tide_id events_attempt(const struct json *args, struct arena *a)
{
    if (json_kind(args) == JSON_KIND_OBJECT) {
        const struct json *v = json_member(args, SEND_ID_NAME);
        return events_attempt_of(
            events_value(json_kind(v) == JSON_KIND_ARRAY ? json_element(v, 0) : v, a));
    }
    for (size_t i = 0; json_kind(args) == JSON_KIND_ARRAY && i < json_count(args); i++) {
        const struct json *pair = json_element(args, i);
        if (text_eq(events_text(pair, "name", a), TEXT(SEND_ID_NAME)))
            return events_attempt_of(events_text(pair, "value", a));
    }
    return 0;
}

void events_reply(struct mail_news *n, struct text words)
{
    struct reply_said said = {.words = words};
    n->reply = words;
    if (words.n == 0)
        return;
    reply_said_of(words, &said);
    if (n->code == 0)
        n->code = said.code;
    if (n->status[0] == 0)
        memcpy(n->status, said.status, sizeof n->status);
}

void events_status(struct mail_news *n, struct text status)
{
    int enhanced[3];
    if (dsn_status(status, enhanced))
        memcpy(n->status, enhanced, sizeof n->status);
}

void events_code(struct mail_news *n, struct text code)
{
    int64_t number;
    if (text_int(code, 200, 599, &number, NULL) == TIDE_OK)
        n->code = (int)number;
    else
        events_status(n, code);
}

struct text events_brackets(struct text id, struct arena *a)
{
    if (id.n == 0 || id.p[0] == '<')
        return id;
    return text_of(arena_printf(a, "<" TEXT_FMT ">", TEXT_ARG(id)));
}

struct text events_address(struct text t)
{
    struct text all = text_trim(t);
    if (all.n < 3 || all.p[all.n - 1] != '>')
        return all;
    for (size_t i = all.n - 1; i-- > 0;)
        if (all.p[i] == '<')
            return text_cut(all, i + 1, all.n - i - 2);
    return all;
}

void events_make_key(struct mail_news *n, struct arena *a)
{
    if (n->key.n > 0 || n->at == 0)
        return; /* without a time, two of one kind could not be told from one told twice */
    char id[ID_TEXT_BYTES];
    n->key = text_of(
        arena_printf(a, TEXT_FMT "|%s|" TEXT_FMT "|" TEXT_FMT "|" TEXT_FMT "|%" PRId64,
                     TEXT_ARG(n->event), n->attempt_id ? id_text(n->attempt_id, id) : "",
                     TEXT_ARG(n->message_id), TEXT_ARG(n->esp_id), TEXT_ARG(n->recipient), n->at));
}

/* -- Proofs -------------------------------------------------------------------------------------
 */

/* Takes as long for a wrong one as for the right one. */
bool events_same(struct text x, struct text y)
{
    volatile unsigned diff = x.n != y.n || x.n == 0;
    for (size_t i = 0; i < x.n && y.n > 0; i++)
        diff |= (unsigned char)x.p[i] ^ (unsigned char)y.p[i % y.n];
    return diff == 0;
}

bool events_is_hex(struct text shown, const unsigned char *bytes, size_t n)
{
    char hex[2 * EVENTS_HASH_BYTES + 1], low[2 * EVENTS_HASH_BYTES];
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    if (shown.n != 2 * n)
        return false;
    for (size_t i = 0; i < shown.n; i++)
        low[i] = ascii_lower(shown.p[i]);
    return events_same((struct text){low, shown.n}, (struct text){hex, 2 * n});
}

bool events_is_base64(struct text shown, const unsigned char *bytes, size_t n)
{
    struct buf b = {0};
    base64_encode((struct text){(const char *)bytes, n}, &b);
    bool same = b.failed == TIDE_OK && events_same(shown, buf_text(&b));
    buf_fini(&b);
    return same;
}

bool events_is_signed(const struct events_ask *ask,
                      enum events_key kind,
                      enum events_hash h,
                      struct text key,
                      const struct text *parts,
                      size_t count,
                      struct text shown)
{
    struct buf signature = {0}, der = {0};
    bool right = base64_decode(shown, &signature, NULL) == TIDE_OK &&
                 base64_decode(key, &der, NULL) == TIDE_OK &&
                 ask->crypto->verify(kind, h, buf_text(&der), parts, count, buf_text(&signature));
    buf_fini(&signature);
    buf_fini(&der);
    return right;
}
