#include "core/esp/part.h"

#include "base/base64.h"
#include "base/macros.h"
#include "core/address/addr.h"
#include "core/digest/message.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define JSON_BYTES_MAX 100000000
#define NAME_BYTES_MAX 70  /* of a header field */
#define RUN_BYTES_MAX  900 /* without a blank to fold at: lines end at 998 (RFC 5322 2.1.1) */

/* -- Refusing -----------------------------------------------------------------------------------
 */

bool esp_refuse(
    struct esp_reading *r, enum esp_fault fault, const char *field, const char *fmt, ...)
{
    va_list args;
    r->why->fault = fault;
    snprintf(r->why->field, sizeof r->why->field, "%s", field);
    va_start(args, fmt);
    vsnprintf(r->why->message, sizeof r->why->message, fmt, args);
    va_end(args);
    return false;
}

unsigned esp_usual_status(enum esp_fault fault)
{
    switch (fault) {
    case ESP_NO_KEY:
    case ESP_BAD_KEY:
    case ESP_BAD_SIGNATURE:
    case ESP_STALE:
        return 401;
    case ESP_SENDER:
        return 403;
    case ESP_NOT_FOUND:
    case ESP_NOT_HERE:
        return 404;
    case ESP_BAD_METHOD:
        return 405;
    case ESP_TOO_LARGE:
        return 413;
    case ESP_RATE:
        return 429;
    case ESP_BUSY:
        return 503;
    case ESP_FINE:
    case ESP_BAD_BODY:
    case ESP_MISSING:
    case ESP_BAD_VALUE:
    case ESP_BAD_ADDRESS:
    case ESP_TEMPLATE:
    case ESP_TOO_MANY:
    case ESP_KEY_USED:
    case ESP_TOO_LATE:
        break;
    }
    return 400;
}

bool esp_no_memory(struct esp_reading *r)
{
    return esp_refuse(r, ESP_BUSY, "", "out of memory, try again later");
}

/* -- JSON ---------------------------------------------------------------------------------------
 */

bool esp_json(struct esp_reading *r)
{
    struct tide_error err = {0};
    enum tide_err rc = json_parse(r->ask->body, JSON_BYTES_MAX, &r->batch->doc, &err);
    if (rc == TIDE_ENOMEM)
        return esp_no_memory(r);
    return rc == TIDE_OK || esp_refuse(r, ESP_BAD_BODY, "", "%s", err.text);
}

bool esp_mails(struct esp_reading *r, size_t count)
{
    r->batch->mails = arena_array(r->arena, count + 1, sizeof *r->batch->mails);
    if (!r->batch->mails)
        return esp_no_memory(r);
    r->batch->count = count;
    return true;
}

static bool keep_refusal(struct esp_reading *r, struct esp_mail *m, const struct esp_refusal *why)
{
    m->refusal = ARENA_NEW(r->arena, struct esp_refusal);
    if (!m->refusal)
        return esp_no_memory(r);
    *m->refusal = *why;
    return true;
}

bool esp_each_of(
    struct esp_reading *r,
    const void *list,
    bool (*read)(struct esp_reading *r, const void *list, size_t i, struct api_draft *d))
{
    r->batch->each_own = true;
    for (size_t i = 0; i < r->batch->count; i++) {
        struct esp_mail *m = &r->batch->mails[i];
        struct esp_refusal why = {0};
        struct esp_reading own = {.ask = r->ask, .arena = r->arena, .batch = r->batch, .why = &why};
        if (!read(&own, list, i, &m->draft) && !keep_refusal(r, m, &why))
            return false;
    }
    return true;
}

struct json_list {
    const struct json *list;
    bool (*read)(struct esp_reading *r, const struct json *v, struct api_draft *d);
};

static bool read_element(struct esp_reading *r, const void *list, size_t i, struct api_draft *d)
{
    const struct json_list *l = list;
    return l->read(r, json_element(l->list, i), d);
}

bool esp_each(struct esp_reading *r,
              const struct json *list,
              bool (*read)(struct esp_reading *r, const struct json *v, struct api_draft *d))
{
    return esp_each_of(r, &(struct json_list){list, read}, read_element);
}

struct text esp_string(const struct json *object, const char *name)
{
    return json_string_text(json_member(object, name));
}

struct text esp_filled(const struct json *object, const char *name)
{
    struct text t = esp_string(object, name);
    return t.n > 0 ? t : (struct text){NULL, 0};
}

bool esp_template(struct esp_reading *r,
                  const struct esp_member *members,
                  size_t count,
                  const char *field,
                  const char *unknown,
                  struct api_draft *d)
{
    struct buf all = {0}, one = {0};
    struct json_writer w;
    if (!text_eq(r->ask->behind, text_of(r->ask->call->esp->name)))
        return esp_refuse(r, ESP_TEMPLATE, field, "%s", unknown);
    jw_init(&w, &all);
    jw_object(&w, NULL);
    for (size_t i = 0; i < count; i++) {
        const struct json *v = members[i].of ? json_member(members[i].of, members[i].name) : NULL;
        buf_clear(&one);
        if (v)
            json_dump(v, &one);
        else if (members[i].value.p)
            json_quote(&one, members[i].value);
        if (one.len > 0)
            jw_json(&w, members[i].name, buf_text(&one));
    }
    jw_end(&w);
    d->template = arena_text(r->arena, buf_text(&all));
    bool good = all.failed == TIDE_OK && one.failed == TIDE_OK && d->template.p;
    buf_fini(&all);
    buf_fini(&one);
    return good || esp_no_memory(r);
}

/* -- Texts --------------------------------------------------------------------------------------
 */

static struct text without(struct esp_reading *r, struct text t, bool (*bad)(char c))
{
    size_t i = 0;
    while (i < t.n && !bad(t.p[i]))
        i++;
    if (i == t.n)
        return t;
    char *copy = arena_strndup(r->arena, t.p, t.n);
    for (; copy && i < t.n; i++)
        if (bad(copy[i]))
            copy[i] = ' ';
    r->batch->overfull = r->batch->overfull || !copy;
    return copy ? (struct text){copy, t.n} : TEXT("");
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_nul(char c)
{
    return c == '\0';
}

struct text esp_line(struct esp_reading *r, struct text t)
{
    return without(r, t, is_control);
}

struct text esp_body(struct esp_reading *r, struct text t)
{
    return without(r, t, is_nul);
}

struct text esp_base64(struct esp_reading *r, struct text encoded)
{
    struct buf b = {0};
    struct text ret = {NULL, 0};
    if (base64_decode(encoded, &b, NULL) == TIDE_OK)
        ret = arena_text(r->arena, (struct text){b.data ? b.data : "", b.len});
    buf_fini(&b);
    return ret;
}

/* -- Addresses ----------------------------------------------------------------------------------
 */

bool esp_is_address(struct text t)
{
    struct addr a;
    if (addr_parse(t, 0, &a, NULL) != TIDE_OK)
        return false;
    struct text domain = domain_text(&a.domain);
    return text_find(domain, '.') < domain.n;
}

bool esp_add_mailbox(struct esp_reading *r, struct api_addresses *list, struct mailbox m)
{
    if ((list->count & (list->count - 1)) == 0) { /* 0 or a power of two: it is full */
        struct mailbox *more =
            arena_array(r->arena, list->count ? list->count * 2 : 1, sizeof *more);
        if (!more)
            return false;
        if (list->count > 0)
            memcpy(more, list->list, list->count * sizeof *more);
        list->list = more;
    }
    list->list[list->count++] = m;
    return true;
}

/* Read as the field of a message, which knows quoted commas, groups and encoded words. */
bool esp_mailboxes(struct esp_reading *r,
                   struct text list,
                   struct api_addresses *ret,
                   struct text *ret_bad)
{
    struct mailbox *found = NULL;
    size_t count = 0;
    struct message m = {0};
    struct text line = esp_line(r, text_trim(list));
    *ret_bad = text_cut(line, 0, 200);
    if (line.p != text_trim(list).p) /* controls: a second line must not be read as a list */
        return false;
    *ret_bad = TEXT("");
    const char *head = arena_printf(r->arena, "To: " TEXT_FMT "\r\n\r\n", TEXT_ARG(line));
    if (!head)
        return false;
    *ret_bad = text_cut(line, 0, 200);
    if (message_open(text_of(head), &m, NULL) != TIDE_OK ||
        message_mailboxes(&m, TEXT("To"), r->arena, &found, &count, NULL) != TIDE_OK)
        return false;
    for (size_t i = 0; i < count; i++) {
        *ret_bad = found[i].address;
        if (!esp_is_address(found[i].address))
            return false;
        if (!esp_add_mailbox(r, ret, found[i])) {
            *ret_bad = TEXT("");
            return false;
        }
    }
    *ret_bad = line;
    return count > 0;
}

/* -- Whole messages -----------------------------------------------------------------------------
 */

bool esp_message(struct esp_reading *r,
                 struct text whole,
                 const struct esp_message_rules *rules,
                 struct text fresh_id,
                 struct api_draft *d,
                 struct text *ret_id)
{
    struct buf normal = {0}, b = {0};
    struct message m;
    bool good = message_normalise(whole, &normal, NULL) == TIDE_OK &&
                message_open(buf_text(&normal), &m, NULL) == TIDE_OK;
    if (good) {
        enum tide_err rc = message_from(&m, r->arena, &d->from, NULL);
        good = rc == TIDE_OK ? esp_is_address(d->from.address) : rc == TIDE_ENOENT;
    }
    if (good) {
        *ret_id = message_first_id(&m, TEXT("Message-ID"), r->arena);
        bool fresh = !ret_id->n && fresh_id.n > 0;
        if (fresh) {
            *ret_id = fresh_id;
            buf_addf(&b, "Message-ID: " TEXT_FMT "\r\n", TEXT_ARG(fresh_id));
        }
        esp_choose_stream(r, d, message_value(&m, text_of(rules->stream), r->arena));
        message_put_rest(&b, &m, (const char *const[]){rules->own, "Message-ID"}, fresh ? 2 : 1);
        d->message =
            b.failed == TIDE_OK ? arena_text(r->arena, buf_text(&b)) : (struct text){NULL, 0};
        good = d->message.p != NULL;
    }
    buf_fini(&normal);
    buf_fini(&b);
    return good;
}

/* -- Headers ------------------------------------------------------------------------------------
 */

static bool is_reserved(struct text name)
{
    static const char *const reserved[] = {
        "From",   "To",       "Cc",           "Bcc",         "Subject",        "Date",
        "Sender", "Received", "MIME-Version", "Return-Path", "DKIM-Signature",
    };
    for (size_t i = 0; i < TIDE_COUNT(reserved); i++)
        if (text_ieq(name, text_of(reserved[i])))
            return true;
    return text_istarts(name, TEXT("Content-"));
}

static bool is_field_name(struct text name)
{
    bool good = name.n > 0 && name.n <= NAME_BYTES_MAX;
    for (size_t i = 0; i < name.n && good; i++)
        good = name.p[i] > ' ' && name.p[i] < 0x7f && name.p[i] != ':';
    return good;
}

static bool is_message_id(struct text v)
{
    return v.n > 4 && v.p[0] == '<' && v.p[v.n - 1] == '>' && text_find(v, '@') < v.n &&
           text_find(v, ' ') == v.n && text_is_ascii(v);
}

static bool folds(struct text v)
{
    size_t run = 0;
    for (size_t i = 0; i < v.n && run <= RUN_BYTES_MAX; i++)
        run = v.p[i] == ' ' ? 0 : run + 1;
    return run <= RUN_BYTES_MAX && v.n <= API_LINE_BYTES_MAX;
}

enum esp_header_fate esp_header(struct esp_reading *r,
                                struct api_draft *d,
                                struct text name,
                                struct text value)
{
    struct text bad;
    value = text_trim(esp_line(r, value));
    if (!is_field_name(name) || !folds(value))
        return ESP_HEADER_BAD;
    if (text_ieq(name, TEXT("Reply-To"))) {
        d->reply_to = (struct api_addresses){0};
        return esp_mailboxes(r, value, &d->reply_to, &bad) ? ESP_HEADER_TAKEN : ESP_HEADER_BAD;
    }
    if (is_reserved(name) || (text_ieq(name, TEXT("Message-ID")) && !is_message_id(value)))
        return ESP_HEADER_RESERVED;
    struct api_header *h = NULL;
    for (size_t i = 0; i < d->header_count && !h; i++)
        h = text_ieq(d->headers[i].name, name) ? &d->headers[i] : NULL;
    if (!h && d->header_count == API_HEADERS_MAX)
        return ESP_HEADER_BAD;
    if (!d->headers)
        d->headers = arena_array(r->arena, API_HEADERS_MAX, sizeof *d->headers);
    if (!d->headers)
        return ESP_HEADER_BAD;
    if (!h)
        h = &d->headers[d->header_count++];
    *h = (struct api_header){name, value};
    return ESP_HEADER_TAKEN;
}

/* -- Attachments --------------------------------------------------------------------------------
 */

static bool is_token(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] <= ' ' || t.p[i] >= 0x7f || strchr("()<>@,;:\\\"/[]?=", t.p[i]))
            return false;
    return t.n > 0;
}

static bool is_file_type(struct text given)
{
    struct text type = text_trim(text_cut(given, 0, text_find(given, ';')));
    size_t slash = text_find(type, '/');
    return text_is_ascii(given) && is_token(text_cut(type, 0, slash)) &&
           is_token(text_cut(type, slash + 1, SIZE_MAX)) && !text_istarts(type, TEXT("multipart/"));
}

static const char *type_of_name(struct text filename)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".txt", "text/plain"},      {".html", "text/html"},         {".csv", "text/csv"},
        {".ics", "text/calendar"},   {".pdf", "application/pdf"},    {".json", "application/json"},
        {".zip", "application/zip"}, {".xml", "application/xml"},    {".png", "image/png"},
        {".jpg", "image/jpeg"},      {".jpeg", "image/jpeg"},        {".gif", "image/gif"},
        {".svg", "image/svg+xml"},   {".webp", "image/webp"},        {".mp4", "video/mp4"},
        {".mp3", "audio/mpeg"},      {".doc", "application/msword"},
    };
    for (size_t i = 0; i < TIDE_COUNT(types); i++)
        if (text_iends(filename, text_of(types[i].end)))
            return types[i].type;
    return "application/octet-stream";
}

/* Without "cid:" and angle brackets; "" when it could not stand in a header. */
static struct text content_id(struct text id)
{
    id = text_trim(id);
    if (text_istarts(id, TEXT("cid:")))
        id = text_cut(id, 4, SIZE_MAX);
    if (id.n >= 2 && id.p[0] == '<' && id.p[id.n - 1] == '>')
        id = text_cut(id, 1, id.n - 2);
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] <= ' ' || id.p[i] >= 0x7f || strchr("<>\"", id.p[i]))
            return TEXT("");
    return id.n <= 200 ? id : TEXT("");
}

bool esp_attach(struct esp_reading *r, struct api_draft *d, const struct api_attachment *file)
{
    if (!d->attachments)
        d->attachments = arena_array(r->arena, API_ATTACHMENTS_MAX, sizeof *d->attachments);
    if (!d->attachments || d->attachment_count == API_ATTACHMENTS_MAX)
        return false;
    struct api_attachment *a = &d->attachments[d->attachment_count++];
    *a = *file;
    a->filename = esp_line(r, text_cut(a->filename, 0, API_LINE_BYTES_MAX));
    a->content_type = esp_line(r, text_trim(a->content_type));
    if (!is_file_type(a->content_type))
        a->content_type = text_of(type_of_name(a->filename));
    a->content_id = content_id(a->content_id);
    a->is_inline = a->is_inline && a->content_id.n > 0; /* nothing could show it */
    return true;
}

/* -- Streams ------------------------------------------------------------------------------------
 */

void esp_choose_stream(struct esp_reading *r, struct api_draft *d, struct text name)
{
    for (size_t i = 0; d->stream.n == 0 && i < r->ask->stream_count; i++)
        if (text_eq(name, text_of(r->ask->streams[i])))
            d->stream = text_of(r->ask->streams[i]);
}

/* -- Substitution -------------------------------------------------------------------------------
 */

static const struct esp_pair *longest_at(struct text rest,
                                         const struct esp_pair *pairs,
                                         size_t count)
{
    const struct esp_pair *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (pairs[i].key.n > 0 && (!best || pairs[i].key.n > best->key.n) &&
            text_starts(rest, pairs[i].key))
            best = &pairs[i];
    return best;
}

struct text esp_substitute(struct esp_reading *r,
                           struct text t,
                           const struct esp_pair *pairs,
                           size_t count)
{
    bool begins[256] = {false};
    struct buf b;
    size_t from = 0;
    if (!t.p || count == 0)
        return t;
    if (r->batch->overfull)
        return TEXT("");
    for (size_t i = 0; i < count; i++)
        if (pairs[i].key.n > 0)
            begins[(unsigned char)pairs[i].key.p[0]] = true;
    buf_init(&b, ESP_BYTES_MAX);
    for (size_t i = 0; i < t.n && r->batch->compared <= ESP_COMPARED_MAX;) {
        const struct esp_pair *p = NULL;
        if (begins[(unsigned char)t.p[i]]) {
            p = longest_at(text_cut(t, i, SIZE_MAX), pairs, count);
            r->batch->compared += count;
        }
        if (!p) {
            i++;
            continue;
        }
        buf_add(&b, t.p + from, i - from);
        buf_add_text(&b, p->value);
        from = i += p->key.n;
    }
    struct text ret = t;
    if (from > 0) {
        buf_add(&b, t.p + from, t.n - from);
        ret = b.len > 0 ? arena_text(r->arena, buf_text(&b)) : TEXT("");
    }
    if (b.failed != TIDE_OK || !ret.p || r->batch->compared > ESP_COMPARED_MAX) {
        r->batch->overfull = true;
        ret = TEXT("");
    }
    buf_fini(&b);
    return ret;
}

/* A scalar as text; "" for what is none. */
static struct text scalar(struct esp_reading *r, const struct json *v)
{
    int64_t n;
    double x;
    bool b;
    if (json_kind(v) == JSON_KIND_STRING)
        return json_string_text(v);
    if (json_int(v, &n))
        return text_of(arena_printf(r->arena, "%" PRId64, n));
    if (json_number(v, &x))
        return text_of(arena_printf(r->arena, "%.15g", x));
    if (json_bool(v, &b))
        return b ? TEXT("true") : TEXT("false");
    return TEXT("");
}

bool esp_pairs(struct esp_reading *r,
               const struct json *object,
               const char *before,
               const char *after,
               struct esp_pair **ret,
               size_t *ret_count)
{
    struct text name;
    const struct json *value;
    *ret_count = 0;
    *ret = arena_array(r->arena, json_count(object) + 1, sizeof **ret);
    if (!*ret)
        return esp_no_memory(r);
    if (json_kind(object) != JSON_KIND_OBJECT)
        return true;
    for (void *pos = NULL; json_next(object, &pos, &name, &value);) {
        const char *key = arena_printf(r->arena, "%s" TEXT_FMT "%s", before, TEXT_ARG(name), after);
        if (!key)
            return esp_no_memory(r);
        (*ret)[(*ret_count)++] = (struct esp_pair){text_of(key), scalar(r, value)};
    }
    return true;
}

/* -- Answering ----------------------------------------------------------------------------------
 */

void esp_answer_header(struct esp_answer *a, const char *name, const char *fmt, ...)
{
    va_list args;
    if (a->header_count == ESP_ANSWER_HEADERS_MAX)
        return;
    struct esp_answer_header *h = &a->headers[a->header_count++];
    h->name = name;
    va_start(args, fmt);
    vsnprintf(h->value, sizeof h->value, fmt, args);
    va_end(args);
}

const char *esp_uuid(tide_id id, char out[ESP_UUID_BYTES])
{
    uint64_t n = (uint64_t)id;
    snprintf(out, ESP_UUID_BYTES, "%08" PRIx64 "-%04" PRIx64 "-8%03" PRIx64 "-8%03" PRIx64 "-%s",
             n >> 32, n >> 16 & 0xffff, n >> 4 & 0xfff, n << 8 & 0xf00, "6d61696c7469");
    return out;
}

tide_id esp_uuid_id(struct text t)
{
    char again[ESP_UUID_BYTES];
    uint64_t n = 0;
    if (t.n != ESP_UUID_BYTES - 1)
        return 0;
    for (size_t i = 0; i < 21; i++) {
        char c = ascii_lower(t.p[i]);
        if (i == 8 || i == 13 || i == 18 || i == 14 || i == 19) /* dashes, version, variant */
            continue;
        if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
            return 0;
        n = n << 4 | (uint64_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return n <= INT64_MAX && text_ieq(text_of(esp_uuid((tide_id)n, again)), t) ? (tide_id)n : 0;
}

tide_id esp_mail_id(const struct esp_mail *mail)
{
    return mail->result_count > 0 ? mail->results[0].id : 0;
}
