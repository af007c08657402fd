#include "core/esp/smtp_args.h"

#include "base/macros.h"
#include "core/esp/send.h"
#include "core/proto/json_write.h"

#define TAGS_MAX          40
#define TAG_BYTES_MAX     256 /* of a name, and of a value */
#define FIELDS_MAX        10  /* Postmark's metadata */
#define FIELD_NAME_MAX    20
#define FIELD_VALUE_MAX   80
#define VALUE_BYTES_SHOWN 512 /* of a number or a boolean as text */

enum args_form {
    ARGS_OBJECT, /* a JSON object; ours are members of `member`, or of the whole */
    ARGS_LIST,   /* the same, or "a:b|c:d" */
    ARGS_TAGS,   /* "a=b, c=d" */
    ARGS_FIELDS, /* a field for each: its name behind the prefix */
};

static const struct args_api {
    const char *esp, *field, *member;
    enum args_form form;
    const char *also; /* begins other fields of this ESP */
} apis[] = {
    {"sendgrid", "X-SMTPAPI", "unique_args", ARGS_OBJECT, NULL},
    {"ses", "X-SES-MESSAGE-TAGS", NULL, ARGS_TAGS, "X-SES-CONFIGURATION-SET"},
    {"mailgun", "X-Mailgun-Variables", NULL, ARGS_OBJECT, "X-Mailgun-"},
    {"postmark", "X-PM-Metadata-", NULL, ARGS_FIELDS, "X-PM-"},
    {"sparkpost", "X-MSYS-API", "metadata", ARGS_OBJECT, NULL},
    {"brevo", "X-Mailin-custom", NULL, ARGS_LIST, "X-Mailin-"},
    {"mandrill", "X-MC-Metadata", NULL, ARGS_OBJECT, NULL},
    {"mailjet", "X-MJ-EventPayload", NULL, ARGS_OBJECT, "X-MJ-"},
    {"mailtrap", "X-MT-Custom-Variables", NULL, ARGS_OBJECT, NULL},
};

static const struct args_api *find(struct text esp)
{
    for (size_t i = 0; i < TIDE_COUNT(apis); i++)
        if (text_eq(esp, text_of(apis[i].esp)))
            return &apis[i];
    return NULL;
}

bool smtp_args_has(struct text esp)
{
    return find(esp) != NULL;
}

/* What is to be written, and from what. */
struct args {
    const struct args_api *api;
    const struct message *m;
    struct json *metadata; /* NULL: none */
    char id[ID_TEXT_BYTES];
    struct arena arena;
};

static bool is_ours(struct text name)
{
    return text_ieq(name, TEXT(SEND_ID_NAME));
}

/* A string, or a number or boolean as JSON has it; "" of others. */
static struct text plain_value(const struct json *v, struct arena *a)
{
    struct buf b = {.max = VALUE_BYTES_SHOWN};
    enum json_kind kind = json_kind(v);
    if (kind == JSON_KIND_STRING)
        return json_string_text(v);
    if (kind != JSON_KIND_NUMBER && kind != JSON_KIND_BOOL)
        return TEXT("");
    json_dump(v, &b);
    struct text t = b.failed == TIDE_OK ? arena_text(a, buf_text(&b)) : TEXT("");
    buf_fini(&b);
    return t;
}

/* -- JSON ---------------------------------------------------------------------------------------
 */

static void put_json(struct json_writer *w, struct text name, const struct json *v, struct arena *a)
{
    struct buf b = {0};
    json_dump(v, &b);
    char *key = arena_strndup(a, name.p, name.n);
    if (b.failed != TIDE_OK || !key)
        w->out->failed = TIDE_ENOMEM;
    else
        jw_json(w, key, buf_text(&b));
    buf_fini(&b);
}

/* Ours behind those of `before`, which is an object or NULL. */
static void put_members(struct args *x, struct json_writer *w, const struct json *before)
{
    struct text name;
    const struct json *v;
    for (void *pos = NULL; json_next(before, &pos, &name, &v);)
        if (!is_ours(name))
            put_json(w, name, v, &x->arena);
    for (void *pos = NULL; json_next(x->metadata, &pos, &name, &v);) {
        char *key = arena_strndup(&x->arena, name.p, name.n);
        if (key && !is_ours(name) && !json_member(before, key))
            put_json(w, name, v, &x->arena);
    }
    jw_str(w, SEND_ID_NAME, x->id);
}

static void put_object(struct args *x, const struct json *before, struct buf *ret)
{
    struct json_writer w;
    struct text name;
    const struct json *v;
    const char *member = x->api->member;
    const struct json *inner = member ? json_member(before, member) : before;
    jw_init(&w, ret);
    jw_object(&w, NULL);
    for (void *pos = NULL; member && json_next(before, &pos, &name, &v);)
        if (!text_eq(name, text_of(member)))
            put_json(&w, name, v, &x->arena);
    if (member)
        jw_object(&w, member);
    put_members(x, &w, json_kind(inner) == JSON_KIND_OBJECT ? inner : NULL);
    if (member)
        jw_end(&w);
    jw_end(&w);
}

/* One code point of well-formed UTF-8 from *at on. */
static uint32_t next_point(struct text t, size_t *at)
{
    unsigned char c = (unsigned char)t.p[*at];
    int more = c < 0x80 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    uint32_t point = more == 0 ? c : c & (0x3Fu >> more);
    *at += 1;
    for (; more > 0 && *at < t.n; more--)
        point = point << 6 | ((unsigned char)t.p[(*at)++] & 0x3Fu);
    return point;
}

/* JSON in ASCII, with blanks to fold at. */
static void spread(struct text json, struct buf *ret)
{
    bool inside = false, escaped = false;
    for (size_t i = 0; i < json.n;) {
        uint32_t p = next_point(json, &i);
        if (p >= 0x10000)
            buf_addf(ret, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (p >> 10)),
                     (unsigned)(0xDC00 + (p & 0x3FF)));
        else if (p >= 0x7F)
            buf_addf(ret, "\\u%04x", (unsigned)p);
        else
            buf_addc(ret, (char)p);
        if (p == '"' && !escaped)
            inside = !inside;
        escaped = inside && p == '\\' && !escaped;
        if (!inside && (p == ',' || p == ':'))
            buf_addc(ret, ' ');
    }
}

/* -- Others -------------------------------------------------------------------------------------
 */

static bool is_tag(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!ascii_is_alnum(t.p[i]) && t.p[i] != '_' && t.p[i] != '-')
            return false;
    return t.n > 0 && t.n <= TAG_BYTES_MAX;
}

static bool has_tag(struct text tags, struct text name)
{
    for (struct text one; text_split(&tags, ',', &one);)
        if (text_eq(text_trim(text_cut(one, 0, text_find(one, '='))), name))
            return true;
    return false;
}

static void put_tags(struct args *x, struct text before, struct buf *ret)
{
    struct text name, value, rest = before;
    const struct json *v;
    int count = 0;
    for (struct text one; text_split(&rest, ',', &one);) {
        name = text_trim(text_cut(one, 0, text_find(one, '=')));
        if (name.n > 0 && !is_ours(name))
            buf_addf(ret, "%s" TEXT_FMT, count++ ? ", " : "", TEXT_ARG(text_trim(one)));
    }
    for (void *pos = NULL; json_next(x->metadata, &pos, &name, &v);) {
        value = plain_value(v, &x->arena);
        if (is_tag(name) && is_tag(value) && !is_ours(name) && !has_tag(before, name) &&
            count < TAGS_MAX)
            buf_addf(ret, "%s" TEXT_FMT "=" TEXT_FMT, count++ ? ", " : "", TEXT_ARG(name),
                     TEXT_ARG(value));
    }
    buf_addf(ret, "%s" SEND_ID_NAME "=%s", count ? ", " : "", x->id);
}

static bool is_printable(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] < ' ' || t.p[i] > '~')
            return false;
    return true;
}

/* A field for each, beside those of the application, which are copied. */
static enum tide_err put_fields(struct args *x, struct buf *ret, struct tide_error *err)
{
    struct text prefix = text_of(x->api->field), name;
    const struct json *v;
    struct header h;
    int count = 1;
    for (size_t pos = 0; message_next(x->m, &pos, &h);)
        count += text_istarts(h.name, prefix);
    for (void *pos = NULL; json_next(x->metadata, &pos, &name, &v);) {
        struct text value = plain_value(v, &x->arena);
        char *whole = arena_printf(&x->arena, "%s" TEXT_FMT, x->api->field, TEXT_ARG(name));
        if (!whole || !is_tag(name) || name.n > FIELD_NAME_MAX || value.n > FIELD_VALUE_MAX ||
            !is_printable(value) || count >= FIELDS_MAX || is_ours(name) ||
            message_has(x->m, text_of(whole)))
            continue;
        buf_addf(ret, "%s: " TEXT_FMT "\r\n", whole, TEXT_ARG(value));
        count++;
    }
    buf_addf(ret, "%s" SEND_ID_NAME ": %s\r\n", x->api->field, x->id);
    return buf_check(ret, err);
}

/* -- The field ----------------------------------------------------------------------------------
 */

static bool can_be_folded(struct text t)
{
    size_t run = 0;
    for (size_t i = 0; i < t.n; i++) {
        run = t.p[i] == ' ' ? 0 : run + 1;
        if (run > SMTP_ARGS_LINE)
            return false;
    }
    return true;
}

/* The field's new value; false: what stands there is not to be read. */
static bool make_value(struct args *x, struct text before, struct buf *ret)
{
    struct json *doc = NULL;
    struct buf object = {0};
    if (x->api->form == ARGS_TAGS) {
        put_tags(x, before, ret);
        return true;
    }
    bool pairs = x->api->form == ARGS_LIST && before.n > 0 && before.p[0] != '{';
    if (pairs || (x->api->form == ARGS_LIST && before.n == 0 && !x->metadata)) {
        buf_addf(ret, TEXT_FMT "%s" SEND_ID_NAME ":%s", TEXT_ARG(before), pairs ? "|" : "", x->id);
        return true;
    }
    if (before.n > 0 && (json_parse(before, before.n, &doc, NULL) != TIDE_OK ||
                         json_kind(doc) != JSON_KIND_OBJECT)) {
        json_free(doc);
        return false;
    }
    put_object(x, doc, &object);
    spread(buf_text(&object), ret);
    if (object.failed != TIDE_OK)
        ret->failed = object.failed;
    buf_fini(&object);
    json_free(doc);
    return true;
}

/* Writes the field; *ret_replaces: it stands for the one that is there. */
static enum tide_err put_field(struct args *x,
                               struct buf *ret,
                               bool *ret_replaces,
                               struct tide_error *err)
{
    struct text name = text_of(x->api->field);
    struct text before = message_raw_value(x->m, name, &x->arena);
    struct buf value = {0};
    struct json *metadata = x->metadata;
    *ret_replaces = false;
    bool ok = message_count(x->m, name) <= 1 && make_value(x, before, &value);
    if (ok && !can_be_folded(buf_text(&value))) { /* without what may be left out */
        buf_clear(&value);
        x->metadata = NULL;
        ok = make_value(x, before, &value) && can_be_folded(buf_text(&value));
        x->metadata = metadata;
    }
    enum tide_err rc = buf_check(&value, err);
    if (rc == TIDE_OK && ok && is_printable(buf_text(&value))) {
        rc = message_put_structured(ret, name, buf_text(&value), err);
        *ret_replaces = rc == TIDE_OK;
    }
    buf_fini(&value);
    return rc;
}

/* -- The message --------------------------------------------------------------------------------
 */

static bool is_of_another(const struct args *x, struct text name)
{
    for (size_t i = 0; i < TIDE_COUNT(apis); i++) {
        if (&apis[i] == x->api)
            continue;
        if (text_ieq(name, text_of(apis[i].field)) ||
            (apis[i].also && text_istarts(name, text_of(apis[i].also))))
            return true;
    }
    return false;
}

static bool is_replaced(const struct args *x, struct text name, bool replaces)
{
    struct text field = text_of(x->api->field);
    if (x->api->form == ARGS_FIELDS)
        return text_istarts(name, field) && is_ours(text_cut(name, field.n, SIZE_MAX));
    return replaces && text_ieq(name, field);
}

static void copy_head(const struct args *x, bool replaces, struct buf *ret)
{
    struct header h;
    for (size_t pos = 0; message_next(x->m, &pos, &h);)
        if (!is_of_another(x, h.name) && !is_replaced(x, h.name, replaces))
            buf_add_text(ret, h.whole);
}

enum tide_err smtp_args_add(struct text esp,
                            tide_id attempt,
                            struct text metadata,
                            const struct message *m,
                            struct buf *ret,
                            struct tide_error *err)
{
    struct args x = {.api = find(esp), .m = m};
    struct buf own = {0};
    bool replaces = false;
    if (!x.api) {
        buf_add_text(ret, m->whole);
        return buf_check(ret, err);
    }
    id_text(attempt, x.id);
    if (metadata.n > 0 && json_parse(metadata, metadata.n, &x.metadata, NULL) != TIDE_OK)
        x.metadata = NULL;
    enum tide_err rc = x.api->form == ARGS_FIELDS ? put_fields(&x, &own, err)
                                                  : put_field(&x, &own, &replaces, err);
    if (rc == TIDE_OK) {
        buf_expect(ret, m->whole.n + own.len);
        copy_head(&x, replaces, ret);
        buf_add_text(ret, buf_text(&own));
        buf_adds(ret, "\r\n");
        buf_add_text(ret, m->body);
        rc = buf_check(ret, err);
    }
    json_free(x.metadata);
    arena_fini(&x.arena);
    buf_fini(&own);
    return rc;
}
