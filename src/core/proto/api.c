#include "core/proto/api.h"

#include "base/base64.h"
#include "base/macros.h"
#include "core/address/addr.h"

#include <stdarg.h>
#include <stdio.h>

#define HEADER_RUN_BYTES_MAX                                             \
    900 /* without a blank to fold at; lines end at 998 (RFC 5322 2.1.1) \
         */

/* What reading one draft needs; `path` names the value being read. */
struct reader {
    const struct api_rules *rules;
    struct arena *arena;
    struct api_error *err;
    char path[API_FIELD_BYTES];
    size_t path_n;
};

/* A member of an object: its name, how it is read, and where in the struct it goes. */
struct field {
    const char *name;
    bool (*read)(struct reader *r, const struct json *v, void *at);
    size_t offset;
};

/* -- Paths and errors ---------------------------------------------------------------------------
 */

static void push_text(struct reader *r, struct text t)
{
    size_t room = sizeof r->path - 1 - r->path_n;
    size_t n = TIDE_MIN(t.n, room);
    if (n > 0)
        memcpy(r->path + r->path_n, t.p, n);
    r->path_n += n;
    r->path[r->path_n] = '\0';
}

static void push_name(struct reader *r, struct text name)
{
    if (r->path_n > 0)
        push_text(r, TEXT("."));
    push_text(r, name);
}

static void push_index(struct reader *r, size_t i)
{
    char text[24];
    snprintf(text, sizeof text, "[%zu]", i);
    push_text(r, text_of(text));
}

static void pop_to(struct reader *r, size_t n)
{
    r->path_n = n;
    r->path[n] = '\0';
}

static bool fail(struct reader *r, const char *code, const char *fmt, ...) TIDE_PRINTF(3, 4);

static bool fail(struct reader *r, const char *code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->err->message, sizeof r->err->message, fmt, args);
    va_end(args);
    r->err->code = code;
    memcpy(r->err->field, r->path, r->path_n + 1);
    return false;
}

static bool fail_at(struct reader *r, const char *name, const char *code, const char *message)
{
    push_name(r, text_of(name));
    return fail(r, code, "%s", message);
}

static bool no_memory(struct reader *r)
{
    return fail(r, "no_memory", "out of memory");
}

/* A member given as null counts as not given. */
static bool read_object(
    struct reader *r, const struct json *v, const struct field *fields, size_t count, void *target)
{
    if (json_kind(v) != JSON_KIND_OBJECT)
        return fail(r, "wrong_type", "want an object, got %s", json_kind_text(v));
    struct text name;
    const struct json *member;
    const size_t n = r->path_n;
    for (void *pos = NULL; json_next(v, &pos, &name, &member);) {
        const struct field *f = NULL;
        for (size_t i = 0; i < count && !f; i++)
            if (text_eq(name, text_of(fields[i].name)))
                f = &fields[i];
        push_name(r, name);
        if (!f) {
            const char *names[32] = {NULL};
            for (size_t i = 0; i < count; i++)
                names[i] = fields[i].name;
            const char *near = text_nearest(name, names, count);
            return near ? fail(r, "unknown_field", "unknown field, did you mean \"%s\"?", near)
                        : fail(r, "unknown_field", "unknown field");
        }
        if (json_kind(member) != JSON_KIND_NULL && !f->read(r, member, (char *)target + f->offset))
            return false;
        pop_to(r, n);
    }
    return true;
}

/* -- Scalars ------------------------------------------------------------------------------------
 */

static bool read_string(struct reader *r, const struct json *v, struct text *ret)
{
    if (json_kind(v) != JSON_KIND_STRING)
        return fail(r, "wrong_type", "want a string, got %s", json_kind_text(v));
    *ret = json_string_text(v);
    return true;
}

/* Text that may stand in a header: no controls, of bounded length. */
static bool check_line(struct reader *r, struct text t, size_t bytes_max)
{
    if (t.n > bytes_max)
        return fail(r, "too_large", "want at most %zu bytes, got %zu", bytes_max, t.n);
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c < 0x20 || c == 0x7f)
            return fail(r, "bad_value", "want one line of text, got control character 0x%02x", c);
    }
    return true;
}

static bool read_line(struct reader *r, const struct json *v, void *at)
{
    struct text *ret = at;
    return read_string(r, v, ret) && check_line(r, *ret, API_LINE_BYTES_MAX);
}

static bool read_key(struct reader *r, const struct json *v, void *at)
{
    struct text *ret = at;
    if (!read_string(r, v, ret) || !check_line(r, *ret, API_KEY_BYTES_MAX))
        return false;
    return ret->n > 0 || fail(r, "bad_value", "want 1 to %d bytes, got none", API_KEY_BYTES_MAX);
}

static bool read_body(struct reader *r, const struct json *v, void *at)
{
    struct text *ret = at;
    if (!read_string(r, v, ret))
        return false;
    if (ret->n > 0 && memchr(ret->p, '\0', ret->n))
        return fail(r, "bad_value", "want text, got control character 0x00");
    return true;
}

static bool read_bool(struct reader *r, const struct json *v, void *at)
{
    return json_bool(v, at) ||
           fail(r, "wrong_type", "want true or false, got %s", json_kind_text(v));
}

static bool read_base64(struct reader *r, const struct json *v, void *at)
{
    struct text *ret = at, encoded;
    struct buf b = {0};
    struct tide_error err = {0};
    if (!read_string(r, v, &encoded))
        return false;
    enum tide_err rc = base64_decode(encoded, &b, &err);
    *ret = arena_text(r->arena, (struct text){b.data ? b.data : "", b.len});
    buf_fini(&b);
    if (rc == TIDE_ENOMEM || !ret->p)
        return no_memory(r);
    return rc == TIDE_OK || fail(r, "bad_value", "%s", err.text);
}

static bool read_stream(struct reader *r, const struct json *v, void *at)
{
    struct text *ret = at;
    if (!read_string(r, v, ret))
        return false;
    for (size_t i = 0; i < r->rules->stream_count; i++)
        if (text_eq(*ret, text_of(r->rules->streams[i])))
            return true;
    const char *near = text_nearest(*ret, r->rules->streams, r->rules->stream_count);
    if (near)
        return fail(r, "bad_value", "no stream is named \"%.60s\", did you mean \"%s\"?", ret->p,
                    near);
    return fail(r, "bad_value", "no stream is named \"%.60s\"", ret->p);
}

/* Whatever object it is: it is given back as it came. */
static bool read_metadata(struct reader *r, const struct json *v, void *at)
{
    struct text *ret = at;
    struct buf b = {.max = API_METADATA_BYTES_MAX};
    if (json_kind(v) != JSON_KIND_OBJECT)
        return fail(r, "wrong_type", "want an object, got %s", json_kind_text(v));
    json_dump(v, &b);
    bool fits = b.failed == TIDE_OK;
    if (fits)
        *ret = arena_text(r->arena, buf_text(&b));
    buf_fini(&b);
    if (!fits)
        return fail(r, "too_large", "want at most %d bytes of metadata", API_METADATA_BYTES_MAX);
    return ret->p ? true : fail(r, "no_memory", "out of memory");
}

static bool read_weight(struct reader *r, const struct json *v, void *at)
{
    int64_t n;
    if (!json_int(v, &n) || n < 1 || n > SUBMISSION_WEIGHT_MAX)
        return fail(r, "bad_value", "want a whole number from 1 to %d", SUBMISSION_WEIGHT_MAX);
    *(int *)at = (int)n;
    return true;
}

/* "2026-11-21T22:00:00Z", or "2h" from now. */
static bool read_time(struct reader *r, const struct json *v, void *at)
{
    tide_wall_ms *ret = at;
    struct text t;
    int64_t ms;
    if (!read_string(r, v, &t))
        return false;
    if (time_parse_rfc3339(t, ret, NULL) == TIDE_OK)
        return true;
    if (text_duration_ms(t, &ms, NULL) == TIDE_OK &&
        !__builtin_add_overflow(r->rules->now, ms, ret))
        return true;
    return fail(r, "bad_value",
                "want a time (\"2026-11-21T22:00:00Z\") or a duration (\"2h\"), got \"%.60s\"",
                t.p);
}

/* -- Addresses ----------------------------------------------------------------------------------
 */

static bool check_address(struct reader *r, struct text address)
{
    struct addr parsed;
    struct tide_error err = {0};
    if (addr_parse(address, 0, &parsed, &err) == TIDE_OK)
        return true;
    return fail(r, "bad_value", "not a mail address: %s", err.text);
}

/* "a@b" or "Name <a@b>"; a name may be quoted. */
static bool split_address(struct reader *r, struct text t, struct mailbox *ret)
{
    if (!check_line(r, t, API_LINE_BYTES_MAX))
        return false;
    t = text_trim(t);
    *ret = (struct mailbox){.address = t};
    if (t.n > 0 && t.p[t.n - 1] == '>') {
        size_t open = t.n - 1;
        while (open > 0 && t.p[open] != '<')
            open--;
        ret->name = text_trim(text_cut(t, 0, open));
        ret->address = text_cut(t, open + 1, t.n - open - 2);
        size_t n = ret->name.n;
        if (n >= 2 && ret->name.p[0] == '"' && ret->name.p[n - 1] == '"')
            ret->name = text_cut(ret->name, 1, n - 2);
    }
    return check_address(r, ret->address);
}

static bool read_only_address(struct reader *r, const struct json *v, void *at)
{
    struct text *ret = at;
    return read_line(r, v, ret) && check_address(r, *ret);
}

static const struct field address_fields[] = {
    {"address", read_only_address, offsetof(struct mailbox, address)},
    {"name", read_line, offsetof(struct mailbox, name)},
};

static bool read_address(struct reader *r, const struct json *v, void *at)
{
    struct mailbox *ret = at;
    switch (json_kind(v)) {
    case JSON_KIND_STRING:
        return split_address(r, json_string_text(v), ret);
    case JSON_KIND_OBJECT:
        if (!read_object(r, v, address_fields, TIDE_COUNT(address_fields), ret))
            return false;
        return ret->address.p || fail_at(r, "address", "missing", "want a mail address");
    case JSON_KIND_NULL:
    case JSON_KIND_BOOL:
    case JSON_KIND_NUMBER:
    case JSON_KIND_ARRAY:
        break;
    }
    return fail(r, "wrong_type", "want an address, a string or an object, got %s",
                json_kind_text(v));
}

static bool read_addresses(struct reader *r, const struct json *v, void *at)
{
    struct api_addresses *ret = at;
    bool is_array = json_kind(v) == JSON_KIND_ARRAY;
    size_t count = is_array ? json_count(v) : 1;
    const size_t n = r->path_n;
    if (count > r->rules->recipients_max)
        return fail(r, "too_many", "want at most %zu addresses, got %zu", r->rules->recipients_max,
                    count);
    ret->list = arena_array(r->arena, count ? count : 1, sizeof *ret->list);
    if (!ret->list)
        return no_memory(r);
    for (; ret->count < count; ret->count++) {
        if (is_array)
            push_index(r, ret->count);
        if (!read_address(r, is_array ? json_element(v, ret->count) : v, &ret->list[ret->count]))
            return false;
        pop_to(r, n);
    }
    return true;
}

/* -- Headers ------------------------------------------------------------------------------------
 */

/* Set by fields of their own, or by mailtide. */
static const char *const own_headers[] = {
    "From", "To",     "Cc",       "Bcc",          "Reply-To",    "Subject",
    "Date", "Sender", "Received", "MIME-Version", "Return-Path", "DKIM-Signature",
};

static bool check_header_name(struct reader *r, struct text name)
{
    bool good = name.n > 0 && name.n <= 70;
    for (size_t i = 0; i < name.n && good; i++)
        good = name.p[i] > ' ' && name.p[i] < 0x7f && name.p[i] != ':';
    if (!good)
        return fail(r, "bad_value", "want a header name of 1 to 70 printable ASCII characters");
    for (size_t i = 0; i < TIDE_COUNT(own_headers); i++)
        if (text_ieq(name, text_of(own_headers[i])))
            return fail(r, "conflict", "%s is not set by headers", own_headers[i]);
    if (text_istarts(name, TEXT("Content-")) || text_istarts(name, TEXT("X-Mailtide-")))
        return fail(r, "conflict", "%.*s is not set by headers", (int)name.n, name.p);
    return true;
}

static bool check_header_value(struct reader *r, struct text name, struct text value)
{
    if (!check_line(r, value, API_LINE_BYTES_MAX))
        return false;
    size_t run = 0;
    for (size_t i = 0; i < value.n; i++) {
        run = value.p[i] == ' ' ? 0 : run + 1;
        if (run > HEADER_RUN_BYTES_MAX)
            return fail(r, "too_large", "want a blank at least every %d bytes",
                        HEADER_RUN_BYTES_MAX);
    }
    if (!text_ieq(name, TEXT("Message-ID")))
        return true;
    bool good = value.n > 4 && value.p[0] == '<' && value.p[value.n - 1] == '>' &&
                text_find(value, '@') < value.n && text_find(value, ' ') == value.n &&
                text_is_ascii(value);
    return good || fail(r, "bad_value", "want \"<...@...>\"");
}

static bool read_headers(struct reader *r, const struct json *v, void *at)
{
    struct api_draft *d = at;
    if (json_kind(v) != JSON_KIND_OBJECT)
        return fail(r, "wrong_type", "want an object, got %s", json_kind_text(v));
    if (json_count(v) > API_HEADERS_MAX)
        return fail(r, "too_many", "want at most %d headers, got %zu", API_HEADERS_MAX,
                    json_count(v));
    d->headers = arena_array(r->arena, json_count(v) + 1, sizeof *d->headers);
    if (!d->headers)
        return no_memory(r);
    const size_t n = r->path_n;
    struct text name;
    const struct json *value;
    for (void *pos = NULL; json_next(v, &pos, &name, &value);) {
        struct api_header *h = &d->headers[d->header_count];
        push_name(r, name);
        h->name = name;
        if (!check_header_name(r, name) || !read_string(r, value, &h->value) ||
            !check_header_value(r, name, h->value))
            return false;
        for (size_t i = 0; i < d->header_count; i++)
            if (text_ieq(d->headers[i].name, name))
                return fail(r, "conflict", "this header is given twice");
        d->header_count++;
        pop_to(r, n);
    }
    return true;
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

static bool read_content_type(struct reader *r, const struct json *v, void *at)
{
    struct text *ret = at;
    if (!read_line(r, v, ret))
        return false;
    struct text type = text_trim(text_cut(*ret, 0, text_find(*ret, ';')));
    size_t slash = text_find(type, '/');
    if (!text_is_ascii(*ret) || !is_token(text_cut(type, 0, slash)) ||
        !is_token(text_cut(type, slash + 1, SIZE_MAX)))
        return fail(r, "bad_value", "want a media type like \"image/png\", got \"%.60s\"", ret->p);
    if (text_istarts(type, TEXT("multipart/")))
        return fail(r, "bad_value", "want the type of one file, got \"%.60s\"", ret->p);
    return true;
}

/* Without angle brackets, as html refers to it ("cid:logo"). */
static bool read_content_id(struct reader *r, const struct json *v, void *at)
{
    struct text *ret = at;
    if (!read_line(r, v, ret))
        return false;
    if (ret->n >= 2 && ret->p[0] == '<' && ret->p[ret->n - 1] == '>')
        *ret = text_cut(*ret, 1, ret->n - 2);
    bool good = ret->n > 0 && ret->n <= 200;
    for (size_t i = 0; i < ret->n && good; i++)
        good = ret->p[i] > ' ' && ret->p[i] < 0x7f && !strchr("<>\"", ret->p[i]);
    return good || fail(r, "bad_value", "want 1 to 200 printable ASCII characters");
}

static const struct field attachment_fields[] = {
    {"filename", read_line, offsetof(struct api_attachment, filename)},
    {"content_type", read_content_type, offsetof(struct api_attachment, content_type)},
    {"content", read_base64, offsetof(struct api_attachment, content)},
    {"content_id", read_content_id, offsetof(struct api_attachment, content_id)},
    {"inline", read_bool, offsetof(struct api_attachment, is_inline)},
};

static bool read_attachments(struct reader *r, const struct json *v, void *at)
{
    struct api_draft *d = at;
    const size_t n = r->path_n, count = json_count(v);
    if (json_kind(v) != JSON_KIND_ARRAY)
        return fail(r, "wrong_type", "want an array, got %s", json_kind_text(v));
    if (count > API_ATTACHMENTS_MAX)
        return fail(r, "too_many", "want at most %d attachments, got %zu", API_ATTACHMENTS_MAX,
                    count);
    d->attachments = arena_array(r->arena, count + 1, sizeof *d->attachments);
    if (!d->attachments)
        return no_memory(r);
    for (; d->attachment_count < count; d->attachment_count++) {
        struct api_attachment *a = &d->attachments[d->attachment_count];
        push_index(r, d->attachment_count);
        if (!read_object(r, json_element(v, d->attachment_count), attachment_fields,
                         TIDE_COUNT(attachment_fields), a))
            return false;
        if (!a->content.p)
            return fail_at(r, "content", "missing", "want the file in base64");
        if (a->is_inline && !a->content_id.p)
            return fail_at(r, "content_id", "missing",
                           "an inline file needs one, \"cid:\" names it");
        pop_to(r, n);
    }
    return true;
}

/* -- The draft ----------------------------------------------------------------------------------
 */

static const struct field item_fields[] = {
    {"title", read_line, offsetof(struct digest_item, title)},
    {"url", read_line, offsetof(struct digest_item, url)},
    {"text", read_body, offsetof(struct digest_item, text)},
    {"icon", read_line, offsetof(struct digest_item, icon)},
};

static bool read_item(struct reader *r, const struct json *v, void *at)
{
    return read_object(r, v, item_fields, TIDE_COUNT(item_fields), at);
}

#define AT(member) offsetof(struct api_draft, member)

static const struct field draft_fields[] = {
    {"to", read_addresses, AT(to)},
    {"from", read_address, AT(from)},
    {"reply_to", read_addresses, AT(reply_to)},
    {"cc", read_addresses, AT(cc)},
    {"bcc", read_addresses, AT(bcc)},
    {"subject", read_line, AT(subject)},
    {"text", read_body, AT(text)},
    {"html", read_body, AT(html)},
    {"headers", read_headers, 0},
    {"attachments", read_attachments, 0},
    {"stream", read_stream, AT(stream)},
    {"key", read_key, AT(key)},
    {"thread", read_line, AT(thread)},
    {"collapse_key", read_line, AT(collapse_key)},
    {"item", read_item, AT(item)},
    {"weight", read_weight, AT(weight)},
    {"metadata", read_metadata, AT(metadata)},
    {"not_before", read_time, AT(not_before)},
    {"deadline", read_time, AT(deadline_at)},
    {"message", read_body, AT(message)},
    {"message_base64", read_base64, AT(message)},
};

/* What stands in a message already cannot be given beside it. */
static const char *const not_beside_message[] = {"subject", "text",        "html",
                                                 "headers", "attachments", "reply_to"};

static bool check_draft(struct reader *r, const struct json *v, const struct api_draft *d)
{
    size_t recipients = d->to.count + d->cc.count + d->bcc.count;
    if (!d->from.address.p)
        return fail_at(r, "from", "missing", "want the sender's address");
    if (d->to.count == 0)
        return fail_at(r, "to", "missing", "want at least one address");
    if (recipients > r->rules->recipients_max)
        return fail(r, "too_many", "want at most %zu recipients, got %zu", r->rules->recipients_max,
                    recipients);
    if (json_member(v, "message") && json_member(v, "message_base64"))
        return fail_at(r, "message_base64", "conflict", "cannot stand beside \"message\"");
    for (size_t i = 0; d->message.p && i < TIDE_COUNT(not_beside_message); i++)
        if (json_member(v, not_beside_message[i]))
            return fail_at(r, not_beside_message[i], "conflict",
                           "cannot stand beside a whole message");
    if (d->message.p && d->message.n == 0)
        return fail_at(r, json_member(v, "message") ? "message" : "message_base64", "bad_value",
                       "want a message, got nothing");
    if (!d->message.p && !d->text.p && !d->html.p)
        return fail_at(r, "text", "missing", "want \"text\", \"html\" or \"message\"");
    if (!d->message.p && !d->subject.p)
        return fail_at(r, "subject", "missing", "want a subject");
    if (d->deadline_at && d->deadline_at <= r->rules->now)
        return fail_at(r, "deadline", "bad_value", "want a time to come, it has passed");
    if (d->deadline_at && d->deadline_at <= d->not_before)
        return fail_at(r, "deadline", "bad_value", "want a time later than \"not_before\"");
    return true;
}

bool api_draft(const struct json *v,
               int index,
               const struct api_rules *rules,
               struct arena *a,
               struct api_draft *ret,
               struct api_error *err)
{
    struct reader r = {.rules = rules, .arena = a, .err = err};
    struct api_draft d = {0};
    if (index >= 0)
        push_index(&r, (size_t)index);
    if (!read_object(&r, v, draft_fields, TIDE_COUNT(draft_fields), &d) || !check_draft(&r, v, &d))
        return false;
    *ret = d;
    return true;
}
