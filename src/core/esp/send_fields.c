#include "core/esp/send_fields.h"

#include "base/base64.h"
#include "base/macros.h"
#include "core/record/template.h"

static const char *const own_fields[] = {
    "From",
    "Sender",
    "To",
    "Cc",
    "Bcc",
    "Subject",
    "Reply-To",
    "Date",
    "MIME-Version",
    "Received",
    "Return-Path",
    "Delivered-To",
    "Content-*",
    "Resent-*",
    "DKIM-Signature",
    "ARC-*",
    "X-Mailtide-*",
    "Authentication-Results",
    "Received-SPF",
    "DomainKey-Signature",
};

static bool is_own(struct text name)
{
    for (size_t i = 0; i < TIDE_COUNT(own_fields); i++) {
        struct text own = text_of(own_fields[i]);
        if (own.p[own.n - 1] == '*' ? text_istarts(name, text_cut(own, 0, own.n - 1))
                                    : text_ieq(name, own))
            return true;
    }
    return false;
}

/* The recipient with the name that the header gives to that address. */
static struct mailbox named(const struct message *m, struct text address, struct arena *a)
{
    struct mailbox *list = NULL, ret = {TEXT(""), address};
    size_t count = 0;
    if (message_recipients(m, a, &list, &count, NULL) != TIDE_OK)
        return ret;
    for (size_t i = 0; i < count; i++)
        if (text_ieq(list[i].address, address))
            ret.name = list[i].name;
    return ret;
}

/* The first part is the template's fields (core/record/template.h), the others are files. */
static enum tide_err take_template(struct send_fields *f,
                                   const struct send_api *api,
                                   struct arena *a,
                                   struct tide_error *err)
{
    struct text whose = message_raw_value(&f->message, TEXT(TEMPLATE_FIELD), a);
    if (!whose.p)
        return TIDE_OK;
    if (!text_eq(whose, text_of(api->name)))
        return tide_fail(err, TIDE_EINVAL, "its text is a template stored at " TEXT_FMT,
                         TEXT_ARG(whose));
    if (f->parts.file_count == 0)
        return tide_fail(err, TIDE_EINVAL, "it names no template");
    f->template = f->parts.files[0].bytes;
    f->parts.file_count--;
    memmove(f->parts.files, f->parts.files + 1, f->parts.file_count * sizeof f->parts.files[0]);
    return TIDE_OK;
}

/* A JSON value that stands in another place now. */
static void put_value(struct json_writer *w, const char *name, const struct json *v)
{
    struct buf b = {0};
    json_dump(v, &b);
    if (b.failed != TIDE_OK)
        w->out->failed = b.failed;
    jw_json(w, name, buf_text(&b));
    buf_fini(&b);
}

void send_put_template(const struct send_fields *f, struct json_writer *w, const char *name)
{
    struct json *doc = NULL;
    if (f->template.n == 0 || json_parse(f->template, SIZE_MAX, &doc, NULL) != TIDE_OK)
        return;
    const struct json *v = json_member(doc, name);
    if (v)
        put_value(w, name, v);
    json_free(doc);
}

enum tide_err send_fields_read(const struct send_mail *mail,
                               const struct send_api *api,
                               struct arena *a,
                               struct send_fields *ret,
                               struct tide_error *err)
{
    *ret = (struct send_fields){0};
    enum tide_err rc = message_open(mail->message, &ret->message, err);
    if (rc == TIDE_OK)
        rc = message_from(&ret->message, a, &ret->from, err);
    if (rc == TIDE_OK)
        rc = message_mailboxes(&ret->message, TEXT("Reply-To"), a, &ret->reply_to,
                               &ret->reply_to_count, err);
    if (rc == TIDE_OK)
        rc = take_apart(&ret->message, a, &ret->parts, err);
    if (rc == TIDE_OK)
        rc = take_template(ret, api, a, err);
    if (rc != TIDE_OK)
        return rc;
    ret->to = named(&ret->message, mail->recipient, a);
    ret->subject = message_value(&ret->message, TEXT("Subject"), a);
    if (!ret->subject.p)
        ret->subject = TEXT("");
    if (ret->parts.plain.n == 0 && ret->parts.html.n == 0 && !ret->template.p)
        ret->parts.plain = TEXT(" "); /* APIs insist on a body */
    return TIDE_OK;
}

static bool next_header(const struct send_fields *f, size_t *pos, struct header *ret)
{
    while (message_next(&f->message, pos, ret))
        if (!is_own(ret->name))
            return true;
    return false;
}

static struct text unfolded(const struct header *h, struct arena *a)
{
    const struct message alone = {.whole = h->whole, .head = h->whole};
    struct text value = message_raw_value(&alone, h->name, a);
    return value.p ? value : TEXT("");
}

bool send_fields_header(const struct send_fields *f,
                        size_t *pos,
                        struct arena *a,
                        struct text *name,
                        struct text *value)
{
    struct header h;
    if (!next_header(f, pos, &h))
        return false;
    *name = h.name;
    *value = unfolded(&h, a);
    return true;
}

void send_fields_put_headers(const struct send_fields *f, struct arena *a, struct json_writer *w)
{
    struct header h, first;
    for (size_t pos = 0; next_header(f, &pos, &h);) {
        char *name = arena_strndup(a, h.name.p, h.name.n);
        if (name && message_find(&f->message, h.name, &first) && first.whole.p == h.whole.p)
            jw_text(w, name, unfolded(&h, a));
    }
}

void send_put_pair(struct json_writer *w, const char *name, const struct mailbox *m)
{
    jw_object(w, name);
    jw_text(w, "email", m->address);
    if (m->name.n > 0)
        jw_text(w, "name", m->name);
    jw_end(w);
}

static void add_mailbox(struct buf *b, const struct mailbox *m)
{
    if (m->name.n > 0) {
        buf_addc(b, '"');
        for (size_t i = 0; i < m->name.n; i++) {
            if (m->name.p[i] == '"' || m->name.p[i] == '\\')
                buf_addc(b, '\\');
            buf_addc(b, m->name.p[i]);
        }
        buf_adds(b, "\" ");
    }
    buf_addf(b, m->name.n > 0 ? "<" TEXT_FMT ">" : TEXT_FMT, TEXT_ARG(m->address));
}

/* A failure of the small buffer becomes one of the large one. */
static void put(struct json_writer *w, const char *name, struct buf *b)
{
    if (b->failed != TIDE_OK)
        w->out->failed = b->failed;
    jw_text(w, name, (struct text){buf_str(b), b->len});
    buf_fini(b);
}

void send_put_mailbox(struct json_writer *w, const char *name, const struct mailbox *m)
{
    struct buf b = {0};
    add_mailbox(&b, m);
    put(w, name, &b);
}

void send_add_mailboxes(struct buf *b, const struct mailbox *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_adds(b, ", ");
        add_mailbox(b, &list[i]);
    }
}

void send_put_mailboxes(struct json_writer *w,
                        const char *name,
                        const struct mailbox *list,
                        size_t count)
{
    struct buf b = {0};
    send_add_mailboxes(&b, list, count);
    put(w, name, &b);
}

void send_put_base64(struct json_writer *w, const char *name, struct text bytes)
{
    struct buf b = {0};
    base64_encode(bytes, &b);
    put(w, name, &b);
}

void send_put_id(struct json_writer *w, const char *name, tide_id id)
{
    char text[ID_TEXT_BYTES];
    jw_str(w, name, id_text(id, text));
}
