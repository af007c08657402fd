/* What the APIs' requests have in common: paths, keys, mailboxes, and the members that most of them
 * have in some form. */
#include "base/base64.h"
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"

static struct text segment(struct text *rest)
{
    struct text s = text_cut(*rest, 0, text_find(*rest, '/'));
    *rest = text_cut(*rest, s.n, SIZE_MAX);
    return s;
}

bool lab_is(struct lab_ask *a, const char *method, const char *pattern)
{
    struct text want = text_of(pattern), got = a->req->path;
    size_t wilds = 0;
    if (!text_eq(a->req->method, text_of(method)))
        return false;
    while (want.n > 0 && got.n > 0 && want.p[0] == '/' && got.p[0] == '/') {
        want = text_cut(want, 1, SIZE_MAX);
        got = text_cut(got, 1, SIZE_MAX);
        struct text w = segment(&want), g = segment(&got);
        if (text_eq(w, TEXT("*")) && g.n > 0 && wilds < TIDE_COUNT(a->wild))
            a->wild[wilds++] = g;
        else if (!text_eq(w, g))
            return false;
    }
    return want.n == 0 && got.n == 0;
}

struct text lab_string(const struct json *object, const char *name)
{
    struct text t = json_string_text(json_member(object, name));
    return t.p ? t : TEXT("");
}

bool lab_has_bearer(const struct lab_ask *a, const char *scheme)
{
    struct text given = http_header(a->req, "Authorization"), prefix = text_of(scheme);
    return text_istarts(given, prefix) &&
           text_eq(text_cut(given, prefix.n, SIZE_MAX), text_of(a->esp->def->password));
}

bool lab_has_basic(const struct lab_ask *a, const char *user)
{
    struct text given = http_header(a->req, "Authorization");
    struct buf pair = {0};
    bool ok = text_istarts(given, TEXT("Basic ")) &&
              base64_decode(text_cut(given, 6, SIZE_MAX), &pair, NULL) == TIDE_OK;
    struct text t = buf_text(&pair);
    size_t colon = text_find(t, ':');
    ok = ok && (!user || text_eq(text_cut(t, 0, colon), text_of(user))) &&
         text_eq(text_cut(t, colon + 1, SIZE_MAX), text_of(a->esp->def->password));
    buf_fini(&pair);
    return ok;
}

int64_t lab_query_int(const struct lab_ask *a, const char *name, int64_t preset)
{
    int64_t n = preset;
    return text_int(http_query(a->req, name), 0, INT64_MAX, &n, NULL) == TIDE_OK ? n : preset;
}

bool lab_is_address(struct text t)
{
    size_t at = text_find(t, '@');
    return at > 0 && at + 1 < t.n && text_find(t, ' ') == t.n && text_find(t, '\n') == t.n &&
           text_find(text_cut(t, at + 1, SIZE_MAX), '.') + at + 1 < t.n;
}

bool lab_add_mailbox(struct lab_ask *a, struct api_addresses *to, struct mailbox m)
{
    if (!lab_is_address(m.address) || to->count == LAB_RECIPIENTS_MAX)
        return false;
    if (!to->list)
        to->list = arena_array(&a->arena, LAB_RECIPIENTS_MAX, sizeof *to->list);
    if (!to->list)
        return false;
    to->list[to->count++] = m;
    return true;
}

bool lab_read_mailboxes(struct lab_ask *a, struct text list, struct api_addresses *ret)
{
    struct message message;
    struct mailbox *found;
    size_t n;
    char *head = arena_printf(&a->arena, "To: " TEXT_FMT "\r\n\r\n", TEXT_ARG(list));
    if (text_trim(list).n == 0)
        return true;
    if (!head || text_find(list, '\n') < list.n ||
        message_open(text_of(head), &message, NULL) != TIDE_OK ||
        message_mailboxes(&message, TEXT("To"), &a->arena, &found, &n, NULL) != TIDE_OK || n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!lab_add_mailbox(a, ret, found[i]))
            return false;
    return true;
}

bool lab_decode(struct lab_ask *a, struct text base64, struct text *ret)
{
    struct buf b = {0};
    bool ok = base64_decode(base64, &b, NULL) == TIDE_OK;
    *ret = arena_text(&a->arena, buf_text(&b));
    ok = ok && (ret->p || b.len == 0);
    buf_fini(&b);
    return ok;
}

void lab_add_pair(struct lab_mail *m, struct text name, struct text value)
{
    if (m->custom_count < LAB_PAIRS_MAX)
        m->custom[m->custom_count++] = (struct esp_pair){name, value};
}

/* -- Members of JSON ---------------------------------------------------------------------------
 */

struct mailbox lab_mailbox(const struct json *v)
{
    if (json_kind(v) == JSON_KIND_STRING)
        return (struct mailbox){.name = TEXT(""), .address = json_string_text(v)};
    return (struct mailbox){.name = lab_string(v, "name"), .address = lab_string(v, "email")};
}

bool lab_add_people(struct lab_ask *a, const struct json *array, struct api_addresses *ret)
{
    for (size_t i = 0; i < json_count(array); i++)
        if (!lab_add_mailbox(a, ret, lab_mailbox(json_element(array, i))))
            return false;
    return true;
}

bool lab_read_people(struct lab_ask *a, const struct json *array, struct api_addresses *ret)
{
    for (size_t i = 0; i < json_count(array); i++)
        if (!lab_read_mailboxes(a, json_string_text(json_element(array, i)), ret))
            return false;
    return true;
}

void lab_add_pairs(struct lab_mail *m, const struct json *object)
{
    const struct json *value;
    void *pos = NULL;
    struct text name;
    while (json_next(object, &pos, &name, &value))
        lab_add_pair(m, name, json_string_text(value));
}

void lab_add_tags(struct lab_mail *m, const struct json *array, const char *name, const char *value)
{
    for (size_t i = 0; i < json_count(array); i++) {
        const struct json *one = json_element(array, i);
        lab_add_pair(m, lab_string(one, name), lab_string(one, value));
    }
}

void lab_add_headers(struct lab_ask *a, const struct json *object, struct api_draft *d)
{
    const struct json *value;
    void *pos = NULL;
    struct text name;
    d->headers = arena_array(&a->arena, json_count(object) + 1, sizeof *d->headers);
    while (d->headers && json_next(object, &pos, &name, &value))
        d->headers[d->header_count++] = (struct api_header){name, json_string_text(value)};
}

bool lab_add_files(struct lab_ask *a,
                   const struct json *files,
                   const struct lab_file_names *names,
                   struct api_draft *d)
{
    d->attachments = arena_array(&a->arena, json_count(files) + 1, sizeof *d->attachments);
    for (size_t i = 0; d->attachments && i < json_count(files); i++) {
        const struct json *one = json_element(files, i);
        struct api_attachment *to = &d->attachments[d->attachment_count++];
        to->filename = lab_string(one, names->filename);
        if (names->type)
            to->content_type = lab_string(one, names->type);
        if (names->id)
            to->content_id = lab_string(one, names->id);
        if (names->id_scheme && text_starts(to->content_id, text_of(names->id_scheme)))
            to->content_id = text_cut(to->content_id, strlen(names->id_scheme), SIZE_MAX);
        to->is_inline = names->disposition
                            ? text_eq(lab_string(one, names->disposition), TEXT("inline"))
                            : to->content_id.n > 0;
        if (!lab_decode(a, lab_string(one, names->content), &to->content))
            return false;
    }
    return d->attachments != NULL;
}
